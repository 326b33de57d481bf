//! A kennel with its players, and everything around it in memory.

use std::num::NonZeroUsize;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use pitpet_chain::abi::{Opened, Start};
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, ReplayClass, SignedEvent, VERSION, Verdict};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BlockHash, Digest32, EventId, KennelId, PublicKey, RulesHash, sha256};
use pitpet_chain::request::{Request, Wish};
use pitpet_pipeline::api::{SubmittedEvent, SubmittedRequest};
use pitpet_pipeline::head::{CommittedHead, Founding, read_founding, read_head, write_founding};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::message::{Entry, Message, SaltedBody};
use pitpet_pipeline::mine::{MineReport, Miner, MinerSettings};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::{Consistency, ModuleHost, OutgoingMessage, TableError};
use pitpet_pipeline::query::{Queries, QuerySettings};
use pitpet_pipeline::reap::Reaper;
use pitpet_pipeline::window::WindowRule;

use crate::clock::TestClock;
use crate::faults::{Faults, FaultyObjects, FaultyQueue, FaultyTable};
use crate::objects::MemoryObjects;
use crate::queue::{MemoryQueue, QueueSettings};
use crate::table::MemoryTable;

/// When towns are founded, ms since the Unix epoch: noon, so that no day ends within hours.
pub const FOUNDED_MS: u64 = 20_000 * 86_400_000 + 43_200_000;

/// The classic game with stamps that cost nothing.
pub const QUICK: Parameters = Parameters { stamp_bits: 0, birth_bits: 0, ..Parameters::CLASSIC };

/// The rules hash of the kennels here: the native rules answer to any.
pub const RULES: RulesHash = RulesHash([0x11; 32]);

/// Names of rules that a kennel may go over to, that of [`RULES`] among them. The native rules decide under each.
pub const RELEASES: [RulesHash; 3] = [RULES, RulesHash([0x12; 32]), RulesHash([0x13; 32])];

/// Of whose seed the moderator's key is made.
pub const MODERATOR_SEED: u8 = 203;

/// The key made of one repeated byte.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// The key that signs checkpoints.
pub fn checkpoint_key() -> SigningKey {
    key(201)
}

/// Each block is a window of its own.
pub const EACH: WindowRule = WindowRule { blocks: 1, events: 1, span_ms: 0 };

/// A miner's settings where each block is published at once.
pub fn at_once() -> MinerSettings {
    MinerSettings { window: EACH, ..MinerSettings::default() }
}

/// What is published together in the simulator: little, so that windows close often.
pub const WINDOW: WindowRule = WindowRule { blocks: 5, events: 20, span_ms: 20 * 60 * 1_000 };

/// The house's key.
pub fn house_key() -> SigningKey {
    key(202)
}

/// A founding record with the keys of this module; `number` makes the kennel's id unique.
pub fn genesis(parameters: Parameters, number: u8) -> Genesis {
    Genesis {
        version: 1,
        parameters,
        operator: public(&key(200)),
        house: public(&house_key()),
        moderators: vec![public(&key(MODERATOR_SEED))],
        witnesses: Vec::new(),
        threshold: 0,
        checkpoint: public(&checkpoint_key()),
        created_ms: FOUNDED_MS,
        random: [number; 32],
    }
}

/// A table, an object store and a queue with one or more kennels.
pub struct Town {
    /// The clock of everything here.
    pub clock: Arc<TestClock>,
    /// The table.
    pub table: Arc<MemoryTable>,
    /// The object store.
    pub objects: Arc<MemoryObjects>,
    /// The queue with its dead letters.
    pub queue: Arc<MemoryQueue>,
    /// The first kennel.
    pub founding: Founding,
}

impl Town {
    /// Founds a kennel with these parameters, labelled `first`.
    pub async fn found(parameters: Parameters) -> Self {
        let clock = Arc::new(TestClock::new(FOUNDED_MS));
        let queue = MemoryQueue::new(clock.clone(), QueueSettings::default());
        let table = Arc::new(MemoryTable::new());
        let founding = found_in(&table, "first", parameters, 1, &NativeHost, RULES).await;
        Self { clock, table, objects: Arc::default(), queue: Arc::new(queue), founding }
    }

    /// Founds another kennel.
    pub async fn found_another(&self, label: &str, parameters: Parameters, number: u8) -> Founding {
        found_in(&self.table, label, parameters, number, &NativeHost, RULES).await
    }

    /// A miner without faults, with the native rules.
    pub fn miner(&self) -> Miner {
        self.miner_with(&Faults::none(), at_once())
    }

    /// A miner all of whose calls go through these faults.
    pub fn miner_with(&self, faults: &Arc<Faults>, settings: MinerSettings) -> Miner {
        self.miner_on(Arc::new(NativeHost), faults, settings)
    }

