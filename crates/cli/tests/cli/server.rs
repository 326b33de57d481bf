//! A small server for the tests: the real rules in one kennel, every accepted event a block of
//! its own, all in memory.
//!
//! Deliberately absent: queue, table, feeds by day, other kennels. It answers as the HTTP API does
//! in what the command line asks.

pub(crate) mod export;
pub(crate) mod time;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Json;
use axum::body::Bytes as Content;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use pitpet_chain::block::Block;
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, SignedEvent, VERSION};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BirthHash, Digest32, EventId, PublicKey, RulesHash, sha256};
use pitpet_chain::kennel::{Kennel, prove_event};
use pitpet_chain::log;
use pitpet_chain::mining;
use pitpet_chain::proof::LogProof;
use pitpet_chain::reject::Reject;
use pitpet_chain::request::{SignedRequest, Wish};
use pitpet_chain::state::Phase;
use pitpet_cli::client::now_ms;
use pitpet_pipeline::api::{
    AccountView, EntriesView, EntryView, EventView, HoldingView, KennelView, KennelsView, MiningView,
    NameView, ParametersView, PetView, PlaceView, Problem, ProofView, Submission, SubmittedEvent,
    SubmittedRequest, SumsView,
};
use pitpet_pipeline::ports::UploadTicket;
use pitpet_pipeline::problem::rejected;
use pitpet_pipeline::statements::SubmittedStatement;
use serde_json::json;
use signed_note::{Note, StandardSigner, key_id};
use tlog_tiles::{Checkpoint, Hash};

/// A lie that the server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// None.
    Honest,
    /// Its checkpoints are signed by another key.
    WrongKey,
    /// It shows the receipt of another event.
    WrongReceipt,
    /// It never mines.
    NeverMines,
    /// It shows a ledger whose last block was changed, hashed and signed anew.
    RewrittenHistory,
    /// Whoever seals an age there finds that somebody else did a moment ago.
    AlwaysFaster,
    /// No lie: its house mines time as soon as enough witnesses have spoken.
    HouseMinesTime,
    /// It refuses every event, for this reason.
    Refuses(Reject),
}

pub(crate) struct Inner {
    kennel: Kennel,
    blocks: Vec<Block>,
    leaves: Vec<Digest32>,
    places: BTreeMap<EventId, (u64, u32)>,
    rejects: BTreeMap<EventId, Reject>,
    bodies: BTreeMap<EventId, (Vec<u8>, Vec<u8>)>,
    names: BTreeMap<String, AccountId>,
    photos: BTreeMap<String, Vec<u8>>,
    lie: Lie,
    behind_ms: u64,
    statements: Vec<SubmittedStatement>,
}

/// A running server; it ends with the test process.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

const SIGNER: [u8; 32] = [9; 32];

/// Entries on a page of a timeline, few, so that short ones have several.
const TIMELINE_ENTRIES: usize = 3;

impl Server {
    /// Starts one on a free port. Two with the same `random` have the same kennel.
    pub(crate) fn start(random: u8) -> Self {
        Self::start_by(random, export::released())
    }

    /// Starts one whose blocks name these rules.
    pub(crate) fn start_by(random: u8, rules: RulesHash) -> Self {
        Self::start_with(random, rules, &[])
    }

