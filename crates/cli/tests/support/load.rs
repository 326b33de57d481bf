//! A service in a process of its own, and signed events to load it with: what the tests, the bench,
//! the hammer and `cargo xtask load` share. What is called `try_…` says what went wrong; the others
//! panic with it.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{AccountId, BirthHash, Digest32, EventId, PublicKey, sha256};
use pitpet_chain::request::{Request, Wish};
use pitpet_pipeline::api::{
    EventView, KennelView, Submissions, SubmittedEvent, SubmittedEvents, SubmittedRequest,
};
use pitpet_pipeline::ports::UploadTicket;

/// Pats that one post takes, a little under the kennel's bound.
pub const PATS_PER_POST: usize = 1_000;

/// What an event is answered with while the queue is full.
pub const BUSY: &str = "/problems/busy";

/// How long a client waits before it sends again what was refused.
const PAUSE: Duration = Duration::from_millis(50);

/// How long an event may take before it counts as lost: longer than a queue hides the messages of a
/// miner that was killed.
const WAIT_MAX: Duration = Duration::from_secs(400);

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
    /// Opens a kennel with cheap stamps, as the operator.
    pub async fn kennel(&self, label: &str, folder: &Path) -> Kennel {
        let token = std::fs::read_to_string(folder.join("keys/admin.token")).expect("a token");
        let new = serde_json::json!({ "label": label, "preset": "town", "stamp_bits": 4, "birth_bits": 8 });
        let answer =
            self.http.post(format!("{}/admin/kennels", self.url)).bearer_auth(token.trim()).json(&new);
        assert!(answer.send().await.expect("the service answers").status().is_success());
        self.try_kennel(label).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads a kennel that is open.
    pub async fn try_kennel(&self, label: &str) -> Result<Kennel, String> {
        let view: KennelView = self.try_get(&format!("/v1/kennels/{label}")).await?;
        let genesis = STANDARD.decode(&view.genesis).ok().and_then(|bytes| decode(&bytes).ok());
        let genesis = genesis.ok_or_else(|| format!("the genesis of kennel {label} can't be read"))?;
        Ok(Kennel { view, genesis })
    }

    pub async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        self.try_get(path).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn try_get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let told = |error: reqwest::Error| format!("{path}: {error}");
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.map_err(told)?;
        let text = answer.text().await.map_err(told)?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}: {text}"))
    }

    /// Posts events of one request, again while the queue is full; panics if one isn't queued.
    pub async fn post(&self, events: Vec<SubmittedEvent>) {
        self.try_post(events).await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub async fn try_post(&self, mut events: Vec<SubmittedEvent>) -> Result<(), String> {
        let until = Instant::now() + WAIT_MAX;
        while !events.is_empty() {
            let request = SubmittedEvents { events: events.clone() };
            let answer = self.http.post(format!("{}/v1/events", self.url)).json(&request).send().await;
            let answer = answer.map_err(|error| format!("/v1/events: {error}"))?;
            let status = answer.status();
            let text = answer.text().await.map_err(|error| format!("/v1/events: {error}"))?;
            let Ok(answer) = serde_json::from_str::<Submissions>(&text) else {
                // A gateway in front refuses in words of its own.
                if matches!(status.as_u16(), 429 | 503) {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                return Err(format!("/v1/events: {status}: {text}"));
            };
            let mut busy = Vec::new();
            for (result, event) in answer.results.iter().zip(events) {
                match &result.problem {
                    None => {}
                    Some(problem) if problem.kind == BUSY => busy.push(event),
                    // Something behind it does not answer for the moment.
                    Some(problem) if problem.status == 503 && Instant::now() < until => busy.push(event),
                    Some(problem) => return Err(format!("an event was refused: {problem:?}")),
                }
            }
            events = busy;
            if !events.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    pub async fn wait(&self, id: &EventId) {
        self.try_wait(id).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until an event is mined; panics if it is rejected.
    pub async fn wait_mined(&self, id: &EventId) {
        let view = self.try_wait(id).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(view.status, "mined", "{view:?}");
    }

    /// Waits until an event is mined or rejected.
    pub async fn try_wait(&self, id: &EventId) -> Result<EventView, String> {
        let path = format!("/v1/events/{id}?wait_ms=20000&proof=false");
        let mut last = String::new();
        let until = Instant::now() + WAIT_MAX;
        while Instant::now() < until {
            let told = |error: reqwest::Error| format!("{path}: {error}");
            let answer = match self.http.get(format!("{}{path}", self.url)).send().await {
                Err(error) if error.is_timeout() => {
                    last = told(error);
                    continue;
                }
                answer => answer.map_err(told)?,
            };
            let status = answer.status();
            let text = answer.text().await.map_err(told)?;
            match status.is_success() {
                true => {
                    return serde_json::from_str(&text).map_err(|error| format!("{path}: {error}: {text}"));
                }
                false => last = format!("{status}: {text}"),
            }
            // A gateway in front refuses without waiting.
            if status.as_u16() != 404 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(format!("event {id} was not mined in time: {last}"))
    }

    /// Uploads a photo, as a client does before a birth.
    pub async fn photo(&self, owner: &SigningKey) -> Digest32 {
        self.try_photo(owner).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn try_photo(&self, owner: &SigningKey) -> Result<Digest32, String> {
        let told = |error: reqwest::Error| format!("the photo can't be uploaded: {error}");
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
        let text = answer.await.map_err(told)?.text().await.map_err(told)?;
        let ticket: UploadTicket =
            serde_json::from_str(&text).map_err(|error| format!("/v1/media: {error}: {text}"))?;
        // A path is relative to the server.
        let url =
            if ticket.url.starts_with('/') { format!("{}{}", self.url, ticket.url) } else { ticket.url };
        let mut upload = self.http.put(url).body(content);
        for (name, value) in &ticket.headers {
            upload = upload.header(name, value);
        }
        let answer = upload.send().await.map_err(told)?;
        match answer.status().is_success() {
            true => Ok(sha256),
            false => Err(format!("the photo was refused with {}", answer.status())),
        }
    }

    /// Opens pets with posts, enough for `pats`; gives the posts.
    pub async fn posts(&self, kennel: &Kennel, pats: usize, seed: u64) -> Vec<EventId> {
        self.try_posts(kennel, pats, seed).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn try_posts(&self, kennel: &Kennel, pats: usize, seed: u64) -> Result<Vec<EventId>, String> {
        let count = pats.div_ceil(PATS_PER_POST);
        let mut posts = Vec::new();
        let salt = [3; 32];
        for pet in 0..count.div_ceil(20) as u64 {
            let owner = key(seed + pet);
            let body = Body::Birth { name: format!("Pet {pet}"), story: String::new() }.encode();
            let payload = Payload::Birth {
                photo: self.try_photo(&owner).await?,
                body: commitment(&salt, &body),
                recovery: None,
                anchor: kennel
                    .view
                    .anchor
                    .parse()
                    .map_err(|_| "the kennel's anchor is no hash".to_owned())?,
            };
            let (birth, event) = kennel.sign(&owner, 1, payload, Some((&salt, body)));
            self.try_post(vec![event]).await?;
            let mut last = birth;
            self.mined(&birth).await?;
            for nonce in 2..22.min(2 + count as u64 - pet * 20) {
                let body = Body::Post { text: format!("Post {nonce}"), tags: Vec::new() }.encode();
                let payload =
                    Payload::Post { pet: BirthHash(birth.0), photo: None, body: commitment(&salt, &body) };
                let (id, event) = kennel.sign(&owner, nonce, payload, Some((&salt, body)));
                self.try_post(vec![event]).await?;
                posts.push(id);
                last = id;
            }
            self.mined(&last).await?;
        }
        Ok(posts)
    }

    async fn mined(&self, id: &EventId) -> Result<(), String> {
        match self.try_wait(id).await? {
            view if view.status == "mined" => Ok(()),
            view => Err(format!("event {id} was {}: {:?}", view.status, view.reject)),
        }
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
