//! Random lives of a kennel against a model that recomputes everything, and random bytes against
//! the codec and `replay`.
//!
//! The model is written from the rules' text and shares no code with them: maps, and a walk over
//! all pets after each block to find the dead.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{BirthHash, BlockHash, EventId};
use pitpet_chain::kennel::{Fault, Kennel, Signatures, Snapshot};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::Phase;
use proptest::prelude::*;
use support::{FREE, World, account, comment, gift, key, pat, post, share, transfer};

const PARAMETERS: Parameters = Parameters {
    ttl: 4,
    idle_ms: 60_000,
    living_max: 4,
    accounts_max: 4,
    visits_per_post_max: 4,
    open_posts_max: 2,
    birth_grant: 5,
    ..FREE
};

const NAMES: [&str; 6] = ["house", "ann", "bob", "cat", "dan", "eve"];

/// A step of a random life. Targets are indexes into what there is so far.
#[derive(Clone, Debug)]
enum Act {
    Birth,
    Post(usize),
    Pat(usize),
    Share(usize),
    Comment(usize, u64),
    Gift(usize, u64),
    Transfer(usize, u64),
    StoryEnd(usize),
    Keepsake(usize),
    Time,
    /// The block before this act ends, and the clock moves by so much.
    Block(u64),
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::Birth),
        4 => (0..8_usize).prop_map(Act::Post),
        3 => (0..8_usize).prop_map(Act::Pat),
        2 => (0..8_usize).prop_map(Act::Share),
        3 => (0..8_usize, 0..4_u64).prop_map(|(post, n)| Act::Comment(post, n)),
        2 => (0..8_usize, 0..9_u64).prop_map(|(pet, n)| Act::Gift(pet, n)),
        2 => (0..NAMES.len(), 0..9_u64).prop_map(|(to, n)| Act::Transfer(to, n)),
        4 => (0..8_usize).prop_map(Act::StoryEnd),
        5 => (0..8_usize).prop_map(Act::Keepsake),
        1 => Just(Act::Time),
        8 => prop_oneof![Just(0), 1..60_000_u64, Just(60_000), 60_000..120_000_u64].prop_map(Act::Block),
    ];
    proptest::collection::vec((0..NAMES.len(), act), 1..150)
}

#[derive(Clone, Debug, Default)]
struct ModelAccount {
    granted: u64,
    free: u64,
    acted: bool,
    last_expires_ms: u64,
}

#[derive(Clone, Debug)]
struct ModelPet {
    owner: usize,
    phase: Phase,
    last_age: u64,
    wallet: u64,
}

#[derive(Clone, Debug)]
struct ModelPost {
    pet: BirthHash,
    opened_age: u64,
    visits: Vec<(u8, usize, Option<EventId>)>,
}

/// The rules again, as simply as can be.
#[derive(Clone, Default)]
struct Model {
    age: u64,
    aged_ms: u64,
    accounts: BTreeMap<usize, ModelAccount>,
    pets: BTreeMap<BirthHash, ModelPet>,
    posts: BTreeMap<EventId, ModelPost>,
    /// Whether an event of the block that is being made ages the kennel.
    aging: bool,
    /// Whether one of them is a time event.
    timed: bool,
}

impl Model {
    fn living(&self) -> usize {
        self.pets.values().filter(|pet| pet.phase == Phase::Living).count()
    }

    fn pay(&mut self, who: usize, amount: u64, granted_too: bool) -> Result<(), Reject> {
        let account = self.accounts.get_mut(&who).ok_or(Reject::NoTreats)?;
        let granted = if granted_too { account.granted.min(amount) } else { 0 };
        if account.free < amount - granted {
            return Err(Reject::NoTreats);
        }
        account.granted -= granted;
        account.free -= amount - granted;
        Ok(())
    }

    fn visit(
        &mut self,
        who: usize,
        post: &EventId,
        kind: u8,
        id: Option<EventId>,
    ) -> Result<BirthHash, Reject> {
        let age = self.age + 1;
        let found = self.posts.get(post).ok_or(Reject::UnknownPost)?.clone();
        let pet = &self.pets[&found.pet];
        if pet.phase != Phase::Living || age - found.opened_age > u64::from(PARAMETERS.ttl) {
            return Err(Reject::ClosedPost);
        }
        let own = pet.owner == who;
        if own && kind != 5 {
            return Err(Reject::OwnPet);
        }
        if found.visits.contains(&(kind, who, id)) {
            return Err(Reject::AlreadyDone);
        }
        if found.visits.len() >= PARAMETERS.visits_per_post_max as usize {
            return Err(Reject::PostFull);
        }
        if own {
            self.pay(who, PARAMETERS.post_cost, true)?;
            self.pets.get_mut(&found.pet).unwrap().wallet += PARAMETERS.post_cost;
        }
        self.posts.get_mut(post).unwrap().visits.push((kind, who, id));
        Ok(found.pet)
    }

