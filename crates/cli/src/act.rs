//! What an account can do, made into a signed event with its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use pitpet_chain::body::{Body, BodyFault, commitment};
use pitpet_chain::event::{Event, Payload, ReplayClass, VERSION, Verdict};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, Digest32, EventId, PublicKey};
use pitpet_chain::limits;
use pitpet_chain::mining::Statement;
use pitpet_pipeline::api::SubmittedEvent;

use crate::failure::Failure;
use crate::kennel::Kennel;
use crate::keys::public;
use crate::stamp;

/// How long an event stays good, ms: an hour, of the day that the rules allow.
pub const EXPIRES_AFTER_MS: u64 = 60 * 60 * 1000;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A pet is born.
    Birth {
        /// SHA-256 of its photo.
        photo: Digest32,
        /// Its name.
        name: String,
        /// Its story.
        story: String,
        /// May replace the account's key.
        recovery: Option<PublicKey>,
    },
    /// The owner posts.
    Post {
        /// Whose post.
        pet: BirthHash,
        /// SHA-256 of a photo.
        photo: Option<Digest32>,
        /// The text.
        text: String,
        /// Tags.
        tags: Vec<String>,
    },
    /// A pat.
    Pat(EventId),
    /// A share.
    Share(EventId),
    /// A comment on a post.
    Comment(EventId, String),
    /// Treats for a pet.
    Gift(BirthHash, u64),
    /// Treats for an account.
    Transfer(AccountId, u64),
    /// A dead pet's story is closed.
    StoryEnd(BirthHash),
    /// The owner mints the keepsake.
    Keepsake(BirthHash),
    /// The owner offers a pet or keepsake.
    Offer {
        /// What is for sale.
        pet: BirthHash,
        /// What the buyer pays, treats.
        price: u64,
        /// Last block timestamp at which it can be taken, ms.
        until_ms: u64,
    },
    /// Somebody would buy a pet or keepsake, and locks the price.
    Bid {
        /// What is wanted.
        pet: BirthHash,
        /// What is paid, treats.
        price: u64,
        /// Last block timestamp at which it can be taken, ms.
        until_ms: u64,
    },
    /// The maker withdraws an order.
    Cancel(EventId),
    /// The other side takes an order.
    Take {
        /// The order.
        order: EventId,
        /// Its price, treats.
        price: u64,
    },
    /// The key is replaced.
    Rekey {
        /// The new key.
        new_key: PublicKey,
        /// The new recovery key.
        recovery: Option<PublicKey>,
    },
    /// A moderator hides a text, or shows it again.
    Moderate {
        /// Whose text.
        target: EventId,
        /// What becomes of it.
        verdict: Verdict,
        /// The public reason.
        reason: String,
    },
    /// A seal: of the age, or to mine time.
    Seal {
        /// The block that began the age; for time the head.
        over: BlockHash,
        /// The proof of work.
        proof: u64,
        /// To mine time: what the time witnesses say, nothing in a kennel without them.
        time: Option<Vec<Statement>>,
    },
    /// The operator names the keys of all offices anew.
    Appoint {
        /// The operator from now on.
        operator: PublicKey,
        /// Hide bodies.
        moderators: Vec<PublicKey>,
        /// Say when the kennel has been idle.
        witnesses: Vec<PublicKey>,
        /// How many of them must say so.
        threshold: u8,
    },
}

/// A signed event, ready to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Its id.
    pub id: EventId,
    /// What is posted.
    pub submission: SubmittedEvent,
}

impl Act {
    fn body(&self) -> Option<Body> {
        match self {
            Act::Birth { name, story, .. } => Some(Body::Birth { name: name.clone(), story: story.clone() }),
            Act::Post { text, tags, .. } => Some(Body::Post { text: text.clone(), tags: tags.clone() }),
            Act::Comment(_, text) => Some(Body::Comment { text: text.clone() }),
            Act::Moderate { reason, .. } => Some(Body::Moderate { reason: reason.clone() }),
            _ => None,
        }
    }

    fn payload(&self, kennel: &Kennel, body: Digest32) -> Payload {
        match self {
            Act::Birth { photo, recovery, .. } => {
                Payload::Birth { photo: *photo, body, recovery: *recovery, anchor: kennel.anchor }
            }
            Act::Post { pet, photo, .. } => Payload::Post { pet: *pet, photo: *photo, body },
            Act::Pat(post) => Payload::Pat { post: *post },
            Act::Share(post) => Payload::Share { post: *post },
            Act::Comment(post, _) => Payload::Comment { post: *post, body },
            Act::Gift(pet, amount) => Payload::Gift { pet: *pet, amount: *amount },
            Act::Transfer(to, amount) => Payload::Transfer { to: *to, amount: *amount },
            Act::StoryEnd(pet) => Payload::StoryEnd { pet: *pet },
            Act::Keepsake(pet) => Payload::Keepsake { pet: *pet },
            Act::Offer { pet, price, until_ms } => {
                Payload::Offer { pet: *pet, price: *price, until_ms: *until_ms }
            }
            Act::Bid { pet, price, until_ms } => {
                Payload::Bid { pet: *pet, price: *price, until_ms: *until_ms }
            }
            Act::Cancel(order) => Payload::Cancel { order: *order },
            Act::Take { order, price } => Payload::Take { order: *order, price: *price },
            Act::Rekey { new_key, recovery } => Payload::Rekey { new_key: *new_key, recovery: *recovery },
            Act::Moderate { target, verdict, .. } => {
                Payload::Moderate { target: *target, verdict: *verdict, body }
            }
            Act::Seal { over, proof, time } => {
                Payload::Seal { over: *over, proof: *proof, time: time.clone() }
            }
            Act::Appoint { operator, moderators, witnesses, threshold } => Payload::Appoint {
                operator: *operator,
                moderators: moderators.clone(),
                witnesses: witnesses.clone(),
                threshold: *threshold,
            },
        }
    }

