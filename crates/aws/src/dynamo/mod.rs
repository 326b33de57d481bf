//! The table on DynamoDB, or on an engine that speaks its protocol.
//!
//! One table, keyed by `pk` and `sk`, both text. Deliberately absent: secondary indexes, scans
//! and increments. See [`publish`] for the two ways to publish.

mod capacity;
mod convert;
mod create;
mod expressions;
mod publish;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use pitpet_pipeline::ports::{
    Attributes, Consistency, Item, Key, Order, PublishBatch, Query, Retry, Table, TableError, Update,
};
use tokio::sync::Semaphore;

use crate::attempts::{Attempts, Repeat};
use crate::failure::Failure;
use crate::settings::{PublishMode, Settings, SettingsError};
pub use capacity::{Consumed, Meter};
use convert::{PK, RawItem, attributes, check_partition, raw_item, raw_key, refused, take_key};

/// Keys that one `BatchGetItem` takes: DynamoDB's limit, and the port's.
const GET_MANY_KEYS_MAX: usize = 100;
/// Items that one query may ask for, by the port.
const QUERY_ITEMS_MAX: u32 = 1_000;

/// The table adapter. Clones share one client and its connections.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    client: Client,
    name: String,
    attempts: Attempts,
    /// Free for calls at this moment.
    places: Arc<Semaphore>,
    publish: PublishMode,
}

impl DynamoTable {
    /// Makes an adapter for the table `name`; connects when first used.
    ///
    /// # Errors
    /// [`SettingsError`] if the settings can't be used.
    pub fn new(settings: &Settings, name: impl Into<String>) -> Result<Self, SettingsError> {
        Ok(Self {
            client: settings.dynamodb()?,
            name: name.into(),
            attempts: settings.attempts,
            places: Arc::new(Semaphore::new(settings.calls_max)),
            publish: settings.publish,
        })
    }

    /// Makes an adapter that also adds up what its calls consume.
    ///
    /// # Errors
    /// As [`DynamoTable::new`].
    pub fn metered(
        settings: &Settings,
        name: impl Into<String>,
        meter: Arc<Meter>,
    ) -> Result<Self, SettingsError> {
        let plain = Self::new(settings, name)?;
        let config = plain.client.config().to_builder().interceptor(capacity::Metering(meter));
        Ok(Self { client: Client::from_conf(config.build()), ..plain })
    }

    /// Makes the table if it isn't there: what deployment does in the cloud.
    ///
    /// # Errors
    /// As of any call; an existing table is none.
    pub async fn create(&self) -> Result<(), TableError> {
        create::table(&self.client, &self.name, &self.attempts).await
    }

    /// Makes a call as [`Attempts::run`] does, each attempt when there is a place for it.
    async fn run<T, F>(&self, repeat: Repeat, mut call: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let in_turn = || {
            let called = call();
            async {
                let _place = self.places.acquire().await.expect("the semaphore is never closed");
                called.await
            }
        };
        self.attempts.run(repeat, in_turn).await
    }

