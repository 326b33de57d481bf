//! What a kennel is founded on: its parameters, its keys, and 32 random bytes.

use alloc::vec::Vec;

use crate::codec::encode;
use crate::hash::{AccountId, Digest32, KennelId, PublicKey, tag, tagged};
use crate::{limits, record};

record! {
    /// The parameters that an operator chooses once, for ever.
    pub struct Parameters {
        /// Ages that a pet lives without an event, 1 to 1,000.
        pub ttl: u32,
        /// Least time between two ages, ms; 0: every block with an ageing event is an age.
        pub age_interval_ms: u64,
        /// Silence after which time is mined, ms, 1 minute to 12 hours.
        pub idle_ms: u64,
        /// Living pets at one time.
        pub living_max: u32,
        /// Accounts with a record at one time.
        pub accounts_max: u32,
        /// Pats, shares and comments of one post.
        pub visits_per_post_max: u32,
        /// Open posts of one pet.
        pub open_posts_max: u32,
        /// Treats granted at each birth; they pay for posts only, until a keepsake releases them.
        pub birth_grant: u64,
        /// Treats that a post costs, paid into the pet's wallet.
        pub post_cost: u64,
        /// Treats for the first seal of an age; like `time_reward` out of the house's income as
        /// far as that goes, and minted beyond.
        pub seal_reward: u64,
        /// Treats for a seal that mines time.
        pub time_reward: u64,
        /// Leading zero bits of every event's stamp.
        pub stamp_bits: u8,
        /// Leading zero bits of a birth's stamp.
        pub birth_bits: u8,
        /// A seal takes at least 2^`seal_bits` trials on average; see [`crate::mining`].
        pub seal_bits: u8,
        /// The house's part of each sale in thousandths, rounded up, 300 to 1,000.
        pub cut_permille: u16,
    }
}

impl Parameters {
    /// The default: a pet lives for days.
    ///
    /// The numbers are chosen by seasons that are played on these rules (`docs/economy.md`). A grant
    /// of 30 is the lowest round one at which owners who care a lot can still pay their posts; it has
    /// to last for the life of a pet, for only the keepsake gives back what was posted.
    pub const TOWN: Self = Self {
        ttl: 15,
        age_interval_ms: 4 * 60 * 60 * 1000,
        idle_ms: 12 * 60 * 60 * 1000,
        living_max: limits::LIVING_MAX,
        accounts_max: limits::ACCOUNTS_MAX,
        visits_per_post_max: limits::VISITS_PER_POST_MAX,
        open_posts_max: limits::OPEN_POSTS_MAX,
        birth_grant: 30,
        post_cost: 1,
        seal_reward: 1,
        time_reward: 2,
        stamp_bits: 16,
        birth_bits: 22,
        seal_bits: 24,
        cut_permille: 300,
    };

    /// Trials that a seal takes on average at least: 2^`seal_bits`.
    pub fn difficulty_min(&self) -> u64 {
        1 << self.seal_bits.min(limits::STAMP_BITS_MAX)
    }

    /// Names the first parameter that is out of its range, if any.
    pub fn fault(&self) -> Option<&'static str> {
        let checks = [
            ("ttl", (1..=1000).contains(&self.ttl)),
            ("age_interval_ms", self.age_interval_ms <= 30 * 24 * 60 * 60 * 1000),
            ("idle_ms", (60_000..=12 * 60 * 60 * 1000).contains(&self.idle_ms)),
            ("living_max", (1..=limits::LIVING_MAX).contains(&self.living_max)),
            ("accounts_max", (1..=limits::ACCOUNTS_MAX).contains(&self.accounts_max)),
            ("visits_per_post_max", (1..=limits::VISITS_PER_POST_MAX).contains(&self.visits_per_post_max)),
            ("open_posts_max", (1..=limits::OPEN_POSTS_MAX).contains(&self.open_posts_max)),
            ("birth_grant", self.birth_grant <= 1_000_000),
            ("post_cost", self.post_cost <= 1_000_000),
            ("seal_reward", self.seal_reward <= 1_000_000),
            ("time_reward", self.time_reward <= 1_000_000),
            ("stamp_bits", self.stamp_bits <= limits::STAMP_BITS_MAX),
            ("birth_bits", self.birth_bits <= limits::STAMP_BITS_MAX),
            ("seal_bits", self.seal_bits <= limits::STAMP_BITS_MAX),
            ("cut_permille", (300..=1000).contains(&self.cut_permille)),
        ];
        checks.into_iter().find(|(_, sound)| !sound).map(|(name, _)| name)
    }
}

record! {
    /// The founding record of a kennel; its tagged hash is the kennel's id.
    pub struct Genesis {
        /// Format version, 1.
        pub version: u8,
        /// The rules' parameters.
        pub parameters: Parameters,
        /// Appoints keys and upgrades the rules, until it appoints another operator.
        pub operator: PublicKey,
        /// Mines time and receives the cut of sales.
        pub house: PublicKey,
        /// May hide bodies; at most [`limits::MODERATORS_MAX`].
        pub moderators: Vec<PublicKey>,
        /// Say when the kennel has been idle; at most [`limits::WITNESSES_MAX`]. Without any the
        /// house's clock decides.
        pub witnesses: Vec<PublicKey>,
        /// Witnesses that must say so: more than half of them, 0 if there are none.
        pub threshold: u8,
        /// Signs the checkpoint of each head.
        pub checkpoint: PublicKey,
        /// When the kennel was founded, ms since the Unix epoch; the timestamp of block 0.
        pub created_ms: u64,
        /// Makes the id unique.
        pub random: Digest32,
    }
}

impl Genesis {
    /// The kennel's id.
    pub fn kennel(&self) -> KennelId {
        KennelId(tagged(tag::KENNEL, &[&encode(self)]))
    }

    /// The house's account.
    pub fn house_account(&self) -> AccountId {
        AccountId::of(&self.house)
    }

    /// Names the first field that is out of its range, if any.
    pub fn fault(&self) -> Option<&'static str> {
        if self.version != 1 {
            return Some("version");
        }
        appointment_fault(&self.moderators, &self.witnesses, self.threshold)
            .or_else(|| self.parameters.fault())
    }
}

/// Names the first of these that is out of its range, if any: too many keys, one of them twice,
/// or a threshold that is no majority.
pub fn appointment_fault(
    moderators: &[PublicKey],
    witnesses: &[PublicKey],
    threshold: u8,
) -> Option<&'static str> {
    let repeats = |keys: &[PublicKey]| keys.iter().enumerate().any(|(n, key)| keys[..n].contains(key));
    let threshold = usize::from(threshold);
    let is_majority = match witnesses.len() {
        0 => threshold == 0,
        count => threshold <= count && 2 * threshold > count,
    };
    if moderators.len() > limits::MODERATORS_MAX || repeats(moderators) {
        Some("moderators")
    } else if witnesses.len() > limits::WITNESSES_MAX || repeats(witnesses) {
        Some("witnesses")
    } else if !is_majority {
        Some("threshold")
    } else {
        None
    }
}

impl Parameters {
    /// The original's game: every block that ages is an age.
    pub const CLASSIC: Self = Self {
        age_interval_ms: 0,
        birth_grant: 20,
        stamp_bits: 8,
        birth_bits: 12,
        seal_bits: 12,
        ..Self::TOWN
    };
}
