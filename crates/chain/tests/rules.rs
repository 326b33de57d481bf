//! What each kind of event does, and that nothing happens twice.

mod support;

use pitpet_chain::block::{Block, Death, Receipt};
use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::event::{Kind, Payload, Verdict};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{BirthHash, BlockHash, RulesHash, sha256};
use pitpet_chain::kennel::{Fault, Kennel, Signatures};
use pitpet_chain::limits;
use pitpet_chain::reject::Reject;
use pitpet_chain::state::{Phase, StateKey};
use support::{
    FREE, HOUR_MS, RULES, World, account, comment, genesis, gift, key, pat, pets, post, public, replays,
    share, transfer,
};

/// A world whose "owner" has a dead pet with a keepsake, so that it has free treats, and a living one.
fn wealthy() -> (World, BirthHash, BirthHash) {
    let mut world = World::new(FREE);
    let old = world.born("owner");
    world.post("owner", old);
    world.pass(15);
    world.done("anyone", Payload::StoryEnd { pet: old });
    world.done("owner", Payload::Keepsake { pet: old });
    let pet = world.born("owner");
    (world, old, pet)
}

#[test]
fn birth_grants_and_stamps_the_record() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    let record = world.pet(&pet);
    assert_eq!((record.owner, record.phase), (account("owner"), Phase::Living));
    assert_eq!((record.born_height, record.born_ms, record.last_age), (1, world.now_ms, 1));
    let owner = world.account("owner");
    assert_eq!((owner.granted, owner.free, owner.pet, owner.nonce), (20, 0, Some(pet), 1));
    let totals = world.kennel.state().totals();
    assert_eq!((totals.minted, totals.living, totals.pets, totals.accounts, totals.age), (20, 1, 1, 1, 1));
    assert_eq!(world.act("owner", world.birth_payload()), Err(Reject::HasLivingPet));
}

#[test]
fn granted_treats_pay_first_and_for_posts_only() {
    let (mut world, old, pet) = wealthy();
    // 20 granted, 1 spent, 19 + 1 released by the keepsake; 20 granted at the second birth.
    let owner = world.account("owner");
    assert_eq!((owner.free, owner.granted, owner.holdings), (20, 20, 1));
    assert_eq!(world.pet(&old).phase, Phase::Kept);
    assert_eq!(world.pet(&old).wallet, 0);

    for n in 0..21 {
        world.post("owner", pet);
        let owner = world.account("owner");
        let spent = n + 1;
        assert_eq!(
            (owner.granted, owner.free),
            (20_u64.saturating_sub(spent), 20 - spent.saturating_sub(20))
        );
    }
    assert_eq!(world.pet(&pet).wallet, 21);
    assert_eq!(world.act("owner", gift(pet, 20)), Err(Reject::NoTreats));
    world.done("owner", gift(pet, 19));
    assert_eq!(world.act("owner", post(pet)), Err(Reject::NoTreats));
    assert_eq!(world.act("stranger", gift(pet, 1)), Err(Reject::NoTreats));

    let mut poor = World::new(FREE);
    let pet = poor.born("owner");
    assert_eq!(poor.act("owner", gift(pet, 1)), Err(Reject::NoTreats), "granted treats buy no gifts");
    assert_eq!(poor.act("owner", transfer("friend", 1)), Err(Reject::NoTreats));
    replays(&world);
}

#[test]
fn visits_count_extend_and_are_free_for_others() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    let id = world.post("owner", pet);
    world.pass(3);
    assert_eq!(world.remaining(&pet), Some(12));
    world.done("friend", pat(id));
    assert_eq!(world.remaining(&pet), Some(15));
    world.done("friend", share(id));
    world.done("friend", comment(id, 1));
    let receipt = world.act("friend", comment(id, 2)).unwrap();
    let record = &pets(&receipt)[0];
    assert_eq!((record.pats, record.shares, record.comments, record.wallet), (1, 1, 2, 1));
    assert!(world.kennel.state().account(&account("friend")).is_none(), "a visit makes no record");

    assert_eq!(world.act("friend", pat(id)), Err(Reject::AlreadyDone));
    assert_eq!(world.act("friend", share(id)), Err(Reject::AlreadyDone));
    assert_eq!(world.act("owner", pat(id)), Err(Reject::OwnPet));
    assert_eq!(world.act("owner", share(id)), Err(Reject::OwnPet));
    world.done("owner", comment(id, 3));
    assert_eq!(
        (world.account("owner").granted, world.pet(&pet).wallet),
        (18, 2),
        "an own comment is paid for"
    );
    let more: Vec<_> = (2..16).map(|n| world.event("friend", comment(id, 100 + n))).collect();
    assert_eq!(world.message(&more).rejects, []);
    assert_eq!(world.act("friend", comment(id, 999)), Err(Reject::TooManyComments));
    world.done("other friend", comment(id, 999));
}

