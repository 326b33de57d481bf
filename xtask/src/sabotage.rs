//! `cargo xtask sabotage`: breaks the deployment in a copy, one thing at a time, and requires that
//! the checks see it. A check that stays green on a breakage is worth nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::module::{target_folder, workspace};

/// Arguments of `sabotage`.
#[derive(Args)]
#[command(
    after_help = "Needs `npm ci` in infra/ and a bundle: cargo xtask bundle --arch x86_64\n\nExample:\n  cargo xtask sabotage --bundle target/bundle/x86_64"
)]
pub(crate) struct Arguments {
    /// Bundle to break copies of [default: target/bundle/x86_64]
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Architecture of the bundle
    #[arg(long, default_value = "x86_64")]
    arch: String,
}

/// A text of the CDK app that is replaced by another.
struct Breakage {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const BREAKAGES: [Breakage; 6] = [
    Breakage {
        name: "an IAM action less",
        file: "infra/lib/permissions.ts",
        from: "'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'",
        to: "'sqs:DeleteMessage', 'sqs:GetQueueAttributes'",
    },
    Breakage {
        name: "an IAM action more",
        file: "infra/lib/permissions.ts",
        from: "items('Query', 'A#*'),",
        to: "items('Query', 'A#*'),\n        items('DeleteItem', 'A#*'),",
    },
    Breakage {
        name: "a partition more",
        file: "infra/lib/permissions.ts",
        from: "items('PutItem', 'NAME#*'),",
        to: "items('PutItem', 'NAME#*', 'K#*'),",
    },
    Breakage {
        name: "visibility under six times the function's timeout",
        file: "infra/lib/pipeline.ts",
        from: "Duration.seconds(6 * MINER_TIMEOUT.toSeconds())",
        to: "Duration.seconds(5 * MINER_TIMEOUT.toSeconds())",
    },
    Breakage {
        name: "a standard queue as dead-letter queue",
        file: "infra/lib/pipeline.ts",
        from: "new Queue(this, 'DeadLetters', {\n      fifo: true,",
        to: "new Queue(this, 'DeadLetters', {",
    },
    Breakage {
        name: "no partial batch response",
        file: "infra/lib/pipeline.ts",
        from: "reportBatchItemFailures: true",
        to: "reportBatchItemFailures: false",
    },
];

/// Folders that the tests of the CDK app look at.
const COPIED: [&str; 7] = [
    "infra/bin",
    "infra/lib",
    "infra/test",
    "docs",
    "crates/aws/src",
    "functions/miner/src",
    "xtask/src/cost",
];
/// Files that they look at.
const COPIED_FILES: [&str; 3] = ["infra/package.json", "infra/tsconfig.json", "infra/cdk.json"];

/// Breaks everything once.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let work = target_folder().join("sabotage");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let bundle = arguments.bundle.clone().unwrap_or_else(|| target_folder().join("bundle").join("x86_64"));
    let is_sound = |bundle: &Path| bundle_is_sound(bundle, &arguments.arch);
    let mut missed = Vec::new();
    let mut tell = |name: &str, is_green: bool| {
        println!("  {} {name}", if is_green { "MISSED" } else { "red   " });
        if is_green {
            missed.push(name.to_owned());
        }
    };

    println!("the bundle:");
    let copy = work.join("bundle");
    copy_folder(&bundle, &copy)?;
    ensure!(is_sound(&copy)?, "{} is not sound even before it is broken", bundle.display());
    fs::set_permissions(copy.join("ingest/bootstrap"), fs::Permissions::from_mode(0o644))?;
    tell("the run bit", is_sound(&copy)?);
    fs::set_permissions(copy.join("ingest/bootstrap"), fs::Permissions::from_mode(0o755))?;
    let artefact = fs::read_dir(copy.join("miner/artefacts"))?.next().context("no artefact")??.path();
    let mut bytes = fs::read(&artefact)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&artefact, &bytes)?;
    tell("a bit of the artefact", is_sound(&copy)?);
    fs::remove_file(&artefact)?;
    tell("the artefact", is_sound(&copy)?);

    println!("the CDK app:");
    let copy = work.join("workspace");
    for folder in COPIED {
        copy_folder(&workspace().join(folder), &copy.join(folder))?;
    }
    for file in COPIED_FILES {
        fs::copy(workspace().join(file), copy.join(file))?;
    }
    let modules = workspace().join("infra/node_modules");
    ensure!(modules.is_dir(), "run `npm ci` in infra/ first");
    symlink(&modules, copy.join("infra/node_modules"))?;
    ensure!(tests_are_green(&copy)?, "the tests of the CDK app are red even before it is broken");
    for Breakage { name, file, from, to } in BREAKAGES {
        let path = copy.join(file);
        let sound = fs::read_to_string(&path)?;
        ensure!(sound.matches(from).count() == 1, "{file} has {from:?} not once: mend this task");
        fs::write(&path, sound.replacen(from, to, 1))?;
        tell(name, tests_are_green(&copy)?);
        fs::write(&path, sound)?;
    }
    fs::remove_dir_all(&work)?;
    if !missed.is_empty() {
        bail!("nobody saw: {}", missed.join(", "));
    }
    Ok(())
}

/// Says whether `cargo xtask bundle` finds no fault.
fn bundle_is_sound(bundle: &Path, arch: &str) -> anyhow::Result<bool> {
    let task = std::env::current_exe()?;
    let status = Command::new(task)
        .args(["bundle", "--check-only", "--arch", arch, "--out"])
        .arg(bundle)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}

/// Runs the assertions; the golden templates are left out, because they differ after any change.
fn tests_are_green(copy: &Path) -> anyhow::Result<bool> {
    let status = Command::new("node_modules/.bin/vitest")
        .current_dir(copy.join("infra"))
        .args(["run", "--testNamePattern", "^(?!golden templates)"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("can't run vitest")?;
    Ok(status.success())
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("can't read {}", from.display()))? {
        let path = entry?.path();
        let copy = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}
