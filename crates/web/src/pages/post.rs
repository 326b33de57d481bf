//! A post, and who came by.

use maud::{Markup, html};
use pitpet_pipeline::api::{EntryView, Problem};
use pitpet_pipeline::http::HttpResponse;

use super::moderation::wishes;
use crate::bidi::{isolated, marked, plain, told};
use crate::layout::{self, Page};
use crate::parts;
use crate::view::View;

/// Visits of a page.
const VISITS: u32 = 50;

/// Renders it.
///
/// # Errors
/// A problem with status 404 if there is no such post.
pub(crate) async fn page(view: &View<'_>, id: &str) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let cursor = view.request.parameter("cursor");
    let found = view.queries.post_page(id, cursor, VISITS).await?;
    let (card, pet) = (&found.card, &found.card.pet);
    if card.entry.kind == "birth" {
        return Ok(crate::found(&view.href(parts::pet_path(pet))));
    }
    let names =
        view.queries.names_of(found.visits.entries.iter().map(|entry| entry.account.as_str())).await?;
    let who = |account: &str| Who::of(view, account, names.get(account));
    let name = parts::name(view, pet);
    let life = parts::life(view, pet).await?;
    let named = parts::named(view, pet);
    let alt = (t.photo_of)(&named);
    let path = format!("/post/{id}");
    let visits = html! {
        ol.line data-visits { @for entry in &found.visits.entries { (visit(view, entry, name, &who(&entry.account), Links::Within)) } }
    };
    let main = html! {
        article.post class=[(pet.phase != "living").then_some("ended")] {
            h1.vh { (told(&(t.post_title)(&named))) }
            div.frame {
                div.byline {
                    a href=(view.href(parts::pet_path(pet))) tabindex="-1" aria-hidden="true" {
                        @if pet.photo_url.is_some() { img src=(format!("/thumb/{}", pet.photo)) width="48" height="48" alt=""; }
                    }
                    div {
                        a.name href=(view.href(parts::pet_path(pet))) { bdi { (name) } }
                        div.small.soft { (parts::time(view, card.entry.timestamp_ms)) }
                    }
                }
                @if let Some(photo) = &card.entry.photo_url { (large(photo, &alt)) }
                div.body {
                    (parts::words(view, card))
                    (parts::tags(view, &card.entry.tags))
                    (life)
                }
                (parts::actions(view, card, true))
                @if card.entry.text.is_some() || card.entry.hidden.is_some() { (wishes(view, id, &card.entry.account)) }
            }
            section aria-labelledby="visits" data-grows="visits" {
                h2 #visits { (t.post_visits) }
                @if found.visits.entries.is_empty() { p.soft data-part="nobody" { (t.post_no_visits) } }
                (parts::endless(view, &path, found.visits.cursor.as_deref(), &visits))
            }
            (parts::check(view, &card.entry.kennel, card.entry.height, Some(id)))
        }
    };
    let absent = || parts::absent(view, card.entry.hidden.as_ref());
    let text = card.entry.text.clone().unwrap_or_else(absent);
    let description: String = plain(&text).chars().take(200).collect();
    Ok(layout::page(
        view,
        &Page {
            title: &(t.post_title)(&named),
            description: if description.is_empty() { t.tagline } else { &description },
            kind: "post",
            canonical: Some(&path),
            picture: match card.entry.hidden {
                Some(_) => None,
                None => card.entry.photo_url.as_deref().or(pet.photo_url.as_deref()),
            },
            feed: Some(&format!("/pet/{}/feed", pet.birth)),
            main,
            ..Page::default()
        },
    ))
}

/// A photo as large as its place, from the whole file where the screen has the pixels.
pub(crate) fn large(photo_url: &str, alt: &str) -> Markup {
    let hash = photo_url.trim_start_matches("/media/");
    html! {
        img.photo src=(photo_url) srcset=(format!("/thumb/{hash} 480w, {photo_url} 1200w")) sizes="(min-width: 46rem) 46rem, 100vw"
            width="960" height="960" alt=(alt) decoding="async";
    }
}

