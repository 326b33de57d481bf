//! The read side as its readers ask for it: entry by entry, up to the head.
//!
//! What is published lies in the table in [runs and buckets](crate::runs), up to the end of the
//! newest closed [window](crate::window). The blocks above, the *tail*, are read once by whoever asks
//! and kept in memory with what they mean; a block that follows costs one read. A [`ReadSide`] is a
//! [`Table`] in which all of it stands under the keys of [`crate::items`].
//!
//! A tail reaches as far as its owner has let it [catch up](ReadSide::catch_up), which is told the head:
//! who then asks finds what the blocks up to there mean. What is published meanwhile is forgotten little
//! by little, because reads that may lag don't see it at once.
//!
//! Writes go to the table as they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};

use async_trait::async_trait;
use futures::future::{try_join, try_join_all};
use lru::LruCache;
use pitpet_chain::body::Body;
use pitpet_chain::hash::{BlockHash, EventId, KennelId};

use crate::founding::Foundings;
use crate::head::{CommittedHead, Founding, LedgerError, StoredBlock, damaged, head_of, read_block};
use crate::items::{self, Fields, attributes};
use crate::ports::{
    Attributes, Clock, Consistency, Item, Key, Order, PublishBatch, Query, Table, TableError, Update,
};
use crate::publication::{Publication, Text};
use crate::runs::{self, Listed};
use crate::search;
use crate::tail::{Memory, Overlay, Tail, Words};
use crate::texts;

/// A reader that follows by itself looks for new blocks after this long, ms.
pub const FRESH_MS: u64 = 250;

/// Blocks read one after the other; more are read as a range.
const WALKED_MAX: u64 = 4;

/// A tail this many blocks behind what is published is caught up with, so that whoever waits for an
/// event sees it pass; one further behind begins anew.
const CAUGHT_UP_MAX: u64 = 64;

/// Blocks of a range read at once.
const BLOCKS_MAX: u32 = 250;

/// Buckets of a partition read at once.
const BUCKETS_MAX: u32 = 50;

/// Blocks whose texts are read at once.
pub(crate) const BLOCKS_AT_ONCE: usize = 16;

/// Places that are remembered.
const PLACES_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("it is not zero");

/// Keys of one [`Table::get_many`].
pub(crate) const KEYS_MAX: usize = 100;

/// How far a kennel's blocks reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The newest one's height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Height up to which the read side is complete in the table.
    pub published_height: u64,
}

impl From<&CommittedHead> for Reach {
    fn from(head: &CommittedHead) -> Self {
        Self { height: head.height, hash: head.hash, published_height: head.published_height }
    }
}

/// The read side of a table.
pub struct ReadSide {
    table: Arc<dyn Table>,
    foundings: Foundings,
    /// Of a reader that follows by itself; none where its owner says when.
    clock: Option<Arc<dyn Clock>>,
    /// When it followed last, ms.
    followed_ms: AtomicU64,
    /// The same, held by whoever follows.
    following: futures::lock::Mutex<u64>,
    /// Each kennel's head, with the item that it was checked in.
    checked: Mutex<HashMap<KennelId, (Attributes, CommittedHead)>>,
    /// Where events are that were asked for: that never changes.
    places: Mutex<LruCache<EventId, Attributes>>,
    memory: RwLock<Memory>,
    /// So that one caller reads a kennel's blocks, and others wait for it.
    reading: Mutex<HashMap<KennelId, Arc<futures::lock::Mutex<()>>>>,
}

impl ReadSide {
    /// The read side of a table, of whose tails nothing is known until it is told to follow.
    pub fn over(table: Arc<dyn Table>) -> Arc<Self> {
        Self::new(table, None)
    }

    /// The read side of a table, which follows all kennels by itself: what is read is at most
    /// [`FRESH_MS`] old.
    pub fn following(table: Arc<dyn Table>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::new(table, Some(clock))
    }

