//! `pitpet-chain`: wiring of arguments, standard streams and exit codes.

use std::io::{self, BufReader, BufWriter, Write as _};
use std::process::ExitCode;

use pitpet_chain_command::arguments::{self, Command, HELP};
use pitpet_chain_command::{audit, dialogue};

fn main() -> ExitCode {
    let (stdin, stdout) = (io::stdin().lock(), io::stdout().lock());
    match arguments::read(std::env::args().skip(1)) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("pitpet-chain ", env!("CARGO_PKG_VERSION"), "\n")),
        // Answers are flushed one by one: whoever asks waits for them.
        Ok(Command::Speak) => match dialogue::run(BufReader::new(stdin), BufWriter::new(stdout)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => could_not(&error.to_string()),
        },
        Ok(Command::Verify(audit)) => match audit.run(BufReader::new(stdin), &mut io::stderr()) {
            Ok(verdict) => print(&verdict),
            Err(audit::Failure::Invalid(why)) => {
                eprintln!("pitpet-chain: {why}");
                ExitCode::from(1)
            }
            Err(audit::Failure::Unable(why)) => could_not(&why),
        },
        Err(why) => {
            eprintln!("pitpet-chain: {why}\nTry `pitpet-chain --help`.");
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => could_not(&error.to_string()),
    }
}

fn could_not(why: &str) -> ExitCode {
    eprintln!("pitpet-chain: {why}");
    ExitCode::from(3)
}
