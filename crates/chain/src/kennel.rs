//! A kennel: its state and its head, moved on block by block.
//!
//! [`Kennel::apply`] decides a batch; [`Kennel::replay`] decides a committed block again with the
//! same function and requires the same bytes. After a fault of `replay` the state is worthless:
//! the caller throws the kennel away.

use alloc::vec::Vec;

use crate::block::{Block, Header, Receipt, Summary, VERSION, event_leaves, receipt_leaves};
use crate::codec::{Bytes, decode, encode};
use crate::event::{Payload, SignedEvent};
use crate::genesis::Genesis;
use crate::hash::{AccountId, BlockHash, Digest32, KennelId, RulesHash};
use crate::limits;
use crate::log::{self, Frontier};
use crate::proof::{EventProof, StateProof};
use crate::record;
use crate::reject::Reject;
use crate::rules::{self, Ended, Moment};
use crate::state::{Anchor, PendingUpgrade, Records, State, StateKey};

/// Why a kennel refuses its input as a whole. Numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Fault {
    /// The input is not the canonical encoding of what was asked for.
    Input = 1,
    /// No kennel has been opened.
    NotOpen = 2,
    /// The genesis has a field out of its range.
    Genesis = 3,
    /// The snapshot contradicts itself or its state root.
    Snapshot = 4,
    /// The timestamp is below the parent's, or too far above it.
    Timestamp = 5,
    /// The block is too large or holds too many events.
    BlockSize = 6,
    /// The block does not follow the head: version, kennel, height, parent or rules hash.
    Link = 7,
    /// An event of the block is refused by the rules.
    Event = 8,
    /// The block's bytes differ from what its events give: a root, a receipt, a death or the summary.
    Outcome = 9,
    /// A message has more events than a message may, so that it fits no block.
    Message = 10,
    /// Another module decides from the next block on, or this one was not appointed to.
    Upgrade = 11,
}

impl Fault {
    /// The fault with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        use Fault::*;
        [Input, NotOpen, Genesis, Snapshot, Timestamp, BlockSize, Link, Event, Outcome, Message, Upgrade]
            .into_iter()
            .find(|fault| *fault as u16 == number)
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Fault::Input => "the input is not the canonical encoding of what was asked for",
            Fault::NotOpen => "no kennel has been opened",
            Fault::Genesis => "the genesis has a field out of its range",
            Fault::Snapshot => "the snapshot contradicts itself or its state root",
            Fault::Timestamp => "the timestamp is below the parent's or too far above it",
            Fault::BlockSize => "the block is too large or holds too many events",
            Fault::Link => "the block does not follow the head",
            Fault::Event => "an event of the block is refused by the rules",
            Fault::Outcome => "the block differs from what its events give",
            Fault::Message => "a message has more events than a message may have",
            Fault::Upgrade => "another chain module decides here",
        })
    }
}

impl core::error::Error for Fault {}

record! {
    /// A head and what its checkpoint is about.
    pub struct Head {
        /// Height of the head.
        pub height: u64,
        /// Its hash.
        pub hash: BlockHash,
        /// Its canonical header.
        pub header: Bytes,
        /// RFC 6962 root over the block hashes up to and with the head: the checkpoint's root, at size `height + 1`.
        pub checkpoint_root: Digest32,
        /// The sums after it.
        pub summary: Summary,
    }
}

record! {
    /// A refused event of a batch.
    pub struct RejectAt {
        /// Which message of the batch.
        pub message: u32,
        /// Which event of the message.
        pub event: u32,
        /// Why.
        pub reject: Reject,
    }
}

record! {
    /// A new block.
    pub struct NewBlock {
        /// Canonical [`Block`].
        pub bytes: Bytes,
        /// The head that it makes.
        pub head: Head,
        /// Nodes of the block log that it completes: its leaf first, then upwards.
        pub nodes: Vec<Digest32>,
    }
}

record! {
    /// What became of a batch.
    pub struct Outcome {
        /// Messages decided, from the first; the rest did not fit the block.
        pub consumed: u32,
        /// Refused events among them.
        pub rejects: Vec<RejectAt>,
        /// The block; none if no event was accepted.
        pub block: Option<NewBlock>,
    }
}

record! {
    /// The whole state at a head.
    pub struct Snapshot {
        /// [`VERSION`].
        pub version: u8,
        /// Canonical [`Genesis`].
        pub genesis: Genesis,
        /// The head's header.
        pub header: Header,
        /// Frontier of the block log before the head.
        pub history: Frontier,
        /// All records of the state but the genesis.
        pub records: Records,
    }
}

/// A kennel.
#[derive(Clone)]
pub struct Kennel {
    state: State,
    header: Header,
    hash: BlockHash,
    /// The block log before the head.
    before: Frontier,
    /// The block log up to and with the head.
    history: Frontier,
    rules_hash: RulesHash,
}

