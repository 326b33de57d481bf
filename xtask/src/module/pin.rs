//! Keeps a module for ever: its bytes, how they were built, and a line in the table that binaries embed.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use pitpet_chain_host::{Releases, RulesHash};
use serde_json::{Value, json};

use super::build::{Built, How, workspace};

fn folder() -> PathBuf {
    workspace().join("wasm").join("releases")
}

/// Writes the module, its record and the table.
pub(crate) fn pin(built: &Built) -> anyhow::Result<()> {
    println!("{}", built.report());
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    write(folder.join(format!("{}.wasm", built.rules)), &built.wasm)?;
    let record = serde_json::to_string_pretty(&to_json(&built.how, built.wasm.len()))? + "\n";
    write(folder.join(format!("{}.json", built.rules)), record.as_bytes())?;

    // The newest is the last; pinning an old one again makes it the newest.
    let mut pinned: Vec<RulesHash> = Releases::pinned().filter(|rules| *rules != built.rules).collect();
    pinned.push(built.rules);
    let table = workspace().join("crates").join("chain-host").join("src").join("releases_table.rs");
    write(table, table_text(&pinned).as_bytes())?;
    let manifest = workspace().join("wasmer.toml");
    let text =
        fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    write(manifest, with_rules(&text, built.rules)?.as_bytes())?;
    let native = workspace().join("crates").join("pipeline").join("src").join("native_rules.txt");
    write(native, format!("{}\n", built.rules).as_bytes())?;
    println!("pinned {} as the newest of {}", built.rules, pinned.len());
    crate::keys::write_pins(&pinned)
}

/// The manifest of what is published, with these rules as the newest.
fn with_rules(manifest: &str, rules: RulesHash) -> anyhow::Result<String> {
    const FOLDER: &str = "\"wasm/releases/";
    let (before, rest) = manifest.split_once(FOLDER).context("wasmer.toml names no released module")?;
    let (_, after) = rest.split_once('"').context("wasmer.toml has an open string")?;
    Ok(format!("{before}{FOLDER}{rules}.wasm\"{after}"))
}

/// Reads how a pinned module was built.
pub(crate) fn read(rules: RulesHash) -> anyhow::Result<How> {
    let path = folder().join(format!("{rules}.json"));
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    from_json(&serde_json::from_str(&text)?).with_context(|| format!("{} is incomplete", path.display()))
}

pub(crate) fn to_json(how: &How, bytes: usize) -> Value {
    json!({
        "rustc": how.rustc,
        "profile": how.profile,
        "flags": how.flags,
        "linked_bytes": how.linked_bytes,
        "wasm_opt": how.wasm_opt,
        "wasm_opt_arguments": how.wasm_opt_arguments,
        "bytes": bytes,
    })
}

pub(crate) fn from_json(record: &Value) -> Option<How> {
    let text = |name: &str| record[name].as_str().map(str::to_owned);
    let texts = |name: &str| {
        record[name]
            .as_array()?
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
    };
    Some(How {
        rustc: text("rustc")?,
        profile: text("profile")?,
        flags: texts("flags")?,
        wasm_opt: text("wasm_opt")?,
        wasm_opt_arguments: texts("wasm_opt_arguments")?,
        linked_bytes: usize::try_from(record["linked_bytes"].as_u64()?).ok()?,
    })
}

fn table_text(pinned: &[RulesHash]) -> String {
    let mut text = String::from(
        "//! The released modules, oldest first. Written by `cargo xtask module pin`; not to be edited by hand.\n\n\
         /// Each released module, under its rules hash.\n\
         #[rustfmt::skip]\n\
         pub(crate) static RELEASES: &[([u8; 32], &[u8])] = &[\n",
    );
    for rules in pinned {
        let bytes = rules.0.map(|byte| format!("{byte:#04x}")).join(", ");
        text += &format!(
            "    (\n        [{bytes}],\n        include_bytes!(\"../../../wasm/releases/{rules}.wasm\"),\n    ),\n"
        );
    }
    text + "];\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_run_the_newest_rules() {
        let native = pitpet_pipeline::native::released_rules().map(|rules| rules.0);
        assert_eq!(native, Releases::latest().map(|rules| rules.0));
    }

    #[test]
    fn the_manifest_names_the_newest_rules() {
        let manifest = "a = 1\nsource = \"wasm/releases/ab.wasm\"\nb = \"c\"\n";
        let rules = RulesHash([0xcd; 32]);
        let expected = format!("a = 1\nsource = \"wasm/releases/{rules}.wasm\"\nb = \"c\"\n");
        assert_eq!(with_rules(manifest, rules).unwrap(), expected);
        assert!(with_rules("", rules).is_err());
    }
}
