//! Random lives of a kennel, played on it and on the model.

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::block::{Block, Change, Death, Receipt};
use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::event::{Payload, ReplayClass, SignedEvent, Verdict};
use pitpet_chain::hash::{BirthHash, BlockHash, EventId, RulesHash};
use pitpet_chain::kennel::{Fault, Kennel};
use pitpet_chain::mining::{Purpose, Statement, Work};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::{Pet, Phase};
use proptest::prelude::*;

use super::{Act as Signed, KEYS, MODERATOR, Model, OPERATOR, PARAMETERS, PLAYERS, WITNESS, public_of};
use crate::support::{
    self, RULES, World, account, comment, genesis, gift, key, pat, post, share, statement, transfer,
};

/// The modules that a kennel may go over to; the first one founds it.
const MODULES: [RulesHash; 3] = [RULES, RulesHash([8; 32]), RulesHash([9; 32])];

/// A step of a random life. Targets are indexes into what there is so far.
#[derive(Clone, Debug)]
pub enum Act {
    /// With a recovery key.
    Birth(Option<usize>),
    Post(usize),
    Pat(usize),
    Share(usize),
    Comment(usize, u64),
    Gift(usize, u64),
    /// So many treats, or all there are.
    Transfer(usize, Option<u64>),
    StoryEnd(usize),
    Keepsake(usize),
    Time(Idle),
    Offer(usize, u64, u64),
    Bid(usize, u64, u64),
    Cancel(usize),
    /// Which order, and how much more than its price is named.
    Take(usize, u64),
    /// Of this age, without work, or over another block.
    Seal(u8),
    /// That mines time; with work or without.
    TimeSeal(Idle, bool),
    Rekey(Rekeying),
    /// Which moderator.
    Moderate(usize),
    Appoint(Offices),
    /// To which module, and how many blocks above the head.
    Upgrade(usize, u64),
    /// What was sent before comes again.
    Again(usize),
    /// The block before this act ends, and the clock moves by so much.
    Block(u64),
}

/// How time is mined.
#[derive(Clone, Debug)]
pub struct Idle {
    /// Whether the kennel is left alone for `idle_ms` before.
    quiet: bool,
    /// Which witnesses speak, a bit each.
    speak: u16,
    /// What is wrong with one of the statements, and with which.
    flaw: Option<(Flaw, usize)>,
}

#[derive(Clone, Copy, Debug)]
enum Flaw {
    /// It is about the head before.
    OtherHead,
    /// Somebody signed it who is no witness.
    Stranger,
    /// Another witness signed it.
    OtherName,
    Twice,
    Disorder,
    /// It is in the name of a witness beyond those there are.
    Beyond,
}

#[derive(Clone, Debug)]
pub struct Rekeying {
    to: usize,
    recovery: Option<usize>,
    /// Whether the recovery key signs, if there is one.
    recovers: bool,
}

#[derive(Clone, Debug)]
pub struct Offices {
    operator: usize,
    moderators: Vec<usize>,
    witnesses: Vec<usize>,
    /// Otherwise the least majority.
    threshold: Option<u8>,
}

/// Which key signs.
#[derive(Clone, Copy, Debug)]
pub enum Hand {
    /// The one that may.
    Holder,
    /// This one, in its own name.
    Key(usize),
    /// This one, in the name of the one that may.
    Forger(usize),
}

#[derive(Clone, Debug)]
pub struct Step {
    pub who: usize,
    pub hand: Hand,
    pub act: Act,
}

/// A random life.
#[derive(Clone, Debug)]
pub struct Life {
    /// Whether five time witnesses are there from the start.
    pub witnessed: bool,
    pub steps: Vec<Step>,
}

fn idle() -> impl Strategy<Value = Idle> {
    let flaw = prop_oneof![
        Just(Flaw::OtherHead),
        Just(Flaw::Stranger),
        Just(Flaw::OtherName),
        Just(Flaw::Twice),
        Just(Flaw::Disorder),
        Just(Flaw::Beyond),
    ];
    let flaw = prop_oneof![2 => Just(None), 1 => (flaw, 0..9_usize).prop_map(Some)];
    let quiet = prop_oneof![2 => Just(true), 1 => Just(false)];
    let speak = prop_oneof![1 => Just(u16::MAX), 1 => any::<u16>()];
    (quiet, speak, flaw).prop_map(|(quiet, speak, flaw)| Idle { quiet, speak, flaw })
}

