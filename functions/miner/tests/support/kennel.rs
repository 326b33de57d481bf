//! A kennel on the embedded engine, with a pet that was born long ago.

#![allow(unreachable_pub, dead_code)]

use std::sync::Arc;

use pitpet_aws::DynamoTable;
use pitpet_chain::hash::EventId;
use pitpet_pipeline::head::{Founding, read_founding, read_head};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::mine::{Miner, MinerSettings, ReceivedMessage};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::Consistency;
use pitpet_simulator::faults::FaultyQueue;
use pitpet_simulator::queue::QueueSettings;
use pitpet_simulator::town::{FOUNDED_MS, QUICK, RULES, checkpoint_key, found_with, genesis, id_of};
use pitpet_simulator::{Faults, MemoryObjects, MemoryQueue, Player, TestClock};

/// Founds the kennel `town` and mines a birth in it; gives the birth's id.
pub async fn with_a_pet(table: DynamoTable) -> (Founding, EventId) {
    let genesis = genesis(QUICK, 1);
    found_with(&table, "town", &genesis, &NativeHost, RULES).await.expect("founded");
    let founding = read_founding(&table, &genesis.kennel()).await.expect("it is there");
    let head = read_head(&table, &founding, Consistency::Strong).await.expect("a head");
    let birth = Player::of(&founding, 1, FOUNDED_MS).birth("Kitty", head.hash);
    let id = id_of(&birth);
    let message = Message { version: 1, kennel: founding.kennel, entries: vec![birth] }.write();

    let clock = Arc::new(TestClock::new(FOUNDED_MS));
    let queue = Arc::new(MemoryQueue::new(clock.clone(), QueueSettings::default()));
    let miner = Miner::new(
        Arc::new(table),
        Arc::new(MemoryObjects::default()),
        Arc::new(NativeHost),
        clock,
        Arc::new(FaultyQueue::new(queue, Faults::none())),
        Arc::new(checkpoint_key()),
        MinerSettings::default(),
    );
    let report = miner.mine(vec![ReceivedMessage { id: "m".into(), message }]).await;
    assert_eq!((report.accepted, report.failed.len()), (1, 0), "{report:?}");
    (founding, id)
}
