//! The day itself.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use pitpet_aws::DynamoTable;
use pitpet_aws::dynamo::Consumed;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BlockHash, PublicKey, RulesHash, sha256};
use pitpet_chain::request::{Request, Wish};
use pitpet_chain_host::Releases;
use pitpet_local::service::{Engine, modules};
use pitpet_pipeline::api::{EventsView, SubmittedEvents};
use pitpet_pipeline::head::{read_founding, read_head};
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::mine::{Miner, MinerSettings};
use pitpet_pipeline::ports::{Consistency, Table};
use pitpet_pipeline::query::{Queries, QuerySettings};
use pitpet_pipeline::rate_limit::RateLimits;
use pitpet_pipeline::reap::Reaper;
use pitpet_simulator::queue::QueueSettings;
use pitpet_simulator::town::{FOUNDED_MS, checkpoint_key, found_with, genesis, house_key, id_of, submitted};
use pitpet_simulator::{MemoryQueue, Player, TestClock};

use super::Arguments;
use super::counted::{CountedObjects, CountedTable, Kept};
use super::traffic::Crowd;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A line of metrics of one counter: what `ingest` writes of a POST.
const COUNT_LOG_BYTES: u64 = 170;
/// The miner's line of metrics.
const MINER_LOG_BYTES: u64 = 620;
/// What such a line says of events, without them: what happened, their kennel; and their block.
const EVENTS_LOG_BYTES: u64 = 110;
const BLOCK_LOG_BYTES: u64 = 90;
/// An event's id on it.
const EVENT_LOG_BYTES: u64 = 65;

/// Between two runs of the reaper, ms: `reaperMinutes` in `infra/lib/settings.ts`.
const REAP_MS: u64 = 5 * 60 * 1_000;

/// Births and posts before the day begins.
const SETTLERS: usize = 30;

/// The four functions.
pub(super) const FUNCTIONS: [&str; 4] = ["ingest", "miner", "query", "reaper"];

/// What one function used.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    /// Invocations.
    pub(super) invocations: u64,
    /// Processor time on this machine.
    pub(super) cpu: Duration,
    /// Calls that were waited for, one after the other.
    pub(super) waits: u64,
    /// Capacity, by kind of item.
    pub(super) table: BTreeMap<&'static str, Consumed>,
    /// GET requests to the bucket.
    pub(super) bucket_reads: u64,
    /// PUT and LIST requests.
    pub(super) bucket_writes: u64,
    /// Bytes of its own log lines.
    pub(super) log_bytes: u64,
}

/// What the day used.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    /// By the functions' names.
    pub(super) functions: BTreeMap<&'static str, Used>,
    /// Events in blocks, and rejected ones.
    pub(super) mined: u64,
    pub(super) rejected: u64,
    /// Blocks.
    pub(super) blocks: u64,
    /// Messages sent; requests to receive and to delete them.
    pub(super) sends: u64,
    pub(super) receives: u64,
    /// Requests to the API.
    pub(super) requests: u64,
    /// Uploads to the bucket by players.
    pub(super) uploads: u64,
    /// Bytes that stay in the table.
    pub(super) kept_bytes: u64,
}

/// One function's adapters.
struct Own {
    table: Arc<CountedTable>,
    objects: Arc<CountedObjects>,
}

impl Own {
    fn settle(&self, used: &mut Used) {
        for (kind, more) in self.table.take() {
            let sum = used.table.entry(kind).or_default();
            sum.read_units += more.read_units;
            sum.write_units += more.write_units;
            sum.calls += more.calls;
        }
        let (reads, writes) = self.objects.take();
        used.waits += self.table.take_waits() + reads + writes;
        used.bucket_reads += reads;
        used.bucket_writes += writes;
    }
}

/// Processor time of this thread.
fn cpu() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .context("the processor time of a thread is to be had on Linux only")?;
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.context("the kernel counts no processor time of threads")?))
}

struct World {
    day: Day,
    own: BTreeMap<&'static str, Own>,
    clock: Arc<TestClock>,
    queue: Arc<MemoryQueue>,
    ingest: Ingest,
    miner: Miner,
    queries: Queries,
    reaper: Reaper,
    batch: usize,
    reap_at_ms: u64,
    uploaded: u64,
}

