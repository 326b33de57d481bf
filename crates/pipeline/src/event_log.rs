//! The log's lines that name events, each with its kennel: taken in, committed, rejected. They are the many,
//! so that what came or went together stands on one line; a service whose log is a terminal leaves out their
//! target, and one that writes a line of metrics for each call puts them on that.

use pitpet_chain::hash::{BlockHash, EventId, KennelId};
use pitpet_chain::reject::Reject;

/// The target of these lines.
pub const TARGET: &str = "pitpet::event";

/// The target of the lines that say of a block what those of its events say, for a terminal.
pub const BLOCKS: &str = "pitpet::block";

/// Whether anybody reads them: an id is a hash, which nobody should compute for nothing.
pub(crate) fn is_read() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// The queue holds these events.
pub(crate) fn queued(kennel: &KennelId, events: &[EventId]) {
    if !events.is_empty() {
        tracing::info!(target: TARGET, %kennel, events = listed(events), "events queued");
    }
}

/// These events are in a block that is committed.
pub(crate) fn committed(kennel: &KennelId, events: &[EventId], height: u64, hash: &BlockHash) {
    if !events.is_empty() {
        tracing::info!(target: TARGET, %kennel, height, %hash, events = listed(events), "events committed");
    }
}

fn listed(events: &[EventId]) -> String {
    events.iter().map(EventId::to_string).collect::<Vec<_>>().join(" ")
}

/// The event will be in no block.
pub(crate) fn rejected(kennel: &KennelId, event: &EventId, reject: Reject) {
    tracing::info!(target: TARGET, %kennel, %event, reject = reject.name(), "event rejected");
}
