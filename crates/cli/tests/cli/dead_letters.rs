//! Dead letters of a service on this machine: looked at, and sent to be mined again.

use std::time::{Duration, Instant};

use pitpet_cli::client::now_ms;
use pitpet_local::queue::{FifoQueue, QueueSettings};
use pitpet_pipeline::ports::OutgoingMessage;
use serde_json::json;

use super::nowhere;
use super::runner::Runner;
use super::service::Service;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_dead_letters_and_sends_them_back() {
    let home = Runner::new(&nowhere());
    let data = home.home().join("data");
    std::fs::create_dir(&data).unwrap();
    let queue = FifoQueue::open(&data.join("queue.db"), QueueSettings::default()).unwrap();
    let rubbish = OutgoingMessage {
        group: "ab".repeat(32),
        deduplication: "1".to_owned(),
        body: "no message".to_owned(),
    };
    let sent_ms = now_ms();
    queue.bury(rubbish.clone(), sent_ms).await.unwrap();
    drop(queue);
    let (_service, url) = Service::start(&home);
    let runner = home.at(&url);
    let admin = |command: &str| runner.run(&["admin", command, "--data-dir", "data"]);
    let shown = admin("dead-letters");
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.starts_with("1 dead letter; the first 1000 at most\n"), "{}", shown.out);
    assert!(shown.out.contains("group abababababababab…, no message of PitPet, 10 bytes"), "{}", shown.out);
    let letters = || runner.run(&["admin", "dead-letters", "--data-dir", "data", "--json"]).json();
    let before = letters();
    let id = before[0]["id"].clone();
    assert_eq!(
        before,
        json!([{ "id": id, "kennel": rubbish.group, "sent_ms": sent_ms, "bytes": 10, "events": null }])
    );
    let redriven = admin("redrive");
    assert_eq!((redriven.code, redriven.out.trim()), (0, "Back in the queue: 1 message"));
    // It is as little of a message as before, so that the miner sets it aside again, as a new letter.
    let asked = Instant::now();
    loop {
        let now = letters();
        if now[0]["id"].is_string() && now[0]["id"] != id {
            break;
        }
        assert!(asked.elapsed() < Duration::from_secs(60), "it was not mined: {now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody but the operator.
    std::fs::write(data.join("keys/admin.token"), "0".repeat(64)).unwrap();
    assert_eq!(admin("dead-letters").code, 1);
    assert_eq!(admin("redrive").code, 1);
}
