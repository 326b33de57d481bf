//! A data folder, the binary that serves it, and what must hold of it afterwards.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pitpet_chain::hash::EventId;

use super::crowd::Supply;
use super::load::{Kennel, Load, Server, pats};

/// Events signed at once, for a kennel of their own.
pub(super) const SUPPLY: usize = 20_000;

/// Look-ups at once.
const LOOKERS: usize = 16;

/// A SIGTERM must have ended the service within this.
pub(super) const DRAINED: Duration = Duration::from_secs(5);

/// Events set aside each time that there are new ones.
const RESERVE: usize = 500;

/// Everything a scenario needs.
pub(super) struct Rig {
    pub(super) binary: PathBuf,
    pub(super) data: PathBuf,
    home: PathBuf,
    /// What the service says on stderr.
    log: PathBuf,
    pub(super) supply: Supply,
    /// Set aside of it, to see with whether service is normal again: in trouble a crowd may use up the rest.
    pub(super) reserve: Supply,
    random: u64,
    kennels: u64,
}

impl Rig {
    pub(super) fn new(binary: &Path, folder: &Path, seed: u64) -> anyhow::Result<Self> {
        let home = folder.join("home");
        std::fs::create_dir(&home)?;
        Ok(Self {
            binary: binary.to_owned(),
            data: folder.join("data"),
            log: folder.join("serve.log"),
            home,
            supply: Arc::new(Mutex::default()),
            reserve: Arc::new(Mutex::default()),
            random: seed | 1,
            kennels: 0,
        })
    }

    /// A number below `end` (xorshift64).
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end
    }

    /// Starts the service; it serves when this returns.
    pub(super) fn start(&self) -> Server {
        self.start_by(&mut Command::new(&self.binary))
    }

    /// Starts it by a command that ends in the binary.
    pub(super) fn start_by(&self, command: &mut Command) -> Server {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        Server::spawn(command.stderr(log.expect("the log can be written")), &self.data)
    }

    /// The last lines that the service said.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Starts it and measures how long that takes.
    pub(super) async fn recover(&self) -> anyhow::Result<(Server, Duration)> {
        let begin = Instant::now();
        let server = self.start();
        let answer = reqwest::get(format!("{}/v1/kennels", server.url)).await?;
        anyhow::ensure!(answer.status().is_success(), "it starts, and answers with {}", answer.status());
        Ok((server, begin.elapsed()))
    }

    pub(super) fn load(&self, server: &Server) -> Load {
        Load { http: reqwest::Client::new(), url: server.url.clone() }
    }

    /// Sees to it that this many events wait to be sent; opens another kennel for more.
    pub(super) async fn provide(&mut self, server: &Server, events: usize) {
        if self.supply.lock().expect("no sender panicked").len() >= events {
            return;
        }
        self.kennels += 1;
        let label = format!("hammer-{}", self.kennels);
        let load = self.load(server);
        let kennel: Kennel = load.kennel(&label, &self.data).await;
        let (count, seed) = (SUPPLY.max(events) + RESERVE, self.kennels * 10_000_000);
        let posts = load.posts(&kennel, count, seed).await;
        let signed = pats(&kennel, &posts, count, seed + 10_000);
        let mut signed = signed.into_iter();
        self.reserve.lock().expect("no sender panicked").extend(signed.by_ref().take(RESERVE));
        self.supply.lock().expect("no sender panicked").extend(signed);
    }

    /// Looks for acknowledged events: each must be mined.
    pub(super) async fn find(&self, server: &Server, acknowledged: &[EventId]) -> anyhow::Result<()> {
        let share = acknowledged.len().div_ceil(LOOKERS).max(1);
        let lookers: Vec<_> = acknowledged
            .chunks(share)
            .map(|ids| {
                let (load, ids) = (self.load(server), ids.to_vec());
                tokio::spawn(async move {
                    for id in ids {
                        load.wait_mined(&id).await;
                    }
                })
            })
            .collect();
        for looker in lookers {
            looker.await.context("an acknowledged event was not found to be mined")?;
        }
        Ok(())
    }

    /// Ends the service by SIGTERM; gives how long that took.
    pub(super) fn terminate(&self, server: &mut Server) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        let (status, took) = self.terminate_within(server, begin, 4 * DRAINED)?;
        anyhow::ensure!(status.success(), "after SIGTERM it ended with {status}");
        anyhow::ensure!(took <= DRAINED, "after SIGTERM it took {took:.1?} to end");
        Ok(took)
    }

    fn terminate_within(
        &self,
        server: &mut Server,
        begin: Instant,
        limit: Duration,
    ) -> anyhow::Result<(ExitStatus, Duration)> {
        let sent = Command::new("kill").arg("-TERM").arg(server.child.id().to_string()).status()?;
        anyhow::ensure!(sent.success(), "SIGTERM could not be sent");
        loop {
            if let Some(status) = server.child.try_wait()? {
                return Ok((status, begin.elapsed()));
            }
            anyhow::ensure!(begin.elapsed() < limit, "after SIGTERM it did not end within {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What must hold in the end: every acknowledged event is found, every ledger verifies, and
    /// the checker finds nothing wrong in what is stored.
    pub(super) async fn settle(
        &self,
        mut server: Server,
        acknowledged: &[EventId],
    ) -> anyhow::Result<Duration> {
        self.find(&server, acknowledged).await?;
        self.pitpet(&["verify", &server.url])?;
        let drained = self.terminate(&mut server)?;
        let said = std::fs::read_to_string(&self.log)?;
        anyhow::ensure!(!said.contains("panicked"), "the service panicked: {}", self.last_words());
        self.pitpet(&["fsck", "--data-dir", self.data.to_str().context("the folder's path is not UTF-8")?])?;
        Ok(drained)
    }

    /// Runs the binary; it must succeed.
    fn pitpet(&self, args: &[&str]) -> anyhow::Result<()> {
        let ran = Command::new(&self.binary).args(args).env("HOME", &self.home).output()?;
        anyhow::ensure!(
            ran.status.success(),
            "pitpet {} ended with {}: {}{}",
            args[0],
            ran.status,
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
        Ok(())
    }
}

/// Whether this process may mount.
pub(super) fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").output();
    answer.is_ok_and(|answer| answer.stdout.trim_ascii() == b"0")
}

/// A file system of its own, in memory; unmounted when dropped.
pub(super) struct Tmpfs(PathBuf);

impl Tmpfs {
    pub(super) fn mount(at: &Path, mib: u32) -> anyhow::Result<Self> {
        std::fs::create_dir_all(at)?;
        let options = format!("size={mib}m,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status()?;
        anyhow::ensure!(mounted.success(), "a tmpfs could not be mounted");
        Ok(Self(at.to_owned()))
    }

    pub(super) fn remount(&self, options: &str) -> anyhow::Result<()> {
        let options = format!("remount,{options}");
        let mounted = Command::new("mount").args(["-o", &options]).arg(&self.0).status()?;
        anyhow::ensure!(mounted.success(), "the tmpfs could not be remounted with {options}");
        Ok(())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the service that has files open on it is being ended.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
