//! Whole ledgers: what to fetch, the blocks, and the modules that decided them.
//!
//! What arrives here is hearsay; [`pitpet_pipeline::verify`] judges it.

use pitpet_chain::codec::decode;
use pitpet_chain::hash::{RulesHash, sha256};
use pitpet_pipeline::api::KennelView;
use pitpet_pipeline::checkpoint::Claim;
use pitpet_pipeline::query::{ExportManifest, Segment};
use pitpet_pipeline::statements::{OfficesView, StatementView, SubmittedStatement};

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

    /// A kennel as soon as a block above `above` is committed, or as it is after `wait_ms`; hearsay.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn kennel_above(
        &self,
        kennel: &Kennel,
        above: u64,
        wait_ms: u64,
    ) -> Result<KennelView, Failure> {
        let query = [("above", above.to_string()), ("wait_ms", wait_ms.to_string())];
        self.get(&format!("v1/kennels/{}", kennel.id), &query).await
    }

    /// Who holds a kennel's offices, and what its time witnesses say; hearsay.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub async fn offices(&self, kennel: &Kennel) -> Result<OfficesView, Failure> {
        self.get(&format!("v1/kennels/{}/offices", kennel.id), &[]).await
    }

    /// Says as a time witness that a kennel has been idle.
    ///
    /// # Errors
    /// [`Failure::Refused`] if it is not taken; else as [`Failure`] says.
    pub async fn state(&self, statement: &SubmittedStatement) -> Result<StatementView, Failure> {
        self.post("v1/statements", statement).await
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
