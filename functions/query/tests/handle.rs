//! API Gateway's events (payload format 2.0) in; its responses out.

use pitpet_simulator::town::{QUICK, id_of};
use pitpet_simulator::{Player, Town};
use serde_json::{Value, json};

async fn get(town: &Town, path: &str, query: Value) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("events/apigw-v2.json")).expect("a recorded event");
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    if !query.is_null() {
        event["queryStringParameters"] = query;
    }
    let event = serde_json::from_value(event).expect("an event");
    serde_json::to_value(pitpet_query::handle(&town.queries(), event).await).expect("JSON")
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().expect("text")).expect("JSON")
}

async fn town() -> (Town, String) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let id = id_of(&birth).to_string();
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    (town, id)
}

#[tokio::test]
async fn a_mined_event_is_served_with_its_proof() {
    let (town, id) = town().await;
    let response = get(&town, &format!("/v1/events/{id}"), json!({ "wait_ms": "100" })).await;
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["headers"]["content-type"], "application/json");
    assert_eq!(response["headers"]["cache-control"], "no-store");
    let view = body(&response);
    assert_eq!((&view["status"], &view["id"]), (&json!("mined"), &json!(id)));
    assert!(
        view["place"]["proof"]["checkpoint"]
            .as_str()
            .expect("a note")
            .starts_with(&town.kennel().to_string())
    );
    let without = get(&town, &format!("/v1/events/{id}"), json!({ "proof": "false" })).await;
    assert!(body(&without)["place"].get("proof").is_none());
}

#[tokio::test]
async fn what_is_missing_is_a_problem_document() {
    let (town, _) = town().await;
    let response = get(&town, &format!("/v1/pets/{}", "0".repeat(64)), Value::Null).await;
    assert_eq!(response["statusCode"], 404);
    assert_eq!(response["headers"]["content-type"], "application/problem+json");
    assert_eq!(body(&response)["type"], "/problems/not-found");
}

#[tokio::test]
async fn the_front_page_is_html() {
    let (town, _) = town().await;
    let response = get(&town, "/", Value::Null).await;
    assert_eq!(response["statusCode"], 200);
    assert!(response["headers"]["content-type"].as_str().expect("text").starts_with("text/html"));
    assert!(response["body"].as_str().expect("text").contains("Kitty"));
}

#[tokio::test]
async fn bytes_go_out_in_base64() {
    let (town, _) = town().await;
    let manifest = body(&get(&town, "/v1/kennels/first/export", Value::Null).await);
    assert!(manifest.is_object());
    let response = get(&town, "/v1/kennels/first/export/0", Value::Null).await;
    assert_eq!((&response["statusCode"], &response["isBase64Encoded"]), (&json!(200), &json!(true)));
}
