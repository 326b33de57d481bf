//! The read side against the chain: every item that is written with a block or published with its
//! window, and what lies beside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pitpet_chain::block::{Change, Receipt};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::hash::{AccountId, BirthHash, EventId, KennelId};
use pitpet_chain::state::Phase;

use super::{Chain, Flaw, Loss, Place, Run, Walked, first_difference};
use crate::erase;
use crate::head::{LedgerError, read_head};
use crate::items::{self, DAY_MS, Fields, attributes};
use crate::mine::REJECT_KEPT_MS;
use crate::opening;
use crate::ports::{
    Attributes, Condition, Consistency, Item, Key, Order, Query, Retry, Table, TableError, Update,
};
use crate::publication::{Publication, SOURCE_HEIGHT};
use crate::publisher;
use crate::query::{PetCard, StoredBody, read_pet};
use crate::runs;
use crate::search::name_word;
use crate::texts;
use crate::verify;

/// Keys read at once, by the port.
const KEYS: usize = 100;

/// Items of a partition read at once, by the port.
const PAGE: u32 = 1_000;

/// Attributes of a mutable item that are written together, and the one that holds their height.
struct Group {
    height: &'static str,
    others: &'static [&'static str],
}

/// A record as an event left it; a pet's death; an owner's loss by it; an order's end; what that gave
/// its maker back; a moderator's verdict.
const GROUPS: [Group; 6] = [
    Group { height: "record_height", others: &["record", "kennel"] },
    Group { height: "died_height", others: &["died_ms"] },
    Group { height: "lost_height", others: &["lost_pet", "holdings"] },
    Group { height: "closed_height", others: &["closed_reason"] },
    Group { height: "unlocked_height", others: &["free", "orders"] },
    Group { height: "verdict_height", others: &["verdict", "by"] },
];

impl Group {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.height].into_iter().chain(self.others.iter().copied())
    }

    /// The first attribute of the group in which two items differ.
    fn difference(&self, expected: &Attributes, stored: &Attributes) -> Option<&'static str> {
        self.names().find(|name| expected.get(*name) != stored.get(*name))
    }
}

impl Run<'_, '_> {
    /// A good block: what is written with it, and if a window closes with it, what is published.
    pub(super) async fn walked(&mut self, chain: &mut Chain, walked: Walked) -> Result<(), LedgerError> {
        let publication = walked.publication.clone();
        let height = publication.height;
        if self.repairs() || height <= chain.head.kept_height.max(chain.whole) {
            self.prompt(chain, &walked).await?;
        }
        if chain.open.is_none() && self.begins_window(chain, height).await? {
            chain.open = Some(Vec::new());
        }
        let Some(mut open) = chain.open.take() else {
            // What it publishes alone is looked at all the same.
            if height <= chain.whole {
                self.cards(chain, &walked).await?;
            }
            return Ok(());
        };
        open.push(walked);
        let facts = |open: &[Walked]| {
            let facts = open
                .iter()
                .map(|walked| (walked.publication.events.len() as u64, walked.publication.timestamp_ms));
            self.fsck.window.first(facts)
        };
        // The genesis block is a window of its own.
        while let Some(count) =
            if height == 0 { Some(open.len()).filter(|count| *count > 0) } else { facts(&open) }
        {
            let rest = open.split_off(count);
            let (first, last) = (open[0].publication.height, open[count - 1].publication.height);
            if self.repairs() || last <= chain.whole {
                self.window(chain, &open).await?;
                chain.windows.push((first, last));
            }
            open = rest;
        }
        chain.open = Some(open);
        Ok(())
    }

    /// Whether what is published says that a window begins at a height.
    async fn begins_window(&self, chain: &Chain, height: u64) -> Result<bool, LedgerError> {
        let key = items::track(&chain.founding.kennel, height);
        let run = self.fsck.table.get(&key, Consistency::Strong).await?;
        Ok(run.is_some_and(|run| runs::window_of(&run).is_ok_and(|window| window.height == height)))
    }

    /// What is written with a block, against what is stored.
    async fn prompt(&mut self, chain: &mut Chain, walked: &Walked) -> Result<(), LedgerError> {
        let (publication, block) = (&walked.publication, &walked.block);
        let events = verify::read_events(block).unwrap_or_default();
        self.summary.events += events.len() as u64;
        self.updates(chain, publication.height, &publication.prompt.guarded).await?;
        self.marks(chain, &publication.prompt.immutable).await?;
        let events: Vec<(u32, SignedEvent)> = (0..).zip(events).collect();
        for events in events.chunks(KEYS / 3) {
            self.beside(chain, publication.height, block.header.timestamp_ms, events).await?;
        }
        self.stray_texts(chain, publication).await?;
        for (_, signed) in &events {
            self.shown_photo(chain, signed).await?;
        }
        Ok(())
    }