    /// A miner on another host.
    pub fn miner_on(
        &self,
        modules: Arc<dyn ModuleHost>,
        faults: &Arc<Faults>,
        settings: MinerSettings,
    ) -> Miner {
        Miner::new(
            Arc::new(FaultyTable::new(self.table.clone(), faults.clone())),
            Arc::new(FaultyObjects::new(self.objects.clone(), faults.clone())),
            modules,
            self.clock.clone(),
            Arc::new(FaultyQueue::new(self.queue.clone(), faults.clone())),
            Arc::new(checkpoint_key()),
            settings,
        )
    }

    /// A reaper without faults.
    pub fn reaper(&self) -> Reaper {
        self.reaper_with(&Faults::none())
    }

    /// A reaper all of whose calls go through these faults.
    pub fn reaper_with(&self, faults: &Arc<Faults>) -> Reaper {
        Reaper::new(
            Arc::new(FaultyTable::new(self.table.clone(), faults.clone())),
            Arc::new(FaultyQueue::new(self.queue.clone(), faults.clone())),
            Arc::new(FaultyObjects::new(self.objects.clone(), faults.clone())),
            self.clock.clone(),
            house_key(),
        )
        .closing(EACH)
    }

    /// The use case of writes, without faults.
    pub fn ingest(&self) -> Ingest {
        self.ingest_with(&Faults::none())
    }

    /// The use case of writes, all of whose calls go through these faults.
    pub fn ingest_with(&self, faults: &Arc<Faults>) -> Ingest {
        Ingest::new(
            Arc::new(FaultyTable::new(self.table.clone(), faults.clone())),
            Arc::new(FaultyQueue::new(self.queue.clone(), faults.clone())),
            Arc::new(FaultyObjects::new(self.objects.clone(), faults.clone())),
            self.clock.clone(),
        )
    }

    /// The use case of reads.
    pub fn queries(&self) -> Queries {
        let settings = QuerySettings { wait_ms_max: 1_000, replicas_max: NonZeroUsize::MIN };
        Queries::new(self.table.clone(), self.objects.clone(), self.clock.clone(), settings)
    }

    /// The first kennel's id.
    pub fn kennel(&self) -> KennelId {
        self.founding.kennel
    }

    /// The first kennel's head.
    pub async fn head(&self) -> CommittedHead {
        read_head(self.table.as_ref(), &self.founding, Consistency::Strong).await.expect("a sound head")
    }

    /// Puts events into the queue, all in one message.
    pub fn send(&self, entries: Vec<Entry>) -> OutgoingMessage {
        let message = Message { version: 1, kennel: self.kennel(), entries }.write();
        self.queue.take(&message);
        message
    }

    /// Receives one batch, mines it and settles it.
    pub async fn mine_once(&self, miner: &Miner) -> MineReport {
        let batch = self.queue.receive(10);
        let report = miner.mine(batch.iter().map(|delivery| delivery.received.clone()).collect()).await;
        self.queue.settle(&batch, &report);
        report
    }

    /// Mines until the queue is empty.
    ///
    /// # Panics
    /// If it isn't after 100 batches.
    pub async fn mine_all(&self, miner: &Miner) {
        for _ in 0..100 {
            if self.queue.is_empty() {
                return;
            }
            self.mine_once(miner).await;
        }
        panic!("the queue doesn't empty");
    }
}

/// Founds a kennel in a table by this host's rules.
///
/// # Panics
/// If the label is taken.
pub async fn found_in(
    table: &MemoryTable,
    label: &str,
    parameters: Parameters,
    number: u8,
    modules: &dyn ModuleHost,
    rules: RulesHash,
) -> Founding {
    let genesis = genesis(parameters, number);
    found_with(table, label, &genesis, modules, rules).await.expect("the label is free");
    read_founding(table, &genesis.kennel()).await.expect("it was written a moment ago")
}

/// Founds a kennel in any table.
///
/// # Errors
/// As [`write_founding`].
///
/// # Panics
/// If the host refuses the genesis.
pub async fn found_with(
    table: &dyn pitpet_pipeline::ports::Table,
    label: &str,
    genesis: &Genesis,
    modules: &dyn ModuleHost,
    rules: RulesHash,
) -> Result<(), TableError> {
    let start = Start { rules_hash: rules, genesis: Some(Bytes(encode(genesis))), snapshot: None };
    let (_, opened) = modules.open(&rules.0, &encode(&start)).expect("a good genesis");
    let opened: Opened = decode(&opened).expect("a canonical answer");
    let block = opened.block.expect("founding makes a block");
    write_founding(table, label, genesis, &block, &checkpoint_key()).await
}

