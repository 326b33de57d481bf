//! Proofs that a client checks by itself: an event with its receipt, and a record of the state.
//!
//! Both end in a header. Its hash is a leaf of the block log, whose root a checkpoint signs; the
//! inclusion path is a separate [`LogProof`], because it depends on the checkpoint's size.

use alloc::vec::Vec;

use crate::block::{Header, Receipt};
use crate::codec::{Bytes, decode};
use crate::event::SignedEvent;
use crate::hash::{BlockHash, Digest32, KennelId};
use crate::log;
use crate::record;
use crate::state::{StateKey, value_hash};
use crate::tree::TreeProof;

/// A proof does not show what it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotProven;

impl core::fmt::Display for NotProven {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the proof does not show what it claims")
    }
}

impl core::error::Error for NotProven {}

record! {
    /// An event and its receipt in a block.
    pub struct EventProof {
        /// Canonical [`Header`].
        pub header: Bytes,
        /// The event's place in the block.
        pub index: u32,
        /// The signed event.
        pub event: Bytes,
        /// Leaves of the events root.
        pub event_count: u32,
        /// From the event to the events root.
        pub event_path: Vec<Digest32>,
        /// Canonical [`Receipt`].
        pub receipt: Bytes,
        /// Leaves of the receipts root.
        pub receipt_count: u32,
        /// From the receipt to the receipts root.
        pub receipt_path: Vec<Digest32>,
    }
}

impl EventProof {
    /// Checks the proof for a kennel, the event's signature included.
    ///
    /// # Errors
    /// [`NotProven`].
    pub fn check(&self, kennel: &KennelId) -> Result<(Header, SignedEvent, Receipt), NotProven> {
        let header: Header = decode(&self.header.0).map_err(|_| NotProven)?;
        let receipt: Receipt = decode(&self.receipt.0).map_err(|_| NotProven)?;
        let signed = SignedEvent::read(&self.event.0).map_err(|_| NotProven)?;
        let index = u64::from(self.index);
        let sound = header.kennel == *kennel
            && signed.event.kennel == *kennel
            && receipt.event == signed.id
            && signed.check_signature().is_ok()
            && log::includes(
                &header.events_root,
                self.event_count.into(),
                index,
                &log::leaf(&self.event.0),
                &self.event_path,
            )
            && log::includes(
                &header.receipts_root,
                self.receipt_count.into(),
                index,
                &log::leaf(&self.receipt.0),
                &self.receipt_path,
            );
        if sound { Ok((header, signed, receipt)) } else { Err(NotProven) }
    }
}

record! {
    /// What the state after a block holds under a key: a record, or nothing.
    pub struct StateProof {
        /// Canonical [`Header`].
        pub header: Bytes,
        /// Kind of record; see [`StateKey::parts`].
        pub kind: u8,
        /// Its id.
        pub id: Digest32,
        /// Canonical record; none if there is none.
        pub record: Option<Bytes>,
        /// From the key to the state root.
        pub proof: TreeProof,
    }
}

impl StateProof {
    /// Checks the proof for a kennel.
    ///
    /// # Errors
    /// [`NotProven`].
    pub fn check(&self, kennel: &KennelId) -> Result<(Header, StateKey), NotProven> {
        let header: Header = decode(&self.header.0).map_err(|_| NotProven)?;
        let key = StateKey::from_parts(self.kind, self.id).ok_or(NotProven)?;
        let claimed = self.record.as_ref().map(|record| value_hash(&record.0));
        let shown = self.proof.check(&header.state_root, &key.hash()).ok_or(NotProven)?;
        if header.kennel == *kennel && shown == claimed { Ok((header, key)) } else { Err(NotProven) }
    }
}

record! {
    /// A block's place in the block log of a checkpoint.
    pub struct LogProof {
        /// The block's height.
        pub height: u64,
        /// The checkpoint's size: the height of its head + 1.
        pub size: u64,
        /// From the block's leaf to the checkpoint's root.
        pub path: Vec<Digest32>,
    }
}

impl LogProof {
    /// Whether the block is in the log with this root.
    pub fn check(&self, root: &Digest32, block: &BlockHash) -> bool {
        log::includes(root, self.size, self.height, &log::leaf(&block.0), &self.path)
    }
}
