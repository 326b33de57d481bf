//! Logs of the functions: a line of JSON an event, to standard output, which Lambda keeps.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Starts JSON logs; `RUST_LOG` chooses what is logged, `info` by default.
pub fn start_json() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Of the spans the innermost, which names the kennel: all of them would double the bytes.
    let json = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false);
    json.with_env_filter(filter).without_time().init();
}

/// How the process of a function ends: why it can't start is a line of JSON too, and the only one.
pub fn exit(ended: Result<(), impl std::fmt::Display>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function can't start");
            ExitCode::FAILURE
        }
    }
}
