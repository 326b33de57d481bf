//! Blocks: header, receipts, deaths, summary, and what each of them hashes to.

use alloc::vec::Vec;

use crate::codec::{Bytes, Canonical, Malformed, Writer, encode, put_array, take_array};
use crate::hash::{AccountId, BirthHash, BlockHash, Digest32, EventId, KennelId, RulesHash, tag, tagged};
use crate::log;
use crate::record;
use crate::state::{Account, Pet, Post, Totals};

/// Version of the block format.
pub const VERSION: u8 = 1;

record! {
    /// What a block's hash covers.
    pub struct Header {
        /// [`VERSION`].
        pub version: u8,
        /// The kennel.
        pub kennel: KennelId,
        /// Number of the block; the genesis block is 0.
        pub height: u64,
        /// The kennel's age after this block.
        pub age: u64,
        /// Set by the miner, ms since the Unix epoch; at least the parent's.
        pub timestamp_ms: u64,
        /// Hash of the block before; zeros in block 0.
        pub parent: BlockHash,
        /// RFC 6962 root over the signed events.
        pub events_root: Digest32,
        /// RFC 6962 root over the receipts, then the deaths, then the summary.
        pub receipts_root: Digest32,
        /// Root of the state tree after this block.
        pub state_root: Digest32,
        /// RFC 6962 root over the hashes of all blocks before this one.
        pub history_root: Digest32,
        /// SHA-256 of the Wasm module that decided this block.
        pub rules_hash: RulesHash,
        /// Who found the seal that mined this block, if one did.
        pub sealer: Option<AccountId>,
    }
}

impl Header {
    /// The block's hash.
    pub fn hash(&self) -> BlockHash {
        BlockHash(tagged(tag::BLOCK, &[&encode(self)]))
    }
}

/// A record after an event changed it.
///
/// # Encoding
/// An array: 1 pet, 2 account or 3 post, then the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A pet's record.
    Pet(Pet),
    /// An account's record.
    Account(Account),
    /// A post's record.
    Post(Post),
}

impl Canonical for Change {
    fn put(&self, w: &mut Writer) {
        put_array(w, 2);
        match self {
            Change::Pet(pet) => {
                1_u8.put(w);
                pet.put(w);
            }
            Change::Account(account) => {
                2_u8.put(w);
                account.put(w);
            }
            Change::Post(post) => {
                3_u8.put(w);
                post.put(w);
            }
        }
    }
    fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
        take_array(d, 2)?;
        match u8::take(d)? {
            1 => Pet::take(d).map(Change::Pet),
            2 => Account::take(d).map(Change::Account),
            3 => Post::take(d).map(Change::Post),
            _ => Err(Malformed),
        }
    }
}

record! {
    /// What an accepted event did: every record that it changed, as it was right afterwards.
    pub struct Receipt {
        /// The event.
        pub event: EventId,
        /// The changed records.
        pub changes: Vec<Change>,
    }
}

record! {
    /// A death at the end of a block.
    pub struct Death {
        /// The pet.
        pub pet: BirthHash,
        /// Its owner, who has no living pet now.
        pub owner: AccountId,
        /// The owner's dead pets and keepsakes, this one included.
        pub holdings: u32,
    }
}

record! {
    /// The sums after a block, for the read side.
    pub struct Summary {
        /// The sums.
        pub totals: Totals,
        /// The head that a birth should be bound to; zeros in block 0: bind to the head itself.
        pub anchor: BlockHash,
    }
}

record! {
    /// A block.
    pub struct Block {
        /// The header.
        pub header: Header,
        /// Signed events, in the order in which they took effect.
        pub events: Vec<Bytes>,
        /// One receipt an event, in the same order: canonical [`Receipt`]s.
        pub receipts: Vec<Bytes>,
        /// Canonical [`Death`]s.
        pub deaths: Vec<Bytes>,
        /// Canonical [`Summary`].
        pub summary: Bytes,
    }
}

impl Block {
    /// Leaves of the events root.
    pub fn event_leaves(&self) -> Vec<Digest32> {
        event_leaves(&self.events)
    }

    /// Leaves of the receipts root.
    pub fn receipt_leaves(&self) -> Vec<Digest32> {
        receipt_leaves(&self.receipts, &self.deaths, &self.summary)
    }
}

/// Leaves of the events root.
pub fn event_leaves(events: &[Bytes]) -> Vec<Digest32> {
    events.iter().map(|event| log::leaf(&event.0)).collect()
}

/// Leaves of the receipts root: receipts, deaths, summary.
pub fn receipt_leaves(receipts: &[Bytes], deaths: &[Bytes], summary: &Bytes) -> Vec<Digest32> {
    receipts.iter().chain(deaths).chain([summary]).map(|record| log::leaf(&record.0)).collect()
}
