//! Equal miners over many ages: by their keys alone, without a clock, and the same at each run.

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

/// A kennel with one pet, so that it ages.
fn inhabited() -> World {
    let mut world = World::new(Parameters { seal_bits: 8, ..FREE });
    world.born("owner");
    world
}

fn free(world: &World, name: &str) -> u64 {
    world.kennel.state().account(&account(name)).map_or(0, |account| account.free)
}

/// Plays so many ages, and gives how many each of them sealed.
fn play(world: &mut World, names: &[&str]) -> Vec<u64> {
    let before: Vec<u64> = names.iter().map(|name| free(world, name)).collect();
    let mut wins = vec![0; names.len()];
    for age in 0..AGES {
        // All try one proof after the other, at the same pace; at a tie they take turns.
        let mut finds: Vec<_> = (0..names.len())
            .map(|n| (n + age as usize) % names.len())
            .filter_map(|miner| found(world, names[miner]).map(|(trials, seal)| (trials, miner, seal)))
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
    for ((name, wins), before) in names.iter().zip(&wins).zip(before) {
        let earned = free(world, name) - before;
        assert_eq!(earned, wins * FREE.seal_reward, "a win is a reward, and nothing else is");
    }
    replays(world);
    wins
}

#[test]
fn two_equal_miners_win_alike() {
    for names in [["ann", "bob"], ["cleo", "dan"], ["eve", "finn"]] {
        let wins = play(&mut inhabited(), &names);
        let sealed: u64 = wins.iter().sum();
        assert!((AGES / 2..AGES).contains(&sealed), "{names:?}: {sealed} of {AGES} ages are sealed");
        for wins in wins {
            let percent = wins * 100 / sealed;
            assert!((35..=65).contains(&percent), "{names:?}: {wins} of {sealed} are {percent} %");
        }
    }
}

#[test]
fn seals_stay_scarce_as_miners_come() {
    let names = ["ann", "bob", "cleo", "dan", "eve", "finn", "gus", "hal"];
    let mut world = inhabited();
    for count in [2, 4, 8] {
        let sealed: u64 = play(&mut world, &names[..count]).iter().sum();
        let percent = sealed * 100 / AGES;
        assert!((60..=85).contains(&percent), "{count} miners seal {percent} % of {AGES} ages");
    }
}