/// Replays it.
pub(super) async fn day(arguments: &Arguments) -> anyhow::Result<Day> {
    let engine = Engine::in_memory()?;
    let used = replay(arguments, &engine.endpoint()).await;
    engine.stop();
    used
}

async fn replay(arguments: &Arguments, endpoint: &str) -> anyhow::Result<Day> {
    const TABLE: &str = "pitpet";
    let plain = DynamoTable::new(&pitpet_aws::Settings::embedded(endpoint), TABLE)?;
    plain.create().await?;
    let folder = tempfile::tempdir()?;
    let modules = Arc::new(modules(folder.path())?);
    let rules = RulesHash(Releases::latest().context("no chain module is released")?.0);
    let mut crowds = Vec::new();
    for number in 0..arguments.kennels {
        // Stamps are the players' work.
        let free = Parameters { stamp_bits: 0, birth_bits: 0, ..Parameters::TOWN };
        let genesis = genesis(free, number);
        found_with(&plain, &format!("kennel-{number}"), &genesis, modules.as_ref(), rules).await?;
        crowds.push(Crowd::new(read_founding(&plain, &genesis.kennel()).await?, number.into()));
    }

    let kept = Kept::default();
    let objects = CountedObjects::default();
    let mut own = BTreeMap::new();
    for function in FUNCTIONS {
        let table = CountedTable::new(endpoint, TABLE, &kept)?;
        own.insert(function, Own { table, objects: objects.beside() });
    }
    let clock = Arc::new(TestClock::new(FOUNDED_MS));
    let queue = Arc::new(MemoryQueue::new(clock.clone(), QueueSettings::default()));
    let of = |function: &str| (own[function].table.clone(), own[function].objects.clone());
    let ingest = {
        let (table, objects) = of("ingest");
        Ingest::new(table, queue.clone(), objects, clock.clone()).limited(RateLimits::DEFAULT)
    };
    let miner = {
        let (table, objects) = of("miner");
        let key = Arc::new(checkpoint_key());
        let settings = MinerSettings { search_words_max: arguments.words.into(), ..MinerSettings::default() };
        Miner::new(table, objects, modules, clock.clone(), queue.clone(), key, settings)
    };
    let queries = {
        let (table, objects) = of("query");
        let settings =
            QuerySettings { wait_ms_max: 2_000, replicas_max: NonZeroUsize::new(4).expect("4 is not zero") };
        Queries::new(table, objects, clock.clone(), settings)
    };
    let reaper = {
        let (table, objects) = of("reaper");
        Reaper::new(table, queue.clone(), objects, clock.clone(), house_key())
            .indexing(arguments.words.into())
    };
    let mut world = World {
        day: Day::default(),
        own,
        clock,
        queue,
        ingest,
        miner,
        queries,
        reaper,
        batch: arguments.batch.into(),
        reap_at_ms: FOUNDED_MS,
        uploaded: SETTLERS as u64,
    };

    // Everybody moves in, and every cache is filled.
    for crowd in &mut crowds {
        let kennel = crowd.founding().clone();
        for number in 0..SETTLERS {
            let now_ms = world.clock.now_ms();
            let anchor = anchor(&plain, crowd).await?;
            let (entry, player) = crowd.birth(anchor, now_ms);
            world.upload(&player, number as u64).await?;
            let post = crowd.post(now_ms).context("a settler has treats")?;
            world.post(vec![submitted(&entry), submitted(&post)]).await?;
            world.mine().await?;
            world.clock.advance(1_000);
        }
        ensure!(world.queue.is_empty(), "kennel {} didn't settle", kennel.label);
    }
    let per_post = usize::from(arguments.per_post);
    let burst = per_post * world.batch;
    let pause_ms = DAY_MS / arguments.events.div_ceil(burst as u64);
    let span = "{msg} {wide_bar} {pos}/{len} events, {eta} left";
    let bar = ProgressBar::new(arguments.events).with_style(ProgressStyle::with_template(span)?);
    // From the end of a window of each kennel to the end of one.
    bar.set_message("beginning");
    for crowd in &mut crowds {
        while !world.is_published(&plain, crowd).await? {
            world.burst(arguments, &plain, crowd, pause_ms).await?;
        }
    }
    world.day = Day::default();
    for own in world.own.values() {
        own.settle(&mut Used::default());
    }
    kept.lock().expect("no panic while the items are locked").clear();
    bar.set_message("the day");
    let mut number = 0;
    loop {
        for crowd in &mut crowds {
            world.burst(arguments, &plain, crowd, pause_ms).await?;
            number += burst as u64;
        }
        bar.set_position(number.min(arguments.events));
        if number < arguments.events {
            continue;
        }
        let mut open = 0;
        for crowd in &crowds {
            open += u64::from(!world.is_published(&plain, crowd).await?);
        }
        if open == 0 {
            break;
        }
    }
    bar.finish_and_clear();
    world.day.kept_bytes = kept.lock().expect("no panic while the items are locked").values().sum();
    let World { mut day, own, .. } = world;
    for (function, own) in &own {
        own.settle(day.functions.entry(function).or_default());
    }
    Ok(day)
}

