//! The auditor: sees every write to the table, and holds it against a model of its own.
//!
//! The model knows blocks, events and what they do ([books](super::books)) in their simplest form
//! and takes what they must be from the events themselves; it shares records, codec and hashes
//! with the chain, and none of its rules. It knows nothing of faults and nothing of planted bugs.

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::block::{Block, Change, Receipt};
use pitpet_chain::body::commitment;
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BirthHash, BlockHash, Digest32, EventId, KennelId, RulesHash, sha256};
use pitpet_chain::reject::Reject;
use pitpet_pipeline::api::{EventView, Problem};
use pitpet_pipeline::checkpoint;
use pitpet_pipeline::head::{Founding, block_bytes};
use pitpet_pipeline::items::{self, Fields as _};
use pitpet_pipeline::message::{Entry, Message};
use pitpet_pipeline::mine::{MineReport, ReceivedMessage};
use pitpet_pipeline::ports::{Attributes, Item, Key, OutgoingMessage};
use pitpet_pipeline::runs;
use pitpet_pipeline::texts;
use pitpet_pipeline::window::WindowRule;

use super::books::Books;
use super::kinds::{Counts, FaultKind};
use super::world::MS;
use crate::table::{MemoryTable, Written};
use crate::town::WINDOW;

/// What must hold and did not.
pub(super) type Finding = Result<(), String>;

pub(super) fn require(holds: bool, what: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(what()) }
}

pub(super) fn bad<E: std::fmt::Debug>(what: &'static str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error:?}")
}

/// A committed block.
struct Known {
    hash: BlockHash,
    events: Vec<EventId>,
    timestamp_ms: u64,
    /// Root of the log with this block.
    root: Digest32,
    /// When it was committed, µs of the world's time.
    committed_us: u64,
}

/// A kennel as it must be.
struct Ledger {
    genesis: Genesis,
    blocks: Vec<Known>,
    /// Full subtrees of the log, largest first: size and root.
    peaks: Vec<(u64, Digest32)>,
    timestamp_ms: u64,
    books: Books,
    /// Records by card and height, as receipts had them.
    records: BTreeMap<Key, BTreeMap<u64, Vec<u8>>>,
    published: u64,
}

/// Where an event stands in its chain.
#[derive(Clone, Copy)]
struct Placed {
    kennel: KennelId,
    height: u64,
    index: u32,
    /// The step at which it was committed.
    step: u64,
    body: Option<Digest32>,
}

/// The auditor.
pub(super) struct Auditor {
    ledgers: BTreeMap<KennelId, Ledger>,
    /// Events that players made.
    made: BTreeSet<EventId>,
    /// Events answered with 202.
    promised: BTreeSet<EventId>,
    committed: BTreeMap<EventId, Placed>,
    /// Bodies of messages that no miner can ever mine.
    poison: Vec<String>,
    /// Kennels that opened by themselves, each with its predecessor.
    opened: BTreeMap<KennelId, KennelId>,
    step: u64,
    now_us: u64,
    /// By task: the step at which it received its batch.
    received: BTreeMap<usize, u64>,
}

fn node(left: &Digest32, right: &Digest32) -> Digest32 {
    sha256(&[&[1_u8], left.as_slice(), right.as_slice()].concat())
}

impl Ledger {
    /// A kennel founded a moment ago.
    fn new(genesis: &Genesis, rules: RulesHash, hash: &BlockHash) -> Self {
        let mut ledger = Self {
            blocks: Vec::new(),
            peaks: Vec::new(),
            timestamp_ms: genesis.created_ms,
            books: Books::new(genesis, rules, hash),
            records: BTreeMap::new(),
            published: 0,
            genesis: genesis.clone(),
        };
        let root = ledger.log(hash);
        ledger.blocks.push(Known {
            hash: *hash,
            events: Vec::new(),
            timestamp_ms: ledger.timestamp_ms,
            root,
            committed_us: 0,
        });
        ledger
    }

    /// Appends to the log and gives its new root (RFC 9162, section 2.1.1).
    fn log(&mut self, hash: &BlockHash) -> Digest32 {
        let mut peak = (1, sha256(&[&[0_u8], hash.0.as_slice()].concat()));
        while let Some((size, left)) = self.peaks.last().copied()
            && size == peak.0
        {
            self.peaks.pop();
            peak = (2 * size, node(&left, &peak.1));
        }
        self.peaks.push(peak);
        let (last, rest) = self.peaks.split_last().expect("one was pushed");
        rest.iter().rev().fold(last.1, |right, (_, left)| node(left, &right))
    }

    fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// Up to which height windows are closed.
    fn closed(&self, rule: &WindowRule) -> u64 {
        let (mut closed, mut count, mut events, mut began_ms) = (0, 0, 0, None);
        for (height, block) in (0..).zip(&self.blocks).skip(1) {
            if began_ms.is_some_and(|began_ms| block.timestamp_ms - began_ms > rule.span_ms) {
                // It is too late for the window before.
                (closed, count, events, began_ms) = (height - 1, 0, 0, None);
            }
            (count, events) = (count + 1, events + block.events.len() as u64);
            began_ms.get_or_insert(block.timestamp_ms);
            if count == rule.blocks || events >= rule.events {
                (closed, count, events, began_ms) = (height, 0, 0, None);
            }
        }
        closed
    }

