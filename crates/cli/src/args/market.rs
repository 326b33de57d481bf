//! Arguments of `market`.

use clap::{Args, Subcommand};
use pitpet_chain::hash::{BirthHash, EventId};

use super::values::{birth, event, treats};

/// Commands of the exchange market.
#[derive(Debug, Subcommand)]
pub(crate) enum MarketCommand {
    /// List open offers and bids
    List(MarketListArgs),
    /// List what was sold, newest first
    Trades(MarketTradesArgs),
    /// Offer your living pet, or a keepsake of yours
    Offer(MarketOrderArgs),
    /// Bid for another's pet or keepsake; the price is locked meanwhile
    Bid(MarketOrderArgs),
    /// Withdraw an order of yours; what it locked comes back
    Cancel(MarketCancelArgs),
    /// Take an order: buy what is offered, or sell to who bids
    Take(MarketTakeArgs),
}

/// By what open orders are sorted.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MarketSort {
    /// The best price first: the lowest offer, the highest bid
    Price,
    /// The newest first
    Age,
}

/// One side of the market.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MarketSide {
    /// Pets and keepsakes for sale
    Offer,
    /// What others would pay
    Bid,
}

/// Arguments of `market list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet market list\n  pitpet market list --side offer --by age --kennel classic\n  pitpet market list --pet BIRTH --json"
)]
pub(crate) struct MarketListArgs {
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Only one side
    #[arg(long, value_enum)]
    pub(crate) side: Option<MarketSide>,
    /// Only orders for this pet: a birth hash
    #[arg(long, value_name = "BIRTH", value_parser = birth)]
    pub(crate) pet: Option<BirthHash>,
    /// In which order
    #[arg(long, value_enum, default_value_t = MarketSort::Price)]
    pub(crate) by: MarketSort,
    /// Orders on a page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Where the next page begins, as the page before said
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

/// Arguments of `market trades`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet market trades\n  pitpet market trades --kennel classic --json")]
pub(crate) struct MarketTradesArgs {
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Trades on a page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Where the next page begins, as the page before said
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

/// Arguments of `market offer` and `market bid`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet market offer BIRTH --price 40\n  pitpet market bid BIRTH --price 25 --days 3\n\nAn order ends at its time, when its pet dies or has another owner, or when it is cancelled."
)]
pub(crate) struct MarketOrderArgs {
    /// The pet: a birth hash
    #[arg(value_name = "BIRTH", value_parser = birth)]
    pub(crate) pet: BirthHash,
    /// What the buyer pays, the house's cut included
    #[arg(long, value_name = "TREATS", value_parser = treats)]
    pub(crate) price: u64,
    /// How many days it stands
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=30))]
    pub(crate) days: u64,
}

/// Arguments of `market cancel`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet market cancel ORDER")]
pub(crate) struct MarketCancelArgs {
    /// The order: an event id, as `market list` shows it
    #[arg(value_parser = event)]
    pub(crate) order: EventId,
}

/// Arguments of `market take`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet market take ORDER              only shows how the price would be split\n  pitpet market take ORDER --price 40\n\nThe order is checked against its proof, and taken at the price that you name or not at all."
)]
pub(crate) struct MarketTakeArgs {
    /// The order: an event id, as `market list` shows it
    #[arg(value_parser = event)]
    pub(crate) order: EventId,
    /// Its price; without one nothing is sent
    #[arg(long, value_name = "TREATS", value_parser = treats)]
    pub(crate) price: Option<u64>,
}
