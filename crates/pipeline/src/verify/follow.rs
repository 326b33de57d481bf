//! A verifier that goes on: each newer checkpoint of the server extends what was executed before,
//! so that following a kennel costs what its new blocks cost.

use pitpet_chain::block::{Block, Change, Receipt, Summary};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Kind, Payload, SignedEvent};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, PublicKey};
use pitpet_chain::mining;
use pitpet_chain::state::{Mining, PendingUpgrade};

use super::{BlockFlaw, Verifier, VerifyError};
use crate::checkpoint::{self, Claim};

/// Who says when the kennel has been idle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// Their keys; a statement names its witness by the place here.
    pub keys: Vec<PublicKey>,
    /// How many of them must say so; 0: the timestamp of the block decides.
    pub threshold: u8,
}

impl Witnesses {
    /// Those that a genesis names.
    pub fn of(genesis: &Genesis) -> Self {
        Self { keys: genesis.witnesses.clone(), threshold: genesis.threshold }
    }

    /// Those that the events of a block leave.
    pub(super) fn after(&mut self, block: &Block, events: &[SignedEvent]) -> Result<(), BlockFlaw> {
        for (event, receipt) in events.iter().zip(&block.receipts) {
            if event.event.payload.kind() != Kind::Appoint {
                continue;
            }
            let receipt: Receipt = decode(&receipt.0).map_err(|_| BlockFlaw::Malformed)?;
            for change in receipt.changes {
                if let Change::Keys(keys) = change {
                    *self = Self { keys: keys.witnesses, threshold: keys.threshold };
                }
            }
        }
        Ok(())
    }
}

/// The newest block that was executed again, and what follows for miners and witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its timestamp, ms since the Unix epoch.
    pub timestamp_ms: u64,
    /// The sums after it.
    pub summary: Summary,
}

impl Executed {
    /// What miners work on now.
    pub fn mining(&self) -> Mining {
        mining::after(&self.summary.mining, self.height, &self.hash)
    }
}

/// Whether an event mines time: the house's, or anybody's with a seal.
pub(super) fn mines_time(signed: &SignedEvent) -> bool {
    matches!(signed.event.payload, Payload::Time { .. } | Payload::Seal { time: Some(_), .. })
}

impl Verifier<'_> {
    /// The newest block; none before the first.
    pub fn newest(&self) -> Option<&Executed> {
        self.newest.as_ref()
    }

    /// Who says when the kennel has been idle, after the newest block.
    pub fn witnesses(&self) -> &Witnesses {
        &self.witnesses
    }

    /// How often time was mined, up to the newest block.
    pub fn times_mined(&self) -> u64 {
        self.times
    }

    /// The upgrade that is decided on, if it is to rules that are neither pinned nor allowed: blocks
    /// from its height on can't be executed here.
    pub fn upgrade_ahead(&self) -> Option<PendingUpgrade> {
        let upgrade = self.newest.as_ref()?.summary.upgrade?;
        self.terms.trust(upgrade.rules_hash).is_none().then_some(upgrade)
    }

    /// What the checkpoint in hand says.
    pub fn claim(&self) -> Claim {
        self.claim
    }

    /// Blocks executed again so far and events in them.
    pub fn executed(&self) -> (u64, u64) {
        (self.next_height(), self.events)
    }

    /// Checks that all blocks of the checkpoint are there and that it signs them.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn settle(&self) -> Result<(), VerifyError> {
        if self.next_height() != self.claim.size {
            return Err(VerifyError::Incomplete { next: self.next_height(), height: self.height });
        }
        let computed = self.history.root();
        if computed != self.claim.root {
            return Err(VerifyError::CheckpointRoot { stated: self.claim.root, computed });
        }
        Ok(())
    }

    /// Goes on to a newer checkpoint of the same kennel, once all of the one before is verified.
    ///
    /// # Errors
    /// [`VerifyError`]: also if it signs fewer blocks than the one before, or others.
    pub fn go_on(&mut self, note: &str) -> Result<(), VerifyError> {
        self.settle()?;
        let (before, claim) = (self.claim, checkpoint::check(note, &self.kennel, &self.key)?);
        if claim.size < before.size {
            return Err(VerifyError::Shorter { remembered: before.size, size: claim.size });
        }
        if claim.size == before.size && claim.root != before.root {
            let (remembered, computed) = (before.root, claim.root);
            return Err(VerifyError::TwoHistories { size: claim.size, remembered, computed });
        }
        self.height = claim.size - 1;
        self.claim = claim;
        Ok(())
    }
}
