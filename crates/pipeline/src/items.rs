//! The items of the table: keys and attributes, in one place.
//!
//! | item | pk | sk | writer |
//! |---|---|---|---|
//! | kennel list | `KENNELS` | label | operator; miner, by condition |
//! | genesis | `K#kennel` | `GENESIS` | operator; reaper, by condition |
//! | next kennel | `K#kennel` | `NEXT` | reaper, by condition |
//! | head | `K#kennel` | `HEAD` | miner, by condition |
//! | block | `K#kennel` | `B#height#hash` | miner, staged |
//! | tracks | `K#kennel` | `T#height` of the first | publisher |
//! | place | `E#xx` | window | publisher |
//! | texts of a block | `C#kennel` | `height#chunk` | publisher; ingest and operator erase |
//! | body | `E#event` | `BODY` | publisher; ingest and operator erase |
//! | reject | `E#event` | `REJECT` | miner |
//! | spare body | `E#event` | `SPARE` | miner, with TTL; ingest and operator erase |
//! | pet card | `P#birth` | `CARD` | publisher |
//! | timeline | `P#birth` | `E#height#index` of the first | publisher |
//! | account | `A#account` | `K#kennel` | publisher |
//! | keys of the offices | `K#kennel` | `KEYS` | publisher |
//! | order | `X#order` | `CARD` | publisher |
//! | trade | `Y#kennel` | `time#height#index#kennel` | publisher |
//! | verdict | `E#event` | `VERDICT#kennel` | publisher |
//! | moderation log | `V#kennel` | `time#height#index#kennel` | publisher |
//! | account's name | `A#account` | `N#name` | ingest |
//! | account's pet | `A#account` | `P#time#height#index#kennel` | publisher |
//! | profile | `A#account` | `PROFILE` | ingest, by condition; operator erases |
//! | private list | `A#account` | `PRIVATE` | ingest, by condition |
//! | word | `W#~xxx` | window | publisher; ingest and operator take out what is erased |
//! | word of a name | `W#beginning` | `a#name#` | ingest |
//! | post card | `O#post` | `CARD` | publisher |
//! | feed | `F#kennel#day` | `time#height#index#kennel` of the first | publisher |
//! | births | `N#kennel` | `time#height#index#kennel` | publisher |
//! | story to end | `D#kennel` | birth | publisher; reaper deletes |
//! | photo in use | `M#sha256` | `REF` | publisher |
//! | upload | `U#day` | sha256 | ingest; reaper deletes |
//! | name | `NAME#name` | `NAME` | ingest, by condition |
//! | password | `VAULT#name` | `VAULT` | ingest, by condition |
//! | statement | `S#kennel` | `head#key` | ingest, by condition, with TTL |
//! | report | `R#event` | `A#account` | ingest, by condition, with TTL |
//! | reports' sum | `R#event` | `SUM` | ingest, by condition, with TTL |
//! | moderators' queue | `Q#kennel` | `count#time#event` | ingest, by condition, with TTL; ingest deletes |
//! | erased photo | `M#sha256` | `ERASED` | operator, by condition |
//! | rate | `RATE#subject` | start of the window, ms | ingest, by condition, with TTL |
//!
//! The publisher writes texts, bodies, photos in use, stories to end and the keys of the offices with each
//! block, and everything else when the block's window closes ([`crate::publisher`]).
//!
//! Several entries share an item. Tracks, timelines and feeds lie in runs, under the key of the first one;
//! places and words in buckets, whose sort key names the window (`time#height#kennel` of its first block):
//! [`crate::runs`]. Texts of posts and comments lie with those of their block: [`crate::texts`]. Whoever
//! reads asks for one entry all the same, by a *logical* key, under which [`crate::read_side::ReadSide`]
//! finds it. Functions below say so where theirs is one.
//!
//! ARCHITECTURE.md says what losing each of them costs.

use pitpet_chain::hash::{
    AccountId, BirthHash, BlockHash, Digest32, EventId, KennelId, PublicKey, RulesHash,
};

use crate::ports::{Attributes, Key, Value};

/// The attribute that says when an item may be deleted, seconds since 1970; the table does it some time later.
pub const EXPIRY: &str = "ttl";

/// Milliseconds of a day: the feed's partitions.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Key of the kennel list.
pub fn kennel_label(label: &str) -> Key {
    Key::new("KENNELS", label)
}

/// Partition of a kennel's chain.
pub fn chain(kennel: &KennelId) -> String {
    format!("K#{kennel}")
}

/// Key of a genesis.
pub fn genesis(kennel: &KennelId) -> Key {
    Key::new(chain(kennel), "GENESIS")
}

/// Key of the reservation of a kennel's successor.
pub fn next_kennel(kennel: &KennelId) -> Key {
    Key::new(chain(kennel), "NEXT")
}

/// Key of a head.
pub fn head(kennel: &KennelId) -> Key {
    Key::new(chain(kennel), "HEAD")
}

