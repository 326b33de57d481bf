//! Bodies beside a block: each is there and right, erased, missing, or not due.

use std::collections::BTreeSet;

use pitpet_chain::body::commitment;
use pitpet_chain::event::{Payload, SignedEvent, Verdict};
use pitpet_chain::hash::{Digest32, EventId};
use pitpet_chain::limits;

use super::flaw::BlockFlaw;
use crate::query::SegmentEntry;

/// Bytes of a salt, which precede a body.
const SALT_BYTES: usize = 32;

/// How many events have their body in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyCounts {
    /// Events of a kind without body.
    pub none: u64,
    /// Bodies that are there and are the ones committed to.
    pub present: u64,
    /// Bodies that the server says were erased on purpose.
    pub erased: u64,
    /// Bodies that the server should have and has not.
    pub missing: u64,
    /// Bodies that are hidden by the moderators' verdicts in the ledger, whatever their state.
    pub hidden: u64,
}

/// The events whose bodies are hidden, by the verdicts so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Hidden(BTreeSet<EventId>);

impl Hidden {
    /// Takes the verdicts of a block's events, which the rules have accepted.
    pub(super) fn take(&mut self, events: &[SignedEvent]) {
        for signed in events {
            if let Payload::Moderate { target, verdict, .. } = &signed.event.payload {
                match verdict {
                    Verdict::Hide => self.0.insert(*target),
                    Verdict::Show => self.0.remove(target),
                };
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

impl BodyCounts {
    /// Checks and counts the bodies of a block with these events.
    pub(super) fn take(&mut self, entry: &SegmentEntry, events: &[SignedEvent]) -> Result<(), BlockFlaw> {
        let present = entry.body_states.iter().filter(|state| **state == 1).count();
        if entry.body_states.len() != events.len() || entry.bodies.len() != present {
            return Err(BlockFlaw::BodyCount {
                events: events.len(),
                states: entry.body_states.len(),
                bodies: entry.bodies.len(),
            });
        }
        let mut bodies = entry.bodies.iter();
        for (index, (signed, state)) in events.iter().zip(&entry.body_states).enumerate() {
            match (state, signed.event.payload.body()) {
                (0, None) => self.none += 1,
                (1, Some(committed)) => {
                    let body = bodies.next().and_then(|body| body.0.split_first_chunk::<SALT_BYTES>());
                    let is_right = body.is_some_and(|(salt, body)| is_committed(committed, salt, body));
                    if !is_right {
                        return Err(BlockFlaw::Body { index });
                    }
                    self.present += 1;
                }
                (2, Some(_)) => self.erased += 1,
                (3, Some(_)) => self.missing += 1,
                (state, _) => return Err(BlockFlaw::BodyState { index, state: *state }),
            }
        }
        Ok(())
    }
}

/// Whether this is the body that an event commits to.
pub(crate) fn is_committed(committed: &Digest32, salt: &[u8; SALT_BYTES], body: &[u8]) -> bool {
    body.len() <= limits::BODY_BYTES_MAX && commitment(salt, body) == *committed
}
