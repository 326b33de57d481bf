//! The text that holds an account's keys: inside a key file, and inside a vault.
//!
//! Lines: comments with `#`, then `version 1`, `name`, `account`, one `key` for each Ed25519 seed
//! (64 hexadecimal digits, oldest first; the account's id is the hash of the first one's public
//! key), and at most one `recovery`.

use ed25519_dalek::SigningKey;
use pitpet_chain::hash::{AccountId, PublicKey};
use zeroize::Zeroizing;

/// An account with its keys.
#[derive(Clone)]
pub struct Keyring {
    /// The account's name: of its key file, and as a rule on servers.
    pub name: String,
    /// Its id: the hash of its first public key.
    pub id: AccountId,
    /// Its keys, oldest first; never empty.
    keys: Vec<SigningKey>,
    /// May replace the key.
    recovery: Option<SigningKey>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} {})", self.name, self.id)
    }
}

/// The public key of a signing key.
pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn line(word: &str, key: &SigningKey) -> Zeroizing<String> {
    let (seed, mut digits) = (Zeroizing::new(key.to_bytes()), Zeroizing::new([0; 64]));
    hex::encode_to_slice(*seed, &mut *digits).expect("64 digits");
    let digits = std::str::from_utf8(&*digits).expect("digits are text");
    Zeroizing::new(format!("{word} {digits}\n"))
}

fn seed(text: &str) -> Result<SigningKey, String> {
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, &mut *seed).map_err(|_| "a key is not 64 hexadecimal digits")?;
    Ok(SigningKey::from_bytes(&seed))
}

impl Keyring {
    /// An account whose first key this is.
    pub fn new(name: impl Into<String>, key: SigningKey) -> Self {
        Self { name: name.into(), id: AccountId::of(&public(&key)), keys: vec![key], recovery: None }
    }

    /// The same with a recovery key.
    #[must_use]
    pub fn with_recovery(self, key: SigningKey) -> Self {
        Self { recovery: Some(key), ..self }
    }

    /// The same with one more key, the newest.
    #[must_use]
    pub fn with_key(mut self, key: SigningKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Its keys, oldest first.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The first key.
    pub fn first_key(&self) -> &SigningKey {
        &self.keys[0]
    }

    /// The newest key.
    pub fn newest_key(&self) -> &SigningKey {
        self.keys.last().expect("an account has a key")
    }

    /// The recovery key.
    pub fn recovery(&self) -> Option<&SigningKey> {
        self.recovery.as_ref()
    }

    /// The key with this public key, if it is among them.
    pub fn key_for(&self, key: &PublicKey) -> Option<&SigningKey> {
        self.keys.iter().find(|own| public(own) == *key)
    }

    /// Writes the text.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Enough for all keys, so that no copy of a part stays behind when the text grows.
        let mut text = Zeroizing::new(String::with_capacity(512 + 80 * self.keys.len()));
        text.push_str(
            "# The keys of a PitPet account. Whoever has them acts as the account; nobody can replace them.\n\
             # One line `key` for each Ed25519 seed, oldest first; `recovery` may replace the newest.\n",
        );
        text.push_str(&format!("version 1\nname {}\naccount {}\n", self.name, self.id));
        for key in &self.keys {
            text.push_str(&line("key", key));
        }
        if let Some(key) = &self.recovery {
            text.push_str(&line("recovery", key));
        }
        text
    }

    /// Reads the text.
    ///
    /// # Errors
    /// What is wrong with it, never what it holds.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let (mut name, mut id, mut keys, mut recovery, mut version) = (None, None, Vec::new(), None, None);
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, value) = line.split_once(' ').ok_or("a line has no value")?;
            match word {
                "version" => version = Some(value),
                "name" => name = Some(value.to_owned()),
                "account" => id = Some(value.parse::<AccountId>().map_err(|_| "its account is no id")?),
                "key" => keys.push(seed(value)?),
                "recovery" => recovery = Some(seed(value)?),
                _ => return Err("a line of an unknown kind; a newer pitpet may know it".into()),
            }
        }
        if version != Some("1") {
            return Err("not version 1 of the key file's format".into());
        }
        let first = keys.first().ok_or("it holds no key")?;
        let own = AccountId::of(&public(first));
        if id.is_some_and(|id| id != own) {
            return Err("its account is not that of its first key".into());
        }
        Ok(Self { name: name.ok_or("it has no name")?, id: own, keys, recovery })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_comes_back_and_faults_are_named() {
        let key = |byte| SigningKey::from_bytes(&[byte; 32]);
        let ring = Keyring::new("bella", key(1)).with_key(key(2)).with_recovery(key(3));
        let text = ring.to_text();
        let back = Keyring::from_text(&text).unwrap();
        assert_eq!((back.name.as_str(), back.id), ("bella", AccountId::of(&public(&key(1)))));
        assert_eq!(public(back.newest_key()), public(&key(2)));
        assert_eq!(back.recovery().map(public), Some(public(&key(3))));
        assert!(!format!("{ring:?}").contains("0101"));
        for (from, to, why) in [
            ("version 1", "version 2", "version"),
            ("\nname bella\n", "\n", "name"),
            ("key 01", "key 07", "account"),
            ("key 0202", "key zz", "hexadecimal"),
            ("\nrecovery", "\nbackup", "unknown kind"),
        ] {
            let fault = Keyring::from_text(&text.replacen(from, to, 1)).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }
}
