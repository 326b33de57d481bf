//! Every bound of PitPet in one place, with its arithmetic and the platform limit that it respects.
//!
//! Bounds that a kennel's operator chooses are in [`crate::genesis::Parameters`]; these here are
//! part of the format and the same for every kennel.

/// Signed event, canonical bytes.
///
/// The largest kinds: an appointment has 3 + 1 + 8 + 9 hashes or keys of 34 bytes, 714; a time
/// event has 9 statements of 68 bytes and 4 hashes, 748. With a signature of 66 bytes, integers
/// of at most 9 bytes and framing both stay under 880 bytes.
pub const EVENT_BYTES_MAX: usize = 1024;

/// Body (text beside an event), canonical bytes without the salt.
pub const BODY_BYTES_MAX: usize = 8 * 1024;

/// Events in one message and in one POST.
///
/// 25 × (event 1,024 + body 8,192) would be 230 KiB, more than a message holds; a POST of such
/// events is split over several messages, so that only the count is bounded here.
pub const MESSAGE_EVENTS_MAX: usize = 25;

/// Text of one queue message: base64 of its canonical bytes.
///
/// SQS takes 262,144 bytes in a batch of at most 10 messages: 10 × 24 KiB = 245,760 leaves 16 KiB
/// for attributes. In bytes before base64: 24,576 × 3 / 4 = 18,432, which holds one event with
/// the largest body (1,024 + 8,192 + 32 + framing).
pub const MESSAGE_BYTES_MAX: usize = 24 * 1024;

/// Canonical bytes of one queue message, before base64.
pub const MESSAGE_CANONICAL_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4 * 3;

/// Block with header, events, receipts, deaths and summary, canonical bytes.
///
/// A DynamoDB item holds 400 KB = 409,600 bytes; 360 KiB = 368,640 leaves 40,960 bytes for the
/// key, the roots and the log's nodes that stand in the same item.
pub const BLOCK_BYTES_MAX: usize = 360 * 1024;

/// Events in one block: bounds the time that deciding it takes.
///
/// 512 × 150 µs (one Ed25519 verification in Wasm, upper bound) = 77 ms.
pub const BLOCK_EVENTS_MAX: usize = 512;

/// Receipt of one event, canonical bytes, upper bound used to reserve room in a block.
///
/// The largest are a trade, with its split (under 170 bytes), a pet (under 210) and two accounts
/// (under 200 each): 34 + 170 + 34 + 210 + 400 + framing = 860; and an appointment with all keys
/// (8 × 44 + 9 × 34 + 43 + 43 + framing = 760).
pub const RECEIPT_BYTES_MAX: usize = 1024;

/// Death record, canonical bytes: two hashes of 34 bytes, two integers of at most 9, framing 4.
pub const DEATH_BYTES_MAX: usize = 34 + 34 + 9 + 9 + 4;

/// Living pets in a kennel, at most.
///
/// All may die in one block: 1,024 × 90 = 92,160 bytes of deaths are kept free in every block.
pub const LIVING_MAX: u32 = 1024;

/// Header, summary and framing of a block, upper bound.
pub const BLOCK_OVERHEAD_BYTES: usize = 2048;

/// Record of an order that ended by itself, canonical bytes: two hashes of 34 bytes, two integers
/// of at most 9, a reason of 1, framing 4.
pub const ENDING_BYTES_MAX: usize = 34 + 34 + 9 + 9 + 1 + 4;

/// Orders that end by themselves in one block; the rest wait for the next, and can't be taken
/// meanwhile. Bounds a block's work, and its bytes: 256 × 91 = 23,296.
pub const ORDERS_ENDED_PER_BLOCK_MAX: usize = 256;

/// Room for events and receipts in a block: 368,640 − 92,160 − 23,296 − 2,048 = 251,136 bytes.
pub const BLOCK_PAYLOAD_BYTES_MAX: usize = BLOCK_BYTES_MAX
    - LIVING_MAX as usize * DEATH_BYTES_MAX
    - ORDERS_ENDED_PER_BLOCK_MAX * ENDING_BYTES_MAX
    - BLOCK_OVERHEAD_BYTES;

