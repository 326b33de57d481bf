//! Finding pets, posts and accounts by words, and posts by tags.

use std::collections::{HashMap, HashSet};

use pitpet_chain::hash::AccountId;

use super::pages::{CARDS_MAX, Card, Cards};
use super::{Queries, cursor as cursors, feeds};
use crate::api::{PetView, Problem};
use crate::items::Fields;
use crate::ports::{Consistency, Item, Order, Query};
use crate::problem::bad_field;
use crate::search::{self, BEGINNING_CHARS, Class, Word};

/// Pets, posts and accounts that a search shows of each, at most.
pub const FOUND_MAX: usize = 20;

/// Words of a search that count.
const ASKED_MAX: usize = 4;

/// Entries that are looked through for each of several words, at most.
const LOOKED_MAX: u32 = 200;

/// What a search found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Accounts by name, with their ids.
    pub accounts: Vec<(String, String)>,
    /// Pets by name.
    pub pets: Vec<PetView>,
    /// Posts by tag or text.
    pub posts: Vec<Card>,
}

impl Queries {
    /// Looks for what has all the words asked for, each whole or, from three characters on, by its
    /// beginning.
    ///
    /// # Errors
    /// A problem if nothing that could be a word is asked for, or the table fails.
    pub async fn find(&self, asked: &str) -> Result<Found, Problem> {
        let name = asked.trim().trim_start_matches('@').to_lowercase();
        let words = search::split(asked, ASKED_MAX);
        if words.is_empty() {
            return Err(bad_field("q", "Ask for a word: letters or digits."));
        }
        let accounts = match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            true => self.listed(Class::Account, &name, FOUND_MAX as u32).await?,
            false => Vec::new(),
        };
        let accounts = accounts
            .iter()
            .filter_map(|item| {
                let name = item.key.sk.split('#').nth(1)?;
                Some((name.to_owned(), AccountId(item.attributes.digest("account").ok()?).to_string()))
            })
            .take(FOUND_MAX)
            .collect();
        let pets = self.having_all(&[Class::Pet], &words).await?;
        let posts = self.having_all(&[Class::Tag, Class::Text], &words).await?;
        Ok(Found {
            accounts,
            // What is erased is not found: its card has no name, and its text is not there.
            pets: self
                .cards_of(&pets)
                .await?
                .into_iter()
                .filter(|card| card.entry.text.is_some())
                .map(|card| card.pet)
                .collect(),
            posts: self
                .cards_of(&posts)
                .await?
                .into_iter()
                .filter(|card| card.entry.text.is_some())
                .collect(),
        })
    }

    /// Posts with a tag, newest first.
    ///
    /// # Errors
    /// A problem.
    pub async fn tagged(&self, tag: &str, cursor: Option<&str>, limit: u32) -> Result<Cards, Problem> {
        let limit = limit.clamp(1, CARDS_MAX);
        let sound = !tag.is_empty()
            && tag.chars().count() <= pitpet_chain::limits::TAG_CHARS_MAX
            && tag.chars().all(|c| c == '-' || c.is_alphanumeric());
        if !sound {
            return Err(bad_field("tag", "A tag is made of letters, digits and hyphens."));
        }
        cursors::check(cursor, &[cursors::FEED])?;
        let word = Word { class: Class::Tag, word: tag.to_lowercase() };
        let cursor = cursor.map(|place| format!("{}{place}", word.exactly()));
        let from = word.exactly();
        let mut query = feeds::before(cursor.as_deref(), search::partition(&word.word), &from, limit);
        if cursor.is_none() {
            query.to = format!("{from}~");
        }
        let mut found = self.table.query(&query).await?;
        found.retain(|item| Some(&item.key.sk) != cursor.as_ref());
        let is_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let place = |item: &Item| item.key.sk.strip_prefix(&from).map(str::to_owned);
        let cursor = found.last().filter(|_| is_more).and_then(place);
        let kennels = self.kennels_of(&found).await?;
        let mut cards = self.cards(&found, &kennels).await?;
        cards.retain(|card| card.entry.text.is_some());
        Ok(Cards { cards, cursor })
    }

    async fn cards_of(&self, found: &[Item]) -> Result<Vec<Card>, Problem> {
        let kennels = self.kennels_of(found).await?;
        self.cards(found, &kennels).await
    }

    /// Entries that are listed under each of the words, newest first.
    async fn having_all(&self, classes: &[Class], words: &[String]) -> Result<Vec<Item>, Problem> {
        let mut left: Option<HashMap<Vec<u8>, Item>> = None;
        // With one word the newest are those that are shown; with more, what they share may lie further back.
        let looked = if words.len() == 1 { FOUND_MAX as u32 } else { LOOKED_MAX };
        for word in words {
            let mut having = HashMap::new();
            for class in classes {
                for item in self.listed(*class, word, looked).await? {
                    let Ok(id) = item.attributes.bytes("id") else { continue };
                    having.insert(id.to_vec(), item);
                }
            }
            left = Some(match left {
                None => having,
                Some(before) => {
                    let both: HashSet<&Vec<u8>> =
                        before.keys().filter(|id| having.contains_key(*id)).collect();
                    let both: Vec<Vec<u8>> = both.into_iter().cloned().collect();
                    both.into_iter().filter_map(|id| having.remove_entry(&id)).collect()
                }
            });
        }
        let mut found: Vec<Item> = left.unwrap_or_default().into_values().collect();
        found.sort_unstable_by_key(|item| {
            let number = |name| item.attributes.number(name).unwrap_or(0);
            std::cmp::Reverse((number("timestamp_ms"), number("height"), number("index")))
        });
        found.truncate(FOUND_MAX);
        Ok(found)
    }

    /// Entries under a word, at most twice `limit`: those under it as it stands, newest first, then those under words
    /// that begin with it.
    async fn listed(&self, class: Class, word: &str, limit: u32) -> Result<Vec<Item>, Problem> {
        let word = Word { class, word: word.to_owned() };
        let range = |from: String, end: char| Query {
            pk: search::partition(&word.word),
            to: format!("{from}{end}"),
            from,
            order: Order::Descending,
            limit,
            consistency: Consistency::Eventual,
        };
        let mut found = self.table.query(&range(word.exactly(), '~')).await?;
        if word.word.chars().count() >= BEGINNING_CHARS && found.len() < limit as usize {
            let more = self.table.query(&range(word.beginning(), '\u{10ffff}')).await?;
            let exactly = word.exactly();
            found.extend(more.into_iter().filter(|item| !item.key.sk.starts_with(&exactly)));
        }
        Ok(found)
    }
}
