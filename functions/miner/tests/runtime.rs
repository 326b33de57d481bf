//! The real binary, from spawn to answer, and what must not be in it.

#[path = "support/queue.rs"]
mod queue;
#[path = "support/runtime_api.rs"]
mod runtime_api;
#[path = "support/sqs.rs"]
mod sqs;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pitpet_chain::hash::RulesHash;
use pitpet_chain_host::{ArtefactCache, Host, Releases, Settings, Target};
use pitpet_miner::WasmModules;
use pitpet_pipeline::head::{read_founding, read_head};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::ports::{Consistency, OutgoingMessage};
use pitpet_simulator::Player;
use pitpet_simulator::town::{QUICK, checkpoint_key, found_with, genesis, id_of};
use runtime_api::RuntimeApi;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_pitpet-miner");

fn variables(engine: &str, queue: &str, folder: &Path) -> Vec<(&'static str, String)> {
    let key_file = folder.join("checkpoint.key");
    std::fs::write(&key_file, hex::encode(checkpoint_key().to_bytes())).expect("a key file");
    let mut variables = runtime_api::variables(engine, folder);
    variables.extend([
        ("PITPET_CHECKPOINT_KEY_FILE", key_file.display().to_string()),
        ("PITPET_ARTEFACTS", folder.join("artefacts").display().to_string()),
        ("PITPET_QUEUE_URL", format!("{queue}/123456789012/pitpet.fifo")),
        ("PITPET_DEAD_LETTER_QUEUE_URL", format!("{queue}/123456789012/dead.fifo")),
        ("AWS_ENDPOINT_URL_SQS", queue.to_owned()),
    ]);
    variables
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_becomes_a_block_in_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, table) = runtime_api::table().await;
    // Founding compiles the module and leaves the artefact that the binary loads.
    let host = Host::compiling(Target::host().expect("a known machine"), Settings::default());
    let cache = ArtefactCache::new(folder.path().join("artefacts"));
    let modules = WasmModules::new(host, Releases::embedded(), cache);
    let rules = RulesHash(Releases::latest().expect("a released module").0);
    let genesis = genesis(QUICK, 1);
    found_with(&table, "town", &genesis, &modules, rules).await.expect("founded");
    let founding = read_founding(&table, &genesis.kennel()).await.expect("it is there");
    let head = read_head(&table, &founding, Consistency::Strong).await.expect("a head");

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let mut anna = Player::of(&founding, 1, u64::try_from(now).expect("this age"));
    let entries = vec![anna.birth("Kitty", head.hash)];
    let id = id_of(&entries[0]);
    let birth = Message { version: 1, kennel: founding.kennel, entries }.write();
    let poison = OutgoingMessage { group: "0".repeat(64), deduplication: "p".into(), body: "rubbish".into() };

    let mut api = RuntimeApi::start().await;
    // The dead-letter queue refuses: what should be buried can't be.
    let (queue, mut waits) = queue::refusing().await;
    let mut variables = variables(&engine, &queue, folder.path());
    variables.push(("PITPET_STAGE", "test".to_owned()));
    let mut function = api.spawn(BINARY, &variables);
    let answer = api.invoke(sqs::event(&[birth.clone(), poison])).await;
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }));
    let wait = waits.recv().await.expect("a wait is asked for");
    assert_eq!(wait["QueueUrl"], json!(format!("{queue}/123456789012/pitpet.fifo")));
    let entries = json!([{ "Id": "0", "ReceiptHandle": "receipt of m1", "VisibilityTimeout": 1 }]);
    assert_eq!(wait["Entries"], entries, "of the failed message alone, after its first receive");
    let head = read_head(&table, &founding, Consistency::Strong).await.expect("a head");
    assert_eq!((head.height, head.published_height, head.summary.totals.living), (1, 0, 1));
    assert_eq!(head.header.rules_hash, rules);

    // Warm, and the same message again: nothing happens twice.
    assert_eq!(api.invoke(sqs::event(&[birth])).await, json!({ "batchItemFailures": [] }));
    let again = read_head(&table, &founding, Consistency::Strong).await.expect("a head");
    assert_eq!(again, head);

    // What CloudWatch makes metrics of: a line for each invocation.
    function.start_kill().expect("it runs");
    let log = function.wait_with_output().await.expect("it ended").stdout;
    let (metrics, lines): (Vec<_>, Vec<_>) =
        runtime_api::lines(&log).into_iter().partition(|line| line.get("_aws").is_some());
    let names = |line: &Value| line.to_string().contains(&id.to_string());
    assert!(!lines.iter().any(names), "what came of the event has no line of its own: {lines:?}");
    let (reasons, metrics): (Vec<_>, Vec<_>) =
        metrics.into_iter().partition(|line| line.get("Reason").is_some());
    assert_eq!(reasons.len(), 1, "the message that came again: {reasons:?}");
    assert_eq!(reasons[0]["EventsRejectedByReason"], 1);
    let [cold, warm] = &metrics[..] else { panic!("two invocations: {metrics:?}") };
    assert_eq!(cold["_aws"]["CloudWatchMetrics"][0]["Namespace"], "PitPet");
    assert_eq!(cold["Stage"], "test");
    let counts = ["ColdStarts", "Blocks", "EventsMined", "MessagesFailed"].map(|name| cold[name].as_u64());
    assert_eq!(counts, [Some(1); 4], "{cold}");
    let batches = [cold, warm].map(|line| line["BatchSize"].as_f64().or(line["BatchSize"][0].as_f64()));
    assert_eq!(batches, [Some(2.0), Some(1.0)]);
    assert!(cold["WasmTime"].is_number() || cold["WasmTime"].is_array(), "{cold}");
    assert_eq!(warm.get("Blocks"), None, "nothing is mined twice: {warm}");
    let told = json!([{
        "kennel": founding.kennel.to_string(),
        "height": 1,
        "hash": head.hash.to_string(),
        "events": id.to_string(),
    }]);
    assert_eq!((&cold["committed"], warm.get("committed")), (&told, None));
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = RuntimeApi::start().await;
    let nobody = "http://127.0.0.1:9";
    let all = variables(nobody, nobody, folder.path());
    for missing in [
        "PITPET_TABLE",
        "PITPET_QUEUE_URL",
        "PITPET_OBJECTS",
        "PITPET_ARTEFACTS",
        "PITPET_CHECKPOINT_KEY_FILE",
        "AWS_ACCESS_KEY_ID",
    ] {
        let rest: Vec<_> = all.iter().filter(|(name, _)| *name != missing).cloned().collect();
        let output = api.spawn(BINARY, &rest).wait_with_output().await.expect("it ends");
        runtime_api::assert_says_once(&output, missing);
    }
}

#[test]
fn no_compiler_is_deployed() {
    // What a test builds has the compiler of its dev-dependencies; what is deployed must not.
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", "pitpet-miner", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(tree.stdout).expect("text");
    assert!(tree.contains("wasmer v"), "the tree is there: {tree}");
    let compilers: Vec<&str> = tree
        .lines()
        .filter(|line| ["cranelift", "singlepass", "llvm", "inkwell"].iter().any(|name| line.contains(name)))
        .collect();
    assert!(compilers.is_empty(), "{compilers:?}");
}
