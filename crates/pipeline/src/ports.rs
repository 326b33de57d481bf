//! Ports: what the use cases need of the world, named after what the caller can do.
//!
//! Deliberately absent: SDK types, retries (an adapter retries what is safe to retry, within a
//! bound, and then says `Throttled` or `Unavailable`), and any rule of the chain.
//!
//! What each of the ports promises is a suite in `conformance`, which these adapters run:
//!
//! | port | adapters |
//! |---|---|
//! | [`Table`] | DynamoDB's over an embedded engine (`crates/aws`); in memory (`crates/simulator`) |
//! | [`Queue`], [`DeadLetters`] | SQS's (`crates/aws`); the embedded queue's (`crates/local`); in memory |
//! | [`Objects`] | a folder's and S3's (`crates/aws`); in memory |
//! | [`ModuleHost`] | the native rules and the host of replicas (here); wasmer's (`functions/miner`) |
//! | [`Clock`] | the system's (`crates/aws`); the simulator's |
//!
//! Those of SQS and S3 run it where an emulated cloud is given. That the native rules and the module in
//! Wasm decide alike is held by golden vectors, which both have to answer byte for byte (`cargo xtask
//! module check`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// An attribute of an item.
///
/// Maps one to one onto DynamoDB's `S`, `N`, `B`, `BOOL` and `L`; numbers are unsigned, because
/// nothing that PitPet stores is negative or fractional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `S`, UTF-8 text.
    Text(String),
    /// `N`, an unsigned integer.
    Number(u64),
    /// `B`, bytes.
    Bytes(Vec<u8>),
    /// `BOOL`.
    Flag(bool),
    /// `L`, a list.
    List(Vec<Value>),
}

/// The attributes of an item, without its key.
pub type Attributes = BTreeMap<String, Value>;

/// The primary key of an item: `pk` chooses the partition, `sk` orders within it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Partition key, UTF-8, at most 2,048 bytes.
    pub pk: String,
    /// Sort key, UTF-8, at most 1,024 bytes; ordered by its bytes.
    pub sk: String,
}

impl Key {
    /// Makes a key.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// A whole item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key.
    pub key: Key,
    /// Its attributes, at most 400 KB with the key.
    pub attributes: Attributes,
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every write that was answered before the read began.
    Strong,
    /// May lag.
    Eventual,
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The item doesn't exist.
    Absent,
    /// The item exists and the attribute equals the value.
    Equals(&'static str, Value),
    /// The item doesn't exist, or has no such attribute, or the attribute is a lower number.
    Below(&'static str, u64),
}

/// A conditional write of named attributes; others stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Which item; it is created if the condition allows it.
    pub key: Key,
    /// Attributes to set.
    pub set: Attributes,
    /// Attributes to remove.
    pub remove: Vec<&'static str>,
    /// When to write at all.
    pub condition: Condition,
    /// Whether the adapter may send the write again by itself.
    pub retry: Retry,
}

/// Whether an adapter may repeat a write whose outcome it doesn't know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Repeating is harmless.
    Allowed,
    /// One attempt: a repeated write could meet its own effect and report a conflict.
    Never,
}

/// What one call of [`Table::publish`] writes.
///
/// `immutable` items are the same whoever writes them and may be overwritten with themselves.
/// `guarded` updates carry [`Condition::Below`] or [`Condition::Absent`]; one whose condition
/// fails is *skipped* without an error, because somebody has published something newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishBatch {
    /// Items to put without a condition.
    pub immutable: Vec<Item>,
    /// Updates to apply where their condition holds.
    pub guarded: Vec<Update>,
}

/// A bounded read of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The partition.
    pub pk: String,
    /// Only sort keys that are at least this (inclusive).
    pub from: String,
    /// Only sort keys that are at most this (inclusive).
    pub to: String,
    /// Ascending or descending by sort key.
    pub order: Order,
    /// At most this many items, 1 to 1,000.
    pub limit: u32,
    /// How fresh.
    pub consistency: Consistency,
}

/// The order of a query's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lowest sort key first.
    Ascending,
    /// Highest sort key first.
    Descending,
}

/// Why a call of the table failed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The condition did not hold: reload and decide again.
    #[error("the condition of the write did not hold")]
    Conflict,
    /// Too many requests, even after the adapter's bounded retries: try later.
    #[error("the table is throttling requests")]
    Throttled,
    /// The outcome is unknown (time-out, broken connection, server error): re-read before deciding.
    #[error("the table could not be reached or did not answer: {message}")]
    Unavailable {
        /// For the log.
        message: String,
    },
    /// The request can never succeed (item too large, missing table, permission): a fault of ours or of the operator.
    #[error("the table refused the request: {message}")]
    Refused {
        /// For the log.
        message: String,
    },
}

/// The one table.
#[async_trait]
pub trait Table: Send + Sync {
    /// Reads one item.
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError>;

    /// Reads up to 100 items, eventually consistent; the answer has one entry a key, in order.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError>;

    /// Reads a bounded range of one partition; never more than `limit` items.
    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError>;

    /// Puts an item that must not exist yet.
    ///
    /// # Errors
    /// `Conflict` if an item with that key exists.
    async fn put_new(&self, item: &Item) -> Result<(), TableError>;

