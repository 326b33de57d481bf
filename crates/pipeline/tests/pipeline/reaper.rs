//! What the reaper does, and does not.

use pitpet_chain::hash::EventId;
use pitpet_pipeline::items::{self, DAY_MS, attributes};
use pitpet_pipeline::ports::{Item, Objects as _, Table as _};
use pitpet_pipeline::reap::ReapReport;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::town::{QUICK, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

async fn with_a_pet() -> (Town, EventId) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    (town, pet)
}

/// An hour: younger heights may still get garbage.
const SWEPT_AFTER_MS: u64 = 3_600_000;

async fn reap(town: &Town) -> ReapReport {
    let report = town.reaper().reap().await.expect("the kennels can be listed");
    assert_eq!(report.failed, 0);
    report
}

#[tokio::test]
async fn time_is_mined_on_an_idle_kennel_only() {
    let (town, _) = with_a_pet().await;
    town.clock.advance(QUICK.idle_ms - 1);
    assert_eq!(reap(&town).await.times, 0, "not idle");
    town.clock.advance(1);
    assert_eq!(reap(&town).await.times, 1);
    assert_eq!(town.queue.len(), 1);
    town.mine_all(&town.miner()).await;
    let head = town.head().await;
    assert_eq!((head.height, head.summary.totals.age), (2, 2));
    assert_eq!(reap(&town).await, ReapReport { ..ReapReport::default() }, "not idle any more");
}

#[tokio::test]
async fn no_time_passes_where_nobody_lives() {
    let town = Town::found(QUICK).await;
    town.clock.advance(10 * QUICK.idle_ms);
    assert_eq!(reap(&town).await.times, 0);
    assert!(town.queue.is_empty());
}

#[tokio::test]
async fn two_runs_are_one_message() {
    let (town, _) = with_a_pet().await;
    town.clock.advance(QUICK.idle_ms);
    reap(&town).await;
    town.clock.advance(60_000);
    reap(&town).await;
    assert_eq!(town.queue.len(), 1, "the second one is a duplicate");
    // Past deduplication it is another message with the same event, which does nothing.
    let message = town.queue.receive(1).remove(0).received.message;
    town.clock.advance(600_000);
    town.mine_all(&town.miner()).await;
    town.queue.take(&message);
    assert_eq!(town.queue.len(), 1);
    town.mine_all(&town.miner()).await;
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!((found.head.height, found.events.len()), (2, 2));
    assert!(found.rejects.is_empty(), "the event has its receipt");
}

/// Lets all pets die by time alone.
async fn starve(town: &Town) {
    for _ in 0..QUICK.ttl {
        town.clock.advance(QUICK.idle_ms);
        reap(town).await;
        town.mine_all(&town.miner()).await;
    }
}

