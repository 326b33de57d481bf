//! The two ways to publish a batch.
//!
//! Both write the same items: a batch is cut into *waves*, within which no key occurs twice,
//! because neither `BatchWriteItem` nor `TransactWriteItems` takes one twice, and several
//! guarded updates of one item must meet each other in their order. Immutable items go in the
//! first wave, so a reader that sees a guarded item finds what it points to.
//!
//! Deliberately absent: atomicity of the batch. Whoever finds a publication unfinished writes
//! it again.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput};
use aws_sdk_dynamodb::types::{CancellationReason, Put, PutRequest, TransactWriteItem, WriteRequest};
use futures::stream::{self, StreamExt, TryStreamExt};
use pitpet_pipeline::ports::{PublishBatch, TableError};

use super::DynamoTable;
use super::convert::{RawItem, raw_item, weight};
use super::expressions::{self, UpdateExpressions};
use crate::attempts::Repeat;
use crate::failure::{Failure, is_throttling};

/// Items that one `BatchWriteItem` takes: DynamoDB's limit. 25 × 400 KB = 10 MB, below its 16 MB.
const BATCH_ITEMS_MAX: usize = 25;
/// `BatchWriteItem` calls at a time.
const BATCHES_AT_ONCE: usize = 4;
/// Conditional writes at a time.
const UPDATES_AT_ONCE: usize = 16;
/// Actions that one transaction takes: DynamoDB's limit.
const TRANSACTION_ACTIONS_MAX: usize = 100;
/// Weight of one transaction, bytes: three quarters of DynamoDB's 4 MB, because an update also
/// counts for what its item already holds.
const TRANSACTION_BYTES_MAX: usize = 3_000_000;

/// Writes of which no two are of one item.
#[derive(Default)]
struct Wave {
    puts: Vec<(RawItem, usize)>,
    updates: Vec<(UpdateExpressions, usize)>,
}

/// Cuts a batch into waves.
fn waves(batch: &PublishBatch) -> Result<Vec<Wave>, TableError> {
    let mut first = Wave::default();
    let mut next_wave = HashMap::new();
    let mut put = HashSet::new();
    // Immutable items with one key are equal by contract; the last stands for all.
    for item in batch.immutable.iter().rev() {
        if put.insert(&item.key) {
            first.puts.push((raw_item(item)?, weight(&item.key, &item.attributes)));
            next_wave.insert(&item.key, 1);
        }
    }
    first.puts.reverse();
    let mut waves = vec![first];
    for update in &batch.guarded {
        let wave: &mut usize = next_wave.entry(&update.key).or_default();
        if *wave == waves.len() {
            waves.push(Wave::default());
        }
        waves[*wave].updates.push((expressions::of(update)?, weight(&update.key, &update.set)));
        *wave += 1;
    }
    Ok(waves)
}

/// Publishes by `BatchWriteItem` and single conditional writes.
pub(super) async fn side_by_side(table: &DynamoTable, batch: &PublishBatch) -> Result<(), TableError> {
    for wave in waves(batch)? {
        let mut items = wave.puts.into_iter().map(|(item, _)| item).peekable();
        let mut batches = Vec::new();
        while items.peek().is_some() {
            batches.push(put_batch(table, items.by_ref().take(BATCH_ITEMS_MAX).collect()));
        }
        stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect::<()>().await?;

        let updates: Vec<_> =
            wave.updates.into_iter().map(|(update, _)| apply_guarded(table, update)).collect();
        stream::iter(updates).buffer_unordered(UPDATES_AT_ONCE).try_collect::<()>().await?;
    }
    Ok(())
}

