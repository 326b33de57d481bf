//! Checks everything that a table and an object store hold of a kennel against its chain,
//! trusting none of it, and makes good what follows from the chain.
//!
//! The only thing taken on its signature is the head's checkpoint. From the head the blocks are
//! walked by parent; then, from the genesis up, each is verified as [`crate::verify`] does. What is
//! written with it, and when a window closes what is published of that, is computed as the publisher
//! does, and every item is held against what is stored. A repair writes what the publisher would have
//! written, under a condition that fails if somebody has published something newer meanwhile.
//!
//! Memory: 32 bytes a block, a counter a pet and an account, the open kennel, a window's blocks, and a
//! bounded number of others.
//!
//! Deliberately absent: a scan. An item that nothing leads to (a card of a pet that was never
//! born, the body of an event that is in no chain, a name that no account of the kennel lists)
//! is found by nobody, and so not by this either. What a crash may leave on its way (staged
//! blocks that lost, chunks without a manifest) is counted and is no fault.

mod fault;
mod objects;
mod read_side;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::future::LocalBoxFuture;
use lru::LruCache;
use pitpet_chain::block::{Block, Header, Summary as Sums};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, KennelId, RulesHash};
use pitpet_chain::kennel::Head;
use pitpet_chain::log::{self, Frontier};

pub use fault::{Fault, Flaw, Loss, Place, Remedy};

use crate::checkpoint;
use crate::export_file::Opening;
use crate::founding::kennel_list;
use crate::head::{
    CommittedHead, Founding, LedgerError, block_attributes, block_bytes, head_attributes, read_head,
};
use crate::items::{self, Fields, attributes};
use crate::ports::{
    Attributes, Condition, Consistency, Item, Key, ModuleHost, Objects, Order, PublishBatch, Query, Retry,
    Table, TableError, Update, Value,
};
use crate::publication::{Publication, publication};
use crate::query::{Segment, SegmentEntry};
use crate::read_side::ReadSide;
use crate::verify::{self, Terms, Verifier};
use crate::window::WindowRule;

/// Publications of blocks kept for looking back.
const KEPT_BLOCKS: usize = 16;

/// Places whose fault has been told; beyond that a place may be told twice.
const TOLD_MAX: usize = 100_000;

/// Blocks read of one height: the live one and staged ones that lost.
const STAGED_MAX: u32 = 100;

/// Whether anything may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only reads.
    Check,
    /// Writes what follows from the chain, deletes what contradicts it.
    Repair,
}

/// What is told while it goes.
#[derive(Debug)]
pub enum Note<'a> {
    /// A kennel begins.
    Kennel {
        /// Its label.
        label: &'a str,
        /// Its blocks.
        size: u64,
    },
    /// Blocks up to this height are done.
    Height(u64),
    /// A fault was found.
    Fault(&'a Fault),
}

/// Told what is found while it goes.
pub type Observer<'a> = dyn FnMut(Note<'_>) + 'a;

/// What was looked at, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Kennels.
    pub kennels: u64,
    /// Blocks of their chains.
    pub blocks: u64,
    /// Blocks executed again, every signature checked.
    pub executed: u64,
    /// Events in them.
    pub events: u64,
    /// Items of the read side held against the chain.
    pub items: u64,
    /// Bodies that are there and right.
    pub bodies: u64,
    /// Bodies and photos erased on purpose.
    pub erased: u64,
    /// Photos that are there and right, once for each event that shows one.
    pub photos: u64,
    /// Snapshots that are good.
    pub snapshots: u64,
    /// Blocks above what is published: the service publishes them by itself when their window closes.
    pub unpublished: u64,
    /// Staged blocks that lost: the reaper deletes them.
    pub staged: u64,
    /// Other leftovers: chunks of snapshots cut short, rejects that a later receipt overruled.
    pub leftovers: u64,
    /// Places with a fault.
    pub faults: u64,
    /// Of these, made good.
    pub repaired: u64,
    /// Of these, lost here: not to be derived from the chain.
    pub lost: u64,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
}

impl Summary {
    /// Whether nothing is wrong any more.
    pub fn is_clean(&self) -> bool {
        self.faults == self.repaired
    }
}

