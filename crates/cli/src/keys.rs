//! Key files: one account's Ed25519 seeds in the age format, under a passphrase.
//!
//! A directory (mode 0700) holds, for an account called `bella`:
//!
//! | file | what it holds |
//! |---|---|
//! | `bella.age` | the seeds, encrypted (age, scrypt recipient); mode 0600 |
//! | `bella.2.age` … | later generations, one for each `rekey`; the highest is used |
//! | `bella.pub` | account id and first public key, so that they can be shown without a passphrase; written when a key file that lacks it, as one saved by a browser, is first opened |
//!
//! No file is ever overwritten. Inside, `age -d bella.age` shows lines of text: see
//! [`pitpet_keys::keyring`].
//!
//! Deliberately absent: keys derived from passphrases, which anyone could try out offline.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use ed25519_dalek::SigningKey;
use pitpet_chain::hash::{AccountId, PublicKey};
pub use pitpet_keys::keyring::{Keyring as Account, public};
use zeroize::Zeroizing;

use crate::failure::{Failure, file_fault};

/// Highest scrypt work factor (log2 N) that is accepted when a file is opened: about a minute.
const LOG_N_MAX: u8 = 24;

/// A new key, made at random.
pub fn random_key() -> SigningKey {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).expect("the system gives random bytes");
    SigningKey::from_bytes(&seed)
}

/// A new account with a random key.
pub fn random_account(name: &str) -> Account {
    Account::new(name, random_key())
}

/// What can be said of an account without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAccount {
    /// Its id.
    pub id: AccountId,
    /// Its first public key.
    pub key: PublicKey,
}

/// A key file as it lies in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The account's name, which is that of the file.
    pub name: String,
    /// Whose it is; nothing if the file came from elsewhere and has not been opened here yet.
    pub public: Option<PublicAccount>,
}

/// A directory of key files.
#[derive(Clone, Debug)]
pub struct KeyDir {
    dir: PathBuf,
    log_n: Option<u8>,
}

