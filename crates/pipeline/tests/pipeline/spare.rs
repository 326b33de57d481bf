//! A message that two miners hold: one rejects its event by a late clock and acks it, the other
//! accepts it by an early one and dies before it has stored the body. The body survives.

use std::sync::Arc;
use std::time::Duration;

use pitpet_chain::event::Verdict;
use pitpet_chain::hash::EventId;
use pitpet_pipeline::items;
use pitpet_pipeline::mine::ReceivedMessage;
use pitpet_pipeline::ports::{OutgoingMessage, Table as _};
use pitpet_pipeline::query::WithProof;
use pitpet_simulator::faults::{Call, Operation};
use pitpet_simulator::town::{MODERATOR_SEED, QUICK, at_once, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

/// Longer than any event of a player is valid, ms.
const LATE_MS: u64 = Duration::from_hours(25).as_millis() as u64;

/// As long as the reaper leaves a head to its miner, and a little more, ms.
const REAPED_MS: u64 = 16 * 60 * 1_000;

struct Scene {
    town: Arc<Town>,
    message: OutgoingMessage,
    birth: EventId,
}

/// A birth is in the queue; nothing is mined.
async fn scene() -> Scene {
    let town = Arc::new(Town::found(QUICK).await);
    let birth = Player::new(&town, 1).birth("Kitty", town.head().await.hash);
    let id = id_of(&birth);
    let message = town.send(vec![birth]);
    Scene { town, message, birth: id }
}

/// The other miner, by its own clock: it commits, and dies before anything else is written.
async fn accept_and_die(town: &Town, message: OutgoingMessage, clock_ms: u64) {
    let before_ms = town.clock.now_ms();
    town.clock.set(clock_ms);
    let faults = Faults::new(|call| (call.operation == Operation::Publish).then_some(Fault::CrashBefore));
    let received = ReceivedMessage { id: "the other's".to_owned(), message };
    town.miner_with(&faults, at_once()).mine(vec![received]).await;
    assert!(faults.is_dead());
    town.clock.set(before_ms);
    assert_eq!(town.head().await.height, 1, "the event is committed");
}

/// Mines with a late clock; at the first call that `when` picks, the other miner accepts the
/// event, and then the reaper publishes if `is_published`.
async fn reject_while_the_other_accepts(
    scene: &Scene,
    is_published: bool,
    when: impl Fn(&Call) -> bool + Send + 'static,
) {
    let town = scene.town.clone();
    town.clock.advance(LATE_MS);
    let mut other = Some((town.clone(), scene.message.clone()));
    let faults = Faults::new(move |call| {
        if !when(call) {
            return None;
        }
        let (town, message) = other.take()?;
        Some(Fault::Meanwhile(Box::pin(async move {
            accept_and_die(&town, message, town.clock.now_ms() - LATE_MS).await;
            if is_published {
                town.clock.advance(REAPED_MS);
                assert_eq!(town.reaper().reap().await.expect("it runs").published, 1);
            }
        })))
    });
    let report = town.mine_once(&town.miner_with(&faults, at_once())).await;
    // None failed: the message is acked, and what it held is gone.
    assert_eq!((report.blocks, report.rejected, report.failed.len()), (0, 1, 0));
}

/// All runs on; the body must be there, though a reject stands beside the receipt.
async fn check(scene: &Scene) {
    let town = &scene.town;
    town.clock.advance(REAPED_MS);
    town.reaper().reap().await.expect("it runs");
    let queries = town.queries();
    let view = queries.event(&scene.birth.to_string(), None, 0, WithProof::No).await.expect("it is mined");
    assert_eq!((view.status.as_str(), view.body_state.as_str()), ("mined", "present"));
}

/// Whether a miner looks for the event among what is published.
fn is_place(call: &Call) -> bool {
    call.operation == Operation::Read && call.key.starts_with("E#")
}

#[tokio::test]
async fn the_body_of_an_event_rejected_before_it_was_accepted_is_stored_by_whoever_goes_on() {
    let scene = scene().await;
    let town = &scene.town;
    town.clock.advance(LATE_MS);
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.blocks, report.rejected, report.failed.len()), (0, 1, 0));
    accept_and_die(town, scene.message.clone(), town.clock.now_ms() - LATE_MS).await;
    check(&scene).await;
}

#[tokio::test]
async fn the_body_is_stored_by_its_miner_if_the_event_was_accepted_meanwhile() {
    let scene = scene().await;
    reject_while_the_other_accepts(&scene, false, is_place).await;
    check(&scene).await;
}

#[tokio::test]
async fn the_body_is_stored_by_its_miner_if_the_event_was_published_meanwhile() {
    let scene = scene().await;
    // After the miner has looked for the event's place, and before it keeps the body.
    reject_while_the_other_accepts(&scene, true, |call| call.key.ends_with(" REJECT")).await;
    check(&scene).await;
}

#[tokio::test]
async fn the_reason_of_a_verdict_survives_a_clock_that_is_behind() {
    let town = Arc::new(Town::found(QUICK).await);
    // The nonces of an office are times: a miner whose clock is behind takes it for one of the future.
    town.clock.advance(3_600_000);
    let now_ms = town.clock.now_ms();
    let mut moderator = Player::of(&town.founding, MODERATOR_SEED, now_ms);
    let verdict = moderator.verdict(EventId([1; 32]), Verdict::Hide, "It is rude.", now_ms);
    let id = id_of(&verdict);
    let message = town.send(vec![verdict]);
    town.clock.set(now_ms - 600_000);
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.blocks, report.rejected, report.failed.len()), (0, 1, 0));
    accept_and_die(&town, message.clone(), now_ms).await;
    town.clock.set(now_ms);
    check(&Scene { town, message, birth: id }).await;
}

#[tokio::test]
async fn an_event_that_nobody_can_accept_leaves_no_text() {
    let scene = scene().await;
    let town = &scene.town;
    let batch = town.queue.receive(10);
    let mut message = scene.message.clone();
    town.queue.delete(&batch[0].receipt);
    // The same event under a signature that is none.
    message.body = with_broken_signature(&message.body);
    let received = ReceivedMessage { id: "forged".to_owned(), message };
    let report = town.miner().mine(vec![received]).await;
    assert_eq!((report.rejected, report.failed.len()), (1, 0));
    for key in [items::body(&scene.birth), items::spare_body(&scene.birth)] {
        let found = town.table.get(&key, pitpet_pipeline::ports::Consistency::Strong).await;
        assert_eq!(found.expect("it answers"), None);
    }
}

/// Flips the last bit of the only event's signature.
fn with_broken_signature(body: &str) -> String {
    let mut message = pitpet_pipeline::message::Message::read(body).expect("a message");
    *message.entries[0].event.0.last_mut().expect("not empty") ^= 1;
    message.write().body
}
