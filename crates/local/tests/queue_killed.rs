//! The queue under `kill -9`: what was answered is there afterwards, once, and in order.
//!
//! The test starts itself again as a child that sends, receives and deletes, and reports each
//! answered call on its standard output; it kills the child without warning, reads what had been
//! reported, and opens the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use pitpet_local::queue::{FifoQueue, InterruptedReceives, QueueSettings, Settled, Settlement};
use pitpet_pipeline::ports::OutgoingMessage;

/// Tells the child which file to use, and thereby that it is the child.
const FILE: &str = "PITPET_TEST_QUEUE_FILE";

/// Tells the child how its messages begin.
const LIFE: &str = "PITPET_TEST_QUEUE_LIFE";

const NOW_MS: u64 = 1_700_000_000_000;
const LIVES: u32 = 5;
const SENDERS: u32 = 16;

/// How many sends are answered before the kill.
const SENDS_A_LIFE: usize = 500;

fn open(path: &Path) -> FifoQueue {
    FifoQueue::open(path, QueueSettings::default()).expect("the file opens after a kill")
}

/// Prints a line in one write, so that a kill can't cut a reported one.
fn report(line: String) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).expect("the parent listens");
    out.flush().expect("the parent listens");
}

/// The child: it does nothing unless the parent has named a file.
#[test]
fn child() {
    let (Ok(path), Ok(life)) = (std::env::var(FILE), std::env::var(LIFE)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        // Ends the line that the harness has begun.
        report(String::new());
        let queue = open(Path::new(&path));
        for sender in 0..SENDERS {
            let (queue, life) = (queue.clone(), life.clone());
            tokio::spawn(async move {
                for number in 0u64.. {
                    let body = format!("{life}-{sender:02}-{number:08}");
                    let message = OutgoingMessage {
                        group: format!("g{sender:02}"),
                        deduplication: body.clone(),
                        body: body.clone(),
                    };
                    queue.send(vec![message], NOW_MS).await.remove(0).expect("a good message");
                    report(format!("sent {body}"));
                }
            });
        }
        // A slow consumer, so that the kill also meets deliveries and deletions.
        loop {
            let received = queue.receive(3, NOW_MS).await.expect("the file is good");
            for message in received.messages {
                // Before the call: a deletion may hold without having been answered.
                report(format!("deleting {}", message.body));
                let settled = queue.delete(&message.receipt, NOW_MS).await;
                assert_eq!(settled.expect("the file is good"), Settled::Done);
                report(format!("deleted {}", message.body));
            }
        }
    });
}

/// What a life reported before it was killed.
#[derive(Default)]
struct Reported {
    sent: Vec<String>,
    deleting: BTreeSet<String>,
    deleted: BTreeSet<String>,
}

fn live_and_be_killed(path: &Path, life: u32) -> Reported {
    let mut child = Command::new(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(LIFE, life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the test starts itself");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut reported = Reported::default();
    for line in lines {
        let line = line.expect("the child writes text");
        match line.split_once(' ') {
            Some(("sent", body)) => reported.sent.push(body.to_owned()),
            Some(("deleting", body)) => drop(reported.deleting.insert(body.to_owned())),
            Some(("deleted", body)) => drop(reported.deleted.insert(body.to_owned())),
            // The harness's own lines.
            _ => continue,
        }
        if reported.sent.len() == SENDS_A_LIFE {
            // SIGKILL. What is still in the pipe was reported before it, so reading goes on.
            child.kill().expect("the child still runs");
        }
    }
    child.wait().expect("the child has ended");
    assert!(reported.sent.len() >= SENDS_A_LIFE, "the child ended by itself");
    reported
}

/// Receives and deletes everything; returns the bodies of each group in their order.
async fn drain(queue: &FifoQueue) -> BTreeMap<String, Vec<String>> {
    let mut bodies: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let received = queue.receive(10, NOW_MS).await.expect("the file is good");
        if received.messages.is_empty() {
            return bodies;
        }
        let mut settlements = Vec::new();
        for message in received.messages {
            bodies.entry(message.group).or_default().push(message.body);
            settlements.push(Settlement::Delete { receipt: message.receipt });
        }
        queue.settle(settlements, NOW_MS).await.expect("the file is good");
    }
}

#[tokio::test]
async fn nothing_answered_is_lost_or_reordered_by_kill_9() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queue.sqlite");
    let mut sent = BTreeSet::new();
    let mut deleting = BTreeSet::new();
    let mut deleted = BTreeSet::new();
    for life in 0..LIVES {
        let reported = live_and_be_killed(&path, life);
        sent.extend(reported.sent);
        deleting.extend(reported.deleting);
        deleted.extend(reported.deleted);
        // What was in flight belongs to nobody any more.
        let queue = open(&path);
        queue.release_in_flight(InterruptedReceives::TakeBack, NOW_MS).await.expect("the file is good");
    }

    let queue = open(&path);
    let durability = queue.durability().await.expect("the file is good");
    assert!(durability.survives_power_cut(), "{durability:?}");
    let groups = drain(&queue).await;
    let found: BTreeSet<&String> = groups.values().flatten().collect();
    assert_eq!(found.len(), groups.values().map(Vec::len).sum::<usize>(), "each comes once");
    for bodies in groups.values() {
        assert!(bodies.is_sorted(), "a group's order is that of its sends: {bodies:?}");
    }
    for body in &sent {
        assert!(found.contains(body) || deleting.contains(body), "{body} was answered and is lost");
    }
    for body in &deleted {
        assert!(!found.contains(body), "{body} was deleted and is back");
    }
    assert!(!deleted.is_empty(), "the kills met deletions");
}

#[tokio::test]
async fn a_second_opener_is_refused_and_settings_are_durable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queue.sqlite");
    let queue = open(&path);
    let durability = queue.durability().await.expect("the file is good");
    assert_eq!((durability.journal_mode.as_str(), durability.synchronous), ("wal", 2));
    let second = FifoQueue::open(&path, QueueSettings::default());
    assert!(second.is_err(), "two consumers would break the order of groups");
}