    fn new(table: Arc<dyn Table>, clock: Option<Arc<dyn Clock>>) -> Arc<Self> {
        Arc::new(Self {
            foundings: Foundings::new(table.clone()),
            table,
            clock,
            followed_ms: AtomicU64::new(0),
            following: futures::lock::Mutex::new(0),
            checked: Mutex::default(),
            places: Mutex::new(LruCache::new(PLACES_MAX)),
            memory: RwLock::default(),
            reading: Mutex::default(),
        })
    }

    /// Follows all kennels if that was not done a moment ago, for a read of what blocks change.
    async fn freshen(&self) -> Result<(), LedgerError> {
        let Some(clock) = &self.clock else { return Ok(()) };
        // A clock that stands still doesn't tell.
        let is_fresh = |followed_ms: u64| (1..FRESH_MS).contains(&clock.now_ms().saturating_sub(followed_ms));
        if is_fresh(self.followed_ms.load(Relaxed)) {
            return Ok(());
        }
        // Of a page's reads one follows, and the others wait for it.
        let asked_ms = clock.now_ms();
        let mut followed_ms = self.following.lock().await;
        if asked_ms < *followed_ms || is_fresh(*followed_ms) {
            return Ok(());
        }
        let now_ms = clock.now_ms();
        self.follow_all(Consistency::Eventual).await?;
        *followed_ms = now_ms;
        self.followed_ms.store(now_ms, Relaxed);
        Ok(())
    }

