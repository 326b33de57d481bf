//! Reports, verdicts, and what was erased.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A report that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedView {
    /// The event.
    pub event: String,
    /// What is wrong with it, such as `spam`.
    pub reason: String,
}

/// A text that was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedView {
    /// The event, which stays.
    pub event: String,
    /// SHA-256 of the photo that was erased with it, by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
}

/// What accounts reported, most reported first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    /// The events.
    pub entries: Vec<QueuedView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An event that was reported, and that no moderator has decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuedView {
    /// The event.
    pub event: String,
    /// Kind of event: `birth`, `post` or `comment`.
    pub kind: String,
    /// The kennel.
    pub kennel: String,
    /// Accounts that reported it, at most 100.
    pub reporters: u64,
    /// How many gave each reason.
    pub reasons: std::collections::BTreeMap<String, u64>,
    /// When the newest report came.
    pub last_ms: u64,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What moderators did, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModerationLogView {
    /// The verdicts.
    pub entries: Vec<VerdictView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A moderator's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictView {
    /// The moderator's event, which proves it.
    pub id: String,
    /// The kennel.
    pub kennel: String,
    /// The event whose text it is about.
    pub target: String,
    /// That event's kind; none if there is no such event in the kennel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_kind: Option<String>,
    /// `hide` or `show`.
    pub verdict: String,
    /// The public reason; none if it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Height of its block.
    pub height: u64,
    /// The block's timestamp.
    pub timestamp_ms: u64,
}

/// Who moderates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModeratorsView {
    /// By kennel.
    pub kennels: Vec<KennelModeratorsView>,
}

/// Who moderates a kennel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KennelModeratorsView {
    /// The kennel.
    pub kennel: String,
    /// Its short name on this server.
    pub label: String,
    /// The operator's public key.
    pub operator: String,
    /// The moderators' public keys.
    pub moderators: Vec<String>,
    /// The time witnesses' public keys.
    pub witnesses: Vec<String>,
    /// How many of them a time block needs.
    pub threshold: u8,
}
