//! Founding a kennel, cut short at every write.

use std::sync::Arc;

use pitpet_pipeline::founding::Foundings;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::TableError;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::FaultyTable;
use pitpet_simulator::town::{QUICK, RULES, found_with, genesis};
use pitpet_simulator::{Fault, Faults, MemoryTable};

async fn found(table: &Arc<MemoryTable>, faults: &Arc<Faults>, number: u8) -> Result<(), TableError> {
    let faulty = FaultyTable::new(table.clone(), faults.clone());
    found_with(&faulty, "town", &genesis(QUICK, number), &NativeHost, RULES).await
}

#[tokio::test]
async fn a_listed_kennel_is_whole() {
    let counted = Faults::none();
    found(&Arc::default(), &counted, 1).await.expect("a free label");
    for write in 0..counted.writes() {
        for fault in [|| Fault::CrashBefore, || Fault::CrashAfter, || Fault::AnswerLost] {
            let table: Arc<MemoryTable> = Arc::default();
            let _ = found(&table, &Faults::at_write(write, fault), 1).await;
            let listed = Foundings::new(table.clone()).list().await.expect("the list is whole");
            // A server that starts again founds another one, for it has new random bytes.
            if listed.is_empty() {
                found(&table, &Faults::none(), 2).await.expect("the label is free");
            }
            let listed = Foundings::new(table.clone()).list().await.expect("the list is whole");
            assert_eq!(listed.len(), 1);
            audit(&table, &listed[0], Published::Whole).await;
        }
    }
}

#[tokio::test]
async fn a_label_is_taken_once() {
    let table: Arc<MemoryTable> = Arc::default();
    found(&table, &Faults::none(), 1).await.expect("a free label");
    found(&table, &Faults::none(), 1).await.expect("the same kennel again");
    let before = table.all();
    assert!(matches!(found(&table, &Faults::none(), 2).await, Err(TableError::Conflict)));
    assert_eq!(table.all(), before, "nothing of the second one was written");
}
