//! Holds the lock files: what is built comes from one registry a language, by its checksum.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository's files of this name.
fn files(name: &str) -> Vec<PathBuf> {
    let mut open = vec![Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let (path, entry_name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
            let entry_name = entry_name.to_string_lossy();
            if entry_name == name {
                found.push(path);
            } else if path.is_dir()
                && !entry_name.starts_with('.')
                // What is built and installed: packages may bring lock files that nobody reads.
                && !["target", "node_modules", "cdk.out"].contains(&&*entry_name)
            {
                open.push(path);
            }
        }
    }
    found
}

/// What is wrong with a lock file of cargo's.
fn cargo_faults(lock: &str) -> Vec<String> {
    let mut registries = BTreeSet::new();
    let mut faults = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        let name = field("name").expect("a package has a name");
        let Some(source) = field("source") else {
            if !name.starts_with("pitpet") && name != "xtask" {
                faults.push(format!("{name} is neither ours nor of the registry"));
            }
            continue;
        };
        registries.insert(source);
        if !source.starts_with("registry+https://") {
            faults.push(format!("{name} comes from {source}"));
        }
        if field("checksum").unwrap_or_default().len() != 64 {
            faults.push(format!("{name} has no checksum"));
        }
    }
    if registries.len() != 1 {
        faults.push(format!("{registries:?} are not one registry"));
    }
    faults
}

/// What is wrong with a lock file of npm's.
fn npm_faults(lock: &str) -> Vec<String> {
    let lock: Value = serde_json::from_str(lock).expect("JSON");
    let packages = lock["packages"].as_object().expect("packages");
    let mut faults = Vec::new();
    // The first one is the project itself; what is bundled is in its bundler's archive.
    for (name, package) in packages.iter().filter(|(name, of)| !name.is_empty() && of["inBundle"] != true) {
        if !package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")) {
            faults.push(format!("{name} has no checksum"));
        }
        // Without an address it comes from the registry that npm is set to, and the checksum decides.
        if let Some(source) = package["resolved"].as_str() {
            faults.push(format!("{name} comes from {source}"));
        }
    }
    faults
}

#[test]
fn every_dependency_is_of_one_registry_and_has_its_checksum() {
    type Faults = fn(&str) -> Vec<String>;
    for (name, faults) in [("Cargo.lock", cargo_faults as Faults), ("package-lock.json", npm_faults)] {
        let locks = files(name);
        // Cargo: the workspace, fuzzing, a bench. npm: the deployment, the browser tests, wasm-opt.
        assert!(locks.len() >= 3, "{locks:?}");
        for lock in locks {
            let found = faults(&std::fs::read_to_string(&lock).expect("a text"));
            assert!(found.is_empty(), "{}: {found:?}", lock.display());
        }
    }
}

#[test]
fn what_has_no_checksum_or_comes_from_elsewhere_is_found() {
    const REGISTRY: &str = "registry+https://crates.example/index";
    let cargo = |name: &str, source: &str, checksum: &str| {
        let sum = "0a".repeat(32);
        let good = format!("[[package]]\nname = \"good\"\nsource = \"{REGISTRY}\"\nchecksum = \"{sum}\"\n");
        cargo_faults(&format!("{good}[[package]]\nname = \"{name}\"\n{source}\n{checksum}\n")).len()
    };
    let (source, checksum) =
        (format!("source = \"{REGISTRY}\""), format!("checksum = \"{}\"", "0a".repeat(32)));
    assert_eq!(cargo("bad", &source, &checksum), 0);
    assert_eq!(cargo("bad", &source, ""), 1);
    assert_eq!(cargo("bad", "", ""), 1);
    assert_eq!(cargo("pitpet-own", "", ""), 0);
    assert_eq!(cargo("bad", "source = \"registry+https://example.org/index\"", &checksum), 1);
    assert_eq!(cargo("bad", "source = \"git+https://example.org/bad\"", ""), 3);

    let npm = |package: &str| {
        npm_faults(&format!(r#"{{"packages": {{"": {{}}, "node_modules/bad": {package}}}}}"#)).len()
    };
    assert_eq!(npm(r#"{"integrity": "sha512-0a"}"#), 0);
    assert_eq!(npm(r#"{"inBundle": true}"#), 0);
    assert_eq!(npm("{}"), 1);
    assert_eq!(npm(r#"{"integrity": "sha1-0a"}"#), 1);
    assert_eq!(npm(r#"{"integrity": "sha512-0a", "resolved": "https://example.org/bad.tgz"}"#), 1);
}
