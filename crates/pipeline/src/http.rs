//! The HTTP API without a server: requests in, responses out. API Gateway's events and the local
//! front are turned into these records, so that both serve the same routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures::future::BoxFuture;
use pitpet_chain::hash::EventId;
use pitpet_chain::state::Side;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use crate::api::*;
use crate::ingest::Ingest;
use crate::problem::{bad_field, not_found, problem};
use crate::query::{OrderFilter, OrderSort, PAGE_MAX, Queries, WithProof};
use crate::rate_limit::{Counting, Subject};

/// A request body's size, at most: 25 events of 1 KiB with bodies of 8 KiB are 230 KiB; as base64
/// in JSON 310 KiB.
pub const REQUEST_BYTES_MAX: usize = 512 * 1024;

/// Entries of a page, unless asked otherwise.
const PAGE: u32 = 30;

/// Lists and records within each other in a request, at most: `serde_json`'s own limit.
const DEPTH_MAX: u32 = 128;

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

/// Reads JSON that a client sent.
///
/// # Errors
/// `not-json` for what is none, `bad-request` with the field for JSON of another form.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // All of it is read before any field is looked at: what is broken is no JSON, wherever.
    shaped(serde_json::from_slice(body).map_err(|error| not_json(&error))?)
}

/// Reads a record out of JSON.
fn shaped<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
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

/// What a route answers with, for the OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JSON of the named schema.
    Json(&'static str),
    /// Another media type.
    Other(&'static str),
}

/// What a query parameter takes, for the OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Any text that the description says.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`; without it this.
    Flag(bool),
    /// A whole number from 0.
    Number,
    /// A whole number from 1 to `max`; without it `default`.
    Within {
        /// The highest.
        max: u32,
        /// What it is unless asked otherwise.
        default: u32,
    },
}

/// A query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it takes.
    pub takes: Takes,
}

const fn parameter(name: &'static str, takes: Takes, description: &'static str) -> Parameter {
    Parameter { name, description, takes }
}

/// A route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Method.
    pub method: &'static str,
    /// Path template.
    pub path: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Query parameters.
    pub parameters: &'static [Parameter],
    /// Schema of the request body.
    pub request: Option<&'static str>,
    /// Status and content of the answer.
    pub answer: (u16, Answer),
}

const CURSOR: Parameter = parameter("cursor", Takes::Text, "Where the page before ended.");

const LIMIT: Parameter =
    parameter("limit", Takes::Within { max: PAGE_MAX, default: PAGE }, "Entries of the page.");

const PAGING: &[Parameter] = &[CURSOR, LIMIT];

const KENNEL: Parameter =
    parameter("kennel", Takes::Text, "Only this kennel, by id or label; else the 16 newest are merged.");

const OF_A_KENNEL: &[Parameter] = &[KENNEL, CURSOR, LIMIT];

