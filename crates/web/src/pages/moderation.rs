//! Moderation in the open: the log for everybody, and the queue for those who decide.

use maud::{Markup, html};
use pitpet_pipeline::api::{Problem, QueuedView, VerdictView};
use pitpet_pipeline::http::HttpResponse;

use crate::layout::{self, Page};
use crate::parts;
use crate::texts::Lang;
use crate::texts::moderation::{DE, EN, ModerationTexts};
use crate::view::View;

/// Entries of a page.
const ENTRIES: u32 = 30;

/// The texts in the language of the view.
pub(crate) fn texts(view: &View<'_>) -> &'static ModerationTexts {
    match view.lang {
        Lang::En => &EN,
        Lang::De => &DE,
    }
}

/// What one may do about a text: report it, or erase one's own. Scripts turn it on, and show to its
/// author what is the author's.
pub(crate) fn wishes(view: &View<'_>, event: &str, author: &str) -> Markup {
    let t = texts(view);
    html! {
        div.wishes data-wishes data-event=(event) data-author=(author) data-off {
            button type="button" data-wish="report" { (crate::icons::icon("report")) (t.report) }
            button type="button" data-wish="erase" hidden { (crate::icons::icon("hidden")) (t.erase) }
        }
    }
}

/// Where an event is shown, or proven if it has no page.
fn place(view: &View<'_>, kind: Option<&str>, event: &str) -> String {
    match kind {
        Some("birth") => view.href(format!("/pet/{event}")),
        Some("post") => view.href(format!("/post/{event}")),
        _ => format!("/v1/events/{event}"),
    }
}

/// What moderators did.
///
/// # Errors
/// A problem.
pub(crate) async fn log(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let t = texts(view);
    let log = view.queries.moderation_log(None, view.request.parameter("cursor"), ENTRIES).await?;
    let offices = view.queries.moderators().await?.kennels;
    let row = |entry: &VerdictView| {
        let kind = entry.target_kind.as_deref();
        html! {
            tr {
                td { a href=(place(view, kind, &entry.target)) { (t.kind(kind)) } }
                td { (if entry.verdict == "hide" { t.hidden } else { t.shown }) }
                td dir="auto" { (entry.reason.as_deref().unwrap_or(view.t.erased_reason)) }
                td { a href=(format!("/v1/events/{}", entry.id)) { (parts::time(view, entry.timestamp_ms)) } }
            }
        }
    };
    let main = html! {
        h1 #log { (t.log_title) }
        p.lead { (t.log_lead) }
        p { a href=(view.href("/moderation/queue")) { (t.queue_title) } }
        @if log.entries.is_empty() { p { (t.log_none) } } @else {
            div.scroll tabindex="0" role="region" aria-labelledby="log" {
                table {
                    thead { tr { th scope="col" { (t.what) } th scope="col" { (t.verdict) } th scope="col" { (t.reason) } th scope="col" { (t.when) } } }
                    tbody { @for entry in &log.entries { (row(entry)) } }
                }
            }
        }
        (parts::more(view, "/moderation", log.cursor.as_deref()))
        section {
            h2 { (t.moderators) }
            p.soft { (t.moderators_lead) }
            @for kennel in &offices {
                h3 { (kennel.label) }
                ul { @for key in &kennel.moderators { li { code { (key) } } } }
            }
        }
    };
    Ok(page(view, t.log_title, t.log_lead, "/moderation", main))
}

/// What was reported.
///
/// # Errors
/// A problem.
pub(crate) async fn queue(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let t = texts(view);
    let queue = view.queries.moderation_queue(None, view.request.parameter("cursor"), ENTRIES).await?;
    let main = html! {
        h1 { (t.queue_title) }
        p.lead { (t.queue_lead) }
        p { a href=(view.href("/moderation")) { (t.log_title) } }
        @if queue.entries.is_empty() { p { (t.queue_none) } } @else {
            ol.reported { @for entry in &queue.entries { (reported(view, entry)) } }
        }
        (parts::more(view, "/moderation/queue", queue.cursor.as_deref()))
    };
    Ok(page(view, t.queue_title, t.queue_lead, "/moderation/queue", main))
}

fn reported(view: &View<'_>, entry: &QueuedView) -> Markup {
    let t = texts(view);
    let reasons: Vec<String> =
        entry.reasons.iter().map(|(reason, count)| format!("{count} × {}", t.reason_of(reason))).collect();
    let kind = Some(entry.kind.as_str());
    html! {
        li id=(format!("e-{}", entry.event)) {
            p {
                a href=(place(view, kind, &entry.event)) { (t.kind(kind)) } ", "
                (t.reporters) ": " strong { (entry.reporters) } " (" (reasons.join(", ")) "), " (parts::time(view, entry.last_ms))
            }
            p.text.quote dir="auto" { (entry.text.as_deref().unwrap_or(t.no_text)) }
            // Shown by scripts to whoever holds a moderator's key.
            div.wishes data-verdicts data-event=(entry.event) data-kennel=(entry.kennel) hidden {
                button type="button" data-verdict="1" { (crate::icons::icon("hidden")) (t.hide) }
                button type="button" data-verdict="2" { (t.keep) }
            }
        }
    }
}

fn page(view: &View<'_>, title: &str, description: &str, path: &str, main: Markup) -> HttpResponse {
    let kind = "moderation";
    layout::page(view, &Page { title, description, kind, canonical: Some(path), main, ..Page::default() })
}
