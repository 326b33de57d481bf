//! Forgeries by someone who holds all keys of the operator, and so can sign and hash anew.

use pitpet_chain::block::{Receipt, Summary};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::SignedParts;
use pitpet_chain::hash::{AccountId, BlockHash};
use pitpet_chain::kennel::Fault;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::verify::{BlockFlaw, Part, VerifyError};

use crate::gullible::Gullible;
use crate::ledger::{Builder, Ledger, public};

fn forged(change: impl FnOnce(&mut Ledger)) -> Ledger {
    let mut ledger = Builder::village(1);
    change(&mut ledger);
    ledger
}

#[track_caller]
fn differs(ledger: &Ledger, at: u64, part: Part) {
    // By the verifier's own code: these rules would let it pass.
    match ledger.flaw(&Gullible) {
        (height, BlockFlaw::Differs { part: found, .. }) => assert_eq!((height, found), (at, part)),
        other => panic!("{other:?}"),
    }
    ledger.flaw(&NativeHost);
}

#[test]
fn the_rules_that_believe_all_accept_the_honest_ledger() {
    let verdict = Builder::village(1).verify().unwrap();
    let terms = pitpet_pipeline::verify::Terms::new(vec![crate::ledger::RULES]);
    assert_eq!(Builder::village(1).verify_with(&Gullible, terms).unwrap(), verdict);
}

#[test]
fn header_fields_hashed_anew() {
    let with = |change: fn(&mut pitpet_chain::block::Header)| {
        forged(|ledger| {
            change(&mut ledger.blocks[2].header);
            ledger.relink();
        })
    };
    differs(&with(|header| header.version = 2), 2, Part::Version);
    differs(&with(|header| header.kennel.0[0] ^= 1), 2, Part::Kennel);
    differs(&with(|header| header.height = 3), 2, Part::Height);
    differs(&with(|header| header.age += 1), 2, Part::Age);
    differs(&with(|header| header.age = 0), 2, Part::Age);
    differs(&with(|header| header.events_root[0] ^= 1), 2, Part::EventsRoot);
    differs(&with(|header| header.receipts_root[0] ^= 1), 2, Part::ReceiptsRoot);
    differs(&with(|header| header.rules_hash.0[0] ^= 1), 2, Part::Rules);
    // What only executing it shows.
    for change in [
        (|header| header.state_root[0] ^= 1) as fn(&mut pitpet_chain::block::Header),
        |header| header.sealer = Some(AccountId([1; 32])),
        |header| header.timestamp_ms += 1,
        |header| header.age -= 1,
    ] {
        assert_eq!(with(change).flaw(&NativeHost), (2, BlockFlaw::Refused(Fault::Outcome)));
    }
}

#[test]
fn links_and_time() {
    let parent = forged(|ledger| {
        ledger.blocks[2].header.parent = BlockHash([1; 32]);
        ledger.sign(crate::ledger::CHECKPOINT);
    });
    differs(&parent, 2, Part::Parent);
    let history = forged(|ledger| {
        ledger.blocks[4].header.history_root = [1; 32];
        ledger.sign(crate::ledger::CHECKPOINT);
    });
    differs(&history, 4, Part::HistoryRoot);
    for timestamp_ms in [1_009, 1_000 + 25 * 60 * 60 * 1000, u64::MAX] {
        let time = forged(|ledger| {
            ledger.blocks[2].header.timestamp_ms = timestamp_ms;
            ledger.relink();
        });
        assert!(matches!(time.flaw(&Gullible), (2, BlockFlaw::Timestamp { .. })));
        assert_eq!(time.flaw(&NativeHost).0, 2);
    }
    // The first block follows from the genesis.
    let founded_later = forged(|ledger| {
        ledger.blocks[0].header.timestamp_ms += 1;
        ledger.relink();
    });
    assert!(matches!(founded_later.flaw(&Gullible), (0, BlockFlaw::Timestamp { .. })));
    let founded_otherwise = forged(|ledger| {
        ledger.blocks[0].header.state_root[0] ^= 1;
        ledger.relink();
    });
    assert_eq!(founded_otherwise.flaw(&NativeHost), (0, BlockFlaw::Outcome));
}

#[test]
fn a_changed_receipt_or_summary() {
    let receipt = |hashed: bool| {
        forged(|ledger| {
            let other: Receipt = decode(&ledger.blocks[4].receipts[0].0).unwrap();
            ledger.blocks[2].receipts[0] = Bytes(encode(&other));
            if hashed {
                ledger.reroot(2);
                ledger.relink();
            }
        })
    };
    differs(&receipt(false), 2, Part::ReceiptsRoot);
    assert_eq!(receipt(true).flaw(&NativeHost), (2, BlockFlaw::Refused(Fault::Outcome)));
    let summary = |hashed: bool| {
        forged(|ledger| {
            let mut summary: Summary = decode(&ledger.blocks[2].summary.0).unwrap();
            summary.totals.minted += 1;
            ledger.blocks[2].summary = Bytes(encode(&summary));
            if hashed {
                ledger.reroot(2);
                ledger.relink();
            }
        })
    };
    differs(&summary(false), 2, Part::ReceiptsRoot);
    assert_eq!(summary(true).flaw(&NativeHost), (2, BlockFlaw::Refused(Fault::Outcome)));
    let death = forged(|ledger| {
        ledger.blocks[2].deaths.push(Bytes(vec![0]));
        ledger.reroot(2);
        ledger.relink();
    });
    assert_eq!(death.flaw(&NativeHost), (2, BlockFlaw::Refused(Fault::Outcome)));
}

