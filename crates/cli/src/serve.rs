//! `pitpet serve`, and what `pitpet` does without a command: the whole service in one process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use pitpet_cli::failure::Failure;

/// Where the service listens when nothing is said.
const LISTEN: &str = "127.0.0.1:8080";

/// Where it keeps its data when nothing is said.
const DATA_DIR: &str = "./pitpet-data";

/// How to run the service.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet serve\n  pitpet serve --listen 127.0.0.1:9000 --data-dir /srv/pitpet"
)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,
    /// Directory for the table, the queue, the objects and the keys
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
}

impl Default for ServeArgs {
    fn default() -> Self {
        Self { listen: LISTEN.parse().expect("a socket address"), data_dir: DATA_DIR.into() }
    }
}

/// Runs the service until it is told to end.
pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let ServeArgs { listen, data_dir } = args;
    Err(Failure::Unreachable(format!("serve on {listen} from {}: not built yet", data_dir.display())))
}
