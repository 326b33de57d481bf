//! The pinned module beside the native rules: the same input must get the same answer from both,
//! and a module that traps or misbehaves is a finding.

use std::cell::RefCell;

use pitpet_chain::abi::{self, Batch, Draft, Opened, Question, Replay, Session, Start};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Payload, Verdict};
use pitpet_chain::hash::{BlockHash, EventId, PublicKey, RulesHash};
use pitpet_chain::kennel::{Fault, Outcome};
use pitpet_chain_host::{
    Artefact, Gatekeeper, Host, Instance, Metering, Module, Operation, Refusal, Releases, Settings, Target,
};
use pitpet_pipeline::head::Founding;
use pitpet_simulator::Player;
use pitpet_simulator::town::{self, FOUNDED_MS, QUICK, id_of, key};

/// Stamps that a draft may ask to be tried: time is not what is fuzzed.
const TRIES_MAX: u64 = 64;

/// Calls on one instance before a new one is made.
const CALLS_MAX: u32 = 1_000;

fn natively(session: &mut Session, operation: Operation, input: &[u8]) -> Result<Vec<u8>, Fault> {
    match operation {
        Operation::Open => session.open(input),
        Operation::Apply => session.apply(input),
        Operation::Replay => session.replay(input),
        Operation::Snapshot => session.snapshot(input),
        Operation::Ask => session.ask(input),
        Operation::Encode => abi::encode_event(input),
        Operation::Verify => abi::verify(input),
        Operation::Seal => abi::search_seal(input),
    }
}

/// Native and Wasm, side by side.
struct Pair {
    native: Session,
    wasm: Instance,
}

impl Pair {
    fn new() -> Self {
        thread_local! {
            static MODULE: RefCell<Option<Module>> = const { RefCell::new(None) };
        }
        let wasm = MODULE.with_borrow_mut(|module| {
            let module = module.get_or_insert_with(|| {
                let rules = Releases::latest().expect("a module is pinned");
                let wasm = Releases::embedded().find(rules).expect("it is there");
                let host = Host::compiling(Target::host().expect("a known target"), Settings::default());
                let artefact = Host::compile(&wasm, host.target(), Metering::Counted).expect("it compiles");
                host.load(rules, &artefact).expect("it loads")
            });
            module.instantiate().expect("it starts")
        });
        Self { native: Session::new(), wasm }
    }

    fn call(&mut self, operation: Operation, input: &[u8]) -> Result<Vec<u8>, Fault> {
        let native = natively(&mut self.native, operation, input);
        let wasm = self.wasm.call(operation, input).expect("the module neither traps nor misbehaves");
        let expected = native.clone().map_err(|fault| Refusal(encode(&(fault as u16))));
        assert_eq!(wasm, expected, "{}: native and Wasm decide alike", operation.name());
        native
    }
}

/// Any bytes as a module: the gate answers, and what it passes has an interface.
pub(crate) fn module(data: &[u8]) {
    if Gatekeeper::new().inspect(data).is_ok() {
        let names = Operation::ALL.map(|operation| operation.name());
        let exports = |name: &str| data.windows(name.len()).any(|window| window == name.as_bytes());
        assert!(names.into_iter().all(exports), "a module that passes exports every operation");
    }
}

/// Any bytes as an artefact: refused, or kept as they are.
pub(crate) fn artefact(data: &[u8]) {
    if let Ok(artefact) = Artefact::from_bytes(data.to_vec()) {
        assert_eq!(artefact.as_bytes(), data);
    }
}

