//! The market: open orders, one order, and what was sold.
//!
//! No item of the table lists open orders. What closes one names its id and not its price, so that
//! the place of an item ordered by price would follow from no block alone; and whether an order is
//! open is a matter of its pet's record and of the time, of which nothing is written. A kennel's
//! orders are at most 16,384 and fit memory: like the living pets they are taken once from a
//! replica, and kept up by the blocks that follow. Trades are items, written once.

use std::cmp::Reverse;
use std::collections::HashMap;

use pitpet_chain::block::{Block, Change, Death, Ending, Receipt, Trade};
use pitpet_chain::body::Body;
use pitpet_chain::codec::decode;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BirthHash, EventId, KennelId};
use pitpet_chain::market::cut;
use pitpet_chain::state::{Order, Pet, Phase, Side, State};

use super::texts::{Texts, Told};
use super::{Queries, cards, cursor as cursors, feeds, parse_id};
use crate::api::{OrderView, OrdersView, Problem, TradeView, TradesView};
use crate::head::{CommittedHead, Founding, LedgerError, damaged};
use crate::items::{self, Fields};
use crate::ports::{Attributes, Consistency, Item};
use crate::problem::{not_found, rules_unavailable};

/// By what open orders are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderSort {
    /// The best first: offers from the lowest price, then bids from the highest; of equal ones the
    /// oldest.
    #[default]
    Price,
    /// The newest first.
    Age,
}

/// Which open orders are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter<'a> {
    /// Of one kennel, by id or label; else of the 16 newest.
    pub kennel: Option<&'a str>,
    /// Of one side.
    pub side: Option<Side>,
    /// For one pet, by its birth hash.
    pub pet: Option<&'a str>,
    /// In which order.
    pub sort: OrderSort,
}

/// A pet that has orders: what decides whether they stand.
#[derive(Clone, Debug)]
struct Subject {
    owner: AccountId,
    phase: Phase,
    orders: u32,
}

/// The orders that stand in a kennel's state, open or over.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    orders: HashMap<EventId, Order>,
    pets: HashMap<BirthHash, Subject>,
}

impl Orders {
    /// Those of a state.
    pub(super) fn of(state: &State) -> Self {
        let mut orders = Self::default();
        for order in state.orders() {
            orders.put(order.clone());
            if let (Some(pet), Some(subject)) = (state.pet(&order.pet), orders.pets.get_mut(&order.pet)) {
                (subject.owner, subject.phase) = (pet.owner, pet.phase);
            }
        }
        orders
    }

    fn put(&mut self, order: Order) {
        // When it is placed, it is for what its pet is.
        let pet = self.pets.entry(order.pet);
        let pet = pet.or_insert(Subject { owner: order.owner, phase: order.phase, orders: 0 });
        if self.orders.insert(order.id, order).is_none() {
            pet.orders += 1;
        }
    }

    fn remove(&mut self, id: &EventId) {
        let Some(order) = self.orders.remove(id) else { return };
        if let Some(pet) = self.pets.get_mut(&order.pet) {
            pet.orders -= 1;
            if pet.orders == 0 {
                self.pets.remove(&order.pet);
            }
        }
    }

    /// Takes over a block.
    pub(super) fn take(&mut self, block: &Block) -> Result<(), LedgerError> {
        for receipt in &block.receipts {
            let receipt: Receipt = decode(&receipt.0).map_err(|_| damaged("a receipt"))?;
            for change in receipt.changes {
                match change {
                    Change::Order(order) => self.put(order),
                    Change::Closed(order) => self.remove(&order),
                    Change::Trade(trade) => self.remove(&trade.order),
                    Change::Pet(pet) => {
                        if let Some(subject) = self.pets.get_mut(&pet.birth) {
                            (subject.owner, subject.phase) = (pet.owner, pet.phase);
                        }
                    }
                    Change::Account(_) | Change::Post(_) | Change::Keys(_) => {}
                }
            }
        }
        for death in &block.deaths {
            let death: Death = decode(&death.0).map_err(|_| damaged("a death"))?;
            if let Some(subject) = self.pets.get_mut(&death.pet) {
                subject.phase = Phase::Dead;
            }
        }
        for ending in &block.endings {
            let ending: Ending = decode(&ending.0).map_err(|_| damaged("an order's end"))?;
            self.remove(&ending.order);
        }
        Ok(())
    }

