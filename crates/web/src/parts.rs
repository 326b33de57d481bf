//! What several pages show: cards, lives, times, actions, the badge of the check.

use maud::{Markup, html};
use pitpet_pipeline::api::{HiddenView, PetView, Problem};
use pitpet_pipeline::query::{Card, Ranked};

use crate::bidi::{isolated, told};
use crate::icons::icon;
use crate::view::{View, civil, encoded, rfc3339};

/// Side of the small size of photos, pixels.
pub(crate) const SMALL: u32 = 480;

/// More ages than this are drawn as one bar instead of a piece each.
const PIECES_MAX: u32 = 30;

/// A moment: how long ago, with the date for whoever looks closer.
pub(crate) fn time(view: &View<'_>, time_ms: u64) -> Markup {
    let ago = (view.t.ago)(view.now_ms.saturating_sub(time_ms));
    html! { time datetime=(rfc3339(time_ms)) title=(date(view, time_ms)) { (ago) } }
}

/// A date in words.
pub(crate) fn date(view: &View<'_>, time_ms: u64) -> String {
    let (year, month, day) = civil(time_ms / 86_400_000);
    (view.t.date)(year, month, day)
}

/// A photo as a square; the small size first, the whole one where it is shown large. Where one was
/// erased or hidden, its place.
pub(crate) fn photo(view: &View<'_>, photo_url: Option<&str>, alt: &str, lazy: bool) -> Markup {
    let Some(photo_url) = photo_url else { return no_photo(view) };
    let hash = photo_url.trim_start_matches("/media/");
    html! {
        img.photo src=(format!("/thumb/{hash}")) width=(SMALL) height=(SMALL) alt=(alt)
            loading=(if lazy { "lazy" } else { "eager" }) decoding="async";
    }
}

/// The place of a photo that is not shown.
pub(crate) fn no_photo(view: &View<'_>) -> Markup {
    html! { div.photo.none role="img" aria-label=(view.t.no_photo) { (icon("hidden")) } }
}

/// A pet's name, or that it was erased or hidden.
pub(crate) fn name<'a>(view: &View<'_>, pet: &'a PetView) -> &'a str {
    let absent = if pet.hidden.is_some() { view.t.hidden_name } else { view.t.erased_name };
    pet.name.as_deref().unwrap_or(absent)
}

/// The same for a place in a sentence.
pub(crate) fn named(view: &View<'_>, pet: &PetView) -> String {
    isolated(name(view, pet))
}

/// What stands where a text was: that a moderator hid it, and why, or that it was erased.
pub(crate) fn absent(view: &View<'_>, hidden: Option<&HiddenView>) -> String {
    match hidden {
        None => view.t.erased_text.to_owned(),
        Some(hidden) => (view.t.hidden_text)(hidden.reason.as_deref().unwrap_or(view.t.erased_reason)),
    }
}

/// Where a pet's page is.
pub(crate) fn pet_path(pet: &PetView) -> String {
    format!("/pet/{}", pet.birth)
}

/// What is left of a pet's life: a piece for each age, and words.
pub(crate) async fn life(view: &View<'_>, pet: &PetView) -> Result<Markup, Problem> {
    let t = view.t;
    if pet.phase != "living" || pet.remaining == 0 {
        let state = match pet.phase.as_str() {
            "ended" => t.phase_ended,
            "kept" => t.phase_kept,
            _ => t.phase_dead,
        };
        return Ok(html! { div.life data-life=(pet.birth) { (bar(0, pet.ttl)) p.state { (state) } } });
    }
    let kennel =
        pet.kennel.parse().map_err(|_| pitpet_pipeline::problem::not_found("such kennel", "kennel"))?;
    let left_ms = pet.remaining.saturating_mul(view.queries.pace_ms(&kennel).await?);
    let words = (t.life)(pet.remaining, pet.ttl, &(t.about)(left_ms));
    Ok(html! { div.life data-life=(pet.birth) { (bar(pet.remaining, pet.ttl)) p { (words) } } })
}

