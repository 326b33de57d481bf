//! A MiniStack on loopback, named by `PITPET_MINISTACK_URL` (such as `http://127.0.0.1:4566`).

#![allow(dead_code, unreachable_pub)]

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use pitpet_aws::settings::{AccessKeys, Settings};

/// Settings of the adapters.
pub fn settings() -> Settings {
    let url = std::env::var("PITPET_MINISTACK_URL")
        .expect("PITPET_MINISTACK_URL must name a MiniStack, such as http://127.0.0.1:4566");
    let keys = AccessKeys { id: "test".into(), secret: "test".into(), session_token: None };
    Settings { keys, ..Settings::embedded(url) }
}

/// A client beside the adapters, for what they don't do.
pub fn sqs() -> Client {
    let settings = settings();
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(settings.endpoint.clone().expect("the emulator's"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// Ends names, so that runs on one emulator don't meet.
pub fn unique() -> String {
    format!("{}-{}", std::process::id(), getrandom::u32().expect("random bytes"))
}

/// Makes a FIFO queue of its own; gives its URL.
pub async fn queue(client: &Client, name: &str, attributes: &[(QueueAttributeName, String)]) -> String {
    let mut request = client
        .create_queue()
        .queue_name(format!("{name}-{}.fifo", unique()))
        .attributes(QueueAttributeName::FifoQueue, "true");
    for (name, value) in attributes {
        request = request.attributes(name.clone(), value);
    }
    let made = request.send().await.expect("create_queue");
    made.queue_url().expect("a queue has a URL").to_owned()
}
