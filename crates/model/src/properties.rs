//! The invariants of ARCHITECTURE.md, and what must be seen to happen for them to mean something.

use stateright::Property;

use crate::{Decided, Event, Guard, Hash, Miner, Protocol, Set, State, Step, Written};

/// Names of the invariants, as in ARCHITECTURE.md.
pub const ONE_HISTORY: &str = "One history";
/// See [`ONE_HISTORY`].
pub const RECEIPT_IS_FINAL: &str = "A receipt is final";
/// See [`ONE_HISTORY`].
pub const EVENT_ENDS: &str = "An acknowledged event ends";
/// See [`ONE_HISTORY`]: that it ends at last, where nothing more can happen.
pub const EVENT_ENDS_AT_LAST: &str = "An acknowledged event ends, at last";
/// See [`ONE_HISTORY`].
pub const REPLAY_IS_APPLY: &str = "Replay is apply";
/// See [`ONE_HISTORY`].
pub const READ_SIDE_RISES: &str = "The read side only rises";

pub(crate) fn of(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always(ONE_HISTORY, one_history),
        Property::always(RECEIPT_IS_FINAL, receipt_is_final),
        Property::always(EVENT_ENDS, event_ends),
        Property::always(REPLAY_IS_APPLY, replay_is_apply),
        Property::always(READ_SIDE_RISES, read_side_rises),
        Property::eventually(EVENT_ENDS_AT_LAST, |protocol: &Protocol, state: &State| {
            state.acked == (1 << protocol.messages.len()) - 1
        }),
    ];
    properties.extend(protocol.sights.iter().map(|sight| sight.property()));
    properties
}

/// Every block from genesis to the head is there, and no head was replaced but by its child.
fn one_history(_: &Protocol, state: &State) -> bool {
    let table = &state.table;
    let there = |block: Hash| table.blocks.binary_search(&block).is_ok();
    !table.forked && table.head.path_above(0).all(there)
}

/// What a reader is told of an event that was published stays "mined"; no event has two receipts.
fn receipt_is_final(protocol: &Protocol, state: &State) -> bool {
    let table = &state.table;
    let counted: u32 = table.head.path_above(0).map(|block| block.events().count_ones()).sum();
    let shown_rejected = match protocol.has(Guard::ReceiptFirst) {
        true => table.rejects & !table.places,
        false => table.rejects,
    };
    counted == table.head.history().count_ones()
        && table.places & !table.head.history() == 0
        && table.places & shown_rejected == 0
}

/// Events of an acked message have a receipt or a reject, or lie in the dead-letter queue. While the
/// block of one that was accepted is not published its body may be the one kept beside a reject; then
/// it is stored.
fn event_ends(protocol: &Protocol, state: &State) -> bool {
    let table = &state.table;
    let receipts = table.head.history();
    let published = table.head.ancestor(table.published).history();
    let acked = protocol.events_of(state.acked & !state.buried);
    acked & !(receipts | table.rejects) == 0
        && acked & receipts & !(table.bodies | table.spares) == 0
        && acked & published & !table.bodies == 0
}

/// Each block accepts what its parent's state allows.
fn replay_is_apply(protocol: &Protocol, state: &State) -> bool {
    state.table.head.path_above(0).all(|block| {
        let mut knows: Set = block.parent().history();
        protocol.events.iter().enumerate().all(|(n, event)| {
            let bit = 1 << n;
            if block.events() & bit == 0 {
                return true;
            }
            let is_good = match event {
                Event::Needs(other) => knows & (1 << other) != 0,
                Event::Poison => false,
                Event::Plain | Event::Expiring => true,
            };
            let is_new = knows & bit == 0;
            knows |= bit;
            is_good && is_new
        })
    })
}

/// Nothing that only rises fell, nothing is published that isn't committed, and all up to the
/// published height is there.
fn read_side_rises(_: &Protocol, state: &State) -> bool {
    let table = &state.table;
    let published = table.published;
    !table.fell
        && published <= table.head.height()
        && table.swept <= published
        && table.head.ancestor(published).history() & !table.places == 0
        && table.card >= published
}

/// What must be seen to happen, or a check means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A block is lost to another miner's.
    Lost,
    /// A commit of unknown outcome takes effect after its miner gave it up.
    LateCommit,
    /// Somebody else than its miner publishes a block.
    Takeover,
    /// An event is recorded as rejected and has a receipt.
    RejectBesideReceipt,
    /// A staged block is deleted while its miner still wants to commit it.
    Swept,
    /// A kennel is opened from a snapshot.
    Reopened,
    /// A message is in the dead-letter queue.
    Buried,
}

impl Sight {
    pub(crate) fn property(self) -> Property<Protocol> {
        match self {
            Sight::Lost => Property::sometimes("a block is lost", |_, state: &State| {
                state.miners.iter().any(|miner| miner.again)
            }),
            Sight::LateCommit => Property::sometimes("a commit is late", late_commit),
            Sight::Takeover => Property::sometimes("publishing is taken over", |_, state: &State| {
                let finishes =
                    |miner: &Miner| matches!(miner.step, Step::Backlog { written: Written::Spares, .. });
                state.miners.iter().any(finishes)
            }),
            Sight::RejectBesideReceipt => {
                Property::sometimes("a reject beside a receipt", |_, state: &State| {
                    state.table.rejects & state.table.places != 0
                })
            }
            Sight::Swept => Property::sometimes("garbage is swept", |_, state: &State| {
                state.miners.iter().any(|miner| match miner.step {
                    Step::Commit(Decided { block: Some(block), .. }) => {
                        state.table.blocks.binary_search(&block).is_err()
                    }
                    _ => false,
                })
            }),
            Sight::Reopened => Property::sometimes("a snapshot is opened", |_, state: &State| {
                state.miners.iter().any(|miner| match miner.step {
                    Step::Decide { head, .. } => {
                        let snapshot = state.table.newest_snapshot(head);
                        miner.open.is_none() && snapshot.is_some_and(|snapshot| snapshot.chunks)
                    }
                    _ => false,
                })
            }),
            Sight::Buried => Property::sometimes("a message is buried", |_, state: &State| state.buried != 0),
        }
    }
}

/// A miner that gave a block up, and works on its events again, finds it in the chain.
fn late_commit(protocol: &Protocol, state: &State) -> bool {
    (0..).zip(&state.miners).any(|(n, miner)| {
        let events = protocol.events_of(miner.rest);
        let given_up = |block: Hash| block.time() == 2 * n && block.events() & events != 0;
        miner.again && state.table.head.path_above(0).any(given_up)
    })
}
