//! Every reason for refusing an event, and that an event with several gets the lowest number.

mod support;

use std::collections::BTreeSet;

use ed25519_dalek::{Signer, SigningKey};
use pitpet_chain::codec::{Bytes, encode};
use pitpet_chain::event::{Event, Payload, SignedEvent, SignedParts, signing_bytes};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, PublicKey, tag, tagged};
use pitpet_chain::kennel::Kennel;
use pitpet_chain::limits;
use pitpet_chain::mining::{Purpose, Work};
use pitpet_chain::reject::Reject;
use support::{
    FREE, HOUR_MS, RULES, World, account, age_seal, comment, genesis, gift, key, pat, post, public,
    statement, time_seal, transfer,
};

/// Something wrong with a gift that is good otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Defect {
    reject: Reject,
    /// Defects of one group change the same field: only one of them can be there.
    group: u8,
}

const DEFECTS: &[Defect] = &[
    Defect { reject: Reject::TooLarge, group: 1 },
    Defect { reject: Reject::Malformed, group: 1 },
    Defect { reject: Reject::WrongVersion, group: 2 },
    Defect { reject: Reject::UnknownKind, group: 3 },
    Defect { reject: Reject::WrongKennel, group: 4 },
    Defect { reject: Reject::Expired, group: 5 },
    Defect { reject: Reject::ExpiresTooFar, group: 5 },
    Defect { reject: Reject::NonceRange, group: 6 },
    Defect { reject: Reject::AmountRange, group: 7 },
    Defect { reject: Reject::WeakStamp, group: 8 },
    Defect { reject: Reject::BadSignature, group: 9 },
    Defect { reject: Reject::WrongKey, group: 10 },
    Defect { reject: Reject::StaleNonce, group: 6 },
    Defect { reject: Reject::UnknownPet, group: 11 },
    Defect { reject: Reject::DeadPet, group: 11 },
    Defect { reject: Reject::NoTreats, group: 7 },
];

/// A gift of the rich "owner", with these defects.
fn gift_with(world: &World, living: BirthHash, dead: BirthHash, defects: &[Defect]) -> Vec<u8> {
    let has = |reject| defects.iter().any(|defect| defect.reject == reject);
    let signer = if has(Reject::WrongKey) { key("thief") } else { key("owner") };
    let pet = match (has(Reject::UnknownPet), has(Reject::DeadPet)) {
        (true, _) => BirthHash([3; 32]),
        (_, true) => dead,
        _ => living,
    };
    let amount = match (has(Reject::AmountRange), has(Reject::NoTreats)) {
        (true, _) => limits::AMOUNT_MAX + 1,
        (_, true) => limits::AMOUNT_MAX,
        _ => 1,
    };
    let mut event = Event {
        version: if has(Reject::WrongVersion) { 2 } else { 1 },
        kennel: *world.kennel.id(),
        account: account("owner"),
        key: public(&signer),
        nonce: world.nonce + 1,
        expires_ms: world.now_ms + HOUR_MS,
        payload: gift(pet, amount),
        stamp: 0,
    };
    if has(Reject::WrongKennel) {
        event.kennel.0[0] ^= 1;
    }
    if has(Reject::Expired) {
        event.expires_ms = world.now_ms - 1;
    }
    if has(Reject::ExpiresTooFar) {
        event.expires_ms = world.now_ms + limits::EXPIRES_AHEAD_MS_MAX + 1;
    }
    if has(Reject::NonceRange) {
        event.nonce = event.expires_ms + 1;
    }
    if has(Reject::StaleNonce) {
        event.nonce = 1;
    }
    let bits = u32::from(world.parameters().stamp_bits);
    event.stamp = (0..)
        .find(|stamp| {
            let stamped = Event { stamp: *stamp, ..event.clone() };
            (stamped.work() < bits) == has(Reject::WeakStamp)
        })
        .unwrap();
    let mut unsigned = encode(&event);
    if has(Reject::UnknownKind) {
        let head = [0x83, 0x06, 0x58, 0x20];
        let at = unsigned.windows(4).position(|window| window == head).unwrap();
        unsigned[at + 1] = 0x17;
    }
    let id = EventId(tagged(tag::EVENT, &[&unsigned]));
    let forger = key("forger");
    sealed(unsigned, &id, if has(Reject::BadSignature) { &forger } else { &signer }, &has)
}

