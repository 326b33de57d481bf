//! Queues on loopback that show the test what they are asked.

#![allow(unreachable_pub, dead_code)]

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Starts one that takes every batch; gives its address and the batches that it takes.
pub async fn queue() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (taken, batches) = mpsc::unbounded_channel();
    let handler = move |body: String| {
        let batch: Value = serde_json::from_str(&body).expect("JSON");
        let entries = batch["Entries"].as_array().expect("entries");
        let successful: Value = entries
            .iter()
            .map(|entry| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "", "SequenceNumber": "1" }))
            .collect();
        taken.send(batch).expect("the test is still there");
        let answer = json!({ "Successful": successful, "Failed": [] }).to_string();
        async move { ([JSON], answer) }
    };
    (start(Router::new().fallback(handler)).await, batches)
}

/// Starts one that refuses to take a message; gives its address, and the waits that it is asked for
/// messages that were received.
pub async fn refusing() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (asked, waits) = mpsc::unbounded_channel();
    let handler = move |headers: HeaderMap, body: String| {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let answer = match target {
            "AmazonSQS.ChangeMessageVisibilityBatch" => {
                asked.send(serde_json::from_str(&body).expect("JSON")).expect("the test is still there");
                (StatusCode::OK, json!({ "Successful": [], "Failed": [] }))
            }
            _ => (StatusCode::FORBIDDEN, json!({ "__type": "AccessDenied", "message": "on purpose" })),
        };
        async move { (answer.0, [JSON], answer.1.to_string()) }
    };
    (start(Router::new().fallback(handler)).await, waits)
}

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");

async fn start(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