    /// Decides an event whose form is good.
    fn decide(
        &mut self,
        who: usize,
        payload: &Payload,
        id: EventId,
        expires_ms: u64,
        now_ms: u64,
        parent: BlockHash,
    ) -> Result<(), Reject> {
        if payload.amount() == Some(0) {
            return Err(Reject::AmountRange);
        }
        let age = self.age + 1;
        let extended = match payload {
            Payload::Birth { .. } => {
                if self.pets.values().any(|pet| pet.owner == who && pet.phase == Phase::Living) {
                    return Err(Reject::HasLivingPet);
                }
                if self.living() >= PARAMETERS.living_max as usize {
                    return Err(Reject::KennelFull);
                }
                if !self.accounts.contains_key(&who)
                    && self.accounts.len() >= PARAMETERS.accounts_max as usize
                {
                    return Err(Reject::AccountsFull);
                }
                self.accounts.entry(who).or_default().granted += PARAMETERS.birth_grant;
                let pet = ModelPet { owner: who, phase: Phase::Living, last_age: age, wallet: 0 };
                self.pets.insert(id.into(), pet);
                Some(BirthHash::from(id))
            }
            Payload::Post { pet, .. } => {
                let found = self.pets.get(pet).ok_or(Reject::UnknownPet)?;
                if found.phase != Phase::Living {
                    return Err(Reject::DeadPet);
                }
                if found.owner != who {
                    return Err(Reject::NotOwner);
                }
                let open = self.posts.values().filter(|post| post.pet == *pet).count();
                if open >= PARAMETERS.open_posts_max as usize {
                    return Err(Reject::TooManyPosts);
                }
                self.pay(who, PARAMETERS.post_cost, true)?;
                self.pets.get_mut(pet).unwrap().wallet += PARAMETERS.post_cost;
                self.posts.insert(id, ModelPost { pet: *pet, opened_age: age, visits: Vec::new() });
                Some(*pet)
            }
            Payload::Pat { post } => Some(self.visit(who, post, 3, None)?),
            Payload::Share { post } => Some(self.visit(who, post, 4, None)?),
            Payload::Comment { post, .. } => Some(self.visit(who, post, 5, Some(id))?),
            Payload::Gift { pet, amount } => {
                if self.pets.get(pet).ok_or(Reject::UnknownPet)?.phase != Phase::Living {
                    return Err(Reject::DeadPet);
                }
                self.pay(who, *amount, false)?;
                self.pets.get_mut(pet).unwrap().wallet += amount;
                Some(*pet)
            }
            Payload::Transfer { to, amount } => {
                let to = (0..NAMES.len()).find(|n| account(NAMES[*n]) == *to).unwrap();
                if !self.accounts.contains_key(&to) && self.accounts.len() >= PARAMETERS.accounts_max as usize
                {
                    return Err(Reject::AccountsFull);
                }
                let mut after = self.clone();
                after.pay(who, *amount, false)?;
                if to == who {
                    return Err(Reject::SelfTransfer);
                }
                *self = after;
                self.accounts.entry(to).or_default().free += amount;
                None
            }
            Payload::StoryEnd { pet } => {
                let found = self.pets.get_mut(pet).ok_or(Reject::UnknownPet)?;
                match found.phase {
                    Phase::Living => return Err(Reject::NotDead),
                    Phase::Dead => found.phase = Phase::Ended,
                    _ => return Err(Reject::AlreadyEnded),
                }
                None
            }
            Payload::Keepsake { pet } => {
                let found = self.pets.get_mut(pet).ok_or(Reject::UnknownPet)?;
                if found.owner != who {
                    return Err(Reject::NotOwner);
                }
                match found.phase {
                    Phase::Kept => return Err(Reject::AlreadyKept),
                    Phase::Ended => found.phase = Phase::Kept,
                    _ => return Err(Reject::NotEnded),
                }
                let account = self.accounts.get_mut(&who).unwrap();
                account.free += account.granted + found.wallet;
                (account.granted, found.wallet) = (0, 0);
                None
            }
            Payload::Time { parent: named } => {
                if NAMES[who] != "house" {
                    return Err(Reject::NotHouse);
                }
                if *named != parent {
                    return Err(Reject::WrongParent);
                }
                if now_ms - self.aged_ms < PARAMETERS.idle_ms || self.timed {
                    return Err(Reject::NotIdle);
                }
                (self.aging, self.timed) = (true, true);
                None
            }
            Payload::Rekey { .. } => unreachable!("the model has one key an account"),
        };
        if let Some(pet) = extended {
            self.pets.get_mut(&pet).unwrap().last_age = age;
            self.aging = true;
        }
        let subject = matches!(
            payload,
            Payload::Pat { .. }
                | Payload::Share { .. }
                | Payload::Comment { .. }
                | Payload::StoryEnd { .. }
                | Payload::Time { .. }
        );
        if let (false, Some(account)) = (subject, self.accounts.get_mut(&who)) {
            account.acted = true;
            account.last_expires_ms = account.last_expires_ms.max(expires_ms);
        }
        Ok(())
    }

