//! What can be wrong with a ledger, said with the height and both values.

use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{Digest32, KennelId, RulesHash};
use pitpet_chain::kennel::Fault;

use crate::checkpoint::CheckpointError;
use crate::ports::ModuleError;
use crate::upgrade::Unfit;

/// Why a ledger was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The genesis is not canonical.
    #[error("the genesis is not canonical")]
    GenesisMalformed,
    /// The genesis has a field out of its range.
    #[error("the genesis has its {0} out of range")]
    GenesisRange(&'static str),
    /// It is a ledger of another kennel.
    #[error("the ledger is of kennel {found}, not of {expected}")]
    WrongKennel {
        /// The kennel that was asked for.
        expected: KennelId,
        /// The one that the genesis hashes to.
        found: KennelId,
    },
    /// The checkpoint is not one of the kennel's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is about another number of blocks than are shown.
    #[error("the checkpoint is over {size} blocks, and the ledger ends at height {height}")]
    CheckpointSize {
        /// Blocks that the checkpoint is over.
        size: u64,
        /// Height of the last block shown.
        height: u64,
    },
    /// The checkpoint signs another history.
    #[error("the checkpoint signs the root {}, the blocks have {}", Hex(.stated), Hex(.computed))]
    CheckpointRoot {
        /// What the checkpoint says.
        stated: Digest32,
        /// What the blocks give.
        computed: Digest32,
    },
    /// Blocks that were seen before are gone.
    #[error(
        "the ledger has lost blocks: it holds {size}, a checkpoint over {remembered} was seen before; a backup of those {size} is checked where nothing newer was seen: pitpet verify FILE --keys NEW-FOLDER"
    )]
    Shorter {
        /// Blocks of the checkpoint remembered.
        remembered: u64,
        /// Blocks shown.
        size: u64,
    },
    /// The history contradicts a checkpoint that was seen before.
    #[error(
        "the ledger shows two histories: over {size} blocks its root was {} and is {}",
        Hex(.remembered),
        Hex(.computed)
    )]
    TwoHistories {
        /// Blocks of the checkpoint remembered.
        size: u64,
        /// Its root.
        remembered: Digest32,
        /// What the blocks give.
        computed: Digest32,
    },
    /// The ledger ends before the block that it must hold.
    #[error("the ledger ends at height {height}, before the block at {wanted} that it must hold")]
    HeadMissing {
        /// Height of the block that was given.
        wanted: u64,
        /// Height of the last block shown.
        height: u64,
    },
    /// A segment's blocks are not the next ones.
    #[error(
        "a segment of version {version} holds {count} blocks from {from}, expected are those from {expected}"
    )]
    Segment {
        /// Its version.
        version: u8,
        /// Height that it begins at.
        from: u64,
        /// Its blocks.
        count: usize,
        /// Height that it should begin at.
        expected: u64,
    },
    /// The blocks end too early.
    #[error("the blocks end before height {next}, the ledger's last one is {height}")]
    Incomplete {
        /// Height of the first block that is missing.
        next: u64,
        /// Height of the last block stated.
        height: u64,
    },
    /// A block is not valid.
    #[error("block {height}: {flaw}")]
    Block {
        /// Its height.
        height: u64,
        /// What is wrong with it.
        flaw: BlockFlaw,
    },
    /// The blocks were decided by a module that this release doesn't carry and nobody allowed.
    #[error(
        "block {height} was decided by rules {rules}, which this release doesn't know; \
         a newer one may, or allow them by their hash"
    )]
    UntrustedRules {
        /// The block's height.
        height: u64,
        /// The rules.
        rules: RulesHash,
    },
    /// The block could not be executed here.
    #[error("block {height} could not be executed: {source}")]
    Unable {
        /// The block's height.
        height: u64,
        /// Why.
        source: ModuleError,
    },
    /// The block's rules don't go on where the rules before it ended.
    #[error("block {height}: its rules {rules} don't take over the state of the rules before: {why}")]
    Upgrade {
        /// The block's height.
        height: u64,
        /// Its rules.
        rules: RulesHash,
        /// Why.
        why: Unfit,
    },
}

