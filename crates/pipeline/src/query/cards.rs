//! Cards of pets and accounts: a record as its last event left it, with what a death or
//! an order's end since changed laid over it.

use pitpet_chain::body::Body;
use pitpet_chain::codec::decode;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, KennelId};
use pitpet_chain::state::{Account, Pet, Phase};

use super::texts::Texts;
use crate::api::{AccountView, HoldingView, PetView, SumsView};
use crate::head::{CommittedHead, Founding, LedgerError, damaged};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Consistency, Order, Query, Table};

/// A pet as the read side has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PetCard {
    /// Its kennel.
    pub kennel: KennelId,
    /// Its record.
    pub pet: Pet,
}

/// An account as the read side has it: its records by kennel, and its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountCard {
    /// Records.
    pub records: Vec<(KennelId, Account)>,
    /// Names.
    pub names: Vec<String>,
}

/// Reads a pet's card.
///
/// # Errors
/// [`LedgerError`].
pub async fn read_pet(
    table: &dyn Table,
    birth: &BirthHash,
    consistency: Consistency,
) -> Result<Option<PetCard>, LedgerError> {
    let item = table.get(&items::pet(birth), consistency).await?;
    // What was read of one without a record lags behind what blocks changed of it.
    item.filter(|item| item.contains_key("record")).map(|item| pet_card(&item)).transpose()
}

/// Reads a pet's item.
pub(super) fn pet_card(item: &Attributes) -> Result<PetCard, LedgerError> {
    let mut pet: Pet = decode(item.bytes("record")?).map_err(|_| damaged("a pet's card"))?;
    if let (Ok(height), Ok(time), Phase::Living) =
        (item.number("died_height"), item.number("died_ms"), pet.phase)
    {
        pet.phase = Phase::Dead;
        pet.died_height = height;
        pet.died_ms = time;
    }
    Ok(PetCard { kennel: KennelId(item.digest("kennel")?), pet })
}

/// Reads an account's card.
///
/// # Errors
/// [`LedgerError`].
pub async fn read_account(table: &dyn Table, account: &AccountId) -> Result<AccountCard, LedgerError> {
    let query = Query {
        pk: items::account_pk(account),
        from: "K#".to_owned(),
        to: "N#~".to_owned(),
        order: Order::Ascending,
        limit: 1_000,
        consistency: Consistency::Eventual,
    };
    let mut card = AccountCard::default();
    for item in table.query(&query).await? {
        if let Some(name) = item.key.sk.strip_prefix("N#") {
            card.names.push(name.to_owned());
            continue;
        }
        let attributes = &item.attributes;
        if !attributes.contains_key("record") {
            // What was read of it lags behind what blocks changed of it.
            continue;
        }
        let mut account: Account =
            decode(attributes.bytes("record")?).map_err(|_| damaged("an account's card"))?;
        let lost = attributes.number("lost_height").unwrap_or(0);
        if lost >= attributes.number("record_height")?
            && account.pet.is_some_and(|pet| attributes.digest("lost_pet") == Ok(pet.0))
        {
            account.pet = None;
            account.holdings =
                u32::try_from(attributes.number("holdings")?).map_err(|_| damaged("an account's card"))?;
        }
        let unlocked = attributes.number("unlocked_height").unwrap_or(0);
        if unlocked > 0 && unlocked >= attributes.number("record_height")? {
            account.free = attributes.number("free")?;
            account.orders =
                u32::try_from(attributes.number("orders")?).map_err(|_| damaged("an account's card"))?;
        }
        card.records.push((KennelId(attributes.digest("kennel")?), account));
    }
    Ok(card)
}

