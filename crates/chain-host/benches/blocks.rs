//! What a block costs: flat in the size and height of the ledger, in Wasm against native, and
//! beside the algorithm of the 2022 original, which took its whole chain as JSON each time.
//!
//! `cargo bench -p pitpet-chain-host --bench blocks [-- MODULE.wasm]`; without an argument the newest released module
//! is measured. Medians; only ratios within one run compare.

#[path = "../tests/support/kennel.rs"]
mod kennel;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use kennel::{CREATED_MS, genesis, id};
use pitpet_chain::abi::{Batch, Session, Start};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::hash::{AccountId, BirthHash, EventId, PublicKey, RulesHash};
use pitpet_chain::kennel::{Kennel, Outcome, Snapshot};
use pitpet_chain::log::{Frontier, leaf};
use pitpet_chain::state::{Account, Pet, Phase, Post, State};
use pitpet_chain_host::{Host, Instance, Metering, Operation, Releases, Settings, Target};

/// A kennel of a given size at a given height, as a snapshot.
fn snapshot(rules: RulesHash, height: u64, pets: u32, accounts: u32, posts: u32) -> Snapshot {
    let (founded, _) = Kennel::found(genesis(), rules).expect("a sound genesis");
    let mut made = founded.snapshot();
    made.records.accounts = (0..accounts)
        .map(|n| Account {
            granted: 20,
            pet: (n < pets).then(|| BirthHash(id("pet", n))),
            nonce: 1,
            last_expires_ms: CREATED_MS,
            ..Account::new(AccountId(id("account", n)))
        })
        .collect();
    made.records.accounts.sort_by_key(|account| account.id);
    made.records.pets = (0..pets)
        .map(|n| Pet {
            birth: BirthHash(id("pet", n)),
            owner: AccountId(id("account", n)),
            phase: Phase::Living,
            photo: [0; 32],
            born_height: 1,
            born_ms: CREATED_MS,
            last_age: 0,
            died_height: 0,
            died_ms: 0,
            wallet: 0,
            posts: 0,
            pats: 0,
            shares: 0,
            comments: 0,
        })
        .collect();
    made.records.pets.sort_by_key(|pet| pet.birth);
    made.records.posts = (0..posts)
        .map(|n| {
            let pet = BirthHash(id("pet", n % pets));
            let id = EventId(id("post", n));
            (Post { id, pet, opened_age: 0, pats: 0, shares: 0, comments: 0, visits: [0; 32] }, Vec::new())
        })
        .collect();
    made.records.posts.sort_by_key(|(post, _)| post.id);
    made.records.totals.minted = 20 * u64::from(accounts);
    made.records.totals.living = pets;
    made.records.totals.pets = pets;
    made.records.totals.accounts = accounts;
    made.records.totals.posts = posts;
    let mut state = State::rebuild(genesis(), made.records.clone()).expect("sound records");
    let mut history = Frontier::default();
    for n in 0..height {
        history.append(leaf(&n.to_be_bytes()));
    }
    made.header.height = height;
    made.header.state_root = state.root();
    made.header.history_root = history.root();
    made.history = history;
    made
}

/// `count` pats by visitors that nobody has seen, on different posts.
fn pats(count: u32, posts: u32, seed: &mut u32) -> Vec<Bytes> {
    (0..count)
        .map(|n| {
            *seed += 1;
            let key = SigningKey::from_bytes(&id("visitor", *seed));
            let public = PublicKey(key.verifying_key().to_bytes());
            let event = Event {
                version: VERSION,
                kennel: genesis().kennel(),
                account: AccountId::of(&public),
                key: public,
                nonce: 0,
                expires_ms: CREATED_MS + 1_000,
                payload: Payload::Pat { post: EventId(id("post", n * 97 % posts)) },
                stamp: 0,
            };
            Bytes(event.sign(&key))
        })
        .collect()
}

fn batch(events: Vec<Bytes>) -> Vec<u8> {
    let messages = events.chunks(25).map(<[Bytes]>::to_vec).collect();
    encode(&Batch { timestamp_ms: CREATED_MS + 1, messages })
}