/// The checker.
pub struct Fsck<'a> {
    /// The table.
    pub table: Arc<dyn Table>,
    /// The object store; without one photos, snapshots and modules are not looked at.
    pub objects: Option<&'a dyn Objects>,
    /// Runs the chain modules.
    pub modules: &'a dyn ModuleHost,
    /// Rules that are run.
    pub rules: Vec<RulesHash>,
    /// Whether to repair.
    pub mode: Mode,
    /// Words of a text that it must be listed under: as many as the miner lists.
    pub search_words_max: usize,
    /// What is published together: the miner's rule.
    pub window: WindowRule,
}

impl Fsck<'_> {
    /// Checks all kennels in the table's list, or one by its label or id.
    ///
    /// # Errors
    /// [`LedgerError`] if the table or the object store could not be read or written: nothing is
    /// known then. [`LedgerError::UnknownKennel`] if there is no such kennel.
    pub fn run<'a>(
        &'a self,
        kennel: Option<&'a str>,
        observer: &'a mut Observer<'_>,
    ) -> LocalBoxFuture<'a, Result<Summary, LedgerError>> {
        // A boxed future is compiled here, once, and not in every program that waits for it.
        Box::pin(self.check(kennel, observer))
    }

    async fn check(&self, kennel: Option<&str>, observer: &mut Observer<'_>) -> Result<Summary, LedgerError> {
        let read_side = ReadSide::over(self.table.clone());
        let mut run = Run {
            fsck: self,
            read_side,
            observer,
            summary: Summary::default(),
            told: BTreeSet::new(),
            buckets: None,
        };
        let listed = run.listed().await?;
        let wanted: Vec<(Option<String>, KennelId)> = match kennel {
            None => listed.into_iter().map(|(label, id)| (Some(label), id)).collect(),
            Some(name) => {
                let by_name = listed.iter().find(|(label, id)| label == name || id.to_string() == name);
                let found = by_name.map(|(label, id)| (Some(label.clone()), *id));
                let found = found.or_else(|| name.parse().ok().map(|id| (None, id)));
                vec![found.ok_or(LedgerError::UnknownKennel)?]
            }
        };
        // A photo may be shown in several kennels.
        match run.read_side.follow_all(Consistency::Strong).await {
            Ok(()) | Err(LedgerError::Damaged(_) | LedgerError::UnknownKennel) => {}
            Err(error) => return Err(error),
        }
        for (label, id) in wanted {
            run.kennel(label, id).await?;
        }
        Ok(run.summary)
    }
}

/// A run in progress.
struct Run<'a, 'o> {
    fsck: &'a Fsck<'a>,
    /// For what the newest blocks mean, which are not published yet.
    read_side: Arc<ReadSide>,
    observer: &'a mut Observer<'o>,
    summary: Summary,
    told: BTreeSet<Place>,
    /// The keys of all buckets, once they were read.
    buckets: Option<BTreeMap<KennelId, Vec<Key>>>,
}

/// The kennel that is being checked.
struct Chain {
    founding: Founding,
    head: CommittedHead,
    /// Hashes by height.
    hashes: Vec<BlockHash>,
    /// Which rules decide from which height on.
    rules: Vec<(u64, RulesHash)>,
    /// Height up to which the read side must be whole; in the end, up to which it was looked at.
    whole: u64,
    /// Publications of blocks looked back at; none where the block is not good.
    kept: LruCache<u64, Option<Arc<Publication>>>,
    /// The windows that were looked at, by their first and last heights, and the keys of the one that
    /// was looked back at.
    windows: Vec<(u64, u64)>,
    keys: Option<(u64, BTreeSet<Key>)>,
    /// Blocks of the window that is being walked; none while nobody knows where it began.
    open: Option<Vec<Walked>>,
    /// Marks that are not as blocks made them.
    doubtful: Vec<Item>,
    /// Runs found of tracks.
    tracks: u64,
    /// Runs found of each pet's timeline.
    timelines: BTreeMap<BirthHash, u64>,
    /// Births found of each account.
    accounts: BTreeMap<AccountId, u64>,
    /// Entries found among the births.
    births: u64,
    /// Entries found among the trades.
    trades: u64,
    /// Entries found in the moderation log.
    verdicts: u64,
    /// The feed's day that is being walked, and runs found of it.
    day: (u64, u64),
}

/// A block of the window that is being walked.
struct Walked {
    publication: Arc<Publication>,
    block: Block,
}

