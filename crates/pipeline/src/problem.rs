//! Problem documents: every refusal in words that name the field and the limit.

use pitpet_chain::body::BodyFault;
use pitpet_chain::limits;
use pitpet_chain::reject::Reject;
use pitpet_chain::request::{REQUEST_BITS, RequestFault};

use crate::api::Problem;
use crate::head::LedgerError;
use crate::ports::{ObjectError, QueueError, TableError};

/// Makes a problem document.
pub fn problem(
    status: u16,
    name: &str,
    title: &str,
    detail: impl Into<String>,
    field: Option<&str>,
) -> Problem {
    Problem {
        kind: format!("/problems/{name}"),
        title: title.to_owned(),
        status,
        detail: detail.into(),
        field: field.map(str::to_owned),
        retry_after_s: None,
    }
}

/// A field of the request is not what it must be.
pub fn bad_field(field: &str, detail: impl Into<String>) -> Problem {
    problem(400, "bad-request", "The request has a field that can't be used", detail, Some(field))
}

/// What was asked for is not there.
pub fn not_found(what: &str, field: &str) -> Problem {
    problem(404, "not-found", "Not found", format!("There is no {what}."), Some(field))
}

/// Something behind the API failed in a way that may pass.
pub fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a request could not be served");
    let detail = "The service can't answer right now. Try again in a moment.";
    Problem { retry_after_s: Some(1), ..problem(503, "unavailable", "Try again", detail, None) }
}

/// Rules that decide a kennel can't be run where the question came.
pub fn rules_unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%error, "a question about a state could not be answered");
    let detail = "This server can't run the rules that decide this kennel, so it gives no proofs of its state and no list of what is open in it. Its blocks and events, and their proofs, are served as ever.";
    problem(503, "rules-unavailable", "Not provable here", detail, Some("kennel"))
}

/// A decision on rules whose module nobody could find.
pub fn unknown_rules(rules: &pitpet_chain::hash::RulesHash) -> Problem {
    let detail = format!(
        "No module with the hash {rules} is stored here, so that no miner could go on with it. `pitpet admin upgrade` tries a module and stores it."
    );
    problem(422, "unknown-rules", "The module is not here", detail, Some("rules_hash"))
}

/// More waits than is soon mined. Nothing is wrong, so that nothing is logged.
pub fn busy() -> Problem {
    let detail = "More events wait to be mined than can be in a few seconds. Try again in a moment.";
    Problem { retry_after_s: Some(2), ..problem(503, "busy", "Too much at once", detail, None) }
}

