//! Every operation that the browser calls: [`crate::fields`] in, fields or a refusal out. The Wasm
//! shim only moves the bytes.

use ed25519_dalek::SigningKey;
use pitpet_chain::hash::{AccountId, KennelId, RulesHash};
use pitpet_chain::{limits, market};
use zeroize::Zeroizing;

use crate::draft::{self, Draft};
use crate::fields::{Reader, Writer};
use crate::keyring::{Keyring, public};
use crate::{Refused, inspect, key_file, password, seals, vault};

/// What an operation gives.
pub type Answer = Result<Zeroizing<Vec<u8>>, Refused>;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident ( $input:ident ) $body:block)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// A refusal in words for people.
            pub fn $name(bytes: &[u8]) -> Answer {
                let $input = &mut Reader::new(bytes);
                $body
            }
        )*
    };
}

fn done(fields: Writer) -> Answer {
    Ok(fields.done())
}

fn describe(ring: &Keyring) -> Writer {
    let newest = ring.newest_key();
    Writer::new()
        .bytes(ring.name.as_bytes())
        .bytes(&ring.id.0)
        .bytes(&public(newest).0)
        .bytes(&*Zeroizing::new(newest.to_bytes()))
}

operations! {
    /// A new account: seed of 32 random bytes, name → name, account, public key, seed, keyring's text.
    account_new(input) {
        let seed = Zeroizing::new(input.array::<32>()?);
        let ring = Keyring::new(input.text()?, SigningKey::from_bytes(&seed));
        input.end()?;
        done(describe(&ring).bytes(ring.to_text().as_bytes()))
    }

    /// An account: keyring's text → name, account, newest public key, newest seed, text.
    account_read(input) {
        let text = input.text()?;
        input.end()?;
        let ring = Keyring::from_text(text)
            .map_err(|why| Refused::new("bad-keyring", format!("The keys can't be read: {why}.")))?;
        done(describe(&ring).bytes(text.as_bytes()))
    }

    /// Begins to set a password: password, 32 random bytes → state, message.
    password_register(input) {
        let (password, random) = (input.text()?, input.array()?);
        input.end()?;
        let (state, message) = password::register(password, &random)?;
        done(Writer::new().bytes(&state).bytes(&message))
    }

    /// Ends it: state, password, name, answer, 32 random bytes → record, export key.
    password_register_end(input) {
        let (state, password, name, answer) = (input.bytes()?, input.text()?, input.text()?, input.bytes()?);
        let random = input.array()?;
        input.end()?;
        let (record, key) = password::register_end(state, password, name, answer, &random)?;
        done(Writer::new().bytes(&record).bytes(&*key))
    }

    /// Begins to sign in: password, 32 random bytes → state, message.
    password_sign_in(input) {
        let (password, random) = (input.text()?, input.array()?);
        input.end()?;
        let (state, message) = password::sign_in(password, &random)?;
        done(Writer::new().bytes(&state).bytes(&message))
    }

    /// Ends it: state, password, name, answer, 32 random bytes → last message, export key.
    password_sign_in_end(input) {
        let (state, password, name, answer) = (input.bytes()?, input.text()?, input.text()?, input.bytes()?);
        let random = input.array()?;
        input.end()?;
        let (message, key) = password::sign_in_end(state, password, name, answer, &random)?;
        done(Writer::new().bytes(&message).bytes(&*key))
    }

    /// Closes a vault: export key, name, keyring's text, 12 random bytes → vault.
    vault_seal(input) {
        let key = Zeroizing::new(input.array()?);
        let (name, text, nonce) = (input.text()?, input.text()?, input.array()?);
        input.end()?;
        done(Writer::new().bytes(&vault::seal(&key, name, text, &nonce)?))
    }

    /// Opens a vault: export key, name, vault → keyring's text.
    vault_open(input) {
        let key = Zeroizing::new(input.array()?);
        let (name, sealed) = (input.text()?, input.bytes()?);
        input.end()?;
        done(Writer::new().bytes(vault::open(&key, name, sealed)?.as_bytes()))
    }

    /// Makes a key file: passphrase, keyring's text, 48 random bytes → file.
    key_file_seal(input) {
        let (passphrase, text, random) = (input.text()?, input.text()?, Zeroizing::new(input.array()?));
        input.end()?;
        done(Writer::new().bytes(&key_file::seal(passphrase, text, key_file::LOG_N, &random)?))
    }

    /// Opens a key file: passphrase, file → keyring's text.
    key_file_open(input) {
        let (passphrase, file) = (input.text()?, input.bytes()?);
        input.end()?;
        done(Writer::new().bytes(key_file::open(passphrase, file)?.as_bytes()))
    }

    /// Drafts an event, see [`draft::event`] → draft, stamp base, salt, body; the last two are empty
    /// for a kind without a body.
    event_draft(input) {
        let (draft, body) = draft::event(input)?;
        let (salt, body) = body.map(|body| (body.salt.to_vec(), body.body)).unwrap_or_default();
        done(Writer::new().bytes(&draft.to_bytes()).bytes(&draft.stamp_base()).bytes(&salt).bytes(&body))
    }

    /// Drafts a request, see [`draft::request`] → draft, stamp base.
    request_draft(input) {
        let draft = draft::request(input)?;
        done(Writer::new().bytes(&draft.to_bytes()).bytes(&draft.stamp_base()))
    }

    /// Searches a stamp: base, bits, first, tries → the stamp; empty if there is none among these.
    stamp_search(input) {
        let (base, bits) = (input.array()?, input.number()?);
        let (from, tries) = (input.number()?, input.number()?);
        input.end()?;
        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
        done(match draft::search(&base, bits, from, tries) {
            Some(stamp) => Writer::new().number(stamp),
            None => Writer::new().bytes(&[]),
        })
    }

    /// Searches the seal of an age, see [`seals::search`] → the proof; empty if there is none among these.
    seal_search(input) {
        done(match seals::search(input)? {
            Some(proof) => Writer::new().number(proof),
            None => Writer::new().bytes(&[]),
        })
    }

    /// How a sale is split: price, the house's part in thousandths → to the seller, to the house.
    price_split(input) {
        let (price, permille) = (input.number()?, input.number()?);
        input.end()?;
        let permille = u16::try_from(permille).ok().filter(|permille| *permille <= 1_000);
        let (1..=limits::AMOUNT_MAX, Some(permille)) = (price, permille) else {
            let limit = format!("A price is 1 to {} treats.", limits::AMOUNT_MAX);
            return Err(Refused::new("price", limit));
        };
        let to_house = market::cut(price, permille);
        done(Writer::new().number(price - to_house).number(to_house))
    }

    /// Puts the stamp in: draft, stamp → draft, what the key signs, event id or nothing.
    draft_stamped(input) {
        let (draft, stamp) = (Draft::from_bytes(input.bytes()?)?, input.number()?);
        input.end()?;
        let draft = draft.stamped(stamp);
        let id = draft.id().map(|id| id.0.to_vec()).unwrap_or_default();
        done(Writer::new().bytes(&draft.to_bytes()).bytes(&draft.signing_bytes()).bytes(&id))
    }

    /// Joins a draft and its signature: draft, signature → signed event or request.
    draft_signed(input) {
        let (draft, signature) = (Draft::from_bytes(input.bytes()?)?, input.array()?);
        input.end()?;
        done(Writer::new().bytes(&draft.signed(signature)?))
    }

    /// The account whose first key this is: public key → account.
    account_of(input) {
        let key = pitpet_chain::hash::PublicKey(input.array()?);
        input.end()?;
        done(Writer::new().bytes(&AccountId::of(&key).0))
    }

    /// Checks the evidence for a block as far as that needs no state: kennel, height, evidence →
    /// rules hash, block hash, parent hash, timestamp, count of events, size and root of the log,
    /// rules hash and input of `open`, input of `replay` for the block, and for each block before
    /// it rules hash and input of `replay`.
    evidence_check(input) {
        let (kennel, height, evidence) = (KennelId(input.array()?), input.number()?, input.bytes()?);
        input.end()?;
        let evidence = inspect::evidence(evidence)?;
        let claims = evidence.check(&kennel, height)?;
        let mut answer = Writer::new()
            .bytes(&claims.rules.0)
            .bytes(&claims.hash.0)
            .bytes(&claims.parent.0)
            .number(claims.timestamp_ms)
            .number(claims.event_count)
            .number(claims.log_size)
            .bytes(&claims.log_root)
            .bytes(&evidence.rules.0)
            .bytes(&evidence.start())
            .bytes(&evidence.last_replay());
        for (rules, replay) in evidence.replays()? {
            answer = answer.bytes(&rules.0).bytes(&replay);
        }
        done(answer)
    }

    /// Where the rules change: rules hash of the next block, answer of the module before to
    /// `snapshot` → input of `open` of the next block's module.
    evidence_taken_over(input) {
        let (rules, snapshot) = (RulesHash(input.array()?), input.bytes()?);
        input.end()?;
        done(Writer::new().bytes(&inspect::take_over(rules, snapshot)))
    }

    /// Reads the chain module's answer to `open` → hash of the head, genesis block or nothing.
    evidence_opened(input) {
        let (head, genesis) = inspect::opened(input.bytes()?)?;
        input.end()?;
        done(Writer::new().bytes(&head.0).bytes(&genesis.unwrap_or_default()))
    }

    /// Reads the chain module's answer to `replay` → hash of the head.
    evidence_replayed(input) {
        let head = inspect::replayed(input.bytes()?)?;
        input.end()?;
        done(Writer::new().bytes(&head.0))
    }

    /// What to let the chain module decide anew on the state before, if `replay` refused the block:
    /// evidence → input of `apply`, the block shown.
    evidence_anew(input) {
        let evidence = inspect::evidence(input.bytes()?)?;
        input.end()?;
        done(Writer::new().bytes(&evidence.batch()?).bytes(&evidence.block.0))
    }

    /// What differs: block shown, the chain module's answer to `apply` → one line a difference.
    evidence_differences(input) {
        let (shown, answer) = (input.bytes()?, input.bytes()?);
        input.end()?;
        let (computed, mut lines) = inspect::decided(answer)?;
        match computed {
            Some(computed) => lines.extend(inspect::differences(shown, &computed)?),
            None => lines.push("the rules accept none of its events".to_owned()),
        }
        done(lines.iter().fold(Writer::new(), |fields, line| fields.bytes(line.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_split_as_the_rules_do() {
        let split = |price, permille| {
            let fields = price_split(&Writer::new().number(price).number(permille).done())?;
            let mut fields = Reader::new(&fields);
            Ok::<_, Refused>((fields.number()?, fields.number()?))
        };
        assert_eq!(split(11, 300).unwrap(), (7, 4));
        assert_eq!(split(1, 300).unwrap(), (0, 1));
        assert_eq!(split(10, 1_000).unwrap(), (0, 10));
        for (price, permille) in [(0, 300), (1 << 53, 300), (10, 1_001)] {
            assert!(split(price, permille).unwrap_err().detail.contains("A price is 1 to"));
        }
    }
}
