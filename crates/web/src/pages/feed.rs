//! The first page: births and posts, newest first, or pets by what is left of their lives.

use maud::html;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::problem::bad_field;
use pitpet_pipeline::query::Ranking;

use crate::layout::{self, Page};
use crate::parts;
use crate::view::View;

/// Cards of a page.
const CARDS: u32 = 20;

/// How far down the ranking pages go.
const RANKED_MAX: usize = 2_000;

/// Renders it.
///
/// # Errors
/// A problem.
pub(crate) async fn page(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let order = view.request.parameter("order").unwrap_or("newest");
    let cursor = view.request.parameter("cursor");
    let (list, next, newest) = match order {
        "newest" => {
            let feed = view.queries.feed_cards(cursor, CARDS).await?;
            let newest = feed.cards.first().map(|card| card.entry.id.clone()).unwrap_or_default();
            let list = match feed.cards.is_empty() {
                true => parts::empty(t.feed_empty_title, t.feed_empty_text, None),
                false => parts::cards(view, &feed.cards).await?,
            };
            (list, feed.cursor, newest)
        }
        "alive" | "ending" => {
            let ranking = if order == "alive" { Ranking::Alive } else { Ranking::Ending };
            let skip = match cursor {
                None => 0,
                Some(cursor) => cursor
                    .parse()
                    .ok()
                    .filter(|skip| *skip <= RANKED_MAX)
                    .ok_or_else(|| bad_field("cursor", "The cursor must be one that this server gave."))?,
            };
            let mut pets = view.queries.ranked(ranking, skip, CARDS as usize + 1).await?;
            let next = (pets.len() > CARDS as usize).then(|| (skip + CARDS as usize).to_string());
            pets.truncate(CARDS as usize);
            let list = match pets.is_empty() {
                true => html! { p.soft { (t.feed_none_living) } },
                false => parts::ranked_cards(view, &pets).await?,
            };
            (list, next, String::new())
        }
        _ => return Err(bad_field("order", "The order is newest, alive or ending.")),
    };
    let path = if order == "newest" { "/".to_owned() } else { format!("/?order={order}") };
    let tab = |name: &str, path: &str, label: &str| {
        html! { li { a href=(view.href(path)) aria-current=[(order == name).then_some("page")] { (label) } } }
    };
    let main = html! {
        @if cursor.is_none() {
            h1 { (t.feed_title) }
            p.lead { (t.feed_lead) }
            p.either {
                span data-signed-out { a.button href=(view.href("/join")) { (t.nav_join) } }
                span data-signed-in hidden { a.button href=(view.href("/me")) { (t.nav_me) } }
            }
        } @else {
            h1.vh { (t.feed_title) }
        }
        nav aria-label=(t.feed_orders) {
            ul.tabs {
                (tab("newest", "/", t.feed_newest))
                (tab("ending", "/?order=ending", t.feed_ending))
                (tab("alive", "/?order=alive", t.feed_alive))
            }
        }
        @if order == "newest" && cursor.is_none() {
            div.fresh data-live data-feed-url="/v1/feed?limit=20" data-newest=(newest) {}
        }
        (parts::endless(view, &path, next.as_deref(), &list))
    };
    Ok(layout::page(
        view,
        &Page {
            description: t.feed_description,
            kind: "feed",
            canonical: Some("/"),
            feed: Some("/feed"),
            main,
            ..Page::default()
        },
    ))
}
