//! The embedded FIFO queue, with its dead-letter queue, kept in one SQLite file.
//!
//! It keeps those semantics of an SQS FIFO queue that the pipeline leans on (Amazon SQS Developer
//! Guide, "FIFO queue delivery logic"):
//! - order within a message group, and a lock on the group while any of its messages is in
//!   flight; one receive may take several messages of one group, in order, and fills up from the
//!   next free groups;
//! - deduplication by id for five minutes, which outlives the deletion of the original;
//! - visibility timeout, redelivery, receive counts, and a receipt that the next receive voids;
//! - after `max_receive_count` receives a message moves whole to the dead-letter queue.
//!
//! A call that was answered is on the disk: the file is in WAL mode with `synchronous=FULL`, and
//! one thread folds the calls that wait for it into one transaction, whose commit comes before
//! their answers. [`FifoQueue::durability`] reads both settings back.
//!
//! Time is an argument of every call and is never read inside; [`FifoQueue::changes`] together
//! with [`Received::next_due_ms`] tells a consumer when to look again, so nobody polls.
//!
//! Where it is kinder than SQS: a receipt stays good for deletion after the visibility timeout
//! until somebody else receives the message; the dead-letter queue deduplicates against what it
//! holds, not by time, so that a message that is redriven and fails again within five minutes is
//! kept.
//!
//! Deliberately absent: delays, message attributes, high-throughput mode, the limit on messages
//! in flight, policies, encryption, and a second process on the same file (it is refused).

mod dead;
mod handles;
mod store;
mod writer;

use std::path::Path;
use std::sync::Arc;

use pitpet_pipeline::ports::{OutgoingMessage, QueueError};
use tokio::sync::watch;

pub use handles::{DeadLetterHandle, QueueHandle};
use writer::{Wake, Writer};

/// Most messages that one receive gives, as in SQS.
pub const RECEIVE_MAX: u32 = 10;

/// Largest body, in bytes: 256 KiB, the classic limit of an SQS message.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Longest group or deduplication id, in characters, as in SQS.
pub const ID_CHARACTERS_MAX: usize = 128;

/// Longest visibility timeout: 12 hours, as in SQS.
pub const VISIBILITY_TIMEOUT_MS_MAX: u64 = 12 * 60 * 60 * 1_000;

/// Most dead letters that one listing gives.
pub const DEAD_LIST_MAX: u32 = 1_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What can be set of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays invisible, ms; at most [`VISIBILITY_TIMEOUT_MS_MAX`].
    pub visibility_timeout_ms: u64,
    /// How often a message is handed out before it moves to the dead-letter queue; at least 1.
    pub max_receive_count: u32,
    /// For how long a second send of a deduplication id is answered from the first, ms.
    pub deduplication_ms: u64,
    /// After how long a message that nobody deleted is dropped, ms.
    pub retention_ms: u64,
    /// The same for the dead-letter queue, counted from the moment the message moved there, ms.
    pub dead_retention_ms: u64,
}

impl Default for QueueSettings {
    /// Visibility 2 minutes, 5 receives, deduplication 5 minutes, retention 4 and 14 days.
    fn default() -> Self {
        Self {
            visibility_timeout_ms: 120_000,
            max_receive_count: 5,
            deduplication_ms: 5 * 60 * 1_000,
            retention_ms: 4 * DAY_MS,
            dead_retention_ms: 14 * DAY_MS,
        }
    }
}

