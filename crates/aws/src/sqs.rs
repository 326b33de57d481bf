//! The sending side of an SQS FIFO queue.
//!
//! Order within a group is kept towards the caller's outcomes:
//!
//! - Calls go out one after the other, and a call that failed as a whole goes out again before
//!   the next one; the queue's deduplication makes that harmless for five minutes.
//! - If single entries of a call fail for load or a fault of the service, those of a group are
//!   sent again only if no later entry of that group was taken by the same call: else they would
//!   arrive behind it. They are reported as failed instead, while the later one is reported as
//!   taken.
//! - Once a message is reported as throttled or unavailable, no further one of its group is sent:
//!   all are reported as unavailable, and the caller may send them again in their order.
//! - A refused message holds nobody up: it will never be in the queue at all.
//!
//! Deliberately absent: receiving, which the event source does.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry,
};
use pitpet_chain::limits::MESSAGE_BYTES_MAX;
use pitpet_pipeline::ports::{DeadLetters, OutgoingMessage, Queue, QueueError};

use crate::attempts::{Attempts, Outlook, Prospect, Repeat};
use crate::failure::{Failure, is_throttling};
use crate::settings::{Settings, SettingsError};

/// Entries that one call of a batch takes: SQS's limit.
const ENTRIES_MAX: usize = 10;
/// Bytes of bodies that one `SendMessageBatch` takes: 256 KiB, SQS's lower limit of the two in use.
const CALL_BYTES_MAX: usize = 256 * 1024;

/// The queue adapter; for a dead-letter queue too. Clones share one client and its connections.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
    attempts: Attempts,
}

type Outcome = Result<(), QueueError>;

/// See [`SqsQueue::come_back`].
pub(crate) async fn come_back(
    client: &Client,
    url: &str,
    attempts: &Attempts,
    received: &[(String, Duration)],
) -> Result<(), QueueError> {
    for call in received.chunks(ENTRIES_MAX) {
        let entries: Vec<_> = call
            .iter()
            .enumerate()
            .map(|(index, (receipt, wait))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(i32::try_from(wait.as_secs()).unwrap_or(i32::MAX))
                    .build()
                    .map_err(|missing| QueueError::Refused { message: missing.to_string() })
            })
            .collect::<Result<_, _>>()?;
        attempts
            .run(Repeat::Harmless, async || {
                client
                    .change_message_visibility_batch()
                    .queue_url(url)
                    .set_entries(Some(entries.clone()))
                    .send()
                    .await
                    .map(drop)
                    .map_err(Failure::of)
            })
            .await?;
    }
    Ok(())
}

impl SqsQueue {
    /// Makes an adapter for the FIFO queue at `url`; connects when first used.
    ///
    /// # Errors
    /// [`SettingsError`] if the settings can't be used.
    pub fn new(settings: &Settings, url: impl Into<String>) -> Result<Self, SettingsError> {
        Ok(Self { client: settings.sqs()?, url: url.into(), attempts: settings.attempts })
    }

    /// Has messages that were received from this queue come back after a wait of their own, whole
    /// seconds up to 12 hours, instead of when the queue's visibility timeout is over. The first of
    /// each pair is the receipt handle.
    ///
    /// # Errors
    /// [`QueueError`]. A receipt that has run out is none: its message is back already.
    pub async fn come_back(&self, received: &[(String, Duration)]) -> Result<(), QueueError> {
        come_back(&self.client, &self.url, &self.attempts, received).await
    }

    /// Sends one call's worth of messages; an outcome for each.
    async fn send_call(&self, messages: &[&OutgoingMessage]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = vec![Ok(()); messages.len()];
        let mut left: Vec<usize> = (0..messages.len()).collect();
        let mut done = 0;
        while !left.is_empty() {
            let failed =
                match self.attempts.run(Repeat::Harmless, || self.send_entries(messages, &left)).await {
                    Ok(failed) => failed,
                    Err(failure) => {
                        let error = QueueError::from(failure);
                        for &index in &left {
                            outcomes[index] = Err(error.clone());
                        }
                        return outcomes;
                    }
                };
            for &index in &left {
                outcomes[index] = failed.get(&index).map_or(Ok(()), |error| Err(error.clone()));
            }
            done += 1;
            left = sendable_again(messages, &left, &failed);
            if done >= self.attempts.count_max {
                return outcomes;
            }
            if !left.is_empty() {
                self.attempts.wait(done).await;
            }
        }
        outcomes
    }

    /// Sends the messages with these indices in one call. The answer holds those that failed.
    async fn send_entries(
        &self,
        messages: &[&OutgoingMessage],
        indices: &[usize],
    ) -> Result<HashMap<usize, QueueError>, Failure> {
        let mut entries = Vec::with_capacity(indices.len());
        for &index in indices {
            let message = messages[index];
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_group_id(&message.group)
                .message_deduplication_id(&message.deduplication)
                .message_body(&message.body)
                .build()
                .map_err(|missing| Failure::Refused(missing.to_string()))?;
            entries.push(entry);
        }
        let answer = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(Failure::of)?;
        let taken: HashSet<&str> = answer.successful().iter().map(|entry| entry.id()).collect();
        let refused: HashMap<&str, &BatchResultErrorEntry> =
            answer.failed().iter().map(|entry| (entry.id(), entry)).collect();
        let mut failed = HashMap::new();
        for &index in indices {
            let id = index.to_string();
            if let Some(entry) = refused.get(id.as_str()) {
                failed.insert(index, entry_error(entry));
            } else if !taken.contains(id.as_str()) {
                let message = "the answer doesn't mention the message".into();
                failed.insert(index, QueueError::Unavailable { message });
            }
        }
        Ok(failed)
    }
}

