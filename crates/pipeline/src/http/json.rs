//! JSON that a client sent, and what it is told of what can't be read.

use serde::de::DeserializeOwned;

use crate::api::Problem;
use crate::problem::{bad_field, problem};

/// Lists and records within each other in a request, at most: `serde_json`'s own limit.
const DEPTH_MAX: u32 = 128;
/// Reads JSON that a client sent.
///
/// # Errors
/// `not-json` for what is none, `bad-request` with the field for JSON of another form.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // All of it is read before any field is looked at: what is broken is no JSON, wherever.
    shaped(serde_json::from_slice(body).map_err(|error| not_json(&error))?)
}

/// Reads a record out of JSON.
pub(super) fn shaped<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| misshapen(&error))
}

fn not_json(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    // The only word of it that the error gives.
    let detail = if error.to_string().starts_with("recursion limit exceeded") {
        format!("The body nests lists and records deeper than {DEPTH_MAX}.")
    } else if error.is_eof() {
        "The body ends before its JSON does.".to_owned()
    } else {
        format!("The body is no JSON from line {line}, column {column} on.")
    };
    problem(400, "not-json", "The body can't be read", detail, Some("body"))
}

/// What a client is told of JSON of another form: the field, in words of the API. The reader's own
/// name the types of this program.
fn misshapen(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let said = error.inner().to_string();
    let named = |of: &str| Some(said.strip_prefix(of)?.split('`').nth(1)?.to_owned());
    let place = error.path().iter().next().is_some().then(|| error.path().to_string());
    let within = |name: &str| match place.as_deref() {
        Some(place) if place != name && !place.ends_with(&format!(".{name}")) => format!("{place}.{name}"),
        _ => name.to_owned(),
    };
    let (field, what) = if let Some(name) = named("missing field ") {
        (within(&name), "is missing")
    } else if let Some(name) = named("unknown field ") {
        (within(&name), "is not known here")
    } else if let Some(name) = named("duplicate field ") {
        (within(&name), "is there twice")
    } else {
        (place.unwrap_or_else(|| "body".to_owned()), "has another form than it must have")
    };
    let detail = format!("{field} {what}; GET /v1/openapi.json describes every request.");
    bad_field(&field, detail)
}
