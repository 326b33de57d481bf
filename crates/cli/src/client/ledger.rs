//! Whole ledgers: what to fetch, the blocks, and the modules that decided them.
//!
//! What arrives here is hearsay; [`pitpet_pipeline::verify`] judges it.

use pitpet_chain::codec::decode;
use pitpet_chain::hash::{RulesHash, sha256};
use pitpet_pipeline::checkpoint::Claim;
use pitpet_pipeline::query::{ExportManifest, Segment};

use super::Client;
use crate::failure::Failure;
use crate::kennel::{Head, Kennel};

impl Client {
    /// What to fetch for an export of a kennel.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn export(&self, kennel: &Kennel) -> Result<ExportManifest, Failure> {
        self.get(&format!("v1/kennels/{}/export", kennel.id), &[]).await
    }

    /// The blocks from a height on, as many as the server gives at once, none above `height`.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn segment(&self, kennel: &Kennel, from: u64, height: u64) -> Result<Segment, Failure> {
        let path = format!("v1/kennels/{}/export/{from}", kennel.id);
        let content = self.send(self.http.get(self.address(&path)?)).await?;
        let mut segment: Segment = decode(&content).map_err(|_| self.nonsense("segment"))?;
        // The kennel has grown since its checkpoint was asked for.
        let wanted = (height.saturating_sub(from)).saturating_add(1);
        segment.entries.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        Ok(segment)
    }

    /// A chain module; it hashes to its name.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if it doesn't; else as [`Failure`] says.
    pub async fn rules(&self, rules: &RulesHash) -> Result<Vec<u8>, Failure> {
        let content = self.send(self.http.get(self.address(&format!("v1/rules/{rules}.wasm"))?)).await?;
        if sha256(&content) != rules.0 {
            return Err(Failure::Invalid(format!("the server's rules {rules} hash to something else")));
        }
        Ok(content)
    }

    /// The highest checkpoint seen of each kennel, by id; none of a kennel that is known by its
    /// label only.
    pub fn remembered(&self) -> std::collections::BTreeMap<String, Option<Claim>> {
        self.pins().remembered()
    }

    /// Remembers the head of a verified ledger.
    ///
    /// # Errors
    /// As [`crate::pins::Pins::check_head`].
    pub fn remember(&self, kennel: &Kennel, head: Head) -> Result<(), Failure> {
        self.pins().check_head(kennel, 0, head)
    }
}
