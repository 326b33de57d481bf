//! API Gateway's events (payload format 2.0) in; its responses out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_pipeline::ingest::Ingest;
use pitpet_simulator::town::{QUICK, id_of, submitted};
use pitpet_simulator::{Fault, Faults, Player, Town};
use serde_json::{Value, json};

async fn post(ingest: &Ingest, body: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("events/apigw-v2.json")).expect("a recorded event");
    event["body"] = json!(STANDARD.encode(body));
    let event = serde_json::from_value(event).expect("an event");
    serde_json::to_value(pitpet_ingest::handle(ingest, None, event).await).expect("JSON")
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().expect("text")).expect("JSON")
}

#[tokio::test]
async fn an_event_is_answered_when_it_is_queued() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let id = id_of(&birth).to_string();
    let text = serde_json::to_string(&submitted(&birth)).expect("JSON");
    let response = post(&town.ingest(), &text).await;
    assert_eq!(response["statusCode"], 202);
    assert_eq!(response["headers"]["location"], json!(format!("/v1/events/{id}")));
    assert_eq!(response["isBase64Encoded"], json!(false));
    assert_eq!(body(&response), json!({ "id": id, "status": "queued" }));
    assert_eq!(town.queue.len(), 1);

    let faults = Faults::at_write(0, || Fault::RequestLost);
    let response = post(&town.ingest_with(&faults), &text).await;
    assert_eq!((&response["statusCode"], &response["headers"]["retry-after"]), (&json!(503), &json!("1")));
}

#[tokio::test]
async fn a_bad_event_is_a_problem_document() {
    let town = Town::found(QUICK).await;
    let response = post(&town.ingest(), "{\"event\":\"AA==\"}").await;
    assert_eq!(response["statusCode"], 400);
    assert_eq!(response["headers"]["content-type"], "application/problem+json");
    assert_eq!(body(&response)["type"], "/problems/malformed");
    assert!(town.queue.is_empty());
}
