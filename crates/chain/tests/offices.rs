//! Offices: who moderates, appoints and upgrades, and how one module hands over to the next.

mod support;

use pitpet_chain::block::{Block, Change};
use pitpet_chain::codec::decode;
use pitpet_chain::event::{Payload, Verdict};
use pitpet_chain::genesis::appointment_fault;
use pitpet_chain::hash::{EventId, PublicKey, RulesHash, sha256};
use pitpet_chain::kennel::{Fault, Kennel, Signatures};
use pitpet_chain::limits;
use pitpet_chain::reject::Reject;
use pitpet_chain::state::PendingUpgrade;
use support::{FREE, RULES, World, key, public};

const NEXT: RulesHash = RulesHash([9; 32]);

fn hide(target: EventId) -> Payload {
    Payload::Moderate { target, verdict: Verdict::Hide, body: sha256(b"reason") }
}

fn keys(names: &[&str]) -> Vec<PublicKey> {
    names.iter().map(|name| public(&key(name))).collect()
}

fn appoint(operator: &str, moderators: &[&str], witnesses: &[&str], threshold: u8) -> Payload {
    Payload::Appoint {
        operator: public(&key(operator)),
        moderators: keys(moderators),
        witnesses: keys(witnesses),
        threshold,
    }
}

#[test]
fn moderators_speak_and_change_no_treat() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    let post = world.post("owner", pet);
    let (totals, age) = (*world.kennel.state().totals(), world.age());
    world.done("moderator", hide(post));
    assert_eq!((*world.kennel.state().totals(), world.age()), (totals, age), "a verdict ages nothing");
    assert!(world.kennel.state().account(&support::account("moderator")).is_none(), "no account is needed");
    world.done(
        "moderator",
        Payload::Moderate { target: post, verdict: Verdict::Show, body: sha256(b"sorry") },
    );
    assert_eq!(world.act("operator", hide(post)), Err(Reject::NotModerator));
    assert_eq!(world.act("owner", hide(post)), Err(Reject::NotModerator));
    support::replays(&world);
}

/// A verdict takes effect once, though no account counts its nonces.
#[test]
fn verdicts_are_not_replayed() {
    let mut world = World::new(FREE);
    let event = world.event("moderator", hide(EventId([1; 32])));
    assert!(world.submit(&event).is_ok());
    assert_eq!(world.submit(&event), Err(Reject::StaleNonce));
    // A term later neither.
    world.done("operator", appoint("operator", &["moderator", "second"], &[], 0));
    assert_eq!(world.submit(&event), Err(Reject::StaleNonce));
    world.done("operator", appoint("operator", &["second"], &[], 0));
    assert_eq!(world.submit(&event), Err(Reject::NotModerator));
    world.done("operator", appoint("operator", &["moderator"], &[], 0));
    assert_eq!(world.submit(&event), Err(Reject::StaleNonce));
    world.done("moderator", hide(EventId([2; 32])));
}

/// Nonces of offices are times that have passed, so nobody can use up another's, or its own, for ever.
#[test]
fn an_office_cant_reach_ahead_of_the_clock() {
    let mut world = World::new(FREE);
    let mut event = world.draft(support::account("moderator"), &key("moderator"), hide(EventId([1; 32])));
    event.nonce = world.now_ms + 1;
    let event = world.sign(event, &key("moderator"));
    assert_eq!(world.submit(&event), Err(Reject::NonceRange));
}

#[test]
fn the_operator_hands_over() {
    let mut world = World::new(FREE);
    let receipt = world.act("operator", appoint("next", &["m1", "m2"], &["w0", "w1", "w2"], 2)).unwrap();
    let Change::Keys(now) = &receipt.changes[0] else { panic!("{receipt:?}") };
    assert_eq!(now.operator.key, public(&key("next")));
    assert_eq!(now.moderators.iter().map(|office| office.key).collect::<Vec<_>>(), keys(&["m1", "m2"]));
    assert_eq!((now.witnesses.clone(), now.threshold), (keys(&["w0", "w1", "w2"]), 2));
    assert_eq!(world.act("operator", appoint("operator", &[], &[], 0)), Err(Reject::NotOperator));
    assert_eq!(world.act("moderator", hide(EventId([1; 32]))), Err(Reject::NotModerator));
    world.done("m2", hide(EventId([1; 32])));
    world.done("next", appoint("operator", &[], &[], 0));
    support::replays(&world);
}

