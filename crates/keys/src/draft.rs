//! Events and requests, drafted, stamped and signed in steps: between them the stamp is searched
//! in a worker, and the signature is made by whatever holds the key.
//!
//! # Encoding
//! A draft is a byte 1 (event) or 2 (request) and the canonical bytes of the unsigned event or request.

use pitpet_chain::body::{Body, BodyFault, commitment};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{
    Event, Kind, Payload, ReplayClass, SignedParts, VERSION, Verdict, signing_bytes, verify_signature, work,
};
use pitpet_chain::hash::{AccountId, BirthHash, BlockHash, Digest32, EventId, KennelId, PublicKey};
use pitpet_chain::limits;
use pitpet_chain::request::{ReportReason, Request, SignedRequest, Wish};

use crate::fields::Reader;
use crate::{Refused, seals};

/// Trials of one call, at most: under a second.
pub const TRIES_MAX: u64 = 1 << 20;

/// An event or a request that isn't signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draft {
    /// An event.
    Event(Event),
    /// A request.
    Request(Request),
}

/// What goes beside an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaltedBody {
    /// Salt of the commitment.
    pub salt: [u8; 32],
    /// The body's canonical bytes.
    pub body: Vec<u8>,
}

fn unreadable() -> Refused {
    Refused::new("draft", "This is no draft.")
}

impl Draft {
    /// Writes the draft.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Draft::Event(event) => [vec![1], encode(event)].concat(),
            Draft::Request(request) => [vec![2], encode(request)].concat(),
        }
    }

    /// Reads a draft.
    ///
    /// # Errors
    /// If it isn't one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        match bytes.split_first() {
            Some((1, event)) => decode(event).map(Draft::Event).map_err(|_| unreadable()),
            Some((2, request)) => decode(request).map(Draft::Request).map_err(|_| unreadable()),
            _ => Err(unreadable()),
        }
    }

    /// What the stamp's search works on.
    pub fn stamp_base(&self) -> Digest32 {
        match self {
            Draft::Event(event) => event.stamp_base(),
            Draft::Request(request) => request.stamp_base(),
        }
    }

    /// The same with this stamp.
    #[must_use]
    pub fn stamped(self, stamp: u64) -> Self {
        match self {
            Draft::Event(event) => Draft::Event(Event { stamp, ..event }),
            Draft::Request(request) => Draft::Request(Request { stamp, ..request }),
        }
    }

    /// What the key signs.
    pub fn signing_bytes(&self) -> Vec<u8> {
        match self {
            Draft::Event(event) => signing_bytes(&event.id()),
            Draft::Request(request) => request.signing_bytes(),
        }
    }

    /// The event's id; none for a request.
    pub fn id(&self) -> Option<EventId> {
        match self {
            Draft::Event(event) => Some(event.id()),
            Draft::Request(_) => None,
        }
    }

    /// Joins the draft with its signature, which must be good.
    ///
    /// # Errors
    /// If it is not.
    pub fn signed(self, signature: [u8; 64]) -> Result<Vec<u8>, Refused> {
        let key = match &self {
            Draft::Event(event) => event.key,
            Draft::Request(request) => request.key,
        };
        if !verify_signature(&key, &self.signing_bytes(), &signature) {
            return Err(Refused::new("signature", "The signature is not that of the account's key."));
        }
        Ok(match self {
            Draft::Event(event) => encode(&SignedParts { unsigned: Bytes(encode(&event)), signature }),
            Draft::Request(request) => encode(&SignedRequest { request, signature }),
        })
    }
}

/// Tries stamps from `from` on: one with enough bits, or none among so many.
pub fn search(base: &Digest32, bits: u32, from: u64, tries: u64) -> Option<u64> {
    let end = from.saturating_add(tries.min(TRIES_MAX));
    (from..end).find(|stamp| work(base, *stamp) >= bits)
}

fn field(name: &str) -> Refused {
    let limit = match name {
        "name" => {
            format!(
                "A pet's name has 1 to {} characters, none of them a control character.",
                limits::PET_NAME_CHARS_MAX
            )
        }
        "tags" => format!(
            "A post has at most {} tags, each of 1 to {} lower-case letters, digits or hyphens.",
            limits::TAGS_MAX,
            limits::TAG_CHARS_MAX
        ),
        "reason" => "A verdict has a reason.".to_owned(),
        _ => "A comment has some text.".to_owned(),
    };
    Refused::new("body", limit)
}

