//! Mining in a page: what it is, where it pays, and the place in which a script does it.
//!
//! Read without scripts it explains itself; who is signed in gets a button.

use maud::html;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::HttpResponse;

use crate::layout::{self, Page};
use crate::texts::mine::texts;
use crate::view::View;

/// Renders it.
///
/// # Errors
/// A problem.
pub(crate) async fn page(view: &View<'_>) -> Result<HttpResponse, Problem> {
    let (t, m) = (view.t, texts(view.lang));
    let kennels = view.queries.kennels().await?.kennels;
    let main = html! {
        h1 { (m.title) }
        p.lead { (m.lead) }
        section {
            h2 #where { (m.places) }
            @if kennels.is_empty() { p { (t.ledger_empty) } } @else {
                div.scroll.tight tabindex="0" role="region" aria-labelledby="where" {
                    table {
                        thead { tr { th scope="col" { (m.place) } th.num.less scope="col" { (t.age) } th scope="col" { (m.found) } th.num scope="col" { (m.tries) } th scope="col" { (m.reward) } } }
                        tbody {
                            @for kennel in &kennels {
                                tr {
                                    th scope="row" { a href=(view.href(format!("/ledger/{}", kennel.label))) { (kennel.label) } }
                                    td.num.less { ((t.digits)(kennel.age)) }
                                    td { (if kennel.mining.sealed { m.is_found } else { m.is_open }) }
                                    td.num { ((t.digits)(kennel.mining.difficulty)) }
                                    td { ((t.treats)(kennel.parameters.seal_reward)) }
                                }
                            }
                        }
                    }
                }
            }
        }
        noscript { p { (m.no_script) } }
        section data-signed-out hidden {
            p { (m.signed_out) }
            p.row { a.button href=(view.href("/join")) { (t.nav_join) } a.button.quiet href=(view.href("/signin")) { (t.nav_signin) } }
        }
        section #miner hidden aria-labelledby="miner-title" {
            h2 #miner-title { (m.here) }
            form #mine {
                p.field {
                    label for="mine-where" { (m.place) }
                    select #mine-where { @for kennel in &kennels { option value=(kennel.label) { (kennel.label) } } }
                }
                p { button #mine-start type="submit" { (m.start) } " " button.quiet #mine-stop type="button" disabled { (m.stop) } }
            }
            dl.facts {
                div { dt { (m.rate) } dd #mine-rate { "–" } }
                div { dt { (m.tried) } dd #mine-tried { "0" } }
                div { dt { (m.earned) } dd #mine-earned { "0" } }
                div { dt { (m.lost) } dd #mine-lost { "0" } }
            }
            p #mine-status role="status" { (m.idle) }
            ul #mine-log {}
            p.small.soft { (m.battery) }
        }
        section {
            h2 { (m.how) }
            ul { @for line in m.lines { li { (line) } } }
            pre { code { "pitpet mine --url " (view.base()) } }
        }
    };
    Ok(layout::page(
        view,
        &Page {
            title: m.title,
            description: m.lead,
            kind: "mine",
            canonical: Some("/mine"),
            main,
            ..Page::default()
        },
    ))
}
