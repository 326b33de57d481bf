//! Where texts are stored: the bodies of events, which the chain knows only by what it commits to.
//!
//! Those of posts and comments share an item with the others of their block, [`TEXTS_MAX`] at most, each
//! an attribute of its own: an item written costs as much as a kilobyte of it. A birth's, which is asked
//! for with every entry of its pet, and a verdict's reason are items of their own.
//!
//! Whoever asks does so by the text's own key, and is given one shape of attributes: `salt` and `body`,
//! or when it was `erased`, and the `words` that may still list it.
//!
//! A text is stored only where there is none, and never changes but by being erased.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join, try_join_all};
use pitpet_chain::codec::Bytes;
use pitpet_chain::event::Kind;
use pitpet_chain::hash::{EventId, KennelId};

use crate::erase::{ERASED, WORDS};
use crate::items::{self, Fields as _, attributes};
use crate::message::SaltedBody;
use crate::ports::{
    Attributes, Condition, Consistency, Key, PublishBatch, Retry, Table, TableError, Update, Value,
};
use crate::publication::{Bodies, Publication, Text, if_absent};
use crate::read_side::KEYS_MAX;

/// Texts of an item, at most: 32 of 8 KB are 256 KB, and an item takes 400.
pub const TEXTS_MAX: u32 = 32;

/// Names of the attributes, by the event's place among those of the item.
const NAMES: [&str; TEXTS_MAX as usize] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18",
    "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
];

/// Bytes of a salt.
const SALT: usize = 32;

/// The key of an event's text.
pub fn key(kind: Kind, kennel: &KennelId, height: u64, index: u32, event: &EventId) -> Key {
    match kind {
        Kind::Post | Kind::Comment => items::text(kennel, height, index),
        _ => items::body(event),
    }
}

impl Text {
    /// Its key, as a text of this block.
    pub fn key(&self, block: &Publication) -> Key {
        key(self.kind, &block.kennel, block.height, self.index, &self.event)
    }
}

/// Whether a key is that of a text that shares its item.
pub fn is_shared(key: &Key) -> bool {
    key.pk.starts_with("C#")
}

/// The item that holds the text of such a key, and the name of its attribute.
fn holder(key: &Key) -> Option<(Key, &'static str)> {
    let (height, index) = key.sk.split_once('#')?;
    let index: u32 = index.parse().ok()?;
    let item = Key::new(key.pk.clone(), format!("{height}#{:03}", index / TEXTS_MAX));
    Some((item, NAMES[(index % TEXTS_MAX) as usize]))
}

/// The item that is read for a key.
pub fn item_of(key: &Key) -> Key {
    match is_shared(key) {
        true => holder(key).map_or_else(|| key.clone(), |(item, _)| item),
        false => key.clone(),
    }
}

/// The text of a key, out of the item that was read for it.
pub fn out_of(key: &Key, item: Option<&Attributes>) -> Option<Attributes> {
    if !is_shared(key) {
        return item.cloned();
    }
    let (_, name) = holder(key)?;
    Some(match item?.get(name)? {
        Value::Bytes(bytes) if bytes.len() >= SALT => {
            let (salt, body) = bytes.split_at(SALT);
            attributes([("salt", salt.to_vec().into()), ("body", body.to_vec().into())])
        }
        Value::List(erased) => {
            let (first, words) = erased.split_first()?;
            let mut text = attributes([(ERASED, first.clone())]);
            if !words.is_empty() {
                text.insert(WORDS.to_owned(), Value::List(words.to_vec()));
            }
            text
        }
        // Damaged: there, and no text.
        _ => Attributes::new(),
    })
}

/// A text as the value of its attribute.
fn value_of(text: &Attributes) -> Value {
    match (text.bytes("salt"), text.bytes("body")) {
        (Ok(salt), Ok(body)) => Value::Bytes([salt, body].concat()),
        _ => {
            let mut erased: Vec<Value> = text.get(ERASED).cloned().into_iter().collect();
            if let Some(Value::List(words)) = text.get(WORDS) {
                erased.extend(words.iter().cloned());
            }
            Value::List(erased)
        }
    }
}

/// A body as it is given to those who ask.
pub fn stored(body: &SaltedBody) -> Attributes {
    attributes([("salt", body.salt.into()), ("body", body.body.0.clone().into())])
}

/// The body in what was given.
pub fn body_in(text: &Attributes) -> Option<SaltedBody> {
    Some(SaltedBody { salt: text.digest("salt").ok()?, body: Bytes(text.bytes("body").ok()?.to_vec()) })
}

/// Reads a text.
///
/// # Errors
/// [`TableError`].
pub async fn read(
    table: &dyn Table,
    key: &Key,
    consistency: Consistency,
) -> Result<Option<Attributes>, TableError> {
    Ok(out_of(key, table.get(&item_of(key), consistency).await?.as_ref()))
}

