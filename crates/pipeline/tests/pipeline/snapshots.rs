//! Opening a cold kennel: the newest good snapshot, an older one, in the end genesis.

use pitpet_chain::hash::BlockHash;
use pitpet_pipeline::items;
use pitpet_pipeline::mine::MinerSettings;
use pitpet_pipeline::ports::Objects as _;
use pitpet_pipeline::snapshots::{self, KEPT, Place};
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::town::{EACH, QUICK, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

const EVERY: MinerSettings = MinerSettings {
    snapshot_every: 4,
    unpublished_max: 1_000,
    open_kennels_max: std::num::NonZeroUsize::MIN,
    search_words_max: 12,
    window: EACH,
};

/// A kennel with 20 blocks, snapshots at each fourth.
async fn grown() -> (Town, Player, pitpet_chain::hash::EventId) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let miner = town.miner_with(&Faults::none(), EVERY);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth]);
    town.mine_all(&miner).await;
    for number in 0..19 {
        town.send(vec![anna.post(pet, &format!("Nap {number}."))]);
        town.mine_all(&miner).await;
        town.clock.advance(1_000);
    }
    (town, anna, pet)
}

/// Blocks that a cold miner reads to mine one more, and the snapshot parts that it reads.
async fn reads_of_a_cold_miner(
    town: &Town,
    anna: &mut Player,
    pet: pitpet_chain::hash::EventId,
) -> (usize, usize) {
    let height = town.head().await.height;
    let faults = Faults::none();
    town.send(vec![anna.post(pet, "One more nap.")]);
    let report = town.mine_once(&town.miner_with(&faults, EVERY)).await;
    assert_eq!((report.accepted, report.failed.len()), (1, 0));
    assert_eq!(town.head().await.height, height + 1);
    audit(&town.table, &town.founding, Published::Whole).await;
    let calls = faults.calls();
    let reads = calls.iter().filter(|call| !call.is_write());
    let blocks = reads.clone().filter(|call| call.key.contains(" B#")).count();
    // Whoever writes a snapshot lists all chunks.
    let parts = reads.filter(|call| call.key.contains("/chunk/") && !call.key.ends_with('/')).count();
    (blocks, parts)
}

async fn places(town: &Town) -> Vec<Place> {
    snapshots::list(town.objects.as_ref(), &town.kennel()).await.expect("a list")
}

fn manifest(town: &Town, place: &Place) -> String {
    format!("snapshot/{}/manifest/{:020}-{}", town.kennel(), place.height, place.hash)
}

fn chunk(town: &Town, place: &Place) -> String {
    format!("snapshot/{}/chunk/{:020}-{}/00000", town.kennel(), place.height, place.hash)
}

#[tokio::test]
async fn the_last_three_are_kept() {
    let (town, ..) = grown().await;
    let heights: Vec<u64> = places(&town).await.iter().map(|place| place.height).collect();
    assert_eq!(heights, [12, 16, 20]);
    assert_eq!(heights.len(), KEPT);
    let left = town.objects.list(&format!("snapshot/{}/", town.kennel())).await.expect("a list");
    assert_eq!(left.len(), 2 * KEPT, "no chunk of an older one is left: {left:?}");
}

#[tokio::test]
async fn a_snapshot_cut_short_leaves_nothing_for_ever() {
    let (town, ..) = grown().await;
    let cut = Place { height: 10, hash: BlockHash([1; 32]) };
    let written = Place { height: 22, hash: BlockHash([2; 32]) };
    for place in [cut, written] {
        town.objects.put(&chunk(&town, &place), b"half".to_vec()).await.expect("stored");
    }
    let miner = town.miner_with(&Faults::none(), EVERY);
    for seed in 10..14 {
        town.send(vec![Player::new(&town, seed).birth("Rex", town.head().await.hash)]);
        town.mine_all(&miner).await;
    }
    let left = town.objects.list(&format!("snapshot/{}/chunk/", town.kennel())).await.expect("a list");
    assert!(!left.contains(&chunk(&town, &cut)), "{left:?}");
    assert!(left.contains(&chunk(&town, &written)), "somebody may be writing it now: {left:?}");
    assert_eq!(left.len(), KEPT + 1);
}

#[tokio::test]
async fn a_cold_miner_begins_with_the_newest() {
    let (town, mut anna, pet) = grown().await;
    assert_eq!(reads_of_a_cold_miner(&town, &mut anna, pet).await, (0, 1), "the head is height 20");
}

