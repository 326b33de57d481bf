//! `cargo xtask hammer`: the built `pitpet` binary under load from this process, killed, starved
//! and misled. After each scenario every event that was acknowledged is looked for over HTTP, the
//! ledgers are verified, and `pitpet fsck` goes over the data folder.
//!
//! Deliberately absent: faults inside the process, which the simulator makes, by a seed, without
//! a disk or a clock.

mod crowd;
mod rig;
mod scenarios;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::load::support as load;
use rig::Rig;

/// What to do to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// `kill -9` at random moments under load
    Kill,
    /// SIGTERM under load, with a client that waits and one that never finishes its request
    Sigterm,
    /// The disk runs full, and is enlarged (a tmpfs: needs root)
    DiskFull,
    /// The data folder can't be written (a tmpfs: needs root)
    ReadOnly,
    /// Few file descriptors, and clients that take them all
    FdLimit,
    /// Little memory, and clients that take it all
    MemoryLimit,
    /// The clock is set back by two hours (needs libfaketime)
    ClockBack,
    /// Ten times the load that it can carry
    Flood,
    /// Many events, with memory and latency watched
    Soak,
    /// `kill -9` with many blocks stored, and the time until it serves again
    Recovery,
}

/// What runs when nothing is said: all that ends soon.
const USUAL: [Scenario; 8] = [
    Scenario::Kill,
    Scenario::Sigterm,
    Scenario::DiskFull,
    Scenario::ReadOnly,
    Scenario::FdLimit,
    Scenario::MemoryLimit,
    Scenario::ClockBack,
    Scenario::Flood,
];

/// Arguments of `hammer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask hammer\n  cargo xtask hammer --scenario kill --kills 1000\n  cargo xtask hammer --scenario soak --events 1000000\n  cargo xtask hammer --scenario recovery --blocks 100000\n\nIt runs the binary beside its own: build it first with `cargo build --release --workspace`."
)]
pub(crate) struct Arguments {
    /// What to do; may be given several times [default: all but soak and recovery]
    #[arg(long, value_name = "SCENARIO")]
    scenario: Vec<Scenario>,
    /// Kills of the scenario `kill`
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// Events of the scenario `soak`
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Blocks of the scenario `recovery`
    #[arg(long, default_value_t = 100_000)]
    blocks: u64,
    /// Decides the random moments [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// A scenario that can't run on this machine is no failure
    #[arg(long)]
    allow_skips: bool,
    /// The binary [default: the one beside this]
    #[arg(long, value_name = "FILE")]
    pitpet: Option<PathBuf>,
    /// Where the data folders are made [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// How a scenario ended that didn't fail.
enum Ended {
    /// It ran; this is what was found.
    Held(String),
    /// It can't run here, for this reason.
    Skipped(String),
}

/// Runs the scenarios one after the other.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(hammer(arguments))
}

async fn hammer(arguments: &Arguments) -> anyhow::Result<()> {
    let binary = match &arguments.pitpet {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("pitpet"),
    };
    anyhow::ensure!(
        binary.is_file(),
        "{} is not there: build it with `cargo build --release --workspace`, or name it with --pitpet",
        binary.display()
    );
    let seed = arguments.seed.unwrap_or_else(load::now_ms);
    println!("seed {seed} (--seed {seed} makes the same choices again)");
    let scenarios = if arguments.scenario.is_empty() { &USUAL[..] } else { &arguments.scenario };
    let mut failed = Vec::new();
    for scenario in scenarios {
        let name = scenario.to_possible_value().expect("every scenario has a name");
        let name = name.get_name();
        println!("== {name}");
        let folder = match &arguments.work {
            Some(work) => tempfile::tempdir_in(work),
            None => tempfile::tempdir(),
        };
        let folder = folder.context("no folder for the data")?;
        let mut rig = Rig::new(&binary, folder.path(), seed)?;
        let ended = match scenario {
            Scenario::Kill => scenarios::kill(&mut rig, arguments.kills).await,
            Scenario::Sigterm => scenarios::sigterm(&mut rig).await,
            Scenario::DiskFull => scenarios::disk_full(&mut rig).await,
            Scenario::ReadOnly => scenarios::read_only(&mut rig).await,
            Scenario::FdLimit => scenarios::fd_limit(&mut rig).await,
            Scenario::MemoryLimit => scenarios::memory_limit(&mut rig).await,
            Scenario::ClockBack => scenarios::clock_back(&mut rig).await,
            Scenario::Flood => scenarios::flood(&mut rig).await,
            Scenario::Soak => scenarios::soak(&mut rig, arguments.events).await,
            Scenario::Recovery => scenarios::recovery(&mut rig, arguments.blocks).await,
        };
        match ended {
            Ok(Ended::Held(found)) => println!("{name}: held. {found}"),
            Ok(Ended::Skipped(why)) => {
                println!("{name}: SKIPPED: {why}");
                if !arguments.allow_skips {
                    failed.push(format!("{name} was skipped (--allow-skips lets it be)"));
                }
            }
            Err(error) => {
                println!("{name}: FAILED: {error:#}\n  the service said last:\n{}", rig.last_words());
                failed.push(format!("{name}: {error:#}"));
            }
        }
    }
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// The median of some times.
fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
