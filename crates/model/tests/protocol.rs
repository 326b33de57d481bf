//! The protocol holds in every order of steps within small bounds, and breaks without its guards.

use pitpet_model::{
    EVENT_ENDS, Event, Guard, ONE_HISTORY, Protocol, READ_SIDE_RISES, RECEIPT_IS_FINAL, REPLAY_IS_APPLY,
    Sight,
};
use stateright::{Checker as _, HasDiscoveries, Model as _};

/// Threads of a check.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(4))
}

/// Checks every state, and that what must be seen was seen.
#[track_caller]
fn holds(name: &str, protocol: Protocol) {
    let checker = protocol.checker().threads(threads()).spawn_bfs().join();
    println!("{name}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

/// Checks that the protocol breaks this invariant without this guard.
#[track_caller]
fn breaks(protocol: Protocol, guard: Guard, invariant: &'static str) {
    let checker = protocol
        .without(guard)
        .checker()
        .finish_when(HasDiscoveries::AnyOf([invariant].into()))
        .threads(threads())
        .spawn_bfs()
        .join();
    let found = checker.discovery(invariant);
    let others: Vec<_> = checker.discoveries().into_keys().collect();
    let found = found.unwrap_or_else(|| panic!("without {guard:?} {invariant} does not break: {others:?}"));
    println!("without {guard:?}: {invariant} breaks after {} steps", found.into_actions().len());
}

/// Crashes, unknown outcomes and messages handed out twice.
fn commits() -> Protocol {
    Protocol { crashes: 1, unknowns: 1, redeliveries: 1, ..Protocol::small() }
}

/// Publishing that fails, and the reaper.
fn publishing() -> Protocol {
    Protocol { crashes: 1, redeliveries: 1, failures: 1, reaps: 1, ..Protocol::small() }
}

/// Snapshots cut short.
fn snapshots() -> Protocol {
    Protocol { crashes: 1, redeliveries: 1, snapshots: true, ..Protocol::small() }
}

/// A message on which the module traps, between two of which one needs the other.
fn poison() -> Protocol {
    Protocol {
        events: vec![Event::Plain, Event::Poison, Event::Needs(0)],
        messages: vec![0b001, 0b010, 0b100],
        crashes: 1,
        redeliveries: 1,
        ..Protocol::small()
    }
}

#[test]
fn commits_hold() {
    use Sight::{LateCommit, Lost, RejectBesideReceipt, Takeover};
    holds("commits", Protocol { sights: vec![Lost, LateCommit, Takeover, RejectBesideReceipt], ..commits() });
}

#[test]
fn miners_that_make_the_same_block_hold() {
    holds("same block", Protocol { same_clock: true, sights: vec![Sight::Takeover], ..commits() });
}

#[test]
fn publishing_and_sweeping_hold() {
    use Sight::{Lost, Swept, Takeover};
    holds("publishing", Protocol { sights: vec![Lost, Takeover, Swept], ..publishing() });
}

#[test]
fn snapshots_hold() {
    holds("snapshots", Protocol { sights: vec![Sight::Reopened], ..snapshots() });
}

#[test]
fn poison_holds() {
    holds("poison", Protocol { sights: vec![Sight::Buried], ..poison() });
}

#[test]
fn no_condition_on_the_head() {
    breaks(commits(), Guard::HeadCondition, ONE_HISTORY);
}

#[test]
fn ack_before_commit() {
    breaks(commits(), Guard::AckLast, EVENT_ENDS);
}

#[test]
fn ack_before_the_bodies_are_stored() {
    breaks(publishing(), Guard::BodiesBeforeAck, EVENT_ENDS);
}

#[test]
fn a_rejected_event_leaves_no_body_to_whoever_accepts_it() {
    breaks(commits(), Guard::SpareBodies, EVENT_ENDS);
}

#[test]
fn a_last_look_for_the_place_before_the_body_is_kept() {
    breaks(publishing(), Guard::SpareFirst, EVENT_ENDS);
}

#[test]
fn an_instance_whose_block_was_lost_goes_on() {
    breaks(commits(), Guard::DiscardLost, ONE_HISTORY);
}

#[test]
fn sweeping_above_what_is_published() {
    breaks(publishing(), Guard::SweepPublished, ONE_HISTORY);
}

#[test]
fn sweeping_up_to_a_height_that_the_walk_never_saw() {
    breaks(publishing(), Guard::SweepOneRead, ONE_HISTORY);
}

#[test]
fn a_manifest_before_its_chunks() {
    breaks(snapshots(), Guard::ManifestLast, REPLAY_IS_APPLY);
}

#[test]
fn mutable_items_without_their_height() {
    breaks(commits(), Guard::SourceHeight, READ_SIDE_RISES);
}

#[test]
fn a_published_height_that_is_just_set() {
    breaks(commits(), Guard::PublishedRises, READ_SIDE_RISES);
}

#[test]
fn readers_that_prefer_a_reject() {
    breaks(commits(), Guard::ReceiptFirst, RECEIPT_IS_FINAL);
}

/// It saves deciding again, and nothing else leans on it.
#[test]
fn not_looking_for_the_own_block_is_safe() {
    holds("without the look", commits().without(Guard::OwnBlock));
}

/// Run by `.ci/deep`.
#[test]
#[ignore = "takes minutes"]
fn wider_bounds_hold() {
    holds("two crashes", Protocol { crashes: 2, ..commits() });
    holds("snapshots, unknown outcomes", Protocol { unknowns: 1, ..snapshots() });
    holds("three miners", Protocol { miners: 3, unknowns: 0, ..commits() });
}