impl VerifyError {
    /// Why a module did not take over: it could not be run, or it refuses.
    pub(super) fn of_upgrade(height: u64, rules: RulesHash, unfit: Unfit) -> Self {
        match unfit {
            Unfit::Module(ModuleError::Refused(_)) => VerifyError::Upgrade { height, rules, why: unfit },
            Unfit::Module(source) => VerifyError::Unable { height, source },
            why => VerifyError::Upgrade { height, rules, why },
        }
    }

    /// Whether the ledger is shown to be false; else it could not be checked here.
    pub fn is_invalid(&self) -> bool {
        !matches!(self, VerifyError::UntrustedRules { .. } | VerifyError::Unable { .. })
    }
}

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockFlaw {
    /// It is larger than a block may be.
    #[error("{size} bytes are more than a block may have")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// Its bytes are not a canonical block.
    #[error("not a canonical block")]
    Malformed,
    /// It holds no event, or too many.
    #[error("it holds {count} events")]
    EventCount {
        /// How many.
        count: usize,
    },
    /// An event's bytes are not a canonical signed event.
    #[error("event {index} is not a canonical signed event")]
    Event {
        /// Its place.
        index: usize,
    },
    /// A part of it is not what it must be.
    #[error("its {part} is {stated}, not {expected}")]
    Differs {
        /// Which.
        part: Part,
        /// What the block states.
        stated: Shown,
        /// What it must be.
        expected: Shown,
    },
    /// Its timestamp is below its parent's, or too far above it.
    #[error("its timestamp is {stated_ms} ms, outside {earliest_ms} to {latest_ms}")]
    Timestamp {
        /// What the block states.
        stated_ms: u64,
        /// The parent's.
        earliest_ms: u64,
        /// The highest allowed.
        latest_ms: u64,
    },
    /// The body records beside it don't fit its events.
    #[error("{states} body states and {bodies} bodies don't fit its {events} events")]
    BodyCount {
        /// Its events.
        events: usize,
        /// States given.
        states: usize,
        /// Bodies given.
        bodies: usize,
    },
    /// A body state that an event of this kind can't have.
    #[error("event {index} can't have the body state {state}")]
    BodyState {
        /// The event's place.
        index: usize,
        /// What is stated.
        state: u8,
    },
    /// A body is not the one that its event commits to.
    #[error("the body of event {index} is not the one that it commits to")]
    Body {
        /// The event's place.
        index: usize,
    },
    /// The rules refuse it.
    #[error("the rules refuse it: {0}")]
    Refused(Fault),
    /// The rules make another block of its events.
    #[error("executed again, it comes out otherwise")]
    Outcome,
}

/// A part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Format version.
    Version,
    /// Kennel.
    Kennel,
    /// Height.
    Height,
    /// Age.
    Age,
    /// Hash of the parent.
    Parent,
    /// Root over the events.
    EventsRoot,
    /// Root over receipts, deaths and summary.
    ReceiptsRoot,
    /// Root over the blocks before.
    HistoryRoot,
    /// Rules hash.
    Rules,
    /// Its hash, where one was given.
    Hash,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Version => "version",
            Part::Kennel => "kennel",
            Part::Height => "height",
            Part::Age => "age",
            Part::Parent => "parent",
            Part::EventsRoot => "events root",
            Part::ReceiptsRoot => "receipts root",
            Part::HistoryRoot => "history root",
            Part::Rules => "rules hash",
            Part::Hash => "hash",
        })
    }
}

/// A value in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A number.
    Number(u64),
    /// A hash.
    Hash(Digest32),
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shown::Number(number) => number.fmt(f),
            Shown::Hash(hash) => Hex(hash).fmt(f),
        }
    }
}

impl From<u64> for Shown {
    fn from(number: u64) -> Self {
        Shown::Number(number)
    }
}

impl From<Digest32> for Shown {
    fn from(hash: Digest32) -> Self {
        Shown::Hash(hash)
    }
}

struct Hex<'a>(&'a Digest32);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Reads a genesis and checks its ranges.
pub(super) fn read_genesis(bytes: &[u8]) -> Result<Genesis, VerifyError> {
    let genesis: Genesis = pitpet_chain::codec::decode(bytes).map_err(|_| VerifyError::GenesisMalformed)?;
    match genesis.fault() {
        Some(field) => Err(VerifyError::GenesisRange(field)),
        None => Ok(genesis),
    }
}
