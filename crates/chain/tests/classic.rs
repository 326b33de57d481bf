//! The original's behaviour: its recorded dialogue, played on a `classic` kennel with one event a
//! block.
//!
//! The original's `spawnBlock` is a birth and its `addBlock` an event that extends a life: a post
//! of the owner's, or a pat, share or comment by others, since posts cost treats and the dialogue
//! has more of them than a birth grants.

mod support;

use std::collections::BTreeMap;

use pitpet_chain::codec::decode;
use pitpet_chain::event::{Payload, SignedEvent};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{BirthHash, EventId, sha256};
use pitpet_chain::reject::Reject;
use pitpet_chain::state::StateKey;
use serde_json::Value;
use support::{World, comment, pat, post, share};

struct Player {
    world: World,
    /// Pets by the dialogue's placeholders.
    names: BTreeMap<String, BirthHash>,
    /// Owners' names by pet.
    owners: BTreeMap<BirthHash, String>,
    /// The newest post of each pet, and how many events have followed it.
    posts: BTreeMap<BirthHash, (EventId, u64)>,
    /// What each commitment stands for, as the bodies' store would know it.
    bodies: BTreeMap<[u8; 32], Value>,
}

impl Player {
    fn new() -> Self {
        Self {
            world: World::new(Parameters::CLASSIC),
            names: BTreeMap::new(),
            owners: BTreeMap::new(),
            posts: BTreeMap::new(),
            bodies: BTreeMap::new(),
        }
    }

    fn body(&mut self, data: &Value) -> [u8; 32] {
        let body = sha256(format!("{data}").as_bytes());
        self.bodies.insert(body, data.clone());
        body
    }

    fn pet(&self, send: &Value) -> BirthHash {
        let text = send["birth_hash"].as_str().unwrap();
        self.names.get(text).copied().unwrap_or_else(|| text.parse().unwrap())
    }

    fn spawn(&mut self, send: &Value, name: &str) {
        let owner = send["birth_data"].to_string();
        let body = self.body(&send["data"]);
        let anchor = self.world.anchor();
        let payload = Payload::Birth { photo: sha256(owner.as_bytes()), body, recovery: None, anchor };
        let pet = BirthHash::from(self.world.done(&owner, payload));
        self.names.insert(name.to_owned(), pet);
        self.owners.insert(pet, owner);
    }

    fn add(&mut self, send: &Value) -> Result<(), Reject> {
        let pet = self.pet(send);
        let body = self.body(&send["data"]);
        let mut owner = self.owners.get(&pet).cloned().unwrap_or_else(|| "nobody".to_owned());
        let next = self.posts.get(&pet).copied();
        let payload = match next {
            Some((id, n @ 0..=2)) => {
                owner = format!("friend {n}");
                match n {
                    0 => Payload::Comment { post: id, body },
                    1 => pat(id),
                    _ => share(id),
                }
            }
            _ => Payload::Post { pet, photo: None, body },
        };
        let is_post = matches!(payload, Payload::Post { .. });
        let receipt = self.world.act(&owner, payload)?;
        if is_post {
            self.posts.insert(pet, (receipt.event, 0));
        } else if let Some((_, n)) = self.posts.get_mut(&pet) {
            *n += 1;
        }
        Ok(())
    }

    /// The texts of a pet's events, from the blocks alone.
    fn events(&self, pet: &BirthHash) -> Option<Vec<Value>> {
        let mut posts = Vec::new();
        let mut texts = Vec::new();
        for block in &self.world.blocks {
            let block: pitpet_chain::block::Block = decode(&block.bytes.0).unwrap();
            for signed in &block.events {
                let signed = SignedEvent::read(&signed.0).unwrap();
                let about = match &signed.event.payload {
                    Payload::Birth { .. } => BirthHash::from(signed.id) == *pet,
                    Payload::Post { pet: whose, .. } => {
                        posts.push((signed.id, *whose));
                        whose == pet
                    }
                    Payload::Comment { post, .. } => posts.contains(&(*post, *pet)),
                    _ => false,
                };
                if about {
                    texts.push(self.bodies[signed.event.payload.body().unwrap()].clone());
                }
            }
        }
        (!texts.is_empty()).then_some(texts)
    }
}

#[test]
fn dialogue() {
    let text = include_str!("../../../testvectors/original-dialogue.jsonl");
    let mut player = Player::new();
    let mut answers = 0;
    for (n, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (send, reply) = (&line["send"], &line["reply"]);
        let said = format!("line {}: {send}", n + 1);
        match send["type"].as_str().unwrap() {
            "newBlockchain" | "quit" => {}
            "spawnBlock" => player.spawn(send, line["as"].as_str().unwrap()),
            "addBlock" => {
                let expected = match reply.as_str().unwrap() {
                    "hash" => Ok(()),
                    "dead" => Err(Reject::DeadPet),
                    "birth_hash not found in chain" => Err(Reject::UnknownPet),
                    other => panic!("{other}"),
                };
                // The dead take no pats either, but a pat names a post; the owner's try shows it.
                if expected.is_err() {
                    let pet = player.pet(send);
                    player.posts.remove(&pet);
                }
                assert_eq!(player.add(send), expected, "{said}");
            }
            "getTTL" => {
                let expected = reply.as_str().unwrap().parse().unwrap();
                assert_eq!(player.world.remaining(&player.pet(send)), Some(expected), "{said}");
            }
            "getEvents" => {
                let events = player.events(&player.pet(send));
                let expected: Value = serde_json::from_str(reply.as_str().unwrap()).unwrap();
                assert_eq!(serde_json::json!(events), expected, "{said}");
            }
            other => panic!("{other}"),
        }
        answers += 1;
    }
    assert_eq!(answers, text.lines().count());
    support::replays(&player.world);
}

#[test]
fn fourteen_blocks_of_others_leave_one_age_and_the_fifteenth_kills() {
    let mut world = World::new(Parameters::CLASSIC);
    let pet = world.born("owner");
    assert_eq!(world.remaining(&pet), Some(15));
    world.pass(14);
    assert_eq!(world.remaining(&pet), Some(1));
    let mut saved = world.clone();
    saved.post("owner", pet);
    assert_eq!(saved.remaining(&pet), Some(15), "with one age left it can still act");

    world.pass(1);
    assert_eq!(world.remaining(&pet), Some(0));
    assert_eq!(world.pet(&pet).died_height, world.kennel.header().height);
    assert_eq!(world.act("owner", post(pet)), Err(Reject::DeadPet));
    let again = world.born("owner");
    assert_eq!((world.remaining(&pet), world.remaining(&again)), (Some(0), Some(15)));
}

#[test]
fn asking_for_an_unknown_life_is_an_answer() {
    let mut world = World::new(Parameters::CLASSIC);
    world.born("owner");
    let nobody = BirthHash([0; 32]);
    assert_eq!(world.remaining(&nobody), None);
    let proof = world.kennel.prove(&StateKey::Pet(nobody));
    assert_eq!(proof.record, None);
    proof.check(world.kennel.id()).unwrap();
    assert_eq!(world.act("owner", post(nobody)), Err(Reject::UnknownPet));
    assert_eq!(world.act("owner", comment(EventId([0; 32]), 0)), Err(Reject::UnknownPost));
}
