//! The table adapter on the embedded engine: the port's suite in both ways to publish.

mod support;

use pitpet_aws::DynamoTable;
use pitpet_aws::settings::{PublishMode, Settings};
use pitpet_pipeline::conformance;
use pitpet_pipeline::ports::{Consistency, Key, Table, TableError};

async fn table(mode: PublishMode) -> DynamoTable {
    let endpoint = support::engine(dynoxide::Database::memory().expect("engine")).await;
    let settings = Settings { publish: mode, ..Settings::embedded(endpoint) };
    let table = DynamoTable::new(&settings, "pitpet").expect("settings");
    table.create().await.expect("create");
    table.create().await.expect("create what is there");
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_publishing_in_transactions() {
    conformance::table::all(&table(PublishMode::Embedded).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_publishing_side_by_side() {
    conformance::table::all(&table(PublishMode::Cloud).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_refused() {
    let endpoint = support::engine(dynoxide::Database::memory().expect("engine")).await;
    let table = DynamoTable::new(&Settings::embedded(endpoint), "nowhere").expect("settings");
    let outcome = table.get(&Key::new("p", "s"), Consistency::Strong).await;
    let Err(TableError::Refused { message }) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("ResourceNotFoundException"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_outlives_the_engine() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("table.sqlite");
    let path = path.to_str().expect("UTF-8");
    let key = Key::new("p", "s");
    for round in 0..2 {
        let endpoint = support::engine(dynoxide::Database::new(path).expect("engine")).await;
        let table = DynamoTable::new(&Settings::embedded(endpoint), "pitpet").expect("settings");
        table.create().await.expect("create");
        let item = pitpet_pipeline::ports::Item { key: key.clone(), attributes: Default::default() };
        let outcome = table.put_new(&item).await;
        match round {
            0 => outcome.expect("new"),
            _ => assert!(matches!(outcome, Err(TableError::Conflict)), "{outcome:?}"),
        }
    }
}