/// The bar, whose words stand beside it.
fn bar(left: u64, of: u32) -> Markup {
    const WIDTH: u64 = 300;
    let of = u64::from(of.max(1));
    let left = left.min(of);
    let class = match left * 100 / of {
        0..=20 => "on-low",
        21..=50 => "on-mid",
        _ => "on-life",
    };
    let pieces = if of <= u64::from(PIECES_MAX) { of } else { 1 };
    let piece = |at: u64, end: u64| {
        format!("M{at} 3a3 3 0 0 1 3-3h{}a3 3 0 0 1 0 6h-{}a3 3 0 0 1-3-3z", end - at - 6, end - at - 6)
    };
    let (mut on, mut off) = (String::new(), String::new());
    if pieces == 1 {
        off = piece(0, WIDTH);
        if left > 0 {
            on = piece(0, (WIDTH * left / of).max(7));
        }
    } else {
        for n in 0..pieces {
            let (at, end) = (WIDTH * n / pieces, WIDTH * (n + 1) / pieces);
            let shape = piece(at, (end - 3).max(at + 7));
            if n < left { on.push_str(&shape) } else { off.push_str(&shape) }
        }
    }
    html! {
        svg viewBox="0 0 300 6" width="300" height="6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            path.off d=(off) {}
            path class=(class) d=(on) {}
        }
    }
}

/// How much of what may be done is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All: on a page of its own.
    Page,
    /// What is done most: in a list.
    List,
    /// What keeps the pet alive: in a list of pets.
    Care,
}

/// A post with how often each was done.
struct Counted<'a> {
    id: &'a str,
    pats: u64,
    shares: u64,
    comments: u64,
}

/// What may be done, and what to say it was done to.
struct Deeds<'a> {
    pet: &'a PetView,
    /// The post, if it is one.
    post: Option<Counted<'a>>,
    extent: Extent,
}

/// Buttons, with how often each was done; scripts turn them on.
fn deeds(view: &View<'_>, of: &Deeds<'_>) -> Markup {
    let t = view.t;
    let pet = of.pet;
    let counted = |act: &str, label: &str, count: u64, words: &str| {
        html! {
            button type="button" data-act=(act) disabled title=(label) {
                (icon(act)) span aria-hidden="true" data-count=(act) { (count) } span.vh { (label) ", " (words) }
            }
        }
    };
    // Those of the owner are shown by scripts to the owner.
    let labelled = |act: &str, label: &str, is_shown: bool| {
        html! { button type="button" data-act=(act) disabled hidden[!is_shown] { (icon(act)) (label) } }
    };
    let is_living = pet.phase == "living" && pet.remaining > 0;
    let (is_page, is_care) = (of.extent == Extent::Page, of.extent == Extent::Care);
    // A list by what is left of lives has the pet in another place after it was cared for.
    let shown_at = is_care.then(|| view.href(pet_path(pet)));
    html! {
        div.actions role="group" aria-label=((t.actions_of)(&named(view, pet))) data-actions data-pet=(pet.birth)
            data-kennel=(pet.kennel) data-owner=(pet.owner) data-phase=(pet.phase)
            data-post=[of.post.as_ref().map(|post| post.id)] data-shown-at=[shown_at] {
            @if let Some(post) = &of.post {
                (counted("pat", t.act_pat, post.pats, &(t.pats)(post.pats)))
                @if !is_care {
                    (counted("share", t.act_share, post.shares, &(t.shares)(post.shares)))
                    (counted("comment", t.act_comment, post.comments, &(t.comments)(post.comments)))
                    button type="button" data-bookmark data-off { (icon("bookmark")) span.vh { (t.act_bookmark) } }
                }
            }
            @if is_living {
                @if is_page || is_care || of.post.is_none() { (labelled("gift", t.act_gift, true)) }
                @if is_page && of.post.is_none() { (labelled("post", t.act_post, false)) }
            } @else if pet.phase == "ended" && is_page && of.post.is_none() {
                (labelled("keepsake", t.act_keepsake, false))
            }
            // A living pet and a keepsake can be traded.
            @if is_page && of.post.is_none() && (is_living || pet.phase == "kept") {
                (labelled("offer", t.market.act_offer, false))
                (labelled("bid", t.market.act_bid, true))
            }
        }
    }
}