fn offices() -> impl Strategy<Value = Offices> {
    let any_key = || 0..KEYS.len();
    let some = |from: std::ops::Range<usize>, most| {
        proptest::sample::subsequence(from.collect::<Vec<usize>>(), 0..=most)
    };
    let many = || proptest::collection::vec(any_key(), 0..=10);
    (
        prop_oneof![2 => Just(OPERATOR), 1 => any_key()],
        prop_oneof![4 => some(0..KEYS.len(), 3).prop_map(|mut keys| { keys.push(MODERATOR); keys.sort_unstable(); keys.dedup(); keys }), 1 => many()],
        prop_oneof![4 => some(WITNESS..WITNESS + 5, 5), 1 => many()],
        prop_oneof![4 => Just(None), 1 => (0..7_u8).prop_map(Some)],
    )
        .prop_map(|(operator, moderators, witnesses, threshold)| Offices {
            operator,
            moderators,
            witnesses,
            threshold,
        })
}

fn rekeying() -> impl Strategy<Value = Rekeying> {
    let recovery = proptest::option::of(0..KEYS.len());
    (0..KEYS.len(), recovery, any::<bool>()).prop_map(|(to, recovery, recovers)| Rekeying {
        to,
        recovery,
        recovers,
    })
}

pub fn life() -> impl Strategy<Value = Life> {
    let until = || prop_oneof![1 => Just(0), 9 => 1..400_000_u64];
    let act = prop_oneof![
        4 => proptest::option::of(0..KEYS.len()).prop_map(Act::Birth),
        4 => (0..8_usize).prop_map(Act::Post),
        3 => (0..8_usize).prop_map(Act::Pat),
        2 => (0..8_usize).prop_map(Act::Share),
        3 => (0..8_usize, 0..4_u64).prop_map(|(post, n)| Act::Comment(post, n)),
        2 => (0..8_usize, 0..9_u64).prop_map(|(pet, n)| Act::Gift(pet, n)),
        3 => (0..PLAYERS, prop_oneof![2 => (0..9_u64).prop_map(Some), 1 => Just(None)]).prop_map(|(to, n)| Act::Transfer(to, n)),
        4 => (0..8_usize).prop_map(Act::StoryEnd),
        5 => (0..8_usize).prop_map(Act::Keepsake),
        2 => idle().prop_map(Act::Time),
        3 => (0..8_usize, prop_oneof![9 => 0..6_u64, 1 => Just(1_000)], until()).prop_map(|(pet, n, ms)| Act::Offer(pet, n, ms)),
        4 => (0..8_usize, 0..6_u64, until()).prop_map(|(pet, n, ms)| Act::Bid(pet, n, ms)),
        1 => (0..8_usize).prop_map(Act::Cancel),
        6 => (0..4_usize, prop_oneof![5 => Just(0), 1 => Just(1)]).prop_map(|(order, n)| Act::Take(order, n)),
        5 => (0..4_u8).prop_map(Act::Seal),
        2 => (idle(), prop_oneof![5 => Just(true), 1 => Just(false)]).prop_map(|(idle, good)| Act::TimeSeal(idle, good)),
        3 => rekeying().prop_map(Act::Rekey),
        1 => (0..4_usize).prop_map(Act::Moderate),
        1 => offices().prop_map(Act::Appoint),
        2 => (0..MODULES.len(), 0..8_u64).prop_map(|(module, ahead)| Act::Upgrade(module, ahead)),
        3 => (0..20_usize).prop_map(Act::Again),
        8 => prop_oneof![Just(0), 1..60_000_u64, Just(60_000), 60_000..120_000_u64].prop_map(Act::Block),
    ];
    let hand = prop_oneof![
        20 => Just(Hand::Holder),
        1 => (0..KEYS.len()).prop_map(Hand::Key),
        1 => (0..KEYS.len()).prop_map(Hand::Forger),
    ];
    let step = (0..PLAYERS, hand, act).prop_map(|(who, hand, act)| Step { who, hand, act });
    (any::<bool>(), proptest::collection::vec(step, 1..150))
        .prop_map(|(witnessed, steps)| Life { witnessed, steps })
}

/// What lives came across, so that a test can tell that they are rich enough.
#[derive(Default)]
pub struct Seen {
    pub rejects: BTreeSet<Reject>,
    pub deaths: usize,
    pub trades: usize,
    pub seals: usize,
    /// Keys replaced by the account's own key, and by its recovery key.
    pub rekeyed: usize,
    pub recovered: usize,
    pub appointed: usize,
    /// Changes of rules that came, and decisions that were withdrawn or replaced.
    pub upgraded: usize,
    pub withdrawn: usize,
    /// Time mined without witnesses, and by their word.
    pub idle: usize,
    pub witnessed: usize,
}

