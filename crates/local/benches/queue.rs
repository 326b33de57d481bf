//! How many durable sends and deliveries the embedded queue does a second.
//!
//! Prints the median of several rounds. The ratio to one sender alone, who pays a commit for each
//! message, is what group commit gains.

use std::path::Path;
use std::time::Instant;

use pitpet_local::queue::{FifoQueue, QueueSettings, Settlement};
use pitpet_pipeline::ports::OutgoingMessage;

const ROUNDS: usize = 5;
const SENDERS: usize = 64;
const MESSAGES_A_SENDER: usize = 100;
const BODY_BYTES: usize = 1_024;
const BACKLOG: usize = 100_000;
const NOW_MS: u64 = 1_700_000_000_000;

fn message(group: usize, number: usize) -> OutgoingMessage {
    OutgoingMessage {
        group: format!("kennel-{}", group % 4),
        deduplication: format!("{group}-{number}"),
        body: "x".repeat(BODY_BYTES),
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn open(folder: &Path, round: usize) -> FifoQueue {
    FifoQueue::open(&folder.join(format!("{round}.sqlite")), QueueSettings::default()).expect("a new queue")
}

async fn send(queue: &FifoQueue, messages: Vec<OutgoingMessage>) {
    for outcome in queue.send(messages, NOW_MS).await {
        outcome.expect("the queue takes a good message");
    }
}

async fn concurrent_sends(queue: &FifoQueue, senders: usize, each: usize) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..senders)
        .map(|sender| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for number in 0..each {
                    send(&queue, vec![message(sender, number)]).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a sender ends well");
    }
    (senders * each) as f64 / start.elapsed().as_secs_f64()
}

/// Receives and deletes so many messages in batches of ten.
async fn deliveries(queue: &FifoQueue, count: usize) -> f64 {
    let start = Instant::now();
    let mut delivered = 0;
    while delivered < count {
        let received = queue.receive(10, NOW_MS).await.expect("the file is good");
        assert!(!received.messages.is_empty(), "the queue is empty");
        delivered += received.messages.len();
        let settlements = received
            .messages
            .into_iter()
            .map(|message| Settlement::Delete { receipt: message.receipt })
            .collect();
        queue.settle(settlements, NOW_MS).await.expect("the file is good");
    }
    delivered as f64 / start.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    // On the disk of the build folder: the temporary folder may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let (mut alone, mut together, mut shallow, mut deep) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let queue = open(folder.path(), round);
        alone.push(concurrent_sends(&queue, 1, 200).await);
        drop(queue);
        let queue = open(folder.path(), ROUNDS + round);
        together.push(concurrent_sends(&queue, SENDERS, MESSAGES_A_SENDER).await);
        shallow.push(deliveries(&queue, 2_000).await);
    }
    let queue = open(folder.path(), 2 * ROUNDS);
    for chunk in 0..BACKLOG / 1_000 {
        let messages = (0..1_000).map(|number| message(number, 1_000 * chunk + number));
        send(&queue, messages.collect()).await;
    }
    for _ in 0..ROUNDS {
        deep.push(deliveries(&queue, 2_000).await);
    }
    let (alone, together) = (median(alone), median(together));
    let (shallow, deep) = (median(shallow), median(deep));
    println!("durable sends, 1 sender            {alone:8.0} a second");
    println!("durable sends, {SENDERS} senders          {together:8.0} a second");
    println!("  ratio                            {:8.1}", together / alone);
    println!("deliveries, 6,400 waiting          {shallow:8.0} a second");
    println!("deliveries, 100,000 waiting        {deep:8.0} a second");
    println!("  ratio                            {:8.2}", deep / shallow);
    let durability = queue.durability().await.expect("the file is good");
    println!("{durability:?}");
}
