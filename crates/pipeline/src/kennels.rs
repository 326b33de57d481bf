//! Open kennels: a bounded set of chain instances, each brought up to a committed head.
//!
//! One that is behind replays the blocks that it missed; one that is cold opens the newest good
//! snapshot first. Committed blocks are replayed without checking event signatures again, for
//! their miner did; hashes, links and roots are checked by the module.
//!
//! Each block is replayed by the module that its header names, and a snapshot opened by that of
//! its block: where the rules change, the module before hands over ([`crate::upgrade`]).

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use lru::LruCache;
use pitpet_chain::abi::{Opened, Replay, Start};
use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::{BlockHash, KennelId, RulesHash};
use pitpet_chain::kennel::{Head, NewBlock};

use crate::head::{CommittedHead, Founding, LedgerError, damaged, path_down, read_block};
use crate::planted::{Bug, planted};
use crate::ports::{ChainInstance, ModuleError, ModuleHost, Objects, Table};
use crate::snapshots;
use crate::upgrade::{self, Unfit};

/// Kennels kept open at one time, unless set otherwise.
pub const OPEN_KENNELS_MAX: usize = 8;

/// A kennel at a head.
pub struct OpenKennel {
    /// The instance; its state is the head's.
    pub instance: Box<dyn ChainInstance>,
    /// The head.
    pub head: Head,
    /// Blocks replayed or applied since it was opened.
    pub blocks_since_open: u64,
}

impl OpenKennel {
    /// The rules that decide the next block, if other ones than the instance's.
    pub fn due(&self) -> Option<RulesHash> {
        let late = u64::from(planted(Bug::UpgradeLate));
        upgrade::due(self.head.height.saturating_sub(late), self.head.summary.upgrade)
    }

    /// Lets the next module go on from here, if its height has come.
    fn hand_over(&mut self, modules: &dyn ModuleHost, runs: Runs) -> Result<(), LedgerError> {
        let Some(rules) = self.due() else { return Ok(()) };
        let take_over = match runs {
            Runs::One => upgrade::take_over,
            Runs::Two => upgrade::take_over_twice,
        };
        let next = take_over(modules, self.instance.as_mut(), &self.head, rules)
            .map_err(|source| LedgerError::Upgrade { rules, height: self.head.height + 1, source })?;
        (self.instance, self.head) = (next.instance, next.head);
        Ok(())
    }

    /// Takes over a committed block.
    fn replay(&mut self, modules: &dyn ModuleHost, bytes: Vec<u8>) -> Result<(), LedgerError> {
        self.hand_over(modules, Runs::One)?;
        let input = encode(&Replay { signatures: false, block: Bytes(bytes) });
        let made: NewBlock = read_answer(&self.instance.replay(&input)?)?;
        self.head = made.head;
        self.blocks_since_open += 1;
        Ok(())
    }
}

/// How often a module takes over where another one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// Once: the block that follows shows whether it did so rightly.
    One,
    /// Twice, with the same outcome: nobody has decided by it yet.
    Two,
}

/// Decodes a module's answer; one that can't be decoded is a trap.
///
/// # Errors
/// [`ModuleError::Trap`].
pub fn read_answer<T: pitpet_chain::codec::Canonical>(bytes: &[u8]) -> Result<T, ModuleError> {
    decode(bytes).map_err(|_| ModuleError::Trap("the module's answer is not canonical".to_owned()))
}

/// The set of open kennels.
pub struct Kennels {
    modules: Arc<dyn ModuleHost>,
    table: Arc<dyn Table>,
    objects: Arc<dyn Objects>,
    open: Mutex<LruCache<KennelId, OpenKennel>>,
    /// Long replays leave a snapshot each time a height divides by this; none: they leave none.
    snapshot_every: Option<u64>,
}

impl Kennels {
    /// Makes an empty set of at most `kennels_max`.
    pub fn new(
        modules: Arc<dyn ModuleHost>,
        table: Arc<dyn Table>,
        objects: Arc<dyn Objects>,
        kennels_max: NonZeroUsize,
    ) -> Self {
        let open = Mutex::new(LruCache::new(kennels_max));
        Self { modules, table, objects, open, snapshot_every: None }
    }

    /// Lets a replay of more than `every` blocks leave snapshots on its way, at heights that divide
    /// by `every`: whoever comes after one that was cut short goes on where that ended. Without, a
    /// kennel whose snapshots are lost could never be opened again once its replay takes longer than
    /// a function may run.
    #[must_use]
    pub fn leaving_snapshots(mut self, every: u64) -> Self {
        self.snapshot_every = Some(every);
        self
    }

