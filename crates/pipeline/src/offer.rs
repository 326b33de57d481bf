//! Offering new rules: what an operator goes through before a kennel is told to change to them.
//!
//! The module is played on a copy of the kennel as it stands ([`crate::upgrade::rehearse`]), twice,
//! by a host that counts its instructions and bounds its memory. Only then it is put where miners
//! and auditors find it, and last the operator's decision is sent, which the chain takes like any
//! event. What fails leaves nothing behind but perhaps a module that nothing names.
//!
//! Deliberately absent: the gatekeeper, which the module host asks when it loads the module.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::event::SignedEvent;
use pitpet_chain::hash::{EventId, RulesHash, sha256};

use crate::event_log;
use crate::head::{CommittedHead, Founding, LedgerError, damaged, read_block, read_head};
use crate::items;
use crate::kennels::Kennels;
use crate::message::{Entry, Message};
use crate::ports::{Consistency, ModuleHost, ObjectError, Objects, Queue, QueueError, Table};
use crate::upgrade::{Operator, Rehearsed, Unfit, rehearse};

/// A decision is mined some blocks after it is sent; one that names a height nearer than this is
/// refused at once, because the chain would most likely refuse it.
pub const BLOCKS_AHEAD_MIN: u64 = 2;

/// When rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this height.
    At(u64),
    /// This many blocks above the head.
    After(u64),
}

impl When {
    fn height(self, head: u64) -> Result<u64, OfferError> {
        let at_height = match self {
            When::At(height) => height,
            When::After(blocks) => head.saturating_add(blocks),
        };
        let lowest = head + BLOCKS_AHEAD_MIN;
        if at_height < lowest { Err(OfferError::TooSoon { at_height, lowest }) } else { Ok(at_height) }
    }
}

/// Why rules are not offered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The height is past or nearly so.
    #[error("at_height is {at_height}: the lowest height that can still be decided on is {lowest}")]
    TooSoon {
        /// What was asked for.
        at_height: u64,
        /// The lowest that is taken.
        lowest: u64,
    },
    /// The kennel is run by these rules already.
    #[error("the kennel is run by the rules {0} already")]
    Same(RulesHash),
    /// The module doesn't do.
    #[error("the module {rules} is refused: {unfit}")]
    Unfit {
        /// Its hash.
        rules: RulesHash,
        /// Why.
        unfit: Unfit,
    },
    /// The kennel could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The module could not be stored.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The decision could not be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The operator's event.
    pub event: EventId,
    /// The rules.
    pub rules: RulesHash,
    /// From which height on they decide.
    pub at_height: u64,
    /// What was tried; none if the change before was withdrawn.
    pub rehearsed: Option<Rehearsed>,
}

/// An operator with a kennel's stores.
pub struct Offering<'a> {
    /// The table.
    pub table: Arc<dyn Table>,
    /// The object store.
    pub objects: Arc<dyn Objects>,
    /// Runs today's module and the one that is offered.
    pub modules: Arc<dyn ModuleHost>,
    /// Takes the decision.
    pub queue: &'a dyn Queue,
    /// Signs it.
    pub operator: &'a SigningKey,
    /// Now, ms since the Unix epoch.
    pub now_ms: u64,
}

impl Offering<'_> {
    fn operator<'a>(&'a self, founding: &'a Founding) -> Operator<'a> {
        Operator { key: self.operator, kennel: founding.kennel, genesis: &founding.genesis }
    }

    /// Offers a module to a kennel.
    ///
    /// # Errors
    /// [`OfferError`]; nothing is decided then.
    pub async fn offer(&self, founding: &Founding, wasm: &[u8], when: When) -> Result<Offered, OfferError> {
        let rules = RulesHash(sha256(wasm));
        let head = self.head(founding).await?;
        if head.header.rules_hash == rules {
            return Err(OfferError::Same(rules));
        }
        let at_height = when.height(head.height)?;
        let rehearsed = self.rehearse(founding, &head, rules).await?;
        self.objects.put(&items::rules_object(&rules), wasm.to_vec()).await?;
        let event = self.send(founding, rules, at_height).await?;
        Ok(Offered { event, rules, at_height, rehearsed: Some(rehearsed) })
    }

    /// Takes a decision back, before its height.
    ///
    /// # Errors
    /// [`OfferError`].
    pub async fn withdraw(&self, founding: &Founding) -> Result<Offered, OfferError> {
        let head = self.head(founding).await?;
        // Today's own rules: the chain takes that for none.
        let rules = head.header.rules_hash;
        let at_height = u64::MAX;
        let event = self.send(founding, rules, at_height).await?;
        Ok(Offered { event, rules, at_height, rehearsed: None })
    }

    async fn head(&self, founding: &Founding) -> Result<CommittedHead, LedgerError> {
        read_head(self.table.as_ref(), founding, Consistency::Strong).await
    }

    async fn rehearse(
        &self,
        founding: &Founding,
        head: &CommittedHead,
        rules: RulesHash,
    ) -> Result<Rehearsed, OfferError> {
        let unfit = |unfit| OfferError::Unfit { rules, unfit };
        // First what costs nothing: it may not even load.
        self.modules.check(&rules.0).map_err(|error| unfit(error.into()))?;
        let table = self.table.clone();
        let kennels = Kennels::new(self.modules.clone(), table, self.objects.clone(), NonZeroUsize::MIN);
        let mut kennel = kennels.take(founding, head).await?;
        let stored = read_block(self.table.as_ref(), &founding.kennel, head.height, &head.hash).await?;
        let block: Block = decode(&stored.bytes).map_err(|_| damaged("the head's block can't be read"))?;
        let at = kennel.head.clone();
        let modules = self.modules.as_ref();
        let operator = self.operator(founding);
        rehearse(modules, kennel.instance.as_mut(), &at, rules, &operator, self.now_ms, &block.events)
            .map_err(unfit)
    }

    async fn send(
        &self,
        founding: &Founding,
        rules: RulesHash,
        at_height: u64,
    ) -> Result<EventId, OfferError> {
        let event = self.operator(founding).upgrade(rules, at_height, self.now_ms);
        let id = SignedEvent::read(&event).expect("it was made a moment ago").id;
        let entries = vec![Entry { event: Bytes(event), body: None }];
        let message = Message { version: 1, kennel: founding.kennel, entries }.write();
        for outcome in self.queue.send(&[message]).await {
            outcome?;
        }
        event_log::queued(&founding.kennel, &[id]);
        Ok(id)
    }
}
