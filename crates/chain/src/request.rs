//! Signed requests that are no events: they change nothing on a chain, and cost a stamp so that
//! nobody can ask for much.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{Signer, SigningKey};

use crate::codec::{Canonical, Malformed, Writer, decode, encode, put_array, take_count};
use crate::event::{verify_signature, work};
use crate::hash::{AccountId, Digest32, EventId, PublicKey, tag, tagged};
use crate::{limits, record};

/// Leading zero bits of a request's stamp: about a hundredth of a second.
pub const REQUEST_BITS: u32 = 16;

/// How far a request's `expires_ms` may lie ahead.
pub const REQUEST_AHEAD_MS_MAX: u64 = 10 * 60 * 1000;

/// What is asked for.
///
/// # Encoding
/// An array: 1 name, 2 upload, 3 vault, 4 report or 5 erase, then the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Register a name for the account: 3 to 30 of `a-z`, `0-9`, `-` and `_`, first a letter.
    Name {
        /// The name.
        name: String,
    },
    /// Upload a photo of exactly this content.
    Upload {
        /// SHA-256 of the file.
        sha256: Digest32,
        /// Size of the file in bytes, at most [`limits::PHOTO_BYTES_MAX`].
        size: u64,
        /// `image/jpeg`, `image/png` or `image/webp`.
        content_type: String,
    },
    /// Set the password under which a registered name of the account opens its vault.
    Vault {
        /// The name.
        name: String,
        /// Above the one before it, so that an older request doesn't come back: ms since the Unix epoch.
        version: u64,
        /// SHA-256 of what goes beside the request.
        content: Digest32,
    },
    /// Tell the moderators of a birth, post or comment.
    Report {
        /// The event.
        event: EventId,
        /// What is wrong with it.
        reason: ReportReason,
    },
    /// Erase the text of an event, for good: of one's own, or as the operator, whom the law asks.
    Erase {
        /// The event.
        event: EventId,
    },
}

/// What is wrong with a text or photo. A choice, so that a report is no text to be moderated itself.
///
/// # Encoding
/// An integer, see the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ReportReason {
    /// Advertising, or the same over and over.
    Spam = 1,
    /// It hurts or threatens somebody.
    Harassment = 2,
    /// It shows or praises cruelty to animals.
    Cruelty = 3,
    /// It tells what is somebody's own affair.
    Privacy = 4,
    /// The law forbids it.
    Illegal = 5,
    /// Something else.
    Other = 6,
}

impl ReportReason {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Spam, Self::Harassment, Self::Cruelty, Self::Privacy, Self::Illegal, Self::Other];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Harassment => "harassment",
            Self::Cruelty => "cruelty",
            Self::Privacy => "privacy",
            Self::Illegal => "illegal",
            Self::Other => "other",
        }
    }

    /// The reason of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The reason of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == number)
    }
}

impl Canonical for Wish {
    fn put(&self, w: &mut Writer) {
        match self {
            Wish::Name { name } => {
                put_array(w, 2);
                1_u8.put(w);
                name.put(w);
            }
            Wish::Upload { sha256, size, content_type } => {
                put_array(w, 4);
                2_u8.put(w);
                sha256.put(w);
                size.put(w);
                content_type.put(w);
            }
            Wish::Vault { name, version, content } => {
                put_array(w, 4);
                3_u8.put(w);
                name.put(w);
                version.put(w);
                content.put(w);
            }
            Wish::Report { event, reason } => {
                put_array(w, 3);
                4_u8.put(w);
                event.put(w);
                (*reason as u8).put(w);
            }
            Wish::Erase { event } => {
                put_array(w, 2);
                5_u8.put(w);
                event.put(w);
            }
        }
    }
    fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
        match (take_count(d)?, u8::take(d)?) {
            (2, 1) => Ok(Wish::Name { name: String::take(d)? }),
            (4, 2) => Ok(Wish::Upload {
                sha256: Digest32::take(d)?,
                size: u64::take(d)?,
                content_type: String::take(d)?,
            }),
            (4, 3) => Ok(Wish::Vault {
                name: String::take(d)?,
                version: u64::take(d)?,
                content: Digest32::take(d)?,
            }),
            (3, 4) => Ok(Wish::Report {
                event: EventId::take(d)?,
                reason: ReportReason::from_number(u8::take(d)?).ok_or(Malformed)?,
            }),
            (2, 5) => Ok(Wish::Erase { event: EventId::take(d)? }),
            _ => Err(Malformed),
        }
    }
}

