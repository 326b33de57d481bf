//! From what was used to dollars.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::prices::*;
use super::replay::{Day, FUNCTIONS, Used};
use super::{ASSUMED, Arguments};

/// The most that the mining path may cost, at 10 events a block or more; dollars for a million events.
const MINING_MAX: f64 = 1.80;
/// The most that the whole path may cost with one event a POST and one status read.
const WHOLE_MAX: f64 = 5.00;
/// The most that the whole path may cost with 25 events a POST and one status read.
const WHOLE_25_MAX: f64 = 2.50;

/// Memory of the functions, MB: `MEMORY_MB` in `infra/lib/pipeline.ts`, which a test holds to this.
pub(crate) const MEMORY_MB: [(&str, f64); 4] =
    [("ingest", 256.0), ("miner", 1_024.0), ("query", 512.0), ("reaper", 256.0)];

/// One line of the bill.
struct Line {
    /// Whether it is part of the mining path: from SQS's receive to published.
    is_mining: bool,
    item: String,
    /// For a million events, in the unit.
    quantity: f64,
    unit: &'static str,
    /// For a million events.
    dollars: f64,
}

/// What a million events cost.
pub(super) struct Bill {
    lines: Vec<Line>,
    day: Day,
    has_mining_bound: bool,
    whole_max: Option<f64>,
    table_gb: f64,
    events: f64,
}

fn memory_mb(function: &str) -> f64 {
    MEMORY_MB.iter().find(|(name, _)| *name == function).map_or(0.0, |(_, memory)| *memory)
}

/// Milliseconds that Lambda bills for all invocations of a function: with less memory than a core
/// brings, processor time takes longer.
fn billed_ms(function: &str, used: &Used) -> f64 {
    let share = (memory_mb(function) / ASSUMED.core_mb).min(1.0);
    let each = used.cpu.as_secs_f64() * 1e3 / share + used.waits as f64 * ASSUMED.call_ms;
    // Rounded up to a millisecond each.
    each + 0.5 * used.invocations as f64
}