/// What births of the next minutes are bound to.
async fn anchor(table: &dyn Table, crowd: &Crowd) -> anyhow::Result<BlockHash> {
    let head = read_head(table, crowd.founding(), Consistency::Strong).await?;
    Ok(match head.summary.anchor {
        BlockHash(hash) if hash == [0; 32] => head.hash,
        anchor => anchor,
    })
}

fn request(method: &str, path: &str, body: Vec<u8>) -> HttpRequest {
    HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: BTreeMap::new(),
        content_type: Some("application/json".to_owned()),
        body,
        source: None,
        host: None,
        accept_language: None,
    }
}

impl World {
    /// Whether nothing but a block of time stands above what is published of a kennel.
    async fn is_published(&self, plain: &dyn Table, crowd: &Crowd) -> anyhow::Result<bool> {
        let head = read_head(plain, crowd.founding(), Consistency::Strong).await?;
        Ok(head.height - head.published_height <= 1)
    }

    /// As many POSTs as the miner gets at once, and what follows them.
    async fn burst(
        &mut self,
        arguments: &Arguments,
        plain: &dyn Table,
        crowd: &mut Crowd,
        pause_ms: u64,
    ) -> anyhow::Result<()> {
        self.clock.advance(pause_ms);
        let anchor = anchor(plain, crowd).await?;
        let mut ids = Vec::new();
        for _ in 0..self.batch {
            let mut entries = Vec::new();
            for _ in 0..arguments.per_post {
                let (entry, born) = crowd.next(anchor, self.clock.now_ms());
                if let Some(player) = born {
                    self.uploaded += 1;
                    self.upload(&player, self.uploaded).await?;
                }
                entries.push(entry);
            }
            ids.push(entries.iter().map(|entry| id_of(entry).to_string()).collect::<Vec<_>>());
            self.post(entries.iter().map(submitted).collect()).await?;
        }
        self.mine().await?;
        let kennel = crowd.founding().kennel.to_string();
        for ids in ids {
            for _ in 0..arguments.reads {
                self.read(&kennel, &ids, arguments.proofs).await?;
            }
        }
        self.reap_if_due().await
    }

    /// One invocation of a function behind the API.
    fn invoked(&mut self, function: &'static str, began: Duration) -> anyhow::Result<()> {
        let spent = cpu()?.saturating_sub(began);
        let used = self.day.functions.entry(function).or_default();
        used.invocations += 1;
        used.cpu += spent;
        Ok(())
    }

    async fn post(&mut self, events: Vec<pitpet_pipeline::api::SubmittedEvent>) -> anyhow::Result<()> {
        let count = events.len() as u64;
        let body = match events.as_slice() {
            [one] => serde_json::to_vec(one)?,
            _ => serde_json::to_vec(&SubmittedEvents { events })?,
        };
        let before = self.queue.len();
        let began = cpu()?;
        let answer = http::ingest(&self.ingest, &request("POST", "/v1/events", body)).await;
        self.invoked("ingest", began)?;
        ensure!(answer.status == 202, "an event was refused: {}", text(&answer));
        self.day.requests += 1;
        let sent = (self.queue.len() - before) as u64;
        self.day.sends += sent;
        let ingest = self.day.functions.entry("ingest").or_default();
        ingest.waits += sent;
        // `EventsTaken`, with the events.
        ingest.log_bytes += COUNT_LOG_BYTES + EVENTS_LOG_BYTES + EVENT_LOG_BYTES * count;
        Ok(())
    }

