//! The one layer of retries: bounded, with full jitter.
//!
//! A refusal for load was never executed, so any call but a once-only one may follow it. After
//! an unknown outcome only a call that can't be hurt by its own effect is repeated.
//!
//! Deliberately absent: retry budgets across calls; the bound on attempts is small, and the
//! callers of the ports have redelivery behind them.

use std::time::Duration;

/// How often and how patiently a call is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts in all, the first included; at least 1.
    pub count_max: u32,
    /// The longest wait before the second attempt; it doubles from attempt to attempt.
    pub wait_base: Duration,
    /// The longest wait before any attempt.
    pub wait_max: Duration,
}

impl Default for Attempts {
    /// 5 attempts, waiting at most 50 + 100 + 200 + 400 = 750 ms in all between them, which leaves
    /// a Lambda of 30 s room to report what failed.
    fn default() -> Self {
        Self { count_max: 5, wait_base: Duration::from_millis(50), wait_max: Duration::from_secs(1) }
    }
}

/// What a call may do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing: it goes out once.
    Never,
    /// Go out again if it was refused for load, and so was certainly not executed.
    IfNotExecuted,
    /// Go out again also when nobody knows whether it was executed.
    Harmless,
}

/// What a failed attempt says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// Refused for load, not executed.
    NotExecuted,
    /// Not known whether it was executed.
    Unknown,
    /// Trying again gives the same answer.
    Settled,
}

/// An error that knows whether trying again could help.
pub(crate) trait Outlook {
    /// Tells what this failure says about trying again.
    fn prospect(&self) -> Prospect;
}

impl Attempts {
    /// Runs a call until it succeeds, may not be repeated, or the attempts are used up.
    pub(crate) async fn run<T, E, F>(&self, repeat: Repeat, mut call: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: Outlook,
    {
        let mut done = 0;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            done += 1;
            let again = match (repeat, error.prospect()) {
                (Repeat::Never, _) | (_, Prospect::Settled) => false,
                (Repeat::IfNotExecuted, Prospect::Unknown) => false,
                (Repeat::IfNotExecuted | Repeat::Harmless, _) => true,
            };
            if !again || done >= self.count_max {
                return Err(error);
            }
            self.wait(done).await;
        }
    }

    /// Waits before another attempt, after `done` of them.
    pub(crate) async fn wait(&self, done: u32) {
        let longest = doubled(self.wait_base, done, self.wait_max);
        tokio::time::sleep(longest.mul_f64(unit())).await;
    }
}

/// The wait after `done` attempts: `first`, doubled after each further one, at most `max`.
pub fn doubled(first: Duration, done: u32, max: Duration) -> Duration {
    first.saturating_mul(1 << done.saturating_sub(1).min(31)).min(max)
}

/// Draws from 0 to 1. Jitter needs no secrecy: without a random source, half is as good.
fn unit() -> f64 {
    getrandom::u32().map_or(0.5, |drawn| f64::from(drawn) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Failure(Prospect);

    impl Outlook for Failure {
        fn prospect(&self) -> Prospect {
            self.0
        }
    }

    async fn calls_made(repeat: Repeat, prospect: Prospect) -> u32 {
        let attempts = Attempts { count_max: 3, wait_base: Duration::ZERO, wait_max: Duration::ZERO };
        let calls = Cell::new(0);
        let outcome = attempts
            .run(repeat, async || {
                calls.set(calls.get() + 1);
                Err::<(), _>(Failure(prospect))
            })
            .await;
        assert!(outcome.is_err());
        calls.get()
    }

    #[tokio::test]
    async fn only_what_may_be_repeated_is_repeated() {
        for (repeat, prospect, calls) in [
            (Repeat::Never, Prospect::NotExecuted, 1),
            (Repeat::Never, Prospect::Unknown, 1),
            (Repeat::IfNotExecuted, Prospect::NotExecuted, 3),
            (Repeat::IfNotExecuted, Prospect::Unknown, 1),
            (Repeat::Harmless, Prospect::NotExecuted, 3),
            (Repeat::Harmless, Prospect::Unknown, 3),
            (Repeat::Harmless, Prospect::Settled, 1),
        ] {
            assert_eq!(calls_made(repeat, prospect).await, calls, "{repeat:?} after {prospect:?}");
        }
    }
}