fn checked(kind: Kind, body: Body, salt: [u8; 32]) -> Result<SaltedBody, Refused> {
    let body = body.encode();
    match Body::read(kind, &body) {
        Ok(_) => Ok(SaltedBody { salt, body }),
        Err(BodyFault::Field(name)) => Err(field(name)),
        Err(_) => Err(Refused::new(
            "body",
            format!(
                "The text is too long: at most {} bytes with all that belongs to it.",
                limits::BODY_BYTES_MAX
            ),
        )),
    }
}

/// Drafts an event. Fields: kind by name, kennel, account, key, nonce, expires_ms, 32 random
/// bytes; then by kind: birth: photo, name, story, anchor; post: pet, photo or nothing, text, tags
/// one a line; pat, share: post; comment: post, text; gift: pet, amount; transfer: account,
/// amount; story_end, keepsake: pet; seal: the block that began the age, proof; moderate, which is signed by
/// a moderator's key and whose nonce is a time that has passed: event, 1 to hide or 2 to show, reason; offer, bid: pet,
/// price, until_ms; cancel: order; take: order, price.
///
/// # Errors
/// If a field is missing or out of its limits.
pub fn event(input: &mut Reader<'_>) -> Result<(Draft, Option<SaltedBody>), Refused> {
    let name = input.text()?;
    let (kennel, account, key) = (input.array()?, input.array()?, input.array()?);
    let (nonce, expires_ms, salt) = (input.number()?, input.number()?, input.array::<32>()?);
    let amount = |amount: u64| match amount {
        1..=limits::AMOUNT_MAX => Ok(amount),
        _ => Err(Refused::new("amount", format!("An amount is 1 to {} treats.", limits::AMOUNT_MAX))),
    };
    let price = |price: u64| match price {
        1..=limits::AMOUNT_MAX => Ok(price),
        _ => Err(Refused::new("price", format!("A price is 1 to {} treats.", limits::AMOUNT_MAX))),
    };
    let committed = |body: &SaltedBody| commitment(&body.salt, &body.body);
    let (payload, body) = match name {
        "birth" => {
            let photo = input.array()?;
            let (name, story) = (input.text()?.to_owned(), input.text()?.to_owned());
            let body = checked(Kind::Birth, Body::Birth { name, story }, salt)?;
            let anchor = BlockHash(input.array()?);
            (Payload::Birth { photo, body: committed(&body), recovery: None, anchor }, Some(body))
        }
        "post" => {
            let (pet, photo) = (BirthHash(input.array()?), input.array_or_none()?);
            let text = input.text()?.to_owned();
            let tags = input.text()?.lines().map(str::to_owned).collect();
            let body = checked(Kind::Post, Body::Post { text, tags }, salt)?;
            (Payload::Post { pet, photo, body: committed(&body) }, Some(body))
        }
        "comment" => {
            let post = EventId(input.array()?);
            let body = checked(Kind::Comment, Body::Comment { text: input.text()?.to_owned() }, salt)?;
            (Payload::Comment { post, body: committed(&body) }, Some(body))
        }
        "pat" => (Payload::Pat { post: EventId(input.array()?) }, None),
        "share" => (Payload::Share { post: EventId(input.array()?) }, None),
        "gift" => (Payload::Gift { pet: BirthHash(input.array()?), amount: amount(input.number()?)? }, None),
        "transfer" => {
            (Payload::Transfer { to: AccountId(input.array()?), amount: amount(input.number()?)? }, None)
        }
        "story_end" => (Payload::StoryEnd { pet: BirthHash(input.array()?) }, None),
        "moderate" => {
            let target = EventId(input.array()?);
            let verdict = match input.number()? {
                1 => Verdict::Hide,
                2 => Verdict::Show,
                _ => return Err(Refused::new("verdict", "A verdict is 1, to hide, or 2, to show.")),
            };
            let reason = Body::Moderate { reason: input.text()?.to_owned() };
            let body = checked(Kind::Moderate, reason, salt)?;
            (Payload::Moderate { target, verdict, body: committed(&body) }, Some(body))
        }
        "keepsake" => (Payload::Keepsake { pet: BirthHash(input.array()?) }, None),
        "seal" => (seals::payload(input)?, None),
        "offer" | "bid" => {
            let (pet, price) = (BirthHash(input.array()?), price(input.number()?)?);
            let until_ms = input.number()?;
            let payload = match name {
                "offer" => Payload::Offer { pet, price, until_ms },
                _ => Payload::Bid { pet, price, until_ms },
            };
            (payload, None)
        }
        "cancel" => (Payload::Cancel { order: EventId(input.array()?) }, None),
        "take" => (Payload::Take { order: EventId(input.array()?), price: price(input.number()?)? }, None),
        _ => return Err(Refused::new("kind", "No such kind of event.")),
    };
    input.end()?;
    let nonce = match payload.kind().replay_class() {
        ReplayClass::Nonce | ReplayClass::Office => nonce,
        ReplayClass::Subject => 0,
    };
    let event = Event {
        version: VERSION,
        kennel: KennelId(kennel),
        account: AccountId(account),
        key: PublicKey(key),
        nonce,
        expires_ms,
        payload,
        stamp: 0,
    };
    Ok((Draft::Event(event), body))
}