    async fn update_once(&self, update: expressions::UpdateExpressions) -> Result<(), Failure> {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(update.key))
            .set_update_expression(update.update)
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(update.values)
            .send()
            .await
            .map(drop)
            .map_err(Failure::of)
    }

    /// Reads what of `wanted` DynamoDB is willing to give in one call, and what it left.
    async fn get_batch(&self, wanted: Vec<RawItem>) -> Result<(Vec<RawItem>, Vec<RawItem>), Failure> {
        let request = KeysAndAttributes::builder()
            .set_keys(Some(wanted))
            .consistent_read(false)
            .build()
            .map_err(|missing| Failure::Refused(missing.to_string()))?;
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.name, request)
            .send()
            .await
            .map_err(Failure::of)?;
        let found = answer.responses.and_then(|mut by_table| by_table.remove(&self.name)).unwrap_or_default();
        let left = answer
            .unprocessed_keys
            .and_then(|mut by_table| by_table.remove(&self.name))
            .map(|keys| keys.keys)
            .unwrap_or_default();
        Ok((found, left))
    }

    async fn query_page(&self, query: &Query, limit: u32, start: Option<RawItem>) -> Result<Page, Failure> {
        // An empty text is no key value, and so no bound either.
        let lower = (!query.from.is_empty()).then(|| AttributeValue::S(query.from.clone()));
        let condition =
            if lower.is_some() { "pk = :pk AND sk BETWEEN :from AND :to" } else { "pk = :pk AND sk <= :to" };
        let mut values = HashMap::from([
            (":pk".to_owned(), AttributeValue::S(query.pk.clone())),
            (":to".to_owned(), AttributeValue::S(query.to.clone())),
        ]);
        if let Some(lower) = lower {
            values.insert(":from".to_owned(), lower);
        }
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(query.order == Order::Ascending)
            .consistent_read(query.consistency == Consistency::Strong)
            .limit(limit.try_into().unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(Failure::of)?;
        Ok(Page { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }
}

/// One page of a query's answer.
struct Page {
    items: Vec<RawItem>,
    next: Option<RawItem>,
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        let key = raw_key(key)?;
        let answer = self
            .run(Repeat::Harmless, async || {
                self.client
                    .get_item()
                    .table_name(&self.name)
                    .set_key(Some(key.clone()))
                    .consistent_read(consistency == Consistency::Strong)
                    .send()
                    .await
                    .map_err(Failure::of)
            })
            .await?;
        let Some(mut raw) = answer.item else { return Ok(None) };
        take_key(&mut raw)?;
        Ok(Some(attributes(raw)?))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        if keys.len() > GET_MANY_KEYS_MAX {
            return Err(refused(format!("{} keys, more than {GET_MANY_KEYS_MAX}", keys.len())));
        }
        // DynamoDB refuses a key that is asked for twice.
        let mut wanted = HashMap::with_capacity(keys.len());
        for key in keys {
            wanted.insert(key.clone(), raw_key(key)?);
        }
        let mut left: Vec<RawItem> = wanted.into_values().collect();
        let mut found = HashMap::with_capacity(keys.len());
        let mut fruitless = 0;
        while !left.is_empty() {
            let asked = left.len();
            let (items, unprocessed) = self.run(Repeat::Harmless, || self.get_batch(left.clone())).await?;
            for mut raw in items {
                let key = take_key(&mut raw)?;
                found.insert(key, attributes(raw)?);
            }
            left = unprocessed;
            // Leaving keys because the answer would pass 16 MB is progress; leaving all is throttling.
            fruitless = if left.len() < asked { 0 } else { fruitless + 1 };
            if fruitless >= self.attempts.count_max {
                return Err(TableError::Throttled);
            }
            if !left.is_empty() {
                self.attempts.wait(fruitless + 1).await;
            }
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        if query.limit == 0 || query.limit > QUERY_ITEMS_MAX {
            return Err(refused(format!("limit is {}, not 1 to {QUERY_ITEMS_MAX}", query.limit)));
        }
        check_partition(&query.pk)?;
        // DynamoDB refuses bounds in the wrong order; to the port that is an empty range.
        if query.from > query.to || query.to.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let limit = query.limit - u32::try_from(found.len()).unwrap_or(query.limit);
            let page = self.run(Repeat::Harmless, || self.query_page(query, limit, start.clone())).await?;
            for mut raw in page.items.into_iter().take(limit as usize) {
                let key = take_key(&mut raw)?;
                found.push(Item { key, attributes: attributes(raw)? });
            }
            // A page also ends at 1 MB, so a short one isn't the last.
            if found.len() >= query.limit as usize || page.next.is_none() {
                return Ok(found);
            }
            start = page.next;
        }
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        let raw = raw_item(item)?;
        // After an unknown outcome a second attempt could meet the first one's item.
        self.run(Repeat::IfNotExecuted, async || {
            self.client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(raw.clone()))
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK)
                .send()
                .await
                .map(drop)
                .map_err(Failure::of)
        })
        .await?;
        Ok(())
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        let written = expressions::of(update)?;
        let repeat = match update.retry {
            Retry::Never => Repeat::Never,
            Retry::Allowed => Repeat::Harmless,
        };
        Ok(self.run(repeat, || self.update_once(written.clone())).await?)
    }

    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError> {
        match self.publish {
            PublishMode::Cloud => publish::side_by_side(self, batch).await,
            PublishMode::Embedded => publish::in_transactions(self, batch).await,
        }
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        let key = raw_key(key)?;
        self.run(Repeat::Harmless, async || {
            self.client
                .delete_item()
                .table_name(&self.name)
                .set_key(Some(key.clone()))
                .send()
                .await
                .map(drop)
                .map_err(Failure::of)
        })
        .await?;
        Ok(())
    }
}
