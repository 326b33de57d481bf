//! Time by majority: what witnesses say travels through ingest and waits until the reaper takes it.

use ed25519_dalek::SigningKey;
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, EventId, KennelId, PublicKey};
use pitpet_chain::limits;
use pitpet_chain::mining::Statement;
use pitpet_pipeline::head::{Founding, read_founding, read_head};
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse};
use pitpet_pipeline::items;
use pitpet_pipeline::message::Message;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::{Consistency, Order, Query, Table as _};
use pitpet_pipeline::statements::{OfficesView, StatementView, SubmittedStatement};
use pitpet_simulator::town::{QUICK, RULES, found_with, genesis, id_of, key};
use pitpet_simulator::{Player, Town};
use serde_json::Value;

use super::query::read;

const THRESHOLD: u8 = 3;

/// The five witnesses' keys.
fn witness(number: u8) -> SigningKey {
    key(150 + number)
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// Founds a kennel with five witnesses in a town.
async fn found(town: &Town) -> Founding {
    let founding = Genesis {
        witnesses: (0..5).map(|number| public(&witness(number))).collect(),
        threshold: THRESHOLD,
        ..genesis(QUICK, 7)
    };
    found_with(town.table.as_ref(), "witnessed", &founding, &NativeHost, RULES).await.expect("a free label");
    read_founding(town.table.as_ref(), &founding.kennel()).await.expect("founded")
}

/// What a witness of another kennel of a town says of its head; a pet lives there.
pub(super) async fn spoken(town: &Town) -> SubmittedStatement {
    let founding = found(town).await;
    let head = || read_head(town.table.as_ref(), &founding, Consistency::Strong);
    let mut carl = Player::of(&founding, 3, town.clock.now_ms());
    let entries = vec![carl.birth("Ace", head().await.expect("a head").hash)];
    town.queue.take(&Message { version: 1, kennel: founding.kennel, entries }.write());
    town.mine_all(&town.miner()).await;
    SubmittedStatement::sign(&founding.kennel, &head().await.expect("a head").hash, &witness(0))
}

/// A town whose kennel has five witnesses, three of which must agree, and one living pet.
async fn witnessed() -> (Town, EventId) {
    let mut town = Town::found(QUICK).await;
    town.founding = found(&town).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    (town, pet)
}

async fn post(town: &Town, statement: &SubmittedStatement) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: "/v1/statements".to_owned(),
        content_type: Some("application/json".to_owned()),
        body: serde_json::to_vec(statement).expect("JSON"),
        ..HttpRequest::default()
    };
    http::ingest(&town.ingest(), &request).await
}

/// The witness says it of the present head.
async fn say(town: &Town, number: u8) -> StatementView {
    let head = town.head().await.hash;
    let response = post(town, &SubmittedStatement::sign(&town.kennel(), &head, &witness(number))).await;
    assert_eq!(response.status, 202, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).expect("the view")
}

async fn refusal(town: &Town, statement: &SubmittedStatement) -> (u16, String) {
    let response = post(town, statement).await;
    let problem: Value = serde_json::from_slice(&response.body).expect("a problem");
    let name = problem["type"].as_str().and_then(|name| name.strip_prefix("/problems/")).expect("a name");
    (response.status, name.to_owned())
}

async fn times(town: &Town) -> u64 {
    let report = town.reaper().reap().await.expect("the kennels can be listed");
    assert_eq!(report.failed, 0);
    report.times
}

/// What waits in the table for the kennel.
async fn waiting(town: &Town) -> usize {
    let query = Query {
        pk: items::statements_pk(&town.kennel()),
        from: "0".to_owned(),
        to: "g".to_owned(),
        order: Order::Ascending,
        limit: 1_000,
        consistency: Consistency::Strong,
    };
    town.table.query(&query).await.expect("readable").len()
}

