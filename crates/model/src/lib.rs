//! The commit protocol as a model for the checker `stateright`: miners, queue, table, late writes,
//! snapshots and the reaper, in every order that they can take, with crashes at every step.
//!
//! The steps are those of `pipeline::{mine, publisher, reap, snapshots}`; the properties carry the
//! names of the invariants in ARCHITECTURE.md. `docs/model.md` says what is covered and what isn't.
//! Nothing here is shipped.
//!
//! Deliberately absent: the rules. An event is accepted once, if what it needs is there.

mod miner;
mod properties;
mod reaper;
mod table;

pub use miner::{Decided, Miner, Open, Step};
pub use properties::{
    EVENT_ENDS, EVENT_ENDS_AT_LAST, ONE_HISTORY, READ_SIDE_RISES, RECEIPT_IS_FINAL, REPLAY_IS_APPLY, Sight,
};
pub use reaper::Reaper;
pub use table::{Commit, Hash, Snapshot, Table};

use stateright::{Model, Property};

/// A set of events or messages, a bit each.
pub type Set = u8;

/// What an event asks of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing: it is accepted once.
    Plain,
    /// Another event before it.
    Needs(u8),
    /// That the clock of the miner that decides it has not passed its expiry; clocks differ.
    Expiring,
    /// The module traps on it.
    Poison,
}

/// A guard of the protocol. A model without one must break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The head is written only where its hash is the block's parent.
    HeadCondition,
    /// After a conflict or an unknown outcome the miner looks for its own block in the chain.
    OwnBlock,
    /// A message is acked after its events' receipts or rejects are recorded.
    AckLast,
    /// Bodies are stored before the ack, even if the block can't be published.
    BodiesBeforeAck,
    /// The body of a rejected event is kept, and stored by whoever publishes the event after all.
    SpareBodies,
    /// A rejecting miner keeps the body before it looks for the event's place a last time.
    SpareFirst,
    /// An instance whose block was lost is thrown away, and an open one must be an ancestor of the head.
    DiscardLost,
    /// The reaper deletes blocks at published heights only.
    SweepPublished,
    /// The reaper walks down from the head that it read the published height with, not an older one.
    SweepOneRead,
    /// A snapshot's manifest, with the digest of its chunks, is written last.
    ManifestLast,
    /// Mutable items of the read side hold their source height and only rise.
    SourceHeight,
    /// `published_height` is written only where it is lower.
    PublishedRises,
    /// Readers prefer a receipt to a reject.
    ReceiptFirst,
}

/// What can happen, and how often.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Miners.
    pub miners: usize,
    /// Events, at most 4.
    pub events: Vec<Event>,
    /// Messages in the queue's order, each a set of events.
    pub messages: Vec<Set>,
    /// Crashes, and calls that end with an error, of miners and reaper.
    pub crashes: u8,
    /// Commits whose outcome stays unknown, and which may take effect at any later time.
    pub unknowns: u8,
    /// Visibility timeouts while the miner still works.
    pub redeliveries: u8,
    /// Failed attempts to publish.
    pub failures: u8,
    /// Runs of the reaper.
    pub reaps: u8,
    /// Whether a snapshot is written at each block; one is kept.
    pub snapshots: bool,
    /// Whether two miners that decide alike make the same block; else their timestamps differ.
    pub same_clock: bool,
    /// What the check must see happen.
    pub sights: Vec<Sight>,
    /// A guard left out.
    pub without: Option<Guard>,
}

impl Protocol {
    /// Two miners and two messages, of which the second may be rejected; nothing goes wrong.
    pub fn small() -> Self {
        Self {
            miners: 2,
            events: vec![Event::Plain, Event::Expiring],
            messages: vec![0b01, 0b10],
            crashes: 0,
            unknowns: 0,
            redeliveries: 0,
            failures: 0,
            reaps: 0,
            snapshots: false,
            same_clock: false,
            sights: Vec::new(),
            without: None,
        }
    }

    /// The same protocol without a guard.
    #[must_use]
    pub fn without(mut self, guard: Guard) -> Self {
        self.without = Some(guard);
        self
    }

    pub(crate) fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// The events of a set of messages.
    pub(crate) fn events_of(&self, messages: Set) -> Set {
        let sets = self.messages.iter().enumerate();
        sets.filter(|(n, _)| messages & (1 << n) != 0).fold(0, |all, (_, set)| all | set)
    }
}

/// How often something may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Crashes.
    pub crashes: u8,
    /// Unknown outcomes.
    pub unknowns: u8,
    /// Visibility timeouts of working miners.
    pub redeliveries: u8,
    /// Failures to publish.
    pub failures: u8,
    /// Runs of the reaper.
    pub reaps: u8,
}

