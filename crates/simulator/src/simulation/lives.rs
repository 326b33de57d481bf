//! Who lives in the simulated world: clients with ingest, miners behind their event source, the
//! reaper, a reader, and trouble.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::abi::{Batch, Replay, Start};
use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, KennelId};
use pitpet_chain::proof::{EventProof, LogProof};
use pitpet_pipeline::api::EventView;
use pitpet_pipeline::checkpoint;
use pitpet_pipeline::head::{Founding, path_down, read_block};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::items;
use pitpet_pipeline::message::{Entry, Message};
use pitpet_pipeline::mine::{Miner, MinerSettings};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::{
    ChainInstance, Consistency, ModuleError, ModuleHost, Objects as _, Order, OutgoingMessage, Query,
    Table as _,
};
use pitpet_pipeline::query::{Queries, QuerySettings, WithProof};
use pitpet_pipeline::reap::Reaper;
use pitpet_pipeline::snapshots;
use pitpet_pipeline::statements::SubmittedStatement;

use super::auditor::Auditor;
use super::deeds::{self, Persona};
use super::kinds::FaultKind;
use super::world::{Lagging, MS, MachineClock, Process, QUEUE, Role, SECOND, World};
use crate::faults::{FaultyObjects, FaultyQueue, FaultyTable};
use crate::queue::Delivery;
use crate::town::{Player, RULES, WINDOW, checkpoint_key, house_key, id_of, submitted};

/// An event on which the module traps.
const TRAP: &[u8] = b"the module traps on this";

/// The rules, but for the trap.
struct Trapping;

struct TrappingInstance(Box<dyn ChainInstance>);

impl ModuleHost for Trapping {
    fn open(&self, rules: &[u8; 32], start: &[u8]) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        let (instance, opened) = NativeHost.open(rules, start)?;
        Ok((Box::new(TrappingInstance(instance)), opened))
    }
}

impl ChainInstance for TrappingInstance {
    fn apply(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let batch: Batch = decode(input).map_err(|_| ModuleError::Trap("no batch".to_owned()))?;
        if batch.messages.iter().flatten().any(|event| event.0 == TRAP) {
            return Err(ModuleError::Trap("unreachable".to_owned()));
        }
        self.0.apply(input)
    }
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.replay(input)
    }
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError> {
        self.0.snapshot()
    }
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.ask(question)
    }
}

/// The ports of a process.
struct Ports {
    table: Arc<FaultyTable>,
    objects: Arc<FaultyObjects>,
    queue: Arc<FaultyQueue<crate::queue::MemoryQueue>>,
}

fn ports(world: &Arc<World>, process: &Arc<Process>) -> Ports {
    let lagging = Arc::new(Lagging(world.clone()));
    Ports {
        table: Arc::new(FaultyTable::with_lag(world.table.clone(), lagging, process.clone())),
        objects: Arc::new(FaultyObjects::new(world.objects.clone(), process.clone())),
        queue: Arc::new(FaultyQueue::new(world.queue.clone(), process.clone())),
    }
}

/// Lets a machine's clock jump, sometimes.
fn wander(world: &World, clock: &MachineClock) {
    for (kind, sign) in [(FaultKind::ClockForward, 1), (FaultKind::ClockBack, -1)] {
        if world.befalls(kind) {
            clock.set_off(sign * i64::try_from(world.between(1_000, 600_000)).expect("ten minutes"));
        }
    }
    if world.is_calm() {
        clock.set_off(0);
    }
}

/// A player with a client, which sends again what was not answered, and ingest behind it.
pub(super) async fn client(world: Arc<World>, founding: Founding, number: u32) {
    let clock = MachineClock::new(&world);
    let mut persona = Persona::new(&world, &founding, number);
    let mut sent: Vec<Vec<Entry>> = Vec::new();
    for _ in 0..world.scenario.acts {
        world.turn(world.between(200 * MS, 4 * SECOND)).await;
        wander(&world, &clock);
        let again = match world.one_of(&sent) {
            Some(old) if world.befalls(FaultKind::DuplicateSubmit) => Some(old.clone()),
            _ => None,
        };
        let entries = match again {
            Some(old) => old,
            None => {
                let count = world.between(1, 4);
                (0..count).map(|_| persona.invent(&world, &founding)).collect()
            }
        };
        if hand_in(&world, &clock, &format!("player {number}"), &entries).await {
            sent.push(entries);
        }
    }
}

