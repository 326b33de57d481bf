//! The queue's tables and each operation on them, inside a transaction of the caller.
//!
//! Deliberately absent: clocks, threads, and any decision about durability but the settings that
//! [`open`] makes. Every statement finds its rows by an index, and its cost doesn't grow with the
//! backlog.

use std::path::Path;
use std::time::Duration;

use md5::{Digest, Md5};
use pitpet_pipeline::ports::OutgoingMessage;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use uuid::Uuid;

use super::{
    Counts, DeadLetter, Durability, InterruptedReceives, Message, QueueSettings, Received, Sent, Settled,
    Settlement, VISIBILITY_TIMEOUT_MS_MAX, dead,
};

/// Version of the tables, kept in `PRAGMA user_version`.
const VERSION: u32 = 1;

/// How long to wait for the file of a process that is just ending.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// Most expired messages dropped by one call, so that none waits for a long clean-up.
const EXPIRED_MAX: u32 = 100;

/// `groups` holds one row for each group with messages: the lowest `seq`, and until when the
/// group is locked (the latest `visible_ms` of its messages; 0 if none is in flight). It is
/// derived from `messages` by [`refresh_group`] in the transaction that changes them.
const TABLES: &str = "
CREATE TABLE messages (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id       TEXT NOT NULL,
    group_id         TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    body             TEXT NOT NULL,
    sent_ms          INTEGER NOT NULL,
    visible_ms       INTEGER NOT NULL DEFAULT 0,
    first_receive_ms INTEGER NOT NULL DEFAULT 0,
    receive_count    INTEGER NOT NULL DEFAULT 0,
    receipt          TEXT
) STRICT;
CREATE INDEX messages_by_group ON messages (group_id, seq);
CREATE INDEX messages_by_age ON messages (sent_ms);
CREATE INDEX messages_received ON messages (group_id, visible_ms) WHERE visible_ms > 0;
CREATE TABLE groups (
    group_id TEXT PRIMARY KEY,
    head_seq INTEGER NOT NULL,
    free_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX groups_by_head ON groups (head_seq);
CREATE INDEX groups_locked ON groups (free_ms) WHERE free_ms > 0;
CREATE TABLE duplicates (
    deduplication_id TEXT PRIMARY KEY,
    message_id       TEXT NOT NULL,
    seq              INTEGER NOT NULL,
    until_ms         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX duplicates_by_end ON duplicates (until_ms);
CREATE TABLE dead (
    place            INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id       TEXT NOT NULL,
    group_id         TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    body             TEXT NOT NULL,
    sent_ms          INTEGER NOT NULL,
    dead_ms          INTEGER NOT NULL,
    receive_count    INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_by_id ON dead (message_id);
CREATE INDEX dead_by_deduplication ON dead (deduplication_id);
CREATE INDEX dead_by_age ON dead (dead_ms);
";

/// Opens or creates the file and makes its commits durable.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Exclusive, so that a second process is refused instead of taking messages unseen.
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        VERSION => {}
        other => {
            return Err(rusqlite::Error::ToSqlConversionFailure(
                format!("its tables have version {other}, this program knows {VERSION}").into(),
            ));
        }
    }
    Ok(connection)
}

pub(super) fn durability(transaction: &Transaction<'_>) -> rusqlite::Result<Durability> {
    Ok(Durability {
        journal_mode: transaction.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
        synchronous: transaction.pragma_query_value(None, "synchronous", |row| row.get(0))?,
    })
}

/// Drops deduplication records whose time is over.
pub(super) fn forget_duplicates(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM duplicates WHERE until_ms <= ?1")?.execute([now_ms]).map(|_| ())
}

pub(super) fn send(
    transaction: &Transaction<'_>,
    message: &OutgoingMessage,
    now_ms: u64,
    deduplication_ms: u64,
) -> rusqlite::Result<Sent> {
    let original = transaction
        .prepare_cached(
            "SELECT message_id, seq FROM duplicates WHERE deduplication_id = ?1 AND until_ms > ?2",
        )?
        .query_row(params![message.deduplication, now_ms], |row| {
            Ok(Sent { message_id: row.get(0)?, sequence_number: sequence_number(row.get(1)?) })
        })
        .optional()?;
    match original {
        Some(original) => Ok(original),
        None => append(transaction, message, now_ms, deduplication_ms),
    }
}

/// Puts a message at the end of its group, duplicate or not.
pub(super) fn append(
    transaction: &Transaction<'_>,
    message: &OutgoingMessage,
    now_ms: u64,
    deduplication_ms: u64,
) -> rusqlite::Result<Sent> {
    let message_id = Uuid::new_v4().to_string();
    transaction
        .prepare_cached(
            "INSERT INTO messages (message_id, group_id, deduplication_id, body, sent_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![message_id, message.group, message.deduplication, message.body, now_ms])?;
    let seq = transaction.last_insert_rowid();
    transaction
        .prepare_cached(
            "INSERT INTO groups (group_id, head_seq, free_ms) VALUES (?1, ?2, 0)
             ON CONFLICT (group_id) DO NOTHING",
        )?
        .execute(params![message.group, seq])?;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO duplicates (deduplication_id, message_id, seq, until_ms)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![message.deduplication, message_id, seq, now_ms.saturating_add(deduplication_ms)])?;
    Ok(Sent { message_id, sequence_number: sequence_number(seq) })
}

/// Drops what has outlived its retention, in flight or not, as SQS does.
pub(super) fn drop_expired(
    transaction: &Transaction<'_>,
    settings: &QueueSettings,
    now_ms: u64,
) -> rusqlite::Result<()> {
    if let Some(limit_ms) = now_ms.checked_sub(settings.retention_ms) {
        let expired = transaction
            .prepare_cached(
                "SELECT seq, group_id FROM messages WHERE sent_ms <= ?1 ORDER BY sent_ms LIMIT ?2",
            )?
            .query_map(params![limit_ms, EXPIRED_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        for (seq, group) in expired {
            tracing::warn!(group, seq, "a message outlived the queue's retention and is dropped");
            delete_message(transaction, seq)?;
            refresh_group(transaction, &group)?;
        }
    }
    if let Some(limit_ms) = now_ms.checked_sub(settings.dead_retention_ms) {
        let dropped = transaction
            .prepare_cached(
                "DELETE FROM dead WHERE place IN
                 (SELECT place FROM dead WHERE dead_ms <= ?1 ORDER BY dead_ms LIMIT ?2)",
            )?
            .execute(params![limit_ms, EXPIRED_MAX])?;
        if dropped > 0 {
            tracing::warn!(dropped, "dead letters outlived their retention and are dropped");
        }
    }
    Ok(())
}

/// A message as it lies in the table.
struct Stored {
    seq: i64,
    message_id: String,
    deduplication: String,
    body: String,
    sent_ms: u64,
    first_receive_ms: u64,
    receive_count: u32,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            message_id: row.get(1)?,
            deduplication: row.get(2)?,
            body: row.get(3)?,
            sent_ms: row.get(4)?,
            first_receive_ms: row.get(5)?,
            receive_count: row.get(6)?,
        })
    }
}