/// What was sent, for a second time.
struct Sent {
    bytes: Vec<u8>,
    who: usize,
    key: usize,
    forged: bool,
    nonce: u64,
    id: EventId,
    expires_ms: u64,
    payload: Payload,
}

/// A life that is being played.
struct Play<'a> {
    world: World,
    model: Model,
    seen: &'a mut Seen,
    /// The module of the next block, as the head has it.
    deciding: RulesHash,
    /// Events of the block that is being made, with what should become of them.
    pending: Vec<(Bytes, Result<(), Reject>)>,
    sent: Vec<Sent>,
    pets: Vec<EventId>,
    posts: Vec<EventId>,
    orders: Vec<EventId>,
}

/// Plays a life on the kennel and on the model, comparing after each block.
pub fn play(life: &Life, seen: &mut Seen) -> World {
    let mut genesis = genesis(PARAMETERS);
    if life.witnessed {
        genesis.witnesses = (WITNESS..WITNESS + 5).map(public_of).collect();
        genesis.threshold = 3;
    }
    let world = World::of(genesis);
    let model = Model::new(&world);
    let mut play = Play {
        deciding: model.deciding(),
        world,
        model,
        seen,
        pending: Vec::new(),
        sent: Vec::new(),
        pets: Vec::new(),
        posts: Vec::new(),
        orders: Vec::new(),
    };
    for step in &life.steps {
        play.step(step);
    }
    play.end_block();
    check_blocks(&play.world);
    play.world
}

fn at(targets: &[EventId], n: usize) -> EventId {
    match targets.len() {
        0 => EventId([1; 32]),
        count => targets[count - 1 - n % count],
    }
}

/// A proof that has the work, or one that hasn't.
fn proof(work: &Work, good: bool) -> u64 {
    (0..).find(|proof| work.is_done_by(*proof) == good).unwrap()
}

