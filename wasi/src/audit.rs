//! Verifies an export as it comes in: [`pitpet_pipeline::verify`] over the rules of this build.
//!
//! A stream can't be read twice, so digests of frames and blocks are checked in one pass.

use std::io::{Read, Write};

use pitpet_chain::hash::{BlockHash, KennelId, PublicKey, RulesHash};
use pitpet_chain_host::Releases;
use pitpet_pipeline::export_file::{ExportReader, ReadError};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::verify::{KennelTrust, Terms, Verifier, VerifyError, report};

/// Blocks between two signs of progress.
const PROGRESS_EVERY: u64 = 1_024;

/// What an export is held against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The kennel that it must be.
    pub kennel: Option<KennelId>,
    /// A block that it must hold.
    pub block: Option<(u64, BlockHash)>,
    /// The key that must have signed the checkpoint.
    pub checkpoint_key: Option<PublicKey>,
    /// Whether the verdict is told as JSON.
    pub as_json: bool,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The export is shown to be false, or is none.
    Invalid(String),
    /// It could not be checked here.
    Unable(String),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Failure::Unable(format!("standard input: {error}")),
            error => Failure::Invalid(format!("standard input: {error}")),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let mut text = format!("standard input: {error}");
        if let VerifyError::UntrustedRules { height: before @ 1.., .. } = error {
            text.push_str(&format!(
                "; the {before} blocks before it were executed, and are what the rules of this build make of them. \
                 `pitpet verify` runs every module that an export carries"
            ));
        }
        if error.is_invalid() { Failure::Invalid(text) } else { Failure::Unable(text) }
    }
}

/// The rules that are compiled into this build: those of the newest release, which
/// `cargo xtask module check` holds the source to.
///
/// # Errors
/// If the source has no release.
pub fn own_rules() -> Result<RulesHash, String> {
    let newest = Releases::latest().ok_or("this build has no released rules")?;
    Ok(RulesHash(newest.0))
}

impl Audit {
    /// Verifies an export; gives the verdict in words or as JSON, with a line end.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn run(&self, input: impl Read, progress: &mut impl Write) -> Result<String, Failure> {
        let rules = own_rules().map_err(Failure::Unable)?;
        let mut reader = ExportReader::open(input)?;
        let opening = reader.opening().clone();
        let terms = Terms {
            kennel: self.kennel.map_or(KennelTrust::FirstUse, KennelTrust::Given),
            block: self.block,
            checkpoint_key: self.checkpoint_key,
            ..Terms::new(vec![rules])
        };
        let mut verifier = Verifier::begin(&NativeHost, &opening, terms)?;
        let mut told = 0;
        while let Some(segment) = reader.next_segment()? {
            verifier.segment(&segment)?;
            if verifier.next_height() >= told + PROGRESS_EVERY {
                told = verifier.next_height();
                // Whether anyone reads it changes nothing about the verdict.
                let _ = writeln!(progress, "verified {told} of {} blocks", verifier.size());
            }
        }
        let verdict = verifier.finish()?;
        Ok(match self.as_json {
            true => {
                let ledgers = [report::record("standard input", &verdict)];
                format!("{}\n", serde_json::json!({ "valid": true, "ledgers": ledgers }))
            }
            false => report::words("standard input", &verdict),
        })
    }
}