    fn block(&self, height: u64) -> Option<&Known> {
        self.blocks.get(usize::try_from(height).ok()?)
    }
}

/// Whether an event mines time.
fn lets_time_pass(payload: &Payload) -> bool {
    matches!(payload, Payload::Time { .. } | Payload::Seal { time: Some(_), .. })
}

fn kennel_of(pk: &str) -> Option<KennelId> {
    pk.strip_prefix("K#")?.parse().ok()
}

/// The kennels in the list.
fn listed(all: &BTreeMap<Key, Attributes>) -> Result<Vec<KennelId>, String> {
    all.iter()
        .filter(|(key, _)| key.pk == "KENNELS")
        .map(|(_, item)| item.digest("kennel").map(KennelId).map_err(bad("a place in the list")))
        .collect()
}

fn number(item: Option<&Attributes>, name: &'static str) -> u64 {
    item.and_then(|item| item.number(name).ok()).unwrap_or_default()
}

impl Auditor {
    /// An auditor of these kennels, founded a moment ago.
    pub(super) fn new(geneses: &[(Genesis, BlockHash)], rules: RulesHash) -> Self {
        let ledgers =
            geneses.iter().map(|(genesis, hash)| (genesis.kennel(), Ledger::new(genesis, rules, hash)));
        let ledgers = ledgers.collect();
        Self {
            ledgers,
            made: BTreeSet::new(),
            promised: BTreeSet::new(),
            committed: BTreeMap::new(),
            poison: Vec::new(),
            opened: BTreeMap::new(),
            step: 0,
            now_us: 0,
            received: BTreeMap::new(),
        }
    }

    /// A player made this event and may have sent it.
    pub(super) fn made(&mut self, event: EventId) {
        self.made.insert(event);
    }

    /// A client was told that this event is queued.
    pub(super) fn promised(&mut self, event: EventId) {
        self.promised.insert(event);
    }

    /// Somebody put a message into the queue that can't be mined.
    pub(super) fn poisoned(&mut self, message: &OutgoingMessage) {
        self.poison.push(message.body.clone());
    }

    /// A miner received a batch.
    pub(super) fn received(&mut self, task: usize) {
        self.received.insert(task, self.step);
    }

    /// A task goes on with what another one had begun.
    pub(super) fn inherit(&mut self, task: usize, parent: usize) {
        if let Some(step) = self.received.get(&parent).copied() {
            self.received.insert(task, step);
        }
    }

    /// The newest block of a kennel.
    pub(super) fn head(&self, kennel: &KennelId) -> (u64, BlockHash) {
        let ledger = &self.ledgers[kennel];
        (ledger.height(), ledger.blocks.last().expect("the genesis block").hash)
    }

    /// The timestamp of a kennel's newest block, ms.
    pub(super) fn timestamp_ms(&self, kennel: &KennelId) -> u64 {
        self.ledgers[kennel].timestamp_ms
    }

    /// A kennel's books.
    pub(super) fn books(&self, kennel: &KennelId) -> &Books {
        &self.ledgers[kennel].books
    }

    /// Pets born in a kennel, dead or alive.
    pub(super) fn pets(&self, kennel: &KennelId) -> Vec<BirthHash> {
        self.ledgers[kennel].books.pets.keys().copied().collect()
    }

    /// Events answered with 202, some of them.
    pub(super) fn some_promised(&self, number: usize) -> Option<EventId> {
        self.promised.iter().nth(number % self.promised.len().max(1)).copied()
    }

    /// Sees what a task wrote in a step.
    pub(super) fn step(
        &mut self,
        task: usize,
        now_us: u64,
        written: &[Written],
        counts: &mut Counts,
    ) -> Finding {
        self.step += 1;
        self.now_us = now_us;
        for change in written {
            self.written(task, change, counts)
                .map_err(|what| format!("{what}\n  at {} {}", change.key.pk, change.key.sk))?;
        }
        Ok(())
    }

