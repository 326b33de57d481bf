//! Floods: limits per address and per account, shared by all instances, and what they cost.

use std::num::NonZeroU32;
use std::sync::Arc;

use pitpet_chain::event::Payload;
use pitpet_chain::hash::EventId;
use pitpet_chain::request::Wish;
use pitpet_pipeline::api::{Problem, Submissions, SubmittedEvent, SubmittedEvents};
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::rate_limit::{RateLimits, WINDOW_MS};
use pitpet_simulator::faults::{Operation, Port};
use pitpet_simulator::town::{QUICK, key, submitted};
use pitpet_simulator::{Fault, Faults, Player, Town};

const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

fn limits(address: u32, account: u32) -> RateLimits {
    RateLimits { address: NonZeroU32::new(address), account: NonZeroU32::new(account), ..RateLimits::NONE }
}

fn ingest(town: &Town, limits: RateLimits, faults: &Arc<Faults>) -> Ingest {
    town.ingest_with(faults).limited(limits)
}

fn gift(player: &mut Player) -> SubmittedEvent {
    submitted(&player.act(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 }))
}

async fn post(ingest: &Ingest, from: &str, body: &impl serde::Serialize) -> HttpResponse {
    post_to(ingest, "/v1/events", from, body).await
}

async fn post_to(ingest: &Ingest, path: &str, from: &str, body: &impl serde::Serialize) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: serde_json::to_vec(body).expect("JSON"),
        source: Some(from.parse().expect("an address")),
        ..HttpRequest::default()
    };
    http::ingest(ingest, &request).await
}

/// Asserts that a limit refused the request; gives the seconds to wait.
fn refused(response: &HttpResponse, name: &str, limit: u32) -> u64 {
    let problem: Problem = serde_json::from_slice(&response.body).expect("a problem document");
    assert_eq!((response.status, problem.status), (429, 429), "{problem:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json");
    assert_eq!(problem.kind, format!("/problems/{name}-limit"));
    assert_eq!(problem.field.as_deref(), Some(name));
    assert!(problem.detail.contains(&format!("{limit} events a minute")), "{}", problem.detail);
    let seconds = problem.retry_after_s.expect("when to try again");
    assert_eq!(response.headers["retry-after"], seconds.to_string());
    seconds
}

#[tokio::test]
async fn an_address_at_its_limit_waits_for_the_next_window() {
    let town = Town::found(QUICK).await;
    let ingest = ingest(&town, limits(3, 0), &Faults::none());
    town.clock.advance(17_500);
    let mut player = Player::new(&town, 1);
    for _ in 0..3 {
        assert_eq!(post(&ingest, HOME, &gift(&mut player)).await.status, 202);
    }
    assert_eq!(refused(&post(&ingest, HOME, &gift(&mut player)).await, "address", 3), 43);
    assert_eq!(town.queue.len(), 3, "nothing is queued above the limit");
    assert_eq!(refused(&post(&ingest, HOME, &"no event").await, "address", 3), 43);
    assert_eq!(post(&ingest, ELSEWHERE, &gift(&mut player)).await.status, 202, "others are not held up");
    town.clock.advance(42_499);
    assert_eq!(refused(&post(&ingest, HOME, &gift(&mut player)).await, "address", 3), 1);
    town.clock.advance(1);
    assert_eq!(post(&ingest, HOME, &gift(&mut player)).await.status, 202, "as Retry-After said");
}

#[tokio::test]
async fn what_is_unreadable_counts_for_the_address() {
    let town = Town::found(QUICK).await;
    let ingest = ingest(&town, limits(2, 0), &Faults::none());
    for _ in 0..2 {
        assert_eq!(post(&ingest, HOME, &"no event").await.status, 400);
    }
    refused(&post(&ingest, HOME, &"no event").await, "address", 2);
}

