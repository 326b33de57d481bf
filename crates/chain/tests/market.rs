//! The exchange market: both sides, the exact split, and how orders end.

mod support;

use pitpet_chain::block::{Change, Ending, EndingReason, Trade};
use pitpet_chain::codec::decode;
use pitpet_chain::event::Payload;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{BirthHash, EventId};
use pitpet_chain::limits;
use pitpet_chain::market::cut;
use pitpet_chain::reject::Reject;
use pitpet_chain::state::Phase;
use support::{FREE, HOUR_MS, World, account, gift, post, replays, transfer};

/// A kennel in which "seller" has a living pet and a keepsake, and every named buyer 100 treats and
/// no pet.
fn fair(buyers: &[&str]) -> (World, BirthHash, BirthHash) {
    let mut world = World::new(Parameters { birth_grant: 2_000, accounts_max: 4_096, ..FREE });
    let kept = world.born("seller");
    world.pass(15);
    world.done("anyone", Payload::StoryEnd { pet: kept });
    world.done("seller", Payload::Keepsake { pet: kept });
    for buyer in buyers {
        world.done("seller", transfer(buyer, 100));
    }
    let living = world.born("seller");
    (world, living, kept)
}

fn offer(world: &mut World, who: &str, pet: BirthHash, price: u64) -> EventId {
    let until_ms = world.now_ms + HOUR_MS;
    world.done(who, Payload::Offer { pet, price, until_ms })
}

fn bid(world: &mut World, who: &str, pet: BirthHash, price: u64) -> EventId {
    let until_ms = world.now_ms + HOUR_MS;
    world.done(who, Payload::Bid { pet, price, until_ms })
}

fn endings(world: &World) -> Vec<(EventId, EndingReason)> {
    let endings = world.block().endings;
    endings.iter().map(|ending| decode::<Ending>(&ending.0).unwrap()).map(|e| (e.order, e.reason)).collect()
}