#[test]
fn events_changed_dropped_moved_or_signed_by_nobody() {
    // The last block, whose state doesn't depend on the signature: only checking it shows.
    let signature = forged(|ledger| {
        let mut parts: SignedParts = decode(&ledger.blocks[4].events[0].0).unwrap();
        parts.signature[0] ^= 1;
        ledger.blocks[4].events[0] = Bytes(encode(&parts));
        ledger.reroot(4);
        ledger.relink();
    });
    assert_eq!(signature.flaw(&NativeHost), (4, BlockFlaw::Refused(Fault::Event)));
    let moved = |hashed: bool| {
        forged(|ledger| {
            ledger.blocks[2].events.swap(0, 1);
            ledger.states[2].swap(0, 1);
            if hashed {
                ledger.reroot(2);
                ledger.relink();
            }
        })
    };
    differs(&moved(false), 2, Part::EventsRoot);
    assert_eq!(moved(true).flaw(&NativeHost), (2, BlockFlaw::Refused(Fault::Outcome)));
    let dropped = forged(|ledger| {
        ledger.blocks[2].events.pop();
        ledger.blocks[2].receipts.pop();
        ledger.states[2].pop();
        ledger.bodies[2].pop();
        ledger.reroot(2);
        ledger.relink();
    });
    assert_eq!(dropped.flaw(&NativeHost), (2, BlockFlaw::Refused(Fault::Outcome)));
    let empty = forged(|ledger| {
        ledger.blocks[2].events.clear();
        ledger.reroot(2);
        ledger.relink();
    });
    assert_eq!(empty.flaw(&Gullible), (2, BlockFlaw::EventCount { count: 0 }));
    let nonsense = forged(|ledger| {
        ledger.blocks[2].events[1] = Bytes(vec![0x80]);
        ledger.reroot(2);
        ledger.relink();
    });
    assert_eq!(nonsense.flaw(&Gullible), (2, BlockFlaw::Event { index: 1 }));
}

#[test]
fn blocks_swapped_dropped_doubled_or_grafted() {
    let swapped = |relinked: bool| {
        forged(|ledger| {
            ledger.blocks.swap(2, 4);
            ledger.states.swap(2, 4);
            ledger.bodies.swap(2, 4);
            if relinked {
                let mut heights = 0..;
                ledger.blocks.iter_mut().for_each(|block| block.header.height = heights.next().unwrap());
                ledger.relink();
            }
        })
    };
    differs(&swapped(false), 2, Part::Height);
    assert_eq!(swapped(true).flaw(&NativeHost).0, 2);
    let dropped = forged(|ledger| {
        ledger.blocks.remove(2);
        ledger.states.remove(2);
        ledger.bodies.remove(2);
        ledger.sign(crate::ledger::CHECKPOINT);
    });
    differs(&dropped, 2, Part::Height);
    let doubled = forged(|ledger| {
        ledger.blocks.insert(2, ledger.blocks[2].clone());
        ledger.states.insert(2, ledger.states[2].clone());
        ledger.bodies.insert(2, ledger.bodies[2].clone());
        ledger.sign(crate::ledger::CHECKPOINT);
    });
    differs(&doubled, 3, Part::Height);
    let graft = |relinked: bool| {
        forged(|ledger| {
            let other = Builder::village(2);
            ledger.blocks[3] = other.blocks[3].clone();
            if relinked {
                ledger.blocks[3].header.kennel = ledger.id();
                ledger.relink();
            }
        })
    };
    differs(&graft(false), 3, Part::Kennel);
    assert_eq!(graft(true).flaw(&NativeHost), (3, BlockFlaw::Refused(Fault::Event)));
    let cut = forged(|ledger| {
        ledger.blocks.pop();
    });
    assert!(matches!(cut.verify(), Err(VerifyError::Incomplete { next: 4, height: 4 })));
}

#[test]
fn segments_out_of_place() {
    let ledger = Builder::village(1);
    let honest = ledger.segments();
    let terms = || pitpet_pipeline::verify::Terms::new(vec![crate::ledger::RULES]);
    let refused = |segments: &[pitpet_pipeline::query::Segment]| {
        let result = crate::ledger::verify(&NativeHost, &ledger.opening(), segments, terms());
        assert!(matches!(result, Err(VerifyError::Segment { .. })), "{result:?}");
    };
    refused(&[honest[1].clone(), honest[0].clone(), honest[2].clone()]);
    refused(&[honest[0].clone(), honest[2].clone()]);
    refused(&[honest[0].clone(), honest[0].clone()]);
    refused(&[honest[0].clone(), honest[1].clone(), honest[2].clone(), honest[2].clone()]);
    let mut empty = honest.clone();
    empty[1].entries.clear();
    refused(&empty);
    let mut newer = honest.clone();
    newer[1].version = 2;
    refused(&newer);
    let mut longer = honest;
    let last = longer[2].entries[0].clone();
    longer[2].entries.push(last);
    refused(&longer);
}

