//! A Lambda Runtime API on loopback, and a function's real binary as its client.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".

#![allow(unreachable_pub, dead_code)]

use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

/// The service's side.
pub struct RuntimeApi {
    address: String,
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<(String, Value)>,
}

const BASE: &str = "/2018-06-01/runtime/";

impl RuntimeApi {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let (events, waiting) = mpsc::unbounded_channel::<Value>();
        let (answered, answers) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let handler = move |method: Method, uri: Uri, body: String| {
            let (waiting, answered) = (waiting.clone(), answered.clone());
            async move {
                let path = uri.path().strip_prefix(BASE).expect("a path of the Runtime API").to_owned();
                if method == Method::GET {
                    assert_eq!(path, "invocation/next");
                    return match waiting.lock().await.recv().await {
                        Some(event) => next(&event),
                        // The test is over; the function is about to be killed.
                        None => std::future::pending().await,
                    };
                }
                let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
                answered.send((path, body)).expect("the test is still there");
                StatusCode::ACCEPTED.into_response()
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { address, events, answers }
    }

    /// Spawns a function with these variables and no others.
    pub fn spawn(&self, binary: &str, variables: &[(&str, String)]) -> tokio::process::Child {
        self.spawn_by(tokio::process::Command::new(binary), variables)
    }

    /// Spawns it by a command that ends in the binary, such as an emulator of another processor.
    pub fn spawn_by(
        &self,
        mut command: tokio::process::Command,
        variables: &[(&str, String)],
    ) -> tokio::process::Child {
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &self.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs")
    }

    /// Hands out one event and waits for its answer.
    ///
    /// # Panics
    /// If the function answers with an error.
    pub async fn invoke(&mut self, event: Value) -> Value {
        self.events.send(event).expect("the service runs");
        let (path, body) = self.answers.recv().await.expect("an answer");
        assert_eq!(path, "invocation/request-1/response", "{body}");
        body
    }
}

/// The lines of a function's log, each of which must be JSON.
pub fn lines(stdout: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stdout);
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Asserts that a function that can't start says why once, as JSON, and nothing else.
pub fn assert_says_once(output: &std::process::Output, missing: &str) {
    assert!(!output.status.success(), "{missing}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{missing}");
    let log = lines(&output.stdout);
    let [line] = log.as_slice() else { panic!("{missing}: one line, not {log:?}") };
    assert_eq!(line["message"], "the function can't start");
    assert!(line["error"].as_str().is_some_and(|error| error.contains(missing)), "{missing} in {line}");
}

fn next(event: &Value) -> Response {
    Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", "request-1")
        .header("lambda-runtime-deadline-ms", "4102444800000")
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:function",
        )
        .header("lambda-runtime-trace-id", "Root=1-66f1a2b3-0123456789abcdef01234567")
        .body(event.to_string().into())
        .expect("a response")
}

/// The variables that all functions need, with a table on this engine.
pub fn variables(engine: &str, folder: &std::path::Path) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", engine.to_owned()),
        ("PITPET_TABLE", "pitpet".to_owned()),
        ("PITPET_PUBLISH", "transactions".to_owned()),
        ("PITPET_OBJECTS", format!("file://{}", folder.join("objects").display())),
    ]
}

/// Starts the embedded engine with an empty table; gives its address and the table's adapter.
pub async fn table() -> (String, pitpet_aws::DynamoTable) {
    let database = dynoxide::Database::memory().expect("an engine");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let engine = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
    let settings = pitpet_aws::Settings::embedded(engine.clone());
    let table = pitpet_aws::DynamoTable::new(&settings, "pitpet").expect("loopback");
    table.create().await.expect("a new table");
    (engine, table)
}
