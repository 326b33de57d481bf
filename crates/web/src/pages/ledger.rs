//! The ledger: kennels, blocks, and what is in a block. The pages for whoever wants to know.

use maud::{Markup, html};
use pitpet_chain::block::{Change, Death, Receipt};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::reject::Reject;
use pitpet_pipeline::api::{KennelView, ParametersView, Problem};
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::problem::{bad_field, unavailable};

use crate::layout::{self, Page};
use crate::parts;
use crate::texts::ledger::texts;
use crate::view::{View, rfc3339};

/// Blocks of a page.
const BLOCKS: u32 = 30;

/// A kennel's parameters, in the order of its founding record.
pub(crate) const PARAMETERS: [&str; 15] = [
    "ttl",
    "age_interval_ms",
    "idle_ms",
    "living_max",
    "accounts_max",
    "visits_per_post_max",
    "open_posts_max",
    "birth_grant",
    "post_cost",
    "seal_reward",
    "time_reward",
    "stamp_bits",
    "birth_bits",
    "seal_bits",
    "cut_permille",
];

fn value(parameters: &ParametersView, name: &str) -> u64 {
    match name {
        "ttl" => parameters.ttl.into(),
        "age_interval_ms" => parameters.age_interval_ms,
        "idle_ms" => parameters.idle_ms,
        "living_max" => parameters.living_max.into(),
        "accounts_max" => parameters.accounts_max.into(),
        "visits_per_post_max" => parameters.visits_per_post_max.into(),
        "open_posts_max" => parameters.open_posts_max.into(),
        "birth_grant" => parameters.birth_grant,
        "post_cost" => parameters.post_cost,
        "seal_reward" => parameters.seal_reward,
        "time_reward" => parameters.time_reward,
        "stamp_bits" => parameters.stamp_bits.into(),
        "birth_bits" => parameters.birth_bits.into(),
        "seal_bits" => parameters.seal_bits.into(),
        _ => parameters.cut_permille.into(),
    }
}

fn ledger_page(view: &View<'_>, kind: &str, title: &str, path: &str, main: Markup) -> HttpResponse {
    let description = view.t.ledger_lead;
    layout::page(view, &Page { title, description, kind, canonical: Some(path), main, ..Page::default() })
}

