//! Production adapters for the ports of `pitpet-pipeline`: DynamoDB, SQS FIFO, folder and S3; and
//! what else the functions need of AWS: keys, logs, metrics, redelivery.
//!
//! The only crate that names the AWS SDKs: their types and errors stop here. The local process
//! uses the same table adapter over an embedded engine.
//!
//! Deliberately absent: rules of the chain, reading the environment anywhere but in
//! [`settings`] and [`environment`], and a second layer of retries: the SDKs' own are switched off, because only
//! [`attempts`] knows which calls may be repeated.

pub mod attempts;
pub mod clock;
pub mod dead_letters;
pub mod dynamo;
pub mod environment;
mod failure;
pub mod gateway;
pub mod logs;
pub mod metrics;
pub mod objects;
pub mod redelivery;
mod secrets;
pub mod settings;
pub mod sqs;

pub use clock::SystemClock;
pub use dead_letters::DeadLetterQueue;
pub use dynamo::DynamoTable;
pub use objects::FolderObjects;
pub use objects::S3Objects;
pub use redelivery::{Receipts, Redelivery};
pub use settings::{EMBEDDED_CALLS_MAX, Settings};
pub use sqs::SqsQueue;
