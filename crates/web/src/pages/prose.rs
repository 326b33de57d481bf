//! Pages of running text.

use maud::{Markup, html};
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;

use crate::layout::{self, Page};
use crate::view::View;

fn prose(view: &View<'_>, kind: &str, title: &str, text: Markup) -> HttpResponse {
    let path = format!("/{kind}");
    let main = html! { div.prose { (text) } };
    let description = view.t.feed_description;
    layout::page(view, &Page { title, description, kind, canonical: Some(&path), main, ..Page::default() })
}

/// What PitPet is.
pub(crate) fn about(view: &View<'_>) -> HttpResponse {
    prose(view, "about", view.t.nav_about, (view.t.about_page)(view))
}

/// The rules, with this server's numbers.
///
/// # Errors
/// A problem.
pub(crate) async fn rules(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let kennels = view.queries.kennels().await?.kennels;
    Ok(prose(view, "rules", view.t.nav_rules, (view.t.rules_page)(&kennels)))
}

/// Questions and answers.
pub(crate) fn help(view: &View<'_>) -> HttpResponse {
    prose(view, "help", view.t.nav_help, (view.t.help_page)(view))
}

/// What is stored.
pub(crate) fn privacy(view: &View<'_>) -> HttpResponse {
    prose(view, "privacy", view.t.nav_privacy, (view.t.privacy_page)())
}
