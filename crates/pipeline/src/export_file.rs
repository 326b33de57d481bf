//! The export file: a whole kennel in one stream, written and read frame by frame.
//!
//! A magic line, an opening frame, a frame for each [`Segment`], before the first segment that
//! needs it a frame for each chain module, a closing frame. The digest of a
//! frame covers the digest before it, so that each one binds all bytes up to its own end: one
//! changed byte, a cut, a swapped, dropped or grafted frame is found without looking into a block.
//! Who recomputes the digests gets past this module, and is stopped by [`crate::verify`].
//! Byte by byte: `docs/export-format.md`.
//!
//! Both sides hold one frame in memory at a time, of at most [`SEGMENT_FRAME_BYTES_MAX`].
//! Deliberately absent: files, temporary names and compression, which are the caller's; and any
//! judgement of what the blocks say.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::{Digest32, RulesHash, sha256};
use pitpet_chain::limits;
use pitpet_chain::record;

use crate::query::Segment;

/// First bytes of a file; the digit is the version of the format.
pub const MAGIC: &[u8; 16] = b"pitpet export 2\n";

/// First bytes of a file of the version before, which carries no modules and is still read.
pub const MAGIC_WITHOUT_MODULES: &[u8; 16] = b"pitpet export 1\n";

/// Payload of an opening frame, at most: a genesis of under 1 KiB and a note, with room for
/// cosignatures of witnesses.
pub const OPENING_FRAME_BYTES_MAX: usize = 64 * 1024;

/// Payload of a segment frame, at most 8 MiB: a server ends a segment at the block that takes it
/// over 3 MiB. That block adds at most 360 KiB and 512 bodies of 8,192 + 32 + 3 bytes: 7,726,848.
pub const SEGMENT_FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

const _: () = assert!(
    3 * 1024 * 1024 + limits::BLOCK_BYTES_MAX + limits::BLOCK_EVENTS_MAX * (limits::BODY_BYTES_MAX + 35)
        < SEGMENT_FRAME_BYTES_MAX
);

/// A chain module has at most 256 KiB, which is what the host's gatekeeper lets through.
pub const MODULE_BYTES_MAX: usize = 256 * 1024;

/// Payload of a module frame, at most: the module, its hash of 34 bytes, and the heads of record and module.
const MODULE_FRAME_BYTES_MAX: usize = MODULE_BYTES_MAX + 64;

/// Modules of one file, at most: 16 MiB of them fit memory.
pub const MODULES_MAX: usize = 64;

/// Payload of a closing frame, at most: three integers of 9 bytes.
const CLOSING_FRAME_BYTES_MAX: usize = 32;

/// Kind, one byte, and length, four bytes big-endian.
const FRAME_HEAD_BYTES: usize = 5;

record! {
    /// What an export is of.
    pub struct Opening {
        /// Canonical [`pitpet_chain::genesis::Genesis`]; its tagged hash is the kennel's id.
        pub genesis: Bytes,
        /// The checkpoint over all blocks of the export, a C2SP signed note.
        pub checkpoint: String,
        /// Height of the last block.
        pub height: u64,
    }
}

record! {
    /// What an export held.
    pub struct Closing {
        /// Segments.
        pub segments: u64,
        /// Blocks: the height in the opening + 1.
        pub blocks: u64,
    }
}

record! {
    /// A chain module that decided blocks of the export.
    pub struct Module {
        /// SHA-256 of the module, which the blocks' headers name.
        pub rules: RulesHash,
        /// The module itself.
        pub wasm: Bytes,
    }
}

