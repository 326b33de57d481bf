//! Erasing a text: its body and salt, the spare of them, and the words by which it is found. The
//! event stays, and with it every proof: the chain holds only the text's commitment.
//!
//! 1. The body's item becomes a mark, in one conditional write that takes body and salt away. It
//!    keeps the sort keys of the words until they are deleted, so that whoever repeats the erasing
//!    after a crash still knows them. Where no body is stored the mark is written all the same:
//!    bodies are stored only where nothing is, so that none comes back by a redelivered message,
//!    by publishing again, or from the spare.
//! 2. The spare becomes a mark too, for as long as one may be written.
//! 3. The words are deleted, and then forgotten.
//!
//! Whoever publishes the words of a text looks at its body afterwards ([`crate::publisher`]), and
//! takes them back if it has been erased: of the two, one sees what the other wrote.
//!
//! Deliberately absent: undoing it.

use pitpet_chain::block::Block;
use pitpet_chain::body::Body;
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Kind, Payload, SignedEvent};
use pitpet_chain::hash::{AccountId, BlockHash, Digest32, EventId, KennelId};

use crate::api::ErasedView;
use crate::head::{LedgerError, damaged, read_block};
use crate::items::{self, Fields, attributes};
use crate::mine::SPARE_KEPT_MS;
use crate::ports::{
    Attributes, Condition, Consistency, Key, ObjectError, Objects, Retry, Table, TableError, Update, Value,
};
use crate::query::StoredBody;
use crate::search::{self, WORDS_MAX, words_of};

/// The attribute that says that something was erased, and when, ms since the Unix epoch.
pub const ERASED: &str = "erased";

/// Sort keys of the words that are still to be deleted.
const WORDS: &str = "words";

/// How often a body that changes meanwhile is looked at anew: it is stored once and erased once.
const ATTEMPTS: usize = 4;

/// An event with a text, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mined {
    /// The event.
    pub event: EventId,
    /// Its kennel.
    pub kennel: KennelId,
    /// Its kind, one with a body.
    pub kind: Kind,
    /// Whose text it is: who signed the event. A pet that is sold takes no text with it.
    pub account: AccountId,
    /// The photo beside the text.
    pub photo: Option<Digest32>,
    /// Its place in feeds, by which its words are keyed.
    feed_sk: String,
}

/// Why nothing is erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The table or the ledger in it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The body changed again and again.
    #[error("the text is being written; try again")]
    Busy,
}

