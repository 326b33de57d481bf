//! The HTTP API's records: what goes over the wire as JSON. One definition serves the handlers,
//! the command line and the OpenAPI document.
//!
//! Hashes and keys are lower-case hexadecimal; bytes are base64 with padding; times are
//! milliseconds since the Unix epoch.

mod accounts;
mod events;
mod kennels;
mod market;
mod moderation;
mod pets;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use accounts::*;
pub use events::*;
pub use kennels::*;
pub use market::*;
pub use moderation::*;
pub use pets::*;

/// A problem document of RFC 9457 (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable relative reference that names the problem, such as `/problems/weak-stamp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request, naming the limit.
    pub detail: String,
    /// The request's field that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Seconds after which the same request may be tried again, if waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}