impl KeyDir {
    /// A directory, which is made when the first account is. `log_n` is the scrypt work factor of
    /// new files; without one it is measured, for about a second of this machine.
    pub fn new(dir: PathBuf, log_n: Option<u8>) -> Self {
        Self { dir, log_n }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Checks that a new account may have this name, before a passphrase is asked for.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the name can't be one or is taken here.
    pub fn check_free(&self, name: &str) -> Result<(), Failure> {
        check_name(name)?;
        let path = self.dir.join(format!("{name}.age"));
        if path.exists() || self.dir.join(format!("{name}.pub")).exists() {
            Err(taken(&path))
        } else {
            Ok(())
        }
    }

    /// Writes a new account's files.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the name can't be one, is taken here, or the files can't be written.
    pub fn create(&self, account: &Account, passphrase: &SecretString) -> Result<PathBuf, Failure> {
        self.check_free(&account.name)?;
        make_dir(&self.dir)?;
        let path = self.dir.join(format!("{}.age", account.name));
        write_new(&path, &self.encrypt(account, passphrase)?)?;
        self.write_public(account)?;
        Ok(path)
    }

    fn write_public(&self, account: &Account) -> Result<(), Failure> {
        let text = format!("account {}\nkey {}\n", account.id, public(account.first_key()));
        write_new(&self.dir.join(format!("{}.pub", account.name)), text.as_bytes())
    }

    /// Writes the next generation of an account's key file.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it can't be written.
    pub fn add_generation(&self, account: &Account, passphrase: &SecretString) -> Result<PathBuf, Failure> {
        let next = self.generation(&account.name)? + 1;
        let path = self.dir.join(format!("{}.{next}.age", account.name));
        write_new(&path, &self.encrypt(account, passphrase)?)?;
        Ok(path)
    }

    /// The accounts in it, by name.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the directory or a file can't be read.
    pub fn list(&self) -> Result<Vec<Listed>, Failure> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_fault(&self.dir, &error)),
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let path = entry.map_err(|error| file_fault(&self.dir, &error))?.path();
            // A later generation, `bella.2.age`, is no name.
            let is_key_file =
                path.extension().is_some_and(|extension| extension == "age" || extension == "pub");
            let name = path.file_stem().and_then(|stem| stem.to_str());
            names.extend(name.filter(|name| is_key_file && check_name(name).is_ok()).map(str::to_owned));
        }
        names.into_iter().map(|name| self.show(&name)).collect()
    }

    /// What is known of an account without its passphrase.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is no such account here.
    pub fn show(&self, name: &str) -> Result<Listed, Failure> {
        check_name(name)?;
        let path = self.dir.join(format!("{name}.pub"));
        let public = path.exists().then(|| read_public(&path)).transpose()?;
        if public.is_none() && self.generation(name)? == 0 {
            return Err(self.unknown(name));
        }
        Ok(Listed { name: name.to_owned(), public })
    }

    /// Opens an account's newest key file. Of one that came from elsewhere, as from a browser, what can be
    /// said without a passphrase is then written beside it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is none, the passphrase is wrong, or the file is damaged.
    pub fn open(&self, name: &str, passphrase: &SecretString) -> Result<Account, Failure> {
        check_name(name)?;
        let path = match self.generation(name)? {
            0 => return Err(self.unknown(name)),
            1 => self.dir.join(format!("{name}.age")),
            n => self.dir.join(format!("{name}.{n}.age")),
        };
        let content = std::fs::read(&path).map_err(|error| file_fault(&path, &error))?;
        let mut identity = age::scrypt::Identity::new(passphrase.clone());
        identity.set_max_work_factor(LOG_N_MAX);
        let plain = age::decrypt(&identity, &content).map(Zeroizing::new).map_err(|error| {
            let why = match error {
                age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
                    "wrong passphrase, or the file is damaged".to_owned()
                }
                other => other.to_string(),
            };
            Failure::usage(format!("key file {}: {why}", path.display()))
        })?;
        let text = std::str::from_utf8(&plain)
            .map_err(|_| Failure::usage(format!("key file {}: not text", path.display())))?;
        let mut account = Account::from_text(text)
            .map_err(|why| Failure::usage(format!("key file {}: {why}", path.display())))?;
        // Who was given the file may have named it otherwise.
        name.clone_into(&mut account.name);
        if self.show(name)?.public.is_none() {
            // For later: what is asked for now does not need it, in a directory that can't be written to neither.
            let _ = self.write_public(&account);
        }
        Ok(account)
    }

    /// The newest generation of a key file, 0 if there is none.
    fn generation(&self, name: &str) -> Result<u32, Failure> {
        let mut newest = u32::from(self.dir.join(format!("{name}.age")).exists());
        while newest > 0 && self.dir.join(format!("{name}.{}.age", newest + 1)).exists() {
            newest += 1;
        }
        Ok(newest)
    }

    fn unknown(&self, name: &str) -> Failure {
        Failure::usage(format!(
            "no account `{name}` in {}; `pitpet account new {name}` makes one",
            self.dir.display()
        ))
    }

    fn encrypt(&self, account: &Account, passphrase: &SecretString) -> Result<Vec<u8>, Failure> {
        let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
        if let Some(log_n) = self.log_n {
            recipient.set_work_factor(log_n);
        }
        age::encrypt(&recipient, account.to_text().as_bytes())
            .map_err(|error| Failure::usage(format!("the key file can't be encrypted: {error}")))
    }
}

/// Makes a directory that only its owner may enter.
///
/// # Errors
/// [`Failure::Usage`] if it can't be made.
pub fn make_dir(dir: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| file_fault(dir, &error))
}

/// The rule for names is that of names on a server, so that each can be registered.
fn check_name(name: &str) -> Result<(), Failure> {
    let sound = (3..=30).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if sound {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "account name `{name}`: 3 to 30 of a-z, 0-9, - and _, the first a letter (field: name)"
    )))
}

fn read_public(path: &Path) -> Result<PublicAccount, Failure> {
    let damaged = || Failure::usage(format!("{} is damaged", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| file_fault(path, &error))?;
    let value = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    let key: PublicKey = value("key").and_then(|value| value.parse().ok()).ok_or_else(damaged)?;
    let id: AccountId = value("account").and_then(|value| value.parse().ok()).ok_or_else(damaged)?;
    if AccountId::of(&key) != id {
        return Err(damaged());
    }
    Ok(PublicAccount { id, key })
}

fn taken(path: &Path) -> Failure {
    Failure::usage(format!("{} exists already, and key files are never overwritten", path.display()))
}

/// A file beside the target, readable by its owner only, complete and on disk.
fn staged(path: &Path, content: &[u8]) -> Result<tempfile::NamedTempFile, Failure> {
    let dir = path.parent().expect("files are in a directory");
    let fault = |error: std::io::Error| file_fault(path, &error);
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(fault)?;
    file.write_all(content).map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    Ok(file)
}

/// Writes a file as a whole; fails if one is there.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    match staged(path, content)?.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(taken(path)),
        Err(error) => Err(file_fault(path, &error.error)),
    }
}

