//! `cargo xtask simulate`: the simulator on the command line.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use pitpet_simulator::simulation::{FaultKind, Report, Scenario, run, run_all, shrink};

/// Simulates the whole pipeline from seeds, with every fault that it must stand.
///
/// A run that fails is printed with the command that replays it, and then made smaller: fewer
/// kennels, miners, players, acts, kinds of fault and single faults. Exit codes: 0 nothing was
/// found, 1 something was, 2 usage.
#[derive(Parser)]
#[command(
    name = "cargo xtask simulate",
    after_help = "Examples:\n  \
        cargo xtask simulate --seeds 500            seeds 0 to 499\n  \
        cargo xtask simulate --seed 42              one seed, with its last calls if it fails\n  \
        cargo xtask simulate --forever              until something is found, or Ctrl-C\n  \
        cargo xtask simulate --bug no-condition     find a planted bug\n  \
        cargo xtask simulate --seed 42 --without pause,throttled --faults 3,17\n                                              \
        replay exactly what was printed"
)]
struct Arguments {
    /// Run this seed only.
    #[arg(long, conflicts_with_all = ["seeds", "from", "forever"])]
    seed: Option<u64>,
    /// Run so many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run seeds until something is found.
    #[arg(long, conflicts_with = "seeds")]
    forever: bool,
    /// Plant a bug; `list` lists them.
    #[arg(long)]
    bug: Option<String>,
    /// Kennels, 1 to 4, instead of as many as follow from the seed.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4))]
    kennels: Option<u32>,
    /// Miners, 1 to 16.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16))]
    miners: Option<u32>,
    /// Players of each kennel, 1 to 16.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16))]
    players: Option<u32>,
    /// Times that each player acts, 1 to 1,000.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    acts: Option<u32>,
    /// Accounts that look for a kennel with room, 0 to 64: kennels open by themselves.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=64))]
    settlers: Option<u32>,
    /// Kinds of fault that don't happen.
    #[arg(long, value_delimiter = ',')]
    without: Vec<FaultKind>,
    /// Only the faults of these numbers happen.
    #[arg(long, value_delimiter = ',', conflicts_with = "no_faults")]
    faults: Option<Vec<u64>>,
    /// No fault happens.
    #[arg(long)]
    no_faults: bool,
    /// Print a failing run as it is.
    #[arg(long)]
    no_shrink: bool,
    /// List the kinds of fault, and end.
    #[arg(long)]
    list_faults: bool,
}

impl Arguments {
    fn scenario(&self, seed: u64) -> Scenario {
        let usual = Scenario::of_seed(seed);
        let only: Option<BTreeSet<u64>> = match self.no_faults {
            true => Some(BTreeSet::new()),
            false => self.faults.as_ref().map(|numbers| numbers.iter().copied().collect()),
        };
        Scenario {
            kennels: self.kennels.unwrap_or(usual.kennels),
            miners: self.miners.unwrap_or(usual.miners),
            players: self.players.unwrap_or(usual.players),
            acts: self.acts.unwrap_or(usual.acts),
            settlers: self.settlers.unwrap_or(usual.settlers),
            without: self.without.iter().copied().collect(),
            only,
            trace: self.seed.is_some(),
            ..usual
        }
    }
}

/// Plants a bug; gives how many settlers it takes to show.
#[cfg(feature = "planted-bugs")]
fn plant(name: &str) -> Result<u32, String> {
    use pitpet_pipeline::planted::Bug;
    let Some(bug) = Bug::ALL.iter().find(|bug| bug.name() == name) else {
        let lines: Vec<_> =
            Bug::ALL.iter().map(|bug| format!("  {:26} {}", bug.name(), bug.description())).collect();
        return Err(format!("The bugs that can be planted:\n{}", lines.join("\n")));
    };
    pitpet_pipeline::planted::plant(Some(*bug));
    Ok(bug.settlers())
}

#[cfg(not(feature = "planted-bugs"))]
fn plant(_: &str) -> Result<u32, String> {
    Err("This build has no bugs to plant: run it by `cargo xtask simulate --bug NAME`.".to_owned())
}

/// Prints a failing run and the smallest one that fails too.
fn show(report: &Report, arguments: &Arguments) {
    let bug = arguments.bug.as_ref().map(|bug| format!(" --bug {bug}")).unwrap_or_default();
    let traced = run(&Scenario { trace: true, ..report.scenario.clone() });
    let Some(failure) = &traced.failure else { return };
    println!("{failure}\n\nReplay it by:\n  {}{bug}", report.scenario.command());
    if arguments.no_shrink {
        return;
    }
    eprintln!("\nMaking it smaller: {} faults so far.", report.faults.len());
    let smallest = shrink(report, |smaller| eprint!("\r{:>6} faults ", smaller.faults.len()));
    if let Some(failure) = &smallest.failure {
        eprintln!();
        println!(
            "\nThe smallest that fails, with {} faults:\n{failure}\n\nReplay it by:\n  {}{bug} --no-shrink",
            smallest.faults.len(),
            smallest.scenario.command()
        );
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.list_faults {
        for kind in FaultKind::ALL {
            println!("{:18} {}", kind.name(), kind.description());
        }
        return ExitCode::SUCCESS;
    }
    match arguments.bug.as_deref().map(plant) {
        None => {}
        Some(Ok(settlers)) => {
            arguments.settlers.get_or_insert(settlers);
        }
        Some(Err(why)) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    }
    let seeds = match (arguments.seed, arguments.forever) {
        (Some(seed), _) => seed..seed + 1,
        (None, true) => arguments.from..u64::MAX,
        (None, false) => arguments.from..arguments.from.saturating_add(arguments.seeds),
    };
    let bar = match arguments.forever {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::new(seeds.end - seeds.start),
    };
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {pos} seeds, {per_sec} {wide_bar}") {
        bar.set_style(style);
    }
    let (counts, failing) = run_all(seeds.map(|seed| arguments.scenario(seed)), |_| bar.inc(1));
    bar.finish_and_clear();
    print!("{counts}");
    match failing {
        None => ExitCode::SUCCESS,
        Some(report) => {
            println!();
            show(&report, &arguments);
            ExitCode::FAILURE
        }
    }
}
