//! One event of each kind with every step from its fields to its signed bytes.

use ed25519_dalek::{Signer as _, SigningKey};
use pitpet_chain::body::Body;
use pitpet_chain::codec::encode;
use pitpet_chain::event::{Event, Payload, signing_bytes};
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{PublicKey, sha256, tag, tagged};
use pitpet_chain::mining::Statement;
use serde_json::{Map, Value, json};

/// The key that the vectors give to a name.
pub(crate) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&seed(name))
}

/// The seed of [`key`].
pub(crate) fn seed(name: &str) -> [u8; 32] {
    sha256(format!("pitpet test vectors: key of {name}").as_bytes())
}

/// The public half of a key.
pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// Everything about a stamped event.
pub(crate) fn example(
    event: &Event,
    key: &SigningKey,
    parameters: &Parameters,
    body: Option<&(Body, [u8; 32])>,
) -> Value {
    let base = event.stamp_base();
    let id = event.id();
    let mut example = json!({
        "kind": event.payload.kind().name(),
        "number": event.payload.kind() as u8,
        "key_seed": hex::encode(key.to_bytes()),
        "version": event.version,
        "kennel": event.kennel.to_string(),
        "account": event.account.to_string(),
        "key": event.key.to_string(),
        "nonce": event.nonce,
        "expires_ms": event.expires_ms,
        "fields": fields(&event.payload),
        "stamp_base": hex::encode(base),
        "stamp_bits": event.bits(parameters),
        "stamp": event.stamp,
        "work": hex::encode(tagged(tag::WORK, &[&base, &event.stamp.to_be_bytes()])),
        "unsigned": hex::encode(encode(event)),
        "id": id.to_string(),
        "signing": hex::encode(signing_bytes(&id)),
        "signature": hex::encode(key.sign(&signing_bytes(&id)).to_bytes()),
        "signed": hex::encode(event.sign(key)),
    });
    if let Some((body, salt)) = body {
        example["body"] = json!({
            "content": content(body),
            "bytes": hex::encode(body.encode()),
            "salt": hex::encode(salt),
        });
    }
    example
}

fn content(body: &Body) -> Value {
    match body {
        Body::Birth { name, story } => json!([name, story]),
        Body::Post { text, tags } => json!([text, tags]),
        Body::Comment { text } | Body::Moderate { reason: text } => json!([text]),
    }
}

fn fields(payload: &Payload) -> Value {
    let key = |key: &Option<PublicKey>| key.map(|key| key.to_string());
    let all = |statements: &[Statement]| {
        json!(
            statements
                .iter()
                .map(|said| json!([said.witness, hex::encode(said.signature)]))
                .collect::<Vec<_>>()
        )
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    match payload {
        Payload::Birth { photo, body, recovery, anchor } => {
            put("photo", json!(hex::encode(photo)));
            put("body", json!(hex::encode(body)));
            put("recovery", json!(key(recovery)));
            put("anchor", json!(anchor.to_string()));
        }
        Payload::Post { pet, photo, body } => {
            put("pet", json!(pet.to_string()));
            put("photo", json!(photo.map(hex::encode)));
            put("body", json!(hex::encode(body)));
        }
        Payload::Pat { post } | Payload::Share { post } => put("post", json!(post.to_string())),
        Payload::Comment { post, body } => {
            put("post", json!(post.to_string()));
            put("body", json!(hex::encode(body)));
        }
        Payload::Gift { pet, amount } => {
            put("pet", json!(pet.to_string()));
            put("amount", json!(amount));
        }
        Payload::Transfer { to, amount } => {
            put("to", json!(to.to_string()));
            put("amount", json!(amount));
        }
        Payload::StoryEnd { pet } | Payload::Keepsake { pet } => put("pet", json!(pet.to_string())),
        Payload::Time { parent, statements } => {
            put("parent", json!(parent.to_string()));
            put("statements", all(statements));
        }
        Payload::Rekey { new_key, recovery } => {
            put("new_key", json!(new_key.to_string()));
            put("recovery", json!(key(recovery)));
        }
        Payload::Offer { pet, price, until_ms } | Payload::Bid { pet, price, until_ms } => {
            put("pet", json!(pet.to_string()));
            put("price", json!(price));
            put("until_ms", json!(until_ms));
        }
        Payload::Cancel { order } => put("order", json!(order.to_string())),
        Payload::Take { order, price } => {
            put("order", json!(order.to_string()));
            put("price", json!(price));
        }
        Payload::Seal { over, proof, time } => {
            put("over", json!(over.to_string()));
            put("proof", json!(proof));
            put("time", time.as_deref().map_or(Value::Null, all));
        }
        Payload::Moderate { target, verdict, body } => {
            put("target", json!(target.to_string()));
            put("verdict", json!(*verdict as u8));
            put("body", json!(hex::encode(body)));
        }
        Payload::Appoint { operator, moderators, witnesses, threshold } => {
            let keys = |keys: &[PublicKey]| json!(keys.iter().map(ToString::to_string).collect::<Vec<_>>());
            put("operator", json!(operator.to_string()));
            put("moderators", keys(moderators));
            put("witnesses", keys(witnesses));
            put("threshold", json!(threshold));
        }
        Payload::Upgrade { rules_hash, at_height } => {
            put("rules_hash", json!(rules_hash.to_string()));
            put("at_height", json!(at_height));
        }
    }
    Value::Object(fields)
}