/// What a reject means for the one who sent the event.
pub fn rejected(reject: Reject) -> Problem {
    let detail: String = match reject {
        Reject::TooLarge => {
            format!("The signed event has more than {} bytes.", limits::EVENT_BYTES_MAX)
        }
        Reject::Malformed => "The bytes are not the canonical encoding of a signed event: an array of two byte strings, the first of which is the event. Cut, trailing or reordered bytes and longer integers are refused.".into(),
        Reject::WrongVersion => "The event's version is not 1.".into(),
        Reject::UnknownKind => "The kind of event is not one that these rules know.".into(),
        Reject::WrongKennel => "The event is signed for another kennel, or for one that this server doesn't have.".into(),
        Reject::Expired => "expires_ms lies before the block's timestamp. Sign the event again with a later one.".into(),
        Reject::ExpiresTooFar => "expires_ms may lie at most 24 hours (86,400,000 ms) ahead.".into(),
        Reject::NonceRange => "The nonce must be between 1 and expires_ms; for pat, share, comment, story_end and time it must be 0.".into(),
        Reject::AmountRange => "The amount must be between 1 and 9,007,199,254,740,991 (2^53 - 1).".into(),
        Reject::WeakStamp => "The stamp has fewer leading zero bits than the kennel asks for (parameters stamp_bits, for a birth birth_bits).".into(),
        Reject::BadSignature => "The signature is not that of the event's key over the event's id.".into(),
        Reject::WrongKey => "The key is not the account's current one; a rekey may also be signed by the recovery key.".into(),
        Reject::StaleNonce => "The nonce is not above the account's last accepted one in this kennel. Was the event sent before?".into(),
        Reject::NotHouse => "Only the house may mine time.".into(),
        Reject::UnknownPet => "There is no such pet in this kennel.".into(),
        Reject::DeadPet => "The pet is dead.".into(),
        Reject::UnknownPost => "There is no such open post in this kennel.".into(),
        Reject::ClosedPost => "The post is closed: its pet is dead, or it is older than ttl ages.".into(),
        Reject::NotOwner => "The pet belongs to another account.".into(),
        Reject::OwnPet => "An owner can't pat or share a post of the own pet.".into(),
        Reject::AlreadyDone => "The account has done this to the post before: once per account and post.".into(),
        Reject::PostFull => "The post has as many pats, shares and comments as it takes (parameter visits_per_post_max).".into(),
        Reject::TooManyComments => format!("An account may comment at most {} times on one post.", limits::COMMENTS_PER_ACCOUNT_MAX),
        Reject::TooManyPosts => "The pet has as many open posts as it may (parameter open_posts_max).".into(),
        Reject::HasLivingPet => "The account has a living pet in this kennel; it may have one at a time.".into(),
        Reject::StaleAnchor => "The birth is not bound to a head of the last hour. Take the kennel's anchor and stamp again.".into(),
        Reject::KennelFull => "The kennel has no free place (parameter living_max). GET /v1/birthplace names one that has.".into(),
        Reject::AccountsFull => "The kennel has as many accounts as it takes (parameter accounts_max). GET /v1/birthplace names one that takes more.".into(),
        Reject::NoTreats => "The account has not enough treats; granted ones pay only for posts and for comments on one's own pet's posts.".into(),
        Reject::UnknownAccount => "The account has no record in this kennel.".into(),
        Reject::SelfTransfer => "A transfer needs another account.".into(),
        Reject::NotDead => "The pet is alive.".into(),
        Reject::AlreadyEnded => "The story has ended already.".into(),
        Reject::NotEnded => "The story has not ended yet.".into(),
        Reject::AlreadyKept => "The keepsake has been minted already.".into(),
        Reject::WrongParent => "The parent is not the kennel's head.".into(),
        Reject::NotIdle => "The kennel has not been idle for idle_ms.".into(),
        Reject::SameKey => "The new key is the current one.".into(),
        Reject::PriceRange => format!("A price is 1 to {} treats.", limits::AMOUNT_MAX),
        Reject::UntilRange => "An order's end must lie ahead, at most 30 days.".into(),
        Reject::KeysRange => format!("At most {} moderators and {} witnesses, none twice, and a threshold of more than half of the witnesses (0 without any).", limits::MODERATORS_MAX, limits::WITNESSES_MAX),
        Reject::UnknownOrder => "No such open order: it was taken, cancelled or outbid, its time is up, or its pet died or has another owner.".into(),
        Reject::NotMaker => "Only who made an order can cancel it.".into(),
        Reject::SelfTrade => "Nobody trades with oneself.".into(),
        Reject::AlreadyOffered => "The pet is on offer already; cancel that offer first.".into(),
        Reject::BeyondSupply => "The price is more than all treats of the kennel.".into(),
        Reject::WrongPrice => "The order has another price.".into(),
        Reject::TooManyOrders => format!("An account has at most {} open orders.", limits::ORDERS_PER_ACCOUNT_MAX),
        Reject::OrdersFull => format!("The kennel has at most {} open orders.", limits::ORDERS_MAX),
        Reject::BidTooLow => format!("The pet has {} bids; another one must be above the lowest.", limits::BIDS_PER_PET_MAX),
        Reject::StaleSeal => "The seal is not over the block that began the present age.".into(),
        Reject::WeakSeal => "The seal's work is below the kennel's difficulty.".into(),
        Reject::AlreadySealed => "The present age has its seal.".into(),
        Reject::TooFewStatements => "Fewer statements of time witnesses than the kennel's threshold.".into(),
        Reject::BadStatement => "A statement of no witness, out of order, or with a bad signature.".into(),
        Reject::NotOperator => "Only the kennel's operator key may do this.".into(),
        Reject::NotModerator => "Only a moderator key of the kennel may do this.".into(),
        Reject::PastHeight => "The height must lie above that of the block that holds the upgrade.".into(),
    };
    let status = match reject {
        Reject::TooLarge => 413,
        Reject::Malformed | Reject::WrongVersion | Reject::UnknownKind => 400,
        _ => 422,
    };
    problem(status, reject.name(), "The event is refused", detail, Some(reject.field()))
}

