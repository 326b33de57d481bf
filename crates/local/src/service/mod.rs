//! The whole of PitPet in one process: an embedded DynamoDB engine, the embedded queue with its
//! event source, the scheduler, the object store in a folder, the HTTP front. The functions' own
//! handlers and the production table adapter run in it unchanged.
//!
//! Deliberately absent: any shortcut between the parts. A request becomes an API Gateway event,
//! an event goes through the queue, a block through the table's conditional write.

mod compress;
mod engine;
mod folder;
mod front;
mod kennels;
mod keys;
mod upgrades;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pitpet_aws::objects::UploadSecret;
use pitpet_aws::{DynamoTable, FolderObjects, Settings, SystemClock};
use pitpet_chain_host::{ArtefactCache, Host, Releases, Target};
use pitpet_miner::WasmModules;
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::items;
use pitpet_pipeline::mine::{Miner, MinerSettings};
use pitpet_pipeline::native::released_rules;
use pitpet_pipeline::ports::{Clock, Objects, Table};
use pitpet_pipeline::query::{Queries, QuerySettings, SiteSettings};
use pitpet_pipeline::rate_limit::RateLimits;
use pitpet_pipeline::read_side::ReadSide;
use pitpet_pipeline::reap::Reaper;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::event_source::{self, EventSourceSettings, Tally};
use crate::queue::{DeadLetterHandle, FifoQueue, InterruptedReceives, QueueHandle, QueueSettings};

pub use engine::Engine;
pub use folder::{DataFolder, FolderError};
pub use front::FrontSettings;
pub use kennels::{FoundingKeys, NewKennel, Preset, open as open_kennel, public};
pub use keys::{ADMIN_TOKEN_FILE, Keys, MODERATOR_KEY_FILE, OPERATOR_KEY_FILE, read_key};
pub use upgrades::NewRules;

/// Name of the one table.
const TABLE: &str = "pitpet";

/// The longest that a long poll waits here, ms.
const WAIT_MS_MAX: u64 = 30_000;

/// How long requests under way may take to end once the service stops: a client that waits for an
/// event, or sends slowly, would hold it up for half a minute.
const DRAIN: Duration = Duration::from_secs(2);

/// How the service is set.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the HTTP front listens.
    pub listen: SocketAddr,
    /// How often the reaper runs.
    pub reap_every: Duration,
    /// Batches of different kennels mined at once.
    pub concurrency_max: usize,
    /// How slow and how many clients may be.
    pub front: FrontSettings,
    /// How many events addresses and accounts may send.
    pub limits: RateLimits,
    /// Kennels to open at first start.
    pub first: Vec<Preset>,
    /// What the pages have to know of the site.
    pub site: SiteSettings,
}

impl ServiceSettings {
    /// Listens on loopback at a port, with everything else at its default; without rate limits,
    /// because whoever reaches loopback is on this machine already.
    pub fn new(data_dir: impl Into<PathBuf>, port: u16) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: (Ipv4Addr::LOCALHOST, port).into(),
            reap_every: Duration::from_secs(2),
            concurrency_max: 2,
            front: FrontSettings::default(),
            limits: RateLimits::LOOPBACK,
            first: vec![Preset::Town, Preset::Classic],
            site: SiteSettings::default(),
        }
    }
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    stop: CancellationToken,
    front: JoinHandle<()>,
    source: JoinHandle<Tally>,
    reaper: JoinHandle<()>,
    queue: FifoQueue,
    engine: Engine,
    _expiry: engine::Expiry,
    _lock: std::fs::File,
}

/// What the front's handlers share.
struct Shared {
    ingest: Ingest,
    queries: Queries,
    objects: Arc<FolderObjects>,
    clock: Arc<dyn Clock>,
    admin: kennels::Admin,
    queue: FifoQueue,
}

