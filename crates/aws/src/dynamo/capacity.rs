//! What calls consume, as the table itself reports it: every request asks for it, and every answer
//! is added up.
//!
//! Deliberately absent: a model of DynamoDB's rounding. Whoever wants to know what a change costs
//! asks the engine, which rounds as DynamoDB does.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};

/// What calls consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Consumed {
    /// Read request units: one for a strongly consistent read of up to 4 KB, half of one otherwise.
    pub read_units: f64,
    /// Write request units: one for each KB begun of an item.
    pub write_units: f64,
    /// Requests that were answered.
    pub calls: u64,
}

/// Adds up what the calls of one adapter consume. A write whose condition doesn't hold is answered
/// by an error, which reports nothing: it isn't in the sum.
#[derive(Debug, Default)]
pub struct Meter {
    sum: Mutex<Consumed>,
}

impl Meter {
    /// Gives the sum since the last time, and begins anew.
    pub fn take(&self) -> Consumed {
        std::mem::take(&mut self.sum.lock().expect("no panic while the sum is locked"))
    }

    fn add(&self, more: Consumed) {
        let mut sum = self.sum.lock().expect("no panic while the sum is locked");
        sum.read_units += more.read_units;
        sum.write_units += more.write_units;
        sum.calls += more.calls;
    }
}

/// Asks for the consumed capacity in every request and adds up what the answers say.
#[derive(Debug)]
pub(super) struct Metering(pub(super) Arc<Meter>);

/// Asks, if the input is one of these.
macro_rules! ask {
    ($input:expr, $($kind:ty),+) => {
        $(if let Some(input) = $input.downcast_mut::<$kind>() {
            input.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
        })+
    };
}

/// Reads, if the output is one of these.
macro_rules! units_of {
    ($output:expr, $($kind:ty),+) => {
        None$(.or_else(|| {
            let output = $output.downcast_ref::<$kind>()?;
            Some(output.consumed_capacity.iter().map(units).sum::<f64>())
        }))+
    };
}

trait Units {
    fn units(&self) -> f64;
}

impl Units for ConsumedCapacity {
    fn units(&self) -> f64 {
        self.capacity_units.unwrap_or_default()
    }
}

impl Units for Vec<ConsumedCapacity> {
    fn units(&self) -> f64 {
        self.iter().map(Units::units).sum()
    }
}

fn units(capacity: &impl Units) -> f64 {
    capacity.units()
}

impl Intercept for Metering {
    fn name(&self) -> &'static str {
        "Metering"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut();
        ask!(input, GetItemInput, QueryInput, BatchGetItemInput, PutItemInput, UpdateItemInput);
        ask!(input, DeleteItemInput, BatchWriteItemInput, TransactWriteItemsInput);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else { return Ok(()) };
        let read_units: Option<f64> = units_of!(output, GetItemOutput, QueryOutput, BatchGetItemOutput);
        let write_units: Option<f64> = units_of!(
            output,
            PutItemOutput,
            UpdateItemOutput,
            DeleteItemOutput,
            BatchWriteItemOutput,
            TransactWriteItemsOutput
        );
        self.0.add(Consumed {
            read_units: read_units.unwrap_or_default(),
            write_units: write_units.unwrap_or_default(),
            calls: 1,
        });
        Ok(())
    }
}