/// The rules that decided a segment's blocks, in the order in which they first appear; a block
/// that can't be read has none.
pub fn rules_of(segment: &Segment) -> Vec<RulesHash> {
    let mut found = Vec::new();
    for block in segment.entries.iter().filter_map(|entry| decode::<Block>(&entry.block.0).ok()) {
        if !found.contains(&block.header.rules_hash) {
            found.push(block.header.rules_hash);
        }
    }
    found
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum FrameKind {
    Opening = 1,
    Segment = 2,
    Closing = 3,
    Module = 4,
}

impl FrameKind {
    fn from_number(number: u8) -> Option<Self> {
        use FrameKind::*;
        [Opening, Segment, Closing, Module].into_iter().find(|kind| *kind as u8 == number)
    }

    fn bytes_max(self) -> usize {
        match self {
            FrameKind::Opening => OPENING_FRAME_BYTES_MAX,
            FrameKind::Segment => SEGMENT_FRAME_BYTES_MAX,
            FrameKind::Closing => CLOSING_FRAME_BYTES_MAX,
            FrameKind::Module => MODULE_FRAME_BYTES_MAX,
        }
    }
}

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The writer failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Blocks are missing, doubled, or beyond the height of the export.
    #[error("a segment holds {count} blocks from {from}, where those from {expected} to {height} are left")]
    OutOfOrder {
        /// Height that the segment begins at.
        from: u64,
        /// Its blocks.
        count: usize,
        /// Height that it should begin at.
        expected: u64,
        /// Height of the last block of the export.
        height: u64,
    },
    /// The module does not hash to its name, is there already, or is one too many.
    #[error("the module {rules} {why}")]
    Module {
        /// Its name.
        rules: RulesHash,
        /// What is wrong.
        why: &'static str,
    },
    /// A frame would be larger than readers take.
    #[error("{size} bytes in one frame, at most {bytes_max} are allowed")]
    TooLarge {
        /// Bytes of the payload.
        size: usize,
        /// The bound.
        bytes_max: usize,
    },
}

/// Why a file is not a whole export.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The reader failed, or is older than the file's format (`Unsupported`): nothing is known
    /// about the file.
    #[error(transparent)]
    Io(io::Error),
    /// It begins with other bytes.
    #[error("not an export of PitPet")]
    NotAnExport,
    /// It ends before the closing frame does.
    #[error("the export is cut short: it ends within the frame at byte {offset}")]
    Cut {
        /// Where the unfinished frame begins.
        offset: u64,
    },
    /// The bytes are not those that were written.
    #[error("the frame at byte {offset} is damaged")]
    Damaged {
        /// Where the frame begins.
        offset: u64,
    },
    /// The digests are right and what they cover makes no sense.
    #[error("the frame at byte {offset} holds no canonical record of its kind, or stands in a wrong place")]
    Malformed {
        /// Where the frame begins.
        offset: u64,
    },
    /// The blocks of a segment don't follow those before, or go beyond the height of the export.
    #[error(
        "the frame at byte {offset} holds blocks from {from}, where those from {expected} to {height} are left"
    )]
    OutOfOrder {
        /// Where the frame begins.
        offset: u64,
        /// Height that the segment begins at.
        from: u64,
        /// Height that it should begin at.
        expected: u64,
        /// Height of the last block of the export.
        height: u64,
    },
    /// A module is not the one that it is said to be.
    #[error("the frame at byte {offset} holds a chain module that {why}: {rules}")]
    Module {
        /// Where the frame begins.
        offset: u64,
        /// Its name.
        rules: RulesHash,
        /// What is wrong.
        why: &'static str,
    },
    /// Something follows the closing frame.
    #[error("bytes follow the end of the export at byte {offset}")]
    Trailing {
        /// Where the end is.
        offset: u64,
    },
}

/// Blocks that are still to come.
#[derive(Clone, Copy, Debug)]
struct Progress {
    segments: u64,
    next: u64,
    height: u64,
}

impl Progress {
    fn new(height: u64) -> Self {
        Self { segments: 0, next: 0, height }
    }

    /// Counts a segment; false if it doesn't follow.
    fn takes(&mut self, segment: &Segment) -> bool {
        let end = segment.from.checked_add(segment.entries.len() as u64);
        let limit = self.height.saturating_add(1);
        match end.filter(|end| segment.from == self.next && *end > self.next && *end <= limit) {
            Some(end) => {
                self.next = end;
                self.segments += 1;
                true
            }
            None => false,
        }
    }

    fn is_complete(&self) -> bool {
        self.next.checked_sub(1) == Some(self.height)
    }
}

/// Whether a module may join those of a file.
fn module_fault(known: &BTreeSet<RulesHash>, module: &Module) -> Option<&'static str> {
    if sha256(&module.wasm.0) != module.rules.0 {
        Some("does not hash to its name")
    } else if known.contains(&module.rules) {
        Some("is there twice")
    } else if known.len() == MODULES_MAX {
        Some("is one too many")
    } else {
        None
    }
}

/// Writes an export.
///
/// What was written before an error, or without [`ExportWriter::finish`], is no export.
#[derive(Debug)]
pub struct ExportWriter<W> {
    out: W,
    chain: Digest32,
    progress: Progress,
    modules: BTreeSet<RulesHash>,
}

