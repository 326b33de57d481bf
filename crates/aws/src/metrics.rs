//! Metrics of the functions, as log lines in CloudWatch's embedded metric format: no call, no
//! permission. Outside of Lambda nothing is started, and counting does nothing.
//!
//! The names here are those that `infra/lib/observability.ts` draws and watches.
//!
//! Deliberately absent: a dimension for the kennel. Every combination of dimensions is a metric
//! that costs money each month.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::logs;

/// The namespace in CloudWatch.
const NAMESPACE: &str = "PitPet";

/// Names the stage, the only dimension that all metrics have; without it nothing is collected.
const STAGE: &str = "PITPET_STAGE";

/// Counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Events that the queue holds.
    EventsTaken,
    /// Events in committed blocks.
    EventsMined,
    /// Events that the rules rejected.
    EventsRejected,
    /// Committed blocks.
    Blocks,
    /// Blocks of others that an open kennel was brought up to date with.
    BlocksReplayed,
    /// Blocks lost to another miner.
    CommitConflicts,
    /// Messages that the miner sent to the dead-letter queue.
    MessagesBuried,
    /// Messages given back to the queue.
    MessagesFailed,
    /// Batches of kennels that stand still, because the module of the rules that decide next can't be run.
    KennelsStopped,
    /// Batches of kennels that are to change to rules whose module can't be run, or is unfit.
    UpgradesUnready,
    /// Processes started.
    ColdStarts,
}

/// What is measured of each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Messages in a batch.
    BatchSize,
    /// From the batch's arrival to its answer, ms.
    MineTime,
    /// In the chain module, all calls of an invocation, ms.
    WasmTime,
    /// Blocks of closed windows that the table's read side lacks. Those of an open one don't count.
    PublishLag,
}

impl Count {
    const fn name(self) -> &'static str {
        match self {
            Self::EventsTaken => "EventsTaken",
            Self::EventsMined => "EventsMined",
            Self::EventsRejected => "EventsRejected",
            Self::Blocks => "Blocks",
            Self::BlocksReplayed => "BlocksReplayed",
            Self::CommitConflicts => "CommitConflicts",
            Self::MessagesBuried => "MessagesBuried",
            Self::MessagesFailed => "MessagesFailed",
            Self::KennelsStopped => "KennelsStopped",
            Self::UpgradesUnready => "UpgradesUnready",
            Self::ColdStarts => "ColdStarts",
        }
    }
}

impl Measure {
    const fn name(self) -> &'static str {
        match self {
            Self::BatchSize => "BatchSize",
            Self::MineTime => "MineTime",
            Self::WasmTime => "WasmTime",
            Self::PublishLag => "PublishLag",
        }
    }
}

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// Whether the environment names a stage, so that metrics are collected.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(STAGE).is_some()
}

/// Starts collecting, if the environment names a stage.
pub fn start() {
    let Ok(stage) = std::env::var(STAGE) else { return };
    match Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("Stage", stage).init() {
        Ok(collector) => {
            // A second start would have failed above.
            let _ = COLLECTOR.set(collector);
            count(Count::ColdStarts, 1);
        }
        Err(error) => tracing::error!(%error, "no metrics are collected"),
    }
}

/// Adds to a counter.
pub fn count(what: Count, by: u64) {
    if by > 0 {
        metrics::counter!(what.name()).increment(by);
    }
}

/// Counts a rejected event, once for all and once for its reason.
pub fn count_rejected(reason: &'static str, by: u64) {
    metrics::counter!("EventsRejectedByReason", "Reason" => reason).increment(by);
}

/// Time in the chain module since the last flush, µs. A sum, because a cold kennel replays
/// hundreds of blocks in an invocation and a metric takes 100 values in one.
static WASM_US: AtomicU64 = AtomicU64::new(0);

/// Adds a call's time in the chain module.
pub fn spent_in_wasm(time: Duration) {
    WASM_US.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Notes a measurement; at most 100 of a kind an invocation.
pub fn measure(what: Measure, value: f64) {
    metrics::histogram!(what.name()).record(value);
}

/// Writes what was collected since the last time to standard output. Called at the end of each
/// invocation: afterwards the process may be frozen.
pub fn flush() {
    let Some(collector) = COLLECTOR.get() else { return };
    let wasm_us = WASM_US.swap(0, Ordering::Relaxed);
    if wasm_us > 0 {
        measure(Measure::WasmTime, wasm_us as f64 / 1e3);
    }
    let noted = logs::take_noted();
    let names: Vec<String> = noted.keys().cloned().collect();
    for (name, lines) in noted.clone() {
        collector.set_property(name, lines);
    }
    let mut lines = Vec::new();
    let mut written = collector.flush(&mut lines);
    for name in &names {
        collector.remove_property(name.as_str());
    }
    if lines.is_empty() && !noted.is_empty() {
        // Nothing was counted: what came of events is a line of its own.
        lines = format!("{}\n", serde_json::json!(noted)).into_bytes();
    }
    written = written.and_then(|()| std::io::stdout().write_all(&lines));
    if let Err(error) = written {
        tracing::warn!(%error, "the metrics of an invocation are lost");
    }
}
