//! Changes of rules as the door, the replicas and the checker see them; the modules themselves are
//! tested where there is an engine, in `functions/miner/tests/upgrades.rs`.

use pitpet_chain::codec::Bytes;
use pitpet_chain::event::Payload;
use pitpet_chain::hash::RulesHash;
use pitpet_pipeline::fsck::{Fsck, Mode, Note, Summary};
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse};
use pitpet_pipeline::items;
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::mine::MinerSettings;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::Objects as _;
use pitpet_pipeline::query::{OrderFilter, Ranking};
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::upgrade::Operator;
use pitpet_simulator::town::{EACH, QUICK, RULES, at_once, id_of, key, submitted};
use pitpet_simulator::{Faults, Player, Town};

const NEXT: RulesHash = RulesHash([0x22; 32]);

fn decision(town: &Town, rules: RulesHash, at_height: u64) -> Entry {
    let key = key(200);
    let operator = Operator { key: &key, kennel: town.kennel(), genesis: &town.founding.genesis };
    Entry { event: Bytes(operator.upgrade(rules, at_height, town.clock.now_ms())), body: None }
}

async fn post(town: &Town, entry: &Entry) -> serde_json::Value {
    let body = serde_json::json!({ "events": [submitted(entry)] });
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: "/v1/events".to_owned(),
        content_type: Some("application/json".to_owned()),
        body: serde_json::to_vec(&body).expect("JSON"),
        ..HttpRequest::default()
    };
    let response = http::ingest(&town.ingest(), &request).await;
    serde_json::from_slice(&response.body).expect("JSON")
}

#[tokio::test]
async fn a_decision_for_a_module_that_nobody_stored_is_refused_at_the_door() {
    let town = Town::found(QUICK).await;
    let refused = post(&town, &decision(&town, NEXT, 9)).await.to_string();
    assert!(refused.contains("unknown-rules") && refused.contains(&NEXT.to_string()), "{refused}");
    assert!(town.queue.is_empty());
    // Today's own rules are no change; they take one back.
    post(&town, &decision(&town, RULES, 9)).await;
    assert_eq!(town.queue.len(), 1);
    town.objects.put(&items::rules_object(&NEXT), vec![1]).await.expect("stored");
    town.clock.advance(1);
    post(&town, &decision(&town, NEXT, 9)).await;
    assert_eq!(town.queue.len(), 2);
}

/// A kennel that other rules decide from block 3 on, with a pet that was born before.
async fn changed() -> (Town, pitpet_chain::hash::EventId) {
    let town = Town::found(QUICK).await;
    let miner = town.miner();
    let mut owner = Player::new(&town, 1);
    let birth = owner.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth, decision(&town, NEXT, 3)]);
    town.mine_all(&miner).await;
    for text in ["One.", "Two.", "Three."] {
        town.clock.advance(1_000);
        town.send(vec![owner.post(pet, text)]);
        town.mine_all(&miner).await;
    }
    assert_eq!(town.head().await.header.rules_hash, NEXT);
    (town, pet)
}

async fn proof(queries: &pitpet_pipeline::query::Queries, pet: pitpet_chain::hash::EventId) -> HttpResponse {
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: format!("/v1/pets/{pet}/proof"),
        ..HttpRequest::default()
    };
    http::query(queries, &request).await.expect("a route")
}

#[tokio::test]
async fn a_replica_answers_only_by_the_rules_that_decide_the_kennel() {
    let (town, pet) = changed().await;
    // Both rules are at hand.
    let both = town.queries().with_rules(NEXT, Some(std::sync::Arc::new(NativeHost)));
    assert_eq!(proof(&both, pet).await.status, 200);
    // Native code is of one of them only, and guesses nothing about the other.
    for native in [RULES, NEXT] {
        let queries = town.queries().with_rules(native, None);
        let refused = proof(&queries, pet).await;
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert_eq!(refused.status, 503, "{text}");
        assert!(text.contains("rules-unavailable"), "{text}");
        // Who is alive is told by the blocks.
        let alive = queries.ranked(Ranking::Alive, 0, 10).await.expect("an answer");
        assert_eq!(alive.iter().map(|ranked| &ranked.pet.birth).collect::<Vec<_>>(), [&pet.to_string()]);
        assert!(queries.block("first", 4).await.is_ok());
    }
}

