//! `pitpet serve`, and what `pitpet` does without a command: the whole service in one process.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use pitpet_cli::failure::Failure;
use pitpet_local::service::{self, Service, ServiceSettings};
use pitpet_pipeline::query::SiteSettings;
use pitpet_pipeline::rate_limit::RateLimits;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::URL;
use crate::neighbours::{self, COUNT_MAX};

/// Where the service listens when nothing is said.
const LISTEN: &str = "127.0.0.1:8080";

/// Where it keeps its data when nothing is said.
const DATA_DIR: &str = "./pitpet-data";

/// Where it keeps a demonstration's, so that no real ledger is mixed with it.
const DEMO_DIR: &str = "./pitpet-demo-data";

/// A kind of kennel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Pets live for days
    Town,
    /// Every block is an age: a life is over in a minute
    Classic,
}

impl Preset {
    fn label(self) -> &'static str {
        match self {
            Preset::Town => "town",
            Preset::Classic => "classic",
        }
    }
}

impl From<Preset> for service::Preset {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::Town => service::Preset::Town,
            Preset::Classic => service::Preset::Classic,
        }
    }
}

/// How to run the service.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet serve\n  pitpet serve --listen 127.0.0.1:9000 --data-dir /srv/pitpet\n  pitpet serve --preset classic --neighbours 12\n  pitpet serve --listen 0.0.0.0:8080 --address-limit 600 --account-limit 60\n\nLimits are on unless it listens on loopback only; 0 is no limit. Behind a proxy every client has\nthe proxy's address: limit addresses there, and set --address-limit 0 here."
)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,
    /// Directory for the table, the queue, the objects and the keys
    /// [default: ./pitpet-data, with neighbours ./pitpet-demo-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Open only this kennel at first start [default: both]
    #[arg(long, value_enum)]
    pub(crate) preset: Option<Preset>,
    /// Demonstration: so many pets that live by themselves, in `classic` unless --preset says town
    #[arg(long, value_name = "PETS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=i64::from(COUNT_MAX)))]
    pub(crate) neighbours: u8,
    /// Pause between two events of the neighbours, ms
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pub(crate) pace_ms: u64,
    /// Events that one address may send a minute [default: 1200, on loopback 0]
    #[arg(long, value_name = "EVENTS")]
    pub(crate) address_limit: Option<u32>,
    /// Events that one account may send a minute [default: 120, on loopback 0]
    #[arg(long, value_name = "EVENTS")]
    pub(crate) account_limit: Option<u32>,
}

impl ServeArgs {
    fn limits(&self) -> RateLimits {
        let default = if self.listen.ip().is_loopback() { RateLimits::LOOPBACK } else { RateLimits::DEFAULT };
        RateLimits {
            address: self.address_limit.map_or(default.address, NonZeroU32::new),
            account: self.account_limit.map_or(default.account, NonZeroU32::new),
            ..default
        }
    }
}

impl Default for ServeArgs {
    fn default() -> Self {
        Self {
            listen: LISTEN.parse().expect("a socket address"),
            data_dir: None,
            preset: None,
            neighbours: 0,
            pace_ms: 2_000,
            address_limit: None,
            account_limit: None,
        }
    }
}

/// Runs the service until it is told to end.
pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,dynoxide=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(cannot)?;
    runtime.block_on(serve(args))
}

/// The address by which this machine reaches a service: "any address" is none to open.
fn to_open(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

/// What a command in a second terminal has to be told, because it isn't what it takes for granted.
fn elsewhere(url: &str, data_dir: &Path) -> String {
    let mut options = if url == URL { String::new() } else { format!(" --url {url}") };
    if data_dir != Path::new(DATA_DIR) {
        options.push_str(&format!(" --data-dir {}", data_dir.display()));
    }
    options
}

fn cannot(error: impl std::fmt::Display) -> Failure {
    Failure::Unreachable(error.to_string())
}

async fn serve(args: ServeArgs) -> Result<(), Failure> {
    // Before anything is open, so that a signal at any time is a clean end.
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let is_demonstration = args.neighbours > 0;
    let data_dir = args
        .data_dir
        .clone()
        .unwrap_or_else(|| PathBuf::from(if is_demonstration { DEMO_DIR } else { DATA_DIR }));
    let mut settings = ServiceSettings {
        listen: args.listen,
        limits: args.limits(),
        site: SiteSettings { demonstration: is_demonstration, ..SiteSettings::default() },
        ..ServiceSettings::new(&data_dir, 0)
    };
    if let Some(preset) = args.preset {
        settings.first = vec![preset.into()];
    }
    let service =
        Service::start(settings).await.map_err(|error| Failure::Unreachable(format!("{error:#}")))?;
    let listening = service.address();
    let url = format!("http://{}", to_open(listening));
    let at = elsewhere(&url, &data_dir);
    let everywhere = match listening.ip().is_unspecified() {
        true => "Other machines reach it by this one's address.\n",
        false => "",
    };
    let text = format!(
        "PitPet runs at {url}; its data is in {}.\n{everywhere}\
         Open that address in a browser, or try in a second terminal:\n  \
         cargo run --release -- demo{at}\n\
         Ctrl-C ends it; nothing that was answered is lost.\n",
        data_dir.display()
    );
    // Whoever reads this may have closed the pipe already: no reason to end the service.
    _ = std::io::stdout().write_all(text.as_bytes());
    let stop = CancellationToken::new();
    let neighbours = is_demonstration.then(|| {
        let label = args.preset.unwrap_or(Preset::Classic).label();
        let pace = Duration::from_millis(args.pace_ms);
        tokio::spawn(neighbours::live(url, label, args.neighbours, pace, stop.clone()))
    });
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    if let Some(Err(error)) = futures::future::OptionFuture::from(neighbours).await {
        tracing::error!(%error, "the neighbours ended badly");
    }
    eprintln!("Stopping: batches being mined are finished first.");
    service.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_to_open_and_to_type_works() {
        let open = |listening: &str| to_open(listening.parse().unwrap()).to_string();
        assert_eq!(open("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(open("[::]:9000"), "[::1]:9000");
        assert_eq!(open("192.0.2.1:8080"), "192.0.2.1:8080");
        assert_eq!(elsewhere("http://127.0.0.1:8080", Path::new("./pitpet-data")), "");
        assert_eq!(
            elsewhere("http://192.0.2.1:8080", Path::new("/srv/pitpet")),
            " --url http://192.0.2.1:8080 --data-dir /srv/pitpet"
        );
    }
}
