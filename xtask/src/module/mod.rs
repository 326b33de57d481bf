//! `cargo xtask module`: from source to a released module and its machine code.

mod build;
mod golden;
pub(crate) mod pin;
mod sections;
mod signatures;
mod variants;
mod wasm_opt;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use pitpet_chain_host::{ArtefactCache, Cpu, Host, Metering, Releases, RulesHash, Target};

pub(crate) use build::{build_package, cargo, remap_flags, run as run_command, target_folder, workspace};

/// What to do with the module.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Builds the module from source, the same bytes in any folder.
    Build,
    /// Builds the module and keeps it for ever, with how it was built.
    Pin,
    /// Rebuilds the module and checks that it decides as the newest pinned one does.
    Check,
    /// Builds the patched modules that the tests of changes of rules run.
    Variants {
        /// Compare them with those that are kept.
        #[arg(long)]
        check: bool,
    },
    /// Compiles the newest pinned module to machine code for Lambda.
    Compile {
        /// The CPU architecture.
        #[arg(long)]
        target: Architecture,
        /// The folder to write the artefact to.
        #[arg(long)]
        out: PathBuf,
        /// The rules hash of another pinned module.
        #[arg(long)]
        rules: Option<RulesHash>,
    },
}

/// What Lambda has.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Architecture {
    /// With AVX2.
    #[value(name = "x86_64")]
    X86_64,
    /// Graviton.
    #[value(name = "aarch64")]
    Aarch64,
}

/// Does it.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Build => {
            let built = build::build()?;
            println!("{}", built.report());
            println!("wrote {}", built.path.display());
            Ok(())
        }
        Command::Pin => pin::pin(&build::build()?),
        Command::Check => check(),
        Command::Variants { check: true } => variants::variants(variants::Mode::Compare),
        Command::Variants { check: false } => variants::variants(variants::Mode::Keep),
        Command::Compile { target, out, rules } => compile(target, &out, rules),
    }
}

fn check() -> anyhow::Result<()> {
    let rules = Releases::latest().context("no module is pinned yet: run `cargo xtask module pin`")?;
    let pinned = Releases::embedded().find(rules)?;
    let how = pin::read(rules)?;
    let built = build::build()?;
    println!("{}", built.report());
    if how.rustc == built.how.rustc {
        if *built.wasm != *pinned {
            bail!(
                "the source builds the module {}, but {rules} is the newest pinned one, built by the same {}: \
                 if the rules were meant to change, pin the new module",
                built.rules,
                how.rustc
            );
        }
        println!("the source builds the newest pinned module, byte for byte");
    } else {
        println!(
            "the newest pinned module {rules} was built by {}, and this is {}: the bytes may differ, only what they \
             decide is compared",
            how.rustc, built.how.rustc
        );
    }
    golden::agree(&[("pinned", &pinned), ("rebuilt", &built.wasm)])?;
    signatures::agree(&build::with_signatures()?)
}

fn compile(architecture: Architecture, out: &Path, rules: Option<RulesHash>) -> anyhow::Result<()> {
    let rules =
        rules.or_else(Releases::latest).context("no module is pinned yet: run `cargo xtask module pin`")?;
    let target = Target::lambda(match architecture {
        Architecture::X86_64 => Cpu::X86_64V3,
        Architecture::Aarch64 => Cpu::Armv8,
    });
    let artefact = Host::compile(&Releases::embedded().find(rules)?, &target, Metering::Counted)?;
    let cache = ArtefactCache::new(out);
    cache.put(&artefact, &target).with_context(|| format!("cannot write to {}", out.display()))?;
    println!("wrote {} ({} bytes)", cache.path(rules, &target).display(), artefact.as_bytes().len());
    Ok(())
}
