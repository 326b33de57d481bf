//! Inputs to begin with: the golden vectors, taken apart, so that no copy of them is kept, and what is made here.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use pitpet_chain::abi::Claim;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{RulesHash, sha256};
use pitpet_chain::proof::LogProof;
use pitpet_chain_host::Operation;
use pitpet_keys::fields::Writer;
use pitpet_pipeline::export_file::{ExportWriter, Opening};
use pitpet_pipeline::message::{Entry, SaltedBody, pack};
use pitpet_pipeline::query::{Segment, SegmentEntry};
use pitpet_pipeline::snapshots::Manifest;
use serde_json::{Value, json};

use crate::keys::OPERATIONS;

const EVENTS: &str = include_str!("../../../testvectors/events.json");
const REQUESTS: &str = include_str!("../../../testvectors/requests.json");
const BLOCKS: &str = include_str!("../../../testvectors/blocks.json");
const LEDGER: &str = include_str!("../../../testvectors/ledger.json");
const PROOFS: &str = include_str!("../../../testvectors/proofs.json");

const OPENAPI: &str = include_str!("../../../docs/openapi.json");

#[cfg(feature = "wasm")]
fn released_module() -> Vec<u8> {
    let releases = pitpet_chain_host::Releases::embedded();
    releases
        .find(pitpet_chain_host::Releases::latest().expect("a module is pinned"))
        .expect("it is there")
        .to_vec()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("vectors are JSON")
}

fn bytes_of(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_default()).expect("vectors are hexadecimal")
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The genesis of the vectors.
pub fn genesis() -> Genesis {
    decode(&bytes_of(&json_of(EVENTS)["genesis"])).expect("the genesis is canonical")
}

/// The rules hash of the vectors.
pub fn rules_hash() -> RulesHash {
    RulesHash(bytes_of(&json_of(LEDGER)["rules_hash"]).try_into().expect("32 bytes"))
}

