//! What every host of chain modules promises: [`ModuleHost`] and [`ChainInstance`].
//!
//! That all of them decide alike, byte by byte, is shown elsewhere: a ledger that one wrote another
//! one verifies.

use pitpet_chain::abi::{Batch, Opened, Question, Replay, Start};
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{BlockHash, RulesHash};
use pitpet_chain::kennel::{Fault, NewBlock, Outcome};

use crate::ports::{ChainInstance, ModuleError, ModuleHost};

/// No record of any kind.
const RUBBISH: &[u8] = b"rubbish";

fn read<T: Canonical>(answer: &[u8], what: &str) -> T {
    decode(answer).unwrap_or_else(|_| panic!("{what} is answered with its canonical record"))
}

fn open(host: &dyn ModuleHost, rules: RulesHash, start: &Start) -> (Box<dyn ChainInstance>, Opened) {
    let (instance, opened) = host.open(&rules.0, &encode(start)).expect("a good start is opened");
    (instance, read(&opened, "opening"))
}

fn is_refused(answer: Result<Vec<u8>, ModuleError>, what: &str) {
    assert!(matches!(answer, Err(ModuleError::Refused(_))), "{what} is refused: {answer:?}");
}

/// Runs the suite. `birth` makes a signed birth that is good at the genesis' time, bound to this
/// block.
///
/// # Panics
/// At the first promise that isn't kept.
pub fn all(
    host: &dyn ModuleHost,
    rules: RulesHash,
    genesis: &Genesis,
    birth: impl FnOnce(BlockHash) -> Bytes,
) {
    host.check(&rules.0).expect("a module that can be opened is sound");
    let rubbish = host.open(&rules.0, RUBBISH).map(|(_, opened)| opened);
    is_refused(rubbish, "a start that is no record");

    let founding = Start { rules_hash: rules, genesis: Some(Bytes(encode(genesis))), snapshot: None };
    let (mut one, opened) = open(host, rules, &founding);
    let (mut other, _) = open(host, rules, &founding);
    assert_eq!(opened.kennel, genesis.kennel(), "the kennel is the genesis'");
    assert_eq!(opened.head.height, 0, "a founded kennel stands at its genesis block");
    assert!(opened.block.is_some(), "founding gives the genesis block");

    let empty = one.snapshot().expect("a state can be written");
    let messages = vec![vec![birth(opened.head.hash)], vec![Bytes(RUBBISH.to_vec())]];
    let batch = encode(&Batch { timestamp_ms: genesis.created_ms, messages });
    let outcome: Outcome = read(&one.apply(&batch).expect("a batch is decided"), "a batch");
    assert_eq!((outcome.consumed, outcome.rejects.len()), (2, 1), "what is no event is rejected alone");
    let block = outcome.block.expect("an accepted event makes a block");
    assert_eq!(block.head.height, 1);
    assert_eq!(other.snapshot().expect("a state"), empty, "what one instance decides is not another's");

    // Another instance comes to the same by the block alone.
    let replay = encode(&Replay { signatures: true, block: block.bytes.clone() });
    let replayed: NewBlock = read(&other.replay(&replay).expect("the block follows"), "a replay");
    assert_eq!(replayed, block, "a replay gives what was decided");
    let state = one.snapshot().expect("a state");
    assert_eq!(other.snapshot().expect("a state"), state, "both states are the same");

    let totals = encode(&Question { kind: 1, id: [0; 32] });
    let proof = one.ask(&totals).expect("the sums can be asked for");
    assert_eq!(other.ask(&totals).expect("the sums"), proof);

    // What is refused leaves the state as it was, or none: then the kennel is opened again.
    is_refused(other.ask(RUBBISH), "a question that is none");
    assert_eq!(other.snapshot().expect("a state"), state, "asking changes nothing");
    for (refused, what) in [
        (other.replay(&replay), "a block that doesn't follow"),
        (other.replay(RUBBISH), "a replay of no block"),
        (other.apply(RUBBISH), "a batch that is none"),
    ] {
        is_refused(refused, what);
    }
    match other.snapshot() {
        Ok(left) => assert_eq!(left, state, "what was refused changed nothing"),
        Err(error) => assert!(matches!(error, ModuleError::Refused(Fault::NotOpen)), "it is closed: {error}"),
    }

    let kept = Start { rules_hash: rules, genesis: None, snapshot: Some(Bytes(state.clone())) };
    let (mut again, opened) = open(host, rules, &kept);
    assert_eq!((opened.head, opened.block), (block.head, None), "a snapshot is opened at its head");
    assert_eq!(again.snapshot().expect("a state"), state, "and is what was written");
    let mut cut = state;
    cut.truncate(cut.len() / 2);
    let cut = Start { rules_hash: rules, genesis: None, snapshot: Some(Bytes(cut)) };
    is_refused(host.open(&rules.0, &encode(&cut)).map(|(_, opened)| opened), "half a snapshot");
}

/// Of a host that can't run every module: one that it has not.
///
/// # Panics
/// If it is opened.
pub fn unknown_rules(host: &dyn ModuleHost, genesis: &Genesis) {
    let rules = RulesHash([0xee; 32]);
    let start = Start { rules_hash: rules, genesis: Some(Bytes(encode(genesis))), snapshot: None };
    let opened = host.open(&rules.0, &encode(&start)).map(|(_, opened)| opened);
    assert!(matches!(opened, Err(ModuleError::UnknownRules(_))), "it has no such module: {opened:?}");
    let checked = host.check(&rules.0);
    assert!(matches!(checked, Err(ModuleError::UnknownRules(_))), "it has no such module: {checked:?}");
}
