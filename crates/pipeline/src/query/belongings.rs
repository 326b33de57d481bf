//! What an account keeps beside the chain, what happened around its pets since, and posts by their
//! ids, of which a list of bookmarks is made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use pitpet_chain::block::Trade;
use pitpet_chain::codec::decode;
use pitpet_chain::event::Kind;
use pitpet_chain::hash::{BirthHash, EventId};
use pitpet_chain::state::Post;

use super::pages::Card;
use super::{Queries, feeds, read_account, read_pet};
use crate::api::{ListView, NoticesView, PetView, Problem, ProfileView};
use crate::belongings::Profile;
use crate::head::damaged;
use crate::items::{self, Fields};
use crate::ports::{Attributes, Consistency, Item, Key, Order, Query};
use crate::problem::bad_field;

/// Posts that are asked for by their ids at once, at most: two batches of 100 keys.
pub const POSTS_MAX: usize = 20;

/// Living pets whose visitors are told of, at most: one a kennel in which the account plays.
const PETS_MAX: usize = 8;

/// Notices, at most.
const NOTICES_MAX: usize = 50;

/// A pet fades when at most a third of its life is left: in `town` that is 20 hours or more.
const FADING_PART: u64 = 3;

/// Events of a sold pet that are looked through for its sales, at most.
const HOMES_LOOKED_MAX: u32 = 1_000;

/// Homes before that are told, at most.
const HOMES_MAX: usize = 24;

/// Who owned a pet before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The account.
    pub account: String,
    /// When it sold the pet, ms since the Unix epoch.
    pub until_ms: u64,
}

/// Whether a pet's story ends soon if nobody cares.
pub fn is_fading(pet: &PetView) -> bool {
    pet.phase == "living" && pet.remaining > 0 && pet.remaining * FADING_PART <= u64::from(pet.ttl)
}

/// What is told to the owner of a pet if somebody else did it.
fn is_notice(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::Pat | Kind::Share | Kind::Comment | Kind::Gift | Kind::Bid | Kind::Take))
}

impl Queries {
    /// An account's profile; an empty one of version 0 if it never set any.
    ///
    /// # Errors
    /// A problem with status 404 if the name isn't registered.
    pub async fn profile(&self, account: &str) -> Result<ProfileView, Problem> {
        let id = self.account_id(account).await?;
        let item = self.table.get(&items::profile(&id), Consistency::Eventual).await?;
        let profile = item.as_ref().map(Profile::read).transpose()?.unwrap_or_default();
        // A photo that was hidden or erased since is no avatar any more.
        let avatar_url = match &profile.avatar {
            Some(event) => {
                let shown = self.posts(std::slice::from_ref(event)).await?.pop();
                let shown = shown.filter(|card| card.entry.account == id.to_string());
                shown.and_then(|card| card.entry.photo_url)
            }
            None => None,
        };
        Ok(ProfileView {
            account: id.to_string(),
            bio: profile.bio,
            avatar: profile.avatar.map(|event| event.to_string()),
            avatar_url,
            version: profile.version,
        })
    }

    /// An account's list as it is kept: encrypted. Empty and of version 0 if there is none.
    ///
    /// # Errors
    /// A problem with status 404 if the name isn't registered.
    pub async fn private_list(&self, account: &str) -> Result<ListView, Problem> {
        let id = self.account_id(account).await?;
        let item = self.table.get(&items::private_list(&id), Consistency::Strong).await?;
        let item = item.unwrap_or_default();
        let sealed = item.bytes("sealed").map(|sealed| STANDARD.encode(sealed)).unwrap_or_default();
        let version = item.number("version").unwrap_or_default();
        Ok(ListView { account: id.to_string(), version, sealed })
    }

    /// What others did for the living pets of an account, newest first; which of them are fading
    /// while there is time to act; and whose story is over without a keepsake.
    ///
    /// # Errors
    /// A problem with status 404 if the name isn't registered.
    pub async fn notices(&self, account: &str) -> Result<NoticesView, Problem> {
        let id = self.account_id(account).await?;
        let card = read_account(self.table.as_ref(), &id).await?;
        let births: Vec<BirthHash> =
            card.records.iter().filter_map(|(_, account)| account.pet).take(PETS_MAX).collect();
        let own = id.to_string();
        let (timelines, pets, earlier) = futures::try_join!(
            try_join_all(births.iter().map(|birth| async move {
                let limit = NOTICES_MAX as u32;
                let query = feeds::before(None, items::pet(birth).pk, "E#", limit);
                let mut newest = self.table.query(&query).await?;
                // What was done before its sale was done for another home.
                let take = u64::from(Kind::Take as u8);
                if let Some(at) = newest.iter().position(|item| item.attributes.number("kind") == Ok(take)) {
                    newest.truncate(at + 1);
                }
                Ok::<_, Problem>(newest)
            })),
            try_join_all(births.iter().map(|birth| async move { self.pet(&birth.to_string()).await })),
            self.pets_of(&own),
        )?;
        let mut found: Vec<Item> = timelines.into_iter().flatten().collect();
        found.retain(|item| {
            let kind = item.attributes.number("kind").ok().and_then(|kind| u8::try_from(kind).ok());
            is_notice(kind.and_then(Kind::from_number)) && item.attributes.digest("account") != Ok(id.0)
        });
        found.sort_unstable_by_key(|item| {
            std::cmp::Reverse((item.attributes.number("timestamp_ms").unwrap_or(0), item.key.sk.clone()))
        });
        found.truncate(NOTICES_MAX);
        let is_over = |pet: &PetView| pet.owner == own && matches!(pet.phase.as_str(), "dead" | "ended");
        Ok(NoticesView {
            account: own.clone(),
            entries: self.describe(&found).await?,
            fading: pets.into_iter().filter(is_fading).collect(),
            ended: earlier.into_iter().filter(is_over).collect(),
        })
    }

