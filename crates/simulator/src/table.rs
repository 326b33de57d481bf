//! The table in memory: a sorted map under a lock, so that every call is atomic.
//!
//! Deliberately absent: lag. An eventual read is as fresh as a strong one; the simulation lays lag
//! over it, from the journal of what changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use pitpet_pipeline::ports::{
    Attributes, Condition, Consistency, Item, Key, Order, PublishBatch, Query, Table, TableError, Update,
    Value,
};

/// Longest partition and sort key and heaviest item, bytes: DynamoDB's limits.
const PK_BYTES_MAX: usize = 2_048;
const SK_BYTES_MAX: usize = 1_024;
const ITEM_BYTES_MAX: usize = 400 * 1_024;
/// The port's limits.
const GET_MANY_KEYS_MAX: usize = 100;
const QUERY_ITEMS_MAX: u32 = 1_000;

/// A change of an item, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The item's key.
    pub key: Key,
    /// Its attributes before; none if it was not there.
    pub before: Option<Attributes>,
    /// Its attributes after; none if it was deleted.
    pub after: Option<Attributes>,
}

#[derive(Debug, Default)]
struct Items {
    held: BTreeMap<Key, Attributes>,
    /// What was written since somebody looked, if somebody looks.
    journal: Option<Vec<Written>>,
}

impl Items {
    fn set(&mut self, key: &Key, after: Option<Attributes>) {
        let before = match after.clone() {
            Some(attributes) => self.held.insert(key.clone(), attributes),
            None => self.held.remove(key),
        };
        if let Some(journal) = &mut self.journal
            && before != after
        {
            journal.push(Written { key: key.clone(), before, after });
        }
    }
}

/// A table that lives as long as its owner.
#[derive(Debug, Default)]
pub struct MemoryTable {
    items: Mutex<Items>,
}

impl MemoryTable {
    /// Makes an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table of these items.
    pub(crate) fn of(held: BTreeMap<Key, Attributes>) -> Self {
        Self { items: Mutex::new(Items { held, journal: None }) }
    }

    /// Every item, by key.
    pub fn all(&self) -> BTreeMap<Key, Attributes> {
        self.items().held.clone()
    }

    /// One item.
    pub fn item(&self, key: &Key) -> Option<Attributes> {
        self.items().held.get(key).cloned()
    }

    /// Gives what changed since the last call, in order; the first call begins the journal.
    pub fn take_journal(&self) -> Vec<Written> {
        self.items().journal.replace(Vec::new()).unwrap_or_default()
    }

    /// Writes an item whatever is there: damage on purpose.
    pub fn overwrite(&self, key: Key, attributes: Attributes) {
        self.items().set(&key, Some(attributes));
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().expect("no holder of the lock panics")
    }
}

fn refused(message: impl Into<String>) -> TableError {
    TableError::Refused { message: message.into() }
}

fn check_key(key: &Key) -> Result<(), TableError> {
    for (name, part, bytes_max) in [("pk", &key.pk, PK_BYTES_MAX), ("sk", &key.sk, SK_BYTES_MAX)] {
        if part.is_empty() || part.len() > bytes_max {
            return Err(refused(format!("{name} has {} bytes, not 1 to {bytes_max}", part.len())));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), TableError> {
    match name {
        "" => Err(refused("an attribute has an empty name")),
        "pk" | "sk" => Err(refused(format!("{name} is part of the key, not an attribute"))),
        _ => Ok(()),
    }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Number(_) => 21,
        Value::Bytes(bytes) => bytes.len(),
        Value::Flag(_) => 1,
        Value::List(values) => 3 + values.iter().map(|value| 1 + value_bytes(value)).sum::<usize>(),
    }
}

fn check_item(key: &Key, attributes: &Attributes) -> Result<(), TableError> {
    check_key(key)?;
    let mut bytes = key.pk.len() + key.sk.len() + "pksk".len();
    for (name, value) in attributes {
        check_name(name)?;
        bytes += name.len() + value_bytes(value);
    }
    if bytes > ITEM_BYTES_MAX {
        return Err(refused(format!("the item has {bytes} bytes, more than {ITEM_BYTES_MAX}")));
    }
    Ok(())
}

fn holds(condition: &Condition, item: Option<&Attributes>) -> bool {
    match condition {
        Condition::Absent => item.is_none(),
        Condition::Equals(name, value) => item.and_then(|item| item.get(*name)) == Some(value),
        Condition::Below(name, bound) => match item.and_then(|item| item.get(*name)) {
            None => true,
            Some(Value::Number(number)) => number < bound,
            Some(_) => false,
        },
    }
}

fn check_update(update: &Update) -> Result<(), TableError> {
    check_item(&update.key, &update.set)?;
    for name in &update.remove {
        check_name(name)?;
        if update.set.contains_key(*name) {
            return Err(refused(format!("attribute {name} is both set and removed")));
        }
    }
    match &update.condition {
        Condition::Absent => Ok(()),
        Condition::Equals(name, _) | Condition::Below(name, _) => check_name(name),
    }
}

fn apply(items: &mut Items, update: &Update) -> Result<(), TableError> {
    check_update(update)?;
    let before = items.held.get(&update.key);
    if !holds(&update.condition, before) {
        return Err(TableError::Conflict);
    }
    let mut after = before.cloned().unwrap_or_default();
    after.extend(update.set.clone());
    for name in &update.remove {
        after.remove(*name);
    }
    check_item(&update.key, &after)?;
    items.set(&update.key, Some(after));
    Ok(())
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key, _: Consistency) -> Result<Option<Attributes>, TableError> {
        check_key(key)?;
        Ok(self.items().held.get(key).cloned())
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        if keys.len() > GET_MANY_KEYS_MAX {
            return Err(refused(format!("{} keys, more than {GET_MANY_KEYS_MAX}", keys.len())));
        }
        keys.iter().try_for_each(check_key)?;
        let items = self.items();
        Ok(keys.iter().map(|key| items.held.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        if query.limit == 0 || query.limit > QUERY_ITEMS_MAX {
            return Err(refused(format!("limit is {}, not 1 to {QUERY_ITEMS_MAX}", query.limit)));
        }
        if query.pk.is_empty() || query.pk.len() > PK_BYTES_MAX {
            return Err(refused(format!("pk has {} bytes, not 1 to {PK_BYTES_MAX}", query.pk.len())));
        }
        if query.from > query.to {
            return Ok(Vec::new());
        }
        let items = self.items();
        let range = items.held.range(Key::new(&*query.pk, &*query.from)..=Key::new(&*query.pk, &*query.to));
        let item = |(key, attributes): (&Key, &Attributes)| Item {
            key: key.clone(),
            attributes: attributes.clone(),
        };
        let limit = query.limit as usize;
        Ok(match query.order {
            Order::Ascending => range.take(limit).map(item).collect(),
            Order::Descending => range.rev().take(limit).map(item).collect(),
        })
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        check_item(&item.key, &item.attributes)?;
        let mut items = self.items();
        if items.held.contains_key(&item.key) {
            return Err(TableError::Conflict);
        }
        items.set(&item.key, Some(item.attributes.clone()));
        Ok(())
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        apply(&mut self.items(), update)
    }

    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError> {
        let mut items = self.items();
        for item in &batch.immutable {
            check_item(&item.key, &item.attributes)?;
            items.set(&item.key, Some(item.attributes.clone()));
        }
        for update in &batch.guarded {
            match apply(&mut items, update) {
                Ok(()) | Err(TableError::Conflict) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        check_key(key)?;
        self.items().set(key, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        pitpet_pipeline::conformance::table::all(&MemoryTable::new()).await;
    }
}