/// All routes of the API: the handlers serve exactly these, the OpenAPI document lists them.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/events",
        summary: "Submit one event, or up to 25",
        parameters: &[],
        request: Some("SubmittedEvent"),
        answer: (202, Answer::Json("Submission")),
    },
    Route {
        method: "POST",
        path: "/v1/accounts",
        summary: "Register a name for an account",
        parameters: &[],
        request: Some("SubmittedRequest"),
        answer: (201, Answer::Json("NameView")),
    },
    Route {
        method: "POST",
        path: "/v1/media",
        summary: "Get a ticket to upload a photo",
        parameters: &[],
        request: Some("SubmittedRequest"),
        answer: (200, Answer::Json("UploadTicket")),
    },
    Route {
        method: "POST",
        path: "/v1/statements",
        summary: "Say, as one of a kennel's time witnesses, that it has been idle",
        parameters: &[],
        request: Some("SubmittedStatement"),
        answer: (202, Answer::Json("StatementView")),
    },
    Route {
        method: "POST",
        path: "/v1/reports",
        summary: "Tell the moderators of a birth, post or comment; once for each account",
        parameters: &[],
        request: Some("SubmittedRequest"),
        answer: (201, Answer::Json("ReportedView")),
    },
    Route {
        method: "POST",
        path: "/v1/erasures",
        summary: "Erase a text of one's own, for good; the event and its proofs stay",
        parameters: &[],
        request: Some("SubmittedRequest"),
        answer: (200, Answer::Json("ErasedView")),
    },
    Route {
        method: "POST",
        path: "/v1/profiles",
        summary: "Set the profile of an account; for the owner of a name",
        parameters: &[],
        request: Some("SubmittedProfile"),
        answer: (201, Answer::Json("ProfileView")),
    },
    Route {
        method: "POST",
        path: "/v1/lists",
        summary: "Keep an encrypted list, of bookmarks and mutes, for its account; for the owner of a name",
        parameters: &[],
        request: Some("SubmittedList"),
        answer: (201, Answer::Json("KeptList")),
    },
    Route {
        method: "POST",
        path: "/v1/sign-in/password",
        summary: "Set a password, first step (OPAQUE, RFC 9807); for the owner of a name",
        parameters: &[],
        request: Some("PasswordRequest"),
        answer: (200, Answer::Json("PasswordAnswer")),
    },
    Route {
        method: "POST",
        path: "/v1/sign-in/vault",
        summary: "Set a password, second step: what the server keeps, and can't open",
        parameters: &[],
        request: Some("SubmittedVault"),
        answer: (201, Answer::Json("VaultView")),
    },
    Route {
        method: "POST",
        path: "/v1/sign-in/start",
        summary: "Sign in by password, first step; answered alike for every name",
        parameters: &[],
        request: Some("SignInRequest"),
        answer: (200, Answer::Json("SignInAnswer")),
    },
    Route {
        method: "POST",
        path: "/v1/sign-in/finish",
        summary: "Sign in by password, last step: the vault, for who knows the password",
        parameters: &[],
        request: Some("SignInEnd"),
        answer: (200, Answer::Json("OpenedVault")),
    },
    Route {
        method: "GET",
        path: "/v1/events",
        summary: "What became of several events, without their proofs",
        parameters: &[
            parameter("ids", Takes::Text, "Their ids, at most 25, separated by commas."),
            parameter(
                "wait_ms",
                Takes::Number,
                "Wait this long, ms, for all of them to be mined or rejected; cut to 30,000, on AWS to 2,000.",
            ),
        ],
        request: None,
        answer: (200, Answer::Json("EventsView")),
    },
    Route {
        method: "GET",
        path: "/v1/events/{id}",
        summary: "An event with its receipt and proof",
        parameters: &[
            parameter(
                "wait_ms",
                Takes::Number,
                "Wait this long, ms, for the event to be mined or rejected; cut to 30,000, on AWS to 2,000.",
            ),
            parameter("proof", Takes::Flag(true), "false leaves the proof out."),
        ],
        request: None,
        answer: (200, Answer::Json("EventView")),
    },
    Route {
        method: "GET",
        path: "/v1/events/{id}/visits",
        summary: "Pats, shares and comments of a post, newest first",
        parameters: PAGING,
        request: None,
        answer: (200, Answer::Json("EntriesView")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels",
        summary: "All kennels",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("KennelsView")),
    },
    Route {
        method: "GET",
        path: "/v1/birthplace",
        summary: "The kennel in which a pet is to be born",
        parameters: &[
            parameter(
                "account",
                Takes::Text,
                "Whose pet, by id or name: its own kennel first, if a place there is free.",
            ),
            parameter("line", Takes::Text, "The label of the first kennel of a line; default `town`."),
        ],
        request: None,
        answer: (200, Answer::Json("KennelView")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}",
        summary: "A kennel by id or label; to follow it, wait for its next block",
        parameters: &[
            parameter(
                "above",
                Takes::Number,
                "Wait until a block above this height is published; then wait_ms is needed too.",
            ),
            parameter(
                "wait_ms",
                Takes::Number,
                "How long, ms, cut to 30,000, on AWS to 2,000; the answer is the kennel as it is then.",
            ),
        ],
        request: None,
        answer: (200, Answer::Json("KennelView")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/offices",
        summary: "Who holds a kennel's offices, and what its time witnesses say of its head",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("OfficesView")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/checkpoint",
        summary: "The newest published checkpoint, a C2SP signed note",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("text/plain; charset=utf-8")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/blocks",
        summary: "Blocks, newest first",
        parameters: PAGING,
        request: None,
        answer: (200, Answer::Json("BlocksView")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/blocks/{height}",
        summary: "A block",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("BlockView")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/blocks/{height}/evidence",
        summary: "All that is needed to decide a block again: the state before it, the block, its place in the signed log",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("application/cbor")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/export",
        summary: "What to fetch for an export",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("ExportManifest")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/export/{from}",
        summary: "A segment of an export",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("application/cbor")),
    },
    Route {
        method: "GET",
        path: "/v1/kennels/{kennel}/acts/{account}",
        summary: "What an account did in a kennel, out of up to 256 blocks, oldest first",
        parameters: &[CURSOR],
        request: None,
        answer: (200, Answer::Json("ActsView")),
    },
    Route {
        method: "GET",
        path: "/v1/pets/{birth}",
        summary: "A pet's card",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("PetView")),
    },
    Route {
        method: "GET",
        path: "/v1/pets/{birth}/events",
        summary: "What happened around a pet, newest first",
        parameters: PAGING,
        request: None,
        answer: (200, Answer::Json("EntriesView")),
    },
    Route {
        method: "GET",
        path: "/v1/pets/{birth}/proof",
        summary: "Proof of a pet's record, or of its absence, at the newest head",
        parameters: &[parameter(
            "kennel",
            Takes::Text,
            "Which kennel, for a pet that the server doesn't know.",
        )],
        request: None,
        answer: (200, Answer::Json("ProofView")),
    },
    Route {
        method: "GET",
        path: "/v1/accounts/{account}",
        summary: "An account by id or name",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("AccountView")),
    },
    Route {
        method: "GET",
        path: "/v1/accounts/{account}/profile",
        summary: "What an account says of itself",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("ProfileView")),
    },
    Route {
        method: "GET",
        path: "/v1/accounts/{account}/list",
        summary: "An account's encrypted list, which only the account can read",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("ListView")),
    },
    Route {
        method: "GET",
        path: "/v1/accounts/{account}/notices",
        summary: "What others did for an account's living pets, and which of its pets are fading",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("NoticesView")),
    },
    Route {
        method: "GET",
        path: "/v1/feed",
        summary: "Births and posts, newest first",
        parameters: OF_A_KENNEL,
        request: None,
        answer: (200, Answer::Json("EntriesView")),
    },
    Route {
        method: "GET",
        path: "/v1/moderation/queue",
        summary: "What was reported and no moderator has decided on, most reported first",
        parameters: OF_A_KENNEL,
        request: None,
        answer: (200, Answer::Json("QueueView")),
    },
    Route {
        method: "GET",
        path: "/v1/moderation/log",
        summary: "What moderators did and why, newest first",
        parameters: OF_A_KENNEL,
        request: None,
        answer: (200, Answer::Json("ModerationLogView")),
    },
    Route {
        method: "GET",
        path: "/v1/moderation/moderators",
        summary: "The keys of operator, moderators and witnesses, by kennel",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("ModeratorsView")),
    },
    Route {
        method: "GET",
        path: "/v1/market",
        summary: "Open offers and bids",
        parameters: &[
            KENNEL,
            parameter("side", Takes::OneOf(&["offer", "bid"]), "Only offers or only bids."),
            parameter("pet", Takes::Text, "Only for this pet, by its birth hash."),
            parameter(
                "by",
                Takes::OneOf(&["price", "age"]),
                "`price` (default): offers from the lowest, then bids from the highest; `age`: the newest first.",
            ),
            CURSOR,
            LIMIT,
        ],
        request: None,
        answer: (200, Answer::Json("OrdersView")),
    },
    Route {
        method: "GET",
        path: "/v1/market/trades",
        summary: "What was sold, newest first, with the exact split of each price",
        parameters: OF_A_KENNEL,
        request: None,
        answer: (200, Answer::Json("TradesView")),
    },
    Route {
        method: "GET",
        path: "/v1/market/{order}",
        summary: "An offer or bid by its event id, open or over",
        parameters: &[],
        request: None,
        answer: (200, Answer::Json("OrderView")),
    },
    Route {
        method: "GET",
        path: "/v1/rules/{file}",
        summary: "A rules module by the SHA-256 of its bytes, as {hash}.wasm",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("application/wasm")),
    },
    Route {
        method: "GET",
        path: "/v1/openapi.json",
        summary: "This document",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("application/json")),
    },
    Route {
        method: "GET",
        path: "/media/{sha256}",
        summary: "A photo",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("image/jpeg")),
    },
    Route {
        method: "GET",
        path: "/healthz",
        summary: "Whether the service can read its table",
        parameters: &[],
        request: None,
        answer: (200, Answer::Other("text/plain; charset=utf-8")),
    },
];

