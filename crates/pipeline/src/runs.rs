//! How the read side's entries lie in the table: many in an item, because an item written costs as
//! much as a kilobyte of it.
//!
//! Readers ask for entries by the keys that [`crate::items`] gives them, one item each; here is how
//! those of a [window](crate::window) are put together, and taken apart again.
//!
//! - *Runs.* Tracks, timelines and feeds are ordered by height or time, as windows are. Of each
//!   partition a window's entries follow each other, and up to [`ROWS_MAX`] of them make an item
//!   under the key of the first.
//! - *Buckets.* Places and words are in no such order. Those of a window whose ids begin with the
//!   same byte, or whose words' letters hash to the same number, make one item, under the window's own
//!   key.
//!
//! Everything else is stored as it is asked for.

use std::collections::BTreeMap;

use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::hash::{Digest32, EventId, KennelId, sha256};

use crate::head::{LedgerError, damaged};
use crate::items::{self, BadItem, Fields, attributes};
use crate::ports::{Attributes, Item, Key, Value};
use crate::search::{self, Word};
use crate::window::WindowStart;

/// Rows of a run's item: some 8 KB, so that a page reads no more than two or three units.
pub const ROWS_MAX: usize = 64;

/// The attribute of the rows.
pub(crate) const ROWS: &str = "rows";

mod rows {
    use pitpet_chain::codec::Bytes;
    use pitpet_chain::hash::Digest32;
    use pitpet_chain::record;

    record! {
        /// A block at its height.
        pub struct TrackRow {
            pub height: u64,
            pub hash: Digest32,
            pub nodes: Bytes,
            pub timestamp_ms: u64,
            pub event_count: u64,
        }
    }

    record! {
        /// An event in a timeline or feed.
        pub struct EntryRow {
            pub id: Digest32,
            pub kind: u64,
            /// Where the partition is not the pet's own.
            pub pet: Option<Digest32>,
            pub account: Digest32,
            pub height: u64,
            pub index: u64,
            pub timestamp_ms: u64,
            pub age: u64,
            pub post: Option<Digest32>,
            pub photo: Option<Digest32>,
            pub amount: Option<u64>,
        }
    }

    record! {
        /// Where an event is.
        pub struct PlaceRow {
            pub id: Digest32,
            pub height: u64,
            pub index: u64,
            pub kind: u64,
        }
    }

    record! {
        /// The words of a text that lie in a bucket, each behind the letter of its class.
        pub struct WordRow {
            pub height: u64,
            pub index: u64,
            pub timestamp_ms: u64,
            pub words: Vec<String>,
        }
    }
}

use rows::{EntryRow, PlaceRow, TrackRow, WordRow};

/// Whether the entries of a partition from a sort key on lie in runs.
pub fn is_run(pk: &str, sk: &str) -> bool {
    match pk.get(..2) {
        Some("K#") => sk.starts_with("T#"),
        Some("P#") => sk.starts_with("E#"),
        Some("F#") => true,
        _ => false,
    }
}

/// The least sort key of the runs beside such a one.
pub fn first_of(pk: &str) -> &'static str {
    match pk.get(..2) {
        Some("K#") => "T#",
        Some("P#") => "E#",
        _ => "0",
    }
}

/// Whether a key is that of an event's place.
pub fn is_place(key: &Key) -> bool {
    key.sk == "PLACE" && key.pk.starts_with("E#")
}

/// Whether a key is that of a bucket.
pub fn is_bucket(key: &Key) -> bool {
    let is_of_places = key.pk.starts_with("E#") && key.pk.len() == "E#00".len();
    is_of_places || key.pk.starts_with("W#~")
}

/// The partition of the places of events whose ids begin with the same byte.
pub fn place_bucket(event: &EventId) -> String {
    format!("E#{:02x}", event.0[0])
}

/// Times in sort keys have 15 digits, ms.
const TIME_MAX: u64 = 1_000_000_000_000_000;

