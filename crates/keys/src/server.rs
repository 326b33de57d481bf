//! The server's half of signing in by password. It keeps a record and a vault for each name; it
//! never sees a password, and neither record nor vault can be tried against passwords without the
//! [`Setup`], which isn't kept in the table.
//!
//! Between the two messages of a sign-in nothing is stored: the state goes to the client, sealed.
//! A name without a password gets the answer that RFC 9807, section 6.3.2.2, makes up for it: it
//! differs in nothing that a client can see from that to a wrong password.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hkdf::Hkdf;
use opaque_ke::key_exchange::group::Group as _;
use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload, Ristretto255,
    ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
};
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::Refused;
use crate::password::{CONTEXT, RANDOM_BYTES, Suite, identifiers, rng};

/// A record's size, bytes: the client's public key, a masking key, and an envelope of a nonce and a tag.
pub const RECORD_BYTES: usize = 32 + 64 + 32 + 64;

/// How long a client may take between the two messages of a sign-in, ms.
pub const STATE_MS: u64 = 2 * 60 * 1000;

/// The server's secret: the seed of every name's OPRF key, its own key pair, and the key of the
/// states that it hands out.
#[derive(Clone)]
pub struct Setup {
    opaque: ServerSetup<Suite>,
    states: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Setup(…)")
    }
}

fn bad(field: &'static str) -> Refused {
    Refused::new(field, format!("{field} isn't a message of this protocol."))
}

fn expand<const N: usize>(secret: &[u8; 32], label: &[u8]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha512>::new(Some(b"pitpet/v1/sign-in"), secret)
        .expand(label, &mut *out)
        .expect("few enough bytes");
    out
}

