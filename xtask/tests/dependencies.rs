//! Holds the table of who may depend on what, over `cargo metadata`: normal dependencies, as
//! they would be in a deployed build of that crate alone.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).exec().expect("cargo metadata runs")
}

/// Names of the crates that each workspace member names in its manifest for normal builds.
fn direct(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), names)
        })
        .collect()
}

/// Everything that a member's normal build may reach, over normal dependencies.
fn reached(metadata: &Metadata, member: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
    let root =
        metadata.workspace_packages().into_iter().find(|package| package.name == member).expect("a member");
    let mut open = vec![&root.id];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let is_normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if is_normal && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen.into_iter().map(|id| names[id].clone()).collect()
}

/// What a member's normal build reaches when it is built alone: other members ask their crates for features that
/// it doesn't, which `cargo metadata` adds up.
fn built_alone(member: &str) -> BTreeSet<String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", member, "--edges", "normal", "--prefix", "none", "--target", "all"])
        .args(["--manifest-path", manifest])
        .output()
        .expect("cargo tree runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let listed = String::from_utf8(tree.stdout).expect("UTF-8");
    listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn assert_only(direct: &BTreeMap<String, BTreeSet<String>>, member: &str, allowed: &[&str]) {
    let extra: Vec<_> = direct[member].iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(extra.is_empty(), "{member} may not depend on {extra:?}");
}

/// As [`assert_only`], but of the workspace's own crates.
fn assert_only_of_ours(direct: &BTreeMap<String, BTreeSet<String>>, member: &str, allowed: &[&str]) {
    let extra: Vec<_> = direct[member]
        .iter()
        .filter(|name| direct.contains_key(name.as_str()) && !allowed.contains(&name.as_str()))
        .collect();
    assert!(extra.is_empty(), "{member} may not depend on {extra:?}, which are ours");
}

fn assert_never(reached: &BTreeSet<String>, member: &str, never: &[&str]) {
    let found: Vec<_> =
        reached.iter().filter(|name| never.iter().any(|prefix| name.starts_with(prefix))).collect();
    assert!(found.is_empty(), "{member} reaches {found:?}");
}

#[test]
fn the_rules_are_pure() {
    let metadata = metadata();
    let direct = direct(&metadata);
    assert_only(&direct, "pitpet-chain", &["ed25519-dalek", "minicbor", "sha2"]);
    assert_only(&direct, "pitpet-wasm", &["dlmalloc", "pitpet-chain"]);
    assert_only(&direct, "pitpet-wasm-keys", &["pitpet-keys", "zeroize"]);
    let keys = built_alone("pitpet-keys");
    assert!(keys.contains("opaque-ke"), "{keys:?}");
    assert_never(&keys, "pitpet-keys", &["getrandom", "tokio", "serde_json", "wasm-bindgen", "age"]);
    let chain = reached(&metadata, "pitpet-chain");
    assert_never(
        &chain,
        "pitpet-chain",
        &["tokio", "serde_json", "tracing", "log", "chrono", "time", "wasmer", "aws-"],
    );
    // Looked at alone, because other members ask the signatures' crate for random keys.
    let alone = built_alone("pitpet-chain");
    assert!(alone.contains("ed25519-dalek"), "{alone:?}");
    assert_never(&alone, "pitpet-chain", &["rand", "fastrand", "getrandom"]);
}

/// The engine's host and the use cases stand on the rules, the adapters on the use cases.
#[test]
fn a_layer_takes_of_our_own_crates_only_those_below() {
    let metadata = metadata();
    let direct = direct(&metadata);
    for (member, allowed) in [
        ("pitpet-chain-host", &["pitpet-chain"][..]),
        ("pitpet-pipeline", &["pitpet-chain", "pitpet-keys"]),
        ("pitpet-aws", &["pitpet-chain", "pitpet-pipeline"]),
    ] {
        assert_only_of_ours(&direct, member, allowed);
    }
    // A call of the engine ends before it returns: nothing of it waits, and nothing of it is on a network.
    let host = reached(&metadata, "pitpet-chain-host");
    assert_never(&host, "pitpet-chain-host", &["tokio", "mio", "hyper", "reqwest"]);
}

#[test]
fn the_packaged_command_has_the_rules_and_no_engine() {
    let allowed = [
        "ed25519-dalek",
        "hex",
        "pitpet-chain",
        "pitpet-chain-host",
        "pitpet-pipeline",
        "serde",
        "serde_json",
    ];
    let metadata = metadata();
    assert_only(&direct(&metadata), "pitpet-chain-command", &allowed);
    let packages = metadata.workspace_packages();
    let command = packages.iter().find(|package| package.name == "pitpet-chain-command").expect("a member");
    let host = command.dependencies.iter().find(|dependency| dependency.name == "pitpet-chain-host");
    assert!(host.expect("a dependency").features.is_empty(), "an engine would be in it");
}

#[test]
fn the_use_cases_know_no_adapter() {
    let metadata = metadata();
    let pipeline = reached(&metadata, "pitpet-pipeline");
    let never = [
        "aws-",
        "aws_",
        "wasmer",
        "lambda_",
        "rusqlite",
        "libsqlite3",
        "dynoxide",
        "axum",
        "hyper",
        "reqwest",
        "pitpet-aws",
    ];
    assert_never(&pipeline, "pitpet-pipeline", &never);
}

#[test]
fn one_crate_names_wasmer_and_one_the_aws_sdks() {
    let direct = direct(&metadata());
    let naming = |prefix: &str| -> Vec<&str> {
        direct
            .iter()
            .filter(|(_, names)| names.iter().any(|name| name.starts_with(prefix)))
            .map(|(member, _)| member.as_str())
            .collect()
    };
    assert_eq!(naming("wasmer"), ["pitpet-chain-host"]);
    assert_eq!(naming("aws-sdk-"), ["pitpet-aws"]);
    assert_eq!(naming("dynoxide"), ["pitpet-local"]);
}

#[test]
fn functions_are_wiring() {
    let direct = direct(&metadata());
    let wiring = [
        "aws_lambda_events",
        "lambda_runtime",
        "pitpet-aws",
        "pitpet-pipeline",
        "serde_json",
        "tokio",
        "tracing",
    ];
    for (function, more) in [
        ("pitpet-ingest", &[][..]),
        ("pitpet-query", &["pitpet-web"]),
        ("pitpet-reaper", &[]),
        ("pitpet-miner", &["hex", "pitpet-chain", "pitpet-chain-host"]),
    ] {
        assert_only(&direct, function, &[&wiring[..], more].concat());
    }
}

#[test]
fn planted_bugs_are_in_no_build_that_ships() {
    const FEATURE: &str = "planted-bugs";
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            let is_on = dependency.features.iter().any(|feature| feature.ends_with(FEATURE));
            assert!(!is_on, "{} turns planted bugs on in {}", package.name, dependency.name);
        }
        // Only the feature of that name turns on those of others.
        for (feature, turned_on) in &package.features {
            let is_on = turned_on.iter().any(|name| name.ends_with(FEATURE));
            assert!(!is_on || feature == FEATURE, "{} turns planted bugs on by {feature}", package.name);
        }
        let may_have = ["pitpet-chain", "pitpet-pipeline", "pitpet-simulator"];
        assert!(
            !package.features.contains_key(FEATURE) || may_have.contains(&package.name.as_str()),
            "{} knows of planted bugs",
            package.name
        );
    }
    // The simulator, which may turn them on, is in nothing that ships.
    for member in ["pitpet", "pitpet-ingest", "pitpet-miner", "pitpet-reaper", "pitpet-query"] {
        assert_never(&reached(&metadata, member), member, &["pitpet-simulator"]);
    }
}

/// What a build for running and testing leaves unoptimised, what is deployed has not.
#[test]
fn what_is_deployed_is_optimised() {
    let manifest = include_str!("../../Cargo.toml");
    let at_level = |profile: &str, level: &str| -> BTreeSet<&str> {
        let begin = format!("[profile.{profile}.package.");
        let end = format!("\nopt-level = {level}");
        let sections = manifest.split("\n\n").filter(|section| section.contains(&end));
        sections.filter_map(|section| Some(section.split_once(&begin)?.1.split_once(']')?.0)).collect()
    };
    let mut light = at_level("release", "0");
    // It is in no function.
    assert!(light.remove("xtask"));
    assert!(light.contains("aws-sdk-sqs"), "{light:?}");
    assert_eq!(at_level("lambda", "3"), light);
}
