//! Why an event is refused: a closed list with stable numbers.
//!
//! **Precedence.** Checks run in ascending order of these numbers; an event that fails several is
//! refused with the lowest. What can't be asked because an earlier question has no answer (the
//! price of an order that isn't there) doesn't count. Numbers 1 to 19 need no state beyond the
//! kennel's parameters and the time: ingest checks them too. Numbers are never reused; new ones
//! are appended.

use crate::codec::{Canonical, Malformed, Writer};

macro_rules! rejects {
    ($($(#[$meta:meta])* $name:ident = $number:literal, $text:literal, $field:literal;)*) => {
        /// A reason for refusing an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Reject { $($(#[$meta])* $name = $number),* }

        impl Reject {
            /// All of them, by number.
            pub const ALL: &'static [Reject] = &[$(Reject::$name),*];

            /// Stable name in kebab case.
            pub const fn name(self) -> &'static str {
                match self { $(Reject::$name => $text),* }
            }

            /// The event's field that the reason is about.
            pub const fn field(self) -> &'static str {
                match self { $(Reject::$name => $field),* }
            }

            /// Stable number.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The reject with this number.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Reject::$name),)* _ => None }
            }
        }
    };
}

rejects! {
    /// More than [`crate::limits::EVENT_BYTES_MAX`] bytes.
    TooLarge = 1, "too-large", "event";
    /// Not the canonical encoding of an event: cut, trailing bytes, wrong shape or form.
    Malformed = 2, "malformed", "event";
    /// A version of the format that these rules don't know.
    WrongVersion = 3, "wrong-version", "version";
    /// A kind of event that these rules don't know.
    UnknownKind = 4, "unknown-kind", "kind";
    /// Signed for another kennel.
    WrongKennel = 5, "wrong-kennel", "kennel";
    /// `expires_ms` is below the block's timestamp.
    Expired = 6, "expired", "expires_ms";
    /// `expires_ms` is more than 24 hours after the block's timestamp.
    ExpiresTooFar = 7, "expires-too-far", "expires_ms";
    /// The kind takes a nonce from 1 to `expires_ms`, an office's up to the block's timestamp; or it
    /// takes none and this isn't 0.
    NonceRange = 8, "nonce-range", "nonce";
    /// An amount of 0 or above 2^53 − 1.
    AmountRange = 9, "amount-range", "amount";
    /// The stamp has fewer leading zero bits than the kennel asks for.
    WeakStamp = 10, "weak-stamp", "stamp";
    /// The signature is not that of the event's key (Ed25519, strict).
    BadSignature = 11, "bad-signature", "signature";
    /// A price of 0 or above 2^53 − 1.
    PriceRange = 12, "price-range", "price";
    /// An order's end lies in the past or more than 30 days ahead.
    UntilRange = 13, "until-range", "until_ms";
    /// Too many keys, a key twice, or a threshold that isn't more than half of the witnesses.
    KeysRange = 14, "keys-range", "witnesses";
    /// The key is not the account's current key.
    WrongKey = 20, "wrong-key", "key";
    /// The nonce isn't above the last accepted one.
    StaleNonce = 21, "stale-nonce", "nonce";
    /// Only the house may do this.
    NotHouse = 22, "not-house", "account";
    /// No such pet.
    UnknownPet = 23, "unknown-pet", "pet";
    /// The pet is dead.
    DeadPet = 24, "dead-pet", "pet";
    /// No such open post.
    UnknownPost = 25, "unknown-post", "post";
    /// The post is closed: its pet is dead or its age is above `ttl`.
    ClosedPost = 26, "closed-post", "post";
    /// The pet is another account's.
    NotOwner = 27, "not-owner", "account";
    /// The owner may not pat or share an own post.
    OwnPet = 28, "own-pet", "post";
    /// The account has patted or shared this post before, or the comment is there already.
    AlreadyDone = 29, "already-done", "post";
    /// The post has as many pats, shares and comments as it takes.
    PostFull = 30, "post-full", "post";
    /// The account has commented as often as it may on this post.
    TooManyComments = 31, "too-many-comments", "post";
    /// The pet has as many open posts as it may.
    TooManyPosts = 32, "too-many-posts", "pet";
    /// The account has a living pet in this kennel.
    HasLivingPet = 33, "has-living-pet", "account";
    /// The head that the birth is bound to is not one of the last hour.
    StaleAnchor = 34, "stale-anchor", "anchor";
    /// The kennel has as many living pets as it takes, or has seen as many births.
    KennelFull = 35, "kennel-full", "kennel";
    /// The kennel has as many accounts as it takes.
    AccountsFull = 36, "accounts-full", "account";
    /// Not enough treats of the kind that may pay for this.
    NoTreats = 37, "no-treats", "amount";
    /// No such account.
    UnknownAccount = 38, "unknown-account", "account";
    /// To oneself.
    SelfTransfer = 39, "self-transfer", "to";
    /// The pet is alive.
    NotDead = 40, "not-dead", "pet";
    /// The story has ended already.
    AlreadyEnded = 41, "already-ended", "pet";
    /// The story has not ended yet.
    NotEnded = 42, "not-ended", "pet";
    /// The keepsake has been minted already.
    AlreadyKept = 43, "already-kept", "pet";
    /// The parent hash, or what a seal that mines time is over, is not the head's.
    WrongParent = 44, "wrong-parent", "parent";
    /// The kennel has not been idle for `idle_ms`, or has no living pet that could age.
    NotIdle = 45, "not-idle", "parent";
    /// The new key is the current one.
    SameKey = 46, "same-key", "new_key";
    /// No such open order: never placed, taken, cancelled or outbid, or over because its time is
    /// up, its pet died or its pet has another owner.
    UnknownOrder = 47, "unknown-order", "order";
    /// The order is another account's.
    NotMaker = 48, "not-maker", "order";
    /// Nobody trades with oneself: the bid is for an own pet, or the order is one's own.
    SelfTrade = 49, "self-trade", "account";
    /// The pet is on offer already.
    AlreadyOffered = 50, "already-offered", "pet";
    /// The price is more than all treats that exist.
    BeyondSupply = 51, "beyond-supply", "price";
    /// The price is not the order's.
    WrongPrice = 52, "wrong-price", "price";
    /// The account has as many open orders as it may.
    TooManyOrders = 53, "too-many-orders", "account";
    /// The kennel has as many open orders as it takes.
    OrdersFull = 54, "orders-full", "kennel";
    /// The pet has as many bids as it takes, and this one is not above the lowest.
    BidTooLow = 55, "bid-too-low", "price";
    /// The seal is not over the block that began the present age.
    StaleSeal = 56, "stale-seal", "over";
    /// The seal's work is below the kennel's difficulty.
    WeakSeal = 57, "weak-seal", "proof";
    /// The present age has its seal.
    AlreadySealed = 58, "already-sealed", "over";
    /// Fewer statements of time witnesses than the threshold.
    TooFewStatements = 59, "too-few-statements", "statements";
    /// A statement of no witness, out of order, or with a bad signature.
    BadStatement = 60, "bad-statement", "statements";
    /// Only the operator may do this.
    NotOperator = 61, "not-operator", "key";
    /// Only a moderator may do this.
    NotModerator = 62, "not-moderator", "key";
    /// The block of this height has been mined, or is the one that holds this.
    PastHeight = 63, "past-height", "at_height";
}

impl Canonical for Reject {
    fn put(&self, w: &mut Writer) {
        self.number().put(w);
    }
    fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, Malformed> {
        Reject::from_number(u16::take(d)?).ok_or(Malformed)
    }
}