/// Somebody who signs events.
#[derive(Clone, Debug)]
pub struct Player {
    /// The key.
    pub key: SigningKey,
    /// The kennel in which they play.
    pub kennel: KennelId,
    /// Its parameters.
    pub parameters: Parameters,
    /// The last nonce used.
    pub nonce: u64,
    /// Until when new events are good.
    pub expires_ms: u64,
}

impl Player {
    /// A player in a town's first kennel.
    pub fn new(town: &Town, seed: u8) -> Self {
        Self::of(&town.founding, seed, town.clock.now_ms())
    }

    /// A player in a kennel.
    pub fn of(founding: &Founding, seed: u8, now_ms: u64) -> Self {
        Self {
            key: key(seed),
            kennel: founding.kennel,
            parameters: founding.genesis.parameters.clone(),
            nonce: 0,
            expires_ms: now_ms + 3_600_000,
        }
    }

    /// The account's id.
    pub fn account(&self) -> AccountId {
        AccountId::of(&public(&self.key))
    }

    /// An event before it is signed, with the next nonce where one is due, and stamped.
    pub fn event(&mut self, payload: Payload) -> Event {
        let nonce = match payload.kind().replay_class() {
            ReplayClass::Nonce | ReplayClass::Office => {
                self.nonce += 1;
                self.nonce
            }
            ReplayClass::Subject => 0,
        };
        let mut event = Event {
            version: VERSION,
            kennel: self.kennel,
            account: self.account(),
            key: public(&self.key),
            nonce,
            expires_ms: self.expires_ms,
            payload,
            stamp: 0,
        };
        event.seal_stamp(&self.parameters);
        event
    }

    /// A signed event without a body.
    pub fn act(&mut self, payload: Payload) -> Entry {
        let event = self.event(payload);
        Entry { event: Bytes(event.sign(&self.key)), body: None }
    }

    fn act_with(&mut self, body: Body, payload: impl FnOnce(Digest32) -> Payload) -> Entry {
        let body = body.encode();
        let salt = sha256(&[self.nonce.to_be_bytes().as_slice(), &body].concat());
        let event = self.event(payload(commitment(&salt, &body)));
        Entry { event: Bytes(event.sign(&self.key)), body: Some(SaltedBody { salt, body: Bytes(body) }) }
    }

    /// A birth bound to a head.
    pub fn birth(&mut self, name: &str, anchor: BlockHash) -> Entry {
        let body = Body::Birth { name: name.to_owned(), story: format!("{name} came along.") };
        let photo = sha256(name.as_bytes());
        self.act_with(body, |body| Payload::Birth { photo, body, recovery: None, anchor })
    }

    /// A post.
    pub fn post(&mut self, pet: EventId, text: &str) -> Entry {
        let body = Body::Post { text: text.to_owned(), tags: vec!["nap".to_owned()] };
        self.act_with(body, |body| Payload::Post { pet: pet.into(), photo: None, body })
    }

    /// A comment.
    pub fn comment(&mut self, post: EventId, text: &str) -> Entry {
        let body = Body::Comment { text: text.to_owned() };
        self.act_with(body, |body| Payload::Comment { post, body })
    }

    /// A verdict of a moderator, at a time that has passed.
    pub fn verdict(&mut self, target: EventId, verdict: Verdict, reason: &str, now_ms: u64) -> Entry {
        self.nonce = self.nonce.max(now_ms - 1);
        let body = Body::Moderate { reason: reason.to_owned() };
        self.act_with(body, |body| Payload::Moderate { target, verdict, body })
    }

    /// A signed request that is no event.
    pub fn request(&self, wish: Wish, expires_ms: u64) -> SubmittedRequest {
        let request = Request {
            version: 1,
            account: self.account(),
            key: public(&self.key),
            expires_ms,
            wish,
            stamp: 0,
        };
        SubmittedRequest { request: STANDARD.encode(request.sign(&self.key)) }
    }

    /// A pat.
    pub fn pat(&mut self, post: EventId) -> Entry {
        self.act(Payload::Pat { post })
    }
}

/// An entry's event id.
///
/// # Panics
/// If it holds no event.
pub fn id_of(entry: &Entry) -> EventId {
    SignedEvent::read(&entry.event.0).expect("a signed event").id
}

/// An entry as it is submitted over HTTP.
pub fn submitted(entry: &Entry) -> SubmittedEvent {
    SubmittedEvent {
        event: STANDARD.encode(&entry.event.0),
        salt: entry.body.as_ref().map(|body| STANDARD.encode(body.salt)),
        body: entry.body.as_ref().map(|body| STANDARD.encode(&body.body.0)),
    }
}
