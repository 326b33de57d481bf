//! The host of the pinned modules keeps what its port promises.

use pitpet_chain_host::{ArtefactCache, Host, Releases, Settings, Target};
use pitpet_miner::WasmModules;
use pitpet_pipeline::conformance;
use pitpet_simulator::town::{QUICK, genesis};
use pitpet_simulator::{Player, Town};

#[tokio::test]
async fn the_host_of_modules_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::compiling(Target::host().expect("a known machine"), Settings::default());
    let modules = WasmModules::new(host, Releases::embedded(), ArtefactCache::new(folder.path()));
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let newest = Releases::latest().expect("there is a release");
    let rules = pitpet_chain::hash::RulesHash(newest.0);
    let birth = |anchor| anna.birth("Kitty", anchor).event;
    conformance::modules::all(&modules, rules, &genesis(QUICK, 1), birth);
    conformance::modules::unknown_rules(&modules, &genesis(QUICK, 1));
}
