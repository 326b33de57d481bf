//! Feeds and timelines: bounded reads, newest first, with a cursor.

use pitpet_chain::body::Body;
use pitpet_chain::codec::decode;
use pitpet_chain::event::Kind;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, KennelId};
use pitpet_chain::state::Post;

use super::texts::{Texts, Told};
use super::{Queries, cards, cursor as cursors, parse_id};
use crate::api::{EntriesView, EntryView, Problem};
use crate::head::{CommittedHead, Founding, damaged};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Consistency, Item, Order, Query};

/// Days that one request for a kennel's feed goes back; the cursor goes on from there.
const DAYS_MAX: u64 = 14;

/// Kennels merged into one feed, at most: each costs two reads or more.
const MERGED_MAX: usize = 16;

/// The kennels whose feeds are merged into a page: those founded by the time where it begins, of
/// which the newest. It depends on that time alone, so that the pages behind a cursor stay what
/// they are while new posts arrive and kennels open: a later kennel has nothing as old.
pub(super) fn merged(mut kennels: Vec<Founding>, cursor: Option<&str>) -> Vec<Founding> {
    let begin_ms = time_of(cursor);
    kennels.retain(|kennel| kennel.genesis.created_ms <= begin_ms);
    kennels.sort_by_key(|kennel| (std::cmp::Reverse(kennel.genesis.created_ms), kennel.kennel));
    kennels.truncate(MERGED_MAX);
    kennels
}

/// The time that a cursor begins with, ms; without one the end of time.
fn time_of(cursor: Option<&str>) -> u64 {
    cursor.and_then(|cursor| cursor.get(..15)).and_then(|time| time.parse().ok()).unwrap_or(u64::MAX)
}

/// Entries of a page, at most.
pub(crate) const PAGE_MAX: u32 = 100;

/// What stands before a cursor, newest first.
pub(super) fn before(cursor: Option<&str>, pk: String, from: &str, limit: u32) -> Query {
    Query {
        pk,
        from: from.to_owned(),
        to: cursor.unwrap_or("~").to_owned(),
        order: Order::Descending,
        // One more, to know whether there is a next page; and the cursor's own entry is within
        // the bounds.
        limit: limit + 1 + u32::from(cursor.is_some()),
        consistency: Consistency::Eventual,
    }
}

/// Items of one query, at most: the port's bound.
const QUERY_ITEMS_MAX: u32 = 1_000;

/// Reads of a pet's timeline for one page of a post's visits, at most; the cursor goes on from there.
const VISIT_READS_MAX: usize = 10;

/// Births, or what was posted on a day, that are listed at once, at most: some 4 MB of items.
pub const LISTED_MAX: usize = 10_000;

/// A birth or post by its id alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayEntry {
    /// A birth.
    Birth(BirthHash),
    /// A post.
    Post(EventId),
}

impl Queries {
    /// The births and posts of a kennel on a day since the Unix epoch, newest first, at most
    /// [`LISTED_MAX`].
    ///
    /// # Errors
    /// A problem.
    pub async fn entries_of_day(&self, founding: &Founding, day: u64) -> Result<Vec<DayEntry>, Problem> {
        let found = self.newest_of(&items::feed_pk(&founding.kennel, day)).await?;
        let entry = |item: &Item| {
            let id = item.attributes.digest("id")?;
            let is_birth = item.attributes.number("kind")? == u64::from(Kind::Birth as u8);
            Ok(if is_birth { DayEntry::Birth(BirthHash(id)) } else { DayEntry::Post(EventId(id)) })
        };
        found.iter().map(entry).collect()
    }