fn check(answer: &[u8], events: usize) {
    let outcome: Outcome = decode(answer).expect("an outcome");
    assert!(outcome.rejects.is_empty() && outcome.block.is_some(), "{} events are accepted", events);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// One of the two ways to run the rules.
enum Runner {
    Wasm(Box<Instance>),
    Native(Box<Session>),
}

impl Runner {
    fn open(mut self, snapshot: &Snapshot, rules: RulesHash) -> Self {
        let start =
            encode(&Start { rules_hash: rules, genesis: None, snapshot: Some(Bytes(encode(snapshot))) });
        match &mut self {
            Runner::Wasm(instance) => {
                drop(instance.call(Operation::Open, &start).expect("runs").expect("a sound snapshot"))
            }
            Runner::Native(session) => drop(session.open(&start).expect("a sound snapshot")),
        }
        self
    }

    fn apply(&mut self, input: &[u8]) -> (Duration, Vec<u8>) {
        let begin = Instant::now();
        let answer = match self {
            Runner::Wasm(instance) => instance.call(Operation::Apply, input).expect("runs").expect("decided"),
            Runner::Native(session) => session.apply(input).expect("decided"),
        };
        (begin.elapsed(), answer)
    }
}

/// Medians of blocks of `events` pats, the runners taking turns.
fn blocks(runners: &mut [(&mut Runner, u32)], events: u32, rounds: usize) -> Vec<Duration> {
    let mut seed = 0;
    let mut times = vec![Vec::new(); runners.len()];
    for _ in 0..rounds {
        for (at, (runner, posts)) in runners.iter_mut().enumerate() {
            let input = batch(pats(events, *posts, &mut seed));
            let (time, answer) = runner.apply(&input);
            check(&answer, events as usize);
            times[at].push(time);
        }
    }
    times.into_iter().map(median).collect()
}

/// The original's step: the whole chain as JSON in, two scans, the whole chain out.
fn original(blocks: usize) -> Duration {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Link {
        index: u64,
        timestamp: u64,
        data: Vec<u8>,
        birth_hash: String,
        preceding_hash: String,
        hash: String,
    }
    let link = |n: usize| {
        let mut hash = String::new();
        for byte in id("link", n as u32) {
            write!(hash, "{byte:02x}").expect("writing to a string");
        }
        Link {
            index: n as u64,
            timestamp: n as u64,
            data: vec![7; 40],
            birth_hash: hash.clone(),
            preceding_hash: hash.clone(),
            hash,
        }
    };
    let mut json = serde_json::to_string(&(0..blocks).map(link).collect::<Vec<_>>()).expect("JSON");
    let rounds = if blocks > 10_000 { 5 } else { 21 };
    let times = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            let mut chain: Vec<Link> = serde_json::from_str(&json).expect("JSON");
            let birth = chain[0].birth_hash.clone();
            let known = chain.iter().any(|link| link.hash == birth);
            let last = chain.iter().rev().find(|link| link.birth_hash == birth).map(|link| link.index);
            assert!(known && last.is_some());
            chain.push(link(chain.len()));
            json = serde_json::to_string(&chain).expect("JSON");
            begin.elapsed()
        })
        .collect();
    median(times)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn main() {
    // Cargo adds `--bench`.
    let bytes = match std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        Some(path) => std::fs::read(&path).expect("the module can be read"),
        None => {
            let latest = Releases::latest().expect("a pinned module");
            Releases::embedded().find(latest).expect("the release is there").into_owned()
        }
    };
    let rules = pitpet_chain_host::RulesHash::of(&bytes);
    println!("module {rules}, {} bytes", bytes.len());
    let target = Target::host().expect("a supported machine");
    let prepared = |metering| {
        let artefact = Host::compile(&bytes, &target, metering).expect("it compiles");
        let settings = Settings { metering, ..Settings::default() };
        Host::headless(target.clone(), settings).load(rules, &artefact).expect("it loads")
    };
    let module = prepared(Metering::Counted);
    let chain_rules = RulesHash(rules.0);
    let wasm = |snapshot: &Snapshot| {
        Runner::Wasm(Box::new(module.instantiate().expect("an instance"))).open(snapshot, chain_rules)
    };
    let native = |snapshot: &Snapshot| Runner::Native(Box::default()).open(snapshot, chain_rules);

    let small = snapshot(chain_rules, 10, 10, 10, 10);
    let high = snapshot(chain_rules, 100_000, 10, 10, 10);
    let large = snapshot(chain_rules, 100_000, 1_024, 16_384, 10_000);
    let (mut a, mut b, mut c) = (wasm(&small), wasm(&high), wasm(&large));
    let times = blocks(&mut [(&mut a, 10), (&mut b, 10), (&mut c, 10_000)], 10, 80);
    println!("10 events, in Wasm with metering:");
    println!("  10 pets at height 10                      {:.3} ms", ms(times[0]));
    println!(
        "  10 pets at height 100,000                 {:.3} ms, ratio {:.2}",
        ms(times[1]),
        ms(times[1]) / ms(times[0])
    );
    println!(
        "  1,024 pets, 16,384 accounts, 10,000 posts {:.3} ms, ratio {:.2}",
        ms(times[2]),
        ms(times[2]) / ms(times[0])
    );

    let plain = prepared(Metering::Uncounted);
    let plain = Runner::Wasm(Box::new(plain.instantiate().expect("an instance")));
    let (mut w, mut n, mut u) = (wasm(&large), native(&large), plain.open(&large, chain_rules));
    let times = blocks(&mut [(&mut w, 10_000), (&mut n, 10_000), (&mut u, 10_000)], 100, 21);
    println!("100 events in one block of the large kennel:");
    println!(
        "  in Wasm with metering {:.2} ms: {:.0} events/s on one core",
        ms(times[0]),
        100.0 / times[0].as_secs_f64()
    );
    println!(
        "  without metering      {:.2} ms; metering costs {:.1} %",
        ms(times[2]),
        (ms(times[0]) / ms(times[2]) - 1.0) * 100.0
    );
    println!(
        "  native                {:.2} ms; Wasm takes {:.2} times that",
        ms(times[1]),
        ms(times[0]) / ms(times[1])
    );

    println!("the original's algorithm, one event:");
    for height in [10, 1_000, 10_000, 100_000] {
        println!("  at {height:>7} blocks {:>8.3} ms", ms(original(height)));
    }
}
