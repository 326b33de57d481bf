//! Verifies a whole ledger, trusting neither the server that shows it nor the miner that made it.
//!
//! Block by block, in this order, so that what is cheap refuses first: size and canonical form,
//! the header against the block before, the three roots, the bodies against their commitments,
//! all of it in this module's own code; then the block is executed again by the rules that it
//! names, every signature included, and must come out byte for byte. In the end the checkpoint
//! must sign the history that was computed here.
//!
//! Where the rules change, the module before hands its state over to the next ([`crate::upgrade`]);
//! that they may change there, and to which, is in the blocks before.
//!
//! Trusted in return: the hashes of the rules that are pinned in this release or allowed by the
//! caller, and the kennel id, which the genesis with its checkpoint key hashes to.
//!
//! One block and one open kennel are in memory at a time. Deliberately absent: I/O, the choice of
//! a module host, and what is remembered between two runs, which is the caller's.

mod bodies;
mod flaw;
mod follow;
pub mod report;

use pitpet_chain::abi::{Opened, Replay, Start};
use pitpet_chain::block::{Block, Header, Summary, VERSION};
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, KennelId, PublicKey, RulesHash};
use pitpet_chain::kennel::{Head, NewBlock};
use pitpet_chain::limits;
use pitpet_chain::log::{self, Frontier};

pub use bodies::BodyCounts;
pub(crate) use bodies::is_committed;
pub use flaw::{BlockFlaw, Part, Shown, VerifyError};
pub use follow::{Executed, Witnesses};

use crate::checkpoint::{self, Claim};
use crate::export_file::Opening;
use crate::ports::{ChainInstance, ModuleError, ModuleHost};
use crate::query::{Segment, SegmentEntry};
use crate::upgrade;

/// Version of the segments that are read.
const SEGMENT_VERSION: u8 = 1;

/// Why a kennel is the one that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KennelTrust {
    /// The caller gave its id.
    Given(KennelId),
    /// It was seen before.
    Remembered(KennelId),
    /// Whatever is shown is taken, this first time.
    FirstUse,
}

/// What a ledger is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which kennel it must be.
    pub kennel: KennelTrust,
    /// Rules that this release carries.
    pub pinned: Vec<RulesHash>,
    /// Rules that the caller allows besides.
    pub allowed: Vec<RulesHash>,
    /// A block that it must hold.
    pub block: Option<(u64, BlockHash)>,
    /// The highest checkpoint seen before.
    pub remembered: Option<Claim>,
    /// Key of the checkpoint, if not the one in the genesis.
    pub checkpoint_key: Option<PublicKey>,
}

impl Terms {
    /// Takes any kennel that is run by these rules.
    pub fn new(pinned: Vec<RulesHash>) -> Self {
        Self {
            kennel: KennelTrust::FirstUse,
            pinned,
            allowed: Vec::new(),
            block: None,
            remembered: None,
            checkpoint_key: None,
        }
    }

    fn trust(&self, rules: RulesHash) -> Option<RulesTrust> {
        if self.pinned.contains(&rules) {
            Some(RulesTrust::Pinned)
        } else if self.allowed.contains(&rules) {
            Some(RulesTrust::Allowed)
        } else {
            None
        }
    }
}

/// Why rules were trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesTrust {
    /// This release carries them.
    Pinned,
    /// The caller allowed them.
    Allowed,
}

/// Where the key of the checkpoint is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The genesis, which the kennel's id covers.
    Genesis,
    /// The caller.
    Given,
}

/// What was verified, and what was trusted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The kennel: the tagged hash of its genesis.
    pub kennel: KennelId,
    /// Why it is the one it should be.
    pub kennel_trust: KennelTrust,
    /// Hash of block 0.
    pub genesis_block: BlockHash,
    /// Height of the head.
    pub height: u64,
    /// Its hash.
    pub head: BlockHash,
    /// The head's timestamp, ms since the Unix epoch.
    pub timestamp_ms: u64,
    /// The checkpoint: all blocks, and the root over them.
    pub checkpoint: Claim,
    /// The checkpoint seen before that this history extends, or is.
    pub extends: Option<Claim>,
    /// Key of the checkpoint.
    pub checkpoint_key: PublicKey,
    /// Where the key is from.
    pub key_source: KeySource,
    /// Blocks executed again, block 0 included.
    pub blocks: u64,
    /// Events in them; the signature of each was checked.
    pub events: u64,
    /// Bodies beside them.
    pub bodies: BodyCounts,
    /// The rules that decided them, in the order of their heights.
    pub rules: Vec<UsedRules>,
}

