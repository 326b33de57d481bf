//! A ledger crosses changes of rules, by real modules, and modules that don't do are refused
//! before their height comes.

#[path = "../../../crates/chain-host/tests/modules/mod.rs"]
mod broken;
#[path = "support/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{EventId, RulesHash, sha256};
use pitpet_chain::kennel::Outcome;
use pitpet_chain_host::Releases;
use pitpet_pipeline::export_file::{self, ExportReader, ExportWriter, Module, Opening, ReadError, rules_of};
use pitpet_pipeline::head::{CommittedHead, Founding, read_head};
use pitpet_pipeline::message::{Entry, Message};
use pitpet_pipeline::mine::{MineReport, Miner, MinerSettings};
use pitpet_pipeline::offer::{OfferError, Offered, Offering, When};
use pitpet_pipeline::ports::{ChainInstance, Consistency, ModuleError, ModuleHost, Objects as _, Table as _};
use pitpet_pipeline::query::Segment;
use pitpet_pipeline::read_side::ReadSide;
use pitpet_pipeline::upgrade::{Operator, Unfit};
use pitpet_pipeline::verify::{RulesTrust, Terms, Verdict, Verifier, VerifyError};
use pitpet_pipeline::{items, snapshots};
use pitpet_simulator::faults::FaultyQueue;
use pitpet_simulator::queue::QueueSettings;
use pitpet_simulator::town::{QUICK, found_in, id_of};
use pitpet_simulator::{Faults, MemoryQueue, Player, Town};

use rules::{Machine, hash, modules, operator, released, renamed, wider};

fn miner(town: &Town, machine: &Machine) -> Miner {
    let settings = MinerSettings { snapshot_every: 4, ..MinerSettings::default() };
    town.miner_on(machine.modules.clone(), &Faults::none(), settings)
}

/// The operator's decision, as an entry of a message.
fn decision(town: &Town, rules: RulesHash, at_height: u64) -> Entry {
    decision_in(town, &town.founding, rules, at_height)
}

fn decision_in(town: &Town, founding: &Founding, rules: RulesHash, at_height: u64) -> Entry {
    let key = operator();
    let operator = Operator { key: &key, kennel: founding.kennel, genesis: &founding.genesis };
    let event = operator.upgrade(rules, at_height, town.clock.now_ms());
    Entry { event: Bytes(event), body: None }
}

/// Mines one batch; time passes.
async fn mine(town: &Town, miner: &Miner) -> MineReport {
    town.clock.advance(1_000);
    town.mine_once(miner).await
}

/// The ledger as a server gives it out.
async fn ledger(town: &Town) -> (Opening, Vec<Segment>) {
    ledger_of(town, "first", &town.founding).await
}

async fn ledger_of(town: &Town, label: &str, founding: &Founding) -> (Opening, Vec<Segment>) {
    let manifest = town.queries().export(label).await.expect("a manifest");
    let opening = Opening {
        genesis: Bytes(encode(&founding.genesis)),
        checkpoint: manifest.checkpoint,
        height: manifest.height,
    };
    let (mut segments, mut next) = (Vec::new(), 0);
    while next <= manifest.height {
        let segment: Segment =
            decode(&town.queries().segment(label, next).await.expect("a segment")).expect("canonical");
        next += segment.entries.len() as u64;
        segments.push(segment);
    }
    (opening, segments)
}

fn blocks(segments: &[Segment]) -> Vec<Block> {
    let entries = segments.iter().flat_map(|segment| &segment.entries);
    entries.map(|entry| decode(&entry.block.0).expect("a block")).collect()
}

/// The events in the ledger, each of which must be there once.
fn events(segments: &[Segment]) -> BTreeSet<EventId> {
    let blocks = blocks(segments);
    let all = blocks.iter().flat_map(|block| &block.events);
    let all: Vec<EventId> = all.map(|event| SignedEvent::read(&event.0).expect("an event").id).collect();
    let distinct: BTreeSet<EventId> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len(), "no event is there twice");
    distinct
}

fn verify(
    host: &dyn ModuleHost,
    opening: &Opening,
    segments: &[Segment],
    terms: Terms,
) -> Result<Verdict, VerifyError> {
    let mut verifier = Verifier::begin(host, opening, terms)?;
    segments.iter().try_for_each(|segment| verifier.segment(segment))?;
    verifier.finish()
}

fn terms(allowed: &[RulesHash]) -> Terms {
    Terms { allowed: allowed.to_vec(), ..Terms::new(vec![hash(&released())]) }
}

/// A kennel that has crossed two changes while its players never paused: to a module that decides
/// alike, and to one whose state has another shape.
struct Crossed {
    town: Town,
    machine: Machine,
    alike: Vec<u8>,
    at: [u64; 2],
    sent: BTreeSet<EventId>,
}

