//! Heads, as every page needs them.

use std::sync::Mutex;

use super::{Queries, feeds};
use crate::head::{CommittedHead, Founding, LedgerError};
use crate::items;
use crate::ports::{Consistency, Key};
use futures::future::{OptionFuture, try_join_all};

/// What was read of heads. Everything is asked for anew each time; this saves time, and says nothing.
#[derive(Default)]
pub(super) struct Heads {
    /// The kennels that were merged into the last page.
    merged: Mutex<Vec<Founding>>,
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
        self.read_side.follow(founding, item).await
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
        let found = foundings.iter().zip(found.transpose()?.unwrap_or_default());
        try_join_all(found.map(|(founding, item)| async move {
            Ok((founding.clone(), self.read_side.follow(founding, item).await?))
        }))
        .await
    }
}
