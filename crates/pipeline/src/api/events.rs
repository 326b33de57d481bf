//! Events: as they are sent, and what became of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;

/// A signed event with its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedEvent {
    /// The signed event, base64 of its canonical bytes.
    pub event: String,
    /// The body's 32-byte salt, base64; for birth, post and comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The body's canonical bytes, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Up to 25 events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedEvents {
    /// The events; those of one kennel take effect in this order.
    pub events: Vec<SubmittedEvent>,
}

/// What became of one submitted event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submission {
    /// The event's id, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `queued` or `refused`.
    pub status: String,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The answer to `POST /v1/events` with several events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submissions {
    /// One for each event, in order.
    pub results: Vec<Submission>,
}

/// An event: mined with its proof, or rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Event id.
    pub id: String,
    /// `mined` or `rejected`. An event that is neither is answered with 404.
    pub status: String,
    /// The kennel.
    pub kennel: String,
    /// Where it stands and what it did, if mined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceView>,
    /// Why it was rejected. Provisional until the event expires: a receipt always wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject: Option<Problem>,
    /// `present`, `erased`, `missing` or `none`.
    pub body_state: String,
    /// Set if a moderator hid the body: pages, feeds and search then don't show it. It stays here,
    /// as in exports, so that anybody can judge the moderators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<HiddenView>,
    /// The body's salt, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The body's canonical bytes, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What became of several events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventsView {
    /// Those that are mined or rejected, without their proofs, in any order.
    pub events: Vec<EventView>,
    /// Ids of the others.
    pub unknown: Vec<String>,
}

/// Where a mined event stands, with the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceView {
    /// Kind of event, such as `pat`.
    pub kind: String,
    /// Height of its block.
    pub height: u64,
    /// Place in its block.
    pub index: u32,
    /// The block's hash.
    pub block: String,
    /// The block's timestamp.
    pub timestamp_ms: u64,
    /// The signed event, base64; only with its proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The receipt, base64; only with its proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The proof; left out on request (`?proof=false`), and the block isn't read then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofView>,
}

/// A moderator's verdict that hides a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HiddenView {
    /// Id of the moderator's event.
    pub by: String,
    /// The public reason; none if it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A proof that ends in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// Canonical `EventProof` or `StateProof`, base64.
    pub proof: String,
    /// Canonical `LogProof` of the proof's block, base64.
    pub log_proof: String,
    /// The checkpoint: a C2SP signed note.
    pub checkpoint: String,
}

/// What an account did, as the event that it signed says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActView {
    /// Event id.
    pub id: String,
    /// Kind of event, such as `pat`.
    pub kind: String,
    /// Height of its block.
    pub height: u64,
    /// Place in its block.
    pub index: u32,
    /// The block's timestamp.
    pub timestamp_ms: u64,
    /// The pet that the event names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet: Option<String>,
    /// The post that a pat, share or comment is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// The order that is taken or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The account that treats were transferred to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Treats of a gift, transfer, offer, bid or sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// Path of the photo of a birth or post on this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// A pet's name, of a birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The text: of a post or comment, a birth's story, a moderator's reason; hidden ones, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Tags of a post.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `present`, `erased`, `missing` or `none`.
    pub body_state: String,
    /// The signed event, base64.
    pub event: String,
    /// The body's salt, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The body's canonical bytes, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What an account did in some blocks in a row, oldest first; often nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActsView {
    /// Its events.
    pub acts: Vec<ActView>,
    /// Pass as `cursor` to go on: the height of the block to begin with. None at the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