/// Drafts a request. Fields: kind by name, account, key, expires_ms; then by kind: name: name;
/// upload: SHA-256, size, content type; vault: name, version, SHA-256 of what goes beside it; report:
/// event, reason by name; erase: event.
///
/// # Errors
/// If a field is missing or out of its limits.
pub fn request(input: &mut Reader<'_>) -> Result<Draft, Refused> {
    let name = input.text()?;
    let (account, key, expires_ms) = (AccountId(input.array()?), PublicKey(input.array()?), input.number()?);
    let wish = match name {
        "name" => Wish::Name { name: input.text()?.to_owned() },
        "upload" => Wish::Upload {
            sha256: input.array()?,
            size: input.number()?,
            content_type: input.text()?.to_owned(),
        },
        "vault" => {
            Wish::Vault { name: input.text()?.to_owned(), version: input.number()?, content: input.array()? }
        }
        "report" => {
            let event = EventId(input.array()?);
            let reason = ReportReason::from_name(input.text()?);
            let reason = reason.ok_or_else(|| Refused::new("reason", "No such reason for a report."))?;
            Wish::Report { event, reason }
        }
        "erase" => Wish::Erase { event: EventId(input.array()?) },
        _ => return Err(Refused::new("kind", "No such kind of request.")),
    };
    input.end()?;
    let request = Request { version: 1, account, key, expires_ms, wish, stamp: 0 };
    match request.fault() {
        None => Ok(Draft::Request(request)),
        Some("name") => Err(Refused::new(
            "name",
            "A user name has 3 to 30 of a-z, 0-9, - and _, and begins with a letter.",
        )),
        Some("size") => {
            Err(Refused::new("size", format!("A photo has at most {} bytes.", limits::PHOTO_BYTES_MAX)))
        }
        Some(other) => Err(Refused::new("field", format!("{other} is out of its limits."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Writer;
    use crate::keyring::public;
    use ed25519_dalek::{Signer as _, SigningKey};
    use pitpet_chain::event::SignedEvent;
    use pitpet_chain::genesis::Parameters;
    use pitpet_chain::reject::Reject;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[9; 32])
    }

    fn begun(kind: &str) -> Writer {
        let key = public(&key());
        Writer::new()
            .bytes(kind.as_bytes())
            .bytes(&[1; 32])
            .bytes(&AccountId::of(&key).0)
            .bytes(&key.0)
            .number(4)
            .number(50_000)
            .bytes(&[6; 32])
    }

    fn drafted(fields: Writer) -> Result<(Draft, Option<SaltedBody>), Refused> {
        event(&mut Reader::new(&fields.done()))
    }

    /// As the browser does it, step by step, and what the door checks then.
    fn through(draft: Draft, bits: u32) -> Vec<u8> {
        let base = draft.stamp_base();
        let mut from = 0;
        let stamp = loop {
            match search(&base, bits, from, 100) {
                Some(stamp) => break stamp,
                None => from += 100,
            }
        };
        let draft = Draft::from_bytes(&draft.to_bytes()).unwrap().stamped(stamp);
        let signature = key().sign(&draft.signing_bytes()).to_bytes();
        assert!(draft.clone().signed([0; 64]).is_err());
        draft.signed(signature).unwrap()
    }

    #[test]
    fn every_kind_passes_the_door() {
        let parameters = Parameters { stamp_bits: 8, birth_bits: 9, ..Parameters::CLASSIC };
        let kinds = [
            begun("birth").bytes(&[2; 32]).bytes("Mochi 🐈".as_bytes()).bytes(b"").bytes(&[3; 32]),
            begun("post").bytes(&[2; 32]).bytes(&[]).bytes(b"hello").bytes(b"cat\nnap"),
            begun("post").bytes(&[2; 32]).bytes(&[5; 32]).bytes(b"").bytes(b""),
            begun("pat").bytes(&[2; 32]),
            begun("share").bytes(&[2; 32]),
            begun("comment").bytes(&[2; 32]).bytes(b"nice"),
            begun("gift").bytes(&[2; 32]).number(3),
            begun("transfer").bytes(&[2; 32]).number(3),
            begun("story_end").bytes(&[2; 32]),
            begun("keepsake").bytes(&[2; 32]),
            begun("seal").bytes(&[2; 32]).number(7),
            begun("moderate").bytes(&[2; 32]).number(1).bytes(b"Advertising"),
            begun("offer").bytes(&[2; 32]).number(40).number(60_000),
            begun("bid").bytes(&[2; 32]).number(1).number(60_000),
            begun("cancel").bytes(&[2; 32]),
            begun("take").bytes(&[2; 32]).number(40),
        ];
        for fields in kinds {
            let (draft, body) = drafted(fields).unwrap();
            let signed = SignedEvent::read(&through(draft.clone(), 9)).unwrap();
            assert_eq!(Some(signed.id), draft.stamped(signed.event.stamp).id());
            assert_eq!(signed.check(&KennelId([1; 32]), &parameters, 40_000), Ok(()));
            assert_eq!(signed.check_signature(), Ok(()));
            assert_eq!(
                signed.event.payload.body().copied(),
                body.map(|body| commitment(&body.salt, &body.body))
            );
            assert_eq!(signed.check(&KennelId([2; 32]), &parameters, 40_000), Err(Reject::WrongKennel));
        }
    }

    #[test]
    fn limits_are_named() {
        let detail = |fields| drafted(fields).unwrap_err().detail;
        let birth = |name: &[u8]| begun("birth").bytes(&[2; 32]).bytes(name).bytes(b"").bytes(&[3; 32]);
        assert!(detail(birth(b"")).contains("1 to 64"));
        assert!(detail(birth(&[b'x'; 65])).contains("1 to 64"));
        assert!(detail(birth(b"a\x07")).contains("control"));
        assert!(detail(begun("comment").bytes(&[2; 32]).bytes(b" ")).contains("some text"));
        assert!(detail(begun("comment").bytes(&[2; 32]).bytes(&[b'x'; 9_000])).contains("8192 bytes"));
        assert!(
            detail(begun("post").bytes(&[2; 32]).bytes(&[]).bytes(b"").bytes(b"Upper"))
                .contains("lower-case")
        );
        assert!(detail(begun("gift").bytes(&[2; 32]).number(0)).contains("9007199254740991"));
        assert!(detail(begun("take").bytes(&[2; 32]).number(0)).contains("A price is 1 to 9007199254740991"));
        assert!(detail(begun("bid").bytes(&[2; 32]).number(1 << 53).number(60_000)).contains("A price"));
        assert!(drafted(begun("offer").bytes(&[2; 32]).number(4)).is_err());
        assert!(drafted(begun("pat").bytes(&[2; 31])).is_err());
        assert!(drafted(begun("pat").bytes(&[2; 32]).bytes(b"more")).is_err());
        assert!(detail(begun("moderate").bytes(&[2; 32]).number(1).bytes(b" ")).contains("has a reason"));
        assert!(detail(begun("moderate").bytes(&[2; 32]).number(3).bytes(b"x")).contains("to hide"));
        assert!(drafted(begun("rule").bytes(&[2; 32])).is_err());
    }

    #[test]
    fn requests_pass_the_door() {
        let key = public(&key());
        let begun = |kind: &str| {
            Writer::new().bytes(kind.as_bytes()).bytes(&AccountId::of(&key).0).bytes(&key.0).number(50_000)
        };
        let drafted = |fields: Writer| request(&mut Reader::new(&fields.done()));
        for fields in [
            begun("name").bytes(b"bella"),
            begun("upload").bytes(&[1; 32]).number(5).bytes(b"image/jpeg"),
            begun("vault").bytes(b"bella").number(40_000).bytes(&[1; 32]),
            begun("report").bytes(&[1; 32]).bytes(b"spam"),
            begun("erase").bytes(&[1; 32]),
        ] {
            let signed = through(drafted(fields).unwrap(), pitpet_chain::request::REQUEST_BITS);
            SignedRequest::read(&signed, 45_000).unwrap();
        }
        assert!(drafted(begun("name").bytes(b"Bella")).unwrap_err().detail.contains("3 to 30"));
        assert!(
            drafted(begun("report").bytes(&[1; 32]).bytes(b"dull")).unwrap_err().detail.contains("reason")
        );
        assert!(drafted(begun("upload").bytes(&[1; 32]).number(0).bytes(b"image/jpeg")).is_err());
        assert!(drafted(begun("upload").bytes(&[1; 32]).number(9).bytes(b"image/svg+xml")).is_err());
        assert!(drafted(begun("vault").bytes(b"bella").number(60_000).bytes(&[1; 32])).is_err());
    }
}
