//! SHA-256 with domain tags, and a type for each kind of hash and key.
//!
//! A tagged hash is SHA-256 over the tag, a zero byte, and the content; tags hold no zero byte.
//! Merkle trees of RFC 6962 (module [`crate::log`]) and the state tree (module [`crate::tree`])
//! separate leaves from nodes by their own first byte and use no tag.

use sha2::{Digest, Sha256};

/// 32 bytes of SHA-256.
pub type Digest32 = [u8; 32];

/// Domain tags. Each is used for one purpose only.
pub mod tag {
    /// Kennel id, over the canonical genesis.
    pub const KENNEL: &str = "pitpet/v1/kennel";
    /// Account id, over the first public key.
    pub const ACCOUNT: &str = "pitpet/v1/account";
    /// Event id, over the unsigned event with its stamp.
    pub const EVENT: &str = "pitpet/v1/event";
    /// What an account signs, over the event id.
    pub const SIGNATURE: &str = "pitpet/v1/signature";
    /// Base of the stamp's work, over the unsigned event without its stamp.
    pub const STAMP: &str = "pitpet/v1/stamp";
    /// One trial of work, over the base and the stamp. With its zero byte 15 bytes long, so that
    /// a trial is 15 + 32 + 8 = 55 bytes: one SHA-256 block.
    pub const WORK: &str = "pitpet/v1/work";
    /// Block hash, over the canonical header.
    pub const BLOCK: &str = "pitpet/v1/block";
    /// Commitment to a body, over salt and body.
    pub const BODY: &str = "pitpet/v1/body";
    /// Key of a record in the state tree, over its kind and id.
    pub const STATE_KEY: &str = "pitpet/v1/state-key";
    /// Value in the state tree, over the canonical record.
    pub const STATE_VALUE: &str = "pitpet/v1/state-value";
    /// Link in the running digest of a post's visits, over the previous digest and the visit.
    pub const VISIT: &str = "pitpet/v1/visit";
    /// Base of a seal's work, over kennel, block, account and purpose.
    pub const SEAL: &str = "pitpet/v1/seal";
    /// What a time witness signs, over kennel and head.
    pub const TIME: &str = "pitpet/v1/time";
    /// A request that is signed but is no event (names, uploads), over its canonical bytes.
    pub const REQUEST: &str = "pitpet/v1/request";
}

/// SHA-256(tag ‖ 0 ‖ parts). At most the last part may have a variable length.
pub fn tagged(tag: &str, parts: &[&[u8]]) -> Digest32 {
    let mut hasher = Sha256::new();
    hasher.update(tag.as_bytes());
    hasher.update([0]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Plain SHA-256, for content addresses.
pub fn sha256(content: &[u8]) -> Digest32 {
    Sha256::digest(content).into()
}

/// Leading zero bits of a digest.
pub fn leading_zero_bits(digest: &Digest32) -> u32 {
    let mut bits = 0;
    for byte in digest {
        bits += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    bits
}

macro_rules! digests {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Digest32);

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::codec::Malformed;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(text).map(Self)
            }
        }

        impl $crate::codec::Canonical for $name {
            fn put(&self, w: &mut $crate::codec::Writer) {
                self.0.put(w);
            }
            fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, $crate::codec::Malformed> {
                Digest32::take(d).map(Self)
            }
        }
    )*};
}

digests! {
    /// Identifies a kennel: the tagged hash of its genesis.
    KennelId,
    /// Identifies an account: the tagged hash of its first public key.
    AccountId,
    /// Identifies an event: the tagged hash of its unsigned bytes, stamp included.
    EventId,
    /// Identifies a pet: the event id of its birth.
    BirthHash,
    /// Identifies a block: the tagged hash of its header.
    BlockHash,
    /// Identifies a rules module: the SHA-256 of its Wasm bytes.
    RulesHash,
    /// An Ed25519 public key, 32 bytes as in RFC 8032.
    PublicKey,
}

impl AccountId {
    /// The id of the account whose first key this is.
    pub fn of(key: &PublicKey) -> Self {
        Self(tagged(tag::ACCOUNT, &[&key.0]))
    }
}

impl From<EventId> for BirthHash {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

/// Reads 64 lower-case hexadecimal digits.
fn parse_hex(text: &str) -> Result<Digest32, crate::codec::Malformed> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(crate::codec::Malformed);
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(crate::codec::Malformed),
    };
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(out)
}
