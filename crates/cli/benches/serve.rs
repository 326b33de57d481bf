//! What `pitpet serve` carries: events a second and the time from post to receipt, with the load
//! from this process and the service in another. Events are signed and stamped before the clock
//! starts; a round ends when the last of its events is mined.
//!
//! `cargo bench -p pitpet --bench serve -- [SECONDS]`; SECONDS is a round's length, 60 by default.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, PublicKey};
use pitpet_pipeline::api::{KennelView, Submissions, SubmittedEvent, SubmittedEvents};

/// Requests under way at once.
const CONCURRENCY: usize = 48;

/// Pats that one post takes, a little under the kennel's bound.
const PATS_PER_POST: usize = 1_000;

struct Server {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(folder: tempfile::TempDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pitpet"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says where it runs");
        let url =
            line.split_whitespace().find_map(|word| word.strip_suffix(';')).expect("an address").to_owned();
        Self { child, url, folder }
    }

    fn memory_mib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(field)).expect("the kernel tells");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The load has ended; the process is ours.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn key(n: u64) -> SigningKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    SigningKey::from_bytes(&seed)
}

struct Kennel {
    view: KennelView,
    genesis: Genesis,
}

impl Kennel {
    fn sign(
        &self,
        key: &SigningKey,
        nonce: u64,
        payload: Payload,
        body: Option<(&[u8; 32], Vec<u8>)>,
    ) -> (EventId, SubmittedEvent) {
        let public = PublicKey(key.verifying_key().to_bytes());
        let mut event = Event {
            version: VERSION,
            kennel: self.genesis.kennel(),
            account: AccountId::of(&public),
            key: public,
            nonce,
            expires_ms: now_ms() + 12 * 60 * 60 * 1000,
            payload,
            stamp: 0,
        };
        event.seal_stamp(&self.genesis.parameters);
        let submitted = SubmittedEvent {
            event: STANDARD.encode(event.sign(key)),
            salt: body.as_ref().map(|(salt, _)| STANDARD.encode(salt)),
            body: body.as_ref().map(|(_, body)| STANDARD.encode(body)),
        };
        (event.id(), submitted)
    }
}

struct Load {
    http: reqwest::Client,
    url: String,
}