/// Rules that decided blocks of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedRules {
    /// SHA-256 of their module.
    pub hash: RulesHash,
    /// Why they were trusted.
    pub trust: RulesTrust,
    /// The first block that they decided.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// A kennel in the middle of being verified.
struct Running {
    instance: Box<dyn ChainInstance>,
    parent: Header,
    head: Head,
    genesis_block: BlockHash,
    rules: Vec<UsedRules>,
}

/// Verifies a ledger, segment by segment.
pub struct Verifier<'a> {
    host: &'a dyn ModuleHost,
    terms: Terms,
    genesis: Genesis,
    kennel: KennelId,
    claim: Claim,
    key: PublicKey,
    height: u64,
    history: Frontier,
    running: Option<Running>,
    newest: Option<Executed>,
    witnesses: Witnesses,
    times: u64,
    events: u64,
    bodies: BodyCounts,
    hidden: bodies::Hidden,
}

impl<'a> Verifier<'a> {
    /// Checks the genesis and the checkpoint's signature, and what needs no block.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn begin(host: &'a dyn ModuleHost, opening: &Opening, terms: Terms) -> Result<Self, VerifyError> {
        let genesis = flaw::read_genesis(&opening.genesis.0)?;
        let kennel = genesis.kennel();
        match terms.kennel {
            KennelTrust::Given(expected) | KennelTrust::Remembered(expected) if expected != kennel => {
                return Err(VerifyError::WrongKennel { expected, found: kennel });
            }
            _ => {}
        }
        let key = terms.checkpoint_key.unwrap_or(genesis.checkpoint);
        let claim = checkpoint::check(&opening.checkpoint, &kennel, &key)?;
        let height = opening.height;
        if height.checked_add(1) != Some(claim.size) {
            return Err(VerifyError::CheckpointSize { size: claim.size, height });
        }
        if let Some(remembered) = terms.remembered.filter(|remembered| remembered.size > claim.size) {
            return Err(VerifyError::Shorter { remembered: remembered.size, size: claim.size });
        }
        if let Some((wanted, _)) = terms.block.filter(|(wanted, _)| *wanted > height) {
            return Err(VerifyError::HeadMissing { wanted, height });
        }
        let witnesses = Witnesses::of(&genesis);
        Ok(Self {
            host,
            terms,
            genesis,
            kennel,
            claim,
            key,
            height,
            history: Frontier::default(),
            running: None,
            newest: None,
            witnesses,
            times: 0,
            events: 0,
            bodies: BodyCounts::default(),
            hidden: bodies::Hidden::default(),
        })
    }

    /// The kennel.
    pub fn kennel(&self) -> &KennelId {
        &self.kennel
    }

    /// Blocks of the whole ledger.
    pub fn size(&self) -> u64 {
        self.claim.size
    }

    /// Height of the next block.
    pub fn next_height(&self) -> u64 {
        self.history.size
    }

    /// Verifies the next blocks.
    ///
    /// # Errors
    /// [`VerifyError`]; the verifier is worthless after one.
    pub fn segment(&mut self, segment: &Segment) -> Result<(), VerifyError> {
        let (expected, count) = (self.next_height(), segment.entries.len());
        let left = self.claim.size - expected;
        let follows = segment.version == SEGMENT_VERSION
            && segment.from == expected
            && (1..=left).contains(&(count as u64));
        if !follows {
            let (version, from) = (segment.version, segment.from);
            return Err(VerifyError::Segment { version, from, count, expected });
        }
        segment.entries.iter().try_for_each(|entry| self.block(entry))
    }

    /// Ends with the checkpoint.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn finish(self) -> Result<Verdict, VerifyError> {
        self.settle()?;
        let running = self.running.expect("a checkpoint signs one block at least");
        let key_source = match self.terms.checkpoint_key {
            Some(_) => KeySource::Given,
            None => KeySource::Genesis,
        };
        Ok(Verdict {
            kennel: self.kennel,
            kennel_trust: self.terms.kennel,
            genesis_block: running.genesis_block,
            height: self.height,
            head: running.head.hash,
            timestamp_ms: running.parent.timestamp_ms,
            checkpoint: self.claim,
            extends: self.terms.remembered,
            checkpoint_key: self.key,
            key_source,
            blocks: self.history.size,
            events: self.events,
            bodies: BodyCounts { hidden: self.hidden.count(), ..self.bodies },
            rules: running.rules,
        })
    }

    fn block(&mut self, entry: &SegmentEntry) -> Result<(), VerifyError> {
        let height = self.next_height();
        let flawed = |flaw| VerifyError::Block { height, flaw };
        let bytes = &entry.block.0;
        if bytes.len() > limits::BLOCK_BYTES_MAX {
            return Err(flawed(BlockFlaw::TooLarge { size: bytes.len() }));
        }
        let block: Block = decode(bytes).map_err(|_| flawed(BlockFlaw::Malformed))?;
        self.check_header(&block.header).map_err(flawed)?;
        self.check_roots(&block).map_err(flawed)?;
        let events = read_events(&block).map_err(flawed)?;
        let summary: Summary = decode(&block.summary.0).map_err(|_| flawed(BlockFlaw::Malformed))?;
        self.bodies.take(entry, &events).map_err(flawed)?;
        self.hidden.take(&events);
        let hash = block.header.hash();
        if let Some((_, given)) = self.terms.block.filter(|(at, given)| *at == height && *given != hash) {
            return Err(flawed(differs(Part::Hash, hash.0, given.0)));
        }
        let trust = self
            .terms
            .trust(block.header.rules_hash)
            .ok_or(VerifyError::UntrustedRules { height, rules: block.header.rules_hash })?;
        let head = self.execute(&block.header, &entry.block)?;
        self.history.append(log::leaf(&hash.0));
        let same = head.height == height
            && head.hash == hash
            && head.header.0 == encode(&block.header)
            && head.checkpoint_root == self.history.root();
        if !same {
            return Err(flawed(BlockFlaw::Outcome));
        }
        self.check_remembered()?;
        if head.summary != summary {
            return Err(flawed(BlockFlaw::Outcome));
        }
        self.events += events.len() as u64;
        self.witnesses.after(&block, &events).map_err(flawed)?;
        self.times += events.iter().filter(|event| follow::mines_time(event)).count() as u64;
        let timestamp_ms = block.header.timestamp_ms;
        self.newest = Some(Executed { height, hash, timestamp_ms, summary: summary.clone() });
        let running = self.running.as_mut().expect("the first block has opened the kennel");
        (running.parent, running.head) = (block.header, head);
        match running.rules.last_mut() {
            Some(used) if used.hash == running.parent.rules_hash => used.to = height,
            _ => {
                let hash = running.parent.rules_hash;
                running.rules.push(UsedRules { hash, trust, from: height, to: height });
            }
        }
        Ok(())
    }

    /// The header against the block before it, or against the genesis.
    fn check_header(&self, header: &Header) -> Result<(), BlockFlaw> {
        same(Part::Version, u64::from(header.version), u64::from(VERSION))?;
        same(Part::Kennel, header.kennel.0, self.kennel.0)?;
        same(Part::Height, header.height, self.next_height())?;
        let (parent, age, earliest_ms, latest_ms) = match &self.running {
            None => {
                let created_ms = self.genesis.created_ms;
                (BlockHash([0; 32]), 0..=0, created_ms, created_ms)
            }
            Some(running) => {
                let before = &running.parent;
                let latest_ms = match running.head.summary.totals.living {
                    0 => u64::MAX,
                    _ => before.timestamp_ms.saturating_add(2 * self.genesis.parameters.idle_ms),
                };
                let due = upgrade::due(before.height, running.head.summary.upgrade);
                same(Part::Rules, header.rules_hash.0, due.unwrap_or(before.rules_hash).0)?;
                let age = before.age..=before.age.saturating_add(1);
                (running.head.hash, age, before.timestamp_ms, latest_ms)
            }
        };
        same(Part::Parent, header.parent.0, parent.0)?;
        if !age.contains(&header.age) {
            return Err(differs(Part::Age, header.age, *age.start()));
        }
        if !(earliest_ms..=latest_ms).contains(&header.timestamp_ms) {
            return Err(BlockFlaw::Timestamp { stated_ms: header.timestamp_ms, earliest_ms, latest_ms });
        }
        Ok(())
    }

    fn check_roots(&self, block: &Block) -> Result<(), BlockFlaw> {
        check_content(block)?;
        same(Part::HistoryRoot, block.header.history_root, self.history.root())
    }

    /// Runs the block by its rules and gives the head that they make.
    fn execute(&mut self, header: &Header, block: &Bytes) -> Result<Head, VerifyError> {
        let height = header.height;
        let failed = |error| match error {
            ModuleError::Refused(fault) => VerifyError::Block { height, flaw: BlockFlaw::Refused(fault) },
            source => VerifyError::Unable { height, source },
        };
        let made = match &mut self.running {
            None => {
                let rules = header.rules_hash;
                let genesis = Some(Bytes(encode(&self.genesis)));
                let start = encode(&Start { rules_hash: rules, genesis, snapshot: None });
                let (instance, opened) = self.host.open(&rules.0, &start).map_err(failed)?;
                let opened: Opened = answer(&opened).map_err(failed)?;
                self.running = Some(Running {
                    instance,
                    parent: header.clone(),
                    head: opened.head,
                    genesis_block: header.hash(),
                    rules: Vec::new(),
                });
                opened.block
            }
            Some(running) => {
                if let Some(rules) = upgrade::due(running.head.height, running.head.summary.upgrade) {
                    let next = upgrade::take_over(self.host, running.instance.as_mut(), &running.head, rules)
                        .map_err(|unfit| VerifyError::of_upgrade(height, rules, unfit))?;
                    running.instance = next.instance;
                }
                let replay = encode(&Replay { signatures: true, block: block.clone() });
                let made = running.instance.replay(&replay).map_err(failed)?;
                Some(answer::<NewBlock>(&made).map_err(failed)?)
            }
        };
        match made {
            Some(made) if made.bytes == *block => Ok(made.head),
            _ => Err(VerifyError::Block { height, flaw: BlockFlaw::Outcome }),
        }
    }

    /// Holds the history against the checkpoint seen before, where that one ended.
    fn check_remembered(&self) -> Result<(), VerifyError> {
        let Some(remembered) = self.terms.remembered.filter(|claim| claim.size == self.history.size) else {
            return Ok(());
        };
        let computed = self.history.root();
        if computed == remembered.root {
            return Ok(());
        }
        Err(VerifyError::TwoHistories { size: remembered.size, remembered: remembered.root, computed })
    }
}

