//! A kennel under test, with keys made from names and a clock that the test moves.
//!
//! Deliberately absent: any expectation. Each test says itself what should come out.
#![allow(dead_code, unreachable_pub, missing_docs)] // Each test file uses its own part of it.

use ed25519_dalek::{Signer, SigningKey};
use pitpet_chain::block::{Block, Change, Receipt};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Kind, Payload, ReplayClass, SignedEvent};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, EventId, PublicKey, RulesHash, sha256};
use pitpet_chain::kennel::{Kennel, NewBlock, Outcome};
use pitpet_chain::mining::{self, Purpose, Statement, Work, statement_bytes};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::{Account, Pet};

pub const HOUR_MS: u64 = 60 * 60 * 1000;
/// When the kennels of these tests are founded.
pub const START_MS: u64 = 1_700_000_000_000;
pub const RULES: RulesHash = RulesHash([7; 32]);

/// The original's game with stamps that cost nothing.
pub const FREE: Parameters = Parameters { stamp_bits: 0, birth_bits: 0, seal_bits: 2, ..Parameters::CLASSIC };

pub fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&sha256(name.as_bytes()))
}

pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

pub fn account(name: &str) -> AccountId {
    AccountId::of(&public(&key(name)))
}

pub fn genesis(parameters: Parameters) -> Genesis {
    Genesis {
        version: 1,
        parameters,
        operator: public(&key("operator")),
        house: public(&key("house")),
        moderators: vec![public(&key("moderator"))],
        witnesses: vec![],
        threshold: 0,
        checkpoint: public(&key("checkpoint")),
        created_ms: START_MS,
        random: sha256(b"random"),
    }
}

/// A kennel, its blocks and the last nonce given out.
#[derive(Clone)]
pub struct World {
    pub kennel: Kennel,
    pub blocks: Vec<NewBlock>,
    pub now_ms: u64,
    pub nonce: u64,
}

impl World {
    pub fn new(parameters: Parameters) -> Self {
        Self::of(genesis(parameters))
    }

    pub fn of(genesis: Genesis) -> Self {
        let (kennel, block) = Kennel::found(genesis, RULES).unwrap();
        Self { kennel, blocks: vec![block], now_ms: START_MS, nonce: 0 }
    }

    pub fn parameters(&self) -> Parameters {
        self.kennel.state().genesis().parameters.clone()
    }

    /// An unstamped event of the named account, signed by `key` later.
    pub fn draft(&mut self, actor: AccountId, key: &SigningKey, payload: Payload) -> Event {
        let nonce = match payload.kind().replay_class() {
            ReplayClass::Nonce => {
                self.nonce += 1;
                self.nonce
            }
            // An office's nonce is a time that has passed.
            ReplayClass::Office => {
                self.now_ms += 1;
                self.now_ms
            }
            ReplayClass::Subject => 0,
        };
        Event {
            version: 1,
            kennel: *self.kennel.id(),
            account: actor,
            key: public(key),
            nonce,
            expires_ms: self.now_ms + HOUR_MS,
            payload,
            stamp: 0,
        }
    }

    pub fn sign(&self, mut event: Event, key: &SigningKey) -> Vec<u8> {
        event.seal_stamp(&self.parameters());
        event.sign(key)
    }

    /// A good event of the account whose first key has this name.
    pub fn event(&mut self, name: &str, payload: Payload) -> Vec<u8> {
        let draft = self.draft(account(name), &key(name), payload);
        self.sign(draft, &key(name))
    }

    /// Decides one message at the world's time.
    pub fn message(&mut self, events: &[Vec<u8>]) -> Outcome {
        let message = events.iter().map(|event| Bytes(event.clone())).collect();
        let outcome = self.kennel.apply(self.now_ms, &[message]).unwrap();
        self.blocks.extend(outcome.block.clone());
        assert!(self.kennel.state().is_balanced(), "treats are conserved");
        outcome
    }

    /// Decides one signed event in a block of its own.
    pub fn submit(&mut self, event: &[u8]) -> Result<Receipt, Reject> {
        let before = self.kennel.snapshot();
        let outcome = self.message(&[event.to_vec()]);
        match outcome.block {
            Some(made) => {
                let block: Block = decode(&made.bytes.0).unwrap();
                Ok(decode(&block.receipts[0].0).unwrap())
            }
            None => {
                assert_eq!(before, self.kennel.snapshot(), "a reject changes nothing");
                Err(outcome.rejects[0].reject)
            }
        }
    }

    pub fn act(&mut self, name: &str, payload: Payload) -> Result<Receipt, Reject> {
        let event = self.event(name, payload);
        self.submit(&event)
    }

    /// Does it, and requires that it works.
    pub fn done(&mut self, name: &str, payload: Payload) -> EventId {
        self.act(name, payload.clone())
            .unwrap_or_else(|reject| panic!("{name} {payload:?}: {reject:?}"))
            .event
    }