#[tokio::test]
async fn a_bad_snapshot_is_skipped() {
    type Harm = fn(Vec<u8>) -> Option<Vec<u8>>;
    let harms: [(&str, Harm); 4] = [
        ("one bit", |mut bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            Some(bytes)
        }),
        ("cut", |bytes| Some(bytes[..bytes.len() - 1].to_vec())),
        ("empty", |_| Some(Vec::new())),
        ("missing", |_| None),
    ];
    for (name, harm) in harms {
        for of in [chunk, manifest] {
            let (town, mut anna, pet) = grown().await;
            let newest = *places(&town).await.last().expect("three");
            let key = of(&town, &newest);
            let bytes = town.objects.get(&key).await.expect("it is there");
            match harm(bytes) {
                Some(bytes) => town.objects.put(&key, bytes).await.expect("written"),
                None => town.objects.delete(&key).await.expect("deleted"),
            }
            let (blocks, _) = reads_of_a_cold_miner(&town, &mut anna, pet).await;
            // From height 16: its block, which names the rules, and four more, each read on the way
            // down and on the way up.
            assert_eq!(blocks, 9, "{name}: {key}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_of_another_block_is_skipped() {
    let (town, mut anna, pet) = grown().await;
    let all = places(&town).await;
    let (older, newest) = (all[1], all[2]);
    // Well formed, but of another height than its key says.
    let other = town.objects.get(&chunk(&town, &older)).await.expect("it is there");
    town.objects.put(&chunk(&town, &newest), other).await.expect("written");
    let other = town.objects.get(&manifest(&town, &older)).await.expect("it is there");
    town.objects.put(&manifest(&town, &newest), other).await.expect("written");
    // And one of a block that never was.
    let lost = Place { height: 20, hash: BlockHash([0xff; 32]) };
    for (from, to) in
        [(chunk(&town, &older), chunk(&town, &lost)), (manifest(&town, &older), manifest(&town, &lost))]
    {
        let bytes = town.objects.get(&from).await.expect("it is there");
        town.objects.put(&to, bytes).await.expect("written");
    }
    // As above, and the block that never was is looked for.
    assert_eq!(reads_of_a_cold_miner(&town, &mut anna, pet).await, (10, 3));
}

#[tokio::test]
async fn without_any_snapshot_all_is_replayed() {
    let (town, mut anna, pet) = grown().await;
    for place in places(&town).await {
        town.objects.put(&manifest(&town, &place), b"rubbish".to_vec()).await.expect("written");
    }
    assert_eq!(reads_of_a_cold_miner(&town, &mut anna, pet).await, (41, 0));
}

#[tokio::test]
async fn an_object_store_that_is_down_costs_a_replay_only() {
    let (town, mut anna, pet) = grown().await;
    let faults = Faults::new(|call| {
        (call.port == pitpet_simulator::faults::Port::Objects).then_some(Fault::RequestLost)
    });
    town.send(vec![anna.post(pet, "One more nap.")]);
    let report = town.mine_once(&town.miner_with(&faults, EVERY)).await;
    assert_eq!((report.accepted, report.failed.len()), (1, 0));
}

#[tokio::test]
async fn a_lost_block_of_the_chain_is_damage() {
    let (town, mut anna, pet) = grown().await;
    for place in places(&town).await {
        town.objects.delete(&manifest(&town, &place)).await.expect("deleted");
    }
    let key = town.table.all().keys().find(|key| key.sk.starts_with(&items::block_prefix(7))).cloned();
    pitpet_pipeline::ports::Table::delete(town.table.as_ref(), &key.expect("block 7"))
        .await
        .expect("deleted");
    town.send(vec![anna.post(pet, "One more nap.")]);
    let report = town.mine_once(&town.miner_with(&Faults::none(), EVERY)).await;
    assert_eq!((report.blocks, report.failed.len()), (0, 1));
}

#[tokio::test]
async fn a_replay_that_is_cut_short_goes_on_where_it_ended() {
    let (town, mut anna, pet) = grown().await;
    // The newest are all there, and none is good.
    for place in places(&town).await {
        town.objects.delete(&chunk(&town, &place)).await.expect("it is deleted");
    }
    town.send(vec![anna.post(pet, "One more nap.")]);
    // Each block is read on the way down, and again when it is replayed: there the miner dies.
    let mut reads_left = 2;
    let faults = Faults::new(move |call| {
        if !call.is_write() && call.key.contains(&format!(" {}", items::block_prefix(10))) {
            reads_left -= 1;
        }
        (reads_left == 0).then_some(Fault::CrashBefore)
    });
    let report = town.mine_once(&town.miner_with(&faults, EVERY)).await;
    assert_eq!((report.accepted, report.failed.len(), faults.is_dead()), (0, 1, true));
    let heights: Vec<u64> = places(&town).await.iter().map(|place| place.height).collect();
    assert_eq!(heights, [8, 12, 16, 20], "the good one beside the last three");

    let faults = Faults::none();
    let report = town.mine_once(&town.miner_with(&faults, EVERY)).await;
    assert_eq!((report.accepted, report.failed.len()), (1, 0));
    let calls = faults.calls();
    let blocks = calls.iter().filter(|call| !call.is_write() && call.key.contains(" B#")).count();
    assert_eq!(blocks, 1 + 2 * (20 - 8), "the snapshot's own, down to it, and up again");
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn a_replay_whose_reads_fail_now_and_then_ends() {
    let (town, mut anna, pet) = grown().await;
    for place in places(&town).await {
        town.objects.delete(&chunk(&town, &place)).await.expect("it is deleted");
    }
    town.send(vec![anna.post(pet, "One more nap.")]);
    // Enough for the way down and a few blocks of the way up, never for both.
    let mut reads = 0;
    let faults = Faults::new(move |call| {
        let is_block = !call.is_write() && call.key.contains(" B#");
        reads += u32::from(is_block);
        (is_block && reads.is_multiple_of(25)).then_some(Fault::RequestLost)
    });
    let miner = town.miner_with(&faults, MinerSettings { snapshot_every: 1_000, ..EVERY });
    for attempt in 1.. {
        let report = town.mine_once(&miner).await;
        if report.accepted == 1 {
            break;
        }
        assert_eq!(report.failed.len(), 1);
        assert!(attempt < 5, "it gets no further than the last time");
    }
    audit(&town.table, &town.founding, Published::Whole).await;
}
