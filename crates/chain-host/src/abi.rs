//! The interface between host and module, version 1.
//!
//! All values are wasm32's, little-endian. A module exports `memory`, `abi_version() -> i32`,
//! `allocate(size: i32) -> i32`, `deallocate(ptr: i32, size: i32)` and the eight operations of [`Operation`], each
//! `(ptr: i32, len: i32) -> i64`. The host allocates the input with `allocate` (0 means: no memory), writes it and
//! calls; the module owns the input from then on. The answer is `(ptr << 32) | len` of a buffer that the host copies
//! and gives back with `deallocate`. Its first byte is a status, 0 for done and 1 for refused; the rest is the payload.

/// The version of the interface that this host speaks.
pub const ABI_VERSION: i32 = 1;

/// The status byte of an answer that was done.
#[cfg(feature = "engine")]
pub(crate) const STATUS_DONE: u8 = 0;
/// The status byte of an answer that was refused.
#[cfg(feature = "engine")]
pub(crate) const STATUS_REFUSED: u8 = 1;

/// What a module can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Opens a kennel from a snapshot; the instance keeps it.
    Open,
    /// Mines events into a block on the open kennel.
    Apply,
    /// Brings the open kennel forward by a committed block.
    Replay,
    /// Writes the open kennel down.
    Snapshot,
    /// Answers a question about the open kennel.
    Ask,
    /// Writes an event's canonical bytes; needs no open kennel.
    Encode,
    /// Checks a proof; needs no open kennel.
    Verify,
    /// Searches a seal, for a client that mines; needs no open kennel.
    Seal,
}

impl Operation {
    /// Every operation, in the order of the interface.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Apply,
        Self::Replay,
        Self::Snapshot,
        Self::Ask,
        Self::Encode,
        Self::Verify,
        Self::Seal,
    ];

    /// The name of the export.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Apply => "apply",
            Self::Replay => "replay",
            Self::Snapshot => "snapshot",
            Self::Ask => "ask",
            Self::Encode => "encode",
            Self::Verify => "verify",
            Self::Seal => "seal",
        }
    }

    /// The fuel of one call, in metering points: one per executed operator that does something, and one per 8 bytes
    /// that a bulk memory operator touches.
    ///
    /// Dense code such as a hash was measured at 13 points a nanosecond, and nothing is denser; so a signature check of
    /// 150 µs takes at most 2 million points, and a block of 500 events 1,000 million for its signatures. The limit is
    /// there to end what would never end, so it leaves six times that, which the thinnest loop takes some seconds for.
    pub const fn fuel(self) -> u64 {
        match self {
            // A whole state at all its limits, with its root and the digests of all its visits recomputed: 23,400 million
            // points (`tests/bounds.rs` prints them).
            Self::Open => 40_000_000_000,
            // A whole block, or a whole state written down.
            Self::Apply | Self::Replay | Self::Snapshot => 6_000_000_000,
            // A lookup with its proof, one event, the proof of one receipt, or some thousand trials.
            Self::Ask | Self::Encode | Self::Verify | Self::Seal => 600_000_000,
        }
    }
}

/// The module's own *no*: a canonical reason, which this crate doesn't read.
///
/// It is an answer, not a fault: the instance goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Vec<u8>);
