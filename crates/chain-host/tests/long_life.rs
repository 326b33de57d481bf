//! One long life of a kennel: 10,000 random events, good and bad, of every kind, on the pinned
//! module and on the source at once.
//!
//! The module never traps, both give the same bytes, and at each height: every pet has exactly one
//! owner, by the births and sales that the receipts show; treats are as many as were minted, and no
//! account has more; the dead do nothing; no event counts twice; the state stays within its bounds.

#[path = "../../chain/tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::abi::{Batch, Start};
use pitpet_chain::block::{Block, Change, Death, Receipt};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Kind, Payload, ReplayClass, SignedEvent, Verdict};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, RulesHash};
use pitpet_chain::kennel::{Fault, Kennel, Outcome};
use pitpet_chain::limits;
use pitpet_chain::mining::{self, Purpose, Statement, Work};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::Phase;
use pitpet_chain_host::{Host, Instance, Metering, Module, Operation, Releases, Settings, Target};
use support::{FREE, RULES, World, account, key, public};

const EVENTS: usize = 10_000;

const PARAMETERS: Parameters = Parameters {
    ttl: 6,
    idle_ms: 60_000,
    living_max: 6,
    accounts_max: 7,
    visits_per_post_max: 5,
    open_posts_max: 2,
    birth_grant: 6,
    seal_reward: 3,
    time_reward: 4,
    ..FREE
};

const PLAYERS: [&str; 8] = ["house", "ann", "bob", "cat", "dan", "eve", "fay", "gus"];

const OFFICES: [&str; 3] = ["operator", "deputy", "moderator"];

const AMOUNTS: [u64; 8] = [0, 1, 2, 3, 5, 1 << 52, 1 << 53, u64::MAX];

/// Numbers that look random, the same in each run: SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() % count.max(1) as u64).unwrap()
    }

    /// One time in so many.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// One of the newest, or something that isn't there.
    fn target(&mut self, known: &[EventId]) -> EventId {
        let newest = &known[known.len().saturating_sub(8)..];
        if newest.is_empty() || self.once_in(12) { EventId([3; 32]) } else { self.of(newest) }
    }

    fn small(&mut self) -> u64 {
        if self.once_in(6) { self.of(&AMOUNTS) } else { 1 + self.roll() % 4 }
    }
}

/// What is known of the kennel from its receipts alone.
#[derive(Default)]
struct Told {
    owners: BTreeMap<BirthHash, AccountId>,
    dead: BTreeSet<BirthHash>,
    accepted: BTreeSet<EventId>,
    kinds: BTreeMap<Kind, usize>,
    rejects: BTreeMap<Reject, usize>,
    trades: usize,
    upgrades: usize,
}

struct Life {
    dice: Dice,
    world: World,
    module: Module,
    instance: Instance,
    told: Told,
    pets: Vec<EventId>,
    posts: Vec<EventId>,
    orders: Vec<EventId>,
    /// Signed events that were accepted, to be sent again.
    old: Vec<Vec<u8>>,
    /// Names of the keys that were replaced.
    keys: BTreeMap<&'static str, String>,
}

fn pinned() -> Module {
    let rules = Releases::latest().unwrap();
    let wasm = Releases::embedded().find(rules).unwrap();
    let host = Host::compiling(Target::host().unwrap(), Settings::default());
    let artefact = Host::compile(&wasm, host.target(), Metering::Counted).unwrap();
    host.load(rules, &artefact).unwrap()
}

/// Calls the module, which may refuse and may not trap.
fn call(instance: &mut Instance, operation: Operation, input: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let answer = instance.call(operation, input).unwrap_or_else(|trap| panic!("{operation:?} traps: {trap}"));
    answer.map_err(|refusal| refusal.0)
}

