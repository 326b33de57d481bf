//! The queue in memory runs the suites of its ports.

use std::sync::Arc;

use async_trait::async_trait;
use pitpet_pipeline::conformance::dead_letters;
use pitpet_pipeline::conformance::queue::{Parameters, QueueUnderTest, Received, Sent, Time, all};
use pitpet_pipeline::ports::{OutgoingMessage, Queue, QueueError};
use pitpet_simulator::queue::{QueueSettings, id_of};
use pitpet_simulator::{MemoryQueue, TestClock};

struct InMemory {
    clock: Arc<TestClock>,
    queue: MemoryQueue,
}

#[async_trait]
impl QueueUnderTest for InMemory {
    fn parameters(&self) -> Parameters {
        Parameters {
            time: Time::Simulated,
            visibility_timeout_ms: self.queue.settings().visibility_timeout_ms,
            max_receive_count: self.queue.settings().max_receive_count,
            run: "run".to_owned(),
        }
    }

    async fn send(&self, message: &OutgoingMessage) -> Result<Sent, QueueError> {
        self.queue.send(std::slice::from_ref(message)).await.remove(0)?;
        // The port gives no ids; a duplicate is answered with those of the first.
        let held = self.queue.len();
        let sequence = self.queue.take(message);
        assert_eq!(self.queue.len(), held, "what the port has sent is held already");
        Ok(Sent { message_id: id_of(sequence), sequence_number: sequence.to_string() })
    }

    async fn receive(&self, max: u32) -> Vec<Received> {
        let deliveries = self.queue.receive(max as usize);
        deliveries
            .into_iter()
            .map(|delivery| Received {
                message_id: delivery.received.id,
                sequence_number: delivery.sequence.to_string(),
                group: delivery.received.message.group,
                deduplication: delivery.received.message.deduplication,
                body: delivery.received.message.body,
                receipt: delivery.receipt,
                receive_count: delivery.receive_count,
            })
            .collect()
    }

    async fn delete(&self, receipt: &str) {
        self.queue.delete(receipt);
    }

    async fn change_visibility(&self, receipt: &str, timeout_ms: u64) {
        self.queue.change_visibility(receipt, timeout_ms);
    }

    async fn wait(&self, duration_ms: u64) {
        self.clock.advance(duration_ms);
    }

    async fn dead_letters(&self) -> Vec<OutgoingMessage> {
        self.queue.dead()
    }

    async fn redrive(&self) {
        self.queue.redrive();
    }
}

#[tokio::test]
async fn the_queue_in_memory_conforms() {
    let clock = Arc::new(TestClock::new(1_795_000_000_000));
    let queue = MemoryQueue::new(clock.clone(), QueueSettings::default());
    let queue = InMemory { clock, queue };
    all(&queue).await;
    dead_letters::all(&queue, &queue.queue).await;
}
