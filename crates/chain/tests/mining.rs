//! Seals, the retarget, and time by majority.

mod support;

use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::event::Payload;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::BlockHash;
use pitpet_chain::kennel::{Head, Kennel};
use pitpet_chain::limits;
use pitpet_chain::mining::{Purpose, Statement, Work};
use pitpet_chain::reject::Reject;
use proptest::prelude::*;
use support::{
    FREE, RULES, World, account, age_seal, comment, genesis, key, public, replays, statement, time_seal,
};

const WITNESSES: [&str; 5] = ["w0", "w1", "w2", "w3", "w4"];

/// A kennel with five time witnesses of which three must agree, and one living pet.
fn witnessed() -> World {
    let mut founding = genesis(FREE);
    founding.witnesses = WITNESSES.iter().map(|name| public(&key(name))).collect();
    founding.threshold = 3;
    let mut world = World::of(founding);
    world.born("owner");
    world
}

fn by_house(world: &World, statements: Vec<Statement>) -> Payload {
    Payload::Time { parent: world.kennel.head().hash, statements }
}

fn statements(world: &World, who: &[u8]) -> Vec<Statement> {
    let head = world.kennel.head().hash;
    who.iter().map(|n| statement(world, *n, WITNESSES[usize::from(*n)], &head)).collect()
}

#[test]
fn a_seal_earns_once_an_age() {
    let mut world = World::new(FREE);
    world.born("owner");
    let minted = world.kennel.state().totals().minted;
    let (age, aged_ms) = (world.age(), world.kennel.state().totals().last_aging_ms);
    let (first, second) = (age_seal(&world, "ann"), age_seal(&world, "bob"));
    world.now_ms += 1_000;
    world.done("ann", first.clone());
    assert_eq!(world.account("ann").free, FREE.seal_reward);
    assert_eq!(world.kennel.state().totals().minted, minted + FREE.seal_reward);
    assert_eq!(
        (world.age(), world.kennel.state().totals().last_aging_ms),
        (age, aged_ms),
        "no seal ages a busy kennel"
    );
    assert_eq!(world.block().header.sealer, None);
    // Neither again, nor by another, nor in another age.
    assert_eq!(world.act("ann", first.clone()), Err(Reject::AlreadySealed));
    assert_eq!(world.act("bob", second.clone()), Err(Reject::AlreadySealed));
    world.pass(1);
    assert_eq!(world.act("ann", first), Err(Reject::StaleSeal));
    assert_eq!(world.act("bob", second), Err(Reject::StaleSeal));
    replays(&world);
}

/// A seal is over the block that began the age, however many blocks follow in it.
#[test]
fn a_seal_holds_for_the_whole_age() {
    let mut world = World::new(Parameters { age_interval_ms: 60_000, ..FREE });
    world.now_ms += 60_000;
    let pet = world.born("owner");
    let post = world.post("owner", pet);
    let seal = age_seal(&world, "miner");
    let began = world.blocks[1].head.hash;
    assert!(matches!(seal, Payload::Seal { over, .. } if over == began));
    for n in 0..3 {
        world.done("friend", comment(post, n));
    }
    assert_eq!(age_seal(&world, "miner"), seal);
    world.done("miner", seal);
    world.now_ms += 60_000;
    world.done("friend", comment(post, 9));
    let next = age_seal(&world, "miner");
    assert!(matches!(next, Payload::Seal { over, .. } if over == world.kennel.head().hash));
    world.done("miner", next);
    replays(&world);
}

/// The proof binds kennel, block, account and purpose.
#[test]
fn a_seal_is_nobody_elses() {
    let kennel = *World::new(FREE).kennel.id();
    let other = pitpet_chain::hash::KennelId([8; 32]);
    let (over, difficulty) = (BlockHash([1; 32]), 1 << 16);
    let work = |kennel, over, name, purpose| Work::new(&kennel, &over, &account(name), purpose, difficulty);
    let ours = work(kennel, over, "ann", Purpose::Age);
    let proof = ours.search(0, u64::MAX).unwrap();
    assert!(ours.is_done_by(proof));
    for theirs in [
        work(other, over, "ann", Purpose::Age),
        work(kennel, BlockHash([2; 32]), "ann", Purpose::Age),
        work(kennel, over, "bob", Purpose::Age),
        work(kennel, over, "ann", Purpose::Time),
    ] {
        assert!(!theirs.is_done_by(proof));
    }
}

