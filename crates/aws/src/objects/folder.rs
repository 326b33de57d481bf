//! The object store in a folder.
//!
//! Each put writes a file beside its place, flushes it, renames it and flushes the folder, so
//! that it survives a power cut once answered.

use std::collections::BTreeMap;

use async_trait::async_trait;
use object_store::local::LocalFileSystem;
use pitpet_pipeline::ports::{ObjectError, UploadTicket};

use super::tickets::{self, Permit, UPLOAD_PATH, UploadError, UploadSecret};
use super::{Objects, TICKET_MS, path};

/// Objects as files below one folder.
#[derive(Debug)]
pub struct FolderObjects {
    objects: Objects<LocalFileSystem>,
    secret: UploadSecret,
}

impl FolderObjects {
    /// Opens a folder, and makes it if needed.
    ///
    /// # Errors
    /// `Refused` if it can't be made or opened.
    pub fn open(folder: &std::path::Path, secret: UploadSecret) -> Result<Self, ObjectError> {
        let refused = |error: &dyn std::error::Error| ObjectError::Refused {
            message: format!("{}: {error}", folder.display()),
        };
        std::fs::create_dir_all(folder).map_err(|error| refused(&error))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| refused(&error))?;
        Ok(Self { objects: Objects { store: store.with_fsync(true) }, secret })
    }

    /// Takes an upload to a ticket's path: checks it against the ticket and stores it. `token` is
    /// what follows [`UPLOAD_PATH`]. Gives the object's key.
    ///
    /// # Errors
    /// [`UploadError`], checked in the order of its variants; nothing is stored then.
    pub async fn verify_upload(
        &self,
        token: &str,
        content_type: &str,
        body: Vec<u8>,
        now_ms: u64,
    ) -> Result<String, UploadError> {
        let permit = self.secret.permit(token).ok_or(UploadError::Forged)?;
        permit.check(content_type, &body, now_ms)?;
        self.objects.put(&permit.key, body).await?;
        Ok(permit.key)
    }
}

#[async_trait]
impl pitpet_pipeline::ports::Objects for FolderObjects {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        self.objects.put(key, content).await
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        self.objects.get(key).await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        self.objects.size(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.objects.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.objects.delete(key).await
    }

    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError> {
        path(key)?;
        tickets::check_content_type(content_type)?;
        let permit = Permit {
            key: key.to_owned(),
            sha256: *sha256,
            size,
            content_type: content_type.to_owned(),
            expires_ms: now_ms.saturating_add(TICKET_MS),
        };
        Ok(UploadTicket {
            url: format!("{UPLOAD_PATH}{}", self.secret.token(&permit)),
            method: "PUT".into(),
            headers: BTreeMap::from([("content-type".into(), permit.content_type)]),
            expires_ms: permit.expires_ms,
        })
    }
}
