//! Two crashes in a row; `matrix.rs` has every single one.

use pitpet_chain::event::Payload;
use pitpet_chain::hash::EventId;
use pitpet_chain::reject::Reject;
use pitpet_pipeline::mine::MinerSettings;
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::town::{QUICK, at_once, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

/// A snapshot at each block, so that its writes are among those that fail.
fn settings() -> MinerSettings {
    MinerSettings { snapshot_every: 1, ..at_once() }
}

struct Scene {
    town: Town,
    good: Vec<EventId>,
    bad: EventId,
}

/// Two pets and a post are there; a batch of three messages is in the queue.
async fn scene() -> Scene {
    let town = Town::found(QUICK).await;
    let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
    let genesis = town.head().await.hash;
    let (kitty, rex) = (anna.birth("Kitty", genesis), bert.birth("Rex", genesis));
    let nap = anna.post(id_of(&kitty), "A nap.");
    let nap_id = id_of(&nap);
    town.send(vec![kitty.clone(), rex.clone(), nap]);
    town.mine_all(&town.miner()).await;

    let comment = bert.comment(nap_id, "Lazy!");
    let own_pat = anna.pat(nap_id);
    let walk = bert.post(id_of(&rex), "A walk.");
    let (pat, share) = (bert.pat(nap_id), bert.act(Payload::Share { post: nap_id }));
    let again = anna.post(id_of(&kitty), "Another nap.");
    let good = [&comment, &walk, &pat, &share, &again].map(id_of).to_vec();
    let bad = id_of(&own_pat);
    town.send(vec![comment, own_pat]);
    town.send(vec![walk, pat]);
    town.send(vec![share, again]);
    Scene { town, good, bad }
}

async fn check(scene: &Scene, what: &str) {
    // Past the time in which the reaper leaves a head to its miner.
    scene.town.clock.advance(6_000);
    scene.town.reaper().reap().await.expect("the reaper runs");
    let found = audit(&scene.town.table, &scene.town.founding, Published::Whole).await;
    for event in &scene.good {
        assert!(found.has(event), "{what}: event {event} is lost");
    }
    assert_eq!(found.events.len(), 3 + scene.good.len(), "{what}");
    let own_pat = u64::from(Reject::OwnPet.number());
    assert_eq!(found.rejects.get(&scene.bad), Some(&own_pat), "{what}: the reject is recorded");
    assert_eq!(found.rejects.len(), 1, "{what}");
    assert!(scene.town.queue.dead().is_empty(), "{what}: nothing is poisoned");
}

#[tokio::test]
async fn a_crash_of_the_second_miner_loses_nothing_either() {
    let counted = Faults::none();
    let calm = scene().await;
    calm.town.mine_all(&calm.town.miner_with(&counted, settings())).await;
    let writes = counted.writes();
    for first in (0..writes).step_by(3) {
        for second in (0..writes).step_by(4) {
            let scene = scene().await;
            let town = &scene.town;
            for write in [first, second] {
                let faults = Faults::at_write(write, || Fault::CrashAfter);
                let batch = town.queue.receive(10);
                let miner = town.miner_with(&faults, settings());
                let messages = batch.iter().map(|delivery| delivery.received.clone()).collect();
                let report = miner.mine(messages).await;
                match faults.is_dead() {
                    true => town.queue.give_back(&batch),
                    false => town.queue.settle(&batch, &report),
                }
                town.clock.advance(1_000);
            }
            town.mine_all(&town.miner()).await;
            check(&scene, &format!("writes {first} and {second}")).await;
        }
    }
}
