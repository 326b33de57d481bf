//! The rules: what each kind of event needs and does.
//!
//! Every rule first checks, in the order of [`Reject`]'s numbers, and then writes; nothing is
//! written by an event that is refused. Sums can't overflow: no treat exists that wasn't minted,
//! and births mint at most 1,000,000 each, 65,536 times; an age mints at most 2,000,000 by its
//! seals, so that 9,000,000,000,000 ages would be needed.
//!
//! Trading is in [`crate::market`], seals and time in [`crate::mining`], offices in
//! [`crate::office`].

use alloc::vec;
use alloc::vec::Vec;

use crate::block::{Change, Death, Ending};
use crate::event::{Event, Kind, Payload, ReplayClass, SignedEvent};
use crate::hash::{AccountId, BirthHash, BlockHash, Digest32, EventId, PublicKey, RulesHash};
use crate::reject::Reject;
use crate::state::{Account, Pet, Phase, Post, State, Visit};
use crate::{limits, market, mining, office};

/// The block in which events take effect.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Its height.
    pub height: u64,
    /// Its timestamp, ms.
    pub timestamp_ms: u64,
    /// The age that the kennel has after it, if an event of it ages the kennel.
    pub age: u64,
    /// The head before it.
    pub parent: BlockHash,
    /// The module that decides it.
    pub rules_hash: RulesHash,
}

/// Decides one event whose form, stamp and signature have been checked, and takes it over.
///
/// # Errors
/// The reason why the event is refused; the state is then as before.
pub fn decide(state: &mut State, moment: &Moment, signed: &SignedEvent) -> Result<Vec<Change>, Reject> {
    let event = &signed.event;
    check_key(state, event)?;
    let kind = event.payload.kind();
    let last_nonce = match kind.replay_class() {
        ReplayClass::Nonce => state.account(&event.account).map(|account| account.nonce),
        ReplayClass::Office => office::office_of(state.keys(), event).map(|office| office.nonce),
        ReplayClass::Subject => None,
    };
    if last_nonce.is_some_and(|last| event.nonce <= last) {
        return Err(Reject::StaleNonce);
    }
    let changes = match &event.payload {
        Payload::Birth { photo, recovery, anchor, .. } => {
            birth(state, moment, event, signed.id, *photo, *recovery, anchor)
        }
        Payload::Post { pet, .. } => post(state, moment, event, signed.id, pet),
        Payload::Pat { post } | Payload::Share { post } => visit(state, moment, event, kind, post, [0; 32]),
        Payload::Comment { post, .. } => visit(state, moment, event, kind, post, signed.id.0),
        Payload::Gift { pet, amount } => gift(state, moment, event, pet, *amount),
        Payload::Transfer { to, amount } => transfer(state, event, to, *amount),
        Payload::StoryEnd { pet } => story_end(state, pet),
        Payload::Keepsake { pet } => keepsake(state, event, pet),
        Payload::Time { parent, statements } => mining::time(state, moment, event, parent, statements),
        Payload::Rekey { new_key, recovery } => rekey(state, event, *new_key, *recovery),
        Payload::Offer { pet, price, until_ms } => {
            market::offer(state, moment, event, signed.id, pet, *price, *until_ms)
        }
        Payload::Bid { pet, price, until_ms } => {
            market::bid(state, moment, event, signed.id, pet, *price, *until_ms)
        }
        Payload::Cancel { order } => market::cancel(state, moment, event, order),
        Payload::Take { order, price } => market::take(state, moment, event, order, *price),
        Payload::Seal { over, proof, time } => {
            mining::seal(state, moment, event, over, *proof, time.as_deref())
        }
        Payload::Moderate { .. } => office::moderate(state, event),
        Payload::Appoint { operator, moderators, witnesses, threshold } => {
            office::appoint(state, moment, event, *operator, moderators, witnesses, *threshold)
        }
        Payload::Upgrade { rules_hash, at_height } => {
            office::upgrade(state, moment, event, rules_hash, *at_height)
        }
    }?;
    // At once, so that a later time event of the same block finds the kennel no longer idle.
    if event.payload.ages() && state.totals().age != moment.age {
        let totals = state.totals_mut();
        totals.age = moment.age;
        totals.last_aging_ms = moment.timestamp_ms;
    }
    Ok(changes)
}