    fn written(&mut self, task: usize, change: &Written, counts: &mut Counts) -> Finding {
        let Written { key, before, after } = change;
        match (&key.pk[..key.pk.find('#').map_or(0, |at| at + 1)], key.sk.as_str()) {
            ("K#", "GENESIS") => self.genesis_written(key, before.as_ref(), after.as_ref()),
            ("K#", "NEXT") | ("", _) if key.sk == "NEXT" || key.pk == "KENNELS" => {
                // A reservation and a place in the list are for ever.
                require(before.is_none() && after.is_some(), || "it was changed".to_owned())?;
                match after.as_ref().and_then(|item| item.digest("kennel").ok()).map(KennelId) {
                    Some(kennel) => self.listed(kennel),
                    None => Ok(()),
                }
            }
            ("K#", "HEAD") => self.head_written(key, before.as_ref(), after.as_ref(), counts),
            ("K#", sk) if sk.starts_with("B#") => {
                self.block_written(key, before.as_ref(), after.as_ref(), counts)
            }
            ("K#", sk) if sk.starts_with("T#") => self.track_written(key, after.as_ref()),
            ("E#", _) if runs::is_bucket(key) => self.places_written(key, before.as_ref(), after.as_ref()),
            ("E#", "BODY") => self.body_written(key, before.as_ref(), after.as_ref()),
            ("C#", _) => self.texts_written(key, before.as_ref(), after.as_ref()),
            ("E#", "REJECT") => self.reject_written(task, key, after.as_ref(), counts),
            ("E#", "SPARE") => Self::spare_written(before.as_ref(), after.as_ref()),
            ("P#" | "O#" | "X#", "CARD") | ("K#", "KEYS") => {
                self.card_written(key, before.as_ref(), after.as_ref())
            }
            ("A#", sk) if sk.starts_with("K#") => self.card_written(key, before.as_ref(), after.as_ref()),
            ("Y#", _) => self.sale_written(key, before.as_ref(), after.as_ref()),
            ("V#", _) => self.judgement_written(key, before.as_ref(), after.as_ref()),
            ("E#", sk) if sk.starts_with("VERDICT#") => {
                self.verdict_written(key, before.as_ref(), after.as_ref())
            }
            _ => Ok(()),
        }
    }

