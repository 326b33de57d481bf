//! Mining: a batch of queue messages becomes committed blocks.
//!
//! Per kennel: load the head, bring the state up to it, let the module decide, stage the block,
//! win the one conditional write on the head, write what can't wait, publish windows that are closed,
//! record rejects. Each step may fail before or after it took effect; every comment at an `await` here
//! says why going on or giving up is right. A message is acked when every one of its events has a receipt
//! or a recorded reject, and every text in it that is in the chain is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use pitpet_chain::abi::Batch;
use pitpet_chain::codec::{Bytes, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{BlockHash, EventId, KennelId, RulesHash};
use pitpet_chain::kennel::{Head, NewBlock, Outcome};
use pitpet_chain::limits;
use pitpet_chain::reject::Reject;
use pitpet_chain::state::PendingUpgrade;
use tracing::Instrument as _;

use crate::checkpoint::{self, Claim};
use crate::event_log;
use crate::founding::Foundings;
use crate::head::{
    CheckpointKey, CommittedHead, Founding, LedgerError, block_item, commit_update, damaged, path_down,
    read_block, read_head,
};
use crate::items::{self, Fields as _, attributes};
use crate::kennels::{Kennels, OpenKennel, read_answer};
use crate::message::{Message, SaltedBody};
use crate::opening::{self, Opening};
use crate::planted::{Bug, planted};
use crate::ports::{
    Attributes, Clock, Consistency, DeadLetters, ModuleError, Objects, OutgoingMessage, PublishBatch, Table,
    TableError,
};
use crate::publication::{Bodies, Publication, if_absent, publication, spare_update};
use crate::publisher;
use crate::read_side::{Reach, ReadSide};
use crate::snapshots;
use crate::window::WindowRule;

/// A message as the queue handed it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The queue's id of this message, named in the answer if it fails.
    pub id: String,
    /// The message itself.
    pub message: OutgoingMessage,
}

/// How the miner is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinerSettings {
    /// Kennels kept open between calls.
    pub open_kennels_max: NonZeroUsize,
    /// A snapshot is written each time a height divides by this.
    pub snapshot_every: u64,
    /// Mining goes on while at most this many blocks of closed windows are unpublished.
    pub unpublished_max: u64,
    /// Words of a text that it can be found by, 0 to 12.
    pub search_words_max: usize,
    /// What is published together.
    pub window: WindowRule,
}

impl Default for MinerSettings {
    fn default() -> Self {
        Self {
            open_kennels_max: NonZeroUsize::new(crate::kennels::OPEN_KENNELS_MAX).expect("8 is not zero"),
            snapshot_every: 256,
            unpublished_max: 1_000,
            search_words_max: crate::search::WORDS_MAX,
            window: WindowRule::DEFAULT,
        }
    }
}

/// Attempts to publish windows before mining goes on without, and to store a block's texts before its
/// messages are given back.
const PUBLISH_ATTEMPTS: u32 = 3;

/// Blocks lost to another miner in one call before the messages go back to the queue.
const LOST_MAX: u32 = 16;

/// A clock further behind the head than this is reported.
const CLOCK_BEHIND_MS: u64 = 60_000;

/// Rejects are kept this long, ms; an event expires after a day at the latest.
pub(crate) const REJECT_KEPT_MS: u64 = 30 * items::DAY_MS;

/// The body of a rejected event is kept this long, ms: for the day that an event may be valid
/// after its block's time, and for another in which clocks may be off and storing texts may fail.
pub(crate) const SPARE_KEPT_MS: u64 = 2 * items::DAY_MS;

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MineReport {
    /// Ids of messages to be delivered again: a failed one and the later ones of its group.
    pub failed: BTreeSet<String>,
    /// Messages sent to the dead-letter queue.
    pub buried: u64,
    /// Blocks committed.
    pub blocks: u64,
    /// Events in them.
    pub accepted: u64,
    /// Events rejected.
    pub rejected: u64,
    /// Why, by the reject's name.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Blocks lost to another miner.
    pub lost: u64,
    /// Blocks of closed windows that the table's read side lacks, of the kennel where they are most.
    pub unpublished: u64,
    /// Kennels that stand still, because the module of the rules that decide next is missing or unfit.
    pub stopped: u64,
    /// Kennels that will: a change of rules is decided on, and its module is missing or unfit.
    pub unready: u64,
}