fn sealed(unsigned: Vec<u8>, id: &EventId, signer: &SigningKey, has: &dyn Fn(Reject) -> bool) -> Vec<u8> {
    let signature = signer.sign(&signing_bytes(id)).to_bytes();
    let mut bytes = encode(&SignedParts { unsigned: Bytes(unsigned), signature });
    if has(Reject::Malformed) {
        bytes.push(0);
    }
    if has(Reject::TooLarge) {
        bytes.resize(limits::EVENT_BYTES_MAX + 1, 0);
    }
    bytes
}

/// The owner has free treats; one pet lives, one is dead.
fn world() -> (World, BirthHash, BirthHash) {
    let mut world = World::new(Parameters { stamp_bits: 4, ..FREE });
    let old = world.born("owner");
    world.pass(15);
    world.done("anyone", Payload::StoryEnd { pet: old });
    world.done("owner", Payload::Keepsake { pet: old });
    let living = world.born("owner");
    (world, living, old)
}

#[test]
fn the_lowest_number_wins() {
    let (world, living, dead) = world();
    let outcome = |defects: &[Defect]| {
        let event = gift_with(&world, living, dead, defects);
        world.clone().submit(&event).map(|_| ())
    };
    assert_eq!(outcome(&[]), Ok(()));
    for (n, first) in DEFECTS.iter().enumerate() {
        assert_eq!(outcome(&[*first]), Err(first.reject));
        for second in DEFECTS[n + 1..].iter().filter(|second| second.group != first.group) {
            assert!(first.reject < second.reject, "the table goes by number");
            assert_eq!(outcome(&[*first, *second]), Err(first.reject), "{first:?} and {second:?}");
        }
    }
}

/// Kinds that have no nonce refuse one; others refuse 0.
#[test]
fn nonces_are_for_kinds_that_take_one() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    let id = world.post("owner", pet);
    for (payload, nonce) in [(pat(id), 1), (comment(id, 1), 1), (post(pet), 0)] {
        let mut event = world.draft(account("owner"), &key("owner"), payload);
        event.nonce = nonce;
        let event = world.sign(event, &key("owner"));
        assert_eq!(world.submit(&event), Err(Reject::NonceRange));
    }
}

/// Whoever has the key for a moment locks its account for a day at most, which is how far ahead an
/// event may end.
#[test]
fn a_nonce_is_at_most_the_event_s_end() {
    let mut world = World::new(FREE);
    let pet = world.born("owner");
    for (above, expected) in [(u64::MAX, Err(Reject::NonceRange)), (1, Err(Reject::NonceRange)), (0, Ok(()))]
    {
        let mut event = world.draft(account("owner"), &key("owner"), post(pet));
        event.nonce = event.expires_ms.saturating_add(above);
        let event = world.sign(event, &key("owner"));
        assert_eq!(world.submit(&event).map(|_| ()), expected, "{above} above");
    }
}

