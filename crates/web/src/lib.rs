//! Pages, rendered without JavaScript: reading works in any browser and loads at once.
//!
//! Deliberately absent: anything canonical or cryptographic; pages show what the API says.

mod front;

use pitpet_pipeline::http::{HttpRequest, HttpResponse, no_route};
use pitpet_pipeline::query::Queries;

/// Answers a request for a page.
pub async fn page(queries: &Queries, request: &HttpRequest) -> HttpResponse {
    match request.path.as_str() {
        "/" => match front::page(queries).await {
            Ok(html) => html_response(html),
            Err(problem) => problem.into(),
        },
        _ => no_route(request),
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
