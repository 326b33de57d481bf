//! The embedded engine on a free loopback port, and services that misbehave on purpose.

#![allow(dead_code, unreachable_pub)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::net::TcpListener;

/// Starts the engine; gives its address. It lives as long as the runtime.
pub async fn engine(db: dynoxide::Database) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, db, std::future::pending()));
    format!("http://{address}")
}

/// A request that a scripted service got.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The operation, after the dot of `x-amz-target`.
    pub operation: String,
    /// The body, JSON.
    pub body: String,
}

/// What a scripted service does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers with this status and JSON body.
    Status(u16, String),
    /// Reads the request, then closes the connection without an answer.
    HangUp,
}

/// Makes an error answer of DynamoDB's form.
pub fn error(status: u16, code: &str) -> Answer {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"scripted"}}"#);
    Answer::Status(status, body)
}

/// A service that answers by a script, and the requests that it has seen.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Starts a service that answers its n-th request, counted from 0, with `answer(n)`; gives its address.
    pub async fn start(answer: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static) -> (Self, String) {
        let scripted = Self::default();
        let seen = scripted.seen.clone();
        let handler = move |headers: HeaderMap, body: String| {
            let target =
                headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let mut seen = seen.lock().expect("seen");
            let answer = answer(seen.len());
            seen.push(Seen { operation, body });
            async move {
                match answer {
                    Answer::Status(status, body) => Response::builder()
                        .status(status)
                        .header("content-type", "application/x-amz-json-1.0")
                        .body(body)
                        .expect("a response"),
                    // A panic in a handler drops the connection.
                    Answer::HangUp => std::panic::panic_any("hangs up on purpose"),
                }
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let app = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, app).await });
        (scripted, format!("http://{address}"))
    }

    /// Gives the requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("seen").clone()
    }
}
