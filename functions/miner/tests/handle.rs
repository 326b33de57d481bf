//! SQS events as AWS sends them, in; partial batch responses out.

#[path = "support/sqs.rs"]
mod sqs;

use pitpet_pipeline::message::Message;
use pitpet_pipeline::mine::{Miner, MinerSettings};
use pitpet_pipeline::ports::OutgoingMessage;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::Port;
use pitpet_simulator::town::QUICK;
use pitpet_simulator::{Fault, Faults, Player, Town};
use serde_json::{Value, json};

async fn handle(miner: &Miner, event: Value) -> Value {
    let event = serde_json::from_value(event).expect("an SQS event");
    serde_json::to_value(pitpet_miner::handle(miner, event).await).expect("JSON")
}

/// Two groups; in the middle of the first one's messages one that is no message.
async fn batch() -> (Town, pitpet_pipeline::head::Founding, Vec<OutgoingMessage>) {
    let town = Town::found(QUICK).await;
    let other = town.found_another("second", QUICK, 2).await;
    let first = town.head().await.hash;
    let second = pitpet_pipeline::head::read_head(
        town.table.as_ref(),
        &other,
        pitpet_pipeline::ports::Consistency::Strong,
    )
    .await
    .expect("its head")
    .hash;
    let now_ms = town.clock.now_ms();
    let mut messages = Vec::new();
    for (founding, anchor, seed) in
        [(&town.founding, first, 1), (&other, second, 2), (&town.founding, first, 3)]
    {
        let entries = vec![Player::of(founding, seed, now_ms).birth("Kitty", anchor)];
        messages.push(Message { version: 1, kennel: founding.kennel, entries }.write());
    }
    let poison = OutgoingMessage {
        group: town.kennel().to_string(),
        deduplication: "poison".to_owned(),
        body: "{\"no\":\"message\"}".to_owned(),
    };
    messages.insert(1, poison);
    (town, other, messages)
}

#[tokio::test]
async fn a_poisoned_message_is_set_aside_and_all_others_are_mined() {
    let (town, other, messages) = batch().await;
    let answer = handle(&town.miner(), sqs::event(&messages)).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(town.queue.dead(), [messages[1].clone()], "whole and unchanged");
    assert_eq!(audit(&town.table, &town.founding, Published::Whole).await.events.len(), 2);
    assert_eq!(audit(&town.table, &other, Published::Whole).await.events.len(), 1);
}

#[tokio::test]
async fn only_the_failed_message_and_its_followers_are_reported() {
    let (town, other, messages) = batch().await;
    let faults = Faults::new(|call| (call.port == Port::DeadLetters).then_some(Fault::RequestLost));
    let miner = town.miner_with(&faults, MinerSettings::default());
    let answer = handle(&miner, sqs::event(&messages)).await;
    let failures = json!([{ "itemIdentifier": "m1" }, { "itemIdentifier": "m3" }]);
    assert_eq!(answer, json!({ "batchItemFailures": failures }));
    assert_eq!(audit(&town.table, &town.founding, Published::Whole).await.events.len(), 1);
    assert_eq!(audit(&town.table, &other, Published::Whole).await.events.len(), 1);
}

#[tokio::test]
async fn an_empty_event_is_nothing_to_do() {
    let town = Town::found(QUICK).await;
    assert_eq!(handle(&town.miner(), json!({ "Records": [] })).await, json!({ "batchItemFailures": [] }));
}