impl Play<'_> {
    fn step(&mut self, step: &Step) {
        match &step.act {
            Act::Block(ms) => {
                self.end_block();
                self.pass(*ms);
            }
            Act::Again(n) => {
                let count = self.sent.len();
                if count > 0 {
                    let sent = self.sent.remove(count - 1 - n % count);
                    self.send(sent);
                }
            }
            act => {
                if let Act::Time(idle) | Act::TimeSeal(idle, _) = act
                    && idle.quiet
                {
                    self.end_block();
                    self.pass(PARAMETERS.idle_ms);
                }
                let payload = self.payload(step.who, act);
                let (who, holder) = self.actor(step.who, act, &payload);
                let office = payload.kind().replay_class() == ReplayClass::Office;
                // For an office a key acts in an account of its own.
                let (who, key, signer) = match step.hand {
                    Hand::Holder => (who, holder, holder),
                    Hand::Key(key) if office => (key, key, key),
                    Hand::Key(key) => (who, key, key),
                    Hand::Forger(signer) => (who, holder, signer),
                };
                let sent = self.sign(who, key, signer, payload);
                self.send(sent);
            }
        }
    }

    /// The clock moves, as far as a miner's may: see `Kennel::apply` on timestamps.
    fn pass(&mut self, ms: u64) {
        let latest_ms = self.world.kennel.header().timestamp_ms + 2 * PARAMETERS.idle_ms;
        self.world.now_ms = latest_ms.min(self.world.now_ms + ms);
    }

    fn payload(&mut self, who: usize, act: &Act) -> Payload {
        let parent = self.model.head;
        let until_ms = |ms: &u64| self.world.now_ms + ms - 1;
        match act {
            Act::Birth(recovery) => Payload::Birth {
                photo: [1; 32],
                body: [2; 32],
                recovery: recovery.map(public_of),
                anchor: parent,
            },
            Act::Post(n) => post(at(&self.pets, *n).into()),
            Act::Pat(n) => pat(at(&self.posts, *n)),
            Act::Share(n) => share(at(&self.posts, *n)),
            Act::Comment(n, text) => comment(at(&self.posts, *n), *text),
            Act::Gift(n, amount) => gift(at(&self.pets, *n).into(), *amount),
            Act::Transfer(to, amount) => {
                let all = || self.model.accounts.get(&who).map_or(1, |account| account.free);
                transfer(KEYS[*to], amount.unwrap_or_else(all))
            }
            Act::StoryEnd(n) => Payload::StoryEnd { pet: at(&self.pets, *n).into() },
            Act::Keepsake(n) => Payload::Keepsake { pet: at(&self.pets, *n).into() },
            Act::Time(idle) => Payload::Time { parent, statements: self.statements(idle) },
            Act::Offer(n, price, ms) => {
                Payload::Offer { pet: at(&self.pets, *n).into(), price: *price, until_ms: until_ms(ms) }
            }
            Act::Bid(n, price, ms) => {
                Payload::Bid { pet: at(&self.pets, *n).into(), price: *price, until_ms: until_ms(ms) }
            }
            Act::Cancel(n) => Payload::Cancel { order: at(&self.orders, *n) },
            Act::Take(n, more) => {
                let order = at(&self.orders, *n);
                let price = self.model.orders.get(&order).map_or(1, |order| order.price);
                Payload::Take { order, price: price + more }
            }
            Act::Seal(how) => {
                let over = if *how == 3 { BlockHash([3; 32]) } else { self.model.began };
                let work = self.model.work(who, &over, Purpose::Age);
                Payload::Seal { over, proof: proof(&work, *how != 2), time: None }
            }
            Act::TimeSeal(idle, good) => {
                let work = self.model.work(who, &parent, Purpose::Time);
                let time = Some(self.statements(idle));
                Payload::Seal { over: parent, proof: proof(&work, *good), time }
            }
            Act::Rekey(rekeying) => {
                Payload::Rekey { new_key: public_of(rekeying.to), recovery: rekeying.recovery.map(public_of) }
            }
            Act::Moderate(_) => {
                Payload::Moderate { target: at(&self.posts, 0), verdict: Verdict::Hide, body: [7; 32] }
            }
            Act::Appoint(offices) => {
                let keys = |keys: &[usize]| keys.iter().copied().map(public_of).collect::<Vec<_>>();
                let count = u8::try_from(offices.witnesses.len()).unwrap();
                let least = if count == 0 { 0 } else { count / 2 + 1 };
                Payload::Appoint {
                    operator: public_of(offices.operator),
                    moderators: keys(&offices.moderators),
                    witnesses: keys(&offices.witnesses),
                    threshold: offices.threshold.unwrap_or(least),
                }
            }
            Act::Upgrade(module, ahead) => {
                Payload::Upgrade { rules_hash: MODULES[*module], at_height: self.model.height + ahead }
            }
            Act::Again(_) | Act::Block(_) => unreachable!("neither is an event of its own"),
        }
    }

    /// Who acts, and by which key: often the one who may.
    fn actor(&self, who: usize, act: &Act, payload: &Payload) -> (usize, usize) {
        let model = &self.model;
        let owner = |pet: &BirthHash| model.pets.get(pet).map_or(who, |pet| pet.owner);
        let who = match (act, payload) {
            (Act::Moderate(n), _) => {
                let count = model.moderators.len();
                let key = if count == 0 { MODERATOR } else { model.moderators[n % count].0 };
                return (key, key);
            }
            (Act::Appoint(_) | Act::Upgrade(..), _) => return (model.operator.0, model.operator.0),
            (Act::Rekey(rekeying), _) => {
                let recovery = model.recovery_key(who).filter(|_| rekeying.recovers);
                return (who, recovery.unwrap_or_else(|| model.current_key(who)));
            }
            // The house, or now and then somebody else.
            (Act::Time(_), _) if who != 1 => 0,
            (Act::Post(0..4), Payload::Post { pet, .. })
            | (Act::Keepsake(0..4), Payload::Keepsake { pet })
            | (Act::Offer(0..6, ..), Payload::Offer { pet, .. }) => owner(pet),
            (Act::Take(0..3, _), Payload::Take { order, .. }) => {
                model.orders.get(order).filter(|order| order.is_bid).map_or(who, |order| order.owner)
            }
            _ => who,
        };
        (who, model.current_key(who))
    }

    /// What the witnesses say of the head, or what a forger has them say.
    fn statements(&mut self, idle: &Idle) -> Vec<Statement> {
        let witnesses = self.model.witnesses.clone();
        let head = self.model.head;
        let speaks = |n: &usize| idle.speak & (1 << n) != 0;
        let mut statements: Vec<Statement> =
            (0..witnesses.len()).filter(speaks).map(|n| self.say(n, witnesses[n], head)).collect();
        let Some((flaw, n)) = idle.flaw else { return statements };
        let stranger = KEYS.len() - 1;
        if statements.is_empty() {
            return vec![self.say(0, stranger, head)];
        }
        let n = n % statements.len();
        let witness = usize::from(statements[n].witness);
        match flaw {
            Flaw::OtherHead => {
                let older = self.world.blocks.iter().rev().nth(1);
                let older = older.map_or(BlockHash([5; 32]), |block| block.head.hash);
                statements[n] = self.say(witness, witnesses[witness], older);
            }
            Flaw::Stranger => statements[n] = self.say(witness, stranger, head),
            Flaw::OtherName => {
                statements[n] = self.say(witness, witnesses[(witness + 1) % witnesses.len()], head);
            }
            Flaw::Twice => statements.insert(n, statements[n]),
            Flaw::Disorder => statements.swap(0, n),
            Flaw::Beyond => statements.push(self.say(witnesses.len(), stranger, head)),
        }
        statements
    }

    /// Signs a statement, and remembers by which key.
    fn say(&mut self, witness: usize, key: usize, head: BlockHash) -> Statement {
        let witness = u8::try_from(witness).unwrap();
        let statement = statement(&self.world, witness, KEYS[key], &head);
        self.model.said.insert(statement.signature, (key, head));
        statement
    }

    fn sign(&mut self, who: usize, key_named: usize, signer: usize, payload: Payload) -> Sent {
        let (world, model) = (&mut self.world, &self.model);
        let now_ms = world.now_ms;
        let mut event = world.draft(account(KEYS[who]), &key(KEYS[key_named]), payload.clone());
        world.now_ms = now_ms;
        // Some are still good when they come again.
        event.expires_ms = now_ms + if self.sent.len().is_multiple_of(5) { 900_000 } else { 30_000 };
        match payload.kind().replay_class() {
            // Nonces must not pass `expires_ms` and need not be dense.
            ReplayClass::Nonce => event.nonce *= 3,
            // An office that acts twice at one time counts on, as long as the clock lets it.
            ReplayClass::Office => {
                let last = match payload {
                    Payload::Moderate { .. } => {
                        model.moderators.iter().find(|office| office.0 == key_named).map_or(0, |o| o.1)
                    }
                    _ => model.operator.1,
                };
                let next = (last + 1).max(now_ms - 10);
                event.nonce = next.min(now_ms);
            }
            ReplayClass::Subject => {}
        }
        let bytes = event.sign(&key(KEYS[signer]));
        let id = SignedEvent::read(&bytes).unwrap().id;
        let (nonce, expires_ms) = (event.nonce, event.expires_ms);
        Sent { bytes, who, key: key_named, forged: signer != key_named, nonce, id, expires_ms, payload }
    }

    fn send(&mut self, sent: Sent) {
        let Sent { who, key, forged, nonce, id, expires_ms, ref payload, .. } = sent;
        let before = self.model.clone();
        let act = Signed { who, key, forged, nonce, id, expires_ms, payload };
        let expected = self.model.decide(&act, self.world.now_ms);
        if expected.is_ok() {
            self.count(&before, key, who, &sent.payload, id);
        }
        let seen = &mut self.seen;
        seen.rejects.extend(expected.err());
        self.pending.push((Bytes(sent.bytes.clone()), expected));
        self.sent.push(sent);
    }

    fn count(&mut self, before: &Model, key: usize, who: usize, payload: &Payload, id: EventId) {
        let seen = &mut self.seen;
        match payload {
            Payload::Birth { .. } => self.pets.push(id),
            Payload::Post { .. } => self.posts.push(id),
            Payload::Offer { .. } | Payload::Bid { .. } => self.orders.push(id),
            Payload::Take { .. } => seen.trades += 1,
            Payload::Time { statements, .. } | Payload::Seal { time: Some(statements), .. } => {
                if statements.is_empty() { seen.idle += 1 } else { seen.witnessed += 1 }
            }
            Payload::Seal { .. } => seen.seals += 1,
            Payload::Rekey { .. } => {
                if before.current_key(who) == key {
                    seen.rekeyed += 1
                } else {
                    seen.recovered += 1
                }
            }
            Payload::Appoint { .. } => seen.appointed += 1,
            Payload::Upgrade { .. } => {
                let waits = before.upgrade.is_some_and(|(_, at_height)| at_height > before.height + 1);
                seen.withdrawn += usize::from(waits);
            }
            _ => {}
        }
    }

    /// The kennel as the module opens it that decides the next block; every other one refuses.
    fn opened(&self) -> Kennel {
        let kennel = self.world.kennel.clone();
        let (present, deciding) = (kennel.header().rules_hash, self.deciding);
        let snapshot = kennel.snapshot();
        for module in MODULES {
            let opened = Kennel::open(snapshot.clone(), module).err();
            let expected = (module != deciding && module != present).then_some(Fault::Upgrade);
            assert_eq!(opened, expected, "only who decides takes over");
        }
        if deciding == present {
            return kennel;
        }
        let mut old = kennel;
        let messages: Vec<Vec<Bytes>> = self.pending.iter().map(|(event, _)| vec![event.clone()]).collect();
        assert_eq!(old.apply(self.world.now_ms, &messages), Err(Fault::Upgrade), "its time is over");
        assert_eq!(old.snapshot(), snapshot);
        Kennel::open(snapshot, deciding).unwrap()
    }

    fn end_block(&mut self) {
        let mut kennel = self.opened();
        let (pending, seen) = (std::mem::take(&mut self.pending), &mut self.seen);
        let messages: Vec<Vec<Bytes>> =
            pending.chunks(3).map(|chunk| chunk.iter().map(|(event, _)| event.clone()).collect()).collect();
        let before = kennel.snapshot();
        let outcome = kennel.apply(self.world.now_ms, &messages).unwrap();
        assert_eq!(outcome.consumed as usize, messages.len());
        let got: Vec<(usize, Reject)> =
            outcome.rejects.iter().map(|at| ((at.message * 3 + at.event) as usize, at.reject)).collect();
        let expected: Vec<(usize, Reject)> = pending
            .iter()
            .enumerate()
            .filter_map(|(n, (_, expected))| expected.err().map(|reject| (n, reject)))
            .collect();
        assert_eq!(got, expected, "rejects of the block");
        assert_eq!(outcome.block.is_none(), expected.len() == pending.len());
        match outcome.block {
            // What is refused changes nothing.
            None => assert_eq!(kennel.snapshot(), before),
            Some(made) => {
                seen.upgraded += usize::from(self.deciding != self.world.kennel.header().rules_hash);
                self.world.kennel = kennel;
                let dead = self.model.end_block(self.world.now_ms, made.head.hash);
                seen.deaths += dead.len();
                let block: Block = decode(&made.bytes.0).unwrap();
                let died = |death: &Bytes| decode::<Death>(&death.0).unwrap().pet;
                assert_eq!(block.deaths.iter().map(died).collect::<BTreeSet<BirthHash>>(), dead);
                self.world.blocks.push(made);
            }
        }
        self.model.compare(&self.world);
        self.deciding = self.model.deciding();
    }
}