impl Life {
    fn new(seed: u64) -> Self {
        let (module, world) = (pinned(), World::new(PARAMETERS));
        let mut instance = module.instantiate().unwrap();
        let genesis = Some(Bytes(encode(world.kennel.state().genesis())));
        let start = Start { rules_hash: RULES, genesis, snapshot: None };
        call(&mut instance, Operation::Open, &encode(&start)).unwrap();
        Self {
            dice: Dice(seed),
            world,
            module,
            instance,
            told: Told::default(),
            pets: Vec::new(),
            posts: Vec::new(),
            orders: Vec::new(),
            old: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    fn payload(&mut self, who: &str) -> Payload {
        let (height, parent) = (self.world.kennel.head().height, self.world.kennel.head().hash);
        let state = self.world.kennel.state();
        let mine = account(who);
        let own = state.account(&mine).and_then(|account| account.pet);
        let now_ms = self.world.now_ms;
        let dice = &mut self.dice;
        let pet = match own {
            Some(own) if !dice.once_in(4) => own,
            _ => dice.target(&self.pets).into(),
        };
        let mut body = [0; 32];
        body[..8].copy_from_slice(&dice.roll().to_be_bytes());
        let until_ms = if dice.once_in(8) { dice.of(&AMOUNTS) } else { now_ms + dice.roll() % 600_000 };
        let statements: Vec<Statement> = (0..dice.below(3))
            .map(|witness| Statement { witness: witness.to_le_bytes()[0], signature: [9; 64] })
            .collect();
        let named = |dice: &mut Dice| public(&key(dice.of(&OFFICES)));
        match dice.below(48) {
            0..6 => Payload::Birth { photo: body, body, recovery: None, anchor: self.world.anchor() },
            6..13 => Payload::Post { pet, photo: None, body },
            13..16 => Payload::Pat { post: dice.target(&self.posts) },
            16..18 => Payload::Share { post: dice.target(&self.posts) },
            18..21 => Payload::Comment { post: dice.target(&self.posts), body },
            21..23 => Payload::Gift { pet: dice.target(&self.pets).into(), amount: dice.small() },
            23..25 => Payload::Transfer { to: account(dice.of(&PLAYERS)), amount: dice.small() },
            25..28 => Payload::StoryEnd { pet: dice.target(&self.pets).into() },
            28..31 => Payload::Keepsake { pet: self.kept_by(mine, Phase::Ended) },
            31 => Payload::Time { parent, statements },
            32..35 => {
                let pet = if dice.once_in(2) { pet } else { self.kept_by(mine, Phase::Kept) };
                Payload::Offer { pet, price: self.dice.small(), until_ms }
            }
            35..38 => {
                let pet = dice.target(&self.pets).into();
                Payload::Bid { pet, price: dice.small(), until_ms }
            }
            38 => Payload::Cancel { order: dice.target(&self.orders) },
            39..42 => {
                let order = dice.target(&self.orders);
                let price = state.open_order(&order, now_ms).map_or(1, |order| order.price);
                Payload::Take { order, price: price + u64::from(dice.once_in(5)) }
            }
            42..44 => {
                let mining = mining::after(state.mining(), height, &parent);
                let time = dice.once_in(3).then_some(statements);
                let over = if time.is_some() { parent } else { mining.began };
                let purpose = if time.is_some() { Purpose::Time } else { Purpose::Age };
                let over = if dice.once_in(8) { BlockHash(body) } else { over };
                let work = Work::new(self.world.kennel.id(), &over, &mine, purpose, mining.difficulty);
                let proof = if dice.once_in(6) { dice.roll() } else { work.search(0, 1 << 16).unwrap_or(0) };
                let time = time.map(|said| if dice.once_in(2) { said } else { Vec::new() });
                Payload::Seal { over, proof, time }
            }
            44 => {
                let new_key = public(&key(&format!("{who} {}", dice.below(3))));
                Payload::Rekey { new_key, recovery: None }
            }
            45 => Payload::Moderate { target: dice.target(&self.posts), verdict: Verdict::Hide, body },
            46 => Payload::Appoint {
                operator: if dice.once_in(2) { public(&key("operator")) } else { public(&key("deputy")) },
                moderators: (0..dice.below(3)).map(|_| named(dice)).collect(),
                witnesses: (0..dice.below(2)).map(|_| named(dice)).collect(),
                threshold: dice.below(3).to_le_bytes()[0],
            },
            _ => Payload::Upgrade {
                rules_hash: if dice.once_in(6) { RULES } else { RulesHash(body) },
                at_height: if dice.once_in(4) { dice.of(&AMOUNTS) } else { height + 1 + dice.roll() % 5 },
            },
        }
    }

    /// A pet of the account that is in this phase, or any.
    fn kept_by(&mut self, owner: AccountId, phase: Phase) -> BirthHash {
        let found = self.world.kennel.state().pets().find(|pet| pet.owner == owner && pet.phase == phase);
        found.map_or_else(|| self.dice.target(&self.pets).into(), |pet| pet.birth)
    }

    /// An event as it is sent: mostly well-formed, and signed by who it says.
    fn event(&mut self) -> Vec<u8> {
        if self.dice.once_in(40) {
            return (0..self.dice.below(300)).map(|_| self.dice.roll().to_le_bytes()[0]).collect();
        }
        if self.dice.once_in(20) && !self.old.is_empty() {
            let at = self.dice.below(self.old.len());
            return self.old[at].clone();
        }
        let mut who = self.dice.of(&PLAYERS);
        let payload = self.payload(who);
        let is_of_an_office = payload.kind().replay_class() == ReplayClass::Office;
        if is_of_an_office && !self.dice.once_in(6) {
            who = self.dice.of(&OFFICES);
        } else if payload.kind() == Kind::Time && !self.dice.once_in(4) {
            who = "house";
        }
        let signer = match self.keys.get(who) {
            Some(newer) if !self.dice.once_in(12) => key(newer),
            _ => key(who),
        };
        let mut event: Event = self.world.draft(account(who), &signer, payload);
        match self.dice.below(60) {
            0 => event.kennel.0[0] ^= 1,
            1 => event.version = 2,
            2 => event.expires_ms = self.dice.of(&AMOUNTS),
            3 => event.nonce = self.dice.of(&AMOUNTS),
            _ => {}
        }
        let mut bytes = self.world.sign(event, &signer);
        match self.dice.below(60) {
            0 => {
                let at = self.dice.below(bytes.len());
                bytes[at] ^= 1 << self.dice.below(8);
            }
            1 => bytes.push(0),
            2 => bytes.truncate(self.dice.below(bytes.len())),
            _ => {}
        }
        bytes
    }

    /// Decides a batch on both, and holds what comes of it against what the receipts say.
    fn batch(&mut self, count: usize) {
        let mut events: Vec<Vec<u8>> = (0..count).map(|_| self.event()).collect();
        let mut messages: Vec<Vec<Bytes>> = Vec::new();
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(1 + self.dice.below(3)));
            messages.push(events.into_iter().map(Bytes).collect());
            events = rest;
        }
        let world = &mut self.world;
        let latest_ms = match world.kennel.state().totals().living {
            0 => u64::MAX,
            _ => world.kennel.header().timestamp_ms + 2 * PARAMETERS.idle_ms,
        };
        world.now_ms = world.now_ms.min(latest_ms);
        let batch = encode(&Batch { timestamp_ms: world.now_ms, messages: messages.clone() });
        let (natively, in_wasm) =
            (world.kennel.apply(world.now_ms, &messages), call(&mut self.instance, Operation::Apply, &batch));
        if natively == Err(Fault::Upgrade) {
            assert_eq!(in_wasm, Err(encode(&(Fault::Upgrade as u16))));
            self.take_over();
            return;
        }
        let outcome = natively.expect("the batch as a whole is sound");
        assert_eq!(in_wasm, Ok(encode(&outcome)), "native and Wasm decide alike, byte for byte");
        assert_eq!(outcome.consumed as usize, messages.len());
        self.learn(&outcome);
        let step = self.dice.of(&[0, 1_000, 20_000, 60_000, 120_000]);
        self.world.now_ms += step;
    }

