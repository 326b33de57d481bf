//! The checks of `cargo xtask bundle`: what Lambda could not run is named.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const X86_64: u8 = 62;
const AARCH64: u8 = 183;

/// The header of a 64-bit little-endian ELF file without sections. Source: ELF-64 object file format.
fn elf(machine: u8) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    header[16] = 3;
    header[18] = machine;
    header[20] = 1;
    header[52] = 64;
    header
}

fn put(bundle: &Path, function: &str, bootstrap: &[u8]) {
    let folder = bundle.join(function);
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("bootstrap");
    fs::write(&path, bootstrap).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// What the task says about a bundle; it must refuse it.
fn refusal(bundle: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bundle", "--check-only", "--arch", "x86_64", "--out"])
        .arg(bundle)
        .output()
        .expect("the task runs");
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_bad_bootstrap_is_refused_with_its_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path();
    assert!(refusal(bundle).contains("ingest/bootstrap"), "a missing one is named");
    put(bundle, "ingest", b"#!/bin/sh\n");
    assert!(refusal(bundle).contains("no 64-bit ELF file"));
    put(bundle, "ingest", &elf(AARCH64));
    assert!(refusal(bundle).contains("ELF machine"));
    put(bundle, "ingest", &elf(X86_64));
    fs::set_permissions(bundle.join("ingest/bootstrap"), fs::Permissions::from_mode(0o644))
        .expect("its mode");
    assert!(refusal(bundle).contains("permission denied"));
}

#[test]
fn a_miner_with_a_compiler_or_without_an_artefact_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path();
    put(bundle, "ingest", &elf(X86_64));
    put(bundle, "miner", &[elf(X86_64), b"cranelift-codegen-0.1".to_vec()].concat());
    assert!(refusal(bundle).contains("compiler"));
    put(bundle, "miner", &elf(X86_64));
    let refusal = refusal(bundle);
    assert!(refusal.contains("the artefact of the module"), "{refusal}");

    // The mark is a good one: a binary that has the compiler carries it.
    let with_compiler = fs::read(env!("CARGO_BIN_EXE_xtask")).expect("the task itself");
    let mark = b"cranelift-codegen";
    assert!(with_compiler.windows(mark.len()).any(|window| window == mark));
}