pub(super) fn receive(
    transaction: &Transaction<'_>,
    settings: &QueueSettings,
    max: u32,
    now_ms: u64,
) -> rusqlite::Result<Received> {
    let mut received = Received::default();
    let visible_ms = now_ms.saturating_add(settings.visibility_timeout_ms.min(VISIBILITY_TIMEOUT_MS_MAX));
    let mut room = max as usize;
    while room > 0 {
        // A group that was just taken is locked, and one that was emptied has no row, so each
        // turn finds another group, that of the oldest message first.
        let Some(group) = free_group(transaction, now_ms)? else {
            break;
        };
        let mut after_seq = 0;
        // A message that moves aside leaves its place in the batch to a follower.
        while room > 0 {
            let run = run_after(transaction, &group, after_seq, room)?;
            let Some(last) = run.last() else { break };
            after_seq = last.seq;
            for stored in run {
                if stored.receive_count >= settings.max_receive_count.max(1) {
                    move_to_dead(transaction, &group, stored, now_ms)?;
                    received.moved_to_dead += 1;
                } else {
                    let message = hand_out(transaction, &group, stored, visible_ms, now_ms)?;
                    received.messages.push(message);
                    room -= 1;
                }
            }
        }
        refresh_group(transaction, &group)?;
        if settings.visibility_timeout_ms == 0 {
            // Nothing is locked, so the same group would be found again.
            break;
        }
    }
    received.next_due_ms = transaction
        .prepare_cached("SELECT min(free_ms) FROM groups WHERE free_ms > 0 AND free_ms > ?1")?
        .query_row([now_ms], |row| row.get(0))?;
    Ok(received)
}

