//! Bad input over HTTP: each has its own clear answer and leaves nothing in the queue.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::body::Body;
use pitpet_chain::codec::{Bytes, encode};
use pitpet_chain::event::{Payload, SignedParts};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, EventId, KennelId, PublicKey};
use pitpet_chain::limits;
use pitpet_chain::request::{Request, Wish};
use pitpet_pipeline::api::{Problem, Submissions, SubmittedEvents, SubmittedRequest};
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse, REQUEST_BYTES_MAX};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::ports::{OutgoingMessage, Queue, QueueError};
use pitpet_simulator::town::{QUICK, id_of, key, submitted};
use pitpet_simulator::{Fault, Faults, Player, Town};
use serde_json::{Value, json};

/// A town whose stamps cost a little, so that one can be missing.
async fn town() -> Town {
    Town::found(Parameters { stamp_bits: 8, birth_bits: 8, ..QUICK }).await
}

async fn post(town: &Town, body: impl Into<Vec<u8>>) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: "/v1/events".to_owned(),
        content_type: Some("application/json; charset=utf-8".to_owned()),
        body: body.into(),
        ..HttpRequest::default()
    };
    http::ingest(&town.ingest(), &request).await
}

async fn post_json(town: &Town, value: &impl serde::Serialize) -> HttpResponse {
    post(town, serde_json::to_vec(value).expect("JSON")).await
}

fn problem(response: &HttpResponse) -> Problem {
    assert_eq!(response.headers["content-type"], "application/problem+json");
    let problem: Problem = serde_json::from_slice(&response.body).expect("a problem document");
    assert_eq!(problem.status, response.status);
    problem
}

/// Asserts status, name and field of the answer, and that nothing was queued.
fn refused(town: &Town, what: &str, response: &HttpResponse, expected: (u16, &str, &str)) {
    let problem = problem(response);
    let name = problem.kind.strip_prefix("/problems/").expect("a name");
    assert_eq!((problem.status, name, problem.field.as_deref().unwrap_or_default()), expected, "{what}");
    assert!(problem.detail.len() > 10, "{what}: it says what is wrong");
    assert!(town.queue.is_empty(), "{what}: nothing is queued");
}

/// An event's bytes with one thing about them changed before it is signed.
fn altered(player: &mut Player, alter: impl FnOnce(&mut pitpet_chain::event::Event)) -> Entry {
    let mut event = player.event(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 });
    alter(&mut event);
    event.seal_stamp(&player.parameters);
    Entry { event: Bytes(event.sign(&player.key)), body: None }
}

#[tokio::test]
async fn a_good_event_is_queued_once_the_queue_has_it() {
    let town = town().await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let response = post_json(&town, &submitted(&birth)).await;
    assert_eq!(response.status, 202);
    let answer: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!(answer, json!({ "id": id_of(&birth).to_string(), "status": "queued" }));
    assert_eq!(response.headers["location"], format!("/v1/events/{}", id_of(&birth)));
    assert_eq!(town.queue.len(), 1);
    assert_eq!(post_json(&town, &submitted(&birth)).await.status, 202);
    assert_eq!(town.queue.len(), 1, "a repeated POST is one message");
    town.mine_all(&town.miner()).await;
    assert_eq!(town.head().await.height, 1);
}

