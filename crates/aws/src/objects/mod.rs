//! The object store: a folder, or a bucket on S3.
//!
//! Both go through one [`object_store::ObjectStore`]. Keys are relative paths of the characters
//! `A–Z a–z 0–9 . _ -`, so that they mean the same everywhere, and none leads out of the store.
//!
//! Deliberately absent: overwriting with a condition, and metadata: objects are named by their
//! content.

mod folder;
mod s3;
mod tickets;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use pitpet_pipeline::ports::ObjectError;

pub use folder::FolderObjects;
pub use s3::S3Objects;
pub use tickets::{UPLOAD_PATH, UploadError, UploadSecret};

/// Longest key, bytes: half of S3's 1,024, which is more than any that PitPet makes.
const KEY_BYTES_MAX: usize = 512;
/// Keys that one listing gives, by the port.
const LIST_KEYS_MAX: usize = 1_000;
/// How long an upload ticket is good, ms: ten minutes.
const TICKET_MS: u64 = 600_000;

/// Checks a key and makes a path of it.
fn path(key: &str) -> Result<Path, ObjectError> {
    let refused = |why: &str| Err(ObjectError::Refused { message: format!("key {key:?} {why}") });
    if key.len() > KEY_BYTES_MAX {
        return refused("is too long");
    }
    if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)) {
        return refused("has characters other than A-Z a-z 0-9 . _ - /");
    }
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refused("has a part that is empty, . or ..");
    }
    Path::parse(key).map_err(|error| ObjectError::Refused { message: error.to_string() })
}

/// Checks a prefix, which ends in `/`, and makes a path of it.
fn folder_path(prefix: &str) -> Result<Path, ObjectError> {
    match prefix.strip_suffix('/') {
        Some(folder) => path(folder),
        None => Err(ObjectError::Refused { message: format!("prefix {prefix:?} doesn't end in /") }),
    }
}

/// Reads a store's error.
fn failure(error: object_store::Error) -> ObjectError {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => ObjectError::NotFound,
        Error::InvalidPath { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::UnknownConfigurationKey { .. } => ObjectError::Refused { message: error.to_string() },
        other => match io_kind(&other) {
            Some(
                std::io::ErrorKind::StorageFull
                | std::io::ErrorKind::QuotaExceeded
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::ReadOnlyFilesystem
                | std::io::ErrorKind::IsADirectory,
            ) => ObjectError::Refused { message: other.to_string() },
            // In a folder, nothing can be below an object.
            Some(std::io::ErrorKind::NotADirectory) => ObjectError::NotFound,
            _ => ObjectError::Unavailable { message: other.to_string() },
        },
    }
}

/// Finds the I/O error under a store's error.
fn io_kind(error: &object_store::Error) -> Option<std::io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = error.source();
    }
    None
}

/// The part of the port that is the same for every store.
#[derive(Debug)]
struct Objects<S> {
    store: S,
}

impl<S: object_store::ObjectStore> Objects<S> {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        match self.store.put(&path(key)?, PutPayload::from(content)).await.map_err(failure) {
            Ok(_) => Ok(()),
            Err(ObjectError::NotFound) => Err(ObjectError::Refused {
                message: format!("{key:?} is below another object, or there is no store"),
            }),
            Err(other) => Err(other),
        }
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        let found = self.store.get(&path(key)?).await.map_err(failure)?;
        Ok(found.bytes().await.map_err(failure)?.into())
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        match self.store.head(&path(key)?).await.map_err(failure) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(ObjectError::NotFound) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        match self.store.delete(&path(key)?).await.map_err(failure) {
            Ok(()) | Err(ObjectError::NotFound) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Lists the lowest keys. Folders answer in any order, so all have to be looked at; only as
    /// many as are wanted are kept.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let mut found = self.store.list(Some(&folder_path(prefix)?));
        let mut lowest = std::collections::BTreeSet::new();
        while let Some(meta) = found.try_next().await.map_err(failure)? {
            lowest.insert(String::from(meta.location));
            if lowest.len() > LIST_KEYS_MAX {
                lowest.pop_last();
            }
        }
        Ok(lowest.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_the_store() {
        for bad in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a b", "a%2e", "ä", "a\\b", "a\0"] {
            assert!(matches!(path(bad), Err(ObjectError::Refused { .. })), "{bad:?}");
        }
        assert!(path(&"a".repeat(KEY_BYTES_MAX + 1)).is_err());
        for good in ["a", "media/0f", "snapshot/k_1/manifest-0.cbor", "..a", "...", "-", "_"] {
            assert_eq!(path(good).unwrap().as_ref(), good);
        }
    }
}
