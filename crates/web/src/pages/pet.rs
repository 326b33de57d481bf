//! A pet: its photos, its life, its whole story, its end.

use std::collections::HashMap;

use maud::{Markup, html};
use pitpet_chain::hash::BirthHash;
use pitpet_pipeline::api::{EntriesView, EntryView, PetView, Problem};
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::query::Home;

use super::moderation::wishes;
use super::post::{Links, Who, large, visit};
use crate::bidi::{plain, told};
use crate::layout::{self, Page};
use crate::parts;
use crate::view::{View, encoded};

/// Events of a page of the story.
const EVENTS: u32 = 50;

/// Posts shown as cards.
const POSTS: u32 = 6;

/// Renders it.
///
/// # Errors
/// A problem with status 404 if there is no such pet.
pub(crate) async fn page(view: &View<'_>, birth: &str) -> Result<HttpResponse, Problem> {
    let t = view.t;
    let cursor = view.request.parameter("cursor");
    let pet = view.queries.pet(birth).await?;
    let hash: BirthHash =
        pet.birth.parse().map_err(|_| pitpet_pipeline::problem::not_found("such pet", "birth"))?;
    let births = [hash];
    let (timeline, mut posts, mut others, homes) = futures::try_join!(
        view.queries.timeline(birth, cursor, EVENTS),
        view.queries.posts_of(&births, POSTS + 1),
        view.queries.pets_of(&pet.owner),
        view.queries.homes(&hash),
    )?;
    posts.retain(|card| card.entry.kind == "post");
    posts.truncate(POSTS as usize);
    others.retain(|other| other.birth != pet.birth && other.owner == pet.owner);
    let accounts = timeline.entries.iter().map(|entry| entry.account.as_str()).chain([pet.owner.as_str()]);
    let accounts = accounts.chain(homes.iter().map(|home| home.account.as_str()));
    let names = view.queries.names_of(accounts).await?;
    let owner = Who::of(view, &pet.owner, names.get(&pet.owner));
    let name = parts::name(view, &pet);
    let path = parts::pet_path(&pet);
    let life = parts::life(view, &pet).await?;
    let cards = parts::cards(view, &posts).await?;
    let other_cards = parts::pet_cards(view, &others).await?;
    let market = super::market::of_pet(view, &pet.kennel, &pet.birth).await?;
    let label = view.queries.founding(&pet.kennel).await?.label;
    let is_over = pet.phase != "living";
    let until_ms = if is_over { pet.died_ms } else { view.now_ms };
    let lived = (t.about)(until_ms.saturating_sub(pet.born_ms));
    let story = html! {
        ol.line { @for entry in &timeline.entries { (visit(view, entry, name, &Who::of(view, &entry.account, names.get(&entry.account)), Links::Within)) } }
    };
    let main = html! {
        article class=[is_over.then_some("ended")] {
            div.profile {
                div.frame {
                    @match &pet.photo_url {
                        Some(photo) => (large(photo, &(t.photo_of)(&parts::named(view, &pet)))),
                        None => (parts::no_photo(view)),
                    }
                    (life)
                    (parts::pet_actions(view, &pet))
                }
                div {
                    h1 { bdi { (name) } }
                    @match pet.story.as_deref() {
                        Some("") => {}
                        Some(story) => { p.lead.text dir="auto" { (story) } }
                        None => { p.soft dir="auto" { (parts::absent(view, pet.hidden.as_ref())) } }
                    }
                    @if pet.name.is_some() || pet.hidden.is_some() { (wishes(view, &pet.birth, &pet.owner)) }
                    @if is_over { (end(view, &pet, &label, &lived)) }
                    dl.facts data-part="facts" {
                        div { dt { (t.pet_owner) } dd { a href=(owner.href) { (owner.name) } } }
                        @if !homes.is_empty() { (before(view, &homes, &names)) }
                        div { dt { (t.pet_born) } dd { (parts::date(view, pet.born_ms)) } }
                        @if is_over { div { dt { (t.pet_died) } dd { (parts::date(view, pet.died_ms)) } } }
                        div { dt { (t.pet_lived) } dd { (lived) } }
                        div { dt { (t.pet_wallet) } dd { ((t.treats)(pet.wallet)) } }
                        div { dt { (t.pet_posts) } dd { (pet.posts) } }
                        div { dt { (t.pet_pats) } dd { (pet.pats) } }
                        div { dt { (t.pet_shares) } dd { (pet.shares) } }
                        div { dt { (t.pet_comments) } dd { (pet.comments) } }
                    }
                    @if cursor.is_none() { (chart(view, &pet, &timeline, until_ms)) }
                }
            }
            @if cursor.is_none() { div data-part="market" { (market) } }
            // Empty it is there for the first post, which scripts put in.
            @if cursor.is_none() {
                section data-grows="posts" hidden[posts.is_empty()] { h2 { (t.pet_posts) } (cards) }
            }
            section aria-labelledby="story" data-grows="story" {
                h2 #story { (t.pet_timeline) }
                (parts::endless(view, &path, timeline.cursor.as_deref(), &story))
            }
            @if !others.is_empty() { section { h2 { (t.pet_other_lives) } (other_cards) } }
            (parts::check(view, &pet.kennel, if is_over { pet.died_height } else { timeline.entries.first().map_or(pet.born_height, |entry| entry.height) }, Some(&pet.birth)))
        }
    };
    let description = pet.story.as_deref().filter(|story| !story.is_empty());
    let description: String = description.map_or_else(
        || (t.pet_description)(&parts::named(view, &pet)),
        |story| plain(story).chars().take(200).collect(),
    );
    Ok(layout::page(
        view,
        &Page {
            title: &parts::named(view, &pet),
            description: &description,
            kind: "pet",
            canonical: Some(&path),
            picture: pet.photo_url.as_deref(),
            feed: Some(&format!("{path}/feed")),
            main,
            ..Page::default()
        },
    ))
}