impl Service {
    /// Starts everything; ready when it returns.
    ///
    /// # Errors
    /// What stands in the way, in words for the operator.
    pub fn start(settings: ServiceSettings) -> Pin<Box<dyn Future<Output = anyhow::Result<Self>> + Send>> {
        // A boxed future is compiled here, once, and not in every program that waits for it.
        Box::pin(Self::open(settings))
    }

    async fn open(settings: ServiceSettings) -> anyhow::Result<Self> {
        let folder = &settings.data_dir;
        let front_settings = settings.front.within_limits()?;
        keys::make_private_folder(folder)?;
        let lock = lock(folder)?;
        let listener = tokio::net::TcpListener::bind(settings.listen).await.with_context(|| {
            format!("can't listen on {}: choose another address with --listen", settings.listen)
        })?;
        let address = listener.local_addr()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = Keys::open(&folder.join("keys"))?;

        let engine = Engine::start(&folder.join("table.db"))?;
        let table = DynamoTable::new(&Settings::embedded(engine.endpoint()), TABLE)?;
        table.create().await.context("can't create the table in the embedded engine")?;
        let table: Arc<dyn Table> = Arc::new(table);

        let queue_path = folder.join("queue.db");
        let queue =
            tokio::task::spawn_blocking(move || FifoQueue::open(&queue_path, QueueSettings::default()))
                .await?
                .context("can't open the queue")?;
        // This process is the only consumer: whatever was in flight was in flight in one that is gone.
        queue.release_in_flight(InterruptedReceives::TakeBack, clock.now_ms()).await?;
        for (store, found) in [("table", engine.durability()?), ("queue", queue.durability().await?)] {
            if !found.survives_power_cut() {
                tracing::warn!(store, ?found, "what is answered may not survive a power cut");
            }
        }

        let upload_secret = UploadSecret::new(keys.upload_secret);
        let objects = Arc::new(FolderObjects::open(&folder.join("objects"), upload_secret)?);
        let modules = Arc::new(modules(folder)?);
        let native = released_rules().context("this build has no released rules")?;
        store_rules(objects.as_ref()).await?;

        let sender = Arc::new(QueueHandle::bounded(queue.clone(), clock.clone()));
        let own_sender = Arc::new(QueueHandle::new(queue.clone(), clock.clone()));
        let admin = kennels::Admin {
            table: table.clone(),
            modules: modules.clone(),
            clock: clock.clone(),
            keys: keys.clone(),
            objects: objects.clone(),
            queue: own_sender.clone(),
            folder: folder.clone(),
        };
        admin.open_first(&settings.first).await?;

        // One memory of the newest blocks for all of them.
        let read_side = ReadSide::following(table.clone(), clock.clone());
        let miner = Miner::new(
            table.clone(),
            objects.clone(),
            modules.clone(),
            clock.clone(),
            Arc::new(DeadLetterHandle::new(queue.clone(), clock.clone())),
            Arc::new(keys.checkpoint.clone()),
            MinerSettings::default(),
        );
        let miner = Arc::new(miner.sharing(read_side.clone()));
        let reaper =
            Reaper::new(table.clone(), own_sender, objects.clone(), clock.clone(), keys.house.clone())
                .sharing(read_side.clone());
        let shared = Arc::new(Shared {
            ingest: Ingest::new(table.clone(), sender, objects.clone(), clock.clone())
                .sharing(read_side.clone())
                .limited(settings.limits)
                .with_passwords(&keys.sign_in_secret),
            queries: Queries::new(
                table,
                objects.clone(),
                clock.clone(),
                QuerySettings {
                    wait_ms_max: WAIT_MS_MAX,
                    replicas_max: NonZeroUsize::new(4).expect("4 is not zero"),
                },
            )
            .sharing(read_side)
            .with_rules(native, Some(modules))
            .with_site(settings.site),
            objects,
            clock: clock.clone(),
            admin,
            queue: queue.clone(),
        });

        let expiry = engine.expire(TABLE)?;
        let stop = CancellationToken::new();
        let source_settings = EventSourceSettings {
            concurrency_max: settings.concurrency_max,
            ..EventSourceSettings::default()
        };
        let handler = move |event| {
            let miner = miner.clone();
            async move { Ok::<_, std::convert::Infallible>(pitpet_miner::handle(&miner, event).await) }
        };
        let source = tokio::spawn(event_source::run(
            queue.clone(),
            clock,
            source_settings,
            handler,
            stop.child_token(),
        ));
        let reaper = tokio::spawn(schedule(reaper, settings.reap_every, stop.child_token()));
        let front = tokio::spawn(front::serve(listener, shared, front_settings, stop.child_token()));
        Ok(Self { address, stop, front, source, reaper, queue, engine, _expiry: expiry, _lock: lock })
    }