    fn end_block(&mut self, now_ms: u64) -> BTreeSet<BirthHash> {
        self.timed = false;
        if std::mem::take(&mut self.aging) {
            self.age += 1;
            self.aged_ms = now_ms;
        }
        let mut dead = BTreeSet::new();
        for (birth, pet) in &mut self.pets {
            if pet.phase == Phase::Living && self.age >= pet.last_age + u64::from(PARAMETERS.ttl) {
                pet.phase = Phase::Dead;
                dead.insert(*birth);
            }
        }
        self.posts.retain(|_, post| self.age <= post.opened_age + u64::from(PARAMETERS.ttl));
        let owners: BTreeSet<usize> = self.pets.values().map(|pet| pet.owner).collect();
        self.accounts.retain(|who, account| {
            account.granted + account.free > 0 || owners.contains(who) || account.last_expires_ms >= now_ms
        });
        dead
    }

    fn compare(&self, world: &World) {
        let state = world.kennel.state();
        assert_eq!(state.totals().age, self.age);
        let pets: BTreeMap<BirthHash, (Phase, u64, u64, u64)> = state
            .pets()
            .map(|pet| {
                let left = pet.remaining(PARAMETERS.ttl, state.totals().age);
                (pet.birth, (pet.phase, pet.last_age, pet.wallet, left))
            })
            .collect();
        let expected = self
            .pets
            .iter()
            .map(|(birth, pet)| {
                let left = match pet.phase {
                    Phase::Living => u64::from(PARAMETERS.ttl) - (self.age - pet.last_age),
                    _ => 0,
                };
                (*birth, (pet.phase, pet.last_age, pet.wallet, left))
            })
            .collect();
        assert_eq!(pets, expected);
        for (who, name) in NAMES.iter().enumerate() {
            let ours = state.account(&account(name)).map(|account| (account.granted, account.free));
            let expected = self.accounts.get(&who).map(|account| (account.granted, account.free));
            assert_eq!(ours, expected, "{name}");
        }
        let posts: BTreeMap<EventId, usize> =
            state.posts().map(|(post, visits)| (post.id, visits.len())).collect();
        let expected: BTreeMap<EventId, usize> =
            self.posts.iter().map(|(id, post)| (*id, post.visits.len())).collect();
        assert_eq!(posts, expected);
        assert_eq!(state.totals().visits as usize, expected.values().sum::<usize>());
        assert_eq!(state.totals().living as usize, self.living());
        let held: u64 = self.accounts.values().map(|account| account.granted + account.free).sum::<u64>()
            + self.pets.values().map(|pet| pet.wallet).sum::<u64>();
        assert_eq!(state.totals().minted, held, "treats are conserved");
        assert!(state.is_balanced());
    }
}

/// What a life came across, so that a test can tell that lives are rich enough.
#[derive(Default)]
struct Seen {
    rejects: BTreeSet<Reject>,
    deaths: usize,
}

