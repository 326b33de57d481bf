//! Bugs planted on purpose, to prove that the simulator's auditor sees them.
//!
//! Without the feature `planted-bugs`, which only the simulator's test of them turns on, nothing
//! of this is in a build: [`planted`] is false then, and known to be.

macro_rules! bugs {
    ($($(#[doc = $text:literal])* $name:ident = $label:literal,)*) => {
        /// What may be wrong on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[doc = $text])* $name),* }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Bug] = &[$(Bug::$name),*];

            /// How many settlers it takes to show: kennels open by themselves only for them.
            pub fn settlers(self) -> u32 {
                if self == Bug::OwnSuccessor { 8 } else { 0 }
            }

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Bug::$name => $label),* }
            }

            /// What is wrong, in a sentence.
            pub fn description(self) -> &'static str {
                match self { $(Bug::$name => concat!($($text),*).trim_start()),* }
            }
        }
    };
}

bugs! {
    /// A message is acked though it was not finished.
    AckBeforeCommit = "ack-before-commit",
    /// Of a group that failed, only the first message is reported.
    FollowersAcked = "followers-acked",
    /// The whole batch fails because one group did.
    WholeBatchFailed = "whole-batch-failed",
    /// A message that can't be mined is acked, and not buried.
    PoisonDropped = "poison-dropped",
    /// A block is published before its head is written.
    PublishBeforeCommit = "publish-before-commit",
    /// The head is written without its condition.
    NoCondition = "no-condition",
    /// A conflict on the head is taken for success.
    ConflictIsSuccess = "conflict-is-success",
    /// A head write of unknown outcome is taken for done.
    UnknownIsSuccess = "unknown-is-success",
    /// The head write is sent again by itself, and its conflict with itself taken for a loss.
    HeadWriteRetried = "head-write-retried",
    /// A staged block of unknown outcome is deleted.
    UnknownIsGarbage = "unknown-is-garbage",
    /// The instance is kept that is one block ahead on a branch that lost.
    InstanceKeptAfterLoss = "instance-kept-after-loss",
    /// A snapshot is taken for the head's, whatever its height.
    SnapshotOfWrongHeight = "snapshot-of-wrong-height",
    /// A block's timestamp is the clock's, whatever the parent's is.
    ClockTrusted = "clock-trusted",
    /// A reject is recorded over the receipt of an event that was delivered again.
    RejectOverReceipt = "reject-over-receipt",
    /// A reject is recorded over the receipt of an event that is committed, not published.
    UnpublishedForgotten = "unpublished-forgotten",
    /// Messages are acked though their bodies could not be stored.
    BodiesForgotten = "bodies-forgotten",
    /// The published height rises before the items are written.
    RisenBeforePublished = "risen-before-published",
    /// The published height is written without its condition.
    PublishedHeightFalls = "published-height-falls",
    /// The published height rises to the head, over blocks of an open window.
    PublishedTooFar = "published-too-far",
    /// An older card is written over a newer one.
    OlderCard = "older-card",
    /// A sale is not listed among the trades.
    TradeUnlisted = "trade-unlisted",
    /// A post is in no feed.
    FeedUnlisted = "feed-unlisted",
    /// What a bid had locked is not shown to be free again when the bid ends by itself.
    LockKept = "lock-kept",
    /// A verdict is logged, and what it is about stays as it was.
    VerdictForgotten = "verdict-forgotten",
    /// A reader prefers an event's reject to its receipt.
    RejectPreferred = "reject-preferred",
    /// Garbage is collected at the head, too.
    GarbageAtHead = "garbage-at-head",
    /// Who prepares a kennel takes the one it thought of itself, whatever another one has reserved.
    OwnSuccessor = "own-successor",
    /// Rules that were decided on come a block too late.
    UpgradeLate = "upgrade-late",
    /// The nonce is not checked.
    NonceUnchecked = "nonce-unchecked",
    /// Whether an account has visited a post before is not checked.
    DeduplicationOff = "deduplication-off",
}

#[cfg(feature = "planted-bugs")]
mod switch {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Bug;

    /// The place of the planted bug in [`Bug::ALL`], counted from 1; 0 is none.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Plants a bug in all that this process runs from now on, or none.
    pub fn plant(bug: Option<Bug>) {
        let at = bug.map_or(0, |bug| 1 + bug as usize);
        PLANTED.store(at, Ordering::Relaxed);
        use pitpet_chain::planted::{DEDUPLICATION_OFF, NONCE_UNCHECKED};
        NONCE_UNCHECKED.store(bug == Some(Bug::NonceUnchecked), Ordering::Relaxed);
        DEDUPLICATION_OFF.store(bug == Some(Bug::DeduplicationOff), Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == 1 + bug as usize
    }
}

#[cfg(feature = "planted-bugs")]
pub use switch::plant;
#[cfg(feature = "planted-bugs")]
pub(crate) use switch::planted;

/// Whether this bug is planted.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
