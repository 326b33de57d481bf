//! `pitpet serve --neighbours`: pets that live, and die, by themselves.

#[path = "support/load.rs"]
mod load;

use std::time::{Duration, Instant};

use load::{Load, Server};
use pitpet_pipeline::api::{EntriesView, KennelsView};

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_act_by_themselves_and_a_neglected_one_s_story_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(env!("CARGO_BIN_EXE_pitpet"), folder.path(), |command| {
        command.args(["--preset", "classic", "--neighbours", "4", "--pace-ms", "20"]);
    });
    let load = Load { http: reqwest::Client::new(), url: server.url.clone() };
    let kennels: KennelsView = load.get("/v1/kennels").await;
    assert_eq!(kennels.kennels.iter().map(|kennel| kennel.label.as_str()).collect::<Vec<_>>(), ["classic"]);
    let page = |path: &str| {
        let request = load.http.get(format!("{}{path}", server.url));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    assert!(page("/").await.contains("class=\"demo\""), "every page says what this is");
    // At most as long as is promised, and in a fraction of it unless the machine is very busy.
    let until = Instant::now() + Duration::from_secs(180);
    let kept = loop {
        assert!(Instant::now() < until, "no story has ended");
        let feed: EntriesView = load.get("/v1/feed?limit=100").await;
        let mut kept = None;
        for birth in feed.entries.iter().filter(|entry| entry.kind == "birth") {
            let events: EntriesView = load.get(&format!("/v1/pets/{}/events", birth.id)).await;
            if events.entries.iter().any(|entry| entry.kind == "keepsake") {
                kept = Some((birth.clone(), events));
            }
        }
        if let Some(kept) = kept {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (birth, events) = kept;
    assert_eq!(birth.pet_name.as_deref(), Some("Pebble"), "the first to be neglected");
    assert!(events.entries.iter().all(|entry| !matches!(entry.kind.as_str(), "pat" | "share" | "comment")));
    let html = page(&format!("/pet/{}", birth.id)).await;
    assert!(html.contains("class=\"ticket\""), "its page shows the keepsake");
}
