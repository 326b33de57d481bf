//! The released module with a kennel as large as the limits let it grow: it is opened, it decides,
//! and it is written down again, within the fuel and the memory that a host allows.

#[path = "support/kennel.rs"]
mod kennel;

use ed25519_dalek::SigningKey;
use kennel::{CREATED_MS, genesis, id};
use pitpet_chain::abi::{Batch, Start};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::hash::{AccountId, BirthHash, EventId, PublicKey};
use pitpet_chain::kennel::{Kennel, Outcome, Snapshot};
use pitpet_chain::limits::{
    ACCOUNTS_MAX, LIVING_MAX, OPEN_POSTS_MAX, ORDERS_MAX, PETS_MAX, SNAPSHOT_BYTES_MAX, VISITS_MAX,
};
use pitpet_chain::state::{Account, Order, Pet, Phase, Post, Side, State, Visit};
use pitpet_chain_host::{Host, Instance, Metering, Operation, Releases, Settings, Target};

/// What a number takes most bytes for.
const LARGE: u64 = 1 << 40;
const POSTS: u32 = LIVING_MAX * OPEN_POSTS_MAX;

/// The pet that account `n` has, or one of those that it had.
fn pet_of(n: u32) -> BirthHash {
    BirthHash(id("pet", n))
}

/// A kennel with as many records of each kind as there may be, each of them as large as it gets.
fn grown(release: pitpet_chain::hash::RulesHash) -> Snapshot {
    let (founded, _) = Kennel::found(genesis(), release).expect("a sound genesis");
    let mut made = founded.snapshot();
    let records = &mut made.records;
    records.accounts = (0..ACCOUNTS_MAX)
        .map(|n| Account {
            key: Some(PublicKey(id("key", n))),
            recovery: Some(PublicKey(id("recovery", n))),
            nonce: LARGE,
            granted: LARGE,
            free: LARGE,
            pet: (n < LIVING_MAX).then(|| pet_of(n)),
            holdings: PETS_MAX / ACCOUNTS_MAX,
            orders: 1,
            last_expires_ms: CREATED_MS,
            ..Account::new(AccountId(id("account", n)))
        })
        .collect();
    records.accounts.sort_by_key(|account| account.id);
    records.pets = (0..PETS_MAX)
        .map(|n| Pet {
            birth: pet_of(n),
            owner: AccountId(id("account", n % ACCOUNTS_MAX)),
            phase: if n < LIVING_MAX { Phase::Living } else { Phase::Kept },
            photo: id("photo", n),
            born_height: LARGE,
            born_ms: CREATED_MS,
            last_age: 0,
            died_height: if n < LIVING_MAX { 0 } else { LARGE },
            died_ms: if n < LIVING_MAX { 0 } else { CREATED_MS },
            wallet: LARGE,
            posts: LARGE,
            pats: LARGE,
            shares: LARGE,
            comments: LARGE,
        })
        .collect();
    records.pets.sort_by_key(|pet| pet.birth);
    records.posts = (0..POSTS)
        .map(|n| {
            let visits: Vec<Visit> = (0..VISITS_MAX / POSTS)
                .map(|visit| Visit {
                    kind: 5,
                    account: AccountId(id("visitor", visit)),
                    comment: id("comment", n * 16 + visit),
                })
                .collect();
            let digest = visits.iter().fold([0; 32], |digest, visit| visit.extend(&digest));
            let (id, pet) = (EventId(id("post", n)), pet_of(n % LIVING_MAX));
            let comments = visits.len() as u64;
            (Post { id, pet, opened_age: 0, pats: 0, shares: 0, comments, visits: digest }, visits)
        })
        .collect();
    records.posts.sort_by_key(|(post, _)| post.id);
    records.orders = (0..ORDERS_MAX)
        .map(|n| {
            let maker = AccountId(id("account", n % ACCOUNTS_MAX));
            Order {
                id: EventId(id("order", n)),
                side: Side::Offer,
                pet: pet_of(n + ACCOUNTS_MAX),
                phase: Phase::Kept,
                owner: maker,
                maker,
                price: LARGE,
                placed_ms: CREATED_MS,
                until_ms: CREATED_MS + LARGE,
            }
        })
        .collect();
    records.orders.sort_by_key(|order| order.id);
    records.totals.minted = LARGE * (2 * u64::from(ACCOUNTS_MAX) + u64::from(PETS_MAX));
    records.totals.living = LIVING_MAX;
    records.totals.pets = PETS_MAX;
    records.totals.accounts = ACCOUNTS_MAX;
    records.totals.posts = POSTS;
    records.totals.visits = VISITS_MAX;
    records.totals.orders = ORDERS_MAX;
    let mut state = State::rebuild(genesis(), records.clone()).expect("sound records");
    made.header.state_root = state.root();
    made
}

fn call(instance: &mut Instance, operation: Operation, input: &[u8]) -> Vec<u8> {
    match instance.call(operation, input) {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => panic!("{operation:?} is refused: {refusal:?}"),
        Err(error) => panic!("{operation:?} ends the instance: {error}"),
    }
}

#[test]
fn a_kennel_at_all_its_limits_is_opened_goes_on_and_is_written_down() {
    let release = Releases::latest().expect("a released module");
    let wasm = Releases::embedded().find(release).expect("it is there");
    let target = Target::host().expect("a supported machine");
    let artefact = Host::compile(&wasm, &target, Metering::Counted).expect("it compiles");
    let host = Host::headless(target, Settings::default());
    let mut instance =
        host.load(release, &artefact).expect("it loads").instantiate().expect("it is an instance");

    let rules_hash = pitpet_chain::hash::RulesHash(release.0);
    let grown = encode(&grown(rules_hash));
    assert!(grown.len() <= SNAPSHOT_BYTES_MAX, "{} bytes", grown.len());
    let start = Start { rules_hash, genesis: None, snapshot: Some(Bytes(grown.clone())) };
    call(&mut instance, Operation::Open, &encode(&start));
    // A later module may take more.
    let left = instance.fuel_left().expect("fuel is counted");
    println!("{} of {} points of fuel", Operation::Open.fuel() - left, Operation::Open.fuel());
    assert!(left >= Operation::Open.fuel() / 3, "{left} points of fuel are left");

    let key = SigningKey::from_bytes(&[9; 32]);
    let public = PublicKey(key.verifying_key().to_bytes());
    let pats = (0..500)
        .map(|n| {
            let event = Event {
                version: VERSION,
                kennel: genesis().kennel(),
                account: AccountId::of(&public),
                key: public,
                nonce: 0,
                expires_ms: CREATED_MS + 1_000,
                payload: Payload::Pat { post: EventId(id("post", n)) },
                stamp: 0,
            };
            vec![Bytes(event.sign(&key))]
        })
        .collect();
    let batch = Batch { timestamp_ms: CREATED_MS + 1, messages: pats };
    let outcome: Outcome =
        decode(&call(&mut instance, Operation::Apply, &encode(&batch))).expect("an outcome");
    // There is no room for another visit, which each of them is told.
    assert!(outcome.consumed > 0);
    assert_eq!(outcome.rejects.len(), outcome.consumed as usize);

    let written = call(&mut instance, Operation::Snapshot, &[]);
    assert_eq!(written, grown, "nothing was accepted, and nothing changed");
}
