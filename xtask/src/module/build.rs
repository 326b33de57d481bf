//! Builds the module: the same source and the same rustc give the same bytes, in any folder and on any machine.
//!
//! What would differ is taken out: the paths of the workspace, of cargo's registry and of the toolchain are replaced
//! in what rustc writes down, flags from the environment are set aside, and whatever the linker adds for debuggers and
//! tools is dropped.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use pitpet_chain_host::{Gatekeeper, MEMORY_PAGES_MAX, RulesHash};

use super::{sections, wasm_opt};

const TRIPLE: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "module";

/// A module that has been built, and how.
pub(crate) struct Built {
    pub(crate) wasm: Vec<u8>,
    pub(crate) rules: RulesHash,
    pub(crate) path: PathBuf,
    pub(crate) how: How,
}

/// What has to be the same for the bytes to be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct How {
    /// The first line of `rustc -vV`.
    pub(crate) rustc: String,
    pub(crate) profile: String,
    /// Without the replaced paths, which don't change the bytes.
    pub(crate) flags: Vec<String>,
    pub(crate) wasm_opt: String,
    pub(crate) wasm_opt_arguments: Vec<String>,
    /// Of the module before wasm-opt.
    pub(crate) linked_bytes: usize,
}

impl Built {
    pub(crate) fn report(&self) -> String {
        format!(
            "module {}: {} bytes ({} before wasm-opt), passes the gate; {}, {}",
            self.rules,
            self.wasm.len(),
            self.how.linked_bytes,
            self.how.rustc,
            self.how.wasm_opt
        )
    }
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace").to_owned()
}

/// Where results of these tasks go.
pub(crate) fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), |folder| workspace().join(folder))
}

/// Builds, optimises and inspects the module.
pub(crate) fn build() -> anyhow::Result<Built> {
    let folder = target_folder().join("module");
    let (wasm, how) = build_package("pitpet-wasm", flags(), &folder)?;
    Gatekeeper::new().inspect(&wasm).context("the module that was built is refused")?;
    let rules = RulesHash::of(&wasm);
    let path = folder.join("pitpet.wasm");
    fs::write(&path, &wasm).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Built { wasm, rules, path, how })
}

/// Builds and optimises a package that is a module.
pub(crate) fn build_package(
    package: &str,
    flags: Vec<String>,
    folder: &Path,
) -> anyhow::Result<(Vec<u8>, How)> {
    let rustc = rustc_version()?;
    ensure_target()?;
    let linked = link(&workspace(), package, folder, &flags, &[])?;
    optimised(&linked, rustc, flags, folder)
}

/// Builds and optimises the module of another copy of the workspace.
pub(super) fn build_variant(source: &Path, folder: &Path) -> anyhow::Result<(Vec<u8>, How)> {
    let rustc = rustc_version()?;
    ensure_target()?;
    let linked = link(source, "pitpet-wasm", folder, &flags(), &[])?;
    optimised(&linked, rustc, flags(), folder)
}

fn optimised(
    linked: &[u8],
    rustc: String,
    flags: Vec<String>,
    folder: &Path,
) -> anyhow::Result<(Vec<u8>, How)> {
    let linked = sections::strip(linked)?;
    let optimised = wasm_opt::optimise(&linked, folder)?;
    let how = How {
        rustc,
        profile: PROFILE.to_owned(),
        flags,
        wasm_opt: optimised.version,
        wasm_opt_arguments: optimised.arguments,
        linked_bytes: linked.len(),
    };
    Ok((optimised.wasm, how))
}

/// Builds the same source, in the same way, so that `verify` checks single signatures of any message.
pub(crate) fn with_signatures() -> anyhow::Result<Vec<u8>> {
    let folder = target_folder().join("module");
    let linked = link(&workspace(), "pitpet-wasm", &folder, &flags(), &["--features", "signatures"])?;
    let optimised = wasm_opt::optimise(&sections::strip(&linked)?, &folder)?;
    Ok(optimised.wasm)
}

