//! The operator's side of the dead-letter queue: look, and send back.
//!
//! Deliberately absent: deleting a message that was not sent back. What can't be mined at all
//! stays until the queue drops it, and is looked at until then.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use pitpet_pipeline::ports::{OutgoingMessage, Queue, QueueError};

use crate::attempts::{Attempts, Repeat};
use crate::failure::Failure;
use crate::settings::{Settings, SettingsError};
use crate::sqs::come_back;

/// Messages that one `ReceiveMessage` gives: SQS's limit.
const RECEIVED_MAX: i32 = 10;
/// How long a message is held while it is looked at or sent back, s.
const HELD_S: i32 = 60;
/// Messages that one call of [`DeadLetterQueue::look`] or [`DeadLetterQueue::redrive`] takes, at most.
const MESSAGES_MAX: usize = 1_000;

/// A message in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// SQS's id.
    pub id: String,
    /// The message, as it was sent to be mined.
    pub message: OutgoingMessage,
    /// When it was sent, ms since the Unix epoch: by the miner that buried it, or, if SQS moved it
    /// after too many receives, by ingest.
    pub sent_ms: u64,
}

/// What is in a queue, about: SQS counts eventually.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that were received and not deleted.
    pub in_flight: u64,
}

/// Reads what is in the queue at `url`, about.
///
/// # Errors
/// [`QueueError`].
pub async fn counts(settings: &Settings, url: &str) -> Result<QueueCounts, QueueError> {
    let client = settings.sqs().map_err(|error| QueueError::Refused { message: error.to_string() })?;
    let (visible, in_flight) = (
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    );
    let answer = settings
        .attempts
        .run(Repeat::Harmless, async || {
            client
                .get_queue_attributes()
                .queue_url(url)
                .attribute_names(visible.clone())
                .attribute_names(in_flight.clone())
                .send()
                .await
                .map_err(Failure::of)
        })
        .await?;
    let attributes = answer.attributes.unwrap_or_default();
    let number = |name| attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(QueueCounts { visible: number(&visible), in_flight: number(&in_flight) })
}

/// The dead-letter queue, received from.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    client: Client,
    url: String,
    attempts: Attempts,
}

impl DeadLetterQueue {
    /// Makes an adapter for the FIFO queue at `url`; connects when first used.
    ///
    /// # Errors
    /// [`SettingsError`] if the settings can't be used.
    pub fn new(settings: &Settings, url: impl Into<String>) -> Result<Self, SettingsError> {
        Ok(Self { client: settings.sqs()?, url: url.into(), attempts: settings.attempts })
    }

    /// Gives the messages, at most 1,000, and leaves them where they are. Those that somebody else
    /// has received are not among them; and of each group at most the first ten, because SQS gives
    /// no further ones while those are held.
    ///
    /// # Errors
    /// [`QueueError`]; what was received by then can be received again after a minute.
    pub async fn look(&self) -> Result<Vec<DeadLetter>, QueueError> {
        let mut found = Vec::new();
        let mut held = Vec::new();
        while found.len() < MESSAGES_MAX {
            let received = self.receive().await?;
            if received.is_empty() {
                break;
            }
            held.extend(received.iter().filter_map(|message| message.receipt_handle.clone()));
            found.extend(received.into_iter().map(dead_letter));
        }
        self.release(&held).await?;
        Ok(found)
    }

    /// Sends the messages to `queue` and deletes each that it took; `progress` is told the number.
    /// At most 1,000 of those that are there when it begins, so that one which comes back at once
    /// doesn't go round for ever.
    ///
    /// A message gets a new deduplication id: with its old one the queue would take a message that
    /// was sent less than five minutes ago for the same, and drop it. What is mined twice by that
    /// is rejected the second time.
    ///
    /// # Errors
    /// [`QueueError`]; what was not sent stays in the dead-letter queue.
    pub async fn redrive(
        &self,
        queue: &dyn Queue,
        now_ms: u64,
        mut progress: impl FnMut(usize),
    ) -> Result<usize, QueueError> {
        let mut redriven = 0;
        while redriven < MESSAGES_MAX {
            let received = self.receive().await?;
            // What came here after the beginning is for the next time.
            let (old, new): (Vec<_>, Vec<_>) =
                received.into_iter().partition(|message| sent_ms(message) <= now_ms);
            let fresh: Vec<_> = new.into_iter().filter_map(|message| message.receipt_handle).collect();
            self.release(&fresh).await?;
            if old.is_empty() {
                break;
            }
            let messages: Vec<OutgoingMessage> = old
                .iter()
                .map(|message| {
                    let mut again = dead_letter(message.clone()).message;
                    again.deduplication = format!("{:.64}-{now_ms}", again.deduplication);
                    again
                })
                .collect();
            let outcomes = queue.send(&messages).await;
            for (message, outcome) in old.into_iter().zip(outcomes) {
                outcome?;
                let Some(handle) = message.receipt_handle else { continue };
                self.attempts
                    .run(Repeat::Harmless, async || {
                        self.client
                            .delete_message()
                            .queue_url(&self.url)
                            .receipt_handle(&handle)
                            .send()
                            .await
                            .map(drop)
                            .map_err(Failure::of)
                    })
                    .await?;
                redriven += 1;
                progress(redriven);
            }
        }
        Ok(redriven)
    }

    async fn receive(&self) -> Result<Vec<Message>, QueueError> {
        let answer = self
            .attempts
            .run(Repeat::Harmless, async || {
                self.client
                    .receive_message()
                    .queue_url(&self.url)
                    .max_number_of_messages(RECEIVED_MAX)
                    .visibility_timeout(HELD_S)
                    .message_system_attribute_names(MessageSystemAttributeName::All)
                    .send()
                    .await
                    .map_err(Failure::of)
            })
            .await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Makes held messages visible again.
    async fn release(&self, handles: &[String]) -> Result<(), QueueError> {
        let now: Vec<_> = handles.iter().map(|handle| (handle.clone(), Duration::ZERO)).collect();
        come_back(&self.client, &self.url, &self.attempts, &now).await
    }
}

fn attribute(message: &Message, name: MessageSystemAttributeName) -> String {
    message.attributes.as_ref().and_then(|all| all.get(&name)).cloned().unwrap_or_default()
}

fn sent_ms(message: &Message) -> u64 {
    attribute(message, MessageSystemAttributeName::SentTimestamp).parse().unwrap_or_default()
}

fn dead_letter(message: Message) -> DeadLetter {
    DeadLetter {
        id: message.message_id.clone().unwrap_or_default(),
        sent_ms: sent_ms(&message),
        message: OutgoingMessage {
            group: attribute(&message, MessageSystemAttributeName::MessageGroupId),
            deduplication: attribute(&message, MessageSystemAttributeName::MessageDeduplicationId),
            body: message.body.unwrap_or_default(),
        },
    }
}
