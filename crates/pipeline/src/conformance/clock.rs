//! What every clock promises: [`Clock`].

use crate::ports::Clock;

/// September 2020, ms: no clock that is set shows less.
const PAST_MS: u64 = 1_600_000_000_000;

/// Runs the suite.
///
/// # Panics
/// At the first promise that isn't kept.
pub async fn all(clock: &dyn Clock) {
    let before_ms = clock.now_ms();
    assert!(before_ms > PAST_MS, "it counts milliseconds since 1970: {before_ms}");
    clock.sleep(20).await;
    let after_ms = clock.now_ms();
    assert!(after_ms >= before_ms + 20, "it waits for as long as it is told to: {before_ms} to {after_ms}");
}
