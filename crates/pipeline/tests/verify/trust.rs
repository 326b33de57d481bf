//! What a ledger is held against: the checkpoint, what was seen before, what the caller gave.

use pitpet_chain::hash::{BlockHash, KennelId, RulesHash};
use pitpet_pipeline::checkpoint::{self, CheckpointError, Claim};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::verify::{
    BlockFlaw, KennelTrust, KeySource, Part, RulesTrust, Terms, UsedRules, Verdict, VerifyError,
};

use crate::ledger::{Builder, CHECKPOINT, Ledger, RULES, key, public};

fn held(ledger: &Ledger, change: impl FnOnce(&mut Terms)) -> Result<Verdict, VerifyError> {
    let mut terms = Terms::new(vec![RULES]);
    change(&mut terms);
    ledger.verify_with(&NativeHost, terms)
}

#[test]
fn the_verdict_says_what_was_checked_and_trusted() {
    let ledger = Builder::village(1);
    let verdict = ledger.verify().unwrap();
    assert_eq!(verdict.kennel, ledger.id());
    assert_eq!(verdict.kennel_trust, KennelTrust::FirstUse);
    assert_eq!(verdict.genesis_block, ledger.blocks[0].header.hash());
    assert_eq!((verdict.height, verdict.blocks, verdict.events), (4, 5, 7));
    assert_eq!(verdict.head, ledger.blocks[4].header.hash());
    assert_eq!(verdict.checkpoint, ledger.claim(5));
    assert_eq!(verdict.checkpoint_key, public(CHECKPOINT));
    assert_eq!(verdict.key_source, KeySource::Genesis);
    let used = UsedRules { hash: RULES, trust: RulesTrust::Pinned, from: 0, to: verdict.height };
    assert_eq!(verdict.rules, [used]);
    // However the blocks are cut into segments.
    for step in [1, 3, 256] {
        assert_eq!(Ledger { step, ..ledger.clone() }.verify().unwrap(), verdict);
    }
    let founded = Builder::new(1).end().verify().unwrap();
    assert_eq!((founded.height, founded.blocks, founded.events), (0, 1, 0));
}

#[test]
fn a_checkpoint_is_the_kennels_own_and_over_these_blocks() {
    let ledger = Builder::village(1);
    let with = |kennel: &KennelId, claim: Claim, seed| Ledger {
        checkpoint: checkpoint::sign(kennel, claim, &key(seed)),
        ..ledger.clone()
    };
    let (id, claim) = (ledger.id(), ledger.claim(5));
    with(&id, claim, CHECKPOINT).verify().unwrap();
    let refused = |ledger: Ledger| match ledger.verify() {
        Err(VerifyError::Checkpoint(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(with(&id, claim, 8)), CheckpointError::BadSignature);
    assert_eq!(refused(with(&KennelId([1; 32]), claim, CHECKPOINT)), CheckpointError::WrongOrigin);
    let unsigned = ledger.checkpoint.split("\n\n").next().unwrap().to_owned() + "\n\n";
    assert_eq!(refused(Ledger { checkpoint: unsigned, ..ledger.clone() }), CheckpointError::Malformed);
    for size in [0, 4, 6, u64::MAX] {
        let result = with(&id, Claim { size, ..claim }, CHECKPOINT).verify();
        assert!(matches!(result, Err(VerifyError::CheckpointSize { height: 4, .. })), "{result:?}");
    }
    let root = with(&id, Claim { root: [1; 32], ..claim }, CHECKPOINT).verify();
    assert!(matches!(root, Err(VerifyError::CheckpointRoot { computed, .. }) if computed == claim.root));
    let endless = Ledger { height: u64::MAX, ..ledger.clone() }.verify();
    assert!(matches!(endless, Err(VerifyError::CheckpointSize { .. })));
}

#[test]
fn a_given_checkpoint_key_replaces_that_of_the_genesis() {
    let mut ledger = Builder::village(1);
    let given = |ledger: &Ledger| held(ledger, |terms| terms.checkpoint_key = Some(public(8)));
    assert!(matches!(given(&ledger), Err(VerifyError::Checkpoint(CheckpointError::BadSignature))));
    ledger.sign(8);
    let verdict = given(&ledger).unwrap();
    assert_eq!((verdict.checkpoint_key, verdict.key_source), (public(8), KeySource::Given));
}

#[test]
fn the_kennel_is_the_one_given_or_seen_before() {
    let ledger = Builder::village(1);
    let other = Builder::village(2).id();
    for trust in [KennelTrust::Given, KennelTrust::Remembered] {
        assert_eq!(
            held(&ledger, |terms| terms.kennel = trust(ledger.id())).unwrap().kennel_trust,
            trust(ledger.id())
        );
        let result = held(&ledger, |terms| terms.kennel = trust(other));
        assert!(matches!(result, Err(VerifyError::WrongKennel { expected, .. }) if expected == other));
    }
}

#[test]
fn a_given_block_must_be_there() {
    let ledger = Builder::village(1);
    let with = |height, hash| held(&ledger, |terms| terms.block = Some((height, hash)));
    for height in 0..5 {
        with(height, ledger.blocks[height as usize].header.hash()).unwrap();
        match with(height, BlockHash([1; 32])) {
            Err(VerifyError::Block { height: at, flaw: BlockFlaw::Differs { part: Part::Hash, .. } }) => {
                assert_eq!(at, height);
            }
            other => panic!("{other:?}"),
        }
    }
    let beyond = with(5, BlockHash([1; 32]));
    assert!(matches!(beyond, Err(VerifyError::HeadMissing { wanted: 5, height: 4 })));
}

#[test]
fn a_checkpoint_seen_before_is_extended_or_the_ledger_is_refused() {
    let ledger = Builder::village(1);
    let with = |claim| held(&ledger, |terms| terms.remembered = Some(claim));
    for size in 1..=5 {
        let claim = ledger.claim(size);
        assert_eq!(with(claim).unwrap().extends, Some(claim));
        match with(Claim { root: [1; 32], ..claim }) {
            Err(VerifyError::TwoHistories { size: at, computed, .. }) => {
                assert_eq!((at, computed), (claim.size, claim.root));
            }
            other => panic!("{other:?}"),
        }
    }
    let lost = with(Claim { size: 6, root: [1; 32] });
    assert!(matches!(lost, Err(VerifyError::Shorter { remembered: 6, size: 5 })));
}

#[test]
fn rules_are_pinned_or_allowed_or_not_run() {
    let ledger = Builder::village(1);
    let other = RulesHash([4; 32]);
    let with = |pinned: &[RulesHash], allowed: &[RulesHash]| {
        held(&ledger, |terms| (terms.pinned, terms.allowed) = (pinned.to_vec(), allowed.to_vec()))
    };
    for (pinned, allowed) in [(&[][..], &[][..]), (&[other], &[]), (&[other], &[other])] {
        let error = with(pinned, allowed).unwrap_err();
        assert!(matches!(error, VerifyError::UntrustedRules { height: 0, rules } if rules == RULES));
        assert!(!error.is_invalid(), "not shown to be false: not checked");
    }
    assert_eq!(with(&[other], &[RULES]).unwrap().rules[0].trust, RulesTrust::Allowed);
    assert_eq!(with(&[RULES], &[RULES]).unwrap().rules[0].trust, RulesTrust::Pinned);
}
