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
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::queue::Durability;

/// A running engine, for whoever needs a table without the rest of the service.
pub struct Engine {
    endpoint: String,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// None: it keeps everything in memory.
    path: Option<PathBuf>,
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
        let thread = std::thread::Builder::new().name("table".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "the table's engine can't listen"),
                };
                // A dropped sender stops the engine too.
                let shutdown = async { drop(stopped.await) };
                if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, shutdown).await
                {
                    tracing::error!(%error, "the table's engine ended badly");
                }
            });
        })?;
        Ok(Self { endpoint, stop, thread, path })
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

    /// Ends it; requests under way are answered first.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the table's engine ended badly");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

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
}
