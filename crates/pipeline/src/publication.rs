//! What a block means for the read side: a pure function from the block's bytes (and the bodies
//! at hand) to writes that anyone may repeat.

use std::collections::BTreeMap;

use pitpet_chain::block::{Block, Change, Death, Ending, EndingReason, Receipt};
use pitpet_chain::body::Body;
use pitpet_chain::codec::{Malformed, decode, encode};
use pitpet_chain::event::{Kind, Payload, SignedEvent};
use pitpet_chain::hash::{BirthHash, Digest32, EventId};

use crate::items::{self, attributes};
use crate::message::SaltedBody;
use crate::planted::{Bug, planted};
use crate::ports::{Attributes, Condition, Item, Key, PublishBatch, Retry, Update, Value};
use crate::search;

/// Bodies at hand, by event, and how many of their words can be searched for.
#[derive(Clone, Debug)]
pub struct Bodies {
    bodies: BTreeMap<EventId, SaltedBody>,
    words_max: usize,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new()
    }
}

impl Bodies {
    /// None at hand.
    pub fn new() -> Self {
        Self { bodies: BTreeMap::new(), words_max: search::WORDS_MAX }
    }

    /// Of each text, this many words can be searched for, at most [`search::WORDS_MAX`].
    #[must_use]
    pub fn indexed(mut self, words_max: usize) -> Self {
        self.words_max = words_max.min(search::WORDS_MAX);
        self
    }

    /// Others, of which as many words can be searched for.
    #[must_use]
    pub fn others(&self, bodies: impl IntoIterator<Item = (EventId, SaltedBody)>) -> Self {
        Self { bodies: bodies.into_iter().collect(), words_max: self.words_max }
    }

    /// Whether none is at hand.
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// An event's body.
    pub fn get(&self, event: &EventId) -> Option<&SaltedBody> {
        self.bodies.get(event)
    }
}

impl FromIterator<(EventId, SaltedBody)> for Bodies {
    fn from_iter<T: IntoIterator<Item = (EventId, SaltedBody)>>(bodies: T) -> Self {
        Self { bodies: bodies.into_iter().collect(), ..Self::new() }
    }
}

/// The guard of mutable read-side items: the height that they come from.
pub const SOURCE_HEIGHT: &str = "source_height";

/// An update that creates the item or changes nothing.
pub fn if_absent(key: Key, set: Attributes) -> Update {
    Update { key, set, remove: Vec::new(), condition: Condition::Absent, retry: Retry::Allowed }
}

/// Stores a body, unless it is there already or has been erased.
pub fn body_update(event: &EventId, body: &SaltedBody) -> Update {
    let set = attributes([("salt", body.salt.into()), ("body", body.body.0.clone().into())]);
    if_absent(items::body(event), set)
}

/// Keeps the body of an event that was rejected, for as long as another miner may accept it.
pub fn spare_update(event: &EventId, body: &SaltedBody, ttl_s: u64) -> Update {
    let set = attributes([
        ("salt", body.salt.into()),
        ("body", body.body.0.clone().into()),
        (items::EXPIRY, ttl_s.into()),
    ]);
    if_absent(items::spare_body(event), set)
}

/// The events of a block that have a body which is not at hand, with what they commit to.
///
/// # Errors
/// [`Malformed`] if the bytes are no block.
pub fn bodies_not_at_hand(bytes: &[u8], bodies: &Bodies) -> Result<Vec<(EventId, Digest32)>, Malformed> {
    let block: Block = decode(bytes)?;
    let mut found = Vec::new();
    for event in &block.events {
        let signed = SignedEvent::read(&event.0).map_err(|_| Malformed)?;
        if let (Some(committed), false) = (signed.event.payload.body(), bodies.get(&signed.id).is_some()) {
            found.push((signed.id, *committed));
        }
    }
    Ok(found)
}

/// The items by which a block's births and posts are found, of those whose bodies are at hand.
///
/// # Errors
/// [`Malformed`] if the bytes are no block.
pub fn words(bytes: &[u8], bodies: &Bodies) -> Result<Vec<Item>, Malformed> {
    let batch = publication(bytes, &[], bodies)?;
    Ok(batch.immutable.into_iter().filter(|item| search::is_partition(&item.key.pk)).collect())
}

