//! The life of an event from the queue to its proof, and who wins when two miners meet.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::codec::decode;
use pitpet_chain::limits::{BLOCK_EVENTS_MAX, MESSAGE_EVENTS_MAX};
use pitpet_chain::proof::{EventProof, LogProof};
use pitpet_chain::reject::Reject;
use pitpet_pipeline::checkpoint;
use pitpet_pipeline::items;
use pitpet_pipeline::message::Message;
use pitpet_pipeline::mine::ReceivedMessage;
use pitpet_pipeline::ports::{Table as _, Value};
use pitpet_pipeline::query::WithProof;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::Operation;
use pitpet_simulator::town::{QUICK, at_once, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

#[tokio::test]
async fn a_birth_becomes_a_receipt_with_a_proof() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let id = id_of(&birth);
    let queries = town.queries();
    assert_eq!(queries.event(&id.to_string(), None, 0, WithProof::Yes).await.unwrap_err().status, 404);

    town.send(vec![birth.clone()]);
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.blocks, report.accepted, report.rejected, report.failed.len()), (1, 1, 0, 0));
    let view = queries.event(&id.to_string(), None, 0, WithProof::Yes).await.expect("it is mined");
    assert_eq!((view.status.as_str(), view.body_state.as_str()), ("mined", "present"));
    assert_eq!(
        view.body.as_deref(),
        birth.body.as_ref().map(|body| STANDARD.encode(&body.body.0)).as_deref()
    );
    let proof = view.place.expect("a place").proof.expect("a proof");
    let bytes = |text: &str| STANDARD.decode(text).expect("base64");
    let event: EventProof = decode(&bytes(&proof.proof)).expect("a proof");
    let log: LogProof = decode(&bytes(&proof.log_proof)).expect("a proof");
    let key = &town.founding.genesis.checkpoint;
    let claim = checkpoint::check(&proof.checkpoint, &town.kennel(), key).expect("a good checkpoint");
    let (header, signed, receipt) = event.check(&town.kennel()).expect("the event is in its block");
    assert_eq!((signed.id, receipt.event), (id, id));
    assert_eq!(claim.size, log.size);
    assert!(log.check(&claim.root, &header.hash()), "the block is in the log");
    audit(&town.table, &town.founding, Published::Whole).await;
}

#[tokio::test]
async fn a_batch_over_the_limits_becomes_several_blocks() {
    let town = Town::found(QUICK).await;
    let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
    let birth = anna.birth("Kitty", town.head().await.hash);
    let post = anna.post(id_of(&birth), "A nap.");
    let post_id = id_of(&post);
    town.send(vec![birth, post]);
    town.mine_all(&town.miner()).await;
    // More messages than one receive gives, each pat by another account.
    let mut batch = Vec::new();
    for message in 0..30_u8 {
        let entries = (0..MESSAGE_EVENTS_MAX)
            .map(|event| {
                let mut seed = [message; 32];
                seed[1] = 0xee;
                seed[0] = u8::try_from(event).expect("at most 25");
                bert.key = ed25519_dalek::SigningKey::from_bytes(&seed);
                bert.pat(post_id)
            })
            .collect();
        let message = Message { version: 1, kennel: town.kennel(), entries }.write();
        batch.push(ReceivedMessage { id: message.deduplication.clone(), message });
    }
    let report = town.miner().mine(batch).await;
    assert_eq!((report.accepted, report.rejected, report.failed.len()), (750, 0, 0));
    assert!(report.blocks >= 2, "{report:?}");
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    for height in 2..=found.head.height {
        let events = found.events.iter().filter(|(at, _)| *at == height).count();
        assert!(events <= BLOCK_EVENTS_MAX);
        assert_eq!(events % MESSAGE_EVENTS_MAX, 0, "no message is split");
    }
}

#[tokio::test]
async fn a_redelivered_message_changes_nothing_but_a_missing_body() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let id = id_of(&birth);
    let message = town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    let before = town.table.all();
    town.table.delete(&items::body(&id)).await.unwrap();

    // Over five minutes later, past deduplication.
    town.clock.advance(400_000);
    town.queue.take(&message);
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.blocks, report.rejected, report.failed.len()), (0, 1, 0));
    assert_eq!(town.table.all(), before, "no reject, and the body is back");
}