/// Reads a block and checks that it is the one with this hash, and that its content is its header's.
pub(crate) fn read_block(bytes: &[u8], hash: &BlockHash) -> Result<Block, BlockFlaw> {
    let block: Block = decode(bytes).map_err(|_| BlockFlaw::Malformed)?;
    same(Part::Hash, block.header.hash().0, hash.0)?;
    check_content(&block)?;
    Ok(block)
}

/// A block's content against the roots in its header.
fn check_content(block: &Block) -> Result<(), BlockFlaw> {
    let header = &block.header;
    let count = block.events.len();
    let allowed = if header.height == 0 { 0..=0 } else { 1..=limits::BLOCK_EVENTS_MAX };
    if !allowed.contains(&count) {
        return Err(BlockFlaw::EventCount { count });
    }
    same(Part::EventsRoot, header.events_root, log::root(&block.event_leaves()))?;
    same(Part::ReceiptsRoot, header.receipts_root, log::root(&block.receipt_leaves()))
}

pub(crate) fn read_events(block: &Block) -> Result<Vec<SignedEvent>, BlockFlaw> {
    let read =
        |(index, event): (usize, &Bytes)| SignedEvent::read(&event.0).map_err(|_| BlockFlaw::Event { index });
    block.events.iter().enumerate().map(read).collect()
}

/// Reads a module's answer; one that makes no sense is its fault, not the block's.
fn answer<T: Canonical>(bytes: &[u8]) -> Result<T, ModuleError> {
    decode(bytes).map_err(|_| ModuleError::Trap("its answer is not canonical".to_owned()))
}

fn differs(part: Part, stated: impl Into<Shown>, expected: impl Into<Shown>) -> BlockFlaw {
    BlockFlaw::Differs { part, stated: stated.into(), expected: expected.into() }
}

fn same<T: Into<Shown> + PartialEq>(part: Part, stated: T, expected: T) -> Result<(), BlockFlaw> {
    if stated == expected { Ok(()) } else { Err(differs(part, stated, expected)) }
}
