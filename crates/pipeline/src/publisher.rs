//! Publishing: what is written beside the chain so that it can be read.
//!
//! With each block goes what can't wait: the texts, which the messages alone hold, photos in use and
//! whose story is to be ended ([`keep`]). Everything else is written when the block's window closes
//! ([`publish_closed`]). Whoever finds either behind finishes the job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::{try_join, try_join_all};
use pitpet_chain::hash::{EventId, KennelId};

use crate::head::{Founding, LedgerError, damaged, path_down, read_block, read_head};
use crate::items::{self, attributes};
use crate::planted::{Bug, planted};
use crate::ports::{
    Attributes, Condition, Consistency, Key, Order, PublishBatch, Query, Retry, Table, TableError, Update,
};
use crate::publication::{Bodies, Publication, SOURCE_HEIGHT, Text, if_newer};
use crate::read_side::{BLOCKS_AT_ONCE, KEYS_MAX, Reach, ReadSide, listed, read_bodies};
use crate::runs::{self, Listed};
use crate::texts;
use crate::verify::is_committed;
use crate::window::{WindowRule, WindowStart};

/// How often buckets that change meanwhile are looked at anew: whoever else changes one does so for
/// another text, once.
const ATTEMPTS: usize = 16;

/// Writes of a block what can't wait for its window. Safe to repeat and to run twice at once.
///
/// Of a body that is not at hand the spare is looked for, that a miner kept when it rejected the event:
/// a miner that rejects an event keeps its body before it looks for the event in the chain, so that
/// one of the two sees what the other wrote. Their own messages hold all other bodies, and are not
/// acked without.
///
/// # Errors
/// [`LedgerError`].
pub async fn keep(table: &dyn Table, block: &Publication, bodies: &Bodies) -> Result<(), LedgerError> {
    let missing = block.texts.iter().filter(|text| !bodies.contains_key(&text.event));
    let spared = missing.map(|text| async move {
        // Strongly: whoever stores a body now looks for the event after it, and finds it.
        // One without bytes has been erased.
        if texts::read(table, &text.key(block), Consistency::Strong).await?.is_some() {
            return Ok::<_, LedgerError>(None);
        }
        let spare = table.get(&items::spare_body(&text.event), Consistency::Strong).await?;
        let Some(body) = spare.as_ref().and_then(texts::body_in) else { return Ok(None) };
        let is_right = is_committed(&text.committed, &body.salt, &body.body.0);
        Ok(is_right.then_some((text.event, body)))
    });
    let spared = try_join_all(spared).await?.into_iter().flatten();
    let bodies: Bodies = bodies.iter().map(|(event, body)| (*event, body.clone())).chain(spared).collect();
    let prompt = async {
        let is_empty = block.prompt.immutable.is_empty() && block.prompt.guarded.is_empty();
        if is_empty { Ok(()) } else { table.publish(&block.prompt).await }
    };
    try_join(prompt, texts::store(table, block, &bodies)).await?;
    Ok(())
}

/// Notes that what can't wait of all blocks up to a height is written. A commit notes the same of its
/// parent; this is for the last block of a kennel that stands still.
///
/// # Errors
/// [`TableError`].
pub async fn note_kept(table: &dyn Table, kennel: &KennelId, height: u64) -> Result<(), TableError> {
    raise(table, kennel, "kept_height", height).await
}

