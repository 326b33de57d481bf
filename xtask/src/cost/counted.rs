//! Ports that count: each function has its own, so that what it uses is known apart.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use pitpet_aws::dynamo::{Consumed, Meter};
use pitpet_aws::settings::PublishMode;
use pitpet_aws::{DynamoTable, Settings};
use pitpet_pipeline::ports::{
    Attributes, Consistency, Item, Key, ObjectError, Objects, PublishBatch, Query, Table, TableError, Update,
    UploadTicket, Value,
};
use pitpet_simulator::MemoryObjects;

/// Bytes of the items that were written, by their keys: what stays in the table.
pub(super) type Kept = Arc<Mutex<HashMap<Key, u64>>>;

/// A table adapter with what its calls consumed, by kind of item.
pub(super) struct CountedTable {
    inner: DynamoTable,
    meter: Arc<Meter>,
    used: Mutex<BTreeMap<&'static str, Consumed>>,
    kept: Kept,
    /// Calls that had to be waited for, one after the other.
    waits: AtomicU64,
}

impl CountedTable {
    /// An adapter as it is in the cloud, on an engine that stands in for DynamoDB.
    pub(super) fn new(endpoint: &str, name: &str, kept: &Kept) -> anyhow::Result<Arc<Self>> {
        let settings = Settings { publish: PublishMode::Cloud, ..Settings::embedded(endpoint) };
        let meter = Arc::new(Meter::default());
        let inner = DynamoTable::metered(&settings, name, meter.clone())?;
        let used = Mutex::default();
        Ok(Arc::new(Self { inner, meter, used, kept: kept.clone(), waits: AtomicU64::new(0) }))
    }

    /// What was used since the last time, by kind of item.
    pub(super) fn take(&self) -> BTreeMap<&'static str, Consumed> {
        std::mem::take(&mut self.used())
    }

    /// Calls waited for since the last time.
    pub(super) fn take_waits(&self) -> u64 {
        self.waits.swap(0, Relaxed)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<&'static str, Consumed>> {
        self.used.lock().expect("no panic while the sums are locked")
    }

    /// Puts down what the last call consumed. Calls of one function follow one another here.
    fn note(&self, kind: &'static str, waits: u64) {
        let more = self.meter.take();
        let mut used = self.used();
        let sum = used.entry(kind).or_default();
        sum.read_units += more.read_units;
        sum.write_units += more.write_units;
        sum.calls += more.calls;
        self.waits.fetch_add(waits, Relaxed);
    }

    fn keep(&self, key: &Key, attributes: &Attributes) {
        let bytes = key_bytes(key) + attributes_bytes(attributes);
        let mut kept = self.kept.lock().expect("no panic while the items are locked");
        let held = kept.entry(key.clone()).or_default();
        // An update may name a part of the attributes.
        *held = bytes.max(*held);
    }
}

fn key_bytes(key: &Key) -> u64 {
    ("pk".len() + key.pk.len() + "sk".len() + key.sk.len()) as u64
}

/// Bytes of attributes by DynamoDB's published rules: names and texts in UTF-8, bytes as they are,
/// numbers one byte for two digits and one more, lists three bytes and one an element.
fn attributes_bytes(attributes: &Attributes) -> u64 {
    attributes.iter().map(|(name, value)| name.len() as u64 + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::Text(text) => text.len() as u64,
        Value::Number(number) => number.to_string().len().div_ceil(2) as u64 + 1,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::Flag(_) => 1,
        Value::List(values) => 3 + values.iter().map(|value| 1 + value_bytes(value)).sum::<u64>(),
    }
}