record! {
    /// A request before it is signed.
    pub struct Request {
        /// Format version, 1.
        pub version: u8,
        /// Who asks.
        pub account: AccountId,
        /// The key that signs.
        pub key: PublicKey,
        /// Until when the request is good, ms since the Unix epoch, at most 10 minutes ahead.
        pub expires_ms: u64,
        /// What is asked for.
        pub wish: Wish,
        /// Proof of work over the tagged hash of the request with stamp 0, [`REQUEST_BITS`] bits.
        pub stamp: u64,
    }
}

record! {
    /// A signed request.
    pub struct SignedRequest {
        /// The request.
        pub request: Request,
        /// Ed25519 over the tag, a zero byte and the request's canonical bytes.
        pub signature: [u8; 64],
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// Not the canonical encoding, or another version.
    Malformed,
    /// Not good any more, or for too long.
    Expiry,
    /// The stamp has too few bits.
    WeakStamp,
    /// The signature is not that of the key.
    BadSignature,
    /// The named field is out of its limits.
    Field(&'static str),
}

/// Whether a text can be an account's name: 3 to 30 of `a-z`, `0-9`, `-` and `_`, first a letter.
pub fn is_name(name: &str) -> bool {
    (3..=30).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

impl Request {
    /// What the stamp works on.
    pub fn stamp_base(&self) -> Digest32 {
        let unstamped = Self { stamp: 0, ..self.clone() };
        tagged(tag::STAMP, &[&encode(&unstamped)])
    }

    /// What the key signs.
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::from(tag::REQUEST.as_bytes());
        bytes.push(0);
        bytes.extend(encode(self));
        bytes
    }

    /// Searches the stamp, signs, and encodes.
    pub fn sign(mut self, key: &SigningKey) -> Vec<u8> {
        let base = self.stamp_base();
        self.stamp =
            (0..=u64::MAX).find(|stamp| work(&base, *stamp) >= REQUEST_BITS).expect("16 bits are found soon");
        let signature = key.sign(&self.signing_bytes()).to_bytes();
        encode(&SignedRequest { request: self, signature })
    }

    /// The field that is out of its limits, if one is.
    pub fn fault(&self) -> Option<&'static str> {
        match &self.wish {
            Wish::Name { name } => (!is_name(name)).then_some("name"),
            Wish::Vault { name, version, .. } => {
                if !is_name(name) {
                    Some("name")
                } else if *version > self.expires_ms {
                    Some("version")
                } else {
                    None
                }
            }
            Wish::Upload { size, content_type, .. } => {
                if !(1..=limits::PHOTO_BYTES_MAX).contains(size) {
                    Some("size")
                } else if !matches!(content_type.as_str(), "image/jpeg" | "image/png" | "image/webp") {
                    Some("content_type")
                } else {
                    None
                }
            }
            Wish::Report { .. } | Wish::Erase { .. } => None,
        }
    }
}

impl SignedRequest {
    /// Reads and checks a request; whose key it is, is left to the caller.
    ///
    /// # Errors
    /// The first fault found.
    pub fn read(bytes: &[u8], now_ms: u64) -> Result<Request, RequestFault> {
        if bytes.len() > limits::EVENT_BYTES_MAX {
            return Err(RequestFault::Malformed);
        }
        let Self { request, signature } = decode(bytes).map_err(|_| RequestFault::Malformed)?;
        if request.version != 1 {
            return Err(RequestFault::Malformed);
        }
        if let Some(field) = request.fault() {
            return Err(RequestFault::Field(field));
        }
        if !(now_ms..=now_ms + REQUEST_AHEAD_MS_MAX).contains(&request.expires_ms) {
            return Err(RequestFault::Expiry);
        }
        if work(&request.stamp_base(), request.stamp) < REQUEST_BITS {
            return Err(RequestFault::WeakStamp);
        }
        if !verify_signature(&request.key, &request.signing_bytes(), &signature) {
            return Err(RequestFault::BadSignature);
        }
        Ok(request)
    }
}
