//! The event-source mapping: takes batches from the queue and calls the function with them, as
//! Lambda does for an SQS FIFO queue.
//!
//! What Lambda does and this does too (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS",
//! "Handling errors for an SQS event source"): batches of at most ten, of one or more groups, no
//! batching window; several invocations at once, but never two that hold one group; a batch ends
//! with a partial batch response whose failures stay while the rest is deleted; an error, a
//! time-out, a panic, or a response that names an id that wasn't in the batch fails all of it.
//!
//! Failed messages come back after a short, growing delay instead of after the visibility timeout
//! ([`RetryDelay`]), which on AWS the function asks of SQS itself.
//!
//! Deliberately absent: polling (it wakes when the queue changes or a timeout runs out), filters,
//! scaling, and reading a clock but the port.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use pitpet_aws::attempts::doubled;
use pitpet_pipeline::ports::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::queue::{FifoQueue, Message, RECEIVE_MAX, Settled, Settlement};

/// How long to wait after the queue's file failed, ms; a full disk isn't emptied by trying.
const FAULT_PAUSE_MS: u64 = 1_000;

/// When a failed message comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDelay {
    /// When its visibility timeout is over.
    VisibilityTimeout,
    /// After `first_ms`, doubled with each further receive, at most `max_ms`.
    Growing {
        /// After the first receive, ms.
        first_ms: u64,
        /// At most, ms.
        max_ms: u64,
    },
}

impl RetryDelay {
    /// Returns the delay after the receive of this count, ms, if there is one of its own.
    fn after_ms(self, receive_count: u32) -> Option<u64> {
        match self {
            Self::VisibilityTimeout => None,
            Self::Growing { first_ms, max_ms } => {
                let (first, max) = (Duration::from_millis(first_ms), Duration::from_millis(max_ms));
                Some(doubled(first, receive_count, max).as_millis() as u64)
            }
        }
    }
}

/// What can be set of an event source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSourceSettings {
    /// `eventSourceARN` of each record.
    pub arn: String,
    /// `awsRegion` of each record.
    pub region: String,
    /// `BatchSize`, 1 to [`RECEIVE_MAX`].
    pub batch_max: u32,
    /// `MaximumConcurrency`: how many invocations run at once; at least 1.
    pub concurrency_max: usize,
    /// After how long an invocation is given up, ms; below the queue's visibility timeout, or a
    /// batch could be in two invocations at once.
    pub function_timeout_ms: u64,
    /// When a failed message comes back.
    pub retry_delay: RetryDelay,
}

impl Default for EventSourceSettings {
    /// Ten a batch, two at once, a minute an invocation, retries after 1 s to 30 s.
    fn default() -> Self {
        Self {
            arn: "arn:aws:sqs:local:000000000000:pitpet.fifo".to_owned(),
            region: "local".to_owned(),
            batch_max: RECEIVE_MAX,
            concurrency_max: 2,
            function_timeout_ms: 60_000,
            retry_delay: RetryDelay::Growing { first_ms: 1_000, max_ms: 30_000 },
        }
    }
}

/// What an event source has done in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Invocations.
    pub batches: u64,
    /// Messages that the function was done with.
    pub done: u64,
    /// Failures of messages; one that fails twice counts twice.
    pub failed: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.batches += other.batches;
        self.done += other.done;
        self.failed += other.failed;
    }
}

