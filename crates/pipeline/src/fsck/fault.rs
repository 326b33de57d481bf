//! What can be wrong with stored data, where, and what can be done about it.

use pitpet_chain::hash::KennelId;

use crate::checkpoint::CheckpointError;
use crate::ports::Key;
use crate::verify::{BlockFlaw, VerifyError};

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An item of the table.
    Item(Key),
    /// An object, by its key.
    Object(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Item(Key { pk, sk }) => write!(f, "item {pk} · {sk}"),
            Place::Object(key) => write!(f, "object {key}"),
        }
    }
}

/// What is wrong there.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// The chain implies it, and it isn't there.
    #[error("it is missing")]
    Missing,
    /// An attribute is not what the chain implies.
    #[error("its {attribute} is not what the chain implies")]
    Differs {
        /// Which.
        attribute: String,
    },
    /// It shows an older state than the chain's.
    #[error("its {attribute} is not of block {height}, which changed it last")]
    Behind {
        /// The attribute that says the height it comes from.
        attribute: &'static str,
        /// Height of the block that changed it.
        height: u64,
    },
    /// It says to come from a block that doesn't make it.
    #[error("its {attribute} is said to come from block {height}, which does not make it")]
    Forged {
        /// Which.
        attribute: &'static str,
        /// The height that it claims.
        height: u64,
    },
    /// Nothing in the chain implies it.
    #[error("nothing in the chain implies it")]
    Unexpected,
    /// A block is not the one that the chain names.
    #[error("{0}")]
    Block(#[from] BlockFlaw),
    /// The chain is not valid.
    #[error("{0}")]
    Chain(#[from] VerifyError),
    /// A checkpoint is not of the kennel.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// A body is not the one that its event commits to.
    #[error("it is not the body that its event commits to")]
    Body,
    /// A text or photo was erased, and something of it is left.
    #[error("it was erased, and something of it is left")]
    HalfErased,
    /// A reject was recorded after the event had its receipt.
    #[error("it contradicts the receipt that the event has")]
    Contradicts,
    /// A name's holder and its listing differ.
    #[error("the name {0:?} is not held by the account that lists it")]
    Name(String),
    /// The content doesn't hash to its name.
    #[error("its content does not hash to its name")]
    Content,
    /// A snapshot can't be opened, or is of another state.
    #[error("the snapshot is not good: {0}")]
    Snapshot(String),
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// `--repair` makes it good.
    Repairable,
    /// It was made good.
    Repaired,
    /// It can't be derived: this is lost unless a copy has it.
    Lost(Loss),
}

/// What is lost where it can't be derived from the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// A text.
    #[error("the text is lost; the chain keeps only its commitment")]
    Text,
    /// A photo.
    #[error("the photo is lost, unless somebody who has it uploads it again")]
    Photo,
    /// A block.
    #[error("the block is lost here; an export or another copy of the ledger has it")]
    Block,
    /// The chain is signed and wrong.
    #[error("the signed chain itself is wrong: no copy of it helps")]
    Chain,
    /// A place in the list of kennels.
    #[error("which kennel has this label is lost; name the kennel by its id to repair it")]
    Label,
    /// A founding record.
    #[error("the founding record is lost here; an export has it")]
    Genesis,
    /// A chain module that this release doesn't carry.
    #[error("the module is lost here; an export or anyone who verified the ledger has it")]
    Module,
    /// The head's checkpoint.
    #[error("which block is the newest is lost; a backup of the head has it")]
    Head,
}

/// One fault.
#[derive(Debug)]
pub struct Fault {
    /// The kennel.
    pub kennel: KennelId,
    /// Where.
    pub place: Place,
    /// What.
    pub flaw: Flaw,
    /// What becomes of it.
    pub remedy: Remedy,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.flaw)?;
        match &self.remedy {
            Remedy::Repairable => f.write_str(" (can be repaired)"),
            Remedy::Repaired => f.write_str(" (repaired)"),
            Remedy::Lost(loss) => write!(f, " ({loss})"),
        }
    }
}
