//! The queue as the pipeline's ports: the queue with a clock.

use std::sync::Arc;

use async_trait::async_trait;
use pitpet_pipeline::ports::{Clock, DeadLetters, OutgoingMessage, Queue, QueueError};

use super::FifoQueue;

/// The sending side of the queue.
#[derive(Clone)]
pub struct QueueHandle {
    queue: FifoQueue,
    clock: Arc<dyn Clock>,
}

impl QueueHandle {
    /// Makes a handle; the clock dates what it sends.
    pub fn new(queue: FifoQueue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock }
    }
}

#[async_trait]
impl Queue for QueueHandle {
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>> {
        let sent = self.queue.send(messages.to_vec(), self.clock.now_ms()).await;
        sent.into_iter().map(|outcome| outcome.map(|_| ())).collect()
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