/// The offices of a kennel: its operator, and its moderators.
pub(super) async fn official(world: Arc<World>, founding: Founding) {
    for _ in 0..world.scenario.acts.div_ceil(2) {
        world.turn(world.between(200 * MS, 8 * SECOND)).await;
        let entries = vec![deeds::decree(&world, &founding)];
        hand_in(&world, &MachineClock::new(&world), "an official", &entries).await;
    }
}

/// Sends events through ingest, three times at most; after that the client gives up, and nothing
/// was promised. True if any was taken.
async fn hand_in(world: &Arc<World>, clock: &Arc<MachineClock>, whose: &str, entries: &[Entry]) -> bool {
    for entry in entries {
        world.auditor().made(id_of(entry));
    }
    for attempt in 0..3 {
        let process = Process::start(world, Role::Ingest, format!("ingest of {whose}"));
        let ports = ports(world, &process);
        let ingest = Ingest::new(ports.table, ports.queue, ports.objects, clock.clone());
        let events = entries.iter().map(submitted).collect();
        let submitting = async { ingest.submit(events, &mut ingest.counting()).await };
        let Some(Ok(answers)) = process.live(submitting).await else {
            world.turn(world.between(100 * MS, (1 + attempt) * 10 * SECOND)).await;
            continue;
        };
        let mut is_whole = true;
        for answer in &answers {
            match answer {
                Ok(event) => world.auditor().promised(*event),
                Err(_) => is_whole = false,
            }
        }
        if is_whole || attempt == 2 {
            return true;
        }
    }
    false
}

/// A batch, and when its visibility ends, µs.
struct Received {
    batch: Vec<Delivery>,
    hidden_until_us: u64,
}

/// The event source receives a batch, if there is one.
async fn receive(world: &Arc<World>) -> Option<Received> {
    world.turn(world.between(MS, 10 * MS)).await;
    let ready = world.queue.ready();
    let mut skipped = BTreeSet::new();
    if ready.len() > 1 && world.befalls(FaultKind::ReorderedGroups) {
        skipped.extend(ready.first().cloned());
    }
    let batch = world.queue.receive_from(world.between(1, 11) as usize, |group| !skipped.contains(group));
    if batch.is_empty() {
        return None;
    }
    for delivery in &batch {
        if delivery.receive_count > 1 {
            world.note(FaultKind::Redelivery);
        }
    }
    let mut hidden_ms = QUEUE.visibility_timeout_ms;
    if world.befalls(FaultKind::SharedBatch) {
        hidden_ms = world.between(1, 200);
        for delivery in &batch {
            world.queue.change_visibility(&delivery.receipt, hidden_ms);
        }
    }
    if world.befalls(FaultKind::QueueAnswerLost) {
        return None;
    }
    Some(Received { batch, hidden_until_us: world.now_us() + hidden_ms * MS })
}

/// The event source ends a batch: what failed comes again, soon or when its visibility is over.
async fn settle(world: &Arc<World>, received: &Received, report: &pitpet_pipeline::mine::MineReport) {
    world.turn(world.between(MS, 10 * MS)).await;
    if world.befalls(FaultKind::QueueAnswerLost) {
        return;
    }
    if world.now_us() > received.hidden_until_us {
        world.note(FaultKind::LateSettle);
    }
    let soon = world.below(2) == 0;
    for delivery in &received.batch {
        match report.failed.contains(&delivery.received.id) {
            true if soon => world.queue.change_visibility(&delivery.receipt, world.between(1_000, 5_000)),
            true => {}
            false => world.queue.delete(&delivery.receipt),
        }
    }
}

