//! A service in a process of its own, and signed events to load it with.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{AccountId, BirthHash, Digest32, EventId, PublicKey, sha256};
use pitpet_chain::request::{Request, Wish};
use pitpet_pipeline::api::{KennelView, Submissions, SubmittedEvent, SubmittedEvents, SubmittedRequest};
use pitpet_pipeline::ports::UploadTicket;

/// Pats that one post takes, a little under the kennel's bound.
const PATS_PER_POST: usize = 1_000;

/// What an event is answered with while the queue is full.
pub const BUSY: &str = "/problems/busy";

/// How long a client waits before it sends again what was refused.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Server {
    pub child: Child,
    pub url: String,
}

impl Server {
    pub fn start(binary: &str, folder: &Path) -> Self {
        Self::start_with(binary, folder, |_| ())
    }

    /// Starts it with further arguments or another environment.
    pub fn start_with(binary: &str, folder: &Path, adjust: impl FnOnce(&mut Command)) -> Self {
        Self::launch(&mut Command::new(binary), folder, adjust)
    }

    /// Starts it by a command that ends in the binary, such as one that sets limits.
    pub fn spawn(command: &mut Command, folder: &Path) -> Self {
        Self::launch(command, folder, |_| ())
    }

    fn launch(command: &mut Command, folder: &Path, adjust: impl FnOnce(&mut Command)) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).stdout(Stdio::piped());
        adjust(command);
        let mut child = command.spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says where it runs");
        let url =
            line.split_whitespace().find_map(|word| word.strip_suffix(';')).expect("an address").to_owned();
        Self { child, url }
    }

    pub fn memory_mib(&self, field: &str) -> u64 {
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

pub fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

pub fn key(n: u64) -> SigningKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    SigningKey::from_bytes(&seed)
}

pub struct Kennel {
    pub view: KennelView,
    pub genesis: Genesis,
}

impl Kennel {
    pub fn sign(
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

pub struct Load {
    pub http: reqwest::Client,
    pub url: String,
}

impl Load {
    pub async fn kennel(&self, label: &str, folder: &Path) -> Kennel {
        let token = std::fs::read_to_string(folder.join("keys/admin.token")).expect("a token");
        let new = serde_json::json!({ "label": label, "preset": "town", "stamp_bits": 4, "birth_bits": 8 });
        let answer =
            self.http.post(format!("{}/admin/kennels", self.url)).bearer_auth(token.trim()).json(&new);
        assert!(answer.send().await.expect("the service answers").status().is_success());
        let view: KennelView = self.get(&format!("/v1/kennels/{label}")).await;
        let genesis = decode(&STANDARD.decode(&view.genesis).expect("base64")).expect("a genesis");
        Kennel { view, genesis }
    }

    pub async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.expect("the service answers");
        let text = answer.text().await.expect("an answer");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Posts events of one request, again while the queue is full; panics if one isn't queued.
    pub async fn post(&self, mut events: Vec<SubmittedEvent>) {
        while !events.is_empty() {
            let request = SubmittedEvents { events: events.clone() };
            let answer = self.http.post(format!("{}/v1/events", self.url)).json(&request).send();
            let answer = answer.await.expect("the service answers");
            let answer: Submissions = answer.json().await.expect("an answer for each event");
            let mut busy = Vec::new();
            for (result, event) in answer.results.iter().zip(events) {
                match &result.problem {
                    None => {}
                    Some(problem) if problem.kind == BUSY => busy.push(event),
                    Some(problem) => panic!("{problem:?}"),
                }
            }
            events = busy;
            if !events.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    pub async fn wait(&self, id: &EventId) {
        for _ in 0..20 {
            let path = format!("{}/v1/events/{id}?wait_ms=20000&proof=false", self.url);
            if self.http.get(path).send().await.expect("the service answers").status().is_success() {
                return;
            }
        }
        panic!("event {id} was not mined in time");
    }

    /// Waits until an event is mined; panics if it is rejected.
    pub async fn wait_mined(&self, id: &EventId) {
        for _ in 0..20 {
            let path = format!("{}/v1/events/{id}?wait_ms=20000&proof=false", self.url);
            let answer = self.http.get(path).send().await.expect("the service answers");
            if answer.status().is_success() {
                let view: pitpet_pipeline::api::EventView = answer.json().await.expect("an event");
                assert_eq!(view.status, "mined", "{view:?}");
                return;
            }
        }
        panic!("event {id} was not mined in time");
    }

    /// Uploads a photo, as a client does before a birth.
    pub async fn photo(&self, owner: &SigningKey) -> Digest32 {
        let content = b"a photo, as far as the store can tell".to_vec();
        let sha256 = sha256(&content);
        let key = PublicKey(owner.verifying_key().to_bytes());
        let size = content.len() as u64;
        let request = Request {
            version: 1,
            account: AccountId::of(&key),
            key,
            expires_ms: now_ms() + 60_000,
            wish: Wish::Upload { sha256, size, content_type: "image/png".to_owned() },
            stamp: 0,
        };
        let request = SubmittedRequest { request: STANDARD.encode(request.sign(owner)) };
        let answer = self.http.post(format!("{}/v1/media", self.url)).json(&request).send();
        let ticket: UploadTicket = answer.await.expect("the service answers").json().await.expect("a ticket");
        let mut upload = self.http.put(format!("{}{}", self.url, ticket.url)).body(content);
        for (name, value) in &ticket.headers {
            upload = upload.header(name, value);
        }
        assert!(upload.send().await.expect("the service answers").status().is_success());
        sha256
    }

    /// Opens pets with posts, enough for `pats`; gives the posts.
    pub async fn posts(&self, kennel: &Kennel, pats: usize, seed: u64) -> Vec<EventId> {
        let count = pats.div_ceil(PATS_PER_POST);
        let mut posts = Vec::new();
        let salt = [3; 32];
        for pet in 0..count.div_ceil(20) as u64 {
            let owner = key(seed + pet);
            let body = Body::Birth { name: format!("Pet {pet}"), story: String::new() }.encode();
            let payload = Payload::Birth {
                photo: self.photo(&owner).await,
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
pub fn pats(kennel: &Kennel, posts: &[EventId], count: usize, seed: u64) -> Vec<(EventId, SubmittedEvent)> {
    (0..count)
        .map(|n| {
            let payload = Payload::Pat { post: posts[n / PATS_PER_POST] };
            kennel.sign(&key(seed + n as u64), 0, payload, None)
        })
        .collect()
}