type Case = (&'static str, Reject, Box<dyn Fn(&mut World) -> Result<(), Reject>>);

/// One case for each reason that the state gives, and for each pair of them that can meet.
fn cases() -> Vec<Case> {
    fn case(
        name: &'static str,
        reject: Reject,
        run: impl Fn(&mut World) -> Result<(), Reject> + 'static,
    ) -> Case {
        (name, reject, Box::new(run))
    }
    fn act(world: &mut World, name: &str, payload: Payload) -> Result<(), Reject> {
        world.act(name, payload).map(|_| ())
    }
    fn with(world: &mut World, change: impl Fn(&mut Parameters)) {
        let mut parameters = FREE;
        change(&mut parameters);
        *world = World::new(parameters);
    }
    fn stale_birth() -> Payload {
        Payload::Birth { photo: [0; 32], body: [0; 32], recovery: None, anchor: BlockHash([9; 32]) }
    }
    let nobody = BirthHash([3; 32]);
    vec![
        case("time by no house, of no head", Reject::NotHouse, |w| {
            act(w, "a", Payload::Time { parent: BlockHash([9; 32]), statements: vec![] })
        }),
        case("time of no head, not idle", Reject::WrongParent, |w| {
            w.born("a");
            act(w, "house", Payload::Time { parent: BlockHash([9; 32]), statements: vec![] })
        }),
        case("time too early", Reject::NotIdle, |w| {
            w.born("a");
            act(w, "house", Payload::Time { parent: w.anchor(), statements: vec![] })
        }),
        case("post for nobody", Reject::UnknownPet, move |w| act(w, "a", post(nobody))),
        case("post for another's dead pet", Reject::DeadPet, |w| {
            let pet = w.born("a");
            w.pass(15);
            act(w, "b", post(pet))
        }),
        case("post for another's pet without treats", Reject::NotOwner, |w| {
            let pet = w.born("a");
            act(w, "b", post(pet))
        }),
        case("too many posts without treats", Reject::TooManyPosts, |w| {
            with(w, |p| (p.open_posts_max, p.birth_grant) = (1, 1));
            let pet = w.born("a");
            w.post("a", pet);
            act(w, "a", post(pet))
        }),
        case("post without treats", Reject::NoTreats, |w| {
            with(w, |p| p.birth_grant = 0);
            let pet = w.born("a");
            act(w, "a", post(pet))
        }),
        case("pat on nothing", Reject::UnknownPost, |w| act(w, "a", pat(EventId([3; 32])))),
        case("own pat on a closed post", Reject::ClosedPost, |w| {
            let pet = w.born("a");
            let id = w.post("a", pet);
            w.pass(15);
            act(w, "a", pat(id))
        }),
        case("own pat on a full post", Reject::OwnPet, |w| {
            with(w, |p| p.visits_per_post_max = 1);
            let pet = w.born("a");
            let id = w.post("a", pet);
            w.done("b", pat(id));
            act(w, "a", pat(id))
        }),
        case("second pat on a full post", Reject::AlreadyDone, |w| {
            with(w, |p| p.visits_per_post_max = 1);
            let pet = w.born("a");
            let id = w.post("a", pet);
            w.done("b", pat(id));
            act(w, "b", pat(id))
        }),
        case("seventeenth comment on a full post", Reject::PostFull, |w| {
            with(w, |p| p.visits_per_post_max = 16);
            seventeenth_comment(w)
        }),
        case("seventeenth comment without treats", Reject::TooManyComments, |w| {
            with(w, |p| p.birth_grant = 17);
            seventeenth_comment(w)
        }),
        case("second birth, stale anchor", Reject::HasLivingPet, |w| {
            w.born("a");
            act(w, "a", stale_birth())
        }),
        case("stale anchor in a full kennel", Reject::StaleAnchor, |w| {
            with(w, |p| p.living_max = 1);
            w.born("a");
            act(w, "b", stale_birth())
        }),
        case("full kennel, full of accounts", Reject::KennelFull, |w| {
            with(w, |p| (p.living_max, p.accounts_max) = (1, 1));
            w.born("a");
            act(w, "b", w.birth_payload())
        }),
        case("birth of one account too many", Reject::AccountsFull, |w| {
            with(w, |p| p.accounts_max = 1);
            w.born("a");
            act(w, "b", w.birth_payload())
        }),
        case("transfer to one account too many, without treats", Reject::AccountsFull, |w| {
            with(w, |p| p.accounts_max = 1);
            w.born("a");
            act(w, "a", transfer("b", 1))
        }),
        case("transfer to oneself without treats", Reject::NoTreats, |w| {
            w.born("a");
            act(w, "a", transfer("a", 1))
        }),
        case("transfer to oneself", Reject::SelfTransfer, |w| {
            *w = world().0;
            act(w, "owner", transfer("owner", 1))
        }),
        case("rekey of nobody", Reject::UnknownAccount, |w| {
            act(w, "a", Payload::Rekey { new_key: public(&key("a")), recovery: None })
        }),
        case("rekey to the same key", Reject::SameKey, |w| {
            w.born("a");
            act(w, "a", Payload::Rekey { new_key: public(&key("a")), recovery: None })
        }),
        case("end of a living pet's story", Reject::NotDead, |w| {
            let pet = w.born("a");
            act(w, "b", Payload::StoryEnd { pet })
        }),
        case("end of an ended story", Reject::AlreadyEnded, |w| {
            let pet = w.born("a");
            w.pass(15);
            w.done("b", Payload::StoryEnd { pet });
            act(w, "b", Payload::StoryEnd { pet })
        }),
        case("keepsake of another's living pet", Reject::NotOwner, |w| {
            let pet = w.born("a");
            act(w, "b", Payload::Keepsake { pet })
        }),
        case("keepsake before the story ended", Reject::NotEnded, |w| {
            let pet = w.born("a");
            w.pass(15);
            act(w, "a", Payload::Keepsake { pet })
        }),
        case("second keepsake", Reject::AlreadyKept, |w| {
            let (world, _, kept) = world();
            *w = world;
            act(w, "owner", Payload::Keepsake { pet: kept })
        }),
        case("key that isn't the account's", Reject::WrongKey, |w| {
            let id: AccountId = account("a");
            let event = w.draft(id, &key("b"), Payload::StoryEnd { pet: BirthHash([3; 32]) });
            let event = w.sign(event, &key("b"));
            w.submit(&event).map(|_| ())
        }),
    ]
}

/// The like for the market, for seals and for the offices.
fn later_cases() -> Vec<Case> {
    fn case(
        name: &'static str,
        reject: Reject,
        run: impl Fn(&mut World) -> Result<(), Reject> + 'static,
    ) -> Case {
        (name, reject, Box::new(run))
    }
    fn act(world: &mut World, name: &str, payload: Payload) -> Result<(), Reject> {
        world.act(name, payload).map(|_| ())
    }
    fn offer(world: &World, pet: BirthHash, price: u64) -> Payload {
        Payload::Offer { pet, price, until_ms: world.now_ms + HOUR_MS }
    }
    fn bid(world: &World, pet: BirthHash, price: u64) -> Payload {
        Payload::Bid { pet, price, until_ms: world.now_ms + HOUR_MS }
    }
    /// "owner" has a living pet, a keepsake and treats; "buyer" has 10 treats and no pet.
    fn fair(world: &mut World) -> (BirthHash, BirthHash) {
        *world = World::new(Parameters { birth_grant: 1_000, ..FREE });
        let kept = world.born("owner");
        world.pass(15);
        world.done("anyone", Payload::StoryEnd { pet: kept });
        world.done("owner", Payload::Keepsake { pet: kept });
        world.done("owner", transfer("buyer", 10));
        (world.born("owner"), kept)
    }
    fn appoint(witnesses: Vec<PublicKey>) -> Payload {
        let operator = public(&key("operator"));
        Payload::Appoint { operator, moderators: vec![], witnesses, threshold: 0 }
    }
    /// An idle kennel whose two witnesses must both say so.
    fn witnessed(world: &mut World) {
        let witnesses = ["w0", "w1"].map(|name| public(&key(name))).to_vec();
        let founding = Genesis { witnesses, threshold: 2, ..genesis(FREE) };
        world.kennel = Kennel::found(founding, RULES).unwrap().0;
        world.born("a");
        world.now_ms += FREE.idle_ms;
    }
    let nobody = BirthHash([3; 32]);
    let no_order = EventId([3; 32]);
    vec![
        case("offer of nobody for nothing", Reject::PriceRange, move |w| act(w, "a", offer(w, nobody, 0))),
        case("take of nothing for nothing", Reject::PriceRange, move |w| {
            act(w, "a", Payload::Take { order: no_order, price: 0 })
        }),
        case("bid beyond what can be counted", Reject::PriceRange, move |w| {
            act(w, "a", bid(w, nobody, limits::AMOUNT_MAX + 1))
        }),
        case("offer of nobody that is over", Reject::UntilRange, move |w| {
            act(w, "a", Payload::Offer { pet: nobody, price: 1, until_ms: w.now_ms - 1 })
        }),
        case("bid for nobody that stands too long", Reject::UntilRange, move |w| {
            let until_ms = w.now_ms + limits::ORDER_AHEAD_MS_MAX + 1;
            act(w, "a", Payload::Bid { pet: nobody, price: 1, until_ms })
        }),
        case("appointment of one twice by nobody", Reject::KeysRange, |w| {
            act(w, "a", appoint(vec![public(&key("w")); 2]))
        }),
        case("offer of another's dead pet", Reject::DeadPet, |w| {
            let pet = w.born("a");
            w.pass(15);
            act(w, "b", offer(w, pet, 1))
        }),
        case("offer of another's pet beyond supply", Reject::NotOwner, |w| {
            let (pet, _) = fair(w);
            w.done("owner", offer(w, pet, 1));
            act(w, "buyer", offer(w, pet, limits::AMOUNT_MAX))
        }),
        case("take of a bid for another's pet", Reject::NotOwner, |w| {
            let (_, kept) = fair(w);
            let order = w.done("buyer", bid(w, kept, 1));
            act(w, "other", Payload::Take { order, price: 2 })
        }),
        case("second offer beyond supply", Reject::AlreadyOffered, |w| {
            let (pet, _) = fair(w);
            w.done("owner", offer(w, pet, 1));
            act(w, "owner", offer(w, pet, limits::AMOUNT_MAX))
        }),
        case("offer beyond supply", Reject::BeyondSupply, |w| {
            let (pet, _) = fair(w);
            let supply = w.kennel.state().totals().minted;
            w.done("owner", offer(w, pet, supply));
            let order = w.kennel.state().orders().next().unwrap().id;
            w.done("owner", Payload::Cancel { order });
            act(w, "owner", offer(w, pet, supply + 1))
        }),
        case("bid for a second pet without treats", Reject::HasLivingPet, |w| {
            let (pet, _) = fair(w);
            w.born("a");
            act(w, "a", bid(w, pet, 1))
        }),
        case("take of a second pet", Reject::HasLivingPet, |w| {
            let (pet, _) = fair(w);
            let order = w.done("owner", offer(w, pet, 5));
            w.born("buyer");
            act(w, "buyer", Payload::Take { order, price: 4 })
        }),
        case("own bid without treats", Reject::NoTreats, |w| {
            let pet = w.born("a");
            act(w, "a", bid(w, pet, 1))
        }),
        case("take of an offer without treats", Reject::NoTreats, |w| {
            let (pet, _) = fair(w);
            let order = w.done("owner", offer(w, pet, 11));
            act(w, "buyer", Payload::Take { order, price: 10 })
        }),
        case("cancel of nothing", Reject::UnknownOrder, move |w| {
            act(w, "a", Payload::Cancel { order: no_order })
        }),
        case("take of a cancelled order", Reject::UnknownOrder, |w| {
            let (pet, _) = fair(w);
            let order = w.done("owner", offer(w, pet, 5));
            w.done("owner", Payload::Cancel { order });
            act(w, "buyer", Payload::Take { order, price: 5 })
        }),
        case("cancel of another's", Reject::NotMaker, |w| {
            let (pet, _) = fair(w);
            let order = w.done("owner", offer(w, pet, 5));
            act(w, "buyer", Payload::Cancel { order })
        }),
        case("own bid", Reject::SelfTrade, |w| {
            let (_, kept) = fair(w);
            act(w, "owner", bid(w, kept, 1))
        }),
        case("take of one's own at another price", Reject::SelfTrade, |w| {
            let (pet, _) = fair(w);
            let order = w.done("owner", offer(w, pet, 5));
            act(w, "owner", Payload::Take { order, price: 4 })
        }),
        case("take at another price", Reject::WrongPrice, |w| {
            let (pet, _) = fair(w);
            let order = w.done("owner", offer(w, pet, 5));
            act(w, "buyer", Payload::Take { order, price: 4 })
        }),
        case("one order too many", Reject::TooManyOrders, |w| {
            let (_, kept) = fair(w);
            for _ in 0..limits::ORDERS_PER_ACCOUNT_MAX / 2 {
                w.done("buyer", bid(w, kept, 1));
            }
            w.done("owner", transfer("buyer", 100));
            for _ in limits::ORDERS_PER_ACCOUNT_MAX / 2..limits::ORDERS_PER_ACCOUNT_MAX {
                w.done("buyer", bid(w, kept, 1));
            }
            // It would be too low as well.
            act(w, "buyer", bid(w, kept, 1))
        }),
        case("one order too many in the kennel", Reject::OrdersFull, |w| {
            // Ages pass only when the clock moves, so that nobody dies while all this is made.
            *w = World::new(Parameters { birth_grant: 1_000_000, age_interval_ms: 1_000, ..FREE });
            let rich = w.born("rich");
            for _ in 0..=15 {
                w.now_ms += 1_000;
                w.pass(1);
            }
            w.done("anyone", Payload::StoryEnd { pet: rich });
            w.done("rich", Payload::Keepsake { pet: rich });
            let mut pets = Vec::new();
            while pets.len() < 1_000 {
                let births: Vec<_> =
                    (0..25).map(|n| w.event(&format!("p{}", pets.len() + n), w.birth_payload())).collect();
                pets.extend(births.iter().map(|event| BirthHash::from(SignedEvent::read(event).unwrap().id)));
                assert_eq!(w.message(&births).rejects, []);
            }
            // Sixteen bids for each pet, and as many offers as are missing.
            for (n, pet) in pets.iter().enumerate() {
                let maker = format!("maker {n}");
                w.done("rich", transfer(&maker, 16));
                let bids: Vec<_> = (0..16)
                    .map(|_| {
                        let payload = bid(w, *pet, 1);
                        w.event(&maker, payload)
                    })
                    .collect();
                assert_eq!(w.message(&bids).rejects, []);
            }
            for (n, pet) in pets.iter().enumerate().take(limits::ORDERS_MAX as usize - 16 * pets.len()) {
                w.done(&format!("p{n}"), offer(w, *pet, 1));
            }
            assert_eq!(w.kennel.state().totals().orders, limits::ORDERS_MAX);
            // It would be too low as well.
            w.done("rich", transfer("late", 1));
            act(w, "late", bid(w, pets[0], 1))
        }),
        case("seventeenth bid of the same price", Reject::BidTooLow, |w| {
            let (_, kept) = fair(w);
            w.done("owner", transfer("other", 20));
            for _ in 0..limits::BIDS_PER_PET_MAX {
                w.done("other", bid(w, kept, 1));
            }
            act(w, "buyer", bid(w, kept, 1))
        }),
        case("seal of one account too many", Reject::AccountsFull, |w| {
            *w = World::new(Parameters { accounts_max: 1, ..FREE });
            w.born("a");
            act(w, "miner", Payload::Seal { over: BlockHash([9; 32]), proof: 0, time: None })
        }),
        case("seal over no head, not idle", Reject::WrongParent, |w| {
            w.born("a");
            act(w, "miner", Payload::Seal { over: BlockHash([9; 32]), proof: 0, time: Some(vec![]) })
        }),
        case("seal of an earlier age without work", Reject::StaleSeal, |w| {
            w.born("a");
            let earlier = unworked(w, "miner");
            w.pass(1);
            act(w, "miner", earlier)
        }),
        case("seal without work, second of its age", Reject::WeakSeal, |w| {
            w.born("a");
            w.done("first", age_seal(w, "first"));
            act(w, "miner", unworked(w, "miner"))
        }),
        case("second seal of an age", Reject::AlreadySealed, |w| {
            w.born("a");
            w.done("first", age_seal(w, "first"));
            act(w, "miner", age_seal(w, "miner"))
        }),
        case("time by one witness whose signature is bad", Reject::TooFewStatements, |w| {
            witnessed(w);
            let forged = statement(w, 0, "thief", &w.anchor());
            act(w, "house", Payload::Time { parent: w.anchor(), statements: vec![forged] })
        }),
        case("time by a witness and a forger", Reject::BadStatement, |w| {
            witnessed(w);
            let statements = vec![statement(w, 0, "w0", &w.anchor()), statement(w, 1, "thief", &w.anchor())];
            act(w, "miner", time_seal(w, "miner", statements))
        }),
        case("upgrade to a past height by nobody", Reject::NotOperator, |w| {
            act(w, "a", Payload::Upgrade { rules_hash: RULES, at_height: 0 })
        }),
        case("verdict of the operator", Reject::NotModerator, move |w| {
            let verdict = pitpet_chain::event::Verdict::Hide;
            act(w, "operator", Payload::Moderate { target: no_order, verdict, body: [0; 32] })
        }),
        case("upgrade to a past height", Reject::PastHeight, |w| {
            act(w, "operator", Payload::Upgrade { rules_hash: RULES, at_height: 1 })
        }),
    ]
}

/// A proof that isn't one.
fn unworked(world: &World, name: &str) -> Payload {
    let Payload::Seal { over, .. } = age_seal(world, name) else { unreachable!("it is a seal") };
    let difficulty = world.kennel.state().mining().difficulty;
    let work = Work::new(world.kennel.id(), &over, &account(name), Purpose::Age, difficulty);
    let proof = (0..).find(|proof| !work.is_done_by(*proof)).unwrap();
    Payload::Seal { over, proof, time: None }
}

/// Sixteen comments of the owner's in one block, then another.
fn seventeenth_comment(world: &mut World) -> Result<(), Reject> {
    let pet = world.born("a");
    let id = world.post("a", pet);
    let first: Vec<_> = (0..16).map(|n| world.event("a", comment(id, n))).collect();
    assert_eq!(world.message(&first).rejects, []);
    world.act("a", comment(id, 16)).map(|_| ())
}

#[test]
fn the_state_has_its_reasons_and_their_order() {
    for (name, reject, run) in cases().into_iter().chain(later_cases()) {
        assert_eq!(run(&mut World::new(FREE)), Err(reject), "{name}");
    }
}

#[test]
fn every_reject_has_a_test() {
    let form = DEFECTS.iter().map(|defect| defect.reject);
    let seen: BTreeSet<Reject> =
        form.chain(cases().into_iter().chain(later_cases()).map(|case| case.1)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), Reject::ALL);
    for reject in Reject::ALL {
        assert_eq!(Reject::from_number(reject.number()), Some(*reject));
    }
    assert_eq!(Reject::from_number(0), None);
}