/// A miner on its machine, fed by the event source; it dies and starts again.
pub(super) async fn miner(world: Arc<World>, number: u32) {
    let clock = MachineClock::new(&world);
    let settings = MinerSettings {
        open_kennels_max: NonZeroUsize::MIN,
        snapshot_every: 3,
        unpublished_max: 12,
        window: WINDOW,
        ..MinerSettings::default()
    };
    for life in 1.. {
        let process = Process::start(&world, Role::Miner, format!("miner {number}, life {life}"));
        let ports = ports(&world, &process);
        let miner = Miner::new(
            ports.table,
            ports.objects,
            Arc::new(Trapping),
            clock.clone(),
            ports.queue,
            Arc::new(checkpoint_key()),
            settings,
        );
        loop {
            wander(&world, &clock);
            let Some(received) = receive(&world).await else {
                if world.is_ending() && world.queue.is_empty() {
                    return;
                }
                let pause_us = match world.is_calm() {
                    true => world.between(20 * SECOND, 60 * SECOND),
                    false => world.between(50 * MS, 2 * SECOND),
                };
                world.turn(pause_us).await;
                continue;
            };
            world.auditor().received(world.task());
            let batch: Vec<_> = received.batch.iter().map(|delivery| delivery.received.clone()).collect();
            process.take_failed();
            let Some(report) = process.live(miner.mine(batch.clone())).await else { break };
            for _ in 0..report.lost {
                world.note(FaultKind::LostBlock);
            }
            world.trace(|| format!("miner {number} answers {report:?}"));
            world.report(Auditor::answered(&batch, &report, &process.take_failed()));
            settle(&world, &received, &report).await;
        }
        world.turn(world.between(100 * MS, 5 * SECOND)).await;
    }
}

/// The reaper on its schedule; it dies and starts again.
pub(super) async fn reaper(world: Arc<World>) {
    let clock = MachineClock::new(&world);
    for life in 1.. {
        let process = Process::start(&world, Role::Reaper, format!("reaper, life {life}"));
        let ports = ports(&world, &process);
        let reaper = Reaper::new(ports.table, ports.queue, ports.objects, clock.clone(), house_key());
        let reaper = reaper.closing(WINDOW);
        loop {
            let pause_us = match world.is_calm() {
                true => 240 * SECOND,
                false => world.between(5 * SECOND, 60 * SECOND),
            };
            world.turn(pause_us).await;
            wander(&world, &clock);
            if world.is_ending() {
                return;
            }
            // A run that could not read the list of kennels is over; there will be another.
            let Some(_) = process.live(reaper.reap()).await else { break };
        }
    }
}

/// A time witness of a kennel: says of its head that it has been idle, once it has seen nothing age the
/// kennel for as long as the parameters say; or at once, if it lies.
pub(super) async fn witness(world: Arc<World>, founding: Founding, number: usize) {
    let key = deeds::witnesses().swap_remove(number);
    let idle_us = founding.genesis.parameters.idle_ms * MS;
    let is_liar = number < deeds::LIARS;
    let mut seen = (0, world.now_us());
    while !world.is_ending() {
        let pause_us = match world.is_calm() {
            true => 120 * SECOND,
            false if is_liar => world.between(SECOND, 8 * SECOND),
            false => world.between(5 * SECOND, 40 * SECOND),
        };
        world.turn(pause_us).await;
        let (head, age) = {
            let auditor = world.auditor();
            (auditor.head(&founding.kennel).1, auditor.books(&founding.kennel).age)
        };
        if age != seen.0 {
            seen = (age, world.now_us());
        }
        if !is_liar && world.now_us() - seen.1 < idle_us {
            continue;
        }
        let process = Process::start(&world, Role::Ingest, format!("ingest of witness {number}"));
        let ports = ports(&world, &process);
        let ingest = Ingest::new(ports.table, ports.queue, ports.objects, world.clock.clone());
        let statement = SubmittedStatement::sign(&founding.kennel, &head, &key);
        // Refused if the head is another one by now; lost or not, it is said again.
        let _said =
            process.live(async { ingest.take_statement(&statement, &mut ingest.counting()).await }).await;
    }
}

