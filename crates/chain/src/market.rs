//! The exchange market: offers and bids, and what becomes of them.
//!
//! An offer is for an own living pet or keepsake; a bid locks its price for another's. Either side
//! may take the other's order, naming its price. The house gets its cut, rounded up; the seller
//! gets the rest, and the pet changes hands in the same block, its wallet with it. An account has
//! at most one living pet in a kennel, so whoever has one can't buy a second.
//!
//! An order is over at its end, when its pet dies or gets another owner, when it is outbid, taken
//! or cancelled. One that is over by itself can't be taken from that moment on; what it locked
//! comes back at the end of the block, or of a later one where very many end together. A pet that is
//! sold and bought back before that has its orders as before.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::block::{Change, Ending, EndingReason, Trade};
use crate::event::Event;
use crate::hash::{BirthHash, EventId};
use crate::limits;
use crate::reject::Reject;
use crate::rules::{Moment, actor, put_account, put_pet, spend};
use crate::state::{Account, Order, Pet, Phase, Side, State};

/// A pet that can be traded: alive, or a keepsake.
fn tradable(state: &State, birth: &BirthHash) -> Result<Pet, Reject> {
    let pet = state.pet(birth).ok_or(Reject::UnknownPet)?;
    match pet.phase {
        Phase::Living | Phase::Kept => Ok(pet.clone()),
        Phase::Dead | Phase::Ended => Err(Reject::DeadPet),
    }
}

fn has_room(state: &State, account: &Account) -> Result<(), Reject> {
    if account.orders >= limits::ORDERS_PER_ACCOUNT_MAX {
        return Err(Reject::TooManyOrders);
    }
    if state.totals().orders >= limits::ORDERS_MAX { Err(Reject::OrdersFull) } else { Ok(()) }
}

pub(crate) fn offer(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    id: EventId,
    birth: &BirthHash,
    price: u64,
    until_ms: u64,
) -> Result<Vec<Change>, Reject> {
    let pet = tradable(state, birth)?;
    if pet.owner != event.account {
        return Err(Reject::NotOwner);
    }
    if state.open_orders_of(birth, moment.timestamp_ms).any(|order| order.side == Side::Offer) {
        return Err(Reject::AlreadyOffered);
    }
    if price > state.totals().minted {
        return Err(Reject::BeyondSupply);
    }
    let mut account = actor(state, event).expect("the owner of a pet has a record");
    has_room(state, &account)?;
    account.orders += 1;
    let order = Order {
        id,
        side: Side::Offer,
        pet: *birth,
        phase: pet.phase,
        owner: pet.owner,
        maker: event.account,
        price,
        placed_ms: moment.timestamp_ms,
        until_ms,
    };
    state.put_order(order.clone());
    Ok(vec![Change::Order(order), put_account(state, account)])
}

/// The bid that has to make room for a new one of this price, if one has to.
fn outbid(state: &State, moment: &Moment, birth: &BirthHash, price: u64) -> Result<Option<Order>, Reject> {
    let bids = state.open_orders_of(birth, moment.timestamp_ms).filter(|order| order.side == Side::Bid);
    if bids.clone().count() < limits::BIDS_PER_PET_MAX {
        return Ok(None);
    }
    // Of equal ones the last.
    let lowest = bids.min_by_key(|order| (order.price, Reverse(order.placed_ms), order.id));
    match lowest.filter(|lowest| lowest.price < price) {
        Some(lowest) => Ok(Some(Order { until_ms: 0, ..lowest.clone() })),
        None => Err(Reject::BidTooLow),
    }
}

pub(crate) fn bid(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    id: EventId,
    birth: &BirthHash,
    price: u64,
    until_ms: u64,
) -> Result<Vec<Change>, Reject> {
    let pet = tradable(state, birth)?;
    let is_own = pet.owner == event.account;
    let known = actor(state, event);
    if !is_own && pet.phase == Phase::Living && known.as_ref().is_some_and(|account| account.pet.is_some()) {
        return Err(Reject::HasLivingPet);
    }
    let mut account = known.ok_or(Reject::NoTreats)?;
    spend(&mut account, price)?;
    if is_own {
        return Err(Reject::SelfTrade);
    }
    has_room(state, &account)?;
    let outbid = outbid(state, moment, birth, price)?;
    let mut changes = Vec::new();
    if let Some(outbid) = outbid {
        changes.push(Change::Order(outbid.clone()));
        state.put_order(outbid);
    }
    account.orders += 1;
    let order = Order {
        id,
        side: Side::Bid,
        pet: *birth,
        phase: pet.phase,
        owner: pet.owner,
        maker: event.account,
        price,
        placed_ms: moment.timestamp_ms,
        until_ms,
    };
    state.put_order(order.clone());
    changes.extend([Change::Order(order), put_account(state, account)]);
    Ok(changes)
}

