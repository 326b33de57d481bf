//! A clock that stands still.

use std::pin::Pin;

use pitpet_pipeline::ports::Clock;

pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

pub(crate) struct Standing;

impl Clock for Standing {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn sleep(&self, _duration_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}
