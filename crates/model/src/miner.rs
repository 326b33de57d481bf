//! A miner: `mine::Miner::mine_works` and `attempt`, one step for each write or read that others
//! can come between.

use crate::{Choice, Commit, Event, Guard, Hash, Protocol, Set, State, Written};

/// A kennel kept open: the chain instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Open {
    /// The head that it stands at.
    pub at: Hash,
    /// The events that its state knows.
    pub knows: Set,
}

/// What a miner does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Step {
    /// It has nothing to do.
    #[default]
    Idle,
    /// Reads the head.
    ReadHead,
    /// Publishes what earlier miners left: writes the lowest block above `from`, then lets the height rise.
    Backlog {
        /// The head that was read.
        head: Hash,
        /// Height up to which it is done.
        from: u8,
        /// What of the block is written.
        written: Written,
    },
    /// Brings the kennel to the head and decides.
    Decide {
        /// The head.
        head: Hash,
        /// Whether the read side is at it.
        published: bool,
    },
    /// Sends a message that traps to the dead-letter queue.
    Bury,
    /// Puts the block item.
    Stage(Decided),
    /// Writes the head.
    Commit(Decided),
    /// Looks for its block in the chain.
    Look(Decided),
    /// Publishes its own block, as [`Step::Backlog`].
    Publish {
        /// What was decided.
        decided: Decided,
        /// Height up to which it is done.
        from: u8,
        /// What of the block is written.
        written: Written,
    },
    /// Writes and prunes snapshots; the number is of writes made.
    Snapshot(Decided, u8),
    /// Stores the bodies of a block that could not be published.
    KeepBodies(Decided),
    /// Looks which of the rejected events have a place after all.
    ReadPlaces(Decided),
    /// Records the rejects.
    RecordRejects {
        /// Events to record as rejected.
        rejects: Set,
        /// Events found in the chain, whose bodies are stored if missing.
        found: Set,
    },
    /// Looks for the places of the rejected events a last time, and stores the bodies of those found.
    LookAgain(Set),
    /// Acks.
    Ack,
}

/// What the module decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decided {
    /// The head that it was decided for.
    pub on: Hash,
    /// The block; none for rejects alone.
    pub block: Option<Hash>,
    /// Events rejected.
    pub rejects: Set,
    /// Whether the read side is at the block, or at the head if there is none.
    pub published: bool,
}

/// A miner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Miner {
    /// What it does next.
    pub step: Step,
    /// Messages that it was given.
    pub batch: Set,
    /// Those that are not done with.
    pub rest: Set,
    /// Whether they are run one at a time.
    pub alone: bool,
    /// Whether it has lost a block in this batch: its clock goes on, so the next block differs.
    pub again: bool,
    /// The kennel, between attempts.
    pub open: Option<Open>,
}

impl Miner {
    pub(crate) fn receive(&mut self, messages: Set) {
        let open = self.open;
        *self = Self { step: Step::ReadHead, batch: messages, rest: messages, open, ..Self::default() };
    }

    /// The messages that are run now.
    fn work(&self) -> Set {
        if self.alone { self.rest & self.rest.wrapping_neg() } else { self.rest }
    }
}

impl Protocol {
    /// Whether a step can go another way than intended.
    pub(crate) fn may_go_second(&self, state: &State, miner: &Miner) -> bool {
        match miner.step {
            // The miner's clock is late.
            Step::Decide { .. } => {
                let events = self.events_of(miner.work());
                self.events
                    .iter()
                    .enumerate()
                    .any(|(n, event)| *event == Event::Expiring && events & (1 << n) != 0)
            }
            Step::Commit(_) => state.budget.unknowns > 0,
            Step::Backlog { .. } | Step::Publish { .. } => state.budget.failures > 0,
            _ => false,
        }
    }