impl<W: Write> ExportWriter<W> {
    /// Writes the beginning.
    ///
    /// # Errors
    /// [`WriteError::Io`] or [`WriteError::TooLarge`].
    pub fn begin(mut out: W, opening: &Opening) -> Result<Self, WriteError> {
        out.write_all(MAGIC)?;
        let progress = Progress::new(opening.height);
        let mut writer = Self { out, chain: sha256(MAGIC), progress, modules: BTreeSet::new() };
        writer.frame(FrameKind::Opening, &encode(opening))?;
        Ok(writer)
    }

    /// Writes the next blocks.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn segment(&mut self, segment: &Segment) -> Result<(), WriteError> {
        if !self.progress.takes(segment) {
            return Err(self.out_of_order(segment.from, segment.entries.len()));
        }
        self.frame(FrameKind::Segment, &encode(segment))
    }

    /// Whether a module has been written.
    pub fn has_module(&self, rules: &RulesHash) -> bool {
        self.modules.contains(rules)
    }

    /// Writes a module, before the first segment with a block that it decided.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn module(&mut self, module: &Module) -> Result<(), WriteError> {
        let rules = module.rules;
        if let Some(why) = module_fault(&self.modules, module) {
            return Err(WriteError::Module { rules, why });
        }
        self.modules.insert(rules);
        self.frame(FrameKind::Module, &encode(module))
    }

    /// Height of the block that the next segment begins with.
    pub fn next_height(&self) -> u64 {
        self.progress.next
    }

    /// Writes the end, flushes, and gives the writer back.
    ///
    /// # Errors
    /// [`WriteError::OutOfOrder`] if blocks are missing, or [`WriteError::Io`].
    pub fn finish(mut self) -> Result<W, WriteError> {
        if !self.progress.is_complete() {
            return Err(self.out_of_order(self.progress.next, 0));
        }
        let closing = Closing { segments: self.progress.segments, blocks: self.progress.next };
        self.frame(FrameKind::Closing, &encode(&closing))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn out_of_order(&self, from: u64, count: usize) -> WriteError {
        let Progress { next, height, .. } = self.progress;
        WriteError::OutOfOrder { from, count, expected: next, height }
    }

    fn frame(&mut self, kind: FrameKind, payload: &[u8]) -> Result<(), WriteError> {
        let too_large = || WriteError::TooLarge { size: payload.len(), bytes_max: kind.bytes_max() };
        if payload.len() > kind.bytes_max() {
            return Err(too_large());
        }
        let length = u32::try_from(payload.len()).map_err(|_| too_large())?;
        let mut covered = Vec::with_capacity(32 + FRAME_HEAD_BYTES + payload.len());
        covered.extend(self.chain);
        covered.push(kind as u8);
        covered.extend(length.to_be_bytes());
        covered.extend(payload);
        self.chain = sha256(&covered);
        self.out.write_all(&covered[32..])?;
        self.out.write_all(&self.chain)?;
        Ok(())
    }
}

/// Reads an export.
#[derive(Debug)]
pub struct ExportReader<R> {
    input: R,
    offset: u64,
    chain: Digest32,
    opening: Opening,
    progress: Progress,
    may_have_modules: bool,
    known: BTreeSet<RulesHash>,
    modules: Vec<Module>,
    ended: bool,
}

