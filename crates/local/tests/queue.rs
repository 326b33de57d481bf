//! What the suite of the port and the model leave out: refusals, the ports, wake-ups, retention.

#[path = "support/clock.rs"]
mod clock;

use std::sync::Arc;

use clock::{NOW_MS, SetClock};
use pitpet_local::queue::{
    BODY_BYTES_MAX, DeadLetterHandle, FifoQueue, QueueHandle, QueueSettings, Settled, Which,
};
use pitpet_pipeline::ports::{Clock, DeadLetters, OutgoingMessage, Queue, QueueError};
use tempfile::TempDir;

fn fixture() -> (FifoQueue, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queue.sqlite");
    (FifoQueue::open(&path, QueueSettings::default()).expect("a new queue"), folder)
}

fn message(group: &str, body: &str) -> OutgoingMessage {
    OutgoingMessage { group: group.into(), deduplication: body.into(), body: body.into() }
}

#[tokio::test]
async fn the_port_sends_the_good_and_names_the_bad() {
    let (queue, _folder) = fixture();
    let port: Arc<dyn Queue> = Arc::new(QueueHandle::new(queue.clone(), Arc::new(SetClock::new())));
    let bad = [
        message("", "no-group"),
        message("two words", "spaced-group"),
        message(&"g".repeat(129), "long-group"),
        OutgoingMessage { deduplication: String::new(), ..message("a", "no-deduplication") },
        OutgoingMessage { body: String::new(), ..message("a", "empty-body") },
        OutgoingMessage { body: "\0".to_owned(), ..message("a", "control-character") },
        OutgoingMessage { body: "x".repeat(BODY_BYTES_MAX + 1), ..message("a", "large-body") },
    ];
    let mut messages = vec![message("a", "first")];
    messages.extend(bad);
    messages.push(OutgoingMessage { body: "x".repeat(BODY_BYTES_MAX), ..message("a", "largest") });
    let outcomes = port.send(&messages).await;
    let good: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, false, false, false, false, false, false, true]);
    let bad = outcomes.into_iter().filter_map(Result::err);
    assert!(bad.into_iter().all(|error| matches!(error, QueueError::Refused { .. })));
    let received = queue.receive(10, NOW_MS).await.expect("the file is good");
    assert_eq!(received.messages.len(), 2);
    assert_eq!(received.messages[0].sent_ms, NOW_MS, "the clock dates it");
}

#[tokio::test]
async fn what_would_wait_too_long_is_not_taken() {
    let (queue, _folder) = fixture();
    let clock = Arc::new(SetClock::new());
    let bounded: Arc<dyn Queue> = Arc::new(QueueHandle::bounded(queue.clone(), clock.clone()));
    let free: Arc<dyn Queue> = Arc::new(QueueHandle::new(queue.clone(), clock.clone()));
    let is_taken = async |port: &Arc<dyn Queue>, body: &str| match &port
        .send(&[OutgoingMessage { deduplication: body[body.len() - 1..].into(), ..message("a", body) }])
        .await[..]
    {
        [Ok(())] => true,
        [Err(QueueError::Throttled)] => false,
        other => panic!("{other:?}"),
    };
    // Two bodies of the largest size are 512 KiB; it looks again after a moment.
    let large = |n: u8| "x".repeat(BODY_BYTES_MAX - 1) + &n.to_string();
    for n in 0..2 {
        assert!(is_taken(&bounded, &large(n)).await);
        clock.advance(100);
    }
    assert!(is_taken(&bounded, "A").await, "no more than may wait");
    clock.advance(100);
    assert!(!is_taken(&bounded, "B").await, "more than may wait");
    assert!(!bounded.has_room().await && free.has_room().await, "who asks first is told");
    assert!(is_taken(&free, "C").await, "the service's own messages have no bound");
    let received = queue.receive(2, clock.now_ms()).await.expect("the file is good");
    for message in received.messages {
        queue.delete(&message.receipt, clock.now_ms()).await.expect("the file is good");
    }
    clock.advance(100);
    assert!(bounded.has_room().await, "there is room again");
    assert!(is_taken(&bounded, "D").await, "there is room again");
}

