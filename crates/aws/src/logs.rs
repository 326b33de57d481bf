//! Logs of the functions: a line of JSON an event, to standard output, which Lambda keeps.

use tracing_subscriber::EnvFilter;

/// Starts JSON logs; `RUST_LOG` chooses what is logged, `info` by default.
pub fn start_json() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).without_time().init();
}

/// Logs why a function can't start.
pub fn fatal(error: &impl std::fmt::Display) {
    tracing::error!(%error, "the function can't start");
}
