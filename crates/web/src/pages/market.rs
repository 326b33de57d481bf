//! The market: what is for sale, what is wanted, what was sold, each with who gets what of its price.

use std::collections::HashMap;

use maud::{Markup, html};
use pitpet_chain::state::Side;
use pitpet_pipeline::api::{OrderView, Problem, TradeView};
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::problem::bad_field;
use pitpet_pipeline::query::{OrderFilter, OrderSort};

use super::post::Who;
use crate::bidi::{isolated, told};
use crate::icons::icon;
use crate::layout::{self, Page};
use crate::parts;
use crate::view::{View, encoded};

/// Orders or sales of a page that shows one list.
const LIST: u32 = 24;

/// Of each list, on the page that shows all three.
const PART: u32 = 8;

/// Orders shown on a pet's page: its offer and as many bids as may stand.
const OF_PET: u32 = 17;

/// Renders it; `show` picks one list, to go through page by page.
///
/// # Errors
/// A problem.
pub(crate) async fn page(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let t = view.t.market;
    let cursor = view.request.parameter("cursor");
    let shown = view.request.parameter("show").unwrap_or("all");
    if !matches!(shown, "all" | "offers" | "bids" | "trades") {
        return Err(bad_field("show", "show is all, offers, bids or trades."));
    }
    let by = view.request.parameter("by").unwrap_or("price");
    let sort = match by {
        "price" => OrderSort::Price,
        "age" => OrderSort::Age,
        _ => return Err(bad_field("by", "by is price or age.")),
    };
    if shown == "all" && cursor.is_some() {
        return Err(bad_field("cursor", "A cursor goes with the list that it belongs to (show)."));
    }
    let limit = if shown == "all" { PART } else { LIST };
    let is_shown = |list: &str| shown == "all" || shown == list;
    let mut main = Vec::new();
    for (list, side) in [("offers", Side::Offer), ("bids", Side::Bid)] {
        if !is_shown(list) {
            continue;
        }
        let filter = OrderFilter { side: Some(side), sort, ..OrderFilter::default() };
        let found = view.queries.market(&filter, cursor, limit).await?;
        let (title, none, more) = match side {
            Side::Offer => (t.offers, t.no_offers, t.more_offers),
            Side::Bid => (t.bids, t.no_bids, t.more_bids),
        };
        let names = names(view, &found.orders).await?;
        main.push(html! {
            section aria-labelledby=(list) {
                h2 id=(list) { (title) }
                @if found.orders.is_empty() { p.soft { (none) } }
                ul.orders { @for order in &found.orders { li { (order_card(view, order, &names)) } } }
                (more_link(view, &format!("/market?show={list}&by={by}"), shown, found.cursor.as_deref(), more))
            }
        });
    }
    if is_shown("trades") {
        let found = view.queries.trades(None, cursor, limit).await?;
        let accounts = found.trades.iter().flat_map(|trade| [trade.seller.as_str(), trade.buyer.as_str()]);
        let names = view.queries.names_of(accounts).await?;
        main.push(html! {
            section aria-labelledby="trades" {
                h2 #trades { (t.trades) }
                @if found.trades.is_empty() { p.soft { (t.no_trades) } }
                ol.line { @for trade in &found.trades { (sale(view, trade, &names)) } }
                (more_link(view, "/market?show=trades", shown, found.cursor.as_deref(), t.more_trades))
            }
        });
    }
    let cut = match view.queries.cuts_permille().await?[..] {
        [permille] => Some(u64::from(permille).div_ceil(10)),
        // Each order says its own.
        _ => None,
    };
    let tab = |name: &str, label: &str| {
        let path = if shown == "all" {
            format!("/market?by={name}")
        } else {
            format!("/market?show={shown}&by={name}")
        };
        html! { li { a href=(view.href(path)) aria-current=[(by == name).then_some("page")] { (label) } } }
    };
    let main = html! {
        h1 { (t.title) }
        p.lead { (t.lead) }
        @if let Some(cut) = cut { p.soft { ((t.cut)(cut)) } }
        @if shown != "trades" {
            nav aria-label=(t.sort) { ul.tabs { (tab("price", t.by_price)) (tab("age", t.by_age)) } }
        }
        @for part in &main { (part) }
    };
    Ok(layout::page(
        view,
        &Page {
            title: t.title,
            description: t.lead,
            kind: "market",
            canonical: Some("/market"),
            main,
            ..Page::default()
        },
    ))
}

/// Registered names of who made orders.
async fn names(view: &View<'_>, orders: &[OrderView]) -> Result<HashMap<String, String>, Problem> {
    view.queries.names_of(orders.iter().map(|order| order.maker.as_str())).await
}