    /// Those that can be taken at a time.
    fn open(&self, now_ms: u64) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(move |order| {
            let pet = self.pets.get(&order.pet);
            order.until_ms >= now_ms
                && pet.is_some_and(|pet| (pet.owner, pet.phase) == (order.owner, order.phase))
        })
    }
}

/// The place of an order in a list: text that sorts as the list does, and is its cursor.
fn place(order: &Order, sort: OrderSort) -> String {
    // Prices are below 2^53, times below 10^15 ms.
    let (price, placed) = (order.price, order.placed_ms);
    match (sort, order.side) {
        (OrderSort::Price, Side::Offer) => format!("1#{price:016}#{placed:015}#{}", order.id),
        (OrderSort::Price, Side::Bid) => {
            format!("2#{:016}#{placed:015}#{}", 10_u64.pow(16) - 1 - price, order.id)
        }
        (OrderSort::Age, _) => format!("3#{:015}#{}", 10_u64.pow(15) - 1 - placed, order.id),
    }
}

/// The stable name of a side.
fn side_name(side: Side) -> &'static str {
    match side {
        Side::Offer => "offer",
        Side::Bid => "bid",
    }
}

fn pet_name(texts: &Texts, pet: &BirthHash) -> Option<String> {
    match texts.get(&EventId(pet.0)) {
        Some(Body::Birth { name, .. }) => Some(name.clone()),
        _ => None,
    }
}

impl Queries {
    /// The kennels whose market is asked for, with their heads.
    async fn markets(&self, kennel: Option<&str>) -> Result<Vec<(Founding, CommittedHead)>, Problem> {
        match kennel {
            None => Ok(self.merged_heads().await?),
            Some(name) => {
                let founding = self.founding(name).await?;
                let head = self.head(&founding).await?;
                Ok(vec![(founding, head)])
            }
        }
    }

    /// Open orders.
    ///
    /// # Errors
    /// A problem.
    pub async fn market(
        &self,
        filter: &OrderFilter<'_>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<OrdersView, Problem> {
        let limit = limit.clamp(1, feeds::PAGE_MAX) as usize;
        let pet: Option<BirthHash> = filter.pet.map(|pet| parse_id("pet", pet)).transpose()?;
        match filter.sort {
            OrderSort::Price => cursors::check(cursor, &[cursors::OFFER, cursors::BID])?,
            OrderSort::Age => cursors::check(cursor, &[cursors::AGE])?,
        }
        let kennels = self.markets(filter.kennel).await?;
        let mut found = Vec::new();
        for (at, (founding, head)) in kennels.iter().enumerate() {
            // Most kennels have none most of the time, and then nothing is opened.
            if head.summary.totals.orders == 0 {
                continue;
            }
            // The next block is not before either.
            let now_ms = self.clock.now_ms().max(head.header.timestamp_ms);
            let open = self.of_living(founding, head, |living| {
                // Of one kennel all are told or none; among all kennels those that are known.
                if filter.kennel.is_some() && !living.is_whole {
                    return Err(rules_unavailable(&"its open orders can't be listed here"));
                }
                let open = living
                    .orders
                    .open(now_ms)
                    .filter(|order| filter.side.is_none_or(|side| side == order.side))
                    .filter(|order| pet.is_none_or(|pet| pet == order.pet))
                    .map(|order| (place(order, filter.sort), order.clone(), at))
                    .filter(|(place, _, _)| cursor.is_none_or(|cursor| place.as_str() > cursor));
                Ok(open.collect::<Vec<_>>())
            });
            found.extend(open.await??);
        }
        found.sort_unstable_by(|(a, _, _), (b, _, _)| a.cmp(b));
        let is_more = found.len() > limit;
        found.truncate(limit);
        let cursor = found.last().filter(|_| is_more).map(|(place, _, _)| place.clone());
        let mut pets: Vec<_> =
            found.iter().map(|(_, order, at)| (order.pet, kennels[*at].0.kennel)).collect();
        pets.sort_unstable();
        pets.dedup();
        let (cards, texts) = self.subjects(&pets).await?;
        let orders = found
            .iter()
            .map(|(_, order, at)| {
                let (founding, _) = &kennels[*at];
                let photo = photo(&cards, &texts, &order.pet);
                order_view(order, "open", founding, photo, pet_name(&texts, &order.pet))
            })
            .collect();
        Ok(OrdersView { orders, cursor })
    }