/// What is wrong with a body.
pub fn bad_body(fault: BodyFault) -> Problem {
    let (status, name, field, detail): (u16, &str, &str, String) = match fault {
        BodyFault::TooLarge => {
            (413, "body-too-large", "body", format!("The body has more than {} bytes.", limits::BODY_BYTES_MAX))
        }
        BodyFault::Malformed => (400, "body-malformed", "body", "The body is not the canonical encoding for this kind: birth [name, story], post [text, [tags]], comment [text], moderate [reason].".into()),
        BodyFault::Presence => (400, "body-presence", "body", "Birth, post, comment and moderate need a body and its salt; other kinds must have none.".into()),
        BodyFault::Mismatch => (422, "body-mismatch", "body", "Salt and body don't hash to the commitment in the event.".into()),
        BodyFault::Field("name") => (422, "body-field", "name", format!("The name must have 1 to {} characters, not only blanks, and no control characters.", limits::PET_NAME_CHARS_MAX)),
        BodyFault::Field("tags") => (422, "body-field", "tags", format!("At most {} tags of 1 to {} lower-case letters, digits or hyphens.", limits::TAGS_MAX, limits::TAG_CHARS_MAX)),
        BodyFault::Field(field) => (422, "body-field", field, "The text must not be empty.".into()),
    };
    problem(status, name, "The body is refused", detail, Some(field))
}

/// What is wrong with a signed request.
pub fn bad_request(fault: RequestFault) -> Problem {
    let (status, name, field, detail) = match fault {
        RequestFault::Malformed => (
            400,
            "malformed",
            "request",
            "The bytes are not the canonical encoding of a signed request.".to_owned(),
        ),
        RequestFault::Expiry => (
            422,
            "expired",
            "expires_ms",
            "expires_ms must lie ahead, by at most 10 minutes (600,000 ms).".to_owned(),
        ),
        RequestFault::WeakStamp => (
            422,
            "weak-stamp",
            "stamp",
            format!("The stamp has fewer than {REQUEST_BITS} leading zero bits."),
        ),
        RequestFault::BadSignature => {
            (422, "bad-signature", "signature", "The signature is not that of the request's key.".to_owned())
        }
        RequestFault::Field("name") => (
            422,
            "bad-name",
            "name",
            "A name has 3 to 30 characters of a-z, 0-9, - and _, and begins with a letter.".to_owned(),
        ),
        RequestFault::Field("size") => {
            (413, "photo-too-large", "size", format!("A photo has 1 to {} bytes.", limits::PHOTO_BYTES_MAX))
        }
        RequestFault::Field(field) => (
            422,
            "bad-request",
            field,
            "The content type must be image/jpeg, image/png or image/webp.".to_owned(),
        ),
    };
    problem(status, name, "The request is refused", detail, Some(field))
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        unavailable(&error)
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        unavailable(&error)
    }
}

impl From<ObjectError> for Problem {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::NotFound => not_found("such object", "key"),
            error => unavailable(&error),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::UnknownKennel => not_found("such kennel", "kennel"),
            error if error.is_of_the_rules() => rules_unavailable(&error),
            error => unavailable(&error),
        }
    }
}

impl From<crate::items::BadItem> for Problem {
    fn from(error: crate::items::BadItem) -> Self {
        unavailable(&error)
    }
}
