//! The real service with a kennel of the classic game, whose stamps cost little.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::hash::{AccountId, BirthHash, EventId, PublicKey};
use pitpet_pipeline::api::{KennelView, SubmittedEvent};
use serde_json::{Value, json};

use crate::load::{Kennel, Load, Server, now_ms};

/// The salt of every body here.
pub(crate) const SALT: [u8; 32] = [3; 32];

pub(crate) struct Village {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) load: Load,
    pub(crate) kennel: Kennel,
}

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.expect("the service answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("an answer");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

pub(crate) fn account(key: &SigningKey) -> AccountId {
    AccountId::of(&public(key))
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

impl Village {
    /// Starts the service and opens the kennel `alley`.
    pub(crate) async fn start(adjust: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_with(env!("CARGO_BIN_EXE_pitpet"), folder.path(), adjust);
        let load = Load { http: reqwest::Client::new(), url: server.url.clone() };
        let token = std::fs::read_to_string(folder.path().join(pitpet_local::service::ADMIN_TOKEN_FILE));
        let new = json!({ "label": "alley", "preset": "classic", "stamp_bits": 4, "birth_bits": 4 });
        let opened = load.http.post(format!("{}/admin/kennels", server.url));
        let opened = Answer::of(opened.bearer_auth(token.unwrap().trim()).json(&new)).await;
        assert_eq!(opened.status, 201, "{}", opened.body);
        let view: KennelView = load.get("/v1/kennels/alley").await;
        let genesis = decode(&STANDARD.decode(&view.genesis).unwrap()).unwrap();
        Self { folder, server, load, kennel: Kennel { view, genesis } }
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.load.http.request(method, format!("{}{path}", self.server.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(reqwest::Method::GET, path)).await
    }

    pub(crate) async fn submit(&self, event: &SubmittedEvent) -> Answer {
        Answer::of(self.request(reqwest::Method::POST, "/v1/events").json(event)).await
    }

    /// What became of an event; waits for it.
    pub(crate) async fn outcome(&self, id: &EventId) -> Value {
        self.load.wait(id).await;
        self.get(&format!("/v1/events/{id}?proof=false")).await.body
    }

    /// Submits an event and waits until it is mined.
    pub(crate) async fn mine(&self, (id, event): (EventId, SubmittedEvent)) -> EventId {
        let answer = self.submit(&event).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(self.outcome(&id).await["status"], "mined");
        id
    }

    pub(crate) async fn birth(&self, key: &SigningKey, name: &str, story: &str) -> BirthHash {
        let body = Body::Birth { name: name.to_owned(), story: story.to_owned() }.encode();
        let anchor = self.get("/v1/kennels/alley").await.body["anchor"].as_str().unwrap().parse().unwrap();
        let payload =
            Payload::Birth { photo: [0; 32], body: commitment(&SALT, &body), recovery: None, anchor };
        BirthHash(self.mine(self.kennel.sign(key, 1, payload, Some((&SALT, body)))).await.0)
    }

    /// A signed post.
    pub(crate) fn post(
        &self,
        key: &SigningKey,
        nonce: u64,
        pet: BirthHash,
        text: &str,
    ) -> (EventId, SubmittedEvent) {
        let body = Body::Post { text: text.to_owned(), tags: vec!["nap".to_owned()] }.encode();
        let payload = Payload::Post { pet, photo: None, body: commitment(&SALT, &body) };
        self.kennel.sign(key, nonce, payload, Some((&SALT, body)))
    }

    /// A signed comment.
    pub(crate) fn comment(&self, key: &SigningKey, post: EventId, text: &str) -> (EventId, SubmittedEvent) {
        let body = Body::Comment { text: text.to_owned() }.encode();
        let payload = Payload::Comment { post, body: commitment(&SALT, &body) };
        self.kennel.sign(key, 0, payload, Some((&SALT, body)))
    }

    /// An unsigned gift of one treat, to be altered.
    pub(crate) fn gift(&self, key: &SigningKey, pet: BirthHash) -> Event {
        Event {
            version: VERSION,
            kennel: self.kennel.genesis.kennel(),
            account: account(key),
            key: public(key),
            nonce: 1_000,
            expires_ms: now_ms() + 3_600_000,
            payload: Payload::Gift { pet, amount: 1 },
            stamp: 0,
        }
    }
}
