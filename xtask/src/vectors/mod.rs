//! `cargo xtask vectors`: the golden vectors in `testvectors/`, and the examples in `docs/wire-format.md` made from
//! them.
//!
//! Everything follows from fixed seeds, so writing them again changes a byte only if a rule or a format has changed.

mod document;
mod example;
mod ledger;
mod proofs;
mod script;

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use pitpet_chain::block::Block;
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::hash::{AccountId, EventId, sha256};
use pitpet_chain::reject::Reject;
use pitpet_chain::request::{REQUEST_BITS, ReportReason, Request, SignedRequest, Wish};
use serde_json::{Value, json};

use crate::module::workspace;
pub(crate) use script::{Script, native};

/// A file of the repository and its content.
struct File {
    path: PathBuf,
    text: String,
}

/// Writes the vectors and the document's examples.
pub(crate) fn write() -> anyhow::Result<()> {
    for file in files()? {
        fs::write(&file.path, &file.text).with_context(|| format!("cannot write {}", file.path.display()))?;
        println!("wrote {} ({} bytes)", file.path.display(), file.text.len());
    }
    Ok(())
}

/// The scripts in `testvectors/ledger.json`.
pub(crate) fn recorded() -> anyhow::Result<Vec<Script>> {
    let path = folder().join("ledger.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let value: Value = serde_json::from_str(&text)?;
    value["scripts"].as_array().context("the ledger has scripts")?.iter().map(Script::from_json).collect()
}

fn folder() -> PathBuf {
    workspace().join("testvectors")
}

fn files() -> anyhow::Result<Vec<File>> {
    let ledger = ledger::tell();
    let (others, proofs) = proofs::scripts_and_proofs(&ledger);
    let examples: Vec<&Value> = ledger.examples.values().collect();
    let scripts: Vec<Value> = [&ledger.script].into_iter().chain(&others).map(Script::to_json).collect();
    let genesis = ledger::genesis();
    let blocks: Vec<Value> = ledger
        .blocks
        .iter()
        .map(|made| {
            let block: Block = decode(&made.bytes.0).expect("a block is canonical");
            json!({
                "height": made.head.height,
                "hash": made.head.hash.to_string(),
                "header": hex::encode(&made.head.header.0),
                "events_root": hex::encode(block.header.events_root),
                "receipts_root": hex::encode(block.header.receipts_root),
                "state_root": hex::encode(block.header.state_root),
                "history_root": hex::encode(block.header.history_root),
                "events": block.events.len(),
                "deaths": block.deaths.len(),
                "block": hex::encode(&made.bytes.0),
            })
        })
        .collect();
    let rejects: Vec<Value> = Reject::ALL
        .iter()
        .map(|reject| json!({ "number": reject.number(), "name": reject.name(), "field": reject.field() }))
        .collect();
    let events = json!({
        "genesis": hex::encode(encode(&genesis)),
        "kennel": ledger.kennel.to_string(),
        "events": examples,
    });
    let requests = requests();
    let json = |name: &str, value: &Value| -> anyhow::Result<File> {
        Ok(File { path: folder().join(name), text: serde_json::to_string_pretty(value)? + "\n" })
    };
    let page = workspace().join("docs").join("wire-format.md");
    let old = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    Ok(vec![
        json("events.json", &events)?,
        json("requests.json", &requests)?,
        json("blocks.json", &json!({ "kennel": ledger.kennel.to_string(), "blocks": blocks }))?,
        json("ledger.json", &json!({ "rules_hash": ledger::rules_hash().to_string(), "scripts": scripts }))?,
        json("rejects.json", &json!(rejects))?,
        json("proofs.json", &proofs)?,
        File { path: page, text: document::filled(&old, &events, &requests, &proofs)? },
    ])
}

/// Signed requests that are no events.
fn requests() -> Value {
    let key = example::key("ann");
    let public = example::public(&key);
    let photo = sha256(b"pitpet test vectors: photo of Mimi");
    let event = EventId(sha256(b"pitpet test vectors: a post of ann"));
    let wishes = [
        ("name", Wish::Name { name: "ann".to_owned() }),
        ("upload", Wish::Upload { sha256: photo, size: 12_345, content_type: "image/jpeg".to_owned() }),
        (
            "vault",
            Wish::Vault {
                name: "ann".to_owned(),
                version: 1_767_225_600_000,
                content: sha256(b"pitpet test vectors: record and vault of ann"),
            },
        ),
        ("report", Wish::Report { event, reason: ReportReason::Spam }),
        ("erase", Wish::Erase { event }),
    ];
    let now_ms = ledger::genesis().created_ms;
    let requests: Vec<Value> = wishes
        .into_iter()
        .map(|(name, wish)| {
            let request = Request {
                version: 1,
                account: AccountId::of(&public),
                key: public,
                expires_ms: now_ms + 60_000,
                wish,
                stamp: 0,
            };
            let signed = request.sign(&key);
            let SignedRequest { request, signature } = decode(&signed).expect("a request is canonical");
            SignedRequest::read(&signed, now_ms).expect("it is good");
            json!({
                "kind": name,
                "key_seed": hex::encode(key.to_bytes()),
                "key": public.to_string(),
                "stamp_bits": REQUEST_BITS,
                "stamp": request.stamp,
                "expires_ms": request.expires_ms,
                "request": hex::encode(encode(&request)),
                "signature": hex::encode(signature),
                "signed": hex::encode(signed),
            })
        })
        .collect();
    json!({ "now_ms": now_ms, "requests": requests })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitpet_chain::body::{Body, BodyFault};
    use pitpet_chain::event::Kind;
    use pitpet_chain::hash::tag;
    use pitpet_chain_host::Operation;

    #[test]
    fn files_are_current() {
        for file in files().unwrap() {
            let kept = fs::read_to_string(&file.path).unwrap_or_default();
            assert!(
                kept == file.text,
                "{} differs from what the rules give: if that is meant, run `cargo xtask vectors`",
                file.path.display()
            );
        }
    }

    #[test]
    fn every_kind_has_an_example() {
        let kinds: Vec<Kind> = ledger::tell().examples.into_keys().collect();
        assert_eq!(kinds, Kind::ALL);
    }

    /// The tag that a line of the source declares.
    fn of_tag(line: &str) -> Option<&str> {
        line.trim_start().strip_prefix("pub const ")?.split_once(": &str = \"")?.1.strip_suffix("\";")
    }

    /// Whether a section of the wire format's page has a row that begins with this cell.
    fn has_row(page: &str, title: &str, cell: &str) -> bool {
        let (_, from) = page.split_once(&format!("\n## {title}\n")).expect("the page has this section");
        let section = from.split("\n## ").next().unwrap_or_default();
        section.contains(&format!("\n| {cell} | "))
    }

    #[test]
    fn the_page_has_every_operation_tag_and_body() {
        let read = |path: &str| fs::read_to_string(workspace().join(path)).unwrap();
        let page = read("docs/wire-format.md");
        for operation in Operation::ALL {
            let name = operation.name();
            assert!(has_row(&page, "Module interface", &format!("`{name}`")), "the operation {name}");
        }
        // There is no list of the tags: they are read from the source.
        let source = read("crates/chain/src/hash.rs");
        let tags: Vec<&str> = source.lines().filter_map(of_tag).collect();
        assert!(tags.contains(&tag::KENNEL) && tags.contains(&tag::REQUEST), "{tags:?}");
        for tag in tags {
            assert!(has_row(&page, "Hashes and tags", &format!("`{tag}`")), "the tag {tag}");
        }
        for kind in Kind::ALL {
            let has_body = Body::read(*kind, &[]) != Err(BodyFault::Presence);
            assert_eq!(has_row(&page, "Bodies", kind.name()), has_body, "the body of {}", kind.name());
        }
    }

    #[test]
    fn scripts_survive_their_file() {
        for script in recorded().unwrap() {
            assert_eq!(Script::from_json(&script.to_json()).unwrap(), script);
        }
    }
}
