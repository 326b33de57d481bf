//! Making a failing scenario smaller, so that it can be read.

use std::collections::BTreeSet;

use super::{FaultKind, Report, Scenario, run};

/// Runs that a shrinking may cost.
const RUNS_MAX: u32 = 400;

/// The smallest scenario found that fails too: fewer actors and acts, fewer kinds of fault, fewer
/// faults. What it fails by may differ. Returns the run of it, with its trace.
///
/// `progress` is told of each smaller one.
pub fn shrink(failing: &Report, mut progress: impl FnMut(&Report)) -> Report {
    let mut smallest = failing.clone();
    let mut left = RUNS_MAX;
    let mut attempt = |candidate: Scenario, smallest: &mut Report| -> bool {
        if left == 0 || candidate == smallest.scenario {
            return false;
        }
        left -= 1;
        let report = run(&candidate);
        let fails = report.failure.is_some();
        if fails {
            progress(&report);
            *smallest = report;
        }
        fails
    };

    // Fewer actors, one kind at a time, as long as it goes.
    type Field = fn(&mut Scenario) -> &mut u32;
    let fields: [Field; 5] =
        [|s| &mut s.kennels, |s| &mut s.miners, |s| &mut s.players, |s| &mut s.acts, |s| &mut s.settlers];
    for field in fields {
        let mut low = 0;
        loop {
            let mut candidate = smallest.scenario.clone();
            let number = field(&mut candidate);
            let high = *number;
            if high - low <= 1 {
                break;
            }
            *number = low + (high - low) / 2;
            let tried = *number;
            if !attempt(candidate, &mut smallest) {
                low = tried;
            }
        }
    }
    for kind in FaultKind::ALL {
        let mut candidate = smallest.scenario.clone();
        candidate.without.insert(*kind);
        attempt(candidate, &mut smallest);
    }
    // Then single faults, by halves, quarters and so on.
    let mut size = smallest.faults.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < smallest.faults.len() {
            let faults = &smallest.faults;
            let end = (at + size).min(faults.len());
            let kept: BTreeSet<u64> = faults[..at].iter().chain(&faults[end..]).copied().collect();
            let candidate = Scenario { only: Some(kept), ..smallest.scenario.clone() };
            if !attempt(candidate, &mut smallest) {
                at += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    run(&Scenario { trace: true, ..smallest.scenario })
}