/// Reads texts, one answer a key, in order; none of their items twice.
///
/// # Errors
/// [`TableError`].
pub async fn read_many(
    table: &dyn Table,
    keys: &[Key],
    consistency: Consistency,
) -> Result<Vec<Option<Attributes>>, TableError> {
    let items: Vec<Key> = keys.iter().map(item_of).collect::<BTreeSet<_>>().into_iter().collect();
    let found = match consistency {
        Consistency::Strong => try_join_all(items.iter().map(|item| table.get(item, consistency))).await?,
        Consistency::Eventual => {
            let chunks = items.chunks(KEYS_MAX).map(|chunk| table.get_many(chunk));
            try_join_all(chunks).await?.concat()
        }
    };
    let found: BTreeMap<Key, Option<Attributes>> = items.into_iter().zip(found).collect();
    Ok(keys.iter().map(|key| out_of(key, found.get(&item_of(key)).and_then(Option::as_ref))).collect())
}

/// Stores the texts of a block's events, each unless it is there already or has been erased.
///
/// # Errors
/// [`TableError`].
pub async fn store(table: &dyn Table, block: &Publication, bodies: &Bodies) -> Result<(), TableError> {
    let mut own = PublishBatch::default();
    let mut shared: BTreeMap<Key, Vec<(&'static str, Value)>> = BTreeMap::new();
    for text in &block.texts {
        let Some(body) = bodies.get(&text.event) else { continue };
        let key = text.key(block);
        match holder(&key).filter(|_| is_shared(&key)) {
            Some((item, name)) => shared.entry(item).or_default().push((name, value_of(&stored(body)))),
            None => own.guarded.push(if_absent(key, stored(body))),
        }
    }
    let own = async { if own.guarded.is_empty() { Ok(()) } else { table.publish(&own).await } };
    let shared = try_join_all(shared.iter().map(|(item, texts)| store_shared(table, item, texts)));
    try_join(own, shared).await.map(drop)
}

/// Stores texts of one item: all of it if there is none, which is the rule.
async fn store_shared(
    table: &dyn Table,
    item: &Key,
    texts: &[(&'static str, Value)],
) -> Result<(), TableError> {
    let set: Attributes = texts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    match table.update(&if_absent(item.clone(), set)).await {
        Err(TableError::Conflict) => {}
        done => return done,
    }
    // Somebody stored or erased some of them.
    let mut rest = PublishBatch::default();
    for (name, value) in texts {
        rest.guarded.push(Update {
            key: item.clone(),
            set: Attributes::from([((*name).to_owned(), value.clone())]),
            remove: Vec::new(),
            condition: lacks(name),
            retry: Retry::Allowed,
        });
    }
    table.publish(&rest).await
}

/// That an item has no attribute of this name: a text is no number.
fn lacks(name: &'static str) -> Condition {
    Condition::Below(name, 0)
}

/// Changes a text from what was read of it.
///
/// # Errors
/// [`TableError::Conflict`] if it is another one by now.
pub async fn change(
    table: &dyn Table,
    key: &Key,
    from: Option<&Attributes>,
    to: &Attributes,
) -> Result<(), TableError> {
    let update = match holder(key).filter(|_| is_shared(key)) {
        Some((item, name)) => Update {
            key: item,
            set: Attributes::from([(name.to_owned(), value_of(to))]),
            remove: Vec::new(),
            condition: from.map_or(lacks(name), |from| Condition::Equals(name, value_of(from))),
            retry: Retry::Allowed,
        },
        None => {
            let known = |name: &'static str| Some((name, from?.get(name)?.clone()));
            let condition = known("salt").or_else(|| known(ERASED));
            let remove = ["salt", "body", WORDS].into_iter().filter(|name| !to.contains_key(*name)).collect();
            Update {
                key: key.clone(),
                set: to.clone(),
                remove,
                condition: condition
                    .map_or(Condition::Absent, |(name, value)| Condition::Equals(name, value)),
                retry: Retry::Allowed,
            }
        }
    };
    table.update(&update).await
}

/// Takes away what stands in a text's place and is none.
///
/// # Errors
/// [`TableError`].
pub async fn remove(table: &dyn Table, key: &Key) -> Result<(), TableError> {
    let Some((item, name)) = holder(key).filter(|_| is_shared(key)) else { return table.delete(key).await };
    let Some(stored) = table.get(&item, Consistency::Strong).await?.and_then(|mut item| item.remove(name))
    else {
        return Ok(());
    };
    let update = Update {
        key: item,
        set: Attributes::new(),
        remove: vec![name],
        condition: Condition::Equals(name, stored),
        retry: Retry::Allowed,
    };
    match table.update(&update).await {
        Ok(()) | Err(TableError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}
