//! Key files: a keyring's text in the age format (v1) under a passphrase, the same files as
//! the command line's.
//!
//! The command line uses the `age` crate, which brings translations, files and its own source
//! of randomness, and so doesn't build without imports; what a key file needs of the format is here: one scrypt
//! stanza, and a payload of one chunk. Tests read each one's files with the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Refused;

/// scrypt's work factor (log2 N) of files made here: 128 MiB, about a second in a browser.
pub const LOG_N: u8 = 17;

/// The highest that is opened here: 1 GiB, which most browsers still give.
pub const LOG_N_MAX: u8 = 20;

/// Random bytes that a file takes: file key, scrypt's salt, payload's nonce.
pub const RANDOM_BYTES: usize = 16 + 16 + 16;

/// A key file has at most this many bytes: a payload of one chunk of the format, 64 KiB, with its head.
pub const BYTES_MAX: usize = 66_000;

const VERSION_LINE: &str = "age-encryption.org/v1";
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
/// Of the format: lines of base64.
const COLUMNS: usize = 64;
const CHUNK_BYTES: usize = 64 * 1024;
/// The first chunk, which is the last one.
const LAST_CHUNK: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

fn damaged(what: &str) -> Refused {
    Refused::new("bad-key-file", format!("This is no key file of PitPet, or it is damaged: {what}."))
}

fn derived(salt: &[u8], label: &[u8], key: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), key).expand(label, &mut *out).expect("32 bytes are few enough");
    out
}

fn wrapping_key(passphrase: &str, salt: &[u8], log_n: u8) -> Result<Zeroizing<[u8; 32]>, Refused> {
    let params = scrypt::Params::new(log_n, 8, 1, 32).map_err(|_| damaged("its work factor"))?;
    let salt = [SCRYPT_LABEL, salt].concat();
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.as_bytes(), &salt, &params, &mut *key)
        .expect("32 bytes are a length that it gives");
    Ok(key)
}

fn mac(file_key: &[u8], head: &[u8]) -> Hmac<Sha256> {
    let key = derived(&[], b"header", file_key);
    <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*key).expect("any length is a key").chain_update(head)
}

/// Makes a key file.
///
/// # Errors
/// If the text is too long.
pub fn seal(
    passphrase: &str,
    text: &str,
    log_n: u8,
    random: &[u8; RANDOM_BYTES],
) -> Result<Vec<u8>, Refused> {
    if text.len() > CHUNK_BYTES {
        return Err(damaged("its text has more than 64 KiB"));
    }
    let (file_key, rest) = random.split_at(16);
    let (salt, nonce) = rest.split_at(16);
    let wrapping = wrapping_key(passphrase, salt, log_n)?;
    let wrapped = ChaCha20Poly1305::new((&*wrapping).into())
        .encrypt(&[0; 12].into(), file_key)
        .expect("16 bytes are few enough");
    let head = format!(
        "{VERSION_LINE}\n-> scrypt {} {log_n}\n{}\n---",
        BASE64.encode(salt),
        // 32 bytes are 43 digits: one line, shorter than a full one, ends the stanza.
        BASE64.encode(wrapped)
    );
    let mac = mac(file_key, head.as_bytes()).finalize().into_bytes();
    let mut file = format!("{head} {}\n", BASE64.encode(mac)).into_bytes();
    file.extend_from_slice(nonce);
    let payload_key = derived(nonce, b"payload", file_key);
    let payload = ChaCha20Poly1305::new((&*payload_key).into())
        .encrypt(&LAST_CHUNK.into(), text.as_bytes())
        .expect("64 KiB are few enough");
    file.extend(payload);
    Ok(file)
}

