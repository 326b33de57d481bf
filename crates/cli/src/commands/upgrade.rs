//! `admin upgrade`: what the two ways to a kennel, a service here and a deployment, share.

use std::path::Path;
use std::time::{Duration, Instant};

use pitpet_chain::hash::EventId;
use pitpet_chain_host::MODULE_BYTES_MAX;
use pitpet_cli::failure::Failure;
use pitpet_pipeline::offer::{OfferError, Offered};
use serde_json::{Value, json};

use super::export::file_fault;
use crate::context::Context;

/// Blocks above the head at which rules change, unless said otherwise.
const IN_BLOCKS: u64 = 100;

/// The longest that the server is asked to wait at one time.
const POLL_MS_MAX: u64 = 10_000;

/// The bytes that every module of WebAssembly begins with.
const MAGIC: &[u8] = b"\0asm";

/// Reads a module; what is wrong with one is found out when it is tried.
pub(super) fn read_module(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(path).map_err(|error| file_fault(path, &error))?.len();
    if size > MODULE_BYTES_MAX as u64 {
        return Err(Failure::usage(format!(
            "{}: {size} bytes are more than the {MODULE_BYTES_MAX} that a module may have",
            path.display()
        )));
    }
    let module = std::fs::read(path).map_err(|error| file_fault(path, &error))?;
    if !module.starts_with(MAGIC) {
        return Err(Failure::usage(format!("{} is no WebAssembly module (field: module)", path.display())));
    }
    Ok(module)
}

/// How many blocks ahead, if no height is given.
pub(super) fn in_blocks(has_module: bool, at_height: Option<u64>, in_blocks: Option<u64>) -> Option<u64> {
    (has_module && at_height.is_none()).then(|| in_blocks.unwrap_or(IN_BLOCKS))
}

/// What stands in the way, by whose fault.
pub(super) fn refused(error: OfferError) -> Failure {
    match &error {
        OfferError::TooSoon { .. } | OfferError::Same(_) => Failure::usage(error.to_string()),
        OfferError::Unfit { .. } => Failure::Invalid(error.to_string()),
        _ => Failure::Unreachable(error.to_string()),
    }
}

/// As a service answers.
pub(super) fn record(offered: &Offered) -> Value {
    json!({
        "event": offered.event.to_string(),
        "rules_hash": offered.rules.to_string(),
        "at_height": offered.rehearsed.map(|_| offered.at_height),
        "tried_at": offered.rehearsed.map(|tried| tried.height),
        "state_bytes_before": offered.rehearsed.map(|tried| tried.bytes_before),
        "state_bytes_after": offered.rehearsed.map(|tried| tried.bytes_after),
    })
}

/// Waits for the decision to be mined, unless told not to, and says what was decided.
pub(super) async fn end(context: &Context, event: EventId, mut answer: Value) -> Result<(), Failure> {
    if let Some(wait) = context.wait() {
        answer["height"] = mined(context, event, wait).await?.into();
    }
    let decided = match answer["height"].as_u64() {
        Some(height) => format!("decided in block {height}"),
        None => format!("queued as event {event}"),
    };
    let rules = answer["rules_hash"].as_str().unwrap_or_default();
    let text = match answer["at_height"].as_u64() {
        Some(at_height) => format!(
            "The module {rules} was tried on the state at block {}: {} bytes become {}\n\
             From block {at_height} on it decides: {decided}\n",
            answer["tried_at"], answer["state_bytes_before"], answer["state_bytes_after"]
        ),
        None => format!("The change of rules is withdrawn, {rules} stay: {decided}\n"),
    };
    context.print(answer, &text);
    Ok(())
}

/// The height of the block that takes the decision.
async fn mined(context: &Context, event: EventId, wait: Duration) -> Result<u64, Failure> {
    let client = context.client()?;
    let until = Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        let left_ms = u64::try_from(left).unwrap_or(u64::MAX);
        match client.event(&event, None, left_ms.clamp(1, POLL_MS_MAX)).await? {
            Some(view) => {
                if let Some(problem) = view.reject {
                    return Err(problem.into());
                }
                if let Some(place) = view.place {
                    return Ok(place.height);
                }
            }
            None if until > Instant::now() => {}
            None => {
                return Err(Failure::Unreachable(format!(
                    "queued, but in no block after {} s. It isn't lost: `pitpet event {event}` shows it later.",
                    wait.as_secs()
                )));
            }
        }
    }
}