fn free_group(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<Option<String>> {
    transaction
        .prepare_cached("SELECT group_id FROM groups WHERE free_ms <= ?1 ORDER BY head_seq LIMIT 1")?
        .query_row([now_ms], |row| row.get(0))
        .optional()
}

/// Reads the next messages of a group.
fn run_after(
    transaction: &Transaction<'_>,
    group: &str,
    after_seq: i64,
    count: usize,
) -> rusqlite::Result<Vec<Stored>> {
    transaction
        .prepare_cached(
            "SELECT seq, message_id, deduplication_id, body, sent_ms, first_receive_ms,
                    receive_count
             FROM messages WHERE group_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?
        .query_map(params![group, after_seq, count as u64], Stored::read)?
        .collect()
}

fn hand_out(
    transaction: &Transaction<'_>,
    group: &str,
    stored: Stored,
    visible_ms: u64,
    now_ms: u64,
) -> rusqlite::Result<Message> {
    let receipt = format!("{}:{}", stored.seq, Uuid::new_v4());
    let receive_count = stored.receive_count + 1;
    let first_receive_ms = if stored.receive_count == 0 { now_ms } else { stored.first_receive_ms };
    transaction
        .prepare_cached(
            "UPDATE messages SET visible_ms = ?2, first_receive_ms = ?3, receive_count = ?4,
                    receipt = ?5
             WHERE seq = ?1",
        )?
        .execute(params![stored.seq, visible_ms, first_receive_ms, receive_count, receipt])?;
    Ok(Message {
        message_id: stored.message_id,
        sequence_number: sequence_number(stored.seq),
        group: group.to_owned(),
        deduplication: stored.deduplication,
        md5_of_body: hex::encode(Md5::digest(stored.body.as_bytes())),
        body: stored.body,
        receipt,
        receive_count,
        sent_ms: stored.sent_ms,
        first_receive_ms,
    })
}

fn move_to_dead(
    transaction: &Transaction<'_>,
    group: &str,
    stored: Stored,
    now_ms: u64,
) -> rusqlite::Result<()> {
    tracing::warn!(
        group,
        message_id = stored.message_id,
        receive_count = stored.receive_count,
        "a message was received too often and moves to the dead-letter queue"
    );
    delete_message(transaction, stored.seq)?;
    dead::insert(
        transaction,
        &DeadLetter {
            place: 0,
            message_id: stored.message_id,
            group: group.to_owned(),
            deduplication: stored.deduplication,
            body: stored.body,
            sent_ms: stored.sent_ms,
            dead_ms: now_ms,
            receive_count: stored.receive_count,
        },
    )
}

fn delete_message(transaction: &Transaction<'_>, seq: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM messages WHERE seq = ?1")?.execute([seq]).map(|_| ())
}

/// Brings a group's row into line with its messages.
fn refresh_group(transaction: &Transaction<'_>, group: &str) -> rusqlite::Result<()> {
    let head_seq: Option<i64> = transaction
        .prepare_cached("SELECT min(seq) FROM messages WHERE group_id = ?1")?
        .query_row([group], |row| row.get(0))?;
    match head_seq {
        None => {
            transaction.prepare_cached("DELETE FROM groups WHERE group_id = ?1")?.execute([group])?;
        }
        Some(head_seq) => {
            transaction
                .prepare_cached(
                    "UPDATE groups SET head_seq = ?2, free_ms = coalesce(
                        (SELECT max(visible_ms) FROM messages
                         WHERE group_id = ?1 AND visible_ms > 0), 0)
                     WHERE group_id = ?1",
                )?
                .execute(params![group, head_seq])?;
        }
    }
    Ok(())
}

pub(super) fn settle(
    transaction: &Transaction<'_>,
    settlement: &Settlement,
    now_ms: u64,
) -> rusqlite::Result<Settled> {
    let (Settlement::Delete { receipt } | Settlement::Visibility { receipt, .. }) = settlement;
    let Some(seq) = receipt_seq(receipt) else {
        return Ok(Settled::Unknown);
    };
    let found = transaction
        .prepare_cached("SELECT group_id, receipt, visible_ms FROM messages WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((group, current, visible_ms)): Option<(String, Option<String>, u64)> = found else {
        return Ok(match settlement {
            Settlement::Delete { .. } => Settled::Done,
            Settlement::Visibility { .. } => Settled::NotInFlight,
        });
    };
    if current.as_ref() != Some(receipt) {
        return Ok(Settled::StaleReceipt);
    }
    match settlement {
        Settlement::Delete { .. } => delete_message(transaction, seq)?,
        Settlement::Visibility { .. } if visible_ms <= now_ms => return Ok(Settled::NotInFlight),
        Settlement::Visibility { timeout_ms, .. } => {
            let visible_ms = match (*timeout_ms).min(VISIBILITY_TIMEOUT_MS_MAX) {
                0 => 0,
                timeout_ms => now_ms.saturating_add(timeout_ms),
            };
            transaction
                .prepare_cached("UPDATE messages SET visible_ms = ?2 WHERE seq = ?1")?
                .execute(params![seq, visible_ms])?;
        }
    }
    refresh_group(transaction, &group)?;
    Ok(Settled::Done)
}

/// Reads the sequence number that a receipt begins with.
fn receipt_seq(receipt: &str) -> Option<i64> {
    let (seq, unique) = receipt.split_once(':')?;
    Uuid::parse_str(unique).ok()?;
    seq.parse().ok()
}

pub(super) fn release_in_flight(
    transaction: &Transaction<'_>,
    interrupted: InterruptedReceives,
    now_ms: u64,
) -> rusqlite::Result<u64> {
    let taken_back = match interrupted {
        InterruptedReceives::Count => 0,
        InterruptedReceives::TakeBack => 1,
    };
    // `visible_ms > 0` is implied, and names the partial indexes.
    let released = transaction.execute(
        "UPDATE messages SET visible_ms = 0, receipt = NULL, receive_count = receive_count - ?2
         WHERE visible_ms > 0 AND visible_ms > ?1",
        params![now_ms, taken_back],
    )?;
    transaction
        .execute("UPDATE groups SET free_ms = 0 WHERE free_ms > 0 AND free_ms > ?1", params![now_ms])?;
    Ok(released as u64)
}

pub(super) fn counts(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<Counts> {
    let count = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, u64>(0));
    let all = count("SELECT count(*) FROM messages")?;
    let in_flight = transaction.query_row(
        "SELECT count(*) FROM messages WHERE visible_ms > 0 AND visible_ms > ?1",
        [now_ms],
        |row| row.get::<_, u64>(0),
    )?;
    let oldest_ms: Option<u64> =
        transaction.query_row("SELECT min(sent_ms) FROM messages", [], |row| row.get(0))?;
    Ok(Counts {
        visible: all.saturating_sub(in_flight),
        in_flight,
        bytes: count("SELECT coalesce(sum(octet_length(body)), 0) FROM messages")?,
        oldest_age_ms: oldest_ms.map_or(0, |oldest_ms| now_ms.saturating_sub(oldest_ms)),
        dead: count("SELECT count(*) FROM dead")?,
    })
}

/// Writes a `SequenceNumber`: 20 digits, so that text order is number order.
fn sequence_number(seq: i64) -> String {
    format!("{seq:020}")
}