/// Somebody who wants one pet, in whichever kennel of the line has room for it.
pub(super) async fn settler(world: Arc<World>, first: Founding, number: u32) {
    let clock = MachineClock::new(&world);
    let seed = u8::try_from(100 + number).expect("a few settlers");
    let settings = QuerySettings { wait_ms_max: 0, replicas_max: NonZeroUsize::MIN };
    let mut nonce = 0;
    let mut births = Vec::new();
    while !world.is_ending() {
        world.turn(world.between(SECOND, 20 * SECOND)).await;
        wander(&world, &clock);
        let process = Process::start(&world, Role::Query, format!("query of settler {number}"));
        let ports_of_query = ports(&world, &process);
        let queries = Queries::new(ports_of_query.table, ports_of_query.objects, clock.clone(), settings);
        // While there is no room, or nobody to ask, the settler asks again.
        let place = process.live(queries.birthplace(Some(&first.label), None)).await;
        let Some(Ok(view)) = place else { continue };
        let kennel: KennelId = view.id.parse().expect("a kennel's id");
        let founding = Founding { kennel, label: view.label, genesis: first.genesis.clone() };
        let mut player = Player::of(&founding, seed, world.clock.now_ms());
        player.nonce = nonce;
        let birth = player.birth("Settler", view.anchor.parse().expect("a block's hash"));
        nonce = player.nonce;
        let id = id_of(&birth);
        births.push((kennel, id));
        world.auditor().made(id);
        let process = Process::start(&world, Role::Ingest, format!("ingest of settler {number}"));
        let ports = ports(&world, &process);
        let ingest = Ingest::new(ports.table, ports.queue, ports.objects, clock.clone());
        let events = vec![submitted(&birth)];
        if let Some(Ok(answers)) =
            process.live(async { ingest.submit(events, &mut ingest.counting()).await }).await
            && matches!(answers.first(), Some(Ok(_)))
        {
            world.auditor().promised(id);
        }
        // Long enough to be mined in most runs. An earlier birth may be mined as late, and its pet is
        // as good.
        world.turn(120 * SECOND).await;
        if births.iter().any(|(kennel, id)| world.auditor().pets(kennel).contains(&(*id).into())) {
            return;
        }
    }
}

/// Somebody who looks at events and checkpoints.
pub(super) async fn reader(world: Arc<World>, kennels: Vec<Founding>) {
    let process = Process::start(&world, Role::Query, "query".to_owned());
    let ports = ports(&world, &process);
    let settings = QuerySettings { wait_ms_max: 0, replicas_max: NonZeroUsize::MIN };
    let clock = MachineClock::new(&world);
    let queries = Queries::new(ports.table, ports.objects, clock, settings);
    while !world.is_ending() {
        let pause_us = match world.is_calm() {
            true => 600 * SECOND,
            false => world.between(500 * MS, 5 * SECOND),
        };
        world.turn(pause_us).await;
        let founding = world.one_of(&kennels).expect("a kennel");
        let number = world.below(1_000) as usize;
        let event = world.auditor().some_promised(number);
        if let Some(event) = event
            && let Some(Ok(view)) =
                process.live(queries.event(&event.to_string(), None, 0, WithProof::Yes)).await
        {
            world.report(world.auditor().shown(&view));
            let genesis = view.kennel.parse().ok().and_then(|kennel| world.auditor().genesis(&kennel));
            world.report(proves(&view, genesis.as_ref()));
        }
        let kennel = founding.kennel;
        if let Some(Ok(note)) = process.live(queries.checkpoint(&kennel.to_string())).await {
            world.report(world.auditor().shown_checkpoint(&kennel, &note));
        }
    }
}

/// A proof that was shown is good.
fn proves(view: &EventView, genesis: Option<&Genesis>) -> Result<(), String> {
    let Some(proof) = view.place.as_ref().and_then(|place| place.proof.as_ref()) else { return Ok(()) };
    let genesis = genesis.ok_or("a proof of no kennel")?;
    let kennel = genesis.kennel();
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| "a proof is no base64".to_owned());
    let event: EventProof = decode(&bytes(&proof.proof)?).map_err(|_| "no event proof")?;
    let log: LogProof = decode(&bytes(&proof.log_proof)?).map_err(|_| "no log proof")?;
    let claim = checkpoint::check(&proof.checkpoint, &kennel, &genesis.checkpoint);
    let claim = claim.map_err(|error| error.to_string())?;
    let (header, signed, _) = event.check(&kennel).map_err(|_| "an event's proof doesn't hold")?;
    let holds =
        signed.id.to_string() == view.id && claim.size == log.size && log.check(&claim.root, &header.hash());
    if holds { Ok(()) } else { Err(format!("the proof of event {} doesn't hold", view.id)) }
}

/// What befalls the world by itself: outages, poison, and damage to snapshots.
pub(super) async fn trouble(world: Arc<World>, kennels: Vec<Founding>) {
    while !world.is_calm() {
        world.turn(world.between(SECOND, 4 * SECOND)).await;
        if world.is_calm() {
            return;
        }
        let founding = world.one_of(&kennels).expect("a kennel");
        if world.befalls(FaultKind::PublishOutage) {
            world.begin_outage(world.between(2 * SECOND, 40 * SECOND));
        }
        if world.befalls(FaultKind::Poison) {
            poison(&world, &founding.kennel);
        }
        damage_snapshots(&world, &founding.kennel).await;
        snapshot_of_lost(&world, founding).await;
    }
}