    async fn upload(&mut self, player: &Player, number: u64) -> anyhow::Result<()> {
        let content = format!("photo {number} of {}", player.account());
        let key = PublicKey(player.key.verifying_key().to_bytes());
        let sha256 = sha256(content.as_bytes());
        let size = content.len() as u64;
        let wish = Wish::Upload { sha256, size, content_type: "image/jpeg".to_owned() };
        let expires_ms = self.clock.now_ms() + 60_000;
        let unsigned = Request { version: 1, account: AccountId::of(&key), key, expires_ms, wish, stamp: 0 };
        let signed = STANDARD.encode(unsigned.sign(&player.key));
        let body = serde_json::to_vec(&serde_json::json!({ "request": signed }))?;
        let began = cpu()?;
        let answer = http::ingest(&self.ingest, &request("POST", "/v1/media", body)).await;
        self.invoked("ingest", began)?;
        ensure!(answer.status == 200, "an upload was refused: {}", text(&answer));
        self.day.requests += 1;
        self.day.uploads += 1;
        Ok(())
    }

    /// What became of the events of a POST is asked for at once; with their proofs, one by one.
    async fn read(&mut self, kennel: &str, ids: &[String], with_proofs: bool) -> anyhow::Result<()> {
        if let ([_, _, ..], false) = (ids, with_proofs) {
            let mut request = request("GET", "/v1/events", Vec::new());
            request.query.insert("kennel".to_owned(), kennel.to_owned());
            request.query.insert("ids".to_owned(), ids.join(","));
            let answer = self.asked(&request).await?;
            let known: EventsView = serde_json::from_slice(&answer.body)?;
            ensure!(known.unknown.is_empty(), "events are not found: {:?}", known.unknown);
            return Ok(());
        }
        for id in ids {
            let mut request = request("GET", &format!("/v1/events/{id}"), Vec::new());
            request.query.insert("kennel".to_owned(), kennel.to_owned());
            request.query.insert("proof".to_owned(), with_proofs.to_string());
            self.asked(&request).await?;
        }
        Ok(())
    }

    async fn asked(&mut self, request: &HttpRequest) -> anyhow::Result<HttpResponse> {
        let began = cpu()?;
        let answer = http::query(&self.queries, request).await;
        self.invoked("query", began)?;
        let answer = answer.context("a path of the API")?;
        ensure!(answer.status == 200, "an event is not found: {}", text(&answer));
        self.day.requests += 1;
        Ok(answer)
    }

    /// Mines until the queue is empty.
    async fn mine(&mut self) -> anyhow::Result<()> {
        while !self.queue.is_empty() {
            let batch = self.queue.receive(self.batch);
            ensure!(!batch.is_empty(), "messages wait and none is to be had");
            let messages = batch.iter().map(|delivery| delivery.received.clone()).collect();
            let began = cpu()?;
            let report = self.miner.mine(messages).await;
            self.invoked("miner", began)?;
            ensure!(report.failed.is_empty() && report.buried == 0, "a batch failed: {report:?}");
            self.queue.settle(&batch, &report);
            // One to receive the batch, one to delete it.
            self.day.receives += 2;
            self.day.blocks += report.blocks;
            self.day.mined += report.accepted;
            self.day.rejected += report.rejected;
            self.day.functions.entry("miner").or_default().log_bytes += MINER_LOG_BYTES
                + EVENTS_LOG_BYTES * (report.blocks + report.rejected)
                + BLOCK_LOG_BYTES * report.blocks
                + EVENT_LOG_BYTES * (report.accepted + report.rejected);
        }
        Ok(())
    }

    async fn reap_if_due(&mut self) -> anyhow::Result<()> {
        while self.clock.now_ms() >= self.reap_at_ms {
            self.reap_at_ms += REAP_MS;
            let before = self.queue.len();
            let began = cpu()?;
            let report = self.reaper.reap().await?;
            self.invoked("reaper", began)?;
            ensure!(report.failed == 0, "a kennel was not looked after: {report:?}");
            self.day.sends += (self.queue.len() - before) as u64;
            self.day.functions.entry("reaper").or_default().log_bytes += 300;
            self.mine().await?;
        }
        Ok(())
    }
}

fn text(answer: &HttpResponse) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}