/// Key of the keys of a kennel's offices.
pub fn keys(kennel: &KennelId) -> Key {
    Key::new(chain(kennel), "KEYS")
}

/// Sort keys of the blocks staged at a height begin with this.
pub fn block_prefix(height: u64) -> String {
    format!("B#{height:020}#")
}

/// Key of a block, staged or committed.
pub fn block(kennel: &KennelId, height: u64, hash: &BlockHash) -> Key {
    Key::new(chain(kennel), format!("{}{hash}", block_prefix(height)))
}

/// Sort key of a track, and of the run that begins with it.
pub fn track_sk(height: u64) -> String {
    format!("T#{height:020}")
}

/// Logical key of a track: which block stands at a height, and the log's nodes that it completes. It lies
/// in a run.
pub fn track(kennel: &KennelId, height: u64) -> Key {
    Key::new(chain(kennel), track_sk(height))
}

/// Logical key of an event's place, which lies in the bucket of its id
/// ([`crate::runs::place_bucket`]).
pub fn place(event: &EventId) -> Key {
    Key::new(format!("E#{event}"), "PLACE")
}

/// Key of the body of a birth or verdict. That of a post or comment is a [`text`].
pub fn body(event: &EventId) -> Key {
    Key::new(format!("E#{event}"), "BODY")
}

/// Logical key of a text that shares an item with others of its block ([`crate::texts`]). Of a partition of
/// its own, so that ingest, which erases, need not write to the chain's.
pub fn text(kennel: &KennelId, height: u64, index: u32) -> Key {
    Key::new(format!("C#{kennel}"), format!("{height:020}#{index:05}"))
}

/// Key of an event's reject.
pub fn reject(event: &EventId) -> Key {
    Key::new(format!("E#{event}"), "REJECT")
}

/// Key of the body of an event that one miner rejected and another may have accepted.
pub fn spare_body(event: &EventId) -> Key {
    Key::new(format!("E#{event}"), "SPARE")
}

/// Key of what a kennel's moderators made of an event's body.
pub fn verdict(event: &EventId, kennel: &KennelId) -> Key {
    Key::new(format!("E#{event}"), format!("VERDICT#{kennel}"))
}

/// Partition of what a kennel's time witnesses say. Of its own, so that ingest, which writes it,
/// need not write to the chain's.
pub fn statements_pk(kennel: &KennelId) -> String {
    format!("S#{kennel}")
}

/// Key of what a time witness says of a head.
pub fn statement(kennel: &KennelId, head: &BlockHash, witness: &PublicKey) -> Key {
    Key::new(statements_pk(kennel), format!("{head}#{witness}"))
}

/// Key of an offer or bid.
pub fn order(id: &EventId) -> Key {
    Key::new(format!("X#{id}"), "CARD")
}

/// Partition of a kennel's trades.
pub fn trades_pk(kennel: &KennelId) -> String {
    format!("Y#{kennel}")
}

/// Partition of a kennel's moderation log.
pub fn verdicts_pk(kennel: &KennelId) -> String {
    format!("V#{kennel}")
}

/// Key of a pet's card.
pub fn pet(birth: &BirthHash) -> Key {
    Key::new(format!("P#{birth}"), "CARD")
}

/// Sort key by place, and of the run that begins with such an entry.
pub fn entry_sk(height: u64, index: u32) -> String {
    format!("E#{height:020}#{index:05}")
}

/// Logical key of an entry of a pet's timeline. It lies in a run.
pub fn timeline(birth: &BirthHash, height: u64, index: u32) -> Key {
    Key::new(format!("P#{birth}"), entry_sk(height, index))
}

/// Partition of an account.
pub fn account_pk(account: &AccountId) -> String {
    format!("A#{account}")
}

/// Key of an account's record in a kennel.
pub fn account(account: &AccountId, kennel: &KennelId) -> Key {
    Key::new(account_pk(account), format!("K#{kennel}"))
}

/// Key of an account's name.
pub fn account_name(account: &AccountId, name: &str) -> Key {
    Key::new(account_pk(account), format!("N#{name}"))
}

/// Key of an account's profile.
pub fn profile(account: &AccountId) -> Key {
    Key::new(account_pk(account), "PROFILE")
}

/// Key of an account's list that only the account can read.
pub fn private_list(account: &AccountId) -> Key {
    Key::new(account_pk(account), "PRIVATE")
}

/// Key of an entry of the pets born to an account; `feed_sk` is that of the birth.
pub fn account_pet(account: &AccountId, feed_sk: &str) -> Key {
    Key::new(account_pk(account), format!("P#{feed_sk}"))
}

/// Key of a post's card.
pub fn post(id: &EventId) -> Key {
    Key::new(format!("O#{id}"), "CARD")
}

/// Partition of a kennel's feed of a day. Its entries lie in runs.
pub fn feed_pk(kennel: &KennelId, day: u64) -> String {
    format!("F#{kennel}#{day:06}")
}