/// What one may do about a birth or post; `more` where it has a page to itself.
pub(crate) fn actions(view: &View<'_>, card: &Card, more: bool) -> Markup {
    let counted =
        || Counted { id: &card.entry.id, pats: card.pats, shares: card.shares, comments: card.comments };
    let post = (card.entry.kind == "post").then(counted);
    let extent = if more { Extent::Page } else { Extent::List };
    deeds(view, &Deeds { pet: &card.pet, post, extent })
}

/// What one may do for a pet.
pub(crate) fn pet_actions(view: &View<'_>, pet: &PetView) -> Markup {
    deeds(view, &Deeds { pet, post: None, extent: Extent::Page })
}

/// What keeps a pet alive: patting its newest post, if that can be patted, and a gift.
fn care(view: &View<'_>, ranked: &Ranked) -> Markup {
    let id = ranked.post.as_ref().map(|post| post.id.to_string());
    let post = ranked.post.as_ref().zip(id.as_deref()).map(|(post, id)| Counted {
        id,
        pats: post.pats,
        shares: post.shares,
        comments: post.comments,
    });
    deeds(view, &Deeds { pet: &ranked.pet, post, extent: Extent::Care })
}

/// Tags as links.
pub(crate) fn tags(view: &View<'_>, tags: &[String]) -> Markup {
    html! {
        @if !tags.is_empty() {
            ul.tags { @for tag in tags { li { a href=(view.href(format!("/tag/{}", encoded(tag)))) rel="tag" { "#" (tag) } } } }
        }
    }
}

/// What a post or birth says.
pub(crate) fn words(view: &View<'_>, card: &Card) -> Markup {
    let t = view.t;
    match (card.entry.kind.as_str(), &card.entry.text) {
        ("birth", _) => html! { p.text.born { (told(&(t.born)(&named(view, &card.pet)))) } },
        (_, Some(text)) => html! { p.text dir="auto" { (text) } },
        (_, None) => html! { p.text.soft dir="auto" { (absent(view, card.entry.hidden.as_ref())) } },
    }
}

fn ended(pet: &PetView) -> Option<&'static str> {
    (pet.phase != "living").then_some("ended")
}

/// A birth or post in a grid.
pub(crate) async fn card(view: &View<'_>, card: &Card, lazy: bool) -> Result<Markup, Problem> {
    let t = view.t;
    let pet = &card.pet;
    let at = match card.entry.kind.as_str() {
        "birth" => pet_path(pet),
        _ => format!("/post/{}", card.entry.id),
    };
    let is_post = card.entry.kind == "post";
    let shown = match is_post && card.entry.hidden.is_some() {
        true => None,
        false => card.entry.photo_url.as_deref().or(pet.photo_url.as_deref()),
    };
    let life = life(view, pet).await?;
    Ok(html! {
        li data-by=(card.entry.account) {
            article class={ "card " (ended(pet).unwrap_or_default()) } {
                a href=(view.href(&at)) { (photo(view, shown, &(t.photo_of)(&named(view, pet)), lazy)) }
                div.body {
                    div.head {
                        h2.vh { bdi { (name(view, pet)) } }
                        a.name href=(view.href(pet_path(pet))) { bdi { (name(view, pet)) } }
                        a.small.soft href=(view.href(&at)) { (time(view, card.entry.timestamp_ms)) }
                    }
                    (words(view, card))
                    (tags(view, &card.entry.tags))
                    (life)
                }
                (actions(view, card, false))
            }
        }
    })
}

