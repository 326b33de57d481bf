//! Upload tickets for a store without presigned URLs.
//!
//! A ticket is a path that holds what may be uploaded, under an HMAC-SHA-256: who has it can put
//! exactly those bytes, until it ends, without anything being kept here. Putting the same bytes
//! twice does no harm, so a ticket isn't marked as used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use pitpet_pipeline::ports::ObjectError;
use sha2::{Digest, Sha256};

/// The path under which a server that gives tickets takes the uploads; the token follows it.
pub const UPLOAD_PATH: &str = "/media/uploads/";

/// Tells this use of the secret from any other.
const TAG: &[u8] = b"pitpet upload ticket v1\n";

/// Why an upload is refused.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The token was not made here, or has been changed.
    #[error("the upload ticket is not genuine")]
    Forged,
    /// The ticket's time is over: ask for another.
    #[error("the upload ticket ended at {expires_ms} ms")]
    Expired {
        /// When, ms since the Unix epoch.
        expires_ms: u64,
    },
    /// The content type is not the one that the ticket is for.
    #[error("the upload's content type must be {expected}")]
    WrongContentType {
        /// The ticket's.
        expected: String,
    },
    /// The body's size is not the one that the ticket is for.
    #[error("the upload has {actual} bytes, its ticket says {expected}")]
    WrongSize {
        /// The ticket's, bytes.
        expected: u64,
        /// The body's, bytes.
        actual: u64,
    },
    /// The body doesn't hash to the ticket's SHA-256.
    #[error("the upload does not have the SHA-256 that its ticket says")]
    WrongHash,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ObjectError),
}

/// The secret under which tickets are made.
#[derive(Clone)]
pub struct UploadSecret([u8; 32]);

impl std::fmt::Debug for UploadSecret {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UploadSecret")
    }
}

/// What a ticket permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permit {
    pub(super) key: String,
    pub(super) sha256: [u8; 32],
    pub(super) size: u64,
    pub(super) content_type: String,
    pub(super) expires_ms: u64,
}

impl Permit {
    /// Checks an upload against the permit.
    pub(super) fn check(&self, content_type: &str, body: &[u8], now_ms: u64) -> Result<(), UploadError> {
        if now_ms >= self.expires_ms {
            return Err(UploadError::Expired { expires_ms: self.expires_ms });
        }
        if content_type != self.content_type {
            return Err(UploadError::WrongContentType { expected: self.content_type.clone() });
        }
        let actual = body.len() as u64;
        if actual != self.size {
            return Err(UploadError::WrongSize { expected: self.size, actual });
        }
        if Sha256::digest(body)[..] != self.sha256 {
            return Err(UploadError::WrongHash);
        }
        Ok(())
    }
}

impl UploadSecret {
    /// Takes a stored secret, with which tickets outlive the process.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Makes a secret for the life of this process.
    ///
    /// # Errors
    /// If the machine gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self(secret))
    }

    fn mac(&self, permit: &str) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.chain_update(TAG).chain_update(permit)
    }

    /// Makes a token. The permit's texts hold no line feeds: the caller has checked them.
    pub(super) fn token(&self, permit: &Permit) -> String {
        let Permit { key, sha256, size, content_type, expires_ms } = permit;
        let written = format!("{key}\n{}\n{size}\n{content_type}\n{expires_ms}", hex::encode(sha256));
        let mac = self.mac(&written).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&written), URL_SAFE_NO_PAD.encode(mac))
    }

    /// Reads a token that was made under this secret; none if it was not.
    pub(super) fn permit(&self, token: &str) -> Option<Permit> {
        let (written, mac) = token.split_once('.')?;
        let written = String::from_utf8(URL_SAFE_NO_PAD.decode(written).ok()?).ok()?;
        self.mac(&written).verify_slice(&URL_SAFE_NO_PAD.decode(mac).ok()?).ok()?;
        let mut lines = written.split('\n');
        let mut line = || lines.next();
        let mut permit = Permit {
            key: line()?.to_owned(),
            sha256: [0; 32],
            size: 0,
            content_type: String::new(),
            expires_ms: 0,
        };
        hex::decode_to_slice(line()?, &mut permit.sha256).ok()?;
        permit.size = line()?.parse().ok()?;
        permit.content_type = line()?.to_owned();
        permit.expires_ms = line()?.parse().ok()?;
        Some(permit)
    }
}

/// Says whether a content type can stand in a header and in a token: visible ASCII and spaces.
pub(super) fn check_content_type(content_type: &str) -> Result<(), ObjectError> {
    let plain = content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if content_type.is_empty() || content_type.len() > 128 || !plain {
        return Err(ObjectError::Refused { message: format!("{content_type:?} is no content type") });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit() -> Permit {
        Permit {
            key: "media/ab".into(),
            sha256: Sha256::digest(b"photo").into(),
            size: 5,
            content_type: "image/jpeg".into(),
            expires_ms: 1_000,
        }
    }

    #[test]
    fn a_token_gives_back_its_permit() {
        let secret = UploadSecret::new([7; 32]);
        assert_eq!(secret.permit(&secret.token(&permit())), Some(permit()));
    }

    #[test]
    fn any_changed_byte_is_forged() {
        let secret = UploadSecret::new([7; 32]);
        let token = secret.token(&permit());
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(secret.permit(&String::from_utf8(changed).unwrap()), None, "byte {index}");
        }
        assert_eq!(UploadSecret::new([8; 32]).permit(&token), None);
        for junk in ["", ".", "a.b", token.split('.').next().unwrap()] {
            assert_eq!(secret.permit(junk), None);
        }
    }
}