/// Feeds a function from the queue until `stop` is cancelled; then takes nothing more, finishes
/// the batches in flight, settles them, and returns.
///
/// It should be the queue's only consumer. Dropping the future instead abandons the batches in
/// flight; they come back after their visibility timeout.
pub async fn run<H, F, E>(
    queue: FifoQueue,
    clock: Arc<dyn Clock>,
    settings: EventSourceSettings,
    handler: H,
    stop: CancellationToken,
) -> Tally
where
    H: Fn(SqsEvent) -> F + Send + Sync + 'static,
    F: Future<Output = Result<SqsBatchResponse, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let settings = Arc::new(settings);
    let handler = Arc::new(handler);
    let mut changes = queue.changes();
    let mut running: JoinSet<Tally> = JoinSet::new();
    let mut tally = Tally::default();
    while !stop.is_cancelled() {
        if running.len() >= settings.concurrency_max.max(1) {
            tokio::select! {
                Some(ended) = running.join_next() => tally.add(ended.unwrap_or_default()),
                () = stop.cancelled() => {}
            }
            continue;
        }
        // Marked as seen before the receive, so that no change in between is slept through.
        changes.borrow_and_update();
        // Not raced with `stop`: what was received must also be handed on.
        let pause_ms = match queue.receive(settings.batch_max, clock.now_ms()).await {
            Ok(received) if !received.messages.is_empty() => {
                let event = sqs_event(&received.messages, &settings);
                let handler = Arc::clone(&handler);
                running.spawn(process(
                    queue.clone(),
                    Arc::clone(&clock),
                    Arc::clone(&settings),
                    received.messages,
                    // Called inside its task too, so that a panic of the call itself stays there.
                    async move { handler(event).await },
                ));
                continue;
            }
            Ok(received) => received.next_due_ms.map(|due_ms| due_ms.saturating_sub(clock.now_ms())),
            Err(error) => {
                tracing::error!(%error, "the event source can't receive");
                Some(FAULT_PAUSE_MS)
            }
        };
        let pause = async {
            match pause_ms {
                Some(pause_ms) => clock.sleep(pause_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = changes.changed() => {}
            () = pause => {}
            Some(ended) = running.join_next() => tally.add(ended.unwrap_or_default()),
            () = stop.cancelled() => {}
        }
    }
    while let Some(ended) = running.join_next().await {
        tally.add(ended.unwrap_or_default());
    }
    tally
}

/// Invokes the function with one batch and settles it.
async fn process<F, E>(
    queue: FifoQueue,
    clock: Arc<dyn Clock>,
    settings: Arc<EventSourceSettings>,
    messages: Vec<Message>,
    invocation: F,
) -> Tally
where
    F: Future<Output = Result<SqsBatchResponse, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let outcome = invoke(&*clock, settings.function_timeout_ms, invocation)
        .await
        .and_then(|response| failures(&messages, &response));
    let failed = outcome.unwrap_or_else(|reason| {
        tracing::warn!(reason, messages = messages.len(), "the whole batch failed");
        messages.iter().map(|message| message.message_id.clone()).collect()
    });
    let settlements: Vec<Settlement> = messages
        .iter()
        .filter_map(|message| {
            let receipt = message.receipt.clone();
            if failed.contains(&message.message_id) {
                let timeout_ms = settings.retry_delay.after_ms(message.receive_count)?;
                Some(Settlement::Visibility { receipt, timeout_ms })
            } else {
                Some(Settlement::Delete { receipt })
            }
        })
        .collect();
    // One transaction, so that no group is seen half settled.
    match queue.settle(settlements, clock.now_ms()).await {
        Ok(settled) => {
            let late = settled.iter().filter(|settled| **settled != Settled::Done).count();
            if late > 0 {
                tracing::warn!(late, "the visibility timeout ended before the function did");
            }
        }
        // They come back after their visibility timeout.
        Err(error) => tracing::error!(%error, "a batch could not be settled"),
    }
    Tally { batches: 1, done: (messages.len() - failed.len()) as u64, failed: failed.len() as u64 }
}

/// Runs one invocation to its end; an error, a panic or a time-out is a reason.
async fn invoke<F, E>(clock: &dyn Clock, timeout_ms: u64, invocation: F) -> Result<SqsBatchResponse, String>
where
    F: Future<Output = Result<SqsBatchResponse, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    // A task of its own, so that a panic ends the invocation and not the event source.
    let mut invocation = tokio::spawn(invocation);
    tokio::select! {
        ended = &mut invocation => match ended {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(format!("the function failed: {error}")),
            Err(error) => Err(format!("the function panicked: {error}")),
        },
        () = clock.sleep(timeout_ms) => {
            invocation.abort();
            // Its groups stay locked until it has really ended.
            let _ = invocation.await;
            Err(format!("the function took longer than {timeout_ms} ms"))
        }
    }
}

/// Reads the failed message ids out of a response; a malformed one is a reason to fail all.
fn failures(messages: &[Message], response: &SqsBatchResponse) -> Result<HashSet<String>, String> {
    let known: HashSet<&str> = messages.iter().map(|message| message.message_id.as_str()).collect();
    response
        .batch_item_failures
        .iter()
        .map(|failure| match known.get(failure.item_identifier.as_str()) {
            Some(id) => Ok((*id).to_owned()),
            None => {
                Err(format!("the response names {:?}, which isn't in the batch", failure.item_identifier))
            }
        })
        .collect()
}

/// Writes the event that Lambda would pass for these messages.
fn sqs_event(messages: &[Message], settings: &EventSourceSettings) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.iter().map(|message| record(message, settings)).collect();
    event
}

fn record(message: &Message, settings: &EventSourceSettings) -> SqsMessage {
    let attributes = [
        ("ApproximateReceiveCount", message.receive_count.to_string()),
        ("SentTimestamp", message.sent_ms.to_string()),
        ("SequenceNumber", message.sequence_number.clone()),
        ("MessageGroupId", message.group.clone()),
        ("SenderId", "pitpet-local".to_owned()),
        ("MessageDeduplicationId", message.deduplication.clone()),
        ("ApproximateFirstReceiveTimestamp", message.first_receive_ms.to_string()),
    ];
    // The type can't be built field by field outside its crate.
    let mut record = SqsMessage::default();
    record.message_id = Some(message.message_id.clone());
    record.receipt_handle = Some(message.receipt.clone());
    record.body = Some(message.body.clone());
    record.md5_of_body = Some(message.md5_of_body.clone());
    record.attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    record.message_attributes = HashMap::new();
    record.event_source = Some("aws:sqs".to_owned());
    record.event_source_arn = Some(settings.arn.clone());
    record.aws_region = Some(settings.region.clone());
    record
}
