//! The native rules and the simulator's clock keep what their ports promise.

use pitpet_pipeline::conformance;
use pitpet_pipeline::native::{NativeHost, ReplicaHost};
use pitpet_pipeline::ports::ModuleHost;
use pitpet_simulator::town::{FOUNDED_MS, QUICK, RULES, genesis};
use pitpet_simulator::{Player, Town};

async fn conforms(host: &dyn ModuleHost) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    conformance::modules::all(host, RULES, &genesis(QUICK, 1), |anchor| anna.birth("Kitty", anchor).event);
}

#[tokio::test]
async fn the_native_host_conforms() {
    conforms(&NativeHost).await;
}

#[tokio::test]
async fn the_host_of_replicas_conforms() {
    let host = ReplicaHost::new(RULES, None);
    conforms(&host).await;
    conformance::modules::unknown_rules(&host, &genesis(QUICK, 1));
}

#[tokio::test]
async fn the_clock_conforms() {
    conformance::clock::all(&pitpet_simulator::TestClock::new(FOUNDED_MS)).await;
}
