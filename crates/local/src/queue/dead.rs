//! The dead-letter queue's table: in, looked at, back, or gone.
//!
//! Deliberately absent: receives and locks. Nobody consumes dead letters; an operator looks at
//! them and decides.

use pitpet_pipeline::ports::OutgoingMessage;
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::{DeadLetter, Which, store};

/// Inserts a dead letter, unless the same message is there already; its `place` is given here.
pub(super) fn insert(transaction: &Transaction<'_>, letter: &DeadLetter) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO dead (message_id, group_id, deduplication_id, body, sent_ms, dead_ms,
                               receive_count)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS
                (SELECT 1 FROM dead WHERE deduplication_id = ?3 AND group_id = ?2 AND body = ?4)",
        )?
        .execute(params![
            letter.message_id,
            letter.group,
            letter.deduplication,
            letter.body,
            letter.sent_ms,
            letter.dead_ms,
            letter.receive_count
        ])
        .map(|_| ())
}

pub(super) fn bury(
    transaction: &Transaction<'_>,
    message: &OutgoingMessage,
    now_ms: u64,
) -> rusqlite::Result<()> {
    insert(
        transaction,
        &DeadLetter {
            place: 0,
            message_id: Uuid::new_v4().to_string(),
            group: message.group.clone(),
            deduplication: message.deduplication.clone(),
            body: message.body.clone(),
            sent_ms: now_ms,
            dead_ms: now_ms,
            receive_count: 0,
        },
    )
}

pub(super) fn list(
    transaction: &Transaction<'_>,
    after: u64,
    limit: u32,
) -> rusqlite::Result<Vec<DeadLetter>> {
    transaction
        .prepare_cached(
            "SELECT place, message_id, group_id, deduplication_id, body, sent_ms, dead_ms,
                    receive_count
             FROM dead WHERE place > ?1 ORDER BY place LIMIT ?2",
        )?
        .query_map(params![after, limit], |row| {
            Ok(DeadLetter {
                place: row.get(0)?,
                message_id: row.get(1)?,
                group: row.get(2)?,
                deduplication: row.get(3)?,
                body: row.get(4)?,
                sent_ms: row.get(5)?,
                dead_ms: row.get(6)?,
                receive_count: row.get(7)?,
            })
        })?
        .collect()
}

/// Finds the places of dead letters, in order.
fn places(transaction: &Transaction<'_>, which: &Which) -> rusqlite::Result<Vec<u64>> {
    match which {
        Which::All => transaction
            .prepare_cached("SELECT place FROM dead ORDER BY place")?
            .query_map([], |row| row.get(0))?
            .collect(),
        Which::Ids(ids) => {
            let mut statement = transaction.prepare_cached("SELECT place FROM dead WHERE message_id = ?1")?;
            let mut places = Vec::new();
            for id in ids {
                places.extend(statement.query_row([id], |row| row.get::<_, u64>(0)).optional()?);
            }
            places.sort_unstable();
            places.dedup();
            Ok(places)
        }
    }
}

fn delete(transaction: &Transaction<'_>, place: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM dead WHERE place = ?1")?.execute([place]).map(|_| ())
}

pub(super) fn redrive(
    transaction: &Transaction<'_>,
    which: &Which,
    now_ms: u64,
    deduplication_ms: u64,
) -> rusqlite::Result<u64> {
    let places = places(transaction, which)?;
    for &place in &places {
        let message = transaction
            .prepare_cached("SELECT group_id, deduplication_id, body FROM dead WHERE place = ?1")?
            .query_row([place], |row| {
                Ok(OutgoingMessage { group: row.get(0)?, deduplication: row.get(1)?, body: row.get(2)? })
            })?;
        store::append(transaction, &message, now_ms, deduplication_ms)?;
        delete(transaction, place)?;
    }
    Ok(places.len() as u64)
}

pub(super) fn discard(transaction: &Transaction<'_>, which: &Which) -> rusqlite::Result<u64> {
    let places = places(transaction, which)?;
    for &place in &places {
        delete(transaction, place)?;
    }
    Ok(places.len() as u64)
}
