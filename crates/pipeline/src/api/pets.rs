//! Pets, and what happens around them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::HiddenView;

/// A pet's card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PetView {
    /// Birth hash.
    pub birth: String,
    /// The kennel.
    pub kennel: String,
    /// Name; none if erased, hidden or missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Story; none if erased, hidden or missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<String>,
    /// Owner's account id.
    pub owner: String,
    /// `living`, `dead`, `ended` or `kept`.
    pub phase: String,
    /// Ages left.
    pub remaining: u64,
    /// Ages that a pet has right after an event.
    pub ttl: u32,
    /// The remaining life in words, such as "9 of 15 ages, about a day and a half at most".
    pub remaining_words: String,
    /// Treats in its wallet.
    pub wallet: u64,
    /// SHA-256 of the photo.
    pub photo: String,
    /// Path of the photo on this server; none if erased or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// Set if a moderator hid name, story and photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<HiddenView>,
    /// Height and time of its birth.
    pub born_height: u64,
    /// Timestamp of its birth.
    pub born_ms: u64,
    /// Height at which it died, 0 while it lives.
    pub died_height: u64,
    /// Timestamp of its death, 0 while it lives.
    pub died_ms: u64,
    /// Posts so far.
    pub posts: u64,
    /// Pats so far.
    pub pats: u64,
    /// Shares so far.
    pub shares: u64,
    /// Comments so far.
    pub comments: u64,
}

/// An entry of the feed or of a pet's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntryView {
    /// Event id.
    pub id: String,
    /// Kind of event, such as `post`.
    pub kind: String,
    /// The kennel.
    pub kennel: String,
    /// The pet that it is about.
    pub pet: String,
    /// The pet's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet_name: Option<String>,
    /// Who did it.
    pub account: String,
    /// Height of its block.
    pub height: u64,
    /// Place in its block.
    pub index: u32,
    /// The block's timestamp.
    pub timestamp_ms: u64,
    /// The kennel's age after its block.
    pub age: u64,
    /// The text: of a post or comment, or a birth's story; none if erased, hidden or missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `present`, `erased`, `missing` (not stored yet, or lost) or `none`, where there never is a text.
    #[serde(default)]
    pub body_state: String,
    /// Tags of a post.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Set if a moderator hid text and photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<HiddenView>,
    /// Path of the photo on this server; none if there is none, or it is erased or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// The post that a pat, share or comment is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// Treats of a gift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
}

/// A page of entries, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntriesView {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