async fn raise(
    table: &dyn Table,
    kennel: &KennelId,
    name: &'static str,
    height: u64,
) -> Result<(), TableError> {
    let below = if planted(Bug::PublishedHeightFalls) { u64::MAX } else { height };
    let risen = Update {
        key: items::head(kennel),
        set: attributes([(name, height.into())]),
        remove: Vec::new(),
        condition: Condition::Below(name, below),
        retry: Retry::Allowed,
    };
    match table.update(&risen).await {
        // Somebody else came as far or farther.
        Ok(()) | Err(TableError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// How many of these blocks stand in windows that are closed.
pub fn closed(rule: &WindowRule, blocks: &[Arc<Publication>]) -> usize {
    let mut count = 0;
    while let Some(more) = rule.first(blocks[count..].iter().map(|block| facts(block))) {
        count += more;
    }
    count
}

fn facts(block: &Publication) -> (u64, u64) {
    (block.events.len() as u64, block.timestamp_ms)
}

/// Publishes the closed windows of a kennel's tail up to this head, in order; gives the height up to
/// which the read side is complete then. Safe to repeat and to run twice at once: cards carry the
/// height that they come from, and everything else is the same whoever writes it.
///
/// # Errors
/// [`LedgerError`]; what has been published stays.
pub async fn publish_closed(
    read_side: &ReadSide,
    founding: &Founding,
    head: &Reach,
    rule: &WindowRule,
    words_max: usize,
) -> Result<u64, LedgerError> {
    read_side.reach(&founding.kennel, head).await?;
    // Somebody may have published more than this head says; what is above it may not be kept yet.
    let (mut published, mut tail) = read_side.unpublished(&founding.kennel);
    tail.retain(|block| block.height <= head.height);
    let mut rest = &tail[..];
    while let Some(count) = rule.first(rest.iter().map(|block| facts(block))) {
        let (window, more) = rest.split_at(count);
        let height = window.last().map_or(published, |last| last.height);
        if planted(Bug::RisenBeforePublished) {
            raise(read_side.table(), &founding.kennel, "published_height", height).await?;
        }
        publish_window(read_side.table(), window, words_max).await?;
        raise(read_side.table(), &founding.kennel, "published_height", height).await?;
        (rest, published) = (more, height);
    }
    if planted(Bug::PublishedTooFar)
        && let Some(last) = rest.last()
    {
        raise(read_side.table(), &founding.kennel, "published_height", last.height).await?;
    }
    Ok(published)
}

/// The writes of a window, but for its words.
///
/// # Errors
/// [`LedgerError`] for blocks that make no window.
pub fn window_batch(window: &[Arc<Publication>]) -> Result<PublishBatch, LedgerError> {
    let start = start_of(window)?;
    let mut cards: BTreeMap<Key, (u64, Attributes)> = BTreeMap::new();
    for block in window {
        for update in &block.guarded {
            let (height, card) = cards.entry(update.key.clone()).or_default();
            *height = block.height;
            card.extend(update.set.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    let guarded = cards.into_iter().map(|(key, (height, mut set))| {
        set.insert(SOURCE_HEIGHT.to_owned(), height.into());
        if_newer(key, set, height)
    });
    let entries = window.iter().flat_map(|block| block.immutable.iter().cloned());
    Ok(PublishBatch {
        immutable: runs::pack(&window[0].kennel, &start, entries)?,
        guarded: guarded.collect(),
    })
}

/// The start of a window of these blocks.
///
/// # Errors
/// [`LedgerError`] if there are none.
pub fn start_of(window: &[Arc<Publication>]) -> Result<WindowStart, LedgerError> {
    let first = window.first().ok_or_else(|| damaged("a window without a block"))?;
    Ok(WindowStart { height: first.height, time_ms: first.timestamp_ms })
}

/// What is listed of a window's texts, of those that are stored.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn window_words(
    table: &dyn Table,
    window: &[Arc<Publication>],
    words_max: usize,
) -> Result<Vec<Listed>, LedgerError> {
    let mut words = Vec::new();
    for blocks in window.chunks(BLOCKS_AT_ONCE) {
        let bodies = blocks.iter().map(|block| read_bodies(table, block, Consistency::Strong));
        for (block, bodies) in blocks.iter().zip(try_join_all(bodies).await?) {
            words.extend(listed(block, &bodies, words_max).0);
        }
    }
    Ok(words)
}

/// Publishes one window, all of whose ancestors are published.
async fn publish_window(
    table: &dyn Table,
    window: &[Arc<Publication>],
    words_max: usize,
) -> Result<(), LedgerError> {
    table.publish(&window_batch(window)?).await?;
    settle_words(table, window, words_max).await
}

/// Makes the words of a published window what its texts say.
///
/// Whoever stores a body or erases one while this goes on looks for the window's tracks afterwards,
/// and changes the words itself if they are there. They are written before, and the bodies are read
/// again after the words: one of the two sees what the other wrote.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn settle_words(
    table: &dyn Table,
    window: &[Arc<Publication>],
    words_max: usize,
) -> Result<(), LedgerError> {
    if !window.iter().any(|block| block.texts.iter().any(Text::is_listed)) {
        return Ok(());
    }
    let (kennel, start) = (window[0].kennel, start_of(window)?);
    let mut stored = word_buckets(table, &kennel, &start).await?;
    let listed = window_words(table, window, words_max).await?;
    let right: BTreeMap<Key, Attributes> = runs::pack_words(&kennel, &start, &listed)
        .into_iter()
        .map(|item| (item.key, item.attributes))
        .collect();
    stored.retain(|(key, stored)| !runs::lists(stored.as_ref(), right.get(key), &listed));
    let put = |(key, stored): (Key, Option<Attributes>)| {
        let right = right.get(&key).cloned();
        put_rows(key, stored, right)
    };
    let keys: Vec<Key> = stored.iter().map(|(key, _)| key.clone()).collect();
    let guarded: Vec<Update> = stored.into_iter().map(put).collect::<Result<_, _>>()?;
    if !guarded.is_empty() {
        // Many at once; one is left out if what was read lags, or somebody has changed it since.
        table.publish(&PublishBatch { immutable: Vec::new(), guarded }).await?;
    }
    for (key, mut stored) in read_many(table, &keys).await? {
        let mut attempts = 0;
        while !runs::lists(stored.as_ref(), right.get(&key), &listed) {
            stored = table.get(&key, Consistency::Strong).await?;
            if runs::lists(stored.as_ref(), right.get(&key), &listed) {
                break;
            }
            match table.update(&put((key.clone(), stored.clone()))?).await {
                Ok(()) => break,
                Err(TableError::Conflict) if attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let by_place = |texts: &[Listed]| -> BTreeMap<(u64, u32), Listed> {
        texts.iter().map(|text| ((text.height, text.index), text.clone())).collect()
    };
    let (before, after) = (by_place(&listed), by_place(&window_words(table, window, words_max).await?));
    let places: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for place in places {
        let (before, after) = (before.get(place), after.get(place));
        if before != after {
            let buckets = before.iter().chain(&after).flat_map(|text| buckets_of(text)).collect();
            if let Some(right) = after.cloned().or_else(|| before.map(without_words)) {
                change_rows(table, &kennel, &start, &buckets, &right).await?;
            }
        }
    }
    Ok(())
}

/// The buckets of a window's words, as they are stored; that may lag.
///
/// # Errors
/// [`TableError`].
pub(crate) async fn word_buckets(
    table: &dyn Table,
    kennel: &KennelId,
    start: &WindowStart,
) -> Result<Vec<(Key, Option<Attributes>)>, TableError> {
    read_many(table, &runs::word_buckets(kennel, start)).await
}

/// Reads items; that may lag.
async fn read_many(table: &dyn Table, keys: &[Key]) -> Result<Vec<(Key, Option<Attributes>)>, TableError> {
    let mut found = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS_MAX) {
        found.extend(table.get_many(keys).await?);
    }
    Ok(keys.iter().cloned().zip(found).collect())
}

/// The write that gives a bucket of words its rows, unless it has changed.
fn put_rows(key: Key, stored: Option<Attributes>, right: Option<Attributes>) -> Result<Update, LedgerError> {
    let condition = match stored {
        None => Condition::Absent,
        Some(stored) => {
            let rows = stored.get(runs::ROWS).ok_or_else(|| damaged("a bucket of words"))?;
            Condition::Equals(runs::ROWS, rows.clone())
        }
    };
    let set = right.unwrap_or_else(runs::no_rows);
    Ok(Update { key, set, remove: Vec::new(), condition, retry: Retry::Allowed })
}

/// The buckets of a text's words.
fn buckets_of(text: &Listed) -> BTreeSet<String> {
    text.words.iter().map(runs::bucket_of).collect()
}

fn without_words(text: &Listed) -> Listed {
    Listed { words: Vec::new(), ..text.clone() }
}

/// The window that a published height is in; none if it is not published, nor being published.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn window_at(
    table: &dyn Table,
    kennel: &KennelId,
    height: u64,
) -> Result<Option<WindowStart>, LedgerError> {
    let track = items::track(kennel, height);
    let query = Query {
        from: runs::first_of(&track.pk).to_owned(),
        pk: track.pk.clone(),
        to: track.sk.clone(),
        order: Order::Descending,
        limit: 1,
        consistency: Consistency::Strong,
    };
    let Some(run) = table.query(&query).await?.pop() else { return Ok(None) };
    let holds = runs::unpack(&run)?.iter().any(|entry| entry.key == track);
    Ok(if holds { Some(runs::window_of(&run.attributes)?) } else { None })
}

/// Lists an event under the words of a body that came after its window was published, unless the
/// body has been erased. One whose window is open is left to whoever publishes it.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn index_late(
    table: &dyn Table,
    block: &Publication,
    event: &EventId,
    words_max: usize,
) -> Result<(), LedgerError> {
    let Some(at) = block.texts.iter().find(|text| text.event == *event && text.is_listed()) else {
        return Ok(());
    };
    let Some(window) = window_at(table, &block.kennel, block.height).await? else { return Ok(()) };
    let one = Publication { texts: vec![at.clone()], ..block.clone() };
    loop {
        let bodies = read_bodies(table, &one, Consistency::Strong).await?;
        let (texts, _) = listed(&one, &bodies, words_max);
        let Some(text) = texts.first() else { return Ok(()) };
        change_rows(table, &block.kennel, &window, &buckets_of(text), text).await?;
        // Whoever erases it takes it from its words after the body.
        let after = read_bodies(table, &one, Consistency::Strong).await?;
        if after == bodies {
            return Ok(());
        }
        change_rows(table, &block.kennel, &window, &buckets_of(text), &without_words(text)).await?;
    }
}

/// Takes a text that was erased out of the buckets of its words.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn unlist(table: &dyn Table, kennel: &KennelId, text: &Listed) -> Result<(), LedgerError> {
    // Whoever publishes its window only now reads the body after that, and lists nothing.
    let Some(window) = window_at(table, kennel, text.height).await? else { return Ok(()) };
    change_rows(table, kennel, &window, &buckets_of(text), &without_words(text)).await
}

/// Publishes the closed windows from the one that a height is in up to the head again, whether they
/// were published or not; gives how many blocks. Missing items come back, items that are the same
/// whoever writes them are overwritten, and cards that say that they are of a newer block stay.
/// Bodies follow from no block: what is there of them stays, and this many words of each are listed.
///
/// # Errors
/// [`LedgerError`]; what has been published stays.
pub async fn republish(
    table: &dyn Table,
    founding: &Founding,
    from_height: u64,
    rule: &WindowRule,
    words_max: usize,
    mut progress: impl FnMut(u64),
) -> Result<u64, LedgerError> {
    let kennel = &founding.kennel;
    let head = read_head(table, founding, Consistency::Strong).await?;
    // Block 0 has nothing to publish; and above a gap nothing may be published.
    let from = from_height.max(1).min(head.published_height + 1);
    let first = match window_at(table, kennel, from).await? {
        Some(window) => window.height.max(1),
        None if from > head.published_height => from,
        None => 1,
    };
    let (_, path) = path_down(table, kennel, (head.height, head.hash), first - 1).await?;
    let (mut window, mut count): (Vec<Arc<Publication>>, u64) = (Vec::new(), 0);
    for (height, hash) in &path {
        let made = read_block(table, kennel, *height, hash).await?.publication()?;
        keep(table, &made, &Bodies::new()).await?;
        window.push(Arc::new(made));
        while let Some(closed) = rule.first(window.iter().map(|block| facts(block))) {
            let rest = window.split_off(closed);
            let last = window.last().map_or(*height, |last| last.height);
            publish_window(table, &window, words_max).await?;
            raise(table, kennel, "published_height", last).await?;
            count += window.len() as u64;
            window = rest;
        }
        progress(*height);
    }
    Ok(count)
}

/// Stores bodies that came late, of events that are in the chain, and lists their words.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn keep_late(
    table: &dyn Table,
    block: &Publication,
    bodies: &Bodies,
    words_max: usize,
) -> Result<(), LedgerError> {
    texts::store(table, block, bodies).await?;
    for text in block.texts.iter().filter(|text| bodies.contains_key(&text.event)) {
        index_late(table, block, &text.event, words_max).await?;
    }
    Ok(())
}

/// Lists a text under its words, or takes it out of them, in the buckets of a window that is stored.
async fn change_rows(
    table: &dyn Table,
    kennel: &KennelId,
    window: &WindowStart,
    buckets: &BTreeSet<String>,
    text: &Listed,
) -> Result<(), LedgerError> {
    for pk in buckets {
        let key = Key::new(pk.clone(), runs::bucket_sk(kennel, window));
        let mut attempts = 0;
        loop {
            let stored = table.get(&key, Consistency::Strong).await?;
            let right = runs::relist(stored.as_ref(), text, pk)?;
            if right == stored {
                break;
            }
            match table.update(&put_rows(key.clone(), stored, right)?).await {
                Ok(()) => break,
                Err(TableError::Conflict) if attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