/// Any bytes into any export. The first byte chooses it; its high bit, whether a kennel is opened before.
pub(crate) fn boundary(data: &[u8]) {
    thread_local! {
        static PAIR: RefCell<Option<(Pair, u32)>> = const { RefCell::new(None) };
    }
    let Some((choice, input)) = data.split_first() else { return };
    let operation = Operation::ALL[usize::from(choice & 0x7f) % Operation::ALL.len()];
    let input = match decode::<Draft>(input) {
        Ok(draft) if operation == Operation::Encode => {
            encode(&Draft { tries: draft.tries.min(TRIES_MAX), ..draft })
        }
        _ => input.to_vec(),
    };
    PAIR.with_borrow_mut(|slot| {
        let (mut pair, calls) = slot.take().unwrap_or_else(|| (Pair::new(), 0));
        if choice & 0x80 != 0 {
            let genesis = Some(Bytes(encode(&crate::seeds::genesis())));
            let start = Start { rules_hash: crate::seeds::rules_hash(), genesis, snapshot: None };
            pair.call(Operation::Open, &encode(&start)).expect("the genesis is sound");
        }
        _ = pair.call(operation, &input);
        if calls < CALLS_MAX {
            *slot = Some((pair, calls + 1));
        }
    });
}

/// Reads choices from the input, zeros when it is used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn pick(&mut self, ids: &[EventId]) -> EventId {
        let at = usize::from(self.byte());
        // Now and then one that isn't there.
        ids.get(at % (ids.len() + 1)).copied().unwrap_or(EventId([9; 32]))
    }
}

