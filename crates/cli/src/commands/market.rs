//! The exchange market: what is open, what was sold, and both sides of a trade.
//!
//! How a price is split follows from the kennel's genesis, and what an order is from the proof of
//! its event: neither is taken from what the server says.

use std::collections::BTreeMap;

use pitpet_chain::block::Change;
use pitpet_chain::hash::EventId;
use pitpet_chain::market::cut;
use pitpet_chain::state::{Order, Side};
use pitpet_cli::act::Act;
use pitpet_cli::client::now_ms;
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::Kennel;
use pitpet_pipeline::api::{OrderView, TradeView};
use pitpet_pipeline::verify::report::many;
use pitpet_web::view::rfc3339;
use serde_json::json;

use super::act::Actor;
use super::look::more;
use crate::args::{
    MarketCancelArgs, MarketCommand, MarketListArgs, MarketOrderArgs, MarketSide, MarketSort, MarketTakeArgs,
    MarketTradesArgs,
};
use crate::context::{Context, plain};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// By how much an order ends before its day, ms: a clock that is a little ahead of the server's
/// doesn't make one of 30 days too long.
const LEEWAY_MS: u64 = 60_000;

/// `market`
pub(crate) async fn run(context: &Context, command: MarketCommand) -> Result<(), Failure> {
    match command {
        MarketCommand::List(args) => list(context, args).await,
        MarketCommand::Trades(args) => trades(context, args).await,
        MarketCommand::Offer(args) => place(context, args, Side::Offer).await,
        MarketCommand::Bid(args) => place(context, args, Side::Bid).await,
        MarketCommand::Cancel(args) => cancel(context, args).await,
        MarketCommand::Take(args) => take(context, args).await,
    }
}

fn split_words(to_seller: u64, to_house: u64) -> String {
    format!("{to_seller} to the seller, {to_house} to the house")
}

/// A price in words, as a kennel's rules split it.
fn split(kennel: &Kennel, price: u64) -> String {
    let to_house = cut(price, kennel.genesis.parameters.cut_permille);
    let to_seller = price - to_house;
    let warning = if to_seller == 0 { "; WARNING: the seller gets nothing at this price" } else { "" };
    format!("{}{warning}", split_words(to_seller, to_house))
}

fn what(phase_is_living: bool, name: &str) -> String {
    if phase_is_living { name.to_owned() } else { format!("the keepsake of {name}") }
}

fn order_line(order: &OrderView, now_ms: u64) -> String {
    let name = order.pet_name.as_deref().unwrap_or("a pet");
    let (side, what) = (&order.side, what(order.phase == "living", name));
    let hours = order.until_ms.saturating_sub(now_ms) / 3_600_000;
    let left = match hours {
        0 => "ends within the hour".to_owned(),
        1..48 => format!("{} left", many(hours, "hour")),
        _ => format!("{} days left", hours / 24),
    };
    format!(
        "{side} {what}: {} ({}), {left}\n  order {}\n  pet   {}\n",
        many(order.price, "treat"),
        split_words(order.to_seller, order.to_house),
        order.id,
        order.pet
    )
}

/// `market list`
async fn list(context: &Context, args: MarketListArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let by = match args.by {
        MarketSort::Price => "price",
        MarketSort::Age => "age",
    };
    let mut query = vec![("limit", args.limit.to_string()), ("by", by.to_owned())];
    let side = args.side.map(|side| match side {
        MarketSide::Offer => "offer",
        MarketSide::Bid => "bid",
    });
    query.extend(side.map(|side| ("side", side.to_owned())));
    query.extend(args.kennel.map(|kennel| ("kennel", kennel)));
    query.extend(args.pet.map(|pet| ("pet", pet.to_string())));
    query.extend(args.cursor.map(|cursor| ("cursor", cursor)));
    let page = client.market(&query).await?;
    let now_ms = now_ms();
    let mut text: String = page.orders.iter().map(|order| order_line(order, now_ms)).collect();
    if page.orders.is_empty() {
        text.push_str("Nothing is on the market. `pitpet market offer` changes that.\n");
    }
    if let Some(cursor) = &page.cursor {
        text.push_str(&more("market list", &query, cursor));
    }
    context.print(json!(page), &text);
    Ok(())
}

/// A sale in words; `kennel` is its kennel's label.
fn trade_line(trade: &TradeView, kennel: &str) -> String {
    let name = trade.pet_name.as_deref().unwrap_or("a pet");
    let sold = if trade.phase == "kept" { format!("a keepsake of {name}") } else { name.to_owned() };
    format!(
        "{sold} sold for {} ({}), {kennel}, block {}, {}\n  by {}\n  to {}\n  event {}\n",
        many(trade.price, "treat"),
        split_words(trade.to_seller, trade.to_house),
        trade.height,
        rfc3339(trade.timestamp_ms),
        trade.seller,
        trade.buyer,
        trade.id
    )
}