/// A pet in a grid, with what may be done for it.
async fn pet_card(view: &View<'_>, pet: &PetView, lazy: bool, actions: Markup) -> Result<Markup, Problem> {
    let t = view.t;
    let life = life(view, pet).await?;
    let counts = [(t.posts)(pet.posts), (t.pats)(pet.pats), (t.comments)(pet.comments)].join(" · ");
    Ok(html! {
        li data-by=(pet.owner) {
            article class={ "card " (ended(pet).unwrap_or_default()) } {
                a href=(view.href(pet_path(pet))) { (photo(view, pet.photo_url.as_deref(), &(t.photo_of)(&named(view, pet)), lazy)) }
                div.body {
                    h2.head { a.name href=(view.href(pet_path(pet))) { bdi { (name(view, pet)) } } }
                    @if let Some(story) = pet.story.as_deref().filter(|story| !story.is_empty()) { p.text dir="auto" { (story) } }
                    p.small.soft { (counts) }
                    (life)
                }
                (actions)
            }
        }
    })
}

/// Cards in a grid.
pub(crate) async fn cards(view: &View<'_>, shown: &[Card]) -> Result<Markup, Problem> {
    let mut made = Vec::new();
    for (n, shown) in shown.iter().enumerate() {
        made.push(card(view, shown, n >= 4).await?);
    }
    Ok(html! { ul.cards data-cards { @for card in made { (card) } } })
}

/// Pets in a grid.
pub(crate) async fn pet_cards(view: &View<'_>, pets: &[PetView]) -> Result<Markup, Problem> {
    let mut made = Vec::new();
    for (n, pet) in pets.iter().enumerate() {
        made.push(pet_card(view, pet, n >= 4, html! {}).await?);
    }
    Ok(html! { ul.cards { @for card in made { (card) } } })
}

/// Living pets in a grid, each with what keeps it alive.
pub(crate) async fn ranked_cards(view: &View<'_>, ranked: &[Ranked]) -> Result<Markup, Problem> {
    let mut made = Vec::new();
    for (n, one) in ranked.iter().enumerate() {
        made.push(pet_card(view, &one.pet, n >= 4, care(view, one)).await?);
    }
    Ok(html! { ul.cards { @for card in made { (card) } } })
}

/// The badge by which a visitor checks a block in the browser.
pub(crate) fn check(view: &View<'_>, kennel: &str, height: u64, event: Option<&str>) -> Markup {
    let t = view.t;
    html! {
        section.proof aria-labelledby="check" {
            h2 #check { (t.check_title) }
            p.soft { (t.check_text) }
            // Shown by scripts: without them there is nothing to run a block with.
            button.check type="button" data-check data-kennel=(kennel) data-height=(height) data-off { (t.check_button) }
            div.verdict role="status" {}
            p.row {
                @if let Some(event) = event { a href=(format!("/v1/events/{event}")) { (t.check_receipt) } }
                a href=(view.href(format!("/ledger/{kennel}/{height}"))) { ((t.check_block)(height)) }
            }
        }
    }
}

/// An empty place, or one that can't be shown.
pub(crate) fn empty(title: &str, text: &str, link: Option<(String, &str)>) -> Markup {
    html! {
        div.empty {
            (crate::icons::paw())
            h1 { (title) }
            p.soft { (text) }
            @if let Some((href, label)) = link { p { a.button href=(href) { (label) } } }
        }
    }
}

/// The link to what comes after.
pub(crate) fn more(view: &View<'_>, path: &str, cursor: Option<&str>) -> Markup {
    html! {
        @if let Some(cursor) = cursor {
            @let joint = if path.contains('?') { '&' } else { '?' };
            p.more { a.button.quiet rel="next" href=(view.href(format!("{path}{joint}cursor={}", encoded(cursor)))) { (view.t.more) } }
        }
    }
}

/// A list and the link to what comes after, which scripts fetch into the list as it comes into
/// sight: of the page behind the link, so that there is one place where a list is made.
pub(crate) fn endless(view: &View<'_>, path: &str, cursor: Option<&str>, list: &Markup) -> Markup {
    html! { div data-endless { (list) (more(view, path, cursor)) } }
}
