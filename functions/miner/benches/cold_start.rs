//! From spawn to the first answer, against a hosted Runtime API: the miner as it is deployed,
//! which reads the head, opens the kennel, mines an event and commits it, and beside it a function
//! that does nothing. The table is warm: it runs, with a kennel of some blocks in it.
//!
//! `cargo bench -p pitpet-miner --bench cold_start -- [RUNS] [MINER EMPTY]`; 31 runs of each by
//! default, turn about. Unless both binaries are named, they are built with the profile `lambda`,
//! which takes minutes the first time.

#[path = "../tests/support/runtime_api.rs"]
mod runtime_api;
#[path = "../tests/support/sqs.rs"]
mod sqs;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pitpet_chain::hash::RulesHash;
use pitpet_chain_host::{ArtefactCache, Host, Releases, Settings, Target};
use pitpet_miner::WasmModules;
use pitpet_pipeline::head::{read_founding, read_head};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::ports::Consistency;
use pitpet_simulator::Player;
use pitpet_simulator::town::{QUICK, checkpoint_key, found_with, genesis};
use runtime_api::RuntimeApi;
use serde_json::{Value, json};

/// Says where both binaries are; those that are not named are built, without this bench's own
/// dependencies.
fn binaries() -> [PathBuf; 2] {
    let named: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--") && argument.parse::<usize>().is_err())
        .map(PathBuf::from)
        .collect();
    if let Ok(both) = named.try_into() {
        return both;
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--profile", "lambda", "-p", "pitpet-miner", "--features", "peer", "--bins"])
        .current_dir(&workspace)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the functions don't build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    ["pitpet-miner", "empty-lambda"].map(|name| target.join("lambda").join(name))
}

async fn first_answer(binary: &Path, variables: &[(&str, String)], event: Value) -> Duration {
    let mut api = RuntimeApi::start().await;
    let begin = Instant::now();
    let _function = api.spawn(binary.to_str().expect("a path in UTF-8"), variables);
    let answer = api.invoke(event).await;
    let took = begin.elapsed();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    took
}

/// The quartiles, in milliseconds.
fn quartiles(times: &mut [Duration]) -> [f64; 3] {
    times.sort();
    [1, 2, 3].map(|quarter| times[times.len() * quarter / 4].as_secs_f64() * 1e3)
}

#[tokio::main]
async fn main() {
    let runs: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(31);
    let [miner, empty] = binaries();
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, table) = runtime_api::table().await;
    let host = Host::compiling(Target::host().expect("a known machine"), Settings::default());
    let modules =
        WasmModules::new(host, Releases::embedded(), ArtefactCache::new(folder.path().join("artefacts")));
    let rules = RulesHash(Releases::latest().expect("a released module").0);
    let genesis = genesis(QUICK, 1);
    found_with(&table, "town", &genesis, &modules, rules).await.expect("founded");
    let founding = read_founding(&table, &genesis.kennel()).await.expect("it is there");
    let key_file = folder.path().join("checkpoint.key");
    std::fs::write(&key_file, hex::encode(checkpoint_key().to_bytes())).expect("a key file");
    let mut variables = runtime_api::variables(&engine, folder.path());
    variables.extend([
        ("PITPET_CHECKPOINT_KEY_FILE", key_file.display().to_string()),
        ("PITPET_ARTEFACTS", folder.path().join("artefacts").display().to_string()),
        ("PITPET_QUEUE_URL", "http://127.0.0.1:9/123456789012/pitpet.fifo".to_owned()),
        ("PITPET_DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:9/123456789012/dead.fifo".to_owned()),
        ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9".to_owned()),
    ]);

    let (mut mining, mut idle) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        let head = read_head(&table, &founding, Consistency::Strong).await.expect("a head");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let seed = u8::try_from(run % 256).expect("below 256");
        let mut player = Player::of(&founding, seed, u64::try_from(now).expect("this age"));
        let entries = vec![player.birth(&format!("Pet {run}"), head.hash)];
        let birth = Message { version: 1, kennel: founding.kennel, entries }.write();
        let mined = first_answer(&miner, &variables, sqs::event(std::slice::from_ref(&birth))).await;
        let height = read_head(&table, &founding, Consistency::Strong).await.expect("a head").height;
        assert_eq!(height, head.height + 1, "the event was mined");
        let nothing = first_answer(&empty, &variables, sqs::event(&[birth])).await;
        // The first pair fills the file cache.
        if run > 0 {
            mining.push(mined);
            idle.push(nothing);
        }
    }
    let ([low, median, high], [empty_low, empty_median, empty_high]) =
        (quartiles(&mut mining), quartiles(&mut idle));
    println!("{runs} runs of each; milliseconds from spawn to the first answer: median (quartiles)");
    println!("miner, with an event mined and committed   {median:.1} ({low:.1}, {high:.1})");
    println!(
        "a function that does nothing               {empty_median:.1} ({empty_low:.1}, {empty_high:.1})"
    );
    println!("beyond the empty function                  {:.1}", median - empty_median);
}
