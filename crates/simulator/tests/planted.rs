//! Proof that the auditor can see: each planted bug is found, and nothing where none is planted.

use std::fmt::Write as _;
use std::path::Path;

use pitpet_pipeline::planted::{Bug, plant};
use pitpet_simulator::document;
use pitpet_simulator::simulation::{Scenario, run_all};

/// Seeds within which each bug is found.
const SEEDS: u64 = 2_000;

/// A finding without what differs from run to run: hashes, and where.
fn words(what: &str) -> String {
    let line = what.lines().next().unwrap_or_default();
    let kept: Vec<_> = line
        .split(' ')
        .filter(|word| word.len() < 60 && !word.contains("BirthHash"))
        .map(|word| if word.bytes().all(|byte| byte.is_ascii_digit()) { "N" } else { word })
        .collect();
    kept.join(" ")
}

#[test]
fn every_planted_bug_is_found() {
    // A bug that panics is found as well; what it says is in the table.
    std::panic::set_hook(Box::new(|_| ()));
    plant(None);
    let opening = (0..20).map(|seed| Scenario { settlers: 8, ..Scenario::of_seed(seed) });
    let (_, failing) = run_all((0..50).map(Scenario::of_seed).chain(opening), |_| ());
    assert_eq!(failing.and_then(|report| report.failure), None, "no bug is planted");
    let mut table = String::from("| bug | what is wrong | seeds | found as |\n|---|---|--:|---|\n");
    let mut unseen = Vec::new();
    for bug in Bug::ALL {
        plant(Some(*bug));
        let scenario = |seed| Scenario { settlers: bug.settlers(), ..Scenario::of_seed(seed) };
        let (_, failing) = run_all((0..SEEDS).map(scenario), |_| ());
        plant(None);
        let Some(report) = failing else {
            unseen.push(bug.name());
            continue;
        };
        let failure = report.failure.expect("it fails");
        let (seeds, words) = (report.scenario.seed + 1, words(&failure.what));
        let line = format!("| `{}` | {} | {seeds} | {words} |", bug.name(), bug.description());
        println!("{line}");
        writeln!(table, "{line}").expect("memory");
    }
    assert!(unseen.is_empty(), "not found within {SEEDS} seeds: {unseen:?}");
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reliability.md"));
    let checked = document::check(path, "planted bugs", &table);
    assert!(checked.is_ok(), "{}", checked.unwrap_err());
}