/// Why a call of the queue failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FifoError {
    /// The file could not be read or written, or the queue is closed. Nothing of the call was
    /// kept, unless it was the commit itself that failed: look again before deciding.
    #[error("the queue's file could not be read or written: {message}")]
    Unavailable {
        /// For the log.
        message: String,
    },
    /// The file can't be opened as a queue: in use by another process, or of another version.
    #[error("the queue can't be opened: {message}")]
    Unopenable {
        /// For the operator.
        message: String,
    },
}

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `MessageId`: of the original, if this was a duplicate.
    pub message_id: String,
    /// `SequenceNumber`: 20 digits, rising; of the original, if this was a duplicate.
    pub sequence_number: String,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `MessageId`.
    pub message_id: String,
    /// `SequenceNumber`: 20 digits, rising.
    pub sequence_number: String,
    /// `MessageGroupId`.
    pub group: String,
    /// `MessageDeduplicationId`.
    pub deduplication: String,
    /// The body, as it was sent.
    pub body: String,
    /// MD5 of the body, lower-case hex.
    pub md5_of_body: String,
    /// The receipt handle of this receive.
    pub receipt: String,
    /// `ApproximateReceiveCount`, this receive included.
    pub receive_count: u32,
    /// `SentTimestamp`, ms since the Unix epoch.
    pub sent_ms: u64,
    /// `ApproximateFirstReceiveTimestamp`, ms since the Unix epoch.
    pub first_receive_ms: u64,
}

/// The answer to a receive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The messages, at most as many as were asked for.
    pub messages: Vec<Message>,
    /// When the next locked group becomes free by itself, ms since the Unix epoch.
    pub next_due_ms: Option<u64>,
    /// How many messages moved to the dead-letter queue on the way.
    pub moved_to_dead: u32,
}

/// What to do with a message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is done: delete it.
    Delete {
        /// Its receipt.
        receipt: String,
    },
    /// `ChangeMessageVisibility`: it becomes visible after this long; 0 is at once.
    Visibility {
        /// Its receipt.
        receipt: String,
        /// From the call's `now_ms` on, ms; cut to [`VISIBILITY_TIMEOUT_MS_MAX`].
        timeout_ms: u64,
    },
}

/// What became of a [`Settlement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was done, or the message was already deleted.
    Done,
    /// The message was received again since: this receipt can't do anything any more.
    StaleReceipt,
    /// The visibility timeout is over, so there is nothing to change.
    NotInFlight,
    /// That was never a receipt of this queue.
    Unknown,
}

/// Which dead letters a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those with these message ids; unknown ones are passed over.
    Ids(Vec<String>),
}

/// A message in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place in the dead-letter queue, rising; to go on listing after it.
    pub place: u64,
    /// `MessageId`: that of the main queue, if it came from there.
    pub message_id: String,
    /// `MessageGroupId`.
    pub group: String,
    /// `MessageDeduplicationId`.
    pub deduplication: String,
    /// The body, whole.
    pub body: String,
    /// When it was first sent, ms since the Unix epoch.
    pub sent_ms: u64,
    /// When it came here, ms since the Unix epoch.
    pub dead_ms: u64,
    /// How often it was received from the main queue; 0 if it was sent here directly.
    pub receive_count: u32,
}

/// How full the queues are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that aren't in flight; those behind a locked group included.
    pub visible: u64,
    /// Messages in flight.
    pub in_flight: u64,
    /// Bytes of the bodies of both.
    pub bytes: u64,
    /// Age of the oldest message in the main queue, ms; 0 if it is empty.
    pub oldest_age_ms: u64,
    /// Messages in the dead-letter queue.
    pub dead: u64,
}

/// What to do with the receive counts of messages whose consumer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptedReceives {
    /// They count, as in SQS: a message that ends its consumer's process dies in the end.
    Count,
    /// The interrupted receive is taken back: stopping the process wears no message down.
    TakeBack,
}

/// The settings of the file that decide what survives a power cut, as SQLite reports them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `PRAGMA journal_mode`: `wal`.
    pub journal_mode: String,
    /// `PRAGMA synchronous`: 2 is `FULL`, an fsync before each commit is answered.
    pub synchronous: u32,
}

impl Durability {
    /// Says whether what was answered also survives a power cut.
    pub fn survives_power_cut(&self) -> bool {
        self.journal_mode == "wal" && self.synchronous >= 2
    }
}

