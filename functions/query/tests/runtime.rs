//! The real binary, from spawn to answer.

#[path = "../../miner/tests/support/kennel.rs"]
mod kennel;
#[path = "../../miner/tests/support/runtime_api.rs"]
mod runtime_api;

use runtime_api::RuntimeApi;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_pitpet-query");

fn get(path: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("events/apigw-v2.json")).expect("a recorded event");
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_a_page_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, table) = runtime_api::table().await;
    let (founding, id) = kennel::with_a_pet(table).await;
    let mut api = RuntimeApi::start().await;
    let _function = api.spawn(BINARY, &runtime_api::variables(&engine, folder.path()));

    let answer = api.invoke(get(&format!("/v1/events/{id}"))).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let view: Value = serde_json::from_str(answer["body"].as_str().expect("text")).expect("JSON");
    assert_eq!((&view["status"], &view["place"]["height"]), (&json!("mined"), &json!(1)));
    let note = view["place"]["proof"]["checkpoint"].as_str().expect("a note");
    assert!(note.starts_with(&founding.kennel.to_string()), "{note}");

    let page = api.invoke(get("/")).await;
    assert_eq!(page["statusCode"], 200, "{page}");
    assert!(page["body"].as_str().expect("text").contains("Kitty"), "{page}");
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = RuntimeApi::start().await;
    let all = runtime_api::variables("http://127.0.0.1:9", folder.path());
    for missing in ["PITPET_TABLE", "PITPET_OBJECTS", "AWS_ACCESS_KEY_ID"] {
        let rest: Vec<_> = all.iter().filter(|(name, _)| *name != missing).cloned().collect();
        let output = api.spawn(BINARY, &rest).wait_with_output().await.expect("it ends");
        runtime_api::assert_says_once(&output, missing);
    }
}
