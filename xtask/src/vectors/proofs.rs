//! Proofs from the ledger, and the scripts that replay it, open it midway, and are refused.

use pitpet_chain::abi::{Batch, Claim, Draft, Question, Replay, Start};
use pitpet_chain::block::{Block, Header};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{AccountId, Digest32};
use pitpet_chain::kennel::{Fault, prove_event};
use pitpet_chain::log;
use pitpet_chain::proof::{LogProof, StateProof};
use pitpet_chain::state::{Pet, StateKey};
use pitpet_chain_host::Operation;
use pitpet_pipeline::checkpoint;
use serde_json::{Value, json};

use super::example::{key, public};
use super::ledger::{Ledger, genesis, rules_hash};
use super::script::{Recorder, Script};

fn start(genesis: Option<Vec<u8>>, snapshot: Option<Vec<u8>>) -> Vec<u8> {
    encode(&Start { rules_hash: rules_hash(), genesis: genesis.map(Bytes), snapshot: snapshot.map(Bytes) })
}

fn replay(block: &[u8], signatures: bool) -> Vec<u8> {
    encode(&Replay { signatures, block: Bytes(block.to_vec()) })
}

fn question(key: &StateKey) -> Vec<u8> {
    let (kind, id) = key.parts();
    encode(&Question { kind, id })
}

/// Records the other scripts and the proofs.
pub(crate) fn scripts_and_proofs(ledger: &Ledger) -> (Vec<Script>, Value) {
    let [mimi, rex, _] = ledger.pets[..] else { unreachable!("the story has three births") };
    let founding = start(Some(encode(&genesis())), None);

    // Replay, with questions on the way.
    let mut recorder = Recorder::new("an auditor replays it and asks");
    recorder.call("found the kennel", Operation::Open, founding.clone()).expect("it is sound");
    let mut states = Vec::new();
    let mut claims = Vec::new();
    let mut ask = |recorder: &mut Recorder, note: &str, key: StateKey| {
        let answer = recorder.call(note, Operation::Ask, question(&key)).expect("any key has an answer");
        let proof: StateProof = decode(&answer).expect("an answer is canonical");
        let header: Header = decode(&proof.header.0).expect("a header is canonical");
        let pet: Option<Pet> = match key {
            StateKey::Pet(_) => proof.record.as_ref().map(|record| decode(&record.0).expect("a pet")),
            _ => None,
        };
        states.push(json!({
            "note": note,
            "state_root": hex::encode(header.state_root),
            "height": header.height,
            "kind": proof.kind,
            "id": hex::encode(proof.id),
            "state_key": hex::encode(key.hash()),
            "record": proof.record.as_ref().map(|record| hex::encode(&record.0)),
            "died_height": pet.map(|pet| pet.died_height),
            "proof": hex::encode(&answer),
        }));
        claims.push(Claim { kennel: ledger.kennel, event: None, state: Some(proof) });
    };
    for (n, block) in ledger.blocks.iter().enumerate().skip(1) {
        let input = replay(&block.bytes.0, n % 2 == 1);
        recorder.call(&format!("replay block {n}"), Operation::Replay, input).expect("it follows");
        if n == 1 {
            ask(&mut recorder, "Rex lives", StateKey::Pet(rex));
        }
    }
    ask(&mut recorder, "Mimi is dead", StateKey::Pet(mimi));
    ask(&mut recorder, "Rex is dead, his keepsake kept", StateKey::Pet(rex));
    ask(&mut recorder, "no such account", StateKey::Account(AccountId([5; 32])));
    ask(&mut recorder, "ann's account", StateKey::Account(AccountId::of(&public(&key("ann")))));
    ask(&mut recorder, "the genesis", StateKey::Genesis);
    recorder.call("the state at the end", Operation::Snapshot, Vec::new()).expect("it is open");
    let replayed = recorder.finish();

    // From the snapshot midway.
    let mut recorder = Recorder::new("a miner opens it midway");
    let (height, snapshot) = &ledger.midway;
    recorder
        .call("open the snapshot", Operation::Open, start(None, Some(snapshot.clone())))
        .expect("the snapshot is sound");
    for block in &ledger.blocks[height + 1..] {
        recorder.call("replay", Operation::Replay, replay(&block.bytes.0, false)).expect("it follows");
    }
    recorder.call("the state at the end", Operation::Snapshot, Vec::new()).expect("it is open");
    let midway = recorder.finish();

    // Event proofs.
    let mut events = Vec::new();
    for (at, index) in [(1_usize, 1_u32), (3, 0), (3, 2), (4, 0)] {
        let proof = prove_event(&ledger.blocks[at].bytes.0, index).expect("the block has this event");
        let id = SignedEvent::read(&proof.event.0).expect("a mined event is sound").id;
        events.push(json!({
            "height": at,
            "index": index,
            "id": id.to_string(),
            "proof": hex::encode(encode(&proof)),
        }));
        claims.push(Claim { kennel: ledger.kennel, event: Some(proof), state: None });
    }

    // The block log.
    let leaves: Vec<Digest32> = ledger.blocks.iter().map(|block| log::leaf(&block.head.hash.0)).collect();
    let root = log::root(&leaves);
    assert_eq!(Some(root), ledger.blocks.last().map(|block| block.head.checkpoint_root));
    let places: Vec<Value> = ledger
        .blocks
        .iter()
        .enumerate()
        .map(|(height, block)| {
            let proof = LogProof {
                height: height as u64,
                size: leaves.len() as u64,
                path: log::path(&leaves, height),
            };
            assert!(proof.check(&root, &block.head.hash));
            json!({
                "height": height,
                "hash": block.head.hash.to_string(),
                "leaf": hex::encode(leaves[height]),
                "path": proof.path.iter().map(hex::encode).collect::<Vec<_>>(),
                "proof": hex::encode(encode(&proof)),
            })
        })
        .collect();
    let proofs = json!({
        "kennel": ledger.kennel.to_string(),
        "checkpoint": checkpoint(ledger, leaves.len() as u64, root),
        "log": { "size": leaves.len(), "root": hex::encode(root), "blocks": places },
        "states": states,
        "events": events,
    });
    (vec![replayed, midway, client(ledger, &claims), refusals(ledger, &founding)], proofs)
}

