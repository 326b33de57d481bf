//! The reaper: on a schedule it mines time on idle kennels, ends the stories of the dead,
//! finishes what a miner left, prepares kennels before places run out, and clears garbage and unused
//! uploads.
//!
//! Its events go through the queue like everyone's and are deterministic byte for byte within a
//! period, so that two runs do no harm. (Where a kennel has time witnesses, the time event carries
//! what they have said by then; two of them differ, and the later one finds another head.)

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use futures::future::BoxFuture;
use pitpet_chain::codec::Bytes;
use pitpet_chain::event::{Event, Payload, SignedEvent, VERSION};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, Digest32, KennelId, PublicKey};
use pitpet_chain::state::Phase;

use crate::event_log;
use crate::founding::Foundings;
use crate::head::{CommittedHead, Founding, LedgerError, damaged, read_head};
use crate::items::{self, DAY_MS, Fields as _, attributes};
use crate::message::{Entry, pack};
use crate::opening::{self, Seen};
use crate::planted::{Bug, planted};
use crate::ports::{
    Clock, Condition, Consistency, Key, Objects, Order, Query, Queue, Retry, Table, TableError, Update,
};
use crate::publication::Bodies;
use crate::publisher;
use crate::query::read_pet;
use crate::read_side::ReadSide;
use crate::search::WORDS_MAX;
use crate::statements::majority;
use crate::window::WindowRule;

/// A head younger than this may still be its miner's: so long a function on Lambda may run, ms.
const GRACE_MS: u64 = 15 * 60 * 1_000;

/// Stories ended for one kennel in one run.
const STORIES_MAX: u32 = 100;

/// Heights swept for garbage in one kennel in one run.
const SWEPT_MAX: u64 = 4_096;

/// Tracks read at once.
const TRACKS_MAX: u32 = 1_000;

/// Staged blocks of a height read at once.
const STAGED_MAX: u32 = 100;

/// How old a block must be for its height to be swept, ms: whoever may still stage another one
/// there read the head before it was committed, so at most as long ago as a miner may run
/// (15 minutes on Lambda). The rest of the hour is for clocks that are off.
const SWEPT_AFTER_MS: u64 = 60 * 60 * 1_000;

/// Uploads looked at in one run.
const UPLOADS_MAX: u32 = 1_000;

/// Half of an event's longest life: its expiry is the end of the period after the current one.
const PERIOD_MS: u64 = DAY_MS / 2;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReapReport {
    /// Time events sent.
    pub times: u64,
    /// Story ends sent.
    pub stories: u64,
    /// Kennels in which it finished what a miner had left.
    pub published: u64,
    /// Staged blocks deleted that lost.
    pub garbage: u64,
    /// Unused uploads deleted.
    pub uploads: u64,
    /// Kennels that are being opened, because places run out.
    pub opening: u64,
    /// Kennels that could not be looked after; the log says why.
    pub failed: u64,
}

/// The reaper.
pub struct Reaper {
    table: Arc<dyn Table>,
    read_side: Arc<ReadSide>,
    queue: Arc<dyn Queue>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    foundings: Foundings,
    house: SigningKey,
    search_words_max: usize,
    window: WindowRule,
}

impl Reaper {
    /// Makes a reaper; `house` signs its events.
    pub fn new(
        table: Arc<dyn Table>,
        queue: Arc<dyn Queue>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        house: SigningKey,
    ) -> Self {
        let foundings = Foundings::new(table.clone());
        Self {
            read_side: ReadSide::over(table.clone()),
            table,
            queue,
            objects,
            clock,
            foundings,
            house,
            search_words_max: WORDS_MAX,
            window: WindowRule::DEFAULT,
        }
    }

    /// Of texts that it publishes, this many words can be searched for: as many as the miner's.
    #[must_use]
    pub fn indexing(mut self, search_words_max: usize) -> Self {
        self.search_words_max = search_words_max;
        self
    }

    /// Shares what is known of the tails with others of the same process.
    #[must_use]
    pub fn sharing(self, read_side: Arc<ReadSide>) -> Self {
        Self { read_side, ..self }
    }