/// Puts a message into the queue that no miner can mine.
fn poison(world: &World, kennel: &KennelId) {
    let salt = world.below(1 << 32);
    let mut message = match world.below(3) {
        0 => OutgoingMessage { group: String::new(), deduplication: String::new(), body: format!("{salt}") },
        1 => Message { version: 1, kennel: KennelId([7; 32]), entries: vec![rubbish(salt)] }.write(),
        _ => {
            let trap = Entry { event: Bytes(TRAP.to_vec()), body: None };
            Message { version: 1, kennel: *kennel, entries: vec![trap, rubbish(salt)] }.write()
        }
    };
    message.group = kennel.to_string();
    message.deduplication = format!("poison-{salt}");
    world.auditor().poisoned(&message);
    world.queue.take(&message);
}

fn rubbish(salt: u64) -> Entry {
    Entry { event: Bytes(salt.to_be_bytes().to_vec()), body: None }
}

async fn damage_snapshots(world: &World, kennel: &KennelId) {
    let mut keys = Vec::new();
    for part in ["manifest", "chunk"] {
        keys.extend(world.objects.list(&format!("snapshot/{kennel}/{part}/")).await.unwrap_or_default());
    }
    let Some(key) = world.one_of(&keys) else { return };
    if world.befalls(FaultKind::SnapshotLost) {
        let _done = world.objects.delete(key).await;
    } else if world.befalls(FaultKind::SnapshotTruncated)
        && let Ok(mut content) = world.objects.get(key).await
    {
        content.truncate(content.len() / 2);
        let _done = world.objects.put(key, content).await;
    }
}

/// Writes a sound snapshot of a staged block that lost.
async fn snapshot_of_lost(world: &World, founding: &Founding) {
    let kennel = &founding.kennel;
    let table = world.table.as_ref();
    let head = world.auditor().head(kennel);
    let query = Query {
        pk: items::chain(kennel),
        from: "B#".to_owned(),
        to: "B#~".to_owned(),
        order: Order::Ascending,
        limit: 1_000,
        consistency: Consistency::Strong,
    };
    let Ok((_, path)) = path_down(table, kennel, head, 0).await else { return };
    let staged: Vec<(u64, BlockHash)> = table
        .query(&query)
        .await
        .unwrap_or_default()
        .iter()
        .filter_map(|item| {
            let (height, hash) = item.key.sk.strip_prefix("B#")?.split_once('#')?;
            Some((height.parse().ok()?, hash.parse().ok()?))
        })
        .filter(|at| (1..=head.0).contains(&at.0) && !path.contains(at))
        .collect();
    let Some(lost) = world.one_of(&staged).copied() else { return };
    if !world.is_due(FaultKind::SnapshotOfLost) {
        return;
    }
    let mut rules = RULES;
    let start = Start { rules_hash: rules, genesis: Some(Bytes(encode(&founding.genesis))), snapshot: None };
    let Ok((mut instance, _)) = NativeHost.open(&rules.0, &encode(&start)) else { return };
    let up_to = path.into_iter().filter(|(height, _)| *height < lost.0).chain([lost]);
    for (height, hash) in up_to {
        let Ok(block) = read_block(table, kennel, height, &hash).await else { return };
        let decided = decode::<Block>(&block.bytes).map(|block| block.header.rules_hash);
        if let Ok(others) = decided
            && others != rules
        {
            rules = others;
            let snapshot = instance.snapshot().ok().map(Bytes);
            let start = Start { rules_hash: rules, genesis: None, snapshot };
            let Ok((taken_over, _)) = NativeHost.open(&rules.0, &encode(&start)) else { return };
            instance = taken_over;
        }
        let replay = Replay { signatures: false, block: Bytes(block.bytes) };
        if instance.replay(&encode(&replay)).is_err() {
            return;
        }
    }
    let Ok(content) = instance.snapshot() else { return };
    let place = snapshots::Place { height: lost.0, hash: lost.1 };
    // Only now is it sure to be there.
    world.note(FaultKind::SnapshotOfLost);
    let _done = snapshots::write(world.objects.as_ref(), kennel, &place, &content).await;
}