/// Where a ticket of `POST /v1/media` leads, where the server keeps the photos itself: on AWS they
/// go to S3.
pub const UPLOAD: Route = Route {
    method: "PUT",
    path: "/media/uploads/{token}",
    summary: "Upload a photo by a ticket whose url is a path: with its headers, once; elsewhere tickets lead to S3",
    parameters: &[],
    request: None,
    answer: (200, Answer::Other("text/plain; charset=utf-8")),
};

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

// Boxed futures are compiled here, once; others would be in every program that waits for them.

/// Serves every write.
pub fn ingest<'a>(ingest: &'a Ingest, request: &'a HttpRequest) -> BoxFuture<'a, HttpResponse> {
    Box::pin(async move {
        write(ingest, request).instrument(span(request)).await.unwrap_or_else(HttpResponse::from)
    })
}

async fn write(ingest: &Ingest, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let mut counting = ingest.counting();
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/events") => submit(ingest, request, &mut counting).await,
        ("POST", "/v1/accounts") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.register_name(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/media") => {
            count_address(&mut counting, request, 1).await?;
            let ticket = ingest.request_upload(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(200, &ticket))
        }
        ("POST", "/v1/statements") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.take_statement(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(202, &view))
        }
        ("POST", "/v1/reports") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.report(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/erasures") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.erase(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(200, &view))
        }
        ("POST", "/v1/profiles") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.keep_profile(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/lists") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.keep_list(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/sign-in/password") => {
            count_address(&mut counting, request, 1).await?;
            let answer = ingest.begin_password(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(200, &answer))
        }
        ("POST", "/v1/sign-in/vault") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.keep_vault(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/sign-in/start") => {
            count_address(&mut counting, request, 1).await?;
            let answer = ingest.begin_sign_in(&request.json()?, request.source, &mut counting).await?;
            Ok(HttpResponse::json(200, &answer))
        }
        ("POST", "/v1/sign-in/finish") => {
            count_address(&mut counting, request, 1).await?;
            let vault = ingest.end_sign_in(&request.json()?).await?;
            Ok(HttpResponse::json(200, &vault))
        }
        _ => Ok(no_route(request)),
    }
}

