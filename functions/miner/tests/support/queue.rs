//! A queue on loopback that takes every batch and shows it to the test.

#![allow(unreachable_pub, dead_code)]

use axum::Router;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Starts one; gives its address and the batches that it takes.
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
        async move { ([("content-type", "application/x-amz-json-1.0")], answer) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (address, batches)
}
