//! Two equal miners over many ages: by their keys alone, without a clock, and the same at each run.

mod support;

use pitpet_chain::event::Payload;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::mining::{self, Purpose, Work};
use pitpet_chain::reject::Reject;
use support::{FREE, World, account, replays};

/// Ages that are played.
const AGES: u64 = 200;

/// Trials that each miner has time for in an age: some ages go without a seal at first, and the
/// difficulty finds its place.
const TRIALS: u64 = 1_024;

/// The seal of the present age, if the account finds one in time.
fn found(world: &World, name: &str) -> Option<(u64, Payload)> {
    let height = world.kennel.header().height;
    let mining = mining::after(world.kennel.state().mining(), height, &world.kennel.head().hash);
    let work = Work::new(world.kennel.id(), &mining.began, &account(name), Purpose::Age, mining.difficulty);
    let proof = work.search(0, TRIALS)?;
    Some((proof, Payload::Seal { over: mining.began, proof, time: None }))
}

/// Plays, and gives how many ages each of the two sealed.
fn play(names: [&str; 2]) -> [u64; 2] {
    let mut world = World::new(Parameters { seal_bits: 8, ..FREE });
    world.born("owner");
    let mut wins = [0, 0];
    for age in 0..AGES {
        // Both try one proof after the other, at the same pace; at a tie they take turns.
        let first = (age % 2) as usize;
        let mut finds: Vec<_> = [first, 1 - first]
            .into_iter()
            .filter_map(|miner| found(&world, names[miner]).map(|(trials, seal)| (trials, miner, seal)))
            .collect();
        finds.sort_by_key(|(trials, ..)| *trials);
        for (place, (_, miner, seal)) in finds.into_iter().enumerate() {
            let outcome = world.act(names[miner], seal);
            match place {
                0 => {
                    outcome.unwrap();
                    wins[miner] += 1;
                }
                _ => assert_eq!(outcome, Err(Reject::AlreadySealed)),
            }
        }
        world.pass(1);
    }
    for (name, wins) in names.iter().zip(wins) {
        assert_eq!(
            world.account(name).free,
            wins * FREE.seal_reward,
            "a win is a reward, and nothing else is"
        );
    }
    replays(&world);
    wins
}

#[test]
fn two_equal_miners_win_alike() {
    for names in [["ann", "bob"], ["cleo", "dan"], ["eve", "finn"]] {
        let wins = play(names);
        let sealed: u64 = wins.iter().sum();
        assert!((AGES / 2..AGES).contains(&sealed), "{names:?}: {sealed} of {AGES} ages are sealed");
        for wins in wins {
            let percent = wins * 100 / sealed;
            assert!((35..=65).contains(&percent), "{names:?}: {wins} of {sealed} are {percent} %");
        }
    }
}
