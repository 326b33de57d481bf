//! What the table costs on the embedded engine, on disk, over loopback: medians, one client.
//!
//! `synchronous` is read back from a second connection of this process, because the engine's own
//! is out of reach: the engine never sets it, so both have the default of the one SQLite in here.

use std::time::{Duration, Instant};

use pitpet_aws::DynamoTable;
use pitpet_aws::settings::{PublishMode, Settings};
use pitpet_pipeline::ports::{
    Attributes, Condition, Consistency, Item, Key, PublishBatch, Retry, Table, Update, Value,
};

#[path = "../tests/support/mod.rs"]
mod support;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn measure(name: &str, rounds: u64, per_round: u64, call: impl AsyncFn(u64)) -> Duration {
    let mut times = Vec::new();
    for round in 0..rounds {
        let start = Instant::now();
        call(round).await;
        times.push(start.elapsed());
    }
    let middle = median(times);
    let per_second = per_round as f64 / middle.as_secs_f64();
    println!("{name:<58} {middle:>10.2?} {per_second:>9.0} items/s");
    middle
}

fn attributes(bytes: usize) -> Attributes {
    Attributes::from([("height".into(), Value::Number(1)), ("body".into(), Value::Bytes(vec![1; bytes]))])
}

fn raise(sk: String, to: u64) -> Update {
    Update {
        key: Key::new("guarded", sk),
        set: Attributes::from([
            ("height".into(), Value::Number(to)),
            ("body".into(), Value::Bytes(vec![2; 200])),
        ]),
        remove: Vec::new(),
        condition: Condition::Below("height", to),
        retry: Retry::Allowed,
    }
}

fn immutable(round: u64) -> PublishBatch {
    let item =
        |n| Item { key: Key::new(format!("round {round}"), format!("{n:03}")), attributes: attributes(300) };
    PublishBatch { immutable: (0..100).map(item).collect(), guarded: Vec::new() }
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("folder");
    let path = folder.path().join("table.sqlite");
    let endpoint =
        support::engine(dynoxide::Database::new(path.to_str().expect("UTF-8")).expect("engine")).await;
    let table_of = |publish| {
        let settings = Settings { publish, ..Settings::embedded(&*endpoint) };
        DynamoTable::new(&settings, "pitpet").expect("settings")
    };
    let (table, cloud) = (table_of(PublishMode::Embedded), table_of(PublishMode::Cloud));
    table.create().await.expect("create");

    let second = rusqlite::Connection::open(&path).expect("open");
    for pragma in ["journal_mode", "synchronous", "wal_autocheckpoint", "busy_timeout"] {
        let value: rusqlite::types::Value =
            second.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).expect("pragma");
        println!("PRAGMA {pragma} = {value:?}");
    }
    drop(second);

    let head = Key::new("kennel", "head");
    table.put_new(&Item { key: head.clone(), attributes: attributes(300) }).await.expect("put_new");
    measure("get", 500, 1, async |_| {
        table.get(&head, Consistency::Strong).await.expect("get");
    })
    .await;
    measure("conditional update of a head of 300 bytes", 500, 1, async |round| {
        let update = Update {
            key: head.clone(),
            set: Attributes::from([("height".into(), Value::Number(round + 2))]),
            remove: Vec::new(),
            condition: Condition::Equals("height", Value::Number(round + 1)),
            retry: Retry::Never,
        };
        table.update(&update).await.expect("update");
    })
    .await;
    measure("put_new of a block of 60 KB", 200, 1, async |round| {
        let block = Item { key: Key::new("blocks", format!("{round:06}")), attributes: attributes(60_000) };
        table.put_new(&block).await.expect("put_new");
    })
    .await;
    let transactions =
        measure("publish 100 immutable of 300 bytes, in transactions", 100, 100, async |round| {
            table.publish(&immutable(round)).await.expect("publish");
        })
        .await;
    let side_by_side = measure("publish 100 immutable of 300 bytes, side by side", 20, 100, async |round| {
        cloud.publish(&immutable(1_000 + round)).await.expect("publish");
    })
    .await;
    println!("ratio {:.1}", side_by_side.as_secs_f64() / transactions.as_secs_f64());
    let guarded = |to| PublishBatch {
        immutable: Vec::new(),
        guarded: (0..100).map(|n| raise(format!("{n:03}"), to)).collect(),
    };
    measure("publish 100 guarded, all newer, in transactions", 100, 100, async |round| {
        table.publish(&guarded(round + 1)).await.expect("publish");
    })
    .await;
    measure("publish 100 guarded, half of them skipped, in transactions", 50, 100, async |round| {
        let mut batch = guarded(1_000 + round);
        for update in batch.guarded.iter_mut().step_by(2) {
            *update = raise(update.key.sk.clone(), 1);
        }
        table.publish(&batch).await.expect("publish");
    })
    .await;
}