/// The key must be the account's current one; a rekey may be signed by the recovery key. An
/// account without a record, or that never acted, has the key that its id is the hash of.
fn check_key(state: &State, event: &Event) -> Result<(), Reject> {
    let account = state.account(&event.account);
    let recovers = event.payload.kind() == Kind::Rekey
        && account.is_some_and(|account| account.recovery == Some(event.key));
    let is_current = match account.and_then(|account| account.key) {
        Some(key) => key == event.key,
        None => AccountId::of(&event.key) == event.account,
    };
    if is_current || recovers { Ok(()) } else { Err(Reject::WrongKey) }
}

/// The acting account's record after the event's nonce was used.
pub(crate) fn actor(state: &State, event: &Event) -> Option<Account> {
    let mut account = state.account(&event.account)?.clone();
    if event.payload.kind().replay_class() == ReplayClass::Nonce {
        account.nonce = event.nonce;
        account.last_expires_ms = account.last_expires_ms.max(event.expires_ms);
        account.key = account.key.or(Some(event.key));
    }
    Some(account)
}

pub(crate) fn put_account(state: &mut State, account: Account) -> Change {
    state.put_account(account.clone());
    Change::Account(account)
}

pub(crate) fn put_pet(state: &mut State, pet: Pet) -> Change {
    state.put_pet(pet.clone());
    Change::Pet(pet)
}

fn living_pet(state: &State, birth: &BirthHash) -> Result<Pet, Reject> {
    let pet = state.pet(birth).ok_or(Reject::UnknownPet)?;
    if pet.phase == Phase::Living { Ok(pet.clone()) } else { Err(Reject::DeadPet) }
}

/// Takes treats for a post or an own comment: granted ones first.
fn pay_for_post(account: &mut Account, cost: u64) -> Result<(), Reject> {
    let granted = cost.min(account.granted);
    let free = cost - granted;
    if account.free < free {
        return Err(Reject::NoTreats);
    }
    account.granted -= granted;
    account.free -= free;
    Ok(())
}

pub(crate) fn spend(account: &mut Account, amount: u64) -> Result<(), Reject> {
    account.free = account.free.checked_sub(amount).ok_or(Reject::NoTreats)?;
    Ok(())
}

fn birth(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    id: EventId,
    photo: Digest32,
    recovery: Option<PublicKey>,
    anchor: &BlockHash,
) -> Result<Vec<Change>, Reject> {
    let known = state.account(&event.account);
    if known.is_some_and(|account| account.pet.is_some()) {
        return Err(Reject::HasLivingPet);
    }
    if !is_recent_head(state, moment, anchor) {
        return Err(Reject::StaleAnchor);
    }
    let parameters = &state.genesis().parameters;
    let totals = state.totals();
    if totals.living >= parameters.living_max || totals.pets >= limits::PETS_MAX {
        return Err(Reject::KennelFull);
    }
    if known.is_none() && totals.accounts >= parameters.accounts_max {
        return Err(Reject::AccountsFull);
    }
    let grant = parameters.birth_grant;
    let mut account = actor(state, event).unwrap_or_else(|| Account {
        key: Some(event.key),
        nonce: event.nonce,
        last_expires_ms: event.expires_ms,
        ..Account::new(event.account)
    });
    account.recovery = recovery.or(account.recovery);
    account.granted += grant;
    account.pet = Some(id.into());
    state.totals_mut().minted += grant;
    let pet = Pet {
        birth: id.into(),
        owner: event.account,
        phase: Phase::Living,
        photo,
        born_height: moment.height,
        born_ms: moment.timestamp_ms,
        last_age: moment.age,
        died_height: 0,
        died_ms: 0,
        wallet: 0,
        posts: 0,
        pats: 0,
        shares: 0,
        comments: 0,
    };
    Ok(vec![put_pet(state, pet), put_account(state, account)])
}

