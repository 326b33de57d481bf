//! What a run found, for people and for scripts.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::round::Found;

/// Quantiles that are told.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Everything.
#[derive(Default)]
pub(super) struct Report {
    pub(super) rounds: Vec<Found>,
    /// Each kennel, and what is wrong with its ledger.
    pub(super) verified: Vec<(String, Option<String>)>,
}

impl Report {
    /// What must not be.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for round in &self.rounds {
            if round.lost > 0 {
                let why = round.first_failure.clone().unwrap_or_default();
                faults.push(format!(
                    "at {} events/s {} acknowledged events are neither mined nor rejected: {why}",
                    round.rate, round.lost
                ));
            }
        }
        for (kennel, flaw) in &self.verified {
            if let Some(flaw) = flaw {
                faults.push(format!("the ledger of {kennel} doesn't verify: {flaw}"));
            }
        }
        faults
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let mut say = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        say(format!(
            "{:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>8} {:>5} {:>8}   from due to receipt, ms",
            "events/s", "sent", "202", "refused", "failed", "mined", "rejected", "lost", "mined/s"
        ));
        say(format!("{:77}{}", "", QUANTILES.map(|(name, _)| format!("{name:>8}")).concat()));
        for round in &self.rounds {
            let times = QUANTILES.map(|(_, quantile)| match round.latency_ms.is_empty() {
                true => format!("{:>8}", "-"),
                false => format!("{:>8}", round.latency_ms.value_at_quantile(quantile)),
            });
            say(format!(
                "{:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>8} {:>5} {:>8.1} {}",
                round.rate,
                round.sent,
                round.acknowledged,
                round.refused,
                round.failed,
                round.mined,
                round.rejected,
                round.lost,
                round.mined_rate,
                times.concat()
            ));
        }
        for round in &self.rounds {
            if let Some(why) = &round.first_failure {
                say(format!("at {} events/s: {why}", round.rate));
            }
        }
        for (kennel, flaw) in &self.verified {
            say(match flaw {
                None => format!("the ledger of {kennel} verifies"),
                Some(flaw) => format!("the ledger of {kennel} DOES NOT VERIFY: {flaw}"),
            });
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|round| {
                let times: serde_json::Map<String, Value> = QUANTILES
                    .iter()
                    .map(|(name, quantile)| {
                        ((*name).to_owned(), round.latency_ms.value_at_quantile(*quantile).into())
                    })
                    .collect();
                // The whole distribution, as pairs of a value and how many have it.
                let histogram: Vec<Value> = round
                    .latency_ms
                    .iter_recorded()
                    .map(|step| json!([step.value_iterated_to(), step.count_at_value()]))
                    .collect();
                json!({
                    "rate": round.rate,
                    "sent": round.sent,
                    "acknowledged": round.acknowledged,
                    "refused": round.refused,
                    "failed": round.failed,
                    "first_failure": round.first_failure,
                    "mined": round.mined,
                    "rejected": round.rejected,
                    "lost": round.lost,
                    "mined_rate": round.mined_rate,
                    "latency_ms": times,
                    "latency_ms_histogram": histogram,
                })
            })
            .collect();
        let verified: serde_json::Map<String, Value> =
            self.verified.iter().map(|(kennel, flaw)| (kennel.clone(), json!(flaw.is_none()))).collect();
        json!({ "rounds": rounds, "verified": verified })
    }
}
