//! The decoders of `pitpet-chain`, and of what is stored in its form. Whatever is accepted must encode to the bytes that it came from.

use pitpet_chain::abi::{self, Claim, Session, Start};
use pitpet_chain::block::{Block, Death, Ending, Header, Receipt, Summary};
use pitpet_chain::body::{Body, commitment};
use pitpet_chain::codec::{Bytes, Canonical, decode, encode};
use pitpet_chain::event::{Kind, SignedEvent};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::RulesHash;
use pitpet_chain::kennel::{Fault, prove_event};
use pitpet_chain::mining::Statement;
use pitpet_chain::proof::{EventProof, LogProof, StateProof};
use pitpet_chain::request::SignedRequest;
use pitpet_chain::state::{Account, Keys, Mining, Order, Pet, Post, Totals};
use pitpet_pipeline::publication::publication;
use pitpet_pipeline::snapshots::Manifest;

/// Decodes, and requires the identity of decoding and encoding.
fn identical<T: Canonical>(data: &[u8]) -> Option<T> {
    let value = decode::<T>(data).ok()?;
    assert_eq!(encode(&value), data, "what is decoded encodes to the same bytes");
    Some(value)
}

pub(crate) fn signed_event(data: &[u8]) {
    let Ok(signed) = SignedEvent::read(data) else { return };
    let parameters = &crate::seeds::genesis().parameters;
    let kennel = signed.event.kennel;
    for timestamp_ms in [0, signed.event.expires_ms, u64::MAX] {
        _ = signed.check(&kennel, parameters, timestamp_ms);
    }
    _ = signed.check_signature();
    let unsigned = encode(&signed.event);
    assert!(data.windows(unsigned.len()).any(|window| window == unsigned), "the event is in its bytes");
    assert_eq!(signed.event.id(), signed.id);
}

pub(crate) fn request(data: &[u8]) {
    // Clocks are not input: from 1970 to far ahead.
    for now_ms in [0, 1_767_225_600_000, 1 << 52] {
        _ = SignedRequest::read(data, now_ms);
    }
    _ = identical::<SignedRequest>(data);
}

/// The first byte chooses the kind.
pub(crate) fn body(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
    if let Ok(body) = Body::read(kind, data) {
        assert_eq!(body.encode(), data);
        _ = commitment(&[0; 32], data);
    }
}

pub(crate) fn block(data: &[u8]) {
    let Some(block) = identical::<Block>(data) else { return };
    _ = block.header.hash();
    for index in 0..block.events.len().min(4) {
        if let Ok(proof) = u32::try_from(index).map_err(|_| Fault::Input).and_then(|at| prove_event(data, at))
        {
            _ = proof.check(&block.header.kennel);
        }
    }
    if let Ok(batch) = publication(data, &[[0; 32]]) {
        assert!(!batch.immutable.is_empty(), "a block has its track");
    }
}

pub(crate) fn records(data: &[u8]) {
    _ = identical::<Header>(data);
    _ = identical::<Receipt>(data);
    _ = identical::<Death>(data);
    _ = identical::<Summary>(data);
    _ = identical::<Account>(data);
    _ = identical::<Pet>(data);
    _ = identical::<Post>(data);
    _ = identical::<Order>(data);
    _ = identical::<Ending>(data);
    _ = identical::<Keys>(data);
    _ = identical::<Mining>(data);
    _ = identical::<Totals>(data);
    _ = identical::<Statement>(data);
    _ = identical::<abi::Opened>(data);
    _ = identical::<abi::Batch>(data);
    _ = identical::<abi::Draft>(data);
    _ = identical::<Manifest>(data);
}

pub(crate) fn genesis(data: &[u8]) {
    let Some(genesis) = identical::<Genesis>(data) else { return };
    let is_sound = genesis.fault().is_none();
    let start = Start { rules_hash: RulesHash([1; 32]), genesis: Some(Bytes(data.to_vec())), snapshot: None };
    let opened = Session::new().open(&encode(&start));
    assert_eq!(opened.is_ok(), is_sound, "a kennel is founded on a sound genesis");
}

pub(crate) fn snapshot(data: &[u8]) {
    let start = Start { rules_hash: RulesHash([1; 32]), genesis: None, snapshot: Some(Bytes(data.to_vec())) };
    let mut session = Session::new();
    if session.open(&encode(&start)).is_ok() {
        assert_eq!(session.snapshot(&[]).as_deref(), Ok(data), "what was opened is written again");
    }
}

pub(crate) fn proofs(data: &[u8]) {
    if let Some(claim) = identical::<Claim>(data) {
        _ = abi::verify(data);
        if let Some(proof) = claim.state {
            _ = proof.proof.check(&[0; 32], &proof.id);
        }
    }
    _ = identical::<EventProof>(data);
    _ = identical::<StateProof>(data);
    if let Some(proof) = identical::<LogProof>(data) {
        _ = proof.check(&[0; 32], &pitpet_chain::hash::BlockHash([0; 32]));
    }
}
