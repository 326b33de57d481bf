//! What an account is told of its pets, and posts by their ids, of which scripts make the bookmarks.

use maud::{Markup, html};
use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::{PetView, Problem};
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::problem::bad_field;

use super::post::{Links, Who, visit};
use crate::layout::{self, Page};
use crate::parts;
use crate::texts::Lang;
use crate::texts::belongings::{BelongingsTexts, DE, EN};
use crate::view::View;

/// The texts in the language of the view.
pub(crate) fn texts(view: &View<'_>) -> &'static BelongingsTexts {
    match view.lang {
        Lang::En => &EN,
        Lang::De => &DE,
    }
}

/// What others did for an account's pets, and which of them need it. Nothing of it is secret: it is
/// what the pets' own pages show, gathered.
///
/// # Errors
/// A problem with status 404 if the name isn't registered.
pub(crate) async fn notices(view: &View<'_>, account: &str) -> Result<HttpResponse, Problem> {
    let b = texts(view);
    let told = view.queries.notices(account).await?;
    let names = view.queries.names_of(told.entries.iter().map(|entry| entry.account.as_str())).await?;
    let mut fading = Vec::new();
    for pet in &told.fading {
        fading.push((pet, parts::life(view, pet).await?));
    }
    let pet_link = |pet: &PetView| {
        html! { a.name href=(view.href(parts::pet_path(pet))) { bdi { (parts::name(view, pet)) } } }
    };
    let is_empty = told.entries.is_empty() && told.fading.is_empty() && told.ended.is_empty();
    let list = html! {
        div data-notices {
            @for (pet, life) in &fading { div.notice data-fading=(pet.birth) { p { (pet_link(pet)) " " (b.fading) } (life) } }
            @for pet in &told.ended { div.notice data-ended=(pet.birth) { p { (pet_link(pet)) " " (b.ended) } } }
            @if is_empty { p.soft { (b.notices_none) } }
            @if !told.entries.is_empty() {
                ol.line {
                    @for entry in &told.entries {
                        (visit(view, entry, entry.pet_name.as_deref().unwrap_or(view.t.erased_name), &Who::of(view, &entry.account, names.get(&entry.account)), Links::Around))
                    }
                }
            }
        }
    };
    let main = html! {
        h1 { (b.notices) }
        p.lead { (b.notices_lead) }
        (list)
    };
    Ok(layout::page(
        view,
        &Page {
            title: b.notices,
            description: b.notices_lead,
            kind: "notices",
            unlisted: true,
            main,
            ..Page::default()
        },
    ))
}

/// Posts by their ids, separated by commas.
///
/// # Errors
/// A problem if an id is none, or there are too many.
pub(crate) async fn posts(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let b = texts(view);
    let asked = view.request.parameter("ids").unwrap_or_default();
    let ids: Vec<EventId> = asked
        .split(',')
        .filter(|id| !id.is_empty())
        .map(|id| {
            id.parse().map_err(|_| bad_field("ids", "Ids are of 64 hexadecimal digits, separated by commas."))
        })
        .collect::<Result<_, _>>()?;
    let cards = view.queries.posts(&ids).await?;
    let list: Markup = parts::cards(view, &cards).await?;
    let main = html! {
        h1 { (b.posts_title) }
        @if cards.is_empty() { p.lead { (b.posts_none) } } @else { (parts::endless(view, "/posts", None, &list)) }
    };
    Ok(layout::page(
        view,
        &Page {
            title: b.posts_title,
            description: view.t.tagline,
            kind: "posts",
            unlisted: true,
            main,
            ..Page::default()
        },
    ))
}