#[tokio::test]
async fn names_and_uploads_count_too() {
    let town = Town::found(QUICK).await;
    let soon = town.clock.now_ms() + 60_000;
    let name = crate::ingest::request(1, Wish::Name { name: "anna".to_owned() }, soon);
    let wish = Wish::Upload { sha256: [5; 32], size: 100, content_type: "image/png".to_owned() };
    let upload = crate::ingest::request(1, wish, soon);
    for (limits, subject) in [(limits(2, 0), "address"), (limits(0, 2), "account")] {
        let ingest = ingest(&town, limits, &Faults::none());
        assert_eq!(post_to(&ingest, "/v1/accounts", HOME, &name).await.status, 201);
        assert_eq!(post_to(&ingest, "/v1/media", HOME, &upload).await.status, 200);
        refused(&post_to(&ingest, "/v1/media", HOME, &upload).await, subject, 2);
        refused(&post_to(&ingest, "/v1/accounts", HOME, &name).await, subject, 2);
        refused(&post(&ingest, HOME, &gift(&mut Player::new(&town, 1))).await, subject, 2);
    }
}

#[tokio::test]
async fn an_account_has_one_limit_from_all_addresses() {
    let town = Town::found(QUICK).await;
    let ingest = ingest(&town, limits(0, 2), &Faults::none());
    let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
    for address in [HOME, ELSEWHERE] {
        assert_eq!(post(&ingest, address, &gift(&mut anna)).await.status, 202);
    }
    assert_eq!(refused(&post(&ingest, HOME, &gift(&mut anna)).await, "account", 2), 60);
    assert_eq!(post(&ingest, HOME, &gift(&mut bert)).await.status, 202);
    // In a list, each event has its own answer, and the header says when all may be tried again.
    let events = vec![gift(&mut anna), gift(&mut bert), gift(&mut bert)];
    let response = post(&ingest, HOME, &SubmittedEvents { events }).await;
    let answer: Submissions = serde_json::from_slice(&response.body).expect("submissions");
    let statuses: Vec<_> = answer.results.iter().map(|result| result.status.as_str()).collect();
    assert_eq!((response.status, statuses), (202, vec!["refused", "queued", "refused"]));
    assert_eq!(answer.results[0].problem.as_ref().and_then(|problem| problem.retry_after_s), Some(60));
    assert_eq!(response.headers["retry-after"], "60");
    assert_eq!(town.queue.len(), 4);
}

#[tokio::test]
async fn nobody_uses_up_the_limit_of_another() {
    let town = Town::found(QUICK).await;
    let ingest = ingest(&town, limits(0, 1), &Faults::none());
    let (mut anna, mut thief) = (Player::new(&town, 1), Player::new(&town, 2));
    for forged in [
        // Anna's account, by the thief's key: the signature is good, the claim isn't.
        {
            let mut event = thief.event(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 });
            event.account = anna.account();
            Entry { event: pitpet_chain::codec::Bytes(event.sign(&thief.key)), body: None }
        },
        // Anna's account and key, with a signature of the thief.
        {
            let event = anna.event(Payload::Gift { pet: EventId([1; 32]).into(), amount: 5 });
            Entry { event: pitpet_chain::codec::Bytes(event.sign(&key(2))), body: None }
        },
    ] {
        post(&ingest, ELSEWHERE, &submitted(&forged)).await;
    }
    assert_eq!(post(&ingest, HOME, &gift(&mut anna)).await.status, 202);
    refused(&post(&ingest, HOME, &gift(&mut anna)).await, "account", 1);
}

#[tokio::test]
async fn every_instance_sees_what_the_others_counted() {
    let town = Town::found(QUICK).await;
    let instances = [1, 2, 3].map(|_| ingest(&town, limits(5, 0), &Faults::none()));
    let mut player = Player::new(&town, 1);
    let mut accepted = 0;
    for turn in 0..30 {
        accepted += u32::from(post(&instances[turn % 3], HOME, &gift(&mut player)).await.status == 202);
    }
    assert_eq!(accepted, 5);
    // An instance that starts now knows it too.
    let fresh = ingest(&town, limits(5, 0), &Faults::none());
    refused(&post(&fresh, HOME, &gift(&mut player)).await, "address", 5);
    let item =
        pitpet_pipeline::items::rate(&format!("address#{HOME}"), town.clock.now_ms() / WINDOW_MS * WINDOW_MS);
    let stored = &town.table.all()[&item];
    assert_eq!(stored["count"], 5_u64.into());
    let ttl_s = match &stored["ttl"] {
        pitpet_pipeline::ports::Value::Number(seconds) => *seconds,
        other => panic!("{other:?}"),
    };
    assert!(ttl_s * 1000 > town.clock.now_ms() + WINDOW_MS, "it outlives its window");
}