    /// The next rules decide from here on.
    fn take_over(&mut self) {
        let next = self.world.kennel.head().summary.upgrade.expect("it is decided on").rules_hash;
        let snapshot = self.world.kennel.snapshot();
        let written = call(&mut self.instance, Operation::Snapshot, &[]).unwrap();
        assert_eq!(written, encode(&snapshot));
        self.world.kennel = Kennel::open(snapshot, next).unwrap();
        self.instance = self.module.instantiate().unwrap();
        let start = Start { rules_hash: next, genesis: None, snapshot: Some(Bytes(written)) };
        call(&mut self.instance, Operation::Open, &encode(&start)).unwrap();
        assert!(self.world.kennel.head().summary.upgrade.is_none());
        self.told.upgrades += 1;
        self.check();
    }

    fn learn(&mut self, outcome: &Outcome) {
        for rejected in &outcome.rejects {
            *self.told.rejects.entry(rejected.reject).or_default() += 1;
        }
        let Some(made) = &outcome.block else { return };
        assert!(made.bytes.0.len() <= limits::BLOCK_BYTES_MAX);
        let block: Block = decode(&made.bytes.0).unwrap();
        for (bytes, receipt) in block.events.iter().zip(&block.receipts) {
            let signed = SignedEvent::read(&bytes.0).unwrap();
            let receipt: Receipt = decode(&receipt.0).unwrap();
            self.take(&signed, &receipt);
            self.old.push(bytes.0.clone());
        }
        for death in &block.deaths {
            let death: Death = decode(&death.0).unwrap();
            assert!(self.told.dead.insert(death.pet), "a pet dies once");
        }
        self.check();
    }

