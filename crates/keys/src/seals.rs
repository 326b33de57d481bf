//! Seals: what a page's worker searches, and the event that carries what it found.

use pitpet_chain::event::Payload;
use pitpet_chain::hash::{AccountId, BlockHash, KennelId};
use pitpet_chain::mining::{Purpose, Work};

use crate::Refused;
use crate::draft::TRIES_MAX;
use crate::fields::Reader;

/// Searches the seal of an age. Fields: kennel, the block that began the age, account, difficulty,
/// first proof, how many to try.
///
/// # Errors
/// If a field is missing.
pub fn search(input: &mut Reader<'_>) -> Result<Option<u64>, Refused> {
    let (kennel, over, account) =
        (KennelId(input.array()?), BlockHash(input.array()?), AccountId(input.array()?));
    let (difficulty, first, tries) = (input.number()?, input.number()?, input.number()?);
    input.end()?;
    let work = Work::new(&kennel, &over, &account, Purpose::Age, difficulty);
    Ok(work.search(first, tries.min(TRIES_MAX)))
}

/// The payload of a seal of the age. Fields: the block that began the age, the proof.
///
/// # Errors
/// If a field is missing.
pub(crate) fn payload(input: &mut Reader<'_>) -> Result<Payload, Refused> {
    Ok(Payload::Seal { over: BlockHash(input.array()?), proof: input.number()?, time: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Writer;

    #[test]
    fn a_proof_is_found_piece_by_piece() {
        let (kennel, over, account) = (KennelId([1; 32]), BlockHash([2; 32]), AccountId([3; 32]));
        let fields = |first: u64, tries: u64| {
            Writer::new()
                .bytes(&kennel.0)
                .bytes(&over.0)
                .bytes(&account.0)
                .number(1_000)
                .number(first)
                .number(tries)
        };
        let piece = |first| search(&mut Reader::new(&fields(first, 100).done())).unwrap();
        let proof = (0..).step_by(100).find_map(piece).unwrap();
        let work = Work::new(&kennel, &over, &account, Purpose::Age, 1_000);
        assert!(work.is_done_by(proof));
        assert_eq!(work.search(0, u64::MAX), Some(proof), "the first one there is");
        let more = fields(0, 1).bytes(b"more").done();
        assert!(search(&mut Reader::new(&more)).is_err());
    }
}