/// The work of a seal, in numbers: the mean over many searches is the difficulty.
#[test]
fn difficulty_is_the_mean_number_of_trials() {
    let kennel = *World::new(FREE).kennel.id();
    for difficulty in [1, 3, 64, 100] {
        let mut trials = 0;
        for n in 0..2_000_u32 {
            let mut over = [0; 32];
            over[..4].copy_from_slice(&n.to_be_bytes());
            let work = Work::new(&kennel, &BlockHash(over), &account("ann"), Purpose::Age, difficulty);
            trials += 1 + work.search(0, u64::MAX).unwrap();
        }
        let mean = trials / 2_000;
        assert!((difficulty * 9 / 10..=difficulty * 11 / 10).contains(&mean), "{difficulty}: {mean}");
    }
}

#[test]
fn difficulty_follows_how_many_ages_are_sealed() {
    let least = FREE.difficulty_min();
    let mut world = World::new(FREE);
    let mut windows = Vec::new();
    // Eight ages a window; the age that a window's last block begins counts for the next.
    for sealed in [8, 8, 8, 7, 6, 5, 3, 0, 0, 0] {
        for age in 0..8 {
            if age < sealed {
                let seal = age_seal(&world, "miner");
                world.done("miner", seal);
            }
            world.pass(1);
        }
        windows.push(world.kennel.state().mining().difficulty);
    }
    let expected = [8, 16, 32, 40, 40, 35, 26, 13, 6, least];
    assert_eq!(windows, expected);
    replays(&world);
}

/// Whoever mines time by a seal earns more, and stands in the header.
#[test]
fn a_seal_mines_time_on_an_idle_kennel() {
    let mut world = World::new(FREE);
    world.born("owner");
    let (busy, age) = (time_seal(&world, "miner", vec![]), world.age());
    assert_eq!(world.act("miner", busy.clone()), Err(Reject::NotIdle));
    world.now_ms += FREE.idle_ms;
    world.done("miner", busy.clone());
    assert_eq!(world.age(), age + 1);
    assert_eq!(world.block().header.sealer, Some(account("miner")));
    assert_eq!(world.account("miner").free, FREE.time_reward);
    assert_eq!(world.act("miner", busy), Err(Reject::WrongParent));
    let next = time_seal(&world, "miner", vec![]);
    assert_eq!(world.act("miner", next), Err(Reject::NotIdle), "it is idle anew");
    replays(&world);
}

/// In one block two time events would age twice what was idle once.
#[test]
fn time_passes_once() {
    let mut world = World::new(FREE);
    world.born("owner");
    world.now_ms += FREE.idle_ms;
    let house = by_house(&world, vec![]);
    let (house, seal) = (world.event("house", house), time_seal(&world, "miner", vec![]));
    let seal = world.event("miner", seal);
    let age = world.age();
    let outcome = world.message(&[seal, house]);
    assert_eq!(outcome.rejects.iter().map(|at| at.reject).collect::<Vec<_>>(), [Reject::NotIdle]);
    assert_eq!(world.age(), age + 1);
}

#[test]
fn time_needs_a_pet_that_lives() {
    let mut world = World::new(FREE);
    world.now_ms += FREE.idle_ms;
    assert_eq!(world.act("house", by_house(&world, vec![])), Err(Reject::NotIdle));
}

#[test]
fn time_takes_a_majority_of_the_witnesses() {
    let mut world = witnessed();
    world.now_ms += FREE.idle_ms;
    for few in [&[][..], &[1, 4]] {
        let payload = by_house(&world, statements(&world, few));
        assert_eq!(world.act("house", payload), Err(Reject::TooFewStatements));
        let payload = time_seal(&world, "miner", statements(&world, few));
        assert_eq!(world.act("miner", payload), Err(Reject::TooFewStatements));
    }
    for enough in [&[0, 2, 3][..], &[0, 1, 2, 3, 4]] {
        let payload = by_house(&world, statements(&world, enough));
        assert!(world.clone().act("house", payload).is_ok());
        let payload = time_seal(&world, "miner", statements(&world, enough));
        assert!(world.clone().act("miner", payload).is_ok());
    }
}