impl<R: Read> ExportReader<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(mut input: R) -> Result<Self, ReadError> {
        let mut magic = [0; MAGIC.len()];
        match input.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC || magic == *MAGIC_WITHOUT_MODULES => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(ReadError::Io(error)),
            Ok(()) => return Err(other_format(&magic)),
            Err(_) => return Err(ReadError::NotAnExport),
        }
        let mut reader = Self {
            input,
            offset: MAGIC.len() as u64,
            chain: sha256(&magic),
            opening: Opening { genesis: Bytes(Vec::new()), checkpoint: String::new(), height: 0 },
            progress: Progress::new(0),
            may_have_modules: magic == *MAGIC,
            known: BTreeSet::new(),
            modules: Vec::new(),
            ended: false,
        };
        let offset = reader.offset;
        let (kind, payload) = reader.frame()?;
        reader.opening = match kind {
            FrameKind::Opening => decode(&payload).map_err(|_| ReadError::Malformed { offset })?,
            _ => return Err(ReadError::Malformed { offset }),
        };
        reader.progress = Progress::new(reader.opening.height);
        Ok(reader)
    }

    /// What the export is of.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The modules that came before what was read last, each once.
    pub fn take_modules(&mut self) -> Vec<Module> {
        std::mem::take(&mut self.modules)
    }

    /// Reads the next blocks, and the modules before them; none once the file has proven whole.
    ///
    /// # Errors
    /// [`ReadError`]; nothing can be read after one.
    pub fn next_segment(&mut self) -> Result<Option<Segment>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let (mut offset, mut frame) = (self.offset, self.frame()?);
        while frame.0 == FrameKind::Module {
            self.module(offset, &frame.1)?;
            (offset, frame) = (self.offset, self.frame()?);
        }
        let (kind, payload) = frame;
        match kind {
            FrameKind::Opening | FrameKind::Module => Err(ReadError::Malformed { offset }),
            FrameKind::Segment => {
                let segment: Segment = decode(&payload).map_err(|_| ReadError::Malformed { offset })?;
                let Progress { next, height, .. } = self.progress;
                if !self.progress.takes(&segment) {
                    return Err(ReadError::OutOfOrder { offset, from: segment.from, expected: next, height });
                }
                Ok(Some(segment))
            }
            FrameKind::Closing => {
                let closing = Closing { segments: self.progress.segments, blocks: self.progress.next };
                if decode::<Closing>(&payload) != Ok(closing) || !self.progress.is_complete() {
                    return Err(ReadError::Malformed { offset });
                }
                if !self.read_up_to(1)?.is_empty() {
                    return Err(ReadError::Trailing { offset: self.offset });
                }
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// Takes a module whose bytes are those of its name.
    fn module(&mut self, offset: u64, payload: &[u8]) -> Result<(), ReadError> {
        let module: Module = decode(payload).map_err(|_| ReadError::Malformed { offset })?;
        if !self.may_have_modules {
            return Err(ReadError::Malformed { offset });
        }
        if let Some(why) = module_fault(&self.known, &module) {
            return Err(ReadError::Module { offset, rules: module.rules, why });
        }
        self.known.insert(module.rules);
        self.modules.push(module);
        Ok(())
    }

    /// Reads a frame whose digest is right.
    fn frame(&mut self) -> Result<(FrameKind, Vec<u8>), ReadError> {
        let offset = self.offset;
        let head = self.exactly(FRAME_HEAD_BYTES, offset)?;
        let kind = FrameKind::from_number(head[0]).ok_or(ReadError::Damaged { offset })?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > kind.bytes_max() {
            return Err(ReadError::Damaged { offset });
        }
        let payload = self.exactly(length, offset)?;
        let stated = self.exactly(32, offset)?;
        let digest = sha256(&[&self.chain, &*head, &*payload].concat());
        if *stated != digest {
            return Err(ReadError::Damaged { offset });
        }
        self.chain = digest;
        self.offset += (FRAME_HEAD_BYTES + length + 32) as u64;
        Ok((kind, payload))
    }

    fn exactly(&mut self, count: usize, offset: u64) -> Result<Vec<u8>, ReadError> {
        let bytes = self.read_up_to(count)?;
        if bytes.len() == count { Ok(bytes) } else { Err(ReadError::Cut { offset }) }
    }

    /// Reserves no memory from a length that the file claims.
    fn read_up_to(&mut self, count: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(count as u64).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        Ok(bytes)
    }
}

/// Why a file that begins otherwise can't be read: it may be of a format that came after this one.
fn other_format(magic: &[u8; MAGIC.len()]) -> ReadError {
    let digit = MAGIC.len() - 2;
    let is_newer = magic[..digit] == MAGIC[..digit]
        && (MAGIC[digit] + 1..=b'9').contains(&magic[digit])
        && magic[digit + 1] == b'\n';
    match is_newer {
        true => ReadError::Io(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("an export of format {}, which a newer pitpet reads", char::from(magic[digit])),
        )),
        false => ReadError::NotAnExport,
    }
}

/// Reads a whole export for its digests and order alone, which takes a small part of what
/// verifying its blocks takes; gives the modules that it carries.
///
/// # Errors
/// [`ReadError`].
pub fn check(input: impl Read) -> Result<(Opening, Vec<Module>), ReadError> {
    let mut reader = ExportReader::open(input)?;
    while reader.next_segment()?.is_some() {}
    Ok((reader.opening, reader.modules))
}
