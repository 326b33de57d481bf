//! What every clock promises: [`Clock`].

use crate::ports::Clock;

/// When this was written, ms: no clock that is set shows less.
const PAST_MS: u64 = 1_600_000_000_000;

/// Runs the suite.
///
/// # Panics
/// At the first promise that isn't kept.
pub async fn all(clock: &dyn Clock) {
    let before_ms = clock.now_ms();
    assert!(before_ms > PAST_MS, "it counts milliseconds since 1970: {before_ms}");
    clock.sleep(20).await;
    let waited_ms = clock.now_ms() - before_ms;
    assert!(waited_ms >= 20, "it waits for as long as it is told to: {waited_ms} ms");
    clock.sleep(0).await;
}