/// Reads why an entry was not taken.
fn entry_error(entry: &BatchResultErrorEntry) -> QueueError {
    let message = format!("{}: {}", entry.code(), entry.message().unwrap_or("no message"));
    if is_throttling(entry.code()) {
        QueueError::Throttled
    } else if entry.sender_fault() {
        QueueError::Refused { message }
    } else {
        QueueError::Unavailable { message }
    }
}

/// Says whether the queue may take the message another time.
fn may_pass(error: &QueueError) -> bool {
    error.prospect() != Prospect::Settled
}

impl Outlook for QueueError {
    fn prospect(&self) -> Prospect {
        match self {
            Self::Throttled => Prospect::NotExecuted,
            Self::Unavailable { .. } => Prospect::Unknown,
            Self::Refused { .. } => Prospect::Settled,
        }
    }
}

/// Chooses what of a call may be sent again without overtaking: the failed messages of each
/// group, unless a later message of the group was taken.
fn sendable_again(
    messages: &[&OutgoingMessage],
    sent: &[usize],
    failed: &HashMap<usize, QueueError>,
) -> Vec<usize> {
    let last_taken: HashMap<&str, usize> = sent
        .iter()
        .filter(|index| !failed.contains_key(index))
        .map(|&index| (messages[index].group.as_str(), index))
        .collect();
    let overtaken: HashSet<&str> = failed
        .iter()
        .filter(|(_, error)| may_pass(error))
        .map(|(&index, _)| (messages[index].group.as_str(), index))
        .filter(|(group, index)| last_taken.get(group).is_some_and(|last| last > index))
        .map(|(group, _)| group)
        .collect();
    sent.iter()
        .copied()
        .filter(|index| failed.get(index).is_some_and(may_pass))
        .filter(|&index| !overtaken.contains(messages[index].group.as_str()))
        .collect()
}

/// Says why a message is not even offered to the queue.
fn refusal(message: &OutgoingMessage) -> Option<String> {
    let bytes = message.body.len();
    (bytes == 0 || bytes > MESSAGE_BYTES_MAX)
        .then(|| format!("the body has {bytes} bytes, not 1 to {MESSAGE_BYTES_MAX}"))
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(messages.len());
        let mut held_up: HashSet<&str> = HashSet::new();
        let mut rest = messages;
        while !rest.is_empty() {
            let mut bytes = 0;
            let mut count = 0;
            while count < rest.len().min(ENTRIES_MAX)
                && bytes + rest[count].body.len().min(MESSAGE_BYTES_MAX) <= CALL_BYTES_MAX
            {
                bytes += rest[count].body.len().min(MESSAGE_BYTES_MAX);
                count += 1;
            }
            let (call, later) = rest.split_at(count);
            rest = later;

            let mut offered = Vec::with_capacity(call.len());
            let mut answers: Vec<Option<Outcome>> = vec![None; call.len()];
            for (message, answer) in call.iter().zip(&mut answers) {
                if let Some(message) = refusal(message) {
                    *answer = Some(Err(QueueError::Refused { message }));
                } else if held_up.contains(message.group.as_str()) {
                    let message = "not sent: an earlier message of its group was not taken".into();
                    *answer = Some(Err(QueueError::Unavailable { message }));
                } else {
                    offered.push(message);
                }
            }
            let mut sent = self.send_call(&offered).await.into_iter();
            for (message, answer) in call.iter().zip(answers) {
                let outcome = match answer {
                    Some(outcome) => outcome,
                    None => sent.next().expect("send_call answers for each message"),
                };
                if outcome.as_ref().is_err_and(may_pass) {
                    held_up.insert(&message.group);
                }
                outcomes.push(outcome);
            }
        }
        outcomes
    }
}

#[async_trait]
impl DeadLetters for SqsQueue {
    async fn bury(&self, message: &OutgoingMessage) -> Outcome {
        self.send(std::slice::from_ref(message)).await.pop().expect("send answers for each message")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(group: &str) -> OutgoingMessage {
        OutgoingMessage { group: group.into(), deduplication: "d".into(), body: "b".into() }
    }

    #[test]
    fn nothing_is_sent_again_behind_a_later_message_of_its_group() {
        let messages = ["a", "b", "a", "b", "c"].map(message);
        let messages: Vec<_> = messages.iter().collect();
        let sent = [0, 1, 2, 3, 4];
        let passing = || QueueError::Throttled;
        let lasting = || QueueError::Refused { message: "no".into() };

        let failed = HashMap::from([(0, passing()), (3, passing()), (4, lasting())]);
        assert_eq!(sendable_again(&messages, &sent, &failed), [3], "0 has been overtaken by 2");

        let failed = HashMap::from([(0, passing()), (2, passing())]);
        assert_eq!(sendable_again(&messages, &sent, &failed), [0, 2]);

        let failed = HashMap::from([(0, passing()), (2, lasting())]);
        assert_eq!(sendable_again(&messages, &sent, &failed), [0]);
    }
}