    pub fn birth_payload(&self) -> Payload {
        Payload::Birth {
            photo: sha256(b"photo"),
            body: sha256(b"body"),
            recovery: None,
            anchor: self.anchor(),
        }
    }

    pub fn born(&mut self, name: &str) -> BirthHash {
        let payload = self.birth_payload();
        self.done(name, payload).into()
    }

    pub fn anchor(&self) -> BlockHash {
        self.kennel.head().hash
    }

    pub fn post(&mut self, name: &str, pet: BirthHash) -> EventId {
        self.done(name, post(pet))
    }

    /// Lets `ages` ages pass by births of strangers, one a block.
    pub fn pass(&mut self, ages: u64) {
        for _ in 0..ages {
            self.nonce += 1;
            let stranger = format!("stranger {}", self.nonce);
            self.born(&stranger);
        }
    }

    pub fn age(&self) -> u64 {
        self.kennel.state().totals().age
    }

    pub fn pet(&self, birth: &BirthHash) -> Pet {
        self.kennel.state().pet(birth).unwrap().clone()
    }

    pub fn account(&self, name: &str) -> Account {
        self.kennel.state().account(&account(name)).unwrap().clone()
    }

    /// What the original's `getTTL` answers; none for an unknown pet.
    pub fn remaining(&self, birth: &BirthHash) -> Option<u64> {
        let state = self.kennel.state();
        state.pet(birth).map(|pet| pet.remaining(self.parameters().ttl, state.totals().age))
    }

    /// The last block.
    pub fn block(&self) -> Block {
        decode(&self.blocks.last().unwrap().bytes.0).unwrap()
    }
}

pub fn post(pet: BirthHash) -> Payload {
    Payload::Post { pet, photo: None, body: sha256(b"text") }
}

pub fn pat(post: EventId) -> Payload {
    Payload::Pat { post }
}

pub fn share(post: EventId) -> Payload {
    Payload::Share { post }
}

pub fn comment(post: EventId, n: u64) -> Payload {
    Payload::Comment { post, body: sha256(&n.to_be_bytes()) }
}

pub fn gift(pet: BirthHash, amount: u64) -> Payload {
    Payload::Gift { pet, amount }
}

pub fn transfer(to: &str, amount: u64) -> Payload {
    Payload::Transfer { to: account(to), amount }
}

/// The kind of a signed event.
pub fn kind(event: &[u8]) -> Kind {
    SignedEvent::read(event).unwrap().event.payload.kind()
}

/// The pets that a receipt shows.
pub fn pets(receipt: &Receipt) -> Vec<Pet> {
    let pet = |change: &Change| match change {
        Change::Pet(pet) => Some(pet.clone()),
        _ => None,
    };
    receipt.changes.iter().filter_map(pet).collect()
}

/// A replica of the world that is about to take the block of this height, by the module that decides it.
pub fn replica(world: &World, height: usize) -> Kennel {
    let rules = |height: usize| {
        let block: Block = decode(&world.blocks[height].bytes.0).unwrap();
        block.header.rules_hash
    };
    let (mut replica, founded) = Kennel::found(world.kennel.state().genesis().clone(), rules(0)).unwrap();
    assert_eq!(founded, world.blocks[0]);
    for (before, block) in world.blocks.iter().enumerate().take(height + 1).skip(1) {
        if rules(before) != replica.header().rules_hash {
            replica = Kennel::open(replica.snapshot(), rules(before)).unwrap();
        }
        if before < height {
            let made = replica.replay(&block.bytes.0, pitpet_chain::kennel::Signatures::Checked).unwrap();
            assert_eq!(&made, block);
        }
    }
    replica
}

/// Requires that a replica of the world's blocks comes to the same snapshot.
pub fn replays(world: &World) {
    let replica = replica(world, world.blocks.len());
    assert_eq!(encode(&replica.snapshot()), encode(&world.kennel.snapshot()));
}

/// A seal of the present age for an account.
pub fn age_seal(world: &World, name: &str) -> Payload {
    let header = world.kennel.header();
    let mining = mining::after(world.kennel.state().mining(), header.height, &world.kennel.head().hash);
    let work = Work::new(world.kennel.id(), &mining.began, &account(name), Purpose::Age, mining.difficulty);
    let proof = work.search(0, u64::MAX).unwrap();
    Payload::Seal { over: mining.began, proof, time: None }
}

/// A seal that mines time, with these statements.
pub fn time_seal(world: &World, name: &str, statements: Vec<Statement>) -> Payload {
    let (over, difficulty) = (world.kennel.head().hash, world.kennel.state().mining().difficulty);
    let work = Work::new(world.kennel.id(), &over, &account(name), Purpose::Time, difficulty);
    Payload::Seal { over, proof: work.search(0, u64::MAX).unwrap(), time: Some(statements) }
}

/// What the numbered witness, whose key has that name, says about a head.
pub fn statement(world: &World, witness: u8, name: &str, head: &BlockHash) -> Statement {
    let signature = key(name).sign(&statement_bytes(world.kennel.id(), head)).to_bytes();
    Statement { witness, signature }
}