/// Plays a life on the kennel and on the model, comparing after each block.
fn play(steps: &[(usize, Act)], seen: &mut Seen) -> World {
    let mut world = World::new(PARAMETERS);
    let mut model = Model { aged_ms: world.now_ms, ..Model::default() };
    let (mut pets, mut posts) = (Vec::new(), Vec::new());
    let mut pending: Vec<(Bytes, Result<(), Reject>)> = Vec::new();
    for (who, act) in steps.iter().chain(&[(0, Act::Block(0))]) {
        let at = |targets: &Vec<EventId>, n: usize| match targets.len() {
            0 => EventId([1; 32]),
            count => targets[count - 1 - n % count],
        };
        let parent = world.kennel.head().hash;
        let payload = match act {
            Act::Birth => world.birth_payload(),
            Act::Post(n) => post(at(&pets, *n).into()),
            Act::Pat(n) => pat(at(&posts, *n)),
            Act::Share(n) => share(at(&posts, *n)),
            Act::Comment(n, text) => comment(at(&posts, *n), *text),
            Act::Gift(n, amount) => gift(at(&pets, *n).into(), *amount),
            Act::Transfer(to, amount) => transfer(NAMES[*to], *amount),
            Act::StoryEnd(n) => Payload::StoryEnd { pet: at(&pets, *n).into() },
            Act::Keepsake(n) => Payload::Keepsake { pet: at(&pets, *n).into() },
            Act::Time => Payload::Time { parent },
            Act::Block(_) => {
                end_block(&mut world, &mut model, &mut pending, seen);
                if let Act::Block(ms) = act {
                    // As far as a miner may go: see `Kennel::apply` on timestamps.
                    let latest_ms = world.kennel.header().timestamp_ms + 2 * PARAMETERS.idle_ms;
                    world.now_ms = latest_ms.min(world.now_ms + ms);
                }
                continue;
            }
        };
        // Every second post or keepsake is by the one who may.
        let who = match (act, &payload) {
            (Act::Post(0..4), Payload::Post { pet, .. })
            | (Act::Keepsake(0..4), Payload::Keepsake { pet }) => {
                model.pets.get(pet).map_or(*who, |pet| pet.owner)
            }
            _ => *who,
        };
        let mut event = world.draft(account(NAMES[who]), &key(NAMES[who]), payload.clone());
        event.expires_ms = world.now_ms + 30_000;
        if event.nonce > 0 {
            // Nonces must not pass `expires_ms` and need not be dense.
            event.nonce *= 3;
        }
        let bytes = event.sign(&key(NAMES[who]));
        let id = SignedEvent::read(&bytes).unwrap().id;
        let expected = model.decide(who, &payload, id, event.expires_ms, world.now_ms, parent);
        if expected.is_ok() {
            match payload {
                Payload::Birth { .. } => pets.push(id),
                Payload::Post { .. } => posts.push(id),
                _ => {}
            }
        }
        seen.rejects.extend(expected.err());
        pending.push((Bytes(bytes), expected));
    }
    world
}

fn end_block(
    world: &mut World,
    model: &mut Model,
    pending: &mut Vec<(Bytes, Result<(), Reject>)>,
    seen: &mut Seen,
) {
    let messages: Vec<Vec<Bytes>> =
        pending.chunks(3).map(|chunk| chunk.iter().map(|(event, _)| event.clone()).collect()).collect();
    let outcome = world.kennel.apply(world.now_ms, &messages).unwrap();
    assert_eq!(outcome.consumed as usize, messages.len());
    let got: Vec<(usize, Reject)> =
        outcome.rejects.iter().map(|at| ((at.message * 3 + at.event) as usize, at.reject)).collect();
    let expected: Vec<(usize, Reject)> =
        pending.iter().enumerate().filter_map(|(n, (_, expected))| expected.err().map(|r| (n, r))).collect();
    assert_eq!(got, expected, "rejects of the block");
    assert_eq!(outcome.block.is_none(), expected.len() == pending.len());
    pending.clear();
    if let Some(made) = outcome.block {
        let dead = model.end_block(world.now_ms);
        seen.deaths += dead.len();
        let block: Block = decode(&made.bytes.0).unwrap();
        let deaths: BTreeSet<BirthHash> = block
            .deaths
            .iter()
            .map(|death| decode::<pitpet_chain::block::Death>(&death.0).unwrap().pet)
            .collect();
        assert_eq!(deaths, dead);
        world.blocks.push(made);
    }
    model.compare(world);
}

/// Whether these blocks are the same but for their timestamp, and leave the same state.
fn only_time_differs(one: &[u8], other: &[u8]) -> Result<(), String> {
    let (one, mut other): (Block, Block) = (decode(one).unwrap(), decode(other).unwrap());
    other.header.timestamp_ms = one.header.timestamp_ms;
    if one == other { Ok(()) } else { Err(format!("{one:?} and {other:?}")) }
}

