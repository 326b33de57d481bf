//! Machine code of a module, with a header that says what it is good for.
//!
//! # Encoding
//! All integers little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic, `PITPETAO` |
//! | 8 | 4 | [`FORMAT_VERSION`] |
//! | 12 | 16 | digest: XXH3, 128 bits, without a seed, of everything behind it |
//! | 28 | 4 | size of the header, a multiple of 64 |
//! | 32 | 8 | size of the payload |
//! | 40 | 32 | rules hash: SHA-256 of the module that was compiled |
//! | 72 | 4 | [`Metering`] |
//! | 76 | | three texts, each a length byte and UTF-8: engine version, target triple, CPU baseline; then zeros |
//!
//! The digest finds damage, not malice: an artefact is native code, and whoever may write it may run anything, and
//! could write a digest that fits, whichever it is. So it is a quick one: a megabyte is checked at each cold start, where
//! SHA-256 takes as long as all the rest. Artefacts are taken only from the deployed package or from the own cache
//! folder, never from the network.

use bytes::Bytes;
use twox_hash::XxHash3_128;

use crate::{RulesHash, Target};

/// The version of the header.
pub const FORMAT_VERSION: u32 = 3;

/// The exact version of the engine. Code of another one is refused, because its layout may differ.
///
/// It is the version that the workspace's manifest pins with `=`; a test compares the two.
pub const ENGINE_VERSION: &str = "7.4.2";

const MAGIC: [u8; 8] = *b"PITPETAO";
const DIGEST: std::ops::Range<usize> = 12..28;
const TEXTS: usize = 76;
/// Keeps the payload aligned as the engine wants it.
const HEADER_ALIGN: usize = 64;
/// Three texts of at most 255 bytes fit.
const HEADER_BYTES_MAX: usize = 1024;
/// A module of 256 KiB compiles to a few MiB; more isn't ours.
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How execution is paid for in the compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metering {
    /// Not at all: only for measuring what metering costs.
    Uncounted,
    /// One point per operator that does something, and one per 8 bytes of bulk memory operators.
    Counted,
}

impl Metering {
    const fn number(self) -> u32 {
        match self {
            Self::Uncounted => 0,
            Self::Counted => 2,
        }
    }
}

/// Why an artefact isn't good here. All but [`ArtefactError::Damaged`] are ordinary after an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtefactError {
    /// There is none.
    #[error("there is no artefact")]
    Missing,
    /// It couldn't be read.
    #[error("the artefact cannot be read: {0}")]
    Unreadable(String),
    /// Not an artefact, cut short, or changed since it was written.
    #[error("the artefact is damaged: {0}")]
    Damaged(&'static str),
    /// Written by another version of this crate.
    #[error("the artefact has format {found}, this binary reads {FORMAT_VERSION}")]
    Format {
        /// The version found.
        found: u32,
    },
    /// Compiled from another module.
    #[error("the artefact is of the module {found}, not of {expected}")]
    Rules {
        /// The rules hash found.
        found: RulesHash,
        /// The one asked for.
        expected: RulesHash,
    },
    /// Made for another engine, machine or metering.
    #[error("the artefact's {field} is {found}, here it is {expected}")]
    Mismatch {
        /// Which of them.
        field: &'static str,
        /// What stands in the artefact.
        found: String,
        /// What is needed.
        expected: String,
    },
}

/// An undamaged artefact: what it says about itself, and its code.
#[derive(Clone, Debug)]
pub struct Artefact {
    rules: RulesHash,
    metering: u32,
    engine: String,
    triple: String,
    cpu: String,
    bytes: Bytes,
    payload: usize,
}

