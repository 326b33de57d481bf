//! The generated sections of `docs/wire-format.md`: between `<!-- vectors: NAME -->` and `<!-- end -->`.

use anyhow::{Context as _, bail};
use pitpet_chain::reject::Reject;
use serde_json::Value;

/// Columns of hexadecimal in the page.
const COLUMNS: usize = 80;
const END: &str = "<!-- end -->";

/// The page with its sections made anew.
pub(crate) fn filled(page: &str, events: &Value, requests: &Value, proofs: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut rest = page;
    while let Some(at) = rest.find("<!-- vectors: ") {
        let marker_end = at + rest[at..].find("-->").context("a marker is not closed")? + 3;
        let name = rest[at + 14..marker_end - 3].trim();
        let end = rest[marker_end..].find(END).with_context(|| format!("section {name} has no end"))?;
        text += &rest[..marker_end];
        text += "\n";
        text += &section(name, events, requests, proofs)?;
        text += END;
        rest = &rest[marker_end + end + END.len()..];
    }
    Ok(text + rest)
}

fn section(name: &str, events: &Value, requests: &Value, proofs: &Value) -> anyhow::Result<String> {
    Ok(match name {
        "rejects" => {
            let rows = Reject::ALL.iter().map(|reject| {
                format!("| {} | `{}` | `{}` |\n", reject.number(), reject.name(), reject.field())
            });
            format!("| number | name | field |\n|---|---|---|\n{}", rows.collect::<String>())
        }
        "genesis" => block(&[("genesis", &events["genesis"]), ("kennel id", &events["kennel"])]),
        "events" => events["events"].as_array().into_iter().flatten().map(example).collect(),
        "checkpoint" => note(&proofs["checkpoint"]),
        "requests" => requests["requests"].as_array().into_iter().flatten().map(request).collect(),
        other => bail!("the page asks for an unknown section {other}"),
    })
}

fn example(event: &Value) -> String {
    let mut lines: Vec<(String, &Value)> = ["key_seed", "key", "account", "nonce", "expires_ms"]
        .map(|name| (name.to_owned(), &event[name]))
        .into();
    for (name, value) in event["fields"].as_object().into_iter().flatten() {
        lines.push((format!("field {name}"), value));
    }
    if let Some(body) = event["body"].as_object() {
        for name in ["content", "bytes", "salt"] {
            lines.push((format!("body {name}"), &body[name]));
        }
    }
    for name in
        ["stamp_base", "stamp_bits", "stamp", "work", "unsigned", "id", "signing", "signature", "signed"]
    {
        lines.push((name.to_owned(), &event[name]));
    }
    let lines: Vec<(&str, &Value)> = lines.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let kind = event["kind"].as_str().unwrap_or_default();
    format!("\n#### {} `{kind}`\n\n{}", event["number"], block(&lines))
}

fn request(request: &Value) -> String {
    let names = ["key_seed", "key", "expires_ms", "stamp", "request", "signature", "signed"];
    let lines: Vec<(&str, &Value)> = names.map(|name| (name, &request[name])).into();
    format!("\n#### `{}`\n\n{}", request["kind"].as_str().unwrap_or_default(), block(&lines))
}

fn note(checkpoint: &Value) -> String {
    let lines = ["key_seed", "key", "verifier_key"].map(|name| (name, &checkpoint[name]));
    let note = checkpoint["note"].as_str().unwrap_or_default();
    format!("{}\n```text\n{note}```\n", block(&lines))
}

fn block(lines: &[(&str, &Value)]) -> String {
    let mut text = String::from("```text\n");
    for (name, value) in lines {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Null => "none".to_owned(),
            other => other.to_string(),
        };
        let mut start = 0;
        while value.len() - start > COLUMNS && value.is_ascii() {
            let label = if start == 0 { *name } else { "" };
            text += &format!("{label:<16}{}\n", &value[start..start + COLUMNS]);
            start += COLUMNS;
        }
        let label = if start == 0 { *name } else { "" };
        text += &format!("{label:<16}{}\n", &value[start..]);
    }
    text + "```\n"
}