/// Bytes of a bucket's rows, at most: an item takes 400 KB. A text that finds no room is not found by
/// the words of this bucket; that takes some hundred texts of one window with all their words in it.
const BUCKET_BYTES_MAX: usize = 300_000;

/// Buckets of a window's words.
const WORD_BUCKETS: u16 = 512;

/// The partition of the words that stand in a partition of [`search`] and in some others: so many that
/// looking for a word reads little, and so few that a window writes little.
pub fn word_bucket(partition: &str) -> String {
    let hash = sha256(partition.as_bytes());
    format!("W#~{:03x}", u16::from_be_bytes([hash[0], hash[1]]) % WORD_BUCKETS)
}

/// The partition of a word's bucket.
pub fn bucket_of(word: &Word) -> String {
    word_bucket(&search::partition(&word.word))
}

/// The sort key of a window's bucket.
pub fn bucket_sk(kennel: &KennelId, window: &WindowStart) -> String {
    format!("{:015}#{:020}#{kennel}", window.time_ms, window.height)
}

/// The range of a partition's buckets, of windows that began in this span, ms.
pub fn bucket_range(from_ms: u64, to_ms: Option<u64>) -> (String, String) {
    let to = to_ms
        .filter(|to_ms| *to_ms < TIME_MAX)
        .map_or_else(|| ":".to_owned(), |to_ms| format!("{to_ms:015}:"));
    (format!("{from_ms:015}"), to)
}

/// When a bucket's window began, ms.
pub(crate) fn began_ms(bucket_sk: &str) -> Option<u64> {
    bucket_sk.split('#').next()?.parse().ok()
}

/// The kennel in a bucket's sort key.
pub(crate) fn kennel_of(sk: &str) -> Result<KennelId, LedgerError> {
    sk.rsplit('#').next().and_then(|kennel| kennel.parse().ok()).ok_or_else(|| damaged("a bucket's key"))
}

fn rows_of<T: Canonical>(item: &Attributes, what: &str) -> Result<Vec<T>, LedgerError> {
    decode(item.bytes(ROWS)?).map_err(|_| damaged(what))
}

/// Puts a window's items together as they are stored.
///
/// # Errors
/// [`BadItem`] if one of them is not as [`crate::publication`] makes it.
pub fn pack(
    kennel: &KennelId,
    window: &WindowStart,
    entries: impl IntoIterator<Item = Item>,
) -> Result<Vec<Item>, BadItem> {
    let mut packed = Vec::new();
    let mut tracks: BTreeMap<Key, TrackRow> = BTreeMap::new();
    let mut runs: BTreeMap<String, BTreeMap<String, EntryRow>> = BTreeMap::new();
    let mut places: BTreeMap<String, Vec<PlaceRow>> = BTreeMap::new();
    for Item { key, attributes: of } in entries {
        if is_place(&key) {
            let id: EventId = key.pk[2..].parse().map_err(|_| BadItem("id"))?;
            places.entry(place_bucket(&id)).or_default().push(PlaceRow {
                id: id.0,
                height: of.number("height")?,
                index: of.number("index")?,
                kind: of.number("kind")?,
            });
        } else if !is_run(&key.pk, &key.sk) {
            packed.push(Item { key, attributes: of });
        } else if key.sk.starts_with("T#") {
            tracks.insert(key.clone(), track_row(&key, &of)?);
        } else {
            let row = EntryRow {
                id: of.digest("id")?,
                kind: of.number("kind")?,
                pet: if key.pk.starts_with("P#") { None } else { Some(of.digest("pet")?) },
                account: of.digest("account")?,
                height: of.number("height")?,
                index: of.number("index")?,
                timestamp_ms: of.number("timestamp_ms")?,
                age: of.number("age")?,
                post: of.digest("post").ok(),
                photo: of.digest("photo").ok(),
                amount: of.number("amount").ok(),
            };
            runs.entry(key.pk).or_default().insert(key.sk, row);
        }
    }
    let tracks: Vec<(Key, TrackRow)> = tracks.into_iter().collect();
    for chunk in tracks.chunks(ROWS_MAX) {
        let rows: Vec<TrackRow> = chunk.iter().map(|(_, row)| row.clone()).collect();
        packed.push(track_run(chunk[0].0.clone(), window, &rows));
    }
    for (pk, run) in runs {
        let run: Vec<(String, EntryRow)> = run.into_iter().collect();
        for chunk in run.chunks(ROWS_MAX) {
            let rows: Vec<EntryRow> = chunk.iter().map(|(_, row)| row.clone()).collect();
            let of = attributes([("kennel", kennel.0.into()), (ROWS, encode(&rows).into())]);
            packed.push(Item { key: Key::new(pk.clone(), chunk[0].0.clone()), attributes: of });
        }
    }
    for (pk, mut rows) in places {
        rows.sort_unstable_by_key(|row| (row.id, row.height, row.index));
        let key = Key::new(pk.clone(), bucket_sk(kennel, window));
        packed.push(Item { key, attributes: attributes([(ROWS, encode(&rows).into())]) });
    }
    Ok(packed)
}