    /// Photos in use and the dead: what is not as it should be is judged in the end, by cards and places
    /// that are whole then.
    async fn marks(&mut self, chain: &mut Chain, marks: &[Item]) -> Result<(), LedgerError> {
        for marks in marks.chunks(KEYS) {
            let keys: BTreeSet<Key> = marks.iter().map(|item| item.key.clone()).collect();
            let keys: Vec<Key> = keys.into_iter().collect();
            let found = self.fsck.table.get_many(&keys).await?;
            let found: BTreeMap<Key, Option<Attributes>> = keys.into_iter().zip(found).collect();
            for mark in marks {
                match found.get(&mark.key) {
                    Some(Some(stored)) if *stored == mark.attributes => self.summary.items += 1,
                    _ => chain.doubtful.push(mark.clone()),
                }
            }
        }
        Ok(())
    }

    /// The cards that a block changes, and the names that their accounts list.
    async fn cards(&mut self, chain: &mut Chain, walked: &Walked) -> Result<(), LedgerError> {
        let (publication, block) = (&walked.publication, &walked.block);
        self.updates(chain, publication.height, &publication.guarded).await?;
        let mut accounts = BTreeSet::new();
        for receipt in &block.receipts {
            let Ok(receipt) = decode::<Receipt>(&receipt.0) else { continue };
            for change in receipt.changes {
                if let Change::Account(account) = change {
                    accounts.insert(account.id);
                }
            }
        }
        for account in accounts {
            // Also of those to whom no pet was born.
            chain.accounts.entry(account).or_default();
            self.names(chain, publication.height, &account).await?;
        }
        Ok(())
    }

    /// What a window publishes, against what is stored.
    async fn window(&mut self, chain: &mut Chain, window: &[Walked]) -> Result<(), LedgerError> {
        self.enter_day(chain, window[0].publication.timestamp_ms / DAY_MS).await?;
        for walked in window {
            self.cards(chain, walked).await?;
        }
        let blocks: Vec<_> = window.iter().map(|walked| walked.publication.clone()).collect();
        self.items(chain, &publisher::window_batch(&blocks)?.immutable).await?;
        self.words(chain, &blocks).await
    }

    async fn updates(
        &mut self,
        chain: &mut Chain,
        height: u64,
        updates: &[Update],
    ) -> Result<(), LedgerError> {
        for updates in updates.chunks(KEYS) {
            let keys: Vec<Key> = updates.iter().map(|update| update.key.clone()).collect();
            let found = self.fsck.table.get_many(&keys).await?;
            for (update, stored) in updates.iter().zip(found) {
                self.mutable(chain, height, update, stored).await?;
            }
        }
        Ok(())
    }

    async fn items(&mut self, chain: &mut Chain, items: &[Item]) -> Result<(), LedgerError> {
        // Two events may show one photo, and no key may be asked for twice.
        let unique: BTreeMap<&Key, &Item> = items.iter().map(|item| (&item.key, item)).collect();
        let unique: Vec<&Item> = unique.into_values().collect();
        for items in unique.chunks(KEYS) {
            let keys: Vec<Key> = items.iter().map(|item| item.key.clone()).collect();
            let found = self.fsck.table.get_many(&keys).await?;
            for (item, stored) in items.iter().zip(found) {
                self.immutable(chain, item, stored).await?;
            }
        }
        Ok(())
    }