#[tokio::test]
async fn three_honest_witnesses_make_time_pass() {
    let (town, _) = witnessed().await;
    town.clock.advance(QUICK.idle_ms);
    assert_eq!(times(&town).await, 0, "the house's clock alone decides nothing");
    assert_eq!(say(&town, 4).await.statements, 1);
    let again = say(&town, 4).await;
    assert_eq!((again.statements, again.threshold), (1, THRESHOLD), "saying it twice is saying it once");
    assert_eq!(say(&town, 0).await.statements, 2);
    assert_eq!(times(&town).await, 0, "two are no majority");
    assert_eq!(say(&town, 2).await.statements, 3);
    assert_eq!(times(&town).await, 1);
    town.mine_all(&town.miner()).await;
    let head = town.head().await;
    assert_eq!((head.height, head.summary.totals.age), (2, 2));
    // The event shows who said so.
    let block = town.queries().block("witnessed", 2).await.expect("mined");
    let event: pitpet_pipeline::api::EventView =
        read(&town.queries(), &format!("/v1/events/{}", block.events[0])).await;
    let bytes = event.place.expect("mined").event.expect("with its proof");
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, bytes).expect("base64");
    let Payload::Time { statements, .. } = SignedEvent::read(&bytes).expect("an event").event.payload else {
        panic!("a time event")
    };
    let who: Vec<u8> = statements.iter().map(|Statement { witness, .. }| *witness).collect();
    assert_eq!(who, [0, 2, 4]);
    // Over the next head nobody has spoken.
    town.clock.advance(QUICK.idle_ms);
    assert_eq!(times(&town).await, 0);
    let offices: OfficesView = read(&town.queries(), "/v1/kennels/witnessed/offices").await;
    assert_eq!((offices.witnesses.len(), offices.threshold, offices.statements.len()), (5, THRESHOLD, 0));
}

/// Two clocks that run ahead: they say it early, and time stands still until a third one does.
/// Two that lag: time passes without them.
#[tokio::test]
async fn two_wrong_clocks_of_five_change_nothing() {
    let (town, _) = witnessed().await;
    for off_ms in [[7_200_000_i64, 3_600_000, 0, 0, 0], [-7_200_000, 0, -3_600_000, 0, 0]] {
        let aged_ms = town.head().await.summary.totals.last_aging_ms;
        let age = town.head().await.summary.totals.age;
        let passed_ms = loop {
            town.clock.advance(600_000);
            let now_ms = town.clock.now_ms();
            for number in 0..5 {
                let clock_ms = now_ms.saturating_add_signed(off_ms[usize::from(number)]);
                if clock_ms >= aged_ms + QUICK.idle_ms {
                    say(&town, number).await;
                }
            }
            times(&town).await;
            town.mine_all(&town.miner()).await;
            if town.head().await.summary.totals.age > age {
                break now_ms - aged_ms;
            }
        };
        assert_eq!(passed_ms, QUICK.idle_ms, "neither early nor late");
    }
}

#[tokio::test]
async fn what_is_no_witnesss_word_is_refused_by_name() {
    let (town, _) = witnessed().await;
    town.clock.advance(QUICK.idle_ms);
    let (kennel, head) = (town.kennel(), town.head().await.hash);
    let good = SubmittedStatement::sign(&kennel, &head, &witness(0));
    let with = |change: &dyn Fn(&mut SubmittedStatement)| {
        let mut statement = good.clone();
        change(&mut statement);
        statement
    };
    let forged = (422, "bad-statement".to_owned());
    for (what, statement) in [
        ("of no witness", SubmittedStatement::sign(&kennel, &head, &key(9))),
        ("in another's name", with(&|of| of.witness = public(&witness(1)).to_string())),
        ("over another block", with(&|of| of.head = BlockHash([1; 32]).to_string())),
        ("of another kennel", {
            let mut other = SubmittedStatement::sign(&KennelId([1; 32]), &head, &witness(0));
            other.kennel = kennel.to_string();
            other
        }),
    ] {
        assert_eq!(refusal(&town, &statement).await, forged, "{what}");
    }
    let old = town.founding.genesis.kennel();
    let genesis_block = BlockHash(
        hex::decode(town.queries().block("witnessed", 0).await.expect("founded").hash)
            .expect("a hash")
            .try_into()
            .expect("32 bytes"),
    );
    let stale = SubmittedStatement::sign(&old, &genesis_block, &witness(0));
    assert_eq!(refusal(&town, &stale).await, (422, "wrong-parent".to_owned()));
    let elsewhere = SubmittedStatement::sign(&KennelId([1; 32]), &head, &witness(0));
    assert_eq!(refusal(&town, &elsewhere).await, (422, "wrong-kennel".to_owned()));
    for broken in [
        with(&|of| of.signature = "AA==".to_owned()),
        with(&|of| of.signature = "!".to_owned()),
        with(&|of| of.witness = "abc".to_owned()),
        with(&|of| of.kennel = String::new()),
    ] {
        assert_eq!(refusal(&town, &broken).await, (400, "bad-request".to_owned()), "{broken:?}");
    }
    assert_eq!(waiting(&town).await, 0, "nothing of it is kept");
    // A house that invents statements gains nothing: the rules check them.
    let invented = (0..3).map(|witness| Statement { witness, signature: [1; 64] }).collect();
    let mut house = Player { key: pitpet_simulator::town::house_key(), ..Player::new(&town, 1) };
    let entry = house.act(Payload::Time { parent: head, statements: invented });
    let id = id_of(&entry);
    town.send(vec![entry]);
    town.mine_all(&town.miner()).await;
    let view = town.queries().event(&id.to_string(), None, 0, pitpet_pipeline::query::WithProof::No).await;
    assert_eq!(view.expect("decided").reject.expect("refused").kind, "/problems/bad-statement");
}

