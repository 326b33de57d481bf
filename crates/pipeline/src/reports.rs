//! Reports: what accounts tell the moderators of. They are beside the chain, and go by themselves.
//!
//! An account reports an event once. The queue of a kennel is ordered by how many have, so that its
//! top is one bounded query: each event with reports has one entry there, whose sort key begins with
//! the count. There is no counter that could be wrong: the count is how many reports lie in the
//! event's partition, at most [`REPORTERS_MAX`], read after one's own was written. Of entries that
//! a crash left at an older place the event's sum says that they are no more; readers pass them over.
//!
//! Deliberately absent: who reported, in any answer; free text, which would have to be moderated.

use pitpet_chain::hash::{AccountId, EventId, KennelId};
use pitpet_chain::request::ReportReason;

use crate::items::{self, BadItem, Fields, attributes};
use crate::ports::{
    Attributes, Condition, Consistency, Item, Key, Order, Query, Retry, Table, TableError, Update, Value,
};

/// Reporters of one event that count; who comes later is thanked, and nothing is stored.
pub const REPORTERS_MAX: u32 = 100;

/// Reports are kept this long, ms: 90 days, of which the moderators need a few.
pub const REPORT_KEPT_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// How often a sum that changes meanwhile is looked at anew.
const ATTEMPTS: usize = 4;

/// What is known of an event's reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many reported it.
    pub count: u64,
    /// When the newest one did, ms since the Unix epoch.
    pub last_ms: u64,
    /// How many gave each reason, in the order of [`ReportReason::ALL`].
    pub reasons: Vec<u64>,
}

fn damaged(error: BadItem) -> TableError {
    TableError::Refused { message: error.to_string() }
}

impl Sum {
    /// Reads the item.
    ///
    /// # Errors
    /// [`BadItem`].
    pub fn read(item: &Attributes) -> Result<Self, BadItem> {
        let reasons = match item.get("reasons") {
            Some(Value::List(reasons)) => reasons
                .iter()
                .map(|count| match count {
                    Value::Number(count) => Ok(*count),
                    _ => Err(BadItem("reasons")),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(BadItem("reasons")),
        };
        Ok(Self { count: item.number("count")?, last_ms: item.number("last_ms")?, reasons })
    }

    /// Its place in the queue.
    pub fn place(&self, kennel: &KennelId, event: &EventId) -> Key {
        items::queued_report(kennel, self.count, self.last_ms, event)
    }
}

/// Takes a report, once for each account and event, and moves the event in the queue. Safe to
/// repeat: a report whose sender got no answer is finished by sending it again.
///
/// # Errors
/// [`TableError`].
pub async fn take(
    table: &dyn Table,
    kennel: &KennelId,
    event: &EventId,
    account: &AccountId,
    reason: ReportReason,
    now_ms: u64,
) -> Result<(), TableError> {
    let sum_key = items::report_sum(event);
    let known = table.get(&sum_key, Consistency::Strong).await?;
    let known = known.as_ref().map(Sum::read).transpose().map_err(damaged)?;
    if known.is_some_and(|sum| sum.count >= u64::from(REPORTERS_MAX)) {
        return Ok(());
    }
    let ttl_s = (now_ms + REPORT_KEPT_MS) / 1_000;
    let report = Item {
        key: items::report(event, account),
        attributes: attributes([
            ("reason", u64::from(reason as u8).into()),
            ("reported_ms", now_ms.into()),
            (items::EXPIRY, ttl_s.into()),
        ]),
    };
    match table.put_new(&report).await {
        Ok(()) | Err(TableError::Conflict) => {}
        Err(error) => return Err(error),
    }
    sort(table, kennel, event, ttl_s).await
}

/// Counts the reports of an event, and puts it where it belongs in the queue.
async fn sort(table: &dyn Table, kennel: &KennelId, event: &EventId, ttl_s: u64) -> Result<(), TableError> {
    let sum_key = items::report_sum(event);
    for _ in 0..ATTEMPTS {
        let before = table.get(&sum_key, Consistency::Strong).await?;
        let before = before.as_ref().map(Sum::read).transpose().map_err(damaged)?;
        let sum = count(table, event).await?;
        if before.as_ref().is_some_and(|before| before.count >= sum.count) {
            // Somebody who came later has counted this one too.
            return Ok(());
        }
        // First the entry, which counts only once the sum says so.
        let entry = attributes([("event", event.0.into()), (items::EXPIRY, ttl_s.into())]);
        let entry = Item { key: sum.place(kennel, event), attributes: entry };
        match table.put_new(&entry).await {
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error),
        }
        let reasons = sum.reasons.iter().map(|count| Value::Number(*count)).collect();
        let update = Update {
            key: sum_key.clone(),
            set: attributes([
                ("count", sum.count.into()),
                ("last_ms", sum.last_ms.into()),
                ("reasons", Value::List(reasons)),
                ("kennel", kennel.0.into()),
                (items::EXPIRY, ttl_s.into()),
            ]),
            remove: Vec::new(),
            condition: match &before {
                None => Condition::Absent,
                Some(before) => Condition::Equals("count", before.count.into()),
            },
            retry: Retry::Never,
        };
        match table.update(&update).await {
            Ok(()) => {
                if let Some(before) = before {
                    table.delete(&before.place(kennel, event)).await?;
                }
                return Ok(());
            }
            // Somebody else was faster: look again.
            Err(TableError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    // It is stored, and counted by whoever was faster or comes next.
    Ok(())
}

async fn count(table: &dyn Table, event: &EventId) -> Result<Sum, TableError> {
    let query = Query {
        pk: items::reports_pk(event),
        from: "A#".to_owned(),
        to: "A#~".to_owned(),
        order: Order::Ascending,
        limit: REPORTERS_MAX,
        consistency: Consistency::Strong,
    };
    let mut sum = Sum { count: 0, last_ms: 0, reasons: vec![0; ReportReason::ALL.len()] };
    for item in table.query(&query).await? {
        sum.count += 1;
        sum.last_ms = sum.last_ms.max(item.attributes.number("reported_ms").map_err(damaged)?);
        let reason = item.attributes.number("reason").map_err(damaged)?;
        let reason = u8::try_from(reason).ok().and_then(ReportReason::from_number);
        let at = ReportReason::ALL.iter().position(|of| Some(*of) == reason);
        if let Some(count) = at.and_then(|at| sum.reasons.get_mut(at)) {
            *count += 1;
        }
    }
    Ok(sum)
}
