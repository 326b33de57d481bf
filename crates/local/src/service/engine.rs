//! The embedded DynamoDB engine, on a loopback port and a thread of its own: it runs SQLite and
//! its fsync where its requests arrive, which must not hold up the rest.
//!
//! The engine checks no signatures and answers every origin's CORS preflight, so a web page that
//! is open on this machine could write to it if it found its port. Linux gives a process all of
//! 127.0.0.0/8: the engine listens on a random address of it, which with the port makes 2^39
//! places to look. Who has an account on this machine can still find it; the data folder is for
//! one whose users are trusted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use pitpet_pipeline::items;
use tokio::sync::oneshot;

use crate::queue::Durability;

/// From the start to the first look for what has expired: a laptop may not run for long.
const FIRST_EXPIRY: Duration = Duration::from_secs(60);
/// Between two looks, which read the whole table page by page.
const EXPIRY_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// A running engine, for whoever needs a table without the rest of the service.
pub struct Engine {
    endpoint: String,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    database: dynoxide::Database,
    /// None: it keeps everything in memory.
    path: Option<PathBuf>,
}

/// Deletes what has expired, until it is dropped.
pub(super) struct Expiry {
    _stop: mpsc::Sender<()>,
}

/// A loopback address that can't be guessed, where the system has more than one.
fn address() -> anyhow::Result<Ipv4Addr> {
    if !cfg!(target_os = "linux") {
        return Ok(Ipv4Addr::LOCALHOST);
    }
    let mut random = [0; 3];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let [b, c, d] = random;
    // 127.0.0.0 and 127.255.255.255 are a network and a broadcast, not addresses.
    let last = d.clamp(1, 254);
    Ok(Ipv4Addr::new(127, b, c, last))
}

impl Engine {
    /// Starts it on a file, which is made if it isn't there.
    ///
    /// # Errors
    /// If the file can't be opened or nothing can listen on loopback.
    pub fn start(path: &Path) -> anyhow::Result<Self> {
        let text = path.to_str().context("the data folder's path is not UTF-8")?;
        let database = dynoxide::Database::new(text)
            .with_context(|| format!("can't open the table's file {}", path.display()))?;
        Self::serve(database, Some(path.to_owned()))
    }

    /// Starts an empty one that forgets everything when it stops.
    ///
    /// # Errors
    /// If nothing can listen on loopback.
    pub fn in_memory() -> anyhow::Result<Self> {
        Self::serve(dynoxide::Database::memory().context("can't make a table in memory")?, None)
    }

    fn serve(database: dynoxide::Database, path: Option<PathBuf>) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((address()?, 0)).context("can't listen on loopback")?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = database.clone();
        let thread = std::thread::Builder::new().name("table".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "the table's engine can't listen"),
                };
                // A dropped sender stops the engine too.
                let shutdown = async { drop(stopped.await) };
                if let Err(error) = dynoxide::server::serve_with_shutdown(listener, served, shutdown).await {
                    tracing::error!(%error, "the table's engine ended badly");
                }
            });
        })?;
        Ok(Self { endpoint, stop, thread, database, path })
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// How durable the table is, as far as it can be seen from outside the engine.
    ///
    /// The journal mode is the file's, whoever opens it. `synchronous` is a connection's own, and
    /// the engine's can't be asked. It sets none (dynoxide-rs 3.2.0, outside of its bulk loading,
    /// which nothing here calls), so that its connection has what SQLite was compiled with for the
    /// WAL mode; and a process has but one bundled SQLite, which says what that is.
    pub(super) fn durability(&self) -> anyhow::Result<Durability> {
        let path = self.path.as_ref().context("a table in memory isn't durable")?;
        let connection = rusqlite::Connection::open(path)?;
        let journal_mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let mut options = connection.prepare("PRAGMA compile_options")?;
        let options = options.query_map((), |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let synchronous = options
            .iter()
            .find_map(|option| option.strip_prefix("DEFAULT_WAL_SYNCHRONOUS=")?.parse().ok())
            .context("SQLite doesn't say how it was compiled")?;
        Ok(Durability { journal_mode, synchronous })
    }

    /// Deletes now and then what has expired, as the cloud's table does by itself: one minute from
    /// now, then every six hours.
    ///
    /// It has a thread of its own, which no stop waits for: each item is deleted or not.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn expire(&self, table: &'static str) -> anyhow::Result<Expiry> {
        let database = self.database.clone();
        let (stop, stopped) = mpsc::channel();
        std::thread::Builder::new().name("expiry".to_owned()).spawn(move || {
            let mut pause = FIRST_EXPIRY;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                match sweep(&database, table) {
                    Ok(deleted) => tracing::info!(deleted, "deleted what had expired"),
                    Err(error) => tracing::error!(%error, "what has expired stays until the next try"),
                }
                pause = EXPIRY_EVERY;
            }
        })?;
        Ok(Expiry { _stop: stop })
    }

    /// Ends it; requests under way are answered first.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the table's engine ended badly");
        }
    }
}

