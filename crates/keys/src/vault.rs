//! The vault: a keyring's text under OPAQUE's export key, which only the password leads to. The
//! server keeps it and can't open it.
//!
//! # Encoding
//! A byte 1, a nonce of 12 bytes, and the text under ChaCha20-Poly1305, padded with line ends to
//! a multiple of 256 bytes. The key is HKDF-SHA-256 of the export key; the account's name is
//! authenticated with it.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Refused;

/// OPAQUE's export key: the output of its hash, SHA-512.
pub const EXPORT_KEY_BYTES: usize = 64;

/// A vault's size, at most: about forty keys.
pub const BYTES_MAX: usize = 4096;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"pitpet/v1/vault";
const PADDED_TO: usize = 256;

fn cipher(export_key: &[u8; EXPORT_KEY_BYTES]) -> ChaCha20Poly1305 {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, export_key).expand(LABEL, &mut *key).expect("32 bytes are few enough");
    ChaCha20Poly1305::new((&*key).into())
}

/// Closes a vault.
///
/// # Errors
/// If the text is too long.
pub fn seal(
    export_key: &[u8; EXPORT_KEY_BYTES],
    name: &str,
    text: &str,
    nonce: &[u8; 12],
) -> Result<Vec<u8>, Refused> {
    let mut padded = Zeroizing::new(Vec::with_capacity(text.len() + PADDED_TO));
    padded.extend_from_slice(text.as_bytes());
    padded.resize(text.len().next_multiple_of(PADDED_TO), b'\n');
    let payload = Payload { msg: &padded, aad: name.as_bytes() };
    let sealed = cipher(export_key).encrypt(nonce.into(), payload).expect("a text is short enough");
    let vault = [&[VERSION], nonce.as_slice(), &sealed].concat();
    if vault.len() > BYTES_MAX {
        return Err(Refused::new("vault-size", format!("A vault has at most {BYTES_MAX} bytes.")));
    }
    Ok(vault)
}

/// Opens a vault.
///
/// # Errors
/// `bad-vault`: the server gave another one than was put there.
pub fn open(
    export_key: &[u8; EXPORT_KEY_BYTES],
    name: &str,
    vault: &[u8],
) -> Result<Zeroizing<String>, Refused> {
    let bad = || {
        Refused::new(
            "bad-vault",
            "The server handed out something else than the vault of this name. Your key file opens the account.",
        )
    };
    let (head, sealed) = vault.split_first_chunk::<13>().ok_or_else(bad)?;
    let ([VERSION], nonce) = head.split_at(1) else { return Err(bad()) };
    let payload = Payload { msg: sealed, aad: name.as_bytes() };
    let text = cipher(export_key).decrypt(nonce.into(), payload).map(Zeroizing::new).map_err(|_| bad())?;
    let text = std::str::from_utf8(&text).map_err(|_| bad())?;
    Ok(Zeroizing::new(format!("{}\n", text.trim_end_matches('\n'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_key_and_name_open_a_vault() {
        let key = [7; EXPORT_KEY_BYTES];
        let vault = seal(&key, "bella", "name bella\n", &[3; 12]).unwrap();
        assert_eq!(vault.len(), 1 + 12 + PADDED_TO + 16);
        assert_eq!(*open(&key, "bella", &vault).unwrap(), "name bella\n");
        assert!(open(&key, "rex", &vault).is_err());
        assert!(open(&[8; EXPORT_KEY_BYTES], "bella", &vault).is_err());
        for at in 0..vault.len() {
            let mut changed = vault.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, "bella", &changed).unwrap_err().code, "bad-vault", "byte {at}");
            assert!(open(&key, "bella", &vault[..at]).is_err(), "cut at {at}");
        }
        assert!(seal(&key, "bella", &"x".repeat(BYTES_MAX), &[3; 12]).is_err());
    }
}
