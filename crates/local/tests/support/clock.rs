//! A clock that the test sets.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use pitpet_pipeline::ports::Clock;

/// What a [`SetClock`] shows at first, ms since the Unix epoch.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// It stands still but for [`advance`](Self::advance); whoever sleeps by it never wakes.
pub(crate) struct SetClock(AtomicU64);

impl SetClock {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(NOW_MS))
    }

    pub(crate) fn advance(&self, duration_ms: u64) {
        self.0.fetch_add(duration_ms, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, _duration_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}