    /// An item that is the same whoever writes it.
    async fn immutable(
        &mut self,
        chain: &mut Chain,
        item: &Item,
        stored: Option<Attributes>,
    ) -> Result<(), LedgerError> {
        self.summary.items += 1;
        let key = &item.key;
        let kennel = chain.founding.kennel;
        let count = |chain: &mut Chain| match key.pk.split_once('#') {
            Some(("P", birth)) => {
                if let Ok(birth) = birth.parse() {
                    *chain.timelines.entry(birth).or_default() += 1;
                }
            }
            Some(("K", _)) if key.sk.starts_with("T#") => chain.tracks += 1,
            Some(("N", _)) => chain.births += 1,
            Some(("Y", _)) => chain.trades += 1,
            Some(("V", _)) => chain.verdicts += 1,
            Some(("A", account)) => {
                if let Ok(account) = account.parse() {
                    *chain.accounts.entry(account).or_default() += 1;
                }
            }
            Some(("F", _)) => chain.day.1 += 1,
            _ => {}
        };
        if stored.as_ref() == Some(&item.attributes) {
            count(chain);
            return Ok(());
        }
        // What was read may lag.
        let stored = self.fsck.table.get(key, Consistency::Strong).await?;
        if stored.as_ref() == Some(&item.attributes) {
            count(chain);
            return Ok(());
        }
        if key.pk.starts_with("D#") && stored.is_none() && self.has_ended(&key.sk).await? {
            return Ok(());
        }
        if key.pk.starts_with("M#") && self.shows_photo(chain, key, stored.as_ref()).await? {
            return Ok(());
        }
        let flaw = match &stored {
            None => Flaw::Missing,
            Some(stored) => {
                count(chain);
                let attribute = first_difference(&item.attributes, stored);
                // Nothing differs but that there is more.
                let attribute = attribute
                    .or_else(|| stored.keys().find(|name| !item.attributes.contains_key(*name)).cloned());
                Flaw::Differs { attribute: attribute.unwrap_or_default() }
            }
        };
        if self.repairs() {
            self.put(key.clone(), item.attributes.clone()).await?;
            if stored.is_none() {
                count(chain);
            }
        }
        self.fault(kennel, Place::Item(key.clone()), flaw, self.derivable());
        Ok(())
    }

    /// A pet's card, up to the head.
    async fn newest_pet(&self, birth: &BirthHash) -> Result<Option<PetCard>, LedgerError> {
        read_pet(self.read_side.as_ref(), birth, Consistency::Strong).await
    }