    /// Closes windows by this rule: the miner's.
    #[must_use]
    pub fn closing(self, window: WindowRule) -> Self {
        Self { window, ..self }
    }

    /// Looks after every kennel once.
    ///
    /// # Errors
    /// [`LedgerError`] if the list of kennels can't be read. A kennel that fails doesn't stop the others.
    pub fn reap(&self) -> BoxFuture<'_, Result<ReapReport, LedgerError>> {
        // A boxed future is compiled here, once, and not in every program that waits for it.
        Box::pin(self.reap_all())
    }

    async fn reap_all(&self) -> Result<ReapReport, LedgerError> {
        let mut report = ReapReport::default();
        let mut kennels = Vec::new();
        for founding in self.foundings.list().await? {
            let mut newest = None;
            if let Err(error) = self.reap_kennel(&founding, &mut newest, &mut report).await {
                tracing::error!(kennel = %founding.kennel, %error, "the reaper could not look after a kennel");
                report.failed += 1;
            }
            let newest = newest.map(|head| (head.summary.totals, head.header.rules_hash));
            kennels.push(Seen { founding, newest });
        }
        let (table, queue) = (self.table.as_ref(), self.queue.as_ref());
        match opening::prepare(table, queue, self.clock.now_ms(), &kennels).await {
            Ok(opening) => report.opening += opening,
            Err((kennel, error)) => {
                tracing::error!(%kennel, %error, "the reaper could not prepare the kennel after this one");
                report.failed += 1;
            }
        }
        if let Err(error) = self.clear_uploads(&mut report).await {
            tracing::error!(%error, "the reaper could not clear unused uploads");
            report.failed += 1;
        }
        Ok(report)
    }

    /// Looks after a kennel; gives its head as soon as it is read, whatever fails then.
    async fn reap_kennel(
        &self,
        founding: &Founding,
        newest: &mut Option<CommittedHead>,
        report: &mut ReapReport,
    ) -> Result<(), LedgerError> {
        let head = read_head(self.table.as_ref(), founding, Consistency::Strong).await?;
        *newest = Some(head.clone());
        let now_ms = self.clock.now_ms();
        let is_left = now_ms.saturating_sub(head.header.timestamp_ms) > GRACE_MS;
        if is_left && self.finish(founding, &head).await? {
            report.published += 1;
        }
        if let Some(time) = self.due_time(founding, &head).await? {
            self.send(founding, vec![time]).await?;
            report.times += 1;
        }
        self.end_stories(founding, &head, report).await?;
        self.sweep(founding, &head, report).await
    }

    /// Finishes what a miner left: what can't wait of the last block, and a window that is closed by its
    /// count of blocks; gives whether there was any.
    async fn finish(&self, founding: &Founding, head: &CommittedHead) -> Result<bool, LedgerError> {
        let kept = head.kept_height.max(head.published_height);
        let is_behind = head.height.saturating_sub(head.published_height) >= self.window.blocks;
        if kept >= head.height && !is_behind {
            return Ok(false);
        }
        self.read_side.catch_up(&founding.kennel, head).await?;
        for block in self.read_side.tail(&founding.kennel, kept) {
            publisher::keep(self.table.as_ref(), &block, &Bodies::new()).await?;
        }
        publisher::note_kept(self.table.as_ref(), &founding.kennel, head.height).await?;
        let (rule, words_max) = (&self.window, self.search_words_max);
        publisher::publish_closed(&self.read_side, founding, &head.into(), rule, words_max).await?;
        Ok(true)
    }

    /// The next block's timestamp as the miner will set it, about.
    fn block_time(&self, founding: &Founding, head: &CommittedHead) -> u64 {
        let parent_ms = head.header.timestamp_ms;
        let latest_ms = match head.summary.totals.living {
            0 => u64::MAX,
            _ => parent_ms + 2 * founding.genesis.parameters.idle_ms,
        };
        self.clock.now_ms().clamp(parent_ms, latest_ms)
    }

    /// A time event, if the kennel has living pets and was idle long enough; where it has time
    /// witnesses, if enough of them say so.
    async fn due_time(
        &self,
        founding: &Founding,
        head: &CommittedHead,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let totals = &head.summary.totals;
        let time_ms = self.block_time(founding, head);
        let is_idle = time_ms.saturating_sub(totals.last_aging_ms) >= founding.genesis.parameters.idle_ms;
        if totals.living == 0 || !is_idle {
            return Ok(None);
        }
        let statements = majority(self.table.as_ref(), founding, &head.hash).await?;
        Ok(statements
            .map(|statements| self.event(founding, time_ms, Payload::Time { parent: head.hash, statements })))
    }

    /// A house event that is the same whoever makes it within a period of 12 hours.
    fn event(&self, founding: &Founding, time_ms: u64, payload: Payload) -> Vec<u8> {
        let key = PublicKey(self.house.verifying_key().to_bytes());
        let mut event = Event {
            version: VERSION,
            kennel: founding.kennel,
            account: AccountId::of(&key),
            key,
            nonce: 0,
            expires_ms: (time_ms / PERIOD_MS + 2) * PERIOD_MS,
            payload,
            stamp: 0,
        };
        event.seal_stamp(&founding.genesis.parameters);
        event.sign(&self.house)
    }

    async fn send(&self, founding: &Founding, events: Vec<Vec<u8>>) -> Result<(), LedgerError> {
        let ids: Vec<_> = events.iter().filter_map(|event| Some(SignedEvent::read(event).ok()?.id)).collect();
        let entries = events.into_iter().map(|event| Entry { event: Bytes(event), body: None }).collect();
        let messages: Vec<_> =
            pack(founding.kennel, entries).into_iter().map(|(message, _)| message.write()).collect();
        for outcome in self.queue.send(&messages).await {
            // The next run sends it again.
            outcome.map_err(|error| TableError::Unavailable { message: error.to_string() })?;
        }
        event_log::queued(&founding.kennel, &ids);
        Ok(())
    }

    async fn end_stories(
        &self,
        founding: &Founding,
        head: &CommittedHead,
        report: &mut ReapReport,
    ) -> Result<(), LedgerError> {
        let query = Query {
            pk: items::dead_pk(&founding.kennel),
            from: "0".to_owned(),
            to: "g".to_owned(),
            order: Order::Ascending,
            limit: STORIES_MAX,
            consistency: Consistency::Strong,
        };
        let mut events = Vec::new();
        let dead = self.table.query(&query).await?;
        if !dead.is_empty() {
            self.read_side.catch_up(&founding.kennel, head).await?;
        }
        for item in dead {
            let Ok(birth) = item.key.sk.parse::<BirthHash>() else { continue };
            match read_pet(self.read_side.as_ref(), &birth, Consistency::Strong).await? {
                Some(card) if card.pet.phase >= Phase::Ended => self.table.delete(&item.key).await?,
                _ => {
                    let time_ms = self.block_time(founding, head);
                    events.push(self.event(founding, time_ms, Payload::StoryEnd { pet: birth }));
                }
            }
        }
        report.stories += events.len() as u64;
        if events.is_empty() { Ok(()) } else { self.send(founding, events).await }
    }

    /// Deletes staged blocks that lost: what no track names, at published heights whose block is
    /// older than [`SWEPT_AFTER_MS`].
    async fn sweep(
        &self,
        founding: &Founding,
        head: &CommittedHead,
        report: &mut ReapReport,
    ) -> Result<(), LedgerError> {
        let (table, kennel) = (self.read_side.as_ref(), &founding.kennel);
        let end = match planted(Bug::GarbageAtHead) {
            true => return self.sweep_height(kennel, head.height + 1, None, report).await.map(drop),
            false => head.published_height.min(head.swept_height + SWEPT_MAX),
        };
        let mut swept = head.swept_height;
        // The first block above is a child of the last one that was swept.
        let mut parent = match table.get(&items::track(kennel, swept), Consistency::Strong).await? {
            Some(track) => BlockHash(track.digest("hash")?),
            None => return Err(damaged("a published height has no track")),
        };
        while swept < end {
            let query = Query {
                pk: items::chain(kennel),
                from: items::track_sk(swept + 1),
                to: items::track_sk(end),
                order: Order::Ascending,
                limit: TRACKS_MAX,
                consistency: Consistency::Strong,
            };
            let before = swept;
            for track in table.query(&query).await? {
                let height = swept + 1;
                if track.key.sk != items::track_sk(height) {
                    return Err(damaged("a published height has no track"));
                }
                if track.attributes.number("timestamp_ms")? + SWEPT_AFTER_MS > self.clock.now_ms() {
                    break;
                }
                let live = BlockHash(track.attributes.digest("hash")?);
                if self.sweep_height(kennel, height, Some(live), report).await? != Some(parent) {
                    return Err(damaged("a track names no child of the block below"));
                }
                (swept, parent) = (height, live);
            }
            if swept == before {
                break;
            }
            let risen = Update {
                key: items::head(kennel),
                set: attributes([("swept_height", swept.into())]),
                remove: Vec::new(),
                condition: Condition::Below("swept_height", swept),
                retry: Retry::Allowed,
            };
            match table.update(&risen).await {
                Ok(()) | Err(TableError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Deletes what is staged at a height besides the live block, however much it is; gives the
    /// live block's parent, if the block is there.
    async fn sweep_height(
        &self,
        kennel: &KennelId,
        height: u64,
        live: Option<BlockHash>,
        report: &mut ReapReport,
    ) -> Result<Option<BlockHash>, LedgerError> {
        let table = self.table.as_ref();
        let prefix = items::block_prefix(height);
        let mut query = Query {
            pk: items::chain(kennel),
            from: prefix.clone(),
            to: format!("{prefix}~"),
            order: Order::Ascending,
            limit: STAGED_MAX,
            consistency: Consistency::Strong,
        };
        let (mut parent, mut garbage) = (None, Vec::new());
        loop {
            let staged = table.query(&query).await?;
            let is_last = staged.len() < STAGED_MAX as usize;
            for item in staged {
                let hash = item.key.sk.strip_prefix(&prefix).and_then(|hash| hash.parse().ok());
                if hash.is_some() && hash == live {
                    parent = Some(BlockHash(item.attributes.digest("parent")?));
                } else {
                    garbage.push(item.key);
                }
            }
            match garbage.last() {
                Some(last) if !is_last => query.from = format!("{} ", last.sk),
                _ => break,
            }
        }
        // Nothing is deleted where the live block is not found.
        if parent.is_some() || live.is_none() {
            for key in garbage {
                table.delete(&key).await?;
                report.garbage += 1;
            }
        }
        Ok(parent)
    }

    /// Deletes photos that nothing refers to a day after their upload was allowed.
    async fn clear_uploads(&self, report: &mut ReapReport) -> Result<(), LedgerError> {
        let today = self.clock.now_ms() / DAY_MS;
        // Two days back every ticket of that day is over 24 hours old; three, in case a run was missed.
        for day in [today.saturating_sub(2), today.saturating_sub(3)] {
            let pk = items::upload(day, &[0; 32]).pk;
            let query = Query {
                pk: pk.clone(),
                from: "0".to_owned(),
                to: "g".to_owned(),
                order: Order::Ascending,
                limit: UPLOADS_MAX,
                consistency: Consistency::Strong,
            };
            for item in self.table.query(&query).await? {
                let mut sha256: Digest32 = [0; 32];
                if hex::decode_to_slice(&item.key.sk, &mut sha256).is_err() {
                    continue;
                }
                let mut wanted = self.table.get(&items::photo(&sha256), Consistency::Strong).await?.is_some();
                // Somebody may have asked to upload the same photo again since.
                for later in day + 1..=today {
                    let key = items::upload(later, &sha256);
                    wanted = wanted || self.table.get(&key, Consistency::Strong).await?.is_some();
                }
                if !wanted {
                    self.objects.delete(&items::photo_object(&sha256)).await?;
                    report.uploads += 1;
                }
                self.table.delete(&Key::new(pk.clone(), item.key.sk)).await?;
            }
        }
        Ok(())
    }
}
