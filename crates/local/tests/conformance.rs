//! The embedded queue runs the suite of its port.

#[path = "support/clock.rs"]
mod clock;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use clock::{NOW_MS, Standing};
use pitpet_local::queue::{DeadLetterHandle, FifoQueue, QueueSettings, Which};
use pitpet_pipeline::conformance::dead_letters;
use pitpet_pipeline::conformance::queue::{Parameters, QueueUnderTest, Received, Sent, Time, all};
use pitpet_pipeline::ports::{OutgoingMessage, QueueError};

struct Embedded {
    queue: FifoQueue,
    now_ms: AtomicU64,
}

impl Embedded {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
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
        let sent = self.queue.send(vec![message.clone()], self.now_ms()).await.remove(0)?;
        Ok(Sent { message_id: sent.message_id, sequence_number: sent.sequence_number })
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
        self.now_ms.fetch_add(duration_ms, Ordering::SeqCst);
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
    let port = DeadLetterHandle::new(queue.clone(), Arc::new(Standing));
    let queue = Embedded { queue, now_ms: AtomicU64::new(NOW_MS) };
    all(&queue).await;
    dead_letters::all(&queue, &port).await;
}
