//! What must hold of a kennel whatever happened to it, checked from its items alone.

use std::collections::{BTreeMap, BTreeSet};

use pitpet_chain::block::Block;
use pitpet_chain::body::commitment;
use pitpet_chain::codec::decode;
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{BlockHash, EventId};
use pitpet_chain::kennel::{Kennel, Signatures};
use pitpet_pipeline::head::{CommittedHead, Founding, path_down, read_block, read_head};
use pitpet_pipeline::items::{self, Fields as _};
use pitpet_pipeline::ports::Consistency;

use crate::table::MemoryTable;

/// Whether the read side must be at the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It must.
    Whole,
    /// It may be behind.
    Partly,
}

/// What an audit found.
#[derive(Clone)]
pub struct Audit {
    /// The head.
    pub head: CommittedHead,
    /// Hashes by height.
    pub blocks: Vec<BlockHash>,
    /// Accepted events with their heights, in order.
    pub events: Vec<(u64, EventId)>,
    /// Events with a reject recorded.
    pub rejects: BTreeMap<EventId, u64>,
    /// The state at the head.
    pub kennel: Kennel,
}

impl Audit {
    /// Whether an event was accepted.
    pub fn has(&self, event: &EventId) -> bool {
        self.events.iter().any(|(_, id)| id == event)
    }
}

/// Replays a kennel from genesis with every signature checked, and compares the read side with
/// what comes out.
///
/// # Panics
/// If anything is not as it must be.
pub async fn audit(table: &MemoryTable, founding: &Founding, published: Published) -> Audit {
    let id = &founding.kennel;
    let head = read_head(table, founding, Consistency::Strong).await.expect("a sound head");
    let (genesis, path) =
        path_down(table, id, (head.height, head.hash), 0).await.expect("parents lead to genesis");
    let first = read_block(table, id, 0, &genesis).await.expect("the first block is there");
    let mut rules = decode::<Block>(&first.bytes).expect("a block").header.rules_hash;
    let (mut kennel, first) = Kennel::found(founding.genesis.clone(), rules).expect("a good genesis");
    assert_eq!(first.head.hash, genesis, "the chain begins with its genesis");
    let mut blocks = vec![genesis];
    let mut events: Vec<(u64, EventId)> = Vec::new();
    let mut commitments = BTreeMap::new();
    for (height, hash) in path {
        let stored = read_block(table, id, height, &hash).await.expect("a committed block is there");
        let block: Block = decode(&stored.bytes).expect("a block");
        if block.header.rules_hash != rules {
            rules = block.header.rules_hash;
            kennel = Kennel::open(kennel.snapshot(), rules).expect("the chain decided on these rules");
        }
        let made = kennel.replay(&stored.bytes, Signatures::Checked).expect("a committed block replays");
        assert_eq!(made.head.hash, hash, "a block is what its key says");
        assert_eq!(made.nodes, stored.nodes, "a block's log nodes");
        assert!(kennel.state().is_balanced(), "treats are conserved at height {height}");
        blocks.push(hash);
        for event in &block.events {
            let signed = SignedEvent::read(&event.0).expect("it was replayed");
            events.push((height, signed.id));
            if let Some(body) = signed.event.payload.body() {
                commitments.insert(signed.id, *body);
            }
        }
    }
    assert_eq!(kennel.head().checkpoint_root, head.checkpoint_root, "the checkpoint is over these blocks");
    let distinct: BTreeSet<&EventId> = events.iter().map(|(_, id)| id).collect();
    assert_eq!(distinct.len(), events.len(), "no event is in the chain twice");

    let all = table.shown().all();
    let of_event = |suffix: &str| -> BTreeMap<EventId, &pitpet_pipeline::ports::Attributes> {
        all.iter()
            .filter(|(key, _)| key.sk == suffix)
            .filter_map(|(key, item)| Some((key.pk.strip_prefix("E#")?.parse().ok()?, item)))
            .filter(|(_, item): &(EventId, _)| {
                item.digest("kennel").is_ok_and(|kennel| kennel == id.0) || suffix == "BODY"
            })
            .collect()
    };
    let rejects: BTreeMap<EventId, u64> = of_event("REJECT")
        .into_iter()
        .map(|(event, item)| (event, item.number("reject").expect("a reject's number")))
        .collect();
    if published == Published::Whole {
        for (height, hash) in blocks.iter().enumerate() {
            let track = &all[&items::track(id, height as u64)];
            assert_eq!(track.digest("hash"), Ok(hash.0), "the track at height {height}");
        }
        let places = of_event("PLACE");
        let placed: BTreeSet<(u64, EventId)> =
            places.iter().map(|(event, item)| (item.number("height").expect("a height"), *event)).collect();
        assert_eq!(placed, events.iter().copied().collect(), "every accepted event has its one place");
        let bodies = of_event("BODY");
        for (event, committed) in &commitments {
            let body = bodies.get(event).unwrap_or_else(|| panic!("event {event} has no body"));
            let salt = body.digest("salt").expect("a salt");
            assert_eq!(commitment(&salt, body.bytes("body").expect("bytes")), *committed);
        }
        // A body doesn't say its kennel; its event's place does.
        for event in bodies.keys() {
            assert!(all.contains_key(&items::place(event)), "only accepted events leave text");
        }
        for pet in kennel.state().pets() {
            let card = &all[&items::pet(&pet.birth)];
            let mut shown: pitpet_chain::state::Pet =
                decode(card.bytes("record").expect("a record")).expect("a pet");
            // Deaths are attributes of their own, above the record of the last event.
            if let Ok(died_height) = card.number("died_height")
                && shown.phase == pitpet_chain::state::Phase::Living
            {
                shown.phase = pitpet_chain::state::Phase::Dead;
                shown.died_height = died_height;
                shown.died_ms = card.number("died_ms").expect("a time");
            }
            assert_eq!(&shown, pet, "a pet's card is its record");
        }
        for (_, event) in &events {
            assert!(!rejects.contains_key(event), "event {event} has a receipt and a reject");
        }
    }
    Audit { head, blocks, events, rejects, kennel }
}
