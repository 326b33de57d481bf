//! What a function is told by its environment, and the adapters made of it. Every missing
//! variable is named.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use pitpet_pipeline::ports::{Clock, DeadLetters, Objects, Table};
use pitpet_pipeline::rate_limit::RateLimits;
use pitpet_pipeline::search::WORDS_MAX;

use crate::clock::SystemClock;
use crate::gateway::EdgeSecret;
use crate::objects::UploadSecret;
use crate::settings::SettingsError;
use crate::{DynamoTable, FolderObjects, S3Objects, Settings, SqsQueue};

/// Why a function can't start.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The settings of an AWS service.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A variable can't be used.
    #[error("the environment variable {variable} can't be used: {reason}")]
    Bad {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a variable that must be set.
///
/// # Errors
/// [`SettingsError::Missing`] names it.
pub fn needed(variable: &'static str) -> Result<String, EnvironmentError> {
    std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or(EnvironmentError::Settings(SettingsError::Missing(variable)))
}

/// The folder that a variable names; a relative one lies within the function's package.
///
/// # Errors
/// [`SettingsError::Missing`] names the variable.
pub fn packaged_folder(variable: &'static str) -> Result<PathBuf, EnvironmentError> {
    // Lambda sets it to where it unpacked the function.
    let root = std::env::var_os("LAMBDA_TASK_ROOT").unwrap_or_default();
    Ok(PathBuf::from(root).join(needed(variable)?))
}

fn bad(variable: &'static str, reason: impl ToString) -> EnvironmentError {
    EnvironmentError::Bad { variable, reason: reason.to_string() }
}

/// The table that `PITPET_TABLE` names.
///
/// # Errors
/// [`EnvironmentError`].
pub fn table() -> Result<Arc<dyn Table>, EnvironmentError> {
    table_named(&needed("PITPET_TABLE")?)
}

/// A table by its name.
///
/// # Errors
/// [`EnvironmentError`].
pub fn table_named(name: &str) -> Result<Arc<dyn Table>, EnvironmentError> {
    let mut settings = Settings::from_environment("AWS_ENDPOINT_URL_DYNAMODB")?;
    if std::env::var("PITPET_PUBLISH").is_ok_and(|mode| mode == "transactions") {
        settings.publish = crate::settings::PublishMode::Embedded;
    }
    Ok(Arc::new(DynamoTable::new(&settings, name)?))
}

/// The queue that `PITPET_QUEUE_URL` names; the adapter itself, because the miner asks it for more
/// than its port has ([`SqsQueue::come_back`]).
///
/// # Errors
/// [`EnvironmentError`].
pub fn queue() -> Result<Arc<SqsQueue>, EnvironmentError> {
    let settings = Settings::from_environment("AWS_ENDPOINT_URL_SQS")?;
    Ok(Arc::new(SqsQueue::new(&settings, needed("PITPET_QUEUE_URL")?)?))
}

/// The dead-letter queue that `PITPET_DEAD_LETTER_QUEUE_URL` names.
///
/// # Errors
/// [`EnvironmentError`].
pub fn dead_letters() -> Result<Arc<dyn DeadLetters>, EnvironmentError> {
    let settings = Settings::from_environment("AWS_ENDPOINT_URL_SQS")?;
    Ok(Arc::new(SqsQueue::new(&settings, needed("PITPET_DEAD_LETTER_QUEUE_URL")?)?))
}

/// Names the object store.
const OBJECTS: &str = "PITPET_OBJECTS";

/// The object store that `PITPET_OBJECTS` names: `s3://bucket`, or `file:///folder`.
///
/// # Errors
/// [`EnvironmentError`].
pub fn objects() -> Result<Arc<dyn Objects>, EnvironmentError> {
    objects_at(&needed(OBJECTS)?)
}

/// The object store at an address; see [`objects`].
///
/// # Errors
/// As [`objects`].
pub fn objects_at(address: &str) -> Result<Arc<dyn Objects>, EnvironmentError> {
    if let Some(folder) = address.strip_prefix("file://") {
        let secret = UploadSecret::random().map_err(|error| bad(OBJECTS, error))?;
        let store = FolderObjects::open(&PathBuf::from(folder), secret);
        return Ok(Arc::new(store.map_err(|error| bad(OBJECTS, error))?));
    }
    let Some(bucket) = address.strip_prefix("s3://") else {
        return Err(bad(OBJECTS, "it must begin with s3:// or file://"));
    };
    let settings = Settings::from_environment("AWS_ENDPOINT_URL_S3")?;
    Ok(Arc::new(S3Objects::new(&settings, bucket).map_err(|error| bad(OBJECTS, error))?))
}

/// Where upload tickets lead, as `https://bucket.s3.region.amazonaws.com`; none if that is the
/// service itself.
///
/// # Errors
/// As [`objects`].
pub fn uploads() -> Result<Option<String>, EnvironmentError> {
    let address = needed(OBJECTS)?;
    let Some(bucket) = address.strip_prefix("s3://") else { return Ok(None) };
    let settings = Settings::from_environment("AWS_ENDPOINT_URL_S3")?;
    let store = S3Objects::new(&settings, bucket).map_err(|error| bad(OBJECTS, error))?;
    Ok(Some(store.uploads()))
}

/// The two variables of which one says where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyVariables {
    /// Names a file.
    pub file: &'static str,
    /// Names a secret in Secrets Manager.
    pub secret: &'static str,
}

