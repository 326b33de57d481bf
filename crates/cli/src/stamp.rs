//! The search for an event's stamp, on all cores.
//!
//! Any stamp with enough bits is as good as another, so the first one found by any thread wins.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pitpet_chain::event::{Event, work};
use pitpet_chain::genesis::Parameters;

/// Trials that a thread takes at a time: under a millisecond of work.
const CHUNK: u64 = 4096;

/// Trials below which threads cost more than they bring: 2^14.
const ALONE_BITS_MAX: u32 = 14;

/// Finds and sets the stamp. `tried` is told, now and then and from several threads, how many
/// trials were made so far; 2^bits are expected.
pub fn seal(event: &mut Event, parameters: &Parameters, tried: &(dyn Fn(u64) + Sync)) {
    let bits = event.bits(parameters);
    if bits <= ALONE_BITS_MAX {
        event.seal_stamp(parameters);
        return;
    }
    let base = event.stamp_base();
    let (next, found, stamp) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !found.load(Ordering::Relaxed) {
                    let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if let Some(hit) = (from..from + CHUNK).find(|trial| work(&base, *trial) >= bits) {
                        if !found.swap(true, Ordering::AcqRel) {
                            stamp.store(hit, Ordering::Release);
                        }
                    } else if from.is_multiple_of(CHUNK * 64) {
                        tried(from);
                    }
                }
            });
        }
    });
    event.stamp = stamp.into_inner();
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitpet_chain::event::{Payload, VERSION};
    use pitpet_chain::hash::{AccountId, BlockHash, EventId, KennelId, PublicKey};

    fn event(payload: Payload) -> Event {
        let key = PublicKey([7; 32]);
        Event {
            version: VERSION,
            kennel: KennelId([1; 32]),
            account: AccountId::of(&key),
            key,
            nonce: 0,
            expires_ms: 5,
            payload,
            stamp: 0,
        }
    }

    #[test]
    fn the_stamp_found_has_the_bits_of_its_kind() {
        let parameters = Parameters { birth_bits: 17, stamp_bits: 9, ..Parameters::TOWN };
        let mut birth = event(Payload::Birth {
            photo: [0; 32],
            body: [0; 32],
            recovery: None,
            anchor: BlockHash([2; 32]),
        });
        seal(&mut birth, &parameters, &|_| {});
        assert!(birth.work() >= 17);
        let mut pat = event(Payload::Pat { post: EventId([3; 32]) });
        seal(&mut pat, &parameters, &|_| {});
        assert!(pat.work() >= 9);
    }
}