#[test]
fn appointments_are_bounded() {
    let nine: Vec<String> = (0..=limits::MODERATORS_MAX).map(|n| format!("m{n}")).collect();
    let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
    let ten: Vec<String> = (0..=limits::WITNESSES_MAX).map(|n| format!("w{n}")).collect();
    let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
    let mut world = World::new(FREE);
    let cases: [(&[&str], &[&str], u8, &str); 8] = [
        (&nine, &[], 0, "moderators"),
        (&["m", "m"], &[], 0, "moderators"),
        (&[], &ten, 6, "witnesses"),
        (&[], &["w", "w", "x"], 2, "witnesses"),
        (&[], &["w0", "w1"], 1, "threshold"),
        (&[], &["w0", "w1"], 3, "threshold"),
        (&[], &["w0"], 0, "threshold"),
        (&[], &[], 1, "threshold"),
    ];
    for (moderators, witnesses, threshold, field) in cases {
        assert_eq!(appointment_fault(&keys(moderators), &keys(witnesses), threshold), Some(field));
        let payload = appoint("operator", moderators, witnesses, threshold);
        assert_eq!(world.act("operator", payload), Err(Reject::KeysRange), "{field}");
    }
    world.done("operator", appoint("operator", &nine[1..], &ten[1..], 5));
}

#[test]
fn upgrades_are_decided_ahead_and_can_be_withdrawn() {
    let mut world = World::new(FREE);
    world.born("owner");
    let upgrade = |at_height| Payload::Upgrade { rules_hash: NEXT, at_height };
    let pending = |world: &World| world.kennel.head().summary.upgrade;
    assert_eq!(world.act("owner", upgrade(9)), Err(Reject::NotOperator));
    for past in [0, 1, 2] {
        assert_eq!(world.act("operator", upgrade(past)), Err(Reject::PastHeight), "the next block is 2");
    }
    world.done("operator", upgrade(9));
    assert_eq!(pending(&world), Some(PendingUpgrade { rules_hash: NEXT, at_height: 9 }));
    world.done("operator", upgrade(7));
    assert_eq!(pending(&world), Some(PendingUpgrade { rules_hash: NEXT, at_height: 7 }));
    world.done("operator", Payload::Upgrade { rules_hash: RULES, at_height: 7 });
    assert_eq!(pending(&world), None);
    world.pass(10);
    support::replays(&world);
}

/// The old module stops right before the height; the new one goes on from its snapshot, from there
/// only, and nobody else's.
#[test]
fn one_module_hands_over_to_the_next() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    world.done("operator", Payload::Upgrade { rules_hash: NEXT, at_height: 5 });
    world.pass(1);
    let early = world.kennel.snapshot();
    assert_eq!(Kennel::open(early, NEXT).map(|_| ()), Err(Fault::Upgrade), "too early");
    world.pass(1);
    assert_eq!(world.kennel.header().height, 4);
    let nonce = world.event("owner", support::post(pet));
    let event = pitpet_chain::codec::Bytes(nonce);
    let mut old = world.kennel.clone();
    let before = old.snapshot();
    assert_eq!(old.apply(world.now_ms, &[vec![event.clone()]]).map(|_| ()), Err(Fault::Upgrade));
    assert_eq!(old.snapshot(), before, "the old module decides nothing more");
    assert_eq!(Kennel::open(before.clone(), RulesHash([8; 32])).map(|_| ()), Err(Fault::Upgrade));
    let mut next = Kennel::open(before.clone(), NEXT).unwrap();
    assert_eq!(next.state().keys().upgrade, None);
    let outcome = next.apply(world.now_ms, &[vec![event]]).unwrap();
    let made = outcome.block.unwrap();
    let block: Block = decode(&made.bytes.0).unwrap();
    assert_eq!((block.header.rules_hash, block.header.height), (NEXT, 5));
    assert_eq!(made.head.summary.upgrade, None);
    // The old one refuses the new one's block, a second replica of the new one takes it.
    assert_eq!(old.replay(&made.bytes.0, Signatures::Checked).map(|_| ()), Err(Fault::Link));
    let mut replica = Kennel::open(before, NEXT).unwrap();
    assert_eq!(replica.replay(&made.bytes.0, Signatures::Checked), Ok(made));
    // Its own snapshot is the new module's from now on.
    assert_eq!(Kennel::open(next.snapshot(), RULES).map(|_| ()), Err(Fault::Upgrade));
    assert_eq!(Kennel::open(next.snapshot(), NEXT).unwrap().head(), next.head());
}