/// Seeds of a target.
///
/// # Panics
/// If there is no such target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let (events, requests, blocks) = (json_of(EVENTS), json_of(REQUESTS), json_of(BLOCKS));
    let (ledger, proofs) = (json_of(LEDGER), json_of(PROOFS));
    let with_head = |head: u8, rest: &[u8]| [&[head][..], rest].concat();
    let steps = || list(&ledger, "scripts").flat_map(|script| list(script, "steps"));
    let note = proofs["checkpoint"]["note"].as_str().unwrap_or_default();
    match target {
        "signed_event" => list(&events, "events").map(|event| bytes_of(&event["signed"])).collect(),
        "request" => list(&requests, "requests").map(|request| bytes_of(&request["signed"])).collect(),
        "body" => list(&events, "events")
            .filter(|event| event["body"].is_object())
            .map(|event| {
                let number = event["number"].as_u64().unwrap_or_default() as u8;
                with_head(number - 1, &bytes_of(&event["body"]["bytes"]))
            })
            .collect(),
        "block" => list(&blocks, "blocks").map(|block| bytes_of(&block["block"])).collect(),
        "records" => list(&blocks, "blocks")
            .map(|block| bytes_of(&block["header"]))
            .chain(list(&proofs, "states").map(|state| bytes_of(&state["record"])))
            .chain(
                steps()
                    .filter_map(|step| step["answer"].as_str())
                    .map(|answer| hex::decode(answer).expect("vectors are hexadecimal")),
            )
            .filter(|record| record.len() < 4_096)
            .chain([encode(&Manifest { chunk_count: 2, size: 5 << 20, digest: [9; 32] })])
            .collect(),
        "genesis" => vec![encode(&genesis())],
        "snapshot" => steps()
            .filter(|step| step["operation"] == "snapshot")
            .map(|step| bytes_of(&step["answer"]))
            .collect(),
        "proofs" => {
            let log = list(&proofs["log"], "blocks").map(|block| bytes_of(&block["proof"]));
            let log = log.inspect(|proof| assert!(decode::<LogProof>(proof).is_ok()));
            let claims =
                steps().filter(|step| step["operation"] == "verify").map(|step| bytes_of(&step["input"]));
            log.chain(claims.inspect(|claim| assert!(decode::<Claim>(claim).is_ok()))).collect()
        }
        "checkpoint" => vec![note.as_bytes().to_vec()],
        "message" => {
            let kennel = genesis().kennel();
            let entries = list(&events, "events").map(entry).collect();
            pack(kennel, entries).into_iter().map(|(message, _)| message.write().body.into_bytes()).collect()
        }
        "export" => {
            let entries: Vec<SegmentEntry> = list(&blocks, "blocks")
                .map(|block| SegmentEntry {
                    block: Bytes(bytes_of(&block["block"])),
                    body_states: vec![3; block["events"].as_u64().unwrap_or_default() as usize],
                    bodies: Vec::new(),
                })
                .collect();
            let opening = Opening {
                genesis: Bytes(encode(&genesis())),
                checkpoint: note.to_owned(),
                height: entries.len() as u64 - 1,
            };
            let segment = Segment { version: 1, from: 0, entries };
            let mut writer = ExportWriter::begin(Vec::new(), &opening).expect("into a Vec");
            writer.segment(&segment).expect("the next blocks");
            let short = Segment { entries: segment.entries[..2].to_vec(), ..segment };
            vec![writer.finish().expect("all blocks are in"), encode(&opening), encode(&short)]
        }
        "ingest" => {
            let mut seeds: Vec<Vec<u8>> = list(&events, "events")
                .map(|event| with_head(0, submitted(event).to_string().as_bytes()))
                .collect();
            let all: Vec<Value> = list(&events, "events").map(submitted).collect();
            seeds.push(with_head(0, json!({ "events": all }).to_string().as_bytes()));
            for (path, request) in (1..).zip(list(&requests, "requests")) {
                let body = json!({ "request": base64_of(&bytes_of(&request["signed"])) });
                seeds.push(with_head(path, body.to_string().as_bytes()));
            }
            // Each signed request at each place that takes one, with all that one of them asks for.
            for (path, request) in
                (4..12).flat_map(|path| list(&requests, "requests").map(move |of| (path, of)))
            {
                let signed = base64_of(&bytes_of(&request["signed"]));
                let bytes = base64_of(&[7; 48]);
                let body = json!({
                    "request": signed, "profile": {"name": "Anna"}, "list": bytes, "record": bytes,
                    "vault": bytes, "message": bytes, "name": "anna", "state": bytes,
                });
                seeds.push(with_head(path, body.to_string().as_bytes()));
            }
            for (path, fields) in [
                (7, json!({"request": "AA==", "profile": {}})),
                (8, json!({"request": "AA==", "content": base64_of(&[7; 64])})),
                (9, json!({"request": "AA==", "message": base64_of(&[7; 32])})),
                (
                    10,
                    json!({"request": "AA==", "record": base64_of(&[7; 192]), "vault": base64_of(&[7; 64])}),
                ),
                (11, json!({"name": "anna", "message": base64_of(&[7; 96])})),
                (12, json!({"state": base64_of(&[7; 96]), "message": base64_of(&[7; 64])})),
            ] {
                seeds.push(with_head(path, fields.to_string().as_bytes()));
            }
            seeds
        }
        "query" => {
            let openapi = json_of(OPENAPI);
            let described = openapi["paths"].as_object().expect("paths");
            let reads = described.iter().filter(|(_, methods)| methods["get"].is_object());
            reads
                .flat_map(|(path, _)| {
                    ["PET", "POST", "town", "0", "x"].map(|value| {
                        let parts =
                            path.split('/').map(|part| if part.starts_with('{') { value } else { part });
                        parts.collect::<Vec<_>>().join("/")
                    })
                })
                .flat_map(|path| [path.clone(), path + "?limit=1&cursor=AAAA&proof=false"])
                .map(String::into_bytes)
                .collect()
        }
        // Each operation with fields as several of them begin.
        "keys" => (0..OPERATIONS.len() as u8)
            .flat_map(|operation| {
                let seed = Writer::new().bytes(&[7; 32]).bytes(b"anna").done();
                let password = Writer::new().bytes(b"a long password").bytes(&[7; 32]).done();
                [seed, password].map(|fields| with_head(operation, &fields))
            })
            .collect(),
        // Small pictures of each format, with and without transparency.
        "photo" => [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP]
            .into_iter()
            .flat_map(|format| {
                let colours =
                    image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 28, y as u8 * 36, 90]));
                let opaque = DynamicImage::from(colours);
                let clear = DynamicImage::from(opaque.to_rgba8());
                let pictures = if format == ImageFormat::Jpeg { vec![opaque] } else { vec![opaque, clear] };
                pictures.into_iter().map(move |picture| {
                    let mut file = Cursor::new(Vec::new());
                    picture.write_to(&mut file, format).expect("into memory");
                    file.into_inner()
                })
            })
            .collect(),
        #[cfg(feature = "wasm")]
        "module" => vec![b"\0asm\x01\0\0\0".to_vec(), released_module()],
        // A header of 128 bytes before no code, with texts and a digest that isn't its own.
        "artefact" => {
            let begin =
                [b"PITPETAO".as_slice(), &3_u32.to_le_bytes(), &[0; 16], &128_u32.to_le_bytes()].concat();
            let header = [begin.as_slice(), &[0; 44], b"\x057.4.2\x01t\x01c"].concat();
            vec![[header.as_slice(), &vec![0; 128 - header.len()]].concat()]
        }
        "boundary" => steps()
            .map(|step| {
                let operation = Operation::ALL.iter().position(|known| step["operation"] == known.name());
                let head = 0x80 | operation.expect("an operation") as u8;
                with_head(head, &bytes_of(&step["input"]))
            })
            .filter(|seed| seed.len() < 8_192)
            .collect(),
        // Choices that come to something: noise from a hash, at several lengths.
        "differential" => (0..12_u8).map(|n| (0..=n).flat_map(|part| sha256(&[n, part])).collect()).collect(),
        other => panic!("there is no target {other}"),
    }
}

fn entry(event: &Value) -> Entry {
    let body = event["body"].as_object().map(|body| SaltedBody {
        salt: bytes_of(&body["salt"]).try_into().expect("32 bytes"),
        body: Bytes(bytes_of(&body["bytes"])),
    });
    Entry { event: Bytes(bytes_of(&event["signed"])), body }
}

fn submitted(event: &Value) -> Value {
    let entry = entry(event);
    match entry.body {
        Some(body) => json!({
            "event": base64_of(&entry.event.0),
            "salt": base64_of(&body.salt),
            "body": base64_of(&body.body.0),
        }),
        None => json!({ "event": base64_of(&entry.event.0) }),
    }
}