/// The key that signs checkpoints.
pub const CHECKPOINT_KEY: KeyVariables =
    KeyVariables { file: "PITPET_CHECKPOINT_KEY_FILE", secret: "PITPET_CHECKPOINT_KEY_SECRET" };

/// The key that mines time and ends stories.
pub const HOUSE_KEY: KeyVariables =
    KeyVariables { file: "PITPET_HOUSE_KEY_FILE", secret: "PITPET_HOUSE_KEY_SECRET" };

/// What sign-ins by password are answered with.
pub const SIGN_IN_SECRET: KeyVariables =
    KeyVariables { file: "PITPET_SIGN_IN_SECRET_FILE", secret: "PITPET_SIGN_IN_SECRET" };

/// What CloudFront shows to be believed about a visitor's address.
pub const EDGE_SECRET: KeyVariables =
    KeyVariables { file: "PITPET_EDGE_SECRET_FILE", secret: "PITPET_EDGE_SECRET" };

/// The secret of the distribution in front of the function; none if neither variable is set, and
/// then no header is believed.
///
/// # Errors
/// As [`signing_key`].
pub async fn edge_secret() -> Result<Option<EdgeSecret>, EnvironmentError> {
    if needed(EDGE_SECRET.secret).is_err() && needed(EDGE_SECRET.file).is_err() {
        return Ok(None);
    }
    Ok(Some(EdgeSecret(secret_bytes(EDGE_SECRET).await?)))
}

/// A secret of 32 bytes; see [`signing_key`].
///
/// # Errors
/// As [`signing_key`].
pub async fn secret_bytes(key: KeyVariables) -> Result<[u8; 32], EnvironmentError> {
    Ok(signing_key(key).await?.to_bytes())
}

/// An Ed25519 key: 64 hexadecimal digits in a secret or in a file, whichever is named.
///
/// # Errors
/// [`EnvironmentError`]; if neither is named, it names the variable of the file.
pub async fn signing_key(key: KeyVariables) -> Result<SigningKey, EnvironmentError> {
    if let Ok(name) = needed(key.secret) {
        return secret_key(&name).await.map_err(|reason| bad(key.secret, reason));
    }
    let path = needed(key.file)?;
    let text = std::fs::read_to_string(&path).map_err(|error| bad(key.file, format!("{path}: {error}")))?;
    read_key(&text).map_err(|reason| bad(key.file, format!("{path}: {reason}")))
}