/// A message that can be read.
struct Work {
    received: ReceivedMessage,
    message: Message,
}

/// Why a group of messages could not be finished: all from some message on are to be redelivered.
#[derive(Debug, thiserror::Error)]
enum MineError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the read side is {0} blocks behind: mining pauses until it is published")]
    Unpublished(u64),
    #[error("lost {0} blocks in a row to other miners")]
    Contended(u32),
    #[error("the checkpoint key is not that of the kennel's genesis")]
    WrongCheckpointKey,
    #[error("a message that can't be mined could not be sent to the dead-letter queue: {0}")]
    Bury(#[from] crate::ports::QueueError),
}

impl From<items::BadItem> for MineError {
    fn from(bad: items::BadItem) -> Self {
        MineError::Ledger(bad.into())
    }
}

impl From<TableError> for MineError {
    fn from(error: TableError) -> Self {
        MineError::Ledger(error.into())
    }
}

/// How one attempt at a block ended.
enum Attempt {
    /// This many messages are done with.
    Done(usize),
    /// Somebody else's block is there: decide again.
    Lost,
    /// The module trapped on this input.
    Trapped(String),
}

/// The miner.
pub struct Miner {
    table: Arc<dyn Table>,
    read_side: Arc<ReadSide>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    dead_letters: Arc<dyn DeadLetters>,
    kennels: Kennels,
    foundings: Foundings,
    key: CheckpointKey,
    settings: MinerSettings,
    /// Up to which block everything that can't wait was written by this miner.
    kept: Mutex<BTreeMap<KennelId, (u64, BlockHash)>>,
    /// Changes of rules to come whose modules were tried, and why one is unfit.
    tried: Mutex<BTreeMap<(KennelId, u64, RulesHash), Option<String>>>,
}

impl Miner {
    /// Makes a miner; `key` signs the checkpoints of every kennel that it serves.
    pub fn new(
        table: Arc<dyn Table>,
        objects: Arc<dyn Objects>,
        modules: Arc<dyn crate::ports::ModuleHost>,
        clock: Arc<dyn Clock>,
        dead_letters: Arc<dyn DeadLetters>,
        key: CheckpointKey,
        settings: MinerSettings,
    ) -> Self {
        let kennels = Kennels::new(modules, table.clone(), objects.clone(), settings.open_kennels_max)
            .leaving_snapshots(settings.snapshot_every);
        let foundings = Foundings::new(table.clone());
        Self {
            read_side: ReadSide::over(table.clone()),
            table,
            objects,
            clock,
            dead_letters,
            kennels,
            foundings,
            key,
            settings,
            kept: Mutex::default(),
            tried: Mutex::default(),
        }
    }

    /// Shares what is known of the tails with others of the same process.
    #[must_use]
    pub fn sharing(self, read_side: Arc<ReadSide>) -> Self {
        Self { read_side, ..self }
    }

