//! What pages show, gathered in few reads: a page of the feed is the list of kennels, their heads,
//! what is new in each, and one batch of cards and texts.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::future::try_join_all;
use pitpet_chain::codec::decode;
use pitpet_chain::event::Kind;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, KennelId};
use pitpet_chain::state::Post;

use super::texts::Told;
use super::{Queries, cards, cursor as cursors, feeds, parse_id, read_account};
use crate::api::{EntriesView, EntryView, PetView, Problem};
use crate::head::{CommittedHead, Founding, damaged};
use crate::items::{self, Fields};
use crate::ports::{Consistency, Item, Order, Query};
use crate::problem::not_found;

/// Entries of a page of cards, at most: a card is up to six keys, and a batch holds 100.
pub(super) const CARDS_MAX: u32 = 25;

/// Pets of an account that its page shows, at most.
const PETS_OF_ACCOUNT_MAX: u32 = 24;

/// Pets that an account bought and that its page shows, at most: one a kennel in which it plays.
const BOUGHT_MAX: usize = 8;

/// Accounts whose names are looked up for one page, at most.
const NAMED_MAX: usize = 48;

/// What the pages have to know of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteSettings {
    /// Where it is, as `https://example.org`, without a trailing slash; none: where a request says.
    pub url: Option<String>,
    /// Whether its pets are played by the program, which every page then says.
    pub demonstration: bool,
    /// Where photos are uploaded to, as `https://bucket.example.org`, if not to the site itself.
    pub uploads: Option<String>,
}

/// A birth or post with what its card shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The entry.
    pub entry: EntryView,
    /// Its pet as it is now.
    pub pet: PetView,
    /// Pats of the post.
    pub pats: u64,
    /// Shares of the post.
    pub shares: u64,
    /// Comments on the post.
    pub comments: u64,
}

/// A page of cards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cards {
    /// Newest first.
    pub cards: Vec<Card>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A post with what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostPage {
    /// The post.
    pub card: Card,
    /// Pats, shares and comments, newest first.
    pub visits: EntriesView,
}

/// The newest entries of each kennel's feed, which never change: only what is newer is read.
#[derive(Default)]
pub(super) struct Newest {
    known: Mutex<HashMap<KennelId, Read>>,
}

/// What was read of a kennel's feed.
#[derive(Clone)]
struct Read {
    /// The height of the head before it was read.
    height: u64,
    entries: Vec<Item>,
    /// The cursor of older ones that were not looked for.
    rest: Option<String>,
}

impl Queries {
    /// Births and posts of all kennels with their cards, newest first.
    ///
    /// # Errors
    /// A problem.
    pub async fn feed_cards(&self, cursor: Option<&str>, limit: u32) -> Result<Cards, Problem> {
        cursors::check(cursor, &[cursors::FEED, cursors::TIME])?;
        let limit = limit.clamp(1, CARDS_MAX);
        let kennels = self.merged_heads().await?;
        let found = try_join_all(kennels.iter().map(|(founding, head)| async move {
            match cursor {
                None => self.newest_entries(founding, head, limit).await,
                Some(_) => self.kennel_feed(founding, head, cursor, limit, Consistency::Eventual).await,
            }
        }))
        .await?;
        let unseen = found.iter().filter_map(|(_, rest)| rest.clone()).max();
        let mut items: Vec<Item> = found.into_iter().flat_map(|(items, _)| items).collect();
        if let Some(unseen) = &unseen {
            items.retain(|item| item.key.sk > *unseen);
        }
        items.sort_unstable_by(|a, b| b.key.sk.cmp(&a.key.sk));
        let is_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let cursor = items.last().filter(|_| is_more).map(|last| last.key.sk.clone()).or(unseen);
        Ok(Cards { cards: self.cards(&items, &kennels).await?, cursor })
    }

    /// The first page of a kennel's feed, of which only what is new is read.
    async fn newest_entries(
        &self,
        founding: &Founding,
        head: &CommittedHead,
        limit: u32,
    ) -> Result<(Vec<Item>, Option<String>), Problem> {
        let most = CARDS_MAX as usize + 1;
        let known = || self.newest.known.lock().expect("no panic while the memory is locked");
        let today = head.header.timestamp_ms / items::DAY_MS;
        let day_of = |entry: Option<&Item>| {
            let time = entry.and_then(|item| item.key.sk.get(..15)?.parse::<u64>().ok());
            time.unwrap_or(0) / items::DAY_MS
        };
        let height = head.height;
        let before = known().get(&founding.kennel).cloned();
        // Read consistently: what is missed once would be missed for good.
        let consistency = Consistency::Strong;
        let mut read = match before {
            Some(read) if read.height >= height => read,
            Some(mut read) if read.entries.len() >= most && day_of(read.entries.first()) + 1 >= today => {
                let newest = read.entries.first().map(|item| item.key.sk.clone()).unwrap_or_default();
                for day in day_of(read.entries.first())..=today {
                    let query = Query {
                        pk: items::feed_pk(&founding.kennel, day),
                        from: newest.clone(),
                        to: "~".to_owned(),
                        order: Order::Descending,
                        limit: CARDS_MAX + 1,
                        consistency,
                    };
                    read.entries.extend(self.table.query(&query).await?);
                }
                read.entries.sort_unstable_by(|a, b| b.key.sk.cmp(&a.key.sk));
                read.entries.dedup_by(|a, b| a.key.sk == b.key.sk);
                read
            }
            _ => {
                let (entries, rest) = self.kennel_feed(founding, head, None, CARDS_MAX, consistency).await?;
                Read { height, entries, rest }
            }
        };
        read.height = read.height.max(height);
        read.entries.truncate(most);
        known().insert(founding.kennel, read.clone());
        if read.rest.is_none() {
            read.entries.truncate(limit as usize + 1);
        }
        Ok((read.entries, read.rest))
    }

