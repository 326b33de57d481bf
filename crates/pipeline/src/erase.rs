//! Erasing a text: its body and salt, the spare of them, and the words by which it is found. The
//! event stays, and with it every proof: the chain holds only the text's commitment.
//!
//! 1. The text becomes a mark where it is stored, in an item of its own or in one that it shares
//!    ([`crate::texts`]), in one conditional write that takes body and salt away. The mark keeps the words
//!    until the text is taken out of them, so that whoever repeats the erasing after a crash still knows
//!    them. Where no body is stored the mark is written all the same: bodies are stored only where nothing
//!    is, so that none comes back by a redelivered message, by publishing again, or from the spare.
//! 2. The spare becomes a mark too, for as long as one may be written.
//! 3. If its window is published the text is taken out of the buckets of its words. Then the mark forgets
//!    them.
//!
//! Whoever publishes the words of a window reads its texts again afterwards ([`crate::publisher`]), and
//! takes out those that have been erased: of the two, one sees what the other wrote.
//!
//! Deliberately absent: undoing it.

use std::sync::Arc;

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
use crate::publisher::unlist;
use crate::query::StoredBody;
use crate::read_side::ReadSide;
use crate::runs::Listed;
use crate::search::{Class, WORDS_MAX, Word, words_of};
use crate::texts;

/// The attribute that says that something was erased, and when, ms since the Unix epoch.
pub const ERASED: &str = "erased";

/// The attribute of the words that may still list an erased text, as sort keys.
pub(crate) const WORDS: &str = "words";

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
    /// Its place, by which it is listed under its words.
    height: u64,
    index: u32,
    timestamp_ms: u64,
}

impl Mined {
    /// The key of its text.
    fn key(&self) -> Key {
        texts::key(self.kind, &self.kennel, self.height, self.index, &self.event)
    }
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

/// Finds a mined event with a text, up to where the tails are known.
///
/// # Errors
/// [`LedgerError`].
pub async fn find(table: &ReadSide, event: &EventId) -> Result<Option<Mined>, LedgerError> {
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
        height,
        index,
        timestamp_ms: time_ms,
    }))
}

/// Whether what is stored of a text says that it was erased.
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
    Ok(finish(table, &mined.kennel, &mined.key()).await?)
}

/// Takes the body away, and notes its words.
async fn mark(table: &dyn Table, mined: &Mined, now_ms: u64) -> Result<(), EraseError> {
    let key = mined.key();
    for _ in 0..ATTEMPTS {
        let stored = texts::read(table, &key, Consistency::Strong).await?;
        if stored.as_ref().is_some_and(is_erased) {
            return Ok(());
        }
        let bytes = stored.as_ref().and_then(|stored| stored.bytes("body").ok());
        let body = bytes.and_then(|bytes| Body::read(mined.kind, bytes).ok());
        let words = body.map(|body| words_of(&body, WORDS_MAX)).unwrap_or_default();
        let mut erased = attributes([(ERASED, now_ms.into())]);
        if !words.is_empty() {
            let feed_sk = items::feed_sk(mined.timestamp_ms, mined.height, mined.index, &mined.kennel);
            let keys = words.iter().map(|word| Value::Text(word.key(&feed_sk).sk)).collect();
            erased.insert(WORDS.to_owned(), Value::List(keys));
        }
        match texts::change(table, &key, stored.as_ref(), &erased).await {
            Ok(()) => return Ok(()),
            // It was stored, or erased, meanwhile.
            Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(EraseError::Busy)
}

/// Whether words may still list an erased text.
pub(crate) fn is_unfinished(item: &Attributes) -> bool {
    is_erased(item) && item.contains_key(WORDS)
}

/// Takes an erased text from the words that still list it.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn finish(table: &dyn Table, kennel: &KennelId, key: &Key) -> Result<(), LedgerError> {
    let Some(item) = texts::read(table, key, Consistency::Strong).await? else { return Ok(()) };
    let (Some(erased), Some(Value::List(words))) = (item.get(ERASED), item.get(WORDS)) else {
        return Ok(());
    };
    let mut text: Option<Listed> = None;
    for word in words {
        let Value::Text(sk) = word else { continue };
        // Words hold no `#`: the sort key is class, word and place, which is time, height and index.
        let parts: Vec<&str> = sk.split('#').collect();
        let [class, word, time_ms, height, index, _] = parts[..] else { continue };
        let place = (time_ms.parse(), height.parse(), index.parse());
        let (Ok(timestamp_ms), Ok(height), Ok(index)) = place else { continue };
        let Some(class) = Class::of(class) else { continue };
        let text = text.get_or_insert(Listed { height, index, timestamp_ms, words: Vec::new() });
        text.words.push(Word { class, word: word.to_owned() });
    }
    if let Some(text) = text {
        unlist(table, kennel, &text).await?;
    }
    let forgotten = attributes([(ERASED, erased.clone())]);
    match texts::change(table, key, Some(&item), &forgotten).await {
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
    table: Arc<dyn Table>,
    objects: &dyn Objects,
    event: &EventId,
    now_ms: u64,
) -> Result<Option<ErasedView>, EraseError> {
    let read_side = ReadSide::over(table);
    read_side.follow_all(Consistency::Strong).await?;
    let table = read_side.table();
    let Some(mined) = find(&read_side, event).await? else { return Ok(None) };
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