    /// Mines a batch. Never fails as a whole: what could not be done is in the report.
    pub fn mine(&self, batch: Vec<ReceivedMessage>) -> BoxFuture<'_, MineReport> {
        // A boxed future is compiled here, once, and not in every program that waits for it.
        Box::pin(self.mine_batch(batch))
    }

    async fn mine_batch(&self, batch: Vec<ReceivedMessage>) -> MineReport {
        let mut report = MineReport::default();
        let mut groups: BTreeMap<String, Vec<ReceivedMessage>> = BTreeMap::new();
        let batch_ids = planted(Bug::WholeBatchFailed)
            .then(|| batch.iter().map(|received| received.id.clone()).collect::<Vec<_>>());
        for received in batch {
            groups.entry(received.message.group.clone()).or_default().push(received);
        }
        for (group, messages) in groups {
            let ids: Vec<String> = messages.iter().map(|received| received.id.clone()).collect();
            let mut done = 0;
            // For what is logged on the way by those who don't know for which kennel they work.
            let span = tracing::error_span!("mine", kennel = %group);
            let mined = self.mine_group(&group, messages, &mut done, &mut report).instrument(span).await;
            if let Err(error) = mined {
                if matches!(&error, MineError::Ledger(error) if error.is_of_the_rules()) {
                    tracing::error!(kennel = %group, %error, "alarm: this kennel stands still, because the module that decides next can't be run here; all others go on");
                    report.stopped += 1;
                }
                tracing::error!(kennel = %group, %error, redelivered = ids.len() - done, "a batch could not be finished");
                let mut failed = ids[done..].to_vec();
                if planted(Bug::FollowersAcked) {
                    failed.truncate(1);
                }
                report.failed.extend(failed);
            }
        }
        if planted(Bug::AckBeforeCommit) {
            report.failed.clear();
        }
        if !report.failed.is_empty() {
            report.failed.extend(batch_ids.into_iter().flatten());
        }
        report
    }

    /// Mines the messages of one group in order; `done` counts those finished.
    async fn mine_group(
        &self,
        group: &str,
        messages: Vec<ReceivedMessage>,
        done: &mut usize,
        report: &mut MineReport,
    ) -> Result<(), MineError> {
        // A message that can't be read, or is of another kennel than its group, never will be
        // mined. Those before it are mined first, so that order within the group holds.
        let mut works: Vec<Work> = Vec::new();
        for received in messages {
            let read = Message::read(&received.message.body)
                .ok()
                .filter(|message| message.kennel.to_string() == group);
            match read {
                Some(message) => works.push(Work { received, message }),
                None => {
                    self.mine_works(std::mem::take(&mut works), done, report).await?;
                    self.bury(&received, "it is no message of its group", report).await?;
                    *done += 1;
                }
            }
        }
        self.mine_works(works, done, report).await
    }

    /// Sends a message to the dead-letter queue, unchanged.
    async fn bury(
        &self,
        received: &ReceivedMessage,
        why: &str,
        report: &mut MineReport,
    ) -> Result<(), MineError> {
        // If this fails the message stays in the queue, and comes here again.
        if !planted(Bug::PoisonDropped) {
            self.dead_letters.bury(&received.message).await?;
        }
        tracing::error!(message_id = %received.id, kennel = %received.message.group, why, "a message went to the dead-letter queue");
        report.buried += 1;
        Ok(())
    }

    async fn mine_works(
        &self,
        works: Vec<Work>,
        done: &mut usize,
        report: &mut MineReport,
    ) -> Result<(), MineError> {
        let Some(first) = works.first() else { return Ok(()) };
        let kennel = first.message.kennel;
        let founding = match self.foundings.get(&kennel).await {
            Ok(founding) => founding,
            Err(LedgerError::UnknownKennel) => {
                // Kennels are never removed: a message for an unknown one was not sent by ingest.
                for work in &works {
                    self.bury(&work.received, "its kennel is unknown", report).await?;
                    *done += 1;
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if founding.genesis.checkpoint.0 != self.key.verifying_key().to_bytes() {
            return Err(MineError::WrongCheckpointKey);
        }
        let mut rest = &works[..];
        if rest.iter().any(|work| work.message.entries.is_empty()) {
            self.open(&founding).await?;
        }
        let mut alone = false;
        let mut lost = 0;
        while !rest.is_empty() {
            let now = if alone { &rest[..1] } else { rest };
            let attempt = match self.attempt(&founding, now, report).await {
                // It is prepared, and somebody knew its id before the message that opens it came.
                Err(MineError::Ledger(LedgerError::UnknownKennel)) => {
                    self.open(&founding).await?;
                    self.attempt(&founding, now, report).await?
                }
                attempt => attempt?,
            };
            match attempt {
                Attempt::Done(count) => {
                    rest = &rest[count..];
                    *done += count;
                    lost = 0;
                }
                Attempt::Lost => {
                    lost += 1;
                    report.lost += 1;
                    if lost > LOST_MAX {
                        return Err(MineError::Contended(lost));
                    }
                }
                Attempt::Trapped(trap) if now.len() == 1 => {
                    tracing::error!(%kennel, message_id = %now[0].received.id, trap, "the chain module trapped on one message");
                    self.bury(&now[0].received, "the chain module trapped on it", report).await?;
                    rest = &rest[1..];
                    *done += 1;
                }
                Attempt::Trapped(trap) => {
                    tracing::warn!(%kennel, trap, "the chain module trapped: running the messages one at a time");
                    alone = true;
                }
            }
        }
        Ok(())
    }

    /// Founds and lists a kennel that the reaper prepared; whatever of it is done already stays as
    /// it is.
    ///
    /// The table is not trusted for what a kennel is founded on: the genesis must have the keys
    /// and parameters of a kennel whose head this miner's key has signed.
    async fn open(&self, founding: &Founding) -> Result<(), MineError> {
        let table = self.table.as_ref();
        let Some(Opening { after, rules }) = Opening::read(table, &founding.kennel).await? else {
            // An operator opened it, with the checkpoint key.
            return Ok(());
        };
        let before = self.foundings.get(&after).await?;
        if !opening::is_akin(&before.genesis, &founding.genesis) {
            return Err(damaged("a genesis has other keys or parameters than the kennel before it").into());
        }
        read_head(table, &before, Consistency::Strong).await?;
        let block = self.kennels.found(founding, rules)?;
        Ok(opening::found(table, founding, &block, &self.key).await?)
    }

    /// Makes at most one block of the first of these messages.
    async fn attempt(
        &self,
        founding: &Founding,
        works: &[Work],
        report: &mut MineReport,
    ) -> Result<Attempt, MineError> {
        let kennel_id = founding.kennel;
        // Failing here changes nothing: the messages are redelivered.
        let head = read_head(self.table.as_ref(), founding, Consistency::Strong).await?;
        let bodies = bodies_of(works);
        self.read_side.catch_up(&kennel_id, &head).await?;
        self.keep_backlog(&head, &kennel_id, &bodies).await?;
        let (published_height, behind) = self.publish(founding, (&head).into()).await;
        report.unpublished = report.unpublished.max(behind);
        if behind > self.settings.unpublished_max {
            return Err(MineError::Unpublished(behind));
        }
        // By the module that decides the next block: none other is asked.
        let mut kennel = self.kennels.take_to_decide(founding, &head).await?;
        self.try_next_rules(founding, &mut kennel, report);

        let batch = Batch {
            timestamp_ms: self.timestamp(&head, founding),
            messages: works
                .iter()
                .map(|work| work.message.entries.iter().map(|entry| entry.event.clone()).collect())
                .collect(),
        };
        let answer = kennel.instance.apply(&encode(&batch));
        let outcome = match answer.and_then(|answer| read_answer::<Outcome>(&answer)) {
            // The first message fits any block: a module that decides none would be asked for ever.
            Ok(outcome) if !(1..=works.len()).contains(&(outcome.consumed as usize)) => {
                return Ok(Attempt::Trapped(format!("it decided {} messages", outcome.consumed)));
            }
            Ok(outcome) => outcome,
            // The instance is discarded with `kennel`; nothing was written.
            Err(ModuleError::Trap(trap)) => return Ok(Attempt::Trapped(trap)),
            Err(error) => return Err(LedgerError::from(error).into()),
        };
        let consumed = outcome.consumed as usize;
        let mut kept = Ok(());
        if let Some(block) = &outcome.block {
            let made = publication(&block.bytes.0, &block.nodes);
            let made = made.map_err(|_| damaged("the module made a block that can't be read"))?;
            if planted(Bug::PublishBeforeCommit) {
                let window = [Arc::new(made.clone())];
                self.table.publish(&publisher::window_batch(&window)?).await?;
            }
            if !self.commit(founding, &head, block).await? {
                // The instance is one block ahead on a branch that lost: discarded with `kennel`.
                if planted(Bug::InstanceKeptAfterLoss) {
                    self.kennels.put(kennel_id, kennel);
                }
                return Ok(Attempt::Lost);
            }
            let accepted = self.count_accepted(works, &outcome);
            log_accepted(&kennel_id, works, &outcome, &block.head);
            report.blocks += 1;
            report.accepted += accepted;
            tracing::info!(target: event_log::BLOCKS, kennel = %kennel_id, height = block.head.height, hash = %block.head.hash, events = accepted, "block committed");
            kennel.head = block.head.clone();
            kennel.blocks_since_open += 1;
            self.try_next_rules(founding, &mut kennel, report);
            let made = Arc::new(made);
            self.read_side.push(made.clone());
            // The messages are all that holds the bodies: they are not acked before the bodies are
            // stored. Redelivered, their events are found in the chain.
            kept = self.keep(&made, &bodies).await;
            if kept.is_ok() {
                let reach = Reach { height: made.height, hash: made.hash, published_height };
                let (_, behind) = self.publish(founding, reach).await;
                report.unpublished = report.unpublished.max(behind);
            }
            self.snapshot(founding, &mut kennel, block).await;
        }
        self.kennels.put(kennel_id, kennel);
        if !planted(Bug::BodiesForgotten) {
            kept?;
        }
        // Only now: while rejects can't be recorded the messages are redelivered, and their
        // accepted events found in the chain then.
        self.record_rejects(founding, works, &outcome).await?;
        report.rejected += outcome.rejects.len() as u64;
        for rejected in &outcome.rejects {
            *report.reasons.entry(rejected.reject.name()).or_default() += 1;
        }
        Ok(Attempt::Done(consumed))
    }

    /// Tries the module of a change of rules that is to come, once for each; what is wrong with it
    /// is told at every batch, until the height comes.
    fn try_next_rules(&self, founding: &Founding, kennel: &mut OpenKennel, report: &mut MineReport) {
        let Some(PendingUpgrade { rules_hash: rules, at_height }) = kennel.head.summary.upgrade else {
            return;
        };
        let change = (founding.kennel, at_height, rules);
        let known = self.tried.lock().expect("no panic while the list is locked").get(&change).cloned();
        let (why, is_final) = match known {
            Some(why) => (why, true),
            None => match self.kennels.try_early(kennel, rules) {
                Ok(()) => (None, true),
                // One that is missing may come.
                Err(unfit) => (Some(unfit.to_string()), unfit.is_of_the_module()),
            },
        };
        if let Some(why) = &why {
            tracing::error!(kennel = %founding.kennel, %rules, at_height, why, "alarm: the module that is to decide from this height on is missing or unfit; the kennel will stand still there");
            report.unready += 1;
        }
        if is_final {
            let mut tried = self.tried.lock().expect("no panic while the list is locked");
            // One change a kennel: an earlier one has come or was withdrawn.
            tried.retain(|(of, ..), _| *of != founding.kennel);
            tried.insert(change, why);
        }
    }

    fn count_accepted(&self, works: &[Work], outcome: &Outcome) -> u64 {
        let events: usize =
            works[..outcome.consumed as usize].iter().map(|work| work.message.entries.len()).sum();
        (events - outcome.rejects.len()) as u64
    }

    /// The new block's timestamp: now, but within what the rules allow.
    fn timestamp(&self, head: &CommittedHead, founding: &Founding) -> u64 {
        let now_ms = self.clock.now_ms();
        if planted(Bug::ClockTrusted) {
            return now_ms;
        }
        let parent_ms = head.header.timestamp_ms;
        if now_ms + CLOCK_BEHIND_MS < parent_ms {
            tracing::error!(kennel = %founding.kennel, now_ms, parent_ms, "alarm: this miner's clock is behind the chain; mining at the parent's time");
        }
        let latest_ms = match head.summary.totals.living {
            0 => u64::MAX,
            _ => parent_ms + 2 * founding.genesis.parameters.idle_ms,
        };
        now_ms.clamp(parent_ms, latest_ms)
    }

    /// Stages the block and tries to win the head. True if the block is committed.
    async fn commit(
        &self,
        founding: &Founding,
        parent: &CommittedHead,
        block: &NewBlock,
    ) -> Result<bool, MineError> {
        let kennel = &founding.kennel;
        // Failing here leaves at most garbage, which the reaper finds. A conflict means that the
        // same block, by its hash, was staged by an earlier attempt: it holds the same bytes.
        match self.table.put_new(&block_item(kennel, &parent.hash, block)).await {
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let claim = Claim { size: block.head.height + 1, root: block.head.checkpoint_root };
        let note = checkpoint::sign(kennel, claim, &self.key);
        let update = commit_update(kennel, &parent.hash, block, note);
        let mut written = self.table.update(&update).await;
        if planted(Bug::HeadWriteRetried) && matches!(written, Err(TableError::Unavailable { .. })) {
            written = self.table.update(&update).await;
            if matches!(written, Err(TableError::Conflict)) {
                self.discard(founding, block).await;
                return Ok(false);
            }
        }
        match written {
            Ok(()) => Ok(true),
            Err(TableError::Conflict) if planted(Bug::ConflictIsSuccess) => Ok(true),
            Err(TableError::Unavailable { .. }) if planted(Bug::UnknownIsSuccess) => Ok(true),
            // Refused writes were not made.
            Err(error @ (TableError::Refused { .. } | TableError::Throttled)) => Err(error.into()),
            // Unknown outcome, or a conflict, which may be with this very block: look for the
            // block in the chain before calling it lost.
            Err(TableError::Conflict | TableError::Unavailable { .. }) => {
                self.is_committed(founding, block).await
            }
        }
    }

    async fn is_committed(&self, founding: &Founding, block: &NewBlock) -> Result<bool, MineError> {
        let head = read_head(self.table.as_ref(), founding, Consistency::Strong).await?;
        if head.height < block.head.height {
            // A write of unknown outcome may still arrive and win: the block stays staged.
            if planted(Bug::UnknownIsGarbage) {
                self.discard(founding, block).await;
            }
            return Ok(false);
        }
        let end = (head.height, head.hash);
        let (at_height, _) = path_down(self.table.as_ref(), &founding.kennel, end, block.head.height).await?;
        if at_height == block.head.hash {
            return Ok(true);
        }
        self.discard(founding, block).await;
        Ok(false)
    }

    /// Deletes a staged block at whose height another one is committed: it never can be.
    async fn discard(&self, founding: &Founding, block: &NewBlock) {
        let key = items::block(&founding.kennel, block.head.height, &block.head.hash);
        // Failing here leaves garbage to the reaper.
        if let Err(error) = self.table.delete(&key).await {
            tracing::warn!(kennel = %founding.kennel, height = block.head.height, %error, "a staged block that lost could not be deleted");
        }
    }

    /// Writes what can't wait of the blocks that another miner committed, and may not have finished.
    async fn keep_backlog(
        &self,
        head: &CommittedHead,
        kennel: &KennelId,
        bodies: &Bodies,
    ) -> Result<(), MineError> {
        let own = self.kept.lock().expect("no panic while the heights are locked").get(kennel).copied();
        let is_own = own == Some((head.height, head.hash));
        let from = head.kept_height.max(head.published_height);
        if is_own || from >= head.height {
            return Ok(());
        }
        for block in self.read_side.tail(kennel, from) {
            publisher::keep(self.table.as_ref(), &block, bodies).await?;
        }
        self.note_kept(kennel, head.height, head.hash);
        Ok(())
    }

    /// Remembers that of all blocks up to this one what can't wait is written.
    fn note_kept(&self, kennel: &KennelId, height: u64, hash: BlockHash) {
        self.kept.lock().expect("no panic while the heights are locked").insert(*kennel, (height, hash));
    }

    /// Writes what can't wait of the block just committed.
    async fn keep(&self, block: &Publication, bodies: &Bodies) -> Result<(), MineError> {
        let mut last = Ok(());
        for _ in 0..PUBLISH_ATTEMPTS {
            last = publisher::keep(self.table.as_ref(), block, bodies).await;
            if last.is_ok() {
                self.note_kept(&block.kennel, block.height, block.hash);
                return Ok(());
            }
        }
        Ok(last?)
    }

    /// Publishes the windows that are closed; gives up to which height, and how many blocks of them are
    /// not published yet. A failure is no failure of the batch: whoever comes next finds the read side
    /// behind.
    async fn publish(&self, founding: &Founding, mut reach: Reach) -> (u64, u64) {
        let rule = &self.settings.window;
        for _ in 0..PUBLISH_ATTEMPTS {
            let (published, tail) = self.read_side.unpublished(&founding.kennel);
            if publisher::closed(rule, &tail) == 0 {
                return (published.max(reach.published_height), 0);
            }
            let words_max = self.settings.search_words_max;
            match publisher::publish_closed(&self.read_side, founding, &reach, rule, words_max).await {
                Ok(published) => reach.published_height = published,
                Err(error) => {
                    tracing::warn!(kennel = %founding.kennel, height = reach.height, %error, "a window is not published yet");
                }
            }
        }
        let tail = self.read_side.tail(&founding.kennel, reach.published_height);
        let behind = publisher::closed(rule, &tail) as u64;
        if behind > 0 {
            tracing::error!(kennel = %founding.kennel, behind, "alarm: the read side can't be published");
        }
        (reach.published_height, behind)
    }

    /// Writes a snapshot where one is due. A failure costs only a longer replay later.
    async fn snapshot(&self, founding: &Founding, kennel: &mut OpenKennel, block: &NewBlock) {
        let due = block.head.height.is_multiple_of(self.settings.snapshot_every);
        if !due {
            return;
        }
        let place = snapshots::Place { height: block.head.height, hash: block.head.hash };
        let written = match kennel.instance.snapshot() {
            Ok(content) => {
                let objects = self.objects.as_ref();
                match snapshots::write(objects, &founding.kennel, &place, &content).await {
                    Ok(()) => snapshots::archive(objects, &founding.kennel, &place, &content).await,
                    failed => failed,
                }
                .map_err(LedgerError::from)
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            tracing::warn!(kennel = %founding.kennel, height = place.height, %error, "a snapshot could not be written");
        }
    }

    /// Records rejects; for an event that is in the chain already (its message was redelivered)
    /// the receipt stands, and only a missing body is added.
    ///
    /// Another miner that holds the same message may yet accept what is rejected here, by another
    /// clock or on a newer head, and crash before it stores the bodies. Since this message, once
    /// acked, no longer holds the body, it is kept beside the reject.
    async fn record_rejects(
        &self,
        founding: &Founding,
        works: &[Work],
        outcome: &Outcome,
    ) -> Result<(), MineError> {
        if outcome.rejects.is_empty() {
            return Ok(());
        }
        // The receipt may be younger than a moment.
        self.follow(founding).await?;
        let mut batch = PublishBatch::default();
        let mut spared = Vec::new();
        let mut accepted = Vec::new();
        for rejected in &outcome.rejects {
            let entry = &works[rejected.message as usize].message.entries[rejected.event as usize];
            let id = identify(&entry.event);
            if let Some(place) = self.accepted(&id, &entry.event).await?
                && !planted(Bug::RejectOverReceipt)
            {
                accepted.extend(entry.body.clone().map(|body| (id, place, body)));
                continue;
            }
            event_log::rejected(&founding.kennel, &id, rejected.reject);
            let ttl_s = (self.clock.now_ms() + REJECT_KEPT_MS) / 1000;
            let set = attributes([
                ("reject", u64::from(rejected.reject.number()).into()),
                ("kennel", founding.kennel.0.into()),
                (items::EXPIRY, ttl_s.into()),
            ]);
            batch.guarded.push(if_absent(items::reject(&id), set));
            if let (Some(body), false) = (&entry.body, is_of_the_event_alone(rejected.reject)) {
                let ttl_s = (self.clock.now_ms() + SPARE_KEPT_MS) / 1000;
                batch.guarded.push(spare_update(&id, body, ttl_s));
                spared.push((id, &entry.event, body.clone()));
            }
        }
        if !batch.guarded.is_empty() {
            self.table.publish(&batch).await?;
        }
        if !spared.is_empty() {
            // Whoever goes on after a miner that committed such an event, and crashed, looks for the
            // spare body, and here the chain is looked at after it was written: one of the two sees
            // what the other did. If this fails the message is redelivered.
            self.follow(founding).await?;
            for (id, event, body) in spared {
                let place = self.accepted(&id, event).await?;
                accepted.extend(place.map(|place| (id, place, body)));
            }
        }
        for (id, place, body) in accepted {
            self.keep_late(founding, id, &place, body).await?;
        }
        Ok(())
    }

    /// Reads the head, and the blocks up to it.
    async fn follow(&self, founding: &Founding) -> Result<(), MineError> {
        let head = read_head(self.table.as_ref(), founding, Consistency::Strong).await?;
        Ok(self.read_side.catch_up(&founding.kennel, &head).await?)
    }

    /// Where an event is that is rejected now and was accepted earlier.
    async fn accepted(&self, id: &EventId, event: &Bytes) -> Result<Option<Attributes>, MineError> {
        let in_tail = self.read_side.place_in_tail(id);
        if in_tail.is_some() && !planted(Bug::UnpublishedForgotten) {
            return Ok(in_tail);
        }
        let Ok(signed) = SignedEvent::read(&event.0) else { return Ok(None) };
        // No block takes an event that expires later than a day after it.
        let ahead_ms = limits::EXPIRES_AHEAD_MS_MAX + self.settings.window.span_ms;
        let from_ms = signed.event.expires_ms.saturating_sub(ahead_ms);
        Ok(self.read_side.published_place(id, None, from_ms, Consistency::Strong).await?)
    }

    /// Stores the body of an event that was accepted earlier.
    async fn keep_late(
        &self,
        founding: &Founding,
        id: EventId,
        place: &Attributes,
        body: SaltedBody,
    ) -> Result<(), MineError> {
        let (table, kennel) = (self.table.as_ref(), &founding.kennel);
        let (height, hash) = (place.number("height")?, BlockHash(place.digest("hash")?));
        let block = match self.read_side.block_in_tail(kennel, height) {
            Some(block) => block,
            None => Arc::new(read_block(table, kennel, height, &hash).await?.publication()?),
        };
        let late = Bodies::from([(id, body)]);
        Ok(publisher::keep_late(table, &block, &late, self.settings.search_words_max).await?)
    }
}

/// Whether no miner can ever decide otherwise, because neither state nor time plays a part. The
/// range of a nonce is not among them: that of an office's event ends with the present.
fn is_of_the_event_alone(reject: Reject) -> bool {
    use Reject::{
        AmountRange, BadSignature, Malformed, TooLarge, UnknownKind, WeakStamp, WrongKennel, WrongVersion,
    };
    matches!(
        reject,
        TooLarge
            | Malformed
            | WrongVersion
            | UnknownKind
            | WrongKennel
            | AmountRange
            | WeakStamp
            | BadSignature
    )
}

/// The bodies in these messages, by event.
fn bodies_of(works: &[Work]) -> Bodies {
    works
        .iter()
        .flat_map(|work| &work.message.entries)
        .filter_map(|entry| {
            let body = entry.body.clone()?;
            Some((SignedEvent::read(&entry.event.0).ok()?.id, body))
        })
        .collect()
}

/// Logs every event that a committed block took of these messages.
fn log_accepted(kennel: &KennelId, works: &[Work], outcome: &Outcome, head: &Head) {
    if !event_log::is_read() {
        return;
    }
    let rejected: BTreeSet<_> = outcome.rejects.iter().map(|reject| (reject.message, reject.event)).collect();
    let mut accepted = Vec::new();
    for (message, work) in (0..outcome.consumed).zip(works) {
        for (event, entry) in (0..).zip(&work.message.entries) {
            if !rejected.contains(&(message, event)) {
                accepted.push(identify(&entry.event));
            }
        }
    }
    event_log::committed(kennel, &accepted, head.height, &head.hash);
}

/// An event's id; for bytes that are no event, a stand-in by their hash.
fn identify(event: &Bytes) -> EventId {
    match SignedEvent::read(&event.0) {
        Ok(signed) => signed.id,
        Err(_) => EventId(pitpet_chain::hash::sha256(&event.0)),
    }
}