    /// Who owned a pet before, in order: of the first sales, one page of them. A pet that was never
    /// sold costs one read.
    ///
    /// # Errors
    /// A problem.
    pub async fn homes(&self, birth: &BirthHash) -> Result<Vec<Home>, Problem> {
        let Some(card) = read_pet(self.table.as_ref(), birth, Consistency::Eventual).await? else {
            return Ok(Vec::new());
        };
        let pk = items::pet(birth).pk;
        let events = |limit| Query {
            pk: pk.clone(),
            from: "E#".to_owned(),
            to: "E#~".to_owned(),
            order: Order::Ascending,
            limit,
            consistency: Consistency::Eventual,
        };
        let first = self.table.query(&events(1)).await?;
        let is_first = first.iter().any(|item| item.attributes.digest("account") == Ok(card.pet.owner.0));
        // Who sold it and bought it back is its first home again; that is told by no read less than all.
        if is_first {
            return Ok(Vec::new());
        }
        let mut keys = Vec::new();
        for item in self.table.query(&events(HOMES_LOOKED_MAX)).await? {
            if item.attributes.number("kind") == Ok(u64::from(Kind::Take as u8)) {
                let index =
                    u32::try_from(item.attributes.number("index")?).map_err(|_| damaged("an entry"))?;
                let (height, time_ms) =
                    (item.attributes.number("height")?, item.attributes.number("timestamp_ms")?);
                let sk = items::feed_sk(time_ms, height, index, &card.kennel);
                keys.push(Key::new(items::trades_pk(&card.kennel), sk));
            }
        }
        keys.truncate(HOMES_MAX);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut homes = Vec::new();
        for trade in self.table.get_many(&keys).await?.into_iter().flatten() {
            let sold: Trade = decode(trade.bytes("record")?).map_err(|_| damaged("a trade"))?;
            homes.push(Home { account: sold.seller.to_string(), until_ms: trade.number("timestamp_ms")? });
        }
        Ok(homes)
    }

    /// Births and posts by their ids, in the order of these, with their cards. Unknown ones are left out.
    ///
    /// # Errors
    /// A problem if there are too many.
    pub async fn posts(&self, ids: &[EventId]) -> Result<Vec<Card>, Problem> {
        if ids.len() > POSTS_MAX {
            return Err(bad_field("ids", format!("At most {POSTS_MAX} posts are asked for at once.")));
        }
        let keys: Vec<Key> = ids.iter().flat_map(|id| [items::place(id), items::post(id)]).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = self.table.get_many(&keys).await?.into_iter();
        let mut entries = Vec::new();
        for id in ids {
            let (place, post) = (read.next().flatten(), read.next().flatten());
            if let Some(place) = place {
                entries.extend(entry_key(id, &place, post.as_ref())?);
            }
        }
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.table.get_many(&entries).await?;
        let found: Vec<Item> = entries
            .into_iter()
            .zip(read)
            .filter_map(|(key, attributes)| Some(Item { key, attributes: attributes? }))
            .collect();
        let kennels = self.kennels_of(&found).await?;
        self.cards(&found, &kennels).await
    }
}

/// Where the timeline has a birth or post; nowhere for an event of another kind.
fn entry_key(id: &EventId, place: &Attributes, post: Option<&Attributes>) -> Result<Option<Key>, Problem> {
    let kind = u8::try_from(place.number("kind")?).ok().and_then(Kind::from_number);
    let pet = match (kind, post) {
        (Some(Kind::Birth), _) => BirthHash(id.0),
        (Some(Kind::Post), Some(post)) => {
            let post: Post = decode(post.bytes("record")?).map_err(|_| damaged("a post's card"))?;
            post.pet
        }
        _ => return Ok(None),
    };
    let index = u32::try_from(place.number("index")?).map_err(|_| damaged("a place"))?;
    Ok(Some(items::timeline(&pet, place.number("height")?, index)))
}
