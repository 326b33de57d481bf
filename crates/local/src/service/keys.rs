//! The keys of this installation: made at first start, kept in files that only their owner reads.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;

/// The installation's keys.
#[derive(Clone)]
pub struct Keys {
    /// Mines time and ends stories.
    pub house: SigningKey,
    /// May upgrade rules.
    pub operator: SigningKey,
    /// May hide bodies.
    pub moderator: SigningKey,
    /// Signs checkpoints.
    pub checkpoint: SigningKey,
    /// Makes upload tickets.
    pub upload_secret: [u8; 32],
    /// What passwords are worth anything with; see `pitpet_keys::server`.
    pub sign_in_secret: [u8; 32],
    /// Lets the operator's commands in.
    pub admin_token: [u8; 32],
}

/// The file of the operator's token in the data folder.
pub const ADMIN_TOKEN_FILE: &str = "keys/admin.token";

/// The file of the moderator's key in the data folder.
pub const MODERATOR_KEY_FILE: &str = "keys/moderator.key";

/// The file of the operator's key in the data folder.
pub const OPERATOR_KEY_FILE: &str = "keys/operator.key";

/// Reads a key that is there.
///
/// # Errors
/// If the file can't be read, or holds no key.
pub fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .with_context(|| format!("{} must hold 64 hexadecimal digits", path.display()))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Makes a folder with mode 0700 if it isn't there.
pub(super) fn make_private_folder(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("can't create the folder {}", folder.display()))
}

/// Reads a secret of 32 bytes in hexadecimal, or makes one.
fn secret(folder: &Path, name: &str) -> anyhow::Result<[u8; 32]> {
    let path = folder.join(name);
    let mut secret = [0; 32];
    match fs::read_to_string(&path) {
        Ok(text) => {
            hex::decode_to_slice(text.trim(), &mut secret)
                .with_context(|| format!("{} must hold 64 hexadecimal digits", path.display()))?;
            return Ok(secret);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("can't read {}", path.display())),
    }
    getrandom::fill(&mut secret).context("the system gives no random bytes")?;
    // Written beside and renamed, so that a crash leaves a whole key or none.
    let beside = folder.join(format!("{name}.new"));
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)
        .with_context(|| format!("can't write {}", beside.display()))?;
    writeln!(file, "{}", hex::encode(secret))?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(secret)
}

impl Keys {
    /// Reads the keys in a folder, making those that are missing.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        make_private_folder(folder)?;
        let key = |name| secret(folder, name).map(|seed| SigningKey::from_bytes(&seed));
        Ok(Self {
            house: key("house.key")?,
            operator: key("operator.key")?,
            moderator: key("moderator.key")?,
            checkpoint: key("checkpoint.key")?,
            upload_secret: secret(folder, "upload.secret")?,
            sign_in_secret: secret(folder, "sign-in.secret")?,
            admin_token: secret(folder, "admin.token")?,
        })
    }
}