async fn crossed() -> Crossed {
    let machine = Machine::new();
    let town = rules::town(machine.modules.as_ref(), QUICK).await;
    let alike = renamed(&released(), b'1');
    let changes = [machine.put(&alike), machine.put(&wider())];
    let at = [7, 15];
    // Two miners with open kennels of their own, as Lambda may run them.
    let miners = [miner(&town, &machine), miner(&town, &machine)];
    let mut players: Vec<Player> = (1..=6).map(|seed| Player::new(&town, seed)).collect();
    let mut sent = BTreeSet::new();
    let mut send = |entries: Vec<Entry>| {
        sent.extend(entries.iter().map(id_of));
        town.send(entries);
    };
    let anchor = town.head().await.hash;
    let pets: Vec<EventId> = players
        .iter_mut()
        .map(|player| {
            let birth = player.birth("Kitty", anchor);
            let id = id_of(&birth);
            send(vec![birth]);
            id
        })
        .collect();
    let mut round = 0_usize;
    while town.head().await.height < at[1] + 4 {
        if round == 2 {
            send(vec![decision(&town, changes[0], at[0])]);
        }
        if town.head().await.height == at[0] + 1 {
            send(vec![decision(&town, changes[1], at[1])]);
        }
        // Everyone posts, and the next one pats the post before it is mined.
        for who in 0..players.len() {
            if (round + who).is_multiple_of(4) {
                let post = players[who].post(pets[who], &format!("Nap {round}."));
                let id = id_of(&post);
                send(vec![post]);
                send(vec![players[(who + 1) % 6].pat(id)]);
            }
        }
        send(vec![players[round % 6].comment(pets[0], &format!("no post, a reject {round}"))]);
        mine(&town, &miners[round % 2]).await;
        round += 1;
        assert!(round < 200, "the ledger doesn't grow");
    }
    for _ in 0..50 {
        mine(&town, &miners[0]).await;
    }
    assert!(town.queue.is_empty());
    Crossed { town, machine, alike, at, sent }
}

#[tokio::test]
async fn a_ledger_crosses_two_changes_under_load_and_loses_nothing() {
    let Crossed { town, machine, alike, at, sent } = crossed().await;
    let (opening, segments) = ledger(&town).await;
    let changes = [hash(&alike), hash(&wider())];

    // Each block names the rules that were decided on for its height.
    for block in blocks(&segments) {
        let expected = match block.header.height {
            height if height < at[0] => hash(&released()),
            height if height < at[1] => changes[0],
            _ => changes[1],
        };
        assert_eq!(block.header.rules_hash, expected, "block {}", block.header.height);
    }
    // Every event that was sent has its receipt or its reject, and nothing else is there.
    let mined = events(&segments);
    let all = town.table.all();
    let is_rejected = |id: &EventId| all.contains_key(&items::reject(id));
    for id in &sent {
        assert!(mined.contains(id) != is_rejected(id), "{id}");
    }
    assert!(mined.is_subset(&sent) && mined.len() > 30, "{}", mined.len());
    assert!(town.queue.dead().is_empty());

    // The state's shape is another one: what the last module wrote, the one before doesn't read.
    let places = snapshots::list(town.objects.as_ref(), &town.kennel()).await.unwrap();
    let newest = places.last().unwrap();
    assert!(newest.height >= at[1]);
    let content = snapshots::read(town.objects.as_ref(), &town.kennel(), newest).await.unwrap();
    let open = |rules: RulesHash| {
        let snapshot = Some(Bytes(content.clone()));
        let start = pitpet_chain::abi::Start { rules_hash: rules, genesis: None, snapshot };
        machine.modules.open(&rules.0, &encode(&start)).map(drop)
    };
    assert!(open(changes[1]).is_ok());
    assert!(matches!(open(changes[0]), Err(ModuleError::Refused(_))));

    // Anyone verifies it who allows the rules, and is told which ones were allowed.
    let verdict = verify(machine.modules.as_ref(), &opening, &segments, terms(&changes)).unwrap();
    let used: Vec<_> = verdict.rules.iter().map(|used| (used.hash, used.trust, used.from, used.to)).collect();
    assert_eq!(
        used,
        [
            (hash(&released()), RulesTrust::Pinned, 0, at[0] - 1),
            (changes[0], RulesTrust::Allowed, at[0], at[1] - 1),
            (changes[1], RulesTrust::Allowed, at[1], opening.height),
        ]
    );
    let told = pitpet_pipeline::verify::report::words("first", &verdict);
    assert!(told.contains(&format!("{} for blocks 0 to 6 (pinned in this release)", hash(&released()))));
    assert!(told.contains(&format!("{} for blocks 7 to 14 (NOT known", changes[0])), "{told}");
    let untrusted = verify(machine.modules.as_ref(), &opening, &segments, terms(&changes[..1]));
    assert!(matches!(untrusted, Err(VerifyError::UntrustedRules { height: 15, .. })), "{untrusted:?}");
    // A module that was not decided on doesn't get in, though it decides alike and is allowed.
    let mut forged = segments.clone();
    for entry in &mut forged[0].entries {
        let mut block: Block = decode(&entry.block.0).unwrap();
        if block.header.height == at[0] {
            block.header.rules_hash = hash(&released());
            entry.block = Bytes(encode(&block));
        }
    }
    let refused = verify(machine.modules.as_ref(), &opening, &forged, terms(&changes)).unwrap_err();
    assert!(refused.to_string().starts_with("block 7: its rules hash"), "{refused}");
}

