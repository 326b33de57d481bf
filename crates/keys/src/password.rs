//! The client's half of signing in by password: OPAQUE-3DH of RFC 9807 with ristretto255,
//! SHA-512, and Argon2id as the key stretching function, by `opaque-ke`.
//!
//! What the password gives in the end is the *export key*, which opens the [`crate::vault`].

use opaque_ke::argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::ProtocolError;
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, Identifiers, RegistrationResponse, Ristretto255,
    TripleDh,
};
use rand_chacha_0_3::ChaCha20Rng;
use rand_chacha_0_3::rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use crate::Refused;
use crate::vault::EXPORT_KEY_BYTES;

/// Memory that one guess takes, KiB: 64 MiB, as RFC 9106 recommends where memory is constrained.
pub const ARGON2_MEMORY_KIB: u32 = 64 * 1024;

/// Passes over it, as RFC 9106 recommends.
pub const ARGON2_PASSES: u32 = 3;

/// Lanes: one, because Wasm has one thread.
pub const ARGON2_LANES: u32 = 1;

/// Binds all of it to this purpose.
pub(crate) const CONTEXT: &[u8] = b"pitpet/v1/sign-in";

/// Random bytes that a step takes.
pub const RANDOM_BYTES: usize = 32;

/// A password has at least this many characters. NIST SP 800-63B asks for at least 8, and 15
/// where a password is all there is; guesses are limited, so that 10 is between them.
pub const CHARS_MIN: usize = 10;

/// A password has at most this many bytes.
pub const BYTES_MAX: usize = 512;

/// The suite.
pub struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2::Sha512>;
    type Ksf = Argon2<'static>;
}

/// A client's state between its two messages; hold it as you hold the password.
pub type State = Zeroizing<Vec<u8>>;

/// OPAQUE's export key.
pub type ExportKey = Zeroizing<[u8; EXPORT_KEY_BYTES]>;

fn stretching() -> Argon2<'static> {
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None)
        .expect("these are in Argon2's range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

pub(crate) fn rng(random: &[u8; RANDOM_BYTES]) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(*random)
}

pub(crate) fn identifiers(name: &str) -> Identifiers<'_> {
    Identifiers { client: Some(name.as_bytes()), server: None }
}

fn odd(_: ProtocolError) -> Refused {
    Refused::new("bad-answer", "The server's answer to the sign-in can't be read.")
}

fn export(key: &[u8]) -> ExportKey {
    let mut export = Zeroizing::new([0; EXPORT_KEY_BYTES]);
    export.copy_from_slice(key);
    export
}

/// Checks a password's length.
///
/// # Errors
/// `password` names the limit.
pub fn check(password: &str) -> Result<(), Refused> {
    if password.chars().count() < CHARS_MIN || password.len() > BYTES_MAX {
        let detail =
            format!("A password has at least {CHARS_MIN} characters, and at most {BYTES_MAX} bytes.");
        return Err(Refused::new("password", detail));
    }
    Ok(())
}

/// Begins to set a password: the state, and the message to the server.
///
/// # Errors
/// If the password is too short or too long.
pub fn register(password: &str, random: &[u8; RANDOM_BYTES]) -> Result<(State, Vec<u8>), Refused> {
    check(password)?;
    let started = ClientRegistration::<Suite>::start(&mut rng(random), password.as_bytes()).map_err(odd)?;
    Ok((Zeroizing::new(started.state.serialize().to_vec()), started.message.serialize().to_vec()))
}

/// Ends it: the record for the server, and the export key.
///
/// # Errors
/// If the server's answer can't be used.
pub fn register_end(
    state: &[u8],
    password: &str,
    name: &str,
    answer: &[u8],
    random: &[u8; RANDOM_BYTES],
) -> Result<(Vec<u8>, ExportKey), Refused> {
    let state = ClientRegistration::<Suite>::deserialize(state).map_err(odd)?;
    let answer = RegistrationResponse::deserialize(answer).map_err(odd)?;
    let stretching = stretching();
    let parameters = ClientRegistrationFinishParameters::new(identifiers(name), Some(&stretching));
    let ended = state.finish(&mut rng(random), password.as_bytes(), answer, parameters).map_err(odd)?;
    Ok((ended.message.serialize().to_vec(), export(&ended.export_key)))
}

/// Begins to sign in: the state, and the message to the server.
///
/// # Errors
/// Never for a password that could be set.
pub fn sign_in(password: &str, random: &[u8; RANDOM_BYTES]) -> Result<(State, Vec<u8>), Refused> {
    let started = ClientLogin::<Suite>::start(&mut rng(random), password.as_bytes()).map_err(odd)?;
    Ok((Zeroizing::new(started.state.serialize().to_vec()), started.message.serialize().to_vec()))
}

/// Ends it: the message that shows the server the right password, and the export key.
///
/// # Errors
/// `wrong-password`, which a server that doesn't know the name gives as well.
pub fn sign_in_end(
    state: &[u8],
    password: &str,
    name: &str,
    answer: &[u8],
    random: &[u8; RANDOM_BYTES],
) -> Result<(Vec<u8>, ExportKey), Refused> {
    let state = ClientLogin::<Suite>::deserialize(state).map_err(odd)?;
    let answer = CredentialResponse::deserialize(answer).map_err(odd)?;
    let stretching = stretching();
    let parameters = ClientLoginFinishParameters::new(Some(CONTEXT), identifiers(name), Some(&stretching));
    match state.finish(&mut rng(random), password.as_bytes(), answer, parameters) {
        Ok(ended) => Ok((ended.message.serialize().to_vec(), export(&ended.export_key))),
        Err(ProtocolError::InvalidLoginError) => {
            Err(Refused::new("wrong-password", "Name and password don't fit, or the name has no password."))
        }
        Err(error) => Err(odd(error)),
    }
}