#[test]
fn block_bytes_that_are_no_block() {
    let ledger = Builder::village(1);
    let with = |bytes: Vec<u8>| {
        let mut segments = ledger.segments();
        segments[1].entries[0].block = Bytes(bytes);
        let terms = pitpet_pipeline::verify::Terms::new(vec![crate::ledger::RULES]);
        match crate::ledger::verify(&Gullible, &ledger.opening(), &segments, terms) {
            Err(VerifyError::Block { height: 2, flaw }) => flaw,
            other => panic!("{other:?}"),
        }
    };
    let honest = encode(&ledger.blocks[2]);
    assert_eq!(with(vec![]), BlockFlaw::Malformed);
    assert_eq!(with(honest[..honest.len() - 1].to_vec()), BlockFlaw::Malformed);
    assert_eq!(with([&*honest, &[0]].concat()), BlockFlaw::Malformed);
    let size = pitpet_chain::limits::BLOCK_BYTES_MAX + 1;
    assert_eq!(with(vec![0; size]), BlockFlaw::TooLarge { size });
}

#[test]
fn bodies_are_held_to_their_commitments_and_counted() {
    let verdict = Builder::village(1).verify().unwrap();
    assert_eq!((verdict.bodies.none, verdict.bodies.present), (2, 5));
    let changed = forged(|ledger| *ledger.bodies[2][0].0.last_mut().unwrap() ^= 1);
    assert_eq!(changed.flaw(&Gullible), (2, BlockFlaw::Body { index: 1 }));
    let salt = forged(|ledger| ledger.bodies[2][0].0[0] ^= 1);
    assert_eq!(salt.flaw(&Gullible), (2, BlockFlaw::Body { index: 1 }));
    let short = forged(|ledger| ledger.bodies[2][0].0.truncate(31));
    assert_eq!(short.flaw(&Gullible), (2, BlockFlaw::Body { index: 1 }));
    let swapped = forged(|ledger| ledger.bodies[1].swap(0, 1));
    assert_eq!(swapped.flaw(&Gullible), (1, BlockFlaw::Body { index: 0 }));
    // Withheld: counted, since a body may be erased without harm to any proof.
    for (state, counts) in [(2, (1, 0)), (3, (0, 1))] {
        let verdict = forged(|ledger| {
            ledger.states[2][1] = state;
            ledger.bodies[2].clear();
        })
        .verify()
        .unwrap();
        assert_eq!((verdict.bodies.erased, verdict.bodies.missing), counts);
        assert_eq!(verdict.bodies.present, 4);
    }
    let denied = forged(|ledger| {
        ledger.states[2][1] = 0;
        ledger.bodies[2].clear();
    });
    assert_eq!(denied.flaw(&Gullible), (2, BlockFlaw::BodyState { index: 1, state: 0 }));
    for state in [2, 3, 4, 255] {
        let invented = forged(|ledger| ledger.states[2][0] = state);
        assert_eq!(invented.flaw(&Gullible), (2, BlockFlaw::BodyState { index: 0, state }));
    }
    let counts: [fn(&mut Ledger); 4] = [
        |ledger| drop(ledger.bodies[2].pop()),
        |ledger| ledger.bodies[2].push(Bytes(vec![0; 40])),
        |ledger| ledger.states[2].truncate(1),
        |ledger| ledger.states[2].push(2),
    ];
    for change in counts {
        assert!(matches!(forged(change).flaw(&Gullible), (2, BlockFlaw::BodyCount { .. })));
    }
}

#[test]
fn a_genesis_of_another_kind() {
    let other = forged(|ledger| ledger.genesis.checkpoint = public(8));
    assert!(matches!(other.verify(), Err(VerifyError::Checkpoint(_))));
    // Signed for the kennel that the changed genesis founds: then no block fits.
    let signed = forged(|ledger| {
        ledger.genesis.parameters.ttl = 16;
        ledger.sign(crate::ledger::CHECKPOINT);
    });
    differs(&signed, 0, Part::Kennel);
    let range = forged(|ledger| ledger.genesis.parameters.ttl = 0);
    assert!(matches!(range.verify(), Err(VerifyError::GenesisRange("ttl"))));
    let ledger = Builder::village(1);
    let mut opening = ledger.opening();
    opening.genesis.0.push(0);
    let terms = pitpet_pipeline::verify::Terms::new(vec![crate::ledger::RULES]);
    let result = crate::ledger::verify(&NativeHost, &opening, &ledger.segments(), terms);
    assert!(matches!(result, Err(VerifyError::GenesisMalformed)));
}
