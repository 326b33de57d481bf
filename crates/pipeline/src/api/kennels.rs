//! Kennels and blocks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A kennel's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ParametersView {
    pub ttl: u32,
    pub age_interval_ms: u64,
    pub idle_ms: u64,
    pub living_max: u32,
    pub accounts_max: u32,
    pub visits_per_post_max: u32,
    pub open_posts_max: u32,
    pub birth_grant: u64,
    pub post_cost: u64,
    pub seal_reward: u64,
    pub time_reward: u64,
    pub stamp_bits: u8,
    pub birth_bits: u8,
    pub seal_bits: u8,
    pub cut_permille: u16,
}

/// A kennel with its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KennelView {
    /// Kennel id.
    pub id: String,
    /// Its short name on this server.
    pub label: String,
    /// Height of the head.
    pub height: u64,
    /// Hash of the head.
    pub hash: String,
    /// Age of the kennel.
    pub age: u64,
    /// Timestamp of the head.
    pub timestamp_ms: u64,
    /// The rules hash of the head.
    pub rules_hash: String,
    /// What a birth should be bound to.
    pub anchor: String,
    /// Height up to which answers go: that of the head.
    pub published_height: u64,
    /// Living pets.
    pub living: u32,
    /// Places for births of accounts that have a record here.
    pub free_places: u32,
    /// Places for births of accounts that have none; see `GET /v1/birthplace`.
    #[serde(default)]
    pub newcomer_places: u32,
    /// Pets ever born.
    pub pets: u32,
    /// Accounts with a record.
    pub accounts: u32,
    /// Treats ever minted.
    pub minted: u64,
    /// Treats of the house: they pay the rewards of miners before any are minted.
    pub house: u64,
    /// Treats locked in bids.
    pub locked: u64,
    /// Open offers and bids.
    pub orders: u32,
    /// What miners work on.
    pub mining: MiningView,
    /// A change of rules that the operator has decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeView>,
    /// The parameters.
    pub parameters: ParametersView,
    /// The checkpoint key, a C2SP verifier key.
    pub checkpoint_key: String,
    /// The canonical genesis, base64.
    pub genesis: String,
}

/// What miners of a kennel work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MiningView {
    /// The block that began the present age: what a seal is over.
    pub over: String,
    /// Whether the present age has its seal.
    pub sealed: bool,
    /// Trials that a seal takes on average.
    pub difficulty: u64,
    /// When the kennel last aged; `idle_ms` later time may be mined by a seal over the head.
    pub last_aging_ms: u64,
}

/// A change of rules that has been decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpgradeView {
    /// SHA-256 of the module.
    pub rules_hash: String,
    /// The first block that it decides.
    pub at_height: u64,
}

/// The kennels of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KennelsView {
    /// By label.
    pub kennels: Vec<KennelView>,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockView {
    /// Height.
    pub height: u64,
    /// Hash.
    pub hash: String,
    /// Parent's hash.
    pub parent: String,
    /// Timestamp.
    pub timestamp_ms: u64,
    /// Age after it.
    pub age: u64,
    /// Its events' ids, in order.
    pub events: Vec<String>,
    /// Pets that died in it.
    pub deaths: Vec<String>,
    /// Canonical bytes, base64.
    pub bytes: String,
}

/// A page of blocks, newest first, without their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlocksView {
    /// The blocks.
    pub blocks: Vec<BlockSummaryView>,
    /// Pass as `cursor` for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One line about a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockSummaryView {
    /// Height.
    pub height: u64,
    /// Hash.
    pub hash: String,
    /// Timestamp.
    pub timestamp_ms: u64,
    /// Number of events.
    pub event_count: u64,
}
