//! The log's lines about single events, each with kennel and event id: taken in, committed,
//! rejected. They are the many: a service whose log is a terminal leaves out their target.

use pitpet_chain::hash::{EventId, KennelId};
use pitpet_chain::reject::Reject;

/// The target of these lines.
pub const TARGET: &str = "pitpet::event";

/// Whether anybody reads them: an id is a hash, which nobody should compute for nothing.
pub(crate) fn is_read() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// The queue holds the event.
pub(crate) fn queued(kennel: &KennelId, event: &EventId) {
    tracing::info!(target: TARGET, %kennel, %event, "event queued");
}

/// The event is in a block that is committed.
pub(crate) fn committed(kennel: &KennelId, event: &EventId, height: u64) {
    tracing::info!(target: TARGET, %kennel, %event, height, "event committed");
}

/// The event will be in no block.
pub(crate) fn rejected(kennel: &KennelId, event: &EventId, reject: Reject) {
    tracing::info!(target: TARGET, %kennel, %event, reject = reject.name(), "event rejected");
}