/// Events accepted into the block that is being made.
#[derive(Default)]
struct Draft {
    events: Vec<Bytes>,
    receipts: Vec<Bytes>,
    bytes: usize,
    sealer: Option<AccountId>,
}

impl Draft {
    fn push(&mut self, event: Bytes, receipt: Bytes) {
        self.bytes += event.0.len() + receipt.0.len() + 6;
        self.events.push(event);
        self.receipts.push(receipt);
    }

    fn has_room_for(&self, message: &[Bytes]) -> bool {
        let bytes: usize = message.iter().map(|event| event.0.len() + limits::RECEIPT_BYTES_MAX + 6).sum();
        self.bytes + bytes <= limits::BLOCK_PAYLOAD_BYTES_MAX
            && self.events.len() + message.len() <= limits::BLOCK_EVENTS_MAX
    }
}

impl Kennel {
    /// Founds a kennel: the genesis block follows from the genesis and the rules hash alone.
    ///
    /// # Errors
    /// [`Fault::Genesis`].
    pub fn found(genesis: Genesis, rules_hash: RulesHash) -> Result<(Self, NewBlock), Fault> {
        if genesis.fault().is_some() {
            return Err(Fault::Genesis);
        }
        let header = Header {
            version: VERSION,
            kennel: genesis.kennel(),
            height: 0,
            age: 0,
            timestamp_ms: genesis.created_ms,
            parent: BlockHash([0; 32]),
            events_root: log::root(&[]),
            receipts_root: [0; 32],
            state_root: [0; 32],
            history_root: log::root(&[]),
            rules_hash,
            sealer: None,
        };
        let mut kennel = Self {
            state: State::new(genesis),
            hash: BlockHash([0; 32]),
            before: Frontier::default(),
            history: Frontier::default(),
            rules_hash,
            header,
        };
        let header = kennel.header.clone();
        let block = kennel.seal(header, Draft::default(), Ended::default());
        Ok((kennel, block))
    }

    /// Opens a kennel from a snapshot, whose state root is recomputed.
    ///
    /// **Migration.** A snapshot by another module is taken over if its state's pending upgrade
    /// names this one for the next block. These rules keep the state's shape, so nothing is moved
    /// but the pending upgrade, which has come; rules of another shape read the old one here, check
    /// its root as the old rules did, and write the new one. The first block by this module then has
    /// the root of the state so moved and changed by its events.
    ///
    /// # Errors
    /// [`Fault::Snapshot`]; [`Fault::Upgrade`] for another module's that isn't to be taken over.
    pub fn open(snapshot: Snapshot, rules_hash: RulesHash) -> Result<Self, Fault> {
        let Snapshot { version, genesis, header, history, records } = snapshot;
        let sound = version == VERSION
            && genesis.fault().is_none()
            && header.kennel == genesis.kennel()
            && header.age == records.totals.age
            && history.size == header.height
            && header.height < u64::MAX
            && history.is_sound()
            && history.root() == header.history_root
            && records.anchors.len() <= limits::ANCHORS_MAX;
        if !sound {
            return Err(Fault::Snapshot);
        }
        let mut state = State::rebuild(genesis, records).map_err(|_| Fault::Snapshot)?;
        if state.root() != header.state_root {
            return Err(Fault::Snapshot);
        }
        let hash = header.hash();
        let before = history.clone();
        let mut history = history;
        history.append(log::leaf(&hash.0));
        let mut kennel = Self { state, header, hash, before, history, rules_hash };
        if kennel.header.rules_hash != rules_hash {
            kennel.take_over()?;
        }
        Ok(kennel)
    }

