//! A clock that stands still unless it is told to move, or somebody waits by it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use pitpet_pipeline::ports::Clock;

/// Time as the test wants it. Waiting costs nothing: it moves the clock and returns.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicU64,
}

impl TestClock {
    /// A clock that shows this time, ms since the Unix epoch.
    pub fn new(now_ms: u64) -> Self {
        Self { now_ms: AtomicU64::new(now_ms) }
    }

    /// What the clock shows.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    /// Moves the clock on.
    pub fn advance(&self, duration_ms: u64) {
        self.now_ms.fetch_add(duration_ms, Ordering::SeqCst);
    }

    /// Sets the clock, also back.
    pub fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        TestClock::now_ms(self)
    }

    fn sleep(&self, duration_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.advance(duration_ms);
        Box::pin(std::future::ready(()))
    }
}
