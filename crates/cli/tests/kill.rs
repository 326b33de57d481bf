//! `kill -9` under load: no event that was answered with 202 is lost, and the ledger verifies.

#[path = "support/load.rs"]
mod load;

use std::collections::VecDeque;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use load::{BUSY, Kennel, Load, Server, pats};
use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::{Submissions, SubmittedEvent, SubmittedEvents};
use pitpet_pipeline::ports::{Consistency, Order, Query};
use pitpet_pipeline::runs;

const BINARY: &str = env!("CARGO_BIN_EXE_pitpet");

/// Kills in a row.
const KILLS: usize = 5;

/// Events acknowledged before each kill: in all more than a window takes.
const ACKNOWLEDGED_MIN: usize = 900;

/// Events in a request.
const BATCH: usize = 10;

/// Posts until the service is killed; gives back what was acknowledged. Requests are in flight at
/// the kill by construction: the senders only stop when one of their requests fails.
async fn load_until_killed(
    url: &str,
    mut server: Server,
    events: &Arc<Mutex<VecDeque<(EventId, SubmittedEvent)>>>,
) -> Vec<EventId> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let (enough, mut reached) = tokio::sync::mpsc::channel::<()>(1);
    let mut senders = Vec::new();
    for _ in 0..4 {
        let (events, acknowledged, count) = (events.clone(), acknowledged.clone(), count.clone());
        let (url, enough) = (format!("{url}/v1/events"), enough.clone());
        senders.push(tokio::spawn(async move {
            let http = reqwest::Client::new();
            loop {
                let batch: Vec<_> = {
                    let mut events = events.lock().unwrap();
                    (0..BATCH).map(|_| events.pop_front().expect("enough events were signed")).collect()
                };
                let request =
                    SubmittedEvents { events: batch.iter().map(|(_, event)| event.clone()).collect() };
                let answer = match http.post(&url).json(&request).send().await {
                    Ok(answer) => answer.json::<Submissions>().await,
                    Err(error) => Err(error),
                };
                // In doubt: the client would send it again.
                let Ok(answer) = answer else { return events.lock().unwrap().extend(batch) };
                let mut taken = 0;
                for (result, (id, event)) in answer.results.iter().zip(batch) {
                    match &result.problem {
                        None => {
                            acknowledged.lock().unwrap().push(id);
                            taken += 1;
                        }
                        Some(problem) if problem.kind == BUSY => {
                            events.lock().unwrap().push_back((id, event));
                        }
                        Some(problem) => panic!("{problem:?}"),
                    }
                }
                if count.fetch_add(taken, Ordering::SeqCst) + taken >= ACKNOWLEDGED_MIN {
                    // One place: who finds it taken isn't the first.
                    _ = enough.try_send(());
                }
            }
        }));
    }
    reached.recv().await.expect("the load goes on");
    server.child.kill().expect("SIGKILL");
    server.child.wait().expect("it ends");
    for sender in senders {
        sender.await.expect("a sender ends when its request fails");
    }
    Arc::try_unwrap(acknowledged).expect("the senders have ended").into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_kills_in_a_row_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(BINARY, folder.path());
    let load = Load { http: reqwest::Client::new(), url: server.url.clone() };
    let kennel: Kennel = load.kennel("alley", folder.path()).await;
    let count = KILLS * (ACKNOWLEDGED_MIN + 1_500);
    let posts = load.posts(&kennel, count, 1).await;
    let events: VecDeque<_> = pats(&kennel, &posts, count, 1_000).into();
    let events = Arc::new(Mutex::new(events));

    let mut acknowledged = Vec::new();
    let mut server = server;
    for _ in 0..KILLS {
        let url = server.url.clone();
        let since = load_until_killed(&url, server, &events).await;
        assert!(since.len() >= ACKNOWLEDGED_MIN);
        acknowledged.extend(since);
        server = Server::start(BINARY, folder.path());
    }

    let load = Load { http: reqwest::Client::new(), url: server.url.clone() };
    for id in &acknowledged {
        load.wait_mined(id).await;
    }
    let verified = Command::new(env!("CARGO_BIN_EXE_pitpet"))
        .args(["verify", &server.url, "--kennel", "alley"])
        .env("HOME", folder.path())
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    // The checker keeps out of a folder that is in use, and finds nothing wrong afterwards.
    let (code, text) = fsck(folder.path(), &[]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("stop it"), "{text}");
    drop(server);
    let (code, text) = fsck(folder.path(), &[]);
    assert_eq!(code, 0, "{text}");

    // What it can't find whole it names, and gives back.
    let data = pitpet_local::service::DataFolder::open(folder.path()).unwrap();
    let (from, to) = runs::bucket_range(0, None);
    let buckets = Query {
        pk: runs::place_bucket(&acknowledged[0]),
        from,
        to,
        order: Order::Ascending,
        limit: 1,
        consistency: Consistency::Strong,
    };
    let lost = data.table().query(&buckets).await.unwrap().pop().expect("a window was published").key;
    data.table().delete(&lost).await.unwrap();
    tokio::task::spawn_blocking(move || data.close()).await.unwrap();
    let (code, text) = fsck(folder.path(), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(&format!("item {} · {}: it is missing", lost.pk, lost.sk)), "{text}");
    let (code, text) = fsck(folder.path(), &["--repair"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Clean now; faults repaired: 1"), "{text}");
    assert_eq!(fsck(folder.path(), &["--json"]).0, 0);

    // A damaged file is no matter of the ledger's.
    let path = folder.path().join("table.db");
    let mut content = std::fs::read(&path).unwrap();
    content[..16].fill(0xa5);
    std::fs::write(&path, content).unwrap();
    let (code, text) = fsck(folder.path(), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("restore it from a backup"), "{text}");
}

/// Exit code and output of `pitpet fsck`.
fn fsck(folder: &std::path::Path, more: &[&str]) -> (i32, String) {
    let ran = Command::new(BINARY)
        .args(["fsck", "--data-dir"])
        .arg(folder)
        .args(more)
        .env("HOME", folder)
        .output()
        .unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.code().expect("it ends by itself"), String::from_utf8(text).unwrap())
}