#[tokio::test]
async fn bad_events_are_refused_by_name() {
    let town = town().await;
    let now_ms = pitpet_simulator::town::FOUNDED_MS;
    let mut anna = Player::new(&town, 1);
    let good = altered(&mut anna, |_| ());
    let bytes = good.event.0.clone();
    let raw = |bytes: Vec<u8>| Entry { event: Bytes(bytes), body: None };
    let unsigned = |event: &pitpet_chain::event::Event, signature| {
        raw(encode(&SignedParts { unsigned: Bytes(encode(event)), signature }))
    };
    let other_domain = {
        let event = anna.event(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 });
        use ed25519_dalek::Signer as _;
        let domain = [b"another.domain\0".as_slice(), &event.id().0].concat();
        unsigned(&event, anna.key.sign(&domain).to_bytes())
    };
    let weak = {
        let mut event = anna.event(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 });
        event.stamp = (0..)
            .find(|stamp| {
                event.stamp = *stamp;
                event.work() < 8
            })
            .expect("most are");
        raw(event.sign(&anna.key))
    };
    let forged = {
        let event = anna.event(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 });
        raw(event.sign(&key(99)))
    };
    let mut unknown_kind = bytes.clone();
    let gift = unknown_kind.windows(3).position(|w| w == [0x83, 0x06, 0x58]).expect("the payload's head");
    unknown_kind[gift + 1] = 0x17;
    let cases: Vec<(&str, Entry, (u16, &str, &str))> = vec![
        ("oversized", raw(vec![0; limits::EVENT_BYTES_MAX + 1]), (413, "too-large", "event")),
        ("truncated", raw(bytes[..bytes.len() - 1].to_vec()), (400, "malformed", "event")),
        ("empty", raw(Vec::new()), (400, "malformed", "event")),
        ("trailing", raw([bytes.as_slice(), &[0]].concat()), (400, "malformed", "event")),
        ("unknown kind", raw(unknown_kind), (400, "unknown-kind", "kind")),
        ("wrong version", altered(&mut anna, |event| event.version = 2), (400, "wrong-version", "version")),
        ("wrong domain", other_domain, (422, "bad-signature", "signature")),
        ("bad signature", forged, (422, "bad-signature", "signature")),
        (
            "wrong kennel",
            altered(&mut anna, |event| event.kennel = KennelId([3; 32])),
            (422, "wrong-kennel", "kennel"),
        ),
        (
            "expired",
            altered(&mut anna, |event| event.expires_ms = now_ms - 1),
            (422, "expired", "expires_ms"),
        ),
        (
            "expires too far ahead",
            altered(&mut anna, |event| event.expires_ms = now_ms + limits::EXPIRES_AHEAD_MS_MAX + 1),
            (422, "expires-too-far", "expires_ms"),
        ),
        ("no nonce", altered(&mut anna, |event| event.nonce = 0), (422, "nonce-range", "nonce")),
        (
            "overflow",
            altered(&mut anna, |event| {
                event.payload = Payload::Gift { pet: EventId([1; 32]).into(), amount: u64::MAX };
            }),
            (422, "amount-range", "amount"),
        ),
        (
            "nothing",
            altered(&mut anna, |event| {
                event.payload = Payload::Transfer { to: AccountId([1; 32]), amount: 0 };
            }),
            (422, "amount-range", "amount"),
        ),
        ("short stamp", weak, (422, "weak-stamp", "stamp")),
    ];
    for (what, entry, expected) in cases {
        refused(&town, what, &post_json(&town, &submitted(&entry)).await, expected);
    }
}

#[tokio::test]
async fn bad_bodies_are_refused_by_name() {
    let town = town().await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let good = submitted(&birth);
    let other = STANDARD.encode(Body::Birth { name: "Rex".into(), story: String::new() }.encode());
    let blank = anna.birth(" ", town.head().await.hash);
    let cases = [
        (
            "mismatch",
            json!({ "event": good.event, "salt": good.salt, "body": other }),
            (422, "body-mismatch", "body"),
        ),
        (
            "another salt",
            json!({ "event": good.event, "salt": STANDARD.encode([0; 32]), "body": good.body }),
            (422, "body-mismatch", "body"),
        ),
        ("no body", json!({ "event": good.event }), (400, "body-presence", "body")),
        ("no salt", json!({ "event": good.event, "body": good.body }), (400, "body-presence", "body")),
        (
            "short salt",
            json!({ "event": good.event, "salt": "AAAA", "body": good.body }),
            (400, "bad-request", "salt"),
        ),
        (
            "oversized",
            json!({ "event": good.event, "salt": good.salt, "body": STANDARD.encode(vec![0; limits::BODY_BYTES_MAX + 1]) }),
            (413, "body-too-large", "body"),
        ),
        (
            "not canonical",
            json!({ "event": good.event, "salt": good.salt, "body": "AAAA" }),
            (400, "body-malformed", "body"),
        ),
        ("blank name", serde_json::to_value(submitted(&blank)).expect("JSON"), (422, "body-field", "name")),
        ("no base64", json!({ "event": "%%%" }), (400, "bad-request", "event")),
    ];
    for (what, body, expected) in cases {
        refused(&town, what, &post_json(&town, &body).await, expected);
    }
}

