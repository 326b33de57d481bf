//! Exports: a manifest and segments of up to 256 blocks with their bodies.

use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Kind, SignedEvent};
use pitpet_chain::hash::BlockHash;
use pitpet_chain::record;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Queries, base64_of};
use crate::api::Problem;
use crate::checkpoint;
use crate::head::{LedgerError, damaged, read_block};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Consistency, Order, Query};
use crate::problem::bad_field;

/// Blocks of a segment, at most; a segment never crosses a multiple of it.
pub(super) const SEGMENT_BLOCKS: u64 = 256;

/// Bytes after which a segment ends early: a Lambda answers with at most 6 MB.
pub(super) const SEGMENT_BYTES: usize = 2 * 1024 * 1024;

/// What to fetch for an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportManifest {
    /// Kennel id.
    pub kennel: String,
    /// The canonical genesis, base64.
    pub genesis: String,
    /// Height of the last block of the export.
    pub height: u64,
    /// The checkpoint over all of its blocks.
    pub checkpoint: String,
    /// Path of a segment: append the height of its first block. A segment ends at the latest
    /// before the next multiple of 256; the next one begins where it ended.
    pub segments: String,
}

/// A body as the read side has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBody {
    /// The kind has no body.
    None,
    /// It is there.
    Present {
        /// Its salt.
        salt: Vec<u8>,
        /// Its canonical bytes.
        body: Vec<u8>,
    },
    /// It was erased on purpose.
    Erased,
    /// It should be there and is not.
    Missing,
}

impl StoredBody {
    /// The body of an event of this kind by its item.
    pub fn of(kind: Kind, item: Option<&Attributes>) -> Self {
        if !Self::is_due(kind) {
            return StoredBody::None;
        }
        let Some(item) = item else { return StoredBody::Missing };
        match (item.bytes("salt"), item.bytes("body")) {
            (Ok(salt), Ok(body)) => StoredBody::Present { salt: salt.to_vec(), body: body.to_vec() },
            _ if item.contains_key("erased") => StoredBody::Erased,
            _ => StoredBody::Missing,
        }
    }

    /// Whether events of this kind have a body.
    pub fn is_due(kind: Kind) -> bool {
        matches!(kind, Kind::Birth | Kind::Post | Kind::Comment | Kind::Moderate)
    }

    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            StoredBody::None => "none",
            StoredBody::Present { .. } => "present",
            StoredBody::Erased => "erased",
            StoredBody::Missing => "missing",
        }
    }
}

record! {
    /// A block in a segment.
    pub struct SegmentEntry {
        /// Canonical block.
        pub block: Bytes,
        /// For each event: 0 no body, 1 present, 2 erased, 3 missing.
        pub body_states: Vec<u8>,
        /// Salt (32 bytes) and body of each present one, in order.
        pub bodies: Vec<Bytes>,
    }
}

record! {
    /// Blocks in a row.
    pub struct Segment {
        /// Format version, 1.
        pub version: u8,
        /// Height of the first.
        pub from: u64,
        /// The blocks.
        pub entries: Vec<SegmentEntry>,
    }
}

impl Queries {
    /// What to fetch for an export of a kennel up to its newest checkpoint.
    ///
    /// # Errors
    /// A problem.
    pub async fn export(&self, name: &str) -> Result<ExportManifest, Problem> {
        let founding = self.founding(name).await?;
        let head = self.head(&founding).await?;
        let note = head.checkpoint;
        let claim = checkpoint::check(&note, &founding.kennel, &founding.genesis.checkpoint)
            .map_err(|error| LedgerError::Damaged(error.to_string()))?;
        Ok(ExportManifest {
            kennel: founding.kennel.to_string(),
            genesis: base64_of(&encode(&founding.genesis)),
            height: claim.size - 1,
            checkpoint: note,
            segments: format!("/v1/kennels/{}/export/", founding.kennel),
        })
    }

    /// A segment: canonical [`Segment`].
    ///
    /// # Errors
    /// A problem with status 400 if no committed block has this height.
    pub async fn segment(&self, name: &str, from: u64) -> Result<Vec<u8>, Problem> {
        let founding = self.founding(name).await?;
        let head = self.head(&founding).await?;
        if from > head.height {
            return Err(bad_field("from", format!("The kennel has blocks up to height {}.", head.height)));
        }
        let end = (from / SEGMENT_BLOCKS + 1) * SEGMENT_BLOCKS - 1;
        let mut entries = Vec::new();
        let mut size = 0;
        let last = end.min(head.height);
        let query = Query {
            pk: items::chain(&founding.kennel),
            from: items::track_sk(from),
            to: items::track_sk(last),
            order: Order::Ascending,
            limit: SEGMENT_BLOCKS as u32,
            consistency: Consistency::Strong,
        };
        let mut tracks = self.table.query(&query).await?.into_iter();
        for height in from..=last {
            let track = tracks.next().filter(|track| track.key.sk == items::track_sk(height));
            let track = track.ok_or_else(|| damaged("a committed block has no track"))?;
            let hash = BlockHash(track.attributes.digest("hash")?);
            let stored = read_block(self.table.as_ref(), &founding.kennel, height, &hash).await?;
            let entry = self.segment_entry(stored.bytes).await?;
            size += entry.block.0.len() + entry.bodies.iter().map(|body| body.0.len()).sum::<usize>();
            entries.push(entry);
            if size > SEGMENT_BYTES {
                break;
            }
        }
        Ok(encode(&Segment { version: 1, from, entries }))
    }

    async fn segment_entry(&self, bytes: Vec<u8>) -> Result<SegmentEntry, Problem> {
        let block: pitpet_chain::block::Block = decode(&bytes).map_err(|_| damaged("a block"))?;
        let mut entry = SegmentEntry { block: Bytes(bytes), body_states: Vec::new(), bodies: Vec::new() };
        let signed: Vec<SignedEvent> = block
            .events
            .iter()
            .map(|event| SignedEvent::read(&event.0).map_err(|_| damaged("a block's event")))
            .collect::<Result<_, _>>()?;
        let header = &block.header;
        let signed: Vec<(u32, SignedEvent)> = (0..).zip(signed).collect();
        for chunk in signed.chunks(100) {
            let key = |(index, signed): &(u32, SignedEvent)| {
                let kind = signed.event.payload.kind();
                crate::texts::key(kind, &header.kennel, header.height, *index, &signed.id)
            };
            let keys: Vec<_> = chunk.iter().map(key).collect();
            for ((_, signed), item) in chunk.iter().zip(self.table.get_many(&keys).await?) {
                let (state, body) = match StoredBody::of(signed.event.payload.kind(), item.as_ref()) {
                    StoredBody::None => (0, None),
                    StoredBody::Present { salt, body } => (1, Some([salt, body].concat())),
                    StoredBody::Erased => (2, None),
                    StoredBody::Missing => (3, None),
                };
                entry.body_states.push(state);
                entry.bodies.extend(body.map(Bytes));
            }
        }
        Ok(entry)
    }
}
