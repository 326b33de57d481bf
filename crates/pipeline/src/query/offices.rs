//! Who holds a kennel's offices, and what its time witnesses say.

use super::Queries;
use crate::api::Problem;
use crate::statements::{OfficesView, WaitingStatement, collect, read_keys};

impl Queries {
    /// A kennel's offices, with the statements over its head.
    ///
    /// # Errors
    /// A problem with status 404 for an unknown kennel.
    pub async fn offices(&self, name: &str) -> Result<OfficesView, Problem> {
        let founding = self.founding(name).await?;
        let head = self.head(&founding).await?;
        let table = self.table.as_ref();
        let keys = read_keys(table, &founding).await?;
        let statements = match keys.witnesses.is_empty() {
            true => Vec::new(),
            false => collect(table, &founding.kennel, &head.hash, &keys.witnesses).await?,
        };
        Ok(OfficesView {
            kennel: founding.kennel.to_string(),
            operator: keys.operator.key.to_string(),
            moderators: keys.moderators.iter().map(|office| office.key.to_string()).collect(),
            witnesses: keys.witnesses.iter().map(ToString::to_string).collect(),
            threshold: keys.threshold,
            head: head.hash.to_string(),
            statements: statements.iter().map(WaitingStatement::from).collect(),
        })
    }
}
