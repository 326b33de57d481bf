//! Blocks: header, receipts, deaths, summary, and what each of them hashes to.

use alloc::vec::Vec;

use crate::codec::{Bytes, Canonical, Malformed, Writer, encode, put_array, take_array};
use crate::hash::{AccountId, BirthHash, BlockHash, Digest32, EventId, KennelId, RulesHash, tag, tagged};
use crate::log;
use crate::record;
use crate::state::{Account, Keys, Mining, Order, PendingUpgrade, Pet, Post, Totals};

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
        /// RFC 6962 root over the receipts, then the deaths, the endings and the summary.
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

macro_rules! changes {
    ($($(#[$meta:meta])* $name:ident = $number:literal ($type:ty)),* $(,)?) => {
        /// A record after an event changed it, or what else it did that the read side shows.
        ///
        /// # Encoding
        /// An array: the number, then the record.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Change { $($(#[$meta])* $name($type)),* }

        impl Canonical for Change {
            fn put(&self, w: &mut Writer) {
                put_array(w, 2);
                match self { $(Change::$name(record) => {
                    ($number as u8).put(w);
                    record.put(w);
                })* }
            }
            fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
                take_array(d, 2)?;
                match u8::take(d)? {
                    $($number => <$type as Canonical>::take(d).map(Change::$name),)*
                    _ => Err(Malformed),
                }
            }
        }
    };
}

changes! {
    /// A pet's record.
    Pet = 1 (Pet),
    /// An account's record.
    Account = 2 (Account),
    /// A post's record.
    Post = 3 (Post),
    /// An open order's record; with an `until_ms` of 0 it has been outbid.
    Order = 4 (Order),
    /// An order that was cancelled.
    Closed = 5 (EventId),
    /// An order that was taken.
    Trade = 6 (Trade),
    /// The keys of the offices.
    Keys = 7 (Keys),
}

record! {
    /// A sale, with its exact split: the seller got `price − cut`, the house `cut`.
    #[derive(Copy)]
    pub struct Trade {
        /// The order that was taken.
        pub order: EventId,
        /// The pet.
        pub pet: BirthHash,
        /// Who owned it.
        pub seller: AccountId,
        /// Who owns it now.
        pub buyer: AccountId,
        /// What the buyer paid, treats.
        pub price: u64,
        /// The house's part of it, treats.
        pub cut: u64,
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

/// Why an order ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EndingReason {
    /// Its `until_ms` has passed.
    TimeUp = 1,
    /// Its pet died, or has another owner.
    PetChanged = 2,
    /// A higher bid took its place.
    Outbid = 3,
}

impl Canonical for EndingReason {
    fn put(&self, w: &mut Writer) {
        (*self as u8).put(w);
    }
    fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
        match u8::take(d)? {
            1 => Ok(EndingReason::TimeUp),
            2 => Ok(EndingReason::PetChanged),
            3 => Ok(EndingReason::Outbid),
            _ => Err(Malformed),
        }
    }
}

record! {
    /// An order that ended by itself at the end of a block.
    pub struct Ending {
        /// The order.
        pub order: EventId,
        /// Who made it, and has back what it locked.
        pub account: AccountId,
        /// The account's free treats, after this.
        pub free: u64,
        /// The account's open orders, after this.
        pub orders: u32,
        /// Why.
        pub reason: EndingReason,
    }
}

record! {
    /// The sums after a block, for the read side.
    pub struct Summary {
        /// The sums.
        pub totals: Totals,
        /// What miners work on; where this block began the age, `began` is zeros and stands for its hash.
        pub mining: Mining,
        /// The change of rules that has been decided on.
        pub upgrade: Option<PendingUpgrade>,
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
        /// Canonical [`Ending`]s.
        pub endings: Vec<Bytes>,
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
        receipt_leaves(&self.receipts, &self.deaths, &self.endings, &self.summary)
    }
}

/// Leaves of the events root.
pub fn event_leaves(events: &[Bytes]) -> Vec<Digest32> {
    events.iter().map(|event| log::leaf(&event.0)).collect()
}

/// Leaves of the receipts root: receipts, deaths, endings, summary.
pub fn receipt_leaves(
    receipts: &[Bytes],
    deaths: &[Bytes],
    endings: &[Bytes],
    summary: &Bytes,
) -> Vec<Digest32> {
    receipts.iter().chain(deaths).chain(endings).chain([summary]).map(|record| log::leaf(&record.0)).collect()
}
