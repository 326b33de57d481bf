//! The server's clock, its time witnesses, and a rival of its miners.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use pitpet_chain::event::{Event, Payload, VERSION, verify_signature};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, PublicKey};
use pitpet_chain::mining::{self, Purpose, Work, statement_bytes};
use pitpet_chain::reject::Reject;
use pitpet_cli::client::now_ms;
use pitpet_pipeline::problem::rejected;
use pitpet_pipeline::statements::{OfficesView, StatementView, SubmittedStatement, WaitingStatement};

use super::{Inner, Lie, Server, answer};

impl Server {
    /// Sets how far the server's clock is behind.
    pub(crate) fn set_behind(&self, behind_ms: u64) {
        self.inner().behind_ms = behind_ms;
    }

    /// Whether the present age has its seal, and the kennel's age.
    pub(crate) fn age(&self) -> (bool, u64) {
        let inner = self.inner();
        (inner.kennel.state().mining().sealed, inner.kennel.state().totals().age)
    }
}

impl Inner {
    /// Seals the present age by somebody.
    pub(super) fn seal_first(&mut self) {
        let key = SigningKey::from_bytes(&[77; 32]);
        let public = PublicKey(key.verifying_key().to_bytes());
        let account = AccountId::of(&public);
        let head = self.kennel.head();
        let work = mining::after(self.kennel.state().mining(), head.height, &head.hash);
        let proof = Work::new(self.kennel.id(), &work.began, &account, Purpose::Age, work.difficulty)
            .search(0, u64::MAX)
            .unwrap();
        let mut event = Event {
            version: VERSION,
            kennel: *self.kennel.id(),
            account,
            key: public,
            nonce: 0,
            expires_ms: now_ms() + 60_000,
            payload: Payload::Seal { over: work.began, proof, time: None },
            stamp: 0,
        };
        event.seal_stamp(&Parameters::CLASSIC);
        self.mine(event.sign(&key), event.id());
    }

    /// Mines time by the house, with what the witnesses said.
    fn mine_time(&mut self) {
        let statements = self.waiting().iter().filter_map(WaitingStatement::read).collect();
        self.mine_by_house(Payload::Time { parent: self.kennel.head().hash, statements });
    }

    fn waiting(&self) -> Vec<WaitingStatement> {
        let head = self.kennel.head().hash.to_string();
        let witnesses = &self.kennel.state().keys().witnesses;
        let mut waiting: Vec<WaitingStatement> = self
            .statements
            .iter()
            .filter(|said| said.head == head)
            .map(|said| WaitingStatement {
                witness: witnesses.iter().position(|key| key.to_string() == said.witness).unwrap() as u8,
                signature: said.signature.clone(),
            })
            .collect();
        waiting.sort_by_key(|said| said.witness);
        waiting.dedup_by_key(|said| said.witness);
        waiting
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

pub(super) fn router() -> axum::Router<Arc<Mutex<Inner>>> {
    axum::Router::new()
        .route("/v1/statements", post(statement))
        .route("/v1/kennels/{kennel}/offices", get(offices))
}

async fn statement(State(inner): Shared, Json(said): Json<SubmittedStatement>) -> Response {
    let mut inner = inner.lock().unwrap();
    let head = inner.kennel.head().hash;
    let keys = inner.kennel.state().keys();
    let key: PublicKey = said.witness.parse().unwrap();
    let signature = BASE64.decode(&said.signature).unwrap().try_into().unwrap();
    let is_sound = keys.witnesses.contains(&key)
        && verify_signature(&key, &statement_bytes(inner.kennel.id(), &head), &signature);
    if !is_sound {
        return answer(rejected(Reject::BadStatement));
    }
    let threshold = keys.threshold;
    inner.statements.push(said.clone());
    let statements = inner.waiting().len() as u32;
    if inner.lie == Lie::HouseMinesTime && statements >= u32::from(threshold) {
        inner.mine_time();
    }
    let view = StatementView { kennel: said.kennel, head: said.head, statements, threshold };
    (StatusCode::ACCEPTED, Json(view)).into_response()
}

async fn offices(State(inner): Shared) -> Json<OfficesView> {
    let inner = inner.lock().unwrap();
    let keys = inner.kennel.state().keys();
    Json(OfficesView {
        kennel: inner.kennel.id().to_string(),
        operator: keys.operator.key.to_string(),
        moderators: vec![],
        witnesses: keys.witnesses.iter().map(ToString::to_string).collect(),
        threshold: keys.threshold,
        head: inner.kennel.head().hash.to_string(),
        statements: inner.waiting(),
    })
}
