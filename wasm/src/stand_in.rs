//! Stands in for the rules: a kennel is one hash, and a block hashes it a number of times.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

/// One hash.
pub(crate) struct Kennel {
    head: [u8; 32],
}

type Answer = Result<Vec<u8>, Vec<u8>>;

/// Opens a kennel whose head is the hash of the input; an empty one is refused.
pub(crate) fn open(input: &[u8]) -> Result<(Kennel, Vec<u8>), Vec<u8>> {
    if input.is_empty() {
        return Err(b"empty".to_vec());
    }
    let head = Sha256::digest(input).into();
    Ok((Kennel { head }, Sha256::digest(input).to_vec()))
}

/// Hashes the head as often as the input says: four bytes, little-endian, or a refusal.
pub(crate) fn apply(kennel: &mut Kennel, input: &[u8]) -> Answer {
    let times = input.try_into().map(u32::from_le_bytes).map_err(|_| b"not a number".to_vec())?;
    for _ in 0..times {
        kennel.head = Sha256::digest(kennel.head).into();
    }
    Ok(kennel.head.to_vec())
}

/// As `apply`.
pub(crate) fn replay(kennel: &mut Kennel, input: &[u8]) -> Answer {
    apply(kennel, input)
}

/// The head.
pub(crate) fn snapshot(kennel: &mut Kennel, _: &[u8]) -> Answer {
    Ok(kennel.head.to_vec())
}

/// Is this the head?
pub(crate) fn ask(kennel: &mut Kennel, input: &[u8]) -> Answer {
    Ok(alloc::vec![u8::from(kennel.head == input)])
}

/// The input.
pub(crate) fn encode(input: &[u8]) -> Answer {
    Ok(input.to_vec())
}

/// The input's hash.
pub(crate) fn verify(input: &[u8]) -> Answer {
    Ok(Sha256::digest(input).to_vec())
}