    /// Births and posts, newest first, of one kennel or merged over all.
    ///
    /// # Errors
    /// A problem.
    pub async fn feed(
        &self,
        kennel: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<EntriesView, Problem> {
        cursors::check(cursor, &[cursors::FEED, cursors::TIME])?;
        let limit = limit.clamp(1, PAGE_MAX);
        let foundings = match kennel {
            Some(name) => vec![self.founding(name).await?],
            None => merged(self.foundings.list().await?, cursor),
        };
        let mut found = Vec::new();
        let mut unseen = None;
        for founding in &foundings {
            let head = self.head(founding).await?;
            let (items, rest) =
                self.kennel_feed(founding, &head, cursor, limit, Consistency::Eventual).await?;
            found.extend(items);
            unseen = unseen.max(rest);
        }
        // Where one kennel's search ended, the page ends for all of them.
        if let Some(unseen) = &unseen {
            found.retain(|item| item.key.sk > *unseen);
        }
        let mut page = self.page(found, limit).await?;
        page.cursor = page.cursor.or(unseen);
        Ok(page)
    }

    /// Entries of one kennel, and the cursor of those that were not looked for, if there may be some.
    pub(super) async fn kennel_feed(
        &self,
        founding: &Founding,
        head: &CommittedHead,
        cursor: Option<&str>,
        limit: u32,
        consistency: Consistency,
    ) -> Result<(Vec<Item>, Option<String>), Problem> {
        let newest_ms = time_of(cursor).min(head.header.timestamp_ms);
        let newest = newest_ms / items::DAY_MS;
        let first = founding.genesis.created_ms / items::DAY_MS;
        let oldest = first.max(newest.saturating_sub(DAYS_MAX));
        let mut found: Vec<Item> = Vec::new();
        let mut day = newest;
        while found.len() <= limit as usize && day >= oldest {
            let query = before(cursor, items::feed_pk(&founding.kennel, day), "0", limit);
            let query = Query { consistency, ..query };
            found.extend(
                self.table
                    .query(&query)
                    .await?
                    .into_iter()
                    .filter(|item| Some(item.key.sk.as_str()) != cursor),
            );
            match day.checked_sub(1) {
                Some(earlier) => day = earlier,
                None => break,
            }
        }
        let is_enough = found.len() > limit as usize;
        let rest = (!is_enough && oldest > first).then(|| format!("{:015}", oldest * items::DAY_MS));
        Ok((found, rest))
    }

    /// Sorts, cuts and describes what was found.
    async fn page(&self, mut found: Vec<Item>, limit: u32) -> Result<EntriesView, Problem> {
        found.sort_by(|a, b| b.key.sk.cmp(&a.key.sk));
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let cursor = found.last().filter(|_| more).map(|last| last.key.sk.clone());
        Ok(EntriesView { entries: self.describe(&found).await?, cursor })
    }

    /// What happened around a pet, newest first.
    ///
    /// # Errors
    /// A problem with status 404 if there is no such pet.
    pub async fn timeline(
        &self,
        birth: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<EntriesView, Problem> {
        let birth: BirthHash = parse_id("birth", birth)?;
        self.pet_card(&birth).await?;
        self.entries_of(items::pet(&birth).pk, cursor, limit).await
    }

    /// Pats, shares and comments of a post, newest first. They are entries of its pet's timeline, between
    /// the post and the last change of its card: no item of their own is written for them.
    ///
    /// # Errors
    /// A problem.
    pub async fn visits(&self, post: &str, cursor: Option<&str>, limit: u32) -> Result<EntriesView, Problem> {
        cursors::check(cursor, &[cursors::ENTRY])?;
        let post: EventId = parse_id("id", post)?;
        let keys = [items::place(&post), items::post(&post)];
        let mut found = self.table.get_many(&keys).await?.into_iter();
        let (Some(Some(place)), Some(Some(card))) = (found.next(), found.next()) else {
            return Ok(EntriesView { entries: Vec::new(), cursor: None });
        };
        let pet = decode::<Post>(card.bytes("record")?).map_err(|_| damaged("a post's card"))?.pet;
        let index = u32::try_from(place.number("index")?).map_err(|_| damaged("a place"))?;
        let first = items::entry_sk(place.number("height")?, index);
        let last = items::entry_sk(card.number("record_height")?.saturating_add(1), 0);
        let mut to = cursor.unwrap_or(&last).min(&last).to_owned();
        let limit = limit.clamp(1, PAGE_MAX);
        let (mut visits, mut rest) = (Vec::new(), None);
        for _ in 0..VISIT_READS_MAX {
            let query = before(Some(&to), items::pet(&pet).pk, &first, PAGE_MAX);
            let part = self.table.query(&query).await?;
            rest = part.last().filter(|_| part.len() == query.limit as usize).map(|item| item.key.sk.clone());
            visits.extend(
                part.into_iter()
                    .filter(|item| item.key.sk != to && item.attributes.digest("post") == Ok(post.0)),
            );
            match &rest {
                Some(oldest) if visits.len() <= limit as usize => oldest.clone_into(&mut to),
                _ => break,
            }
        }
        let mut page = self.page(visits, limit).await?;
        page.cursor = page.cursor.or(rest);
        Ok(page)
    }

    async fn entries_of(&self, pk: String, cursor: Option<&str>, limit: u32) -> Result<EntriesView, Problem> {
        cursors::check(cursor, &[cursors::ENTRY])?;
        let limit = limit.clamp(1, PAGE_MAX);
        let found = self.table.query(&before(cursor, pk, "E#", limit)).await?;
        let found = found.into_iter().filter(|item| Some(item.key.sk.as_str()) != cursor).collect();
        self.page(found, limit).await
    }

    /// The newest items of a partition, at most [`LISTED_MAX`].
    async fn newest_of(&self, pk: &str) -> Result<Vec<Item>, Problem> {
        let mut found: Vec<Item> = Vec::new();
        while found.len() < LISTED_MAX {
            let cursor = found.last().map(|item| item.key.sk.clone());
            // One more for the cursor's own entry, and one that `before` adds.
            let query = before(cursor.as_deref(), pk.to_owned(), "0", QUERY_ITEMS_MAX - 2);
            let part = self.table.query(&query).await?;
            let is_last = part.len() < query.limit as usize;
            found.extend(part.into_iter().filter(|item| Some(&item.key.sk) != cursor.as_ref()));
            if is_last {
                break;
            }
        }
        found.truncate(LISTED_MAX);
        Ok(found)
    }

    /// The newest births of a kennel, at most [`LISTED_MAX`].
    pub(super) async fn births(&self, founding: &Founding) -> Result<Vec<BirthHash>, Problem> {
        let found = self.newest_of(&items::births_pk(&founding.kennel)).await?;
        Ok(found.iter().map(|item| item.attributes.digest("id").map(BirthHash)).collect::<Result<_, _>>()?)
    }

    pub(super) async fn describe(&self, found: &[Item]) -> Result<Vec<EntryView>, Problem> {
        let mut wanted = Vec::new();
        for item in found {
            let kennel = KennelId(item.attributes.digest("kennel")?);
            wanted.push(Told::at(EventId(item.attributes.digest("id")?), &item.attributes)?);
            wanted.push(Told::own(EventId(item.attributes.digest("pet")?), kennel));
        }
        let texts = self.texts(&wanted).await?;
        found.iter().map(|item| entry_view(&item.attributes, &texts)).collect()
    }
}

/// What an entry says.
pub(super) fn entry_view(item: &Attributes, texts: &Texts) -> Result<EntryView, Problem> {
    let id = EventId(item.digest("id")?);
    let pet = EventId(item.digest("pet")?);
    let kind = u8::try_from(item.number("kind")?).ok().and_then(Kind::from_number);
    let kind = kind.ok_or_else(|| damaged("an entry"))?;
    let (text, tags) = match texts.get(&id) {
        Some(Body::Birth { story, .. }) => (Some(story.clone()), Vec::new()),
        Some(Body::Post { text, tags }) => (Some(text.clone()), tags.clone()),
        Some(Body::Comment { text }) => (Some(text.clone()), Vec::new()),
        Some(Body::Moderate { .. }) | None => (None, Vec::new()),
    };
    let pet_name = match texts.get(&pet) {
        Some(Body::Birth { name, .. }) => Some(name.clone()),
        _ => None,
    };
    Ok(EntryView {
        id: id.to_string(),
        kind: kind.name().to_owned(),
        kennel: KennelId(item.digest("kennel")?).to_string(),
        pet: pet.to_string(),
        pet_name,
        account: AccountId(item.digest("account")?).to_string(),
        height: item.number("height")?,
        index: u32::try_from(item.number("index")?).map_err(|_| damaged("an entry"))?,
        timestamp_ms: item.number("timestamp_ms")?,
        age: item.number("age")?,
        text,
        body_state: texts.body_state(&id, kind).to_owned(),
        tags,
        hidden: texts.hidden(&id).cloned(),
        photo_url: item
            .digest("photo")
            .ok()
            .filter(|_| !texts.is_withheld(&id))
            .map(|photo| cards::photo_url(&photo)),
        post: item.digest("post").ok().map(|post| EventId(post).to_string()),
        amount: item.number("amount").ok(),
    })
}
