//! What an account did in a kennel, for whoever wants all data of their own, and for who looks what
//! somebody did lately.
//!
//! No item lists an account's acts, because that would be a further write for every event of
//! everybody, and few ever ask. The ledger has them: its blocks are gone through, a bounded number
//! for each request, and only what the account signed is sent.

use pitpet_chain::block::{Block, Change, Receipt};
use pitpet_chain::body::Body;
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::hash::{AccountId, BlockHash, KennelId};

use super::export::{SEGMENT_BLOCKS, SEGMENT_BYTES, StoredBody};
use super::{PAGE_MAX, Queries, base64_of, cards};
use crate::api::{ActView, ActsView, EntriesView, Problem};
use crate::head::{LedgerError, block_bytes, damaged};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Consistency, Item, Key, Order, Query};
use crate::problem::bad_field;

/// Blocks that are read at once: at most 400 KB each, so that they fit memory.
const BLOCKS_AT_ONCE: usize = 25;

impl Queries {
    /// What an account did in as many blocks as a segment of an export has, from the height that
    /// the cursor names on.
    ///
    /// # Errors
    /// A problem with status 404 if there is no such kennel or name.
    pub async fn acts(&self, kennel: &str, account: &str, cursor: Option<&str>) -> Result<ActsView, Problem> {
        let founding = self.founding(kennel).await?;
        let account = self.account_id(account).await?;
        let from = asked_height(cursor)?.unwrap_or(0);
        let newest = self.head(&founding).await?.height;
        if from > newest {
            return Ok(ActsView { acts: Vec::new(), cursor: None });
        }
        let last = newest.min(from.saturating_add(SEGMENT_BLOCKS - 1));
        let query = Query {
            pk: items::chain(&founding.kennel),
            from: items::track_sk(from),
            to: items::track_sk(last),
            order: Order::Ascending,
            limit: SEGMENT_BLOCKS as u32,
            // A track that is missed would be passed over for good.
            consistency: Consistency::Strong,
        };
        let tracks = self.table.query(&query).await?;
        let (mut acts, mut size, mut next) = (Vec::new(), 0, last + 1);
        for chunk in tracks.chunks(BLOCKS_AT_ONCE) {
            if size > SEGMENT_BYTES {
                next = chunk.first().map_or(Ok(next), height_of)?;
                break;
            }
            for block in self.blocks_at(&blocks_of(&founding.kennel, chunk)?).await? {
                size += block.len();
                self.acts_in(&account, &block, &mut acts).await?;
            }
        }
        Ok(ActsView { acts, cursor: (next <= newest).then(|| next.to_string()) })
    }

    /// What an account did around pets in a kennel, newest first: in the newest blocks below the height that
    /// the cursor names, as many as a segment of an export has, and no more of them once a page is full.
    ///
    /// # Errors
    /// A problem with status 404 if there is no such kennel or name.
    pub async fn activity(
        &self,
        kennel: &str,
        account: &str,
        cursor: Option<&str>,
    ) -> Result<EntriesView, Problem> {
        let founding = self.founding(kennel).await?;
        let account = self.account_id(account).await?;
        let newest = self.head(&founding).await?.height;
        let below = asked_height(cursor)?.unwrap_or(newest + 1);
        let Some(last) = below.min(newest + 1).checked_sub(1) else {
            return Ok(EntriesView { entries: Vec::new(), cursor: None });
        };
        let first = last.saturating_sub(SEGMENT_BLOCKS - 1);
        let query = Query {
            pk: items::chain(&founding.kennel),
            from: items::track_sk(first),
            to: items::track_sk(last),
            order: Order::Descending,
            limit: SEGMENT_BLOCKS as u32,
            consistency: Consistency::Eventual,
        };
        let tracks = self.table.query(&query).await?;
        let (mut keys, mut next) = (Vec::new(), first);
        for chunk in tracks.chunks(BLOCKS_AT_ONCE) {
            for block in self.blocks_at(&blocks_of(&founding.kennel, chunk)?).await? {
                entries_in(&account, &block, &mut keys)?;
            }
            if keys.len() >= PAGE_MAX as usize {
                next = chunk.last().map_or(Ok(first), height_of)?;
                break;
            }
        }
        let read = self.read_all(keys.clone()).await?;
        let found: Vec<Item> = keys
            .into_iter()
            .filter_map(|key| Some(Item { attributes: read.get(&key)?.clone(), key }))
            .collect();
        Ok(EntriesView {
            entries: self.describe(&found).await?,
            cursor: (next > 1).then(|| next.to_string()),
        })
    }

    /// The bytes of committed blocks.
    async fn blocks_at(&self, keys: &[Key]) -> Result<Vec<Vec<u8>>, Problem> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut blocks = Vec::new();
        for (key, item) in keys.iter().zip(self.table.get_many(keys).await?) {
            let item = match item {
                Some(item) => item,
                // Committed a moment ago, and not yet where an eventually consistent read looks.
                None => {
                    let item = self.table.get(key, Consistency::Strong).await?;
                    item.ok_or_else(|| damaged("a committed block is missing"))?
                }
            };
            blocks.push(block_bytes(&item)?);
        }
        Ok(blocks)
    }

    /// Adds what an account did in a block.
    async fn acts_in(
        &self,
        account: &AccountId,
        bytes: &[u8],
        acts: &mut Vec<ActView>,
    ) -> Result<(), Problem> {
        let block: Block = decode(bytes).map_err(|_| damaged("a block"))?;
        let mut own = Vec::new();
        for (index, event) in (0..).zip(&block.events) {
            let signed = SignedEvent::read(&event.0).map_err(|_| damaged("a block's event"))?;
            if signed.event.account == *account {
                own.push((index, &event.0, signed));
            }
        }
        let header = &block.header;
        let key = |index: u32, signed: &SignedEvent| {
            let kind = signed.event.payload.kind();
            crate::texts::key(kind, &header.kennel, header.height, index, &signed.id)
        };
        let with_body = own.iter().filter(|(.., signed)| StoredBody::is_due(signed.event.payload.kind()));
        let bodies = self.read_all(with_body.map(|(index, _, signed)| key(*index, signed)).collect()).await?;
        for (index, event, signed) in own {
            let body = bodies.get(&key(index, &signed));
            acts.push(act(&block, index, event, &signed, body));
        }
        Ok(())
    }
}