    /// Writes named attributes if the condition holds.
    ///
    /// # Errors
    /// `Conflict` if it does not.
    async fn update(&self, update: &Update) -> Result<(), TableError>;

    /// Writes a batch of any size, in chunks of the adapter's choosing; not atomic. See [`PublishBatch`].
    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError>;

    /// Deletes an item; deleting what doesn't exist is no error.
    async fn delete(&self, key: &Key) -> Result<(), TableError>;
}

/// A message for the FIFO queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// `MessageGroupId`: the kennel, in hex.
    pub group: String,
    /// `MessageDeduplicationId`: the hash of the body, in hex.
    pub deduplication: String,
    /// The body, text, at most [`pitpet_chain::limits::MESSAGE_BYTES_MAX`] bytes.
    pub body: String,
}

/// Why a message was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueueError {
    /// Too many requests: try later.
    #[error("the queue is throttling requests")]
    Throttled,
    /// Not known whether it was taken; sending again is harmless within the deduplication window.
    #[error("the queue could not be reached or did not answer: {message}")]
    Unavailable {
        /// For the log.
        message: String,
    },
    /// The queue will never take this message.
    #[error("the queue refused the message: {message}")]
    Refused {
        /// For the log.
        message: String,
    },
}

/// The sending side of the FIFO queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends messages, any number, in order within each group; one outcome a message, in order.
    /// `Ok` means that the queue holds the message durably.
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>>;

    /// Whether it would take messages just now. Asked before signatures are checked, so that
    /// refusing a flood costs little; a queue without a bound always would.
    async fn has_room(&self) -> bool {
        true
    }
}

/// The sending side of the dead-letter queue, for messages that the miner gives up by itself.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Sends one message, unchanged; `Ok` means that it is held durably.
    async fn bury(&self, message: &OutgoingMessage) -> Result<(), QueueError>;
}

/// Why an object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No object has that key.
    #[error("no such object")]
    NotFound,
    /// The store could not be reached or did not answer.
    #[error("the object store could not be reached or did not answer: {message}")]
    Unavailable {
        /// For the log.
        message: String,
    },
    /// The store will never accept this (bad key, full disk, permission).
    #[error("the object store refused the request: {message}")]
    Refused {
        /// For the log.
        message: String,
    },
}

/// Where a client may put one object, once, for a short time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadTicket {
    /// Absolute URL, or a path relative to the server that gave the ticket.
    pub url: String,
    /// HTTP method, `PUT`.
    pub method: String,
    /// Headers that the client must send, exactly.
    pub headers: BTreeMap<String, String>,
    /// When the ticket ends, ms since the Unix epoch.
    pub expires_ms: u64,
}

/// The content-addressed object store.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes an object durably, replacing one of that key.
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError>;

    /// Reads a whole object.
    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError>;

    /// Says whether an object exists, by its size in bytes.
    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError>;

    /// Lists the keys under a prefix that ends in `/`, in ascending order, at most 1,000.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError>;

    /// Deletes an object; deleting what doesn't exist is no error.
    async fn delete(&self, key: &str) -> Result<(), ObjectError>;

    /// Makes a ticket to upload exactly the bytes with this SHA-256 and size.
    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError>;
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// Waits; returns after about `duration_ms`.
    fn sleep(&self, duration_ms: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Why the chain module failed: the host's side, never a decision of the rules.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// No module with this rules hash is to be had here.
    #[error("no chain module with rules hash {0} is available")]
    UnknownRules(String),
    /// The module trapped, ran out of fuel, or broke its interface; the instance must be discarded.
    #[error("the chain module trapped: {0}")]
    Trap(String),
    /// The module refused its input as a whole (bad snapshot, block that does not replay), with a reason.
    #[error("the chain module refused its input: {0}")]
    Refused(pitpet_chain::kennel::Fault),
    /// The module could not be loaded.
    #[error("the chain module could not be loaded: {0}")]
    Load(String),
}

/// Makes chain instances: wasmer in the miner, the native build in query.
pub trait ModuleHost: Send + Sync {
    /// Opens a kennel and returns it with the canonical `Opened` record.
    ///
    /// `rules_hash` names the module; `start` is the canonical `Start` record of
    /// `pitpet_chain::abi`: a genesis or a snapshot.
    ///
    /// # Errors
    /// [`ModuleError`].
    fn open(
        &self,
        rules_hash: &[u8; 32],
        start: &[u8],
    ) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError>;

    /// Says whether the module can be run at all: it is here, passes the gate and loads. A host
    /// without modules to load has nothing to say against any.
    ///
    /// # Errors
    /// [`ModuleError::UnknownRules`] or [`ModuleError::Load`].
    fn check(&self, _rules_hash: &[u8; 32]) -> Result<(), ModuleError> {
        Ok(())
    }
}

/// One open kennel: its state stays inside between calls. All bytes are canonical records of
/// `pitpet_chain::abi`.
pub trait ChainInstance: Send {
    /// Decides a batch and makes at most one block of it. The state moves on: discard the
    /// instance if the block isn't committed.
    fn apply(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError>;

    /// Checks a block against the state and takes it over.
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError>;

    /// Writes the whole state.
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError>;

    /// Answers a read-only question (proofs, records).
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, ModuleError>;

    /// The state itself, where the rules run natively; a module's stays inside.
    fn state(&self) -> Option<&pitpet_chain::state::State> {
        None
    }
}