    /// Starts one whose kennel has these time witnesses, more than half of which must agree.
    pub(crate) fn start_with(random: u8, rules: RulesHash, witnesses: &[PublicKey]) -> Self {
        let key = |seed| PublicKey(SigningKey::from_bytes(&seed).verifying_key().to_bytes());
        let genesis = Genesis {
            version: 1,
            parameters: Parameters::CLASSIC,
            operator: key([1; 32]),
            house: key([2; 32]),
            moderators: vec![],
            witnesses: witnesses.to_vec(),
            threshold: if witnesses.is_empty() { 0 } else { witnesses.len() as u8 / 2 + 1 },
            checkpoint: key(SIGNER),
            created_ms: 1_000,
            random: [random; 32],
        };
        let (kennel, founded) = Kennel::found(genesis, rules).unwrap();
        let inner = Inner {
            leaves: vec![log::leaf(&kennel.head().hash.0)],
            blocks: vec![decode(&founded.bytes.0).unwrap()],
            kennel,
            places: BTreeMap::new(),
            rejects: BTreeMap::new(),
            bodies: BTreeMap::new(),
            names: BTreeMap::new(),
            photos: BTreeMap::new(),
            lie: Lie::Honest,
            behind_ms: 0,
            statements: Vec::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        let router = axum::Router::new()
            .route("/v1/events", post(submit))
            .route("/v1/events/{id}", get(event))
            .route("/v1/kennels", get(kennels))
            .route("/v1/birthplace", get(birthplace))
            .route("/v1/kennels/{kennel}", get(kennel_view))
            .route("/v1/kennels/{kennel}/checkpoint", get(checkpoint))
            .route("/v1/pets/{birth}", get(pet))
            .route("/v1/pets/{birth}/events", get(timeline))
            .route("/v1/accounts/{account}", get(account))
            .route("/v1/accounts", post(register))
            .route("/v1/feed", get(feed))
            .route("/v1/media", post(ticket))
            .route("/media/{name}", put(upload))
            .merge(export::router())
            .merge(time::router())
            .with_state(inner.clone());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn lie(&self, lie: Lie) {
        self.inner().lie = lie;
    }

    /// Photos that were uploaded, with their bytes.
    pub(crate) fn photos(&self) -> Vec<Vec<u8>> {
        self.inner().photos.values().cloned().collect()
    }

    /// Moves the ledger to another server, as a thief of the keys and the data could.
    pub(crate) fn roll_back_to(&self, other: &Server) {
        let mut theirs = other.inner();
        let mut ours = self.inner();
        ours.kennel = theirs.kennel.clone();
        ours.blocks = std::mem::take(&mut theirs.blocks);
        ours.leaves = std::mem::take(&mut theirs.leaves);
    }
}

impl Inner {
    fn mine(&mut self, bytes: Vec<u8>, id: EventId) {
        if self.lie == Lie::NeverMines {
            return;
        }
        let now_ms = (now_ms() - self.behind_ms).max(self.kennel.header().timestamp_ms);
        let outcome = self.kennel.apply(now_ms, &[vec![Bytes(bytes)]]).unwrap();
        match (outcome.block, outcome.rejects.first()) {
            (Some(new), _) => {
                let block: Block = decode(&new.bytes.0).unwrap();
                self.leaves.push(log::leaf(&block.header.hash().0));
                self.places.insert(id, (block.header.height, 0));
                self.blocks.push(block);
                self.end_stories();
            }
            (None, Some(reject)) => {
                self.rejects.insert(id, reject.reject);
            }
            (None, None) => unreachable!("an event is accepted or refused"),
        }
    }

    /// What the reaper does.
    fn end_stories(&mut self) {
        let dead = self.kennel.state().pets().find(|pet| pet.phase == Phase::Dead).map(|pet| pet.birth);
        let Some(pet) = dead else { return };
        self.mine_by_house(Payload::StoryEnd { pet });
    }

    /// Mines an event of the house.
    fn mine_by_house(&mut self, payload: Payload) {
        let key = SigningKey::from_bytes(&[2; 32]);
        let public = PublicKey(key.verifying_key().to_bytes());
        let mut event = Event {
            version: VERSION,
            kennel: *self.kennel.id(),
            account: AccountId::of(&public),
            key: public,
            nonce: 0,
            expires_ms: now_ms() + 60_000,
            payload,
            stamp: 0,
        };
        event.seal_stamp(&Parameters::CLASSIC);
        self.mine(event.sign(&key), event.id());
    }

    fn note(&self) -> String {
        let origin = self.kennel.id().to_string();
        let seed = if self.lie == Lie::WrongKey { [8; 32] } else { SIGNER };
        let public = SigningKey::from_bytes(&SIGNER).verifying_key().to_bytes();
        let public = if self.lie == Lie::WrongKey {
            SigningKey::from_bytes(&seed).verifying_key().to_bytes()
        } else {
            public
        };
        let with_algorithm = |key: &[u8]| [&[1], key].concat();
        let skey = format!(
            "PRIVATE+KEY+{origin}+{:08x}+{}",
            key_id(&origin, &with_algorithm(&public)),
            BASE64.encode(with_algorithm(&seed))
        );
        let signer = StandardSigner::new(&skey).unwrap();
        let checkpoint =
            Checkpoint::new(&origin, self.leaves.len() as u64, Hash(log::root(&self.leaves)), "").unwrap();
        let mut note = Note::new(&checkpoint.to_bytes(), &[]).unwrap();
        note.add_sigs(&[&signer]).unwrap();
        String::from_utf8(note.to_bytes()).unwrap()
    }

    fn view(&self) -> KennelView {
        let (head, totals) = (self.kennel.head(), self.kennel.state().totals());
        let p = &Parameters::CLASSIC;
        KennelView {
            id: self.kennel.id().to_string(),
            label: "classic".into(),
            height: head.height,
            hash: head.hash.to_string(),
            age: totals.age,
            timestamp_ms: self.kennel.header().timestamp_ms,
            rules_hash: self.kennel.header().rules_hash.to_string(),
            anchor: match head.summary.anchor.0 {
                // Before the first block there is nothing to remember but the head itself.
                [0, ..] if head.height == 0 => head.hash.to_string(),
                _ => head.summary.anchor.to_string(),
            },
            published_height: head.height,
            living: totals.living,
            free_places: p.living_max - totals.living,
            newcomer_places: p.living_max - totals.living,
            pets: totals.pets,
            accounts: totals.accounts,
            minted: totals.minted,
            house: totals.house,
            locked: totals.locked,
            orders: totals.orders,
            mining: MiningView {
                over: mining::after(self.kennel.state().mining(), head.height, &head.hash).began.to_string(),
                sealed: head.summary.mining.sealed,
                difficulty: head.summary.mining.difficulty,
                last_aging_ms: totals.last_aging_ms,
            },
            upgrade: None,
            parameters: ParametersView {
                ttl: p.ttl,
                age_interval_ms: p.age_interval_ms,
                idle_ms: p.idle_ms,
                living_max: p.living_max,
                accounts_max: p.accounts_max,
                visits_per_post_max: p.visits_per_post_max,
                open_posts_max: p.open_posts_max,
                birth_grant: p.birth_grant,
                post_cost: p.post_cost,
                seal_reward: p.seal_reward,
                time_reward: p.time_reward,
                stamp_bits: p.stamp_bits,
                birth_bits: p.birth_bits,
                seal_bits: p.seal_bits,
                cut_permille: p.cut_permille,
            },
            checkpoint_key: String::new(),
            genesis: BASE64.encode(encode(self.kennel.state().genesis())),
        }
    }

    fn event_view(&self, id: &EventId) -> Option<EventView> {
        let mut view = EventView {
            id: id.to_string(),
            status: "rejected".into(),
            kennel: self.kennel.id().to_string(),
            place: None,
            reject: None,
            body_state: "none".into(),
            hidden: None,
            salt: None,
            body: None,
        };
        if let Some(reject) = self.rejects.get(id) {
            view.reject = Some(rejected(*reject));
            return Some(view);
        }
        let (height, index) = *self.places.get(id)?;
        let block = &self.blocks[height as usize];
        let mut proof = prove_event(&encode(block), index).unwrap();
        if self.lie == Lie::WrongReceipt {
            proof.receipt = self.blocks[1].receipts[0].clone();
        }
        let size = self.leaves.len() as u64;
        let log_proof = LogProof { height, size, path: log::path(&self.leaves, height as usize) };
        let signed = SignedEvent::read(&block.events[0].0).unwrap();
        view.status = "mined".into();
        view.place = Some(PlaceView {
            kind: signed.event.payload.kind().name().into(),
            height,
            index,
            block: block.header.hash().to_string(),
            timestamp_ms: block.header.timestamp_ms,
            event: Some(BASE64.encode(&block.events[0].0)),
            receipt: Some(BASE64.encode(&block.receipts[0].0)),
            proof: Some(ProofView {
                proof: BASE64.encode(encode(&proof)),
                log_proof: BASE64.encode(encode(&log_proof)),
                checkpoint: self.note(),
            }),
        });
        if self.bodies.contains_key(id) {
            view.body_state = "present".into();
        }
        Some(view)
    }

    fn name_of(&self, pet: &BirthHash) -> Option<(String, String)> {
        let (_, body) = self.bodies.get(&EventId(pet.0))?;
        match Body::read(pitpet_chain::event::Kind::Birth, body).ok()? {
            Body::Birth { name, story } => Some((name, story)),
            _ => None,
        }
    }

    /// A block's birth or post, as lists show it.
    fn listed(&self, block: &Block) -> Option<EntryView> {
        let signed = SignedEvent::read(&block.events.first()?.0).unwrap();
        let kind = signed.event.payload.kind();
        let pet: BirthHash = match &signed.event.payload {
            Payload::Birth { .. } => signed.id.into(),
            Payload::Post { pet, .. } => *pet,
            _ => return None,
        };
        let (_, body) = self.bodies.get(&signed.id)?;
        let text = match Body::read(kind, body).ok()? {
            Body::Birth { story: text, .. } | Body::Post { text, .. } => text,
            _ => return None,
        };
        let (name, _) = self.name_of(&pet)?;
        Some(EntryView {
            id: signed.id.to_string(),
            kind: kind.name().into(),
            kennel: self.kennel.id().to_string(),
            pet: pet.to_string(),
            pet_name: Some(name),
            account: signed.event.account.to_string(),
            height: block.header.height,
            index: 0,
            timestamp_ms: block.header.timestamp_ms,
            age: block.header.age,
            text: Some(text),
            body_state: "present".into(),
            tags: vec![],
            hidden: None,
            photo_url: None,
            post: None,
            amount: None,
        })
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

fn answer(problem: Problem) -> Response {
    (StatusCode::from_u16(problem.status).unwrap(), Json(problem)).into_response()
}

fn problem(status: u16, kind: &str, detail: &str) -> Response {
    answer(Problem {
        kind: format!("/problems/{kind}"),
        title: kind.replace('-', " "),
        status,
        detail: detail.into(),
        field: None,
        retry_after_s: None,
    })
}

async fn submit(State(inner): Shared, Json(submitted): Json<SubmittedEvent>) -> Response {
    let mut inner = inner.lock().unwrap();
    let bytes = BASE64.decode(&submitted.event).unwrap();
    let signed = SignedEvent::read(&bytes).unwrap();
    let checked = signed
        .check(inner.kennel.id(), &Parameters::CLASSIC, now_ms())
        .and_then(|()| signed.check_signature());
    if let Err(reject) = checked {
        return answer(rejected(reject));
    }
    let body = submitted
        .salt
        .zip(submitted.body)
        .map(|(salt, body)| (BASE64.decode(salt).unwrap(), BASE64.decode(body).unwrap()));
    let committed = body.as_ref().map(|(salt, body)| commitment(&salt[..].try_into().unwrap(), body));
    assert_eq!(committed.as_ref(), signed.event.payload.body(), "the body goes with its event");
    inner.bodies.extend(body.map(|body| (signed.id, body)));
    if inner.lie == Lie::AlwaysFaster && matches!(signed.event.payload, Payload::Seal { .. }) {
        inner.seal_first();
    }
    let lie = inner.lie;
    match lie {
        // What needs no state is refused at the door, all else by the miner.
        Lie::Refuses(reject) if reject < Reject::WrongKey => return answer(rejected(reject)),
        Lie::Refuses(reject) => {
            inner.rejects.insert(signed.id, reject);
        }
        _ => inner.mine(bytes, signed.id),
    }
    let queued = Submission { id: Some(signed.id.to_string()), status: "queued".into(), problem: None };
    (StatusCode::ACCEPTED, Json(queued)).into_response()
}

async fn event(State(inner): Shared, Path(id): Path<String>) -> Response {
    match id.parse().ok().and_then(|id| inner.lock().unwrap().event_view(&id)) {
        Some(view) => Json(view).into_response(),
        None => problem(404, "unknown-event", "no such event, or none yet"),
    }
}

async fn kennels(State(inner): Shared) -> Json<KennelsView> {
    Json(KennelsView { kennels: vec![inner.lock().unwrap().view()] })
}

async fn birthplace(State(inner): Shared) -> Json<KennelView> {
    Json(inner.lock().unwrap().view())
}

async fn kennel_view(State(inner): Shared, Path(kennel): Path<String>) -> Response {
    let view = inner.lock().unwrap().view();
    if kennel == view.label || kennel == view.id {
        Json(view).into_response()
    } else {
        problem(404, "unknown-kennel", "no kennel of that name here")
    }
}

async fn checkpoint(State(inner): Shared) -> String {
    inner.lock().unwrap().note()
}

async fn pet(State(inner): Shared, Path(birth): Path<String>) -> Response {
    let inner = inner.lock().unwrap();
    let state = inner.kennel.state();
    let Some(pet) = birth.parse().ok().and_then(|birth: BirthHash| state.pet(&birth)) else {
        return problem(404, "unknown-pet", "no pet has this birth hash");
    };
    let (name, story) = inner.name_of(&pet.birth).unzip();
    let ttl = state.genesis().parameters.ttl;
    let remaining = pet.remaining(ttl, state.totals().age);
    let phase = ["living", "dead", "ended", "kept"][pet.phase as usize];
    Json(PetView {
        birth,
        kennel: inner.kennel.id().to_string(),
        name,
        story,
        owner: pet.owner.to_string(),
        phase: phase.into(),
        remaining,
        ttl,
        remaining_words: format!("{remaining} of {ttl} ages"),
        wallet: pet.wallet,
        photo: hex::encode(pet.photo),
        photo_url: None,
        hidden: None,
        born_height: pet.born_height,
        born_ms: pet.born_ms,
        died_height: pet.died_height,
        died_ms: pet.died_ms,
        posts: pet.posts,
        pats: pet.pats,
        shares: pet.shares,
        comments: pet.comments,
    })
    .into_response()
}

async fn account(State(inner): Shared, Path(asked): Path<String>) -> Response {
    let inner = inner.lock().unwrap();
    let id = asked.parse().ok().or_else(|| inner.names.get(&asked).copied());
    let Some(record) = id.and_then(|id| inner.kennel.state().account(&id)) else {
        return problem(404, "unknown-account", "no such account");
    };
    Json(AccountView {
        id: record.id.to_string(),
        names: inner.names.iter().filter(|(_, id)| **id == record.id).map(|(name, _)| name.clone()).collect(),
        sums: SumsView::default(),
        kennels: vec![HoldingView {
            kennel: inner.kennel.id().to_string(),
            label: "classic".into(),
            granted: record.granted,
            free: record.free,
            pet: record.pet.map(|pet| pet.to_string()),
            holdings: record.holdings,
            orders: record.orders,
            nonce: record.nonce,
            key: record.key.map(|key| key.to_string()),
        }],
    })
    .into_response()
}

async fn timeline(
    State(inner): Shared,
    Path(birth): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let inner = inner.lock().unwrap();
    if birth.parse().ok().and_then(|birth: BirthHash| inner.kennel.state().pet(&birth)).is_none() {
        return problem(404, "unknown-pet", "no pet has this birth hash");
    }
    let place = |entry: &EntryView| format!("E#{:020}#{:05}", entry.height, entry.index);
    let mut entries: Vec<EntryView> = inner
        .blocks
        .iter()
        .rev()
        .filter_map(|block| inner.listed(block))
        .filter(|entry| entry.pet == birth)
        .filter(|entry| asked.get("cursor").is_none_or(|cursor| place(entry) < *cursor))
        .collect();
    let has_more = entries.len() > TIMELINE_ENTRIES;
    entries.truncate(TIMELINE_ENTRIES);
    let cursor = entries.last().filter(|_| has_more).map(place);
    Json(EntriesView { entries, cursor }).into_response()
}

async fn feed(State(inner): Shared) -> Json<EntriesView> {
    let inner = inner.lock().unwrap();
    let entries = inner.blocks.iter().rev().filter_map(|block| inner.listed(block));
    Json(EntriesView { entries: entries.filter(|entry| entry.kind == "birth").collect(), cursor: None })
}

fn read_request(submitted: &SubmittedRequest) -> pitpet_chain::request::Request {
    SignedRequest::read(&BASE64.decode(&submitted.request).unwrap(), now_ms()).unwrap()
}

async fn register(State(inner): Shared, Json(submitted): Json<SubmittedRequest>) -> Response {
    let request = read_request(&submitted);
    let Wish::Name { name } = request.wish else { return problem(400, "wrong-wish", "") };
    let mut inner = inner.lock().unwrap();
    if inner.names.get(&name).is_some_and(|other| *other != request.account) {
        return problem(409, "name-taken", "another account has this name");
    }
    inner.names.insert(name.clone(), request.account);
    (StatusCode::CREATED, Json(NameView { name, account: request.account.to_string() })).into_response()
}

async fn ticket(Json(submitted): Json<SubmittedRequest>) -> Response {
    let request = read_request(&submitted);
    let Wish::Upload { sha256, content_type, .. } = request.wish else {
        return problem(400, "wrong-wish", "");
    };
    Json(UploadTicket {
        url: format!("/media/{}", hex::encode(sha256)),
        method: "PUT".into(),
        headers: [("content-type".into(), content_type)].into(),
        expires_ms: now_ms() + 60_000,
    })
    .into_response()
}

async fn upload(State(inner): Shared, Path(name): Path<String>, content: Content) -> Response {
    if hex::encode(sha256(&content)) != name {
        return problem(400, "wrong-bytes", "the bytes don't hash to their name");
    }
    inner.lock().unwrap().photos.insert(name, content.to_vec());
    Json(json!({})).into_response()
}
