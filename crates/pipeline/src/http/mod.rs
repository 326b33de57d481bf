//! The HTTP API without a server: requests in, responses out. API Gateway's events and the local
//! front are turned into these records, so that both serve the same routes.

mod json;
mod reads;
mod routes;
mod writes;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::*;
use crate::problem::{bad_field, not_found, problem};
use crate::query::PAGE_MAX;

pub use json::read_json;
pub use reads::{orders_asked, query};
pub use routes::{Answer, Parameter, ROUTES, Route, Takes, UPLOAD};
pub use writes::ingest;

/// A request body's size, at most: 25 events of 1 KiB with bodies of 8 KiB are 230 KiB; as base64
/// in JSON 310 KiB.
pub const REQUEST_BYTES_MAX: usize = 512 * 1024;

/// Entries of a page, unless asked otherwise.
const PAGE: u32 = 30;
/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path, percent-decoded, without the query string.
    pub path: String,
    /// Query parameters, decoded.
    pub query: BTreeMap<String, String>,
    /// The `content-type` header.
    pub content_type: Option<String>,
    /// The `accept-language` header.
    pub accept_language: Option<String>,
    /// The `host` header: what the sender says this server is called.
    pub host: Option<String>,
    /// Body.
    pub body: Vec<u8>,
    /// Who sent it: the other end of the connection, never what a header claims.
    pub source: Option<IpAddr>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<&'static str, String>,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// A response with a content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = BTreeMap::from([
            ("content-type", content_type.to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            // Whatever a browser makes of an answer: nothing in it runs, loads or is framed.
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ]);
        Self { status, headers, body: body.into() }
    }

    /// A JSON response.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the API's records are JSON");
        Self::new(status, "application/json", body)
    }

    /// Marks content that never changes under its address.
    #[must_use]
    pub fn immutable(mut self) -> Self {
        self.headers.insert("cache-control", "public, max-age=31536000, immutable".to_owned());
        self
    }
}

impl From<Problem> for HttpResponse {
    fn from(problem: Problem) -> Self {
        let mut response = Self::json(problem.status, &problem);
        response.headers.insert("content-type", "application/problem+json".to_owned());
        if let Some(seconds) = problem.retry_after_s {
            response.headers.insert("retry-after", seconds.to_string());
        }
        response
    }
}

impl HttpRequest {
    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, Problem> {
        match self.parameter(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|_| bad_field(name, format!("{name} must be a whole number.")))
            }
        }
    }

    fn limit(&self) -> Result<u32, Problem> {
        let limit = self.number("limit", PAGE)?;
        if (1..=PAGE_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(bad_field("limit", format!("limit must be 1 to {PAGE_MAX}.")))
        }
    }

    /// Checks type and size of the body and reads it as JSON.
    fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let media_type = self.content_type.as_deref().and_then(|value| value.split(';').next());
        if !media_type.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json")) {
            let detail = "Send the body as application/json.";
            return Err(problem(
                415,
                "content-type",
                "Unsupported content type",
                detail,
                Some("content-type"),
            ));
        }
        if self.body.len() > REQUEST_BYTES_MAX {
            let detail = format!("A request has at most {REQUEST_BYTES_MAX} bytes.");
            return Err(problem(413, "request-too-large", "The request is too large", detail, Some("body")));
        }
        read_json(&self.body)
    }
}
/// The answer to a path or method that isn't served.
pub fn no_route(request: &HttpRequest) -> HttpResponse {
    let path: Vec<&str> = request.path.split('/').collect();
    let fits = |route: &&Route| {
        let template: Vec<&str> = route.path.split('/').collect();
        template.len() == path.len()
            && template
                .iter()
                .zip(&path)
                .all(|(want, have)| want == have || want.starts_with('{') && !have.is_empty())
    };
    let methods: Vec<&str> = ROUTES.iter().filter(fits).map(|route| route.method).collect();
    if methods.is_empty() {
        return not_found("such path; GET /v1/openapi.json lists those there are", "path").into();
    }
    let detail = format!("This path takes {}.", methods.join(", "));
    let mut response: HttpResponse =
        problem(405, "method-not-allowed", "Method not allowed", detail, Some("method")).into();
    response.headers.insert("allow", methods.join(", "));
    response
}

/// What a request is about, in every line that is logged while it is served: most paths name a
/// kennel or an event.
pub fn span(request: &HttpRequest) -> tracing::Span {
    tracing::error_span!("request", path = request.path, kennel = request.parameter("kennel"))
}