/// Counts what a request asks for against the limit of its address.
async fn count_address(
    counting: &mut Counting<'_>,
    request: &HttpRequest,
    events: usize,
) -> Result<(), Problem> {
    match request.source {
        Some(source) => counting.count(Subject::address(source), events as u64).await,
        None => Ok(()),
    }
}

async fn submit(
    ingest: &Ingest,
    request: &HttpRequest,
    counting: &mut Counting<'_>,
) -> Result<HttpResponse, Problem> {
    let read: Result<serde_json::Value, Problem> = request.json();
    // A request that can't be read counts as one event; a list as all that it holds.
    let list = read.as_ref().ok().and_then(|value| value.get("events")).and_then(serde_json::Value::as_array);
    count_address(counting, request, list.map_or(1, |events| events.len().max(1))).await?;
    let value = read?;
    if value.get("events").is_none() {
        let event: SubmittedEvent = shaped(value)?;
        return match ingest.submit(vec![event], counting).await?.pop() {
            Some(Ok(id)) => {
                let mut response = HttpResponse::json(202, &queued(id));
                response.headers.insert("location", format!("/v1/events/{id}"));
                Ok(response)
            }
            Some(Err((_, problem))) => Err(problem),
            None => Err(bad_field("events", "One answer for each event.")),
        };
    }
    let SubmittedEvents { events } = shaped(value)?;
    let results: Vec<Submission> = ingest
        .submit(events, counting)
        .await?
        .into_iter()
        .map(|result| match result {
            Ok(id) => queued(id),
            Err((id, problem)) => Submission {
                id: id.map(|id| id.to_string()),
                status: "refused".to_owned(),
                problem: Some(problem),
            },
        })
        .collect();
    let refused = || results.iter().filter_map(|result| result.problem.as_ref());
    let status = if results.iter().any(|result| result.problem.is_none()) {
        202
    } else {
        refused().map(|problem| problem.status).max().unwrap_or(202)
    };
    let wait_s = refused().filter_map(|problem| problem.retry_after_s).max();
    let mut response = HttpResponse::json(status, &Submissions { results });
    if let Some(seconds) = wait_s {
        response.headers.insert("retry-after", seconds.to_string());
    }
    Ok(response)
}