    /// A miner's next step.
    pub(crate) fn mine(&self, state: &mut State, n: u8, choice: Choice) {
        let mut miner = std::mem::take(&mut state.miners[usize::from(n)]);
        let events = self.events_of(miner.work());
        let table = &mut state.table;
        miner.step = match miner.step {
            Step::Idle => Step::Idle,
            Step::ReadHead => match table.published < table.head.height() {
                true => Step::Backlog { head: table.head, from: table.published, written: Written::Nothing },
                false => Step::Decide { head: table.head, published: true },
            },
            Step::Backlog { head, .. } if choice == Choice::Second => {
                state.budget.failures -= 1;
                Step::Decide { head, published: false }
            }
            Step::Backlog { head, from, written } if written != Written::Spares => {
                let written = self.publish(table, head.ancestor(from + 1), written, events);
                Step::Backlog { head, from, written }
            }
            Step::Backlog { head, from, .. } => {
                table.rise(self, from + 1);
                match from + 1 == head.height() {
                    true => Step::Decide { head, published: true },
                    false => Step::Backlog { head, from: from + 1, written: Written::Nothing },
                }
            }
            Step::Decide { head, published } => {
                let poisonous = self.any(events, |event| event == Event::Poison);
                if poisonous && miner.work().count_ones() > 1 {
                    miner.alone = true;
                    Step::ReadHead
                } else if poisonous {
                    Step::Bury
                } else {
                    let open = self.open_at(&mut miner, table, head);
                    let decided = self.decide(open, n, &mut miner, choice);
                    let decided = Decided { on: head, published, ..decided };
                    if !self.has(Guard::AckLast) {
                        state.acked |= miner.batch;
                        state.in_flight &= !miner.batch;
                    }
                    match decided.block {
                        Some(_) => Step::Stage(decided),
                        None => Step::ReadPlaces(decided),
                    }
                }
            }
            Step::Bury => {
                state.buried |= miner.work();
                self.finish(&mut miner)
            }
            Step::Stage(decided) => {
                table.stage(decided.block.expect("only a block is staged"));
                Step::Commit(decided)
            }
            Step::Commit(decided) => {
                let block = decided.block.expect("only a block is committed");
                let commit = Commit { on: decided.on, block };
                if choice == Choice::Second {
                    state.budget.unknowns -= 1;
                    table.send_late(commit);
                    Step::Look(decided)
                } else if table.commit(self, commit) {
                    Self::own(decided, table.published)
                } else {
                    Step::Look(decided)
                }
            }
            Step::Look(decided) => {
                let block = decided.block.expect("only a block is looked for");
                if self.has(Guard::OwnBlock) && block.is_ancestor_of(table.head) {
                    Self::own(decided, table.published)
                } else {
                    miner.again = true;
                    if self.has(Guard::DiscardLost) {
                        miner.open = None;
                    }
                    Step::ReadHead
                }
            }
            Step::Publish { decided, .. } if choice == Choice::Second => {
                state.budget.failures -= 1;
                Step::Snapshot(Decided { published: false, ..decided }, 0)
            }
            Step::Publish { decided, from, written } if written != Written::Spares => {
                let block = decided.block.expect("only a block is published");
                let written = self.publish(table, block.ancestor(from + 1), written, events);
                Step::Publish { decided, from, written }
            }
            Step::Publish { decided, from, .. } => {
                table.rise(self, from + 1);
                match decided.block.is_some_and(|block| from + 1 == block.height()) {
                    true => Step::Snapshot(Decided { published: true, ..decided }, 0),
                    false => Step::Publish { decided, from: from + 1, written: Written::Nothing },
                }
            }
            Step::Snapshot(decided, written) => self.snapshot(table, &mut miner, decided, written),
            Step::KeepBodies(decided) => {
                if self.has(Guard::BodiesBeforeAck) {
                    table.bodies |= decided.block.map_or(0, Hash::events) & events;
                }
                Step::ReadPlaces(decided)
            }
            Step::ReadPlaces(decided) => {
                let mut found = table.places;
                if !decided.published {
                    found |= table.head.history();
                }
                let rejects = decided.rejects & !found;
                Step::RecordRejects { rejects, found: decided.rejects & found }
            }
            Step::RecordRejects { rejects, found } => {
                table.rejects |= rejects;
                table.bodies |= found;
                if rejects == 0 {
                    self.finish(&mut miner)
                } else {
                    if self.has(Guard::SpareFirst) {
                        table.spares |= rejects;
                    }
                    Step::LookAgain(rejects)
                }
            }
            Step::LookAgain(rejects) => {
                if self.has(Guard::SpareFirst) {
                    table.bodies |= rejects & table.places;
                } else {
                    table.spares |= rejects;
                }
                self.finish(&mut miner)
            }
            Step::Ack => {
                // An old handle may delete a message that somebody else has meanwhile.
                state.acked |= miner.batch;
                state.waiting &= !miner.batch;
                state.in_flight &= !miner.batch;
                if state.in_flight == 0 || state.holder == Some(n) {
                    state.holder = None;
                }
                miner = Miner { open: miner.open, ..Miner::default() };
                Step::Idle
            }
        };
        state.miners[usize::from(n)] = miner;
    }