#[test]
fn forged_statements_count_for_nothing() {
    let mut world = witnessed();
    world.now_ms += FREE.idle_ms;
    let head = world.kennel.head().hash;
    let good = statements(&world, &[0, 1, 2]);
    let older = world.blocks[0].head.hash;
    let forgeries = [
        // One for two.
        vec![good[0], good[1], good[1]],
        // Out of order.
        vec![good[1], good[0], good[2]],
        // Of no witness.
        vec![good[0], good[1], Statement { witness: 5, ..good[2] }],
        // In another's name.
        vec![good[0], good[1], statement(&world, 3, "w2", &head)],
        // By somebody.
        vec![good[0], good[1], statement(&world, 2, "thief", &head)],
        // About another block.
        vec![good[0], good[1], statement(&world, 2, "w2", &older)],
    ];
    for (n, forged) in forgeries.into_iter().enumerate() {
        let payload = by_house(&world, forged.clone());
        assert_eq!(world.act("house", payload), Err(Reject::BadStatement), "forgery {n}");
        let payload = time_seal(&world, "miner", forged);
        assert_eq!(world.act("miner", payload), Err(Reject::BadStatement), "forgery {n}");
    }
    world.done("house", by_house(&world, good));
}

/// Two of five with clocks that run ahead sign early; without a third, time stands still. Two whose
/// clocks lag sign late, and time passes without them.
#[test]
fn two_wrong_clocks_of_five_change_nothing() {
    let mut world = witnessed();
    let (pet, age) = (world.account("owner").pet.unwrap(), world.age());
    let idle_ms = FREE.idle_ms;
    // How far each witness's clock is off.
    let off_ms: [i64; 5] = [3_600_000, 7_200_000, 0, 0, 0];
    let lag_ms: [i64; 5] = [-3_600_000, 0, -7_200_000, 0, 0];
    for clocks in [off_ms, lag_ms] {
        let began = world.kennel.state().totals().last_aging_ms;
        let age_before = world.age();
        let mut mined_ms = None;
        while mined_ms.is_none() {
            world.now_ms += 600_000;
            let signs = |n: &u8| {
                let clock = world.now_ms as i64 + clocks[usize::from(*n)];
                clock - began as i64 >= idle_ms as i64
            };
            let who: Vec<u8> = (0..5).filter(signs).collect();
            // A house that would have time pass early mines with its own clock ahead, as far as it may.
            let payload = by_house(&world, statements(&world, &who));
            let event = world.event("house", payload);
            let ahead = world.kennel.clone().apply(began + idle_ms, &[vec![Bytes(event)]]);
            if ahead.is_ok_and(|outcome| outcome.block.is_some()) {
                let payload = by_house(&world, statements(&world, &who));
                world.done("house", payload);
                mined_ms = Some(world.now_ms);
            }
        }
        assert_eq!(world.age(), age_before + 1);
        assert_eq!(mined_ms, Some(began + idle_ms), "neither early nor late");
    }
    assert_eq!(world.age(), age + 2);
    assert_eq!(world.remaining(&pet), Some(13));
    replays(&world);
}

/// What happens between two looks at the clocks.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    /// The owner posts, which ages the kennel.
    Post,
    /// Somebody seals, which doesn't.
    Seal,
}