/// Any message fits an empty block: 18,432 bytes of events and 25 receipts of 1,024.
const _: () = assert!(
    MESSAGE_CANONICAL_BYTES_MAX + MESSAGE_EVENTS_MAX * (RECEIPT_BYTES_MAX + 8) < BLOCK_PAYLOAD_BYTES_MAX
);

/// Accounts in a kennel, at most: 16,384 × about 200 bytes = 3.2 MB of state.
pub const ACCOUNTS_MAX: u32 = 16_384;

/// Records of pets in a kennel over its whole life, living and dead.
///
/// A dead pet's record stays, because "dead since N" must stay provable. A kennel that has seen
/// this many births takes no more; the next kennel takes over. 65,536 × about 350 bytes = 23 MB.
pub const PETS_MAX: u32 = 65_536;

/// Pats, shares and comments remembered in a kennel at one time, over all its open posts.
///
/// 262,144 × about 120 bytes = 31 MB, within the module's memory limit; the parameters alone
/// would allow 1,024 × 64 × 1,024 of them.
pub const VISITS_MAX: u32 = 262_144;

/// Pats, shares and comments of one post, at most.
pub const VISITS_PER_POST_MAX: u32 = 1024;

/// Open posts of one pet, at most.
pub const OPEN_POSTS_MAX: u32 = 64;

/// Comments of one account on one post.
pub const COMMENTS_PER_ACCOUNT_MAX: usize = 16;

/// Closed posts forgotten in one block; the rest wait for the next. Bounds a block's work.
pub const POSTS_CLOSED_PER_BLOCK_MAX: usize = 1024;

/// Empty accounts forgotten in one block; the rest wait for the next. Bounds a block's work.
pub const ACCOUNTS_DROPPED_PER_BLOCK_MAX: usize = 256;

/// How far `expires_ms` may lie above the block's timestamp.
pub const EXPIRES_AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// How old the head that a birth's stamp is bound to may be.
pub const ANCHOR_AGE_MS_MAX: u64 = 60 * 60 * 1000;

/// One anchor is remembered for each minute of the last hour, and the newest one in any case.
pub const ANCHOR_EVERY_MS: u64 = 60 * 1000;

/// Anchors remembered: 60 minutes, both ends, and the newest.
pub const ANCHORS_MAX: usize = 62;

/// Treats in one event: 2^53 − 1, so that every client, JavaScript too, holds them exactly.
pub const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// Bits that a stamp or seal may be asked for: 40 would take one core about a day.
pub const STAMP_BITS_MAX: u8 = 40;

/// Moderator keys of a kennel.
pub const MODERATORS_MAX: usize = 8;

/// Time witnesses of a kennel: their statements fit one event, 9 × 68 = 612 bytes.
pub const WITNESSES_MAX: usize = 9;

/// Open orders of a kennel: 16,384 × about 180 bytes = 3 MB of state.
pub const ORDERS_MAX: u32 = 16_384;

/// Open orders of an account.
pub const ORDERS_PER_ACCOUNT_MAX: u32 = 16;

/// Open bids for one pet. Another one must be above the lowest, which then ends.
pub const BIDS_PER_PET_MAX: usize = 16;

/// How long an order may stand, ms: 30 days.
pub const ORDER_AHEAD_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;

/// Ages after which the difficulty of seals is set anew.
pub const RETARGET_AGES: u8 = 8;

/// Trials that a seal may take on average: 2^48 would take a thousand cores about a day.
pub const DIFFICULTY_MAX: u64 = 1 << 48;

/// Photo, bytes of the re-encoded file.
pub const PHOTO_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Name of a pet, Unicode scalar values.
pub const PET_NAME_CHARS_MAX: usize = 64;

/// Tags of a post.
pub const TAGS_MAX: usize = 16;

/// One tag, Unicode scalar values.
pub const TAG_CHARS_MAX: usize = 32;

/// Snapshot, canonical bytes: the sum of the state's bounds, 3.2 + 23 + 31 + 3 MB and the open
/// posts (65,536 × about 120 bytes = 8 MB), rounded up to 80 MiB.
pub const SNAPSHOT_BYTES_MAX: usize = 80 * 1024 * 1024;

/// Trials of one call that searches a seal; each is two blocks of SHA-256 at most.
pub const SEAL_TRIES_MAX: u64 = 4096;