/// Somebody who did something.
pub(crate) struct Who {
    /// What to call them.
    pub(crate) name: String,
    /// Their page.
    pub(crate) href: String,
}

impl Who {
    /// Somebody by account, with their registered name if they have one.
    pub(crate) fn of(view: &View<'_>, account: &str, name: Option<&String>) -> Self {
        match name {
            Some(name) => Self { name: format!("@{name}"), href: view.href(format!("/@{name}")) },
            None => {
                let short = account.get(..6).unwrap_or(account);
                Self { name: (view.t.someone)(short), href: view.href(format!("/account/{account}")) }
            }
        }
    }
}

/// Where an entry is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// On the page of its pet or post.
    Within,
    /// Elsewhere.
    Around,
}

/// Something that happened around a pet. Elsewhere than on its own page it links the pet, and what was commented on.
pub(crate) fn visit(view: &View<'_>, entry: &EntryView, name: &str, who: &Who, links: Links) -> Markup {
    let t = view.t;
    let name = if links == Links::Around { marked(name) } else { isolated(name) };
    let name = name.as_str();
    let icon = match entry.kind.as_str() {
        kind @ ("birth" | "post" | "pat" | "share" | "comment" | "gift" | "keepsake" | "offer" | "bid") => {
            kind
        }
        "take" => "offer",
        "story_end" => "end",
        _ => "birth",
    };
    // The sentence with the name of who did it as a link, wherever the language puts it.
    let of_pet = |part: &str| match part.split_once(name).filter(|_| links == Links::Around) {
        Some((before, after)) => {
            html! { (told(before)) a href=(view.href(format!("/pet/{}", entry.pet))) { (told(name)) } (told(after)) }
        }
        None => told(part),
    };
    let linked = |sentence: String| match sentence.split_once(&who.name) {
        Some((before, after)) => html! { (of_pet(before)) a href=(who.href) { (who.name) } (of_pet(after)) },
        None => of_pet(&sentence),
    };
    let commented_on = entry.post.as_ref().filter(|_| links == Links::Around);
    let said = match entry.kind.as_str() {
        "birth" => of_pet(&(t.ev_birth)(name)),
        "post" => html! { a href=(view.href(format!("/post/{}", entry.id))) { (told(&(t.ev_post)(name))) } },
        "pat" => linked((t.ev_pat)(&who.name, name)),
        "share" => linked((t.ev_share)(&who.name, name)),
        "comment" => html! {
            a href=(who.href) { (who.name) } " "
            @match commented_on {
                Some(post) => { a href=(view.href(format!("/post/{post}#e-{}", entry.id))) { (t.ev_comment) } }
                None => { (t.ev_comment) }
            }
        },
        "gift" => linked((t.ev_gift)(&who.name, name, entry.amount.unwrap_or(0))),
        "story_end" => of_pet(&(t.ev_end)(name)),
        "keepsake" => html! { (t.ev_keepsake) },
        "offer" => linked((t.market.ev_offer)(&who.name, name, entry.amount.unwrap_or(0))),
        "bid" => linked((t.market.ev_bid)(&who.name, name, entry.amount.unwrap_or(0))),
        "take" => of_pet(&(t.market.ev_take)(name, entry.amount.unwrap_or(0))),
        _ => of_pet(&(t.ev_other)(name)),
    };
    let has_text = matches!(entry.kind.as_str(), "post" | "comment");
    html! {
        li id=(format!("e-{}", entry.id)) data-by=(entry.account) {
            span.mark { (crate::icons::icon(icon)) }
            span { (said) } " " span.small.soft { (parts::time(view, entry.timestamp_ms)) }
            @if has_text {
                @match &entry.text {
                    Some(text) if text.is_empty() => {}
                    Some(text) => { div { p.text.quote dir="auto" { (text) } @if entry.kind == "comment" { (wishes(view, &entry.id, &entry.account)) } } }
                    None => { div { p.text.quote.soft dir="auto" { (parts::absent(view, entry.hidden.as_ref())) } } }
                }
            }
            @if entry.kind == "post" {
                @if let Some(photo) = &entry.photo_url { (parts::photo(view, Some(photo), &(t.photo_of)(name), true)) }
            }
        }
    }
}