/// Partition of a kennel's births.
pub fn births_pk(kennel: &KennelId) -> String {
    format!("N#{kennel}")
}

/// Sort key of feeds: by time, then place; unique over kennels.
pub fn feed_sk(timestamp_ms: u64, height: u64, index: u32, kennel: &KennelId) -> String {
    let kennel = kennel.to_string();
    format!("{timestamp_ms:015}#{height:020}#{index:05}#{}", &kennel[..8])
}

/// Whether a sort key of a feed is of a kennel.
pub fn is_of_kennel(feed_sk: &str, kennel: &KennelId) -> bool {
    feed_sk.rsplit('#').next() == Some(&kennel.to_string()[..8])
}

/// Partition of a kennel's dead whose story is to be ended.
pub fn dead_pk(kennel: &KennelId) -> String {
    format!("D#{kennel}")
}

/// Key of the mark that a photo is in use.
pub fn photo(sha256: &Digest32) -> Key {
    Key::new(format!("M#{}", hex::encode(sha256)), "REF")
}

/// Key of the mark that a photo was erased.
pub fn erased_photo(sha256: &Digest32) -> Key {
    Key::new(format!("M#{}", hex::encode(sha256)), "ERASED")
}

/// Partition of an event's reports.
pub fn reports_pk(event: &EventId) -> String {
    format!("R#{event}")
}

/// Key of an account's report of an event.
pub fn report(event: &EventId, account: &AccountId) -> Key {
    Key::new(reports_pk(event), format!("A#{account}"))
}

/// Key of what an event's reports come to.
pub fn report_sum(event: &EventId) -> Key {
    Key::new(reports_pk(event), "SUM")
}

/// Partition of a kennel's queue for moderators.
pub fn queue_pk(kennel: &KennelId) -> String {
    format!("Q#{kennel}")
}

/// Key of an event's entry in the queue: by how many reported it, then by when the newest did.
pub fn queued_report(kennel: &KennelId, count: u64, last_ms: u64, event: &EventId) -> Key {
    Key::new(queue_pk(kennel), format!("{count:05}#{last_ms:015}#{event}"))
}

/// Key of an upload that may end unused.
pub fn upload(day: u64, sha256: &Digest32) -> Key {
    Key::new(format!("U#{day:06}"), hex::encode(sha256))
}

/// Key of a name.
pub fn name(name: &str) -> Key {
    Key::new(format!("NAME#{name}"), "NAME")
}

/// Key of what opens an account by a password: OPAQUE's record and the vault. A partition of its
/// own, which only ingest may read.
pub fn vault(name: &str) -> Key {
    Key::new(format!("VAULT#{name}"), "VAULT")
}

/// Key of a subject's count of events in a window of the rate limits.
pub fn rate(subject: &str, window_start_ms: u64) -> Key {
    Key::new(format!("RATE#{subject}"), format!("{window_start_ms:015}"))
}

/// Object key of a photo.
pub fn photo_object(sha256: &Digest32) -> String {
    format!("media/{}", hex::encode(sha256))
}

/// Object key of a rules module.
pub fn rules_object(hash: &RulesHash) -> String {
    format!("rules/{hash}.wasm")
}

/// An item lacks an attribute or has one of another type: the table is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the item has no sound attribute {0:?}")]
pub struct BadItem(pub &'static str);

/// Typed access to attributes.
pub trait Fields {
    /// An unsigned number.
    ///
    /// # Errors
    /// [`BadItem`].
    fn number(&self, name: &'static str) -> Result<u64, BadItem>;
    /// Bytes.
    ///
    /// # Errors
    /// [`BadItem`].
    fn bytes(&self, name: &'static str) -> Result<&[u8], BadItem>;
    /// Text.
    ///
    /// # Errors
    /// [`BadItem`].
    fn text(&self, name: &'static str) -> Result<&str, BadItem>;
    /// 32 bytes.
    ///
    /// # Errors
    /// [`BadItem`].
    fn digest(&self, name: &'static str) -> Result<Digest32, BadItem> {
        self.bytes(name)?.try_into().map_err(|_| BadItem(name))
    }
}

impl Fields for Attributes {
    fn number(&self, name: &'static str) -> Result<u64, BadItem> {
        match self.get(name) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(BadItem(name)),
        }
    }
    fn bytes(&self, name: &'static str) -> Result<&[u8], BadItem> {
        match self.get(name) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(BadItem(name)),
        }
    }
    fn text(&self, name: &'static str) -> Result<&str, BadItem> {
        match self.get(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(BadItem(name)),
        }
    }
}

/// Builds attributes.
pub fn attributes<const N: usize>(fields: [(&'static str, Value); N]) -> Attributes {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Number(number.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl From<Digest32> for Value {
    fn from(digest: Digest32) -> Self {
        Value::Bytes(digest.to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