impl Chain {
    /// The rules that decided a block; the head's where no block says.
    fn rules_at(&self, height: u64) -> RulesHash {
        let found = self.rules.iter().rev().find(|(from, _)| *from <= height);
        found.map_or(self.head.header.rules_hash, |(_, rules)| *rules)
    }
}

impl Run<'_, '_> {
    fn repairs(&self) -> bool {
        self.fsck.mode == Mode::Repair
    }

    /// Tells of a fault, once for each place.
    fn fault(&mut self, kennel: KennelId, place: Place, flaw: Flaw, remedy: Remedy) {
        if self.told.contains(&place) {
            return;
        }
        self.summary.faults += 1;
        match remedy {
            Remedy::Repairable => {}
            Remedy::Repaired => self.summary.repaired += 1,
            Remedy::Lost(_) => self.summary.lost += 1,
        }
        let fault = Fault { kennel, place, flaw, remedy };
        (self.observer)(Note::Fault(&fault));
        if self.told.len() < TOLD_MAX {
            self.told.insert(fault.place);
        }
    }

    /// What becomes of a fault whose repair is possible.
    fn derivable(&self) -> Remedy {
        if self.repairs() { Remedy::Repaired } else { Remedy::Repairable }
    }

    fn lost(&mut self, kennel: KennelId, place: Place, flaw: impl Into<Flaw>, loss: Loss) {
        self.fault(kennel, place, flaw.into(), Remedy::Lost(loss));
    }

    /// Overwrites an item that is the same whoever writes it.
    async fn put(&self, key: Key, attributes: Attributes) -> Result<(), LedgerError> {
        let batch = PublishBatch { immutable: vec![Item { key, attributes }], guarded: Vec::new() };
        Ok(self.fsck.table.publish(&batch).await?)
    }

