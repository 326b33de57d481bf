//! Reporting, hiding, handing over the office, and erasing, by the command line on the real service.

use crate::runner::Runner;
use crate::village::Village;

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_reported_hidden_shown_again_and_erased() {
    let village = Village::start(|_| ()).await;
    let runner = Runner::new(&village.server.url);
    let folder = village.folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let data = folder.to_str().unwrap().to_owned();
        let key = folder.join("keys/moderator.key");
        let key = key.to_str().unwrap().to_owned();
        moderated(&runner, &data, &key);
    })
    .await
    .unwrap();
}

fn moderated(runner: &Runner, data: &str, key: &str) {
    let photo = runner.file("cat.png", include_bytes!("../../assets/chelsea.png"));
    for name in ["bella", "carla"] {
        assert_eq!(runner.account(name).code, 0);
        let birth = ["birth", "--photo", photo.to_str().unwrap(), "--name", name, "--kennel", "alley"];
        assert_eq!(runner.act(name, &birth).code, 0);
    }
    let post = runner.act("bella", &["post", "--text", "Rosebud for sale", "--tag", "ad"]).id();
    let feed = || runner.run(&["feed", "--kennel", "alley"]).out;
    assert!(feed().contains("Rosebud for sale"));

    // Reported.
    let reported = runner.act("carla", &["report", &post, "--reason", "spam"]);
    assert_eq!(reported.json()["reason"], "spam");
    let queue = runner.run(&["moderate", "queue"]).out;
    assert!(queue.contains("post of 1 reporter (1 spam)") && queue.contains("Rosebud for sale"), "{queue}");
    let dull = runner.act("carla", &["report", &post, "--reason", "dull"]);
    assert_eq!(dull.code, 2);
    assert!(dull.err.contains("possible values: spam"), "{}", dull.err);

    // Hidden by whoever holds the key, and by nobody else.
    let hide = |account: &str, more: &[&str]| {
        let args = ["moderate", "hide", &post, "--reason", "Advertising"];
        runner.act(account, &[&args, more].concat())
    };
    let refused = hide("carla", &[]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("not the key of a moderator") || refused.err.contains("moderator"),
        "{}",
        refused.err
    );
    assert_eq!(hide("carla", &["--key", key]).json()["status"], "mined");
    let verified = runner.run(&["verify", "--kennel", "alley"]);
    assert!(
        verified.out.contains("0 missing; 0 events have none; 1 hidden by moderators"),
        "{}",
        verified.out
    );
    assert!(!feed().contains("Rosebud"), "{}", feed());
    assert!(feed().contains("hidden by a moderator: Advertising"), "{}", feed());
    assert!(runner.run(&["moderate", "queue"]).out.contains("Nothing waits"));
    assert!(runner.run(&["moderate", "log"]).out.contains("post hidden: Advertising"));

    // The office changes hands.
    let shown = runner.run(&["account", "show", "carla"]).out;
    let carla = shown.lines().find_map(|line| line.trim().strip_prefix("key ")).expect("a key").trim();
    let held = runner.run(&["moderate", "log", "--json"]).json();
    assert_eq!(held["entries"][0]["verdict"], "hide");
    let before = runner.run(&["admin", "moderators", "--kennel", "alley", "--json"]).json();
    let old = before["kennels"][0]["moderators"][0].as_str().expect("one").to_owned();
    let change =
        ["admin", "moderators", "--kennel", "alley", "--add", carla, "--remove", &old, "--data-dir", data];
    assert_eq!(runner.run(&change).code, 0);
    let after = runner.run(&["admin", "moderators", "--kennel", "alley", "--json"]).json();
    assert_eq!(after["kennels"][0]["moderators"], serde_json::json!([carla]));
    let show = ["moderate", "show", &post, "--reason", "It is a film"];
    let dismissed = runner.act("bella", &[&show[..], &["--key", key]].concat());
    assert_eq!(dismissed.code, 1, "the old key is nobody's any more: {}", dismissed.err);
    assert_eq!(runner.act("carla", &show).json()["status"], "mined");
    assert!(feed().contains("Rosebud for sale"));

    // Erased, by who wrote it and by nobody else.
    let stranger = runner.act("carla", &["erase", &post]);
    assert_eq!(stranger.code, 1);
    assert!(stranger.err.contains("written by another account"), "{}", stranger.err);
    assert_eq!(runner.act("bella", &["erase", &post]).json()["event"], post);
    assert!(!feed().contains("Rosebud"));
    assert!(runner.run(&["event", &post]).out.contains("text: erased"));
    let ledger = runner.home().join("alley.pitpet");
    let ledger = ledger.to_str().unwrap();
    assert_eq!(runner.run(&["export", "--kennel", "alley", "--out", ledger]).code, 0);
    let verified = runner.run(&["verify", ledger]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(verified.out.contains("1 erased, 0 missing"), "{}", verified.out);

    // The law's way, which takes the photo too.
    let pet = runner.run(&["feed", "--kennel", "alley", "--json"]).json();
    let entries = pet["entries"].as_array().expect("entries").clone();
    let birth = entries.iter().find(|entry| entry["kind"] == "birth").expect("a birth");
    let birth = birth["id"].as_str().expect("an id");
    let erased = runner.run(&["admin", "erase", birth, "--data-dir", data]);
    assert_eq!(erased.code, 0, "{}", erased.err);
    assert!(erased.out.contains("Its photo is erased too"), "{}", erased.out);
    assert!(runner.run(&["pet", birth]).out.contains("(name erased)"));
}
