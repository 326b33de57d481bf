//! An account: its pets, living and remembered, its treats, what happened lately.

use maud::html;
use pitpet_chain::hash::BirthHash;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;

use super::post::{Links, Who, visit};
use crate::layout::{self, Page};
use crate::parts;
use crate::view::{View, encoded};

/// Posts shown.
const POSTS: u32 = 12;

/// Kennels whose newest blocks are looked through for one page of what an account did, at most.
const KENNELS_MAX: usize = 4;

/// Pets whose posts are looked through.
pub(crate) const LOOKED: usize = 6;

/// Renders it, by name or id.
///
/// # Errors
/// A problem with status 404 if the name isn't registered.
pub(crate) async fn page(view: &View<'_>, account: &str) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let found = view.queries.account(account).await?;
    let b = super::belongings::texts(view);
    let pets = view.queries.pets_of(&found.id).await?;
    let profile = view.queries.profile(&found.id).await?;
    let births: Vec<BirthHash> = pets.iter().take(LOOKED).filter_map(|pet| pet.birth.parse().ok()).collect();
    let mut posts = view.queries.posts_by(&found.id, &births, POSTS + 1).await?;
    posts.retain(|card| card.entry.kind == "post");
    posts.truncate(POSTS as usize);
    let (here, before): (Vec<_>, Vec<_>) = pets.into_iter().partition(|pet| pet.owner == found.id);
    let who = Who::of(view, &found.id, found.names.first());
    let mut holdings = Vec::new();
    for holding in &found.kennels {
        let label = view.queries.kennel(&holding.kennel).await?.label;
        holdings.push((label, holding));
    }
    let (here_cards, before_cards) =
        (parts::pet_cards(view, &here).await?, parts::pet_cards(view, &before).await?);
    let post_cards = parts::cards(view, &posts).await?;
    let main = html! {
        div.self {
            @if let Some(photo) = &profile.avatar_url {
                img src=(photo.replace("/media/", "/thumb/")) width="96" height="96" alt={ (b.avatar_of) " " (who.name) };
            }
            div {
                h1 { bdi { (who.name) } }
                @if !profile.bio.is_empty() { p.lead.text dir="auto" { (profile.bio) } }
                p { button.button.quiet type="button" data-mute="accounts" data-subject=(found.id) data-off { (b.mute_account) } }
            }
        }
        dl.facts {
            @for (label, holding) in &holdings {
                div { dt { (t.account_free) ", " (t.account_where) " " (label) } dd { (holding.free) } }
                div { dt { (t.account_granted) ", " (t.account_where) " " (label) } dd { (holding.granted) } }
            }
        }
        section data-pets="here" {
            h2 { (t.account_pets) }
            @if here.is_empty() { p.soft { (if before.is_empty() { t.account_no_pets } else { t.account_none_now }) } }
            @else { (here_cards) }
        }
        @if !before.is_empty() { section data-pets="before" { h2 { (t.account_before) } (before_cards) } }
        @if !posts.is_empty() { section { h2 { (t.account_activity) } (post_cards) } }
        p { a rel="nofollow" href=(view.href(format!("/account/{}/activity", found.id))) { (b.activity) } }
        p.small.soft { (t.account_id) " " code { (found.id) } }
    };
    let path = match found.names.first() {
        Some(name) => format!("/@{name}"),
        None => format!("/account/{}", found.id),
    };
    let picture = profile.avatar_url.or_else(|| here.iter().find_map(|pet| pet.photo_url.clone()));
    Ok(layout::page(
        view,
        &Page {
            title: &(t.account_title)(&who.name),
            description: &match profile.bio.as_str() {
                "" => (t.account_description)(&who.name),
                bio => crate::bidi::plain(bio).chars().take(200).collect(),
            },
            kind: "account",
            canonical: Some(&path),
            picture: picture.as_deref(),
            feed: Some(&format!("{path}/feed")),
            main,
            ..Page::default()
        },
    ))
}

/// What an account did lately, in each kennel where it acts; behind `in` and a cursor, what it did before in one.
///
/// # Errors
/// A problem with status 404 if the name isn't registered.
pub(crate) async fn activity(view: &View<'_>, account: &str) -> Result<HttpResponse, Problem> {
    let b = super::belongings::texts(view);
    let found = view.queries.account(account).await?;
    let who = Who::of(view, &found.id, found.names.first());
    let (only, cursor) = (view.request.parameter("in"), view.request.parameter("cursor"));
    let mut asked = found.kennels.iter().filter(|holding| only.is_none_or(|only| only == holding.label));
    let mut lists = Vec::new();
    for holding in asked.by_ref().take(KENNELS_MAX) {
        let acts =
            view.queries.activity(&holding.kennel, &found.id, cursor.filter(|_| only.is_some())).await?;
        lists.push((holding.label.as_str(), acts));
    }
    let others: Vec<&str> = asked.map(|holding| holding.label.as_str()).collect();
    let path = |label: &str| format!("/account/{}/activity?in={}", found.id, encoded(label));
    let main = html! {
        h1 { (b.activity) }
        p.lead { a href=(who.href) { bdi { (who.name) } } }
        @if lists.is_empty() { p.soft { (b.activity_none) } }
        @for (label, acts) in &lists {
            section {
                @if lists.len() > 1 { h2 { (label) } }
                @if acts.entries.is_empty() { p.soft { (b.activity_none) } }
                @else {
                    ol.line {
                        @for entry in &acts.entries {
                            (visit(view, entry, entry.pet_name.as_deref().unwrap_or(view.t.erased_name), &who, Links::Around))
                        }
                    }
                }
                (parts::more(view, &path(label), acts.cursor.as_deref()))
            }
        }
        @if !others.is_empty() { ul.tags { @for label in &others { li { a rel="nofollow" href=(view.href(path(label))) { (label) } } } } }
    };
    Ok(layout::page(
        view,
        &Page {
            title: b.activity,
            description: b.activity,
            kind: "activity",
            unlisted: true,
            main,
            ..Page::default()
        },
    ))
}