    /// Writes under a condition; if that fails somebody has written something newer, which the
    /// next run looks at.
    async fn update(&self, update: &Update) -> Result<(), LedgerError> {
        match self.fsck.table.update(update).await {
            Ok(()) | Err(TableError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The kennels in the table's list.
    async fn listed(&mut self) -> Result<Vec<(String, KennelId)>, LedgerError> {
        let mut listed = Vec::new();
        for item in self.fsck.table.query(&kennel_list(Consistency::Strong)).await? {
            match item.attributes.digest("kennel") {
                Ok(id) => listed.push((item.key.sk, KennelId(id))),
                // Only its id leads to the kennel now.
                Err(bad) => {
                    let flaw = Flaw::Differs { attribute: bad.0.to_owned() };
                    self.lost(KennelId([0; 32]), Place::Item(item.key), flaw, Loss::Label);
                }
            }
        }
        Ok(listed)
    }

    async fn kennel(&mut self, label: Option<String>, id: KennelId) -> Result<(), LedgerError> {
        let Some(founding) = self.founding(label.is_some(), id).await? else { return Ok(()) };
        self.summary.kennels += 1;
        self.label(label, &founding).await?;
        let Some(head) = self.head(&founding).await? else { return Ok(()) };
        (self.observer)(Note::Kennel { label: &founding.label, size: head.height + 1 });
        // What a head says that is damaged would be all of the chain.
        let unpublished = head.height.saturating_sub(head.published_height);
        if unpublished <= 4 * self.fsck.window.blocks {
            match self.read_side.catch_up(&id, &head).await {
                // A block that is damaged is told of in its turn.
                Ok(()) | Err(LedgerError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let hashes = self.walk(&founding, &head).await?;
        let whole = head.published_height.min(head.height);
        self.summary.unpublished += head.height - head.published_height.min(head.height);
        let first_day = founding.genesis.created_ms / items::DAY_MS;
        let mut chain = Chain {
            founding,
            head,
            hashes,
            rules: Vec::new(),
            whole,
            windows: Vec::new(),
            keys: None,
            open: Some(Vec::new()),
            doubtful: Vec::new(),
            tracks: 0,
            kept: LruCache::new(NonZeroUsize::new(KEPT_BLOCKS).expect("16 is not zero")),
            timelines: BTreeMap::new(),
            accounts: BTreeMap::new(),
            births: 0,
            trades: 0,
            verdicts: 0,
            day: (first_day, 0),
        };
        self.blocks(&mut chain).await?;
        self.partitions(&mut chain).await?;
        self.publication_of_head(&chain).await?;
        self.snapshots(&chain).await
    }

    /// The founding record, if it is the kennel's; its label may be anything.
    async fn founding(&mut self, is_listed: bool, id: KennelId) -> Result<Option<Founding>, LedgerError> {
        let key = items::genesis(&id);
        let Some(item) = self.fsck.table.get(&key, Consistency::Strong).await? else {
            if !is_listed {
                return Err(LedgerError::UnknownKennel);
            }
            self.lost(id, Place::Item(key), Flaw::Missing, Loss::Genesis);
            return Ok(None);
        };
        let genesis = item.bytes("genesis").ok().and_then(|bytes| decode::<Genesis>(bytes).ok());
        let Some(genesis) = genesis.filter(|genesis| genesis.kennel() == id) else {
            let flaw = Flaw::Differs { attribute: "genesis".to_owned() };
            self.lost(id, Place::Item(key), flaw, Loss::Genesis);
            return Ok(None);
        };
        let label = item.text("label").unwrap_or_default().to_owned();
        Ok(Some(Founding { kennel: id, genesis, label }))
    }

    /// The kennel's place in the list against its own word.
    async fn label(&mut self, label: Option<String>, founding: &Founding) -> Result<(), LedgerError> {
        let id = founding.kennel;
        let Some(label) = label else {
            let key = items::kennel_label(&founding.label);
            let held = match founding.label.as_str() {
                // Nor does it say one itself.
                "" => Some(attributes([("kennel", id.0.into())])),
                _ => self.fsck.table.get(&key, Consistency::Strong).await?,
            };
            if held.is_some_and(|held| held.digest("kennel").is_ok()) {
                // Another kennel has the label.
                self.lost(id, Place::Item(key), Flaw::Unexpected, Loss::Label);
                return Ok(());
            }
            if self.repairs() {
                self.put(key.clone(), attributes([("kennel", id.0.into())])).await?;
            }
            self.told.remove(&Place::Item(key.clone()));
            self.fault(id, Place::Item(key), Flaw::Missing, self.derivable());
            return Ok(());
        };
        if label != founding.label {
            let key = items::genesis(&id);
            if self.repairs() {
                // Of a kennel that opened by itself it says more.
                let mut whole = self.fsck.table.get(&key, Consistency::Strong).await?.unwrap_or_default();
                whole.insert("label".to_owned(), label.into());
                self.put(key.clone(), whole).await?;
            }
            let flaw = Flaw::Differs { attribute: "label".to_owned() };
            self.fault(id, Place::Item(key), flaw, self.derivable());
        }
        Ok(())
    }

    /// The head, from its signed checkpoint if the rest of it is damaged.
    async fn head(&mut self, founding: &Founding) -> Result<Option<CommittedHead>, LedgerError> {
        let key = items::head(&founding.kennel);
        let place = Place::Item(key.clone());
        match read_head(self.fsck.table.as_ref(), founding, Consistency::Strong).await {
            Ok(head) if self.has_its_sums(founding, &head).await? => return Ok(Some(head)),
            Ok(_) => {}
            Err(LedgerError::UnknownKennel) => {
                self.lost(founding.kennel, place, Flaw::Missing, Loss::Head);
                return Ok(None);
            }
            Err(LedgerError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        let item = self.fsck.table.get(&key, Consistency::Strong).await?.unwrap_or_default();
        let note = item.text("checkpoint").unwrap_or_default().to_owned();
        let claim = match checkpoint::check(&note, &founding.kennel, &founding.genesis.checkpoint) {
            Ok(claim) => claim,
            Err(error) => {
                self.lost(founding.kennel, place, error, Loss::Head);
                return Ok(None);
            }
        };
        let Some((head, hash)) = self.signed_head(founding, claim).await? else {
            let flaw = Flaw::Differs { attribute: "checkpoint".to_owned() };
            self.lost(founding.kennel, place, flaw, Loss::Head);
            return Ok(None);
        };
        let number = |name| item.number(name).unwrap_or(0);
        let mut whole = head_attributes(&head, note.clone());
        // As the commit left it, if nothing says so.
        let kept_height = item.number("kept_height").unwrap_or(head.height.saturating_sub(1));
        whole.insert("kept_height".to_owned(), kept_height.into());
        whole.insert("published_height".to_owned(), number("published_height").into());
        whole.insert("swept_height".to_owned(), number("swept_height").into());
        let wrong = whole.iter().find(|(name, value)| item.get(*name) != Some(value));
        let attribute = wrong.map_or("header", |(name, _)| name).to_owned();
        if self.repairs() {
            // The same checkpoint is still the newest one.
            let condition = Condition::Equals("checkpoint", note.clone().into());
            let retry = Retry::Allowed;
            self.update(&Update { key, set: whole, remove: Vec::new(), condition, retry }).await?;
        }
        self.fault(founding.kennel, place, Flaw::Differs { attribute }, self.derivable());
        let header: Header = decode(&head.header.0).expect("it was encoded a moment ago");
        Ok(Some(CommittedHead {
            height: head.height,
            hash,
            header,
            summary: head.summary,
            checkpoint_root: head.checkpoint_root,
            checkpoint: note,
            kept_height,
            published_height: number("published_height"),
            swept_height: number("swept_height"),
        }))
    }

    /// Whether the sums at the head, which nothing there covers, are its block's.
    async fn has_its_sums(&self, founding: &Founding, head: &CommittedHead) -> Result<bool, LedgerError> {
        let key = items::block(&founding.kennel, head.height, &head.hash);
        let item = self.fsck.table.get(&key, Consistency::Strong).await?;
        let block = item.and_then(|item| good_block(&item, &head.hash));
        // A block that is not good is told of in its turn.
        Ok(block.is_none_or(|block| block.summary.0 == encode(&head.summary)))
    }

    /// The block that a checkpoint is about: among those at its height, the one whose ancestors
    /// give its root.
    async fn signed_head(
        &mut self,
        founding: &Founding,
        claim: checkpoint::Claim,
    ) -> Result<Option<(Head, BlockHash)>, LedgerError> {
        let Some(height) = claim.size.checked_sub(1) else { return Ok(None) };
        for item in self.staged(&founding.kennel, height).await? {
            let Some(hash) = hash_of(&item.key, height) else { continue };
            let Some(block) = good_block(&item.attributes, &hash) else { continue };
            let mut ancestors = vec![hash];
            let (mut at, mut parent) = (height, block.header.parent);
            while at > 0 {
                at -= 1;
                ancestors.push(parent);
                if at > 0 {
                    let Some(header) = self.header(&founding.kennel, at, &parent).await? else { break };
                    parent = header.parent;
                }
            }
            let mut history = Frontier::default();
            for ancestor in ancestors.iter().rev() {
                history.append(log::leaf(&ancestor.0));
            }
            let Ok(summary) = decode::<Sums>(&block.summary.0) else { continue };
            if history.size == claim.size && history.root() == claim.root {
                let header = Bytes(encode(&block.header));
                let head = Head { height, hash, header, checkpoint_root: claim.root, summary };
                return Ok(Some((head, hash)));
            }
        }
        Ok(None)
    }

    /// All blocks at a height.
    async fn staged(&self, kennel: &KennelId, height: u64) -> Result<Vec<Item>, LedgerError> {
        let prefix = items::block_prefix(height);
        let query = Query {
            pk: items::chain(kennel),
            to: format!("{prefix}~"),
            from: prefix,
            order: Order::Ascending,
            limit: STAGED_MAX,
            consistency: Consistency::Strong,
        };
        Ok(self.fsck.table.query(&query).await?)
    }

    /// The header of a stored block, if it is the one with this hash.
    async fn header(
        &self,
        kennel: &KennelId,
        height: u64,
        hash: &BlockHash,
    ) -> Result<Option<Header>, LedgerError> {
        let key = items::block(kennel, height, hash);
        let item = self.fsck.table.get(&key, Consistency::Strong).await?;
        let block = item.and_then(|item| decode::<Block>(&block_bytes(&item).ok()?).ok());
        Ok(block.map(|block| block.header).filter(|header| header.hash() == *hash))
    }

    /// The hashes of the chain by height. Where a block is missing its parent is taken from the
    /// track below; the history roots above show whether that was right.
    async fn walk(&self, founding: &Founding, head: &CommittedHead) -> Result<Vec<BlockHash>, LedgerError> {
        let kennel = &founding.kennel;
        let mut hashes = vec![head.hash];
        for height in (1..=head.height).rev() {
            let hash = hashes.last().expect("it begins with the head's");
            let parent = match self.header(kennel, height, hash).await? {
                Some(header) => header.parent,
                None => {
                    let track =
                        self.read_side.get(&items::track(kennel, height - 1), Consistency::Strong).await?;
                    let hash = track.and_then(|track| track.digest("hash").ok());
                    BlockHash(hash.unwrap_or_default())
                }
            };
            hashes.push(parent);
        }
        hashes.reverse();
        Ok(hashes)
    }

    /// Every block, from the genesis up, with what is written with it and with its window.
    async fn blocks(&mut self, chain: &mut Chain) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let opening = Opening {
            genesis: Bytes(encode(&chain.founding.genesis)),
            checkpoint: chain.head.checkpoint.clone(),
            height: chain.head.height,
        };
        let head_place = Place::Item(items::head(&kennel));
        let mut verifier =
            match Verifier::begin(self.fsck.modules, &opening, Terms::new(self.fsck.rules.clone())) {
                Ok(verifier) => Some(verifier),
                Err(error) => {
                    self.lost(kennel, head_place.clone(), error, Loss::Chain);
                    None
                }
            };
        let mut history = Frontier::default();
        for height in 0..=chain.head.height {
            let hash = chain.hashes[height as usize];
            let root_before = history.root();
            let nodes = history.append(log::leaf(&hash.0));
            self.summary.blocks += 1;
            let Some(block) = self.block(chain, height, &nodes, root_before).await? else {
                verifier = None;
                // Where its window ends, only what was published of it tells.
                chain.open = None;
                continue;
            };
            let bytes = encode(&block);
            if chain.rules.last().is_none_or(|(_, rules)| *rules != block.header.rules_hash) {
                chain.rules.push((height, block.header.rules_hash));
            }
            if let Some(running) = &mut verifier {
                match running.segment(&unaccompanied(height, &block, &bytes)) {
                    Ok(()) => self.summary.executed += 1,
                    Err(error) => {
                        verifier = None;
                        if error.is_invalid() {
                            let place = Place::Item(items::block(&kennel, height, &hash));
                            self.lost(kennel, place, error, Loss::Chain);
                        } else {
                            self.summary.unchecked.push(format!("{}: {error}", chain.founding.label));
                        }
                    }
                }
            }
            if let Ok(publication) = publication(&bytes, &nodes) {
                self.walked(chain, Walked { publication: Arc::new(publication), block }).await?;
            }
            (self.observer)(Note::Height(height));
        }
        if let Some(Err(error)) = verifier.map(Verifier::finish) {
            self.lost(kennel, head_place, error, Loss::Chain);
        }
        let above = self.staged(&kennel, chain.head.height + 1).await?;
        self.summary.staged += above.len() as u64;
        Ok(())
    }

    /// A block as it is stored, if it is good.
    async fn block(
        &mut self,
        chain: &Chain,
        height: u64,
        nodes: &[[u8; 32]],
        history_root: [u8; 32],
    ) -> Result<Option<Block>, LedgerError> {
        let kennel = chain.founding.kennel;
        let hash = chain.hashes[height as usize];
        let key = items::block(&kennel, height, &hash);
        let mut stored = None;
        for item in self.staged(&kennel, height).await? {
            if item.key == key {
                stored = Some(item.attributes);
            } else {
                self.summary.staged += 1;
            }
        }
        let Some(stored) = stored else {
            self.lost(kennel, Place::Item(key), Flaw::Missing, Loss::Block);
            return Ok(None);
        };
        let block = match verify::read_block(&block_bytes(&stored).unwrap_or_default(), &hash) {
            Ok(block) => block,
            Err(flaw) => {
                self.lost(kennel, Place::Item(key), flaw, Loss::Block);
                return Ok(None);
            }
        };
        let follows = block.header.height == height
            && block.header.kennel == kennel
            && block.header.history_root == history_root;
        if !follows {
            // The walk went over a gap, and what lies below it is another history.
            self.lost(kennel, Place::Item(key), Flaw::Unexpected, Loss::Block);
            return Ok(None);
        }
        let mut whole = block_attributes(&block.header.parent, &encode(&block), nodes);
        // What it inflates to is right, whoever deflated it.
        whole.extend(stored.get("deflated").map(|bytes| ("deflated".to_owned(), bytes.clone())));
        if let Some(attribute) = first_difference(&whole, &stored) {
            if self.repairs() {
                self.put(key.clone(), whole).await?;
            }
            self.fault(kennel, Place::Item(key), Flaw::Differs { attribute }, self.derivable());
        }
        Ok(Some(block))
    }

    /// What a block means for the read side, for looking back; none if it is not good.
    async fn publication_at(
        &self,
        chain: &mut Chain,
        height: u64,
    ) -> Result<Option<Arc<Publication>>, LedgerError> {
        if let Some(batch) = chain.kept.get(&height) {
            return Ok(batch.clone());
        }
        let mut batch = None;
        if let Some(hash) = usize::try_from(height).ok().and_then(|at| chain.hashes.get(at)) {
            let key = items::block(&chain.founding.kennel, height, hash);
            let item = self.fsck.table.get(&key, Consistency::Strong).await?;
            let block = item.and_then(|item| good_block(&item, hash));
            // The nodes are the track's alone, which is not looked back at.
            let made = block.and_then(|block| publication(&encode(&block), &[]).ok());
            batch = made.map(Arc::new);
        }
        chain.kept.put(height, batch.clone());
        Ok(batch)
    }

    /// How far the head says that publishing went.
    async fn publication_of_head(&mut self, chain: &Chain) -> Result<(), LedgerError> {
        let (head, kennel) = (&chain.head, chain.founding.kennel);
        let key = items::head(&kennel);
        let place = Place::Item(key.clone());
        let is_window = |height: u64| height == 0 || chain.windows.iter().any(|(_, last)| *last == height);
        let flaw = if head.published_height > head.height
            || (head.published_height <= chain.whole && !is_window(head.published_height))
        {
            Some(Flaw::Forged { attribute: "published_height", height: head.published_height })
        } else if head.kept_height > head.height {
            Some(Flaw::Forged { attribute: "kept_height", height: head.kept_height })
        } else if head.swept_height > head.published_height {
            Some(Flaw::Forged { attribute: "swept_height", height: head.swept_height })
        } else {
            None
        };
        let is_behind = head.published_height < chain.whole;
        if self.repairs() && (flaw.is_some() || is_behind) {
            let swept = if head.swept_height > chain.whole { 0 } else { head.swept_height };
            let kept = head.kept_height.clamp(head.height.saturating_sub(1), head.height);
            // All of it has been published by this run.
            self.update(&Update {
                key,
                set: attributes([
                    ("kept_height", kept.into()),
                    ("published_height", chain.whole.into()),
                    ("swept_height", swept.into()),
                ]),
                remove: Vec::new(),
                condition: Condition::Equals("hash", head.hash.0.into()),
                retry: Retry::Allowed,
            })
            .await?;
        }
        if let Some(flaw) = flaw {
            self.fault(kennel, place, flaw, self.derivable());
        }
        Ok(())
    }
}

/// A block for the verifier; its bodies are looked at apart.
fn unaccompanied(height: u64, block: &Block, bytes: &[u8]) -> Segment {
    const NO_BODY: u8 = 0;
    const MISSING: u8 = 3;
    let events = verify::read_events(block).unwrap_or_default();
    let states = events.iter().map(|signed| match signed.event.payload.body() {
        None => NO_BODY,
        Some(_) => MISSING,
    });
    let entry =
        SegmentEntry { block: Bytes(bytes.to_vec()), body_states: states.collect(), bodies: Vec::new() };
    Segment { version: 1, from: height, entries: vec![entry] }
}

fn good_block(item: &Attributes, hash: &BlockHash) -> Option<Block> {
    verify::read_block(&block_bytes(item).ok()?, hash).ok()
}

/// The hash in a block's key.
fn hash_of(key: &Key, height: u64) -> Option<BlockHash> {
    key.sk.strip_prefix(&items::block_prefix(height))?.parse().ok()
}

/// The first attribute that is not as it should be.
fn first_difference(expected: &Attributes, stored: &Attributes) -> Option<String> {
    let differs = |(name, value): &(&String, &Value)| stored.get(*name) != Some(*value);
    expected.iter().find(differs).map(|(name, _)| name.clone())
}
