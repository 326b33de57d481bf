//! Reads over HTTP: that each is served, what isn't there, pages, and proofs at many sizes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::codec::decode;
use pitpet_chain::event::Payload;
use pitpet_chain::hash::{EventId, sha256};
use pitpet_chain::proof::{EventProof, LogProof, StateProof};
use pitpet_chain::request::Wish;
use pitpet_chain::state::StateKey;
use pitpet_pipeline::api::{BlocksView, EntriesView, EventView, EventsView, KennelView, Problem, ProofView};
use pitpet_pipeline::checkpoint::{self, Claim};
use pitpet_pipeline::http::{self, Answer, HttpRequest, HttpResponse};
use pitpet_pipeline::items;
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::ports::Objects as _;
use pitpet_pipeline::query::{Queries, Ranking};
use pitpet_simulator::town::{QUICK, RULES, id_of};
use pitpet_simulator::{Player, Town};
use serde::de::DeserializeOwned;

use super::moderation::ask;

pub(super) async fn get(queries: &Queries, target: &str) -> HttpResponse {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..HttpRequest::default()
    };
    http::query(queries, &request).await.unwrap_or_else(|| panic!("{target} is no path of the API"))
}

pub(super) async fn read<T: DeserializeOwned>(queries: &Queries, target: &str) -> T {
    let response = get(queries, target).await;
    assert_eq!(response.status, 200, "{target}: {}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).expect("the view")
}

/// One pet with posts, a block each.
async fn with_posts(count: u64) -> (Town, Vec<EventId>) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let miner = town.miner();
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    let mut ids = vec![pet];
    town.send(vec![birth]);
    town.mine_all(&miner).await;
    for number in 0..count {
        town.clock.advance(1_000);
        let post = anna.post(pet, &format!("Nap {number}."));
        ids.push(id_of(&post));
        town.send(vec![post]);
        town.mine_all(&miner).await;
    }
    (town, ids)
}

/// A town with one of everything that a path can name, and what to put for a path's parameters.
async fn with_one_of_everything() -> (Town, BTreeMap<&'static str, String>) {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let miner = town.miner();
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    let post = anna.post(pet, "A nap.");
    let until_ms = town.clock.now_ms() + 3_600_000;
    let offer = anna.act(Payload::Offer { pet: pet.into(), price: 1, until_ms });
    let (post_id, order) = (id_of(&post), id_of(&offer));
    for entry in [birth, post, offer] {
        town.send(vec![entry]);
        assert_eq!(town.mine_once(&miner).await.accepted, 1);
    }
    let name = anna.request(Wish::Name { name: "anna".to_owned() }, town.clock.now_ms() + 60_000);
    assert_eq!(ask(&town.ingest(), "/v1/accounts", &name).await.status, 201);
    // The birth names its photo by its hash; here only the beginning tells what it is.
    let photo = sha256(b"Kitty");
    for (key, content) in
        [(items::photo_object(&photo), b"\xff\xd8\xff\xe0"), (items::rules_object(&RULES), b"\0asm")]
    {
        town.objects.put(&key, content.to_vec()).await.expect("a good key");
    }
    let named = BTreeMap::from([
        ("account", "anna".to_owned()),
        ("birth", pet.to_string()),
        ("file", format!("{RULES}.wasm")),
        ("from", "0".to_owned()),
        ("height", "1".to_owned()),
        ("id", post_id.to_string()),
        ("kennel", "first".to_owned()),
        ("order", order.to_string()),
        ("sha256", hex::encode(photo)),
    ]);
    (town, named)
}