pub(crate) fn cancel(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    id: &EventId,
) -> Result<Vec<Change>, Reject> {
    let order = state.open_order(id, moment.timestamp_ms).ok_or(Reject::UnknownOrder)?.clone();
    if order.maker != event.account {
        return Err(Reject::NotMaker);
    }
    let account = actor(state, event).expect("who made an open order has a record");
    let account = close(state, &order, account);
    Ok(vec![Change::Closed(*id), put_account(state, account)])
}

/// Forgets an order, and gives its maker back what it locked.
fn close(state: &mut State, order: &Order, mut maker: Account) -> Account {
    state.remove_order(&order.id);
    maker.orders -= 1;
    if order.side == Side::Bid {
        maker.free += order.price;
    }
    maker
}

/// The house's part of a price, rounded up, in treats.
pub fn cut(price: u64, cut_permille: u16) -> u64 {
    // At most 2^53 × 1,000, which is below 2^63.
    (price * u64::from(cut_permille)).div_ceil(1000)
}

pub(crate) fn take(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    id: &EventId,
    price: u64,
) -> Result<Vec<Change>, Reject> {
    let order = state.open_order(id, moment.timestamp_ms).ok_or(Reject::UnknownOrder)?.clone();
    let mut pet = state.pet(&order.pet).expect("an order's pet has a record").clone();
    let taker = actor(state, event);
    let is_own = order.maker == event.account;
    if order.side == Side::Bid && pet.owner != event.account {
        return Err(Reject::NotOwner);
    }
    let buyer = match order.side {
        Side::Offer => taker.as_ref(),
        Side::Bid => state.account(&order.maker),
    };
    if !is_own && pet.phase == Phase::Living && buyer.is_some_and(|buyer| buyer.pet.is_some()) {
        return Err(Reject::HasLivingPet);
    }
    let mut taker = taker.ok_or(Reject::NoTreats)?;
    if order.side == Side::Offer {
        spend(&mut taker, order.price)?;
    }
    if is_own {
        return Err(Reject::SelfTrade);
    }
    if price != order.price {
        return Err(Reject::WrongPrice);
    }
    let maker = state.account(&order.maker).expect("who made an open order has a record").clone();
    let mut maker = close(state, &order, maker);
    if order.side == Side::Bid {
        maker.free -= price;
    }
    let (mut seller, mut buyer) = match order.side {
        Side::Offer => (maker, taker),
        Side::Bid => (taker, maker),
    };
    let cut = cut(price, state.genesis().parameters.cut_permille);
    seller.free += price - cut;
    state.totals_mut().house += cut;
    if pet.phase == Phase::Living {
        (seller.pet, buyer.pet) = (None, Some(pet.birth));
    } else {
        seller.holdings -= 1;
        buyer.holdings += 1;
    }
    pet.owner = buyer.id;
    let trade = Trade { order: *id, pet: pet.birth, seller: seller.id, buyer: buyer.id, price, cut };
    Ok(vec![Change::Trade(trade), put_pet(state, pet), put_account(state, seller), put_account(state, buyer)])
}

/// Closes orders that are over.
pub(crate) fn end_block(state: &mut State, timestamp_ms: u64) -> Vec<Ending> {
    let over = state.orders_over(timestamp_ms, limits::ORDERS_ENDED_PER_BLOCK_MAX);
    over.into_iter()
        .map(|order| {
            let maker = state.account(&order.maker).expect("who made an open order has a record").clone();
            let account = close(state, &order, maker);
            state.put_account(account.clone());
            let reason = match order.until_ms {
                0 => EndingReason::Outbid,
                until_ms if until_ms < timestamp_ms => EndingReason::TimeUp,
                _ => EndingReason::PetChanged,
            };
            Ending {
                order: order.id,
                account: account.id,
                free: account.free,
                orders: account.orders,
                reason,
            }
        })
        .collect()
}