fn track_row(key: &Key, of: &Attributes) -> Result<TrackRow, BadItem> {
    Ok(TrackRow {
        height: key.sk.strip_prefix("T#").and_then(|height| height.parse().ok()).ok_or(BadItem("height"))?,
        hash: of.digest("hash")?,
        nodes: Bytes(of.bytes("nodes")?.to_vec()),
        timestamp_ms: of.number("timestamp_ms")?,
        event_count: of.number("event_count")?,
    })
}

fn track_run(key: Key, window: &WindowStart, rows: &Vec<TrackRow>) -> Item {
    let of = attributes([
        ("window_height", window.height.into()),
        ("window_ms", window.time_ms.into()),
        (ROWS, encode(rows).into()),
    ]);
    Item { key, attributes: of }
}

/// The genesis block's track, which is a run and a window of its own.
///
/// # Errors
/// [`BadItem`].
pub fn first_track(track: &Item) -> Result<Item, BadItem> {
    let row = track_row(&track.key, &track.attributes)?;
    let window = WindowStart { height: row.height, time_ms: row.timestamp_ms };
    Ok(track_run(track.key.clone(), &window, &vec![row]))
}

/// The window that a run of tracks is of.
///
/// # Errors
/// [`BadItem`].
pub fn window_of(run: &Attributes) -> Result<WindowStart, BadItem> {
    Ok(WindowStart { height: run.number("window_height")?, time_ms: run.number("window_ms")? })
}

/// Takes a run apart: its entries in ascending order.
///
/// # Errors
/// [`LedgerError::Damaged`].
pub fn unpack(run: &Item) -> Result<Vec<Item>, LedgerError> {
    let (pk, of) = (&run.key.pk, &run.attributes);
    if run.key.sk.starts_with("T#") {
        let rows: Vec<TrackRow> = rows_of(of, "a run of tracks")?;
        let item = |row: TrackRow| Item {
            key: Key::new(pk.clone(), items::track_sk(row.height)),
            attributes: attributes([
                ("hash", row.hash.into()),
                ("nodes", row.nodes.0.into()),
                ("timestamp_ms", row.timestamp_ms.into()),
                ("event_count", row.event_count.into()),
            ]),
        };
        return Ok(rows.into_iter().map(item).collect());
    }
    let kennel = KennelId(of.digest("kennel")?);
    let own: Option<Digest32> = pk.strip_prefix("P#").and_then(|birth| {
        let mut bytes = [0; 32];
        hex::decode_to_slice(birth, &mut bytes).ok()?;
        Some(bytes)
    });
    let rows: Vec<EntryRow> = rows_of(of, "a run of entries")?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let index = u32::try_from(row.index).map_err(|_| damaged("a run of entries"))?;
        let sk = match own {
            Some(_) => items::entry_sk(row.height, index),
            None => items::feed_sk(row.timestamp_ms, row.height, index, &kennel),
        };
        let pet = row.pet.or(own).ok_or_else(|| damaged("a run of entries"))?;
        let mut entry = attributes([
            ("id", row.id.into()),
            ("kind", row.kind.into()),
            ("kennel", kennel.0.into()),
            ("pet", pet.into()),
            ("account", row.account.into()),
            ("height", row.height.into()),
            ("index", row.index.into()),
            ("timestamp_ms", row.timestamp_ms.into()),
            ("age", row.age.into()),
        ]);
        let rest: [(&str, Option<Value>); 3] = [
            ("post", row.post.map(Value::from)),
            ("photo", row.photo.map(Value::from)),
            ("amount", row.amount.map(Value::from)),
        ];
        for (name, value) in rest {
            if let Some(value) = value {
                entry.insert(name.to_owned(), value);
            }
        }
        entries.push(Item { key: Key::new(pk.clone(), sk), attributes: entry });
    }
    Ok(entries)
}

