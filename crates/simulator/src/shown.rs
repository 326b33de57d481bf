//! What the read side of a table comes to, written down whole: every entry under its own key, up to
//! each kennel's head. Made of the items and the chain in the simplest way, to hold what readers are
//! told against.

use std::collections::BTreeMap;

use pitpet_chain::hash::{BlockHash, EventId, KennelId};
use pitpet_pipeline::head::{block_bytes, split_nodes};
use pitpet_pipeline::items::{self, Fields as _, attributes};
use pitpet_pipeline::ports::{Attributes, Item, Key};
use pitpet_pipeline::publication::{Publication, SOURCE_HEIGHT, publication};
use pitpet_pipeline::read_side::listed;
use pitpet_pipeline::runs;
use pitpet_pipeline::search::{self, WORDS_MAX};
use pitpet_pipeline::texts;

use crate::table::MemoryTable;

impl MemoryTable {
    /// The same table with every entry under its own key, up to the kennels' heads.
    ///
    /// # Panics
    /// If the table is damaged.
    pub fn shown(&self) -> Self {
        let stored = self.all();
        let mut shown = self.stored_entries();
        for (key, head) in stored.iter().filter(|(key, _)| key.sk == "HEAD") {
            let kennel = key.pk[2..].parse().expect("a kennel's id");
            for block in tail(&stored, &kennel, head) {
                show(&mut shown, &stored, &block);
            }
        }
        texts_by_event(&mut shown);
        Self::of(shown)
    }

    /// Every published entry under its own key, and everything else as it is stored.
    ///
    /// # Panics
    /// If the table is damaged.
    pub fn stored_entries(&self) -> BTreeMap<Key, Attributes> {
        let stored = self.all();
        let mut shown = BTreeMap::new();
        let mut buckets = Vec::new();
        for (key, attributes) in &stored {
            let item = Item { key: key.clone(), attributes: attributes.clone() };
            if runs::is_run(&key.pk, &key.sk) {
                shown.extend(
                    runs::unpack(&item).expect("a run").into_iter().map(|item| (item.key, item.attributes)),
                );
            } else if runs::is_bucket(key) {
                buckets.push(item);
            } else {
                shown.insert(item.key, item.attributes);
            }
        }
        for bucket in buckets {
            if search::is_partition(&bucket.key.pk) {
                for (sk, entry) in runs::unpack_words(&bucket).expect("a bucket") {
                    let entry = shown.get(&entry).expect("what is listed is in a feed").clone();
                    let word = sk.split('#').nth(1).expect("a class, a word, a place");
                    shown.insert(Key::new(search::partition(word), sk), entry);
                }
                continue;
            }
            places(&mut shown, &bucket);
        }
        shown
    }
}

/// Gives texts that share an item the keys that they would have alone.
fn texts_by_event(shown: &mut BTreeMap<Key, Attributes>) {
    let places = shown.iter().filter(|(key, _)| runs::is_place(key));
    let events: Vec<(EventId, Key)> = places
        .map(|(key, place)| {
            let kennel = KennelId(place.digest("kennel").expect("a kennel"));
            let index = u32::try_from(place.number("index").expect("an index")).expect("of a block");
            let text = items::text(&kennel, place.number("height").expect("a height"), index);
            (key.pk[2..].parse().expect("an event's id"), text)
        })
        .collect();
    for (event, text) in events {
        if let Some(text) = texts::out_of(&text, shown.get(&texts::item_of(&text))) {
            shown.insert(items::body(&event), text);
        }
    }
    shown.retain(|key, _| !texts::is_shared(key));
}

/// The places in a bucket, by the blocks that hold their events.
fn places(shown: &mut BTreeMap<Key, Attributes>, bucket: &Item) {
    for (kennel, height, index, kind) in runs::places(bucket).expect("a bucket") {
        let track = shown[&items::track(&kennel, height)].clone();
        let hash = BlockHash(track.digest("hash").expect("a track's hash"));
        let block = &shown[&items::block(&kennel, height, &hash)];
        let made = publication(&block_bytes(block).expect("bytes"), &[]).expect("a committed block");
        let event = made.events[index as usize];
        let place = attributes([
            ("kennel", kennel.0.into()),
            ("height", height.into()),
            ("hash", hash.0.into()),
            ("index", index.into()),
            ("kind", kind.into()),
            ("timestamp_ms", track.number("timestamp_ms").expect("a track's time").into()),
        ]);
        shown.insert(items::place(&event), place);
    }
}

/// The blocks above what is published.
fn tail(stored: &BTreeMap<Key, Attributes>, kennel: &KennelId, head: &Attributes) -> Vec<Publication> {
    let mut height = head.number("height").expect("a height");
    let mut hash = BlockHash(head.digest("hash").expect("a hash"));
    let mut blocks = Vec::new();
    while height > head.number("published_height").expect("a height") {
        let block = &stored[&items::block(kennel, height, &hash)];
        let nodes = split_nodes(block.bytes("nodes").expect("nodes"));
        blocks.push(publication(&block_bytes(block).expect("bytes"), &nodes).expect("a committed block"));
        hash = BlockHash(block.digest("parent").expect("a parent"));
        height -= 1;
    }
    blocks.reverse();
    blocks
}

fn show(shown: &mut BTreeMap<Key, Attributes>, stored: &BTreeMap<Key, Attributes>, block: &Publication) {
    shown.extend(block.immutable.iter().map(|item| (item.key.clone(), item.attributes.clone())));
    for update in &block.guarded {
        let card = shown.entry(update.key.clone()).or_default();
        if card.number(SOURCE_HEIGHT).is_ok_and(|height| height >= block.height) {
            continue;
        }
        card.extend(update.set.clone());
    }
    let listable = block.texts.iter().filter(|text| text.is_listed());
    let text = |key: &Key| texts::out_of(key, stored.get(&texts::item_of(key)));
    let bodies: Vec<_> = listable.map(|at| text(&at.key(block))).collect();
    for text in listed(block, &bodies, WORDS_MAX).0 {
        let feed_sk = items::feed_sk(text.timestamp_ms, text.height, text.index, &block.kennel);
        let feed_pk = items::feed_pk(&block.kennel, text.timestamp_ms / items::DAY_MS);
        let entry = shown[&Key::new(feed_pk, feed_sk.clone())].clone();
        for word in text.words {
            shown.insert(word.key(&feed_sk), entry.clone());
        }
    }
}
