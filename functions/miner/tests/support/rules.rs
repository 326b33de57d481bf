//! Chain modules for the tests of changes of rules, and a town that a real one runs.

#![allow(unreachable_pub, dead_code)]

use std::path::PathBuf;
use std::sync::Arc;

use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::RulesHash;
use pitpet_chain_host::{ArtefactCache, Host, Releases, Settings, Target};
use pitpet_miner::WasmModules;
use pitpet_pipeline::ports::ModuleHost;
use pitpet_simulator::queue::QueueSettings;
use pitpet_simulator::town::{FOUNDED_MS, found_in, key};
use pitpet_simulator::{MemoryQueue, MemoryTable, TestClock, Town};

/// The newest release but for its anchors, which say their heights: a state of another shape,
/// which the state before is moved to. `cargo xtask module variants` builds it.
pub fn wider() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wasm/variants/wider.wasm");
    std::fs::read(path).expect("it is in the checkout")
}

/// The newest release.
pub fn released() -> Vec<u8> {
    Releases::embedded().find(Releases::latest().expect("a release")).expect("it is embedded").into_owned()
}

/// A module that decides alike under another hash: a section that nothing reads is added.
pub fn renamed(wasm: &[u8], name: u8) -> Vec<u8> {
    [wasm, &[0, 2, 1, name]].concat()
}

pub fn hash(wasm: &[u8]) -> RulesHash {
    RulesHash(pitpet_chain::hash::sha256(wasm))
}

/// A machine's modules: those of the release, and what lies in its folder.
pub struct Machine {
    pub folder: tempfile::TempDir,
    pub modules: Arc<WasmModules>,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let modules = Arc::new(modules(Releases::with_folder(folder.path())));
        Self { folder, modules }
    }

    fn path(&self, wasm: &[u8]) -> PathBuf {
        self.folder.path().join(format!("{}.wasm", hash(wasm)))
    }

    /// Puts a module there.
    pub fn put(&self, wasm: &[u8]) -> RulesHash {
        std::fs::write(self.path(wasm), wasm).expect("written");
        hash(wasm)
    }
}

/// Compiles into a folder that all tests share, each module once.
pub fn modules(releases: Releases) -> WasmModules {
    let artefacts = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("artefacts");
    let host = Host::compiling(Target::host().expect("a known machine"), Settings::default());
    WasmModules::new(host, releases, ArtefactCache::new(artefacts))
}

/// A town whose first kennel is run by the newest release, as a module.
pub async fn town(modules: &dyn ModuleHost, parameters: Parameters) -> Town {
    let clock = Arc::new(TestClock::new(FOUNDED_MS));
    let queue = Arc::new(MemoryQueue::new(clock.clone(), QueueSettings::default()));
    let table = Arc::new(MemoryTable::new());
    let founding = found_in(&table, "first", parameters, 1, modules, hash(&released())).await;
    Town { clock, table, objects: Arc::default(), queue, founding }
}

/// The operator's key of every kennel of a town.
pub fn operator() -> ed25519_dalek::SigningKey {
    key(200)
}
