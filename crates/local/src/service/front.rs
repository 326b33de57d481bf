//! The HTTP front: turns requests into API Gateway events for the functions' handlers, and takes
//! uploads, which in the cloud go to S3.

use std::sync::Arc;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_aws::objects::{UPLOAD_PATH, UploadError};
use pitpet_chain::limits::PHOTO_BYTES_MAX;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::{HttpResponse, REQUEST_BYTES_MAX};
use pitpet_pipeline::problem::{problem, unavailable};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Shared;

/// Serves until it is stopped; requests being answered are finished.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let router = Router::new().fallback(answer).with_state(shared);
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP front ended badly");
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let is_upload = path.starts_with(UPLOAD_PATH);
    let limit = if is_upload { PHOTO_BYTES_MAX as usize } else { REQUEST_BYTES_MAX };
    let Ok(body) = to_bytes(body, limit).await else {
        let detail = format!("The body has more than {limit} bytes, or did not arrive whole.");
        return plain(
            problem(413, "request-too-large", "The request is too large", detail, Some("body")).into(),
        );
    };
    if is_upload && parts.method == Method::PUT {
        return plain(upload(&shared, &path[UPLOAD_PATH.len()..], &parts.headers, &body).await);
    }
    if path.starts_with("/admin/") {
        let authorization = parts.headers.get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        return plain(
            super::kennels::admin(&shared, parts.method.as_str(), path, authorization, &body).await,
        );
    }
    let event = event(&parts.method, &parts.uri, parts.headers, &body);
    let is_write = !matches!(parts.method, Method::GET | Method::HEAD);
    let response = match is_write {
        true => pitpet_ingest::handle(&shared.ingest, event).await,
        false => pitpet_query::handle(&shared.queries, event).await,
    };
    unwrap(response)
}

/// The event that API Gateway would make of a request.
fn event(method: &Method, uri: &axum::http::Uri, headers: HeaderMap, body: &[u8]) -> ApiGatewayV2httpRequest {
    let mut event = ApiGatewayV2httpRequest::default();
    event.version = Some("2.0".to_owned());
    event.route_key = Some("$default".to_owned());
    event.raw_path = Some(percent_decoded(uri.path()));
    let query = uri.query().unwrap_or_default();
    event.raw_query_string = Some(query.to_owned());
    event.query_string_parameters = query.parse().unwrap_or_default();
    event.headers = headers;
    event.request_context.http.method = method.clone();
    event.request_context.http.path = event.raw_path.clone();
    event.request_context.stage = Some("$default".to_owned());
    if !body.is_empty() {
        event.body = Some(match std::str::from_utf8(body) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                event.is_base64_encoded = true;
                STANDARD.encode(body)
            }
        });
    }
    event
}

fn percent_decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The response that API Gateway would send.
fn unwrap(event: ApiGatewayV2httpResponse) -> Response {
    let body = match event.body {
        None | Some(EventBody::Empty) => Vec::new(),
        Some(EventBody::Text(text)) if event.is_base64_encoded => STANDARD.decode(text).unwrap_or_default(),
        Some(EventBody::Text(text)) => text.into_bytes(),
        Some(EventBody::Binary(bytes)) => bytes,
        Some(_) => Vec::new(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = u16::try_from(event.status_code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = event.headers;
    response
}

fn plain(answer: HttpResponse) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn upload(shared: &Shared, token: &str, headers: &HeaderMap, body: &[u8]) -> HttpResponse {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now_ms = shared.clock.now_ms();
    match shared.objects.verify_upload(token, content_type, body.to_vec(), now_ms).await {
        Ok(_) => HttpResponse::new(200, "text/plain; charset=utf-8", "stored\n"),
        Err(error) => upload_problem(&error).into(),
    }
}

fn upload_problem(error: &UploadError) -> Problem {
    let (name, field) = match error {
        UploadError::Forged => ("upload-forged", "token"),
        UploadError::Expired { .. } => ("upload-expired", "token"),
        UploadError::WrongContentType { .. } => ("upload-content-type", "content-type"),
        UploadError::WrongSize { .. } => ("upload-size", "body"),
        UploadError::WrongHash => ("upload-hash", "body"),
        UploadError::Store(error) => return unavailable(error),
    };
    problem(403, name, "The upload is refused", format!("{error}."), Some(field))
}