/// The kind of an item, by its keys: the rows of the table in `items.rs`.
fn kind(pk: &str, sk: &str) -> &'static str {
    match (pk.split('#').next().unwrap_or_default(), sk.split('#').next().unwrap_or_default()) {
        ("K", "HEAD") => "head",
        ("K", "B") => "block",
        ("K", "T") => "track",
        ("K", "GENESIS") | ("KENNELS", _) => "founding",
        ("E", "BODY" | "SPARE") => "body",
        ("E", "REJECT") => "reject",
        ("E", sk) if sk.starts_with("VERDICT") => "verdict",
        ("E", _) => "place",
        ("P", "CARD") => "pet card",
        ("P", _) => "timeline",
        ("C", _) => "text",
        ("A", "P") => "births",
        ("A", _) => "account",
        ("W", _) => "word",
        ("X", _) => "order",
        ("Y", _) => "trade",
        ("V", _) => "verdict",
        ("O", _) => "post card",
        ("F", _) => "feed",
        ("N", _) => "births",
        ("D", _) => "story to end",
        ("M" | "U", _) => "photo",
        ("NAME", _) => "name",
        ("RATE", _) => "rate",
        _ => "other",
    }
}

#[async_trait]
impl Table for CountedTable {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        let answer = self.inner.get(key, consistency).await;
        self.note(kind(&key.pk, &key.sk), 1);
        answer
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        let answer = self.inner.get_many(keys).await;
        let first = keys.first().map_or("other", |key| kind(&key.pk, &key.sk));
        self.note(first, 1);
        answer
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        let answer = self.inner.query(query).await;
        self.note(kind(&query.pk, &query.from), 1);
        answer
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        let answer = self.inner.put_new(item).await;
        self.keep(&item.key, &item.attributes);
        self.note(kind(&item.key.pk, &item.key.sk), 1);
        answer
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        let answer = self.inner.update(update).await;
        self.keep(&update.key, &update.set);
        self.note(kind(&update.key.pk, &update.key.sk), 1);
        answer
    }

    /// Publishes each kind by itself, in the batch's order, so that what each consumes is known.
    /// The units are those of one batch, which is paid by items; the waits are counted as for one:
    /// immutable items, then guarded ones.
    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError> {
        let mut parts: Vec<(&'static str, PublishBatch)> = Vec::new();
        let mut part = |kind: &'static str| match parts.iter().position(|(of, _)| *of == kind) {
            Some(at) => at,
            None => {
                parts.push((kind, PublishBatch::default()));
                parts.len() - 1
            }
        };
        let immutable: Vec<usize> =
            batch.immutable.iter().map(|item| part(kind(&item.key.pk, &item.key.sk))).collect();
        let guarded: Vec<usize> =
            batch.guarded.iter().map(|update| part(kind(&update.key.pk, &update.key.sk))).collect();
        for (item, at) in batch.immutable.iter().zip(immutable) {
            self.keep(&item.key, &item.attributes);
            parts[at].1.immutable.push(item.clone());
        }
        for (update, at) in batch.guarded.iter().zip(guarded) {
            self.keep(&update.key, &update.set);
            parts[at].1.guarded.push(update.clone());
        }
        for (kind, part) in parts {
            let answer = self.inner.publish(&part).await;
            self.note(kind, 0);
            answer?;
        }
        let waits = u64::from(!batch.immutable.is_empty()) + u64::from(!batch.guarded.is_empty());
        self.waits.fetch_add(waits, Relaxed);
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        let answer = self.inner.delete(key).await;
        self.kept.lock().expect("no panic while the items are locked").remove(key);
        self.note(kind(&key.pk, &key.sk), 1);
        answer
    }
}

/// An object store that counts requests.
#[derive(Default)]
pub(super) struct CountedObjects {
    inner: Arc<MemoryObjects>,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl CountedObjects {
    /// One that counts by itself, over the same objects.
    pub(super) fn beside(&self) -> Arc<Self> {
        Arc::new(Self { inner: self.inner.clone(), ..Self::default() })
    }

    /// GET requests since the last time, and PUT and LIST requests. Deleting is free.
    pub(super) fn take(&self) -> (u64, u64) {
        (self.reads.swap(0, Relaxed), self.writes.swap(0, Relaxed))
    }
}

#[async_trait]
impl Objects for CountedObjects {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        self.writes.fetch_add(1, Relaxed);
        self.inner.put(key, content).await
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        self.reads.fetch_add(1, Relaxed);
        self.inner.get(key).await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        self.reads.fetch_add(1, Relaxed);
        self.inner.size(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.writes.fetch_add(1, Relaxed);
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.inner.delete(key).await
    }

    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError> {
        self.inner.upload_ticket(key, sha256, size, content_type, now_ms).await
    }
}