    /// The house's parts of a sale in the kennels of the market, in thousandths; each once.
    ///
    /// # Errors
    /// A problem.
    pub async fn cuts_permille(&self) -> Result<Vec<u16>, Problem> {
        let kennels = self.merged_heads().await?;
        let mut cuts: Vec<u16> =
            kennels.iter().map(|(founding, _)| founding.genesis.parameters.cut_permille).collect();
        cuts.sort_unstable();
        cuts.dedup();
        Ok(cuts)
    }

    /// Pets by their cards, and their texts.
    async fn subjects(
        &self,
        pets: &[(BirthHash, KennelId)],
    ) -> Result<(HashMap<BirthHash, Pet>, Texts), Problem> {
        let events: Vec<_> = pets.iter().map(|(pet, kennel)| Told::own(EventId(pet.0), *kennel)).collect();
        let texts = self.texts(&events).await?;
        let keys: Vec<_> = pets.iter().map(|(pet, _)| items::pet(pet)).collect();
        let mut cards = HashMap::new();
        for (chunk, pets) in keys.chunks(100).zip(pets.chunks(100)) {
            for ((pet, _), item) in pets.iter().zip(self.table.get_many(chunk).await?) {
                if let Some(item) = item {
                    cards.insert(*pet, cards::pet_card(&item)?.pet);
                }
            }
        }
        Ok((cards, texts))
    }

    /// An order, open or over.
    ///
    /// # Errors
    /// A problem with status 404 if there was never such an order.
    pub async fn order(&self, id: &str) -> Result<OrderView, Problem> {
        let id: EventId = parse_id("order", id)?;
        let card = self.table.get(&items::order(&id), Consistency::Strong).await?;
        let card = card.filter(|card| card.contains_key("record"));
        let card = card.ok_or_else(|| not_found("such order", "order"))?;
        let order: Order = decode(card.bytes("record")?).map_err(|_| damaged("an order's card"))?;
        let founding = self.foundings.get(&KennelId(card.digest("kennel")?)).await?;
        let head = self.head(&founding).await?;
        let pet = self.pet_card(&order.pet).await?.pet;
        let state = match card.text("closed_reason") {
            Ok(reason) => reason,
            Err(_) if order.until_ms == 0 => "outbid",
            Err(_) if order.until_ms < self.clock.now_ms().max(head.header.timestamp_ms) => "time-up",
            Err(_) if (pet.owner, pet.phase) != (order.owner, order.phase) => "pet-changed",
            Err(_) => "open",
        };
        let birth = EventId(order.pet.0);
        let texts = self.texts(&[Told::own(birth, founding.kennel)]).await?;
        let photo = (!texts.is_withheld(&birth)).then(|| cards::photo_url(&pet.photo));
        Ok(order_view(&order, state, &founding, photo, pet_name(&texts, &order.pet)))
    }

