//! When what a batch could not be done with comes back.
//!
//! SQS shows a failed message again when its visibility timeout is over, which has to be longer
//! than six invocations; until then its whole group stands still. A table that did not answer for
//! a moment would stop a kennel for minutes, so the miner asks for them earlier.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};

use crate::attempts::doubled;
use crate::sqs::SqsQueue;

/// The wait after the first receive.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const MAX: Duration = Duration::from_secs(300);

/// A message as it was received.
struct Receipt {
    id: String,
    group: String,
    handle: String,
    /// How often it was received, this time included.
    count: u32,
}

/// What is needed of a batch to have its messages back.
pub struct Receipts(Vec<Receipt>);

impl Receipts {
    /// Takes them from the event, before it is mined.
    pub fn of(event: &SqsEvent) -> Self {
        let receipt = |record: &SqsMessage| {
            let attribute = |name: &str| record.attributes.get(name).cloned().unwrap_or_default();
            Some(Receipt {
                id: record.message_id.clone()?,
                group: attribute("MessageGroupId"),
                handle: record.receipt_handle.clone()?,
                count: attribute("ApproximateReceiveCount").parse().unwrap_or(1),
            })
        };
        Self(event.records.iter().filter_map(receipt).collect())
    }

    /// The handles of the failed ones, and after how long each comes back. Those of a group do at
    /// the same time, so that none waits for another twice: after the most receives among them.
    fn waits(&self, failed: &SqsBatchResponse) -> Vec<(String, Duration)> {
        let has_failed = |receipt: &&Receipt| {
            failed.batch_item_failures.iter().any(|failure| failure.item_identifier == receipt.id)
        };
        let mut groups: BTreeMap<&str, u32> = BTreeMap::new();
        for receipt in self.0.iter().filter(has_failed) {
            let most = groups.entry(&receipt.group).or_default();
            *most = receipt.count.max(*most);
        }
        let wait = |receipt: &Receipt| doubled(FIRST, groups[receipt.group.as_str()], MAX);
        self.0.iter().filter(has_failed).map(|receipt| (receipt.handle.clone(), wait(receipt))).collect()
    }
}

/// Has failed messages come back soon.
pub struct Redelivery {
    queue: Arc<SqsQueue>,
}

impl Redelivery {
    /// For messages of this queue.
    pub fn new(queue: Arc<SqsQueue>) -> Self {
        Self { queue }
    }

    /// Has the failed ones come back after a second, or after twice as long as the last time, up to
    /// five minutes. If the queue can't be asked they come back after its visibility timeout.
    pub async fn come_back(&self, receipts: &Receipts, failed: &SqsBatchResponse) {
        let waits = receipts.waits(failed);
        if let Err(error) = self.queue.come_back(&waits).await {
            tracing::warn!(%error, messages = waits.len(), "failed messages wait for their visibility timeout");
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::BatchItemFailure;

    use super::*;

    fn record(id: &str, group: &str, count: u32) -> SqsMessage {
        let mut record = SqsMessage::default();
        record.message_id = Some(id.to_owned());
        record.receipt_handle = Some(format!("receipt of {id}"));
        record.attributes =
            [("MessageGroupId", group.to_owned()), ("ApproximateReceiveCount", count.to_string())]
                .map(|(name, value)| (name.to_owned(), value))
                .into();
        record
    }

    #[test]
    fn a_group_comes_back_together_later_each_time() {
        let mut event = SqsEvent::default();
        event.records = vec![
            record("done", "a", 60),
            record("first", "a", 3),
            record("other", "b", 1),
            record("later", "a", 2),
            record("often", "c", 40),
        ];
        let mut failed = SqsBatchResponse::default();
        for id in ["first", "other", "later", "often", "of no batch"] {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id.to_owned();
            failed.batch_item_failures.push(failure);
        }
        let waits = Receipts::of(&event).waits(&failed);
        let waits: Vec<_> = waits.iter().map(|(handle, wait)| (handle.as_str(), wait.as_secs())).collect();
        let expected = [
            ("receipt of first", 4),
            ("receipt of other", 1),
            ("receipt of later", 4),
            ("receipt of often", 300),
        ];
        assert_eq!(waits, expected);
    }
}