impl Artefact {
    /// Reads an artefact and checks its digest.
    ///
    /// # Errors
    /// [`ArtefactError::Damaged`] or [`ArtefactError::Format`].
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, ArtefactError> {
        let bytes = bytes.into();
        if bytes.get(..8) != Some(&MAGIC) {
            return Err(ArtefactError::Damaged("it does not begin as one"));
        }
        let found = u32_at(&bytes, 8)?;
        if found != FORMAT_VERSION {
            return Err(ArtefactError::Format { found });
        }
        let header = u32_at(&bytes, 28)? as usize;
        if !header.is_multiple_of(HEADER_ALIGN) || !(TEXTS..=HEADER_BYTES_MAX).contains(&header) {
            return Err(ArtefactError::Damaged("its header has a wrong size"));
        }
        let payload = u64::from_le_bytes(array_at(&bytes, 32)?);
        if payload > PAYLOAD_BYTES_MAX || bytes.len() as u64 != header as u64 + payload {
            return Err(ArtefactError::Damaged("it has a wrong size"));
        }
        if digest(&bytes) != array_at(&bytes, DIGEST.start)? {
            return Err(ArtefactError::Damaged("its bytes do not hash to its digest"));
        }
        let mut rest = &bytes[TEXTS..header];
        let (engine, triple, cpu) = (text(&mut rest)?, text(&mut rest)?, text(&mut rest)?);
        Ok(Self {
            rules: RulesHash(array_at(&bytes, 40)?),
            metering: u32_at(&bytes, 72)?,
            engine,
            triple,
            cpu,
            bytes,
            payload: header,
        })
    }

    /// Puts a header before compiled code.
    #[cfg(feature = "compiler")]
    pub(crate) fn new(
        rules: RulesHash,
        target: &Target,
        metering: Metering,
        code: &[u8],
    ) -> Result<Self, ArtefactError> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES_MAX + code.len());
        bytes.extend(MAGIC);
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend([0; DIGEST.end - DIGEST.start]);
        bytes.extend([0; 4]);
        bytes.extend((code.len() as u64).to_le_bytes());
        bytes.extend(rules.0);
        bytes.extend(metering.number().to_le_bytes());
        for text in [ENGINE_VERSION, &target.triple(), target.cpu().name()] {
            bytes.push(u8::try_from(text.len()).expect("target names are short"));
            bytes.extend(text.as_bytes());
        }
        let header = bytes.len().next_multiple_of(HEADER_ALIGN);
        bytes.resize(header, 0);
        bytes[28..32]
            .copy_from_slice(&u32::try_from(header).expect("at most HEADER_BYTES_MAX").to_le_bytes());
        bytes.extend(code);
        let digest = digest(&bytes);
        bytes[DIGEST].copy_from_slice(&digest);
        Self::from_bytes(bytes)
    }

    /// Checks that the code is of this module, for this engine, machine and metering.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn check(&self, rules: RulesHash, target: &Target, metering: Metering) -> Result<(), ArtefactError> {
        if self.rules != rules {
            return Err(ArtefactError::Rules { found: self.rules, expected: rules });
        }
        let (found_metering, expected_metering) = (self.metering.to_string(), metering.number().to_string());
        let triple = target.triple();
        for (field, found, expected) in [
            ("engine version", &*self.engine, ENGINE_VERSION),
            ("target", &self.triple, &triple),
            ("CPU baseline", &self.cpu, target.cpu().name()),
            ("metering", &found_metering, &expected_metering),
        ] {
            if found != expected {
                return Err(ArtefactError::Mismatch {
                    field,
                    found: found.to_owned(),
                    expected: expected.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The module that was compiled.
    pub fn rules(&self) -> RulesHash {
        self.rules
    }

    /// The artefact as it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The engine's own bytes.
    pub(crate) fn code(&self) -> Bytes {
        self.bytes.slice(self.payload..)
    }
}

/// Of everything behind the digest; the caller knows that `bytes` is longer than that. What stands before it has one
/// value only.
fn digest(bytes: &[u8]) -> [u8; 16] {
    XxHash3_128::oneshot(&bytes[DIGEST.end..]).to_le_bytes()
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], ArtefactError> {
    let field = bytes.get(offset..offset + N).ok_or(ArtefactError::Damaged("it is cut short"))?;
    Ok(field.try_into().expect("the slice has N bytes"))
}

fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, ArtefactError> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

fn text(rest: &mut &[u8]) -> Result<String, ArtefactError> {
    const DAMAGED: ArtefactError = ArtefactError::Damaged("a text in its header is cut short or not UTF-8");
    let (size, tail) = rest.split_first().ok_or(DAMAGED)?;
    let (text, tail) = tail.split_at_checked(usize::from(*size)).ok_or(DAMAGED)?;
    *rest = tail;
    String::from_utf8(text.to_vec()).map_err(|_| DAMAGED)
}
