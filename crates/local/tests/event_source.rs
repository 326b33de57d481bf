//! The event-source mapping against the embedded queue, with a clock that the test moves.

use std::collections::BTreeMap;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use pitpet_local::event_source::{EventSourceSettings, RetryDelay, Tally, run};
use pitpet_local::queue::{Counts, FifoQueue, QueueSettings};
use pitpet_pipeline::ports::{Clock, OutgoingMessage};
use tempfile::TempDir;
use tokio::sync::{Barrier, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const START_MS: u64 = 1_700_000_000_000;

#[derive(Default)]
struct Hands {
    now_ms: u64,
    next_id: u64,
    sleepers: BTreeMap<u64, u64>,
}

/// A clock that only the test moves, and that knows who sleeps until when.
#[derive(Clone)]
struct TestClock(Arc<watch::Sender<Hands>>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Hands { now_ms: START_MS, ..Hands::default() })))
    }

    /// Moves the time on to an instant, once somebody sleeps until exactly then.
    async fn reach(&self, due_ms: u64) {
        let mut hands = self.0.subscribe();
        hands
            .wait_for(|hands| hands.sleepers.values().any(|until_ms| *until_ms == due_ms))
            .await
            .expect("the clock lives");
        self.0.send_modify(|hands| hands.now_ms = due_ms);
    }
}

struct Sleeper {
    clock: TestClock,
    id: u64,
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.clock.0.send_modify(|hands| {
            hands.sleepers.remove(&self.id);
        });
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn sleep(&self, duration_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.clone();
        Box::pin(async move {
            let mut sleeper = Sleeper { clock: clock.clone(), id: 0 };
            let mut until_ms = 0;
            clock.0.send_modify(|hands| {
                hands.next_id += 1;
                sleeper.id = hands.next_id;
                until_ms = hands.now_ms + duration_ms;
                hands.sleepers.insert(sleeper.id, until_ms);
            });
            let mut hands = clock.0.subscribe();
            hands.wait_for(|hands| hands.now_ms >= until_ms).await.expect("the clock lives");
        })
    }
}

/// A queue, a clock, and a running event source that reports the batches that it passes on.
struct Fixture {
    queue: FifoQueue,
    clock: TestClock,
    stop: CancellationToken,
    running: JoinHandle<Tally>,
    _folder: TempDir,
}

impl Fixture {
    fn start<H, F>(settings: EventSourceSettings, handler: H) -> Self
    where
        H: Fn(SqsEvent) -> F + Send + Sync + 'static,
        F: Future<Output = Result<SqsBatchResponse, String>> + Send + 'static,
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("queue.sqlite");
        let queue = FifoQueue::open(&path, QueueSettings::default()).expect("a new queue");
        let clock = TestClock::new();
        let stop = CancellationToken::new();
        let running =
            tokio::spawn(run(queue.clone(), Arc::new(clock.clone()), settings, handler, stop.clone()));
        Self { queue, clock, stop, running, _folder: folder }
    }

    async fn send(&self, messages: &[(&str, &str)]) {
        let messages = messages
            .iter()
            .map(|(group, body)| OutgoingMessage {
                group: (*group).to_owned(),
                deduplication: format!("{group}-{body}").replace(' ', "-"),
                body: (*body).to_owned(),
            })
            .collect();
        for outcome in self.queue.send(messages, self.clock.now_ms()).await {
            outcome.expect("the queue takes a good message");
        }
    }

    async fn stop(self) -> (Tally, Counts) {
        self.stop.cancel();
        let tally = self.running.await.expect("the event source ends");
        let counts = self.queue.counts(self.clock.now_ms()).await.expect("the file is good");
        (tally, counts)
    }
}

fn bodies(event: &SqsEvent) -> Vec<String> {
    event.records.iter().map(|record| record.body.clone().expect("a body")).collect()
}

/// Answers that these bodies failed.
fn failing(event: &SqsEvent, failed: &[&str]) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        if failed.contains(&record.body.as_deref().expect("a body")) {
            response.add_failure(record.message_id.clone().expect("an id"));
        }
    }
    response
}

/// What a scripted function does with a batch.
type Script = fn(usize, &SqsEvent) -> Outcome;

type Outcome = Result<SqsBatchResponse, String>;

/// A function that follows a script by invocation and tells the test what it got.
fn scripted(
    script: Script,
) -> (impl Fn(SqsEvent) -> Ready<Outcome> + Send + Sync, mpsc::UnboundedReceiver<Vec<String>>) {
    let (calls, got) = mpsc::unbounded_channel();
    let count = AtomicUsize::new(0);
    let handler = move |event: SqsEvent| {
        calls.send(bodies(&event)).expect("the test listens");
        ready(script(count.fetch_add(1, Ordering::SeqCst), &event))
    };
    (handler, got)
}