fn trade_of(world: &mut World, who: &str, order: EventId, price: u64) -> Trade {
    let receipt = world.act(who, Payload::Take { order, price }).unwrap();
    match receipt.changes[0] {
        Change::Trade(trade) => trade,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn an_offer_is_taken_and_all_is_settled_in_one_block() {
    let (mut world, pet, _) = fair(&["buyer"]);
    world.done("seller", gift(pet, 7));
    let order = offer(&mut world, "seller", pet, 11);
    assert_eq!(world.account("seller").orders, 1);
    let before = (world.account("seller").free, world.kennel.state().totals().house);
    let trade = trade_of(&mut world, "buyer", order, 11);
    // 30 % of 11 is 3.3, so the house gets 4.
    let expected =
        Trade { order, pet, seller: account("seller"), buyer: account("buyer"), price: 11, cut: 4 };
    assert_eq!(trade, expected);
    assert_eq!(world.account("buyer").free, 89);
    assert_eq!(world.account("buyer").pet, Some(pet));
    assert_eq!(world.account("seller").free, before.0 + 7);
    assert_eq!((world.account("seller").pet, world.account("seller").orders), (None, 0));
    assert_eq!(world.kennel.state().totals().house, before.1 + 4);
    assert_eq!(world.pet(&pet).wallet, 7, "a wallet goes with its pet");
    // The right to act for the pet goes too.
    assert_eq!(world.act("seller", post(pet)), Err(Reject::NotOwner));
    world.done("seller", transfer("buyer", 10));
    assert_eq!(world.act("buyer", gift(pet, 1)).map(|_| ()), Ok(()));
    assert_eq!(world.act("buyer", Payload::Take { order, price: 11 }), Err(Reject::UnknownOrder));
    replays(&world);
}

#[test]
fn a_bid_is_taken_by_the_owner() {
    let (mut world, _, kept) = fair(&["buyer"]);
    let order = bid(&mut world, "buyer", kept, 50);
    assert_eq!((world.account("buyer").free, world.kennel.state().totals().locked), (50, 50));
    assert_eq!(
        world.act("buyer", transfer("seller", 51)),
        Err(Reject::NoTreats),
        "what a bid locks is locked"
    );
    let seller = world.account("seller");
    let trade = trade_of(&mut world, "seller", order, 50);
    assert_eq!((trade.seller, trade.buyer, trade.cut), (account("seller"), account("buyer"), 15));
    assert_eq!(world.account("seller").free, seller.free + 35);
    assert_eq!(world.account("seller").holdings, seller.holdings - 1);
    let buyer = world.account("buyer");
    assert_eq!((buyer.free, buyer.holdings, buyer.orders, buyer.pet), (50, 1, 0, None));
    assert_eq!(world.kennel.state().totals().locked, 0);
    assert_eq!(world.pet(&kept).owner, account("buyer"));
    replays(&world);
}

#[test]
fn the_cut_is_rounded_up_on_both_paths() {
    for (price, expected) in
        [(1, 1), (2, 1), (3, 1), (4, 2), (10, 3), (11, 4), (limits::AMOUNT_MAX, 2_702_159_776_422_298)]
    {
        assert_eq!(cut(price, 300), expected, "{price}");
        assert_eq!(cut(price, 1000), price);
    }
    let (mut world, pet, kept) = fair(&["buyer", "other"]);
    let order = offer(&mut world, "seller", pet, 1);
    assert_eq!(trade_of(&mut world, "buyer", order, 1).cut, 1);
    let order = bid(&mut world, "other", kept, 1);
    assert_eq!(trade_of(&mut world, "seller", order, 1).cut, 1);
}

#[test]
fn orders_of_a_pet_end_when_it_is_sold() {
    let (mut world, pet, kept) = fair(&["a", "b", "c"]);
    let bids = [bid(&mut world, "a", pet, 10), bid(&mut world, "b", pet, 20)];
    let other = bid(&mut world, "c", kept, 30);
    let order = offer(&mut world, "seller", pet, 40);
    trade_of(&mut world, "c", order, 40);
    let mut expected = bids.map(|id| (id, EndingReason::PetChanged));
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(endings(&world), expected);
    for (name, free) in [("a", 100), ("b", 100), ("c", 30)] {
        assert_eq!(world.account(name).free, free, "{name}");
    }
    assert!(world.kennel.state().open_order(&other, world.now_ms).is_some(), "the keepsake's stands");
    replays(&world);
}

#[test]
fn orders_end_with_their_pet_and_at_their_time() {
    let (mut world, pet, kept) = fair(&["a", "b"]);
    let for_living = bid(&mut world, "a", pet, 10);
    let offered = offer(&mut world, "seller", pet, 40);
    world.pass(14);
    let short = world.now_ms + 5;
    let brief = world.done("b", Payload::Bid { pet: kept, price: 5, until_ms: short });
    world.now_ms = short;
    world.pass(1);
    assert_eq!(world.pet(&pet).phase, Phase::Dead);
    let mut expected = [(for_living, EndingReason::PetChanged), (offered, EndingReason::PetChanged)];
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(endings(&world), expected, "at its last moment the brief one stands");
    assert!(world.kennel.state().open_order(&brief, world.now_ms).is_some());
    world.now_ms += 1;
    world.pass(1);
    assert_eq!(endings(&world), [(brief, EndingReason::TimeUp)]);
    assert_eq!((world.account("a").free, world.account("b").free), (100, 100));
    assert_eq!(world.kennel.state().totals().orders, 0);
    replays(&world);
}

/// Until the block ends, an order that is over stands in the state, and can't be taken all the same.
#[test]
fn nobody_takes_what_is_over() {
    let (mut world, pet, _) = fair(&["a", "b"]);
    let until_ms = world.now_ms + 10;
    let order = world.done("seller", Payload::Offer { pet, price: 5, until_ms });
    world.now_ms = until_ms + 1;
    assert_eq!(world.act("a", Payload::Take { order, price: 5 }), Err(Reject::UnknownOrder));
    let order = offer(&mut world, "seller", pet, 6);
    let bid = bid(&mut world, "b", pet, 9);
    let take = world.event("a", Payload::Take { order, price: 6 });
    let late = world.event("a", Payload::Take { order: bid, price: 9 });
    let outcome = world.message(&[take, late]);
    assert_eq!(outcome.rejects[0].reject, Reject::UnknownOrder, "the pet changed hands in this very block");
}

#[test]
fn a_higher_bid_takes_the_place_of_the_lowest() {
    let names: Vec<String> = (0..=limits::BIDS_PER_PET_MAX).map(|n| format!("bidder {n}")).collect();
    let buyers: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut world, pet, _) = fair(&buyers);
    let orders: Vec<EventId> =
        buyers[..limits::BIDS_PER_PET_MAX].iter().map(|name| bid(&mut world, name, pet, 10)).collect();
    let (last, until_ms) = (buyers[limits::BIDS_PER_PET_MAX], world.now_ms + HOUR_MS);
    assert_eq!(world.act(last, Payload::Bid { pet, price: 10, until_ms }), Err(Reject::BidTooLow));
    bid(&mut world, last, pet, 11);
    let [(outbid, reason)] = endings(&world)[..] else { panic!("one bid ends") };
    assert_eq!(reason, EndingReason::Outbid);
    // All were placed at the same time, so the id decides among them.
    assert_eq!(outbid, *orders.iter().min().unwrap());
    assert_eq!(world.kennel.state().totals().locked, 15 * 10 + 11);
    replays(&world);
}

#[test]
fn cancelling_gives_back() {
    let (mut world, pet, kept) = fair(&["a"]);
    let order = bid(&mut world, "a", kept, 60);
    world.done("a", Payload::Cancel { order });
    assert_eq!((world.account("a").free, world.account("a").orders), (100, 0));
    let order = offer(&mut world, "seller", pet, 60);
    world.done("seller", Payload::Cancel { order });
    offer(&mut world, "seller", pet, 61);
    assert_eq!(world.kennel.state().totals().orders, 1);
    replays(&world);
}

/// What the house has earned pays miners before any treat is minted for them.
#[test]
fn income_of_the_house_pays_the_rewards() {
    let (mut world, _, kept) = fair(&["a"]);
    let parameters = world.parameters();
    let order = bid(&mut world, "a", kept, 2);
    trade_of(&mut world, "seller", order, 2);
    let totals = *world.kennel.state().totals();
    assert_eq!((totals.house, parameters.seal_reward), (1, 1));
    let seal = support::age_seal(&world, "miner");
    world.done("miner", seal);
    let after = *world.kennel.state().totals();
    assert_eq!((after.house, after.minted), (0, totals.minted));
    world.pass(1);
    let seal = support::age_seal(&world, "miner");
    world.done("miner", seal);
    assert_eq!(world.kennel.state().totals().minted, after.minted + parameters.birth_grant + 1);
    assert_eq!(world.account("miner").free, 2);
}

/// Very many orders that end at once end over several blocks, and a replica opened in between ends
/// them alike.
#[test]
fn endings_are_spread_over_blocks() {
    let (mut world, _, kept) = fair(&[]);
    let makers: Vec<String> = (0..20).map(|n| format!("maker {n}")).collect();
    let mut pets = vec![kept];
    for name in &makers {
        world.done("seller", transfer(name, 20));
        pets.push(world.born(name));
    }
    world.pass(15);
    for (pet, owner) in pets[1..].iter().zip(&makers) {
        world.done("anyone", Payload::StoryEnd { pet: *pet });
        world.done(owner, Payload::Keepsake { pet: *pet });
    }
    let until_ms = world.now_ms + HOUR_MS;
    for (n, name) in makers.iter().enumerate() {
        for (m, pet) in pets.iter().enumerate().filter(|(m, _)| *m != n + 1).take(16) {
            let made = world.act(name, Payload::Bid { pet: *pet, price: 1 + (m as u64), until_ms });
            assert!(made.is_ok() || made == Err(Reject::BidTooLow), "{made:?}");
        }
    }
    let open = world.kennel.state().totals().orders as usize;
    assert!(open > limits::ORDERS_ENDED_PER_BLOCK_MAX, "{open}");
    world.now_ms = until_ms + 1;
    world.pass(1);
    assert_eq!(endings(&world).len(), limits::ORDERS_ENDED_PER_BLOCK_MAX);
    let snapshot = world.kennel.snapshot();
    let mut replica = pitpet_chain::kennel::Kennel::open(snapshot, support::RULES).unwrap();
    world.pass(1);
    assert_eq!(endings(&world).len(), open - limits::ORDERS_ENDED_PER_BLOCK_MAX);
    let made =
        replica.replay(&world.blocks.last().unwrap().bytes.0, pitpet_chain::kennel::Signatures::Checked);
    assert_eq!(&made.unwrap(), world.blocks.last().unwrap());
    assert_eq!(world.kennel.state().totals().locked, 0);
}
