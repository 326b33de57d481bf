//! The miner's package as it is deployed, from spawn to answer, on this machine or on an emulated
//! processor. `PITPET_PACKAGE` is the folder, `PITPET_RUNNER` what runs its `bootstrap` if this
//! machine can't: `qemu-aarch64 -L /usr/aarch64-linux-gnu`.

#[path = "support/runtime_api.rs"]
mod runtime_api;
#[path = "support/sqs.rs"]
mod sqs;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use pitpet_chain::hash::RulesHash;
use pitpet_chain_host::Releases;
use pitpet_pipeline::head::{read_founding, read_head};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::Consistency;
use pitpet_simulator::Player;
use pitpet_simulator::town::{QUICK, checkpoint_key, found_with, genesis};
use runtime_api::RuntimeApi;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_package_mines_an_event() {
    let package = PathBuf::from(std::env::var_os("PITPET_PACKAGE").expect("PITPET_PACKAGE names a folder"));
    let runner = std::env::var("PITPET_RUNNER").unwrap_or_default();
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, table) = runtime_api::table().await;
    let rules = RulesHash(Releases::latest().expect("a released module").0);
    let genesis = genesis(QUICK, 1);
    // The native rules decide as the module does.
    found_with(&table, "town", &genesis, &NativeHost, rules).await.expect("founded");
    let founding = read_founding(&table, &genesis.kennel()).await.expect("it is there");
    let head = read_head(&table, &founding, Consistency::Strong).await.expect("a head");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let mut anna = Player::of(&founding, 1, u64::try_from(now).expect("this age"));
    let entries = vec![anna.birth("Kitty", head.hash)];
    let birth = Message { version: 1, kennel: founding.kennel, entries }.write();

    let key_file = folder.path().join("checkpoint.key");
    std::fs::write(&key_file, hex::encode(checkpoint_key().to_bytes())).expect("a key file");
    let mut variables = runtime_api::variables(&engine, folder.path());
    variables.extend([
        ("PITPET_CHECKPOINT_KEY_FILE", key_file.display().to_string()),
        // As `infra/lib/pipeline.ts` tells it: within the package.
        ("LAMBDA_TASK_ROOT", package.display().to_string()),
        ("PITPET_ARTEFACTS", "artefacts".to_owned()),
        ("PITPET_QUEUE_URL", "http://127.0.0.1:9/123456789012/pitpet.fifo".to_owned()),
        ("PITPET_DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:9/123456789012/dead.fifo".to_owned()),
        ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9".to_owned()),
    ]);
    let mut api = RuntimeApi::start().await;
    let bootstrap = package.join("bootstrap");
    let mut words = runner.split_whitespace();
    let command = match words.next() {
        None => tokio::process::Command::new(bootstrap),
        Some(program) => {
            let mut command = tokio::process::Command::new(program);
            command.args(words).arg(bootstrap);
            command
        }
    };
    let _function = api.spawn_by(command, &variables);
    assert_eq!(api.invoke(sqs::event(&[birth])).await, json!({ "batchItemFailures": [] }));
    let head = read_head(&table, &founding, Consistency::Strong).await.expect("a head");
    assert_eq!((head.height, head.published_height, head.summary.totals.living), (1, 0, 1));
    assert_eq!(head.header.rules_hash, rules);
}