async fn next(got: &mut mpsc::UnboundedReceiver<Vec<String>>) -> Vec<String> {
    got.recv().await.expect("the function is called")
}

#[tokio::test]
async fn failed_messages_come_back_and_the_others_are_deleted() {
    let (handler, mut got) = scripted(|call, event| {
        Ok(if call == 0 { failing(event, &["2", "3"]) } else { SqsBatchResponse::default() })
    });
    let fixture = Fixture::start(EventSourceSettings::default(), handler);
    fixture.send(&[("a", "1"), ("a", "2"), ("a", "3")]).await;
    assert_eq!(next(&mut got).await, ["1", "2", "3"]);
    // A follower waits behind them, though it is there before they are visible again.
    fixture.send(&[("a", "4")]).await;
    fixture.clock.reach(START_MS + 1_000).await;
    assert_eq!(next(&mut got).await, ["2", "3", "4"]);
    let (tally, counts) = fixture.stop().await;
    assert_eq!(tally, Tally { batches: 2, done: 4, failed: 2 });
    assert_eq!(counts, Counts::default());
}

#[tokio::test]
async fn an_error_fails_the_whole_batch_and_the_delay_grows() {
    let (handler, mut got) = scripted(|call, _| match call {
        0 | 1 => Err("no table".to_owned()),
        _ => Ok(SqsBatchResponse::default()),
    });
    let fixture = Fixture::start(EventSourceSettings::default(), handler);
    fixture.send(&[("a", "1"), ("a", "2")]).await;
    assert_eq!(next(&mut got).await, ["1", "2"]);
    fixture.clock.reach(START_MS + 1_000).await;
    assert_eq!(next(&mut got).await, ["1", "2"]);
    fixture.clock.reach(START_MS + 3_000).await;
    assert_eq!(next(&mut got).await, ["1", "2"]);
    let (tally, counts) = fixture.stop().await;
    assert_eq!(tally, Tally { batches: 3, done: 2, failed: 4 });
    assert_eq!(counts, Counts::default());
}

#[tokio::test]
async fn an_unknown_id_fails_the_whole_batch() {
    for id in ["", "never-sent"] {
        let (calls, mut got) = mpsc::unbounded_channel();
        let handler = move |event: SqsEvent| {
            calls.send(bodies(&event)).expect("the test listens");
            let mut response = failing(&event, &["1"]);
            response.add_failure(id);
            ready(Ok(response))
        };
        let fixture = Fixture::start(EventSourceSettings::default(), handler);
        fixture.send(&[("a", "1"), ("a", "2")]).await;
        assert_eq!(next(&mut got).await, ["1", "2"]);
        let (tally, counts) = fixture.stop().await;
        assert_eq!(tally, Tally { batches: 1, done: 0, failed: 2 });
        assert_eq!((counts.in_flight, counts.visible), (2, 0));
    }
}

#[tokio::test]
async fn without_a_delay_of_its_own_a_failure_waits_for_the_visibility_timeout() {
    let (handler, mut got) = scripted(|call, event| {
        Ok(if call == 0 { failing(event, &["1"]) } else { SqsBatchResponse::default() })
    });
    let settings =
        EventSourceSettings { retry_delay: RetryDelay::VisibilityTimeout, ..EventSourceSettings::default() };
    let fixture = Fixture::start(settings, handler);
    fixture.send(&[("a", "1")]).await;
    next(&mut got).await;
    fixture.clock.reach(START_MS + QueueSettings::default().visibility_timeout_ms).await;
    assert_eq!(next(&mut got).await, ["1"]);
    assert_eq!(fixture.stop().await.1, Counts::default());
}

#[tokio::test]
async fn a_panic_and_a_timeout_fail_the_batch_only() {
    let (calls, mut got) = mpsc::unbounded_channel();
    let count = Arc::new(AtomicUsize::new(0));
    let handler = move |event: SqsEvent| {
        let (calls, count) = (calls.clone(), Arc::clone(&count));
        async move {
            calls.send(bodies(&event)).expect("the test listens");
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("scripted"),
                1 => std::future::pending().await,
                _ => Ok(SqsBatchResponse::default()),
            }
        }
    };
    let fixture = Fixture::start(EventSourceSettings::default(), handler);
    fixture.send(&[("a", "1")]).await;
    next(&mut got).await;
    fixture.clock.reach(START_MS + 1_000).await;
    next(&mut got).await;
    fixture.clock.reach(START_MS + 61_000).await;
    fixture.clock.reach(START_MS + 63_000).await;
    next(&mut got).await;
    let (tally, counts) = fixture.stop().await;
    assert_eq!(tally, Tally { batches: 3, done: 1, failed: 2 });
    assert_eq!(counts, Counts::default());
}