/// The handlers are another list than the routes, of which the document is made.
#[tokio::test]
async fn every_read_that_is_documented_is_served() {
    let (town, named) = with_one_of_everything().await;
    let queries = town.queries();
    let reads: Vec<&http::Route> = http::ROUTES.iter().filter(|route| route.method == "GET").collect();
    assert!(reads.iter().any(|route| route.path == "/v1/market/{order}"), "{reads:?}");
    for route in reads {
        let mut parts = Vec::new();
        for part in route.path.split('/') {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            let value =
                |name: &str| named.get(name).unwrap_or_else(|| panic!("{}: what is {name}?", route.path));
            parts.push(name.map_or(part, |name| value(name).as_str()));
        }
        let target = parts.join("/");
        let response = get(&queries, &target).await;
        // Nothing is missing, so that a path without a handler is all that an answer could complain of.
        let (status, answer) = route.answer;
        let media_type = match answer {
            Answer::Json(_) => "application/json",
            Answer::Other(media_type) => media_type,
        };
        let found = (response.status, response.headers["content-type"].as_str());
        assert_eq!(found, (status, media_type), "{target}: {}", String::from_utf8_lossy(&response.body));
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (town, ids) = with_posts(1).await;
    let (pet, post) = (ids[0], ids[1]);
    let queries = town.queries();
    let none = "ab".repeat(32);
    for (target, status, name, field) in [
        (format!("/v1/events/{none}"), 404, "unknown-event", "id"),
        ("/v1/events/short".to_owned(), 400, "bad-request", "id"),
        (format!("/v1/events/{none}?wait_ms=soon"), 400, "bad-request", "wait_ms"),
        (format!("/v1/events/{none}?proof=maybe"), 400, "bad-request", "proof"),
        ("/v1/kennels/nowhere".to_owned(), 404, "not-found", "kennel"),
        (format!("/v1/kennels/{none}"), 404, "not-found", "kennel"),
        (format!("/v1/kennels/{none}/blocks/1"), 404, "not-found", "kennel"),
        ("/v1/kennels/first/blocks/99".to_owned(), 404, "not-found", "height"),
        ("/v1/kennels/first/blocks/x".to_owned(), 400, "bad-request", "height"),
        ("/v1/kennels/first/blocks?cursor=x".to_owned(), 400, "bad-request", "cursor"),
        ("/v1/kennels/first/blocks?limit=0".to_owned(), 400, "bad-request", "limit"),
        ("/v1/kennels/first/blocks?limit=101".to_owned(), 400, "bad-request", "limit"),
        (format!("/v1/pets/{none}"), 404, "not-found", "birth"),
        (format!("/v1/pets/{}", none.to_uppercase()), 400, "bad-request", "birth"),
        (format!("/v1/pets/{none}/events"), 404, "not-found", "birth"),
        (format!("/v1/pets/{none}/proof"), 404, "not-found", "birth"),
        ("/v1/accounts/nobody".to_owned(), 404, "not-found", "account"),
        (format!("/v1/feed?cursor={}", "a".repeat(129)), 400, "bad-request", "cursor"),
        ("/v1/feed?cursor=abc".to_owned(), 400, "bad-request", "cursor"),
        ("/v1/feed?kennel=first&cursor=1".to_owned(), 400, "bad-request", "cursor"),
        (format!("/v1/pets/{pet}/events?cursor=abc"), 400, "bad-request", "cursor"),
        (format!("/v1/events/{post}/visits?cursor=E%230"), 400, "bad-request", "cursor"),
        ("/v1/market/trades?cursor=abc".to_owned(), 400, "bad-request", "cursor"),
        ("/v1/moderation/log?cursor=abc".to_owned(), 400, "bad-request", "cursor"),
        ("/v1/moderation/queue?cursor=abc".to_owned(), 400, "bad-request", "cursor"),
        ("/v1/kennels/first?wait_ms=soon".to_owned(), 400, "bad-request", "wait_ms"),
        ("/v1/kennels/first?above=0&wait_ms=-1".to_owned(), 400, "bad-request", "wait_ms"),
        ("/v1/kennels/first?above=0&wait_ms=1.5".to_owned(), 400, "bad-request", "wait_ms"),
        ("/v1/feed?kennel=nowhere".to_owned(), 404, "not-found", "kennel"),
        (format!("/v1/rules/{none}.wasm"), 404, "not-found", "key"),
        (format!("/media/{none}"), 404, "not-found", "key"),
        ("/v1/nothing".to_owned(), 404, "not-found", "path"),
    ] {
        let response = get(&queries, &target).await;
        let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
        let found = (response.status, problem.kind.as_str(), problem.field.as_deref().unwrap_or_default());
        assert_eq!(found, (status, format!("/problems/{name}").as_str(), field), "{target}");
    }
    assert_eq!(get(&queries, "/healthz").await.status, 200);
    assert_eq!(get(&queries, "/v1/openapi.json").await.status, 200);
}

#[tokio::test]
async fn with_a_living_pet_comes_its_newest_post_while_that_can_be_patted() {
    let (town, ids) = with_posts(2).await;
    let queries = town.queries();
    let post_of = async |queries: &Queries| {
        let ranked = queries.ranked(Ranking::Ending, 0, 10).await.expect("it runs");
        let kitty = ranked.into_iter().find(|ranked| ranked.pet.birth == ids[0].to_string());
        kitty.expect("it lives").post.map(|post| (post.id, post.pats))
    };
    assert_eq!(post_of(&queries).await, Some((ids[2], 0)));
    let mut ben = Player::new(&town, 2);
    let miner = town.miner();
    for (post, pats) in [(ids[2], 1), (ids[1], 1)] {
        town.clock.advance(1_000);
        town.send(vec![ben.pat(post)]);
        town.mine_all(&miner).await;
        assert_eq!(post_of(&queries).await, Some((ids[2], pats)), "a pat of the older one is none of it");
    }
    // A service that has just started knows the same.
    assert_eq!(post_of(&town.queries()).await, Some((ids[2], 1)));
    // A post is open for as many ages as a life has, though its pet lives on by later ones.
    for number in 0..QUICK.ttl {
        town.clock.advance(1_000);
        town.send(vec![ben.comment(ids[2], &format!("Still here, {number}."))]);
        town.mine_all(&miner).await;
    }
    assert_eq!(post_of(&queries).await.map(|(id, _)| id), Some(ids[2]));
    town.clock.advance(1_000);
    let birth = Player::new(&town, 3).birth("Other", town.head().await.hash);
    town.send(vec![birth]);
    town.mine_all(&miner).await;
    assert_eq!(post_of(&queries).await, None);
}

/// All entries behind a target, page by page.
async fn pages(queries: &Queries, target: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    for _ in 0..100 {
        let page: EntriesView = read(queries, &format!("{target}limit={limit}{cursor}")).await;
        assert!(page.entries.len() <= limit);
        ids.extend(page.entries.into_iter().map(|entry| entry.id));
        match page.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("{target}: the pages don't end");
}

#[tokio::test]
async fn pages_give_everything_once_and_newest_first() {
    let (town, mut ids) = with_posts(10).await;
    let pet = ids[0].to_string();
    ids.reverse();
    let newest_first: Vec<String> = ids.iter().map(EventId::to_string).collect();
    let queries = town.queries();
    for limit in [1, 3, 10, 11, 12, 100] {
        for target in
            ["/v1/feed?".to_owned(), "/v1/feed?kennel=first&".to_owned(), format!("/v1/pets/{pet}/events?")]
        {
            assert_eq!(pages(&queries, &target, limit).await, newest_first, "{target} by {limit}");
        }
    }
    let (mut heights, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: BlocksView = read(&queries, &format!("/v1/kennels/first/blocks?limit=4{cursor}")).await;
        heights.extend(page.blocks.iter().map(|block| block.height));
        match page.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(heights, (0..=11).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn the_feed_goes_back_over_quiet_weeks() {
    let (town, ids) = with_posts(2).await;
    // The pet dies of neglect, and months later somebody else has one.
    let mut bert = Player::new(&town, 2);
    for _ in 0..QUICK.ttl {
        town.clock.advance(QUICK.idle_ms);
        town.reaper().reap().await.expect("it runs");
        town.mine_all(&town.miner()).await;
    }
    town.clock.advance(100 * 86_400_000);
    bert.expires_ms = town.clock.now_ms() + 1_000;
    let rex = bert.birth("Rex", town.head().await.hash);
    town.send(vec![rex.clone()]);
    town.mine_all(&town.miner()).await;
    let mut expected = vec![id_of(&rex).to_string()];
    expected.extend(ids.iter().rev().map(EventId::to_string));
    let queries = town.queries();
    for limit in [1, 2, 30] {
        assert_eq!(pages(&queries, "/v1/feed?", limit).await, expected, "by {limit}");
    }
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

/// Checks the end of a proof: log and checkpoint; gives the checkpoint's claim.
fn check_log(town: &Town, proof: &ProofView, header: &pitpet_chain::block::Header) -> Claim {
    let log: LogProof = decode(&bytes(&proof.log_proof)).expect("a proof");
    let claim = checkpoint::check(&proof.checkpoint, &town.kennel(), &town.founding.genesis.checkpoint)
        .expect("a good checkpoint");
    assert_eq!((log.size, log.height), (claim.size, header.height));
    assert!(log.check(&claim.root, &header.hash()), "height {} of {}", header.height, claim.size);
    claim
}

#[tokio::test]
async fn every_event_is_proven_at_every_size() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let miner = town.miner();
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    let mut ids = vec![pet];
    town.send(vec![birth]);
    town.mine_all(&miner).await;
    let queries = town.queries();
    for size in 2..20_u64 {
        for id in &ids {
            let view: EventView = read(&queries, &format!("/v1/events/{id}")).await;
            let proof = view.place.expect("a place").proof.expect("a proof");
            let event: EventProof = decode(&bytes(&proof.proof)).expect("a proof");
            let (header, signed, _) = event.check(&town.kennel()).expect("it is in its block");
            assert_eq!(signed.id, *id);
            assert_eq!(check_log(&town, &proof, &header).size, size);
        }
        let post = anna.post(pet, "A nap.");
        ids.push(id_of(&post));
        town.send(vec![post]);
        town.mine_all(&miner).await;
    }
}

#[tokio::test]
async fn a_pet_is_proven_present_or_absent() {
    let (town, ids) = with_posts(3).await;
    let queries = town.queries();
    let nobody = EventId(sha256(b"nobody"));
    for (id, is_there) in [(ids[0], true), (nobody, false), (ids[1], false)] {
        let proof: ProofView = read(&queries, &format!("/v1/pets/{id}/proof?kennel=first")).await;
        let state: StateProof = decode(&bytes(&proof.proof)).expect("a proof");
        let (header, key) = state.check(&town.kennel()).expect("a sound proof");
        assert_eq!(key, StateKey::Pet(id.into()));
        assert_eq!(state.record.is_some(), is_there);
        assert_eq!(check_log(&town, &proof, &header).size, 5);
        let mut lie = state.clone();
        lie.record = if is_there { None } else { Some(pitpet_chain::codec::Bytes(vec![1])) };
        assert!(lie.check(&town.kennel()).is_err());
    }
    let here: ProofView = read(&queries, &format!("/v1/pets/{}/proof", ids[0])).await;
    assert!(!here.proof.is_empty());
}

#[tokio::test]
async fn a_long_poll_sees_what_is_mined_meanwhile() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let before = town.clock.now_ms();
    let target = format!("/v1/events/{}?wait_ms=500", id_of(&birth));
    assert_eq!(get(&town.queries(), &target).await.status, 404);
    let waited = town.clock.now_ms() - before;
    assert_eq!(waited, 500, "as long as was asked for");
    let target = format!("/v1/events/{}?wait_ms=999999", id_of(&birth));
    assert_eq!(get(&town.queries(), &target).await.status, 404);
    let waited = town.clock.now_ms() - before;
    assert_eq!(waited, 1_500, "and no longer than is allowed");
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    assert_eq!(get(&town.queries(), &target).await.status, 200);
}

/// A follower is answered at once where there is more, and else when there is, or when its time is up.
#[tokio::test]
async fn a_kennel_is_followed() {
    let (town, _) = with_posts(1).await;
    let queries = town.queries();
    let began_ms = town.clock.now_ms();
    let at_once: KennelView = read(&queries, "/v1/kennels/first?above=1&wait_ms=1000").await;
    assert_eq!((at_once.published_height, town.clock.now_ms()), (2, began_ms));
    let waited: KennelView = read(&queries, "/v1/kennels/first?above=2&wait_ms=400").await;
    assert_eq!((waited.published_height, town.clock.now_ms()), (2, began_ms + 400), "as long as asked");
    let longest: KennelView = read(&queries, "/v1/kennels/first?above=2&wait_ms=999999").await;
    assert_eq!((longest.height, town.clock.now_ms()), (2, began_ms + 1_400), "and no longer than allowed");
    let now: KennelView = read(&queries, "/v1/kennels/first?above=99").await;
    assert_eq!((now.height, town.clock.now_ms()), (2, began_ms + 1_400), "not at all, unless asked");
    for wrong in ["above=x", "above=-1", "above=1&wait_ms=long"] {
        assert_eq!(get(&queries, &format!("/v1/kennels/first?{wrong}")).await.status, 400, "{wrong}");
    }
}

/// They are picked out of the pet's timeline, where they stand among others: over more than one read of it.
#[tokio::test]
async fn visits_are_those_of_the_post_alone() {
    const VISITORS: u8 = 8;
    let (town, ids) = with_posts(2).await;
    let (quiet, busy) = (ids[1], ids[2]);
    let miner = town.miner();
    let queries = town.queries();
    let target = |post: &EventId, rest: &str| format!("/v1/events/{post}/visits?{rest}");
    let none: EntriesView = read(&queries, &target(&quiet, "")).await;
    assert!(none.entries.is_empty() && none.cursor.is_none());
    let mut expected = Vec::new();
    for seed in 0..VISITORS {
        let mut visitor = Player::new(&town, 10 + seed);
        let pat = visitor.pat(quiet);
        expected.insert(0, id_of(&pat).to_string());
        let comments = (0..14).map(|number| visitor.comment(busy, &format!("Comment {number} of {seed}.")));
        let comments: Vec<_> = comments.collect();
        let message = [comments, vec![pat]].concat();
        town.send(message);
        town.mine_all(&miner).await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..VISITORS {
        let page: EntriesView = read(&queries, &target(&quiet, &format!("limit=3{cursor}"))).await;
        assert!(page.entries.len() <= 3);
        found.extend(page.entries.into_iter().map(|entry| entry.id));
        match page.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let all: EntriesView = read(&queries, &target(&busy, "limit=100")).await;
    assert_eq!(all.entries.len(), 100);
    assert!(all.entries.iter().all(|entry| entry.kind == "comment"));
    let rest = format!("limit=100&cursor={}", all.cursor.expect("12 more"));
    let rest: EntriesView = read(&queries, &target(&busy, &rest)).await;
    assert_eq!((rest.entries.len(), rest.cursor), (12, None));
}

#[tokio::test]
async fn what_became_of_several_events_is_asked_at_once() {
    let (town, ids) = with_posts(2).await;
    let mut anna = Player::new(&town, 1);
    let again = anna.post(ids[0], "With a nonce that was used.");
    town.send(vec![again.clone()]);
    town.mine_all(&town.miner()).await;
    let queries = town.queries();
    let listed = |ids: &[EventId]| ids.iter().map(EventId::to_string).collect::<Vec<_>>().join(",");
    let none = EventId([7; 32]);
    let asked = [ids[0], id_of(&again), none, ids[2], ids[2]];
    let found: EventsView = read(&queries, &format!("/v1/events?ids={}", listed(&asked))).await;
    let mut known: Vec<_> =
        found.events.iter().map(|event| (event.id.as_str(), event.status.as_str())).collect();
    known.sort_unstable();
    let [birth, again, post] = [ids[0], id_of(&again), ids[2]].map(|id| id.to_string());
    let mut expected = [(birth.as_str(), "mined"), (again.as_str(), "rejected"), (post.as_str(), "mined")];
    expected.sort_unstable();
    assert_eq!(known, expected);
    assert_eq!(found.unknown, [none.to_string()]);
    // Each says what it says when it is asked for alone.
    for event in found.events {
        let alone: EventView = read(&queries, &format!("/v1/events/{}?proof=false", event.id)).await;
        assert_eq!(event, alone);
    }
    let many: Vec<EventId> = (0..26).map(|n| EventId([n; 32])).collect();
    for (target, field) in [(listed(&many), "ids"), ("short".to_owned(), "ids")] {
        let answer = get(&queries, &format!("/v1/events?ids={target}")).await;
        let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
        assert_eq!((answer.status, problem.field.as_deref()), (400, Some(field)));
    }
}

#[tokio::test]
async fn what_an_account_did_is_found_newest_first() {
    let (town, ids) = with_posts(1).await;
    let miner = town.miner();
    let mut visitor = Player::new(&town, 10);
    let mine = async |entry: &Entry| {
        town.send(vec![entry.clone()]);
        assert_eq!(town.mine_once(&miner).await.accepted, 1);
    };
    let comment = visitor.comment(ids[1], "Well said.");
    mine(&comment).await;
    // More blocks than one page looks through.
    for seed in 11..=150 {
        let mut other = Player::new(&town, seed);
        let birth = other.birth("Another", town.head().await.hash);
        mine(&birth).await;
        mine(&other.post(id_of(&birth), "Here, too.")).await;
    }
    let own = visitor.birth("Own", town.head().await.hash);
    mine(&own).await;
    let expected = [id_of(&own).to_string(), id_of(&comment).to_string()];
    let queries = town.queries();
    let account = visitor.account().to_string();
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = queries.activity("first", &account, cursor.as_deref()).await.expect("it runs");
        found.extend(page.entries.into_iter().map(|entry| entry.id));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}
