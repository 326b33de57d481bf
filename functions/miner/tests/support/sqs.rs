//! SQS events as Lambda sends them, around messages of a test.

#![allow(unreachable_pub, dead_code)]

use pitpet_pipeline::ports::OutgoingMessage;
use serde_json::{Value, json};

/// An event with these messages; the n-th has the id `m0`, `m1`, …
pub fn event(messages: &[OutgoingMessage]) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../events/sqs-fifo.json")).expect("a recorded event");
    let record = event["Records"][0].clone();
    let records = messages.iter().enumerate().map(|(number, message)| {
        let mut record = record.clone();
        record["messageId"] = json!(format!("m{number}"));
        record["receiptHandle"] = json!(format!("receipt of m{number}"));
        record["body"] = json!(message.body);
        record["attributes"]["MessageGroupId"] = json!(message.group);
        record["attributes"]["MessageDeduplicationId"] = json!(message.deduplication);
        record
    });
    event["Records"] = records.collect();
    event
}
