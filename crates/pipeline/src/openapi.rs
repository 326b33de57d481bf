//! The OpenAPI document, generated from the routes and the API's records.

use utoipa::OpenApi;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Paths, Ref, RefOr, Required, ResponseBuilder, Schema};

use crate::api;
use crate::http::{Answer, ROUTES, Route, Takes, UPLOAD};

/// The records of the API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "PitPet",
        description = "A social network for pets on a verifiable ledger. Events are signed by the client; docs/wire-format.md says how."
    ),
    components(schemas(
        api::Problem,
        api::SubmittedEvent,
        api::SubmittedEvents,
        api::Submission,
        api::Submissions,
        api::EventView,
        api::EventsView,
        api::PlaceView,
        api::HiddenView,
        api::ProofView,
        api::ParametersView,
        api::KennelView,
        api::KennelsView,
        api::BlockView,
        api::BlocksView,
        api::BlockSummaryView,
        api::PetView,
        api::HoldingView,
        api::SumsView,
        api::AccountView,
        api::EntryView,
        api::EntriesView,
        api::ActView,
        api::ActsView,
        api::OrderView,
        api::OrdersView,
        api::TradeView,
        api::TradesView,
        api::SubmittedRequest,
        api::NameView,
        api::ReportedView,
        api::ErasedView,
        api::QueueView,
        api::QueuedView,
        api::ModerationLogView,
        api::VerdictView,
        api::ModeratorsView,
        api::KennelModeratorsView,
        api::PasswordRequest,
        api::PasswordAnswer,
        api::SubmittedVault,
        api::VaultView,
        api::SignInRequest,
        api::SignInAnswer,
        api::SignInEnd,
        api::OpenedVault,
        api::SubmittedProfile,
        api::ProfileView,
        api::SubmittedList,
        api::KeptList,
        api::ListView,
        api::NoticesView,
        crate::statements::SubmittedStatement,
        crate::statements::StatementView,
        crate::statements::OfficesView,
        crate::statements::WaitingStatement,
        crate::query::ExportManifest,
        crate::ports::UploadTicket,
    ))
)]
struct Records;

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// What a route takes or gives; the one for events also has a form for several.
fn schema(route: &Route, name: &str) -> RefOr<Schema> {
    if route.path != "/v1/events" {
        return reference(name);
    }
    let several = if name == "Submission" { "Submissions" } else { "SubmittedEvents" };
    RefOr::T(Schema::OneOf(OneOfBuilder::new().item(reference(name)).item(reference(several)).build()))
}

/// What a parameter takes. A longer wait than the server's longest is cut, so that it has no bound.
fn takes(takes: Takes) -> ObjectBuilder {
    let whole = || ObjectBuilder::new().schema_type(Type::Integer);
    match takes {
        Takes::Text => ObjectBuilder::new().schema_type(Type::String),
        Takes::OneOf(words) => {
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
        }
        Takes::Flag(default) => ObjectBuilder::new().schema_type(Type::Boolean).default(Some(default.into())),
        Takes::Number => whole().minimum(Some(0)),
        Takes::Within { max, default } => {
            whole().minimum(Some(1)).maximum(Some(max)).default(Some(default.into()))
        }
    }
}

fn add(paths: &mut Paths, route: &Route) {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let mut operation = OperationBuilder::new().summary(Some(route.summary));
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in in_path {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(takes(if matches!(name, "height" | "from") {
                    Takes::Number
                } else {
                    Takes::Text
                }))),
        );
    }
    for parameter in route.parameters {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(parameter.name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(parameter.description))
                .schema(Some(takes(parameter.takes))),
        );
    }
    if let Some(name) = route.request {
        let content = ContentBuilder::new().schema(Some(schema(route, name))).build();
        let body =
            RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    if route.method == "PUT" {
        let body = ["image/jpeg", "image/png", "image/webp"]
            .into_iter()
            .fold(RequestBodyBuilder::new().required(Some(Required::True)), |body, media_type| {
                body.content(media_type, ContentBuilder::new().schema(Some(text())).build())
            });
        operation = operation.request_body(Some(body.build()));
    }
    let (status, answer) = route.answer;
    let response = match answer {
        Answer::Json(name) => {
            let content = ContentBuilder::new().schema(Some(schema(route, name))).build();
            ResponseBuilder::new().description("Success").content("application/json", content)
        }
        Answer::Other(media_type) => {
            let content = ContentBuilder::new().schema(Some(text())).build();
            ResponseBuilder::new().description("Success").content(media_type, content)
        }
    };
    let problem = ContentBuilder::new().schema(Some(reference("Problem"))).build();
    let problem = ResponseBuilder::new()
        .description("A problem document of RFC 9457")
        .content("application/problem+json", problem);
    let operation =
        operation.response(status.to_string(), response.build()).response("default", problem.build());
    let method = match route.method {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        _ => HttpMethod::Get,
    };
    let item = PathItem::new(method, operation.build());
    match paths.paths.get_mut(route.path) {
        Some(present) => present.merge_operations(item),
        None => {
            paths.paths.insert(route.path.to_owned(), item);
        }
    }
}

/// The document, pretty-printed JSON.
pub fn document() -> String {
    let mut document = Records::openapi();
    for route in ROUTES.iter().chain([&UPLOAD]) {
        add(&mut document.paths, route);
    }
    let mut text = document.to_pretty_json().expect("the document is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_resolves() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        for route in ROUTES.iter().chain([&UPLOAD]) {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation.is_object(), "{} {} is not described", route.method, route.path);
        }
        let count: usize =
            document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
        assert_eq!(count, ROUTES.len() + 1);
        let parameter = |path: &str, name: &str| {
            let all = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            all.iter().find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
        };
        let limit = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 30 });
        assert_eq!(parameter("/v1/feed", "limit"), limit);
        assert_eq!(
            parameter("/v1/events/{id}", "wait_ms"),
            serde_json::json!({ "type": "integer", "minimum": 0 })
        );
        assert_eq!(parameter("/v1/events/{id}", "proof")["type"], "boolean");
        assert_eq!(parameter("/v1/market", "by")["enum"], serde_json::json!(["price", "age"]));
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name} is not defined");
        }
    }
}
