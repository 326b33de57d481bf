//! The signatures that Wycheproof's cases are about, on the pinned module and natively alike. The
//! module verifies no message but an event's id, so the cases are made for one here, by their
//! flags; the published ones run natively, in `crates/chain/tests/standing.rs`, and in Wasm by
//! `cargo xtask module check`.

use ed25519_dalek::{Signer as _, SigningKey};
use pitpet_chain::abi::{self, Claim};
use pitpet_chain::block::{Header, Receipt};
use pitpet_chain::codec::{Bytes, encode};
use pitpet_chain::event::{Event, Payload, SignedParts, signing_bytes};
use pitpet_chain::hash::{AccountId, BlockHash, EventId, KennelId, PublicKey, RulesHash};
use pitpet_chain::kennel::Fault;
use pitpet_chain::log;
use pitpet_chain::proof::EventProof;
use pitpet_chain_host::{Host, Instance, Metering, Operation, Refusal, Releases, Settings, Target};

const KENNEL: KennelId = KennelId([7; 32]);

/// The order of the group, little-endian: RFC 8032 section 5.1.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn pinned() -> Instance {
    let rules = Releases::latest().unwrap();
    let wasm = Releases::embedded().find(rules).unwrap();
    let host = Host::compiling(Target::host().unwrap(), Settings::default());
    let artefact = Host::compile(&wasm, host.target(), Metering::Counted).unwrap();
    host.load(rules, &artefact).unwrap().instantiate().unwrap()
}

/// An event under this key; what it does is of no interest here.
fn event(key: [u8; 32]) -> Event {
    let key = PublicKey(key);
    Event {
        version: 1,
        kennel: KENNEL,
        account: AccountId::of(&key),
        key,
        nonce: 0,
        expires_ms: 1,
        payload: Payload::Pat { post: EventId([1; 32]) },
        stamp: 0,
    }
}

/// A claim in which all holds but, perhaps, the signature.
fn claim(event: &Event, signature: [u8; 64]) -> Vec<u8> {
    let signed = encode(&SignedParts { unsigned: Bytes(encode(event)), signature });
    let receipt = encode(&Receipt { event: event.id(), changes: Vec::new() });
    let header = Header {
        version: 1,
        kennel: KENNEL,
        height: 1,
        age: 0,
        timestamp_ms: 0,
        parent: BlockHash([0; 32]),
        events_root: log::leaf(&signed),
        receipts_root: log::leaf(&receipt),
        state_root: [0; 32],
        history_root: [0; 32],
        rules_hash: RulesHash([0; 32]),
        sealer: None,
    };
    let proof = EventProof {
        header: Bytes(encode(&header)),
        index: 0,
        event: Bytes(signed),
        event_count: 1,
        event_path: Vec::new(),
        receipt: Bytes(receipt),
        receipt_count: 1,
        receipt_path: Vec::new(),
    };
    encode(&Claim { kennel: KENNEL, event: Some(proof), state: None })
}

/// `S + ORDER`, which the group equation can't tell from `S`.
fn raised(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    signature
}

#[test]
fn native_and_wasm_refuse_the_same_signatures() {
    let signer = SigningKey::from_bytes(&[3; 32]);
    let key = signer.verifying_key().to_bytes();
    let good = event(key);
    let signature = signer.sign(&signing_bytes(&good.id())).to_bytes();
    let flipped = |at: usize, bit: u8| {
        let mut signature = signature;
        signature[at] ^= bit;
        signature
    };
    let with_s = |s: [u8; 32]| {
        let mut signature = signature;
        signature[32..].copy_from_slice(&s);
        signature
    };
    let other = signer.sign(b"another message").to_bytes();
    let mut exchanged = [0; 64];
    exchanged[..32].copy_from_slice(&signature[32..]);
    exchanged[32..].copy_from_slice(&signature[..32]);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut of_neutral = [0; 64];
    of_neutral[0] = 1;

    // Points of small order and keys that are no points or not in shortest form.
    let order_8 = {
        let digits = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
        let pair = |n: usize| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap();
        std::array::from_fn(pair)
    };
    let mut not_reduced = [0xff; 32];
    (not_reduced[0], not_reduced[31]) = (0xee, 0x7f);
    let mut no_point = [0; 32];
    no_point[0] = 2;

    let cases: Vec<(&str, Event, [u8; 64], bool)> = vec![
        ("Valid", event(key), signature, true),
        ("InvalidSignature: all zeros", event(key), [0; 64], false),
        ("InvalidSignature: all ones", event(key), [0xff; 64], false),
        ("InvalidSignature: of another message", event(key), other, false),
        ("InvalidSignature: a bit of R", event(key), flipped(0, 1), false),
        ("InvalidSignature: the sign of R", event(key), flipped(31, 0x80), false),
        ("InvalidSignature: a bit of S", event(key), flipped(32, 1), false),
        ("InvalidEncoding: R and S exchanged", event(key), exchanged, false),
        ("SignatureMalleability: S + order", event(key), raised(signature), false),
        ("SignatureMalleability: S + twice the order", event(key), raised(raised(signature)), false),
        ("SignatureMalleability: S is the order", event(key), with_s(ORDER), false),
        ("SignatureMalleability: the highest bit of S", event(key), flipped(63, 0x80), false),
        ("small order: the neutral element", event(neutral), of_neutral, false),
        ("small order: a point of order 8", event(order_8), of_neutral, false),
        ("key: not in shortest form", event(not_reduced), of_neutral, false),
        ("key: no point", event(no_point), signature, false),
        ("key: all zeros", event([0; 32]), [0; 64], false),
    ];
    let mut wasm = pinned();
    for (what, event, signature, wanted) in cases {
        let input = claim(&event, signature);
        let native = abi::verify(&input);
        assert_eq!(native.is_ok(), wanted, "{what}: {native:?}");
        let answer = wasm.call(Operation::Verify, &input).unwrap();
        assert_eq!(answer, native.map_err(|fault| Refusal(encode(&(fault as u16)))), "{what}");
        if !wanted {
            assert_eq!(answer, Err(Refusal(encode(&(Fault::Outcome as u16)))), "{what}");
        }
    }
}