#[test]
fn visits_and_posts_are_bounded() {
    let mut world = World::new(Parameters { visits_per_post_max: 3, open_posts_max: 2, ..FREE });
    let pet = world.born("owner");
    let id = world.post("owner", pet);
    world.post("owner", pet);
    assert_eq!(world.act("owner", post(pet)), Err(Reject::TooManyPosts));
    for n in 0..3 {
        world.done(&format!("friend {n}"), pat(id));
    }
    assert_eq!(world.act("late friend", pat(id)), Err(Reject::PostFull));
    assert_eq!(world.act("friend 1", pat(id)), Err(Reject::AlreadyDone));
    assert_eq!(world.kennel.state().totals().visits, 3);
}

#[test]
fn posts_close_with_age_and_are_forgotten() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    let id = world.post("owner", pet);
    let opened = world.age();
    for n in 0..14 {
        world.done(&format!("friend {n}"), pat(id));
    }
    // At age `opened + 15` it is open for the last time; the block after, it is closed and gone.
    world.done("last friend", pat(id));
    assert_eq!(world.age(), opened + 15);
    assert_eq!(world.act("late friend", pat(id)), Err(Reject::ClosedPost));
    world.pass(1);
    assert_eq!(world.act("late friend", pat(id)), Err(Reject::UnknownPost));
    let totals = world.kennel.state().totals();
    assert_eq!((totals.posts, totals.visits), (0, 0));
    assert_eq!(world.kennel.state().posts_of(&pet), 0);

    let mut world = World::new(FREE);
    let pet = world.born("owner");
    world.pass(14);
    let id = world.post("owner", pet);
    world.pass(15);
    assert_eq!(world.pet(&pet).phase, Phase::Dead);
    assert_eq!(world.act("friend", pat(id)), Err(Reject::ClosedPost), "a dead pet's post is closed");
}

#[test]
fn gifts_and_transfers_move_treats() {
    let (mut world, _, pet) = wealthy();
    world.pass(2);
    world.done("owner", gift(pet, 3));
    assert_eq!((world.pet(&pet).wallet, world.account("owner").free), (3, 17));
    assert_eq!(world.remaining(&pet), Some(15), "a gift extends life");
    let age = world.age();
    world.done("owner", transfer("friend", 7));
    assert_eq!((world.account("owner").free, world.account("friend").free), (10, 7));
    assert_eq!(world.age(), age, "a transfer doesn't age the kennel");
    assert_eq!(world.act("owner", transfer("owner", 1)), Err(Reject::SelfTransfer));
    assert_eq!(world.act("friend", transfer("owner", 8)), Err(Reject::NoTreats));
    world.done("friend", transfer("owner", 7));
}

#[test]
fn stories_end_once_and_are_kept_once() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    assert_eq!(world.act("anyone", Payload::StoryEnd { pet }), Err(Reject::NotDead));
    assert_eq!(world.act("owner", Payload::Keepsake { pet }), Err(Reject::NotEnded));
    world.pass(15);
    assert_eq!(world.act("owner", Payload::Keepsake { pet }), Err(Reject::NotEnded));
    let deaths: Vec<Death> = world.block().deaths.iter().map(|death| decode(&death.0).unwrap()).collect();
    assert_eq!(deaths, [Death { pet, owner: account("owner"), holdings: 1 }]);
    assert_eq!(world.account("owner").pet, None);
    world.done("anyone", Payload::StoryEnd { pet });
    assert_eq!(world.act("other", Payload::StoryEnd { pet }), Err(Reject::AlreadyEnded));
    assert_eq!(world.act("anyone", Payload::Keepsake { pet }), Err(Reject::NotOwner));
    world.done("owner", Payload::Keepsake { pet });
    assert_eq!(world.act("owner", Payload::Keepsake { pet }), Err(Reject::AlreadyKept));
    assert_eq!(world.act("anyone", Payload::StoryEnd { pet }), Err(Reject::AlreadyEnded));
    let unknown = BirthHash([9; 32]);
    assert_eq!(world.act("anyone", Payload::StoryEnd { pet: unknown }), Err(Reject::UnknownPet));
    assert_eq!(world.act("owner", Payload::Keepsake { pet: unknown }), Err(Reject::UnknownPet));
}

