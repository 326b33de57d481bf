//! `cargo xtask sabotage`: breaks the deployment in a copy, one thing at a time, and requires that
//! the checks see it. A check that stays green on a breakage is worth nothing, and so is one that
//! turns red for another reason: each breakage names what must find it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Deserialize;

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
    /// The test that must turn red, or a part of its name.
    seen_by: &'static str,
}

impl Breakage {
    /// What it makes of its file.
    fn apply(&self, sound: &str) -> anyhow::Result<String> {
        let Self { file, from, to, .. } = self;
        ensure!(sound.matches(from).count() == 1, "{file} has {from:?} not once: mend this task");
        Ok(sound.replacen(from, to, 1))
    }
}

const BREAKAGES: [Breakage; 6] = [
    Breakage {
        name: "an IAM action less",
        file: "infra/lib/permissions.ts",
        from: "'sqs:ReceiveMessage',",
        to: "",
        seen_by: "each role may do exactly Miner",
    },
    Breakage {
        name: "an IAM action more",
        file: "infra/lib/permissions.ts",
        from: "items('Query', 'A#*', 'R#*', 'S#*'),",
        to: "items('Query', 'A#*', 'R#*', 'S#*'),\n        items('BatchGetItem', 'A#*'),",
        seen_by: "each role may do exactly Ingest",
    },
    Breakage {
        name: "a partition more",
        file: "infra/lib/permissions.ts",
        from: "items('PutItem', 'NAME#*', 'Q#*', 'R#*', 'S#*', 'W#*'),",
        to: "items('PutItem', 'NAME#*', 'Q#*', 'R#*', 'S#*', 'W#*', 'K#*'),",
        seen_by: "each role may do exactly Ingest",
    },
    Breakage {
        name: "visibility under six times the function's timeout",
        file: "infra/lib/pipeline.ts",
        from: "Duration.seconds(6 * MINER_TIMEOUT.toSeconds())",
        to: "Duration.seconds(5 * MINER_TIMEOUT.toSeconds())",
        seen_by: "a message is hidden for at least six times the function's timeout",
    },
    Breakage {
        name: "a standard queue as dead-letter queue",
        file: "infra/lib/pipeline.ts",
        from: "new Queue(this, 'DeadLetters', {\n      fifo: true,",
        to: "new Queue(this, 'DeadLetters', {",
        // CDK itself refuses to synthesise it.
        seen_by: "does not match destination queue type",
    },
    Breakage {
        name: "no partial batch response",
        file: "infra/lib/pipeline.ts",
        from: "reportBatchItemFailures: true",
        to: "reportBatchItemFailures: false",
        seen_by: "one message's failure is not the batch's",
    },
];

/// Folders that the tests of the CDK app look at.
const COPIED: [&str; 8] = [
    "infra/bin",
    "infra/lib",
    "infra/test",
    "docs",
    "crates/aws/src",
    "crates/pipeline/src",
    "functions/miner/src",
    "xtask/src/cost",
];
/// Files that they look at.
const COPIED_FILES: [&str; 4] =
    ["infra/package.json", "infra/tsconfig.json", "infra/cdk.json", "infra/vitest.config.ts"];

/// Breaks everything once.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let work = target_folder().join("sabotage");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let bundle = arguments.bundle.clone().unwrap_or_else(|| target_folder().join("bundle").join("x86_64"));
    let mut missed = Vec::new();
    let mut tell = |name: &str, seen_by: &str, found: &[String]| {
        let is_seen = found.iter().any(|fault| fault.contains(seen_by));
        println!("  {} {name}", if is_seen { "red   " } else { "MISSED" });
        if !is_seen {
            missed.push(format!("{name}: wanted {seen_by:?}, found {found:?}"));
        }
    };

    println!("the bundle:");
    let copy = work.join("bundle");
    copy_folder(&bundle, &copy)?;
    let faults = || faults_of_bundle(&copy, &arguments.arch);
    let found = faults()?;
    ensure!(found.is_empty(), "{} is not sound even before it is broken: {found:?}", bundle.display());
    fs::set_permissions(copy.join("ingest/bootstrap"), fs::Permissions::from_mode(0o644))?;
    tell("the run bit", "permission denied", &faults()?);
    fs::set_permissions(copy.join("ingest/bootstrap"), fs::Permissions::from_mode(0o755))?;
    let artefact = fs::read_dir(copy.join("miner/artefacts"))?.next().context("no artefact")??.path();
    let mut bytes = fs::read(&artefact)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&artefact, &bytes)?;
    tell("a bit of the artefact", "the artefact of the module", &faults()?);
    fs::remove_file(&artefact)?;
    tell("the artefact", "the artefact of the module", &faults()?);

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
    let found = red_tests(&copy)?;
    ensure!(found.is_empty(), "tests of the CDK app are red even before it is broken: {found:?}");
    for breakage in BREAKAGES {
        let path = copy.join(breakage.file);
        let sound = fs::read_to_string(&path)?;
        fs::write(&path, breakage.apply(&sound)?)?;
        tell(breakage.name, breakage.seen_by, &red_tests(&copy)?);
        fs::write(&path, sound)?;
    }
    fs::remove_dir_all(&work)?;
    if !missed.is_empty() {
        bail!("nobody saw:\n{}", missed.join("\n"));
    }
    Ok(())
}

/// What `cargo xtask bundle` says against a bundle; nothing if it is sound.
fn faults_of_bundle(bundle: &Path, arch: &str) -> anyhow::Result<Vec<String>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["bundle", "--check-only", "--arch", arch, "--out"])
        .arg(bundle)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { Vec::new() } else { vec![said] })
}

/// Runs the assertions and gives the names of those that fail. The golden templates are left out,
/// because they differ after any change.
fn red_tests(copy: &Path) -> anyhow::Result<Vec<String>> {
    let infra = copy.join("infra");
    let report = infra.join("report.json");
    let output = Command::new("node_modules/.bin/vitest")
        .current_dir(&infra)
        .args(["run", "--testNamePattern", "^(?!golden templates)", "--reporter=json", "--outputFile"])
        .arg(&report)
        .output()
        .context("can't run vitest")?;
    let text = fs::read_to_string(&report)
        .with_context(|| format!("vitest made no report: {}", String::from_utf8_lossy(&output.stderr)))?;
    fs::remove_file(&report)?;
    let Report { test_results } = serde_json::from_str(&text)?;
    let mut red = Vec::new();
    for file in test_results {
        let failed = file.assertion_results.iter().filter(|test| test.status == "failed");
        red.extend(failed.map(|test| test.full_name.clone()));
        if file.status == "failed" && file.assertion_results.is_empty() {
            // It doesn't even load, because nothing can be synthesised.
            red.push(file.message);
        }
    }
    ensure!(
        output.status.success() == red.is_empty(),
        "vitest ended with {}, and {red:?} are red",
        output.status
    );
    Ok(red)
}

/// What is read of vitest's report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    test_results: Vec<TestFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestFile {
    status: String,
    message: String,
    assertion_results: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    full_name: String,
    status: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole task is too long for the gate; that it can still be done is not.
    #[test]
    fn every_breakage_finds_what_it_breaks() {
        for breakage in BREAKAGES {
            let sound = fs::read_to_string(workspace().join(breakage.file)).expect("the file");
            let broken = breakage.apply(&sound).expect("its place");
            assert_ne!(broken, sound, "{}", breakage.name);
        }
    }
}
