//! `cargo xtask keys`: from source to the browser's key module, and the hashes that pages run.
//!
//! Unlike the chain's, old key modules aren't kept: nothing that lasts depends on one.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use pitpet_chain_host::{Releases, RulesHash};
use wasmparser::{Parser, Payload};

use crate::module::pin::{from_json, to_json};
use crate::module::{build_package, target_folder, workspace};

/// The module's size, at most: a page loads it when somebody signs in or checks a block.
const BYTES_MAX: usize = 512 * 1024;

/// Its memory, at most: 1 GiB for opening a heavy key file, and 64 MiB beside it.
const MEMORY_BYTES_MAX: usize = 1088 * 1024 * 1024;

/// What to do with the module.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Builds the module from source and keeps it as the one that pages load.
    Pin,
    /// Rebuilds the module and checks that it is the pinned one.
    Check,
}

fn folder() -> PathBuf {
    workspace().join("wasm").join("keys").join("release")
}

fn pins_path() -> PathBuf {
    workspace().join("crates").join("web").join("static").join("pins.js")
}

/// Does it.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let flags = vec![
        format!("-Clink-arg=--max-memory={MEMORY_BYTES_MAX}"),
        "-Clink-arg=-zstack-size=1048576".to_owned(),
    ];
    let (wasm, how) = build_package("pitpet-wasm-keys", flags, &target_folder().join("module"))?;
    inspect(&wasm)?;
    let hash = RulesHash::of(&wasm);
    println!("key module {hash}: {} bytes ({} before wasm-opt)", wasm.len(), how.linked_bytes);
    let (module, record) = (folder().join("keys.wasm"), folder().join("keys.json"));
    match command {
        Command::Pin => {
            fs::create_dir_all(folder())?;
            fs::write(&module, &wasm).with_context(|| format!("cannot write {}", module.display()))?;
            fs::write(&record, serde_json::to_string_pretty(&to_json(&how, wasm.len()))? + "\n")?;
            write_pins(&Releases::pinned().collect::<Vec<_>>())
        }
        Command::Check => {
            let pinned = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
            let pinned_how = from_json(&serde_json::from_str(&fs::read_to_string(&record)?)?)
                .with_context(|| format!("{} is incomplete", record.display()))?;
            if pinned_how.rustc != how.rustc {
                println!("pinned by {}, and this is {}: the bytes may differ", pinned_how.rustc, how.rustc);
            } else if pinned != wasm {
                bail!("the source builds another key module than the pinned one: run `cargo xtask keys pin`");
            } else {
                println!("the source builds the pinned key module, byte for byte");
            }
            Ok(())
        }
    }
}

/// Requires that the module imports nothing and is of a size that a page can load.
fn inspect(wasm: &[u8]) -> anyhow::Result<()> {
    ensure!(wasm.len() <= BYTES_MAX, "the key module has {} bytes, more than {BYTES_MAX}", wasm.len());
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ImportSection(imports) = payload? {
            ensure!(imports.count() == 0, "the key module imports something");
        }
    }
    Ok(())
}

fn pins_text(keys: RulesHash, rules: &[RulesHash]) -> String {
    let mut text = format!(
        "// The modules that pages run, by the SHA-256 of their bytes; no other is. Written by `cargo xtask module pin`\n\
         // and `cargo xtask keys pin`; not to be edited by hand.\n\n\
         /** The key module. */\nexport const KEYS = \"{keys}\";\n\n\
         /** The chain modules, oldest first. */\nexport const RULES = [\n"
    );
    for rules in rules {
        text += &format!("  \"{rules}\",\n");
    }
    text + "];\n"
}

/// Writes the hashes that pages run.
pub(crate) fn write_pins(rules: &[RulesHash]) -> anyhow::Result<()> {
    let module = folder().join("keys.wasm");
    let wasm = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let path = pins_path();
    fs::write(&path, pins_text(RulesHash::of(&wasm), rules))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_run_the_pinned_modules_and_no_other() {
        let wasm = fs::read(folder().join("keys.wasm")).unwrap();
        inspect(&wasm).unwrap();
        let pinned: Vec<RulesHash> = Releases::pinned().collect();
        assert_eq!(fs::read_to_string(pins_path()).unwrap(), pins_text(RulesHash::of(&wasm), &pinned));
    }

    /// The check of imports can fail.
    #[test]
    fn a_module_with_an_import_is_refused() {
        let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01a\x01b\0\0";
        assert!(inspect(module).unwrap_err().to_string().contains("imports"));
    }
}