/// An Ed25519 key from the secret with this name or ARN.
///
/// # Errors
/// In words for the operator.
pub async fn secret_key(name: &str) -> Result<SigningKey, String> {
    let settings =
        Settings::from_environment("AWS_ENDPOINT_URL_SECRETS_MANAGER").map_err(|error| error.to_string())?;
    let text = crate::secrets::text(&settings, name).await?;
    read_key(&text).map_err(|reason| format!("{name}: {reason}"))
}

/// Reads a key from text. Nothing of the text is repeated in the reason.
fn read_key(text: &str) -> Result<SigningKey, String> {
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .map_err(|_| "it must hold 64 hexadecimal digits".to_owned())?;
    Ok(SigningKey::from_bytes(&seed))
}

/// The rate limits: `PITPET_ADDRESS_LIMIT` and `PITPET_ACCOUNT_LIMIT` are events a minute, 0 for no
/// limit; by default [`RateLimits::DEFAULT`].
///
/// # Errors
/// [`EnvironmentError`].
pub fn rate_limits() -> Result<RateLimits, EnvironmentError> {
    rate_limits_of(|variable| std::env::var(variable).ok())
}

fn rate_limits_of(variable: impl Fn(&str) -> Option<String>) -> Result<RateLimits, EnvironmentError> {
    let read = |name: &'static str, default| match variable(name).filter(|value| !value.is_empty()) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map(NonZeroU32::new)
            .map_err(|_| bad(name, format!("{text:?} is no number of events a minute, 0 to {}", u32::MAX))),
    };
    Ok(RateLimits {
        address: read("PITPET_ADDRESS_LIMIT", RateLimits::DEFAULT.address)?,
        account: read("PITPET_ACCOUNT_LIMIT", RateLimits::DEFAULT.account)?,
        ..RateLimits::DEFAULT
    })
}

/// Words of a text that it can be found by: `PITPET_SEARCH_WORDS`, 0 to 12, by default 12. Each
/// makes the buckets longer that words are written in.
///
/// # Errors
/// [`EnvironmentError`].
pub fn search_words() -> Result<usize, EnvironmentError> {
    const NAME: &str = "PITPET_SEARCH_WORDS";
    match std::env::var(NAME).ok().filter(|value| !value.is_empty()) {
        None => Ok(WORDS_MAX),
        Some(text) => text
            .parse()
            .ok()
            .filter(|words| *words <= WORDS_MAX)
            .ok_or_else(|| bad(NAME, format!("{text:?} is no number of words, 0 to {WORDS_MAX}"))),
    }
}

/// The public address of the pages, as `https://example.org`, for what has to be an absolute URL:
/// `PITPET_SITE_URL`; by default what a request's `host` header says.
pub fn site_url() -> Option<String> {
    std::env::var("PITPET_SITE_URL").ok().filter(|value| !value.is_empty())
}

/// The system's clock.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_are_numbers_and_0_is_none() {
        let of = |address: &'static str| {
            rate_limits_of(|name| (name == "PITPET_ADDRESS_LIMIT").then(|| address.to_owned()))
        };
        assert_eq!(of("").unwrap(), RateLimits::DEFAULT);
        assert_eq!(of("0").unwrap(), RateLimits { address: None, ..RateLimits::DEFAULT });
        assert_eq!(of("7").unwrap(), RateLimits { address: NonZeroU32::new(7), ..RateLimits::DEFAULT });
        for wrong in ["-1", "many", "4294967296"] {
            let error = of(wrong).unwrap_err().to_string();
            assert!(error.contains("PITPET_ADDRESS_LIMIT") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_never_repeated() {
        let key = read_key(&format!("{}\n", "0a".repeat(32))).expect("a key");
        assert_eq!(key.to_bytes(), [10; 32]);
        for wrong in ["", "0a", &"0a".repeat(33), &"zz".repeat(32)] {
            let reason = read_key(wrong).expect_err("no key");
            assert_eq!(reason, "it must hold 64 hexadecimal digits");
        }
    }
}
