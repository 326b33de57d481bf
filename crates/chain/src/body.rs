//! Bodies: the free text beside an event, which the chain knows by a commitment only.
//!
//! So body and salt can be erased without breaking a proof.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{Canonical, Malformed, Writer, put_array, take_array};
use crate::event::Kind;
use crate::hash::{Digest32, tag, tagged};
use crate::limits;

/// A body's content.
///
/// # Encoding
/// An array of text strings by kind: birth `[name, story]`, post `[text, [tag, …]]`, comment `[text]`,
/// moderate `[reason]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Of a birth.
    Birth {
        /// The pet's name, 1 to [`limits::PET_NAME_CHARS_MAX`] characters, no control characters.
        name: String,
        /// Its story, may be empty.
        story: String,
    },
    /// Of a post.
    Post {
        /// The text, may be empty.
        text: String,
        /// At most [`limits::TAGS_MAX`] tags of 1 to [`limits::TAG_CHARS_MAX`] characters: lower case, digits, `-`.
        tags: Vec<String>,
    },
    /// Of a comment.
    Comment {
        /// The text, at least one character.
        text: String,
    },
    /// Of a moderator's verdict.
    Moderate {
        /// The public reason, at least one character.
        reason: String,
    },
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// More than [`limits::BODY_BYTES_MAX`] bytes.
    TooLarge,
    /// Not the canonical encoding of a body of this kind.
    Malformed,
    /// The kind of event has no body, or misses one.
    Presence,
    /// Salt and body don't hash to the event's commitment.
    Mismatch,
    /// The named field is out of its limits.
    Field(&'static str),
}

/// The commitment: tagged hash of the 32-byte salt and the body.
pub fn commitment(salt: &[u8; 32], body: &[u8]) -> Digest32 {
    tagged(tag::BODY, &[salt, body])
}

impl Body {
    /// Encodes the body.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new(Vec::new());
        match self {
            Body::Birth { name, story } => (name.clone(), story.clone()).put(&mut w),
            Body::Post { text, tags } => (text.clone(), tags.clone()).put(&mut w),
            Body::Comment { text } | Body::Moderate { reason: text } => {
                put_array(&mut w, 1);
                text.put(&mut w);
            }
        }
        w.into_writer()
    }

    /// Reads the body of an event of this kind and checks its limits.
    ///
    /// # Errors
    /// [`BodyFault::TooLarge`], [`BodyFault::Malformed`], [`BodyFault::Presence`] or [`BodyFault::Field`].
    pub fn read(kind: Kind, bytes: &[u8]) -> Result<Self, BodyFault> {
        if bytes.len() > limits::BODY_BYTES_MAX {
            return Err(BodyFault::TooLarge);
        }
        let mut d = minicbor::Decoder::new(bytes);
        let body = match kind {
            Kind::Birth => <(String, String)>::take(&mut d).map(|(name, story)| Body::Birth { name, story }),
            Kind::Post => <(String, Vec<String>)>::take(&mut d).map(|(text, tags)| Body::Post { text, tags }),
            Kind::Comment => take_one(&mut d).map(|text| Body::Comment { text }),
            Kind::Moderate => take_one(&mut d).map(|reason| Body::Moderate { reason }),
            _ => return Err(BodyFault::Presence),
        }
        .map_err(|Malformed| BodyFault::Malformed)?;
        if d.position() != bytes.len() || body.encode() != bytes {
            return Err(BodyFault::Malformed);
        }
        body.fault().map_or(Ok(body), |field| Err(BodyFault::Field(field)))
    }

    fn fault(&self) -> Option<&'static str> {
        match self {
            Body::Birth { name, .. } => {
                let sound = (1..=limits::PET_NAME_CHARS_MAX).contains(&name.chars().count())
                    && !name.chars().any(char::is_control)
                    && !name.trim().is_empty();
                (!sound).then_some("name")
            }
            Body::Post { tags, .. } => {
                let sound = tags.len() <= limits::TAGS_MAX
                    && tags.iter().all(|tag| {
                        (1..=limits::TAG_CHARS_MAX).contains(&tag.chars().count())
                            && tag.chars().all(|c| c == '-' || c.is_alphanumeric() && !c.is_uppercase())
                    });
                (!sound).then_some("tags")
            }
            Body::Comment { text } => text.trim().is_empty().then_some("text"),
            Body::Moderate { reason } => reason.trim().is_empty().then_some("reason"),
        }
    }
}

/// An array of one text.
fn take_one(d: &mut minicbor::Decoder<'_>) -> Result<String, Malformed> {
    take_array(d, 1)?;
    String::take(d)
}