/// Where a bucket says that an event is: its kennel, height, index and kind.
///
/// # Errors
/// [`LedgerError::Damaged`].
pub fn place_in(bucket: &Item, event: &EventId) -> Result<Option<(KennelId, u64, u32, u64)>, LedgerError> {
    let rows: Vec<PlaceRow> = rows_of(&bucket.attributes, "a bucket of places")?;
    let Some(row) = rows.into_iter().find(|row| event.0 == row.id) else { return Ok(None) };
    let index = u32::try_from(row.index).map_err(|_| damaged("a bucket of places"))?;
    Ok(Some((kennel_of(&bucket.key.sk)?, row.height, index, row.kind)))
}

/// All places in a bucket: kennel, height, index and kind.
///
/// # Errors
/// [`LedgerError::Damaged`].
pub fn places(bucket: &Item) -> Result<Vec<(KennelId, u64, u32, u64)>, LedgerError> {
    let kennel = kennel_of(&bucket.key.sk)?;
    let rows: Vec<PlaceRow> = rows_of(&bucket.attributes, "a bucket of places")?;
    let place = |row: PlaceRow| {
        let index = u32::try_from(row.index).map_err(|_| damaged("a bucket of places"))?;
        Ok((kennel, row.height, index, row.kind))
    };
    rows.into_iter().map(place).collect()
}

/// A text with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Height of its block.
    pub height: u64,
    /// Its place there.
    pub index: u32,
    /// Its block's time, ms.
    pub timestamp_ms: u64,
    /// By which it is found.
    pub words: Vec<Word>,
}

/// The buckets of a window's words.
pub fn pack_words(kennel: &KennelId, window: &WindowStart, listed: &[Listed]) -> Vec<Item> {
    let mut buckets: BTreeMap<String, BTreeMap<(u64, u64), WordRow>> = BTreeMap::new();
    for text in listed {
        for word in &text.words {
            let bucket = buckets.entry(bucket_of(word)).or_default();
            let index = u64::from(text.index);
            let row = bucket.entry((text.height, index)).or_insert_with(|| WordRow {
                height: text.height,
                index,
                timestamp_ms: text.timestamp_ms,
                words: Vec::new(),
            });
            row.words.push(word.beginning());
        }
    }
    buckets
        .into_iter()
        .map(|(pk, rows)| {
            let rows = with_room(rows.into_values());
            let key = Key::new(pk.clone(), bucket_sk(kennel, window));
            Item { key, attributes: attributes([(ROWS, encode(&rows).into())]) }
        })
        .collect()
}

/// As many rows as a bucket has room for.
fn with_room(rows: impl Iterator<Item = WordRow>) -> Vec<WordRow> {
    let mut bytes = 0;
    rows.take_while(|row| {
        bytes += encode(row).len();
        bytes <= BUCKET_BYTES_MAX
    })
    .collect()
}