/// Opens a key file.
///
/// # Errors
/// `wrong-passphrase`, `bad-key-file`, or `key-file-work` if opening it would take more memory
/// than a browser gives.
pub fn open(passphrase: &str, file: &[u8]) -> Result<Zeroizing<String>, Refused> {
    if file.len() > BYTES_MAX {
        return Err(damaged("it has more than 64 KiB"));
    }
    let mut rest = file;
    let mut line = |what: &str| -> Result<&str, Refused> {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged(what))?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| damaged(what))?;
        rest = &rest[end + 1..];
        Ok(line)
    };
    if line("its first line")? != VERSION_LINE {
        return Err(damaged("it doesn't begin with age-encryption.org/v1"));
    }
    let stanza = line("its recipient")?;
    let mut words =
        stanza.strip_prefix("-> scrypt ").ok_or_else(|| damaged("it has no passphrase"))?.split(' ');
    let (Some(salt), Some(log_n), None) = (words.next(), words.next(), words.next()) else {
        return Err(damaged("its recipient"));
    };
    let salt = BASE64.decode(salt).ok().filter(|salt| salt.len() == 16).ok_or_else(|| damaged("its salt"))?;
    let log_n: u8 = log_n.parse().map_err(|_| damaged("its work factor"))?;
    let wrapped = line("its wrapped key")?;
    if wrapped.len() >= COLUMNS {
        return Err(damaged("its wrapped key"));
    }
    let wrapped = BASE64
        .decode(wrapped)
        .ok()
        .filter(|key| key.len() == 32)
        .ok_or_else(|| damaged("its wrapped key"))?;
    let last = line("the end of its head")?;
    let claimed = last.strip_prefix("--- ").ok_or_else(|| damaged("more than one recipient"))?;
    let claimed = BASE64.decode(claimed).map_err(|_| damaged("its checksum"))?;
    let head_bytes = file.len() - rest.len() - (last.len() - "---".len()) - 1;
    if log_n > LOG_N_MAX {
        return Err(Refused::new(
            "key-file-work",
            format!(
                "This key file was made for a work factor of 2^{log_n}, which takes more memory than a browser \
                 gives (at most 2^{LOG_N_MAX} here). The command line opens it."
            ),
        ));
    }
    let wrapping = wrapping_key(passphrase, &salt, log_n)?;
    let file_key = ChaCha20Poly1305::new((&*wrapping).into())
        .decrypt(&[0; 12].into(), &*wrapped)
        .map(Zeroizing::new)
        .map_err(|_| Refused::new("wrong-passphrase", "The passphrase of this key file is another one."))?;
    mac(&file_key, &file[..head_bytes]).verify_slice(&claimed).map_err(|_| damaged("its checksum"))?;
    let (nonce, payload) = rest.split_at_checked(16).ok_or_else(|| damaged("it is cut off"))?;
    let payload_key = derived(nonce, b"payload", &file_key);
    let text = ChaCha20Poly1305::new((&*payload_key).into())
        .decrypt(&LAST_CHUNK.into(), payload)
        .map(Zeroizing::new)
        .map_err(|_| damaged("its content"))?;
    let text = std::str::from_utf8(&text).map_err(|_| damaged("its content is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::SecretString;

    const TEXT: &str = "version 1\nname bella\nkey 00\n";

    fn ours() -> Vec<u8> {
        seal("correct horse", TEXT, 10, &std::array::from_fn(|at| at as u8)).unwrap()
    }

    #[test]
    fn the_command_line_opens_what_is_made_here() {
        let mut identity = age::scrypt::Identity::new(SecretString::from("correct horse".to_owned()));
        identity.set_max_work_factor(10);
        assert_eq!(age::decrypt(&identity, &ours()).unwrap(), TEXT.as_bytes());
    }

    #[test]
    fn what_the_command_line_makes_is_opened_here() {
        let mut recipient = age::scrypt::Recipient::new(SecretString::from("correct horse".to_owned()));
        recipient.set_work_factor(10);
        let file = age::encrypt(&recipient, TEXT.as_bytes()).unwrap();
        assert_eq!(*open("correct horse", &file).unwrap(), TEXT);
    }

    #[test]
    fn a_wrong_passphrase_and_any_changed_byte_are_refused() {
        let file = ours();
        assert_eq!(open("Correct horse", &file).unwrap_err().code, "wrong-passphrase");
        for at in 0..file.len() {
            // The work factor may come out as a higher one, which would only take long.
            if (46..52).contains(&at) {
                continue;
            }
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(open("correct horse", &changed).is_err(), "byte {at}");
        }
        for cut in 0..file.len() {
            assert!(open("correct horse", &file[..cut]).is_err(), "cut at {cut}");
        }
        let heavy = String::from_utf8_lossy(&file[..80]).replacen(" 10\n", " 24\n", 1);
        let heavy = [heavy.as_bytes(), &file[80..]].concat();
        assert_eq!(open("correct horse", &heavy).unwrap_err().code, "key-file-work");
    }
}