    /// Takes a kennel out of the set, at the given head. Whoever takes it gives it back with
    /// [`Kennels::put`] if its state is still the head's; one that isn't given back is discarded.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn take(&self, founding: &Founding, target: &CommittedHead) -> Result<OpenKennel, LedgerError> {
        let cached = self.open.lock().expect("no panic while the set is locked").pop(&founding.kennel);
        if let Some(kennel) = cached {
            let height = kennel.head.height;
            if height <= target.height
                && let Some(kennel) = self.bring_up(founding, kennel, target).await?
            {
                return Ok(kennel);
            }
            tracing::warn!(kennel = %founding.kennel, height, "an open kennel was not on the chain: reopening it");
        }
        self.open_cold(founding, target).await
    }

    /// [`Kennels::take`], ready to decide the block after the head: where other rules do so, by
    /// their module.
    ///
    /// # Errors
    /// [`LedgerError::Upgrade`] if that module is missing or unfit, and as [`Kennels::take`].
    pub async fn take_to_decide(
        &self,
        founding: &Founding,
        target: &CommittedHead,
    ) -> Result<OpenKennel, LedgerError> {
        let mut kennel = self.take(founding, target).await?;
        if let Some(rules) = kennel.due() {
            if let Err(error) = kennel.hand_over(self.modules.as_ref(), Runs::Two) {
                // At the head it is as good as before, unless it was its own module that trapped.
                let trapped = matches!(
                    &error,
                    LedgerError::Upgrade { source: Unfit::Module(ModuleError::Trap(_)), .. }
                );
                if !trapped {
                    self.put(founding.kennel, kennel);
                }
                return Err(error);
            }
            tracing::info!(kennel = %founding.kennel, height = target.height + 1, %rules, "the rules change: their module has taken over");
        }
        Ok(kennel)
    }

    /// Tries a module on a kennel's state before its height has come.
    ///
    /// # Errors
    /// [`Unfit`].
    pub(crate) fn try_early(&self, kennel: &mut OpenKennel, rules: RulesHash) -> Result<(), Unfit> {
        upgrade::try_early(self.modules.as_ref(), kennel.instance.as_mut(), rules)
    }

    /// Gives a kennel back.
    pub fn put(&self, id: KennelId, kennel: OpenKennel) {
        self.open.lock().expect("no panic while the set is locked").put(id, kennel);
    }

    /// Brings a kennel up to the target; none if its head is not an ancestor of that.
    async fn bring_up(
        &self,
        founding: &Founding,
        mut kennel: OpenKennel,
        target: &CommittedHead,
    ) -> Result<Option<OpenKennel>, LedgerError> {
        match self.catch_up(founding, &mut kennel, target).await {
            Ok(is_on_chain) => Ok(is_on_chain.then_some(kennel)),
            Err(error) => Err(self.keep_on_the_way(founding, kennel, error)),
        }
    }

    /// Keeps a kennel whose replay was cut short by a read that failed: it stands at a block of the
    /// chain, and whoever takes it next goes on from there. A long replay would else begin anew with
    /// each failure, and where reads fail often enough never end.
    fn keep_on_the_way(&self, founding: &Founding, kennel: OpenKennel, error: LedgerError) -> LedgerError {
        if matches!(error, LedgerError::Table(_)) {
            self.put(founding.kennel, kennel);
        }
        error
    }

    /// Replays what the kennel missed; false if its head is not an ancestor of the target.
    async fn catch_up(
        &self,
        founding: &Founding,
        kennel: &mut OpenKennel,
        target: &CommittedHead,
    ) -> Result<bool, LedgerError> {
        if kennel.head.hash == target.hash {
            return Ok(true);
        }
        let height = kennel.head.height;
        let end = (target.height, target.hash);
        let (ancestor, path) = path_down(self.table.as_ref(), &founding.kennel, end, height).await?;
        if ancestor != kennel.head.hash {
            return Ok(false);
        }
        self.replay_path(founding, kennel, path).await?;
        Ok(kennel.head.hash == target.hash)
    }

    async fn replay_path(
        &self,
        founding: &Founding,
        kennel: &mut OpenKennel,
        path: Vec<(u64, BlockHash)>,
    ) -> Result<(), LedgerError> {
        let leaves_at = self.snapshot_every.filter(|every| path.len() as u64 > *every);
        for (height, hash) in path {
            let block = read_block(self.table.as_ref(), &founding.kennel, height, &hash).await?;
            kennel.replay(self.modules.as_ref(), block.bytes)?;
            if kennel.head.hash != hash {
                return Err(damaged("a block's bytes are another block's"));
            }
            if leaves_at.is_some_and(|every| height.is_multiple_of(every)) {
                self.leave_snapshot(founding, kennel).await;
            }
        }
        Ok(())
    }

    /// Writes a snapshot in the middle of a replay. A failure costs only a longer replay later.
    async fn leave_snapshot(&self, founding: &Founding, kennel: &mut OpenKennel) {
        let place = snapshots::Place { height: kennel.head.height, hash: kennel.head.hash };
        let written = match kennel.instance.snapshot() {
            Ok(content) => snapshots::write(self.objects.as_ref(), &founding.kennel, &place, &content)
                .await
                .map_err(LedgerError::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            tracing::warn!(kennel = %founding.kennel, height = place.height, %error, "a snapshot could not be left on the way");
        }
    }

    /// Opens from the newest snapshot that is on the chain and sound, in the end from genesis.
    async fn open_cold(
        &self,
        founding: &Founding,
        target: &CommittedHead,
    ) -> Result<OpenKennel, LedgerError> {
        let snapshots = match snapshots::list(self.objects.as_ref(), &founding.kennel).await {
            Ok(snapshots) => snapshots,
            Err(error) => {
                tracing::warn!(kennel = %founding.kennel, %error, "the snapshots can't be listed: replaying from genesis");
                Vec::new()
            }
        };
        for place in snapshots.iter().rev().filter(|place| place.height <= target.height) {
            match self.open_snapshot(founding, target, place).await {
                Ok(Some(kennel)) => return Ok(kennel),
                Ok(None) => {
                    tracing::warn!(kennel = %founding.kennel, height = place.height, "a snapshot is not of this chain: skipping it")
                }
                Err(LedgerError::Table(error)) => return Err(error.into()),
                // Without the module no older one leads there either.
                Err(error) if error.is_of_the_rules() => return Err(error),
                Err(error) => {
                    tracing::warn!(kennel = %founding.kennel, height = place.height, %error, "a snapshot is not good: skipping it")
                }
            }
        }
        let end = (target.height, target.hash);
        let (first, path) = path_down(self.table.as_ref(), &founding.kennel, end, 0).await?;
        let genesis = Some(Bytes(encode(&founding.genesis)));
        let rules_hash = self.rules_of(founding, target, 0, &first).await?;
        let mut kennel = self.open_from(&Start { rules_hash, genesis, snapshot: None })?;
        if kennel.head.hash == first
            && let Err(error) = self.replay_path(founding, &mut kennel, path).await
        {
            return Err(self.keep_on_the_way(founding, kennel, error));
        }
        if kennel.head.hash == target.hash {
            Ok(kennel)
        } else {
            Err(damaged("the chain does not lead from its genesis to its head"))
        }
    }

    /// The rules that decided a block.
    async fn rules_of(
        &self,
        founding: &Founding,
        target: &CommittedHead,
        height: u64,
        hash: &BlockHash,
    ) -> Result<RulesHash, LedgerError> {
        if *hash == target.hash {
            return Ok(target.header.rules_hash);
        }
        let stored = read_block(self.table.as_ref(), &founding.kennel, height, hash).await?;
        let block: Block = decode(&stored.bytes).map_err(|_| damaged("a block can't be read"))?;
        Ok(block.header.rules_hash)
    }

    async fn open_snapshot(
        &self,
        founding: &Founding,
        target: &CommittedHead,
        place: &snapshots::Place,
    ) -> Result<Option<OpenKennel>, LedgerError> {
        let content = snapshots::read(self.objects.as_ref(), &founding.kennel, place).await?;
        let rules_hash = self.rules_of(founding, target, place.height, &place.hash).await?;
        let start = Start { rules_hash, genesis: None, snapshot: Some(Bytes(content)) };
        let kennel = self.open_from(&start)?;
        if kennel.head.hash != place.hash {
            return Ok(None);
        }
        if planted(Bug::SnapshotOfWrongHeight) {
            return Ok(Some(kennel));
        }
        self.bring_up(founding, kennel, target).await
    }

    /// The block that founds a kennel by these rules.
    ///
    /// # Errors
    /// [`LedgerError::Module`].
    pub(crate) fn found(&self, founding: &Founding, rules: RulesHash) -> Result<NewBlock, LedgerError> {
        let genesis = Some(Bytes(encode(&founding.genesis)));
        let start = Start { rules_hash: rules, genesis, snapshot: None };
        let (_, opened) = self.modules.open(&rules.0, &encode(&start))?;
        let opened: Opened = read_answer(&opened)?;
        opened.block.ok_or_else(|| ModuleError::Trap("the module founded without a block".to_owned()).into())
    }

    fn open_from(&self, start: &Start) -> Result<OpenKennel, LedgerError> {
        let (instance, opened) = self.modules.open(&start.rules_hash.0, &encode(start))?;
        let opened: Opened = read_answer(&opened)?;
        Ok(OpenKennel { instance, head: opened.head, blocks_since_open: 0 })
    }
}