/// The bucket with a text's words in it, or without them; none if there is none and none is needed.
///
/// # Errors
/// [`LedgerError::Damaged`].
pub fn relist(
    bucket: Option<&Attributes>,
    text: &Listed,
    of_bucket: &str,
) -> Result<Option<Attributes>, LedgerError> {
    let mut rows: Vec<WordRow> = match bucket {
        Some(bucket) => rows_of(bucket, "a bucket of words")?,
        None => Vec::new(),
    };
    let index = u64::from(text.index);
    rows.retain(|row| (row.height, row.index) != (text.height, index));
    let words: Vec<String> =
        text.words.iter().filter(|word| bucket_of(word) == of_bucket).map(Word::beginning).collect();
    if !words.is_empty() {
        rows.push(WordRow { height: text.height, index, timestamp_ms: text.timestamp_ms, words });
        rows.sort_unstable_by_key(|row| (row.height, row.index));
        rows = with_room(rows.into_iter());
    }
    Ok((bucket.is_some() || !rows.is_empty()).then(|| attributes([(ROWS, encode(&rows).into())])))
}

/// Whether a bucket lists what it should, and no text that is not among these. One without rows is as
/// good as none.
pub fn lists(stored: Option<&Attributes>, expected: Option<&Attributes>, texts: &[Listed]) -> bool {
    let rows = |of: Option<&Attributes>| match of {
        Some(of) => rows_of::<WordRow>(of, "a bucket of words"),
        None => Ok(Vec::new()),
    };
    let (Ok(stored), Ok(expected)) = (rows(stored), rows(expected)) else { return false };
    let has = |row: &WordRow| {
        stored.iter().any(|other| {
            (other.height, other.index, other.timestamp_ms) == (row.height, row.index, row.timestamp_ms)
                && row.words.iter().all(|word| other.words.contains(word))
        })
    };
    let is_text = |row: &WordRow| {
        texts.iter().any(|text| (text.height, u64::from(text.index)) == (row.height, row.index))
    };
    expected.iter().all(has) && stored.iter().all(is_text)
}

/// A bucket that lists nothing any more. Deleting it could take away what somebody lists meanwhile.
pub(crate) fn no_rows() -> Attributes {
    attributes([(ROWS, encode(&Vec::<WordRow>::new()).into())])
}

/// All partitions of buckets.
pub(crate) fn bucket_partitions() -> impl Iterator<Item = String> {
    let places = (0..=u8::MAX).map(|byte| format!("E#{byte:02x}"));
    places.chain((0..WORD_BUCKETS).map(|bucket| format!("W#~{bucket:03x}")))
}

/// The keys of all buckets of a window's words.
pub fn word_buckets(kennel: &KennelId, window: &WindowStart) -> Vec<Key> {
    let sk = bucket_sk(kennel, window);
    (0..WORD_BUCKETS).map(|bucket| Key::new(format!("W#~{bucket:03x}"), sk.clone())).collect()
}

/// What a bucket lists: under its key as [`Word::key`] has it, where the entry is in its kennel's feed.
///
/// # Errors
/// [`LedgerError::Damaged`].
pub fn unpack_words(bucket: &Item) -> Result<Vec<(String, Key)>, LedgerError> {
    let kennel = kennel_of(&bucket.key.sk)?;
    let rows: Vec<WordRow> = rows_of(&bucket.attributes, "a bucket of words")?;
    let mut listed = Vec::new();
    for row in rows {
        let index = u32::try_from(row.index).map_err(|_| damaged("a bucket of words"))?;
        let feed_sk = items::feed_sk(row.timestamp_ms, row.height, index, &kennel);
        let feed_pk = items::feed_pk(&kennel, row.timestamp_ms / items::DAY_MS);
        for word in row.words {
            listed.push((format!("{word}#{feed_sk}"), Key::new(feed_pk.clone(), feed_sk.clone())));
        }
    }
    Ok(listed)
}
