//! The reaper: `reap::Reaper::reap_kennel`, what it publishes and what it sweeps.

use crate::{Guard, Hash, Protocol, State, Written};

/// What the reaper does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reaper {
    /// It waits for its schedule; then it reads the head.
    Idle,
    /// Publishes what is left, as a miner does.
    Publish {
        /// The head that was read.
        head: Hash,
        /// The published height that was read with it.
        published: u8,
        /// Height up to which it is done.
        from: u8,
        /// What of the block is written.
        written: Written,
    },
    /// Deletes, at the next height, what the walk from the head doesn't reach.
    Sweep {
        /// The head that it walks down from.
        head: Hash,
        /// Height up to which it sweeps.
        to: u8,
        /// Height up to which it has.
        at: u8,
    },
}

impl Protocol {
    /// The reaper's next step.
    pub(crate) fn reap(&self, state: &mut State) {
        let table = &mut state.table;
        state.reaper = match state.reaper {
            Reaper::Idle => {
                state.budget.reaps -= 1;
                let (head, published) = (table.head, table.published);
                match published < head.height() {
                    true => Reaper::Publish { head, published, from: published, written: Written::Nothing },
                    false => self.sweep_from(table.swept, head, published),
                }
            }
            Reaper::Publish { head, published, from, written } if written != Written::Spares => {
                let written = self.publish(table, head.ancestor(from + 1), written, 0);
                Reaper::Publish { head, published, from, written }
            }
            Reaper::Publish { head, published, from, .. } => {
                table.rise(self, from + 1);
                match from + 1 == head.height() {
                    true if self.has(Guard::SweepOneRead) => self.sweep_from(table.swept, head, published),
                    // A height read later than the head that is walked down from.
                    true => self.sweep_from(table.swept, head, table.published),
                    false => Reaper::Publish { head, published, from: from + 1, written: Written::Nothing },
                }
            }
            Reaper::Sweep { to, at, .. } if at == to => {
                table.swept = table.swept.max(to);
                Reaper::Idle
            }
            Reaper::Sweep { head, to, at } => {
                let height = at + 1;
                let live = (height <= head.height()).then(|| head.ancestor(height));
                table.blocks.retain(|block| block.height() != height || Some(*block) == live);
                Reaper::Sweep { head, to, at: height }
            }
        };
    }

    fn sweep_from(&self, swept: u8, head: Hash, published: u8) -> Reaper {
        let to = if self.has(Guard::SweepPublished) { published } else { head.height() + 1 };
        if to <= swept { Reaper::Idle } else { Reaper::Sweep { head, to, at: swept } }
    }
}
