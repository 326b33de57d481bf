//! What a function is told by its environment, and the adapters made of it. Every missing
//! variable is named.

use std::path::PathBuf;
use std::sync::Arc;

use pitpet_pipeline::ports::{Clock, DeadLetters, Objects, Queue, Table};

use crate::clock::SystemClock;
use crate::objects::UploadSecret;
use crate::settings::SettingsError;
use crate::{DynamoTable, FolderObjects, Settings, SqsQueue};

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

/// The queue that `PITPET_QUEUE_URL` names.
///
/// # Errors
/// [`EnvironmentError`].
pub fn queue() -> Result<Arc<dyn Queue>, EnvironmentError> {
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
/// [`EnvironmentError`]; `s3://` needs a build with the feature `s3`.
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
    #[cfg(feature = "s3")]
    {
        let settings = Settings::from_environment("AWS_ENDPOINT_URL_S3")?;
        Ok(Arc::new(crate::S3Objects::new(&settings, bucket).map_err(|error| bad(OBJECTS, error))?))
    }
    #[cfg(not(feature = "s3"))]
    Err(bad(OBJECTS, format!("this build is without the feature `s3`, which the bucket {bucket} needs")))
}

/// An Ed25519 key from the file that a variable names: 64 hexadecimal digits.
///
/// # Errors
/// [`EnvironmentError`].
pub fn signing_key(variable: &'static str) -> Result<ed25519_dalek::SigningKey, EnvironmentError> {
    let path = needed(variable)?;
    let text = std::fs::read_to_string(&path).map_err(|error| bad(variable, format!("{path}: {error}")))?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .map_err(|_| bad(variable, format!("{path}: it must hold 64 hexadecimal digits")))?;
    Ok(ed25519_dalek::SigningKey::from_bytes(&seed))
}

/// The system's clock.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
