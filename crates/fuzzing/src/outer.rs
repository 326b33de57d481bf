//! What stands around the rules: notes, messages, exports, photos, and the HTTP handlers of writes and reads.

use std::sync::OnceLock;

use pitpet_chain::codec::{decode, encode};
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::checkpoint;
use pitpet_pipeline::export_file::{self, ExportReader, ExportWriter, Opening};
use pitpet_pipeline::http::{self, HttpRequest};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::query::Segment;
use pitpet_simulator::town::{QUICK, id_of};
use pitpet_simulator::{Player, Town};
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

/// What is uploaded as a photo, and made small to be shown.
pub(crate) fn photo(data: &[u8]) {
    let Some(made) = pitpet_web::photos::shrink(data) else { return };
    let small = image::load_from_memory(&made).expect("it is a picture");
    assert_eq!(small.width(), small.height(), "it is a square");
    assert!(small.width() <= 480, "it is small");
}

/// Where requests are taken, and one place where none is. New ones go to the end: an input's first
/// byte is a place in this list.
const PATHS: [&str; 13] = [
    "/v1/events",
    "/v1/accounts",
    "/v1/media",
    "/v1/feed",
    "/v1/reports",
    "/v1/erasures",
    "/v1/statements",
    "/v1/profiles",
    "/v1/lists",
    "/v1/sign-in/password",
    "/v1/sign-in/vault",
    "/v1/sign-in/start",
    "/v1/sign-in/finish",
];

/// A town that all inputs are tried on, with a pet and a post; and their ids.
fn town() -> &'static (Runtime, Town, [String; 2]) {
    static TOWN: OnceLock<(Runtime, Town, [String; 2])> = OnceLock::new();
    TOWN.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (town, ids) = runtime.block_on(async {
            let town = Town::found(QUICK).await;
            let mut player = Player::new(&town, 1);
            let birth = player.birth("Kitty", town.head().await.hash);
            let post = player.post(id_of(&birth), "A nap.");
            let ids = [id_of(&birth).to_string(), id_of(&post).to_string()];
            for entry in [birth, post] {
                town.send(vec![entry]);
            }
            town.mine_all(&town.miner()).await;
            (town, ids)
        });
        (runtime, town, ids)
    })
}

/// A read: a path with its query. `PET` and `POST` stand for ids that are there.
pub(crate) fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (runtime, town, [pet, post]) = town();
    let target = text.replace("PET", pet).replace("POST", post);
    let (path, parameters) = target.split_once('?').unwrap_or((&target, ""));
    let parameters = parameters.split('&').filter_map(|parameter| parameter.split_once('='));
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..HttpRequest::default()
    };
    if request.query.contains_key("wait_ms") {
        // Waiting for what never comes is not what is fuzzed.
        return;
    }
    let Some(response) = runtime.block_on(http::query(&town.queries(), &request)) else { return };
    assert!(response.status < 500, "{target}: {}", String::from_utf8_lossy(&response.body));
    if response.status >= 400 && response.headers["content-type"] == "application/problem+json" {
        let problem: Problem = serde_json::from_slice(&response.body).expect("a problem document");
        assert_eq!(problem.status, response.status);
    }
}

/// The first byte chooses the path; the rest is the request's body.
pub(crate) fn ingest(data: &[u8]) {
    let (runtime, town, _) = town();
    let Some((path, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(*path) % PATHS.len()];
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: body.to_vec(),
        ..HttpRequest::default()
    };
    let ingest = town.ingest().with_passwords(&[7; 32]);
    let response = runtime.block_on(http::ingest(&ingest, &request));
    assert!(response.status < 500, "{path}: {}", String::from_utf8_lossy(&response.body));
    if response.status >= 400 && response.headers["content-type"] == "application/problem+json" {
        let problem: Problem = serde_json::from_slice(&response.body).expect("a problem document");
        assert_eq!(problem.status, response.status);
        assert!(problem.field.is_some(), "it names its field");
    } else {
        assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_ok(), "JSON");
    }
}