    /// Takes over what an event did.
    fn take(&mut self, signed: &SignedEvent, receipt: &Receipt) {
        let told = &mut self.told;
        assert!(told.accepted.insert(signed.id), "an event counts once");
        *told.kinds.entry(signed.event.payload.kind()).or_default() += 1;
        match &signed.event.payload {
            Payload::Birth { .. } => {
                told.owners.insert(signed.id.into(), signed.event.account);
                self.pets.push(signed.id);
            }
            Payload::Post { .. } => self.posts.push(signed.id),
            Payload::Offer { .. } | Payload::Bid { .. } => self.orders.push(signed.id),
            Payload::Rekey { new_key, .. } => {
                let who = PLAYERS.into_iter().find(|who| account(who) == signed.event.account).unwrap();
                let newer = (0..3).map(|n| format!("{who} {n}")).find(|name| public(&key(name)) == *new_key);
                self.keys.insert(who, newer.unwrap());
            }
            _ => {}
        }
        for change in &receipt.changes {
            match change {
                Change::Trade(trade) => {
                    let before = told.owners.insert(trade.pet, trade.buyer);
                    assert_eq!(before, Some(trade.seller), "only who owns it sells it");
                    assert!(trade.seller != trade.buyer && trade.cut * 10 >= trade.price * 3);
                    told.trades += 1;
                }
                Change::Pet(pet) => {
                    let is_at_rest = matches!(pet.phase, Phase::Ended | Phase::Kept);
                    assert!(is_at_rest || !told.dead.contains(&pet.birth), "the dead do nothing");
                }
                _ => {}
            }
        }
    }

    /// What holds at each height.
    fn check(&self) {
        let state = self.world.kennel.state();
        let totals = state.totals();
        assert!(state.is_balanced(), "treats are conserved");
        let mut homes: BTreeMap<BirthHash, AccountId> = BTreeMap::new();
        for account in state.accounts() {
            assert!(account.granted.checked_add(account.free).is_some_and(|held| held <= totals.minted));
            if let Some(pet) = account.pet {
                assert!(homes.insert(pet, account.id).is_none(), "a living pet is at home once");
            }
        }
        let owners: BTreeMap<BirthHash, AccountId> = state.pets().map(|pet| (pet.birth, pet.owner)).collect();
        assert_eq!(owners, self.told.owners, "each pet has the one owner that births and sales gave it");
        for pet in state.pets() {
            let is_living = pet.phase == Phase::Living;
            assert_eq!(is_living, !self.told.dead.contains(&pet.birth));
            assert_eq!(homes.get(&pet.birth), is_living.then_some(&pet.owner));
        }
        assert_eq!(homes.len(), totals.living as usize);
        assert!(totals.living <= PARAMETERS.living_max && totals.accounts <= PARAMETERS.accounts_max);
        for pet in state.pets() {
            assert!(state.posts_of(&pet.birth) <= PARAMETERS.open_posts_max);
        }
        for (post, visits) in state.posts() {
            assert!(visits.len() <= PARAMETERS.visits_per_post_max as usize, "{}", post.id);
        }
        assert!(state.orders().count() <= limits::ORDERS_PER_ACCOUNT_MAX as usize * PLAYERS.len());
        assert!(state.anchors().len() <= limits::ANCHORS_MAX);
    }
}

/// One life, or `LONG_LIVES` of them.
#[test]
fn ten_thousand_random_events_keep_what_is_promised_and_never_trap() {
    let lives = std::env::var("LONG_LIVES").map_or(1, |lives| lives.parse().expect("a number of lives"));
    for seed in 4..4 + lives {
        println!("seed {seed}");
        let mut life = Life::new(seed);
        let mut sent = 0;
        while sent < EVENTS {
            let count = 1 + life.dice.below(9);
            life.batch(count);
            sent += count;
        }
        // Worth playing only if it came across nearly everything.
        let Told { kinds, rejects, trades, upgrades, .. } = &life.told;
        let missing: Vec<_> = Kind::ALL.iter().filter(|kind| !kinds.contains_key(kind)).collect();
        assert!(missing.is_empty(), "never accepted: {missing:?}; {kinds:?}");
        assert!(rejects.len() >= 40, "{} reasons: {rejects:?}", rejects.len());
        assert!(*trades >= 10 && *upgrades >= 5, "{trades} trades, {upgrades} changes of rules");
    }
}