impl From<TableError> for EraseError {
    fn from(error: TableError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Finds a mined event with a text.
///
/// # Errors
/// [`LedgerError`].
pub async fn find(table: &dyn Table, event: &EventId) -> Result<Option<Mined>, LedgerError> {
    let Some(place) = table.get(&items::place(event), Consistency::Strong).await? else { return Ok(None) };
    let kind = u8::try_from(place.number("kind")?).ok().and_then(Kind::from_number);
    let kind = kind.ok_or_else(|| damaged("a place"))?;
    if !StoredBody::is_due(kind) {
        return Ok(None);
    }
    let (kennel, hash) = (KennelId(place.digest("kennel")?), BlockHash(place.digest("hash")?));
    let (height, time_ms) = (place.number("height")?, place.number("timestamp_ms")?);
    let index = u32::try_from(place.number("index")?).map_err(|_| damaged("a place"))?;
    let stored = read_block(table, &kennel, height, &hash).await?;
    let block: Block = decode(&stored.bytes).map_err(|_| damaged("a committed block can't be read"))?;
    let signed = block.events.get(index as usize).and_then(|event| SignedEvent::read(&event.0).ok());
    let signed = signed.filter(|signed| signed.id == *event);
    let signed = signed.ok_or_else(|| damaged("a place names no event of its block"))?;
    Ok(Some(Mined {
        event: *event,
        kennel,
        kind,
        account: signed.event.account,
        photo: match &signed.event.payload {
            Payload::Birth { photo, .. } => Some(*photo),
            Payload::Post { photo, .. } => *photo,
            _ => None,
        },
        feed_sk: items::feed_sk(time_ms, height, index, &kennel),
    }))
}

/// Whether a body's item says that the body was erased.
pub fn is_erased(item: &Attributes) -> bool {
    item.contains_key(ERASED)
}

/// Erases the text of an event for good. Safe to repeat and to run twice at once.
///
/// # Errors
/// [`EraseError`]; then it may be half done, and has to be repeated.
pub async fn erase(table: &dyn Table, mined: &Mined, now_ms: u64) -> Result<(), EraseError> {
    mark(table, mined, now_ms).await?;
    let ttl_s = (now_ms + 2 * SPARE_KEPT_MS) / 1_000;
    // One that is written later would meet this one; by then no message holds the event any more.
    let spare = Update {
        key: items::spare_body(&mined.event),
        set: attributes([(ERASED, now_ms.into()), (items::EXPIRY, ttl_s.into())]),
        remove: vec!["body", "salt"],
        condition: Condition::Below(ERASED, u64::MAX),
        retry: Retry::Allowed,
    };
    table.update(&spare).await?;
    Ok(finish(table, &mined.event).await?)
}

/// Takes the body away, and notes its words.
async fn mark(table: &dyn Table, mined: &Mined, now_ms: u64) -> Result<(), EraseError> {
    let key = items::body(&mined.event);
    for _ in 0..ATTEMPTS {
        let stored = table.get(&key, Consistency::Strong).await?;
        let (condition, words) = match &stored {
            None => (Condition::Absent, Vec::new()),
            Some(item) if is_erased(item) => return Ok(()),
            Some(item) => {
                let bytes = item.bytes("body").map_err(LedgerError::from)?;
                let body = Body::read(mined.kind, bytes).ok();
                let words = body.map(|body| words_of(&body, WORDS_MAX)).unwrap_or_default();
                let salt = Value::Bytes(item.bytes("salt").map_err(LedgerError::from)?.to_vec());
                (Condition::Equals("salt", salt), words)
            }
        };
        let mut set = attributes([(ERASED, now_ms.into())]);
        if !words.is_empty() {
            let keys = words.iter().map(|word| Value::Text(word.key(&mined.feed_sk).sk)).collect();
            set.insert(WORDS.to_owned(), Value::List(keys));
        }
        let remove = vec!["body", "salt"];
        match table.update(&Update { key: key.clone(), set, remove, condition, retry: Retry::Allowed }).await
        {
            Ok(()) => return Ok(()),
            // It was stored, or erased, meanwhile.
            Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(EraseError::Busy)
}

/// Whether an erased body's words are still to be deleted.
pub(crate) fn is_unfinished(item: &Attributes) -> bool {
    is_erased(item) && item.contains_key(WORDS)
}

/// Deletes the words of an erased text that are left.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn finish(table: &dyn Table, event: &EventId) -> Result<(), LedgerError> {
    let key = items::body(event);
    let Some(item) = table.get(&key, Consistency::Strong).await? else { return Ok(()) };
    let (Some(erased), Some(Value::List(words))) = (item.get(ERASED), item.get(WORDS)) else {
        return Ok(());
    };
    for word in words {
        let Value::Text(sk) = word else { continue };
        // Words hold no `#`: the sort key is class, word and place.
        let Some(word) = sk.split('#').nth(1) else { continue };
        table.delete(&Key::new(search::partition(word), sk)).await?;
    }
    let forgotten = Update {
        key,
        set: Attributes::new(),
        remove: vec![WORDS],
        condition: Condition::Equals(ERASED, erased.clone()),
        retry: Retry::Allowed,
    };
    match table.update(&forgotten).await {
        Ok(()) | Err(TableError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Erases a photo wherever it is shown: its file, and for good, so that the same bytes are not taken
/// in again. The operator's alone: a photo is known by its bytes, and whoever posts another's photo
/// must not be able to take it from there.
///
/// # Errors
/// [`EraseError`]; then it has to be repeated.
pub async fn erase_photo(
    table: &dyn Table,
    objects: &dyn Objects,
    photo: &Digest32,
    now_ms: u64,
) -> Result<(), EraseError> {
    let mark = Update {
        key: items::erased_photo(photo),
        set: attributes([(ERASED, now_ms.into())]),
        remove: Vec::new(),
        condition: Condition::Absent,
        retry: Retry::Allowed,
    };
    match table.update(&mark).await {
        Ok(()) | Err(TableError::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(objects.delete(&items::photo_object(photo)).await?)
}

/// Erases a text and its photo, because the law asks the operator for it; none if there is no such
/// event with a text. Safe to repeat.
///
/// # Errors
/// [`EraseError`]; then it may be half done, and has to be repeated.
pub async fn erase_by_operator(
    table: &dyn Table,
    objects: &dyn Objects,
    event: &EventId,
    now_ms: u64,
) -> Result<Option<ErasedView>, EraseError> {
    let Some(mined) = find(table, event).await? else { return Ok(None) };
    erase(table, &mined, now_ms).await?;
    if let Some(photo) = &mined.photo {
        erase_photo(table, objects, photo, now_ms).await?;
    }
    Ok(Some(ErasedView { event: event.to_string(), photo: mined.photo.map(hex::encode) }))
}

/// Whether a photo was erased.
///
/// # Errors
/// [`TableError`].
pub async fn is_photo_erased(table: &dyn Table, photo: &Digest32) -> Result<bool, TableError> {
    Ok(table.get(&items::erased_photo(photo), Consistency::Strong).await?.is_some())
}