#[tokio::test]
async fn dead_letters_are_listed_by_place_and_discarded_by_id() {
    let (queue, _folder) = fixture();
    let port = DeadLetterHandle::new(queue.clone(), Arc::new(SetClock::new()));
    let poison = message("a", "poison");
    port.bury(&poison).await.expect("a good message");
    let letters = queue.dead_letters(0, 10, NOW_MS).await.expect("the file is good");
    assert_eq!(letters.len(), 1);
    assert_eq!(queue.dead_letters(letters[0].place, 10, NOW_MS).await, Ok(vec![]));
    assert_eq!(queue.discard_dead(Which::Ids(vec!["unknown".into()])).await, Ok(0));
    assert_eq!(queue.discard_dead(Which::Ids(vec![letters[0].message_id.clone()])).await, Ok(1));
}

#[tokio::test]
async fn waiting_consumers_hear_of_sends_deletions_and_due_times() {
    let (queue, _folder) = fixture();
    let mut changes = queue.changes();
    for outcome in queue.send(vec![message("a", "1"), message("a", "2")], NOW_MS).await {
        outcome.expect("a good message");
    }
    assert!(changes.has_changed().expect("the queue is open"), "after a send");
    changes.borrow_and_update();
    let received = queue.receive(1, NOW_MS).await.expect("the file is good");
    let due_ms = NOW_MS + queue.settings().visibility_timeout_ms;
    assert_eq!(received.next_due_ms, Some(due_ms));
    assert!(!changes.has_changed().expect("the queue is open"), "a receive frees nothing");
    let deleted = queue.delete(&received.messages[0].receipt, NOW_MS).await;
    assert_eq!(deleted, Ok(Settled::Done));
    assert!(changes.has_changed().expect("the queue is open"), "a deletion frees the group");
}

#[tokio::test]
async fn a_receipt_of_nobody_is_unknown() {
    let (queue, _folder) = fixture();
    for receipt in ["", "1", "1:x", "x:6f4dbb3e-5d1c-4b6e-8b2f-0f5a3c1d2e4f"] {
        assert_eq!(queue.delete(receipt, NOW_MS).await, Ok(Settled::Unknown), "{receipt:?}");
    }
}

#[tokio::test]
async fn a_duplicate_has_the_originals_sequence_number_also_after_reopening() {
    let (queue, folder) = fixture();
    let original = queue.send(vec![message("a", "1")], NOW_MS).await.remove(0).expect("good");
    drop(queue);
    let path = folder.path().join("queue.sqlite");
    let queue = FifoQueue::open(&path, QueueSettings::default()).expect("the same queue");
    let again = queue.send(vec![message("a", "1")], NOW_MS + 299_999).await.remove(0);
    assert_eq!(again.expect("good"), original);
    assert_eq!(original.sequence_number, "00000000000000000001");
}

#[tokio::test]
async fn retention_is_four_days_and_for_dead_letters_fourteen() {
    const DAY_MS: u64 = 86_400_000;
    let (queue, _folder) = fixture();
    queue.send(vec![message("a", "1")], NOW_MS).await.remove(0).expect("good");
    queue.bury(message("a", "2"), NOW_MS).await.expect("good");
    let almost_ms = NOW_MS + 4 * DAY_MS - 1;
    let received = queue.receive(1, almost_ms).await.expect("the file is good");
    assert_eq!(received.messages.len(), 1);
    // In flight or not: SQS drops it too.
    queue.receive(1, almost_ms + 1).await.expect("the file is good");
    let counts = queue.counts(almost_ms + 1).await.expect("the file is good");
    assert_eq!((counts.visible, counts.in_flight, counts.dead), (0, 0, 1));
    let almost_ms = NOW_MS + 14 * DAY_MS - 1;
    assert_eq!(queue.dead_letters(0, 9, almost_ms).await.map(|letters| letters.len()), Ok(1));
    assert_eq!(queue.dead_letters(0, 9, almost_ms + 1).await, Ok(vec![]));
}