#[tokio::test]
async fn two_instances_that_count_at_once_lose_nothing() {
    let town = Town::found(QUICK).await;
    let mut player = Player::new(&town, 1);
    let other = ingest(&town, limits(4, 0), &Faults::none());
    // Between this instance's reading and writing, the other one writes.
    let event = gift(&mut player);
    let mut meanwhile =
        Some(Box::pin(async move { assert_eq!(post(&other, HOME, &event).await.status, 202) }));
    let faults = Faults::new(move |call| {
        (call.operation == Operation::Update && call.key.starts_with("RATE#"))
            .then(|| meanwhile.take().map(|other| Fault::Meanwhile(other)))
            .flatten()
    });
    let ingest = ingest(&town, limits(4, 0), &faults);
    for _ in 0..3 {
        assert_eq!(post(&ingest, HOME, &gift(&mut player)).await.status, 202);
    }
    refused(&post(&ingest, HOME, &gift(&mut player)).await, "address", 4);
}

#[tokio::test]
async fn a_request_costs_at_most_one_write_and_a_player_none() {
    let town = Town::found(QUICK).await;
    let faults = Faults::none();
    let counts = || faults.calls().iter().filter(|call| call.port == Port::Table && call.is_write()).count();
    let ingest = ingest(&town, RateLimits::DEFAULT, &faults);
    let mut anna = Player::new(&town, 1);
    for _ in 0..5 {
        post(&ingest, HOME, &gift(&mut anna)).await;
    }
    assert_eq!(counts(), 0, "below a step nothing is written");
    let mut players: Vec<Player> = (10..35).map(|seed| Player::new(&town, seed)).collect();
    for _ in 0..20 {
        let before = counts();
        let events = players.iter_mut().map(gift).collect();
        assert_eq!(post(&ingest, HOME, &SubmittedEvents { events }).await.status, 202);
        assert!(counts() <= before + 1, "25 accounts at once, and one write at most");
    }
    let at_limit = counts();
    let mut all: Vec<u16> = Vec::new();
    for _ in 0..60 {
        let events = players.iter_mut().map(gift).collect();
        all.push(post(&ingest, HOME, &SubmittedEvents { events }).await.status);
    }
    assert!(all.ends_with(&[429; 20]), "{all:?}");
    let after = counts();
    assert!(after <= at_limit + 60);
    for _ in 0..50 {
        refused(&post(&ingest, HOME, &gift(&mut anna)).await, "address", 1_200);
    }
    assert_eq!(counts(), after, "whoever has reached the limit costs nothing");
}

#[tokio::test]
async fn without_the_table_each_instance_counts_for_itself() {
    let town = Town::found(QUICK).await;
    let faults = Faults::new(|call| call.key.starts_with("RATE#").then_some(Fault::Throttled));
    let ingest = ingest(&town, limits(2, 0), &faults);
    let mut player = Player::new(&town, 1);
    for _ in 0..2 {
        assert_eq!(post(&ingest, HOME, &gift(&mut player)).await.status, 202);
    }
    refused(&post(&ingest, HOME, &gift(&mut player)).await, "address", 2);
}

#[tokio::test]
async fn a_throttling_table_is_a_503_that_says_when() {
    let town = Town::found(QUICK).await;
    let faults = Faults::new(|call| (call.port == Port::Table).then_some(Fault::Throttled));
    let response =
        post(&ingest(&town, RateLimits::NONE, &faults), HOME, &gift(&mut Player::new(&town, 1))).await;
    assert_eq!((response.status, response.headers["retry-after"].as_str()), (503, "1"));
}
