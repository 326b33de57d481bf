//! What other programs read: Atom (RFC 4287) and JSON Feed 1.1, the sitemap, robots.txt and
//! webfinger (RFC 7033). Every item of a feed links the signed original with its proof.

use maud::{Markup, PreEscaped, html};
use pitpet_chain::hash::BirthHash;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::items::DAY_MS;
use pitpet_pipeline::problem::{bad_field, not_found};
use pitpet_pipeline::query::{Card, DayEntry};
use serde_json::json;

use crate::bidi::plain;
use crate::pages::account::LOOKED;
use crate::parts;
use crate::view::{View, encoded, rfc3339};

/// Items of a feed.
const ITEMS: u32 = 25;

/// Days of which the sitemap names what was born and posted.
const MAPPED_DAYS: u64 = 14;

/// Digits of a day since 1970-01-01 that a sort key has a place for.
const DAY_DIGITS_MAX: usize = 7;

/// A feed before it is written.
struct Feed {
    title: String,
    /// Path of the page that it follows.
    page: String,
    cards: Vec<Card>,
}

/// Births and posts of the whole site.
///
/// # Errors
/// A problem.
pub(crate) async fn site(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let cards = view.queries.feed_cards(None, ITEMS).await?.cards;
    Ok(write(view, &Feed { title: format!("PitPet – {}", view.t.tagline), page: "/".to_owned(), cards }))
}

/// A pet's posts.
///
/// # Errors
/// A problem with status 404 if there is no such pet.
pub(crate) async fn pet(view: &View<'_>, birth: &str) -> Result<HttpResponse, Problem> {
    let pet = view.queries.pet(birth).await?;
    let hash: BirthHash = pet.birth.parse().map_err(|_| not_found("such pet", "birth"))?;
    let cards = view.queries.posts_of(&[hash], ITEMS).await?;
    let title = format!("{} – PitPet", parts::named(view, &pet));
    Ok(write(view, &Feed { title, page: parts::pet_path(&pet), cards }))
}

/// Posts with a tag.
///
/// # Errors
/// A problem.
pub(crate) async fn tag(view: &View<'_>, tag: &str) -> Result<HttpResponse, Problem> {
    let cards = view.queries.tagged(tag, None, ITEMS).await?.cards;
    Ok(write(
        view,
        &Feed { title: format!("#{tag} – PitPet"), page: format!("/tag/{}", encoded(tag)), cards },
    ))
}

/// Posts of an account's pets.
///
/// # Errors
/// A problem with status 404 if the name isn't registered.
pub(crate) async fn account(view: &View<'_>, name: &str) -> Result<HttpResponse, Problem> {
    let found = view.queries.account(name).await?;
    let pets = view.queries.pets_of(&found.id).await?;
    let births: Vec<BirthHash> = pets.iter().take(LOOKED).filter_map(|pet| pet.birth.parse().ok()).collect();
    let cards = view.queries.posts_by(&found.id, &births, ITEMS).await?;
    let (title, page) = match found.names.first() {
        Some(name) => (format!("@{name} – PitPet"), format!("/@{name}")),
        None => (format!("{} – PitPet", found.id), format!("/account/{}", found.id)),
    };
    Ok(write(view, &Feed { title, page, cards }))
}

fn write(view: &View<'_>, feed: &Feed) -> HttpResponse {
    let mut response = match view.request.path.ends_with(".json") {
        true => HttpResponse::new(200, "application/feed+json", json_feed(view, feed)),
        false => HttpResponse::new(200, "application/atom+xml; charset=utf-8", atom(view, feed)),
    };
    response.headers.insert("cache-control", "public, max-age=60".to_owned());
    response.headers.insert("vary", "accept-language".to_owned());
    response
}

/// What a card is called and says, where it is, and its picture.
fn item(view: &View<'_>, card: &Card) -> (String, String, String, Option<String>) {
    let name = parts::named(view, &card.pet);
    let name = name.as_str();
    let t = view.t;
    let (title, text, path) = match card.entry.kind.as_str() {
        "birth" => {
            let hidden = || card.pet.hidden.as_ref().map(|hidden| parts::absent(view, Some(hidden)));
            let story = card.pet.story.clone().or_else(hidden).unwrap_or_default();
            ((t.ev_birth)(name), format!("{} {story}", (t.born)(name)), parts::pet_path(&card.pet))
        }
        _ => {
            let text = card.entry.text.clone();
            let text = text.unwrap_or_else(|| parts::absent(view, card.entry.hidden.as_ref()));
            ((t.post_title)(name), text, format!("/post/{}", card.entry.id))
        }
    };
    let photo = match card.entry.hidden {
        Some(_) => None,
        None => card.entry.photo_url.as_deref().or(card.pet.photo_url.as_deref()),
    };
    (title, text, view.absolute(&path), photo.map(|photo| view.absolute(photo)))
}

