//! `cargo xtask cost`: what a million events cost on AWS, by line item.
//!
//! A day's traffic goes through the use cases as the functions wire them, over the table adapter
//! as it is in the cloud, and an embedded engine that reports consumed capacity as DynamoDB does.
//! Requests, capacity and objects are counted; processor time is measured on this machine; what
//! can't be counted here is assumed, and said: [`prices`] has the prices, [`ASSUMED`] the rest.
//!
//! Deliberately absent: the free tier, taxes, data transfer to the visitors, cold starts.

mod bill;
mod counted;
mod prices;
mod replay;
mod traffic;

use clap::Args;

/// What is assumed, because only AWS could tell.
pub(crate) struct Assumed {
    /// From a call of the table, the queue or the bucket to its answer, ms: AWS says "single-digit".
    pub(crate) call_ms: f64,
    /// The access log's line of a request, bytes.
    pub(crate) access_log_bytes: f64,
    /// Memory that brings a whole core, MB.
    pub(crate) core_mb: f64,
}

/// See [`Assumed`].
pub(crate) const ASSUMED: Assumed = Assumed { call_ms: 5.0, access_log_bytes: 140.0, core_mb: 1_769.0 };

/// Arguments of `cost`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask cost\n  cargo xtask cost --per-post 25\n  cargo xtask cost --events 100000 --kennels 8 --batch 4 --reads 0 --json\n\nExit codes: 0, or with --check 1 above a bound that holds for these parameters; 2 usage."
)]
pub(crate) struct Arguments {
    /// Events of the day
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    events: u64,
    /// Kennels that they are spread over
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=100))]
    kennels: u8,
    /// Events in a POST
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=25))]
    per_post: u8,
    /// Messages that the miner gets at once
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=10))]
    batch: u8,
    /// Status reads of each POST, after its events were mined; with proofs, of each event
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=10))]
    reads: u8,
    /// Words of a text that it can be found by: `searchWords` of the deployment
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u8).range(0..=12))]
    words: u8,
    /// Status reads bring the event's proof
    #[arg(long)]
    proofs: bool,
    /// Print JSON for scripts
    #[arg(long)]
    json: bool,
    /// Fail above a bound
    #[arg(long)]
    check: bool,
}

/// Replays and prints.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // One thread, so that its processor time is that of the functions.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let used = runtime.block_on(replay::day(arguments))?;
    let bill = bill::Bill::of(arguments, &used);
    match arguments.json {
        true => println!("{:#}", bill.json()),
        false => print!("{}", bill.text()),
    }
    let over = bill.over();
    anyhow::ensure!(over.is_empty() || !arguments.check, "{}", over.join("; "));
    Ok(())
}
