//! The kinds of fault, and how often each happened.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use pitpet_chain::event::Kind;

macro_rules! kinds {
    ($($(#[doc = $text:literal])* $name:ident = $label:literal,)*) => {
        /// What may go wrong in a simulation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultKind { $($(#[doc = $text])* $name),* }

        impl FaultKind {
            /// All of them.
            pub const ALL: &'static [FaultKind] = &[$(FaultKind::$name),*];

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(FaultKind::$name => $label),* }
            }

            /// What it is, in a sentence.
            pub fn description(self) -> &'static str {
                match self { $(FaultKind::$name => concat!($($text),*).trim_start()),* }
            }
        }
    };
}

kinds! {
    /// A call fails before it persisted.
    FailedBefore = "failed-before",
    /// A write fails after it persisted.
    FailedAfter = "failed-after",
    /// A write persists and its answer is lost: the caller waits for its own time-out.
    AnswerLost = "answer-lost",
    /// A write persists up to a minute after its caller was told that nobody knows.
    LateWrite = "late-write",
    /// A call is throttled.
    Throttled = "throttled",
    /// A read that may lag sees the item before its last write.
    StaleRead = "stale-read",
    /// A process stands still for minutes at any call or answer.
    Pause = "pause",
    /// A miner stands still for minutes between staging a block and committing it.
    CommitPause = "commit-pause",
    /// A miner dies at any await and starts again with empty memory.
    MinerCrash = "miner-crash",
    /// The reaper dies at any await and starts again with empty memory.
    ReaperCrash = "reaper-crash",
    /// Ingest dies at any await; its client doesn't know what became of the request.
    IngestCrash = "ingest-crash",
    /// A machine's clock jumps forward, up to ten minutes.
    ClockForward = "clock-forward",
    /// A machine's clock jumps back, up to ten minutes.
    ClockBack = "clock-back",
    /// A client sends what was answered with 202 again, at once or much later.
    DuplicateSubmit = "duplicate-submit",
    /// A message reaches the queue up to two minutes late.
    DelayedMessage = "delayed-message",
    /// The queue hands out a group before another one whose messages are older.
    ReorderedGroups = "reordered-groups",
    /// A message is delivered again.
    Redelivery = "redelivery",
    /// A message is mined when its event has expired.
    ExpiredMessage = "expired-message",
    /// The visibility of a batch runs out at once, so that several miners work on it.
    SharedBatch = "shared-batch",
    /// A batch is answered after its visibility ran out.
    LateSettle = "late-settle",
    /// The queue's answer to a receive or to the end of a batch is lost.
    QueueAnswerLost = "queue-answer-lost",
    /// A miner loses a block to another one on the same kennel.
    LostBlock = "lost-block",
    /// A message that can't be read, or on which the module traps, is in the queue.
    Poison = "poison",
    /// A part of a snapshot is lost.
    SnapshotLost = "snapshot-lost",
    /// A part of a snapshot is cut short.
    SnapshotTruncated = "snapshot-truncated",
    /// A snapshot of a block that lost is in the store, as sound as one of a live block.
    SnapshotOfLost = "snapshot-of-lost",
    /// Nothing can be published for a while; each refused item counts.
    PublishOutage = "publish-outage",
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|kind| kind.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("{text:?} is no kind of fault; there are: {}", names.join(", "))
        })
    }
}

/// What happened in one or more runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs.
    pub runs: u64,
    /// Steps: a request or an answer arrived, or a wait ended.
    pub steps: u64,
    /// Pets' events that ended, each once: with a receipt or, if it has none, a recorded reject.
    pub ended: u64,
    /// Blocks committed.
    pub blocks: u64,
    /// Events of the chain in them.
    pub receipts: u64,
    /// Rejects recorded.
    pub rejects: u64,
    /// Messages that ended in the dead-letter queue.
    pub dead: u64,
    /// Staged blocks collected.
    pub garbage: u64,
    /// Kennels that opened by themselves.
    pub opened: u64,
    /// Changes of rules that came.
    pub upgrades: u64,
    /// Times that a majority of witnesses let time pass.
    pub witnessed: u64,
    /// Accepted events by kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, u64>,
}

impl Counts {
    /// Notes a fault.
    pub(crate) fn note(&mut self, kind: FaultKind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// How many faults of a kind there were.
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or_default()
    }

    /// How many events of a kind were accepted.
    pub fn accepted(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Counts) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.ended += other.ended;
        self.blocks += other.blocks;
        self.receipts += other.receipts;
        self.rejects += other.rejects;
        self.dead += other.dead;
        self.garbage += other.garbage;
        self.opened += other.opened;
        self.upgrades += other.upgrades;
        self.witnessed += other.witnessed;
        for (kind, count) in &other.kinds {
            *self.kinds.entry(*kind).or_default() += count;
        }
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9} runs", self.runs)?;
        writeln!(f, "{:>9} steps", self.steps)?;
        writeln!(f, "{:>9} events of the chain that ended", self.ended)?;
        writeln!(f, "{:>9} blocks with {} receipts", self.blocks, self.receipts)?;
        writeln!(f, "{:>9} rejects, {} dead letters", self.rejects, self.dead)?;
        writeln!(f, "{:>9} staged blocks collected", self.garbage)?;
        writeln!(f, "{:>9} kennels opened by themselves", self.opened)?;
        writeln!(f, "{:>9} changes of rules", self.upgrades)?;
        writeln!(f, "{:>9} times that witnesses let time pass", self.witnessed)?;
        for kind in Kind::ALL {
            writeln!(f, "{:>9} accepted: {}", self.accepted(*kind), kind.name())?;
        }
        for kind in FaultKind::ALL {
            writeln!(f, "{:>9} {kind}", self.of(*kind))?;
        }
        Ok(())
    }
}
