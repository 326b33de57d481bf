//! A kennel of tests and benches that make a state without living through it.

use ed25519_dalek::SigningKey;
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{PublicKey, sha256};

pub(crate) const CREATED_MS: u64 = 1_800_000_000_000;

pub(crate) fn genesis() -> Genesis {
    let key = |n| PublicKey(SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes());
    Genesis {
        version: 1,
        parameters: Parameters { stamp_bits: 0, birth_bits: 0, ..Parameters::TOWN },
        operator: key(1),
        house: key(2),
        moderators: vec![key(3)],
        witnesses: vec![],
        threshold: 0,
        checkpoint: key(4),
        created_ms: CREATED_MS,
        random: [5; 32],
    }
}

pub(crate) fn id(kind: &str, n: u32) -> [u8; 32] {
    sha256(format!("{kind} {n}").as_bytes())
}