#[test]
fn deaths_come_by_age_of_the_last_event_then_by_birth_hash() {
    let mut world = World::new(FREE);
    let mut first = vec![];
    for n in 0..3 {
        let payload = world.birth_payload();
        first.push(world.event(&format!("owner {n}"), payload));
    }
    world.message(&first);
    let mut expected: Vec<BirthHash> = world.kennel.state().pets().map(|pet| pet.birth).collect();
    expected.sort();
    world.pass(15);
    let deaths: Vec<Death> = world.block().deaths.iter().map(|death| decode(&death.0).unwrap()).collect();
    assert_eq!(deaths.iter().map(|death| death.pet).collect::<Vec<_>>(), expected);
    replays(&world);
}

#[test]
fn time_is_the_houses_on_an_idle_kennel() {
    let mut world = World::new(FREE);
    world.born("owner");
    let idle_ms = FREE.idle_ms;
    let time = |world: &World| Payload::Time { parent: world.kennel.head().hash, statements: vec![] };
    assert_eq!(world.act("house", time(&world)), Err(Reject::NotIdle));
    world.now_ms += idle_ms;
    assert_eq!(world.act("owner", time(&world)), Err(Reject::NotHouse));
    assert_eq!(
        world.act("house", Payload::Time { parent: BlockHash(sha256(b"other")), statements: vec![] }),
        Err(Reject::WrongParent)
    );
    let age = world.age();
    let event = world.event("house", time(&world));
    world.submit(&event).unwrap();
    assert_eq!(world.age(), age + 1);
    assert_eq!(world.submit(&event), Err(Reject::WrongParent));
}

#[test]
fn rekey_by_the_key_and_by_the_recovery_key() {
    let mut world = World::new(FREE);
    let mut birth = world.birth_payload();
    if let Payload::Birth { recovery, .. } = &mut birth {
        *recovery = Some(public(&key("safe")));
    }
    let pet = BirthHash::from(world.done("owner", birth));
    let id = account("owner");
    let rekey = |name: &str, safe: Option<&str>| Payload::Rekey {
        new_key: public(&key(name)),
        recovery: safe.map(|safe| public(&key(safe))),
    };
    let by = |world: &mut World, signer: &str, payload: Payload| {
        let draft = world.draft(id, &key(signer), payload);
        let event = world.sign(draft, &key(signer));
        world.submit(&event).map(|_| ())
    };
    assert_eq!(by(&mut world, "owner", rekey("owner", None)), Err(Reject::SameKey));
    assert_eq!(by(&mut world, "safe", post(pet)), Err(Reject::WrongKey), "a recovery key only replaces keys");
    assert_eq!(by(&mut world, "thief", rekey("thief", None)), Err(Reject::WrongKey));
    by(&mut world, "safe", rekey("second", Some("safe 2"))).unwrap();
    assert_eq!(by(&mut world, "owner", post(pet)), Err(Reject::WrongKey), "the lost key is worthless");
    assert_eq!(
        by(&mut world, "safe", rekey("third", None)),
        Err(Reject::WrongKey),
        "and so is the old recovery key"
    );
    by(&mut world, "second", post(pet)).unwrap();
    by(&mut world, "second", rekey("third", None)).unwrap();
    by(&mut world, "third", post(pet)).unwrap();
    assert_eq!(by(&mut world, "safe 2", rekey("fourth", None)), Err(Reject::WrongKey));
    assert_eq!(world.act("nobody", rekey("new", None)), Err(Reject::UnknownAccount));
}

#[test]
fn empty_accounts_are_dropped_once_nothing_of_theirs_can_come_back() {
    let (mut world, _, _) = wealthy();
    world.done("owner", transfer("friend", 2));
    world.done("owner", transfer("rekeyed", 2));
    world.done("friend", transfer("owner", 2));
    world.done("rekeyed", Payload::Rekey { new_key: public(&key("new")), recovery: None });
    let back = world.draft(account("rekeyed"), &key("new"), transfer("owner", 2));
    let back = world.sign(back, &key("new"));
    world.submit(&back).unwrap();
    let expires_ms = world.account("friend").last_expires_ms;
    let count = world.kennel.state().totals().accounts;
    let has = |world: &World, name| world.kennel.state().account(&account(name)).is_some();
    world.now_ms = expires_ms;
    world.done("owner", transfer("third", 1));
    assert!(has(&world, "friend"), "at {expires_ms} its last event is still good");
    world.now_ms = expires_ms + 1;
    world.done("owner", transfer("third", 1));
    assert!(!has(&world, "friend"));
    assert!(has(&world, "rekeyed"), "forgetting a replaced key would bring the old one back");
    assert_eq!(world.kennel.state().totals().accounts, count, "one new, one dropped");
    let proof = world.kennel.prove(&StateKey::Account(account("friend")));
    assert_eq!(proof.record, None);
    proof.check(world.kennel.id()).unwrap();
    replays(&world);
}