/// All kennels, and why events are refused.
///
/// # Errors
/// A problem.
pub(crate) async fn kennels(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let kennels = view.queries.kennels().await?.kennels;
    let main = html! {
        h1 { (t.ledger_title) }
        p.lead { (t.ledger_lead) }
        @if kennels.is_empty() { p { (t.ledger_empty) } } @else {
            div.scroll tabindex="0" role="region" aria-label=(t.ledger_title) {
                table {
                    thead { tr { th scope="col" { (t.kennel) } th.num scope="col" { (t.head) } th.num scope="col" { (t.age) } th.num scope="col" { (t.living) } th.num scope="col" { (t.free_places) } th scope="col" { (t.time) } } }
                    tbody {
                        @for kennel in &kennels {
                            tr {
                                th scope="row" { a href=(view.href(format!("/ledger/{}", kennel.label))) { (kennel.label) } }
                                td.num { (kennel.height) }
                                td.num { (kennel.age) }
                                td.num { (kennel.living) }
                                td.num { (kennel.free_places) }
                                td { (parts::time(view, kennel.timestamp_ms)) }
                            }
                        }
                    }
                }
            }
        }
        section {
            h2 #rejects { (t.rejects_title) }
            p.soft { (t.rejects_lead) }
            div.scroll tabindex="0" role="region" aria-labelledby="rejects" {
                table {
                    thead { tr { th.num scope="col" { (t.number) } th scope="col" { (t.name) } th scope="col" { (t.field) } th scope="col" { (t.meaning) } } }
                    tbody {
                        @for reject in Reject::ALL {
                            tr id=(format!("reject-{}", reject.name())) {
                                td.num { (reject.number()) }
                                th scope="row" { code { (reject.name()) } }
                                td { code { (reject.field()) } }
                                td { ((t.reject)(*reject)) }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(ledger_page(view, "ledger", t.ledger_title, "/ledger", main))
}

/// A kennel with its blocks.
///
/// # Errors
/// A problem with status 404 if there is no such kennel.
pub(crate) async fn kennel(view: &View<'_>, name: &str) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let cursor = view.request.parameter("cursor");
    let kennel = view.queries.kennel(name).await?;
    let blocks = view.queries.blocks(name, cursor, BLOCKS).await?;
    let path = format!("/ledger/{}", kennel.label);
    let title = format!("{} {}", t.kennel, kennel.label);
    let main = html! {
        p { a href=(view.href("/ledger")) { (t.ledger_title) } }
        h1 { (title) }
        @if cursor.is_none() { (facts(view, &kennel)) }
        section {
            h2 #blocks { (t.blocks) }
            div.scroll tabindex="0" role="region" aria-labelledby="blocks" {
                table {
                    thead { tr { th scope="col" { (t.height) } th.num scope="col" { (t.events) } th scope="col" { (t.time) } th scope="col" { (t.hash) } } }
                    tbody {
                        @for block in &blocks.blocks {
                            tr {
                                th scope="row" { a href=(view.href(format!("{path}/{}", block.height))) { (block.height) } }
                                td.num { (block.event_count) }
                                td { (parts::time(view, block.timestamp_ms)) }
                                td { span.mono { (block.hash) } }
                            }
                        }
                    }
                }
            }
            (parts::more(view, &path, blocks.cursor.as_deref()))
        }
        @if cursor.is_none() { (parts::check(view, &kennel.id, kennel.published_height, None)) }
    };
    Ok(ledger_page(view, "kennel", &title, &path, main))
}

fn facts(view: &View<'_>, kennel: &KennelView) -> Markup {
    let t = view.t;
    html! {
        dl.facts {
            div { dt { (t.height) } dd { (kennel.height) } }
            div { dt { (t.age) } dd { (kennel.age) } }
            div { dt { (t.living) } dd { (kennel.living) } }
            div { dt { (t.free_places) } dd { (kennel.free_places) } }
            div { dt { (t.pets_ever) } dd { (kennel.pets) } }
            div { dt { (t.accounts) } dd { (kennel.accounts) } }
            div { dt { (t.minted) } dd { (kennel.minted) } }
            div { dt { (t.house) } dd { (kennel.house) } }
        }
        dl.pairs {
            dt { (t.kennel) } dd { code { (kennel.id) } }
            dt { (t.head) } dd { code { (kennel.hash) } }
            dt { (t.rules_hash) } dd { code { (kennel.rules_hash) } " · " a href=(format!("/v1/rules/{}.wasm", kennel.rules_hash)) { (t.rules_download) } }
            dt { (t.checkpoint) } dd { a href=(format!("/v1/kennels/{}/checkpoint", kennel.label)) { (t.signed_note) } }
            dt { (t.checkpoint_key) } dd { code { (kennel.checkpoint_key) } }
        }
        section {
            h2 #parameters { (t.parameters) }
            div.scroll tabindex="0" role="region" aria-labelledby="parameters" {
                table {
                    tbody {
                        @for name in PARAMETERS {
                            tr { th scope="row" { code { (name) } } td.num { (value(&kennel.parameters, name)) } td { ((t.parameter)(name)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A block with its events, what each did, and who died.
///
/// # Errors
/// A problem with status 404 if there is no such block yet.
pub(crate) async fn block(view: &View<'_>, name: &str, height: &str) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let height: u64 = height.parse().map_err(|_| bad_field("height", "height must be a whole number."))?;
    let founding = view.queries.founding(name).await?;
    let found = view.queries.block(name, height).await?;
    let (bytes, block) = view.queries.block_record(&founding, height).await?;
    let path = format!("/ledger/{}/{height}", founding.label);
    let title = format!("{} {height}, {}", t.block, founding.label);
    let events: Vec<SignedEvent> =
        block.events.iter().filter_map(|event| SignedEvent::read(&event.0).ok()).collect();
    let receipts: Vec<Receipt> =
        block.receipts.iter().filter_map(|receipt| decode(&receipt.0).ok()).collect();
    if events.len() != block.events.len() || receipts.len() != block.receipts.len() {
        return Err(unavailable(&"a committed block holds what can't be read"));
    }
    let deaths: Vec<Death> = block.deaths.iter().filter_map(|death| decode(&death.0).ok()).collect();
    let published = view.queries.kennel(name).await?.published_height;
    let header = &block.header;
    let l = texts(view.lang);
    let main = html! {
        p { a href=(view.href("/ledger")) { (t.ledger_title) } " / " a href=(view.href(format!("/ledger/{}", founding.label))) { (founding.label) } }
        h1 { (title) }
        p.row {
            @if height > 0 { a rel="prev" href=(view.href(format!("/ledger/{}/{}", founding.label, height - 1))) { "← " (t.older) } }
            @if height < published { a rel="next" href=(view.href(format!("/ledger/{}/{}", founding.label, height + 1))) { (t.newer) " →" } }
        }
        dl.pairs {
            dt { (t.time) } dd { time datetime=(rfc3339(found.timestamp_ms)) { (rfc3339(found.timestamp_ms)) } }
            dt { (t.age) } dd { (found.age) }
            dt { (t.size) } dd { (bytes) }
            dt { (t.hash) } dd { code { (found.hash) } }
            dt { (t.parent) } dd { code { (found.parent) } }
            dt { (l.events_root) } dd { code { (hex(&header.events_root)) } }
            dt { (l.receipts_root) } dd { code { (hex(&header.receipts_root)) } }
            dt { (l.state_root) } dd { code { (hex(&header.state_root)) } }
            dt { (l.history_root) } dd { code { (hex(&header.history_root)) } }
            dt { (t.rules_hash) } dd { code { (header.rules_hash.to_string()) } }
        }
        (parts::check(view, &founding.kennel.to_string(), height, None))
        section {
            h2 { (t.events) }
            @if events.is_empty() { p.soft { (t.no_events) } }
            @for (index, (signed, receipt)) in events.iter().zip(&receipts).enumerate() { (event(view, index, signed, receipt)) }
        }
        @if !deaths.is_empty() {
            section {
                h2 { (t.deaths) }
                ul { @for death in &deaths { li { a href=(view.href(format!("/pet/{}", death.pet))) { code { (death.pet.to_string()) } } } } }
            }
        }
    };
    Ok(ledger_page(view, "block", &title, &path, main))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event(view: &View<'_>, index: usize, signed: &SignedEvent, receipt: &Receipt) -> Markup {
    let (t, l) = (view.t, texts(view.lang));
    let event = &signed.event;
    let pet = |id: &dyn std::fmt::Display| html! { dt { (t.pet) } dd { a href=(view.href(format!("/pet/{id}"))) { code { (id.to_string()) } } } };
    let post = |id: &dyn std::fmt::Display| html! { dt { (t.post) } dd { a href=(view.href(format!("/post/{id}"))) { code { (id.to_string()) } } } };
    let subject = match &event.payload {
        Payload::Birth { .. } => pet(&signed.id),
        Payload::Post { pet: of, .. } => html! { (pet(of)) (post(&signed.id)) },
        Payload::Pat { post: of } | Payload::Share { post: of } | Payload::Comment { post: of, .. } => {
            post(of)
        }
        Payload::Gift { pet: of, .. } | Payload::StoryEnd { pet: of } | Payload::Keepsake { pet: of } => {
            pet(of)
        }
        Payload::Offer { pet: of, price, .. } | Payload::Bid { pet: of, price, .. } => {
            html! { (pet(of)) dt { (l.price) } dd { (price) } }
        }
        Payload::Take { price, .. } => html! { dt { (l.price) } dd { (price) } },
        Payload::Transfer { to, .. } => {
            html! { dt { (t.account) } dd { a href=(view.href(format!("/account/{to}"))) { code { (to.to_string()) } } } }
        }
        _ => html! {},
    };
    html! {
        article.event id=(format!("e{index}")) {
            h3 { span.pill { (event.payload.kind().name()) } span.small.soft { (t.by) " " a href=(view.href(format!("/account/{}", event.account))) { code { (event.account.to_string().get(..12).unwrap_or_default()) "…" } } } }
            dl.pairs {
                dt { (t.event) } dd { a href=(format!("/v1/events/{}", signed.id)) { code { (signed.id.to_string()) } } }
                (subject)
                @if let Some(amount) = event.payload.amount() { dt { (l.amount) } dd { (amount) } }
                @if event.nonce > 0 { dt { (l.nonce) } dd { (event.nonce) } }
                dt { (l.expires) } dd { (rfc3339(event.expires_ms)) }
                dt { (l.stamp) } dd { (event.stamp) }
            }
            details {
                summary { (t.receipt) }
                p.small.soft { (t.receipt_text) }
                ul.small { @for change in &receipt.changes { li { (changed(view, change)) } } }
            }
        }
    }
}

/// A changed record, every field of it.
fn changed(view: &View<'_>, change: &Change) -> Markup {
    let (t, l) = (view.t, texts(view.lang));
    match change {
        Change::Pet(pet) => html! {
            (t.pet) " " code { (pet.birth.to_string()) } ": " (format!("{:?}", pet.phase).to_lowercase())
            ", " (l.last_age) " " (pet.last_age) ", " (l.bowl) " " (pet.wallet) ", " (l.posts) " " (pet.posts) ", " (l.pats) " " (pet.pats)
            ", " (l.shares) " " (pet.shares) ", " (l.comments) " " (pet.comments)
        },
        Change::Account(account) => html! {
            (t.account) " " code { (account.id.to_string()) } ": " (l.granted) " " (account.granted) ", " (l.free) " " (account.free)
            ", " (l.nonce) " " (account.nonce) ", " (l.holdings) " " (account.holdings)
        },
        Change::Post(post) => html! {
            (t.post) " " code { (post.id.to_string()) } ": " (l.pats) " " (post.pats) ", " (l.shares) " " (post.shares)
            ", " (l.comments) " " (post.comments)
        },
        Change::Order(order) => html! {
            (l.order) " " code { (order.id.to_string()) } ": " (format!("{:?}", order.side).to_lowercase()) ", " (t.pet) " " code { (order.pet.to_string()) }
            ", " (l.price) " " (order.price) ", " (l.until) " " (rfc3339(order.until_ms))
        },
        Change::Trade(trade) => html! {
            (t.pet) " " code { (trade.pet.to_string()) } ": " (t.market.from) " " code { (trade.seller.to_string()) } " " (t.market.to) " " code { (trade.buyer.to_string()) }
            ", " (l.price) " " (trade.price) " (" ((t.market.split)(trade.price - trade.cut, trade.cut)) ")"
        },
        #[allow(unreachable_patterns, reason = "kinds of record to come are shown as they are")]
        other => html! { code { (format!("{other:?}")) } },
    }
}
