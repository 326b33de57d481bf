//! Finds a module by its rules hash among the released ones.
//!
//! Every release is kept in the binary (each is at most 256 KiB), because old blocks need theirs for ever. A folder may
//! hold more; a file in it is believed only if it hashes to its name.

use std::{borrow::Cow, collections::BTreeMap, fs, io, path::PathBuf};

use crate::{RulesHash, releases_table::RELEASES};

/// The modules that blocks may be run by.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    folder: Option<PathBuf>,
    given: BTreeMap<RulesHash, Vec<u8>>,
}

/// Why a module isn't to be had.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Nobody released such a module to this binary or its folder.
    #[error("no released module has the rules hash {rules}")]
    Unknown {
        /// What was looked for.
        rules: RulesHash,
    },
    /// The file exists under that name and holds something else.
    #[error("{} does not hash to its name", path.display())]
    WrongBytes {
        /// The file.
        path: PathBuf,
    },
    /// The folder could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Releases {
    /// The modules that are part of this binary.
    pub fn embedded() -> Self {
        Self::default()
    }

    /// The modules that are part of this binary, and those in a folder as `<rules hash>.wasm`.
    pub fn with_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..Self::default() }
    }

    /// These modules besides, each under its own hash.
    #[must_use]
    pub fn and(mut self, modules: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.given.extend(modules.into_iter().map(|wasm| (RulesHash::of(&wasm), wasm)));
        self
    }

    /// The newest release of this binary, which new kennels start with; none in a checkout that has none yet.
    pub fn latest() -> Option<RulesHash> {
        RELEASES.last().map(|(hash, _)| RulesHash(*hash))
    }

    /// The rules hashes that this binary carries, oldest first.
    pub fn pinned() -> impl Iterator<Item = RulesHash> {
        RELEASES.iter().map(|(hash, _)| RulesHash(*hash))
    }

    /// Finds the module with this hash.
    ///
    /// # Errors
    /// See [`ReleaseError`].
    pub fn find(&self, rules: RulesHash) -> Result<Cow<'static, [u8]>, ReleaseError> {
        if let Some((_, wasm)) = RELEASES.iter().find(|(hash, _)| *hash == rules.0) {
            return Ok(Cow::Borrowed(wasm));
        }
        if let Some(wasm) = self.given.get(&rules) {
            return Ok(Cow::Owned(wasm.clone()));
        }
        let Some(folder) = &self.folder else {
            return Err(ReleaseError::Unknown { rules });
        };
        let path = folder.join(format!("{rules}.wasm"));
        match fs::read(&path) {
            Ok(wasm) if RulesHash::of(&wasm) == rules => Ok(Cow::Owned(wasm)),
            Ok(_) => Err(ReleaseError::WrongBytes { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReleaseError::Unknown { rules }),
            Err(source) => Err(ReleaseError::Unreadable { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pinned_module_hashes_to_its_name_and_passes_the_gate() {
        for (hash, wasm) in RELEASES {
            assert_eq!(RulesHash::of(wasm).0, *hash);
            crate::Gatekeeper::new().inspect(wasm).expect("a released module passes the gate");
        }
    }

    #[test]
    fn a_given_module_is_found_under_its_own_hash() {
        let releases = Releases::embedded().and([b"module".to_vec()]);
        assert_eq!(&*releases.find(RulesHash::of(b"module")).unwrap(), b"module");
        assert!(matches!(releases.find(RulesHash::of(b"another")), Err(ReleaseError::Unknown { .. })));
    }

    #[test]
    fn a_file_is_believed_only_under_its_own_hash() {
        let folder = tempfile::tempdir().unwrap();
        let releases = Releases::with_folder(folder.path());
        let rules = RulesHash::of(b"module");
        assert!(matches!(releases.find(rules), Err(ReleaseError::Unknown { .. })));
        fs::write(folder.path().join(format!("{rules}.wasm")), b"another").unwrap();
        assert!(matches!(releases.find(rules), Err(ReleaseError::WrongBytes { .. })));
        fs::write(folder.path().join(format!("{rules}.wasm")), b"module").unwrap();
        assert_eq!(&*releases.find(rules).unwrap(), b"module");
    }
}