    /// Whether a pet's story has been ended: then nothing waits to be ended.
    async fn has_ended(&self, birth: &str) -> Result<bool, LedgerError> {
        let Ok(birth) = birth.parse::<BirthHash>() else { return Ok(false) };
        match self.newest_pet(&birth).await {
            Ok(card) => Ok(card.is_some_and(|card| card.pet.phase >= Phase::Ended)),
            Err(LedgerError::Damaged(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the event that a photo is said to be used by shows it: of several, any may be named.
    async fn shows_photo(
        &mut self,
        chain: &mut Chain,
        key: &Key,
        stored: Option<&Attributes>,
    ) -> Result<bool, LedgerError> {
        let Some(event) = stored.and_then(|stored| stored.digest("event").ok()) else { return Ok(false) };
        let place = match self.read_side.get(&items::place(&EventId(event)), Consistency::Strong).await {
            // What leads to it is damaged, and told of in its turn.
            Err(TableError::Refused { .. }) => None,
            place => place?,
        };
        let Some(place) = place else { return Ok(false) };
        if place.digest("kennel") != Ok(chain.founding.kennel.0) {
            // Another kennel's event: that kennel's blocks say whether it shows the photo.
            return Ok(true);
        }
        let Ok(height) = place.number("height") else { return Ok(false) };
        let batch = self.publication_at(chain, height).await?;
        let used = attributes([("event", event.into())]);
        Ok(batch.is_some_and(|batch| {
            batch.prompt.immutable.iter().any(|item| item.key == *key && item.attributes == used)
        }))
    }

    /// An item that several blocks change, each guarded by its height.
    async fn mutable(
        &mut self,
        chain: &mut Chain,
        height: u64,
        update: &Update,
        stored: Option<Attributes>,
    ) -> Result<(), LedgerError> {
        self.summary.items += 1;
        if let Some(stored) = &stored
            && self.flaw_of(chain, height, update, stored).await?.is_none()
        {
            return Ok(());
        }
        let stored = self.fsck.table.get(&update.key, Consistency::Strong).await?;
        let flaw = match &stored {
            None => Some(Flaw::Missing),
            Some(stored) => self.flaw_of(chain, height, update, stored).await?,
        };
        let Some(flaw) = flaw else { return Ok(()) };
        if self.repairs() {
            let repair = match &stored {
                None => update.clone(),
                Some(stored) => self.rewrite(chain, height, update, stored).await?,
            };
            self.update(&repair).await?;
        }
        self.fault(chain.founding.kennel, Place::Item(update.key.clone()), flaw, self.derivable());
        Ok(())
    }

    /// What is wrong with a mutable item, seen from a block that changes it.
    async fn flaw_of(
        &mut self,
        chain: &mut Chain,
        height: u64,
        update: &Update,
        stored: &Attributes,
    ) -> Result<Option<Flaw>, LedgerError> {
        for group in &GROUPS {
            if let Some(flaw) = self.group_flaw(chain, height, update, stored, group).await? {
                return Ok(Some(flaw));
            }
        }
        let newest = GROUPS.iter().filter_map(|group| stored.number(group.height).ok()).max();
        if stored.number(SOURCE_HEIGHT).ok() != newest {
            return Ok(Some(Flaw::Differs { attribute: SOURCE_HEIGHT.to_owned() }));
        }
        Ok(None)
    }

    async fn group_flaw(
        &mut self,
        chain: &mut Chain,
        height: u64,
        update: &Update,
        stored: &Attributes,
        group: &Group,
    ) -> Result<Option<Flaw>, LedgerError> {
        let is_own = update.set.contains_key(group.height);
        let source = match stored.number(group.height) {
            Ok(source) => source,
            Err(_) if is_own => return Ok(Some(Flaw::Behind { attribute: group.height, height })),
            Err(_) => {
                let stray = group.names().find(|name| stored.contains_key(*name));
                return Ok(stray.map(|name| Flaw::Differs { attribute: name.to_owned() }));
            }
        };
        if is_own && source < height {
            return Ok(Some(Flaw::Behind { attribute: group.height, height }));
        }
        let made = if is_own && source == height {
            Some(update.clone())
        } else if source > chain.head.height {
            if self.has_grown_to(chain, source).await? {
                return Ok(None);
            }
            None
        } else {
            let batch = self.publication_at(chain, source).await?;
            batch.and_then(|batch| {
                let mut all = batch.guarded.iter().chain(&batch.prompt.guarded);
                all.find(|other| other.key == update.key).cloned()
            })
        };
        Ok(match made.filter(|made| made.set.contains_key(group.height)) {
            None => Some(Flaw::Forged { attribute: group.height, height: source }),
            Some(made) => group
                .difference(&made.set, stored)
                .map(|attribute| Flaw::Differs { attribute: attribute.to_owned() }),
        })
    }

    /// The write that makes a mutable item what it was after this block; later blocks of the
    /// chain, which come next, do the rest.
    async fn rewrite(
        &mut self,
        chain: &mut Chain,
        height: u64,
        update: &Update,
        stored: &Attributes,
    ) -> Result<Update, LedgerError> {
        let mut right = stored.clone();
        for group in &GROUPS {
            if self.group_flaw(chain, height, update, stored, group).await?.is_none() {
                continue;
            }
            for name in group.names() {
                match update.set.get(name) {
                    Some(value) => right.insert(name.to_owned(), value.clone()),
                    None => right.remove(name),
                };
            }
        }
        let newest = GROUPS.iter().filter_map(|group| right.number(group.height).ok()).max();
        right.insert(SOURCE_HEIGHT.to_owned(), newest.unwrap_or(height).into());
        let condition = match stored.get(SOURCE_HEIGHT) {
            Some(source) => Condition::Equals(SOURCE_HEIGHT, source.clone()),
            None => Condition::Below(SOURCE_HEIGHT, u64::MAX),
        };
        let gone = GROUPS.iter().flat_map(Group::names).filter(|name| !right.contains_key(*name));
        Ok(Update {
            key: update.key.clone(),
            remove: gone.collect(),
            set: right.clone(),
            condition,
            retry: Retry::Allowed,
        })
    }

    /// Bodies, rejects and verdicts of events.
    async fn beside(
        &mut self,
        chain: &mut Chain,
        height: u64,
        mined_ms: u64,
        events: &[(u32, SignedEvent)],
    ) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let text = |(index, signed): &(u32, SignedEvent)| {
            texts::key(signed.event.payload.kind(), &kennel, height, *index, &signed.id)
        };
        let keys = |event: &(u32, SignedEvent)| {
            [text(event), items::reject(&event.1.id), items::verdict(&event.1.id, &kennel)]
        };
        let keys: Vec<Key> = events.iter().flat_map(keys).collect();
        let found = texts::read_many(self.fsck.table.as_ref(), &keys, Consistency::Eventual).await?;
        for (event, found) in events.iter().zip(found.chunks(3)) {
            let signed = &event.1;
            self.body(chain, signed, text(event), found[0].clone()).await?;
            if let Some(reject) = &found[1] {
                self.reject(chain, mined_ms, signed, reject).await?;
            }
            if let Some(verdict) = &found[2] {
                self.verdict(chain, signed, verdict).await?;
            }
        }
        Ok(())
    }

    /// The words of a window's texts that are there: they follow from no block without.
    async fn words(&mut self, chain: &mut Chain, blocks: &[Arc<Publication>]) -> Result<(), LedgerError> {
        let (kennel, start) = (chain.founding.kennel, publisher::start_of(blocks)?);
        let (table, words_max) = (self.fsck.table.clone(), self.fsck.search_words_max);
        let stored = publisher::word_buckets(table.as_ref(), &kennel, &start).await?;
        let listed = publisher::window_words(table.as_ref(), blocks, words_max).await?;
        let expected = runs::pack_words(&kennel, &start, &listed);
        let mut expected: BTreeMap<Key, Attributes> =
            expected.into_iter().map(|item| (item.key, item.attributes)).collect();
        self.summary.items += expected.len() as u64;
        let mut is_repaired = false;
        for (key, stored) in stored {
            let right = expected.remove(&key);
            if runs::lists(stored.as_ref(), right.as_ref(), &listed) {
                continue;
            }
            // What was read may lag.
            let stored = self.fsck.table.get(&key, Consistency::Strong).await?;
            if runs::lists(stored.as_ref(), right.as_ref(), &listed) {
                continue;
            }
            let flaw = match (&stored, &right) {
                (None, _) => Flaw::Missing,
                (Some(_), None) => Flaw::Unexpected,
                (Some(_), Some(_)) => Flaw::Differs { attribute: runs::ROWS.to_owned() },
            };
            if self.repairs() {
                self.put(key.clone(), right.unwrap_or_else(runs::no_rows)).await?;
                is_repaired = true;
            }
            self.fault(kennel, Place::Item(key), flaw, self.derivable());
        }
        if is_repaired {
            // The service may run meanwhile, and somebody erase one of these texts.
            publisher::settle_words(table.as_ref(), blocks, words_max).await?;
        }
        Ok(())
    }

    /// The word by which a name that an account lists is found.
    async fn name_word(
        &mut self,
        chain: &mut Chain,
        name: &str,
        account: &AccountId,
    ) -> Result<(), LedgerError> {
        let item = name_word(name, account);
        let stored = self.fsck.table.get(&item.key, Consistency::Strong).await?;
        self.immutable(chain, &item, stored).await
    }

    async fn body(
        &mut self,
        chain: &Chain,
        signed: &SignedEvent,
        key: Key,
        stored: Option<Attributes>,
    ) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let Some(committed) = signed.event.payload.body() else {
            if stored.is_some() {
                self.stray(chain, key).await?;
            }
            return Ok(());
        };
        let kind = signed.event.payload.kind();
        let mut body = StoredBody::of(kind, stored.as_ref());
        if body == StoredBody::Missing {
            // What was read may lag.
            let stored = texts::read(self.fsck.table.as_ref(), &key, Consistency::Strong).await?;
            body = StoredBody::of(kind, stored.as_ref());
        }
        match body {
            StoredBody::None => {}
            StoredBody::Erased => {
                self.summary.erased += 1;
                self.erased(chain, key).await?;
            }
            StoredBody::Missing => {
                self.lost(kennel, Place::Item(texts::item_of(&key)), Flaw::Missing, Loss::Text)
            }
            StoredBody::Present { salt, body } => {
                if let Ok(salt) = <[u8; 32]>::try_from(salt.as_slice())
                    && verify::is_committed(committed, &salt, &body)
                {
                    self.summary.bodies += 1;
                    return Ok(());
                }
                // A false text is worse than none.
                if self.repairs() {
                    texts::remove(self.fsck.table.as_ref(), &key).await?;
                }
                self.lost(kennel, Place::Item(texts::item_of(&key)), Flaw::Body, Loss::Text);
            }
        }
        Ok(())
    }

    /// Texts that share an item, of events that have none.
    async fn stray_texts(&mut self, chain: &Chain, block: &Publication) -> Result<(), LedgerError> {
        let count = u32::try_from(block.events.len()).unwrap_or(u32::MAX);
        let own: BTreeSet<u32> = block
            .texts
            .iter()
            .filter(|text| texts::is_shared(&text.key(block)))
            .map(|text| text.index)
            .collect();
        let all: Vec<Key> = (0..count.next_multiple_of(texts::TEXTS_MAX))
            .filter(|index| !own.contains(index))
            .map(|index| items::text(&block.kennel, block.height, index))
            .collect();
        let found = texts::read_many(self.fsck.table.as_ref(), &all, Consistency::Eventual).await?;
        for (key, _) in all.into_iter().zip(found).filter(|(_, found)| found.is_some()) {
            if self.repairs() {
                texts::remove(self.fsck.table.as_ref(), &key).await?;
            }
            let place = Place::Item(texts::item_of(&key));
            self.fault(chain.founding.kennel, place, Flaw::Unexpected, self.derivable());
        }
        Ok(())
    }

    /// Finishes an erasing that stopped before the words were deleted.
    async fn erased(&mut self, chain: &Chain, key: Key) -> Result<(), LedgerError> {
        let stored = texts::read(self.fsck.table.as_ref(), &key, Consistency::Strong).await?;
        if !stored.is_some_and(|stored| erase::is_unfinished(&stored)) {
            return Ok(());
        }
        if self.repairs() {
            erase::finish(self.fsck.table.as_ref(), &chain.founding.kennel, &key).await?;
        }
        self.fault(
            chain.founding.kennel,
            Place::Item(texts::item_of(&key)),
            Flaw::HalfErased,
            self.derivable(),
        );
        Ok(())
    }

    /// A reject of an event that has a receipt: one recorded earlier was overruled, one recorded
    /// later should not have been.
    async fn reject(
        &mut self,
        chain: &Chain,
        mined_ms: u64,
        signed: &SignedEvent,
        reject: &Attributes,
    ) -> Result<(), LedgerError> {
        let key = items::reject(&signed.id);
        let recorded_s =
            reject.number(items::EXPIRY).ok().and_then(|ttl_s| ttl_s.checked_sub(REJECT_KEPT_MS / 1_000));
        if recorded_s.is_some_and(|recorded_s| recorded_s <= mined_ms / 1_000) {
            self.summary.leftovers += 1;
            return Ok(());
        }
        if self.repairs() {
            self.fsck.table.delete(&key).await?;
        }
        self.fault(chain.founding.kennel, Place::Item(key), Flaw::Contradicts, self.derivable());
        Ok(())
    }

    /// A verdict that no block gave: it would hide a text. One that a block gave is held against
    /// that block in its turn.
    async fn verdict(
        &mut self,
        chain: &mut Chain,
        signed: &SignedEvent,
        verdict: &Attributes,
    ) -> Result<(), LedgerError> {
        let key = items::verdict(&signed.id, &chain.founding.kennel);
        if let Ok(height) = verdict.number("verdict_height") {
            if height > chain.head.height {
                if self.has_grown_to(chain, height).await? {
                    return Ok(());
                }
            } else {
                let batch = self.publication_at(chain, height).await?;
                // Of a block that is lost nobody knows what it gave.
                if batch.is_none_or(|batch| batch.guarded.iter().any(|made| made.key == key)) {
                    return Ok(());
                }
            }
        }
        self.stray(chain, key).await
    }

    async fn shown_photo(&mut self, chain: &Chain, signed: &SignedEvent) -> Result<(), LedgerError> {
        let photo = match &signed.event.payload {
            Payload::Birth { photo, .. } => Some(*photo),
            Payload::Post { photo, .. } => *photo,
            _ => None,
        };
        match photo {
            Some(photo) => self.photo(chain, &photo).await,
            None => Ok(()),
        }
    }

    /// The names that an account lists, once: at the block that changed its card last.
    async fn names(
        &mut self,
        chain: &mut Chain,
        height: u64,
        account: &AccountId,
    ) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let query = Query {
            pk: items::account_pk(account),
            from: "K#".to_owned(),
            to: "N#~".to_owned(),
            order: Order::Ascending,
            limit: PAGE,
            consistency: Consistency::Strong,
        };
        let found = self.fsck.table.query(&query).await?;
        let own = items::account(account, &kennel).sk;
        let is_last = found
            .iter()
            .any(|item| item.key.sk == own && item.attributes.number("record_height") == Ok(height));
        for item in found.into_iter().filter(|_| is_last) {
            let Some(name) = item.key.sk.strip_prefix("N#") else { continue };
            let holder = self.fsck.table.get(&items::name(name), Consistency::Strong).await?;
            if holder.as_ref().and_then(|holder| holder.digest("account").ok()) == Some(account.0) {
                self.name_word(chain, name, account).await?;
                continue;
            }
            if self.repairs() {
                match holder {
                    // A name is listed only after it is held.
                    None => {
                        let held = attributes([("account", account.0.into())]);
                        match self
                            .fsck
                            .table
                            .put_new(&Item { key: items::name(name), attributes: held })
                            .await
                        {
                            Ok(()) | Err(TableError::Conflict) => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                    Some(_) => self.fsck.table.delete(&item.key).await?,
                }
            }
            let flaw = Flaw::Name(name.to_owned());
            self.fault(kennel, Place::Item(item.key.clone()), flaw, self.derivable());
        }
        Ok(())
    }

    /// Ends the feed's days before this one.
    async fn enter_day(&mut self, chain: &mut Chain, day: u64) -> Result<(), LedgerError> {
        while chain.day.0 < day {
            let (before, found) = chain.day;
            chain.day = (before + 1, 0);
            let pk = items::feed_pk(&chain.founding.kennel, before);
            self.count(chain, pk, "0", found).await?;
        }
        Ok(())
    }

    /// The partitions that hold a kennel's entries, for what shouldn't be in them.
    pub(super) async fn partitions(&mut self, chain: &mut Chain) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let doubtful = std::mem::take(&mut chain.doubtful);
        self.items(chain, &doubtful).await?;
        let next_day = chain.day.0 + 1;
        self.enter_day(chain, next_day).await?;
        let births = chain.births;
        self.count(chain, items::births_pk(&kennel), "0", births).await?;
        let trades = chain.trades;
        self.count(chain, items::trades_pk(&kennel), "0", trades).await?;
        let verdicts = chain.verdicts;
        self.count(chain, items::verdicts_pk(&kennel), "0", verdicts).await?;
        chain.whole = chain.windows.last().map_or(0, |(_, last)| *last);
        let tracks = chain.tracks;
        self.count(chain, items::chain(&kennel), "T#", tracks).await?;
        for (birth, found) in std::mem::take(&mut chain.timelines) {
            self.count(chain, items::pet(&birth).pk, "E#", found).await?;
        }
        for (account, found) in std::mem::take(&mut chain.accounts) {
            self.count(chain, items::account_pk(&account), "P#", found).await?;
        }
        self.buckets(chain).await?;
        self.successor(chain).await?;
        self.waiting(chain).await
    }

    /// Buckets of a kennel's places and words that belong to no window of its.
    async fn buckets(&mut self, chain: &mut Chain) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let mut windows = BTreeSet::new();
        for (first, _) in chain.windows.clone() {
            if let Some(publication) = self.publication_at(chain, first).await? {
                let start = publisher::start_of(&[publication])?;
                windows.insert(runs::bucket_sk(&kennel, &start));
            }
        }
        let all = match self.buckets.take() {
            Some(all) => all,
            None => self.all_buckets().await?,
        };
        for key in all.get(&kennel).into_iter().flatten() {
            let height = key.sk.split('#').nth(1).and_then(|height| height.parse::<u64>().ok());
            let is_newer = height.is_some_and(|height| height > chain.whole);
            if windows.contains(&key.sk)
                || (is_newer && self.has_grown_to(chain, height.unwrap_or(0)).await?)
            {
                continue;
            }
            self.stray(chain, key.clone()).await?;
        }
        self.buckets = Some(all);
        Ok(())
    }

    /// The keys of all buckets, by kennel: one partition holds those of all.
    async fn all_buckets(&self) -> Result<BTreeMap<KennelId, Vec<Key>>, LedgerError> {
        let mut all: BTreeMap<KennelId, Vec<Key>> = BTreeMap::new();
        for pk in runs::bucket_partitions() {
            let (mut next, to) = runs::bucket_range(0, None);
            loop {
                let page = self.page(&pk, next, &to).await?;
                for item in &page {
                    if let Ok(kennel) = runs::kennel_of(&item.key.sk) {
                        all.entry(kennel).or_default().push(item.key.clone());
                    }
                }
                match page.last() {
                    Some(item) if page.len() == PAGE as usize => next = after(&item.key.sk),
                    _ => break,
                }
            }
        }
        Ok(all)
    }

    /// Looks through a partition if it holds other than as many entries as were found to be right.
    async fn count(
        &mut self,
        chain: &mut Chain,
        pk: String,
        from: &str,
        found: u64,
    ) -> Result<(), LedgerError> {
        // From a digit every sort key of a feed; from a prefix all that begin with it.
        let (first, last) = if from == "0" {
            ("0".to_owned(), ":".to_owned())
        } else {
            (from.to_owned(), format!("{from}~"))
        };
        // An account's births of all kennels are in one partition.
        let kennel = chain.founding.kennel;
        let is_own = |item: &Item| from != "P#" || items::is_of_kennel(&item.key.sk, &kennel);
        let mut count = 0;
        let mut next = first.clone();
        loop {
            let page = self.page(&pk, next, &last).await?;
            count += page.iter().filter(|item| is_own(item)).count() as u64;
            match page.last() {
                Some(item) if page.len() == PAGE as usize => next = after(&item.key.sk),
                _ => break,
            }
        }
        if count == found {
            return Ok(());
        }
        let mut next = first;
        loop {
            let page = self.page(&pk, next, &last).await?;
            for item in page.iter().filter(|item| is_own(item)) {
                let is_made = match height_in(&item.key.sk, from) {
                    // Published in part, or after this run began.
                    Some(height) if height > chain.whole && self.has_grown_to(chain, height).await? => {
                        continue;
                    }
                    Some(height) if height > chain.whole => Some(false),
                    Some(height) => self.is_of_window(chain, height, &item.key).await?,
                    None => Some(false),
                };
                if is_made == Some(false) {
                    self.stray(chain, item.key.clone()).await?;
                }
            }
            match page.last() {
                Some(item) if page.len() == PAGE as usize => next = after(&item.key.sk),
                _ => break,
            }
        }
        Ok(())
    }

    /// Whether the window that a height is in publishes an item of this key; none if nobody knows.
    async fn is_of_window(
        &self,
        chain: &mut Chain,
        height: u64,
        key: &Key,
    ) -> Result<Option<bool>, LedgerError> {
        let window = chain.windows.iter().find(|(first, last)| (*first..=*last).contains(&height)).copied();
        // Of a block that is lost nobody knows what it published.
        let Some((first, last)) = window else { return Ok(None) };
        if chain.keys.as_ref().is_none_or(|(of, _)| *of != first) {
            let mut blocks = Vec::new();
            for height in first..=last {
                blocks.extend(self.publication_at(chain, height).await?);
            }
            let keys = publisher::window_batch(&blocks)?.immutable.into_iter().map(|item| item.key);
            chain.keys = Some((first, keys.collect()));
        }
        Ok(chain.keys.as_ref().map(|(_, keys)| keys.contains(key)))
    }

    async fn page(&self, pk: &str, from: String, to: &str) -> Result<Vec<Item>, LedgerError> {
        let query = Query {
            pk: pk.to_owned(),
            from,
            to: to.to_owned(),
            order: Order::Ascending,
            limit: PAGE,
            consistency: Consistency::Strong,
        };
        Ok(self.fsck.table.query(&query).await?)
    }

    /// The reservation of the kennel that follows this one: whose founding follows from this one's,
    /// but for its time.
    async fn successor(&mut self, chain: &Chain) -> Result<(), LedgerError> {
        let key = items::next_kennel(&chain.founding.kennel);
        let Some(reserved) = self.fsck.table.get(&key, Consistency::Strong).await? else { return Ok(()) };
        if opening::is_successor(&reserved, &chain.founding) {
            return Ok(());
        }
        // The reaper reserves it again if places run out.
        self.stray(chain, key).await
    }

    /// Stories that wait to be ended, of pets that didn't die.
    async fn waiting(&mut self, chain: &Chain) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let pk = items::dead_pk(&kennel);
        let mut next = "0".to_owned();
        loop {
            let page = self.page(&pk, next, "g").await?;
            for item in &page {
                let birth = item.key.sk.parse::<BirthHash>();
                let card = match birth {
                    Ok(birth) => self.newest_pet(&birth).await,
                    Err(_) => Ok(None),
                };
                let is_dead = match card {
                    Ok(card) => {
                        card.is_some_and(|card| card.kennel == kennel && card.pet.phase != Phase::Living)
                    }
                    // The card's own fault.
                    Err(LedgerError::Damaged(_)) => true,
                    Err(error) => return Err(error),
                };
                if !is_dead {
                    self.stray(chain, item.key.clone()).await?;
                }
            }
            match page.last() {
                Some(item) if page.len() == PAGE as usize => next = after(&item.key.sk),
                _ => return Ok(()),
            }
        }
    }

