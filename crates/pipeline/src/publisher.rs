//! Publishing: bringing the read side up to the head. Whoever finds it behind finishes the job.

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::codec::Bytes;
use pitpet_chain::hash::{BlockHash, Digest32, EventId, KennelId};

use crate::erase::is_erased;
use crate::head::{CommittedHead, Founding, LedgerError, damaged, path_down, read_block, read_head};
use crate::items::{self, Fields, attributes};
use crate::message::SaltedBody;
use crate::planted::{Bug, planted};
use crate::ports::{
    Condition, Consistency, Item, Key, PublishBatch, Retry, Table, TableError, Update, Value,
};
use crate::publication::{Bodies, bodies_not_at_hand, body_update, publication, words};
use crate::search;
use crate::verify::is_committed;

/// Keys of one [`Table::get_many`].
const KEYS_MAX: usize = 100;

/// The head up to which to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Height.
    pub height: u64,
    /// Hash.
    pub hash: BlockHash,
    /// Its checkpoint.
    pub checkpoint: String,
}

impl From<&CommittedHead> for Target {
    fn from(head: &CommittedHead) -> Self {
        Self { height: head.height, hash: head.hash, checkpoint: head.checkpoint.clone() }
    }
}

/// Publishes the blocks above `published_height` up to the target, in order. Safe to repeat and
/// to run twice at once: items carry the height that they come from.
///
/// # Errors
/// [`LedgerError`]; what has been published stays.
pub async fn publish_up_to(
    table: &dyn Table,
    founding: &Founding,
    published_height: u64,
    target: &Target,
    bodies: &Bodies,
) -> Result<(), LedgerError> {
    let kennel = &founding.kennel;
    if published_height >= target.height {
        return Ok(());
    }
    let (_, path) = path_down(table, kennel, (target.height, target.hash), published_height).await?;
    for (height, hash) in path {
        let block = read_block(table, kennel, height, &hash).await?;
        let checkpoint = (height == target.height).then_some(target.checkpoint.as_str());
        publish_block(table, founding, height, &block.bytes, &block.nodes, bodies, checkpoint).await?;
    }
    Ok(())
}