    /// Describes entries, 25 at a time: all that is shown of them is read at once.
    pub(super) async fn cards(
        &self,
        found: &[Item],
        kennels: &[(Founding, CommittedHead)],
    ) -> Result<Vec<Card>, Problem> {
        let mut made = Vec::new();
        for chunk in found.chunks(CARDS_MAX as usize) {
            let (mut keys, mut events) = (Vec::new(), Vec::new());
            for item in chunk {
                let (id, pet) = (EventId(item.attributes.digest("id")?), item.attributes.digest("pet")?);
                let kennel = KennelId(item.attributes.digest("kennel")?);
                keys.extend([items::post(&id), items::pet(&BirthHash(pet))]);
                for told in [Told::at(id, &item.attributes)?, Told::own(EventId(pet), kennel)] {
                    keys.extend(told.keys());
                    events.push(told);
                }
            }
            let read = self.read_all(keys).await?;
            let texts = self.texts_in(&read, &events).await?;
            for item in chunk {
                let kennel = KennelId(item.attributes.digest("kennel")?);
                let Some((founding, head)) = kennels.iter().find(|(founding, _)| founding.kennel == kennel)
                else {
                    continue;
                };
                let pet = BirthHash(item.attributes.digest("pet")?);
                // Of an entry whose card is being written: in a moment it is there.
                let card = read.get(&items::pet(&pet)).filter(|card| card.contains_key("record"));
                let Some(card) = card else { continue };
                let id = EventId(item.attributes.digest("id")?);
                let post: Option<Post> =
                    read.get(&items::post(&id)).and_then(|card| decode(card.bytes("record").ok()?).ok());
                let count = |of: fn(&Post) -> u64| post.as_ref().map_or(0, of);
                made.push(Card {
                    entry: feeds::entry_view(&item.attributes, &texts)?,
                    pet: cards::pet_view(&cards::pet_card(card)?, founding, head, &texts),
                    pats: count(|post| post.pats),
                    shares: count(|post| post.shares),
                    comments: count(|post| post.comments),
                });
            }
        }
        Ok(made)
    }

    /// A post, or a birth, with what happened to it.
    ///
    /// # Errors
    /// A problem with status 404 if there is no such post.
    pub async fn post_page(&self, id: &str, cursor: Option<&str>, limit: u32) -> Result<PostPage, Problem> {
        let event: EventId = parse_id("id", id)?;
        let keys = [items::place(&event), items::post(&event)];
        let mut found = self.table.get_many(&keys).await?.into_iter();
        let (place, post) = (found.next().flatten(), found.next().flatten());
        let place = place.ok_or_else(|| not_found("such post", "id"))?;
        let kind = u8::try_from(place.number("kind")?).ok().and_then(Kind::from_number);
        let pet = match (kind, post) {
            (Some(Kind::Birth), _) => BirthHash(event.0),
            (Some(Kind::Post), Some(post)) => {
                let post: Post = decode(post.bytes("record")?).map_err(|_| damaged("a post's card"))?;
                post.pet
            }
            _ => return Err(not_found("such post", "id")),
        };
        let index = u32::try_from(place.number("index")?).map_err(|_| damaged("a place"))?;
        let key = items::timeline(&pet, place.number("height")?, index);
        let entry = self.table.get(&key, Consistency::Eventual).await?;
        let attributes = entry.ok_or_else(|| not_found("such post yet", "id"))?;
        let founding = self.foundings.get(&KennelId(attributes.digest("kennel")?)).await?;
        let head = self.head(&founding).await?;
        let kennels = [(founding, head)];
        let item = Item { key, attributes };
        let (mut cards, visits) = futures::try_join!(
            self.cards(std::slice::from_ref(&item), &kennels),
            self.visits(id, cursor, limit)
        )?;
        let card = cards.pop().ok_or_else(|| not_found("such post yet", "id"))?;
        Ok(PostPage { card, visits })
    }