    /// What was sold, newest first.
    ///
    /// # Errors
    /// A problem.
    pub async fn trades(
        &self,
        kennel: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<TradesView, Problem> {
        let limit = limit.clamp(1, feeds::PAGE_MAX);
        cursors::check(cursor, &[cursors::FEED])?;
        let mut found: Vec<(Item, usize)> = Vec::new();
        let kennels = self.markets(kennel).await?;
        for (at, (founding, _)) in kennels.iter().enumerate() {
            let query = feeds::before(cursor, items::trades_pk(&founding.kennel), "0", limit);
            let items = self.table.query(&query).await?.into_iter();
            found.extend(items.filter(|item| Some(item.key.sk.as_str()) != cursor).map(|item| (item, at)));
        }
        found.sort_unstable_by_key(|(item, _)| Reverse(item.key.sk.clone()));
        let is_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let cursor = found.last().filter(|_| is_more).map(|(item, _)| item.key.sk.clone());
        let read = |item: &Item| -> Result<Trade, LedgerError> {
            decode(item.attributes.bytes("record")?).map_err(|_| damaged("a trade"))
        };
        let trades = found.iter().map(|(item, _)| read(item)).collect::<Result<Vec<_>, _>>()?;
        let mut pets: Vec<_> =
            trades.iter().zip(&found).map(|(trade, (_, at))| (trade.pet, kennels[*at].0.kennel)).collect();
        pets.sort_unstable();
        pets.dedup();
        let (cards, texts) = self.subjects(&pets).await?;
        let mut views = Vec::new();
        for ((item, at), trade) in found.iter().zip(&trades) {
            let (founding, _) = &kennels[*at];
            let photo = photo(&cards, &texts, &trade.pet);
            let died_height = cards.get(&trade.pet).map_or(0, |pet| pet.died_height);
            let name = pet_name(&texts, &trade.pet);
            views.push(trade_view(&item.attributes, trade, founding, died_height, photo, name)?);
        }
        Ok(TradesView { trades: views, cursor })
    }
}

/// Where a pet's photo is, unless it is withheld.
fn photo(cards: &HashMap<BirthHash, Pet>, texts: &Texts, pet: &BirthHash) -> Option<String> {
    let card = cards.get(pet).filter(|_| !texts.is_withheld(&EventId(pet.0)))?;
    Some(cards::photo_url(&card.photo))
}

/// What a price comes to: the seller's part and the house's.
fn split(price: u64, parameters: &Parameters) -> (u64, u64) {
    let to_house = cut(price, parameters.cut_permille);
    (price - to_house, to_house)
}

fn order_view(
    order: &Order,
    state: &str,
    founding: &Founding,
    photo: Option<String>,
    pet_name: Option<String>,
) -> OrderView {
    let (to_seller, to_house) = split(order.price, &founding.genesis.parameters);
    OrderView {
        id: order.id.to_string(),
        side: side_name(order.side).to_owned(),
        state: state.to_owned(),
        kennel: founding.kennel.to_string(),
        pet: order.pet.to_string(),
        pet_name,
        phase: cards::phase_name(order.phase).to_owned(),
        photo_url: photo,
        owner: order.owner.to_string(),
        maker: order.maker.to_string(),
        price: order.price,
        to_seller,
        to_house,
        placed_ms: order.placed_ms,
        until_ms: order.until_ms,
    }
}

fn trade_view(
    item: &Attributes,
    trade: &Trade,
    founding: &Founding,
    died_height: u64,
    photo: Option<String>,
    pet_name: Option<String>,
) -> Result<TradeView, LedgerError> {
    let height = item.number("height")?;
    // What died before can be sold only as a keepsake; 0 is of a pet that lives.
    let phase = if (1..height).contains(&died_height) { Phase::Kept } else { Phase::Living };
    Ok(TradeView {
        id: EventId(item.digest("id")?).to_string(),
        order: trade.order.to_string(),
        kennel: founding.kennel.to_string(),
        pet: trade.pet.to_string(),
        pet_name,
        phase: cards::phase_name(phase).to_owned(),
        photo_url: photo,
        seller: trade.seller.to_string(),
        buyer: trade.buyer.to_string(),
        price: trade.price,
        to_seller: trade.price - trade.cut,
        to_house: trade.cut,
        height,
        timestamp_ms: item.number("timestamp_ms")?,
    })
}
