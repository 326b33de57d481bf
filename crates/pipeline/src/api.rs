//! The HTTP API's records: what goes over the wire as JSON. One definition serves the handlers,
//! the command line and the OpenAPI document.
//!
//! Hashes and keys are lower-case hexadecimal; bytes are base64 with padding; times are
//! milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A problem document of RFC 9457 (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable relative reference that names the problem, such as `/problems/weak-stamp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request, naming the limit.
    pub detail: String,
    /// The request's field that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Seconds after which the same request may be tried again, if waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

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
    /// Height up to which the read side is complete.
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

/// What an account has in one kennel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldingView {
    /// The kennel.
    pub kennel: String,
    /// Its short name on this server.
    #[serde(default)]
    pub label: String,
    /// Granted treats, for posts only.
    pub granted: u64,
    /// Free treats.
    pub free: u64,
    /// The living pet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet: Option<String>,
    /// Dead pets and keepsakes.
    pub holdings: u32,
    /// Open offers and bids.
    pub orders: u32,
    /// The last accepted nonce.
    pub nonce: u64,
    /// The current key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What an account has over all kennels. Treats stay in their kennel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SumsView {
    /// Granted treats.
    pub granted: u64,
    /// Free treats.
    pub free: u64,
    /// Living pets.
    pub living: u64,
    /// Dead pets and keepsakes.
    pub holdings: u64,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    /// Account id.
    pub id: String,
    /// Names registered for it.
    pub names: Vec<String>,
    /// Over all kennels.
    #[serde(default)]
    pub sums: SumsView,
    /// By kennel.
    pub kennels: Vec<HoldingView>,
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
    /// `present`, `erased`, `missing` (not published yet) or `none`, where there never is a text.
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

/// An offer or bid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderView {
    /// Its event id.
    pub id: String,
    /// `offer`: the owner sells; `bid`: somebody would buy, and the price is locked.
    pub side: String,
    /// `open`, `taken`, `cancelled`, `outbid`, `time-up` or `pet-changed` (dead, or another's).
    pub state: String,
    /// The kennel.
    pub kennel: String,
    /// The pet.
    pub pet: String,
    /// The pet's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet_name: Option<String>,
    /// Whether it is for the pet while it lives or for its keepsake: `living` or `kept`.
    pub phase: String,
    /// Path of the pet's photo on this server; none if erased or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// Who owned the pet when the order was placed.
    pub owner: String,
    /// Who made the order.
    pub maker: String,
    /// What the buyer pays, treats.
    pub price: u64,
    /// What of it the seller gets, treats.
    pub to_seller: u64,
    /// What of it the house gets, treats: the cut, rounded up.
    pub to_house: u64,
    /// Timestamp of the block that placed it.
    pub placed_ms: u64,
    /// Last block timestamp at which it can be taken.
    pub until_ms: u64,
}

/// A page of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrdersView {
    /// The orders.
    pub orders: Vec<OrderView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TradeView {
    /// Id of the event that took the order.
    pub id: String,
    /// The order.
    pub order: String,
    /// The kennel.
    pub kennel: String,
    /// The pet.
    pub pet: String,
    /// The pet's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet_name: Option<String>,
    /// Whether the pet was alive or its keepsake was sold: `living` or `kept`.
    #[serde(default)]
    pub phase: String,
    /// Path of the pet's photo on this server; none if erased or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// Who owned the pet.
    pub seller: String,
    /// Who owned it then.
    pub buyer: String,
    /// What the buyer paid, treats.
    pub price: u64,
    /// What of it the seller got, treats.
    pub to_seller: u64,
    /// What of it the house got, treats.
    pub to_house: u64,
    /// Height of its block.
    pub height: u64,
    /// The block's timestamp.
    pub timestamp_ms: u64,
}

/// A page of sales, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TradesView {
    /// The sales.
    pub trades: Vec<TradeView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A signed request (`crates/chain`, module `request`): for a name or an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedRequest {
    /// Base64 of the canonical signed request.
    pub request: String,
}

/// The answer to a registered name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameView {
    /// The name.
    pub name: String,
    /// The account that has it.
    pub account: String,
}

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

/// First step of setting a password: the client's OPAQUE message (RFC 9807), asked for by the owner of the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// Base64 of a canonical signed request for a vault; its content is the SHA-256 of the message.
    pub request: String,
    /// `RegistrationRequest`, base64.
    pub message: String,
}

/// The server's OPAQUE message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordAnswer {
    /// `RegistrationResponse`, base64.
    pub message: String,
}

/// Second step of setting a password: what the server keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedVault {
    /// Base64 of a canonical signed request for a vault; its content is the SHA-256 of record and vault.
    pub request: String,
    /// `RegistrationRecord`, 192 bytes, base64.
    pub record: String,
    /// The account's keys, encrypted under OPAQUE's export key; at most 4,096 bytes, base64.
    pub vault: String,
}

/// A password that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultView {
    /// The name.
    pub name: String,
    /// The request's version.
    pub version: u64,
}

/// First step of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The name.
    pub name: String,
    /// `KE1`, base64.
    pub message: String,
}

/// The server's answer, alike for names with and without a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInAnswer {
    /// `KE2`, base64.
    pub message: String,
    /// The server's state, sealed; goes back with the last message within 2 minutes. Base64.
    pub state: String,
}

/// Last step of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInEnd {
    /// The name.
    pub name: String,
    /// What the first step answered, as it was. Base64.
    pub state: String,
    /// `KE3`, base64.
    pub message: String,
}

/// The vault, for who knows the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenedVault {
    /// The account that has the name.
    pub account: String,
    /// The vault, base64.
    pub vault: String,
}

/// A profile to keep, in place of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedProfile {
    /// Base64 of a canonical signed request of kind 3 (vault); its content is the SHA-256 of `pitpet/v1/profile`, a
    /// zero byte, the avatar's 32 bytes (zeros if there is none) and the text's SHA-256.
    pub request: String,
    /// What the account says of itself, at most 280 characters.
    pub bio: String,
    /// A birth or post of the account, whose photo stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
}

/// An account's profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    /// The account.
    pub account: String,
    /// What it says of itself.
    pub bio: String,
    /// The birth or post whose photo stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Path of that photo on this server; none if it was erased or hidden since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The request's version; 0 if none was ever set.
    pub version: u64,
}

/// An encrypted list to keep, in place of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmittedList {
    /// Base64 of a canonical signed request of kind 3 (vault); its content is the SHA-256 of `pitpet/v1/list`, a zero
    /// byte and the SHA-256 of the sealed bytes.
    pub request: String,
    /// The list as only the account can read it, at most 24,640 bytes, base64.
    pub sealed: String,
}

/// The answer to a list that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptList {
    /// The account.
    pub account: String,
    /// The request's version.
    pub version: u64,
}

/// An account's list, which only the account can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListView {
    /// The account.
    pub account: String,
    /// The request's version; 0 if none was ever set.
    pub version: u64,
    /// The encrypted list, base64; empty if there is none.
    pub sealed: String,
}

/// What an account would want to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticesView {
    /// The account.
    pub account: String,
    /// What others did for its living pets, newest first.
    pub entries: Vec<EntryView>,
    /// Its living pets of which at most a third of the life is left.
    pub fading: Vec<PetView>,
    /// Its pets whose story is over and that have no keepsake yet.
    pub ended: Vec<PetView>,
}