#[tokio::test]
async fn bad_requests_are_refused_by_name() {
    let town = town().await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    for (what, body, expected) in [
        ("not JSON", "event=AAAA".to_owned(), (400, "not-json", "body")),
        ("nothing", String::new(), (400, "not-json", "body")),
        ("half JSON", "{\"event\":\"".to_owned(), (400, "not-json", "body")),
        ("deep lists", deep("[", "]"), (400, "not-json", "body")),
        (
            "deep records",
            format!("{}1{}", "{\"events\":".repeat(10_000), "}".repeat(10_000)),
            (400, "not-json", "body"),
        ),
        ("a list", "[]".to_owned(), (400, "bad-request", "body")),
        ("a number", "{\"event\":5}".to_owned(), (400, "bad-request", "event")),
        ("an unknown field", "{\"event\":\"AAAA\",\"evnet\":1}".to_owned(), (400, "bad-request", "evnet")),
        ("in a list", "{\"events\":[{\"event\":5}]}".to_owned(), (400, "bad-request", "events[0].event")),
        ("no events", "{\"events\":[]}".to_owned(), (400, "bad-request", "events")),
        ("oversized", format!("\"{}\"", "a".repeat(REQUEST_BYTES_MAX)), (413, "request-too-large", "body")),
    ] {
        refused(&town, what, &post(&town, body).await, expected);
    }
    let many = json!({ "events": vec![json!({ "event": "AAAA" }); limits::MESSAGE_EVENTS_MAX + 1] });
    refused(&town, "too many", &post_json(&town, &many).await, (400, "bad-request", "events"));
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("")] {
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: "/v1/events".to_owned(),
            content_type: content_type.map(str::to_owned),
            body: b"{\"event\":\"AAAA\"}".to_vec(),
            ..HttpRequest::default()
        };
        let response = http::ingest(&town.ingest(), &request).await;
        refused(&town, "content type", &response, (415, "content-type", "content-type"));
    }
    for (method, path, expected) in [
        ("GET", "/v1/media", (405, "method-not-allowed", "method")),
        ("DELETE", "/v1/events", (405, "method-not-allowed", "method")),
        ("POST", "/v1/nothing", (404, "not-found", "path")),
    ] {
        let request = HttpRequest { method: method.into(), path: path.into(), ..HttpRequest::default() };
        refused(&town, path, &http::ingest(&town.ingest(), &request).await, expected);
    }
}

