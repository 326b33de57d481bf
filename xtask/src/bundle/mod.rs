//! `cargo xtask bundle`: what is deployed to AWS Lambda, a folder for each function.
//!
//! A function's folder holds `bootstrap`, the miner's also the artefacts of every released chain
//! module. Nothing in it depends on the machine that builds: paths are replaced, modes are set, the
//! CPU baseline is the target's. Every folder is checked before the task ends.

mod checks;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use pitpet_chain_host::{ArtefactCache, Cpu, Host, Metering, Releases, Target};

use crate::module::{cargo, remap_flags, run_command, target_folder, workspace};

/// The four functions.
const FUNCTIONS: [&str; 4] = ["ingest", "miner", "reaper", "query"];

/// The miner's folder of artefacts; `infra/lib/bundle.ts` tells the function.
const ARTEFACTS: &str = "artefacts";

/// Arguments of `bundle`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bundle\n  cargo xtask bundle --arch x86_64 --check-reproducible\n  cargo xtask bundle --check-only\n  cargo xtask bundle --arch x86_64 --profile release     for tests: what is built already\n\nThe other architecture than this machine's needs a C cross compiler; on Debian: apt-get install gcc-aarch64-linux-gnu"
)]
pub(crate) struct Arguments {
    /// CPU architecture of the functions
    #[arg(long, default_value = "arm64")]
    arch: Arch,
    /// Folder for the functions' folders [default: target/bundle/ARCH, or target/bundle/release]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Build nothing: check what is there
    #[arg(long)]
    check_only: bool,
    /// How it is compiled: small and quick to start, or as the tests are, for this machine only
    #[arg(long, default_value = "lambda")]
    profile: Profile,
    /// Build all of it a second time, elsewhere, and require the same bytes
    #[arg(long, conflicts_with = "check_only")]
    check_reproducible: bool,
}

/// How the functions are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// What is deployed.
    Lambda,
    /// The tests' own binaries. Never deploy it: it holds paths of this machine, and the compiler.
    Release,
}

/// Lambda's names of its architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// Graviton.
    Arm64,
    /// With AVX2.
    #[value(name = "x86_64")]
    X86_64,
}

impl Arch {
    const fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    const fn triple(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    const fn is_host(self) -> bool {
        match self {
            Self::Arm64 => cfg!(target_arch = "aarch64"),
            Self::X86_64 => cfg!(target_arch = "x86_64"),
        }
    }

    fn target(self) -> Target {
        Target::lambda(match self {
            Self::Arm64 => Cpu::Armv8,
            Self::X86_64 => Cpu::X86_64V3,
        })
    }
}

/// Builds and checks.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let arch = arguments.arch;
    let name = match arguments.profile {
        Profile::Lambda => arch.name(),
        Profile::Release => "release",
    };
    let out = arguments.out.clone().unwrap_or_else(|| target_folder().join("bundle").join(name));
    if arguments.profile == Profile::Release && !arch.is_host() {
        bail!("--profile release is for this machine's own architecture");
    }
    if !arguments.check_only {
        make(arguments, &target_folder(), &out)?;
    }
    println!("{}, for {}:", out.display(), arch.triple());
    for function in FUNCTIONS {
        let folder = out.join(function);
        let report = checks::package(function, &folder, arch, arguments.profile)
            .with_context(|| format!("{} can't be deployed", folder.display()))?;
        println!("{report}");
    }
    if arguments.check_reproducible {
        again(arguments, &out)?;
    }
    Ok(())
}

/// Builds everything into `out`.
fn make(arguments: &Arguments, folder: &Path, out: &Path) -> anyhow::Result<()> {
    let built = build(arguments.arch, arguments.profile, folder)?;
    for function in FUNCTIONS {
        package(function, &built, out)?;
    }
    artefacts(arguments.arch, &out.join("miner").join(ARTEFACTS))
}

/// Builds everything a second time, from nothing and in another folder, and compares.
fn again(arguments: &Arguments, first: &Path) -> anyhow::Result<()> {
    let folder = target_folder().join("again");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let second = folder.join("bundle");
    make(arguments, &folder, &second)?;
    for function in FUNCTIONS {
        checks::same(&first.join(function), &second.join(function))?;
    }
    println!("a second build, elsewhere and from nothing, gives the same bytes");
    Ok(fs::remove_dir_all(&folder)?)
}

/// Builds the four binaries; gives the folder that they are in.
fn build(arch: Arch, profile: Profile, folder: &Path) -> anyhow::Result<PathBuf> {
    let workspace = workspace();
    let triple = arch.triple();
    let mut command = cargo();
    let verb = if profile == Profile::Release { "test" } else { "build" };
    command.current_dir(&workspace).args([verb, "--locked", "--target-dir"]).arg(folder);
    if profile == Profile::Release {
        // The tests run these binaries: after them there is nothing left to compile.
        command.args(["--release", "--workspace", "--no-run"]);
        run_command(&mut command)?;
        return Ok(folder.join("release"));
    }
    command
        .args(["--profile", "lambda", "--target", triple])
        .env("CARGO_ENCODED_RUSTFLAGS", remap_flags(&workspace, folder)?.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env("CARGO_INCREMENTAL", "0");
    for function in FUNCTIONS {
        command.args(["--package", &format!("pitpet-{function}")]);
    }
    if !arch.is_host() {
        cross(arch, &mut command)?;
    }
    run_command(&mut command)?;
    Ok(folder.join(triple).join("lambda"))
}

/// Tells cargo the cross compiler, which links and compiles the C code of a dependency.
fn cross(arch: Arch, command: &mut std::process::Command) -> anyhow::Result<()> {
    let (compiler, package, variable) = match arch {
        Arch::Arm64 => ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", "AARCH64_UNKNOWN_LINUX_GNU"),
        Arch::X86_64 => ("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu", "X86_64_UNKNOWN_LINUX_GNU"),
    };
    let found = std::process::Command::new(compiler).arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        bail!("building for {} here needs {compiler}; on Debian: apt-get install {package}", arch.name());
    }
    let triple = arch.triple();
    let installed = std::process::Command::new("rustup").args(["target", "add", triple]).status();
    if !installed.is_ok_and(|status| status.success()) {
        bail!("`rustup target add {triple}` failed: rustc has no standard library for it");
    }
    command
        .env(format!("CARGO_TARGET_{variable}_LINKER"), compiler)
        .env(format!("CC_{}", triple.replace('-', "_")), compiler);
    Ok(())
}

/// Copies a binary to its place, as `bootstrap`, and makes it one that anyone may run.
fn package(function: &str, built: &Path, out: &Path) -> anyhow::Result<()> {
    let folder = out.join(function);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("can't replace {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let binary = built.join(format!("pitpet-{function}"));
    let bootstrap = folder.join("bootstrap");
    fs::copy(&binary, &bootstrap).with_context(|| format!("can't copy {}", binary.display()))?;
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Compiles every released module: old blocks need old ones.
fn artefacts(arch: Arch, folder: &Path) -> anyhow::Result<()> {
    let target = arch.target();
    let cache = ArtefactCache::new(folder);
    for rules in Releases::pinned() {
        let artefact = Host::compile(&Releases::embedded().find(rules)?, &target, Metering::Counted)?;
        cache.put(&artefact, &target).with_context(|| format!("can't write to {}", folder.display()))?;
        // Lambda runs the function as somebody else than who owns the files.
        fs::set_permissions(cache.path(rules, &target), fs::Permissions::from_mode(0o644))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
