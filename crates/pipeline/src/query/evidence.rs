//! What a browser needs to decide a block again by itself. Nothing of it is trusted there: a
//! snapshot's root is recomputed, blocks are linked by their hashes, and the checkpoint is signed.

use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::BlockHash;
use pitpet_keys::inspect::Evidence;

use super::Queries;
use crate::api::Problem;
use crate::head::{Founding, block_bytes, damaged};
use crate::items::{self, Fields};
use crate::ports::{Consistency, Order, Query};
use crate::problem::{not_found, problem};
use crate::snapshots::{self, ARCHIVED_EVERY, Place};

/// Earlier snapshots tried if the nearest isn't there.
const SNAPSHOTS_TRIED: u64 = 4;

/// Bytes of an answer: Lambda's is at most 6 MB, as base64.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Blocks asked for at once: each item has at most 400 KB, an answer 16 MB.
const BLOCKS_AT_ONCE: usize = 25;

impl Queries {
    /// Canonical [`Evidence`] for a block.
    ///
    /// # Errors
    /// A problem: 404 if the block isn't committed yet, 413 if the state is too large to be sent.
    pub async fn evidence(&self, name: &str, height: u64) -> Result<Vec<u8>, Problem> {
        let founding = self.founding(name).await?;
        let not_yet = || not_found("block at this height yet", "height");
        let (_, stored) = self.committed_block(&founding, height).await?.ok_or_else(not_yet)?;
        let (log_proof, checkpoint) = self.log_proof(&founding, height).await?.ok_or_else(not_yet)?;
        let (snapshot, begin) = match self.state_before(&founding, height).await? {
            Some((place, content)) => (Some(Bytes(content)), place.height),
            None => (None, 0),
        };
        let first = self.committed_block(&founding, begin).await?.ok_or_else(not_yet)?.1;
        let first: Block = decode(&first.bytes).map_err(|_| damaged("a block"))?;
        let mut size = snapshot.as_ref().map_or(0, |snapshot| snapshot.0.len()) + stored.bytes.len();
        let mut before = Vec::new();
        let mut next = begin + 1;
        while next < height {
            let end = height.min(next + BLOCKS_AT_ONCE as u64);
            for block in self.blocks_between(&founding, next, end).await? {
                size += block.len();
                before.push(Bytes(block));
            }
            if size > BYTES_MAX {
                return Err(too_large());
            }
            next = end;
        }
        Ok(encode(&Evidence {
            genesis: Bytes(encode(&founding.genesis)),
            snapshot,
            rules: first.header.rules_hash,
            before,
            block: Bytes(stored.bytes),
            log_proof,
            checkpoint,
        }))
    }

    /// The nearest archived snapshot below a height; none to begin at the genesis.
    async fn state_before(
        &self,
        founding: &Founding,
        height: u64,
    ) -> Result<Option<(Place, Vec<u8>)>, Problem> {
        let nearest = height.saturating_sub(1) / ARCHIVED_EVERY;
        for step in (nearest.saturating_sub(SNAPSHOTS_TRIED - 1)..=nearest).rev().filter(|step| *step > 0) {
            let at = step * ARCHIVED_EVERY;
            let track = self.table.get(&items::track(&founding.kennel, at), Consistency::Eventual).await?;
            let track = track.ok_or_else(|| damaged("a committed block has no track"))?;
            let place = Place { height: at, hash: BlockHash(track.digest("hash")?) };
            let found = snapshots::archived(self.objects.as_ref(), &founding.kennel, &place).await?;
            if let Some(content) = found {
                return Ok(Some((place, content)));
            }
        }
        // Nothing near: the genesis is near enough, or there is no way.
        if nearest < SNAPSHOTS_TRIED { Ok(None) } else { Err(too_large()) }
    }

    /// Committed blocks from a height up to below another, at most [`BLOCKS_AT_ONCE`].
    async fn blocks_between(&self, founding: &Founding, from: u64, to: u64) -> Result<Vec<Vec<u8>>, Problem> {
        let query = Query {
            pk: items::chain(&founding.kennel),
            from: items::track_sk(from),
            to: items::track_sk(to.saturating_sub(1)),
            order: Order::Ascending,
            limit: BLOCKS_AT_ONCE as u32,
            consistency: Consistency::Eventual,
        };
        let mut keys = Vec::new();
        let mut tracks = self.table.query(&query).await?.into_iter();
        for height in from..to {
            let track = tracks.next().filter(|track| track.key.sk == items::track_sk(height));
            let track = track.ok_or_else(|| damaged("a committed block has no track"))?.attributes;
            keys.push(items::block(&founding.kennel, height, &BlockHash(track.digest("hash")?)));
        }
        let blocks = self.table.get_many(&keys).await?.into_iter().map(|item| {
            let item = item.ok_or_else(|| damaged("a committed block is missing"))?;
            Ok(block_bytes(&item)?)
        });
        blocks.collect()
    }
}

fn too_large() -> Problem {
    let detail = format!(
        "The state before this block has more than the {BYTES_MAX} bytes that are sent to a page. \
         `pitpet verify` checks it from the command line."
    );
    problem(413, "evidence-too-large", "Too much to check in a page", detail, Some("height"))
}
