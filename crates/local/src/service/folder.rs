//! A data folder without its service: what a checker opens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use pitpet_aws::objects::UploadSecret;
use pitpet_aws::{DynamoTable, FolderObjects, Settings};
use pitpet_pipeline::ports::{Objects, Table};
use rusqlite::{Connection, OpenFlags};

use super::{TABLE, engine::Engine, lock};

/// Why a data folder can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is none.
    #[error("{0} is no data folder: it has no table.db")]
    Absent(PathBuf),
    /// A file of it is damaged below what the ledger knows of.
    #[error("{path} is damaged: {first}; restore it from a backup, or the ledger from an export")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first fault that its engine names.
        first: String,
    },
    /// Something else stands in the way.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// The stores of a data folder, kept from any service while they are open.
pub struct DataFolder {
    engine: Engine,
    table: Arc<dyn Table>,
    objects: Arc<dyn Objects>,
    _lock: std::fs::File,
}

impl DataFolder {
    /// Opens a folder that no service has open, after checking that its files are whole.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let path = folder.join("table.db");
        if !path.is_file() {
            return Err(FolderError::Absent(folder.to_owned()));
        }
        let lock = lock(folder)?;
        for path in [&path, &folder.join("queue.db")] {
            if path.is_file() {
                check_file(path)?;
            }
        }
        let engine = Engine::start(&path)?;
        let table = DynamoTable::new(&Settings::embedded(engine.endpoint()), TABLE)
            .context("can't reach the embedded engine")?;
        // No upload is taken here, so that any secret does.
        let secret = UploadSecret::random().context("the system gives no random bytes")?;
        let objects =
            FolderObjects::open(&folder.join("objects"), secret).context("can't open the objects")?;
        Ok(Self { engine, table: Arc::new(table), objects: Arc::new(objects), _lock: lock })
    }

    /// The table.
    pub fn table(&self) -> Arc<dyn Table> {
        self.table.clone()
    }

    /// The objects.
    pub fn objects(&self) -> Arc<dyn Objects> {
        self.objects.clone()
    }

    /// Closes the stores.
    pub fn close(self) {
        self.engine.stop();
    }
}

/// Lets SQLite check a file of its own.
fn check_file(path: &Path) -> Result<(), FolderError> {
    let damaged = |first: String| FolderError::Damaged { path: path.to_owned(), first };
    let first = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|file| file.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0)));
    match first {
        Ok(first) if first == "ok" => Ok(()),
        Ok(first) => Err(damaged(first)),
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Err(damaged(error.to_string()))
            }
            _ => Err(anyhow::Error::new(error).context(format!("can't read {}", path.display())).into()),
        },
    }
}
