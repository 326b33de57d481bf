//! What is fuzzed: a function from any bytes for each decoder and boundary, which panics if a
//! promise is broken. `fuzz/` runs them under libFuzzer; a test replays seeds and corpora.
//!
//! Deliberately absent: own mutation, and inputs that only a fuzzer's engine could make: a target
//! is a plain function of bytes.

mod decoders;
pub mod keys;
mod outer;
pub mod seeds;
#[cfg(feature = "wasm")]
mod wasm;

/// A target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: of the binary in `fuzz/`, and of its folder of inputs.
    pub name: &'static str,
    /// What is run. Panics are findings.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "signed_event", run: decoders::signed_event },
    Target { name: "request", run: decoders::request },
    Target { name: "body", run: decoders::body },
    Target { name: "block", run: decoders::block },
    Target { name: "records", run: decoders::records },
    Target { name: "genesis", run: decoders::genesis },
    Target { name: "snapshot", run: decoders::snapshot },
    Target { name: "proofs", run: decoders::proofs },
    Target { name: "checkpoint", run: outer::checkpoint },
    Target { name: "message", run: outer::message },
    Target { name: "export", run: outer::export },
    Target { name: "ingest", run: outer::ingest },
    Target { name: "query", run: outer::query },
    Target { name: "keys", run: keys::keys },
    Target { name: "photo", run: outer::photo },
    #[cfg(feature = "wasm")]
    Target { name: "module", run: wasm::module },
    #[cfg(feature = "wasm")]
    Target { name: "artefact", run: wasm::artefact },
    #[cfg(feature = "wasm")]
    Target { name: "boundary", run: wasm::boundary },
    #[cfg(feature = "wasm")]
    Target { name: "differential", run: wasm::differential },
];

/// Runs a target by its name.
///
/// # Panics
/// If there is none, or if the target finds something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.run)(data);
}