/// The writes that publish a block.
///
/// `nodes` are the nodes of the block log that it completes.
///
/// # Errors
/// [`Malformed`] if the bytes are no block.
pub fn publication(bytes: &[u8], nodes: &[Digest32], bodies: &Bodies) -> Result<PublishBatch, Malformed> {
    let block: Block = decode(bytes)?;
    let header = &block.header;
    let (kennel, height, time) = (header.kennel, header.height, header.timestamp_ms);
    let hash = header.hash();
    let mut batch = PublishBatch::default();
    let mut mutable: BTreeMap<Key, Attributes> = BTreeMap::new();

    let track = attributes([
        ("hash", hash.0.into()),
        ("nodes", nodes.concat().into()),
        ("timestamp_ms", time.into()),
        ("event_count", (block.events.len() as u64).into()),
    ]);
    batch.immutable.push(Item { key: items::track(&kennel, height), attributes: track });

    for (index, (event, receipt)) in block.events.iter().zip(&block.receipts).enumerate() {
        let index = u32::try_from(index).map_err(|_| Malformed)?;
        let signed = SignedEvent::read(&event.0).map_err(|_| Malformed)?;
        let receipt: Receipt = decode(&receipt.0)?;
        let kind = signed.event.payload.kind();
        let place = attributes([
            ("kennel", kennel.0.into()),
            ("height", height.into()),
            ("hash", hash.0.into()),
            ("index", index.into()),
            ("kind", u64::from(kind as u8).into()),
            ("timestamp_ms", time.into()),
        ]);
        batch.immutable.push(Item { key: items::place(&signed.id), attributes: place });
        if let Some(body) = bodies.get(&signed.id) {
            batch.guarded.push(body_update(&signed.id, body));
        }
        let mut about: Option<BirthHash> = None;
        let feed_sk = items::feed_sk(time, height, index, &kennel);
        for change in &receipt.changes {
            let (key, record) = match change {
                Change::Pet(pet) => {
                    about = Some(pet.birth);
                    (items::pet(&pet.birth), encode(pet))
                }
                Change::Account(account) => (items::account(&account.id, &kennel), encode(account)),
                Change::Post(post) => (items::post(&post.id), encode(post)),
                Change::Order(order) => {
                    about = Some(order.pet);
                    (items::order(&order.id), encode(order))
                }
                Change::Keys(keys) => (items::keys(&kennel), encode(keys)),
                Change::Closed(order) => {
                    close(&mut mutable, order, height, "cancelled");
                    continue;
                }
                Change::Trade(trade) => {
                    close(&mut mutable, &trade.order, height, "taken");
                    let sold = attributes([
                        ("id", signed.id.0.into()),
                        ("record", encode(trade).into()),
                        ("height", height.into()),
                        ("timestamp_ms", time.into()),
                    ]);
                    let key = Key::new(items::trades_pk(&kennel), feed_sk.clone());
                    if !planted(Bug::TradeUnlisted) {
                        batch.immutable.push(Item { key, attributes: sold });
                    }
                    continue;
                }
            };
            let set = mutable.entry(key).or_default();
            set.extend(attributes([("record", record.into()), ("kennel", kennel.0.into())]));
            set.insert("record_height".to_owned(), height.into());
        }
        if let Payload::Moderate { target, verdict, .. } = &signed.event.payload {
            let verdict = attributes([
                ("verdict_height", height.into()),
                ("verdict", u64::from(*verdict as u8).into()),
                ("by", signed.id.0.into()),
            ]);
            if !planted(Bug::VerdictForgotten) {
                mutable.entry(items::verdict(target, &kennel)).or_default().extend(verdict.clone());
            }
            let mut logged = verdict;
            logged.extend(attributes([("target", target.0.into()), ("timestamp_ms", time.into())]));
            let key = Key::new(items::verdicts_pk(&kennel), feed_sk);
            batch.immutable.push(Item { key, attributes: logged });
        }
        let body = bodies.get(&signed.id).and_then(|body| Body::read(kind, &body.body.0).ok());
        let words = body.map(|body| search::words_of(&body, bodies.words_max)).unwrap_or_default();
        entries(&mut batch, &Place { block: &block, index, signed: &signed, about, words });
    }
    for death in &block.deaths {
        let death: Death = decode(&death.0)?;
        let died = attributes([("died_height", height.into()), ("died_ms", time.into())]);
        mutable.entry(items::pet(&death.pet)).or_default().extend(died);
        let lost = attributes([
            ("lost_pet", death.pet.0.into()),
            ("lost_height", height.into()),
            ("holdings", death.holdings.into()),
        ]);
        mutable.entry(items::account(&death.owner, &kennel)).or_default().extend(lost);
        let key = Key::new(items::dead_pk(&kennel), death.pet.to_string());
        batch.immutable.push(Item { key, attributes: attributes([("died_height", height.into())]) });
    }
    for ending in &block.endings {
        let ending: Ending = decode(&ending.0)?;
        let reason = match ending.reason {
            EndingReason::TimeUp => "time-up",
            EndingReason::PetChanged => "pet-changed",
            EndingReason::Outbid => "outbid",
        };
        close(&mut mutable, &ending.order, height, reason);
        if planted(Bug::LockKept) {
            continue;
        }
        let unlocked = attributes([
            ("unlocked_height", height.into()),
            ("free", ending.free.into()),
            ("orders", ending.orders.into()),
        ]);
        mutable.entry(items::account(&ending.account, &kennel)).or_default().extend(unlocked);
    }
    batch.guarded.extend(mutable.into_iter().map(|(key, mut set)| {
        set.insert(SOURCE_HEIGHT.to_owned(), height.into());
        let below = if planted(Bug::OlderCard) { u64::MAX } else { height };
        let condition = Condition::Below(SOURCE_HEIGHT, below);
        Update { key, set, remove: Vec::new(), condition, retry: Retry::Allowed }
    }));
    Ok(batch)
}

