//! Runs wasm-opt, from the npm package `binaryen`.
//!
//! Not from the crate of the same name: that one is years behind what rustc emits today and takes minutes of C++ to
//! build. The package is one file of WebAssembly that Node runs, so it gives the same bytes on every machine; its
//! version and its SHA-512 are pinned in `xtask/wasm-opt/package-lock.json`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::build::{output, run, target_folder, workspace};

/// Only what the gatekeeper lets pass. `-O3` rather than `-Oz`: the module is far from its limit, and time counts.
const ARGUMENTS: [&str; 6] = [
    "--mvp-features",
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-bulk-memory",
    "-O3",
    "--strip-debug",
];

/// An optimised module, and by what.
pub(crate) struct Optimised {
    pub(crate) wasm: Vec<u8>,
    pub(crate) version: String,
    pub(crate) arguments: Vec<String>,
}

/// Optimises a module, with files in `folder`.
pub(crate) fn optimise(wasm: &[u8], folder: &Path) -> anyhow::Result<Optimised> {
    let program = install()?;
    let version = output(Command::new("node").arg(&program).arg("--version"))?.trim().to_owned();
    let (from, to) = (folder.join("linked.wasm"), folder.join("optimised.wasm"));
    fs::write(&from, wasm).with_context(|| format!("cannot write {}", from.display()))?;
    run(Command::new("node").arg(&program).args(ARGUMENTS).arg(&from).arg("-o").arg(&to))?;
    let wasm = fs::read(&to).with_context(|| format!("cannot read {}", to.display()))?;
    Ok(Optimised { wasm, version, arguments: ARGUMENTS.map(str::to_owned).to_vec() })
}

/// Installs the pinned package beside other build results, once.
fn install() -> anyhow::Result<PathBuf> {
    let pinned = workspace().join("xtask").join("wasm-opt");
    let folder = target_folder().join("wasm-opt");
    let program = folder.join("node_modules").join("binaryen").join("bin").join("wasm-opt");
    let lock =
        fs::read(pinned.join("package-lock.json")).context("cannot read the pinned wasm-opt's version")?;
    // npm keeps no copy of this name, so it tells what was installed last and in full.
    let installed = folder.join("installed-lock.json");
    if program.is_file() && fs::read(&installed).is_ok_and(|last| last == lock) {
        return Ok(program);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    run(Command::new("npm").current_dir(&folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))
    .context("npm could not install the pinned `binaryen`")?;
    fs::write(&installed, &lock).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(program)
}
