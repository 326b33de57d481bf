//! The name of a set of rules: the SHA-256 of the module that decides by them.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// The SHA-256 of a chain module's bytes, as block headers carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulesHash(pub [u8; 32]);

impl RulesHash {
    /// Hashes a module.
    pub fn of(wasm: &[u8]) -> Self {
        Self(Sha256::digest(wasm).into())
    }
}

impl fmt::Display for RulesHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RulesHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RulesHash({self})")
    }
}

/// A text that isn't 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rules hash is 64 lower-case hexadecimal digits")]
pub struct RulesHashError;

impl FromStr for RulesHash {
    type Err = RulesHashError;

    fn from_str(text: &str) -> Result<Self, RulesHashError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| RulesHashError)?;
        let hash = Self(hash);
        // One spelling only, because file names are made from it.
        if hash.to_string() == text { Ok(hash) } else { Err(RulesHashError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_as_written() {
        let hash = RulesHash::of(b"");
        assert_eq!(hash.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("E3".repeat(32).parse::<RulesHash>(), Err(RulesHashError));
        assert_eq!("e3".repeat(31).parse::<RulesHash>(), Err(RulesHashError));
    }
}