#[tokio::test]
async fn a_poisoned_message_dies_and_its_followers_go_on() {
    let (handler, mut got) = scripted(|_, event| Ok(failing(event, &["poison"])));
    let fixture = Fixture::start(EventSourceSettings::default(), handler);
    fixture.send(&[("a", "poison")]).await;
    let mut due_ms = START_MS;
    for delay_s in [1, 2, 4, 8, 16] {
        assert_eq!(next(&mut got).await, ["poison"]);
        due_ms += delay_s * 1_000;
        if delay_s == 16 {
            fixture.send(&[("a", "follower")]).await;
        }
        fixture.clock.reach(due_ms).await;
    }
    assert_eq!(next(&mut got).await, ["follower"]);
    let letters = fixture.queue.dead_letters(0, 10, due_ms).await.expect("the file is good");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].body.as_str(), letters[0].receive_count), ("poison", 5));
    assert_eq!(fixture.stop().await.1, Counts { dead: 1, ..Counts::default() });
}

#[tokio::test]
async fn two_groups_are_in_the_function_at_once_and_one_group_never_twice() {
    // Nobody gets past the barrier alone: without concurrency this test doesn't end.
    let barrier = Arc::new(Barrier::new(2));
    let (calls, mut got) = mpsc::unbounded_channel();
    let handler = move |event: SqsEvent| {
        let (barrier, calls) = (Arc::clone(&barrier), calls.clone());
        async move {
            calls.send(bodies(&event)).expect("the test listens");
            barrier.wait().await;
            Ok(SqsBatchResponse::default())
        }
    };
    let settings = EventSourceSettings { batch_max: 1, ..EventSourceSettings::default() };
    let fixture = Fixture::start(settings, handler);
    fixture.send(&[("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")]).await;
    for pair in [["a1", "b1"], ["a2", "b2"]] {
        let mut both = [next(&mut got).await.remove(0), next(&mut got).await.remove(0)];
        both.sort_unstable();
        assert_eq!(both, pair);
    }
    assert_eq!(fixture.stop().await, (Tally { batches: 4, done: 4, failed: 0 }, Counts::default()));
}

#[tokio::test]
async fn no_more_run_at_once_than_allowed_and_a_stop_finishes_those() {
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (calls, mut got) = mpsc::unbounded_channel();
    let handler = {
        let (gate, most) = (Arc::clone(&gate), Arc::clone(&most));
        move |event: SqsEvent| {
            let (gate, running, most) = (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&most));
            let calls = calls.clone();
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                calls.send(bodies(&event)).expect("the test listens");
                gate.acquire().await.expect("the gate is open").forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(SqsBatchResponse::default())
            }
        }
    };
    let settings = EventSourceSettings { batch_max: 1, ..EventSourceSettings::default() };
    let fixture = Fixture::start(settings, handler);
    fixture.send(&[("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]).await;
    next(&mut got).await;
    next(&mut got).await;
    gate.add_permits(1);
    next(&mut got).await;
    // Two are in the function, one has ended, one was never taken.
    fixture.stop.cancel();
    gate.add_permits(3);
    let (tally, counts) = fixture.stop().await;
    assert_eq!(tally, Tally { batches: 3, done: 3, failed: 0 });
    assert_eq!((counts.visible, counts.in_flight), (1, 0));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_event_is_shaped_like_that_of_aws() {
    let (events, mut got) = mpsc::unbounded_channel();
    let handler = move |event: SqsEvent| {
        events.send(event).expect("the test listens");
        ready(Ok(SqsBatchResponse::default()))
    };
    let fixture = Fixture::start(EventSourceSettings::default(), handler);
    fixture.send(&[("kennel", "Message Body")]).await;
    let event = got.recv().await.expect("the function is called");
    let mut json = serde_json::to_value(&event).expect("an event is JSON");
    let record = json["Records"][0].as_object_mut().expect("one record");
    for unforeseeable in ["messageId", "receiptHandle"] {
        let value = record.remove(unforeseeable).expect("a field of each record");
        assert!(value.as_str().is_some_and(|text| text.len() >= 36), "{value}");
    }
    let expected = serde_json::json!({ "Records": [{
        "body": "Message Body",
        "md5OfBody": "77a3cf88eba293be44f5fd5c61835a43",
        "md5OfMessageAttributes": null,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1700000000000",
            "SequenceNumber": "00000000000000000001",
            "MessageGroupId": "kennel",
            "SenderId": "pitpet-local",
            "MessageDeduplicationId": "kennel-Message-Body",
            "ApproximateFirstReceiveTimestamp": "1700000000000",
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:local:000000000000:pitpet.fifo",
        "awsRegion": "local",
    }]});
    assert_eq!(json, expected);
    fixture.stop().await;
}