/// One run of a witnessed kennel whose clocks are off by so much: at which of these looks, each so
/// long after the one before, time was mined. Whoever mines would have time pass as early as the
/// rules let him, and sets the block's time to it.
fn mined_at(off_ms: [i64; 5], looks: &[(u64, Meanwhile)]) -> (Vec<usize>, u64, u64) {
    let mut world = witnessed();
    let pet = world.account("owner").pet.unwrap();
    let (idle_ms, mut mined) = (FREE.idle_ms, Vec::new());
    for (look, (after_ms, meanwhile)) in looks.iter().enumerate() {
        world.now_ms = (world.now_ms + after_ms).min(world.kennel.header().timestamp_ms + 2 * idle_ms);
        let totals = *world.kennel.state().totals();
        let signs = |n: &u8| {
            let clock_ms = i64::try_from(world.now_ms).unwrap() + off_ms[usize::from(*n)];
            clock_ms - i64::try_from(totals.last_aging_ms).unwrap() >= i64::try_from(idle_ms).unwrap()
        };
        let who: Vec<u8> = (0..5).filter(signs).collect();
        let payload = by_house(&world, statements(&world, &who));
        let now_ms = world.now_ms;
        let claimed_ms = now_ms.max(totals.last_aging_ms + idle_ms);
        world.now_ms = claimed_ms;
        let event = world.event("house", payload);
        world.now_ms = now_ms;
        let before = world.kennel.snapshot();
        let outcome = world.kennel.apply(claimed_ms, &[vec![Bytes(event)]]).unwrap();
        if let Some(block) = outcome.block {
            world.blocks.push(block);
            mined.push(look);
        } else {
            // A kennel whose pet died has nothing that could age.
            let expected = if totals.living == 0 { Reject::NotIdle } else { Reject::TooFewStatements };
            assert_eq!(outcome.rejects[0].reject, expected);
            assert_eq!(world.kennel.snapshot(), before, "nothing has changed");
        }
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Post => drop(world.act("owner", support::post(pet))),
            Meanwhile::Seal => {
                let seal = age_seal(&world, "miner");
                let _ = world.act("miner", seal);
            }
        }
    }
    replays(&world);
    (mined, world.age(), world.kennel.state().totals().minted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whichever two of five they are, and however wrong: time is mined at the same looks as if all
    /// clocks were right.
    #[test]
    fn any_two_wrong_clocks_of_five_change_nothing(
        wrong in prop::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 2),
        off_ms in any::<[i32; 2]>(),
        looks in prop::collection::vec(
            (
                prop_oneof![0..FREE.idle_ms, Just(FREE.idle_ms), Just(FREE.idle_ms - 1), FREE.idle_ms..2 * FREE.idle_ms],
                prop_oneof![4 => Just(Meanwhile::Nothing), 1 => Just(Meanwhile::Post), 1 => Just(Meanwhile::Seal)],
            ),
            1..24,
        ),
    ) {
        let mut clocks = [0; 5];
        for (witness, off_ms) in wrong.iter().zip(off_ms) {
            clocks[*witness] = i64::from(off_ms);
        }
        prop_assert_eq!(mined_at(clocks, &looks), mined_at([0; 5], &looks));
    }
}

/// A third one that is wrong is a majority.
#[test]
fn three_wrong_clocks_of_five_make_time_pass() {
    let looks = [(1_000, Meanwhile::Nothing)];
    assert_eq!(mined_at([0; 5], &looks).0, []);
    let ahead_ms = i64::try_from(FREE.idle_ms).unwrap();
    assert_eq!(mined_at([ahead_ms, 0, ahead_ms, 0, 0], &looks).0, []);
    assert_eq!(mined_at([ahead_ms, 0, ahead_ms, 0, ahead_ms], &looks).0, [0]);
}

/// A head that is opened again tells miners the same as the one that made it.
#[test]
fn the_head_says_what_to_work_on() {
    let mut world = World::new(FREE);
    world.born("owner");
    let head: Head = world.kennel.head();
    assert_eq!(head.summary.mining.began, BlockHash([0; 32]), "a block can't hold its own hash");
    assert_eq!(head.summary.mining.began_height, head.height);
    let header = decode::<pitpet_chain::block::Header>(&head.header.0).unwrap();
    assert_eq!(header.hash(), head.hash);
    let opened = Kennel::open(world.kennel.snapshot(), RULES).unwrap();
    assert_eq!(opened.head(), head);
    assert!(head.summary.mining.window_ages < limits::RETARGET_AGES);
}
