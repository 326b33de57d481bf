//! What stands around the rules: notes, messages, exports, and the HTTP handler that takes events.

use std::sync::OnceLock;

use pitpet_chain::codec::{decode, encode};
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::checkpoint;
use pitpet_pipeline::export_file::{self, ExportReader, ExportWriter, Opening};
use pitpet_pipeline::http::{self, HttpRequest};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::query::Segment;
use pitpet_simulator::Town;
use pitpet_simulator::town::QUICK;
use tokio::runtime::Runtime;

use crate::seeds;

pub(crate) fn checkpoint(data: &[u8]) {
    let Ok(note) = std::str::from_utf8(data) else { return };
    let genesis = seeds::genesis();
    let kennel = genesis.kennel();
    if let Ok(claim) = checkpoint::check(note, &kennel, &genesis.checkpoint) {
        // The key of the vectors is known to all; what it signs is taken at its word.
        let text = note.split("\n\n").next().unwrap_or_default();
        assert!(text.contains(&format!("\n{}\n", claim.size)), "the claim is what the note says");
    }
}

pub(crate) fn message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(message) = Message::read(text) {
        assert_eq!(message.write().body, text, "a message is written as it was read");
    }
}

/// As a whole file, and as the payloads of frames, which the digests keep a fuzzer out of.
pub(crate) fn export(data: &[u8]) {
    _ = export_file::check(data);
    let payload = data.strip_prefix(export_file::MAGIC).unwrap_or(data);
    if let Ok(opening) = decode::<Opening>(payload) {
        let written = ExportWriter::begin(Vec::new(), &opening).map(|_| ());
        assert!(written.is_ok() || payload.len() > export_file::OPENING_FRAME_BYTES_MAX);
    }
    if let Ok(segment) = decode::<Segment>(payload) {
        assert_eq!(encode(&segment), payload);
        let last = segment.from.saturating_add(segment.entries.len() as u64).saturating_sub(1);
        let opening = Opening { genesis: Default::default(), checkpoint: String::new(), height: last };
        let Ok(mut writer) = ExportWriter::begin(Vec::new(), &opening) else { return };
        if writer.segment(&segment).is_ok() {
            let file = writer.finish().expect("all blocks are in");
            let mut reader = ExportReader::open(&file[..]).expect("what was written is read");
            assert_eq!(reader.next_segment().expect("the segment is read"), Some(segment));
            assert_eq!(reader.next_segment().expect("the end is read"), None);
        }
    }
}

/// Where requests are taken, and one place where none is.
const PATHS: [&str; 7] =
    ["/v1/events", "/v1/accounts", "/v1/media", "/v1/feed", "/v1/reports", "/v1/erasures", "/v1/statements"];

/// The first byte chooses the path; the rest is the request's body.
pub(crate) fn ingest(data: &[u8]) {
    static TOWN: OnceLock<(Runtime, Town)> = OnceLock::new();
    let (runtime, town) = TOWN.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let town = runtime.block_on(Town::found(QUICK));
        (runtime, town)
    });
    let Some((path, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(*path) % PATHS.len()];
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: body.to_vec(),
        ..HttpRequest::default()
    };
    let response = runtime.block_on(http::ingest(&town.ingest(), &request));
    assert!(response.status < 500, "{path}: {}", String::from_utf8_lossy(&response.body));
    if response.status >= 400 && response.headers["content-type"] == "application/problem+json" {
        let problem: Problem = serde_json::from_slice(&response.body).expect("a problem document");
        assert_eq!(problem.status, response.status);
        assert!(problem.field.is_some(), "it names its field");
    } else {
        assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_ok(), "JSON");
    }
}
