//! Pages to try the scripts on, until the real ones are here.

use maud::{DOCTYPE, Markup, html};
use pitpet_pipeline::api::{EntryView, PetView};
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::query::Queries;

use crate::assets::asset;

pub(crate) fn shell(title: &str, page: &str, main: &Markup) -> HttpResponse {
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – PitPet" }
                script type="module" src=(asset("app.js")) {}
            }
            body data-page=(page) {
                header { nav { a href="/" { "PitPet" } " " a data-signed-out href="/join" { "Join" } " " a data-signed-out href="/signin" { "Sign in" } " " a data-signed-in hidden href="/me" { "Me" } } }
                main { (main) }
            }
        }
    };
    let mut response = HttpResponse::new(200, "text/html; charset=utf-8", html.into_string());
    response.headers.insert("content-security-policy", crate::PAGE_POLICY.to_owned());
    response.headers.insert("referrer-policy", "same-origin".to_owned());
    response.headers.insert("cross-origin-opener-policy", "same-origin".to_owned());
    response
}

fn actions(entry: &EntryView, pet: &PetView) -> Markup {
    html! {
        div.actions data-actions data-post=(entry.id) data-pet=(pet.birth) data-kennel=(pet.kennel) data-owner=(pet.owner) {
            button type="button" data-act="pat" disabled { "Pat " span data-count="pat" { "0" } }
            button type="button" data-act="share" disabled { "Share" }
            button type="button" data-act="comment" disabled { "Comment" }
        }
    }
}

pub(crate) async fn pet(queries: &Queries, birth: &str) -> Option<HttpResponse> {
    let pet = queries.pet(birth).await.ok()?;
    let entries = queries.timeline(birth, None, 30).await.ok()?.entries;
    let name = pet.name.clone().unwrap_or_default();
    Some(shell(
        &name,
        "pet",
        &html! {
            h1 { (name) }
            img src=(pet.photo_url) width="240" height="240" alt="";
            p { (pet.story.as_deref().unwrap_or("")) }
            p { (pet.remaining_words) }
            div.actions data-actions data-pet=(pet.birth) data-kennel=(pet.kennel) data-owner=(pet.owner) {
                button type="button" data-act="post" disabled { "Post" }
                button type="button" data-act="gift" disabled { "Gift" }
            }
            @for entry in &entries {
                article data-entry=(entry.kind) {
                    p { (entry.kind) ": " (entry.text.as_deref().unwrap_or("")) " " a href=(format!("/ledger/{}/{}", entry.kennel, entry.height)) { "block " (entry.height) } }
                    @if entry.kind == "post" { (actions(entry, &pet)) }
                }
            }
        },
    ))
}

pub(crate) async fn block(queries: &Queries, kennel: &str, height: &str) -> Option<HttpResponse> {
    let kennel = queries.kennel(kennel).await.ok()?;
    let block = queries.block(&kennel.id, height.parse().ok()?).await.ok()?;
    Some(shell(
        "Block",
        "block",
        &html! {
            h1 { "Block " (block.height) }
            p { code { (block.hash) } }
            button type="button" class="check" data-check data-kennel=(kennel.id) data-height=(block.height) { "check it yourself" }
            div.verdict role="status" {}
        },
    ))
}