    /// Goes on where another module ended, if this one is to.
    fn take_over(&mut self) -> Result<(), Fault> {
        let mut keys = self.state.keys().clone();
        let next = PendingUpgrade { rules_hash: self.rules_hash, at_height: self.header.height + 1 };
        if keys.upgrade != Some(next) {
            return Err(Fault::Upgrade);
        }
        keys.upgrade = None;
        self.state.put_keys(keys);
        Ok(())
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The head's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The kennel's id.
    pub fn id(&self) -> &KennelId {
        &self.header.kennel
    }

    /// The head.
    pub fn head(&self) -> Head {
        Head {
            height: self.header.height,
            hash: self.hash,
            header: Bytes(encode(&self.header)),
            checkpoint_root: self.history.root(),
            summary: self.summary(),
        }
    }

    fn summary(&self) -> Summary {
        let anchor = self.state.anchors().last().map_or(BlockHash([0; 32]), |anchor| anchor.hash);
        let upgrade = self.state.keys().upgrade;
        Summary { totals: *self.state.totals(), mining: *self.state.mining(), upgrade, anchor }
    }

    /// The next block's moment.
    ///
    /// The clock may not run backwards, and while pets live not leap either: so no miner can let
    /// an age pass faster than time does. A kennel without living pets has nothing to lose, and
    /// may wake after any pause.
    fn moment(&self, timestamp_ms: u64) -> Result<Moment, Fault> {
        let height = self.header.height + 1;
        if self.state.keys().upgrade.is_some_and(|upgrade| upgrade.at_height <= height) {
            return Err(Fault::Upgrade);
        }
        let parameters = &self.state.genesis().parameters;
        let totals = self.state.totals();
        let latest_ms = match totals.living {
            0 => u64::MAX,
            _ => self.header.timestamp_ms.saturating_add(2 * parameters.idle_ms),
        };
        if !(self.header.timestamp_ms..=latest_ms).contains(&timestamp_ms) {
            return Err(Fault::Timestamp);
        }
        let may_age = timestamp_ms - totals.last_aging_ms >= parameters.age_interval_ms;
        Ok(Moment {
            height,
            timestamp_ms,
            age: totals.age + u64::from(may_age),
            parent: self.hash,
            rules_hash: self.rules_hash,
        })
    }

    fn decide(
        &mut self,
        moment: &Moment,
        draft: &mut Draft,
        bytes: &Bytes,
        signatures: Signatures,
    ) -> Result<(), Reject> {
        let signed = SignedEvent::read(&bytes.0)?;
        signed.check(&self.header.kennel, &self.state.genesis().parameters, moment.timestamp_ms)?;
        if signatures == Signatures::Checked {
            signed.check_signature()?;
        }
        signed.check_terms(moment.timestamp_ms)?;
        let changes = crate::decide(&mut self.state, moment, &signed)?;
        let receipt = Bytes(encode(&Receipt { event: signed.id, changes }));
        assert!(receipt.0.len() <= limits::RECEIPT_BYTES_MAX, "a receipt fits the room reserved for it");
        draft.push(bytes.clone(), receipt);
        if let Payload::Seal { time: Some(_), .. } = signed.event.payload {
            draft.sealer = Some(signed.event.account);
        }
        Ok(())
    }

    /// Decides messages, each a list of signed events, in order, until the block is full. Never
    /// splits a message; the first one always fits.
    ///
    /// # Errors
    /// [`Fault::Timestamp`], or [`Fault::Message`] for more than [`limits::MESSAGE_EVENTS_MAX`]
    /// events or [`limits::MESSAGE_CANONICAL_BYTES_MAX`] bytes in a message. Nothing has changed then.
    pub fn apply(&mut self, timestamp_ms: u64, messages: &[Vec<Bytes>]) -> Result<Outcome, Fault> {
        let moment = self.moment(timestamp_ms)?;
        let oversized = |message: &Vec<Bytes>| {
            message.len() > limits::MESSAGE_EVENTS_MAX
                || message.iter().map(|event| event.0.len()).sum::<usize>()
                    > limits::MESSAGE_CANONICAL_BYTES_MAX
        };
        if messages.iter().any(oversized) {
            return Err(Fault::Message);
        }
        let mut draft = Draft::default();
        let mut rejects = Vec::new();
        let mut consumed = 0;
        for (m, message) in messages.iter().enumerate() {
            if !draft.has_room_for(message) {
                break;
            }
            for (e, event) in message.iter().enumerate() {
                if let Err(reject) = self.decide(&moment, &mut draft, event, Signatures::Checked) {
                    let position = |n| u32::try_from(n).expect("a batch is small");
                    rejects.push(RejectAt { message: position(m), event: position(e), reject });
                }
            }
            consumed += 1;
        }
        let block = (!draft.events.is_empty()).then(|| self.finish(&moment, draft));
        Ok(Outcome { consumed, rejects, block })
    }

    /// Checks a block against the state and takes it over.
    ///
    /// # Errors
    /// What is wrong with it. The kennel must be thrown away then.
    pub fn replay(&mut self, bytes: &[u8], signatures: Signatures) -> Result<NewBlock, Fault> {
        if bytes.len() > limits::BLOCK_BYTES_MAX {
            return Err(Fault::BlockSize);
        }
        let block: Block = decode(bytes).map_err(|_| Fault::Input)?;
        if block.events.is_empty() || block.events.len() > limits::BLOCK_EVENTS_MAX {
            return Err(Fault::BlockSize);
        }
        let header = &block.header;
        let follows = header.version == VERSION
            && header.kennel == self.header.kennel
            && header.height == self.header.height + 1
            && header.parent == self.hash
            && header.rules_hash == self.rules_hash;
        if !follows {
            return Err(Fault::Link);
        }
        let moment = self.moment(header.timestamp_ms)?;
        let mut draft = Draft::default();
        for event in &block.events {
            self.decide(&moment, &mut draft, event, signatures).map_err(|_| Fault::Event)?;
        }
        let made = self.finish(&moment, draft);
        if made.bytes.0 == bytes { Ok(made) } else { Err(Fault::Outcome) }
    }

    /// Ends the block and moves the head.
    fn finish(&mut self, moment: &Moment, draft: Draft) -> NewBlock {
        self.remember_parent(moment.timestamp_ms);
        let ended = rules::end_block(&mut self.state, moment, self.header.age);
        let header = Header {
            height: moment.height,
            age: self.state.totals().age,
            timestamp_ms: moment.timestamp_ms,
            parent: self.hash,
            rules_hash: self.rules_hash,
            sealer: draft.sealer,
            ..self.header.clone()
        };
        self.seal(header, draft, ended)
    }

    /// Makes the parent an anchor if it is the first block of its minute.
    fn remember_parent(&mut self, now_ms: u64) {
        let parent = Anchor { hash: self.hash, timestamp_ms: self.header.timestamp_ms };
        let minute = |anchor: &Anchor| anchor.timestamp_ms / limits::ANCHOR_EVERY_MS;
        let anchors = self.state.anchors();
        if anchors.last().is_some_and(|last| minute(last) == minute(&parent)) {
            return;
        }
        let mut kept: Vec<Anchor> = anchors
            .iter()
            .filter(|anchor| now_ms - anchor.timestamp_ms <= limits::ANCHOR_AGE_MS_MAX)
            .copied()
            .collect();
        kept.push(parent);
        if kept.len() > limits::ANCHORS_MAX {
            kept.remove(0);
        }
        self.state.put_anchors(kept);
    }

    /// Fills in the roots, makes the block, and takes it as the head.
    fn seal(&mut self, mut header: Header, draft: Draft, ended: Ended) -> NewBlock {
        let deaths: Vec<Bytes> = ended.deaths.iter().map(|death| Bytes(encode(death))).collect();
        let endings: Vec<Bytes> = ended.orders.iter().map(|ending| Bytes(encode(ending))).collect();
        let summary = Bytes(encode(&self.summary()));
        header.events_root = log::root(&event_leaves(&draft.events));
        header.receipts_root = log::root(&receipt_leaves(&draft.receipts, &deaths, &endings, &summary));
        header.state_root = self.state.root();
        header.history_root = self.history.root();
        self.hash = header.hash();
        self.header = header.clone();
        self.before = self.history.clone();
        let nodes = self.history.append(log::leaf(&self.hash.0));
        let Draft { events, receipts, .. } = draft;
        let block = Block { header, events, receipts, deaths, endings, summary };
        let bytes = Bytes(encode(&block));
        assert!(bytes.0.len() <= limits::BLOCK_BYTES_MAX, "the room for what ends is reserved");
        NewBlock { bytes, head: self.head(), nodes }
    }

    /// The whole state.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: VERSION,
            genesis: self.state.genesis().clone(),
            header: self.header.clone(),
            history: self.before.clone(),
            records: self.state.records(),
        }
    }

    /// Proves what the state at the head holds under a key.
    pub fn prove(&mut self, key: &StateKey) -> StateProof {
        let proof = self.state.prove(key);
        let (kind, id) = key.parts();
        StateProof {
            header: Bytes(encode(&self.header)),
            kind,
            id,
            record: self.state.record(key).map(Bytes),
            proof,
        }
    }
}

/// Whether a replay checks the events' signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Every one: an auditor trusts nobody.
    Checked,
    /// None: the block was committed by a miner that checked them.
    Trusted,
}

/// Proves an event of a block: what was signed and what it did.
///
/// # Errors
/// [`Fault::Input`] if the block can't be read or has no such event.
pub fn prove_event(block: &[u8], index: u32) -> Result<EventProof, Fault> {
    let block: Block = decode(block).map_err(|_| Fault::Input)?;
    let at = index as usize;
    let event = block.events.get(at).ok_or(Fault::Input)?.clone();
    let receipt = block.receipts.get(at).ok_or(Fault::Input)?.clone();
    let (events, receipts) = (block.event_leaves(), block.receipt_leaves());
    let count = |leaves: &[Digest32]| u32::try_from(leaves.len()).expect("a block's leaves are bounded");
    Ok(EventProof {
        header: Bytes(encode(&block.header)),
        index,
        event,
        event_count: count(&events),
        event_path: log::path(&events, at),
        receipt,
        receipt_count: count(&receipts),
        receipt_path: log::path(&receipts, at),
    })
}