#[tokio::test]
async fn every_write_tells_broken_json_from_json_of_another_form() {
    let town = town().await;
    let writes: Vec<&str> =
        http::ROUTES.iter().filter(|route| route.method == "POST").map(|route| route.path).collect();
    assert!(writes.contains(&"/v1/accounts") && writes.contains(&"/v1/media"), "{writes:?}");
    let asked = async |path: &str, body: &str| {
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: path.to_owned(),
            content_type: Some("application/json".to_owned()),
            body: body.as_bytes().to_vec(),
            ..HttpRequest::default()
        };
        http::ingest(&town.ingest(), &request).await
    };
    for path in writes {
        refused(&town, path, &asked(path, "{\"x\":").await, (400, "not-json", "body"));
        refused(&town, path, &asked(path, "[]").await, (400, "bad-request", "body"));
        let deep = asked(path, &format!("{}{}", "[".repeat(200), "]".repeat(200))).await;
        refused(&town, path, &deep, (400, "not-json", "body"));
        let problem: Problem = serde_json::from_slice(&deep.body).expect("a problem");
        assert!(problem.detail.contains("deeper than 128"), "{path}: {}", problem.detail);
        let unknown = asked(path, "{\"nothing-of-ours\":1}").await;
        let problem: Problem = serde_json::from_slice(&unknown.body).expect("a problem");
        assert_eq!((unknown.status, problem.kind.as_str()), (400, "/problems/bad-request"), "{path}");
        let field = problem.field.expect("a field");
        assert!(problem.detail.starts_with(&format!("{field} is ")), "{path}: {}", problem.detail);
        assert!(!problem.detail.contains("struct"), "{path}: {}", problem.detail);
    }
}

#[tokio::test]
async fn each_event_of_a_list_has_its_own_answer() {
    let town = town().await;
    let other = town.found_another("second", QUICK, 2).await;
    let (mut anna, mut carl) =
        (Player::new(&town, 1), Player::of(&other, 3, pitpet_simulator::town::FOUNDED_MS));
    let birth = anna.birth("Kitty", town.head().await.hash);
    let entries = [birth, altered(&mut anna, |event| event.expires_ms = 1), altered(&mut carl, |_| ())];
    let events = entries.iter().map(submitted).collect();
    let response = post_json(&town, &SubmittedEvents { events }).await;
    assert_eq!(response.status, 202);
    let answer: Submissions = serde_json::from_slice(&response.body).expect("submissions");
    let statuses: Vec<&str> = answer.results.iter().map(|result| result.status.as_str()).collect();
    assert_eq!(statuses, ["queued", "refused", "queued"]);
    let problem = answer.results[1].problem.as_ref().expect("a problem");
    assert_eq!(problem.kind, "/problems/expired");
    assert_eq!(answer.results[1].id, Some(id_of(&entries[1]).to_string()));
    assert_eq!(town.queue.len(), 2, "one message a kennel");
}

#[tokio::test]
async fn without_the_queue_nothing_is_accepted() {
    let town = town().await;
    let mut anna = Player::new(&town, 1);
    let event = submitted(&anna.birth("Kitty", town.head().await.hash));
    type Make = fn() -> Fault;
    for (fault, name, retry_after) in [
        ((|| Fault::RequestLost) as Make, "unavailable", "1"),
        (|| Fault::Throttled, "busy", "2"),
        (|| Fault::Refused, "unavailable", "1"),
    ] {
        let ingest = town.ingest_with(&Faults::at_write(0, fault));
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: "/v1/events".to_owned(),
            content_type: Some("application/json".to_owned()),
            body: serde_json::to_vec(&event).expect("JSON"),
            ..HttpRequest::default()
        };
        let response = http::ingest(&ingest, &request).await;
        refused(&town, "queue down", &response, (503, name, ""));
        assert_eq!(response.headers["retry-after"], retry_after);
    }
}

/// A queue that takes nothing.
struct FullQueue;