/// Everything there is at one time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The table.
    pub table: Table,
    /// Messages that wait, in order of their numbers.
    pub waiting: Set,
    /// Messages in flight; while there are any, none is handed out.
    pub in_flight: Set,
    /// Who got those in flight, while it works on them.
    pub holder: Option<u8>,
    /// Messages deleted from the queue.
    pub acked: Set,
    /// Messages in the dead-letter queue.
    pub buried: Set,
    /// Miners.
    pub miners: Vec<Miner>,
    /// The reaper.
    pub reaper: Reaper,
    /// What may still go wrong.
    pub budget: Budget,
}

/// One step of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A miner gets the first message, or all that wait.
    Receive(u8, Set),
    /// A miner takes its next step.
    Mine(u8, Choice),
    /// A miner stops; it may keep its open kennel (an error) or lose it (a crash).
    Stop(u8, Choice),
    /// The visibility timeout of the messages in flight is over.
    Expire,
    /// A commit whose outcome was unknown takes effect now, if its condition holds.
    Late(Commit),
    /// The reaper takes its next step.
    Reap(Choice),
    /// The reaper stops.
    ReaperStop,
}

/// How far the publishing of one block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// Nothing is written.
    Nothing,
    /// Its items are, with the bodies at hand.
    Items,
    /// So are the bodies that were kept beside rejects.
    Spares,
}

impl Protocol {
    /// Publishes a block's next part; then the height is to rise.
    pub(crate) fn publish(&self, table: &mut Table, block: Hash, written: Written, bodies: Set) -> Written {
        if written == Written::Nothing {
            table.publish(self, block, bodies);
            return Written::Items;
        }
        if self.has(Guard::SpareBodies) {
            table.keep_spares(block);
        }
        Written::Spares
    }
}

/// Which way a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// As intended; clocks are early; the kennel is lost.
    First,
    /// It fails or its outcome is unknown; clocks are late; the kennel is kept.
    Second,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        assert!(self.events.len() <= 4, "a block's hash has room for 4 events");
        let waiting = (1 << self.messages.len()) - 1;
        vec![State {
            table: Table::founded(),
            waiting,
            in_flight: 0,
            holder: None,
            acked: 0,
            buried: 0,
            miners: vec![Miner::default(); self.miners],
            reaper: Reaper::Idle,
            budget: Budget {
                crashes: self.crashes,
                unknowns: self.unknowns,
                redeliveries: self.redeliveries,
                failures: self.failures,
                reaps: self.reaps,
            },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (n, miner) in (0..).zip(&state.miners) {
            if miner.step == Step::Idle {
                if state.in_flight == 0 && state.waiting != 0 {
                    let first = state.waiting & state.waiting.wrapping_neg();
                    actions.push(Action::Receive(n, first));
                    if first != state.waiting {
                        actions.push(Action::Receive(n, state.waiting));
                    }
                }
                continue;
            }
            actions.push(Action::Mine(n, Choice::First));
            if self.may_go_second(state, miner) {
                actions.push(Action::Mine(n, Choice::Second));
            }
            if state.budget.crashes > 0 {
                actions.push(Action::Stop(n, Choice::First));
                if miner.open.is_some() {
                    actions.push(Action::Stop(n, Choice::Second));
                }
            }
        }
        if state.in_flight != 0 && (state.holder.is_none() || state.budget.redeliveries > 0) {
            actions.push(Action::Expire);
        }
        actions.extend(state.table.late.iter().map(|commit| Action::Late(*commit)));
        match state.reaper {
            Reaper::Idle if state.budget.reaps == 0 => {}
            Reaper::Idle => actions.push(Action::Reap(Choice::First)),
            _ => {
                actions.push(Action::Reap(Choice::First));
                if state.budget.crashes > 0 {
                    actions.push(Action::ReaperStop);
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Receive(n, messages) => {
                state.waiting &= !messages;
                state.in_flight = messages;
                state.holder = Some(n);
                state.miners[usize::from(n)].receive(messages);
            }
            Action::Mine(n, choice) => self.mine(&mut state, n, choice),
            Action::Stop(n, choice) => {
                state.budget.crashes -= 1;
                let miner = &mut state.miners[usize::from(n)];
                let open = if choice == Choice::Second { miner.open.take() } else { None };
                *miner = Miner { open, ..Miner::default() };
                if state.holder == Some(n) {
                    state.holder = None;
                }
            }
            Action::Expire => {
                if state.holder.take().is_some() {
                    state.budget.redeliveries -= 1;
                }
                state.waiting |= state.in_flight;
                state.in_flight = 0;
            }
            Action::Late(commit) => {
                state.table.late.retain(|late| *late != commit);
                state.table.commit(self, commit);
            }
            Action::Reap(_) => self.reap(&mut state),
            Action::ReaperStop => {
                state.budget.crashes -= 1;
                state.reaper = Reaper::Idle;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
}
