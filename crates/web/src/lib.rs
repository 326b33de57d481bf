//! Pages, rendered without JavaScript: reading works in any browser and loads at once.
//!
//! Deliberately absent: anything canonical or cryptographic; pages show what the API says.

mod account;
mod assets;
mod front;
mod standin;
mod texts;

use pitpet_pipeline::http::{HttpRequest, HttpResponse, no_route};
use pitpet_pipeline::query::Queries;

/// What a page may do: scripts and styles of this server only, WebAssembly, and no script that
/// makes markup or another script of a text.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
     connect-src 'self'; img-src 'self' blob:; style-src 'self'; manifest-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types pitpet";

/// Answers a request for a page.
pub async fn page(queries: &Queries, request: &HttpRequest) -> HttpResponse {
    match request.path.as_str() {
        "/" => match front::page(queries).await {
            Ok(html) => html_response(html),
            Err(problem) => problem.into(),
        },
        path => match route(queries, path).await {
            Some(response) => response,
            None => no_route(request),
        },
    }
}

async fn route(queries: &Queries, path: &str) -> Option<HttpResponse> {
    let t = &texts::account::EN;
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["static", ..] => assets::serve(path.strip_prefix("/static/")?),
        ["join"] => Some(standin::shell(t.join_title, "join", &account::join(t))),
        ["signin"] => Some(standin::shell(t.signin_title, "signin", &account::signin(t))),
        ["me"] => Some(standin::shell(t.me_title, "me", &account::me(t))),
        ["pet", birth] => standin::pet(queries, birth).await,
        ["ledger", kennel, height] => standin::block(queries, kennel, height).await,
        _ => None,
    }
}

fn html_response(html: maud::Markup) -> HttpResponse {
    let mut response = HttpResponse::new(200, "text/html; charset=utf-8", html.into_string());
    // The page has no scripts; its one style sheet is inline, allowed by its hash.
    let policy = format!(
        "default-src 'none'; img-src 'self'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        front::style_hash()
    );
    response.headers.insert("content-security-policy", policy);
    response.headers.insert("referrer-policy", "same-origin".to_owned());
    response.headers.insert("cross-origin-opener-policy", "same-origin".to_owned());
    response
}
