//! Rate limits: how many events an address and an account may send in a minute, counted where
//! every instance sees it.
//!
//! Each instance counts in memory, and carries its count to the table in steps of a twentieth of
//! the limit; there it learns what the others have counted. So a player who stays below a step
//! costs nothing at all, a flood costs twenty writes a window and instance, and whoever has
//! reached the limit is refused from memory. A request causes at most one write. The price: each
//! instance may let one step pass before it knows of the others.
//!
//! Sign-ins by password are counted too, for an hour each time, by the name that is tried and by
//! the address: each is worth one guess. Their limits are so low that a step is one.
//!
//! Windows are fixed, a minute each: a sliding one would need the window before, which is a
//! further read for everybody, to smooth what is at most twice the limit across a boundary.
//!
//! If the table fails, requests are counted in memory only: a limit protects the service, and
//! must not be what stops it. Deliberately absent: a ban that outlives its window.

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard};

use lru::LruCache;
use pitpet_chain::hash::{AccountId, Digest32, sha256};

use crate::api::Problem;
use crate::items::{self, BadItem, Fields, attributes};
use crate::ports::{Condition, Consistency, Retry, Table, TableError, Update};
use crate::problem::problem;

/// Length of a window of events.
pub const WINDOW_MS: u64 = 60_000;

/// Length of a window of sign-ins and reports.
pub const SIGN_IN_WINDOW_MS: u64 = 60 * WINDOW_MS;

/// How long a window's count stays in the table after the window, for clocks that differ.
const KEPT_MS: u64 = 10 * WINDOW_MS;

/// A limit is carried to the table in this many steps.
const STEPS: u64 = 20;

/// Addresses and accounts counted at one time: 16,384 × about 150 bytes = 2.5 MB. The one that was
/// quiet for longest is forgotten first.
const SUBJECTS_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("16,384 is not zero");

/// Events a minute; none: as many as come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// From one address: an IPv4 address, or the /64 network of an IPv6 one.
    pub address: Option<NonZeroU32>,
    /// By one account, in all kennels together.
    pub account: Option<NonZeroU32>,
    /// Sign-ins an hour under one name.
    pub sign_in_name: Option<NonZeroU32>,
    /// Sign-ins an hour from one address.
    pub sign_in_address: Option<NonZeroU32>,
    /// Reports an hour by one account.
    pub reports: Option<NonZeroU32>,
}

impl RateLimits {
    /// As many as come.
    pub const NONE: Self =
        Self { address: None, account: None, sign_in_name: None, sign_in_address: None, reports: None };

    /// On loopback: whoever reaches it is on this machine already and needs no flood to harm it.
    /// Passwords are protected all the same.
    pub const LOOPBACK: Self = Self { sign_in_name: Self::DEFAULT.sign_in_name, ..Self::NONE };

    /// Twenty events a second from an address, which a school class behind one router doesn't
    /// reach; two a second by an account, which nobody who types does.
    ///
    /// Twenty guesses an hour are 175,000 a year: of a password of four random words (2^44) one in
    /// a hundred million. Whoever uses up a name's sign-ins keeps its owner out for the hour, but
    /// for those devices that are signed in, and the key file.
    ///
    /// Who looks at what they report doesn't reach thirty reports an hour.
    pub const DEFAULT: Self = Self {
        address: NonZeroU32::new(1_200),
        account: NonZeroU32::new(120),
        sign_in_name: NonZeroU32::new(20),
        sign_in_address: NonZeroU32::new(100),
        reports: NonZeroU32::new(30),
    };
}

/// Whose events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Where a request came from. Counted whatever the events are worth.
    Address(IpAddr),
    /// Who signed: the account that the signing key is the first one of. Counted only for events
    /// whose signature is good; and not by the account that an event names, which may be anyone's.
    /// So nobody can use up the limit of another.
    Account(AccountId),
    /// The name that a password is tried for, by its hash; whether it is anyone's makes no difference.
    SignInName(Digest32),
    /// Where a password is tried from.
    SignInAddress(IpAddr),
    /// An account, whose key signed, that reports.
    Reporter(AccountId),
}