    fn any(&self, events: Set, is: impl Fn(Event) -> bool) -> bool {
        self.events.iter().enumerate().any(|(n, event)| events & (1 << n) != 0 && is(*event))
    }

    /// After a commit: its own block is published, from what was published when it was decided.
    fn own(decided: Decided, published_now: u8) -> Step {
        let block = decided.block.expect("a block was committed");
        let from = if decided.published { block.height() - 1 } else { published_now };
        if from >= block.height() {
            return Step::Snapshot(Decided { published: true, ..decided }, 0);
        }
        Step::Publish { decided, from, written: Written::Nothing }
    }

    /// `kennels::Kennels::take`: the instance at the head, from what is open, a snapshot or genesis.
    fn open_at(&self, miner: &mut Miner, table: &crate::Table, head: Hash) -> Open {
        let trusted = |open: &Open| !self.has(Guard::DiscardLost) || open.at.is_ancestor_of(head);
        let (at, knows) = match miner.open.take().filter(trusted) {
            Some(open) if !open.at.is_ancestor_of(head) => return open,
            Some(open) => (open.at, open.knows),
            None => match table.newest_snapshot(head) {
                // Its digest fails; skipped for genesis.
                Some(snapshot) if !snapshot.chunks && self.has(Guard::ManifestLast) => (Hash::default(), 0),
                Some(snapshot) => {
                    (snapshot.block, if snapshot.chunks { snapshot.block.history() } else { 0 })
                }
                None => (Hash::default(), 0),
            },
        };
        let replayed = head.path_above(at.height()).fold(knows, |all, block| all | block.events());
        Open { at: head, knows: replayed }
    }

    /// What the module decides for the messages that are run now.
    fn decide(&self, open: Open, n: u8, miner: &mut Miner, clock: Choice) -> Decided {
        let events = self.events_of(miner.work());
        let mut knows = open.knows;
        let mut accepted = 0;
        for (n, event) in self.events.iter().enumerate().filter(|(n, _)| events & (1 << n) != 0) {
            let bit = 1 << n;
            let is_good = match event {
                Event::Plain => true,
                Event::Needs(other) => knows & (1 << other) != 0,
                Event::Expiring => clock == Choice::First,
                Event::Poison => false,
            };
            if is_good && knows & bit == 0 {
                knows |= bit;
                accepted |= bit;
            }
        }
        let rejects = events & !accepted;
        let time = if self.same_clock { 0 } else { 2 * n + u8::from(miner.again) };
        let block = (accepted != 0).then(|| open.at.child(accepted, time));
        miner.open = Some(Open { at: block.unwrap_or(open.at), knows });
        Decided { on: open.at, block, rejects, published: false }
    }

    /// `snapshots::write`: chunks, then the manifest, then an older one's manifest and chunks go.
    fn snapshot(&self, table: &mut crate::Table, miner: &mut Miner, decided: Decided, written: u8) -> Step {
        let block = decided.block.expect("only a block has a snapshot");
        let after = match decided.published {
            true => Step::ReadPlaces(decided),
            false => Step::KeepBodies(decided),
        };
        debug_assert!(miner.open.is_some(), "the kennel stands at the block");
        if !self.snapshots {
            return after;
        }
        let older =
            table.snapshots.iter().map(|snapshot| snapshot.block).find(|old| old.height() < block.height());
        let manifest_first = !self.has(Guard::ManifestLast);
        match (written, older) {
            (0, _) => table.change_snapshot(block, |snapshot| match manifest_first {
                true => snapshot.manifest = true,
                false => snapshot.chunks = true,
            }),
            (1, _) => table.change_snapshot(block, |snapshot| {
                snapshot.chunks = true;
                snapshot.manifest = true;
            }),
            (2, Some(old)) => table.change_snapshot(old, |snapshot| snapshot.manifest = false),
            (3, Some(old)) => {
                table.change_snapshot(old, |snapshot| snapshot.chunks = false);
                return after;
            }
            _ => return after,
        }
        Step::Snapshot(decided, written + 1)
    }

    /// The messages run now are done with.
    fn finish(&self, miner: &mut Miner) -> Step {
        miner.rest &= !miner.work();
        if miner.rest == 0 { Step::Ack } else { Step::ReadHead }
    }
}
