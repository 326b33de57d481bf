//! The read side against the chain: every item that a block publishes, and what lies beside.

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::block::{Block, Change, Receipt};
use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::hash::{AccountId, BirthHash, Digest32, EventId};
use pitpet_chain::state::Phase;

use super::{Chain, Flaw, Loss, Place, Run, first_difference};
use crate::erase;
use crate::head::{LedgerError, read_head};
use crate::items::{self, DAY_MS, Fields, attributes};
use crate::message::SaltedBody;
use crate::mine::REJECT_KEPT_MS;
use crate::opening;
use crate::ports::{Attributes, Condition, Consistency, Item, Key, Order, Query, Retry, TableError, Update};
use crate::publication::{Bodies, SOURCE_HEIGHT, publication, words};
use crate::publisher::take_back_erased;
use crate::query::{StoredBody, read_pet};
use crate::search::name_word;
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
    /// What a block publishes, against what is stored.
    pub(super) async fn published(
        &mut self,
        chain: &mut Chain,
        height: u64,
        block: &Block,
        bytes: &[u8],
        nodes: &[Digest32],
    ) -> Result<(), LedgerError> {
        let Ok(batch) = publication(bytes, nodes, &Bodies::new()) else { return Ok(()) };
        let events = verify::read_events(block).unwrap_or_default();
        self.summary.events += events.len() as u64;
        self.enter_day(chain, block.header.timestamp_ms / DAY_MS).await?;
        // Cards first: what is to be ended is judged by them.
        for updates in batch.guarded.chunks(KEYS) {
            let keys: Vec<Key> = updates.iter().map(|update| update.key.clone()).collect();
            let found = self.fsck.table.get_many(&keys).await?;
            for (update, stored) in updates.iter().zip(found) {
                self.mutable(chain, height, update, stored).await?;
            }
        }
        // Two events may show one photo, and no key may be asked for twice.
        let unique: BTreeMap<&Key, &Item> = batch.immutable.iter().map(|item| (&item.key, item)).collect();
        let unique: Vec<&Item> = unique.into_values().collect();
        for items in unique.chunks(KEYS) {
            let keys: Vec<Key> = items.iter().map(|item| item.key.clone()).collect();
            let found = self.fsck.table.get_many(&keys).await?;
            for (item, stored) in items.iter().zip(found) {
                self.immutable(chain, item, stored).await?;
            }
        }
        for events in events.chunks(KEYS / 3) {
            let bodies = self.beside(chain, block.header.timestamp_ms, events).await?;
            self.words(chain, bytes, Bodies::new().indexed(self.fsck.search_words_max).others(bodies))
                .await?;
        }
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
            self.names(chain, height, &account).await?;
        }
        for signed in &events {
            self.shown_photo(chain, signed).await?;
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

    /// Whether a pet's story has been ended: then nothing waits to be ended.
    async fn has_ended(&self, birth: &str) -> Result<bool, LedgerError> {
        let Ok(birth) = birth.parse::<BirthHash>() else { return Ok(false) };
        match read_pet(self.fsck.table, &birth, Consistency::Strong).await {
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
        let place = self.fsck.table.get(&items::place(&EventId(event)), Consistency::Strong).await?;
        let Some(place) = place else { return Ok(false) };
        if place.digest("kennel") != Ok(chain.founding.kennel.0) {
            // Another kennel's event: that kennel's blocks say whether it shows the photo.
            return Ok(true);
        }
        let Ok(height) = place.number("height") else { return Ok(false) };
        let batch = self.publication_at(chain, height).await?;
        let used = attributes([("event", event.into())]);
        Ok(batch.is_some_and(|batch| {
            batch.immutable.iter().any(|item| item.key == *key && item.attributes == used)
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
            batch.and_then(|batch| batch.guarded.iter().find(|other| other.key == update.key).cloned())
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
        mined_ms: u64,
        events: &[SignedEvent],
    ) -> Result<Vec<(EventId, SaltedBody)>, LedgerError> {
        let mut bodies = Vec::new();
        let kennel = chain.founding.kennel;
        let keys = |signed: &SignedEvent| {
            [items::body(&signed.id), items::reject(&signed.id), items::verdict(&signed.id, &kennel)]
        };
        let keys: Vec<Key> = events.iter().flat_map(keys).collect();
        let found = self.fsck.table.get_many(&keys).await?;
        for (signed, found) in events.iter().zip(found.chunks(3)) {
            let body = self.body(chain, signed, found[0].clone()).await?;
            bodies.extend(body.map(|body| (signed.id, body)));
            if let Some(reject) = &found[1] {
                self.reject(chain, mined_ms, signed, reject).await?;
            }
            if let Some(verdict) = &found[2] {
                self.verdict(chain, signed, verdict).await?;
            }
        }
        Ok(bodies)
    }

    /// The words of texts that are there and right: they follow from no block without.
    async fn words(&mut self, chain: &mut Chain, bytes: &[u8], bodies: Bodies) -> Result<(), LedgerError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let Ok(words) = words(bytes, &bodies) else { return Ok(()) };
        for chunk in words.chunks(KEYS) {
            let keys: Vec<Key> = chunk.iter().map(|item| item.key.clone()).collect();
            let found = self.fsck.table.get_many(&keys).await?;
            for (item, stored) in chunk.iter().zip(found) {
                self.immutable(chain, item, stored).await?;
            }
        }
        if self.repairs() {
            // The service may run meanwhile, and somebody erase one of these texts.
            take_back_erased(self.fsck.table, &words).await?;
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
        stored: Option<Attributes>,
    ) -> Result<Option<SaltedBody>, LedgerError> {
        let kennel = chain.founding.kennel;
        let key = items::body(&signed.id);
        let Some(committed) = signed.event.payload.body() else {
            if stored.is_some() {
                self.stray(chain, key).await?;
            }
            return Ok(None);
        };
        let kind = signed.event.payload.kind();
        let mut body = StoredBody::of(kind, stored.as_ref());
        if body == StoredBody::Missing {
            // What was read may lag.
            let stored = self.fsck.table.get(&key, Consistency::Strong).await?;
            body = StoredBody::of(kind, stored.as_ref());
        }
        match body {
            StoredBody::None => {}
            StoredBody::Erased => {
                self.summary.erased += 1;
                self.erased(chain, key, &signed.id).await?;
            }
            StoredBody::Missing => self.lost(kennel, Place::Item(key), Flaw::Missing, Loss::Text),
            StoredBody::Present { salt, body } => {
                if let Ok(salt) = <[u8; 32]>::try_from(salt.as_slice())
                    && verify::is_committed(committed, &salt, &body)
                {
                    self.summary.bodies += 1;
                    return Ok(Some(SaltedBody { salt, body: Bytes(body) }));
                }
                // A false text is worse than none.
                if self.repairs() {
                    self.fsck.table.delete(&key).await?;
                }
                self.lost(kennel, Place::Item(key), Flaw::Body, Loss::Text);
            }
        }
        Ok(None)
    }

    /// Finishes an erasing that stopped before the words were deleted.
    async fn erased(&mut self, chain: &Chain, key: Key, event: &EventId) -> Result<(), LedgerError> {
        let stored = self.fsck.table.get(&key, Consistency::Strong).await?;
        if !stored.is_some_and(|stored| erase::is_unfinished(&stored)) {
            return Ok(());
        }
        if self.repairs() {
            erase::finish(self.fsck.table, event).await?;
        }
        self.fault(chain.founding.kennel, Place::Item(key), Flaw::HalfErased, self.derivable());
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
        let next_day = chain.day.0 + 1;
        self.enter_day(chain, next_day).await?;
        let births = chain.births;
        self.count(chain, items::births_pk(&kennel), "0", births).await?;
        let trades = chain.trades;
        self.count(chain, items::trades_pk(&kennel), "0", trades).await?;
        let verdicts = chain.verdicts;
        self.count(chain, items::verdicts_pk(&kennel), "0", verdicts).await?;
        let tracks = chain.whole + 1;
        self.count(chain, items::chain(&kennel), "T#", tracks).await?;
        for (birth, found) in std::mem::take(&mut chain.timelines) {
            self.count(chain, items::pet(&birth).pk, "E#", found).await?;
        }
        for (account, found) in std::mem::take(&mut chain.accounts) {
            self.count(chain, items::account_pk(&account), "P#", found).await?;
        }
        self.successor(chain).await?;
        self.waiting(chain).await
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
                let batch = match height_in(&item.key.sk, from) {
                    // Published in part, or after this run began.
                    Some(height) if height > chain.whole && self.has_grown_to(chain, height).await? => {
                        continue;
                    }
                    Some(height) => self.publication_at(chain, height).await?,
                    None => None,
                };
                let is_made =
                    batch.is_some_and(|batch| batch.immutable.iter().any(|made| made.key == item.key));
                if !is_made {
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
                    Ok(birth) => read_pet(self.fsck.table, &birth, Consistency::Strong).await,
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
        match read_head(self.fsck.table, &chain.founding, Consistency::Strong).await {
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
