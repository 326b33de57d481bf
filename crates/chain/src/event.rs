//! Events: what an account signs, its identity, its stamp, and the checks that need no state.

use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decoder, Encoder};

use crate::codec::{Bytes, Canonical, Malformed, Writer, decode, encode, put_array, take_array, take_count};
use crate::genesis::{Parameters, appointment_fault};
use crate::hash::{
    AccountId, BirthHash, BlockHash, Digest32, EventId, KennelId, PublicKey, RulesHash, leading_zero_bits,
    tag, tagged,
};
use crate::limits;
use crate::mining::Statement;
use crate::reject::Reject;

/// Version of the event format.
pub const VERSION: u8 = 1;

macro_rules! payloads {
    ($($(#[$meta:meta])* $name:ident = $number:literal $text:literal { $($(#[$field_meta:meta])* $field:ident : $type:ty),* };)*) => {
        /// What an event does.
        ///
        /// # Encoding
        /// An array: the kind's number, then the fields in the order given.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Payload { $($(#[$meta])* $name { $($(#[$field_meta])* $field: $type),* }),* }

        /// The kinds of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$meta])* $name = $number),* }

        impl Kind {
            /// All kinds, by number.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// Stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$name => $text),* }
            }

            /// The kind with this number.
            pub fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
        }

        impl Payload {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self { $(Payload::$name { .. } => Kind::$name),* }
            }
        }

        impl Canonical for Payload {
            fn put(&self, w: &mut Writer) {
                match self { $(Payload::$name { $($field),* } => {
                    const COUNT: u64 = 1 + [$(stringify!($field)),*].len() as u64;
                    put_array(w, COUNT);
                    ($number as u8).put(w);
                    $($field.put(w);)*
                })* }
            }
            fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
                let count = take_count(d)?;
                match u8::take(d)? {
                    $($number => {
                        const COUNT: u64 = 1 + [$(stringify!($field)),*].len() as u64;
                        if count != COUNT {
                            return Err(Malformed);
                        }
                        Ok(Payload::$name { $($field: <$type as Canonical>::take(d)?),* })
                    })*
                    _ => Err(Malformed),
                }
            }
        }
    };
}

