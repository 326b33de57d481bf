//! Runs the simulator in a build of its own: planted bugs are never in the one that everything
//! else is built with.

use std::process::Command;

/// Handed on to the simulator.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the simulator and runs it; ends as it ends.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let arguments = &arguments.arguments;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--release", "--quiet", "--package", "pitpet-simulator", "--example", "simulate"]);
    if arguments.iter().any(|argument| argument == "--bug" || argument.starts_with("--bug=")) {
        cargo.args(["--features", "planted-bugs"]);
    }
    let ended = cargo.arg("--").args(arguments).status()?;
    std::process::exit(ended.code().unwrap_or(1))
}
