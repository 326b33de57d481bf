//! Every seed and every kept input of the fuzzers, without a fuzzer.

use std::fs;
use std::path::PathBuf;

use pitpet_fuzzing::keys::OPERATIONS;
use pitpet_fuzzing::{TARGETS, run, seeds};

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), fs::read(&file).unwrap())).collect()
}

#[test]
fn seeds_and_corpora() {
    for target in TARGETS {
        let seeds = seeds::of(target.name);
        assert!(!seeds.is_empty(), "{} has seeds", target.name);
        let kept = corpus(target.name);
        println!("{}: {} seeds, {} kept inputs", target.name, seeds.len(), kept.len());
        for seed in &seeds {
            run(target.name, seed);
        }
        for (file, input) in kept {
            println!("{file}");
            run(target.name, &input);
        }
    }
}

/// Each seed cut at every place and with one bit flipped at every place, for what is cheap to run.
#[test]
fn seeds_cut_and_flipped() {
    for target in TARGETS
        .iter()
        .filter(|target| !["boundary", "differential", "ingest", "query", "keys"].contains(&target.name))
    {
        for seed in seeds::of(target.name).iter().filter(|seed| seed.len() < 2_048) {
            for at in 0..seed.len() {
                (target.run)(&seed[..at]);
                let mut flipped = seed.clone();
                flipped[at] ^= 1 << (at % 8);
                (target.run)(&flipped);
            }
        }
    }
}

/// All that the module for keys exports is fuzzed.
#[test]
fn every_operation_on_keys_is_a_choice() {
    let source = include_str!("../../../wasm/keys/src/boundary.rs");
    let exports = source.split("\nexports!(").nth(1).expect("the list of exports");
    let exports: Vec<&str> = exports
        .lines()
        .map(str::trim)
        .take_while(|line| *line != ");")
        .filter(|line| !line.is_empty())
        .collect();
    let fuzzed: Vec<String> = OPERATIONS.iter().map(|(name, _)| format!("{name},")).collect();
    assert_eq!(exports, fuzzed);
}

/// `fuzz/` has a binary for each target, and no other.
#[test]
fn every_target_has_a_binary() {
    let manifest = include_str!("../../../fuzz/Cargo.toml");
    let named: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(named, targets);
}
