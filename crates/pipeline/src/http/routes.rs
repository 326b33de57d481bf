//! Every route of the API: what is served, and what the OpenAPI document is made of.

use super::PAGE;
use crate::query::PAGE_MAX;

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
            parameter("kennel", Takes::Text, "Their kennel, id or label: with it no other one is looked at."),
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
            parameter("kennel", Takes::Text, "Its kennel, id or label: with it no other one is looked at."),
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
                "Wait until there is a block above this height; then wait_ms is needed too.",
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
        summary: "The newest checkpoint, a C2SP signed note",
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