/// The height that a cursor names.
fn asked_height(cursor: Option<&str>) -> Result<Option<u64>, Problem> {
    let wrong = |_| bad_field("cursor", "The cursor must be one that this server gave for this list.");
    cursor.map(|cursor| cursor.parse().map_err(wrong)).transpose()
}

/// The height that a track is of.
fn height_of(track: &Item) -> Result<u64, LedgerError> {
    let height = track.key.sk.strip_prefix("T#").and_then(|height| height.parse().ok());
    height.ok_or_else(|| damaged("a track"))
}

/// The keys of the blocks of tracks, of those that hold events.
fn blocks_of(kennel: &KennelId, tracks: &[Item]) -> Result<Vec<Key>, Problem> {
    let mut keys = Vec::new();
    for track in tracks.iter().filter(|track| track.attributes.number("event_count") != Ok(0)) {
        let hash = BlockHash(track.attributes.digest("hash")?);
        keys.push(items::block(kennel, height_of(track)?, &hash));
    }
    Ok(keys)
}

/// Adds the keys of the timelines' entries of what an account did in a block, newest first.
fn entries_in(account: &AccountId, bytes: &[u8], keys: &mut Vec<Key>) -> Result<(), Problem> {
    let block: Block = decode(bytes).map_err(|_| damaged("a block"))?;
    for (index, (event, receipt)) in block.events.iter().zip(&block.receipts).enumerate().rev() {
        let index = u32::try_from(index).map_err(|_| damaged("a block"))?;
        let signed = SignedEvent::read(&event.0).map_err(|_| damaged("a block's event"))?;
        if signed.event.account != *account {
            continue;
        }
        let receipt: Receipt = decode(&receipt.0).map_err(|_| damaged("a block's receipt"))?;
        let pet = receipt.changes.iter().rev().find_map(|change| match change {
            Change::Pet(pet) => Some(pet.birth),
            Change::Order(order) => Some(order.pet),
            _ => None,
        });
        keys.extend(pet.map(|pet| items::timeline(&pet, block.header.height, index)));
    }
    Ok(())
}

fn act(block: &Block, index: u32, event: &[u8], signed: &SignedEvent, body: Option<&Attributes>) -> ActView {
    let kind = signed.event.payload.kind();
    let stored = StoredBody::of(kind, body);
    let mut act = ActView {
        id: signed.id.to_string(),
        kind: kind.name().to_owned(),
        height: block.header.height,
        index,
        timestamp_ms: block.header.timestamp_ms,
        pet: None,
        post: None,
        order: None,
        to: None,
        amount: None,
        photo_url: None,
        name: None,
        text: None,
        tags: Vec::new(),
        body_state: stored.name().to_owned(),
        event: base64_of(event),
        salt: None,
        body: None,
    };
    match &signed.event.payload {
        Payload::Birth { photo, .. } => act.photo_url = Some(cards::photo_url(photo)),
        Payload::Post { pet, photo, .. } => {
            act.pet = Some(pet.to_string());
            act.photo_url = photo.as_ref().map(cards::photo_url);
        }
        Payload::Pat { post } | Payload::Share { post } | Payload::Comment { post, .. } => {
            act.post = Some(post.to_string());
        }
        Payload::Gift { pet, amount }
        | Payload::Offer { pet, price: amount, .. }
        | Payload::Bid { pet, price: amount, .. } => {
            act.pet = Some(pet.to_string());
            act.amount = Some(*amount);
        }
        Payload::Transfer { to, amount } => {
            act.to = Some(to.to_string());
            act.amount = Some(*amount);
        }
        Payload::StoryEnd { pet } | Payload::Keepsake { pet } => act.pet = Some(pet.to_string()),
        Payload::Cancel { order } => act.order = Some(order.to_string()),
        Payload::Take { order, price } => {
            act.order = Some(order.to_string());
            act.amount = Some(*price);
        }
        // What they say is of no person, and in the event.
        Payload::Time { .. }
        | Payload::Rekey { .. }
        | Payload::Seal { .. }
        | Payload::Moderate { .. }
        | Payload::Appoint { .. }
        | Payload::Upgrade { .. } => {}
    }
    let StoredBody::Present { salt, body } = stored else { return act };
    match Body::read(kind, &body) {
        Ok(Body::Birth { name, story }) => {
            act.name = Some(name);
            act.text = Some(story);
        }
        Ok(Body::Post { text, tags }) => {
            act.text = Some(text);
            act.tags = tags;
        }
        Ok(Body::Comment { text } | Body::Moderate { reason: text }) => act.text = Some(text),
        Err(_) => {}
    }
    act.salt = Some(base64_of(&salt));
    act.body = Some(base64_of(&body));
    act
}
