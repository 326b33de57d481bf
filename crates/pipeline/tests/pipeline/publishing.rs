//! The read side falls behind, and who brings it up again.

use pitpet_chain::hash::EventId;
use pitpet_pipeline::fsck::{Fsck, Mode, Note};
use pitpet_pipeline::mine::MinerSettings;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::{Key, Table as _};
use pitpet_pipeline::query::WithProof;
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::{items, publisher, runs};
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::{Call, Operation};
use pitpet_simulator::town::{EACH, QUICK, RULES, at_once, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

/// A hot partition: cards of pets can't be written.
fn hot_pets(call: &Call) -> Option<Fault> {
    (call.operation == Operation::Publish && call.key.starts_with("P#")).then_some(Fault::Throttled)
}

async fn with_posts(town: &Town, count: u64, settings: MinerSettings) -> Vec<EventId> {
    let mut anna = Player::new(town, 1);
    let miner = town.miner_with(&Faults::new(hot_pets), settings);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    let mut ids = vec![pet];
    town.send(vec![birth]);
    town.mine_once(&miner).await;
    for number in 0..count {
        let post = anna.post(pet, &format!("Nap {number}."));
        ids.push(id_of(&post));
        town.send(vec![post]);
        town.clock.advance(1_000);
        town.mine_once(&miner).await;
    }
    ids
}

#[tokio::test]
async fn mining_goes_on_while_publishing_fails() {
    let town = Town::found(QUICK).await;
    with_posts(&town, 3, at_once()).await;
    let head = town.head().await;
    assert_eq!((head.height, head.published_height), (4, 0));
    assert!(town.queue.is_empty(), "all is acked");
    // The next miner finishes the job, with the bodies that were stored without it.
    let mut bert = Player::new(&town, 2);
    town.send(vec![bert.birth("Rex", head.hash)]);
    town.mine_all(&town.miner()).await;
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!(found.events.len(), 5);
}

#[tokio::test]
async fn the_reaper_finishes_publishing() {
    let town = Town::found(QUICK).await;
    let ids = with_posts(&town, 3, at_once()).await;
    let last = ids.last().expect("posts").to_string();
    let before = town.queries().event(&last, None, 0, WithProof::Yes).await.expect("it is committed");
    assert!(before.place.expect("it is mined").proof.is_some(), "the tail is shown like the rest");
    assert_eq!(town.reaper().reap().await.expect("it runs").published, 0, "a young head is its miner's");
    town.clock.advance(16 * 60 * 1_000);
    let report = town.reaper().reap().await.expect("it runs");
    assert_eq!((report.published, report.failed), (1, 0));
    audit(&town.table, &town.founding, Published::Whole).await;
    let view = town.queries().event(&last, None, 0, WithProof::Yes).await.expect("it is there");
    assert_eq!(view.body_state, "present");
    assert_eq!(town.reaper().reap().await.expect("it runs").published, 0);
}

#[tokio::test]
async fn a_message_redelivered_before_its_block_is_published_gets_no_reject() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let message = town.send(vec![birth]);
    let miner = town.miner_with(&Faults::new(hot_pets), at_once());
    town.mine_once(&miner).await;
    town.clock.advance(400_000);
    town.queue.take(&message);
    let report = town.mine_once(&miner).await;
    assert_eq!((report.rejected, report.failed.len()), (1, 0));
    town.reaper().reap().await.expect("it runs");
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn a_message_stays_while_its_bodies_can_t_be_stored() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    town.send(vec![anna.birth("Kitty", town.head().await.hash)]);
    let faults = Faults::new(|call| (call.operation == Operation::Publish).then_some(Fault::Throttled));
    let report = town.mine_once(&town.miner_with(&faults, at_once())).await;
    assert_eq!((report.blocks, report.failed.len()), (1, 1));
    // Somebody publishes without the body; it comes with the message.
    town.reaper().reap().await.expect("it runs");
    town.mine_all(&town.miner()).await;
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!((found.events.len(), found.rejects.len()), (1, 0));
}

#[tokio::test]
async fn too_long_a_backlog_pauses_mining() {
    let town = Town::found(QUICK).await;
    let settings = MinerSettings { unpublished_max: 2, ..at_once() };
    with_posts(&town, 5, settings).await;
    // One block may be mined while two are unpublished; then it is three, which is over the bound.
    assert_eq!(town.head().await.height, 3);
    assert_eq!(town.queue.len(), 3, "the rest waits");
    town.mine_all(&town.miner()).await;
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!(found.events.len(), 6);
}