/// Publishes one block, all of whose ancestors are published.
///
/// # Errors
/// [`LedgerError`].
pub async fn publish_block(
    table: &dyn Table,
    founding: &Founding,
    height: u64,
    bytes: &[u8],
    nodes: &[Digest32],
    bodies: &Bodies,
    checkpoint: Option<&str>,
) -> Result<(), LedgerError> {
    let mut batch =
        publication(bytes, nodes, bodies).map_err(|_| damaged("a committed block can't be read"))?;
    if planted(Bug::FeedUnlisted) {
        batch.immutable.retain(|item| !item.key.pk.starts_with("F#"));
    }
    if !planted(Bug::RisenBeforePublished) {
        table.publish(&batch).await?;
        take_back_erased(table, &batch.immutable).await?;
    }
    keep_other_bodies(table, bytes, bodies).await?;
    let mut set = attributes([("published_height", height.into())]);
    if let Some(checkpoint) = checkpoint {
        set.insert("published_checkpoint".to_owned(), Value::Text(checkpoint.to_owned()));
    }
    let risen = Update {
        key: items::head(&founding.kennel),
        set,
        remove: Vec::new(),
        condition: match planted(Bug::PublishedHeightFalls) {
            true => Condition::Below("published_height", u64::MAX),
            false => Condition::Below("published_height", height),
        },
        retry: Retry::Allowed,
    };
    match table.update(&risen).await {
        // Somebody else published as far or farther.
        Ok(()) | Err(TableError::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    if planted(Bug::RisenBeforePublished) {
        table.publish(&batch).await?;
    }
    Ok(())
}

/// Stores the bodies that are not at hand and that a miner kept when it rejected their events, and
/// the words of all that are not at hand.
///
/// The places are written before: a miner that rejects an event keeps its body before it looks
/// for its place, so that one of the two sees what the other wrote. Their own messages hold all
/// other bodies, and are not acked without.
async fn keep_other_bodies(table: &dyn Table, bytes: &[u8], bodies: &Bodies) -> Result<(), LedgerError> {
    let missing =
        bodies_not_at_hand(bytes, bodies).map_err(|_| damaged("a committed block can't be read"))?;
    let mut batch = PublishBatch::default();
    let mut others = Vec::new();
    for chunk in missing.chunks(KEYS_MAX) {
        // Strongly: whoever stores a body now, looks for the place after it, and finds it.
        let stored = chunk.iter().map(|(event, _)| {
            let key = items::body(event);
            async move { table.get(&key, Consistency::Strong).await }
        });
        let stored = futures::future::try_join_all(stored).await?;
        for ((event, committed), stored) in chunk.iter().zip(stored) {
            let (item, is_stored) = match stored {
                // One without bytes has been erased.
                Some(item) if item.contains_key("body") => (item, true),
                Some(_) => continue,
                None => match table.get(&items::spare_body(event), Consistency::Strong).await? {
                    Some(spare) if spare.contains_key("body") => (spare, false),
                    Some(_) | None => continue,
                },
            };
            let body = SaltedBody { salt: item.digest("salt")?, body: Bytes(item.bytes("body")?.to_vec()) };
            if is_committed(committed, &body.salt, &body.body.0) {
                if !is_stored {
                    batch.guarded.push(body_update(event, &body));
                }
                others.push((*event, body));
            }
        }
    }
    if !others.is_empty() {
        batch.immutable = words(bytes, &bodies.others(others)).map_err(|_| damaged("a committed block"))?;
        table.publish(&batch).await?;
        take_back_erased(table, &batch.immutable).await?;
    }
    Ok(())
}

/// Lists an event under the words of a body that came after its block was published, unless the
/// body has been erased. An event without a place is left to whoever publishes it.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn index_late(
    table: &dyn Table,
    event: &EventId,
    body: &SaltedBody,
    bodies: &Bodies,
) -> Result<(), LedgerError> {
    let Some(place) = table.get(&items::place(event), Consistency::Strong).await? else { return Ok(()) };
    let stored = table.get(&items::body(event), Consistency::Strong).await?;
    if !stored.is_some_and(|stored| stored.contains_key("body")) {
        return Ok(());
    }
    let (kennel, hash) = (KennelId(place.digest("kennel")?), BlockHash(place.digest("hash")?));
    let block = read_block(table, &kennel, place.number("height")?, &hash).await?;
    let late = bodies.others([(*event, body.clone())]);
    let immutable = words(&block.bytes, &late).map_err(|_| damaged("a committed block can't be read"))?;
    if !immutable.is_empty() {
        let batch = PublishBatch { immutable, guarded: Vec::new() };
        table.publish(&batch).await?;
        take_back_erased(table, &batch.immutable).await?;
    }
    Ok(())
}

/// Lists those events of a block that have their places already under the words of their bodies,
/// which are stored: somebody who did not see them publishes the block. The other events are left to
/// whoever writes their places.
///
/// # Errors
/// [`LedgerError`].
pub(crate) async fn index_placed(
    table: &dyn Table,
    bytes: &[u8],
    bodies: &Bodies,
) -> Result<(), LedgerError> {
    let mut immutable = words(bytes, bodies).map_err(|_| damaged("a committed block can't be read"))?;
    let events: BTreeSet<Digest32> =
        immutable.iter().map(|item| item.attributes.digest("id")).collect::<Result<_, _>>()?;
    let placed = events.into_iter().map(|event| async move {
        let place = table.get(&items::place(&EventId(event)), Consistency::Strong).await?;
        Ok::<_, LedgerError>(place.map(|_| event))
    });
    let placed: Vec<_> = futures::future::try_join_all(placed).await?.into_iter().flatten().collect();
    immutable.retain(|item| item.attributes.digest("id").is_ok_and(|event| placed.contains(&event)));
    if !immutable.is_empty() {
        let batch = PublishBatch { immutable, guarded: Vec::new() };
        table.publish(&batch).await?;
        take_back_erased(table, &batch.immutable).await?;
    }
    Ok(())
}

/// Deletes those of the words just written whose text has been erased meanwhile. Whoever erases
/// deletes the words after the body: of the two, one sees what the other wrote.
pub(crate) async fn take_back_erased(table: &dyn Table, written: &[Item]) -> Result<(), LedgerError> {
    let mut words: BTreeMap<Digest32, Vec<&Key>> = BTreeMap::new();
    for item in written.iter().filter(|item| search::is_partition(&item.key.pk)) {
        words.entry(item.attributes.digest("id")?).or_default().push(&item.key);
    }
    let taken_back = words.into_iter().map(|(event, words)| async move {
        let stored = table.get(&items::body(&EventId(event)), Consistency::Strong).await?;
        if stored.is_some_and(|stored| is_erased(&stored)) {
            for word in words {
                table.delete(word).await?;
            }
        }
        Ok::<_, LedgerError>(())
    });
    futures::future::try_join_all(taken_back).await?;
    Ok(())
}

/// Publishes the blocks from a height up to the head again, whether they were published or not;
/// gives how many. Missing items come back, items that are the same whoever writes them are
/// overwritten, and cards that say that they are of a newer block stay. Bodies follow from no
/// block: what is there of them stays, and this many words of each are listed.
///
/// # Errors
/// [`LedgerError`]; what has been published stays.
pub async fn republish(
    table: &dyn Table,
    founding: &Founding,
    from_height: u64,
    search_words_max: usize,
    mut progress: impl FnMut(u64),
) -> Result<u64, LedgerError> {
    let kennel = &founding.kennel;
    let head = read_head(table, founding, Consistency::Strong).await?;
    // Block 0 has nothing to publish; and above a gap nothing may be published.
    let below = from_height.max(1).saturating_sub(1).min(head.published_height);
    let (_, path) = path_down(table, kennel, (head.height, head.hash), below).await?;
    let bodies = Bodies::new().indexed(search_words_max);
    for (height, hash) in &path {
        let block = read_block(table, kennel, *height, hash).await?;
        let checkpoint = (*height == head.height).then_some(head.checkpoint.as_str());
        publish_block(table, founding, *height, &block.bytes, &block.nodes, &bodies, checkpoint).await?;
        progress(*height);
    }
    Ok(path.len() as u64)
}

/// The published height as the table has it now.
///
/// # Errors
/// [`LedgerError`].
pub async fn published_height(table: &dyn Table, founding: &Founding) -> Result<u64, LedgerError> {
    let item = table
        .get(&items::head(&founding.kennel), Consistency::Strong)
        .await?
        .ok_or(LedgerError::UnknownKennel)?;
    Ok(item.number("published_height")?)
}
