//! Every bad input over HTTP: its own answer, which names field and limit, and nothing changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use pitpet_chain::body::Body;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, SignedParts};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BirthHash, EventId, KennelId, PublicKey};
use pitpet_chain::limits;
use pitpet_pipeline::api::{KennelView, SubmittedEvent};
use pitpet_pipeline::http::REQUEST_BYTES_MAX;
use serde_json::{Value, json};

use crate::load::{key, now_ms};
use crate::village::{Answer, Village, account};

/// The status of a refusal, its problem type, the field that it names, and a part of its text.
type Answered = (u16, &'static str, &'static str, &'static str);

/// A recorded reject: its problem type, its field, and a part of its text.
type Recorded = (&'static str, &'static str, &'static str);

type Submitted = (EventId, SubmittedEvent);

const JSON: Option<&str> = Some("application/json");

/// A kennel with a pet and its posts, a visitor who has patted the last one, and a dead pet.
struct Street {
    village: Village,
    mochi: BirthHash,
    rex: BirthHash,
    last_post: (EventId, SubmittedEvent),
}

/// How long the reaper may take: far more than any machine needs.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

const OWNER: u64 = 1;
const VISITOR: u64 = 2;
const MOURNER: u64 = 3;

impl Street {
    async fn build() -> Self {
        let village = Village::start(|_| ()).await;
        let rex = village.birth(&key(MOURNER), "Rex", "").await;
        let mochi = village.birth(&key(OWNER), "Mochi", "").await;
        // One age a block: enough of them for a neglected pet to die.
        let mut last_post = village.post(&key(OWNER), 2, mochi, "Day 2");
        for nonce in 3..19 {
            village.mine(last_post).await;
            last_post = village.post(&key(OWNER), nonce, mochi, &format!("Day {nonce}"));
        }
        village.mine(last_post.clone()).await;
        let pat = Payload::Pat { post: last_post.0 };
        village.mine(village.kennel.sign(&key(VISITOR), 0, pat, None)).await;
        // The reaper ends its story, after which nothing happens by itself.
        let asked = std::time::Instant::now();
        loop {
            let pet = village.get(&format!("/v1/pets/{rex}")).await.body;
            if pet["phase"] == "ended" {
                break;
            }
            assert!(asked.elapsed() < PATIENCE, "the reaper ends no story: {pet}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Self { village, mochi, rex, last_post }
    }

    /// Head, accounts and pets as anyone sees them.
    async fn state(&self) -> Vec<Value> {
        let mut state = vec![self.village.get("/v1/kennels/alley").await.body];
        for seed in [OWNER, VISITOR, MOURNER] {
            state.push(self.village.get(&format!("/v1/accounts/{}", account(&key(seed)))).await.body);
        }
        for pet in [self.mochi, self.rex] {
            state.push(self.village.get(&format!("/v1/pets/{pet}")).await.body);
        }
        state
    }

    fn gift(&self, alter: impl FnOnce(&mut Event)) -> Event {
        let mut event = self.village.gift(&key(OWNER), self.mochi);
        alter(&mut event);
        event.seal_stamp(&self.village.kennel.genesis.parameters);
        event
    }

    fn signed(&self, alter: impl FnOnce(&mut Event)) -> Vec<u8> {
        self.gift(alter).sign(&key(OWNER))
    }
}

fn wire(event: &[u8]) -> Value {
    json!({ "event": STANDARD.encode(event) })
}

/// Asserts status, type, field and a part of the detail.
fn assert_refused(what: &str, answer: &Answer, expected: (u16, &str, &str, &str)) {
    let (status, kind, field, detail) = expected;
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
    assert_problem(what, &answer.body, (kind, field, detail));
}

fn assert_problem(what: &str, problem: &Value, (kind, field, detail): (&str, &str, &str)) {
    assert_eq!(problem["type"], format!("/problems/{kind}"), "{what}: {problem}");
    assert_eq!(problem["field"], field, "{what}: {problem}");
    let text = problem["detail"].as_str().expect("a detail");
    assert!(text.contains(detail), "{what}: {text:?} doesn't say {detail:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_state_is_refused_at_the_door_and_changes_nothing() {
    let street = Street::build().await;
    let good = street.signed(|_| ());
    let (_, posted) = street.village.post(&key(OWNER), 900, street.mochi, "A post");
    let other_body = STANDARD.encode(Body::Post { text: "Another".into(), tags: vec![] }.encode());
    let raw = |event: &Event, signature| encode(&SignedParts { unsigned: Bytes(encode(event)), signature });
    let other_domain = {
        let event = street.gift(|_| ());
        let signature = key(OWNER).sign(&[b"another.domain\0".as_slice(), &event.id().0].concat());
        raw(&event, signature.to_bytes())
    };
    // Signed for `alley` and moved to `town`, with a stamp that would do there.
    let moved = {
        let town: KennelView = street.village.load.get("/v1/kennels/town").await;
        let town: Genesis = decode(&STANDARD.decode(&town.genesis).unwrap()).unwrap();
        let event = street.gift(|_| ());
        let signed: SignedParts = decode(&event.sign(&key(OWNER))).unwrap();
        let mut moved = Event { kennel: town.kennel(), ..event };
        moved.seal_stamp(&town.parameters);
        raw(&moved, signed.signature)
    };
    // Work that falls short.
    let stampless = |stamps: std::ops::Range<u64>| {
        let mut event = street.gift(|_| ());
        event.stamp = stamps
            .into_iter()
            .find(|stamp| {
                event.stamp = *stamp;
                event.work() < 4
            })
            .expect("most are");
        event.sign(&key(OWNER))
    };
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let with_body = |body: Value, salt: Value| json!({ "event": posted.event, "salt": salt, "body": body });
    let json_cases: Vec<(&str, Value, Answered)> = vec![
        (
            "oversized event",
            wire(&[0; limits::EVENT_BYTES_MAX + 1]),
            (413, "too-large", "event", "1024 bytes"),
        ),
        ("truncated", wire(&good[..good.len() - 1]), (400, "malformed", "event", "Cut, trailing")),
        ("trailing bytes", wire(&[&*good, &[0]].concat()), (400, "malformed", "event", "canonical encoding")),
        ("wrong domain", wire(&other_domain), (422, "bad-signature", "signature", "the event's key")),
        (
            "bad signature",
            wire(&street.gift(|_| ()).sign(&key(VISITOR))),
            (422, "bad-signature", "signature", "the event's key"),
        ),
        (
            "wrong kennel",
            wire(&street.signed(|event| event.kennel = KennelId([9; 32]))),
            (422, "wrong-kennel", "kennel", "another kennel"),
        ),
        ("cross-kennel", wire(&moved), (422, "bad-signature", "signature", "the event's key")),
        (
            "expired",
            wire(&street.signed(|event| event.expires_ms = now_ms() - 1_000)),
            (422, "expired", "expires_ms", "before the block's timestamp"),
        ),
        (
            "expires too far ahead",
            wire(&street.signed(|event| event.expires_ms = now_ms() + 25 * 3_600_000)),
            (422, "expires-too-far", "expires_ms", "24 hours"),
        ),
        ("missing stamp", wire(&stampless(0..1_000)), (422, "weak-stamp", "stamp", "stamp_bits")),
        (
            "short stamp",
            wire(&stampless(1_000..9_000)),
            (422, "weak-stamp", "stamp", "fewer leading zero bits"),
        ),
        (
            "overflow",
            wire(&street.signed(|event| {
                event.payload = Payload::Gift { pet: street.mochi, amount: u64::MAX };
            })),
            (422, "amount-range", "amount", "9,007,199,254,740,991"),
        ),
        (
            "a highest nonce",
            wire(&street.signed(|event| event.nonce = u64::MAX)),
            (422, "nonce-range", "nonce", "between 1 and expires_ms"),
        ),
        (
            "a body that doesn't match",
            with_body(json!(other_body), json!(posted.salt)),
            (422, "body-mismatch", "body", "don't hash to the commitment"),
        ),
        (
            "an oversized body",
            with_body(json!(STANDARD.encode(vec![0; limits::BODY_BYTES_MAX + 1])), json!(posted.salt)),
            (413, "body-too-large", "body", "8192 bytes"),
        ),
        ("no body", json!({ "event": posted.event }), (400, "body-presence", "body", "and its salt")),
        ("no base64", json!({ "event": "%" }), (400, "bad-request", "event", "base64")),
    ];
    let raw_cases: Vec<(&str, Option<&str>, String, Answered)> = vec![
        ("not JSON", JSON, "event=AAAA".into(), (400, "not-json", "body", "line 1")),
        ("cut JSON", JSON, "{\"event\":\"".into(), (400, "not-json", "body", "ends before")),
        ("deep lists", JSON, deep("[", "]"), (400, "not-json", "body", "deeper than 128")),
        ("deep records", JSON, deep("{\"events\":", "}"), (400, "not-json", "body", "deeper than 128")),
        (
            "wrong content type",
            Some("text/plain"),
            wire(&good).to_string(),
            (415, "content-type", "content-type", "application/json"),
        ),
        (
            "no content type",
            None,
            wire(&good).to_string(),
            (415, "content-type", "content-type", "application/json"),
        ),
        (
            "oversized request",
            JSON,
            format!("\"{}\"", "a".repeat(REQUEST_BYTES_MAX)),
            (413, "request-too-large", "body", "524288 bytes"),
        ),
    ];
    let before = street.state().await;
    let json_cases =
        json_cases.into_iter().map(|(what, body, expected)| (what, JSON, body.to_string(), expected));
    for (what, content_type, body, expected) in json_cases.chain(raw_cases) {
        let mut request = street.village.request(reqwest::Method::POST, "/v1/events").body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        assert_refused(what, &Answer::of(request).await, expected);
        assert_eq!(street.state().await, before, "{what}: nothing has changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_refuse_is_recorded_and_changes_nothing() {
    let street = Street::build().await;
    let sign = |seed: u64, nonce, payload| street.village.kennel.sign(&key(seed), nonce, payload, None);
    let post = |seed: u64, nonce, pet, text| street.village.post(&key(seed), nonce, pet, text);
    let (last, _) = street.last_post;
    let impostor = {
        let mut event = street.gift(|_| ());
        event.key = PublicKey(key(VISITOR).verifying_key().to_bytes());
        event.seal_stamp(&street.village.kennel.genesis.parameters);
        let event_bytes = wire(&event.sign(&key(VISITOR)));
        (event.id(), serde_json::from_value(event_bytes).unwrap())
    };
    let unknown = BirthHash([7; 32]);
    let gift = |pet, amount| Payload::Gift { pet, amount };
    let cases: Vec<(&str, Submitted, Recorded)> = vec![
        ("another's account", impostor, ("wrong-key", "key", "not the account's current one")),
        (
            "stale nonce",
            post(OWNER, 2, street.mochi, "Day 2, retold"),
            ("stale-nonce", "nonce", "not above the account's last"),
        ),
        ("unknown pet", sign(OWNER, 901, gift(unknown, 1)), ("unknown-pet", "pet", "no such pet")),
        ("dead pet", post(MOURNER, 2, street.rex, "Still here?"), ("dead-pet", "pet", "is dead")),
        (
            "unknown post",
            sign(VISITOR, 0, Payload::Pat { post: EventId([7; 32]) }),
            ("unknown-post", "post", "no such open post"),
        ),
        (
            "another's pet",
            post(VISITOR, 1, street.mochi, "Mine now"),
            ("not-owner", "account", "another account"),
        ),
        ("own pat", sign(OWNER, 0, Payload::Pat { post: last }), ("own-pet", "post", "own pet")),
        (
            "second pat",
            sign(VISITOR, 0, Payload::Pat { post: last }),
            ("already-done", "post", "once per account and post"),
        ),
        ("no treats", sign(OWNER, 902, gift(street.mochi, 5)), ("no-treats", "amount", "not enough treats")),
        (
            "more than there is",
            sign(OWNER, 903, gift(street.mochi, limits::AMOUNT_MAX)),
            ("no-treats", "amount", "not enough treats"),
        ),
    ];
    let before = street.state().await;
    for (what, (id, event), expected) in cases {
        let answer = street.village.submit(&event).await;
        assert_eq!(answer.status, 202, "{what}: {}", answer.body);
        let outcome = street.village.outcome(&id).await;
        assert_eq!(outcome["status"], "rejected", "{what}: {outcome}");
        assert_problem(what, &outcome["reject"], expected);
        assert_eq!(street.state().await, before, "{what}: nothing has changed");
    }
    // Sent again, a mined event is what it was: no second effect, and no reject.
    let (id, event) = &street.last_post;
    let place = street.village.outcome(id).await;
    assert_eq!(street.village.submit(event).await.status, 202);
    // One behind it in the queue has been decided, and so has the repeated one.
    let (behind, after) = sign(VISITOR, 0, Payload::Pat { post: EventId([6; 32]) });
    street.village.submit(&after).await;
    assert_eq!(street.village.outcome(&behind).await["status"], "rejected");
    assert_eq!(street.village.outcome(id).await, place);
    assert_eq!(street.state().await, before, "replayed: nothing has changed");
}