/// Open orders as a service tells them that has just started and can't run the kennel's rules.
async fn open_orders(town: &Town) -> Vec<(String, u64)> {
    let queries = town.queries().with_rules(RULES, None);
    let filter = OrderFilter { kennel: Some("first"), ..OrderFilter::default() };
    let view = queries.market(&filter, None, 50).await.expect("an answer");
    view.orders.into_iter().map(|order| (order.id, order.price)).collect()
}

#[tokio::test]
async fn what_is_alive_and_on_offer_is_listed_across_a_change_of_rules() {
    // From the beginning on; from a snapshot of the rules before; from one of the rules since.
    for snapshot_every in [1_000, 2, 1] {
        let town = Town::found(QUICK).await;
        let miner = town.miner_with(&Faults::none(), MinerSettings { snapshot_every, ..at_once() });
        let mut owner = Player::new(&town, 1);
        let until_ms = town.clock.now_ms() + 3_600_000;
        let birth = owner.birth("Kitty", town.head().await.hash);
        let pet = id_of(&birth);
        let offer =
            |owner: &mut Player, price| owner.act(Payload::Offer { pet: pet.into(), price, until_ms });
        let before = offer(&mut owner, 7);
        town.send(vec![birth, before.clone(), decision(&town, NEXT, 3)]);
        town.mine_all(&miner).await;
        for text in ["One.", "Two."] {
            town.clock.advance(1_000);
            town.send(vec![owner.post(pet, text)]);
            town.mine_all(&miner).await;
        }
        assert_eq!(town.head().await.header.rules_hash, NEXT);
        assert_eq!(open_orders(&town).await, [(id_of(&before).to_string(), 7)]);
        let cancel = owner.act(Payload::Cancel { order: id_of(&before) });
        let since = offer(&mut owner, 9);
        town.clock.advance(1_000);
        town.send(vec![cancel, since.clone()]);
        town.mine_all(&miner).await;
        assert_eq!(open_orders(&town).await, [(id_of(&since).to_string(), 9)], "every {snapshot_every}");
        let queries = town.queries().with_rules(RULES, None);
        let alive = queries.ranked(Ranking::Alive, 0, 10).await.expect("an answer");
        assert_eq!(alive.len(), 1, "every {snapshot_every}");
    }
}

async fn fsck(town: &Town, rules: Vec<RulesHash>) -> (Summary, Vec<String>) {
    let fsck = Fsck {
        table: town.table.clone(),
        objects: Some(town.objects.as_ref()),
        modules: &NativeHost,
        rules,
        mode: Mode::Check,
        search_words_max: WORDS_MAX,
        window: EACH,
    };
    let mut faults = Vec::new();
    let mut observer = |note: Note<'_>| {
        if let Note::Fault(fault) = note {
            faults.push(fault.to_string());
        }
    };
    let summary = fsck.run(None, &mut observer).await.expect("the stores in memory answer");
    (summary, faults)
}

#[tokio::test]
async fn a_checker_runs_every_block_by_its_own_rules_and_misses_a_module_that_is_gone() {
    let (town, _) = changed().await;
    let (summary, faults) = fsck(&town, vec![RULES, NEXT]).await;
    // The pets' photos were never uploaded here.
    assert!(faults.iter().all(|fault| fault.contains("media/")), "{faults:?}");
    assert_eq!((summary.executed, summary.unchecked.len()), (town.head().await.height + 1, 0));
    // Rules that it isn't told of it doesn't run, and says so; and their module should be stored.
    let (summary, faults) = fsck(&town, vec![RULES]).await;
    assert_eq!(summary.executed, 3);
    assert!(summary.unchecked.iter().any(|why| why.contains(&NEXT.to_string())), "{:?}", summary.unchecked);
    let module = items::rules_object(&NEXT);
    assert!(faults.iter().any(|fault| fault.contains(&module) && fault.contains("lost")), "{faults:?}");
}
