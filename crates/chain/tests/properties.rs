//! Random lives of a kennel against a model that recomputes everything, and random bytes against
//! the codec and `replay`.
//!
//! The model is written from the rules' text and shares no code with them.

mod model;
mod support;

use model::life::{Seen, life, play};
use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::kennel::{Fault, Kennel, Signatures, Snapshot};
use pitpet_chain::reject::Reject;
use proptest::prelude::*;
use support::{FREE, World, comment, pat};

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
    fn kennel_agrees_with_the_model(life in life()) {
        let world = play(&life, &mut Seen::default());
        support::replays(&world);
        for block in &world.blocks[1..] {
            let block: Block = decode(&block.bytes.0).unwrap();
            only_encoding(&block.header);
        }
    }

    #[test]
    fn snapshots_open_and_go_on_alike(life in life(), more in life()) {
        let mut world = play(&life, &mut Seen::default());
        let snapshot = world.kennel.snapshot();
        let bytes = encode(&snapshot);
        let read: Snapshot = decode(&bytes).unwrap();
        prop_assert_eq!(&read, &snapshot);
        let mut opened = Kennel::open(read, world.kennel.header().rules_hash).unwrap();
        prop_assert_eq!(opened.head(), world.kennel.head());
        prop_assert_eq!(encode(&opened.snapshot()), bytes);
        // The next block is the same from both.
        world.now_ms += 1000;
        let mut message = Vec::new();
        for step in more.steps.iter().take(20) {
            let payload = world.birth_payload();
            message.push(Bytes(world.event(model::KEYS[step.who], payload)));
        }
        let messages = [message];
        prop_assert_eq!(opened.apply(world.now_ms, &messages), world.kennel.apply(world.now_ms, &messages));
    }

    /// A changed block is refused, or is another block: the time of one that ages nothing is its
    /// miner's word, so another time makes a sound block of another hash.
    #[test]
    fn a_changed_block_never_passes_for_itself(life in life(), at: prop::sample::Index, bit in 0..8_u32, which: prop::sample::Index) {
        let world = play(&life, &mut Seen::default());
        if world.blocks.len() == 1 {
            return Ok(());
        }
        let height = 1 + which.index(world.blocks.len() - 1);
        let good = &world.blocks[height];
        let mut kennel = support::replica(&world, height);
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
    fn a_changed_snapshot_never_passes_for_the_head(life in life(), at: prop::sample::Index, bit in 0..8_u32) {
        let world = play(&life, &mut Seen::default());
        let mut bytes = encode(&world.kennel.snapshot());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let opened = decode::<Snapshot>(&bytes).ok().and_then(|read| Kennel::open(read, world.kennel.header().rules_hash).ok());
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
        &|snapshot| snapshot.records.accounts.iter_mut().for_each(|account| account.free = u64::MAX),
        &|snapshot| snapshot.records.accounts[0].granted = u64::MAX,
        &|snapshot| snapshot.records.pets.iter_mut().for_each(|pet| pet.wallet = u64::MAX),
        &|snapshot| (snapshot.records.posts[0].0.pats, snapshot.records.posts[0].0.shares) = (u64::MAX, 1),
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
    for _ in 0..400 {
        play(&life().new_tree(&mut runner).unwrap().current(), &mut seen);
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
        Reject::PriceRange,
        Reject::UntilRange,
        Reject::StaleNonce,
        Reject::UnknownOrder,
        Reject::NotMaker,
        Reject::SelfTrade,
        Reject::AlreadyOffered,
        Reject::BeyondSupply,
        Reject::WrongPrice,
        Reject::StaleSeal,
        Reject::WeakSeal,
        Reject::AlreadySealed,
        Reject::NotModerator,
        Reject::NotOperator,
        Reject::KeysRange,
        Reject::PastHeight,
        Reject::Expired,
        Reject::BadSignature,
        Reject::WrongKey,
        Reject::SameKey,
        Reject::UnknownAccount,
        Reject::WrongParent,
        Reject::TooFewStatements,
        Reject::BadStatement,
    ];
    assert!(seen.trades > 50, "{} trades", seen.trades);
    assert!(seen.seals > 50, "{} seals", seen.seals);
    assert!(seen.deaths > 50, "{} deaths", seen.deaths);
    let counts = [
        (seen.rekeyed, "replaced keys"),
        (seen.recovered, "recovered accounts"),
        (seen.appointed, "appointments"),
        (seen.upgraded, "changes of rules"),
        (seen.withdrawn, "decisions taken back or replaced"),
        (seen.idle, "times without witnesses"),
        (seen.witnessed, "times by witnesses"),
    ];
    for (count, what) in counts {
        assert!(count > 40, "{count} {what}: {counts:?}");
    }
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