    /// Posts of a pet with their cards, newest first, out of its newest `PAGE_MAX` events.
    ///
    /// # Errors
    /// A problem.
    pub async fn posts_of(&self, births: &[BirthHash], limit: u32) -> Result<Vec<Card>, Problem> {
        self.posts_for(births, None, limit).await
    }

    /// Those of them that an account wrote: a pet that was sold posts for another one.
    ///
    /// # Errors
    /// A problem.
    pub async fn posts_by(
        &self,
        account: &str,
        births: &[BirthHash],
        limit: u32,
    ) -> Result<Vec<Card>, Problem> {
        let account: AccountId = parse_id("account", account)?;
        self.posts_for(births, Some(account), limit).await
    }

    async fn posts_for(
        &self,
        births: &[BirthHash],
        by: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Card>, Problem> {
        let queries = births.iter().map(|birth| async move {
            let query = feeds::before(None, items::pet(birth).pk, "E#", feeds::PAGE_MAX);
            self.table.query(&query).await
        });
        let mut found: Vec<Item> = try_join_all(queries).await?.into_iter().flatten().collect();
        found.retain(|item| {
            let kind = item.attributes.number("kind").unwrap_or(0);
            (kind == u64::from(Kind::Post as u8) || kind == u64::from(Kind::Birth as u8))
                && by.is_none_or(|by| item.attributes.digest("account") == Ok(by.0))
        });
        found.sort_unstable_by_key(|item| {
            std::cmp::Reverse((item.attributes.number("timestamp_ms").unwrap_or(0), item.key.sk.clone()))
        });
        found.truncate(limit.clamp(1, CARDS_MAX) as usize);
        let kennels = self.kennels_of(&found).await?;
        self.cards(&found, &kennels).await
    }

    /// The kennels that entries are of, with their heads.
    pub(super) async fn kennels_of(&self, found: &[Item]) -> Result<Vec<(Founding, CommittedHead)>, Problem> {
        let mut ids = found
            .iter()
            .map(|item| item.attributes.digest("kennel").map(KennelId))
            .collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        let mut kennels = Vec::new();
        for id in ids {
            let founding = self.foundings.get(&id).await?;
            let head = self.head(&founding).await?;
            kennels.push((founding, head));
        }
        Ok(kennels)
    }

    /// Pets of an account: those that it bought and that live with it, and those that were born to
    /// it, newest first. Of the latter some may have another owner by now.
    ///
    /// # Errors
    /// A problem.
    pub async fn pets_of(&self, account: &str) -> Result<Vec<PetView>, Problem> {
        let account: AccountId = parse_id("account", account)?;
        let query = Query {
            pk: items::account_pk(&account),
            from: "P#".to_owned(),
            to: "P#~".to_owned(),
            order: Order::Descending,
            limit: PETS_OF_ACCOUNT_MAX,
            consistency: Consistency::Eventual,
        };
        let (found, holder) =
            futures::try_join!(async { Ok::<_, Problem>(self.table.query(&query).await?) }, async {
                Ok::<_, Problem>(read_account(self.table.as_ref(), &account).await?)
            },)?;
        let kennels = self.kennels_of(&found).await?;
        let born: Vec<PetView> =
            self.cards(&found, &kennels).await?.into_iter().map(|card| card.pet).collect();
        let living = holder.records.iter().filter_map(|(_, record)| record.pet).map(|pet| pet.to_string());
        let bought = living.filter(|pet| !born.iter().any(|own| own.birth == *pet)).take(BOUGHT_MAX);
        let mut pets = Vec::new();
        for pet in try_join_all(bought.map(|pet| async move { self.pet_if_known(&pet).await })).await? {
            pets.extend(pet);
        }
        pets.extend(born);
        Ok(pets)
    }

    /// A pet; none while its card is being written.
    async fn pet_if_known(&self, birth: &str) -> Result<Option<PetView>, Problem> {
        match self.pet(birth).await {
            Ok(pet) => Ok(Some(pet)),
            Err(problem) if problem.status == 404 => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Registered names of accounts; those without one are left out.
    ///
    /// # Errors
    /// A problem.
    pub async fn names_of<'a>(
        &self,
        accounts: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, String>, Problem> {
        let mut wanted: Vec<&str> = accounts.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(NAMED_MAX);
        let names = try_join_all(wanted.into_iter().map(|account| async move {
            let id: AccountId = parse_id("account", account)?;
            let query = Query {
                pk: items::account_pk(&id),
                from: "N#".to_owned(),
                to: "N#~".to_owned(),
                order: Order::Ascending,
                limit: 1,
                consistency: Consistency::Eventual,
            };
            let found = self.table.query(&query).await?.pop();
            let name = found.and_then(|item| item.key.sk.strip_prefix("N#").map(str::to_owned));
            Ok::<_, Problem>(name.map(|name| (account.to_owned(), name)))
        }))
        .await?;
        Ok(names.into_iter().flatten().collect())
    }
}
