//! The embedded queue runs the suites of its ports: what is sent goes through [`QueueHandle`], dead
//! letters through [`DeadLetterHandle`]; the other side is the queue itself, which the event source
//! and an operator have.

#[path = "support/clock.rs"]
mod clock;

use std::sync::Arc;

use async_trait::async_trait;
use clock::SetClock;
use pitpet_local::queue::{Counts, DeadLetterHandle, FifoQueue, QueueHandle, QueueSettings, Which};
use pitpet_pipeline::conformance::dead_letters;
use pitpet_pipeline::conformance::queue::{Parameters, QueueUnderTest, Received, Sent, Time, all};
use pitpet_pipeline::ports::{Clock, OutgoingMessage, Queue, QueueError};

struct Embedded {
    queue: FifoQueue,
    port: QueueHandle,
    /// It moves when the suite waits.
    clock: Arc<SetClock>,
}

impl Embedded {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    async fn counts(&self) -> Counts {
        self.queue.counts(self.now_ms()).await.expect("the file is good")
    }
}

#[async_trait]
impl QueueUnderTest for Embedded {
    fn parameters(&self) -> Parameters {
        Parameters {
            time: Time::Simulated,
            visibility_timeout_ms: self.queue.settings().visibility_timeout_ms,
            max_receive_count: self.queue.settings().max_receive_count,
            run: "run".to_owned(),
        }
    }

    async fn send(&self, message: &OutgoingMessage) -> Result<Sent, QueueError> {
        self.port.send(std::slice::from_ref(message)).await.remove(0)?;
        // The port gives no ids; a duplicate is answered with those of the first.
        let held = self.counts().await;
        let duplicate = self.queue.send(vec![message.clone()], self.now_ms()).await.remove(0)?;
        assert_eq!(self.counts().await, held, "what the port has sent is held already");
        Ok(Sent { message_id: duplicate.message_id, sequence_number: duplicate.sequence_number })
    }

    async fn receive(&self, max: u32) -> Vec<Received> {
        let received = self.queue.receive(max, self.now_ms()).await.expect("the file is good");
        received
            .messages
            .into_iter()
            .map(|message| Received {
                message_id: message.message_id,
                sequence_number: message.sequence_number,
                group: message.group,
                deduplication: message.deduplication,
                body: message.body,
                receipt: message.receipt,
                receive_count: message.receive_count,
            })
            .collect()
    }

    async fn delete(&self, receipt: &str) {
        self.queue.delete(receipt, self.now_ms()).await.expect("the file is good");
    }

    async fn change_visibility(&self, receipt: &str, timeout_ms: u64) {
        self.queue.change_visibility(receipt, timeout_ms, self.now_ms()).await.expect("the file is good");
    }

    async fn wait(&self, duration_ms: u64) {
        self.clock.advance(duration_ms);
    }

    async fn dead_letters(&self) -> Vec<OutgoingMessage> {
        let letters = self.queue.dead_letters(0, 1_000, self.now_ms()).await.expect("the file is good");
        letters
            .into_iter()
            .map(|letter| OutgoingMessage {
                group: letter.group,
                deduplication: letter.deduplication,
                body: letter.body,
            })
            .collect()
    }

    async fn redrive(&self) {
        self.queue.redrive(Which::All, self.now_ms()).await.expect("the file is good");
    }
}

#[tokio::test]
async fn the_embedded_queue_conforms() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let queue =
        FifoQueue::open(&folder.path().join("queue.sqlite"), QueueSettings::default()).expect("a new queue");
    let clock = Arc::new(SetClock::new());
    // Bounded, as what the service takes from outside is.
    let port = QueueHandle::bounded(queue.clone(), clock.clone());
    let dead = DeadLetterHandle::new(queue.clone(), clock.clone());
    let queue = Embedded { queue, port, clock };
    all(&queue).await;
    dead_letters::all(&queue, &dead).await;
}
