//! The real binary, from spawn to answer.

#[path = "../../miner/tests/support/kennel.rs"]
mod kennel;
#[path = "../../miner/tests/support/queue.rs"]
mod queue;
#[path = "../../miner/tests/support/runtime_api.rs"]
mod runtime_api;

use std::path::Path;

use pitpet_simulator::town::house_key;
use runtime_api::RuntimeApi;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_pitpet-reaper");

fn variables(engine: &str, queue: &str, folder: &Path) -> Vec<(&'static str, String)> {
    let key_file = folder.join("house.key");
    std::fs::write(&key_file, hex::encode(house_key().to_bytes())).expect("a key file");
    let mut variables = runtime_api::variables(engine, folder);
    variables.extend([
        ("PITPET_HOUSE_KEY_FILE", key_file.display().to_string()),
        ("PITPET_QUEUE_URL", format!("{queue}/123456789012/pitpet.fifo")),
        ("AWS_ENDPOINT_URL_SQS", queue.to_owned()),
    ]);
    variables
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_kennel_gets_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, table) = runtime_api::table().await;
    let (founding, _) = kennel::with_a_pet(table).await;
    let (queue, mut batches) = queue::queue().await;
    let event: Value = serde_json::from_str(include_str!("events/scheduler.json")).expect("a recorded event");
    let mut api = RuntimeApi::start().await;
    let _function = api.spawn(BINARY, &variables(&engine, &queue, folder.path()));
    let report = api.invoke(event).await;
    assert_eq!((&report["times"], &report["failed"]), (&1.into(), &0.into()), "{report}");
    let batch = batches.recv().await.expect("a batch");
    assert_eq!(batch["Entries"][0]["MessageGroupId"], founding.kennel.to_string());
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = RuntimeApi::start().await;
    let all = variables("http://127.0.0.1:9", "http://127.0.0.1:9", folder.path());
    for missing in ["PITPET_TABLE", "PITPET_QUEUE_URL", "PITPET_HOUSE_KEY_FILE"] {
        let rest: Vec<_> = all.iter().filter(|(name, _)| *name != missing).cloned().collect();
        let output = api.spawn(BINARY, &rest).wait_with_output().await.expect("it ends");
        runtime_api::assert_says_once(&output, missing);
    }
}