#[async_trait::async_trait]
impl Queue for FullQueue {
    async fn send(&self, _messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>> {
        panic!("it said that it has no room");
    }

    async fn has_room(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_flood_is_refused_before_signatures_cost_anything() {
    let town = town().await;
    let mut anna = Player::new(&town, 1);
    let birth = submitted(&anna.birth("Kitty", town.head().await.hash));
    let mut forged = birth.clone();
    let mut bytes = STANDARD.decode(&forged.event).expect("base64");
    *bytes.last_mut().expect("a signature") ^= 1;
    forged.event = STANDARD.encode(bytes);
    let mut unreadable = birth.clone();
    unreadable.event = "AAAA".to_owned();
    let ingest =
        Ingest::new(town.table.clone(), Arc::new(FullQueue), town.objects.clone(), town.clock.clone());
    let results = ingest.submit(vec![birth, forged, unreadable], &mut ingest.counting()).await;
    let found: Vec<_> = results
        .expect("a list of events")
        .into_iter()
        .map(|result| result.expect_err("the queue is full"))
        .map(|(id, problem)| (id.is_some(), problem.kind))
        .collect();
    let expected = [(true, "/problems/busy"), (true, "/problems/busy"), (false, "/problems/malformed")];
    assert_eq!(found, expected.map(|(named, kind)| (named, kind.to_owned())));
}

pub(crate) fn request(seed: u8, wish: Wish, expires_ms: u64) -> SubmittedRequest {
    let key = key(seed);
    let public = PublicKey(key.verifying_key().to_bytes());
    let request =
        Request { version: 1, account: AccountId::of(&public), key: public, expires_ms, wish, stamp: 0 };
    SubmittedRequest { request: STANDARD.encode(request.sign(&key)) }
}

async fn ask(town: &Town, path: &str, submitted: &SubmittedRequest) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: serde_json::to_vec(submitted).expect("JSON"),
        ..HttpRequest::default()
    };
    http::ingest(&town.ingest(), &request).await
}

#[tokio::test]
async fn names_go_to_whoever_comes_first() {
    let town = town().await;
    let soon = pitpet_simulator::town::FOUNDED_MS + 60_000;
    let name = |name: &str| Wish::Name { name: name.to_owned() };
    let first = ask(&town, "/v1/accounts", &request(1, name("anna"), soon)).await;
    assert_eq!(first.status, 201);
    let again = ask(&town, "/v1/accounts", &request(1, name("anna"), soon)).await;
    assert_eq!((again.status, &again.body), (201, &first.body), "asking again is no fault");
    let second = ask(&town, "/v1/accounts", &request(2, name("anna"), soon)).await;
    refused(&town, "taken", &second, (409, "name-taken", "name"));
    let view = town.queries().account("anna").await.expect("it is registered");
    assert_eq!(view.names, ["anna"]);
    assert_eq!(view.id, Player::new(&town, 1).account().to_string());
    for (what, submitted, expected) in [
        ("capitals", request(2, name("Anna"), soon), (422, "bad-name", "name")),
        ("expired", request(2, name("bert"), 1), (422, "expired", "expires_ms")),
        ("far ahead", request(2, name("bert"), soon + 600_000), (422, "expired", "expires_ms")),
        ("rubbish", SubmittedRequest { request: "AAAA".into() }, (400, "malformed", "request")),
    ] {
        refused(&town, what, &ask(&town, "/v1/accounts", &submitted).await, expected);
    }
}

#[tokio::test]
async fn an_upload_is_noted_before_its_ticket_is_given() {
    let town = town().await;
    let soon = pitpet_simulator::town::FOUNDED_MS + 60_000;
    let upload =
        |size, content_type: &str| Wish::Upload { sha256: [5; 32], size, content_type: content_type.into() };
    let response = ask(&town, "/v1/media", &request(1, upload(100, "image/png"), soon)).await;
    assert_eq!(response.status, 200);
    let noted = pitpet_pipeline::items::upload(pitpet_simulator::town::FOUNDED_MS / 86_400_000, &[5; 32]);
    assert!(town.table.all().contains_key(&noted), "so that the reaper finds it");
    let large = request(1, upload(limits::PHOTO_BYTES_MAX + 1, "image/png"), soon);
    refused(&town, "large", &ask(&town, "/v1/media", &large).await, (413, "photo-too-large", "size"));
    let gif = request(1, upload(10, "image/gif"), soon);
    refused(&town, "gif", &ask(&town, "/v1/media", &gif).await, (422, "bad-request", "content_type"));
    let name = request(1, Wish::Name { name: "anna".into() }, soon);
    refused(&town, "a name", &ask(&town, "/v1/media", &name).await, (400, "bad-request", "request"));
}