/// Deletes what has expired by now; gives the number of items. Other requests go between its pages.
fn sweep(database: &dynoxide::Database, table: &str) -> dynoxide::Result<usize> {
    // Said each time, because tables of older versions weren't told.
    let time_to_live_specification =
        TimeToLiveSpecification { attribute_name: items::EXPIRY.to_owned(), enabled: true };
    let table_name = table.to_owned();
    database.update_time_to_live(UpdateTimeToLiveRequest { table_name, time_to_live_specification })?;
    database.sweep_ttl()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use pitpet_aws::{DynamoTable, Settings, SystemClock};
    use pitpet_pipeline::ports::{Clock as _, Consistency, Item, Key, Table as _};

    use super::*;
    use crate::service::TABLE;

    #[test]
    fn what_the_engine_answers_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(&folder.path().join("table.db")).unwrap();
        let durability = engine.durability().unwrap();
        assert!(durability.survives_power_cut(), "{durability:?}");
        engine.stop();
        let lock = include_str!("../../../../Cargo.lock");
        assert!(
            lock.contains("name = \"dynoxide-rs\"\nversion = \"3.2.0\"\n"),
            "another engine: look whether its storage.rs sets `synchronous`, then name its version here"
        );
    }

    #[test]
    fn the_engine_is_not_where_a_web_page_would_look() {
        let folder = tempfile::tempdir().unwrap();
        let engines: Vec<Engine> =
            ["a.db", "b.db"].map(|name| Engine::start(&folder.path().join(name)).unwrap()).into();
        let hosts: Vec<Ipv4Addr> = engines
            .iter()
            .map(|engine| {
                let host = engine.endpoint().strip_prefix("http://").unwrap().to_owned();
                host.split(':').next().unwrap().parse().unwrap()
            })
            .collect();
        assert!(hosts.iter().all(Ipv4Addr::is_loopback), "{hosts:?}");
        assert!(!hosts.contains(&Ipv4Addr::LOCALHOST), "{hosts:?}");
        assert_ne!(hosts[0], hosts[1]);
        engines.into_iter().for_each(Engine::stop);
    }

    #[tokio::test]
    async fn what_has_expired_is_deleted_and_nothing_else() {
        let engine = Engine::in_memory().unwrap();
        let table = DynamoTable::new(&Settings::embedded(engine.endpoint()), TABLE).unwrap();
        table.create().await.unwrap();
        let now_s = SystemClock.now_ms() / 1_000;
        for (name, expiry_s) in [("past", Some(now_s - 60)), ("future", Some(now_s + 60)), ("kept", None)] {
            let attributes =
                expiry_s.map(|at| items::attributes([(items::EXPIRY, at.into())])).unwrap_or_default();
            table.put_new(&Item { key: Key::new("A", name), attributes }).await.unwrap();
        }
        assert_eq!(sweep(&engine.database, TABLE).unwrap(), 1);
        assert_eq!(sweep(&engine.database, TABLE).unwrap(), 0);
        for (name, is_there) in [("past", false), ("future", true), ("kept", true)] {
            let found = table.get(&Key::new("A", name), Consistency::Strong).await.unwrap();
            assert_eq!(found.is_some(), is_there, "{name}");
        }
        engine.stop();
    }
}
