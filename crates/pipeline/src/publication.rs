//! What a block means for the read side: a pure function from the block's bytes to entries and changes of
//! cards, under the keys of [`crate::items`]. Readers lay them over what is stored ([`crate::read_side`]);
//! whoever publishes puts those of a window together ([`crate::publisher`]), as often as it likes.

use std::collections::BTreeMap;

use pitpet_chain::block::{Block, Change, Death, Ending, EndingReason, Receipt};
use pitpet_chain::codec::{Malformed, decode, encode};
use pitpet_chain::event::{Kind, Payload, SignedEvent};
use pitpet_chain::hash::{BirthHash, BlockHash, Digest32, EventId, KennelId};

use crate::items::{self, attributes};
use crate::message::SaltedBody;
use crate::planted::{Bug, planted};
use crate::ports::{Attributes, Condition, Item, Key, PublishBatch, Retry, Update, Value};

/// Bodies at hand, by event.
pub type Bodies = BTreeMap<EventId, SaltedBody>;

/// What a block means for the read side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its kennel.
    pub kennel: KennelId,
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its parent's hash.
    pub parent: BlockHash,
    /// Its time, ms since the Unix epoch.
    pub timestamp_ms: u64,
    /// Its events, in order.
    pub events: Vec<EventId>,
    /// Its events that have a text.
    pub texts: Vec<Text>,
    /// What is written before the message is acked: photos in use, whose story is to be ended, and the
    /// keys of the offices. They are looked at by those who know no tail.
    pub prompt: PublishBatch,
    /// What is written with its window, and the same whoever writes it.
    pub immutable: Vec<Item>,
    /// What is written with its window, and changed by later blocks.
    pub guarded: Vec<Update>,
}

/// An event with a text, as its block has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its place in the block.
    pub index: u32,
    /// The event.
    pub event: EventId,
    /// Its kind.
    pub kind: Kind,
    /// What it commits to.
    pub committed: Digest32,
}

impl Text {
    /// Whether it is found by its words.
    pub fn is_listed(&self) -> bool {
        matches!(self.kind, Kind::Birth | Kind::Post)
    }
}

/// The guard of mutable read-side items: the height that they come from.
pub const SOURCE_HEIGHT: &str = "source_height";

/// An update of a card, unless it is of a newer block.
pub(crate) fn if_newer(key: Key, set: Attributes, height: u64) -> Update {
    let below = if planted(Bug::OlderCard) { u64::MAX } else { height };
    let condition = Condition::Below(SOURCE_HEIGHT, below);
    Update { key, set, remove: Vec::new(), condition, retry: Retry::Allowed }
}

/// An update that creates the item or changes nothing.
pub fn if_absent(key: Key, set: Attributes) -> Update {
    Update { key, set, remove: Vec::new(), condition: Condition::Absent, retry: Retry::Allowed }
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

/// Reads what a block means.
///
/// `nodes` are the nodes of the block log that it completes.
///
/// # Errors
/// [`Malformed`] if the bytes are no block.
pub fn publication(bytes: &[u8], nodes: &[Digest32]) -> Result<Publication, Malformed> {
    let block: Block = decode(bytes)?;
    let header = &block.header;
    let (kennel, height, time) = (header.kennel, header.height, header.timestamp_ms);
    let hash = header.hash();
    let mut batch = Publication {
        kennel,
        height,
        hash,
        parent: header.parent,
        timestamp_ms: time,
        events: Vec::new(),
        texts: Vec::new(),
        prompt: PublishBatch::default(),
        immutable: Vec::new(),
        guarded: Vec::new(),
    };
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
        batch.events.push(signed.id);
        if let Some(committed) = signed.event.payload.body() {
            batch.texts.push(Text { index, event: signed.id, kind, committed: *committed });
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
        entries(&mut batch, &Place { block: &block, index, signed: &signed, about });
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
        batch.prompt.immutable.push(Item { key, attributes: attributes([("died_height", height.into())]) });
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
    for (key, mut set) in mutable {
        set.insert(SOURCE_HEIGHT.to_owned(), height.into());
        let is_prompt = key == items::keys(&kennel);
        let updates = if is_prompt { &mut batch.prompt.guarded } else { &mut batch.guarded };
        updates.push(if_newer(key, set, height));
    }
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
}

/// The entries of timelines and feeds.
fn entries(batch: &mut Publication, place: &Place<'_>) {
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
        batch.prompt.immutable.push(Item { key: items::photo(&photo), attributes: used });
    }
    let mut put = |key: Key| batch.immutable.push(Item { key, attributes: entry.clone() });
    put(items::timeline(&about, height, index));
    let feed_sk = items::feed_sk(time, height, index, kennel);
    if kind == Kind::Birth {
        put(Key::new(items::births_pk(kennel), feed_sk.clone()));
        put(items::account_pet(&event.account, &feed_sk));
    }
    if matches!(kind, Kind::Birth | Kind::Post) && !planted(Bug::FeedUnlisted) {
        put(Key::new(items::feed_pk(kennel, time / items::DAY_MS), feed_sk));
    }
}