#[tokio::test]
async fn the_story_of_the_dead_is_ended_once() {
    let (town, pet) = with_a_pet().await;
    starve(&town).await;
    assert_eq!(town.head().await.summary.totals.living, 0);
    let card = town.queries().pet(&pet.to_string()).await.expect("its card");
    assert_eq!((card.phase.as_str(), card.remaining), ("dead", 0));
    assert_eq!(reap(&town).await.stories, 1);
    assert_eq!(reap(&town).await.stories, 1, "until it is mined");
    assert_eq!(town.queue.len(), 1, "byte for byte the same");
    town.mine_all(&town.miner()).await;
    assert_eq!(town.queries().pet(&pet.to_string()).await.expect("its card").phase, "ended");
    assert_eq!(reap(&town).await.stories, 0);
    town.clock.advance(10 * QUICK.idle_ms);
    assert_eq!(reap(&town).await, ReapReport::default(), "nothing is left to do");
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn a_long_pause_is_made_up_for() {
    let (town, _) = with_a_pet().await;
    town.clock.advance(30 * DAY_MS);
    for _ in 0..40 {
        reap(&town).await;
        town.mine_all(&town.miner()).await;
        town.clock.advance(300_000);
    }
    let head = town.head().await;
    assert_eq!(head.summary.totals.living, 0, "it died of neglect");
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn garbage_is_swept_and_no_live_block() {
    let (town, pet) = with_a_pet().await;
    let miner = town.miner();
    let mut anna = Player::new(&town, 1);
    anna.nonce = 1;
    for number in 0..8 {
        town.send(vec![anna.post(pet, &format!("Nap {number}."))]);
        town.mine_all(&miner).await;
    }
    let blocks = |town: &Town| town.table.all().keys().filter(|key| key.sk.starts_with("B#")).count();
    assert_eq!(blocks(&town), 10);
    let staged = |height: u64, n: u8| Item {
        key: items::block(&town.kennel(), height, &pitpet_chain::hash::BlockHash([n; 32])),
        attributes: attributes([("deflated", vec![n].into())]),
    };
    // At published heights, above the head, and with a name that is no hash.
    for (height, n) in [(3, 1), (3, 2), (9, 3), (10, 4)] {
        town.table.put_new(&staged(height, n)).await.unwrap();
    }
    town.clock.advance(SWEPT_AFTER_MS - 1);
    assert_eq!(reap(&town).await.garbage, 0, "somebody may still be about to stage at these heights");
    town.clock.advance(1);
    assert_eq!(reap(&town).await.garbage, 3, "what is above the head may still win");
    assert_eq!(blocks(&town), 11);
    assert_eq!(reap(&town).await.garbage, 0);
    anna.expires_ms = town.clock.now_ms() + 1;
    town.send(vec![anna.post(pet, "The last nap.")]);
    town.mine_all(&miner).await;
    // More than one page at one height.
    for n in 0..250 {
        let mut hash = [9; 32];
        hash[0] = n;
        let staged = Item {
            key: items::block(&town.kennel(), 10, &pitpet_chain::hash::BlockHash(hash)),
            attributes: attributes([("deflated", vec![n].into())]),
        };
        town.table.put_new(&staged).await.unwrap();
    }
    town.clock.advance(SWEPT_AFTER_MS);
    assert_eq!(reap(&town).await.garbage, 251);
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!(found.blocks.len(), blocks(&town), "only live blocks are left");
}

#[tokio::test]
async fn what_is_not_published_is_not_swept() {
    let (town, pet) = with_a_pet().await;
    let mut anna = Player::new(&town, 1);
    anna.nonce = 1;
    reap(&town).await;
    let faults = Faults::new(|call| call.key.starts_with("P#").then_some(Fault::Throttled));
    let miner = town.miner_with(&faults, pitpet_simulator::town::at_once());
    town.send(vec![anna.post(pet, "A nap.")]);
    town.mine_all(&miner).await;
    let rival = Item {
        key: items::block(&town.kennel(), 2, &pitpet_chain::hash::BlockHash([7; 32])),
        attributes: attributes([("deflated", vec![7].into())]),
    };
    town.table.put_new(&rival).await.unwrap();
    let faults = Faults::new(|call| call.key.starts_with("P#").then_some(Fault::Throttled));
    town.clock.advance(16 * 60 * 1_000);
    let report = town.reaper_with(&faults).reap().await.expect("the kennels can be listed");
    assert_eq!((report.published, report.garbage, report.failed), (0, 0, 1));
    assert!(town.table.all().contains_key(&rival.key));
}

#[tokio::test]
async fn unused_uploads_are_cleared_after_a_day() {
    let (town, _) = with_a_pet().await;
    let (used, unused, fresh) = (
        pitpet_chain::hash::sha256(b"Kitty"),
        pitpet_chain::hash::sha256(b"b"),
        pitpet_chain::hash::sha256(b"c"),
    );
    let day = pitpet_simulator::town::FOUNDED_MS / DAY_MS;
    for (photo, day) in [(used, day), (unused, day), (fresh, day + 1)] {
        town.objects.put(&items::photo_object(&photo), b"photo".to_vec()).await.expect("stored");
        let upload = Item { key: items::upload(day, &photo), attributes: attributes([]) };
        town.table.put_new(&upload).await.unwrap();
    }
    assert_eq!(reap(&town).await.uploads, 0);
    town.clock.advance(2 * DAY_MS);
    assert_eq!(reap(&town).await.uploads, 1);
    let left = town.objects.list("media/").await.expect("a list");
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&items::photo_object(&unused)));
}

#[tokio::test]
async fn one_kennel_s_fault_doesn_t_stop_the_others() {
    let (town, _) = with_a_pet().await;
    let other = town.found_another("second", QUICK, 2).await.kennel;
    town.clock.advance(QUICK.idle_ms);
    let head = items::head(&other);
    let mut damaged = town.table.all()[&head].clone();
    damaged.insert("height".to_owned(), 5_u64.into());
    town.table.overwrite(head, damaged);
    let report = town.reaper().reap().await.expect("the kennels can be listed");
    assert_eq!((report.failed, report.times), (1, 1));
}

#[tokio::test]
async fn every_write_of_the_reaper_may_fail() {
    let scene = async || {
        let (town, pet) = with_a_pet().await;
        starve(&town).await;
        let staged = Item {
            key: items::block(
                &town.kennel(),
                town.head().await.height,
                &pitpet_chain::hash::BlockHash([1; 32]),
            ),
            attributes: attributes([("deflated", vec![1].into())]),
        };
        town.table.put_new(&staged).await.unwrap();
        town.clock.advance(SWEPT_AFTER_MS);
        (town, pet)
    };
    let counted = Faults::none();
    let (town, _) = scene().await;
    town.reaper_with(&counted).reap().await.expect("it runs");
    assert!(counted.writes() >= 3, "story end, garbage and swept height: {:?}", counted.calls());
    for write in 0..counted.writes() {
        for fault in [|| Fault::CrashBefore, || Fault::CrashAfter, || Fault::AnswerLost, || Fault::Throttled]
        {
            let (town, pet) = scene().await;
            let _ = town.reaper_with(&Faults::at_write(write, fault)).reap().await;
            town.clock.advance(600_000);
            reap(&town).await;
            town.mine_all(&town.miner()).await;
            reap(&town).await;
            let found = audit(&town.table, &town.founding, Published::Whole).await;
            let blocks = town.table.all().keys().filter(|key| key.sk.starts_with("B#")).count();
            assert_eq!(found.blocks.len(), blocks);
            assert_eq!(town.queries().pet(&pet.to_string()).await.expect("its card").phase, "ended");
        }
    }
}