    /// Whether the chain has reached a height, maybe since this run began: what is new is left to
    /// the next one.
    pub(super) async fn has_grown_to(&self, chain: &Chain, height: u64) -> Result<bool, LedgerError> {
        if height <= chain.head.height {
            return Ok(true);
        }
        match read_head(self.fsck.table.as_ref(), &chain.founding, Consistency::Strong).await {
            Ok(head) => Ok(height <= head.height),
            Err(LedgerError::Damaged(_) | LedgerError::UnknownKennel) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Something that the chain doesn't imply.
    async fn stray(&mut self, chain: &Chain, key: Key) -> Result<(), LedgerError> {
        if self.repairs() {
            self.fsck.table.delete(&key).await?;
        }
        self.fault(chain.founding.kennel, Place::Item(key), Flaw::Unexpected, self.derivable());
        Ok(())
    }
}

/// The least sort key after one.
fn after(sk: &str) -> String {
    format!("{sk}\0")
}

/// The height in a sort key of an entry (`E#height#index`, `T#height`), of a feed (`time#height#…`)
/// or of an account's births (`P#time#height#…`).
fn height_in(sk: &str, from: &str) -> Option<u64> {
    let height = match from {
        "0" => sk.split('#').nth(1)?,
        "P#" => sk.split('#').nth(2)?,
        _ => sk.strip_prefix(from)?.split('#').next()?,
    };
    height.parse().ok()
}
