//! `pitpet`: the command line.
//!
//! A new command is a variant of [`args::Command`], a module under `commands`, and a line in
//! [`run`]. Results go to stdout, progress and errors to stderr; exit codes are 0 valid, 1 refused
//! or invalid, 2 usage, 3 could not be checked; with `--json` stdout then has a problem document.

mod args;
mod commands;
mod context;
mod neighbours;
mod serve;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;
use context::Context;
use pitpet_cli::failure::Failure;

fn main() -> ExitCode {
    match parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pitpet: {}", context::plain(&failure.to_string()));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Reads the arguments. clap tells help, version and what is wrong, and ends the process; where JSON
/// is asked for, what is wrong is a failure like any other.
///
/// # Errors
/// [`Failure::Usage`], told on stdout already.
fn parse() -> Result<Cli, Failure> {
    Cli::try_parse().map_err(|error| {
        if !error.use_stderr() || !args::asks_for_json(std::env::args_os()) {
            error.exit();
        }
        let failure = Failure::usage(args::fault(&error));
        context::show_failure(&failure);
        failure
    })
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    let is_json = common.json;
    // Where there is no context to print by.
    let tell = |failure: &Failure| {
        if is_json {
            context::show_failure(failure);
        }
    };
    let command = match command {
        None => return serve::run(serve::ServeArgs::default()).inspect_err(tell),
        Some(Command::Serve(args)) => return serve::run(args).inspect_err(tell),
        Some(command) => command,
    };
    let context = Context::new(common).inspect_err(tell)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(error.to_string()))
        .inspect_err(tell)?;
    let ended = runtime.block_on(async {
        match command {
            Command::Serve(_) => unreachable!("handled above"),
            Command::Account(command) => commands::account::run(&context, command).await,
            Command::Birth(args) => commands::act::birth(&context, args).await,
            Command::Post(args) => commands::act::post(&context, args).await,
            Command::Pat(args) => commands::act::pat(&context, args).await,
            Command::Share(args) => commands::act::share(&context, args).await,
            Command::Comment(args) => commands::act::comment(&context, args).await,
            Command::Gift(args) => commands::act::gift(&context, args).await,
            Command::Transfer(args) => commands::act::transfer(&context, args).await,
            Command::Keepsake(args) => commands::act::keepsake(&context, args).await,
            Command::Rekey(args) => commands::account::rekey(&context, args).await,
            Command::Report(args) => commands::moderate::report(&context, args).await,
            Command::Erase(args) => commands::moderate::erase(&context, args).await,
            Command::Moderate(args) => commands::moderate::run(&context, args).await,
            Command::Market(command) => commands::market::run(&context, command).await,
            Command::Pet(args) => commands::look::pet(&context, args).await,
            Command::Event(args) => commands::look::event(&context, args).await,
            Command::Feed(args) => commands::look::feed(&context, args).await,
            Command::Kennel(args) => commands::look::kennel(&context, args).await,
            Command::Export(args) => commands::export::run(&context, args).await,
            Command::Verify(args) => commands::verify::run(&context, args).await,
            Command::Economy(args) => commands::economy::run(&context, args).await,
            Command::Fsck(args) => commands::fsck::run(&context, args).await,
            Command::Mine(args) => commands::mine::run(&context, args).await,
            Command::Witness(command) => commands::witness::run(&context, command).await,
            Command::Admin(args) => commands::admin::run(&context, args).await,
            Command::Demo(args) => commands::demo::run(&context, args).await,
        }
    });
    ended.inspect_err(|failure| context.print_failure(failure))
}
