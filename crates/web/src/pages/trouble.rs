//! What is shown when a page can't be.

use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;

use crate::layout::{self, Page};
use crate::parts;
use crate::view::View;

/// What the service worker keeps for when the site can't be reached.
pub(crate) fn offline(view: &View<'_>) -> HttpResponse {
    let t = view.t;
    let main = parts::empty(t.offline_title, t.offline_text, Some((String::new(), t.reload)));
    let title = t.offline_title;
    layout::page(
        view,
        &Page {
            title,
            description: t.offline_text,
            kind: "offline",
            unlisted: true,
            main,
            ..Page::default()
        },
    )
}

/// A page that says what is the matter.
pub(crate) fn page(view: &View<'_>, problem: &Problem) -> HttpResponse {
    let t = view.t;
    // An id that can't be read leads nowhere, as one that nobody has does.
    let (status, title, text) = match problem.status {
        404 => (404, t.lost_title, t.lost_text),
        400..500 => (problem.status, t.bad_title, t.bad_text),
        _ => (problem.status, t.down_title, t.down_text),
    };
    let main = parts::empty(title, text, Some((view.href("/"), t.back_home)));
    let mut response = layout::page(
        view,
        &Page { status, title, description: text, kind: "trouble", unlisted: true, main, ..Page::default() },
    );
    response.headers.insert("cache-control", "no-store".to_owned());
    if let Some(seconds) = problem.retry_after_s {
        response.headers.insert("retry-after", seconds.to_string());
    }
    response
}
