//! Founding records, read once: they never change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pitpet_chain::hash::KennelId;

use crate::head::{Founding, LedgerError, read_founding};
use crate::items::Fields;
use crate::ports::{Consistency, Order, Query, Table};

/// Kennels on one server, at most: the list is one bounded query.
pub const KENNELS_MAX: u32 = 256;

/// The list of kennels, by label.
pub(crate) fn kennel_list(consistency: Consistency) -> Query {
    Query {
        pk: "KENNELS".to_owned(),
        from: " ".to_owned(),
        to: "\u{10ffff}".to_owned(),
        order: Order::Ascending,
        limit: KENNELS_MAX,
        consistency,
    }
}

/// A cache of founding records.
pub struct Foundings {
    table: Arc<dyn Table>,
    known: Mutex<HashMap<KennelId, Founding>>,
}

impl Foundings {
    /// Makes an empty cache.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table, known: Mutex::default() }
    }

    /// A kennel's founding record.
    ///
    /// # Errors
    /// [`LedgerError::UnknownKennel`] if the table has none.
    pub async fn get(&self, kennel: &KennelId) -> Result<Founding, LedgerError> {
        let known = self.known.lock().expect("no panic while the cache is locked").get(kennel).cloned();
        if let Some(founding) = known {
            return Ok(founding);
        }
        let founding = read_founding(self.table.as_ref(), kennel).await?;
        self.known.lock().expect("no panic while the cache is locked").insert(*kennel, founding.clone());
        Ok(founding)
    }

    /// All kennels of this server, by label.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn list(&self) -> Result<Vec<Founding>, LedgerError> {
        let mut foundings = Vec::new();
        for item in self.table.query(&kennel_list(Consistency::Eventual)).await? {
            let kennel = KennelId(item.attributes.digest("kennel")?);
            foundings.push(self.get(&kennel).await?);
        }
        Ok(foundings)
    }
}