impl Subject {
    /// The address that a request counts for: of IPv6 the /64 network, because that is what one
    /// customer is given.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(network(address))
    }

    /// The same for a sign-in.
    pub fn sign_in_address(address: IpAddr) -> Self {
        Self::SignInAddress(network(address))
    }

    /// The name of a sign-in.
    pub fn sign_in_name(name: &str) -> Self {
        Self::SignInName(sha256(name.as_bytes()))
    }

    fn window_ms(&self) -> u64 {
        match self {
            Self::Address(_) | Self::Account(_) => WINDOW_MS,
            Self::SignInName(_) | Self::SignInAddress(_) | Self::Reporter(_) => SIGN_IN_WINDOW_MS,
        }
    }

    /// Stable text for the item's key.
    fn key(&self) -> String {
        match self {
            Self::Address(address) => format!("address#{address}"),
            Self::Account(account) => format!("account#{account}"),
            Self::SignInName(name) => format!("sign-in-name#{}", hex::encode(name)),
            Self::SignInAddress(address) => format!("sign-in-address#{address}"),
            Self::Reporter(account) => format!("reporter#{account}"),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Account(_) => "account",
            Self::SignInName(_) => "name",
            Self::SignInAddress(_) => "address",
            Self::Reporter(_) => "account",
        }
    }
}

/// The IPv4 address, or the /64 network of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// A subject's events in a window.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    window: u64,
    /// In the table when it was last looked at, of all instances.
    counted: u64,
    /// On the way to the table.
    carried: u64,
    /// Only here.
    pending: u64,
}

impl Tally {
    fn total(&self) -> u64 {
        self.counted + self.carried + self.pending
    }
}

/// Counts for the limits.
pub(crate) struct RateLimiter {
    table: Arc<dyn Table>,
    limits: RateLimits,
    tallies: Mutex<LruCache<Subject, Tally>>,
}

/// One request's dealings with the limits.
pub struct Counting<'a> {
    limiter: &'a RateLimiter,
    now_ms: u64,
    has_written: bool,
}

/// What a step to the table came to.
enum Carried {
    /// The table has it, and this is the total.
    Written(u64),
    /// It has not, and this is the total without it.
    Kept(u64),
}

impl RateLimiter {
    pub(crate) fn new(table: Arc<dyn Table>, limits: RateLimits) -> Self {
        Self { table, limits, tallies: Mutex::new(LruCache::new(SUBJECTS_MAX)) }
    }

    /// Begins a request.
    pub(crate) fn counting(&self, now_ms: u64) -> Counting<'_> {
        Counting { limiter: self, now_ms, has_written: false }
    }

    fn tallies(&self) -> MutexGuard<'_, LruCache<Subject, Tally>> {
        self.tallies.lock().expect("no panic while the tallies are locked")
    }

    /// Changes a subject's tally of a window; of another window's there is nothing to change.
    fn settle(&self, subject: &Subject, window: u64, change: impl FnOnce(&mut Tally)) {
        if let Some(tally) = self.tallies().get_mut(subject).filter(|tally| tally.window == window) {
            change(tally);
        }
    }

    /// Adds a step to the table's count, unless that has reached the limit already.
    async fn carry(
        &self,
        subject: &Subject,
        window: u64,
        step: u64,
        limit: u64,
    ) -> Result<Carried, TableError> {
        let key = items::rate(&subject.key(), window * subject.window_ms());
        let found = self.table.get(&key, Consistency::Strong).await?;
        let damaged = |error: BadItem| TableError::Refused { message: error.to_string() };
        let counted = found.map(|item| item.number("count")).transpose().map_err(damaged)?;
        let total = counted.unwrap_or_default();
        if total >= limit {
            return Ok(Carried::Kept(total));
        }
        let ttl_s = ((window + 1) * subject.window_ms() + KEPT_MS) / 1000;
        let update = Update {
            key,
            set: attributes([("count", (total + step).into()), (items::EXPIRY, ttl_s.into())]),
            remove: Vec::new(),
            condition: counted.map_or(Condition::Absent, |count| Condition::Equals("count", count.into())),
            // Twice would count twice, or fail on its own effect.
            retry: Retry::Never,
        };
        match self.table.update(&update).await {
            Ok(()) => Ok(Carried::Written(total + step)),
            // Another instance was faster: the step stays here and goes with a later request.
            Err(TableError::Conflict) => Ok(Carried::Kept(total)),
            Err(error) => Err(error),
        }
    }
}

