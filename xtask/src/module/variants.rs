//! Modules for changes of rules, in tests and in `pitpet demo`: the source with a patch, built as a
//! release is.
//!
//! Each patch in `wasm/variants/` gives one module beside it. They take over from the newest
//! release, so that they are made anew after one is pinned. The command line alone carries one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, ensure};
use pitpet_chain_host::Gatekeeper;

use super::build::{self, run};
use super::pin::{from_json, to_json};
use super::{target_folder, workspace};

/// Folders that the build of a module needs nothing of.
const LEFT_OUT: [&str; 4] = ["target", ".git", "node_modules", "cdk.out"];

fn folder() -> PathBuf {
    workspace().join("wasm").join("variants")
}

/// Whether built modules are kept or compared with those that are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Keep,
    Compare,
}

pub(super) fn variants(mode: Mode) -> anyhow::Result<()> {
    let mut patches: Vec<PathBuf> = fs::read_dir(folder())?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .collect();
    patches.sort();
    ensure!(!patches.is_empty(), "{} holds no patch", folder().display());
    patches.iter().try_for_each(|patch| variant(patch, mode))
}

fn variant(patch: &Path, mode: Mode) -> anyhow::Result<()> {
    let name = patch.file_stem().context("a patch has a name")?;
    let source = target_folder().join("module").join("variants").join(name);
    if source.exists() {
        fs::remove_dir_all(&source)?;
    }
    copy(&workspace(), &source)?;
    run(Command::new("patch").args(["--strip=1", "--silent", "--input"]).arg(patch).current_dir(&source))
        .with_context(|| format!("{} does not apply to the source", patch.display()))?;
    let (wasm, how) = build::build_variant(&source, &target_folder().join("module").join("variants-build"))?;
    Gatekeeper::new().inspect(&wasm).context("the module that was built is refused")?;
    let (module, record) = (patch.with_extension("wasm"), patch.with_extension("json"));
    println!("{}: {} bytes", module.display(), wasm.len());
    match mode {
        Mode::Keep => {
            fs::write(&module, &wasm)?;
            fs::write(&record, serde_json::to_string_pretty(&to_json(&how, wasm.len()))? + "\n")?;
        }
        Mode::Compare => {
            let kept = from_json(&serde_json::from_str(&fs::read_to_string(&record)?)?)
                .with_context(|| format!("{} is incomplete", record.display()))?;
            if kept.rustc != how.rustc {
                println!("built by {}, and this is {}: the bytes may differ", kept.rustc, how.rustc);
            } else {
                ensure!(
                    fs::read(&module)? == wasm,
                    "{} is not what the source and the patch build: `cargo xtask module variants` makes it anew",
                    module.display()
                );
            }
        }
    }
    Ok(())
}

/// Copies a folder without what is built in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let is_left_out = LEFT_OUT.iter().any(|name| entry.file_name() == *name);
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() && !is_left_out {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() && !is_left_out {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}
