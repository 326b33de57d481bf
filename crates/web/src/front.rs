//! The front page: kennels, newest pets, what to try.

use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pitpet_chain::hash::sha256;
use pitpet_pipeline::api::{KennelView, PetView, Problem};
use pitpet_pipeline::query::Queries;

const STYLE: &str = include_str!("front.css");

/// Newest pets shown for each kennel.
const PETS: u32 = 12;

/// SHA-256 of the style sheet in base64, for the page's Content-Security-Policy.
pub(crate) fn style_hash() -> String {
    base64::engine::general_purpose::STANDARD.encode(sha256(STYLE.as_bytes()))
}

/// Renders the page.
///
/// # Errors
/// A problem if the kennels can't be read.
pub(crate) async fn page(queries: &Queries) -> Result<Markup, Problem> {
    let mut sections = Vec::new();
    for kennel in queries.kennels().await?.kennels {
        let founding = queries.founding(&kennel.id).await?;
        sections.push((kennel, queries.newest_pets(&founding, PETS).await?));
    }
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "PitPet" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "PitPet" }
                    p {
                        "A social network for pets. A pet lives while others care: posts, pats, shares, comments and gifts extend its life. "
                        "Every event is signed and stands on a ledger that anyone can check."
                    }
                }
                @for (kennel, pets) in &sections { (section(kennel, pets)) }
                (what_to_try())
            }
        }
    })
}

fn section(kennel: &KennelView, pets: &[PetView]) -> Markup {
    html! {
        section {
            h2 { (kennel.label) }
            p.quiet {
                (kennel.living) " living pets, " (kennel.free_places) " free places, age " (kennel.age)
                ", block " (kennel.height)
            }
            @if pets.is_empty() {
                p { "No pet yet. The first one could be yours." }
            } @else {
                ul.pets { @for pet in pets { (card(pet)) } }
            }
            details {
                summary { "Ledger" }
                dl {
                    dt { "Kennel" } dd { code { (kennel.id) } }
                    dt { "Head" } dd { code { (kennel.hash) } }
                    dt { "Checkpoint" } dd { a href=(format!("/v1/kennels/{}/checkpoint", kennel.label)) { "signed note" } }
                    dt { "Rules" } dd { a href=(format!("/v1/rules/{}.wasm", kennel.rules_hash)) { code { (kennel.rules_hash) } } }
                }
            }
        }
    }
}

fn card(pet: &PetView) -> Markup {
    let name = pet.name.as_deref().unwrap_or("(erased)");
    html! {
        li {
            a href=(format!("/v1/pets/{}", pet.birth)) { img src=(pet.photo_url) alt=(format!("Photo of {name}")) loading="lazy"; }
            div {
                strong { (name) }
                @if pet.phase == "living" {
                    meter min="0" max=(pet.ttl) value=(pet.remaining) { (pet.remaining) }
                    span.quiet { (pet.remaining_words) }
                } @else {
                    span.over { @match pet.phase.as_str() {
                        "dead" => "has died",
                        "ended" => "story ended",
                        _ => "keepsake",
                    } }
                }
                br;
                span.quiet { (pet.posts) " posts, " (pet.pats) " pats" }
            }
        }
    }
}

fn what_to_try() -> Markup {
    html! {
        section {
            h2 { "Try it" }
            p { "In a second terminal, in the folder where this server was started:" }
            pre {
                "cargo run --release -- demo\n"
                "cargo run --release -- account new me\n"
                "cargo run --release -- birth --name Mochi --story 'Found in a box.' --photo cat.jpg\n"
                "cargo run --release -- verify http://127.0.0.1:8080"
            }
            p {
                a href="/v1/kennels" { "Kennels" } " · " a href="/v1/feed" { "Feed" } " · "
                a href="/v1/openapi.json" { "API" }
            }
        }
    }
}
