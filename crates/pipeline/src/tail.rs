//! The tails of kennels in memory: their blocks above what is published, and what those mean by key.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use pitpet_chain::hash::{BlockHash, KennelId};

use crate::items::Fields as _;
use crate::ports::{Attributes, Key, Order, Query};
use crate::publication::{Publication, SOURCE_HEIGHT};
use crate::runs::Listed;

/// Blocks that are kept when they are published, and how many more are forgotten with each that comes.
const KEPT_MAX: usize = 64;
const FORGOTTEN_AT_ONCE: usize = 8;

/// What a block's texts are listed under.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(crate) listed: Arc<Vec<Listed>>,
    /// Whether all of its texts are known; the others may come.
    pub(crate) is_whole: bool,
}

#[derive(Debug)]
struct TailBlock {
    publication: Arc<Publication>,
    words: Option<Words>,
}

/// A kennel's blocks, ascending.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    blocks: VecDeque<TailBlock>,
    /// The newest published height that was seen.
    pub(crate) published: u64,
}

impl Tail {
    pub(crate) fn newest(&self) -> Option<(u64, BlockHash)> {
        self.blocks.back().map(|block| (block.publication.height, block.publication.hash))
    }

    fn place_of(&self, height: u64) -> Option<usize> {
        let first = self.blocks.front()?.publication.height;
        usize::try_from(height.checked_sub(first)?).ok().filter(|at| *at < self.blocks.len())
    }

    pub(crate) fn at(&self, height: u64) -> Option<&Arc<Publication>> {
        self.place_of(height).map(|at| &self.blocks[at].publication)
    }

    pub(crate) fn above(&self, height: u64) -> impl Iterator<Item = &Arc<Publication>> {
        self.blocks.iter().map(|block| &block.publication).filter(move |block| block.height > height)
    }
}

/// What a tail makes of an item, whatever is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    /// An entry of a tail.
    entry: Option<Attributes>,
    /// Changes of a card, by height.
    changes: Vec<(u64, Attributes)>,
}

impl Overlay {
    /// The item with it.
    pub(crate) fn over(self, stored: Option<Attributes>) -> Option<Attributes> {
        if self.entry.is_some() {
            return self.entry;
        }
        if self.changes.is_empty() {
            return stored;
        }
        let mut risen = stored.unwrap_or_default();
        for (height, set) in self.changes {
            if !risen.number(SOURCE_HEIGHT).is_ok_and(|source| source >= height) {
                risen.extend(set);
            }
        }
        Some(risen)
    }
}

/// Where a block says something of a key: the block, and the place among its entries or changes.
type Said = (Arc<Publication>, usize);

/// All tails, and what they mean by key. Each record is held once, by its block.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) tails: HashMap<KennelId, Tail>,
    entries: BTreeMap<Key, Said>,
    /// Ascending by height.
    changes: BTreeMap<Key, Vec<Said>>,
}

impl Memory {
    /// Takes over a block if it follows the newest one of its kennel, or what is published.
    pub(crate) fn push(&mut self, publication: Arc<Publication>) {
        let tail = self.tails.entry(publication.kennel).or_default();
        let follows = match tail.newest() {
            Some((height, hash)) => (height + 1, hash) == (publication.height, publication.parent),
            None => tail.published + 1 == publication.height,
        };
        if !follows {
            return;
        }
        tail.blocks.push_back(TailBlock { publication: publication.clone(), words: None });
        for (at, item) in publication.immutable.iter().enumerate() {
            self.entries.insert(item.key.clone(), (publication.clone(), at));
        }
        for (at, update) in publication.guarded.iter().enumerate() {
            self.changes.entry(update.key.clone()).or_default().push((publication.clone(), at));
        }
        // What is published is forgotten little by little: reads that lag don't see all of it at once.
        let published = tail.published;
        let kept = tail.blocks.iter().take_while(|block| block.publication.height <= published).count();
        if kept > KEPT_MAX {
            let first = tail.blocks.front().map_or(0, |block| block.publication.height);
            self.forget(&publication.kennel, first + (kept - KEPT_MAX).min(FORGOTTEN_AT_ONCE) as u64 - 1);
        }
    }

    /// Forgets the blocks of a kennel up to a height.
    pub(crate) fn forget(&mut self, kennel: &KennelId, height: u64) {
        let Some(tail) = self.tails.get_mut(kennel) else { return };
        while tail.blocks.front().is_some_and(|block| block.publication.height <= height) {
            let Some(TailBlock { publication, .. }) = tail.blocks.pop_front() else { break };
            for item in &publication.immutable {
                self.entries.remove(&item.key);
            }
            for update in &publication.guarded {
                if let Some(said) = self.changes.get_mut(&update.key) {
                    said.retain(|(block, _)| !Arc::ptr_eq(block, &publication));
                    if said.is_empty() {
                        self.changes.remove(&update.key);
                    }
                }
            }
        }
    }

    /// An entry of a tail.
    pub(crate) fn entry(&self, key: &Key) -> Option<Attributes> {
        self.entries.get(key).map(|(block, at)| block.immutable[*at].attributes.clone())
    }

    /// What the tails make of an item.
    pub(crate) fn overlay(&self, key: &Key) -> Overlay {
        let changes = self.changes.get(key).into_iter().flatten();
        Overlay {
            entry: self.entry(key),
            changes: changes.map(|(block, at)| (block.height, block.guarded[*at].set.clone())).collect(),
        }
    }

    /// The same of the keys in a range of which they say something, as many as the query asks for.
    pub(crate) fn overlays(&self, query: &Query) -> BTreeMap<Key, Overlay> {
        if query.from > query.to {
            return BTreeMap::new();
        }
        let range =
            Key::new(query.pk.clone(), query.from.clone())..=Key::new(query.pk.clone(), query.to.clone());
        // Of each as many as the answer has, from the end where it begins: what is behind can't be in it.
        let limit = query.limit as usize;
        let (entries, changes) = (self.entries.range(range.clone()), self.changes.range(range));
        let (entries, changes) = (entries.map(|(key, _)| key), changes.map(|(key, _)| key));
        let keys: Vec<&Key> = match query.order {
            Order::Ascending => entries.take(limit).chain(changes.take(limit)).collect(),
            Order::Descending => entries.rev().take(limit).chain(changes.rev().take(limit)).collect(),
        };
        keys.into_iter().map(|key| (key.clone(), self.overlay(key))).collect()
    }

    /// The blocks of whose words something is not known.
    pub(crate) fn wordless(&self) -> Vec<Arc<Publication>> {
        let blocks = self.tails.values().flat_map(|tail| &tail.blocks);
        let wordless = blocks.filter(|block| block.words.as_ref().is_none_or(|words| !words.is_whole));
        wordless.map(|block| block.publication.clone()).collect()
    }

    /// Notes the words of a block.
    pub(crate) fn learn(&mut self, block: &Publication, words: Words) {
        let Some(tail) = self.tails.get_mut(&block.kennel) else { return };
        let Some(at) = tail.place_of(block.height) else { return };
        let known = &mut tail.blocks[at];
        if known.publication.hash == block.hash {
            known.words = Some(words);
        }
    }

    /// What is listed, each text with its kennel.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&KennelId, &Listed)> {
        self.tails.iter().flat_map(|(kennel, tail)| {
            let words = tail.blocks.iter().filter_map(|block| block.words.as_ref());
            words.flat_map(|words| words.listed.iter()).map(move |text| (kennel, text))
        })
    }
}