impl Setup {
    /// The setup that a secret gives, always the same one. Whoever loses the secret loses every
    /// password: accounts are then opened by their key files.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let scalar = |label| {
            let seed = expand::<32>(secret, label);
            Ristretto255::derive_scalar((*seed).into()).expect("a hash to a scalar that isn't zero")
        };
        let (own, fake) = (scalar(b"key"), scalar(b"fake"));
        // As `ServerSetup` is written: the seed of the OPRF keys, the private key, a public key
        // for the records that are made up.
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        bytes.extend_from_slice(&*expand::<64>(secret, b"oprf"));
        bytes.extend_from_slice(&Ristretto255::serialize_sk(&own));
        bytes.extend_from_slice(&Ristretto255::serialize_pk(&Ristretto255::public_key(&fake)));
        let opaque = ServerSetup::deserialize(&bytes).expect("a seed of 64 bytes, a scalar and a point");
        Self { opaque, states: expand(secret, b"states") }
    }

    /// Answers the first message of setting a password. Each answer is worth one guess, so it
    /// goes to the owner of the name only.
    ///
    /// # Errors
    /// If the message can't be read.
    pub fn register(&self, name: &str, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let message = RegistrationRequest::deserialize(message).map_err(|_| bad("message"))?;
        let started = ServerRegistration::<Suite>::start(&self.opaque, message, name.as_bytes())
            .map_err(|_| bad("message"))?;
        Ok(started.message.serialize().to_vec())
    }

    /// Checks the record that setting a password ends in; it is kept as it is.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn check_record(record: &[u8]) -> Result<(), Refused> {
        if record.len() != RECORD_BYTES {
            return Err(bad("record"));
        }
        RegistrationUpload::<Suite>::deserialize(record).map(drop).map_err(|_| bad("record"))
    }

    /// Answers the first message of a sign-in: what goes to the client, and the sealed state.
    ///
    /// # Errors
    /// If the message or the kept record can't be read.
    pub fn sign_in(
        &self,
        name: &str,
        record: Option<&[u8]>,
        message: &[u8],
        now_ms: u64,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<(Vec<u8>, Vec<u8>), Refused> {
        let message = CredentialRequest::deserialize(message).map_err(|_| bad("message"))?;
        let record = match record {
            Some(bytes) => Some(ServerRegistration::<Suite>::deserialize(bytes).map_err(|_| bad("record"))?),
            None => None,
        };
        let parameters = ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(name) };
        let mut rng = rng(random);
        let started =
            ServerLogin::start(&mut rng, &self.opaque, record, message, name.as_bytes(), parameters)
                .map_err(|_| bad("message"))?;
        let mut nonce = [0; 12];
        opaque_ke::rand::RngCore::fill_bytes(&mut rng, &mut nonce);
        let expires_ms = (now_ms + STATE_MS).to_le_bytes();
        let state = Zeroizing::new(started.state.serialize().to_vec());
        let aad = [&expires_ms[..], name.as_bytes()].concat();
        let sealed = ChaCha20Poly1305::new((&*self.states).into())
            .encrypt(&nonce.into(), Payload { msg: &state, aad: &aad })
            .expect("a state is short enough");
        Ok((started.message.serialize().to_vec(), [&expires_ms[..], &nonce, &sealed].concat()))
    }

    /// Checks the last message of a sign-in: whether the client knows the password.
    ///
    /// # Errors
    /// `state` if the state isn't one that this server gave for this name, or is too old;
    /// `wrong-password`.
    pub fn sign_in_end(&self, name: &str, state: &[u8], message: &[u8], now_ms: u64) -> Result<(), Refused> {
        let gone = || Refused::new("state", "The sign-in took too long or is another one's: begin again.");
        let (head, sealed) = state.split_first_chunk::<20>().ok_or_else(gone)?;
        let (expires_ms, nonce) = head.split_first_chunk::<8>().ok_or_else(gone)?;
        let aad = [&expires_ms[..], name.as_bytes()].concat();
        let state = ChaCha20Poly1305::new((&*self.states).into())
            .decrypt(nonce.into(), Payload { msg: sealed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| gone())?;
        if u64::from_le_bytes(*expires_ms) < now_ms {
            return Err(gone());
        }
        let login = ServerLogin::<Suite>::deserialize(&state).map_err(|_| gone())?;
        let message = CredentialFinalization::deserialize(message).map_err(|_| bad("message"))?;
        let parameters = ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(name) };
        login.finish(message, parameters).map(drop).map_err(|_| {
            Refused::new("wrong-password", "Name and password don't fit, or the name has no password.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{self, ExportKey};

    const NAME: &str = "bella";
    const PASSWORD: &str = "a long enough password";

    fn setup() -> Setup {
        Setup::from_secret(&[7; 32])
    }

    fn registered(setup: &Setup) -> (Vec<u8>, ExportKey) {
        let (state, message) = password::register(PASSWORD, &[1; 32]).unwrap();
        let answer = setup.register(NAME, &message).unwrap();
        let (record, key) = password::register_end(&state, PASSWORD, NAME, &answer, &[2; 32]).unwrap();
        Setup::check_record(&record).unwrap();
        (record, key)
    }

    /// A sign-in: what the client gets, or where it ends.
    fn signed_in(
        setup: &Setup,
        name: &str,
        record: Option<&[u8]>,
        password: &str,
    ) -> Result<ExportKey, Refused> {
        let (state, message) = password::sign_in(password, &[3; 32]).unwrap();
        let (answer, sealed) = setup.sign_in(name, record, &message, 1_000, &[4; 32]).unwrap();
        let (last, key) = password::sign_in_end(&state, password, name, &answer, &[5; 32])?;
        setup.sign_in_end(name, &sealed, &last, 1_000)?;
        Ok(key)
    }

    #[test]
    fn the_password_and_nothing_else_gives_the_export_key() {
        let setup = setup();
        let (record, key) = registered(&setup);
        assert_eq!(signed_in(&setup, NAME, Some(&record), PASSWORD).unwrap(), key);
        for (name, record, password) in [
            (NAME, Some(&record), "a long enough passw0rd"),
            ("rex", Some(&record), PASSWORD),
            (NAME, None, PASSWORD),
        ] {
            let refused = signed_in(&setup, name, record.map(Vec::as_slice), password).unwrap_err();
            assert_eq!(refused.code, "wrong-password");
        }
        // The table alone is worth nothing without the secret.
        let other = Setup::from_secret(&[8; 32]);
        assert_eq!(signed_in(&other, NAME, Some(&record), PASSWORD).unwrap_err().code, "wrong-password");
    }

    /// Whether a name has a password shows in nothing but the outcome of the right one.
    #[test]
    fn a_name_without_a_password_is_answered_alike() {
        let setup = setup();
        let (record, _) = registered(&setup);
        let (_, message) = password::sign_in("another password", &[3; 32]).unwrap();
        let known = setup.sign_in(NAME, Some(&record), &message, 1_000, &[4; 32]).unwrap();
        let unknown = setup.sign_in("nobody", None, &message, 1_000, &[4; 32]).unwrap();
        assert_eq!((known.0.len(), known.1.len()), (unknown.0.len(), unknown.1.len()));
        let nothing = [0; 64];
        let ends = [(NAME, &known.1), ("nobody", &unknown.1)]
            .map(|(name, state)| setup.sign_in_end(name, state, &nothing, 1_000).unwrap_err());
        assert_eq!(ends[0], ends[1]);
    }

    #[test]
    fn a_state_is_of_one_name_and_a_short_time() {
        let setup = setup();
        let (record, _) = registered(&setup);
        let (state, message) = password::sign_in(PASSWORD, &[3; 32]).unwrap();
        let (answer, sealed) = setup.sign_in(NAME, Some(&record), &message, 1_000, &[4; 32]).unwrap();
        let (last, _) = password::sign_in_end(&state, PASSWORD, NAME, &answer, &[5; 32]).unwrap();
        let code =
            |name, sealed: &[u8], now_ms| setup.sign_in_end(name, sealed, &last, now_ms).map_err(|e| e.code);
        assert_eq!(code(NAME, &sealed, 1_000 + STATE_MS), Ok(()));
        assert_eq!(code(NAME, &sealed, 1_001 + STATE_MS), Err("state"));
        assert_eq!(code("rex", &sealed, 1_000), Err("state"));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(code(NAME, &changed, 1_000), Err("state"), "byte {at}");
        }
        assert_eq!(code(NAME, &sealed[..19], 1_000), Err("state"));
    }

    /// Every deployed secret would be lost if this changed.
    #[test]
    fn a_secret_gives_one_setup_for_ever() {
        let bytes = setup().opaque.serialize();
        let digest = pitpet_chain::hash::sha256(&bytes);
        assert_eq!(hex::encode(digest), "041be92b5038485c5a55301138ed2a51ac4191a46920e4717ded9fecd106d15d");
        assert_eq!(format!("{:?}", setup()), "Setup(…)");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let setup = setup();
        for bytes in [&[][..], &[0; 32], &[255; 96], &[1; 1000]] {
            assert_eq!(setup.register(NAME, bytes).unwrap_err().code, "message");
            assert_eq!(setup.sign_in(NAME, None, bytes, 0, &[0; 32]).unwrap_err().code, "message");
            assert_eq!(Setup::check_record(bytes).unwrap_err().code, "record");
        }
    }
}