#[tokio::test]
async fn rejects_alone_make_no_block_and_leave_no_text() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let orphan = anna.post(pitpet_chain::hash::EventId([9; 32]), "Nobody's.");
    let id = id_of(&orphan);
    town.send(vec![orphan]);
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.blocks, report.rejected), (0, 1));
    assert_eq!(town.head().await.height, 0);
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!(found.rejects[&id], u64::from(Reject::UnknownPet.number()));
    let view = town.queries().event(&id.to_string(), None, 0, WithProof::Yes).await.expect("it is known");
    assert_eq!((view.status.as_str(), view.body), ("rejected", None));
}

#[tokio::test]
async fn a_receipt_wins_over_an_earlier_reject() {
    let town = Town::found(QUICK).await;
    let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
    let birth = anna.birth("Kitty", town.head().await.hash);
    let post = anna.post(id_of(&birth), "A nap.");
    let pat = bert.pat(id_of(&post));
    let early = town.send(vec![pat.clone()]);
    town.mine_all(&town.miner()).await;
    let status = async || {
        town.queries().event(&id_of(&pat).to_string(), None, 0, WithProof::No).await.expect("known").status
    };
    assert_eq!(status().await, "rejected");
    town.send(vec![birth, post]);
    town.clock.advance(400_000);
    town.queue.take(&early);
    town.mine_all(&town.miner()).await;
    assert_eq!(status().await, "mined");
}

/// A rival mines the next message while the first miner is about to write.
async fn rival_at(write: u64) -> (Town, pitpet_pipeline::mine::MineReport, Vec<pitpet_chain::hash::EventId>) {
    let town = Arc::new(Town::found(QUICK).await);
    let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
    let genesis = town.head().await.hash;
    let (kitty, rex) = (anna.birth("Kitty", genesis), bert.birth("Rex", genesis));
    let ids = vec![id_of(&kitty), id_of(&rex)];
    town.send(vec![kitty]);
    town.send(vec![rex]);
    let batch = town.queue.receive(10);
    let rivals = batch[1].received.clone();
    let (other, mut done) = (town.clone(), false);
    let faults = Faults::new(move |call| {
        if !call.is_write() || call.writes != write || done {
            return None;
        }
        done = true;
        let (other, rivals) = (other.clone(), rivals.clone());
        Some(Fault::Meanwhile(Box::pin(async move {
            other.clock.advance(1);
            let report = other.miner().mine(vec![rivals]).await;
            assert_eq!(report.blocks, 1);
        })))
    });
    let report = {
        let miner = town.miner_with(&faults, at_once());
        miner.mine(batch.iter().map(|delivery| delivery.received.clone()).collect()).await
    };
    drop(faults);
    (Arc::into_inner(town).expect("the plan is gone"), report, ids)
}

#[tokio::test]
async fn a_lost_head_write_means_decide_again() {
    // Write 0 stages the block, write 1 is the head.
    for write in [0, 1] {
        let (town, report, ids) = rival_at(write).await;
        assert_eq!((report.lost, report.blocks, report.failed.len()), (1, 1, 0), "{report:?}");
        let found = audit(&town.table, &town.founding, Published::Whole).await;
        assert_eq!(found.head.height, 2);
        assert!(ids.iter().all(|id| found.has(id)));
        assert!(found.rejects.is_empty(), "the rival's event has a receipt");
        let staged = town.table.all().keys().filter(|key| key.sk.starts_with("B#")).count();
        assert_eq!(staged, found.blocks.len(), "the block that lost is not left staged");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up() {
    for fault in [|| Fault::AnswerLost, || Fault::RequestLost, || Fault::Conflict] {
        let town = Town::found(QUICK).await;
        let mut anna = Player::new(&town, 1);
        town.send(vec![anna.birth("Kitty", town.head().await.hash)]);
        let mut once = true;
        let faults = Faults::new(move |call| {
            let is_head = call.operation == Operation::Update && call.key.ends_with("HEAD");
            (is_head && std::mem::take(&mut once)).then(fault)
        });
        let report = town.mine_once(&town.miner_with(&faults, at_once())).await;
        assert_eq!((report.blocks, report.accepted, report.failed.len()), (1, 1, 0), "{report:?}");
        let found = audit(&town.table, &town.founding, Published::Whole).await;
        assert_eq!(found.head.height, 1);
    }
}

#[tokio::test]
async fn an_unknown_outcome_that_can_t_be_looked_up_is_redelivered() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    town.send(vec![anna.birth("Kitty", town.head().await.hash)]);
    let faults = Faults::at_write(1, || Fault::CrashAfter);
    let report = town.mine_once(&town.miner_with(&faults, at_once())).await;
    assert_eq!((report.blocks, report.failed.len()), (0, 1));
    town.mine_all(&town.miner()).await;
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!((found.events.len(), found.rejects.len()), (1, 0));
}

#[tokio::test]
async fn two_miners_alternate_on_one_kennel() {
    let town = Town::found(QUICK).await;
    let miners = [town.miner(), town.miner()];
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth]);
    town.mine_once(&miners[0]).await;
    for round in 0..12 {
        town.clock.advance(1_000);
        town.send(vec![anna.post(pet, &format!("Nap {round}."))]);
        let report = town.mine_once(&miners[[1, 0, 0, 1][round % 4]]).await;
        assert_eq!((report.accepted, report.lost), (1, 0), "round {round}");
    }
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert_eq!(found.head.height, 13);
}

