//! Pages, rendered without JavaScript: reading works in any browser and loads at once.
//!
//! Deliberately absent: anything canonical or cryptographic; pages show what queries answer.
//! Scripts add what needs a key, to markup that is complete without them.

mod account;
pub mod assets;
mod bidi;
mod feeds;
mod icons;
pub mod layout;
mod pages;
mod parts;
pub mod photos;
pub mod policy;
pub mod texts;
pub mod view;

use std::pin::Pin;

use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::{HttpRequest, HttpResponse, no_route};
use pitpet_pipeline::problem::not_found;
use pitpet_pipeline::query::Queries;

use view::View;

/// Answers a request for a page.
pub fn page<'a>(
    queries: &'a Queries,
    request: &'a HttpRequest,
) -> Pin<Box<dyn Future<Output = HttpResponse> + Send + 'a>> {
    // A boxed future is compiled here, once, and not in every program that waits for it.
    Box::pin(answer(queries, request))
}

async fn answer(queries: &Queries, request: &HttpRequest) -> HttpResponse {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return no_route(request);
    }
    let view = View::new(queries, request);
    match route(&view).await {
        Ok(response) => response,
        Err(problem) => pages::trouble::page(&view, &problem),
    }
}

async fn route(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let path: Vec<&str> = view.request.path.trim_start_matches('/').split('/').collect();
    match path[..] {
        [""] => pages::feed::page(view).await,
        ["pet", birth] => pages::pet::page(view, birth).await,
        ["post", id] => pages::post::page(view, id).await,
        ["account", account] => pages::account::page(view, account).await,
        ["account", account, "activity"] => pages::account::activity(view, account).await,
        ["account", account, "notices"] => pages::belongings::notices(view, account).await,
        ["posts"] => pages::belongings::posts(view).await,
        ["tag", tag] => pages::find::tag(view, tag).await,
        ["market"] => pages::market::page(view).await,
        ["search"] => pages::find::search(view).await,
        ["ledger"] => pages::ledger::kennels(view).await,
        ["ledger", kennel] => pages::ledger::kennel(view, kennel).await,
        ["ledger", kennel, height] => pages::ledger::block(view, kennel, height).await,
        ["moderation"] => pages::moderation::log(view).await,
        ["moderation", "queue"] => pages::moderation::queue(view).await,
        ["join" | "signin" | "me"] => Ok(account::page(view, path[0])),
        ["mine"] => pages::mine::page(view).await,
        ["about"] => Ok(pages::prose::about(view)),
        ["rules"] => pages::prose::rules(view).await,
        ["help"] => Ok(pages::prose::help(view)),
        ["privacy"] => Ok(pages::prose::privacy(view)),
        ["reasons", lang] => reasons(lang),
        ["offline"] => Ok(pages::trouble::offline(view)),
        ["sw.js"] => Ok(assets::service_worker()),
        ["thumb", sha256] => photos::small(view.queries, sha256).await,
        ["static", directory, name] => {
            assets::serve(directory, name).ok_or_else(|| not_found("such file", "path"))
        }
        ["favicon.ico"] => Ok(found(&assets::asset("icon-192.png").unwrap_or_default())),
        ["robots.txt"] => Ok(feeds::robots(view)),
        ["sitemap.xml"] => feeds::sitemap(view).await,
        ["sitemap", "pages.xml"] => feeds::sitemap_pages(view).await,
        ["sitemap", kennel, file] => feeds::sitemap_of(view, kennel, file).await,
        [".well-known", "webfinger"] => feeds::webfinger(view).await,
        ["feed.atom" | "feed.json"] => feeds::site(view).await,
        ["pet", birth, "feed.atom" | "feed.json"] => feeds::pet(view, birth).await,
        ["tag", tag, "feed.atom" | "feed.json"] => feeds::tag(view, tag).await,
        ["account", account, "feed.atom" | "feed.json"] => feeds::account(view, account).await,
        [name, "feed.atom" | "feed.json"] if name.starts_with('@') => feeds::account(view, &name[1..]).await,
        [name] if name.starts_with('@') => {
            // Names are lower case; who types another one means the same.
            match name.chars().any(|c| c.is_ascii_uppercase()) {
                true => Ok(found(
                    &view.href(format!("/{}", view::encoded(&name.to_lowercase()).replace("%40", "@"))),
                )),
                false => pages::account::page(view, &name[1..]).await,
            }
        }
        _ => Err(not_found("such page", "path")),
    }
}

/// Why things are refused, by code, for scripts: `{language}.json`.
fn reasons(file: &str) -> Result<HttpResponse, Problem> {
    let lang = file.strip_suffix(".json").and_then(texts::Lang::from_code);
    let lang = lang.ok_or_else(|| not_found("such language", "path"))?;
    let all: std::collections::BTreeMap<_, _> = texts::reasons::all(lang).into_iter().collect();
    let body = serde_json::to_string(&all).expect("strings are JSON");
    let mut response = HttpResponse::new(200, "application/json", body);
    response.headers.insert("cache-control", "public, max-age=3600".to_owned());
    Ok(response)
}

/// Leads to another page of this site.
fn found(path: &str) -> HttpResponse {
    let mut response = HttpResponse::new(302, "text/plain; charset=utf-8", "");
    response.headers.insert("location", path.to_owned());
    response
}
