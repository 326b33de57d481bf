//! The server's ledger as a whole, honest or rewritten by its operator.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use pitpet_chain::block::{Block, Summary};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{RulesHash, sha256};
use pitpet_chain::log::{self, Frontier};
use pitpet_chain_host::Releases;
use pitpet_pipeline::checkpoint::{self, Claim};
use pitpet_pipeline::query::{ExportManifest, Segment, SegmentEntry};

use super::{Inner, Lie, SIGNER, problem};

/// Blocks in a segment, few, so that small ledgers have several.
const SEGMENT_BLOCKS: usize = 2;

/// The newest release with a section added that changes nothing but its hash.
pub(crate) fn unreleased_module() -> Vec<u8> {
    let newest = Releases::latest().unwrap();
    let mut module = Releases::embedded().find(newest).unwrap().into_owned();
    module.extend([0, 5, 4, b't', b'e', b's', b't']);
    module
}

/// The hash of the newest release.
pub(crate) fn released() -> RulesHash {
    RulesHash(Releases::latest().unwrap().0)
}

impl Inner {
    /// The blocks shown, and a checkpoint over them.
    fn shown(&self) -> (Vec<Block>, String) {
        let mut blocks = self.blocks.clone();
        if self.lie != Lie::RewrittenHistory {
            return (blocks, self.note());
        }
        let block = blocks.last_mut().unwrap();
        let mut summary: Summary = decode(&block.summary.0).unwrap();
        summary.totals.minted += 1_000_000;
        block.summary = Bytes(encode(&summary));
        block.header.receipts_root = log::root(&block.receipt_leaves());
        let mut history = Frontier::default();
        blocks.iter().for_each(|block| drop(history.append(log::leaf(&block.header.hash().0))));
        let claim = Claim { size: history.size, root: history.root() };
        (blocks, checkpoint::sign(self.kennel.id(), claim, &SigningKey::from_bytes(&SIGNER)))
    }

    fn entry(&self, block: &Block) -> SegmentEntry {
        let mut entry = SegmentEntry { block: Bytes(encode(block)), body_states: vec![], bodies: vec![] };
        for event in &block.events {
            let signed = SignedEvent::read(&event.0).unwrap();
            match (signed.event.payload.body(), self.bodies.get(&signed.id)) {
                (None, _) => entry.body_states.push(0),
                (Some(_), None) => entry.body_states.push(3),
                (Some(_), Some((salt, body))) => {
                    entry.body_states.push(1);
                    entry.bodies.push(Bytes([&salt[..], body].concat()));
                }
            }
        }
        entry
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

pub(super) fn router() -> axum::Router<Arc<Mutex<Inner>>> {
    axum::Router::new()
        .route("/v1/kennels/{kennel}/export", get(manifest))
        .route("/v1/kennels/{kennel}/export/{from}", get(segment))
        .route("/v1/rules/{name}", get(rules))
}

async fn manifest(State(inner): Shared) -> Json<ExportManifest> {
    let inner = inner.lock().unwrap();
    let (blocks, checkpoint) = inner.shown();
    let kennel = inner.kennel.id().to_string();
    Json(ExportManifest {
        segments: format!("/v1/kennels/{kennel}/export/"),
        kennel,
        genesis: BASE64.encode(encode(inner.kennel.state().genesis())),
        height: blocks.len() as u64 - 1,
        checkpoint,
    })
}

async fn segment(State(inner): Shared, Path((_, from)): Path<(String, u64)>) -> Vec<u8> {
    let inner = inner.lock().unwrap();
    let (blocks, _) = inner.shown();
    let blocks = blocks.iter().skip(from as usize).take(SEGMENT_BLOCKS);
    encode(&Segment { version: 1, from, entries: blocks.map(|block| inner.entry(block)).collect() })
}

async fn rules(Path(name): Path<String>) -> Response {
    let module = unreleased_module();
    if name == format!("{}.wasm", hex::encode(sha256(&module))) {
        return module.into_response();
    }
    problem(404, "unknown-rules", "no such rules here")
}
