//! The HTTP front: turns requests into API Gateway events for the functions' handlers, and takes
//! uploads, which in the cloud go to S3.
//!
//! What API Gateway does in the cloud against slow, endless and too many senders is done here:
//! every connection, header and body has a bound in number, size and time. Deliberately absent:
//! TLS and HTTP/2, which are a proxy's; cookies, CORS and any other authority that a browser would
//! send along by itself.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pitpet_aws::EMBEDDED_CALLS_MAX;
use pitpet_aws::objects::{UPLOAD_PATH, UploadError};
use pitpet_chain::limits::PHOTO_BYTES_MAX;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::http::{HttpResponse, REQUEST_BYTES_MAX};
use pitpet_pipeline::problem::{problem, unavailable};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use super::Shared;
use super::compress::compression;

/// How slow and how many senders may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontSettings {
    /// How long the head of a request may take to arrive, counted from the connection or from the
    /// answer before: also how long a connection may be idle.
    pub head_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Connections at one time; further ones wait to be accepted. Fewer where the process may not
    /// have as many files open.
    pub connections_max: u32,
}

/// Files that the service has open besides its connections: both ends of those to its own table,
/// two stores with their logs, what it listens on, and a few that come and go. At rest it has 28.
const FILES_OWN: u32 = 2 * EMBEDDED_CALLS_MAX as u32 + 48;

/// Fewer connections are no service.
const CONNECTIONS_MIN: u32 = 8;

impl Default for FrontSettings {
    /// A photo of 2 MiB arrives in 30 s over 0.6 Mbit/s. A connection takes about 20 KiB and a
    /// file descriptor, of which a process has 1,024 where nothing else is set.
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(20),
            body_timeout: Duration::from_secs(30),
            connections_max: 768,
        }
    }
}

impl FrontSettings {
    /// With as many connections as leave the service the files that it needs itself. Without those
    /// it could not reach its table, and events that it has taken would wait.
    ///
    /// Raises the process's limit of open files (`RLIMIT_NOFILE`) as far as it must and may.
    ///
    /// # Errors
    /// If the limit leaves too few connections.
    pub(super) fn within_limits(self) -> anyhow::Result<Self> {
        let wanted = u64::from(self.connections_max + FILES_OWN);
        let files = rlimit::increase_nofile_limit(wanted).context("can't ask how many files may be open")?;
        let connections = connections(files);
        anyhow::ensure!(
            connections >= CONNECTIONS_MIN,
            "at most {files} files may be open, and the service needs {}: raise the limit, as with `ulimit -n 1024`",
            FILES_OWN + CONNECTIONS_MIN
        );
        Ok(Self { connections_max: self.connections_max.min(connections), ..self })
    }
}

/// How many connections that many files allow.
fn connections(files: u64) -> u32 {
    u32::try_from(files.saturating_sub(FILES_OWN.into())).unwrap_or(u32::MAX)
}

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Bytes of a request's head, and of what is read ahead of a body.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// How long, and for how many bytes, a refused body is still read.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 * 1024 * 1024;

/// Pause after the system refused to accept, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is stopped; requests being answered are finished.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    settings: FrontSettings,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(settings.connections_max as usize));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let (shared, stop) = (shared.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, peer, shared, settings, stop).await;
            drop(place);
        });
    }
    drop(listener);
    // All places free again: every connection has ended.
    let ended = places.acquire_many(settings.connections_max).await;
    drop(ended.expect("the semaphore is never closed"));
}

/// Serves one connection to its end. When the service stops, the request under way is answered.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    settings: FrontSettings,
    stop: CancellationToken,
) {
    let service = tower::service_fn(move |request: axum::http::Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, peer.ip(), settings, request.map(Body::new)).await) }
    });
    let service = TowerToHyperService::new(compression().layer(service));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The sender's doing: too slow, too long, gone.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    Cut,
}

/// Reads a body of at most `limit` bytes, refusing a longer one by what it declares where it does.
async fn read_body(mut body: Body, limit: usize, timeout: Duration) -> Result<Vec<u8>, Problem> {
    let read = async {
        let mut content = Vec::new();
        if body.size_hint().lower() > limit as u64 {
            return Err(Unread::TooLarge);
        }
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else { continue };
            if content.len() + data.len() > limit {
                return Err(Unread::TooLarge);
            }
            content.extend_from_slice(&data);
        }
        Ok(content)
    };
    match tokio::time::timeout(timeout, read).await {
        Ok(Ok(content)) => Ok(content),
        Ok(Err(Unread::TooLarge)) => {
            tokio::spawn(linger(body));
            let detail = format!("The body has more than {limit} bytes.");
            Err(problem(413, "request-too-large", "The request is too large", detail, Some("body")))
        }
        Ok(Err(Unread::Cut)) => {
            let detail = "The connection ended before the body did.";
            Err(problem(400, "body-cut", "The body did not arrive whole", detail, Some("body")))
        }
        Err(_) => {
            let detail = format!("The body took more than {} ms to arrive.", timeout.as_millis());
            Err(problem(408, "body-too-slow", "The body came too slowly", detail, Some("body")))
        }
    }
}

/// Reads on for a moment, and forgets what it reads: who is still sending would otherwise find a
/// broken connection instead of the answer.
async fn linger(mut body: Body) {
    let forgotten = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, axum::body::Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    _ = tokio::time::timeout(LINGER, forgotten).await;
}

async fn answer(shared: &Shared, peer: IpAddr, settings: FrontSettings, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let is_upload = path.starts_with(UPLOAD_PATH);
    let limit = if is_upload { PHOTO_BYTES_MAX as usize } else { REQUEST_BYTES_MAX };
    let body = match read_body(body, limit, settings.body_timeout).await {
        Ok(body) => body,
        Err(problem) => return last(plain(problem.into())),
    };
    if is_upload && parts.method == Method::PUT {
        return plain(upload(shared, &path[UPLOAD_PATH.len()..], &parts.headers, &body).await);
    }
    if path.starts_with("/admin/") {
        let authorization = parts.headers.get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        return plain(super::kennels::admin(shared, parts.method.as_str(), path, authorization, &body).await);
    }
    let event = event(&parts.method, &parts.uri, parts.headers, &body, peer);
    let is_write = !matches!(parts.method, Method::GET | Method::HEAD);
    let response = match is_write {
        true => pitpet_ingest::handle(&shared.ingest, None, event).await,
        false => pitpet_query::handle(&shared.queries, event).await,
    };
    unwrap(response)
}

/// The last answer on a connection: what is left of the request is not read.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The event that API Gateway would make of a request.
fn event(
    method: &Method,
    uri: &axum::http::Uri,
    headers: HeaderMap,
    body: &[u8],
    peer: IpAddr,
) -> ApiGatewayV2httpRequest {
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
    event.request_context.http.source_ip = Some(peer.to_string());
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