/// Writes a file as a whole in place of one that may be there.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), Failure> {
    make_dir(path.parent().expect("files are in a directory"))?;
    staged(path, content)?.persist(path).map_err(|error| file_fault(path, &error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (tempfile::TempDir, KeyDir) {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyDir::new(dir.path().join("keys"), Some(2));
        (dir, keys)
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn an_account_opens_with_its_passphrase_only() {
        let (_dir, keys) = keys();
        let account = random_account("bella").with_recovery(random_key());
        keys.create(&account, &secret("a long walk")).unwrap();
        let opened = keys.open("bella", &secret("a long walk")).unwrap();
        assert_eq!(opened.id, account.id);
        assert_eq!(opened.first_key(), account.first_key());
        assert_eq!(opened.recovery(), account.recovery());
        let wrong = keys.open("bella", &secret("a short walk")).unwrap_err();
        assert!(wrong.to_string().contains("wrong passphrase"), "{wrong}");
        assert_eq!(wrong.exit_code(), 2);
        assert_eq!(keys.list().unwrap(), [keys.show("bella").unwrap()]);
    }

    #[test]
    fn the_seed_is_not_in_the_files() {
        let (_dir, keys) = keys();
        let account = random_account("bella");
        keys.create(&account, &secret("x")).unwrap();
        let seed = account.first_key().to_bytes();
        for entry in std::fs::read_dir(keys.path()).unwrap() {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!content.windows(32).any(|window| window == seed));
            assert!(!String::from_utf8_lossy(&content).contains(&hex::encode(seed)));
        }
    }

    #[test]
    fn no_file_is_overwritten() {
        let (_dir, keys) = keys();
        let first = random_account("bella");
        keys.create(&first, &secret("x")).unwrap();
        let again = keys.create(&random_account("bella"), &secret("y")).unwrap_err();
        assert!(again.to_string().contains("never overwritten"));
        assert_eq!(keys.open("bella", &secret("x")).unwrap().id, first.id);
    }

    #[test]
    fn generations_add_keys_and_keep_the_account() {
        let (_dir, keys) = keys();
        let account = random_account("bella");
        keys.create(&account, &secret("x")).unwrap();
        let newer = account.clone().with_key(random_key());
        keys.add_generation(&newer, &secret("x")).unwrap();
        let opened = keys.open("bella", &secret("x")).unwrap();
        assert_eq!(opened.id, account.id);
        assert_eq!(opened.newest_key(), newer.newest_key());
        assert_eq!(opened.key_for(&public(account.first_key())), Some(account.first_key()));
        assert_eq!(keys.list().unwrap().len(), 1);
    }

    #[test]
    fn a_key_file_that_came_alone_is_known_once_it_was_opened() {
        let (_dir, keys) = keys();
        let account = random_account("bella");
        let path = keys.create(&account, &secret("x")).unwrap();
        let public_path = path.with_extension("pub");
        let written = std::fs::read(&public_path).unwrap();
        std::fs::remove_file(&public_path).unwrap();
        assert_eq!(keys.list().unwrap(), [Listed { name: "bella".to_owned(), public: None }]);
        std::fs::rename(&path, path.with_file_name("mochi.age")).unwrap();
        let newer = keys.open("mochi", &secret("x")).unwrap().with_key(random_key());
        assert_eq!(std::fs::read(path.with_file_name("mochi.pub")).unwrap(), written);
        // Its next generation goes beside it, under the file's name.
        keys.add_generation(&newer, &secret("x")).unwrap();
        assert_eq!(keys.open("mochi", &secret("x")).unwrap().newest_key(), newer.newest_key());
        let public = PublicAccount { id: account.id, key: public(account.first_key()) };
        assert_eq!(keys.list().unwrap(), [Listed { name: "mochi".to_owned(), public: Some(public) }]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, keys) = keys();
        let path = keys.create(&random_account("bella"), &secret("x")).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(keys.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn names_are_those_that_can_be_registered() {
        let (_dir, keys) = keys();
        for name in ["ab", "Bella", "1bella", "../bella", "bella.2", &"b".repeat(31)] {
            let error = keys.create(&random_account(name), &secret("x")).unwrap_err();
            assert!(error.to_string().contains("field: name"), "{name}");
            assert!(keys.show(name).is_err());
        }
        assert!(keys.show("nobody").unwrap_err().to_string().contains("pitpet account new nobody"));
    }
}
