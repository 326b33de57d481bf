//! The queue as the pipeline's ports: the queue with a clock.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pitpet_pipeline::ports::{Clock, DeadLetters, OutgoingMessage, Queue, QueueError};

use super::FifoQueue;

/// While bodies of this many bytes wait in all, no more are taken: what is sent then would not be
/// mined soon, and its sender should know.
///
/// An event has 300 to 450 bytes in a message, and two cores mine 400 to 1,000 of them a second
/// (docs/figures.md): 512 KiB are 1,150 to 1,750 events, which take 1 to 4.5 s. Half as many cores
/// may take twice as long, and normal service is still back within 10 s.
const WAITING_BYTES_MAX: u64 = 512 * 1024;

/// How long a look at what waits is good for, ms.
const LOOK_MS: u64 = 50;

/// A look at what waits.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    at_ms: u64,
    is_full: bool,
}

/// The sending side of the queue.
#[derive(Clone)]
pub struct QueueHandle {
    queue: FifoQueue,
    clock: Arc<dyn Clock>,
    look: Option<Arc<Mutex<Look>>>,
}

impl QueueHandle {
    /// Makes a handle; the clock dates what it sends.
    pub fn new(queue: FifoQueue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock, look: None }
    }

    /// Makes a handle that says `Throttled` while more waits than is soon mined. SQS has no such
    /// bound, and there the gateway's throttle stands before it.
    pub fn bounded(queue: FifoQueue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock, look: Some(Arc::default()) }
    }

    /// Whether more waits than is soon mined, as of a moment ago.
    async fn is_full(&self) -> bool {
        let Some(look) = &self.look else { return false };
        let now_ms = self.clock.now_ms();
        let before = {
            let mut look = look.lock().expect("no panic while the look is locked");
            let before = *look;
            if now_ms.abs_diff(before.at_ms) < LOOK_MS {
                return before.is_full;
            }
            // Whoever comes meanwhile uses the look before.
            look.at_ms = now_ms;
            before
        };
        // A queue that can't be counted says so itself when the message is sent.
        let Ok(counts) = self.queue.counts(now_ms).await else { return before.is_full };
        let is_full = counts.bytes > WAITING_BYTES_MAX;
        let was_full =
            std::mem::replace(&mut look.lock().expect("no panic while the look is locked").is_full, is_full);
        if is_full != was_full {
            tracing::info!(is_full, bytes = counts.bytes, oldest_age_ms = counts.oldest_age_ms, "the queue");
        }
        is_full
    }
}

#[async_trait]
impl Queue for QueueHandle {
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>> {
        if self.is_full().await {
            return messages.iter().map(|_| Err(QueueError::Throttled)).collect();
        }
        let sent = self.queue.send(messages.to_vec(), self.clock.now_ms()).await;
        sent.into_iter().map(|outcome| outcome.map(|_| ())).collect()
    }

    async fn has_room(&self) -> bool {
        !self.is_full().await
    }
}

/// The sending side of the dead-letter queue.
#[derive(Clone)]
pub struct DeadLetterHandle {
    queue: FifoQueue,
    clock: Arc<dyn Clock>,
}

impl DeadLetterHandle {
    /// Makes a handle; the clock dates what it buries.
    pub fn new(queue: FifoQueue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock }
    }
}

#[async_trait]
impl DeadLetters for DeadLetterHandle {
    async fn bury(&self, message: &OutgoingMessage) -> Result<(), QueueError> {
        self.queue.bury(message.clone(), self.clock.now_ms()).await
    }
}