    /// A kennel is prepared: the one successor of another one, of whose keys and parameters it is.
    fn genesis_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        let kennel = kennel_of(&key.pk).ok_or("a genesis of no kennel")?;
        let item = after.ok_or("a genesis was deleted")?;
        let bytes = item.bytes("genesis").map_err(bad("a genesis"))?;
        if let Some(before) = before {
            return require(before.bytes("genesis") == Ok(bytes), || "a genesis was changed".to_owned());
        }
        let genesis: Genesis = decode(bytes).map_err(bad("a genesis"))?;
        let after = KennelId(item.digest("after").map_err(bad("a predecessor"))?);
        let known = self.ledgers.get(&after).ok_or("the predecessor is unknown")?;
        let expected =
            Genesis { created_ms: genesis.created_ms, random: genesis.random, ..known.genesis.clone() };
        require(genesis == expected && genesis.kennel() == kennel, || {
            "a successor has other keys or parameters than its predecessor".to_owned()
        })?;
        let other = self.opened.iter().find(|(_, before)| **before == after);
        require(other.is_none(), || format!("a kennel has two successors: {kennel} and another one"))?;
        let rules = RulesHash(item.digest("rules").map_err(bad("the rules"))?);
        let founded = pitpet_chain::kennel::Kennel::found(genesis.clone(), rules);
        let (_, block) = founded.map_err(bad("a successor's genesis"))?;
        self.ledgers.insert(kennel, Ledger::new(&genesis, rules, &block.head.hash));
        self.opened.insert(kennel, after);
        Ok(())
    }

    /// A kennel is listed once it is whole.
    fn listed(&self, kennel: KennelId) -> Finding {
        require(self.ledgers.contains_key(&kennel), || "a kennel is listed that nobody prepared".to_owned())
    }

    /// The genesis of a kennel that was founded or prepared.
    pub(super) fn genesis(&self, kennel: &KennelId) -> Option<Genesis> {
        self.ledgers.get(kennel).map(|ledger| ledger.genesis.clone())
    }

    /// Kennels that opened by themselves. None is listed twice, and those there were from the
    /// beginning still are.
    pub(super) fn opened(&self, table: &MemoryTable) -> Result<Vec<Founding>, String> {
        let all = table.all();
        let listed = listed(&all)?;
        for kennel in self.ledgers.keys() {
            let count = listed.iter().filter(|listed| *listed == kennel).count();
            let is_sound = count == 1 || (count == 0 && self.opened.contains_key(kennel));
            require(is_sound, || format!("kennel {kennel} stands {count} times in the list"))?;
        }
        let founding = |kennel: &KennelId| -> Result<Founding, String> {
            let item = all.get(&items::genesis(kennel)).ok_or("no genesis")?;
            let label = item.text("label").map_err(bad("a label"))?.to_owned();
            Ok(Founding { kennel: *kennel, genesis: self.ledgers[kennel].genesis.clone(), label })
        };
        self.opened.keys().filter(|kennel| listed.contains(kennel)).map(founding).collect()
    }

    /// The head moves on by one block, whose bytes are there, or its published height rises.
    fn head_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
        counts: &mut Counts,
    ) -> Finding {
        let kennel = kennel_of(&key.pk).ok_or("a head of no kennel")?;
        let after = after.ok_or("a head was deleted")?;
        let Some(before) = before else {
            // A kennel is founded: with the block that follows from its genesis.
            let ledger = self.ledgers.get_mut(&kennel).ok_or("a head of an unknown kennel")?;
            let first = ledger.blocks.first().expect("the genesis block");
            let claim = after.text("checkpoint").map_err(bad("the checkpoint"))?;
            let claim = checkpoint::check(claim, &kennel, &ledger.genesis.checkpoint)
                .map_err(bad("the checkpoint"))?;
            let is_first = number(Some(after), "height") == 0 && after.digest("hash") == Ok(first.hash.0);
            return require(is_first && claim.size == 1 && claim.root == first.root, || {
                "a kennel's first head is not of its genesis block".to_owned()
            });
        };
        let hash = BlockHash(after.digest("hash").map_err(bad("the head's hash"))?);
        if before.digest("hash") != Ok(hash.0) {
            self.committed(kennel, after, hash, counts)?;
        }
        let ledger = self.ledgers.get_mut(&kennel).ok_or("a head of an unknown kennel")?;
        let published = number(Some(after), "published_height");
        let was = std::mem::replace(&mut ledger.published, published);
        require(published >= was, || format!("the published height fell from {was} to {published}"))?;
        require(published <= ledger.height(), || format!("height {published} is published, not committed"))?;
        let swept = number(Some(after), "swept_height");
        require(swept >= number(Some(before), "swept_height") && swept <= published, || {
            format!("the swept height is {swept}, the published one {published}")
        })?;
        let kept = number(Some(after), "kept_height");
        require(kept >= number(Some(before), "kept_height") && kept <= ledger.height(), || {
            format!("the kept height is {kept}, of {} blocks", ledger.height())
        })
    }

    /// A head is the child of the head before, and its block gives it.
    fn committed(
        &mut self,
        kennel: KennelId,
        head: &Attributes,
        hash: BlockHash,
        counts: &mut Counts,
    ) -> Finding {
        let committed_us = self.now_us;
        let ledger = self.ledgers.get_mut(&kennel).ok_or("a head of an unknown kennel")?;
        let height = number(Some(head), "height");
        require(height == ledger.height() + 1, || {
            format!("the head went from height {} to {height}", ledger.height())
        })?;
        let root = ledger.log(&hash);
        let note = head.text("checkpoint").map_err(bad("the checkpoint"))?;
        let claim =
            checkpoint::check(note, &kennel, &ledger.genesis.checkpoint).map_err(bad("the checkpoint"))?;
        require(claim.size == height + 1 && claim.root == root, || {
            format!("the checkpoint of height {height} is of another history")
        })?;
        ledger.blocks.push(Known { hash, events: Vec::new(), timestamp_ms: 0, root, committed_us });
        counts.blocks += 1;
        Ok(())
    }

    /// Reads the block of a new head, once the table can be looked at.
    pub(super) fn follow(&mut self, table: &MemoryTable, counts: &mut Counts) -> Finding {
        let kennels: Vec<KennelId> = self.ledgers.keys().copied().collect();
        for kennel in kennels {
            let ledger = &self.ledgers[&kennel];
            let (height, hash) = (ledger.height(), ledger.blocks.last().expect("genesis").hash);
            if height == 0 || !ledger.blocks.last().expect("genesis").events.is_empty() {
                continue;
            }
            let item = table
                .item(&items::block(&kennel, height, &hash))
                .ok_or_else(|| format!("the head names block {height}, which is not there"))?;
            let parent = ledger.blocks[ledger.blocks.len() - 2].hash;
            require(item.digest("parent") == Ok(parent.0), || {
                format!("block {height} names another parent than the head before")
            })?;
            let bytes = block_bytes(&item).map_err(bad("a block's bytes"))?;
            self.block(kennel, height, hash, parent, &bytes, counts)
                .map_err(|what| format!("{what}\n  in block {height} of {kennel}"))?;
        }
        Ok(())
    }

    /// A block does to the model what its receipts say.
    fn block(
        &mut self,
        kennel: KennelId,
        height: u64,
        hash: BlockHash,
        parent: BlockHash,
        bytes: &[u8],
        counts: &mut Counts,
    ) -> Finding {
        let block: Block = decode(bytes).map_err(bad("a committed block"))?;
        let header = &block.header;
        let (step, now_us) = (self.step, self.now_us);
        let ledger = self.ledgers.get_mut(&kennel).expect("it was asked for");
        require(header.hash() == hash, || "the bytes are another block's".to_owned())?;
        require(header.parent == parent && header.height == height && header.kennel == kennel, || {
            "the header doesn't follow the head before".to_owned()
        })?;
        require(header.timestamp_ms >= ledger.timestamp_ms, || "time runs back".to_owned())?;
        require(!block.events.is_empty() && block.events.len() == block.receipts.len(), || {
            "events and receipts don't pair up".to_owned()
        })?;
        ledger.timestamp_ms = header.timestamp_ms;
        ledger.blocks.last_mut().expect("it was pushed").timestamp_ms = header.timestamp_ms;
        let signed: Vec<SignedEvent> = block
            .events
            .iter()
            .map(|event| SignedEvent::read(&event.0).map_err(bad("an event")))
            .collect::<Result<_, _>>()?;
        for (index, (signed, receipt)) in signed.iter().zip(&block.receipts).enumerate() {
            let (event, id) = (&signed.event, signed.id);
            let is_known = self.made.contains(&id) || event.account == ledger.genesis.house_account();
            require(is_known, || format!("nobody made event {id}"))?;
            require(event.expires_ms >= header.timestamp_ms, || format!("event {id} had expired"))?;
            let placed =
                Placed { kennel, height, index: index as u32, step, body: event.payload.body().copied() };
            let twice = self.committed.insert(id, placed);
            require(twice.is_none(), || format!("event {id} is in the chain twice"))?;
            ledger.blocks.last_mut().expect("it was pushed").events.push(id);
            let receipt: Receipt = decode(&receipt.0).map_err(bad("a receipt"))?;
            require(receipt.event == id, || "a receipt is another event's".to_owned())?;
            for change in &receipt.changes {
                let (key, record) = match change {
                    Change::Order(order) => (items::order(&order.id), encode(order)),
                    Change::Keys(keys) => (items::keys(&kennel), encode(keys)),
                    Change::Closed(_) | Change::Trade(_) => continue,
                    Change::Pet(pet) => (items::pet(&pet.birth), encode(pet)),
                    Change::Account(account) => (items::account(&account.id, &kennel), encode(account)),
                    Change::Post(post) => (items::post(&post.id), encode(post)),
                };
                ledger.records.entry(key).or_default().insert(height, record);
            }
            if ledger.genesis.threshold > 0 && lets_time_pass(&event.payload) {
                // Whose witnesses lie is a minority; the others have each seen the kennel idle.
                let began = ledger.block(ledger.books.began_height()).expect("an age begins with a block");
                let idle_ms = (now_us - began.committed_us) / MS;
                require(idle_ms >= ledger.genesis.parameters.idle_ms, || {
                    format!("time passed {idle_ms} ms after the age began, by the word of a minority")
                })?;
                counts.witnessed += 1;
            }
            counts.receipts += 1;
            *counts.kinds.entry(event.payload.kind()).or_default() += 1;
        }
        counts.upgrades += u64::from(ledger.books.rules() != block.header.rules_hash);
        ledger.books.block(&block, &signed, hash)
    }

    /// A block is never changed, and deleted only where another one is committed.
    fn block_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
        counts: &mut Counts,
    ) -> Finding {
        require(before.is_none() || after.is_none(), || "a block was overwritten".to_owned())?;
        if after.is_some() {
            return Ok(());
        }
        counts.garbage += 1;
        let ledger = kennel_of(&key.pk).and_then(|kennel| self.ledgers.get(&kennel)).ok_or("of no kennel")?;
        let mut parts = key.sk.split('#').skip(1);
        let height = parts.next().and_then(|height| height.parse().ok()).ok_or("a block of no height")?;
        let live = ledger.block(height).ok_or("a staged block was deleted that might still win")?;
        require(parts.next() != Some(live.hash.to_string().as_str()), || {
            "a live block was deleted".to_owned()
        })
    }

    fn track_written(&mut self, key: &Key, after: Option<&Attributes>) -> Finding {
        let ledger = kennel_of(&key.pk).and_then(|kennel| self.ledgers.get(&kennel)).ok_or("of no kennel")?;
        let attributes = after.ok_or("a run of tracks was deleted")?.clone();
        let run = Item { key: key.clone(), attributes };
        for track in runs::unpack(&run).map_err(bad("a run of tracks"))? {
            let height = track.key.sk[2..].parse().map_err(bad("a track's height"))?;
            let hash = track.attributes.digest("hash").map_err(bad("a track"))?;
            let live = ledger.block(height);
            require(live.is_some_and(|block| block.hash.0 == hash), || {
                "a block was published that is not committed".to_owned()
            })?;
        }
        Ok(())
    }

    fn event_of(key: &Key) -> Result<EventId, String> {
        key.pk[2..].parse().map_err(bad("an event's id"))
    }

    /// A place is where the event is, for ever.
    fn places_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        require(before.is_none(), || "the places of a window changed".to_owned())?;
        let attributes = after.ok_or("places were deleted")?.clone();
        let bucket = Item { key: key.clone(), attributes };
        for (kennel, height, index, _) in runs::places(&bucket).map_err(bad("a bucket"))? {
            let block = self.ledgers.get(&kennel).and_then(|ledger| ledger.block(height));
            let event = block.and_then(|block| block.events.get(index as usize));
            let event = event.ok_or("an event has a place, but no block")?;
            let place = runs::place_in(&bucket, event).map_err(bad("a bucket"))?;
            let placed = self.committed.get(event).map(|placed| (placed.kennel, placed.height, placed.index));
            let is_there = placed == Some((kennel, height, index));
            require(is_there && place.map(|(of, at, which, _)| (of, at, which)) == placed, || {
                format!("event {event} is not in its place")
            })?;
        }
        Ok(())
    }

    /// A body is that of an accepted event, for ever.
    fn body_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        let id = Self::event_of(key)?;
        require(before.is_none(), || format!("the body of event {id} changed"))?;
        let item = after.ok_or("a body was deleted")?;
        let placed =
            self.committed.get(&id).ok_or_else(|| format!("event {id} has left text, but has no block"))?;
        let salt = item.digest("salt").map_err(bad("a body's salt"))?;
        let body = item.bytes("body").map_err(bad("a body"))?;
        require(placed.body == Some(commitment(&salt, body)), || format!("event {id} has another body"))
    }

    /// Each text of a block's is that of its event, for ever.
    fn texts_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        let after = after.ok_or("the texts of a block were deleted")?;
        let kennel: KennelId = key.pk[2..].parse().map_err(bad("a kennel's id"))?;
        let (height, chunk) = key.sk.split_once('#').ok_or("texts of no block")?;
        let height: u64 = height.parse().map_err(bad("a height"))?;
        let chunk: u32 = chunk.parse().map_err(bad("a part of a block"))?;
        let block = self.ledgers.get(&kennel).and_then(|ledger| ledger.block(height));
        for (name, value) in after {
            if let Some(before) = before.and_then(|before| before.get(name)) {
                require(before == value, || format!("text {name} of block {height} changed"))?;
                continue;
            }
            let index = chunk * texts::TEXTS_MAX + name.parse::<u32>().map_err(bad("a text's place"))?;
            let event = block.and_then(|block| block.events.get(index as usize));
            let event = event.ok_or("a text was left that has no block")?;
            let text = texts::out_of(&items::text(&kennel, height, index), Some(after));
            let body = text.as_ref().and_then(texts::body_in).ok_or("a text is none")?;
            let committed = self.committed[event].body;
            require(committed == Some(commitment(&body.salt, &body.body.0)), || {
                format!("event {event} has another body")
            })?;
        }
        Ok(())
    }

    /// The body of a rejected event goes by itself, and nobody writes it twice.
    fn spare_written(before: Option<&Attributes>, after: Option<&Attributes>) -> Finding {
        require(before.is_none(), || "a spare body changed".to_owned())?;
        require(after.is_some_and(|item| item.number("ttl").is_ok()), || {
            "a spare body stays for ever".to_owned()
        })
    }

    /// No reject is recorded by a miner who received its batch when the event was in the chain.
    fn reject_written(
        &mut self,
        task: usize,
        key: &Key,
        after: Option<&Attributes>,
        counts: &mut Counts,
    ) -> Finding {
        let id = Self::event_of(key)?;
        let Some(item) = after else { return Err(format!("the reject of event {id} was deleted")) };
        counts.rejects += 1;
        if item.number("reject") == Ok(Reject::Expired.number().into()) {
            counts.note(FaultKind::ExpiredMessage);
        }
        let received = self.received.get(&task).copied().unwrap_or(self.step);
        let placed = self.committed.get(&id);
        require(placed.is_none_or(|placed| placed.step > received), || {
            format!("event {id} has a receipt, and a reject was recorded over it")
        })
    }

    /// A card comes from a committed block, holds the newest record up to its height, and never
    /// goes back.
    fn card_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        let item = after.ok_or("a card was deleted")?;
        let height = item.number("source_height").map_err(bad("a card's height"))?;
        require(height > number(before, "source_height") || before.is_none(), || {
            format!("a card of height {height} was written over a newer one")
        })?;
        let kennel = KennelId(item.digest("kennel").map_err(bad("a card's kennel"))?);
        let ledger = self.ledgers.get(&kennel).ok_or("a card of an unknown kennel")?;
        require(height <= ledger.height(), || format!("a card of height {height} is not committed"))?;
        let newest = ledger.records.get(key).and_then(|records| records.range(..=height).next_back());
        let (at, record) = newest.ok_or("a card of which no receipt knows")?;
        require(
            item.number("record_height") == Ok(*at) && item.bytes("record") == Ok(record.as_slice()),
            || format!("a card of height {height} has not the record of height {at}"),
        )
    }

    fn ledger_of(&self, pk: &str) -> Result<(KennelId, &Ledger), String> {
        let kennel: KennelId = pk[2..].parse().map_err(bad("a kennel's id"))?;
        Ok((kennel, self.ledgers.get(&kennel).ok_or("of an unknown kennel")?))
    }

    /// A trade is a committed sale, for ever.
    fn sale_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        require(before.is_none(), || "a trade changed".to_owned())?;
        let item = after.ok_or("a trade was deleted")?;
        let (kennel, ledger) = self.ledger_of(&key.pk)?;
        let mut sales = ledger.books.sales.iter();
        let sale = sales.find(|sale| sale.sort_key(&kennel) == key.sk);
        let record = sale.ok_or("a trade of which no block knows")?.item();
        require(*item == record, || "a trade is shown otherwise than it was made".to_owned())
    }

    /// An entry of the moderation log is a committed verdict, for ever.
    fn judgement_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        require(before.is_none(), || "an entry of the moderation log changed".to_owned())?;
        let item = after.ok_or("an entry of the moderation log was deleted")?;
        let (kennel, ledger) = self.ledger_of(&key.pk)?;
        let mut judgements = ledger.books.judgements.iter();
        let judgement = judgements.find(|judgement| judgement.sort_key(&kennel) == key.sk);
        let record = judgement.ok_or("a verdict of which no block knows")?.item();
        require(*item == record, || "a verdict is logged otherwise than it was given".to_owned())
    }

    /// What is shown of an event's body comes from a committed verdict, and never goes back.
    fn verdict_written(
        &mut self,
        key: &Key,
        before: Option<&Attributes>,
        after: Option<&Attributes>,
    ) -> Finding {
        let item = after.ok_or("a verdict was deleted")?;
        let height = item.number("source_height").map_err(bad("a verdict's height"))?;
        require(height > number(before, "source_height") || before.is_none(), || {
            format!("a verdict of height {height} was written over a newer one")
        })?;
        let target = Self::event_of(key)?;
        let kennel = key.sk["VERDICT#".len()..].parse().map_err(bad("a kennel's id"))?;
        let ledger = self.ledgers.get(&kennel).ok_or("a verdict of an unknown kennel")?;
        let mut judgements = ledger.books.judgements.iter().rev();
        let newest = judgements.find(|one| one.target == target && one.height <= height);
        let newest = newest.ok_or("a verdict of which no block knows")?;
        require(newest.is_shown_by(item), || format!("the verdict on event {target} is another one"))
    }

    /// A miner answered: a message may have failed only by a fault of its own kennel.
    pub(super) fn answered(batch: &[ReceivedMessage], report: &MineReport, failed: &[String]) -> Finding {
        for received in batch.iter().filter(|received| report.failed.contains(&received.id)) {
            let group = &received.message.group;
            // Opening a kennel takes reads of the one before it.
            let opens = |other: &ReceivedMessage| {
                other.message.group == *group
                    && Message::read(&other.message.body).is_ok_and(|message| message.entries.is_empty())
            };
            if batch.iter().any(opens) && !failed.is_empty() {
                continue;
            }
            // Keys of events and pets name no kennel: they may be of any.
            let of_this = |key: &String| {
                key.contains(group.as_str())
                    || !batch.iter().any(|other| key.contains(other.message.group.as_str()))
            };
            let is_due = report.lost > 0 || failed.iter().any(of_this);
            require(is_due, || {
                format!("message {} of kennel {} failed without a fault", received.id, &group[..8])
            })?;
        }
        Ok(())
    }

    /// Somebody asked for an event and got this.
    pub(super) fn shown(&self, view: &EventView) -> Finding {
        let id: EventId = view.id.parse().map_err(bad("an event's id"))?;
        let Some(place) = &view.place else { return Ok(()) };
        let placed =
            self.committed.get(&id).ok_or_else(|| format!("event {id} was shown, and is in no block"))?;
        let hash = self.ledgers[&placed.kennel].block(placed.height).map(|block| block.hash.to_string());
        require(place.height == placed.height && Some(&place.block) == hash.as_ref(), || {
            format!("event {id} was shown in another block")
        })
    }

    /// Somebody asked for a kennel's checkpoint and got this.
    pub(super) fn shown_checkpoint(&self, kennel: &KennelId, note: &str) -> Finding {
        let ledger = &self.ledgers[kennel];
        let claim =
            checkpoint::check(note, kennel, &ledger.genesis.checkpoint).map_err(bad("a checkpoint"))?;
        let at = claim.size.checked_sub(1).and_then(|height| ledger.block(height));
        require(at.is_some_and(|block| block.root == claim.root), || {
            "a checkpoint of a fork was shown".to_owned()
        })
    }

    /// The events that were answered with 202 so far.
    pub(super) fn promises(&self) -> BTreeSet<EventId> {
        self.promised.clone()
    }

    /// Each of these events, which were answered with 202, has ended.
    pub(super) fn kept_promises(
        &self,
        promised: &BTreeSet<EventId>,
        table: &MemoryTable,
        dead: &[OutgoingMessage],
    ) -> Finding {
        let buried = buried(dead);
        for id in promised {
            let has_ended = self.committed.contains_key(id)
                || table.item(&items::reject(id)).is_some()
                || buried.contains(id);
            require(has_ended, || {
                format!("event {id} was answered with 202 and is neither mined, rejected nor buried")
            })?;
        }
        for body in &self.poison {
            require(dead.iter().any(|message| message.body == *body), || {
                "a message that can't be mined is not in the dead-letter queue".to_owned()
            })?;
        }
        Ok(())
    }

    /// Somebody asks for an event that was answered with 202, when all is at rest: a receipt wins
    /// over a reject, and only what was buried is unknown.
    pub(super) fn told(
        &self,
        id: &EventId,
        answer: Result<&EventView, &Problem>,
        table: &MemoryTable,
        buried: &BTreeSet<EventId>,
    ) -> Finding {
        let says = match answer {
            Ok(view) => view.status.as_str(),
            Err(problem) if problem.status == 404 => "unknown",
            Err(problem) => return Err(format!("event {id} can't be asked for: {}", problem.title)),
        };
        let is = match self.committed.get(id) {
            Some(_) => "mined",
            None if table.item(&items::reject(id)).is_some() => "rejected",
            None => "unknown",
        };
        require(says == is, || format!("event {id} is {is} and shown as {says}"))?;
        require(is != "unknown" || buried.contains(id), || format!("event {id} is unknown, and not buried"))?;
        answer.map_or(Ok(()), |view| self.shown(view))
    }

    /// How many events have ended, each counted once: with a receipt, or with a recorded reject.
    pub(super) fn ended(&self, table: &MemoryTable) -> u64 {
        let all = table.all();
        let rejected = all
            .keys()
            .filter(|key| key.pk.starts_with("E#") && key.sk == "REJECT")
            .filter(|key| Self::event_of(key).is_ok_and(|id| !self.committed.contains_key(&id)));
        (self.committed.len() + rejected.count()) as u64
    }

    /// All is as it must be when nothing has gone wrong for long enough.
    ///
    /// `quiet` gives each kennel's height when the faults stopped: garbage is gone up to there.
    pub(super) fn at_rest(
        &self,
        table: &MemoryTable,
        dead: &[OutgoingMessage],
        quiet: &BTreeMap<KennelId, u64>,
    ) -> Finding {
        self.kept_promises(&self.promised, table, dead)?;
        let all = table.all();
        let (shown, stored) = (table.shown(), MemoryTable::of(table.stored_entries()));
        let buried = buried(dead);
        for (kennel, ledger) in &self.ledgers {
            // Places came free before it was founded. The next one that is needed will be this one.
            if self.opened.contains_key(kennel) && !listed(&all)?.contains(kennel) {
                require(ledger.height() == 0, || "a kennel that isn't listed has events".to_owned())?;
                continue;
            }
            let closed = ledger.closed(&WINDOW);
            require(ledger.published == closed, || {
                format!("height {} is published, and windows are closed up to {closed}", ledger.published)
            })?;
            for (height, block) in (0..).zip(&ledger.blocks) {
                for entries in [&shown, &stored].into_iter().take(1 + usize::from(height <= closed)) {
                    require(entries.item(&items::track(kennel, height)).is_some(), || {
                        format!("height {height} has no track")
                    })?;
                    for id in &block.events {
                        require(entries.item(&items::place(id)).is_some(), || {
                            format!("event {id} has no place")
                        })?;
                    }
                }
                require(all.contains_key(&items::block(kennel, height, &block.hash)), || {
                    format!("block {height} is gone")
                })?;
                for id in &block.events {
                    let is_whole = self.committed[id].body.is_none()
                        || shown.item(&items::body(id)).is_some()
                        || buried.contains(id);
                    require(is_whole, || format!("the body of event {id} is lost"))?;
                }
            }
            for (key, records) in &ledger.records {
                let (at, record) = records.last_key_value().expect("never empty");
                // The keys of the offices don't wait for a window.
                let is_prompt = key.sk == "KEYS";
                let published = records.range(..=if is_prompt { u64::MAX } else { closed }).next_back();
                for (entries, right) in [(&shown, Some((at, record))), (&stored, published)] {
                    let Some((at, record)) = right else { continue };
                    let card = entries.item(key).ok_or_else(|| format!("no card {} {}", key.pk, key.sk))?;
                    require(card.bytes("record") == Ok(record.as_slice()), || {
                        format!("card {} {} has not the record of height {at}", key.pk, key.sk)
                    })?;
                }
            }
            ledger.books.are_shown(kennel, &shown).map_err(|what| format!("{what}\n  in {kennel}"))?;
            let from = Key::new(items::chain(kennel), "B#");
            for (key, _) in all.range(from..).take_while(|(key, _)| key.pk == items::chain(kennel)) {
                let Some((height, hash)) = key.sk.strip_prefix("B#").and_then(|rest| rest.split_once('#'))
                else {
                    break;
                };
                let height: u64 = height.parse().map_err(bad("a block's height"))?;
                let is_live = ledger.block(height).is_some_and(|block| block.hash.to_string() == hash);
                require(
                    is_live || height > quiet.get(kennel).copied().unwrap_or_default().min(closed),
                    || format!("a staged block that lost is still there at height {height}"),
                )?;
            }
        }
        Ok(())
    }
}

/// The events in dead letters.
pub(super) fn buried(dead: &[OutgoingMessage]) -> BTreeSet<EventId> {
    dead.iter()
        .filter_map(|message| Message::read(&message.body).ok())
        .flat_map(|message| message.entries)
        .filter_map(|Entry { event, .. }| SignedEvent::read(&event.0).ok())
        .map(|signed| signed.id)
        .collect()
}
