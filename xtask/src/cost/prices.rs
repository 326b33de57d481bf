//! What AWS asks: the one place with amounts of money.
//!
//! US East (N. Virginia), on demand, free tier excluded, as published in November 2025 (DynamoDB's
//! since its reduction of November 2024). Other regions ask up to a third more. Compare with the
//! pages named here before you rely on a sum.

/// A million write request units. <https://aws.amazon.com/dynamodb/pricing/on-demand/>
pub(super) const WRITE_UNITS: f64 = 0.625;
/// A million read request units.
pub(super) const READ_UNITS: f64 = 0.125;
/// A GB in the table for a month, with its point-in-time recovery.
pub(super) const TABLE_GB_MONTH: f64 = 0.25 + 0.20;

/// A million requests to a FIFO queue, of up to 64 KB each. <https://aws.amazon.com/sqs/pricing/>
pub(super) const QUEUE_REQUESTS: f64 = 0.50;

/// A million invocations. <https://aws.amazon.com/lambda/pricing/>
pub(super) const INVOCATIONS: f64 = 0.20;
/// A GB-second on arm64.
pub(super) const GB_SECOND: f64 = 0.000_013_333_4;

/// A million requests to an HTTP API, of up to 512 KB each. <https://aws.amazon.com/api-gateway/pricing/>
pub(super) const API_REQUESTS: f64 = 1.00;

/// A million PUT or LIST requests to a bucket. <https://aws.amazon.com/s3/pricing/>
pub(super) const BUCKET_WRITES: f64 = 5.00;
/// A million GET requests.
pub(super) const BUCKET_READS: f64 = 0.40;

/// A GB of logs taken in. <https://aws.amazon.com/cloudwatch/pricing/>
pub(super) const LOG_GB: f64 = 0.50;

/// A million HTTPS requests to CloudFront, in North America and Europe. <https://aws.amazon.com/cloudfront/pricing/>
pub(super) const EDGE_REQUESTS: f64 = 1.00;