#[test]
fn births_are_bound_to_a_head_of_the_last_hour() {
    let mut world = World::new(FREE);
    let founded = world.anchor();
    world.born("a");
    let birth = |anchor| Payload::Birth { photo: [0; 32], body: [0; 32], recovery: None, anchor };
    world.now_ms += 60_000;
    world.born("b");
    let second = world.block().header.hash();
    assert_eq!(world.act("x", birth(BlockHash(sha256(b"no head")))), Err(Reject::StaleAnchor));
    world.now_ms = support::START_MS + HOUR_MS;
    world.done("c", birth(founded));
    world.now_ms += 1;
    assert_eq!(world.act("d", birth(founded)), Err(Reject::StaleAnchor), "an hour and 1 ms");
    world.done("d", birth(second));
    // However long nothing was mined, what the summary names is good.
    let newest = world.kennel.head().summary.anchor;
    world.now_ms += 20 * HOUR_MS;
    assert_eq!(world.act("e", birth(second)), Err(Reject::StaleAnchor));
    world.done("e", birth(newest));
    for n in 0..130 {
        world.now_ms += 30_000;
        world.born(&format!("m {n}"));
        assert!(world.kennel.state().anchors().len() <= limits::ANCHORS_MAX);
    }
    replays(&world);
}

#[test]
fn clocks_neither_run_backwards_nor_leap_over_lives() {
    let mut world = World::new(FREE);
    world.now_ms += 400 * 24 * HOUR_MS;
    world.born("a");
    let event = world.event("b", world.birth_payload());
    let mut at = |ms: u64| world.kennel.apply(ms, &[vec![Bytes(event.clone())]]).map(|_| ());
    let parent_ms = world.now_ms;
    assert_eq!(at(parent_ms - 1), Err(Fault::Timestamp));
    assert_eq!(at(parent_ms + 2 * FREE.idle_ms + 1), Err(Fault::Timestamp));
    at(parent_ms + 2 * FREE.idle_ms).unwrap();
    at(parent_ms).unwrap();
}

#[test]
fn age_passes_at_most_once_an_interval() {
    let mut world = World::new(Parameters { age_interval_ms: 4 * HOUR_MS, ..FREE });
    world.now_ms += 4 * HOUR_MS - 1;
    let pet = world.born("a");
    assert_eq!(world.age(), 0);
    world.now_ms += 1;
    world.post("a", pet);
    assert_eq!(world.age(), 1);
    world.now_ms += 4 * HOUR_MS - 1;
    world.post("a", pet);
    assert_eq!((world.age(), world.pet(&pet).last_age), (1, 1));
    world.now_ms += 4 * HOUR_MS;
    world.post("a", pet);
    assert_eq!((world.age(), world.pet(&pet).last_age), (2, 2));
    replays(&world);
}