/// What senders, miners and operator of a busy town share.
struct Busy {
    town: Town,
    /// What became of events is looked up here.
    read_side: Arc<ReadSide>,
    machine: Machine,
    /// The kennels with their labels: each is a group of messages.
    kennels: [(&'static str, Founding); 2],
    sent: Mutex<[BTreeSet<EventId>; 2]>,
    /// Set once every kennel has crossed both changes.
    over: AtomicBool,
    sending: AtomicU64,
}

/// Messages that may wait before senders do.
const BACKLOG_MAX: usize = 30;

impl Busy {
    async fn found(machine: Machine) -> Self {
        let town = rules::town(machine.modules.as_ref(), QUICK).await;
        // Every batch may be in two hands several times without being given up.
        let settings = QueueSettings { max_receive_count: 1_000, ..QueueSettings::default() };
        let queue = Arc::new(MemoryQueue::new(town.clock.clone(), settings));
        let town = Town { queue, ..town };
        let modules = machine.modules.as_ref();
        let second = found_in(&town.table, "second", QUICK, 2, modules, hash(&released())).await;
        let kennels = [("first", town.founding.clone()), ("second", second)];
        let read_side = ReadSide::over(town.table.clone());
        let (sent, over, sending) = (Mutex::default(), false.into(), 0.into());
        Self { town, read_side, machine, kennels, sent, over, sending }
    }

    fn send(&self, kennel: usize, entries: Vec<Entry>) -> Vec<EventId> {
        let ids: Vec<EventId> = entries.iter().map(id_of).collect();
        self.sent.lock().unwrap()[kennel].extend(&ids);
        let message = Message { version: 1, kennel: self.kennels[kennel].1.kennel, entries };
        self.town.queue.take(&message.write());
        ids
    }

    async fn head(&self, kennel: usize) -> CommittedHead {
        let founding = &self.kennels[kennel].1;
        read_head(self.town.table.as_ref(), founding, Consistency::Strong).await.expect("a sound head")
    }

    /// Two players of one kennel, who never wait for an answer.
    async fn play(&self, kennel: usize, seed: u8) {
        let founding = &self.kennels[kennel].1;
        let mut player = Player::of(founding, seed, self.town.clock.now_ms());
        let mut friend = Player::of(founding, seed + 50, self.town.clock.now_ms());
        let mut pet = EventId([0; 32]);
        for round in 0.. {
            while self.town.queue.len() > BACKLOG_MAX && !self.over.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            // One that lives still is a reject; one whose pet has died begins anew.
            if round % 8 == 0 {
                let birth = player.birth(&format!("Kitty {seed} {round}"), self.head(kennel).await.hash);
                let id = self.send(kennel, vec![birth])[0];
                if round == 0 || !self.lives(&pet).await {
                    pet = id;
                }
            }
            // Somebody new, so that the kennel goes on when treats are spent.
            if round % 4 == 1 {
                let seed = sha256(format!("{seed} {round}").as_bytes());
                let mut stranger = Player { key: SigningKey::from_bytes(&seed), ..player.clone() };
                stranger.nonce = 0;
                self.send(kennel, vec![stranger.birth("Rex", self.head(kennel).await.hash)]);
            }
            let post = player.post(pet, &format!("Nap {seed} {round}."));
            let id = id_of(&post);
            match round % 3 {
                0 => drop(self.send(kennel, vec![post, friend.pat(id)])),
                _ => {
                    self.send(kennel, vec![post]);
                    self.send(kennel, vec![friend.pat(id), friend.comment(id, &format!("{round}"))]);
                }
            }
            tokio::task::yield_now().await;
        }
        self.sending.fetch_sub(1, Ordering::SeqCst);
    }

    async fn lives(&self, pet: &EventId) -> bool {
        let card = self.town.queries().pet(&pet.to_string()).await;
        card.is_ok_and(|card| card.remaining > 0)
    }

    /// Decides on both changes, the second once the first has come. A decision that is mined too
    /// late for its height is taken again.
    async fn decide(&self, kennel: usize, changes: [RulesHash; 2]) {
        for rules in changes {
            loop {
                let head = self.head(kennel).await;
                if head.header.rules_hash == rules || head.summary.upgrade.is_some() {
                    break;
                }
                let entry = decision_in(&self.town, &self.kennels[kennel].1, rules, head.height + 8);
                let id = self.send(kennel, vec![entry])[0];
                while !self.is_decided(&id).await {
                    tokio::task::yield_now().await;
                }
            }
            let mut came = None;
            loop {
                let head = self.head(kennel).await;
                if head.header.rules_hash == rules && head.height >= *came.get_or_insert(head.height) + 4 {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Whether an event has its receipt or its reject.
    async fn is_decided(&self, id: &EventId) -> bool {
        self.read_side.follow_all(Consistency::Strong).await.expect("no fault");
        for key in [items::reject(id), items::place(id)] {
            if self.read_side.get(&key, Consistency::Strong).await.expect("no fault").is_some() {
                return true;
            }
        }
        false
    }

    /// One of two miners mines until nothing is sent any more. Gives the blocks that it won, and
    /// the batches that both had in hand at once, as after a visibility timeout.
    async fn mine(&self, miners: [Arc<Miner>; 2], number: usize) -> (u64, u64) {
        let (mut won, mut shared) = (0, 0);
        for batch in 0_u64.. {
            self.town.clock.advance(10);
            let deliveries = self.town.queue.receive(10);
            if deliveries.is_empty() {
                if self.sending.load(Ordering::SeqCst) == 0 && self.town.queue.is_empty() {
                    break;
                }
                tokio::task::yield_now().await;
                continue;
            }
            let received: Vec<_> = deliveries.iter().map(|delivery| delivery.received.clone()).collect();
            let other = batch.is_multiple_of(2).then(|| {
                let (miner, received) = (miners[1 - number].clone(), received.clone());
                tokio::spawn(async move { miner.mine(received).await })
            });
            let report = miners[number].mine(received).await;
            if let Some(other) = other {
                let other = other.await.expect("it mines");
                assert_eq!((other.stopped, other.buried), (0, 0), "{other:?}");
                shared += 1;
            }
            self.town.queue.settle(&deliveries, &report);
            assert_eq!((report.stopped, report.buried), (0, 0), "{report:?}");
            won += report.blocks;
        }
        (won, shared)
    }
}

/// Six senders, two kennels, two miners that take each other's batches, all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_kennels_cross_two_changes_while_all_send_and_mine_at_once() {
    let machine = Machine::new();
    let alike = renamed(&released(), b'6');
    let changes = [machine.put(&alike), machine.put(&wider())];
    let busy = Arc::new(Busy::found(machine).await);
    busy.sending.store(6, Ordering::SeqCst);
    let both = [(); 2].map(|()| Arc::new(miner(&busy.town, &busy.machine)));
    let miners = [0, 1].map(|number| {
        let (busy, both) = (busy.clone(), both.clone());
        tokio::spawn(async move { busy.mine(both, number).await })
    });
    for seed in 1..=6_u8 {
        let busy = busy.clone();
        tokio::spawn(async move { busy.play(usize::from(seed % 2), seed).await });
    }
    let crossing = async { tokio::join!(busy.decide(0, changes), busy.decide(1, changes)) };
    tokio::time::timeout(Duration::from_secs(120), crossing).await.expect("both kennels cross both changes");
    busy.over.store(true, Ordering::SeqCst);
    let mut mined = Vec::new();
    for miner in miners {
        mined.push(tokio::time::timeout(Duration::from_secs(120), miner).await.expect("it ends").unwrap());
    }
    assert!(mined.iter().all(|(won, shared)| *won > 0 && *shared > 0), "both mine: {mined:?}");
    assert!(busy.town.queue.is_empty() && busy.town.queue.dead().is_empty());

    let all = busy.town.table.all();
    for (kennel, (label, founding)) in busy.kennels.iter().enumerate() {
        let (opening, segments) = ledger_of(&busy.town, label, founding).await;
        let mut rules: Vec<RulesHash> =
            blocks(&segments).iter().map(|block| block.header.rules_hash).collect();
        rules.dedup();
        assert_eq!(rules, [hash(&released()), changes[0], changes[1]], "{label}");
        // Another miner may have rejected what one accepted; then the receipt counts.
        let (mined, sent) = (events(&segments), busy.sent.lock().unwrap()[kennel].clone());
        let lost: Vec<&EventId> =
            sent.iter().filter(|id| !mined.contains(id) && !all.contains_key(&items::reject(id))).collect();
        assert!(lost.is_empty(), "{label}: {lost:?}");
        assert!(mined.is_subset(&sent) && mined.len() > 30, "{label}: {} of {}", mined.len(), sent.len());
        let verdict = verify(busy.machine.modules.as_ref(), &opening, &segments, terms(&changes)).unwrap();
        assert_eq!((verdict.height, verdict.rules.len()), (opening.height, 3), "{label}");
    }
}

#[tokio::test]
async fn kennels_open_from_any_snapshot_before_and_after_a_change() {
    let Crossed { town, machine, at, .. } = crossed().await;
    let kennel = town.kennel();
    let mut player = Player::new(&town, 7);
    let mut opened_at = Vec::new();
    loop {
        let places = snapshots::list(town.objects.as_ref(), &kennel).await.unwrap();
        let newest = places.last().map(|place| place.height);
        // A miner that has nothing open takes the newest snapshot, or begins at the genesis.
        let cold = miner(&town, &machine);
        let height = town.head().await.height;
        town.send(vec![player.birth(&format!("Rex {height}"), town.head().await.hash)]);
        let report = mine(&town, &cold).await;
        assert_eq!((report.failed.len(), report.stopped), (0, 0), "from {newest:?}: {report:?}");
        opened_at.push(newest);
        let Some(place) = places.last() else { break };
        snapshots::delete(town.objects.as_ref(), &kennel, place).await.unwrap();
    }
    let has = |range: std::ops::Range<u64>| opened_at.iter().flatten().any(|height| range.contains(height));
    assert!(has(0..at[0]) || has(at[0]..at[1]), "{opened_at:?}");
    assert!(has(at[1]..u64::MAX), "{opened_at:?}");
    assert_eq!(opened_at.last(), Some(&None), "in the end from the genesis");
}

/// Writes an export as the command line does.
fn export(opening: &Opening, segments: &[Segment], modules: &BTreeMap<RulesHash, Vec<u8>>) -> Vec<u8> {
    let mut writer = ExportWriter::begin(Vec::new(), opening).unwrap();
    for segment in segments {
        for rules in rules_of(segment) {
            if !writer.has_module(&rules) {
                writer.module(&Module { rules, wasm: Bytes(modules[&rules].clone()) }).unwrap();
            }
        }
        writer.segment(segment).unwrap();
    }
    writer.finish().unwrap()
}

/// Verifies a file with nothing but this release and what the file carries.
fn verify_file(file: &[u8], terms: Terms) -> Result<Verdict, String> {
    let (opening, carried) = export_file::check(file).map_err(|error| error.to_string())?;
    let host = modules(Releases::embedded().and(carried.into_iter().map(|module| module.wasm.0)));
    let mut verifier = Verifier::begin(&host, &opening, terms).map_err(|error| error.to_string())?;
    let mut reader = ExportReader::open(file).map_err(|error| error.to_string())?;
    while let Some(segment) = reader.next_segment().map_err(|error| error.to_string())? {
        verifier.segment(&segment).map_err(|error| error.to_string())?;
    }
    verifier.finish().map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_export_carries_every_module_of_its_ledger() {
    let Crossed { town, alike, .. } = crossed().await;
    let (opening, segments) = ledger(&town).await;
    let all: BTreeMap<RulesHash, Vec<u8>> =
        [released(), alike.clone(), wider()].into_iter().map(|wasm| (hash(&wasm), wasm)).collect();
    let allowed = [hash(&alike), hash(&wider())];
    let file = export(&opening, &segments, &all);
    let verdict = verify_file(&file, terms(&allowed)).unwrap();
    assert_eq!((verdict.height, verdict.rules.len()), (opening.height, 3));
    // That it is carried makes it no more trusted.
    let why = verify_file(&file, terms(&allowed[1..])).unwrap_err();
    assert!(why.contains(&allowed[0].to_string()) && why.contains("doesn't know"), "{why}");

    // Any byte of a module is covered by its name, whoever makes the digests fit.
    let mut tampered = all.clone();
    let last = tampered.get_mut(&allowed[1]).unwrap();
    let middle = last.len() / 2;
    last[middle] ^= 1;
    let rules = allowed[1];
    let mut writer = ExportWriter::begin(Vec::new(), &opening).unwrap();
    let error = writer.module(&Module { rules, wasm: Bytes(tampered[&rules].clone()) }).unwrap_err();
    assert!(error.to_string().contains("does not hash to its name"), "{error}");
    // As a forger writes it, over the right one.
    let wider = wider();
    let at = file.windows(wider.len()).position(|window| window == wider).unwrap() + middle;
    let mut forged = file.clone();
    forged[at] ^= 1;
    assert!(matches!(export_file::check(&*forged), Err(ReadError::Damaged { .. })));
    let forged = redigested(&forged);
    let error = export_file::check(&*forged).unwrap_err();
    assert!(matches!(error, ReadError::Module { rules: of, .. } if of == rules), "{error}");
    // Under its own name it is another module, and the one that is needed is not there.
    let mut modules = all.clone();
    modules.remove(&rules);
    modules.insert(hash(&tampered[&rules]), tampered[&rules].clone());
    let mut writer = ExportWriter::begin(Vec::new(), &opening).unwrap();
    for (rules, wasm) in modules {
        writer.module(&Module { rules, wasm: Bytes(wasm) }).unwrap();
    }
    segments.iter().for_each(|segment| writer.segment(segment).unwrap());
    let why = verify_file(&writer.finish().unwrap(), terms(&allowed)).unwrap_err();
    assert!(why.contains("no chain module with rules hash"), "{why}");
}

/// Makes the digests of a file fit its frames.
fn redigested(file: &[u8]) -> Vec<u8> {
    let mut out = file[..16].to_vec();
    let mut chain = pitpet_chain::hash::sha256(&file[..16]);
    let mut at = 16;
    while at < file.len() {
        let length = u32::from_be_bytes(file[at + 1..at + 5].try_into().unwrap()) as usize;
        let frame = &file[at..at + 5 + length];
        chain = pitpet_chain::hash::sha256(&[&chain, frame].concat());
        out.extend(frame);
        out.extend(chain);
        at += frame.len() + 32;
    }
    out
}

#[tokio::test]
async fn a_miner_that_lacks_the_module_stops_that_kennel_alone_until_it_comes() {
    let machine = Machine::new();
    let town = rules::town(machine.modules.as_ref(), QUICK).await;
    let other = town.found_another("second", QUICK, 2).await;
    let anchor = town.head().await.hash;
    let miner = miner(&town, &machine);
    let next = renamed(&released(), b'2');
    let at_height = 4;
    let mut players: Vec<Player> = (1..=6).map(|seed| Player::new(&town, seed)).collect();
    let mut births: Vec<Entry> = players.iter_mut().map(|player| player.birth("Kitty", anchor)).collect();

    // Long before, every batch says that it is missing.
    town.send(vec![decision(&town, hash(&next), at_height)]);
    let report = mine(&town, &miner).await;
    assert_eq!((report.blocks, report.unready, report.stopped), (1, 1, 0), "{report:?}");
    for _ in 2..at_height {
        town.send(vec![births.remove(0)]);
        let report = mine(&town, &miner).await;
        assert_eq!((report.accepted, report.stopped), (1, 0), "{report:?}");
        assert!(report.unready > 0);
    }
    // At the height the kennel stands still, with its messages in the queue; others go on.
    let stuck: Vec<EventId> = births.iter().map(id_of).collect();
    births.into_iter().for_each(|birth| drop(town.send(vec![birth])));
    let head = town.head().await;
    assert_eq!(head.height + 1, at_height);
    for seed in [11, 12] {
        let mut stranger = Player::of(&other, seed, town.clock.now_ms());
        let anchor = read(&town, &other).await;
        let entries = vec![stranger.birth("Rex", anchor)];
        let version = 1;
        town.queue
            .take(&pitpet_pipeline::message::Message { version, kennel: other.kennel, entries }.write());
        let report = mine(&town, &native_beside(&town, &machine)).await;
        assert_eq!((report.stopped, report.blocks, report.failed.len()), (1, 1, stuck.len()), "{report:?}");
        assert_eq!(town.head().await.hash, head.hash, "nobody guessed");
        town.clock.advance(town.queue.settings().visibility_timeout_ms);
    }
    assert!(town.queue.dead().is_empty());
    // The module is put there: it goes on by itself, and nothing is lost.
    machine.put(&next);
    let report = mine(&town, &miner).await;
    assert_eq!((report.accepted as usize, report.stopped), (stuck.len(), 0), "{report:?}");
    assert_eq!(town.head().await.header.rules_hash, hash(&next));
    let mined = events(&ledger(&town).await.1);
    assert!(stuck.iter().all(|id| mined.contains(id)));
}

async fn read(town: &Town, founding: &Founding) -> pitpet_chain::hash::BlockHash {
    let strong = pitpet_pipeline::ports::Consistency::Strong;
    pitpet_pipeline::head::read_head(town.table.as_ref(), founding, strong).await.expect("a head").hash
}

/// A miner for kennels of both kinds: run by modules, and natively by the rules of the simulator.
fn native_beside(town: &Town, machine: &Machine) -> Miner {
    let host = pitpet_pipeline::native::ReplicaHost::new(
        pitpet_simulator::town::RULES,
        Some(machine.modules.clone()),
    );
    town.miner_on(Arc::new(host), &Faults::none(), MinerSettings::default())
}

/// A miner before the height finds out what the operator should have: the module doesn't do.
#[tokio::test]
async fn a_miner_says_long_before_that_a_module_is_unfit() {
    for (wasm, expected) in [
        (looping(), "took more than"),
        (bomb(), "needs more than"),
        (refusing(), "the module refused"),
        (broken::fickle(), "not canonical"),
        (broken::changed("(module\n", "(module (import \"env\" \"now\" (func (result i64)))\n"), "import"),
    ] {
        let machine = Machine::new();
        let town = rules::town(machine.modules.as_ref(), QUICK).await;
        let rules = machine.put(&wasm);
        town.send(vec![decision(&town, rules, 9)]);
        let report = mine(&town, &miner(&town, &machine)).await;
        assert_eq!((report.blocks, report.unready, report.stopped), (1, 1, 0), "{expected}: {report:?}");
    }
}

/// `open` never ends.
fn looping() -> Vec<u8> {
    opening_with("(loop $again (br $again)) (unreachable)")
}

/// `open` takes all the memory there is.
fn bomb() -> Vec<u8> {
    opening_with(
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)",
    )
}

/// `open` refuses the state that it should take over: fault 4, the snapshot.
fn refusing() -> Vec<u8> {
    opening_with(
        "(i32.store8 (i32.const 0) (i32.const 4)) (call $answer (i32.const 1) (i32.const 0) (i32.const 1))",
    )
}

fn opening_with(body: &str) -> Vec<u8> {
    let text = broken::FICKLE.replace(r#"(export "open" (func $echo))"#, r#"(export "open" (func $open))"#);
    let text = text.strip_suffix(')').expect("a module ends so");
    let function = format!("(func $open (param $ptr i32) (param $size i32) (result i64) {body})");
    wat::parse_str(format!("{text}\n{function})")).expect("well formed")
}

/// Offers a module as the operator's command does.
async fn offer(
    town: &Town,
    host: Arc<dyn ModuleHost>,
    wasm: &[u8],
    when: When,
) -> Result<Offered, OfferError> {
    let queue = FaultyQueue::new(town.queue.clone(), Faults::none());
    let key = operator();
    let offering = Offering {
        table: town.table.clone(),
        objects: town.objects.clone(),
        modules: host,
        queue: &queue,
        operator: &key,
        now_ms: town.clock.now_ms(),
    };
    offering.offer(&town.founding, wasm, when).await
}

/// A kennel with some life in it.
async fn lively() -> (Machine, Town) {
    let machine = Machine::new();
    let town = rules::town(machine.modules.as_ref(), QUICK).await;
    let miner = miner(&town, &machine);
    let anchor = town.head().await.hash;
    for seed in 1..=3 {
        town.send(vec![Player::new(&town, seed).birth("Kitty", anchor)]);
        mine(&town, &miner).await;
    }
    (machine, town)
}

fn with(machine: &Machine, wasm: &[u8]) -> Arc<dyn ModuleHost> {
    Arc::new(modules(Releases::with_folder(machine.folder.path()).and([wasm.to_vec()])))
}

#[tokio::test]
async fn a_good_module_is_tried_stored_and_decided_on() {
    let (machine, town) = lively().await;
    let height = town.head().await.height;
    for (wasm, widens) in [(renamed(&released(), b'3'), false), (wider(), true)] {
        let (opening, before) = ledger(&town).await;
        let offered = offer(&town, with(&machine, &wasm), &wasm, When::After(5)).await.unwrap();
        assert_eq!((offered.rules, offered.at_height), (hash(&wasm), height + 5));
        let tried = offered.rehearsed.unwrap();
        assert_eq!(tried.height, height);
        assert!(!widens || tried.bytes_after > tried.bytes_before, "{tried:?}");
        let stored = town.objects.get(&items::rules_object(&hash(&wasm))).await.unwrap();
        assert_eq!(stored, wasm);
        // The rehearsal changed nothing: only the decision is in the queue.
        assert_eq!((ledger(&town).await), (opening, before));
        assert!(!town.queue.is_empty());
        let waiting = town.queue.receive(10);
        town.queue.settle(&waiting, &MineReport::default());
    }
}

#[tokio::test]
async fn a_bad_module_is_refused_before_anything_is_decided() {
    let (machine, town) = lively().await;
    let float = broken::with("(func (drop (i32.reinterpret_f32 (f32.const 1))))");
    for (what, wasm, expected) in [
        (
            "import",
            broken::changed("(module\n", "(module (import \"env\" \"now\" (func (result i64)))\n"),
            "imports `env.now`",
        ),
        ("float", float, "F32Const"),
        ("no module", b"\0asm".to_vec(), "refused"),
        ("endless loop", looping(), "took more than"),
        ("memory bomb", bomb(), "needs more than"),
        ("wrong migration", refusing(), "the snapshot contradicts itself"),
        ("rubbish", broken::fickle(), "not canonical"),
    ] {
        let error = offer(&town, with(&machine, &wasm), &wasm, When::After(5)).await.unwrap_err();
        assert!(matches!(error, OfferError::Unfit { rules, .. } if rules == hash(&wasm)), "{what}: {error}");
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(town.objects.get(&items::rules_object(&hash(&wasm))).await.is_err(), "{what}");
        assert!(town.queue.is_empty(), "{what}");
    }
    let same = offer(&town, machine.modules.clone(), &released(), When::After(5)).await.unwrap_err();
    assert!(matches!(same, OfferError::Same(_)), "{same}");
    let next = renamed(&released(), b'4');
    let soon = offer(&town, with(&machine, &next), &next, When::At(town.head().await.height)).await;
    assert!(matches!(soon, Err(OfferError::TooSoon { .. })), "{soon:?}");
}

/// What a host does to a good module's answers, as a module could that has state of its own or
/// moves the state wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twist {
    /// Each instance takes over another state.
    Moves,
    /// The answer to a batch depends on how often the instance was asked before.
    Counts,
    /// A treat is gone after the change.
    LosesATreat,
    /// It goes on before its height has come.
    Eager,
}

struct Twisted {
    inner: Arc<dyn ModuleHost>,
    rules: RulesHash,
    twist: Twist,
    opened: AtomicU64,
}

struct TwistedInstance {
    inner: Box<dyn ChainInstance>,
    twist: Twist,
    number: u64,
    asked: u64,
}

impl ModuleHost for Twisted {
    fn open(&self, rules: &[u8; 32], start: &[u8]) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        if *rules != self.rules.0 {
            return self.inner.open(rules, start);
        }
        let opened = self.inner.open(rules, start);
        if let (Twist::Eager, Err(ModuleError::Refused(_))) = (self.twist, &opened) {
            let mut start: pitpet_chain::abi::Start = decode(start).unwrap();
            let snapshot = start.snapshot.clone().unwrap();
            let snapshot: pitpet_chain::kennel::Snapshot = decode(&snapshot.0).unwrap();
            start.rules_hash = snapshot.header.rules_hash;
            return self.inner.open(&snapshot.header.rules_hash.0, &encode(&start));
        }
        let (inner, mut opened) = opened?;
        if self.twist == Twist::LosesATreat {
            let mut record: pitpet_chain::abi::Opened = decode(&opened).unwrap();
            record.head.summary.totals.minted -= 1;
            opened = encode(&record);
        }
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        Ok((Box::new(TwistedInstance { inner, twist: self.twist, number, asked: 0 }), opened))
    }
}

impl ChainInstance for TwistedInstance {
    fn apply(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let answer = self.inner.apply(input)?;
        if self.twist != Twist::Counts || self.asked == 0 {
            return Ok(answer);
        }
        let mut outcome: Outcome = decode(&answer).unwrap();
        outcome.consumed += 1;
        Ok(encode(&outcome))
    }
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.inner.replay(input)
    }
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError> {
        let mut snapshot = self.inner.snapshot()?;
        if self.twist == Twist::Moves {
            snapshot.extend(self.number.to_be_bytes());
        }
        Ok(snapshot)
    }
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.asked += 1;
        self.inner.ask(question)
    }
}

#[tokio::test]
async fn a_module_that_differs_between_two_runs_or_moves_the_state_wrongly_is_refused() {
    let (machine, town) = lively().await;
    let wasm = renamed(&released(), b'5');
    let rules = machine.put(&wasm);
    for (twist, expected) in [
        (Twist::Moves, "two runs of it over the same state differ in the state that they take over"),
        (Twist::Counts, "two runs of it over the same state differ in what they decide"),
        (Twist::LosesATreat, "its migration is wrong: treats"),
        (Twist::Eager, "before its height has come it takes the kennel over"),
    ] {
        let inner: Arc<dyn ModuleHost> = machine.modules.clone();
        let host = Arc::new(Twisted { inner, rules, twist, opened: AtomicU64::new(0) });
        let error = offer(&town, host.clone(), &wasm, When::After(5)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{twist:?}: {error}");
        assert!(town.queue.is_empty());

        // Were it decided on all the same, the kennel would stand still rather than go wrong.
        if matches!(twist, Twist::Moves | Twist::LosesATreat) {
            let (_, town) = lively().await;
            let miner = town.miner_on(host, &Faults::none(), MinerSettings::default());
            town.send(vec![decision(&town, rules, town.head().await.height + 2)]);
            assert_eq!(mine(&town, &miner).await.blocks, 1);
            let head = town.head().await;
            town.send(vec![Player::new(&town, 9).birth("Rex", head.hash)]);
            let report = mine(&town, &miner).await;
            assert_eq!((report.stopped, report.blocks, report.failed.len()), (1, 0, 1), "{twist:?}");
            assert_eq!(town.head().await.hash, head.hash);
        }
    }
    let unfit = Unfit::Module(ModuleError::UnknownRules(String::new()));
    assert!(!unfit.is_of_the_module(), "it may come");
}