/// Decoding gives the value back, and no other bytes give it.
fn only_encoding<T: Canonical + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = encode(value);
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value));
    assert!(decode::<T>(&[&bytes[..], &[0]].concat()).is_err());
    for end in 0..bytes.len() {
        assert!(decode::<T>(&bytes[..end]).is_err(), "cut to {end} bytes");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut other = bytes.clone();
            other[at] ^= 1 << bit;
            if let Ok(read) = decode::<T>(&other) {
                assert_ne!(&read, value);
                assert_eq!(encode(&read), other, "decoding then encoding is the identity");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kennel_agrees_with_the_model(steps in acts()) {
        let world = play(&steps, &mut Seen::default());
        support::replays(&world);
        for block in &world.blocks[1..] {
            let block: Block = decode(&block.bytes.0).unwrap();
            only_encoding(&block.header);
        }
    }

    #[test]
    fn snapshots_open_and_go_on_alike(steps in acts(), more in acts()) {
        let mut world = play(&steps, &mut Seen::default());
        let snapshot = world.kennel.snapshot();
        let bytes = encode(&snapshot);
        let read: Snapshot = decode(&bytes).unwrap();
        prop_assert_eq!(&read, &snapshot);
        let mut opened = Kennel::open(read, support::RULES).unwrap();
        prop_assert_eq!(opened.head(), world.kennel.head());
        prop_assert_eq!(encode(&opened.snapshot()), bytes);
        // The next block is the same from both.
        world.now_ms += 1000;
        let mut message = Vec::new();
        for (who, _) in more.iter().take(20) {
            let payload = world.birth_payload();
            message.push(Bytes(world.event(NAMES[*who], payload)));
        }
        let messages = [message];
        prop_assert_eq!(opened.apply(world.now_ms, &messages), world.kennel.apply(world.now_ms, &messages));
    }

    /// A changed block is refused, or is another block: the time of one that ages nothing is its
    /// miner's word, so another time makes a sound block of another hash.
    #[test]
    fn a_changed_block_never_passes_for_itself(steps in acts(), at: prop::sample::Index, bit in 0..8_u32, which: prop::sample::Index) {
        let world = play(&steps, &mut Seen::default());
        if world.blocks.len() == 1 {
            return Ok(());
        }
        let height = 1 + which.index(world.blocks.len() - 1);
        let (mut kennel, _) = Kennel::found(world.kennel.state().genesis().clone(), support::RULES).unwrap();
        for block in &world.blocks[1..height] {
            kennel.replay(&block.bytes.0, Signatures::Trusted).unwrap();
        }
        let good = &world.blocks[height];
        let bytes = &good.bytes.0;
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        let mut doubled = bytes.clone();
        doubled.insert(at.index(bytes.len()), bytes[at.index(bytes.len())] ^ 1);
        let cut = bytes[..at.index(bytes.len())].to_vec();
        let long = [bytes.as_slice(), &[0]].concat();
        for bad in [doubled, cut, long] {
            prop_assert!(kennel.clone().replay(&bad, Signatures::Checked).is_err());
        }
        if let Ok(other) = kennel.clone().replay(&flipped, Signatures::Checked) {
            prop_assert_ne!(other.head.hash, good.head.hash);
            prop_assert_eq!(only_time_differs(&flipped, bytes), Ok(()));
        }
        kennel.replay(bytes, Signatures::Checked).unwrap();
    }

    /// A snapshot changed anywhere is refused, or is about another head; it never traps.
    #[test]
    fn a_changed_snapshot_never_passes_for_the_head(steps in acts(), at: prop::sample::Index, bit in 0..8_u32) {
        let world = play(&steps, &mut Seen::default());
        let mut bytes = encode(&world.kennel.snapshot());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let opened = decode::<Snapshot>(&bytes).ok().and_then(|read| Kennel::open(read, support::RULES).ok());
        if let Some(opened) = opened {
            prop_assert_ne!(opened.head().hash, world.kennel.head().hash);
        }
    }

    #[test]
    fn random_bytes_are_no_event(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SignedEvent::read(&bytes).is_err());
        prop_assert!(decode::<Block>(&bytes).is_err());
    }

    #[test]
    fn integers_have_one_form(n: u64) {
        only_encoding(&n);
        only_encoding(&Some(n));
        only_encoding(&vec![n, n / 256, n % 24]);
    }
}