#[tokio::test]
async fn what_the_read_side_lost_is_published_again_from_a_height() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let miner = town.miner();
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth]);
    town.mine_once(&miner).await;
    for number in 0..3 {
        town.send(vec![anna.post(pet, &format!("Nap {number}."))]);
        town.clock.advance(1_000);
        town.mine_once(&miner).await;
    }
    let whole = town.table.all();
    let lost: Vec<_> =
        whole.keys().filter(|key| runs::is_bucket(key) || key.pk.starts_with("P#")).cloned().collect();
    let lost: Vec<_> = lost.into_iter().filter(|key: &Key| !key.pk.starts_with("W#")).collect();
    assert_eq!(lost.len(), 4 + 5, "a place an event; a card and an entry an event");
    for key in &lost {
        town.table.delete(key).await.expect("it deletes");
    }
    let mut heights = Vec::new();
    let republish =
        |from| publisher::republish(town.table.as_ref(), &town.founding, from, &EACH, WORDS_MAX, |_| ());
    // From the middle, only what is above comes back.
    assert_eq!(republish(3).await.expect("it publishes"), 2);
    assert_eq!(lost.iter().filter(|key| town.table.item(key).is_some()).count(), 5);
    let note = |height| heights.push(height);
    let count = publisher::republish(town.table.as_ref(), &town.founding, 0, &EACH, WORDS_MAX, note).await;
    assert_eq!((count.expect("it publishes"), heights), (4, vec![1, 2, 3, 4]));
    let mut back = town.table.all();
    // The card says where it was last written from, and that again is the head.
    assert_eq!(back.remove(&items::pet(&pet.into())), whole.get(&items::pet(&pet.into())).cloned());
    let mut whole = whole;
    whole.remove(&items::pet(&pet.into()));
    assert_eq!(back, whole);
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn publishing_again_leaves_no_gap() {
    let town = Town::found(QUICK).await;
    with_posts(&town, 3, at_once()).await;
    let head = town.head().await;
    assert_eq!((head.height, head.published_height), (4, 0));
    let count = publisher::republish(town.table.as_ref(), &town.founding, 4, &EACH, WORDS_MAX, |_| ()).await;
    assert_eq!(count.expect("it publishes"), 4, "all that was behind");
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn whoever_publishes_lists_a_text_under_as_many_words() {
    let town = Town::found(QUICK).await;
    let settings = MinerSettings { search_words_max: 1, ..at_once() };
    // Kitty; the tag, and nap, and not its number.
    with_posts(&town, 2, settings).await;
    town.clock.advance(16 * 60 * 1_000);
    let listed = || town.table.stored_entries().keys().filter(|key| key.pk.starts_with("W#")).count();
    assert_eq!(listed(), 0, "the timelines are written before");
    town.reaper().indexing(1).reap().await.expect("it runs");
    assert_eq!(listed(), 1 + 2 * 2);
    let missing = async |search_words_max| {
        let fsck = Fsck {
            table: town.table.clone(),
            objects: None,
            modules: &NativeHost,
            rules: vec![RULES],
            mode: Mode::Check,
            search_words_max,
            window: EACH,
        };
        let mut faults = Vec::new();
        let mut observer = |note: Note<'_>| {
            if let Note::Fault(fault) = note {
                faults.push(fault.place.to_string());
            }
        };
        fsck.run(None, &mut observer).await.expect("it can be read");
        assert!(faults.iter().all(|place| place.starts_with("item W#")), "{faults:?}");
        faults.len()
    };
    assert_eq!((missing(1).await, missing(2).await), (0, 2));
    publisher::republish(town.table.as_ref(), &town.founding, 0, &EACH, 1, |_| ())
        .await
        .expect("it publishes");
    assert_eq!(listed(), 1 + 2 * 2);
    publisher::republish(town.table.as_ref(), &town.founding, 0, &EACH, 2, |_| ())
        .await
        .expect("it publishes");
    assert_eq!((listed(), missing(2).await), (1 + 2 * 3, 0), "who wants more words publishes again");
}