/// Characters that XML 1.0 can't hold are left out; maud escapes the rest.
fn sound(text: &str) -> String {
    text.chars()
        .filter(
            |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..),
        )
        .collect()
}

/// An element of which HTML has none, or a void one, by that name.
fn element(name: &str, content: &Markup) -> Markup {
    PreEscaped(format!("<{name}>{}</{name}>", content.0))
}

fn atom(view: &View<'_>, feed: &Feed) -> String {
    let updated = feed.cards.first().map_or(0, |card| card.entry.timestamp_ms);
    let own = view.absolute(&path_of(view));
    let page = view.absolute(&feed.page);
    let link = |rel: &str, kind: &str, href: &str| {
        let attributes = html! { i rel=(rel) type=(kind) href=(href) {} }.0;
        let attributes = attributes.trim_start_matches("<i ").trim_end_matches("></i>");
        PreEscaped(format!("<link {attributes}/>"))
    };
    let entries = feed.cards.iter().map(|card| {
        let (title, text, url, photo) = item(view, card);
        let proof = view.absolute(&format!("/v1/events/{}", card.entry.id));
        let content = html! { @if let Some(photo) = photo { p { img src=(photo) alt=(plain(parts::name(view, &card.pet))) width="480"; } } p { (sound(&text)) } p { a href=(proof) { (view.t.check_receipt) } } };
        let entry = html! {
            (element("id", &html! { "urn:sha256:" (card.entry.id) }))
            (element("title", &html! { (sound(&title)) }))
            (element("updated", &html! { (rfc3339(card.entry.timestamp_ms)) }))
            (element("author", &element("name", &html! { (sound(&plain(parts::name(view, &card.pet)))) })))
            (link("alternate", "text/html", &url))
            (link("related", "application/json", &proof))
            (PreEscaped(format!("<content type=\"html\">{}</content>", html! { (content.0) }.0)))
        };
        element("entry", &entry).0
    });
    let head = html! {
        (element("id", &html! { (page) }))
        (element("title", &html! { (sound(&feed.title)) }))
        (element("updated", &html! { (rfc3339(updated)) }))
        (link("self", "application/atom+xml", &own))
        (link("alternate", "text/html", &page))
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">{}{}</feed>\n",
        view.lang.code(),
        head.0,
        entries.collect::<String>()
    )
}

fn path_of(view: &View<'_>) -> String {
    view.request.path.split('/').map(|part| encoded(part).replace("%40", "@")).collect::<Vec<_>>().join("/")
}

fn json_feed(view: &View<'_>, feed: &Feed) -> String {
    let items: Vec<_> = feed
        .cards
        .iter()
        .map(|card| {
            let (title, text, url, photo) = item(view, card);
            let mut item = json!({
                "id": format!("urn:sha256:{}", card.entry.id),
                "url": url,
                "_pitpet": { "proof": view.absolute(&format!("/v1/events/{}", card.entry.id)) },
                "title": title,
                "content_text": text,
                "date_published": rfc3339(card.entry.timestamp_ms),
                "authors": [{ "name": plain(parts::name(view, &card.pet)), "url": view.absolute(&parts::pet_path(&card.pet)) }],
                "tags": card.entry.tags,
            });
            if let Some(photo) = photo {
                item["image"] = json!(photo);
            }
            item
        })
        .collect();
    let feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": view.absolute(&feed.page),
        "feed_url": view.absolute(&path_of(view)),
        "language": view.lang.code(),
        "items": items,
    });
    feed.to_string()
}

/// Who may look where, and where the map is.
pub(crate) fn robots(view: &View<'_>) -> HttpResponse {
    let text = format!(
        "User-agent: *\nDisallow: /v1/\nDisallow: /search\nDisallow: /account/*/activity\nSitemap: {}\n",
        view.absolute("/sitemap.xml")
    );
    HttpResponse::new(200, "text/plain; charset=utf-8", text)
}

/// The sitemap's index (sitemaps.org 0.9): the pages that stay, and for each kennel its pets, and
/// what was posted on each of the last days. So no part has more than 50,000 addresses.
///
/// # Errors
/// A problem.
pub(crate) async fn sitemap(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let mut parts = vec!["/sitemap/pages.xml".to_owned()];
    for kennel in view.queries.kennels().await?.kennels {
        let founding = view.queries.founding(&kennel.id).await?;
        let label = encoded(&kennel.label);
        parts.push(format!("/sitemap/{label}/pets.xml"));
        let (first, today) = (founding.genesis.created_ms / DAY_MS, kennel.timestamp_ms / DAY_MS);
        let days = first.max((today + 1).saturating_sub(MAPPED_DAYS))..=today;
        parts.extend(days.rev().map(|day| format!("/sitemap/{label}/{day}.xml")));
    }
    Ok(map(view, "sitemapindex", "sitemap", &parts))
}