/// Applies one guarded update, or skips it.
async fn apply_guarded(table: &DynamoTable, update: UpdateExpressions) -> Result<(), TableError> {
    match table.run(Repeat::Harmless, || table.update_once(update.clone())).await {
        // Somebody has published something newer, or an earlier attempt of this very call did.
        Ok(()) | Err(Failure::Condition) => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

/// Puts at most [`BATCH_ITEMS_MAX`] items, sending again what DynamoDB leaves unprocessed.
async fn put_batch(table: &DynamoTable, items: Vec<RawItem>) -> Result<(), TableError> {
    let mut left = Vec::with_capacity(items.len());
    for item in items {
        let put = PutRequest::builder().set_item(Some(item)).build();
        let put = put.map_err(|missing| Failure::Refused(missing.to_string()))?;
        left.push(WriteRequest::builder().put_request(put).build());
    }
    let mut fruitless = 0;
    while !left.is_empty() {
        let sent = left.len();
        let answer = table
            .run(Repeat::Harmless, async || {
                table
                    .client
                    .batch_write_item()
                    .request_items(&table.name, left.clone())
                    .send()
                    .await
                    .map_err(Failure::of)
            })
            .await?;
        left = answer
            .unprocessed_items
            .and_then(|mut by_table| by_table.remove(&table.name))
            .unwrap_or_default();
        fruitless = if left.len() < sent { 0 } else { fruitless + 1 };
        if fruitless >= table.attempts.count_max {
            return Err(TableError::Throttled);
        }
        if !left.is_empty() {
            table.attempts.wait(fruitless + 1).await;
        }
    }
    Ok(())
}

/// Publishes by transactions, one after the other: the engine runs no two at a time.
pub(super) async fn in_transactions(table: &DynamoTable, batch: &PublishBatch) -> Result<(), TableError> {
    for wave in waves(batch)? {
        let mut actions = Vec::new();
        let mut bytes = 0;
        for (item, weight) in wave.puts {
            make_room(table, &mut actions, &mut bytes, weight).await?;
            actions.push(put_action(table, item)?);
        }
        for (update, weight) in wave.updates {
            // A transaction takes no update without an expression.
            if update.update.is_none() {
                apply_guarded(table, update).await?;
                continue;
            }
            make_room(table, &mut actions, &mut bytes, weight).await?;
            actions.push(update_action(table, update)?);
        }
        transact(table, actions).await?;
    }
    Ok(())
}

/// Sends what has been gathered if another action of this weight would not fit.
async fn make_room(
    table: &DynamoTable,
    actions: &mut Vec<TransactWriteItem>,
    bytes: &mut usize,
    weight: usize,
) -> Result<(), TableError> {
    if actions.len() == TRANSACTION_ACTIONS_MAX || *bytes + weight > TRANSACTION_BYTES_MAX {
        transact(table, std::mem::take(actions)).await?;
        *bytes = 0;
    }
    *bytes += weight;
    Ok(())
}

fn put_action(table: &DynamoTable, item: RawItem) -> Result<TransactWriteItem, Failure> {
    let put = Put::builder().table_name(&table.name).set_item(Some(item)).build();
    let put = put.map_err(|missing| Failure::Refused(missing.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn update_action(table: &DynamoTable, update: UpdateExpressions) -> Result<TransactWriteItem, Failure> {
    let update = aws_sdk_dynamodb::types::Update::builder()
        .table_name(&table.name)
        .set_key(Some(update.key))
        .set_update_expression(update.update)
        .condition_expression(update.condition)
        .set_expression_attribute_names(Some(update.names))
        .set_expression_attribute_values(update.values)
        .build()
        .map_err(|missing| Failure::Refused(missing.to_string()))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// Runs a transaction, dropping actions whose condition doesn't hold until the rest goes through.
///
/// Each round drops at least one action, so there are at most as many rounds as actions; in
/// practice two, because a cancelled transaction names all that failed.
async fn transact(table: &DynamoTable, mut actions: Vec<TransactWriteItem>) -> Result<(), TableError> {
    while !actions.is_empty() {
        let unmet = table.run(Repeat::Harmless, || transact_once(table, actions.clone())).await?;
        if unmet.is_empty() {
            return Ok(());
        }
        let mut index = 0;
        actions.retain(|_| {
            index += 1;
            !unmet.contains(&(index - 1))
        });
    }
    Ok(())
}

/// Runs a transaction once. The answer names the actions whose condition didn't hold, by index;
/// if there are any, nothing was written.
async fn transact_once(
    table: &DynamoTable,
    actions: Vec<TransactWriteItem>,
) -> Result<HashSet<usize>, Failure> {
    let answer = table
        .client
        .transact_write_items()
        .set_transact_items(Some(actions))
        .customize()
        .interceptor(WithoutToken)
        .send()
        .await;
    let error = match answer {
        Ok(_) => return Ok(HashSet::new()),
        Err(error) => error,
    };
    if let SdkError::ServiceError(service) = &error
        && let TransactWriteItemsError::TransactionCanceledException(cancelled) = service.err()
    {
        return unmet_conditions(cancelled.cancellation_reasons());
    }
    Err(Failure::of(error))
}

/// Reads why a transaction was cancelled.
fn unmet_conditions(reasons: &[CancellationReason]) -> Result<HashSet<usize>, Failure> {
    let mut unmet = HashSet::new();
    let mut throttled = false;
    for (index, reason) in reasons.iter().enumerate() {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" => {
                unmet.insert(index);
            }
            code if is_throttling(code) => throttled = true,
            code => {
                let message = reason.message().unwrap_or("no message");
                return Err(Failure::Refused(format!("{code} for action {index}: {message}")));
            }
        }
    }
    match (unmet.is_empty(), throttled) {
        (false, _) => Ok(unmet),
        (true, true) => Err(Failure::Throttled),
        (true, false) => Err(Failure::Refused("the transaction was cancelled without a reason".into())),
    }
}

/// Takes the idempotency token out that the SDK puts into every transaction.
///
/// Publishing is safe to repeat without it, and the embedded engine keeps each token for ten
/// minutes and walks all of them on each call: at 100 transactions a second that is 60,000.
#[derive(Debug)]
struct WithoutToken;

impl Intercept for WithoutToken {
    fn name(&self) -> &'static str {
        "WithoutToken"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(input) = context.input_mut().downcast_mut::<TransactWriteItemsInput>() {
            input.client_request_token = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pitpet_pipeline::ports::{Attributes, Condition, Item, Key, Retry, Update};

    use super::*;

    fn guarded(sk: &str, height: u64) -> Update {
        Update {
            key: Key::new("p", sk),
            set: Attributes::new(),
            remove: Vec::new(),
            condition: Condition::Below("height", height),
            retry: Retry::Allowed,
        }
    }

    #[test]
    fn no_wave_holds_a_key_twice() {
        let item = |sk| Item { key: Key::new("p", sk), attributes: Attributes::new() };
        let batch = PublishBatch {
            immutable: vec![item("a"), item("b"), item("a")],
            guarded: vec![guarded("c", 1), guarded("c", 2), guarded("a", 1), guarded("d", 1)],
        };
        let sizes: Vec<_> =
            waves(&batch).unwrap().iter().map(|wave| (wave.puts.len(), wave.updates.len())).collect();
        assert_eq!(sizes, [(2, 2), (0, 2)]);
    }

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn cancellation_reasons_are_told_apart() {
        let unmet = unmet_conditions(&reasons(&["None", "ConditionalCheckFailed", "TransactionConflict"]));
        assert_eq!(unmet.unwrap(), HashSet::from([1]));
        let conflict = unmet_conditions(&reasons(&["None", "TransactionConflict"]));
        assert!(matches!(conflict, Err(Failure::Throttled)));
        let invalid = unmet_conditions(&reasons(&["ConditionalCheckFailed", "ValidationError"]));
        assert!(matches!(invalid, Err(Failure::Refused(_))));
    }
}