    /// Whether the event takes a nonce.
    pub fn takes_nonce(&self, kennel: &Kennel) -> bool {
        self.payload(kennel, [0; 32]).kind().replay_class() != ReplayClass::Subject
    }

    /// Whether an office does it, whose nonces are times that have passed.
    pub fn is_of_an_office(&self) -> bool {
        matches!(self, Act::Moderate { .. } | Act::Appoint { .. })
    }

    /// Checks what can be checked without a server.
    ///
    /// # Errors
    /// [`Failure::Usage`], naming the field and its limit.
    pub fn check(&self) -> Result<(), Failure> {
        if let Act::Gift(_, amount) | Act::Transfer(_, amount) = self
            && !(1..=limits::AMOUNT_MAX).contains(amount)
        {
            return Err(Failure::usage(format!(
                "amount {amount}: 1 to {} treats (field: amount)",
                limits::AMOUNT_MAX
            )));
        }
        if let Act::Offer { price, .. } | Act::Bid { price, .. } | Act::Take { price, .. } = self
            && !(1..=limits::AMOUNT_MAX).contains(price)
        {
            return Err(Failure::usage(format!(
                "price {price}: 1 to {} treats (field: price)",
                limits::AMOUNT_MAX
            )));
        }
        let Some(body) = self.body() else { return Ok(()) };
        let kind = match &body {
            Body::Birth { .. } => pitpet_chain::event::Kind::Birth,
            Body::Post { .. } => pitpet_chain::event::Kind::Post,
            Body::Comment { .. } => pitpet_chain::event::Kind::Comment,
            Body::Moderate { .. } => pitpet_chain::event::Kind::Moderate,
        };
        let text = match Body::read(kind, &body.encode()) {
            Ok(_) => return Ok(()),
            Err(BodyFault::TooLarge) => {
                format!(
                    "the text is too long: at most {} bytes with all fields (field: body)",
                    limits::BODY_BYTES_MAX
                )
            }
            Err(BodyFault::Field("name")) => format!(
                "name: 1 to {} characters, no control characters (field: name)",
                limits::PET_NAME_CHARS_MAX
            ),
            Err(BodyFault::Field("tags")) => format!(
                "tags: at most {}, each 1 to {} lower-case letters, digits or `-` (field: tags)",
                limits::TAGS_MAX,
                limits::TAG_CHARS_MAX
            ),
            Err(BodyFault::Field(field)) => format!("{field}: may not be empty (field: {field})"),
            Err(other) => format!("the text can't be sent: {other:?} (field: body)"),
        };
        Err(Failure::Usage(text))
    }

    /// Makes the event: body and salt, stamp, signature. Blocks while it searches the stamp;
    /// `tried` is told how many trials were made.
    pub fn sign(
        &self,
        kennel: &Kennel,
        account: AccountId,
        key: &SigningKey,
        nonce: u64,
        expires_ms: u64,
        tried: &(dyn Fn(u64) + Sync),
    ) -> Signed {
        let body = self.body().map(|body| {
            let mut salt = [0; 32];
            getrandom::fill(&mut salt).expect("the system gives random bytes");
            (salt, body.encode())
        });
        let committed = body.as_ref().map_or([0; 32], |(salt, body)| commitment(salt, body));
        let mut event = Event {
            version: VERSION,
            kennel: kennel.id,
            account,
            key: public(key),
            nonce: if self.takes_nonce(kennel) { nonce } else { 0 },
            expires_ms,
            payload: self.payload(kennel, committed),
            stamp: 0,
        };
        stamp::seal(&mut event, &kennel.genesis.parameters, tried);
        let (salt, body) = body.unzip();
        Signed {
            id: event.id(),
            submission: SubmittedEvent {
                event: BASE64.encode(event.sign(key)),
                salt: salt.map(|salt| BASE64.encode(salt)),
                body: body.map(|body| BASE64.encode(body)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(act: Act) -> String {
        let failure = act.check().unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        failure.to_string()
    }

    #[test]
    fn limits_are_named_before_anything_is_sent() {
        let post =
            |text: String, tags: Vec<String>| Act::Post { pet: BirthHash([1; 32]), photo: None, text, tags };
        let birth = |name: &str| Act::Birth {
            photo: [0; 32],
            name: name.into(),
            story: String::new(),
            recovery: None,
        };
        assert!(fault(birth("")).contains("1 to 64 characters"));
        assert!(fault(birth("a\u{7}")).contains("field: name"));
        assert!(fault(post("x".repeat(9000), vec![])).contains("8192 bytes"));
        assert!(fault(post(String::new(), vec!["Upper".into()])).contains("field: tags"));
        assert!(fault(Act::Comment(EventId([1; 32]), " ".into())).contains("field: text"));
        assert!(fault(Act::Gift(BirthHash([1; 32]), 0)).contains("field: amount"));
        assert!(fault(Act::Transfer(AccountId([1; 32]), u64::MAX)).contains("9007199254740991"));
        assert!(fault(Act::Take { order: EventId([1; 32]), price: 0 }).contains("field: price"));
        birth("Mochi").check().unwrap();
        Act::Pat(EventId([1; 32])).check().unwrap();
    }
}