impl Counting<'_> {
    /// Counts events of a subject, unless its limit is reached. The last request below the limit
    /// is let through whole.
    ///
    /// # Errors
    /// A problem with status 429 that says when to try again; nothing is counted then.
    pub async fn count(&mut self, subject: Subject, events: u64) -> Result<(), Problem> {
        let limits = self.limiter.limits;
        let limit = match subject {
            Subject::Address(_) => limits.address,
            Subject::Account(_) => limits.account,
            Subject::SignInName(_) => limits.sign_in_name,
            Subject::SignInAddress(_) => limits.sign_in_address,
            Subject::Reporter(_) => limits.reports,
        };
        let Some(limit) = limit.map(|limit| u64::from(limit.get())) else { return Ok(()) };
        let window = self.now_ms / subject.window_ms();
        let step = {
            let mut tallies = self.limiter.tallies();
            let tally = tallies.get_or_insert_mut(subject, Tally::default);
            if tally.window != window {
                *tally = Tally { window, ..Tally::default() };
            }
            if tally.total() >= limit {
                return Err(self.reached(&subject, limit));
            }
            tally.pending += events;
            let is_guess = matches!(subject, Subject::SignInName(_) | Subject::SignInAddress(_));
            if self.has_written && !is_guess || tally.pending < (limit / STEPS).max(1) {
                return Ok(());
            }
            let step = std::mem::take(&mut tally.pending);
            tally.carried += step;
            step
        };
        self.has_written = true;
        let carried = self.limiter.carry(&subject, window, step, limit).await;
        let mut is_reached = false;
        self.limiter.settle(&subject, window, |tally| {
            tally.carried -= step;
            match &carried {
                Ok(Carried::Written(total)) => tally.counted = tally.counted.max(*total),
                Ok(Carried::Kept(total)) => {
                    tally.counted = tally.counted.max(*total);
                    tally.pending += step;
                    is_reached = *total >= limit;
                    if is_reached {
                        tally.pending -= events;
                    }
                }
                Err(_) => tally.pending += step,
            }
        });
        if let Err(error) = carried {
            tracing::warn!(%error, subject = subject.name(), "events are counted in memory only");
        }
        if is_reached { Err(self.reached(&subject, limit)) } else { Ok(()) }
    }

    fn reached(&self, subject: &Subject, limit: u64) -> Problem {
        let window_ms = subject.window_ms();
        let end_ms = (self.now_ms / window_ms + 1) * window_ms;
        let retry_after_s = (end_ms - self.now_ms).div_ceil(1000);
        let name = subject.name();
        if matches!(subject, Subject::Reporter(_)) {
            let detail = format!(
                "One account may report {limit} things an hour, and this one has. Try again in {} min.",
                retry_after_s.div_ceil(60)
            );
            let refusal = problem(429, "report-limit", "Too many reports", detail, Some(name));
            return Problem { retry_after_s: Some(retry_after_s), ..refusal };
        }
        if window_ms == SIGN_IN_WINDOW_MS {
            let detail = format!(
                "For one {name}, {limit} sign-ins an hour are answered, and these have been. Try again in {} min, \
                 or use your key file, which needs no server.",
                retry_after_s.div_ceil(60)
            );
            let refusal = problem(429, "sign-in-limit", "Too many sign-ins", detail, Some(name));
            return Problem { retry_after_s: Some(retry_after_s), ..refusal };
        }
        let detail = format!(
            "One {name} may send {limit} events a minute, and this one has. Try again in {retry_after_s} s."
        );
        let refusal = problem(429, &format!("{name}-limit"), "Too many events", detail, Some(name));
        Problem { retry_after_s: Some(retry_after_s), ..refusal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_are_one_subject() {
        let of = |text: &str| Subject::address(text.parse().unwrap()).key();
        assert_eq!(of("203.0.113.7"), "address#203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), "address#203.0.113.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "address#2001:db8:1:2::");
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
