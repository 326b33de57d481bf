//! Machine code of a module, with what it is good for.
//!
//! # Encoding
//! An ELF image, as the engine links it, and 256 bytes about it, all integers little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic, `PITPETAO` |
//! | 8 | 4 | [`FORMAT_VERSION`] |
//! | 12 | 8 | size of the image |
//! | 20 | 32 | BLAKE3 of the image and of what stands here but for this field |
//! | 52 | 32 | rules hash: SHA-256 of the module that was compiled |
//! | 84 | 4 | [`Metering`] |
//! | 88 | | three texts, each a length byte and UTF-8: engine version, target triple, CPU baseline; then zeros |
//!
//! The image comes first, so that the engine can map the file: nothing is copied or linked at a start, and the code that
//! isn't run isn't read into the process. BLAKE3, because the digest of a megabyte is checked at each cold start, and
//! SHA-256 takes as long as all the rest. The digest finds damage, not malice: an artefact is native code, and whoever
//! may write it may run anything. Artefacts are taken only from the deployed package or from the own cache folder, never
//! from the network.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{RulesHash, Target};

/// The version of the encoding.
pub const FORMAT_VERSION: u32 = 3;

/// The exact version of the engine. Code of another one is refused, because its layout may differ.
///
/// It is the version that the workspace's manifest pins with `=`; a test compares the two.
pub const ENGINE_VERSION: &str = "7.4.2";

const MAGIC: [u8; 8] = *b"PITPETAO";
const DIGEST: std::ops::Range<usize> = 20..52;
const TEXTS: usize = 88;
/// What stands behind the image.
const ABOUT_BYTES: usize = 256;
/// A module of 256 KiB compiles to a few MiB; more isn't ours.
const IMAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Read and hashed at a time.
const CHUNK_BYTES: usize = 64 * 1024;

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

/// What an artefact says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct About {
    rules: RulesHash,
    metering: u32,
    engine: String,
    triple: String,
    cpu: String,
}

impl About {
    /// Reads it; the image has `image` bytes.
    fn read(bytes: &[u8; ABOUT_BYTES], image: u64) -> Result<Self, ArtefactError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ArtefactError::Damaged("it does not end as one"));
        }
        let found = u32_at(bytes, 8);
        if found != FORMAT_VERSION {
            return Err(ArtefactError::Format { found });
        }
        if image > IMAGE_BYTES_MAX || image != u64::from_le_bytes(array_at(bytes, 12)) {
            return Err(ArtefactError::Damaged("it has a wrong size"));
        }
        let mut rest = &bytes[TEXTS..];
        let (engine, triple, cpu) = (text(&mut rest)?, text(&mut rest)?, text(&mut rest)?);
        Ok(Self { rules: RulesHash(array_at(bytes, 52)), metering: u32_at(bytes, 84), engine, triple, cpu })
    }

    /// Writes it, but for the digest.
    #[cfg(feature = "compiler")]
    fn write(rules: RulesHash, target: &Target, metering: Metering, image: u64) -> [u8; ABOUT_BYTES] {
        let mut bytes = Vec::with_capacity(ABOUT_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend(image.to_le_bytes());
        bytes.extend([0; 32]);
        bytes.extend(rules.0);
        bytes.extend(metering.number().to_le_bytes());
        for text in [ENGINE_VERSION, &target.triple(), target.cpu().name()] {
            bytes.push(u8::try_from(text.len()).expect("target names are short"));
            bytes.extend(text.as_bytes());
        }
        assert!(bytes.len() <= ABOUT_BYTES, "target names are short");
        bytes.resize(ABOUT_BYTES, 0);
        bytes.try_into().expect("it was brought to this size")
    }

    fn check(&self, rules: RulesHash, target: &Target, metering: Metering) -> Result<(), ArtefactError> {
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
}

/// An artefact in memory, undamaged: as it was compiled, or as it was read.
#[derive(Clone, Debug)]
pub struct Artefact {
    about: About,
    bytes: bytes::Bytes,
}

impl Artefact {
    /// Reads an artefact and checks its digest.
    ///
    /// # Errors
    /// [`ArtefactError::Damaged`] or [`ArtefactError::Format`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ArtefactError> {
        let (image, about) = bytes.split_last_chunk().ok_or(TOO_SHORT)?;
        let read = About::read(about, image.len() as u64)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(image);
        check_digest(hasher, about)?;
        Ok(Self { about: read, bytes: bytes.into() })
    }

    /// Puts behind an image what it is good for.
    #[cfg(feature = "compiler")]
    pub(crate) fn new(
        rules: RulesHash,
        target: &Target,
        metering: Metering,
        mut image: Vec<u8>,
    ) -> Result<Self, ArtefactError> {
        let mut about = About::write(rules, target, metering, image.len() as u64);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&image);
        let digest = digest(hasher, &about);
        about[DIGEST].copy_from_slice(&digest);
        image.extend(about);
        Self::from_bytes(image)
    }

    /// Checks that the code is of this module, for this engine, machine and metering.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn check(&self, rules: RulesHash, target: &Target, metering: Metering) -> Result<(), ArtefactError> {
        self.about.check(rules, target, metering)
    }

    /// The module that was compiled.
    pub fn rules(&self) -> RulesHash {
        self.about.rules
    }

    /// The artefact as it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The engine's own bytes.
    pub(crate) fn image(&self) -> bytes::Bytes {
        self.bytes.slice(..self.bytes.len() - ABOUT_BYTES)
    }
}

