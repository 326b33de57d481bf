//! Heads, as every page needs them: of a head that has not changed the signature is checked once.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::future::OptionFuture;
use pitpet_chain::hash::KennelId;

use super::{Queries, feeds};
use crate::head::{CommittedHead, Founding, LedgerError, head_of};
use crate::items;
use crate::ports::{Attributes, Consistency, Key};

/// What was read of heads. Everything is asked for anew each time; this saves time, and says nothing.
#[derive(Default)]
pub(super) struct Heads {
    /// A kennel's head with the item that it was checked in.
    checked: Mutex<HashMap<KennelId, (Attributes, CommittedHead)>>,
    /// The kennels that were merged into the last page.
    merged: Mutex<Vec<Founding>>,
}

impl Heads {
    /// Checks a head's item, unless it is the one that was checked last.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] if it is not what the checkpoint key signed.
    fn check(&self, item: Attributes, founding: &Founding) -> Result<CommittedHead, LedgerError> {
        let checked = || self.checked.lock().expect("no panic while the memory is locked");
        if let Some((known, head)) = checked().get(&founding.kennel)
            && *known == item
        {
            return Ok(head.clone());
        }
        let head = head_of(&item, founding)?;
        checked().insert(founding.kennel, (item, head.clone()));
        Ok(head)
    }
}

impl Queries {
    /// A kennel's head.
    pub(super) async fn head(&self, founding: &Founding) -> Result<CommittedHead, LedgerError> {
        self.head_at(founding, Consistency::Strong).await
    }

    /// A kennel's head, as fresh as this.
    pub(super) async fn head_at(
        &self,
        founding: &Founding,
        consistency: Consistency,
    ) -> Result<CommittedHead, LedgerError> {
        let item = self.table.get(&items::head(&founding.kennel), consistency).await?;
        self.heads.check(item.ok_or(LedgerError::UnknownKennel)?, founding)
    }

    /// The kennels that are merged into one page, each with its head. The heads are read beside the list, of
    /// the kennels that were in it last time; only if the list is another one by now they are read after it.
    pub(super) async fn merged_heads(&self) -> Result<Vec<(Founding, CommittedHead)>, LedgerError> {
        let merged = || self.heads.merged.lock().expect("no panic while the memory is locked");
        let expected = merged().clone();
        let (listed, found) = futures::try_join!(self.foundings.list(), self.read_heads(&expected))?;
        let foundings = feeds::merged(listed, None);
        if foundings
            .iter()
            .map(|founding| founding.kennel)
            .eq(expected.iter().map(|founding| founding.kennel))
        {
            return Ok(found);
        }
        let found = self.read_heads(&foundings).await?;
        *merged() = foundings;
        Ok(found)
    }

    async fn read_heads(
        &self,
        foundings: &[Founding],
    ) -> Result<Vec<(Founding, CommittedHead)>, LedgerError> {
        let keys: Vec<Key> = foundings.iter().map(|founding| items::head(&founding.kennel)).collect();
        let found = OptionFuture::from((!keys.is_empty()).then(|| self.table.get_many(&keys))).await;
        foundings
            .iter()
            .zip(found.transpose()?.unwrap_or_default())
            .map(|(founding, item)| {
                let head = self.heads.check(item.ok_or(LedgerError::UnknownKennel)?, founding)?;
                Ok((founding.clone(), head))
            })
            .collect()
    }
}