    /// Where the HTTP front listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no more requests, batches in flight are finished, stores are closed. A client that
    /// sends slowly or waits for an event is itself not waited for.
    pub async fn stop(self) {
        self.stop.cancel();
        let front = tokio::time::timeout(DRAIN, self.front).await.unwrap_or_else(|_| {
            // What it still answers ends with the process.
            tracing::warn!("some requests did not end in time");
            Ok(())
        });
        for (part, ended) in [("front", front), ("reaper", self.reaper.await)] {
            if let Err(error) = ended {
                tracing::error!(part, %error, "a part of the service ended badly");
            }
        }
        match self.source.await {
            Ok(tally) => tracing::info!(?tally, "event source stopped"),
            Err(error) => tracing::error!(%error, "the event source ended badly"),
        }
        drop(self.queue);
        self.engine.stop();
    }
}

/// Keeps a second process out of the folder, as long as the file is open.
fn lock(folder: &std::path::Path) -> anyhow::Result<std::fs::File> {
    let path = folder.join("lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("can't write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            anyhow::bail!(
                "another pitpet serves {}: stop it, or choose another folder with --data-dir",
                folder.display()
            )
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

/// The chain modules, compiled on first use and cached.
///
/// # Errors
/// If this machine has no compiler for them, or the release has none.
pub fn modules(folder: &std::path::Path) -> anyhow::Result<WasmModules> {
    let host = Host::compiling(Target::host()?, pitpet_chain_host::Settings::default());
    let modules = WasmModules::new(host, releases(folder), ArtefactCache::new(folder.join("artefacts")));
    let newest = Releases::latest()
        .context("this build has no released chain module: run `cargo xtask module pin`")?;
    // Now, so that the first event doesn't wait for the compiler.
    modules.module(newest).context("can't load the chain module")?;
    Ok(modules)
}

/// The released modules, and those that the operator has offered: where anyone can fetch them.
fn releases(folder: &std::path::Path) -> Releases {
    Releases::with_folder(folder.join("objects").join("rules"))
}

/// [`modules`] with one more, which is not stored yet: it has to be tried first.
///
/// # Errors
/// If this machine has no compiler for them.
pub fn modules_to_try(folder: &std::path::Path, wasm: &[u8]) -> anyhow::Result<WasmModules> {
    let host = Host::compiling(Target::host()?, pitpet_chain_host::Settings::default());
    let releases = releases(folder).and([wasm.to_vec()]);
    Ok(WasmModules::new(host, releases, ArtefactCache::new(folder.join("artefacts"))))
}

/// Puts the released modules where anyone can fetch them.
///
/// # Errors
/// The store's.
pub async fn store_rules(objects: &dyn Objects) -> anyhow::Result<()> {
    for rules in Releases::pinned() {
        let key = items::rules_object(&pitpet_chain::hash::RulesHash(rules.0));
        if objects.size(&key).await?.is_none() {
            objects.put(&key, Releases::embedded().find(rules)?.into_owned()).await?;
        }
    }
    Ok(())
}

/// Runs the reaper at once and then on schedule.
async fn schedule(reaper: Reaper, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Not interrupted: it ends soon, and every step of it can be repeated.
        if let Err(error) = pitpet_reaper::handle(&reaper, serde_json::Value::Null).await {
            tracing::error!(%error, "the reaper failed; it runs again on schedule");
        }
    }
}
