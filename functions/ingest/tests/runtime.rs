//! The real binary, from spawn to answer.

#[path = "../../miner/tests/support/queue.rs"]
mod queue;
#[path = "../../miner/tests/support/runtime_api.rs"]
mod runtime_api;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_pipeline::head::read_founding;
use pitpet_pipeline::native::NativeHost;
use pitpet_simulator::Player;
use pitpet_simulator::town::{QUICK, RULES, found_with, genesis, id_of, submitted};
use runtime_api::RuntimeApi;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_pitpet-ingest");

fn sign_in_secret(folder: &std::path::Path) -> (&'static str, String) {
    let path = folder.join("sign-in.secret");
    std::fs::write(&path, "07".repeat(32)).expect("written");
    ("PITPET_SIGN_IN_SECRET_FILE", path.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_into_the_queue() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, table) = runtime_api::table().await;
    let genesis = genesis(QUICK, 1);
    found_with(&table, "town", &genesis, &NativeHost, RULES).await.expect("founded");
    let founding = read_founding(&table, &genesis.kennel()).await.expect("it is there");
    let (queue, mut batches) = queue::queue().await;
    let mut variables = runtime_api::variables(&engine, folder.path());
    variables.push(("PITPET_QUEUE_URL", format!("{queue}/123456789012/pitpet.fifo")));
    variables.push(("AWS_ENDPOINT_URL_SQS", queue));
    variables.push(sign_in_secret(folder.path()));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let mut anna = Player::of(&founding, 1, u64::try_from(now).expect("this age"));
    let birth = anna.birth(
        "Kitty",
        pitpet_pipeline::head::read_head(&table, &founding, pitpet_pipeline::ports::Consistency::Strong)
            .await
            .expect("a head")
            .hash,
    );
    let mut event: Value =
        serde_json::from_str(include_str!("events/apigw-v2.json")).expect("a recorded event");
    event["body"] = json!(STANDARD.encode(serde_json::to_vec(&submitted(&birth)).expect("JSON")));
    variables.push(("PITPET_STAGE", "test".to_owned()));
    let mut api = RuntimeApi::start().await;
    let mut function = api.spawn(BINARY, &variables);
    let answer = api.invoke(event).await;
    assert_eq!(answer["statusCode"], 202, "{answer}");
    let id = id_of(&birth).to_string();
    assert_eq!(answer["body"], json!(json!({ "id": id, "status": "queued" }).to_string()));
    let batch = batches.recv().await.expect("a batch");
    assert_eq!(batch["Entries"][0]["MessageGroupId"], json!(founding.kennel.to_string()));

    function.start_kill().expect("it runs");
    let log = runtime_api::lines(&function.wait_with_output().await.expect("it ended").stdout);
    let line = log.iter().find(|line| line["EventsTaken"] == 1).expect("the invocation's metrics");
    assert_eq!(line["queued"], json!([{ "kennel": founding.kennel.to_string(), "events": id }]));
    assert_eq!(log.len(), 1, "{log:?}");
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = RuntimeApi::start().await;
    let mut all = runtime_api::variables("http://127.0.0.1:9", folder.path());
    all.push(("PITPET_QUEUE_URL", "http://127.0.0.1:9/123456789012/pitpet.fifo".to_owned()));
    all.push(("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9".to_owned()));
    all.push(sign_in_secret(folder.path()));
    for missing in ["PITPET_TABLE", "PITPET_QUEUE_URL", "PITPET_OBJECTS", "PITPET_SIGN_IN_SECRET_FILE"] {
        let rest: Vec<_> = all.iter().filter(|(name, _)| *name != missing).cloned().collect();
        let output = api.spawn(BINARY, &rest).wait_with_output().await.expect("it ends");
        runtime_api::assert_says_once(&output, missing);
    }
}
