//! `cargo xtask load`: events at given rates against a running service, wherever it runs, and what
//! became of them. Each rate is kept whatever the service does, and times count from when an event
//! was due, so that a service that falls behind can't hide it. Afterwards every event that was
//! answered with 202 is looked for, and the ledger is verified.
//!
//! Deliberately absent: sending again what was refused. It is counted.

mod report;
mod round;
#[path = "../../../crates/cli/tests/support/load.rs"]
pub(crate) mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use report::Report;
use support::Load;

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet admin kennel open load --stamp-bits 4 --birth-bits 8\n  cargo xtask load --kennel load\n  cargo xtask load --kennel load --rates 100,200,400 --seconds 60 --per-post 25\n  cargo xtask load --url https://YOUR-SITE --kennel load --rates 5,10 --json\n\nEvents are signed and stamped before the clock starts: a kennel with few stamp bits saves time. On AWS an address may send 1,200 events a minute (PITPET_ADDRESS_LIMIT); what is refused is counted. Ctrl-C ends the sending; what was sent is still checked. It runs the `pitpet` beside its own binary to verify: build it with `cargo build --release`.\n\nExit codes: 0 all that was acknowledged is there and the ledger verifies, 1 not so, 2 usage."
)]
pub(crate) struct Arguments {
    /// Where the service is
    #[arg(long, env = "PITPET_URL", default_value = "http://127.0.0.1:8080", hide_env_values = true)]
    url: String,
    /// Kennel to load, by label; may be given several times
    #[arg(long, value_name = "LABEL", required = true)]
    kennel: Vec<String>,
    /// Events a second, one round after the other
    #[arg(long, value_name = "RATE,…", value_delimiter = ',', default_values_t = [20, 50, 100], value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rates: Vec<u32>,
    /// Length of a round
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Events in a POST
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=25))]
    per_post: u8,
    /// One POST in so many is followed to its receipt, for the times
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    follow: u32,
    /// Decides the accounts; the same one twice sends the same events [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Print JSON for scripts
    #[arg(long)]
    json: bool,
    /// The binary that verifies [default: the one beside this]
    #[arg(long, value_name = "FILE")]
    pitpet: Option<PathBuf>,
}

/// Loads, checks and reports.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(load(arguments))
}

async fn load(arguments: &Arguments) -> anyhow::Result<()> {
    let pitpet = match &arguments.pitpet {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("pitpet"),
    };
    anyhow::ensure!(
        pitpet.is_file(),
        "{} is not there: build it with `cargo build --release`, or name it with --pitpet",
        pitpet.display()
    );
    let url = arguments.url.trim_end_matches('/').to_owned();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    let load = Arc::new(Load { http, url });
    let mut kennels = Vec::new();
    for label in &arguments.kennel {
        kennels.push(load.try_kennel(label).await.map_err(anyhow::Error::msg)?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.store(true, SeqCst);
        }
    });
    let seed = arguments.seed.unwrap_or_else(support::now_ms);
    eprintln!("seed {seed}");
    let mut report = Report::default();
    for (number, rate) in arguments.rates.iter().enumerate() {
        if stop.load(SeqCst) {
            break;
        }
        // A round's accounts are its own: a visitor pats a post once.
        let seed = seed.wrapping_add(number as u64 * 100_000_000);
        let round = round::Round {
            rate: *rate,
            seconds: arguments.seconds,
            per_post: arguments.per_post.into(),
            follow: arguments.follow,
            seed,
        };
        report.rounds.push(round.run(&load, &kennels, &stop).await?);
    }
    for label in &arguments.kennel {
        let verified = Command::new(&pitpet)
            .args(["verify", &load.url, "--kennel", label])
            .env("PITPET_HOME", tempfile::tempdir()?.path())
            .output()
            .with_context(|| format!("can't run {}", pitpet.display()))?;
        let said = [verified.stdout, verified.stderr].concat();
        let flaw = (!verified.status.success()).then(|| String::from_utf8_lossy(&said).trim().to_owned());
        report.verified.push((label.clone(), flaw));
    }
    match arguments.json {
        true => println!("{:#}", report.json()),
        false => print!("{}", report.text()),
    }
    let faults = report.faults();
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}
