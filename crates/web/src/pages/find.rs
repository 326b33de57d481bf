//! Finding by words and tags.

use maud::html;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::query::Found;

use crate::layout::{self, Page};
use crate::parts;
use crate::view::{View, encoded};

/// Cards of a tag's page.
const CARDS: u32 = 20;

/// Characters that are asked for, at most.
const ASKED_MAX: usize = 100;

/// Pets, posts and accounts.
///
/// # Errors
/// A problem.
pub(crate) async fn search(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let asked: String = view.request.parameter("q").unwrap_or_default().chars().take(ASKED_MAX).collect();
    let is_asked = asked.chars().any(char::is_alphanumeric);
    let found = if is_asked { view.queries.find(&asked).await? } else { Found::default() };
    let is_empty = found.accounts.is_empty() && found.pets.is_empty() && found.posts.is_empty();
    let (pets, posts) = (parts::pet_cards(view, &found.pets).await?, parts::cards(view, &found.posts).await?);
    let title =
        if is_asked { (t.search_for)(&crate::bidi::isolated(&asked)) } else { t.search_title.to_owned() };
    let main = html! {
        h1 { (crate::bidi::told(&title)) }
        @if is_asked && is_empty { p.lead { (t.search_none) } }
        @if is_empty { p.soft { (t.search_hint) } }
        @if !found.accounts.is_empty() {
            section { h2 { (t.search_accounts) } ul.tags { @for (name, _) in &found.accounts { li { a href=(view.href(format!("/@{name}"))) { "@" (name) } } } } }
        }
        @if !found.pets.is_empty() { section { h2 { (t.search_pets) } (pets) } }
        @if !found.posts.is_empty() { section { h2 { (t.search_posts) } (posts) } }
    };
    Ok(layout::page(
        view,
        &Page {
            title: &title,
            description: t.search_hint,
            kind: "search",
            unlisted: true,
            main,
            ..Page::default()
        },
    ))
}

/// Posts with a tag.
///
/// # Errors
/// A problem.
pub(crate) async fn tag(view: &View<'_>, tag: &str) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let b = super::belongings::texts(view);
    let found = view.queries.tagged(tag, view.request.parameter("cursor"), CARDS).await?;
    let cards = parts::cards(view, &found.cards).await?;
    let title = (t.tag_title)(tag);
    let path = format!("/tag/{}", encoded(tag));
    let main = html! {
        div.row {
            h1 { (title) }
            p { button.button.quiet type="button" data-mute="tags" data-subject=(tag.to_lowercase()) data-off { (b.mute_tag) } }
        }
        @if found.cards.is_empty() { p.lead { (t.tag_none) } }
        @else { (parts::endless(view, &path, found.cursor.as_deref(), &cards)) }
    };
    Ok(layout::page(
        view,
        &Page {
            title: &title,
            description: t.tagline,
            kind: "tag",
            canonical: Some(&path),
            feed: Some(&format!("{path}/feed")),
            main,
            ..Page::default()
        },
    ))
}
