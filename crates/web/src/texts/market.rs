//! Texts of the market.

use super::grouped;

/// The words of the market in a language.
#[allow(missing_docs, reason = "each field is its own text")]
pub struct MarketTexts {
    pub nav: &'static str,
    pub title: &'static str,
    pub lead: &'static str,
    /// How much of a price the house keeps, in hundredths.
    pub cut: fn(u64) -> String,
    pub offers: &'static str,
    pub bids: &'static str,
    pub trades: &'static str,
    pub no_offers: &'static str,
    pub no_bids: &'static str,
    pub no_trades: &'static str,
    pub sort: &'static str,
    pub by_price: &'static str,
    pub by_age: &'static str,
    pub keepsake_of: fn(&str) -> String,
    /// Who gets what: to the seller, to the house.
    pub split: fn(u64, u64) -> String,
    pub until: fn(&str) -> String,
    pub of_pet: &'static str,
    pub is_offered: &'static str,
    pub is_bid: &'static str,
    pub act_offer: &'static str,
    pub act_bid: &'static str,
    pub act_buy: &'static str,
    pub act_sell: &'static str,
    pub act_cancel: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub more_offers: &'static str,
    pub more_bids: &'static str,
    pub more_trades: &'static str,
    pub ev_offer: fn(&str, &str, u64) -> String,
    pub ev_bid: fn(&str, &str, u64) -> String,
    pub ev_take: fn(&str, u64) -> String,
}

/// English.
pub(crate) const EN: MarketTexts = MarketTexts {
    nav: "Market",
    title: "The market",
    lead: "Pets and keepsakes change homes here. A pet goes with its bowl, its story and the right to post for it, in the same block in which it is paid.",
    cut: |percent| {
        format!(
            "The house keeps {percent} of 100 treats of each sale, rounded up; what it earns pays whoever finds the number of an age."
        )
    },
    offers: "For sale",
    bids: "Wanted",
    trades: "Sold",
    no_offers: "Nobody sells at the moment. Your pet’s page has a button for it.",
    no_bids: "Nobody looks for one at the moment. Every pet’s page has a button for it.",
    no_trades: "Nothing has been sold yet.",
    sort: "Order",
    by_price: "Best price",
    by_age: "Newest",
    keepsake_of: |name| format!("Keepsake of {name}"),
    split: |seller, house| {
        format!("{} to the seller, {} to the house", grouped(seller, ","), grouped(house, ","))
    },
    until: |left| format!("{left} left"),
    of_pet: "On the market",
    is_offered: "For sale",
    is_bid: "Wanted by",
    act_offer: "Sell",
    act_bid: "Make a bid",
    act_buy: "Buy",
    act_sell: "Sell for this",
    act_cancel: "Withdraw",
    from: "from",
    to: "to",
    more_offers: "More offers",
    more_bids: "More bids",
    more_trades: "More sales",
    ev_offer: |who, name, price| format!("{who} offered {name} for {price}"),
    ev_bid: |who, name, price| format!("{who} bid {price} for {name}"),
    ev_take: |name, price| format!("{name} changed homes for {price}"),
};

/// German.
pub(crate) const DE: MarketTexts = MarketTexts {
    nav: "Markt",
    title: "Der Markt",
    lead: "Hier wechseln Tiere und Andenken ihr Zuhause. Ein Tier geht mit seinem Napf, seiner Geschichte und dem Recht, für es zu schreiben, im selben Block, in dem es bezahlt wird.",
    cut: |percent| {
        format!(
            "Das Haus behält {percent} von 100 Leckerlis jedes Verkaufs, aufgerundet; was es einnimmt, bezahlt alle, die die Zahl eines Alters finden."
        )
    },
    offers: "Zu haben",
    bids: "Gesucht",
    trades: "Verkauft",
    no_offers: "Gerade verkauft niemand. Auf der Seite deines Tiers gibt es einen Knopf dafür.",
    no_bids: "Gerade sucht niemand. Auf der Seite jedes Tiers gibt es einen Knopf dafür.",
    no_trades: "Noch ist nichts verkauft.",
    sort: "Reihenfolge",
    by_price: "Bester Preis",
    by_age: "Neueste",
    keepsake_of: |name| format!("Andenken an {name}"),
    split: |seller, house| {
        format!("{} für den Verkäufer, {} für das Haus", grouped(seller, "."), grouped(house, "."))
    },
    until: |left| format!("noch {left}"),
    of_pet: "Auf dem Markt",
    is_offered: "Zu haben",
    is_bid: "Gesucht von",
    act_offer: "Verkaufen",
    act_bid: "Bieten",
    act_buy: "Kaufen",
    act_sell: "Dafür verkaufen",
    act_cancel: "Zurückziehen",
    from: "von",
    to: "an",
    more_offers: "Mehr Angebote",
    more_bids: "Mehr Gebote",
    more_trades: "Mehr Verkäufe",
    ev_offer: |who, name, price| format!("{who} bot {name} für {price} an"),
    ev_bid: |who, name, price| format!("{who} bot {price} für {name}"),
    ev_take: |name, price| format!("{name} wechselte für {price} das Zuhause"),
};