payloads! {
    /// A pet is born; the event's id is its birth hash.
    Birth = 1 "birth" {
        /// SHA-256 of the photo.
        photo: Digest32,
        /// Commitment to name and story.
        body: Digest32,
        /// May replace the account's key.
        recovery: Option<PublicKey>,
        /// A head of the last hour.
        anchor: BlockHash
    };
    /// The owner posts.
    Post = 2 "post" {
        /// Whose post.
        pet: BirthHash,
        /// SHA-256 of a photo.
        photo: Option<Digest32>,
        /// Commitment to text and tags.
        body: Digest32
    };
    /// "Pit my pet": once per account and post, never undone.
    Pat = 3 "pat" {
        /// The post.
        post: EventId
    };
    /// A share: once per account and post, never undone.
    Share = 4 "share" {
        /// The post.
        post: EventId
    };
    /// A comment; the owner pays as for a post.
    Comment = 5 "comment" {
        /// The post.
        post: EventId,
        /// Commitment to the text.
        body: Digest32
    };
    /// Treats into a pet's wallet.
    Gift = 6 "gift" {
        /// The pet.
        pet: BirthHash,
        /// Treats.
        amount: u64
    };
    /// Treats to another account.
    Transfer = 7 "transfer" {
        /// The other account.
        to: AccountId,
        /// Treats.
        amount: u64
    };
    /// A dead pet's story is closed for good.
    StoryEnd = 8 "story_end" {
        /// The pet.
        pet: BirthHash
    };
    /// The owner mints the Story End token.
    Keepsake = 9 "keepsake" {
        /// The pet.
        pet: BirthHash
    };
    /// The house mines time on an idle kennel.
    Time = 10 "time" {
        /// The head that was idle.
        parent: BlockHash,
        /// What time witnesses say of it; empty in a kennel without them.
        statements: Vec<Statement>
    };
    /// The account's key is replaced.
    Rekey = 11 "rekey" {
        /// The new key.
        new_key: PublicKey,
        /// The new recovery key.
        recovery: Option<PublicKey>
    };
    /// The owner offers a living pet or a keepsake for sale.
    Offer = 12 "offer" {
        /// The pet.
        pet: BirthHash,
        /// Treats, 1 to 2^53 − 1.
        price: u64,
        /// Last block timestamp at which the order can be taken, ms, at most 30 days ahead.
        until_ms: u64
    };
    /// Somebody bids for another's living pet or keepsake; the price is locked.
    Bid = 13 "bid" {
        /// The pet.
        pet: BirthHash,
        /// Treats, 1 to 2^53 − 1.
        price: u64,
        /// Last block timestamp at which the order can be taken, ms, at most 30 days ahead.
        until_ms: u64
    };
    /// Whoever made an order withdraws it.
    Cancel = 14 "cancel" {
        /// The offer or bid.
        order: EventId
    };
    /// The other side takes an order: anyone an offer, the owner a bid.
    Take = 15 "take" {
        /// The offer or bid.
        order: EventId,
        /// Its price, so that nobody takes another one than was seen.
        price: u64
    };
    /// Proof of work: the first one of an age is rewarded; on an idle kennel it mines time.
    Seal = 16 "seal" {
        /// The block that began the age; for time the head.
        over: BlockHash,
        /// What the work was found with; see [`crate::mining::Work`].
        proof: u64,
        /// None for a seal of the age; to mine time, what time witnesses say of the head.
        time: Option<Vec<Statement>>
    };
    /// A moderator hides a body, or shows it again.
    Moderate = 17 "moderate" {
        /// The event whose body it is.
        target: EventId,
        /// What becomes of it.
        verdict: Verdict,
        /// Commitment to the public reason.
        body: Digest32
    };
    /// The operator names the keys of all offices anew.
    Appoint = 18 "appoint" {
        /// The operator from now on.
        operator: PublicKey,
        /// At most [`limits::MODERATORS_MAX`].
        moderators: Vec<PublicKey>,
        /// At most [`limits::WITNESSES_MAX`].
        witnesses: Vec<PublicKey>,
        /// More than half of the witnesses; 0 if there are none.
        threshold: u8
    };
    /// The operator has blocks decided by another module from a height on. A later one replaces it
    /// until then; one that names the present module withdraws it.
    Upgrade = 19 "upgrade" {
        /// SHA-256 of the module.
        rules_hash: RulesHash,
        /// The first block that it decides.
        at_height: u64
    };
}

/// What a moderator makes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// It is hidden.
    Hide = 1,
    /// It is shown again.
    Show = 2,
}

impl Canonical for Verdict {
    fn put(&self, w: &mut Writer) {
        (*self as u8).put(w);
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        match u8::take(d)? {
            1 => Ok(Verdict::Hide),
            2 => Ok(Verdict::Show),
            _ => Err(Malformed),
        }
    }
}

/// How an event is kept from taking effect twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayClass {
    /// A nonce per kennel and account, above the last accepted one.
    Nonce,
    /// By what the event is about; its nonce is 0.
    Subject,
    /// A nonce above the last accepted one of the office whose key signs, operator or moderator,
    /// and at most the block's timestamp.
    Office,
}

impl Kind {
    /// The replay class, fixed by kind.
    pub const fn replay_class(self) -> ReplayClass {
        match self {
            Kind::Pat | Kind::Share | Kind::Comment | Kind::StoryEnd | Kind::Time | Kind::Seal => {
                ReplayClass::Subject
            }
            Kind::Moderate | Kind::Appoint | Kind::Upgrade => ReplayClass::Office,
            Kind::Birth
            | Kind::Post
            | Kind::Gift
            | Kind::Transfer
            | Kind::Keepsake
            | Kind::Rekey
            | Kind::Offer
            | Kind::Bid
            | Kind::Cancel
            | Kind::Take => ReplayClass::Nonce,
        }
    }
}

impl Payload {
    /// Whether a block that holds this may age the kennel.
    pub fn ages(&self) -> bool {
        match self {
            Payload::Seal { time, .. } => time.is_some(),
            payload => matches!(
                payload.kind(),
                Kind::Birth | Kind::Post | Kind::Pat | Kind::Share | Kind::Comment | Kind::Gift | Kind::Time
            ),
        }
    }
}

