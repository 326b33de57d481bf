//! API Gateway's events (payload format 2.0) in; its responses out.

use pitpet_simulator::town::{QUICK, id_of};
use pitpet_simulator::{Player, Town};
use serde_json::{Value, json};

async fn get(town: &Town, path: &str, query: Value) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("events/apigw-v2.json")).expect("a recorded event");
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    if !query.is_null() {
        event["queryStringParameters"] = query;
    }
    let event = serde_json::from_value(event).expect("an event");
    serde_json::to_value(pitpet_query::handle(&town.queries(), event).await).expect("JSON")
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().expect("text")).expect("JSON")
}

async fn town() -> (Town, String) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let id = id_of(&birth).to_string();
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    (town, id)
}

#[tokio::test]
async fn a_mined_event_is_served_with_its_proof() {
    let (town, id) = town().await;
    let response = get(&town, &format!("/v1/events/{id}"), json!({ "wait_ms": "100" })).await;
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["headers"]["content-type"], "application/json");
    assert_eq!(response["headers"]["cache-control"], "no-store");
    let view = body(&response);
    assert_eq!((&view["status"], &view["id"]), (&json!("mined"), &json!(id)));
    assert!(
        view["place"]["proof"]["checkpoint"]
            .as_str()
            .expect("a note")
            .starts_with(&town.kennel().to_string())
    );
    let without = get(&town, &format!("/v1/events/{id}"), json!({ "proof": "false" })).await;
    assert!(body(&without)["place"].get("proof").is_none());
}

#[tokio::test]
async fn what_is_missing_is_a_problem_document() {
    let (town, _) = town().await;
    let response = get(&town, &format!("/v1/pets/{}", "0".repeat(64)), Value::Null).await;
    assert_eq!(response["statusCode"], 404);
    assert_eq!(response["headers"]["content-type"], "application/problem+json");
    assert_eq!(body(&response)["type"], "/problems/not-found");
}

#[tokio::test]
async fn the_front_page_is_html() {
    let (town, _) = town().await;
    let response = get(&town, "/", Value::Null).await;
    assert_eq!(response["statusCode"], 200);
    assert!(response["headers"]["content-type"].as_str().expect("text").starts_with("text/html"));
    assert!(response["body"].as_str().expect("text").contains("Kitty"));
}

#[tokio::test]
async fn bytes_go_out_in_base64() {
    let (town, _) = town().await;
    let manifest = body(&get(&town, "/v1/kennels/first/export", Value::Null).await);
    assert!(manifest.is_object());
    let response = get(&town, "/v1/kennels/first/export/0", Value::Null).await;
    assert_eq!((&response["statusCode"], &response["isBase64Encoded"]), (&json!(200), &json!(true)));
}

fn places(response: &Value) -> Vec<String> {
    assert_eq!(response["statusCode"], 200, "{response}");
    assert_eq!(response["headers"]["content-type"], "application/xml");
    let text = response["body"].as_str().expect("text");
    let places = text.split("<loc>").skip(1).map(|rest| rest.split_once("</loc>").expect("an end").0);
    places.map(|place| format!("/{}", place.splitn(4, '/').nth(3).expect("a path"))).collect()
}

#[tokio::test]
async fn the_sitemap_leads_to_every_living_pet_and_to_what_was_posted() {
    let town = Town::found(QUICK).await;
    let anchor = town.head().await.hash;
    let (mut births, mut posts) = (Vec::new(), Vec::new());
    for seed in 1..=130 {
        let mut player = Player::new(&town, seed);
        let birth = player.birth("Kitty", anchor);
        posts.push(player.post(id_of(&birth), "A nap."));
        births.push(birth);
    }
    let mut wanted: Vec<String> = births.iter().map(|birth| format!("/pet/{}", id_of(birth))).collect();
    // Of the first ones, whose pets need not live to be found.
    wanted.extend(posts.iter().take(3).map(|post| format!("/post/{}", id_of(post))));
    for entries in births.chunks(10).map(<[_]>::to_vec).chain([posts[..3].to_vec()]) {
        town.clock.advance(1_000);
        town.send(entries);
        town.mine_all(&town.miner()).await;
    }
    let robots = get(&town, "/robots.txt", Value::Null).await;
    assert!(robots["body"].as_str().expect("text").contains("/sitemap.xml"));
    let mut found = Vec::new();
    let maps = places(&get(&town, "/sitemap.xml", Value::Null).await);
    for map in &maps {
        found.extend(places(&get(&town, map, Value::Null).await));
    }
    for place in &wanted {
        assert!(found.contains(place), "{place} is in none of {maps:?}");
    }
    for page in ["/", "/market", "/ledger/first"] {
        assert!(found.contains(&page.to_owned()), "{page}");
    }
    let pets = places(&get(&town, "/sitemap/first/pets.xml", Value::Null).await);
    assert_eq!((pets.len(), wanted.iter().filter(|place| pets.contains(place)).count()), (130, 130));
    for missing in ["/sitemap/nowhere/pets.xml", "/sitemap/first/cats.xml", "/sitemap/first/99999999.xml"] {
        assert_eq!(get(&town, missing, Value::Null).await["statusCode"], 404, "{missing}");
    }
    assert!(places(&get(&town, "/sitemap/first/0.xml", Value::Null).await).is_empty());
}
