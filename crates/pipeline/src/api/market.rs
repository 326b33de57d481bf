//! Orders and sales.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An offer or bid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderView {
    /// Its event id.
    pub id: String,
    /// `offer`: the owner sells; `bid`: somebody would buy, and the price is locked.
    pub side: String,
    /// `open`, `taken`, `cancelled`, `outbid`, `time-up` or `pet-changed` (dead, or another's).
    pub state: String,
    /// The kennel.
    pub kennel: String,
    /// The pet.
    pub pet: String,
    /// The pet's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet_name: Option<String>,
    /// Whether it is for the pet while it lives or for its keepsake: `living` or `kept`.
    pub phase: String,
    /// Path of the pet's photo on this server; none if erased or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// Who owned the pet when the order was placed.
    pub owner: String,
    /// Who made the order.
    pub maker: String,
    /// What the buyer pays, treats.
    pub price: u64,
    /// What of it the seller gets, treats.
    pub to_seller: u64,
    /// What of it the house gets, treats: the cut, rounded up.
    pub to_house: u64,
    /// Timestamp of the block that placed it.
    pub placed_ms: u64,
    /// Last block timestamp at which it can be taken.
    pub until_ms: u64,
}

/// A page of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrdersView {
    /// The orders.
    pub orders: Vec<OrderView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TradeView {
    /// Id of the event that took the order.
    pub id: String,
    /// The order.
    pub order: String,
    /// The kennel.
    pub kennel: String,
    /// The pet.
    pub pet: String,
    /// The pet's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pet_name: Option<String>,
    /// Whether the pet was alive or its keepsake was sold: `living` or `kept`.
    #[serde(default)]
    pub phase: String,
    /// Path of the pet's photo on this server; none if erased or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// Who owned the pet.
    pub seller: String,
    /// Who owned it then.
    pub buyer: String,
    /// What the buyer paid, treats.
    pub price: u64,
    /// What of it the seller got, treats.
    pub to_seller: u64,
    /// What of it the house got, treats.
    pub to_house: u64,
    /// Height of its block.
    pub height: u64,
    /// The block's timestamp.
    pub timestamp_ms: u64,
}

/// A page of sales, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TradesView {
    /// The sales.
    pub trades: Vec<TradeView>,
    /// Pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