/// `market trades`
async fn trades(context: &Context, args: MarketTradesArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.kennel.map(|kennel| ("kennel", kennel)));
    query.extend(args.cursor.map(|cursor| ("cursor", cursor)));
    let page = client.trades(&query).await?;
    let labels: BTreeMap<String, String> =
        client.kennels().await?.into_iter().map(|kennel| (kennel.id, kennel.label)).collect();
    let label = |trade: &TradeView| labels.get(&trade.kennel).unwrap_or(&trade.kennel).clone();
    let mut text: String = page.trades.iter().map(|trade| trade_line(trade, &label(trade))).collect();
    if page.trades.is_empty() {
        text.push_str("Nothing has been sold yet.\n");
    }
    if let Some(cursor) = &page.cursor {
        text.push_str(&more("market trades", &query, cursor));
    }
    context.print(json!(page), &text);
    Ok(())
}

/// Says on stderr what is about to be done.
fn announce(context: &Context, text: &str) {
    if !context.common.json {
        eprintln!("{}", plain(text));
    }
}

/// `market offer`, `market bid`
async fn place(context: &Context, args: MarketOrderArgs, side: Side) -> Result<(), Failure> {
    let MarketOrderArgs { pet, price, days } = args;
    let until_ms = now_ms() + days * DAY_MS - LEEWAY_MS;
    let (act, done) = match side {
        Side::Offer => (Act::Offer { pet, price, until_ms }, "Offered."),
        Side::Bid => (Act::Bid { pet, price, until_ms }, "Bid; the price is locked."),
    };
    act.check()?;
    let actor = Actor::new(context)?;
    let kennel = actor.kennel_of_pet(&pet).await?;
    announce(context, &format!("if taken, {}: {}", many(price, "treat"), split(&kennel, price)));
    actor.perform(context, &kennel, act, done).await
}

/// An order as its proven receipt has it, and its kennel.
async fn proven_order(actor: &Actor, id: &EventId) -> Result<(Kennel, Order), Failure> {
    let (kennel, mined) = actor.client.find_event(id).await?;
    let placed = mined.proven.receipt.changes.iter().find_map(|change| match change {
        Change::Order(order) if order.id == *id => Some(order.clone()),
        _ => None,
    });
    match placed {
        Some(order) => Ok((kennel, order)),
        None => Err(Failure::usage(format!("event {id} is no offer or bid (field: order)"))),
    }
}

/// `market cancel`
async fn cancel(context: &Context, args: MarketCancelArgs) -> Result<(), Failure> {
    let actor = Actor::new(context)?;
    let (kennel, order) = proven_order(&actor, &args.order).await?;
    actor.perform(context, &kennel, Act::Cancel(order.id), "Cancelled.").await
}

/// `market take`
async fn take(context: &Context, args: MarketTakeArgs) -> Result<(), Failure> {
    if let Some(price) = args.price {
        Act::Take { order: args.order, price }.check()?;
    }
    let actor = Actor::new(context)?;
    let (kennel, order) = proven_order(&actor, &args.order).await?;
    if order.maker == actor.account.id {
        return Err(Failure::usage(format!(
            "this order is your own: nothing was sent; `pitpet market cancel {}` withdraws it (field: order)",
            order.id
        )));
    }
    let pet = actor.client.pet(&order.pet).await?;
    let name = what(
        order.phase == pitpet_chain::state::Phase::Living,
        pet.name.as_deref().unwrap_or("a pet without a name"),
    );
    let deal = match order.side {
        Side::Offer => "buying",
        Side::Bid => "selling",
    };
    let (price, parts) = (many(order.price, "treat"), split(&kennel, order.price));
    let deal = format!("{deal} {name} for {price}: {parts}");
    announce(context, &deal);
    match args.price {
        Some(price) if price == order.price => {
            let done = if order.side == Side::Offer { "Bought." } else { "Sold." };
            actor.perform(context, &kennel, Act::Take { order: order.id, price }, done).await
        }
        asked => {
            let why = match asked {
                Some(price) => format!("its price is {}, not {price}", order.price),
                None => "no price named".to_owned(),
            };
            Err(Failure::usage(format!(
                "{why}: nothing was sent; `pitpet market take {} --price {}` takes it (field: price)",
                order.id, order.price
            )))
        }
    }
}