/// The signed note of the last head.
fn checkpoint(ledger: &Ledger, size: u64, root: Digest32) -> Value {
    let key = key("checkpoint");
    json!({
        "key_seed": hex::encode(key.to_bytes()),
        "key": public(&key).to_string(),
        "verifier_key": checkpoint::verifier_key(&ledger.kennel, &public(&key)),
        "size": size,
        "root": hex::encode(root),
        "note": checkpoint::sign(&ledger.kennel, checkpoint::Claim { size, root }, &key),
    })
}

/// What needs no kennel.
fn client(ledger: &Ledger, claims: &[Claim]) -> Script {
    let mut recorder = Recorder::new("a client encodes and verifies");
    for claim in claims {
        recorder.call("a proof", Operation::Verify, encode(claim)).expect("it is sound");
    }
    let mut lie = claims[0].clone();
    lie.kennel.0[0] ^= 1;
    recorder.refused("a proof of another kennel", Operation::Verify, encode(&lie), Fault::Outcome);
    let mut lie = claims[0].clone();
    lie.state.as_mut().expect("the first is a state proof").record = None;
    recorder.refused("a record left out", Operation::Verify, encode(&lie), Fault::Outcome);
    let mut lie = claims.last().expect("there are some").clone();
    *lie.event.as_mut().expect("the last is an event's").event.0.last_mut().expect("bytes") ^= 1;
    recorder.refused("an event with another signature", Operation::Verify, encode(&lie), Fault::Outcome);

    for block in &ledger.blocks[1..] {
        let block: Block = decode(&block.bytes.0).expect("a block is canonical");
        for signed in &block.events {
            let SignedEvent { mut event, signature, .. } =
                SignedEvent::read(&signed.0).expect("it was mined");
            event.stamp = 0;
            let draft = Draft { event, bits: 8, tries: 1 << 20, signature: Some(signature) };
            recorder.call("stamp and join", Operation::Encode, encode(&draft)).expect("a draft is encoded");
        }
    }
    recorder.refused("no draft", Operation::Encode, vec![0x80], Fault::Input);
    recorder.finish()
}

/// Every fault that an input can have.
fn refusals(ledger: &Ledger, founding: &[u8]) -> Script {
    let mut recorder = Recorder::new("refusals");
    let block = |n: usize| ledger.blocks[n].bytes.0.clone();
    let altered = |change: &dyn Fn(&mut Block)| {
        let mut block: Block = decode(&block(1)).expect("a block is canonical");
        change(&mut block);
        replay(&encode(&block), true)
    };
    recorder.refused("nothing is open", Operation::Snapshot, Vec::new(), Fault::NotOpen);
    recorder.refused("no start", Operation::Open, vec![0xf6], Fault::Input);
    recorder.refused("neither genesis nor snapshot", Operation::Open, start(None, None), Fault::Input);
    let mut wrong = genesis();
    wrong.parameters.ttl = 0;
    recorder.refused("no life", Operation::Open, start(Some(encode(&wrong)), None), Fault::Genesis);
    let mut snapshot = ledger.midway.1.clone();
    *snapshot.last_mut().expect("bytes") ^= 1;
    recorder.refused("a bit flipped", Operation::Open, start(None, Some(snapshot)), Fault::Snapshot);

    let cases: [(&str, Vec<u8>, Fault); 9] = [
        ("a block cut short", replay(&block(1)[..block(1).len() - 1], true), Fault::Input),
        ("the block after next", replay(&block(2), true), Fault::Link),
        ("other rules", altered(&|block| block.header.rules_hash.0[0] ^= 1), Fault::Link),
        ("a clock running backwards", altered(&|block| block.header.timestamp_ms = 0), Fault::Timestamp),
        ("no events", altered(&|block| block.events.clear()), Fault::BlockSize),
        (
            "a forged event",
            altered(&|block| *block.events[0].0.last_mut().expect("bytes") ^= 1),
            Fault::Event,
        ),
        ("another age", altered(&|block| block.header.age += 1), Fault::Outcome),
        ("a receipt changed", altered(&|block| block.receipts[0].0[5] ^= 1), Fault::Outcome),
        ("another state root", altered(&|block| block.header.state_root[0] ^= 1), Fault::Outcome),
    ];
    for (note, input, fault) in cases {
        recorder.call("found the kennel", Operation::Open, founding.to_vec()).expect("it is sound");
        recorder.refused(note, Operation::Replay, input, fault);
    }
    recorder.call("found the kennel", Operation::Open, founding.to_vec()).expect("it is sound");
    let early = Batch { timestamp_ms: 0, messages: Vec::new() };
    recorder.refused("before the genesis", Operation::Apply, encode(&early), Fault::Timestamp);
    let many = Batch { timestamp_ms: genesis().created_ms, messages: vec![vec![Bytes(Vec::new()); 26]] };
    recorder.refused("26 events in a message", Operation::Apply, encode(&many), Fault::Message);
    recorder.refused(
        "a question of no kind",
        Operation::Ask,
        encode(&Question { kind: 9, id: [0; 32] }),
        Fault::Input,
    );
    recorder.refused("a snapshot of something", Operation::Snapshot, vec![0], Fault::Input);
    recorder.finish()
}
