//! The object store in memory, with tickets that are redeemed by calling it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use pitpet_pipeline::ports::{ObjectError, Objects, UploadTicket};
use sha2::{Digest, Sha256};

/// Longest key, keys that a listing gives, and how long a ticket is good: as the folder's.
const KEY_BYTES_MAX: usize = 512;
const LIST_KEYS_MAX: usize = 1_000;
const TICKET_MS: u64 = 600_000;

/// What a ticket is for.
#[derive(Debug)]
struct Permit {
    key: String,
    sha256: [u8; 32],
    size: u64,
    content_type: String,
    expires_ms: u64,
}

#[derive(Debug, Default)]
struct Held {
    objects: BTreeMap<String, Vec<u8>>,
    permits: BTreeMap<String, Permit>,
}

/// A store that lives as long as its owner.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    held: Mutex<Held>,
}

impl MemoryObjects {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an upload to a ticket's URL; gives the object's key.
    ///
    /// # Errors
    /// `NotFound` for an unknown URL; `Refused` for anything that the ticket isn't for.
    pub fn upload(
        &self,
        url: &str,
        content_type: &str,
        body: Vec<u8>,
        now_ms: u64,
    ) -> Result<String, ObjectError> {
        let mut held = self.held();
        let permit = held.permits.get(url).ok_or(ObjectError::NotFound)?;
        let fits = now_ms < permit.expires_ms
            && content_type == permit.content_type
            && body.len() as u64 == permit.size
            && Sha256::digest(&body)[..] == permit.sha256;
        if !fits {
            return Err(refused("the upload is not what its ticket is for"));
        }
        let key = permit.key.clone();
        held.objects.insert(key.clone(), body);
        Ok(key)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of the lock panics")
    }
}

fn refused(message: impl Into<String>) -> ObjectError {
    ObjectError::Refused { message: message.into() }
}

fn check_key(key: &str) -> Result<(), ObjectError> {
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    let whole = !key.split('/').any(|part| matches!(part, "" | "." | ".."));
    if key.len() > KEY_BYTES_MAX || !plain || !whole {
        return Err(refused(format!("{key:?} is no key")));
    }
    Ok(())
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        check_key(key)?;
        self.held().objects.insert(key.to_owned(), content);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        check_key(key)?;
        self.held().objects.get(key).cloned().ok_or(ObjectError::NotFound)
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        check_key(key)?;
        Ok(self.held().objects.get(key).map(|content| content.len() as u64))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let folder =
            prefix.strip_suffix('/').ok_or_else(|| refused(format!("{prefix:?} doesn't end in /")))?;
        check_key(folder)?;
        let held = self.held();
        let from = held.objects.range(prefix.to_owned()..).map(|(key, _)| key);
        Ok(from.take_while(|key| key.starts_with(prefix)).take(LIST_KEYS_MAX).cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        check_key(key)?;
        self.held().objects.remove(key);
        Ok(())
    }

    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError> {
        check_key(key)?;
        if content_type.is_empty() || !content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(refused(format!("{content_type:?} is no content type")));
        }
        let mut held = self.held();
        let url = format!("/media/uploads/{}", held.permits.len());
        let expires_ms = now_ms.saturating_add(TICKET_MS);
        let content_type = content_type.to_owned();
        let headers = BTreeMap::from([("content-type".to_owned(), content_type.clone())]);
        let permit = Permit { key: key.to_owned(), sha256: *sha256, size, content_type, expires_ms };
        held.permits.insert(url.clone(), permit);
        Ok(UploadTicket { url, method: "PUT".into(), headers, expires_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        pitpet_pipeline::conformance::objects::all(&MemoryObjects::new()).await;
    }

    #[tokio::test]
    async fn an_upload_is_exactly_what_its_ticket_says() {
        let store = MemoryObjects::new();
        let sha256 = Sha256::digest(b"photo").into();
        let ticket = store.upload_ticket("media/x", &sha256, 5, "image/png", 0).await.unwrap();
        for (content_type, body, now_ms) in [
            ("image/jpeg", "photo", 1),
            ("image/png", "phony", 1),
            ("image/png", "photo ", 1),
            ("image/png", "photo", ticket.expires_ms),
        ] {
            assert!(store.upload(&ticket.url, content_type, body.into(), now_ms).is_err());
        }
        assert_eq!(store.size("media/x").await.unwrap(), None);
        assert_eq!(store.upload(&ticket.url, "image/png", b"photo".to_vec(), 1).unwrap(), "media/x");
        assert_eq!(store.get("media/x").await.unwrap(), b"photo");
    }
}