/// What the blocks tell by themselves: no event is there twice, a pet changes hands by a sale
/// alone, and one that died does nothing more.
fn check_blocks(world: &World) {
    let mut events: BTreeSet<EventId> = BTreeSet::new();
    let mut pets: BTreeMap<BirthHash, Pet> = BTreeMap::new();
    let mut dead: BTreeSet<BirthHash> = BTreeSet::new();
    let deeds = |pet: &Pet| (pet.last_age, pet.posts, pet.pats, pet.shares, pet.comments);
    for made in &world.blocks {
        let block: Block = decode(&made.bytes.0).unwrap();
        for receipt in &block.receipts {
            let receipt: Receipt = decode(&receipt.0).unwrap();
            assert!(events.insert(receipt.event), "{} is there once", receipt.event);
            for pet in support::pets(&receipt) {
                let Some(before) = pets.insert(pet.birth, pet.clone()) else { continue };
                let sale = receipt.changes.iter().find_map(|change| match change {
                    Change::Trade(trade) if trade.pet == pet.birth => Some((trade.seller, trade.buyer)),
                    _ => None,
                });
                let (from, to) = sale.unwrap_or((before.owner, before.owner));
                assert_eq!((before.owner, pet.owner), (from, to), "one owner, and a sale to change it");
                if dead.contains(&pet.birth) {
                    assert_eq!(deeds(&pet), deeds(&before), "the dead do nothing");
                    assert!(pet.phase != Phase::Living && pet.wallet <= before.wallet);
                }
            }
        }
        for death in &block.deaths {
            assert!(dead.insert(decode::<Death>(&death.0).unwrap().pet), "nobody dies twice");
        }
    }
}