impl Bill {
    pub(super) fn of(arguments: &Arguments, day: &Day) -> Self {
        let events = day.mined as f64;
        let per_million = 1e6 / events;
        let mut lines = Vec::new();
        let mut line = |is_mining: bool, item: String, quantity: f64, unit: &'static str, price: f64| {
            if quantity > 0.0 {
                let quantity = quantity * per_million;
                lines.push(Line { is_mining, item, quantity, unit, dollars: quantity * price });
            }
        };
        line(
            true,
            "queue: receive, delete".to_owned(),
            day.receives as f64,
            "requests",
            QUEUE_REQUESTS / 1e6,
        );
        for function in FUNCTIONS {
            let Some(used) = day.functions.get(function) else { continue };
            let is_mining = function == "miner";
            for (kind, consumed) in &used.table {
                let item = format!("{function}: writes of {kind}");
                line(is_mining, item, consumed.write_units, "write units", WRITE_UNITS / 1e6);
                let item = format!("{function}: reads of {kind}");
                line(is_mining, item, consumed.read_units, "read units", READ_UNITS / 1e6);
            }
            let invocations = used.invocations as f64;
            line(is_mining, format!("{function}: invocations"), invocations, "requests", INVOCATIONS / 1e6);
            let gb_seconds = billed_ms(function, used) / 1e3 * memory_mb(function) / 1024.0;
            line(is_mining, format!("{function}: time"), gb_seconds, "GB-s", GB_SECOND);
            let writes = used.bucket_writes as f64;
            line(
                is_mining,
                format!("{function}: bucket, put and list"),
                writes,
                "requests",
                BUCKET_WRITES / 1e6,
            );
            let reads = used.bucket_reads as f64;
            line(is_mining, format!("{function}: bucket, get"), reads, "requests", BUCKET_READS / 1e6);
            let logs = used.log_bytes as f64 + invocations * ASSUMED.platform_log_bytes;
            line(is_mining, format!("{function}: logs"), logs / 1e9, "GB", LOG_GB);
        }
        line(false, "queue: send".to_owned(), day.sends as f64, "requests", QUEUE_REQUESTS / 1e6);
        line(false, "API: requests".to_owned(), day.requests as f64, "requests", API_REQUESTS / 1e6);
        let access = day.requests as f64 * ASSUMED.access_log_bytes / 1e9;
        line(false, "API: access log".to_owned(), access, "GB", LOG_GB);
        line(false, "bucket: uploads".to_owned(), day.uploads as f64, "requests", BUCKET_WRITES / 1e6);
        lines.sort_by(|a, b| b.dollars.total_cmp(&a.dollars));
        let in_block = events / day.blocks.max(1) as f64;
        let whole_max = match (arguments.per_post, arguments.reads) {
            (1, 1) => Some(WHOLE_MAX),
            (25, 1) => Some(WHOLE_25_MAX),
            _ => None,
        };
        Self {
            lines,
            day: day.clone(),
            // A block of time or a rejected event takes a little from the mean.
            has_mining_bound: in_block >= 9.5,
            whole_max,
            table_gb: day.kept_bytes as f64 * per_million / 1e9,
            events,
        }
    }

    fn mining(&self) -> f64 {
        self.lines.iter().filter(|line| line.is_mining).map(|line| line.dollars).sum()
    }

    fn whole(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    fn edge(&self) -> f64 {
        self.day.requests as f64 / self.events * EDGE_REQUESTS
    }

    /// The bounds that are passed.
    pub(super) fn over(&self) -> Vec<String> {
        let mut over = Vec::new();
        if self.has_mining_bound && self.mining() > MINING_MAX {
            over.push(format!("the mining path costs ${:.2}, more than ${MINING_MAX:.2}", self.mining()));
        }
        if let Some(most) = self.whole_max.filter(|most| self.whole() > *most) {
            over.push(format!("the whole path costs ${:.2}, more than ${most:.2}", self.whole()));
        }
        over
    }

    pub(super) fn json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({
                    "path": if line.is_mining { "mining" } else { "other" },
                    "item": line.item,
                    "quantity": line.quantity,
                    "unit": line.unit,
                    "dollars": line.dollars,
                })
            })
            .collect();
        json!({
            "per_million_events": lines,
            "mining_dollars": self.mining(),
            "mining_dollars_max": self.has_mining_bound.then_some(MINING_MAX),
            "whole_dollars": self.whole(),
            "whole_dollars_max": self.whole_max,
            "edge_dollars": self.edge(),
            "table_gb": self.table_gb,
            "table_dollars_month": self.table_gb * TABLE_GB_MONTH,
            "mined": self.day.mined,
            "rejected": self.day.rejected,
            "blocks": self.day.blocks,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let mut say = |line: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{line}");
        };
        let day = &self.day;
        say(format_args!(
            "{} events mined, {} rejected, {} blocks ({:.1} events each), {} requests",
            day.mined,
            day.rejected,
            day.blocks,
            self.events / day.blocks.max(1) as f64,
            day.requests
        ));
        say(format_args!("dollars for a million events:"));
        for is_mining in [true, false] {
            let of = if is_mining { "the mining path, from receive to published" } else { "beside it" };
            say(format_args!("\n  {of}"));
            for line in self.lines.iter().filter(|line| line.is_mining == is_mining) {
                say(format_args!(
                    "    {:<32} {:>12} {:<12} {:>7.3}",
                    line.item,
                    quantity(line.quantity),
                    line.unit,
                    line.dollars
                ));
            }
        }
        let bound = |most: Option<f64>| most.map_or(String::new(), |most| format!(", at most {most:.2}"));
        let mining_max = self.has_mining_bound.then_some(MINING_MAX);
        say(format_args!("\nmining path   {:.2}{}", self.mining(), bound(mining_max)));
        say(format_args!("whole path    {:.2}{}", self.whole(), bound(self.whole_max)));
        say(format_args!("through CloudFront, {:.2} more for its requests", self.edge()));
        say(format_args!(
            "a million events keep {:.2} GB in the table, {:.2} a month",
            self.table_gb,
            self.table_gb * TABLE_GB_MONTH
        ));
        text
    }
}

/// A number for people.
fn quantity(number: f64) -> String {
    match number {
        n if n >= 1e4 => format!("{:.2} M", n / 1e6),
        n if n >= 10.0 => format!("{n:.0}"),
        n => format!("{n:.3}"),
    }
}