fn public(key: &ed25519_dalek::SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// A kennel's life made of the input: events of four players, the house and the offices, in batches, with
/// altered bytes, snapshots, questions and replays between.
pub(crate) fn differential(data: &[u8]) {
    let mut choices = Choices(data);
    let parameters = pitpet_chain::genesis::Parameters { ttl: 4, idle_ms: 60_000, ..QUICK };
    let genesis = town::genesis(parameters, 1);
    let founding = Founding { kennel: genesis.kennel(), genesis: genesis.clone(), label: String::new() };
    let rules_hash = RulesHash([1; 32]);
    let mut pair = Pair::new();
    let start = Start { rules_hash, genesis: Some(Bytes(encode(&genesis))), snapshot: None };
    let opened = pair.call(Operation::Open, &encode(&start)).expect("the genesis is sound");
    let mut head: BlockHash = decode::<Opened>(&opened).expect("canonical").head.hash;
    let mut replica = Pair::new();
    replica.call(Operation::Open, &encode(&start)).expect("the genesis is sound");

    let mut now_ms = FOUNDED_MS;
    let mut players: Vec<Player> = (1..=4).map(|seed| Player::of(&founding, seed, now_ms)).collect();
    let office = |seed| Player { key: key(seed), ..Player::of(&founding, 1, now_ms) };
    let (mut moderator, mut operator) = (office(town::MODERATOR_SEED), office(200));
    let mut house = Player { key: town::house_key(), ..Player::of(&founding, 1, now_ms) };
    let (mut pets, mut posts, mut orders) = (Vec::new(), Vec::new(), Vec::new());
    // Blocks of an input, at most.
    for _ in 0..12 {
        if choices.0.is_empty() {
            break;
        }
        now_ms += u64::from(choices.byte()) * 1_000;
        let mut messages = Vec::new();
        for _ in 0..=choices.byte() % 3 {
            let mut message = Vec::new();
            for _ in 0..=choices.byte() % 4 {
                let player = usize::from(choices.byte()) % players.len();
                let other = players[usize::from(choices.byte()) % players.len()].account();
                let player = &mut players[player];
                player.expires_ms = now_ms + 60_000;
                house.expires_ms = now_ms + 60_000;
                let amount = u64::from(choices.byte());
                let entry = match choices.byte() % 20 {
                    0 | 1 => {
                        let entry = player.birth("Kitty", head);
                        pets.push(id_of(&entry));
                        entry
                    }
                    2 | 3 => {
                        let entry = player.post(choices.pick(&pets), "Hello");
                        posts.push(id_of(&entry));
                        entry
                    }
                    4 => player.pat(choices.pick(&posts)),
                    5 => player.act(Payload::Share { post: choices.pick(&posts) }),
                    6 => player.comment(choices.pick(&posts), "So warm!"),
                    7 => player.act(Payload::Gift { pet: choices.pick(&pets).into(), amount }),
                    8 => player.act(Payload::Transfer { to: other, amount }),
                    9 => player.act(Payload::StoryEnd { pet: choices.pick(&pets).into() }),
                    10 => player.act(Payload::Keepsake { pet: choices.pick(&pets).into() }),
                    11 | 12 => {
                        let (pet, until_ms) = (choices.pick(&pets).into(), now_ms + amount * 1_000);
                        let price = u64::from(choices.byte()) % 8;
                        let entry = player.act(match choices.byte() % 2 {
                            0 => Payload::Offer { pet, price, until_ms },
                            _ => Payload::Bid { pet, price, until_ms },
                        });
                        orders.push(id_of(&entry));
                        entry
                    }
                    13 => player.act(Payload::Take { order: choices.pick(&orders), price: amount % 8 }),
                    14 => player.act(Payload::Cancel { order: choices.pick(&orders) }),
                    15 => {
                        let time = (choices.byte() % 4 == 0).then(Vec::new);
                        player.act(Payload::Seal { over: head, proof: amount, time })
                    }
                    // Of the offices, by whoever holds them and by others.
                    17 => {
                        let by = if amount % 2 == 0 { &mut moderator } else { player };
                        let verdict = if amount % 4 < 2 { Verdict::Hide } else { Verdict::Show };
                        by.expires_ms = now_ms + 60_000;
                        by.verdict(choices.pick(&posts), verdict, "Advertising", now_ms)
                    }
                    18 => {
                        let moderators = vec![public(&moderator.key); usize::from(choices.byte() % 3)];
                        let by = if amount % 2 == 0 { &mut operator } else { player };
                        by.expires_ms = now_ms + 60_000;
                        by.nonce = by.nonce.max(now_ms - 1);
                        let operator = public(&by.key);
                        by.act(Payload::Appoint { operator, moderators, witnesses: vec![], threshold: 0 })
                    }
                    19 => {
                        let rules = if choices.byte() % 2 == 0 { rules_hash } else { RulesHash([2; 32]) };
                        let by = if amount % 2 == 0 { &mut operator } else { player };
                        by.expires_ms = now_ms + 60_000;
                        by.nonce = by.nonce.max(now_ms - 1);
                        by.act(Payload::Upgrade { rules_hash: rules, at_height: amount })
                    }
                    _ => match choices.byte() % 3 {
                        0 => {
                            now_ms += 60_000;
                            house.expires_ms = now_ms + 60_000;
                            house.act(Payload::Time { parent: head, statements: Vec::new() })
                        }
                        1 => {
                            let new = key(player.key.to_bytes()[0].wrapping_add(16));
                            player.act(Payload::Rekey { new_key: public(&new), recovery: None })
                        }
                        _ => {
                            let mut entry = player.pat(choices.pick(&posts));
                            let at = usize::from(choices.byte()) % entry.event.0.len();
                            entry.event.0[at] ^= choices.byte();
                            entry
                        }
                    },
                };
                message.push(entry.event);
            }
            messages.push(message);
        }
        let batch = encode(&Batch { timestamp_ms: now_ms, messages });
        let Ok(answer) = pair.call(Operation::Apply, &batch) else { continue };
        let outcome: Outcome = decode(&answer).expect("canonical");
        if let Some(block) = outcome.block {
            head = block.head.hash;
            let replay = encode(&Replay { signatures: choices.byte() % 2 == 0, block: block.bytes.clone() });
            let replayed = replica.call(Operation::Replay, &replay).expect("replay is apply");
            assert_eq!(replayed, encode(&block), "replay is apply");
        }
        if choices.byte() % 4 == 0 {
            let kind = choices.byte() % 10;
            _ = pair.call(Operation::Ask, &encode(&Question { kind, id: choices.pick(&pets).0 }));
        }
    }
    let snapshot = pair.call(Operation::Snapshot, &[]).expect("it is open");
    assert_eq!(replica.call(Operation::Snapshot, &[]).expect("it is open"), snapshot);
    let start = Start { rules_hash, genesis: None, snapshot: Some(Bytes(snapshot.clone())) };
    replica.call(Operation::Open, &encode(&start)).expect("its own snapshot is sound");
    assert_eq!(replica.call(Operation::Snapshot, &[]).expect("it is open"), snapshot);
}