impl Load {
    async fn kennel(&self, label: &str, folder: &std::path::Path) -> Kennel {
        let token =
            std::fs::read_to_string(folder.join(pitpet_local::service::ADMIN_TOKEN_FILE)).expect("a token");
        let new = serde_json::json!({ "label": label, "preset": "town", "stamp_bits": 4, "birth_bits": 8 });
        let answer =
            self.http.post(format!("{}/admin/kennels", self.url)).bearer_auth(token.trim()).json(&new);
        assert!(answer.send().await.expect("the service answers").status().is_success());
        let view: KennelView = self.get(&format!("/v1/kennels/{label}")).await;
        let genesis = decode(&STANDARD.decode(&view.genesis).expect("base64")).expect("a genesis");
        Kennel { view, genesis }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.expect("the service answers");
        let text = answer.text().await.expect("an answer");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Posts events of one request; panics if one isn't queued.
    async fn post(&self, events: Vec<SubmittedEvent>) {
        let request = self.http.post(format!("{}/v1/events", self.url));
        if let [event] = &events[..] {
            let answer = request.json(event).send().await.expect("the service answers");
            assert_eq!(answer.status().as_u16(), 202, "{:?}", answer.text().await);
        } else {
            let answer = request.json(&SubmittedEvents { events }).send().await.expect("the service answers");
            let answer: Submissions = answer.json().await.expect("an answer for each event");
            assert!(answer.results.iter().all(|result| result.problem.is_none()), "{answer:?}");
        }
    }

    async fn wait(&self, id: &EventId) {
        for _ in 0..20 {
            let path = format!("{}/v1/events/{id}?wait_ms=20000&proof=false", self.url);
            if self.http.get(path).send().await.expect("the service answers").status().is_success() {
                return;
            }
        }
        panic!("event {id} was not mined in time");
    }

    /// Opens pets with posts, enough for `pats`; gives the posts.
    async fn posts(&self, kennel: &Kennel, pats: usize, seed: u64) -> Vec<EventId> {
        let count = pats.div_ceil(PATS_PER_POST);
        let mut posts = Vec::new();
        let salt = [3; 32];
        for pet in 0..count.div_ceil(20) as u64 {
            let owner = key(seed + pet);
            let body = Body::Birth { name: format!("Pet {pet}"), story: String::new() }.encode();
            let payload = Payload::Birth {
                photo: [0; 32],
                body: commitment(&salt, &body),
                recovery: None,
                anchor: kennel.view.anchor.parse().expect("a hash"),
            };
            let (birth, event) = kennel.sign(&owner, 1, payload, Some((&salt, body)));
            self.post(vec![event]).await;
            self.wait(&birth).await;
            let mut last = birth;
            for nonce in 2..22.min(2 + count as u64 - pet * 20) {
                let body = Body::Post { text: format!("Post {nonce}"), tags: Vec::new() }.encode();
                let payload =
                    Payload::Post { pet: BirthHash(birth.0), photo: None, body: commitment(&salt, &body) };
                let (id, event) = kennel.sign(&owner, nonce, payload, Some((&salt, body)));
                self.post(vec![event]).await;
                posts.push(id);
                last = id;
            }
            self.wait(&last).await;
        }
        posts
    }
}

/// Signs `count` pats of as many visitors.
fn pats(kennel: &Kennel, posts: &[EventId], count: usize, seed: u64) -> Vec<(EventId, SubmittedEvent)> {
    (0..count)
        .map(|n| {
            let payload = Payload::Pat { post: posts[n / PATS_PER_POST] };
            kennel.sign(&key(seed + n as u64), 0, payload, None)
        })
        .collect()
}

struct Round {
    kennels: usize,
    batch: usize,
    /// Events a second; none: as many as it takes.
    rate: Option<f64>,
}

#[tokio::main]
async fn main() {
    let seconds: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(60);
    let server = Server::start(tempfile::tempdir().expect("a folder"));
    let load = Arc::new(Load { http: reqwest::Client::new(), url: server.url.clone() });
    let mut seed = 1_000_000;
    let mut mined = 0;
    let mut rates = Vec::new();
    println!("memory at start: {} MiB", server.memory_mib("VmRSS"));
    let rounds = [
        Round { kennels: 1, batch: 1, rate: None },
        Round { kennels: 1, batch: 25, rate: None },
        Round { kennels: 4, batch: 25, rate: None },
    ];
    for (n, round) in rounds.iter().enumerate() {
        let label = |k: usize| format!("r{n}k{k}");
        let probe = run(&load, &server, round, 5, &label, &mut seed).await;
        let label = |k: usize| format!("s{n}k{k}");
        let events = (probe.rate * seconds as f64) as usize;
        let found = run_counted(&load, &server, round, events, &label, &mut seed).await;
        mined += found.events;
        println!(
            "{} kennel(s), {} event(s) a POST: {:.0} events/s over {:.0} s ({} events)",
            round.kennels, round.batch, found.rate, found.seconds, found.events
        );
        rates.push(found.rate);
    }
    for (n, (round, rate)) in rounds.iter().zip(&rates).enumerate().take(2) {
        let half = Round { rate: Some(rate / 2.0), ..*round };
        let label = |k: usize| format!("h{n}k{k}");
        let found =
            run_counted(&load, &server, &half, (rate / 2.0 * seconds as f64) as usize, &label, &mut seed)
                .await;
        mined += found.events;
        println!(
            "at half that load, {} event(s) a POST: post to receipt median {} ms, 99th percentile {} ms ({} samples)",
            round.batch, found.median_ms, found.p99_ms, found.samples
        );
    }
    println!(
        "memory after {mined} events: {} MiB, at most {} MiB",
        server.memory_mib("VmRSS"),
        server.memory_mib("VmHWM")
    );
    println!("ratio of 25 to 1 event(s) a POST: {:.1}", rates[1] / rates[0]);
    let folder_bytes =
        |name: &str| std::fs::metadata(server.folder.path().join(name)).map_or(0, |file| file.len());
    println!(
        "table {} MiB, queue {} MiB on disk",
        folder_bytes("table.db") >> 20,
        folder_bytes("queue.db") >> 20
    );
}

struct Found {
    rate: f64,
    seconds: f64,
    events: usize,
    median_ms: u128,
    p99_ms: u128,
    samples: usize,
}

/// A short round that finds the rate to plan with.
async fn run(
    load: &Arc<Load>,
    server: &Server,
    round: &Round,
    seconds: usize,
    label: &dyn Fn(usize) -> String,
    seed: &mut u64,
) -> Found {
    let guess = if round.batch == 1 { 300 } else { 1_200 };
    run_counted(load, server, round, guess * seconds, label, seed).await
}

async fn run_counted(
    load: &Arc<Load>,
    server: &Server,
    round: &Round,
    events: usize,
    label: &dyn Fn(usize) -> String,
    seed: &mut u64,
) -> Found {
    let each = events / round.kennels;
    let mut requests: Vec<Vec<(EventId, SubmittedEvent)>> = Vec::new();
    let mut last = Vec::new();
    for k in 0..round.kennels {
        let kennel = load.kennel(&label(k), server.folder.path()).await;
        let posts = load.posts(&kennel, each, *seed).await;
        *seed += 100_000;
        let signed = pats(&kennel, &posts, each, *seed);
        *seed += each as u64;
        last.push(signed.last().expect("events").0);
        requests.extend(signed.chunks(round.batch).map(<[_]>::to_vec));
    }
    // Kennels take turns.
    let per_kennel = requests.len() / round.kennels;
    let ordered: Vec<_> = (0..per_kennel)
        .flat_map(|n| (0..round.kennels).map(move |k| k * per_kennel + n))
        .map(|at| requests[at].clone())
        .collect();
    let events: usize = ordered.iter().map(Vec::len).sum();
    let ordered = Arc::new(ordered);
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let interval = round.rate.map(|rate| Duration::from_secs_f64(round.batch as f64 / rate));
    let mut tasks = Vec::new();
    for _ in 0..CONCURRENCY {
        let (load, ordered, next) = (load.clone(), ordered.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = ordered.get(at) else { return latencies };
                if let Some(interval) = interval {
                    tokio::time::sleep_until((begin + interval * at as u32).into()).await;
                }
                let sent = Instant::now();
                load.post(request.iter().map(|(_, event)| event.clone()).collect()).await;
                // One request in ten is followed to its receipt, where the load leaves room.
                if interval.is_some() && at % 10 == 0 {
                    load.wait(&request[0].0).await;
                    latencies.push(sent.elapsed());
                }
            }
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("no request failed"));
    }
    for id in &last {
        load.wait(id).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort();
    let at =
        |share: f64| latencies.get((latencies.len() as f64 * share) as usize).map_or(0, Duration::as_millis);
    Found {
        rate: events as f64 / seconds,
        seconds,
        events,
        median_ms: at(0.5),
        p99_ms: at(0.99),
        samples: latencies.len(),
    }
}