/// The pages that stay.
///
/// # Errors
/// A problem.
pub(crate) async fn sitemap_pages(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let mut paths: Vec<String> = [
        "/",
        "/?order=ending",
        "/?order=alive",
        "/market",
        "/about",
        "/rules",
        "/help",
        "/privacy",
        "/ledger",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend(["/mine".to_owned(), "/moderation".to_owned()]);
    for kennel in view.queries.kennels().await?.kennels {
        paths.push(format!("/ledger/{}", encoded(&kennel.label)));
    }
    Ok(map(view, "urlset", "url", &paths))
}

/// The pets of a kennel, all that live among them, or what was born and posted in it on a day, counted from 1970-01-01.
///
/// # Errors
/// A problem with status 404 if there is no such kennel, or it is no day.
pub(crate) async fn sitemap_of(view: &View<'_>, kennel: &str, file: &str) -> Result<HttpResponse, Problem> {
    let founding = view.queries.founding(kennel).await?;
    let paths: Vec<String> = match file.strip_suffix(".xml") {
        Some("pets") => {
            view.queries.known_pets(&founding).await?.iter().map(|birth| format!("/pet/{birth}")).collect()
        }
        Some(day) if (1..=DAY_DIGITS_MAX).contains(&day.len()) && day.bytes().all(|c| c.is_ascii_digit()) => {
            let day = day.parse().map_err(|_| not_found("such day", "path"))?;
            let path = |entry: &DayEntry| match entry {
                DayEntry::Birth(birth) => format!("/pet/{birth}"),
                DayEntry::Post(post) => format!("/post/{post}"),
            };
            view.queries.entries_of_day(&founding, day).await?.iter().map(path).collect()
        }
        _ => return Err(not_found("such page", "path")),
    };
    Ok(map(view, "urlset", "url", &paths))
}

/// A map of these addresses, or of maps.
fn map(view: &View<'_>, of: &str, each: &str, paths: &[String]) -> HttpResponse {
    let places: String =
        paths.iter().map(|path| element(each, &element("loc", &html! { (view.absolute(path)) })).0).collect();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<{of} xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{places}</{of}>\n"
    );
    let mut response = HttpResponse::new(200, "application/xml", text);
    response.headers.insert("cache-control", "public, max-age=3600".to_owned());
    response
}

/// Where the account with a name is: `acct:name@host`.
///
/// # Errors
/// A problem if no resource of this host is asked for, or nobody has the name.
pub(crate) async fn webfinger(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let resource = view.request.parameter("resource").unwrap_or_default();
    let wrong = || bad_field("resource", "resource must be acct:name@host of this site.");
    let base = view.base();
    let own = base.split_once("://").map_or(base.as_str(), |(_, host)| host);
    // The page that is named as an alias is looked up, too.
    let (name, host) = match resource.strip_prefix(base.as_str()).and_then(|path| path.strip_prefix("/@")) {
        Some(name) => (name, own),
        None => {
            resource.strip_prefix("acct:").and_then(|account| account.split_once('@')).ok_or_else(wrong)?
        }
    };
    let name = &name.to_lowercase();
    if host != own && Some(host) != own.split(':').next() {
        return Err(wrong());
    }
    // An id is no name.
    let found = view.queries.account(name).await?;
    if !found.names.iter().any(|held| held == name) {
        return Err(not_found("such account", "resource"));
    }
    let page = view.absolute(&format!("/@{name}"));
    let document = json!({
        "subject": format!("acct:{name}@{host}"),
        "aliases": [page, view.absolute(&format!("/account/{}", found.id))],
        "links": [
            { "rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": page },
            { "rel": "http://schemas.google.com/g/2010#updates-from", "type": "application/atom+xml", "href": format!("{page}/feed.atom") },
            { "rel": "self", "type": "application/json", "href": view.absolute(&format!("/v1/accounts/{}", found.id)) },
        ],
    });
    let mut response = HttpResponse::new(200, "application/jrd+json", document.to_string());
    // RFC 7033 asks for it: whoever looks somebody up in a browser may be anywhere.
    response.headers.insert("access-control-allow-origin", "*".to_owned());
    Ok(response)
}
