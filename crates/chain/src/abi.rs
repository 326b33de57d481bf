//! The operations of the chain module, over canonical bytes: the same for the native build and
//! for Wasm, whose shim only moves the bytes.

use alloc::vec::Vec;

use crate::codec::{Bytes, Canonical, decode, encode};
use crate::event::{Event, SignedParts, signing_bytes, work};
use crate::genesis::Genesis;
use crate::hash::{AccountId, BlockHash, Digest32, EventId, KennelId, RulesHash};
use crate::kennel::{Fault, Head, Kennel, NewBlock, Signatures, Snapshot};
use crate::mining::{Purpose, Work};
use crate::proof::{EventProof, StateProof};
use crate::state::StateKey;
use crate::{limits, record};

/// Version of this interface.
pub const VERSION: u32 = 1;

record! {
    /// Input of [`Session::open`].
    pub struct Start {
        /// SHA-256 of the module itself, which goes into the headers that it makes.
        pub rules_hash: RulesHash,
        /// Canonical [`Genesis`], to found a kennel; else none.
        pub genesis: Option<Bytes>,
        /// Canonical [`Snapshot`], to open one; else none. One of the module before is taken over
        /// where an upgrade names this module; see [`Kennel::open`].
        pub snapshot: Option<Bytes>,
    }
}

record! {
    /// Answer of [`Session::open`].
    pub struct Opened {
        /// The kennel.
        pub kennel: KennelId,
        /// Its head.
        pub head: Head,
        /// The genesis block, if it was founded.
        pub block: Option<NewBlock>,
    }
}

record! {
    /// Input of [`Session::apply`]; the answer is [`crate::kennel::Outcome`].
    pub struct Batch {
        /// The block's timestamp, ms since the Unix epoch.
        pub timestamp_ms: u64,
        /// Messages, each a list of signed events.
        pub messages: Vec<Vec<Bytes>>,
    }
}

record! {
    /// Input of [`Session::replay`]; the answer is [`NewBlock`].
    pub struct Replay {
        /// Whether to check the events' signatures.
        pub signatures: bool,
        /// Canonical [`crate::block::Block`].
        pub block: Bytes,
    }
}

record! {
    /// Input of [`Session::ask`]; the answer is [`StateProof`].
    pub struct Question {
        /// Kind of record; see [`StateKey::parts`].
        pub kind: u8,
        /// Its id.
        pub id: Digest32,
    }
}

record! {
    /// Input of [`verify`]: exactly one of the proofs; the answer is the hash of its header's block.
    pub struct Claim {
        /// The kennel that the proof must be of.
        pub kennel: KennelId,
        /// An event and its receipt.
        pub event: Option<EventProof>,
        /// A record of the state.
        pub state: Option<StateProof>,
    }
}

record! {
    /// Input of [`encode_event`].
    pub struct Draft {
        /// The event; its stamp is where the search begins.
        pub event: Event,
        /// Bits that the stamp must have.
        pub bits: u8,
        /// How many stamps to try, so that a page can show progress and stop.
        pub tries: u64,
        /// The signature, once there is one.
        pub signature: Option<[u8; 64]>,
    }
}

record! {
    /// Answer of [`encode_event`].
    pub struct Encoded {
        /// The event with the stamp found, or with the next one to try.
        pub event: Event,
        /// Whether the stamp has enough bits.
        pub stamped: bool,
        /// The event's id.
        pub id: EventId,
        /// What the account signs.
        pub signing: Bytes,
        /// The signed event, if a signature was given.
        pub signed: Option<Bytes>,
    }
}

record! {
    /// Input of [`search_seal`].
    pub struct Search {
        /// The kennel.
        pub kennel: KennelId,
        /// The block that began the age, or for time the head.
        pub over: BlockHash,
        /// Who is to be rewarded.
        pub account: AccountId,
        /// 0 for the age's seal, 1 for time: [`Purpose`].
        pub purpose: u8,
        /// Trials that the seal takes on average.
        pub difficulty: u64,
        /// The first proof to try.
        pub first: u64,
        /// How many to try, at most [`limits::SEAL_TRIES_MAX`], so that a client can show progress and
        /// stop.
        pub tries: u64,
    }
}

/// A kennel kept open between calls.
///
/// Every operation answers with a canonical record, or refuses with a [`Fault`].
#[derive(Default)]
pub struct Session {
    kennel: Option<Kennel>,
}

fn input<T: Canonical>(bytes: &[u8]) -> Result<T, Fault> {
    decode(bytes).map_err(|_| Fault::Input)
}

impl Session {
    /// A session without a kennel.
    pub const fn new() -> Self {
        Self { kennel: None }
    }

