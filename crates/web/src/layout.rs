//! The frame of every page: head, navigation, footer.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use pitpet_pipeline::http::HttpResponse;

use crate::assets::asset;
use crate::icons;
use crate::policy::page_policy;
use crate::texts::Lang;
use crate::texts::mine::texts as mine;
use crate::view::View;

/// A page to be framed.
pub struct Page<'a> {
    /// Status of the answer.
    pub status: u16,
    /// Title, without the site's name.
    pub title: &'a str,
    /// One sentence for search engines and link previews.
    pub description: &'a str,
    /// What the scripts take the page for: `body[data-page]`.
    pub kind: &'a str,
    /// The address that the page is known by, without parameters.
    pub canonical: Option<&'a str>,
    /// Path of a picture for link previews.
    pub picture: Option<&'a str>,
    /// Path, without extension, of the page's feeds.
    pub feed: Option<&'a str>,
    /// Whether search engines should keep away.
    pub unlisted: bool,
    /// The content.
    pub main: Markup,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self {
            status: 200,
            title: "",
            description: "",
            kind: "page",
            canonical: None,
            picture: None,
            feed: None,
            unlisted: false,
            main: html! {},
        }
    }
}

/// Frames a page.
pub fn page(view: &View<'_>, page: &Page<'_>) -> HttpResponse {
    let t = view.t;
    let title = if page.title.is_empty() {
        format!("PitPet – {}", t.tagline)
    } else {
        format!("{} – PitPet", page.title)
    };
    let picture = page.picture.map_or_else(|| asset("icon-512.png").unwrap_or_default(), str::to_owned);
    let markup = html! {
        (DOCTYPE)
        html lang=(view.lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                meta name="description" content=(page.description);
                meta name="theme-color" content="#fffdf9" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#282024" media="(prefers-color-scheme: dark)";
                link rel="stylesheet" href=[asset("style.css")];
                link rel="icon" type="image/svg+xml" href=[asset("icon.svg")];
                link rel="apple-touch-icon" href=[asset("icon-192.png")];
                link rel="manifest" href=[asset("manifest.json")];
                @if let Some(path) = page.canonical {
                    link rel="canonical" href=(view.absolute(path));
                    meta property="og:url" content=(view.absolute(path));
                }
                @for lang in Lang::ALL { link rel="alternate" hreflang=(lang.code()) href=(view.in_language(*lang)); }
                @if let Some(feed) = page.feed {
                    link rel="alternate" type="application/atom+xml" title=(title) href=(format!("{feed}.atom"));
                    link rel="alternate" type="application/feed+json" title=(title) href=(format!("{feed}.json"));
                }
                @if page.unlisted { meta name="robots" content="noindex"; }
                meta property="og:site_name" content="PitPet";
                meta property="og:type" content="website";
                meta property="og:title" content=(if page.title.is_empty() { t.tagline } else { page.title });
                meta property="og:description" content=(page.description);
                meta property="og:image" content=(view.absolute(&picture));
                meta name="twitter:card" content="summary";
                @if let Some(script) = asset("app.js") { script type="module" src=(script) {} }
            }
            body data-page=(page.kind) data-lang=(view.lang.code()) {
                a.skip href="#main" { (t.skip) }
                (PreEscaped(icons::SPRITE))
                @if view.queries.site().demonstration { aside.demo { (t.demonstration) } }
                (top(view, page.kind))
                main #main.wide tabindex="-1" { (page.main) }
                (bottom(view))
            }
        }
    };
    let mut response = HttpResponse::new(page.status, "text/html; charset=utf-8", markup.into_string());
    let uploads = view.queries.site().uploads.as_deref();
    response.headers.insert("content-security-policy", page_policy(uploads));
    response.headers.insert("referrer-policy", "same-origin".to_owned());
    response.headers.insert("cross-origin-opener-policy", "same-origin".to_owned());
    response.headers.insert("content-language", view.lang.code().to_owned());
    response.headers.insert("vary", "accept-language".to_owned());
    response.headers.insert("cache-control", "no-cache".to_owned());
    response
}

fn top(view: &View<'_>, kind: &str) -> Markup {
    let t = view.t;
    let link = |path: &str, label: &str, kinds: &[&str]| {
        html! { li { a href=(view.href(path)) aria-current=[kinds.contains(&kind).then_some("page")] { (label) } } }
    };
    html! {
        header.top {
            div.wide {
                a.brand href=(view.href("/")) { (icons::logo()) "PitPet" }
                nav aria-label=(t.nav_main) {
                    ul {
                        (link("/", t.nav_feed, &["feed"]))
                        (link("/market", t.market.nav, &["market"]))
                        (link("/rules", t.nav_rules, &["rules"]))
                    }
                }
                // Both have the same place, so that nothing moves when scripts know which one is shown.
                nav.either.account aria-label=(t.account) {
                    ul data-signed-out {
                        (link("/signin", t.nav_signin, &["signin"]))
                        (link("/join", t.nav_join, &["join"]))
                    }
                    ul data-signed-in hidden { (link("/me", t.nav_me, &["me"])) }
                }
                form.find role="search" action="/search" method="get" {
                    label.vh for="q" { (t.search_label) }
                    input #q type="search" name="q" placeholder=(t.search_placeholder) maxlength="100"
                        value=[(kind == "search").then(|| view.request.parameter("q").unwrap_or_default())];
                    @if view.request.parameter("lang").is_some() { input type="hidden" name="lang" value=(view.lang.code()); }
                    button type="submit" { (icons::icon("find")) span.vh { (t.search_button) } }
                }
            }
        }
    }
}

fn bottom(view: &View<'_>) -> Markup {
    let t = view.t;
    let moderation = crate::pages::moderation::texts(view);
    html! {
        footer.bottom {
            div.wide {
                nav aria-label=(t.nav_more) {
                    ul {
                        @for (path, label) in [("/about", t.nav_about), ("/rules", t.nav_rules), ("/help", t.nav_help), ("/privacy", t.nav_privacy), ("/ledger", t.nav_ledger), ("/mine", mine(view.lang).nav), ("/moderation", moderation.nav)] {
                            li { a href=(view.href(path)) { (label) } }
                        }
                        li { a href="/feed.atom" { "Atom" } }
                    }
                }
                nav aria-label=(t.nav_language) {
                    ul {
                        @for lang in Lang::ALL {
                            li { a href=(view.in_language(*lang)) hreflang=(lang.code()) lang=(lang.code()) aria-current=[(*lang == view.lang).then_some("true")] { (lang.name()) } }
                        }
                    }
                }
            }
        }
    }
}