/// A FIFO queue and its dead-letter queue. Clones share one file and one writer; dropping the
/// last one finishes what was asked and closes the file.
#[derive(Clone)]
pub struct FifoQueue {
    writer: Arc<Writer>,
    settings: Arc<QueueSettings>,
}

impl FifoQueue {
    /// Opens or creates the queue in a file; its folder must exist. Blocks on disk I/O.
    ///
    /// # Errors
    /// `Unopenable` if another process has it open, it isn't a queue's file, or the disk fails.
    pub fn open(path: &Path, settings: QueueSettings) -> Result<Self, FifoError> {
        let unopenable = |error: &dyn std::fmt::Display| FifoError::Unopenable {
            message: format!("{}: {error}", path.display()),
        };
        let connection = store::open(path).map_err(|error| unopenable(&error))?;
        let writer = Writer::start(connection).map_err(|error| unopenable(&error))?;
        Ok(Self { writer: Arc::new(writer), settings: Arc::new(settings) })
    }

    /// Returns the settings it was opened with.
    pub fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    /// Watches for changes that may make a message receivable: the number rises after a send, a
    /// settlement, a redrive or a release is committed. Visibility timeouts that run out don't
    /// show here; see [`Received::next_due_ms`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.writer.changes()
    }

    /// Sends messages, in order, all in one transaction; one outcome a message.
    ///
    /// A duplicate is answered with the original's ids.
    ///
    /// # Errors
    /// Per message: `Refused` for a body or id that SQS would refuse, `Unavailable` if it isn't
    /// known to be held.
    pub async fn send(&self, messages: Vec<OutgoingMessage>, now_ms: u64) -> Vec<Result<Sent, QueueError>> {
        let count = messages.len();
        let deduplication_ms = self.settings.deduplication_ms;
        let answer = self
            .writer
            .call(Wake::Consumers, move |transaction| {
                store::forget_duplicates(transaction, now_ms)?;
                messages
                    .iter()
                    .map(|message| match refusal(message) {
                        Some(reason) => Ok(Err(QueueError::Refused { message: reason.to_owned() })),
                        None => store::send(transaction, message, now_ms, deduplication_ms).map(Ok),
                    })
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await;
        answer
            .unwrap_or_else(|error| vec![Err(QueueError::Unavailable { message: error.to_string() }); count])
    }

    /// Receives up to `max` messages (at most [`RECEIVE_MAX`]) and locks their groups.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn receive(&self, max: u32, now_ms: u64) -> Result<Received, FifoError> {
        let settings = Arc::clone(&self.settings);
        self.writer
            .call(Wake::Nobody, move |transaction| {
                store::drop_expired(transaction, &settings, now_ms)?;
                store::receive(transaction, &settings, max.min(RECEIVE_MAX), now_ms)
            })
            .await
    }

    /// Deletes messages or changes their visibility, all in one transaction; one outcome each.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn settle(&self, settlements: Vec<Settlement>, now_ms: u64) -> Result<Vec<Settled>, FifoError> {
        self.writer
            .call(Wake::Consumers, move |transaction| {
                settlements.iter().map(|settlement| store::settle(transaction, settlement, now_ms)).collect()
            })
            .await
    }

    /// Deletes one message.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn delete(&self, receipt: &str, now_ms: u64) -> Result<Settled, FifoError> {
        let settlement = Settlement::Delete { receipt: receipt.to_owned() };
        Ok(self.settle(vec![settlement], now_ms).await?.remove(0))
    }

    /// Changes for how long one message stays invisible, from `now_ms` on.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn change_visibility(
        &self,
        receipt: &str,
        timeout_ms: u64,
        now_ms: u64,
    ) -> Result<Settled, FifoError> {
        let settlement = Settlement::Visibility { receipt: receipt.to_owned(), timeout_ms };
        Ok(self.settle(vec![settlement], now_ms).await?.remove(0))
    }

    /// Makes every message in flight visible again; returns how many.
    ///
    /// For the only consumer of the file, when it starts: what was in flight then belonged to a
    /// process that is gone. Receipts given before are void.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn release_in_flight(
        &self,
        interrupted: InterruptedReceives,
        now_ms: u64,
    ) -> Result<u64, FifoError> {
        self.writer
            .call(Wake::Consumers, move |transaction| {
                store::release_in_flight(transaction, interrupted, now_ms)
            })
            .await
    }

    /// Puts a message into the dead-letter queue; one that it already holds (same group,
    /// deduplication id and body) is not put twice.
    ///
    /// # Errors
    /// `Refused` for a body or id that SQS would refuse, `Unavailable` if it isn't known to be held.
    pub async fn bury(&self, message: OutgoingMessage, now_ms: u64) -> Result<(), QueueError> {
        if let Some(reason) = refusal(&message) {
            return Err(QueueError::Refused { message: reason.to_owned() });
        }
        self.writer
            .call(Wake::Nobody, move |transaction| dead::bury(transaction, &message, now_ms))
            .await
            .map_err(|error| QueueError::Unavailable { message: error.to_string() })
    }

    /// Lists dead letters in order, without touching them: those after the place `after` (0 for
    /// the start), at most `limit` and [`DEAD_LIST_MAX`].
    ///
    /// # Errors
    /// `Unavailable` if the file can't be read.
    pub async fn dead_letters(
        &self,
        after: u64,
        limit: u32,
        now_ms: u64,
    ) -> Result<Vec<DeadLetter>, FifoError> {
        let settings = Arc::clone(&self.settings);
        self.writer
            .call(Wake::Nobody, move |transaction| {
                store::drop_expired(transaction, &settings, now_ms)?;
                dead::list(transaction, after, limit.min(DEAD_LIST_MAX))
            })
            .await
    }

    /// Moves dead letters back to the end of the main queue, in their order, as new messages (new
    /// ids and timestamps, no receives); returns how many.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn redrive(&self, which: Which, now_ms: u64) -> Result<u64, FifoError> {
        let deduplication_ms = self.settings.deduplication_ms;
        self.writer
            .call(Wake::Consumers, move |transaction| {
                dead::redrive(transaction, &which, now_ms, deduplication_ms)
            })
            .await
    }

    /// Deletes dead letters for good; returns how many.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn discard_dead(&self, which: Which) -> Result<u64, FifoError> {
        self.writer.call(Wake::Nobody, move |transaction| dead::discard(transaction, &which)).await
    }

    /// Counts messages.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be read.
    pub async fn counts(&self, now_ms: u64) -> Result<Counts, FifoError> {
        self.writer.call(Wake::Nobody, move |transaction| store::counts(transaction, now_ms)).await
    }

    /// Reads back the settings that decide what survives a power cut.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be read.
    pub async fn durability(&self) -> Result<Durability, FifoError> {
        self.writer.call(Wake::Nobody, store::durability).await
    }
}

/// Says why SQS would refuse a message, if it would.
fn refusal(message: &OutgoingMessage) -> Option<&'static str> {
    let id_is_good = |id: &str| {
        !id.is_empty() && id.len() <= ID_CHARACTERS_MAX && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if !id_is_good(&message.group) {
        Some("the message group id must be 1 to 128 letters, digits or punctuation marks")
    } else if !id_is_good(&message.deduplication) {
        Some("the deduplication id must be 1 to 128 letters, digits or punctuation marks")
    } else if message.body.is_empty() {
        Some("the body is empty")
    } else if message.body.len() > BODY_BYTES_MAX {
        Some("the body is larger than 256 KiB")
    } else if !message.body.chars().all(allowed) {
        Some("the body has a control character that a queue doesn't carry")
    } else {
        None
    }
}