/// An artefact in a file, which was undamaged when it was opened. Whoever replaces it must put another file in its
/// place, as [`crate::ArtefactCache::put`] does: code that runs is mapped from it.
#[derive(Clone, Debug)]
pub struct StoredArtefact {
    about: About,
    path: PathBuf,
}

impl StoredArtefact {
    /// Reads the file once and checks its digest.
    ///
    /// # Errors
    /// Any [`ArtefactError`] but for [`ArtefactError::Rules`] and [`ArtefactError::Mismatch`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ArtefactError> {
        let path = path.into();
        let about = open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ArtefactError::Missing,
            _ => ArtefactError::Unreadable(error.to_string()),
        })??;
        Ok(Self { about, path })
    }

    /// As [`Artefact::check`].
    ///
    /// # Errors
    /// The first field that differs.
    pub fn check(&self, rules: RulesHash, target: &Target, metering: Metering) -> Result<(), ArtefactError> {
        self.about.check(rules, target, metering)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

const TOO_SHORT: ArtefactError = ArtefactError::Damaged("it is cut short");

/// The file's own failures outside, those of what it holds inside.
fn open(path: &Path) -> io::Result<Result<About, ArtefactError>> {
    let mut file = File::open(path)?;
    let Some(image) = file.metadata()?.len().checked_sub(ABOUT_BYTES as u64) else {
        return Ok(Err(TOO_SHORT));
    };
    let mut about = [0; ABOUT_BYTES];
    file.seek(SeekFrom::Start(image))?;
    file.read_exact(&mut about)?;
    let read = match About::read(&about, image) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = file.take(image);
    loop {
        match left.read(&mut chunk)? {
            0 => break,
            size => hasher.update(&chunk[..size]),
        };
    }
    Ok(check_digest(hasher, &about).map(|()| read))
}

/// Of an image that `hasher` has taken in, and of what stands behind it.
fn digest(mut hasher: blake3::Hasher, about: &[u8; ABOUT_BYTES]) -> [u8; 32] {
    hasher.update(&about[..DIGEST.start]);
    hasher.update(&about[DIGEST.end..]);
    hasher.finalize().into()
}

fn check_digest(hasher: blake3::Hasher, about: &[u8; ABOUT_BYTES]) -> Result<(), ArtefactError> {
    if digest(hasher, about) == about[DIGEST] {
        Ok(())
    } else {
        Err(ArtefactError::Damaged("its bytes do not hash to its digest"))
    }
}

fn array_at<const N: usize>(bytes: &[u8; ABOUT_BYTES], offset: usize) -> [u8; N] {
    bytes[offset..offset + N].try_into().expect("the slice has N bytes")
}

fn u32_at(bytes: &[u8; ABOUT_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, offset))
}

fn text(rest: &mut &[u8]) -> Result<String, ArtefactError> {
    const DAMAGED: ArtefactError = ArtefactError::Damaged("a text in its header is cut short or not UTF-8");
    let (size, tail) = rest.split_first().ok_or(DAMAGED)?;
    let (text, tail) = tail.split_at_checked(usize::from(*size)).ok_or(DAMAGED)?;
    *rest = tail;
    String::from_utf8(text.to_vec()).map_err(|_| DAMAGED)
}