/// Who cared for it before.
fn before(view: &View<'_>, homes: &[Home], names: &HashMap<String, String>) -> Markup {
    let b = super::belongings::texts(view);
    html! {
        div { dt { (b.homes) } @for home in homes {
            @let who = Who::of(view, &home.account, names.get(&home.account));
            dd data-home=(home.account) { a href=(who.href) { (who.name) } " " span.small.soft { (b.until) " " (parts::date(view, home.until_ms)) } }
        } }
    }
}

fn end(view: &View<'_>, pet: &PetView, label: &str, lived: &str) -> Markup {
    let t = view.t;
    html! {
        section.end data-part="end" aria-labelledby="end" {
            h2 #end { (t.pet_end_title) }
            p { (told(&(t.pet_end_text)(&parts::named(view, pet), lived, pet.phase != "dead"))) }
            // For its owner, whom scripts know.
            p data-owner-only=(pet.owner) hidden { a.button href=(view.href(format!("/join?in={}", encoded(label)))) { (t.new_story) } }
            @if pet.phase == "kept" {
                div.ticket { (crate::icons::icon("keepsake")) div { strong { (t.keepsake_title) } p.small { (t.keepsake_text) } } }
            } @else if pet.phase == "ended" {
                p.soft { (t.keepsake_none) }
            }
        }
    }
}

/// Width and height of the chart, without its margins.
const WIDTH: u64 = 560;
const HEIGHT: u64 = 120;
/// Its margins on the left, for the ages, which on phones are written larger, and above.
const LEFT: u64 = 48;
const TOP: u64 = 24;

/// What was left of the life over time: full at each event, lower by every age after it.
fn chart(view: &View<'_>, pet: &PetView, timeline: &EntriesView, until_ms: u64) -> Markup {
    let t = view.t;
    let newest_first: &[EntryView] = &timeline.entries;
    let ttl = u64::from(pet.ttl);
    // Kinds that set a life back to full; where the page begins later than the life, so does the chart.
    let cared: Vec<&EntryView> = newest_first
        .iter()
        .rev()
        .filter(|entry| {
            matches!(entry.kind.as_str(), "birth" | "post" | "pat" | "share" | "comment" | "gift")
        })
        .collect();
    let Some(first) = cared.first() else { return html! {} };
    let (from_ms, to_ms) = (first.timestamp_ms, until_ms.max(first.timestamp_ms + 1));
    let x = |time_ms: u64| LEFT + WIDTH * (time_ms.clamp(from_ms, to_ms) - from_ms) / (to_ms - from_ms);
    let y = |left: u64| TOP + HEIGHT - HEIGHT * left.min(ttl) / ttl.max(1);
    let mut points: Vec<(u64, u64)> = Vec::new();
    for pair in cared.windows(2) {
        points.push((x(pair[0].timestamp_ms), y(ttl)));
        let aged = pair[1].age.saturating_sub(pair[0].age);
        points.push((x(pair[1].timestamp_ms), y(ttl.saturating_sub(aged))));
    }
    if let Some(last) = cared.last() {
        points.push((x(last.timestamp_ms), y(ttl)));
        points.push((x(to_ms), y(pet.remaining)));
    }
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let line = line.join(" ");
    let (left, right) = (points.first().map_or(LEFT, |p| p.0), points.last().map_or(LEFT, |p| p.0));
    let floor = y(0);
    let label: Vec<String> = vec![(t.pet_life).to_owned(), (t.pet_life_caption)(pet.ttl)];
    let (title, caption) = (&label[0], &label[1]);
    html! {
        figure.chart data-part="chart" {
            svg viewBox="0 0 620 185" width="620" height="185" role="img" aria-labelledby="chart-title" {
                title #chart-title { (title) ": " (caption) }
                @for part in [0, ttl / 2, ttl] { line.grid x1=(LEFT) x2=(LEFT + WIDTH) y1=(y(part)) y2=(y(part)) {} text x=(LEFT - 8) y=(y(part) + 6) text-anchor="end" { (part) } }
                polygon.area points=(format!("{left},{floor} {line} {right},{floor}")) {}
                polyline.line points=(line) {}
                @for entry in &cared { circle.dot cx=(x(entry.timestamp_ms)) cy=(y(ttl)) r="4" {} }
                @if pet.phase != "living" { path.cross d=(format!("M{} {}l10 10m0-10l-10 10", right - 5, floor - 5)) {} }
                text x=(LEFT) y="178" { (parts::date(view, from_ms)) }
                text x=(LEFT + WIDTH) y="178" text-anchor="end" { ((t.ago)(view.now_ms.saturating_sub(to_ms))) }
            }
            figcaption { (caption) @if timeline.cursor.is_some() { " " ((t.pet_life_newest)(EVENTS)) } }
        }
    }
}