#[test]
fn no_kind_takes_effect_twice() {
    let (mut world, kept, pet) = wealthy();
    world.pass(15 - 1);
    world.done("owner", gift(pet, 1));
    let id = world.post("owner", pet);
    let doomed = world.kennel.state().pets().find(|pet| pet.phase == Phase::Dead).unwrap().birth;
    let mut old = World::new(FREE);
    let mine = old.born("mine");
    old.pass(15);
    old.done("anyone", Payload::StoryEnd { pet: mine });

    let mut seen = Vec::new();
    let mut twice = |world: &mut World, name: &str, payload: Payload, reject| {
        let event = world.event(name, payload);
        world.submit(&event).unwrap();
        // `submit` requires that a refused event changes nothing.
        assert_eq!(world.submit(&event), Err(reject), "{:?}", support::kind(&event));
        seen.push(support::kind(&event));
    };
    let birth = world.birth_payload();
    twice(&mut world, "newcomer", birth, Reject::StaleNonce);
    twice(&mut world, "owner", post(pet), Reject::StaleNonce);
    twice(&mut world, "friend", pat(id), Reject::AlreadyDone);
    twice(&mut world, "friend", share(id), Reject::AlreadyDone);
    twice(&mut world, "friend", comment(id, 0), Reject::AlreadyDone);
    twice(&mut world, "owner", gift(pet, 1), Reject::StaleNonce);
    twice(&mut world, "owner", transfer("friend", 1), Reject::StaleNonce);
    twice(&mut world, "anyone", Payload::StoryEnd { pet: doomed }, Reject::AlreadyEnded);
    twice(&mut old, "mine", Payload::Keepsake { pet: mine }, Reject::StaleNonce);
    world.now_ms += FREE.idle_ms;
    let parent = world.kennel.head().hash;
    twice(&mut world, "house", Payload::Time { parent, statements: vec![] }, Reject::WrongParent);
    let new_key = public(&key("mine 2"));
    twice(&mut old, "mine", Payload::Rekey { new_key, recovery: None }, Reject::WrongKey);
    let until_ms = world.now_ms + HOUR_MS;
    let newest = |world: &World| decode::<Receipt>(&world.block().receipts[0].0).unwrap().event;
    twice(&mut world, "owner", Payload::Offer { pet: kept, price: 2, until_ms }, Reject::StaleNonce);
    let offer = newest(&world);
    twice(&mut world, "friend", Payload::Bid { pet: kept, price: 1, until_ms }, Reject::StaleNonce);
    let bid = newest(&world);
    twice(&mut world, "owner", Payload::Cancel { order: offer }, Reject::StaleNonce);
    twice(&mut world, "owner", Payload::Take { order: bid, price: 1 }, Reject::StaleNonce);
    let seal = support::age_seal(&world, "miner");
    twice(&mut world, "miner", seal, Reject::AlreadySealed);
    let verdict = Payload::Moderate { target: id, verdict: Verdict::Hide, body: [7; 32] };
    twice(&mut world, "moderator", verdict, Reject::StaleNonce);
    let operator = public(&key("operator"));
    let appoint = Payload::Appoint { operator, moderators: vec![], witnesses: vec![], threshold: 0 };
    twice(&mut world, "operator", appoint, Reject::StaleNonce);
    let upgrade = Payload::Upgrade { rules_hash: RulesHash([9; 32]), at_height: 1_000 };
    twice(&mut world, "operator", upgrade, Reject::StaleNonce);
    assert_eq!(seen, Kind::ALL, "every kind was tried");
}

#[test]
fn full_batches_are_split_at_message_borders() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    let id = world.post("owner", pet);
    let messages: Vec<Vec<Bytes>> = (0..30)
        .map(|m| (0..25).map(|e| Bytes(world.event(&format!("friend {m} {e}"), pat(id)))).collect())
        .collect();
    let mut rest = messages.as_slice();
    let mut blocks = 0;
    while !rest.is_empty() {
        let outcome = world.kennel.apply(world.now_ms, rest).unwrap();
        let made = outcome.block.unwrap();
        let block: Block = decode(&made.bytes.0).unwrap();
        assert_eq!(block.events.len(), outcome.consumed as usize * 25);
        assert_eq!(block.events, rest[..outcome.consumed as usize].concat());
        assert!(
            made.bytes.0.len() <= limits::BLOCK_BYTES_MAX && block.events.len() <= limits::BLOCK_EVENTS_MAX
        );
        rest = &rest[outcome.consumed as usize..];
        world.blocks.push(made);
        blocks += 1;
    }
    assert!(blocks > 1);
    assert_eq!(world.pet(&pet).pats, 750);
    replays(&world);

    let many = vec![Bytes(vec![0]); limits::MESSAGE_EVENTS_MAX + 1];
    assert_eq!(world.kennel.apply(world.now_ms, &[many]).map(|_| ()), Err(Fault::Message));
    let large = vec![Bytes(vec![0; limits::MESSAGE_CANONICAL_BYTES_MAX + 1])];
    assert_eq!(world.kennel.apply(world.now_ms, &[large]).map(|_| ()), Err(Fault::Message));
}