impl Payload {
    /// The commitment to the body that goes beside the event, if the kind has one.
    pub fn body(&self) -> Option<&Digest32> {
        match self {
            Payload::Birth { body, .. }
            | Payload::Post { body, .. }
            | Payload::Comment { body, .. }
            | Payload::Moderate { body, .. } => Some(body),
            _ => None,
        }
    }

    /// The amount of treats, if the kind has one.
    pub fn amount(&self) -> Option<u64> {
        match self {
            Payload::Gift { amount, .. } | Payload::Transfer { amount, .. } => Some(*amount),
            _ => None,
        }
    }
}

crate::record! {
    /// An event before it is signed.
    pub struct Event {
        /// [`VERSION`].
        pub version: u8,
        /// The kennel that it is good for.
        pub kennel: KennelId,
        /// Who acts.
        pub account: AccountId,
        /// The key that signs: the account's current one.
        pub key: PublicKey,
        /// Above the account's (or the office's) last accepted one in this kennel and at most
        /// `expires_ms` (or the block's timestamp); 0 for kinds that are unique by their subject.
        pub nonce: u64,
        /// Last block timestamp at which the event is good, ms since the Unix epoch.
        pub expires_ms: u64,
        /// What it does.
        pub payload: Payload,
        /// Proof of work; see [`Event::work`].
        pub stamp: u64,
    }
}

impl Event {
    /// Its identity, which covers all but the signature.
    pub fn id(&self) -> EventId {
        EventId(tagged(tag::EVENT, &[&encode(self)]))
    }

    /// What the stamp works on: the tagged hash of the array of all fields but the stamp.
    pub fn stamp_base(&self) -> Digest32 {
        let mut w = Encoder::new(Vec::new());
        put_array(&mut w, 7);
        self.version.put(&mut w);
        self.kennel.put(&mut w);
        self.account.put(&mut w);
        self.key.put(&mut w);
        self.nonce.put(&mut w);
        self.expires_ms.put(&mut w);
        self.payload.put(&mut w);
        tagged(tag::STAMP, &[&w.into_writer()])
    }

    /// Leading zero bits of the stamp's work.
    pub fn work(&self) -> u32 {
        work(&self.stamp_base(), self.stamp)
    }

    /// Bits that the kennel asks of this event's stamp.
    pub fn bits(&self, parameters: &Parameters) -> u32 {
        u32::from(match self.payload.kind() {
            Kind::Birth => parameters.birth_bits,
            _ => parameters.stamp_bits,
        })
    }

    /// Searches the lowest stamp that has enough bits.
    pub fn seal_stamp(&mut self, parameters: &Parameters) {
        let bits = self.bits(parameters);
        let base = self.stamp_base();
        self.stamp = (0..=u64::MAX).find(|stamp| work(&base, *stamp) >= bits).expect("bits are at most 40");
    }

    /// Signs the event and encodes both.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let signature = key.sign(&signing_bytes(&self.id())).to_bytes();
        encode(&SignedParts { unsigned: Bytes(encode(self)), signature })
    }
}

/// Leading zero bits of one trial: SHA-256(tag ‖ base ‖ stamp, 8 bytes big-endian).
pub fn work(base: &Digest32, stamp: u64) -> u32 {
    leading_zero_bits(&tagged(tag::WORK, &[base, &stamp.to_be_bytes()]))
}

/// The bytes that an account signs for an event.
pub fn signing_bytes(id: &EventId) -> Vec<u8> {
    let mut bytes = Vec::from(tag::SIGNATURE.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&id.0);
    bytes
}

/// Checks a signature strictly (no small-order keys, no malleable encodings).
pub fn verify_signature(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

crate::record! {
    /// The two parts of a signed event: an array of two byte strings.
    pub struct SignedParts {
        /// Canonical bytes of the [`Event`].
        pub unsigned: Bytes,
        /// Ed25519 over [`signing_bytes`].
        pub signature: [u8; 64],
    }
}

/// A signed event whose form has been checked, its signature not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    /// The event.
    pub event: Event,
    /// Its id.
    pub id: EventId,
    /// Ed25519 over [`signing_bytes`].
    pub signature: [u8; 64],
}