/// An order is open no more.
fn close(mutable: &mut BTreeMap<Key, Attributes>, order: &EventId, height: u64, reason: &str) {
    let closed = attributes([("closed_height", height.into()), ("closed_reason", reason.to_owned().into())]);
    mutable.entry(items::order(order)).or_default().extend(closed);
}

/// An event in its block.
struct Place<'a> {
    block: &'a Block,
    index: u32,
    signed: &'a SignedEvent,
    about: Option<BirthHash>,
    /// By which it can be found.
    words: Vec<search::Word>,
}

/// The entries of timelines and feeds.
fn entries(batch: &mut PublishBatch, place: &Place<'_>) {
    let Some(about) = place.about else { return };
    let header = &place.block.header;
    let (kennel, height, time, index) = (&header.kennel, header.height, header.timestamp_ms, place.index);
    let event = &place.signed.event;
    let kind = event.payload.kind();
    let mut entry = attributes([
        ("id", place.signed.id.0.into()),
        ("kind", u64::from(kind as u8).into()),
        ("kennel", kennel.0.into()),
        ("pet", about.0.into()),
        ("account", event.account.0.into()),
        ("height", height.into()),
        ("index", index.into()),
        ("timestamp_ms", time.into()),
        ("age", header.age.into()),
    ]);
    let mut set = |name: &str, value: Value| {
        entry.insert(name.to_owned(), value);
    };
    let mut photo = None;
    match &event.payload {
        Payload::Birth { photo: of, .. } => photo = Some(*of),
        Payload::Post { photo: of, .. } => photo = *of,
        Payload::Pat { post } | Payload::Share { post } | Payload::Comment { post, .. } => {
            set("post", post.0.into());
        }
        Payload::Gift { amount, .. } => set("amount", (*amount).into()),
        Payload::Offer { price, .. } | Payload::Bid { price, .. } | Payload::Take { price, .. } => {
            set("amount", (*price).into());
        }
        _ => {}
    }
    if let Some(photo) = photo {
        set("photo", photo.into());
        let used = attributes([("event", place.signed.id.0.into())]);
        batch.immutable.push(Item { key: items::photo(&photo), attributes: used });
    }
    let mut put = |key: Key| batch.immutable.push(Item { key, attributes: entry.clone() });
    put(items::timeline(&about, height, index));
    let feed_sk = items::feed_sk(time, height, index, kennel);
    if kind == Kind::Birth {
        put(Key::new(items::births_pk(kennel), feed_sk.clone()));
        put(items::account_pet(&event.account, &feed_sk));
    }
    if matches!(kind, Kind::Birth | Kind::Post) {
        for word in &place.words {
            put(word.key(&feed_sk));
        }
        put(Key::new(items::feed_pk(kennel, time / items::DAY_MS), feed_sk));
    }
}