/// The one change of a block that the rules can't refuse, bit by bit: the time of a block that ages
/// nothing. It makes another block, which nothing that was signed or linked names.
#[test]
fn a_block_of_another_time_is_another_block() {
    let mut world = World::new(Parameters { birth_grant: 5, ..FREE });
    let pet = world.born("ann");
    world.post("ann", pet);
    world.pass(u64::from(FREE.ttl));
    world.done("bob", Payload::StoryEnd { pet });
    let story_end = world.blocks.len() - 1;
    world.now_ms += 1_000;
    world.done("ann", Payload::Keepsake { pet });
    let (mut kennel, _) = Kennel::found(world.kennel.state().genesis().clone(), support::RULES).unwrap();
    for block in &world.blocks[1..story_end] {
        kennel.replay(&block.bytes.0, Signatures::Trusted).unwrap();
    }
    let (good, child) = (&world.blocks[story_end], &world.blocks[story_end + 1]);
    let mut taken = 0;
    for at in 0..good.bytes.0.len() {
        for bit in 0..8 {
            let mut bytes = good.bytes.0.clone();
            bytes[at] ^= 1 << bit;
            let mut fork = kennel.clone();
            let Ok(other) = fork.replay(&bytes, Signatures::Checked) else { continue };
            taken += 1;
            assert_eq!(only_time_differs(&bytes, &good.bytes.0), Ok(()));
            assert_ne!(other.head.hash, good.head.hash);
            assert_ne!(other.head.checkpoint_root, good.head.checkpoint_root);
            assert_eq!(fork.replay(&child.bytes.0, Signatures::Checked), Err(Fault::Link));
        }
    }
    assert!(taken > 0, "the time of such a block is its miner's word");
}

/// Sums in a snapshot are its writer's claim, and may not overflow whoever opens it.
#[test]
fn a_snapshot_with_too_many_treats_is_refused() {
    let mut world = World::new(FREE);
    let pet = world.born("ann");
    world.born("bob");
    world.post("ann", pet);
    let sound = world.kennel.snapshot();
    let changes: [&dyn Fn(&mut Snapshot); 4] = [
        &|snapshot| snapshot.accounts.iter_mut().for_each(|account| account.free = u64::MAX),
        &|snapshot| snapshot.accounts[0].granted = u64::MAX,
        &|snapshot| snapshot.pets.iter_mut().for_each(|pet| pet.wallet = u64::MAX),
        &|snapshot| (snapshot.posts[0].0.pats, snapshot.posts[0].0.shares) = (u64::MAX, 1),
    ];
    for change in changes {
        let mut snapshot = sound.clone();
        change(&mut snapshot);
        assert!(Kennel::open(snapshot, support::RULES).is_err());
    }
    assert!(Kennel::open(sound, support::RULES).is_ok());
}

/// Random lives are worth playing only if they come across nearly everything.
#[test]
fn random_lives_are_rich() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = Seen::default();
    for _ in 0..300 {
        play(&acts().new_tree(&mut runner).unwrap().current(), &mut seen);
    }
    let expected = [
        Reject::AmountRange,
        Reject::NotHouse,
        Reject::UnknownPet,
        Reject::DeadPet,
        Reject::UnknownPost,
        Reject::ClosedPost,
        Reject::NotOwner,
        Reject::OwnPet,
        Reject::AlreadyDone,
        Reject::PostFull,
        Reject::TooManyPosts,
        Reject::HasLivingPet,
        Reject::AccountsFull,
        Reject::NoTreats,
        Reject::SelfTransfer,
        Reject::NotDead,
        Reject::AlreadyEnded,
        Reject::AlreadyKept,
        Reject::NotEnded,
        Reject::NotIdle,
    ];
    assert!(seen.deaths > 50, "{} deaths", seen.deaths);
    for reject in expected {
        assert!(seen.rejects.contains(&reject), "{reject:?} never came up");
    }
}

/// Every record type that is sent, stored or hashed, in one real kennel's values.
#[test]
fn records_have_one_encoding() {
    let mut world = World::new(FREE);
    let pet = world.born("ann");
    let id = world.post("ann", pet);
    world.done("bob", pat(id));
    world.done("bob", comment(id, 1));
    let block = world.block();
    for bytes in &block.events {
        only_encoding(&SignedEvent::read(&bytes.0).unwrap().event);
    }
    for bytes in &block.receipts {
        only_encoding(&decode::<pitpet_chain::block::Receipt>(&bytes.0).unwrap());
    }
    only_encoding(&block);
    only_encoding(&world.kennel.snapshot());
    only_encoding(&world.kennel.head());
    only_encoding(&pitpet_chain::kennel::prove_event(&world.blocks[4].bytes.0, 0).unwrap());
    only_encoding(&world.kennel.prove(&pitpet_chain::state::StateKey::Pet(pet)));
}
