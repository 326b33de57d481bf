//! Keeps artefacts in a folder.
//!
//! It is a cache: losing it costs a compilation, and a damaged or outdated file is as good as none where a compiler
//! is. The folder is made for its owner alone, because what lies in it is run.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{Artefact, ArtefactError, Metering, RulesHash, Target, artefact::ENGINE_VERSION};

/// A folder of artefacts.
#[derive(Clone, Debug)]
pub struct ArtefactCache {
    folder: PathBuf,
}

impl ArtefactCache {
    /// Uses a folder, which is made when the first artefact is stored.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the artefact of a module for a target is: the name says all that it depends on.
    pub fn path(&self, rules: RulesHash, target: &Target) -> PathBuf {
        self.folder.join(format!("{rules}-wasmer-{ENGINE_VERSION}-{target}.aot"))
    }

    /// Reads and checks an artefact.
    ///
    /// # Errors
    /// [`ArtefactError::Missing`] if there is none, another one if it isn't good.
    pub fn get(
        &self,
        rules: RulesHash,
        target: &Target,
        metering: Metering,
    ) -> Result<Artefact, ArtefactError> {
        let bytes = map(&self.path(rules, target)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ArtefactError::Missing,
            _ => ArtefactError::Unreadable(error.to_string()),
        })?;
        let artefact = Artefact::from_bytes(bytes)?;
        artefact.check(rules, target, metering)?;
        Ok(artefact)
    }

    /// Stores an artefact: whole or not at all, whoever else is writing it.
    ///
    /// # Errors
    /// The file system's.
    pub fn put(&self, artefact: &Artefact, target: &Target) -> io::Result<()> {
        make_private_folder(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(artefact.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.path(artefact.rules(), target))?;
        Ok(())
    }
}

/// Maps a file: nothing of it is copied.
fn map(path: &Path) -> io::Result<Bytes> {
    let file = fs::File::open(path)?;
    // SAFETY: nobody writes into the file while it is mapped. It lies in the deployed package, which can't be written,
    // or in a folder that only its owner may write, where `ArtefactCache::put` puts a new file in the old one's place.
    #[allow(unsafe_code)]
    let mapped = unsafe { memmap2::Mmap::map(&file)? };
    Ok(Bytes::from_owner(mapped))
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}