#[tokio::test]
async fn one_group_s_failure_is_not_another_s() {
    let town = Town::found(QUICK).await;
    let other = town.found_another("second", QUICK, 2).await;
    let mut anna = Player::new(&town, 1);
    let mut carl = Player::of(&other, 3, town.clock.now_ms());
    let birth = anna.birth("Kitty", town.head().await.hash);
    let pet = id_of(&birth);
    town.send(vec![birth]);
    town.send(vec![anna.post(pet, "A nap.")]);
    let head = pitpet_pipeline::head::read_head(
        town.table.as_ref(),
        &other,
        pitpet_pipeline::ports::Consistency::Strong,
    )
    .await
    .unwrap();
    let entries = vec![carl.birth("Rex", head.hash)];
    let message = Message { version: 1, kennel: other.kennel, entries };
    town.queue.take(&message.write());
    let kennel = town.kennel().to_string();
    let faults = Faults::new(move |call| call.key.contains(&kennel).then_some(Fault::RequestLost));
    let batch = town.queue.receive(10);
    let miner = town.miner_with(&faults, at_once());
    let report = miner.mine(batch.iter().map(|delivery| delivery.received.clone()).collect()).await;
    let failed: Vec<&String> = report.failed.iter().collect();
    assert_eq!(failed, [&batch[0].received.id, &batch[1].received.id]);
    assert_eq!(report.blocks, 1);
    audit(&town.table, &other, Published::Whole).await;
}

#[tokio::test]
async fn a_head_that_nobody_signed_is_refused() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    town.send(vec![anna.birth("Kitty", town.head().await.hash)]);
    let key = items::head(&town.kennel());
    let sound = town.table.all()[&key].clone();
    let damages: [(&str, Value); 4] = [
        (
            "checkpoint",
            Value::Text(checkpoint::sign(
                &town.kennel(),
                checkpoint::Claim { size: 1, root: town.head().await.checkpoint_root },
                &pitpet_simulator::town::key(77),
            )),
        ),
        ("checkpoint_root", Value::Bytes(vec![0; 32])),
        ("height", Value::Number(1)),
        ("hash", Value::Bytes(vec![0; 32])),
    ];
    for (name, value) in damages {
        let mut damaged = sound.clone();
        damaged.insert(name.to_owned(), value);
        town.table.overwrite(key.clone(), damaged.clone());
        let report = town.mine_once(&town.miner()).await;
        assert_eq!((report.failed.len(), report.blocks, report.buried), (1, 0, 0), "{name}");
        assert_eq!(town.table.all()[&key], damaged, "nothing was written over {name}");
        assert_eq!(town.queries().kennel("first").await.unwrap_err().status, 503, "{name}");
    }
    town.table.overwrite(key, sound);
    town.mine_all(&town.miner()).await;
    assert_eq!(town.head().await.height, 1);
}

#[tokio::test]
async fn a_miner_whose_clock_is_behind_mines_at_the_parent_s_time() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    town.clock.set(town.head().await.header.timestamp_ms - 120_000);
    town.send(vec![anna.birth("Kitty", town.head().await.hash)]);
    town.mine_all(&town.miner()).await;
    let head = town.head().await;
    assert_eq!((head.height, head.header.timestamp_ms), (1, town.founding.genesis.created_ms));
}
