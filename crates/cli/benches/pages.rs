//! What a page costs when much is stored: `pitpet serve` in a process of its own, filled over its API with pets and
//! their posts, and read over one kept connection, so that a time is the service's and the loopback's. The same pages
//! are read before it is filled, with one pet and its posts, for the ratio.
//!
//! `cargo bench -p pitpet --bench pages -- [POSTS]`; 100,000 posts of 10,000 pets by default, which takes minutes.

#[path = "../tests/support/load.rs"]
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use load::{Kennel, Load, Server, key};
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::event::Payload;
use pitpet_chain::hash::{BirthHash, EventId};
use pitpet_pipeline::api::SubmittedEvent;

const POSTS_PER_PET: usize = 10;
/// A little under what a kennel holds.
const PETS_PER_KENNEL: usize = 1_000;
/// Two pets' posts: those of one pet stay in order.
const EVENTS_PER_POST: usize = 2 * POSTS_PER_PET;
const CONCURRENCY: usize = 24;
const READS: usize = 200;
const SALT: [u8; 32] = [3; 32];

/// Words of the texts; the site finds posts by them.
const WORDS: [&str; 24] = [
    "cat", "dog", "asleep", "garden", "rain", "morning", "toy", "mouse", "window", "sun", "walk", "ball",
    "fur", "treat", "fish", "night", "warm", "basket", "friend", "jump", "tail", "quiet", "hungry", "found",
];

struct Pet {
    birth: EventId,
    posts: Vec<EventId>,
}

#[tokio::main]
async fn main() {
    let posts: usize =
        std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(env!("CARGO_BIN_EXE_pitpet"), folder.path());
    let load = Arc::new(Load { http: reqwest::Client::new(), url: server.url.clone() });

    let first = load.kennel("k", folder.path()).await;
    let few = fill(&load, &first, 1, 0).await.remove(0);
    let before = read(&load, &few).await;

    let begin = Instant::now();
    let pets = posts.div_ceil(POSTS_PER_PET);
    let mut last = few;
    for (n, from) in (0..pets).step_by(PETS_PER_KENNEL).enumerate() {
        let kennel = load.kennel(&format!("k{n}"), folder.path()).await;
        let count = PETS_PER_KENNEL.min(pets - from);
        last = fill(&load, &kennel, count, from as u64 + 1).await.pop().expect("a pet");
        eprintln!("{} pets with {POSTS_PER_PET} posts each after {:.0?}", from + count, begin.elapsed());
    }
    let after = read(&load, &last).await;

    println!("{pets} pets, {} posts; medians of {READS} reads over loopback\n", pets * POSTS_PER_PET);
    println!("{:<34}{:>9}{:>12}{:>14}{:>8}", "page", "bytes", "median ms", "with few ms", "ratio");
    for ((name, bytes, full), (_, _, few)) in after.iter().zip(&before) {
        println!("{name:<34}{bytes:>9}{full:>12.2}{few:>14.2}{:>8.2}", full / few);
    }
    println!("\nmemory of the service: {} MiB", server.memory_mib("VmRSS"));
}

/// Times the pages: their names, bytes and medians in milliseconds.
async fn read(load: &Load, pet: &Pet) -> Vec<(String, usize, f64)> {
    let paths = [
        ("newest", "/".to_owned()),
        ("most alive", "/?order=alive".to_owned()),
        ("about to end", "/?order=ending".to_owned()),
        ("a pet", format!("/pet/{}", pet.birth)),
        ("a post", format!("/post/{}", pet.posts[0])),
        ("a tag", "/tag/garden".to_owned()),
        ("search, a word", "/search?q=basket".to_owned()),
        ("search, a beginning", "/search?q=bas".to_owned()),
    ];
    let mut found = Vec::new();
    for (name, path) in paths {
        let url = format!("{}{path}", load.url);
        let mut times = Vec::new();
        let mut bytes = 0;
        // The first ones fill what the service keeps in memory.
        for n in 0..READS + 5 {
            let start = Instant::now();
            let answer = load.http.get(&url).send().await.expect("the service answers");
            assert!(answer.status().is_success(), "{url}: {}", answer.status());
            bytes = answer.bytes().await.expect("a page").len();
            if n >= 5 {
                times.push(start.elapsed());
            }
        }
        times.sort();
        found.push((name.to_owned(), bytes, times[READS / 2].as_secs_f64() * 1e3));
    }
    found
}

/// Opens `count` pets, and lets each post.
async fn fill(load: &Arc<Load>, kennel: &Kennel, count: usize, seed: u64) -> Vec<Pet> {
    let photo = load.photo(&key(seed)).await;
    let anchor = kennel.view.anchor.parse().expect("a hash");
    let mut pets = Vec::new();
    let mut births = Vec::new();
    let mut rest = Vec::new();
    for n in 0..count as u64 {
        let owner = key(seed + n);
        let body = Body::Birth { name: format!("Pet {}", seed + n), story: "Found in a shoe box".into() };
        let body = body.encode();
        let payload = Payload::Birth { photo, body: commitment(&SALT, &body), recovery: None, anchor };
        let (birth, event) = kennel.sign(&owner, 1, payload, Some((&SALT, body)));
        births.push((birth, event));
        let mut pet = Pet { birth, posts: Vec::new() };
        for m in 0..POSTS_PER_PET as u64 {
            let text: Vec<_> =
                (0..9).map(|w| WORDS[((seed + n) * 31 + m * 7 + w * w) as usize % 24]).collect();
            let body = Body::Post { text: text.join(" "), tags: vec!["garden".to_owned()] }.encode();
            let payload =
                Payload::Post { pet: BirthHash(birth.0), photo: None, body: commitment(&SALT, &body) };
            let (id, event) = kennel.sign(&owner, m + 2, payload, Some((&SALT, body)));
            rest.push((id, event));
            pet.posts.push(id);
        }
        pets.push(pet);
    }
    send(load, births).await;
    send(load, rest).await;
    pets
}

/// Sends events and waits for all of them.
async fn send(load: &Arc<Load>, events: Vec<(EventId, SubmittedEvent)>) {
    let events = Arc::new(events);
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (load, events, next) = (load.clone(), events.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let at = next.fetch_add(EVENTS_PER_POST, Ordering::Relaxed);
                    let Some(part) = events.get(at..) else { return };
                    let part = &part[..part.len().min(EVENTS_PER_POST)];
                    if part.is_empty() {
                        return;
                    }
                    load.post(part.iter().map(|(_, event)| event.clone()).collect()).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("events are taken");
    }
    // A kennel's queue keeps the order in which requests came.
    for (id, _) in events.iter().rev().take(CONCURRENCY * EVENTS_PER_POST) {
        load.wait_mined(id).await;
    }
}