/// However often it is said, at most one statement of each witness waits for a head.
#[tokio::test]
async fn what_waits_is_bounded() {
    let (town, _) = witnessed().await;
    for _ in 0..3 {
        for number in 0..5 {
            say(&town, number).await;
        }
    }
    assert_eq!(waiting(&town).await, 5);
    assert!(waiting(&town).await <= limits::WITNESSES_MAX);
    // The rules look at the block's time all the same: five early words hurry nothing.
    assert_eq!(times(&town).await, 0);
    town.clock.advance(QUICK.idle_ms - 1);
    assert_eq!(times(&town).await, 0);
    town.clock.advance(1);
    assert_eq!(times(&town).await, 1);
}

#[tokio::test]
async fn the_operator_appoints_other_witnesses() {
    let (town, _) = witnessed().await;
    let before = say(&town, 0).await;
    assert_eq!(before.statements, 1);
    let new: Vec<PublicKey> = (3..6).map(|number| public(&witness(number))).collect();
    let mut operator = Player { key: key(200), nonce: town.clock.now_ms() - 1, ..Player::new(&town, 1) };
    let appointed = operator.act(Payload::Appoint {
        operator: public(&key(200)),
        moderators: vec![],
        witnesses: new.clone(),
        threshold: 2,
    });
    town.send(vec![appointed]);
    town.mine_all(&town.miner()).await;
    let offices: OfficesView = read(&town.queries(), "/v1/kennels/witnessed/offices").await;
    assert_eq!(offices.witnesses, new.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!((offices.threshold, offices.statements.len()), (2, 0), "the head is another one");
    town.clock.advance(QUICK.idle_ms);
    let head = town.head().await.hash;
    let dismissed = SubmittedStatement::sign(&town.kennel(), &head, &witness(0));
    assert_eq!(refusal(&town, &dismissed).await, (422, "bad-statement".to_owned()));
    say(&town, 5).await;
    assert_eq!(times(&town).await, 0);
    say(&town, 3).await;
    assert_eq!(times(&town).await, 1);
    town.mine_all(&town.miner()).await;
    assert_eq!(town.head().await.height, 3);
}

/// Where nobody lives, no time passes, and nobody's word is kept.
#[tokio::test]
async fn nobody_speaks_of_an_empty_kennel() {
    let (town, _) = witnessed().await;
    for _ in 0..QUICK.ttl {
        town.clock.advance(QUICK.idle_ms);
        for number in 0..3 {
            say(&town, number).await;
        }
        assert_eq!(times(&town).await, 1);
        town.mine_all(&town.miner()).await;
    }
    let head = town.head().await;
    assert_eq!(head.summary.totals.living, 0);
    let idle = SubmittedStatement::sign(&town.kennel(), &head.hash, &witness(0));
    assert_eq!(refusal(&town, &idle).await, (422, "not-idle".to_owned()));
}
