//! The gate's share of simulation.

use pitpet_simulator::simulation::{Counts, Scenario, run};

#[test]
fn small() {
    let mut counts = Counts::default();
    for seed in 0..200 {
        let report = run(&Scenario::of_seed(seed));
        counts.add(&report.counts);
        if let Some(failure) = report.failure {
            println!("{counts}");
            panic!("{failure}\n{}", report.scenario.command());
        }
    }
    println!("{counts}");
}