/// With an age interval, a whole kennel's last events share one age: all 1,024 die in one block.
#[test]
fn a_thousand_deaths_share_a_full_block() {
    let mut world = World::new(Parameters { age_interval_ms: HOUR_MS, ..FREE });
    let mut births = Vec::new();
    for n in 0..limits::LIVING_MAX {
        let payload = world.birth_payload();
        births.push(Bytes(world.event(&format!("owner {n}"), payload)));
    }
    let mut rest: Vec<Vec<Bytes>> = births.chunks(25).map(<[Bytes]>::to_vec).collect();
    while !rest.is_empty() {
        let outcome = world.kennel.apply(world.now_ms, &rest).unwrap();
        assert_eq!(outcome.rejects, []);
        world.blocks.extend(outcome.block);
        rest.drain(..outcome.consumed as usize);
    }
    assert_eq!((world.kennel.state().totals().living, world.age()), (1024, 0));
    assert_eq!(world.act("one more", world.birth_payload()), Err(Reject::KennelFull));
    for _ in 0..14 {
        world.now_ms += FREE.idle_ms;
        world.done("house", Payload::Time { parent: world.kennel.head().hash, statements: vec![] });
    }
    assert_eq!(world.kennel.state().totals().living, 1024);
    world.now_ms += FREE.idle_ms;
    world.done("house", Payload::Time { parent: world.kennel.head().hash, statements: vec![] });
    let block = world.block();
    assert_eq!(block.deaths.len(), 1024);
    assert!(world.blocks.last().unwrap().bytes.0.len() <= limits::BLOCK_BYTES_MAX);
    replays(&world);
}

#[test]
fn founding_refuses_parameters_out_of_range() {
    assert!(Kennel::found(genesis(FREE), RULES).is_ok());
    for parameters in [
        Parameters { ttl: 0, ..FREE },
        Parameters { idle_ms: 59_999, ..FREE },
        Parameters { living_max: limits::LIVING_MAX + 1, ..FREE },
        Parameters { stamp_bits: 41, ..FREE },
        Parameters { cut_permille: 299, ..FREE },
    ] {
        assert!(parameters.fault().is_some());
        assert_eq!(Kennel::found(genesis(parameters), RULES).map(|_| ()), Err(Fault::Genesis));
    }
    let mut many = genesis(FREE);
    many.moderators = (0..=limits::MODERATORS_MAX).map(|n| public(&key(&format!("moderator {n}")))).collect();
    assert_eq!(Kennel::found(many, RULES).map(|_| ()), Err(Fault::Genesis));
}

#[test]
fn replay_names_what_is_wrong() {
    let mut world = World::new(FREE);
    world.born("a");
    world.born("b");
    let (mut replica, _) = Kennel::found(genesis(FREE), RULES).unwrap();
    let second = &world.blocks[2].bytes.0;
    assert_eq!(replica.clone().replay(second, Signatures::Checked).map(|_| ()), Err(Fault::Link));
    let first = &world.blocks[1].bytes.0;
    let altered = |change: &dyn Fn(&mut Block)| {
        let mut block: Block = decode(first).unwrap();
        change(&mut block);
        pitpet_chain::codec::encode(&block)
    };
    type Case<'a> = (&'a dyn Fn(&mut Block), Fault);
    let cases: [Case<'_>; 9] = [
        (&|block| block.header.version = 2, Fault::Link),
        (&|block| block.header.height = 2, Fault::Link),
        (&|block| block.header.kennel.0[0] ^= 1, Fault::Link),
        (&|block| block.header.rules_hash.0[0] ^= 1, Fault::Link),
        (&|block| block.header.timestamp_ms -= 1, Fault::Timestamp),
        (&|block| block.header.age += 1, Fault::Outcome),
        (&|block| block.header.sealer = Some(account("a")), Fault::Outcome),
        (&|block| block.events.clear(), Fault::BlockSize),
        (&|block| *block.events[0].0.last_mut().unwrap() ^= 1, Fault::Event),
    ];
    for (n, (change, fault)) in cases.into_iter().enumerate() {
        let outcome = replica.clone().replay(&altered(change), Signatures::Checked);
        assert_eq!(outcome.map(|_| ()), Err(fault), "case {n}");
    }
    let long = vec![0; limits::BLOCK_BYTES_MAX + 1];
    assert_eq!(replica.clone().replay(&long, Signatures::Checked).map(|_| ()), Err(Fault::BlockSize));
    assert_eq!(replica.clone().replay(b"", Signatures::Checked).map(|_| ()), Err(Fault::Input));
    replica.replay(first, Signatures::Checked).unwrap();
    replica.replay(second, Signatures::Trusted).unwrap();
}
