//! Tasks of the workspace that cargo has no word for.
//!
//! Deliberately absent: anything that running or testing PitPet needs. A checkout runs without any of these.

mod bundle;
mod cost;
mod economy;
mod hammer;
mod keys;
mod load;
mod module;
mod sabotage;
mod simulate;
mod vectors;

use clap::{Parser, Subcommand};

/// Tasks of the PitPet workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds, pins, checks and compiles the chain module.
    #[command(subcommand)]
    Module(module::Command),
    /// Builds, pins and checks the browser's key module.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Builds what is deployed to AWS Lambda: a folder for each function, checked.
    Bundle(bundle::Arguments),
    /// Breaks the deployment in copies and requires that the checks see it.
    Sabotage(sabotage::Arguments),
    /// Says what a million events cost on AWS, by line item.
    Cost(cost::Arguments),
    /// Plays a season on the real rules, and says who ends up with what.
    Economy(economy::Arguments),
    /// Loads a running service, and checks that everything acknowledged was mined.
    Load(load::Arguments),
    /// Runs `pitpet serve` into the ground, and checks that nothing acknowledged was lost.
    Hammer(hammer::Arguments),
    /// Simulates the whole pipeline from seeds; `cargo xtask simulate --help` says more.
    #[command(disable_help_flag = true)]
    Simulate(simulate::Arguments),
    /// Writes the golden vectors and the examples in the documents that are made from them.
    Vectors,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Module(command) => module::run(command),
        Task::Keys(command) => keys::run(command),
        Task::Bundle(arguments) => bundle::run(&arguments),
        Task::Sabotage(arguments) => sabotage::run(&arguments),
        Task::Cost(arguments) => cost::run(&arguments),
        Task::Economy(arguments) => economy::run(&arguments),
        Task::Load(arguments) => load::run(&arguments),
        Task::Hammer(arguments) => hammer::run(&arguments),
        Task::Simulate(arguments) => simulate::run(&arguments),
        Task::Vectors => vectors::write(),
    }
}