    /// Checks a head's item, unless it is the one that was checked last, and reads the blocks up to it.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn follow(
        &self,
        founding: &Founding,
        item: Option<Attributes>,
    ) -> Result<CommittedHead, LedgerError> {
        let item = item.ok_or(LedgerError::UnknownKennel)?;
        let checked = || self.checked.lock().expect("no panic while the heads are locked");
        let known =
            checked().get(&founding.kennel).filter(|(known, _)| *known == item).map(|(_, head)| head.clone());
        let head = match known {
            Some(head) => head,
            None => {
                let head = head_of(&item, founding)?;
                checked().insert(founding.kennel, (item, head.clone()));
                head
            }
        };
        self.catch_up(&founding.kennel, &head).await?;
        Ok(head)
    }

    /// The table beneath.
    pub fn table(&self) -> &dyn Table {
        self.table.as_ref()
    }

    fn look<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        look(&self.memory.read().expect("no panic while the tails are locked"))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.write().expect("no panic while the tails are locked"))
    }

    /// Reads the blocks of all kennels up to their heads.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn follow_all(&self, consistency: Consistency) -> Result<(), LedgerError> {
        let foundings = self.foundings.list().await?;
        let keys: Vec<Key> = foundings.iter().map(|founding| items::head(&founding.kennel)).collect();
        let heads = match consistency {
            Consistency::Eventual => {
                let chunks = keys.chunks(KEYS_MAX).map(|chunk| self.table.get_many(chunk));
                try_join_all(chunks).await?.concat()
            }
            Consistency::Strong => {
                try_join_all(keys.iter().map(|key| self.table.get(key, consistency))).await?
            }
        };
        let follow = foundings.iter().zip(heads).map(|(founding, head)| async move {
            // One that is being opened is listed before its head is seen by every read.
            let Some(head) = head else { return Ok(()) };
            match self.follow(founding, Some(head)).await {
                Err(LedgerError::Damaged(what)) => {
                    // The other kennels are read all the same; this one's pages say what is wrong.
                    tracing::error!(kennel = %founding.kennel, what, "a kennel can't be followed");
                    Ok(())
                }
                followed => followed.map(drop),
            }
        });
        try_join_all(follow).await.map(drop)
    }

    /// Reads a kennel's blocks up to a head that are not known yet.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn catch_up(&self, kennel: &KennelId, head: &CommittedHead) -> Result<(), LedgerError> {
        self.reach(kennel, &head.into()).await
    }

    /// Reads a kennel's blocks up to one of them that are not known yet.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn reach(&self, kennel: &KennelId, head: &Reach) -> Result<(), LedgerError> {
        if self.look(|memory| memory.tails.get(kennel).is_some_and(|tail| is_at(tail, head))) {
            return Ok(());
        }
        let reading = self.reading.lock().expect("no panic while the list is locked");
        let reading = { reading }.entry(*kennel).or_default().clone();
        let _reading = reading.lock().await;
        let (published, height) = (head.published_height, head.height);
        let newest = self.change(|memory| {
            let tail = memory.tails.entry(*kennel).or_default();
            let (newest, before) = (tail.newest(), tail.published);
            tail.published = published.max(before);
            // Behind a gap nothing is known; and the window before the newest is seen by every read.
            let is_apart = newest.is_some_and(|(at, _)| at + CAUGHT_UP_MAX < published);
            if is_apart {
                memory.forget(kennel, u64::MAX);
            } else if published > before {
                memory.forget(kennel, before);
            }
            newest.filter(|_| !is_apart)
        });
        // A head that was read earlier than another one says that less is published.
        let published = published.max(self.unpublished(kennel).0);
        let from = newest.map_or(published, |(at, _)| at);
        if from >= height {
            return Ok(());
        }
        let mut path = self.path(kennel, from, head).await?;
        if let (Some((_, hash)), Some(first)) = (newest, path.first())
            && first.parent != hash
        {
            tracing::warn!(%kennel, height, "the blocks in memory were not those of the chain: reading them anew");
            self.change(|memory| memory.forget(kennel, u64::MAX));
            path = self.path(kennel, published, head).await?;
        }
        self.change(|memory| path.into_iter().for_each(|block| memory.push(Arc::new(block))));
        Ok(())
    }

    /// What the blocks above a height mean, up to a head.
    async fn path(
        &self,
        kennel: &KennelId,
        above: u64,
        head: &Reach,
    ) -> Result<Vec<Publication>, LedgerError> {
        let mut stored: HashMap<(u64, BlockHash), StoredBlock> = HashMap::new();
        if head.height - above > WALKED_MAX {
            let mut query = Query {
                pk: items::chain(kennel),
                from: items::block_prefix(above + 1),
                to: format!("{}~", items::block_prefix(head.height)),
                order: Order::Ascending,
                limit: BLOCKS_MAX,
                consistency: Consistency::Strong,
            };
            loop {
                let page = self.table.query(&query).await?;
                let is_last = page.len() < BLOCKS_MAX as usize;
                if let Some(last) = page.last() {
                    query.from = format!("{} ", last.key.sk);
                }
                for item in page {
                    let mut parts = item.key.sk.split('#').skip(1);
                    let (height, hash) = (parts.next(), parts.next());
                    let height = height.and_then(|height| height.parse().ok());
                    let hash = hash.and_then(|hash| hash.parse().ok());
                    let (Some(height), Some(hash)) = (height, hash) else { continue };
                    // One that lost may be damaged; one of the path is read again, and said to be.
                    if let Ok(block) = StoredBlock::of(&item.attributes) {
                        stored.insert((height, hash), block);
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        let (mut height, mut hash) = (head.height, head.hash);
        let mut path = Vec::new();
        while height > above {
            let block = match stored.remove(&(height, hash)) {
                Some(block) => block,
                None => read_block(self.table.as_ref(), kennel, height, &hash).await?,
            };
            let made = block.publication()?;
            if made.hash != hash {
                return Err(damaged("a committed block is another one"));
            }
            (height, hash) = (height - 1, made.parent);
            path.push(made);
        }
        path.reverse();
        Ok(path)
    }

    /// Takes over a block that was committed a moment ago, if the tail reaches up to its parent.
    pub fn push(&self, publication: Arc<Publication>) {
        self.change(|memory| memory.push(publication));
    }

    /// The blocks of a kennel above a height, as far as they are known.
    pub fn tail(&self, kennel: &KennelId, above: u64) -> Vec<Arc<Publication>> {
        self.look(|memory| {
            memory.tails.get(kennel).into_iter().flat_map(|tail| tail.above(above)).cloned().collect()
        })
    }

    /// Up to which height a kennel is published, as far as is known, and the blocks above.
    pub fn unpublished(&self, kennel: &KennelId) -> (u64, Vec<Arc<Publication>>) {
        self.look(|memory| match memory.tails.get(kennel) {
            Some(tail) => (tail.published, tail.above(tail.published).cloned().collect()),
            None => (0, Vec::new()),
        })
    }

    /// A block of a kennel's tail.
    pub fn block_in_tail(&self, kennel: &KennelId, height: u64) -> Option<Arc<Publication>> {
        self.look(|memory| memory.tails.get(kennel)?.at(height).cloned())
    }

    /// Where an event is, if one of the tails has it.
    pub fn place_in_tail(&self, event: &EventId) -> Option<Attributes> {
        self.look(|memory| memory.entry(&items::place(event)))
    }

    /// What stands under a card's key, up to where the tails are known.
    ///
    /// # Errors
    /// [`TableError`].
    pub async fn known(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        // What the tails say is taken first: they may forget it once it is published.
        let overlay = self.look(|memory| memory.overlay(key));
        Ok(overlay.over(self.table.get(key, consistency).await?))
    }

    /// Where an event is: in the tails, or as its bucket says.
    async fn place(
        &self,
        event: &EventId,
        consistency: Consistency,
    ) -> Result<Option<Attributes>, LedgerError> {
        match self.place_in_tail(event) {
            Some(place) => Ok(Some(place)),
            None => self.published_place(event, None, 0, consistency).await,
        }
    }

    /// Where an event is, as the bucket says of a window that began no earlier than this, ms, of one
    /// kennel or of any.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn published_place(
        &self,
        event: &EventId,
        kennel: Option<&KennelId>,
        from_ms: u64,
        consistency: Consistency,
    ) -> Result<Option<Attributes>, LedgerError> {
        let known = || self.places.lock().expect("no panic while the places are locked");
        if let Some(place) = known().get(event) {
            return Ok(Some(place.clone()));
        }
        let mut buckets = Buckets::new(runs::place_bucket(event), from_ms, None, consistency);
        while let Some(page) = buckets.next(self.table.as_ref()).await? {
            for bucket in page {
                let is_other =
                    |kennel: &KennelId| runs::kennel_of(&bucket.key.sk).is_ok_and(|of| of != *kennel);
                if kennel.is_some_and(is_other) {
                    continue;
                }
                let Some((kennel, height, index, kind)) = runs::place_in(&bucket, event)? else { continue };
                let track = self.run_entry(&items::track(&kennel, height), consistency).await?;
                // Its window is being published: for a reader it isn't yet.
                let Some(track) = track else { continue };
                let place = attributes([
                    ("kennel", kennel.0.into()),
                    ("height", height.into()),
                    ("hash", track.digest("hash")?.into()),
                    ("index", index.into()),
                    ("kind", kind.into()),
                    ("timestamp_ms", track.number("timestamp_ms")?.into()),
                ]);
                known().put(*event, place.clone());
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// An entry of a run.
    async fn run_entry(
        &self,
        key: &Key,
        consistency: Consistency,
    ) -> Result<Option<Attributes>, LedgerError> {
        if let Some(entry) = self.look(|memory| memory.entry(key)) {
            return Ok(Some(entry));
        }
        let query = Query {
            pk: key.pk.clone(),
            from: runs::first_of(&key.pk).to_owned(),
            to: key.sk.clone(),
            order: Order::Descending,
            limit: 1,
            consistency,
        };
        let Some(run) = self.table.query(&query).await?.pop() else { return Ok(None) };
        Ok(runs::unpack(&run)?.into_iter().find(|entry| entry.key == *key).map(|entry| entry.attributes))
    }

    /// The stored entries of a range, in the query's order, at least as many as it asks for if there are.
    async fn stored_entries(&self, query: &Query) -> Result<Vec<Item>, LedgerError> {
        let first = runs::first_of(&query.pk).to_owned();
        let mut found = Vec::new();
        let is_in = |item: &Item| item.key.sk >= query.from && item.key.sk <= query.to;
        let limit = (query.limit / 8 + 2).min(query.limit.max(2));
        let mut part = Query { from: first.clone(), limit, ..query.clone() };
        if query.order == Order::Ascending {
            // The run that the range begins in.
            let before = Query { to: query.from.clone(), order: Order::Descending, limit: 1, ..part.clone() };
            let begins = self.table.query(&before).await?.pop();
            part.from = begins.map_or_else(|| query.from.clone().max(first), |run| run.key.sk);
        }
        let mut known: Option<String> = None;
        loop {
            let page = self.table.query(&part).await?;
            let is_last = page.len() < limit as usize;
            let runs: Vec<Item> =
                page.into_iter().filter(|run| Some(&run.key.sk) != known.as_ref()).collect();
            let mut is_beyond = false;
            for run in &runs {
                let mut entries: Vec<Item> = runs::unpack(run)?.into_iter().filter(is_in).collect();
                if query.order == Order::Descending {
                    entries.reverse();
                    is_beyond = run.key.sk <= query.from;
                }
                found.extend(entries);
            }
            let Some(last) = runs.last().map(|run| run.key.sk.clone()) else { return Ok(found) };
            if is_last || is_beyond || found.len() >= query.limit as usize {
                return Ok(found);
            }
            match query.order {
                Order::Ascending => part.from.clone_from(&last),
                Order::Descending => part.to.clone_from(&last),
            }
            known = Some(last);
        }
    }

    /// Reads texts that are needed for the words of the tails.
    async fn learn_words(&self) -> Result<(), LedgerError> {
        for blocks in self.look(Memory::wordless).chunks(BLOCKS_AT_ONCE) {
            let read = |block| read_bodies(self.table.as_ref(), block, Consistency::Eventual);
            let bodies = try_join_all(blocks.iter().map(|block| read(block))).await?;
            self.change(|memory| {
                for (block, bodies) in blocks.iter().zip(bodies) {
                    let (listed, is_whole) = listed(block, &bodies, search::WORDS_MAX);
                    memory.learn(block, Words { listed: Arc::new(listed), is_whole });
                }
            });
        }
        Ok(())
    }

    /// What is listed under words, each with the attributes of its entry.
    ///
    /// Under one word entries are ordered by time, and only as many windows are read as it takes; under
    /// all that begin alike they are ordered by the words, and all windows are.
    async fn words(&self, query: &Query) -> Result<Vec<Item>, LedgerError> {
        self.learn_words().await?;
        let is_in = |sk: &String| *sk >= query.from && *sk <= query.to;
        let mut listed: BTreeMap<String, Key> = self.look(|memory| {
            let mut listed = BTreeMap::new();
            for (kennel, text) in memory.listed() {
                let feed_sk = items::feed_sk(text.timestamp_ms, text.height, text.index, kennel);
                let feed_pk = items::feed_pk(kennel, text.timestamp_ms / items::DAY_MS);
                for word in text.words.iter().filter(|word| search::partition(&word.word) == query.pk) {
                    let sk = word.key(&feed_sk).sk;
                    if is_in(&sk) {
                        listed.insert(sk, Key::new(feed_pk.clone(), feed_sk.clone()));
                    }
                }
            }
            listed
        });
        let is_one = query.order == Order::Descending && search::is_exact(&query.from);
        let time_in = |sk: &str| search::time_in(sk).unwrap_or(u64::MAX);
        let before_ms = is_one.then(|| time_in(&query.to));
        let mut buckets = Buckets::new(runs::word_bucket(&query.pk), 0, before_ms, query.consistency);
        while let Some(page) = buckets.next(self.table.as_ref()).await? {
            let oldest_ms = page.last().and_then(|bucket| runs::began_ms(&bucket.key.sk));
            for bucket in &page {
                listed.extend(runs::unpack_words(bucket)?.into_iter().filter(|(sk, _)| is_in(sk)));
            }
            // A window that began earlier ended within a day.
            let known =
                listed.iter().rev().nth((query.limit as usize).saturating_sub(1)).map(|(sk, _)| time_in(sk));
            let newest_left = oldest_ms.map_or(0, |began_ms| began_ms + items::DAY_MS);
            if is_one && known.is_some_and(|known_ms| known_ms > newest_left) {
                break;
            }
        }
        let mut listed: Vec<(String, Key)> = listed.into_iter().collect();
        if query.order == Order::Descending {
            listed.reverse();
        }
        listed.truncate(query.limit as usize);
        let entries = listed.iter().map(|(_, entry)| self.run_entry(entry, query.consistency));
        let entries = try_join_all(entries).await?;
        let item = |((sk, _), entry): ((String, Key), Option<Attributes>)| {
            Some(Item { key: Key::new(query.pk.clone(), sk), attributes: entry? })
        };
        Ok(listed.into_iter().zip(entries).filter_map(item).collect())
    }
}

/// The buckets of a partition, a page at a time, newest window first.
struct Buckets {
    query: Query,
    known: Option<String>,
    is_over: bool,
}

impl Buckets {
    /// Those of windows that began in this span, ms.
    fn new(pk: String, from_ms: u64, to_ms: Option<u64>, consistency: Consistency) -> Self {
        let (from, to) = runs::bucket_range(from_ms, to_ms);
        let query = Query { pk, from, to, order: Order::Descending, limit: BUCKETS_MAX, consistency };
        Self { query, known: None, is_over: false }
    }

    /// The next ones; none after the last.
    async fn next(&mut self, table: &dyn Table) -> Result<Option<Vec<Item>>, TableError> {
        if self.is_over {
            return Ok(None);
        }
        let mut page = table.query(&self.query).await?;
        self.is_over = page.len() < BUCKETS_MAX as usize;
        if let Some(last) = page.last() {
            self.query.to.clone_from(&last.key.sk);
        }
        // The last one before is read again: the range takes in its end.
        page.retain(|item| Some(&item.key.sk) != self.known.as_ref());
        self.known = Some(self.query.to.clone());
        Ok(Some(page))
    }
}

/// Whether a tail reaches a head, and knows how far that is published.
fn is_at(tail: &Tail, head: &Reach) -> bool {
    let is_known = head.published_height >= head.height
        || tail.at(head.height).is_some_and(|block| block.hash == head.hash);
    is_known && tail.published >= head.published_height
}

/// What is stored of the texts of a block that are found by words, in their order.
///
/// # Errors
/// [`TableError`].
pub async fn read_bodies(
    table: &dyn Table,
    block: &Publication,
    consistency: Consistency,
) -> Result<Vec<Option<Attributes>>, TableError> {
    let keys: Vec<Key> =
        block.texts.iter().filter(|text| text.is_listed()).map(|text| text.key(block)).collect();
    texts::read_many(table, &keys, consistency).await
}

/// A block's texts with their words, of those bodies that are there; and whether that is all.
pub fn listed(block: &Publication, bodies: &[Option<Attributes>], words_max: usize) -> (Vec<Listed>, bool) {
    let texts: Vec<&Text> = block.texts.iter().filter(|text| text.is_listed()).collect();
    let mut is_whole = bodies.len() == texts.len();
    let mut listed = Vec::new();
    for (text, stored) in texts.iter().zip(bodies) {
        let Some(stored) = stored else {
            is_whole = false;
            continue;
        };
        // An erased one has no words.
        let Ok(bytes) = stored.bytes("body") else { continue };
        let Ok(body) = Body::read(text.kind, bytes) else { continue };
        let words = search::words_of(&body, words_max);
        listed.push(Listed {
            height: block.height,
            index: text.index,
            timestamp_ms: block.timestamp_ms,
            words,
        });
    }
    (listed, is_whole)
}

/// Whether what stands under a key changes with blocks, and not only with what is written at once.
fn is_risen(pk: &str, sk: &str) -> bool {
    match pk.get(..2) {
        Some("P#" | "O#" | "A#" | "X#" | "F#" | "N#" | "Y#" | "V#") => true,
        Some("W#") => !search::is_of_names(sk),
        Some("E#") => sk == "PLACE" || sk.starts_with("VERDICT#"),
        Some("K#") => sk.starts_with("T#"),
        _ => false,
    }
}

/// What the ledger lacks, as a table's error.
fn as_table_error(error: LedgerError) -> TableError {
    match error {
        LedgerError::Table(error) => error,
        error => TableError::Refused { message: error.to_string() },
    }
}

#[async_trait]
impl Table for ReadSide {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        if is_risen(&key.pk, &key.sk) {
            self.freshen().await.map_err(as_table_error)?;
        }
        if runs::is_place(key)
            && let Some(event) = key.pk.get(2..).and_then(|id| id.parse().ok())
        {
            return self.place(&event, consistency).await.map_err(as_table_error);
        }
        if runs::is_run(&key.pk, &key.sk) {
            return self.run_entry(key, consistency).await.map_err(as_table_error);
        }
        if texts::is_shared(key) {
            return texts::read(self.table.as_ref(), key, consistency).await;
        }
        self.known(key, consistency).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        if keys.iter().any(|key| is_risen(&key.pk, &key.sk)) {
            self.freshen().await.map_err(as_table_error)?;
        }
        let is_apart = |key: &Key| runs::is_place(key) || runs::is_run(&key.pk, &key.sk);
        // Of several texts of one item that is read once.
        let plain = keys.iter().filter(|key| !is_apart(key)).map(texts::item_of);
        let plain: Vec<Key> = plain.collect::<BTreeSet<_>>().into_iter().collect();
        let apart = keys.iter().filter(|key| is_apart(key));
        let apart = try_join_all(apart.map(|key| self.get(key, Consistency::Eventual)));
        let read =
            async { if plain.is_empty() { Ok(Vec::new()) } else { self.table.get_many(&plain).await } };
        // What the tails say is taken first: they may forget it once it is published.
        let overlays: Vec<Overlay> = self.look(|memory| keys.iter().map(|key| memory.overlay(key)).collect());
        let (apart, read) = try_join(apart, read).await?;
        let read: BTreeMap<&Key, Option<Attributes>> = plain.iter().zip(read).collect();
        let mut apart = apart.into_iter();
        let one = |(key, overlay): (&Key, Overlay)| match is_apart(key) {
            true => apart.next().flatten(),
            false => {
                let stored = read.get(&texts::item_of(key)).and_then(Option::as_ref);
                overlay.over(texts::out_of(key, stored))
            }
        };
        Ok(keys.iter().zip(overlays).map(one).collect())
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        if is_risen(&query.pk, &query.from) {
            self.freshen().await.map_err(as_table_error)?;
        }
        if search::is_partition(&query.pk) && !search::is_of_names(&query.from) {
            return self.words(query).await.map_err(as_table_error);
        }
        // What the tails say is taken first: they may forget it once it is published.
        let overlays = self.look(|memory| memory.overlays(query));
        let mut found = if runs::is_run(&query.pk, &query.from) {
            self.stored_entries(query).await.map_err(as_table_error)?
        } else {
            self.table.query(query).await?
        };
        if !overlays.is_empty() {
            let mut by_key: BTreeMap<Key, Attributes> =
                found.into_iter().map(|item| (item.key, item.attributes)).collect();
            for (key, overlay) in overlays {
                let stored = by_key.remove(&key);
                if let Some(risen) = overlay.over(stored) {
                    by_key.insert(key, risen);
                }
            }
            found = by_key.into_iter().map(|(key, attributes)| Item { key, attributes }).collect();
            if query.order == Order::Descending {
                found.reverse();
            }
        }
        found.truncate(query.limit as usize);
        Ok(found)
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        self.table.put_new(item).await
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        self.table.update(update).await
    }

    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError> {
        self.table.publish(batch).await
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        self.table.delete(key).await
    }
}