    /// Founds or opens a kennel: [`Start`] to [`Opened`].
    ///
    /// # Errors
    /// [`Fault::Input`], [`Fault::Genesis`], [`Fault::Snapshot`] or [`Fault::Upgrade`].
    pub fn open(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.kennel = None;
        let start: Start = input(bytes)?;
        let (kennel, block) = match (start.genesis, start.snapshot) {
            (Some(genesis), None) => {
                let genesis: Genesis = decode(&genesis.0).map_err(|_| Fault::Genesis)?;
                let (kennel, block) = Kennel::found(genesis, start.rules_hash)?;
                (kennel, Some(block))
            }
            (None, Some(snapshot)) => {
                let snapshot: Snapshot = decode(&snapshot.0).map_err(|_| Fault::Snapshot)?;
                (Kennel::open(snapshot, start.rules_hash)?, None)
            }
            _ => return Err(Fault::Input),
        };
        let opened = Opened { kennel: *kennel.id(), head: kennel.head(), block };
        self.kennel = Some(kennel);
        Ok(encode(&opened))
    }

    /// Decides a batch: [`Batch`] to [`crate::kennel::Outcome`].
    ///
    /// # Errors
    /// As [`Kennel::apply`].
    pub fn apply(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let batch: Batch = input(bytes)?;
        let kennel = self.kennel.as_mut().ok_or(Fault::NotOpen)?;
        kennel.apply(batch.timestamp_ms, &batch.messages).map(|outcome| encode(&outcome))
    }

    /// Takes over a block: [`Replay`] to [`NewBlock`]. After a fault the kennel is closed.
    ///
    /// # Errors
    /// As [`Kennel::replay`].
    pub fn replay(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let replay: Replay = input(bytes)?;
        let signatures = if replay.signatures { Signatures::Checked } else { Signatures::Trusted };
        let mut kennel = self.kennel.take().ok_or(Fault::NotOpen)?;
        let block = kennel.replay(&replay.block.0, signatures)?;
        self.kennel = Some(kennel);
        Ok(encode(&block))
    }

    /// Writes the whole state: nothing to [`Snapshot`].
    ///
    /// # Errors
    /// [`Fault::Input`] for any input, [`Fault::NotOpen`].
    pub fn snapshot(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        if !bytes.is_empty() {
            return Err(Fault::Input);
        }
        let kennel = self.kennel.as_ref().ok_or(Fault::NotOpen)?;
        Ok(encode(&kennel.snapshot()))
    }

    /// Proves what the state holds: [`Question`] to [`StateProof`].
    ///
    /// # Errors
    /// [`Fault::Input`] or [`Fault::NotOpen`].
    pub fn ask(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let question: Question = input(bytes)?;
        let key = StateKey::from_parts(question.kind, question.id).ok_or(Fault::Input)?;
        let kennel = self.kennel.as_mut().ok_or(Fault::NotOpen)?;
        Ok(encode(&kennel.prove(&key)))
    }
}

/// Encodes an event for a client, searches its stamp, and joins it with its signature: [`Draft`]
/// to [`Encoded`].
///
/// # Errors
/// [`Fault::Input`].
pub fn encode_event(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut draft: Draft = input(bytes)?;
    let base = draft.event.stamp_base();
    let end = draft.event.stamp.saturating_add(draft.tries);
    let enough = |stamp| work(&base, stamp) >= u32::from(draft.bits);
    let mut stamped = enough(draft.event.stamp);
    while !stamped && draft.event.stamp < end {
        draft.event.stamp += 1;
        stamped = enough(draft.event.stamp);
    }
    let id = draft.event.id();
    let signed = draft
        .signature
        .map(|signature| Bytes(encode(&SignedParts { unsigned: Bytes(encode(&draft.event)), signature })));
    let signing = Bytes(signing_bytes(&id));
    Ok(encode(&Encoded { event: draft.event, stamped, id, signing, signed }))
}

/// Checks a proof for a client: [`Claim`] to the 32-byte hash of the block that it ends in.
///
/// # Errors
/// [`Fault::Input`] if the claim can't be read, [`Fault::Outcome`] if it isn't proven.
pub fn verify(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let claim: Claim = input(bytes)?;
    let header = match (&claim.event, &claim.state) {
        (Some(proof), None) => proof.check(&claim.kennel).map(|(header, ..)| header),
        (None, Some(proof)) => proof.check(&claim.kennel).map(|(header, _)| header),
        _ => return Err(Fault::Input),
    };
    header.map(|header| encode(&header.hash())).map_err(|_| Fault::Outcome)
}

/// Searches a seal for a client: [`Search`] to the proof, or to null.
///
/// # Errors
/// [`Fault::Input`], also for too many tries.
pub fn search_seal(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let search: Search = input(bytes)?;
    if search.tries > limits::SEAL_TRIES_MAX {
        return Err(Fault::Input);
    }
    let purpose = match search.purpose {
        0 => Purpose::Age,
        1 => Purpose::Time,
        _ => return Err(Fault::Input),
    };
    let Search { kennel, over, account, difficulty, .. } = search;
    let work = Work::new(&kennel, &over, &account, purpose, difficulty);
    Ok(encode(&work.search(search.first, search.tries)))
}

// At the end of the file, where it moves no line that a panic in the module names.
impl Session {
    /// The open kennel, for native callers: it is in no export of the module.
    pub fn kennel(&self) -> Option<&Kennel> {
        self.kennel.as_ref()
    }
}
