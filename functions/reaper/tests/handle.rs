//! The schedule's event as AWS sends it, in; the report out.

use pitpet_simulator::town::QUICK;
use pitpet_simulator::{Player, Town};
use serde_json::{Value, json};

async fn handle(town: &Town) -> Value {
    let event = serde_json::from_str(include_str!("events/scheduler.json")).expect("a recorded event");
    let report = pitpet_reaper::handle(&town.reaper(), event).await.expect("the kennels can be listed");
    serde_json::to_value(report).expect("JSON")
}

fn report(times: u64) -> Value {
    json!({ "times": times, "stories": 0, "published": 0, "garbage": 0, "uploads": 0, "opening": 0, "failed": 0 })
}

#[tokio::test]
async fn an_idle_kennel_gets_a_time_event() {
    let town = Town::found(QUICK).await;
    assert_eq!(handle(&town).await, report(0));
    let mut anna = Player::new(&town, 1);
    town.send(vec![anna.birth("Kitty", town.head().await.hash)]);
    town.mine_all(&town.miner()).await;
    assert_eq!(handle(&town).await, report(0));
    town.clock.advance(QUICK.idle_ms);
    assert_eq!(handle(&town).await, report(1));
    assert_eq!(town.queue.len(), 1);
}