fn queued(id: EventId) -> Submission {
    Submission { id: Some(id.to_string()), status: "queued".to_owned(), problem: None }
}

/// Serves every read of the API; none for a path outside of it.
pub fn query<'a>(queries: &'a Queries, request: &'a HttpRequest) -> BoxFuture<'a, Option<HttpResponse>> {
    Box::pin(async move {
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        if request.method != "GET" && request.method != "HEAD" {
            return Some(no_route(request));
        }
        let answer = answer(queries, request, &path).instrument(span(request)).await;
        answer.unwrap_or_else(|problem| Some(problem.into()))
    })
}

async fn answer(
    queries: &Queries,
    request: &HttpRequest,
    path: &[&str],
) -> Result<Option<HttpResponse>, Problem> {
    Ok(Some(match path {
        ["v1", "events"] => {
            let ids = request.parameter("ids").unwrap_or_default();
            HttpResponse::json(200, &queries.events(ids, request.number("wait_ms", 0)?).await?)
        }
        ["v1", "events", id] => {
            let with_proof = match request.parameter("proof") {
                None | Some("true") => WithProof::Yes,
                Some("false") => WithProof::No,
                Some(_) => return Err(bad_field("proof", "proof must be true or false.")),
            };
            HttpResponse::json(200, &queries.event(id, request.number("wait_ms", 0)?, with_proof).await?)
        }
        ["v1", "events", id, "visits"] => {
            HttpResponse::json(200, &queries.visits(id, request.parameter("cursor"), request.limit()?).await?)
        }
        ["v1", "kennels"] => HttpResponse::json(200, &queries.kennels().await?),
        ["v1", "birthplace"] => {
            let (line, account) = (request.parameter("line"), request.parameter("account"));
            HttpResponse::json(200, &queries.birthplace(line, account).await?)
        }
        ["v1", "kennels", kennel] => {
            let wait_ms = request.number("wait_ms", 0)?;
            let view = match request.parameter("above") {
                None => queries.kennel(kennel).await?,
                Some(above) => queries.kennel_above(kennel, height_of("above", above)?, wait_ms).await?,
            };
            HttpResponse::json(200, &view)
        }
        ["v1", "kennels", kennel, "offices"] => HttpResponse::json(200, &queries.offices(kennel).await?),
        ["v1", "kennels", kennel, "checkpoint"] => {
            HttpResponse::new(200, "text/plain; charset=utf-8", queries.checkpoint(kennel).await?)
        }
        ["v1", "kennels", kennel, "blocks"] => HttpResponse::json(
            200,
            &queries.blocks(kennel, request.parameter("cursor"), request.limit()?).await?,
        ),
        ["v1", "kennels", kennel, "blocks", height] => {
            HttpResponse::json(200, &queries.block(kennel, height_of("height", height)?).await?)
        }
        ["v1", "kennels", kennel, "blocks", height, "evidence"] => {
            let evidence = queries.evidence(kennel, height_of("height", height)?).await?;
            HttpResponse::new(200, "application/cbor", evidence)
        }
        ["v1", "kennels", kennel, "export"] => HttpResponse::json(200, &queries.export(kennel).await?),
        ["v1", "kennels", kennel, "export", from] => {
            let segment = queries.segment(kennel, height_of("from", from)?).await?;
            HttpResponse::new(200, "application/cbor", segment)
        }
        ["v1", "kennels", kennel, "acts", account] => {
            HttpResponse::json(200, &queries.acts(kennel, account, request.parameter("cursor")).await?)
        }
        ["v1", "pets", birth] => HttpResponse::json(200, &queries.pet(birth).await?),
        ["v1", "pets", birth, "events"] => HttpResponse::json(
            200,
            &queries.timeline(birth, request.parameter("cursor"), request.limit()?).await?,
        ),
        ["v1", "pets", birth, "proof"] => {
            HttpResponse::json(200, &queries.pet_proof(birth, request.parameter("kennel")).await?)
        }
        ["v1", "accounts", account] => HttpResponse::json(200, &queries.account(account).await?),
        ["v1", "accounts", account, "profile"] => HttpResponse::json(200, &queries.profile(account).await?),
        ["v1", "accounts", account, "list"] => HttpResponse::json(200, &queries.private_list(account).await?),
        ["v1", "accounts", account, "notices"] => HttpResponse::json(200, &queries.notices(account).await?),
        ["v1", "feed"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.feed(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "moderation", "queue"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.moderation_queue(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "moderation", "log"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.moderation_log(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "moderation", "moderators"] => HttpResponse::json(200, &queries.moderators().await?),
        ["v1", "market"] => {
            let filter = orders_asked(request)?;
            HttpResponse::json(
                200,
                &queries.market(&filter, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "market", "trades"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.trades(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "market", order] => HttpResponse::json(200, &queries.order(order).await?),
        ["v1", "rules", file] => {
            HttpResponse::new(200, "application/wasm", queries.rules(file).await?).immutable()
        }
        ["v1", "openapi.json"] => HttpResponse::new(200, "application/json", crate::openapi::document()),
        ["media", sha256] => photo(queries.photo(sha256).await?),
        ["healthz"] => {
            queries.kennels().await?;
            HttpResponse::new(200, "text/plain; charset=utf-8", "ok\n")
        }
        ["v1", ..] => no_route(request),
        _ => return Ok(None),
    }))
}

/// Which open orders a request asks for.
///
/// # Errors
/// A problem that names the parameter.
pub fn orders_asked(request: &HttpRequest) -> Result<OrderFilter<'_>, Problem> {
    let side = match request.parameter("side") {
        None => None,
        Some("offer") => Some(Side::Offer),
        Some("bid") => Some(Side::Bid),
        Some(_) => return Err(bad_field("side", "side must be offer or bid.")),
    };
    let sort = match request.parameter("by") {
        None | Some("price") => OrderSort::Price,
        Some("age") => OrderSort::Age,
        Some(_) => return Err(bad_field("by", "by must be price or age.")),
    };
    Ok(OrderFilter { kennel: request.parameter("kennel"), side, pet: request.parameter("pet"), sort })
}

fn height_of(field: &str, text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| bad_field(field, format!("{field} must be a whole number.")))
}

/// Hands out an upload, whose uploader chose its bytes: shown only if it begins as an image does,
/// by a type that doesn't depend on what was declared; anything else can only be saved.
fn photo(content: Vec<u8>) -> HttpResponse {
    let (media_type, disposition) = match content.as_slice() {
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", "inline"),
        [0x89, b'P', b'N', b'G', ..] => ("image/png", "inline"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", "inline"),
        _ => ("application/octet-stream", "attachment"),
    };
    let mut response = HttpResponse::new(200, media_type, content).immutable();
    response.headers.insert("content-disposition", disposition.to_owned());
    let policy = "default-src 'none'; frame-ancestors 'none'; sandbox".to_owned();
    response.headers.insert("content-security-policy", policy);
    response
}