/// The way to the rest of a list: its own page, or the next one of it.
fn more_link(view: &View<'_>, path: &str, shown: &str, cursor: Option<&str>, label: &str) -> Markup {
    html! {
        @if let Some(cursor) = cursor {
            @let href = if shown == "all" { path.to_owned() } else { format!("{path}&cursor={}", encoded(cursor)) };
            p.more { a.button.quiet rel="next" href=(view.href(href)) { (label) } }
        }
    }
}

fn what(view: &View<'_>, order: &OrderView) -> String {
    let name = isolated(order.pet_name.as_deref().unwrap_or(view.t.erased_name));
    match order.phase.as_str() {
        "living" => name,
        _ => (view.t.market.keepsake_of)(&name),
    }
}

/// An order with its split, and the buttons that take or withdraw it; scripts turn them on.
fn order_card(view: &View<'_>, order: &OrderView, names: &HashMap<String, String>) -> Markup {
    let t = view.t.market;
    let what = what(view, order);
    let who = Who::of(view, &order.maker, names.get(&order.maker));
    html! {
        article.order {
            a href=(view.href(format!("/pet/{}", order.pet))) tabindex="-1" aria-hidden="true" {
                @if let Some(photo) = &order.photo_url {
                    img src=(photo.replace("/media/", "/thumb/")) width="96" height="96" alt="" loading="lazy" decoding="async";
                }
            }
            div {
                h3 { a.name href=(view.href(format!("/pet/{}", order.pet))) { (told(&what)) } }
                (terms(view, order))
                p.small.soft { @if order.side == "bid" { (t.is_bid) " " } a href=(who.href) dir="auto" { (who.name) } }
                (order_actions(view, order, &what))
            }
        }
    }
}

/// Price, split and end of an order.
fn terms(view: &View<'_>, order: &OrderView) -> Markup {
    let t = view.t.market;
    let left = (view.t.about)(order.until_ms.saturating_sub(view.now_ms));
    html! {
        p.price { strong { ((view.t.treats)(order.price)) } " " span.small.soft { "(" ((t.split)(order.to_seller, order.to_house)) ")" } }
        p.small.soft { ((t.until)(&left)) }
    }
}

fn order_actions(view: &View<'_>, order: &OrderView, what: &str) -> Markup {
    let t = view.t.market;
    // An offer is anyone's to take but its maker's; a bid only the owner's.
    let label = if order.side == "offer" { t.act_buy } else { t.act_sell };
    html! {
        div.actions role="group" aria-label=((view.t.actions_of)(what)) data-actions data-kennel=(order.kennel)
            data-pet=(order.pet) data-owner=(order.owner) data-phase=(order.phase) data-order=(order.id)
            data-side=(order.side) data-maker=(order.maker) data-price=(order.price)
            data-to-seller=(order.to_seller) data-to-house=(order.to_house) {
            button type="button" data-act="take" disabled hidden[order.side == "bid"] { (icon("offer")) (label) }
            button type="button" data-act="cancel" disabled hidden { (t.act_cancel) }
        }
    }
}

fn sale(view: &View<'_>, trade: &TradeView, names: &HashMap<String, String>) -> Markup {
    let t = view.t.market;
    let name = trade.pet_name.as_deref().unwrap_or(view.t.erased_name);
    let who = |account: &String| {
        let who = Who::of(view, account, names.get(account));
        html! { a href=(who.href) dir="auto" { (who.name) } }
    };
    html! {
        li id=(format!("e-{}", trade.id)) {
            span.mark { (icon("offer")) }
            a.name href=(view.href(format!("/pet/{}", trade.pet))) { bdi { (name) } } ", "
            (t.from) " " (who(&trade.seller)) " " (t.to) " " (who(&trade.buyer)) ": "
            strong { ((view.t.treats)(trade.price)) } " "
            span.small.soft { "(" ((t.split)(trade.to_seller, trade.to_house)) ") " (parts::time(view, trade.timestamp_ms)) }
        }
    }
}

/// What a pet's page shows of the market: its offer and the bids for it.
///
/// # Errors
/// A problem.
pub(crate) async fn of_pet(view: &View<'_>, kennel: &str, birth: &str) -> Result<Markup, Problem> {
    let t = view.t.market;
    let filter = OrderFilter { kennel: Some(kennel), pet: Some(birth), ..OrderFilter::default() };
    let found = view.queries.market(&filter, None, OF_PET).await?;
    if found.orders.is_empty() {
        return Ok(html! {});
    }
    let names = names(view, &found.orders).await?;
    Ok(html! {
        section aria-labelledby="market" {
            h2 #market { (t.of_pet) }
            ul.orders {
                @for order in &found.orders {
                    @let who = Who::of(view, &order.maker, names.get(&order.maker));
                    li {
                        article.order {
                            div {
                                h3 { @if order.side == "offer" { (t.is_offered) } @else { (t.is_bid) " " a href=(who.href) dir="auto" { (who.name) } } }
                                (terms(view, order))
                                (order_actions(view, order, &what(view, order)))
                            }
                        }
                    }
                }
            }
        }
    })
}