/// The remaining life in words.
pub fn remaining_words(remaining: u64, ttl: u32, age_interval_ms: u64) -> String {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    if remaining == 0 {
        return "dead".to_owned();
    }
    let ages = format!("{remaining} of {ttl} ages");
    let hours = remaining.saturating_mul(age_interval_ms) / HOUR_MS;
    match hours {
        0 => ages,
        1 => format!("{ages}, at least an hour"),
        2..48 => format!("{ages}, at least {hours} hours"),
        _ => format!("{ages}, at least {} days", hours / 24),
    }
}

/// The stable name of a phase.
pub(super) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Living => "living",
        Phase::Dead => "dead",
        Phase::Ended => "ended",
        Phase::Kept => "kept",
    }
}

pub(super) fn photo_url(sha256: &[u8; 32]) -> String {
    format!("/media/{}", hex::encode(sha256))
}

pub(super) fn pet_view(card: &PetCard, founding: &Founding, head: &CommittedHead, texts: &Texts) -> PetView {
    let parameters = &founding.genesis.parameters;
    let pet = &card.pet;
    let remaining = pet.remaining(parameters.ttl, head.header.age.max(pet.last_age));
    let birth = EventId(pet.birth.0);
    let (name, story) = match texts.get(&birth) {
        Some(Body::Birth { name, story }) => (Some(name.clone()), Some(story.clone())),
        _ => (None, None),
    };
    PetView {
        birth: pet.birth.to_string(),
        kennel: card.kennel.to_string(),
        name,
        story,
        owner: pet.owner.to_string(),
        phase: phase_name(pet.phase).to_owned(),
        remaining,
        ttl: parameters.ttl,
        remaining_words: remaining_words(remaining, parameters.ttl, parameters.age_interval_ms),
        wallet: pet.wallet,
        photo: hex::encode(pet.photo),
        photo_url: (!texts.is_withheld(&birth)).then(|| photo_url(&pet.photo)),
        hidden: texts.hidden(&birth).cloned(),
        born_height: pet.born_height,
        born_ms: pet.born_ms,
        died_height: pet.died_height,
        died_ms: pet.died_ms,
        posts: pet.posts,
        pats: pet.pats,
        shares: pet.shares,
        comments: pet.comments,
    }
}

/// An account over all kennels: `labels` are those of its records' kennels.
pub(super) fn account_view(id: &AccountId, card: &AccountCard, labels: Vec<String>) -> AccountView {
    let kennels: Vec<HoldingView> = card
        .records
        .iter()
        .zip(labels)
        .map(|((kennel, account), label)| HoldingView {
            kennel: kennel.to_string(),
            label,
            granted: account.granted,
            free: account.free,
            pet: account.pet.map(|pet| pet.to_string()),
            holdings: account.holdings,
            orders: account.orders,
            nonce: account.nonce,
            key: account.key.map(|key| key.to_string()),
        })
        .collect();
    // Treats are at most 2^53 - 1 in each of at most 256 kennels.
    let sums = SumsView {
        granted: kennels.iter().map(|holding| holding.granted).sum(),
        free: kennels.iter().map(|holding| holding.free).sum(),
        living: kennels.iter().filter(|holding| holding.pet.is_some()).count() as u64,
        holdings: kennels.iter().map(|holding| u64::from(holding.holdings)).sum(),
    };
    AccountView { id: id.to_string(), names: card.names.clone(), sums, kennels }
}

#[cfg(test)]
mod tests {
    use super::remaining_words;

    #[test]
    fn remaining_life_in_words() {
        const HOUR_MS: u64 = 60 * 60 * 1000;
        assert_eq!(remaining_words(0, 15, 4 * HOUR_MS), "dead");
        assert_eq!(remaining_words(9, 15, 0), "9 of 15 ages");
        assert_eq!(remaining_words(9, 15, 4 * HOUR_MS), "9 of 15 ages, at least 36 hours");
        assert_eq!(remaining_words(15, 15, 4 * HOUR_MS), "15 of 15 ages, at least 2 days");
        assert_eq!(remaining_words(1, 15, HOUR_MS), "1 of 15 ages, at least an hour");
    }
}
