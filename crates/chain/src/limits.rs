//! Every bound of PitPet in one place, with its arithmetic and the platform limit that it respects.
//!
//! Bounds that a kennel's operator chooses are in [`crate::genesis::Parameters`]; these here are
//! part of the format and the same for every kennel.

/// Signed event, canonical bytes.
///
/// The largest kind, a birth, has 8 hashes or keys of 34 bytes, a signature of 66 bytes and
/// integers of at most 9 bytes: under 400 bytes. 1 KiB leaves room for kinds to come.
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
/// A receipt holds at most a pet card (under 340 bytes), a post card (under 110 bytes) and two
/// account cards (under 220 bytes each), with the event id: 34 + 340 + 110 + 440 = 924.
pub const RECEIPT_BYTES_MAX: usize = 1024;

/// Death record, canonical bytes: two hashes of 34 bytes, two integers of at most 9, framing 4.
pub const DEATH_BYTES_MAX: usize = 34 + 34 + 9 + 9 + 4;

/// Living pets in a kennel, at most.
///
/// All may die in one block: 1,024 × 90 = 92,160 bytes of deaths are kept free in every block.
pub const LIVING_MAX: u32 = 1024;

/// Header, summary and framing of a block, upper bound.
pub const BLOCK_OVERHEAD_BYTES: usize = 2048;

/// Room for events and receipts in a block: 368,640 − 92,160 − 2,048 = 274,432 bytes.
pub const BLOCK_PAYLOAD_BYTES_MAX: usize =
    BLOCK_BYTES_MAX - LIVING_MAX as usize * DEATH_BYTES_MAX - BLOCK_OVERHEAD_BYTES;

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

/// Moderator keys in a genesis.
pub const MODERATORS_MAX: usize = 16;

/// Photo, bytes of the re-encoded file.
pub const PHOTO_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Name of a pet, Unicode scalar values.
pub const PET_NAME_CHARS_MAX: usize = 64;

/// Tags of a post.
pub const TAGS_MAX: usize = 16;

/// One tag, Unicode scalar values.
pub const TAG_CHARS_MAX: usize = 32;

/// Snapshot, canonical bytes: the sum of the state's bounds, 3.2 + 23 + 31 MB and the open posts
/// (65,536 × about 120 bytes = 8 MB), rounded up to 80 MiB.
pub const SNAPSHOT_BYTES_MAX: usize = 80 * 1024 * 1024;