/// The head itself, an anchor of the last hour, or the newest anchor however old.
fn is_recent_head(state: &State, moment: &Moment, head: &BlockHash) -> bool {
    let newest = state.anchors().last();
    *head == moment.parent
        || newest.is_some_and(|anchor| anchor.hash == *head)
        || state.anchors().iter().any(|anchor| {
            anchor.hash == *head && moment.timestamp_ms - anchor.timestamp_ms <= limits::ANCHOR_AGE_MS_MAX
        })
}

fn post(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    id: EventId,
    birth: &BirthHash,
) -> Result<Vec<Change>, Reject> {
    let mut pet = living_pet(state, birth)?;
    if pet.owner != event.account {
        return Err(Reject::NotOwner);
    }
    let parameters = &state.genesis().parameters;
    if state.posts_of(birth) >= parameters.open_posts_max {
        return Err(Reject::TooManyPosts);
    }
    let cost = parameters.post_cost;
    let mut account = actor(state, event).expect("the owner of a living pet has a record");
    pay_for_post(&mut account, cost)?;
    pet.wallet += cost;
    pet.posts += 1;
    pet.last_age = moment.age;
    let card =
        Post { id, pet: *birth, opened_age: moment.age, pats: 0, shares: 0, comments: 0, visits: [0; 32] };
    state.open_post(card.clone());
    Ok(vec![put_pet(state, pet), Change::Post(card), put_account(state, account)])
}

fn visit(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    kind: Kind,
    id: &EventId,
    comment: Digest32,
) -> Result<Vec<Change>, Reject> {
    let mut card = state.post(id).ok_or(Reject::UnknownPost)?.clone();
    let mut pet = state.pet(&card.pet).expect("a post's pet has a record").clone();
    let parameters = &state.genesis().parameters;
    if pet.phase != Phase::Living || moment.age - card.opened_age > u64::from(parameters.ttl) {
        return Err(Reject::ClosedPost);
    }
    let is_owner = pet.owner == event.account;
    if is_owner && kind != Kind::Comment {
        return Err(Reject::OwnPet);
    }
    let visit = Visit { kind: kind as u8, account: event.account, comment };
    if state.has_visit(id, &visit) {
        return Err(Reject::AlreadyDone);
    }
    if card.visit_count() >= u64::from(parameters.visits_per_post_max)
        || state.totals().visits >= limits::VISITS_MAX
    {
        return Err(Reject::PostFull);
    }
    if kind == Kind::Comment
        && state.comments_by(id, &event.account, kind as u8) >= limits::COMMENTS_PER_ACCOUNT_MAX
    {
        return Err(Reject::TooManyComments);
    }
    let mut changes = Vec::new();
    if is_owner {
        let cost = parameters.post_cost;
        let mut account = actor(state, event).expect("the owner of a living pet has a record");
        pay_for_post(&mut account, cost)?;
        pet.wallet += cost;
        changes.push(put_account(state, account));
    }
    let (of_card, of_pet) = match kind {
        Kind::Pat => (&mut card.pats, &mut pet.pats),
        Kind::Share => (&mut card.shares, &mut pet.shares),
        _ => (&mut card.comments, &mut pet.comments),
    };
    *of_card += 1;
    *of_pet += 1;
    pet.last_age = moment.age;
    changes.push(Change::Post(state.visit_post(card, visit)));
    changes.push(put_pet(state, pet));
    Ok(changes)
}

fn gift(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    birth: &BirthHash,
    amount: u64,
) -> Result<Vec<Change>, Reject> {
    let mut pet = living_pet(state, birth)?;
    let mut account = actor(state, event).ok_or(Reject::NoTreats)?;
    spend(&mut account, amount)?;
    pet.wallet += amount;
    pet.last_age = moment.age;
    Ok(vec![put_pet(state, pet), put_account(state, account)])
}