fn flags() -> Vec<String> {
    let memory_bytes = MEMORY_PAGES_MAX * 64 * 1024;
    vec![
        // The gatekeeper wants a declared maximum.
        format!("-Clink-arg=--max-memory={memory_bytes}"),
        // What a kennel needs of stack is small and known; this is also where the data begins.
        "-Clink-arg=-zstack-size=262144".to_owned(),
    ]
}

fn link(
    workspace: &Path,
    package: &str,
    folder: &Path,
    flags: &[String],
    features: &[&str],
) -> anyhow::Result<Vec<u8>> {
    // So that the registry's folders exist before their names are read.
    run(cargo().current_dir(workspace).args(["fetch", "--locked", "--target", TRIPLE]))?;
    let mut all = flags.to_vec();
    all.extend(remap_flags(workspace, folder)?);
    run(cargo()
        .current_dir(workspace)
        .args(["build", "--locked", "--package", package, "--target", TRIPLE, "--profile", PROFILE])
        .args(features)
        .arg("--target-dir")
        .arg(folder)
        .env("CARGO_ENCODED_RUSTFLAGS", all.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env("CARGO_INCREMENTAL", "0"))?;
    let path = folder.join(TRIPLE).join(PROFILE).join(package.replace('-', "_")).with_extension("wasm");
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Flags that take the paths of this machine out of what rustc writes down.
pub(crate) fn remap_flags(workspace: &Path, folder: &Path) -> anyhow::Result<Vec<String>> {
    // Later ones win, so the more specific come later.
    let flag = |(from, to): (PathBuf, String)| format!("--remap-path-prefix={}={to}", from.display());
    Ok(replaced_paths(workspace, folder)?.into_iter().map(flag).collect())
}

fn replaced_paths(workspace: &Path, folder: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let cargo_home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => env::home_dir().context("no home folder")?.join(".cargo"),
    };
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let mut paths = vec![
        (PathBuf::from(sysroot.trim()), "/rust".to_owned()),
        (cargo_home.clone(), "/cargo".to_owned()),
        (workspace.to_owned(), "/pitpet".to_owned()),
        (folder.to_owned(), "/target".to_owned()),
    ];
    // Each registry's folder carries a hash of where it was fetched from.
    let registries = cargo_home.join("registry").join("src");
    for entry in fs::read_dir(&registries).with_context(|| format!("cannot read {}", registries.display()))? {
        paths.push((entry?.path(), "/crates".to_owned()));
    }
    Ok(paths)
}

fn rustc_version() -> anyhow::Result<String> {
    let version = output(Command::new("rustc").current_dir(workspace()).arg("-vV"))?;
    Ok(version.lines().next().context("rustc has no version")?.to_owned())
}

fn ensure_target() -> anyhow::Result<()> {
    let installed = || -> anyhow::Result<bool> {
        let folder = output(Command::new("rustc").current_dir(workspace()).args([
            "--print",
            "target-libdir",
            "--target",
            TRIPLE,
        ]))?;
        Ok(Path::new(folder.trim()).is_dir())
    };
    if installed()? {
        return Ok(());
    }
    let added = Command::new("rustup").current_dir(workspace()).args(["target", "add", TRIPLE]).status();
    if added.is_ok_and(|status| status.success()) && installed()? {
        return Ok(());
    }
    bail!(
        "rustc has no standard library for {TRIPLE}, and `rustup target add {TRIPLE}` did not help. On Debian, the \
         packages rustc-web, cargo-web and rust-web-src can build it from source: RUSTC=/usr/bin/rustc \
         RUSTC_BOOTSTRAP=1 /usr/bin/cargo build --target {TRIPLE} -Zbuild-std=std,panic_abort, with \
         CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER set to the rust-lld under rustup's sysroot. The bytes of such a \
         build are those of another rustc. Running PitPet needs none of this: the released modules are in the checkout."
    )
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command whose output the reader should see.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(status.success(), "{:?} failed: {status}", command.get_program());
    Ok(())
}

/// Runs a command and returns what it says.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{:?} failed: {}", command.get_program(), output.status);
    String::from_utf8(output.stdout).context("its output is not text")
}