impl SignedEvent {
    /// Reads a signed event.
    ///
    /// # Errors
    /// [`Reject::TooLarge`], [`Reject::Malformed`], [`Reject::WrongVersion`] or [`Reject::UnknownKind`].
    pub fn read(bytes: &[u8]) -> Result<Self, Reject> {
        if bytes.len() > limits::EVENT_BYTES_MAX {
            return Err(Reject::TooLarge);
        }
        let parts: SignedParts = decode(bytes).map_err(|_| Reject::Malformed)?;
        let (version, kind) = peek(&parts.unsigned.0).map_err(|_| Reject::Malformed)?;
        if version != VERSION {
            return Err(Reject::WrongVersion);
        }
        if Kind::from_number(kind).is_none() {
            return Err(Reject::UnknownKind);
        }
        let event: Event = decode(&parts.unsigned.0).map_err(|_| Reject::Malformed)?;
        let id = EventId(tagged(tag::EVENT, &[&parts.unsigned.0]));
        Ok(Self { event, id, signature: parts.signature })
    }

    /// Checks all that needs no state beyond the kennel's parameters, in the order of [`Reject`].
    ///
    /// # Errors
    /// The first reason that applies, [`Reject::WrongKennel`] to [`Reject::WeakStamp`]. The
    /// signature comes next, then [`SignedEvent::check_terms`].
    pub fn check(&self, kennel: &KennelId, parameters: &Parameters, timestamp_ms: u64) -> Result<(), Reject> {
        let event = &self.event;
        if event.kennel != *kennel {
            return Err(Reject::WrongKennel);
        }
        if event.expires_ms < timestamp_ms {
            return Err(Reject::Expired);
        }
        if event.expires_ms - timestamp_ms > limits::EXPIRES_AHEAD_MS_MAX {
            return Err(Reject::ExpiresTooFar);
        }
        let nonce_fits = match event.payload.kind().replay_class() {
            ReplayClass::Nonce => (1..=event.expires_ms).contains(&event.nonce),
            ReplayClass::Office => (1..=timestamp_ms).contains(&event.nonce),
            ReplayClass::Subject => event.nonce == 0,
        };
        if !nonce_fits {
            return Err(Reject::NonceRange);
        }
        if event.payload.amount().is_some_and(|amount| !(1..=limits::AMOUNT_MAX).contains(&amount)) {
            return Err(Reject::AmountRange);
        }
        if event.work() < event.bits(parameters) {
            return Err(Reject::WeakStamp);
        }
        Ok(())
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Reject::BadSignature`].
    pub fn check_signature(&self) -> Result<(), Reject> {
        if verify_signature(&self.event.key, &signing_bytes(&self.id), &self.signature) {
            Ok(())
        } else {
            Err(Reject::BadSignature)
        }
    }
}

impl SignedEvent {
    /// Checks prices, ends and lists, which need no state either.
    ///
    /// # Errors
    /// [`Reject::PriceRange`], [`Reject::UntilRange`] or [`Reject::KeysRange`].
    pub fn check_terms(&self, timestamp_ms: u64) -> Result<(), Reject> {
        match &self.event.payload {
            Payload::Offer { price, until_ms, .. } | Payload::Bid { price, until_ms, .. } => {
                check_price(*price)?;
                let ahead_ms = until_ms.checked_sub(timestamp_ms).ok_or(Reject::UntilRange)?;
                if ahead_ms <= limits::ORDER_AHEAD_MS_MAX { Ok(()) } else { Err(Reject::UntilRange) }
            }
            Payload::Take { price, .. } => check_price(*price),
            Payload::Appoint { moderators, witnesses, threshold, .. } => {
                match appointment_fault(moderators, witnesses, *threshold) {
                    None => Ok(()),
                    Some(_) => Err(Reject::KeysRange),
                }
            }
            _ => Ok(()),
        }
    }
}

fn check_price(price: u64) -> Result<(), Reject> {
    if (1..=limits::AMOUNT_MAX).contains(&price) { Ok(()) } else { Err(Reject::PriceRange) }
}

/// Reads version and kind of an unsigned event, to tell an unknown one from a malformed one.
fn peek(unsigned: &[u8]) -> Result<(u8, u8), Malformed> {
    let mut d = Decoder::new(unsigned);
    take_array(&mut d, 8)?;
    let version = u8::take(&mut d)?;
    for _ in 0..3 {
        d.bytes()?;
    }
    d.u64()?;
    d.u64()?;
    take_count(&mut d)?;
    Ok((version, u8::take(&mut d)?))
}