fn transfer(state: &mut State, event: &Event, to: &AccountId, amount: u64) -> Result<Vec<Change>, Reject> {
    let full = state.totals().accounts >= state.genesis().parameters.accounts_max;
    if full && state.account(to).is_none() {
        return Err(Reject::AccountsFull);
    }
    let mut account = actor(state, event).ok_or(Reject::NoTreats)?;
    spend(&mut account, amount)?;
    if *to == event.account {
        return Err(Reject::SelfTransfer);
    }
    let mut other = state.account(to).cloned().unwrap_or_else(|| Account::new(*to));
    other.free += amount;
    Ok(vec![put_account(state, account), put_account(state, other)])
}

fn story_end(state: &mut State, birth: &BirthHash) -> Result<Vec<Change>, Reject> {
    let mut pet = state.pet(birth).ok_or(Reject::UnknownPet)?.clone();
    match pet.phase {
        Phase::Living => return Err(Reject::NotDead),
        Phase::Dead => {}
        Phase::Ended | Phase::Kept => return Err(Reject::AlreadyEnded),
    }
    pet.phase = Phase::Ended;
    Ok(vec![put_pet(state, pet)])
}

fn keepsake(state: &mut State, event: &Event, birth: &BirthHash) -> Result<Vec<Change>, Reject> {
    let mut pet = state.pet(birth).ok_or(Reject::UnknownPet)?.clone();
    if pet.owner != event.account {
        return Err(Reject::NotOwner);
    }
    match pet.phase {
        Phase::Living | Phase::Dead => return Err(Reject::NotEnded),
        Phase::Ended => {}
        Phase::Kept => return Err(Reject::AlreadyKept),
    }
    let mut account = actor(state, event).expect("the owner of a pet has a record");
    account.free += pet.wallet + account.granted;
    account.granted = 0;
    pet.wallet = 0;
    pet.phase = Phase::Kept;
    Ok(vec![put_pet(state, pet), put_account(state, account)])
}

fn rekey(
    state: &mut State,
    event: &Event,
    new_key: PublicKey,
    recovery: Option<PublicKey>,
) -> Result<Vec<Change>, Reject> {
    let mut account = actor(state, event).ok_or(Reject::UnknownAccount)?;
    if account.key == Some(new_key) {
        return Err(Reject::SameKey);
    }
    account.key = Some(new_key);
    account.recovery = recovery;
    Ok(vec![put_account(state, account)])
}

/// What a block ends by itself.
#[derive(Debug, Default)]
pub struct Ended {
    /// Pets that died, in the order of (age of the last event, birth hash).
    pub deaths: Vec<Death>,
    /// Orders that are over.
    pub orders: Vec<Ending>,
}

/// Ends what a block's age and time end: lives, posts, orders, empty accounts. `parent_age` is the
/// kennel's age before the block.
pub fn end_block(state: &mut State, moment: &Moment, parent_age: u64) -> Ended {
    let (height, timestamp_ms) = (moment.height, moment.timestamp_ms);
    mining::end_block(state, moment, parent_age);
    let ttl = u64::from(state.genesis().parameters.ttl);
    let age = state.totals().age;
    let mut deaths = Vec::new();
    if let Some(last_age) = age.checked_sub(ttl) {
        for birth in state.living_up_to(last_age) {
            let mut pet = state.pet(&birth).expect("indexed pets have a record").clone();
            pet.phase = Phase::Dead;
            pet.died_height = height;
            pet.died_ms = timestamp_ms;
            let mut owner = state.account(&pet.owner).expect("the owner of a pet has a record").clone();
            owner.pet = None;
            owner.holdings += 1;
            deaths.push(Death { pet: birth, owner: owner.id, holdings: owner.holdings });
            state.put_pet(pet);
            state.put_account(owner);
        }
        state.close_posts(last_age, limits::POSTS_CLOSED_PER_BLOCK_MAX);
    }
    let orders = market::end_block(state, timestamp_ms);
    state.drop_accounts(timestamp_ms, limits::ACCOUNTS_DROPPED_PER_BLOCK_MAX);
    Ended { deaths, orders }
}
