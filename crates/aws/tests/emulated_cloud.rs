//! The queue and the bucket on an emulated cloud.
//!
//! Needs a MiniStack on loopback, named by `PITPET_MINISTACK_URL` (such as
//! `http://127.0.0.1:4566`), and the feature `emulated-cloud`: it is no part of the default
//! run.

#[path = "support/cloud.rs"]
mod cloud;

use cloud::settings;
use pitpet_aws::{S3Objects, SqsQueue};
use pitpet_pipeline::conformance;
use pitpet_pipeline::ports::{Objects, OutgoingMessage, Queue, QueueError};
use reqwest_of_object_store as reqwest;
use sha2::{Digest, Sha256};

/// Makes a FIFO queue of its own; gives a client and the queue's URL.
async fn queue(name: &str) -> (aws_sdk_sqs::Client, String) {
    let client = cloud::sqs();
    let url = cloud::queue(&client, name, &[]).await;
    (client, url)
}

/// Receives and deletes messages until there are none; gives group and body of each.
async fn drain(client: &aws_sdk_sqs::Client, url: &str) -> Vec<(String, String)> {
    use aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId;
    let mut found = Vec::new();
    loop {
        let answer = client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageGroupId)
            .send()
            .await
            .expect("receive_message");
        if answer.messages().is_empty() {
            return found;
        }
        for message in answer.messages() {
            let group = message.attributes().unwrap()[&MessageGroupId].clone();
            found.push((group, message.body().unwrap().to_owned()));
            let handle = message.receipt_handle().unwrap();
            client
                .delete_message()
                .queue_url(url)
                .receipt_handle(handle)
                .send()
                .await
                .expect("delete_message");
        }
    }
}

fn message(group: &str, body: String) -> OutgoingMessage {
    let deduplication = hex::encode(Sha256::digest(&body));
    OutgoingMessage { group: group.into(), deduplication, body }
}

#[tokio::test]
async fn messages_arrive_once_and_in_order_within_their_group() {
    let (client, url) = queue("order").await;
    let queue = SqsQueue::new(&settings(), &url).unwrap();
    assert!(queue.send(&[]).await.is_empty());
    let messages: Vec<_> = (0..37).map(|n| message(["a", "b", "c"][n % 3], format!("message {n}"))).collect();
    for _ in 0..2 {
        let outcomes = queue.send(&messages).await;
        assert_eq!(outcomes.len(), messages.len());
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    let found = drain(&client, &url).await;
    assert_eq!(found.len(), messages.len(), "the second time was within the deduplication window");
    for group in ["a", "b", "c"] {
        let bodies: Vec<_> = found.iter().filter(|(of, _)| of == group).map(|(_, body)| body).collect();
        let expected: Vec<_> = messages.iter().filter(|m| m.group == group).map(|m| &m.body).collect();
        assert_eq!(bodies, expected);
    }
}

#[tokio::test]
async fn the_largest_messages_fit_and_larger_ones_hold_nobody_up() {
    let (client, url) = queue("large").await;
    let queue = SqsQueue::new(&settings(), &url).unwrap();
    let largest = pitpet_chain::limits::MESSAGE_BYTES_MAX;
    let mut messages: Vec<_> =
        (0..12_u8).map(|n| message("g", char::from(b'a' + n).to_string().repeat(largest))).collect();
    messages[5].body.push('!');
    let outcomes = queue.send(&messages).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        match n {
            5 => assert!(matches!(outcome, Err(QueueError::Refused { .. })), "{outcome:?}"),
            _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
    messages.remove(5);
    let bodies: Vec<_> = drain(&client, &url).await.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, messages.into_iter().map(|message| message.body).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_missing_queue_refuses_every_message() {
    let (_, url) = queue("missing").await;
    let queue = SqsQueue::new(&settings(), url.replace("missing", "nowhere")).unwrap();
    let outcomes = queue.send(&[message("a", "1".into()), message("b", "2".into())]).await;
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Err(QueueError::Refused { .. }))),
        "{outcomes:?}"
    );
}

/// Makes a bucket of its own.
async fn bucket() -> S3Objects {
    let name = format!("pitpet-{}", cloud::unique());
    let objects = S3Objects::new(&settings(), &name).unwrap();
    let url = format!("{}/{name}", settings().endpoint.unwrap());
    let made = reqwest::Client::new().put(url).send().await.expect("create bucket");
    assert!(made.status().is_success(), "{made:?}");
    objects
}

#[tokio::test]
async fn the_bucket_conforms() {
    conformance::objects::all(&bucket().await).await;
}

#[tokio::test]
async fn a_ticket_takes_its_bytes() {
    let objects = bucket().await;
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let sha256 = Sha256::digest(b"photo").into();
    let ticket = objects.upload_ticket("media/ab", &sha256, 5, "image/png", now_ms as u64).await.unwrap();
    for part in ["X-Amz-Expires=600", "content-length%3Bcontent-type%3Bhost%3Bx-amz-checksum-sha256"] {
        assert!(ticket.url.contains(part), "{part} in {}", ticket.url);
    }
    let upload = async |body: &'static str| {
        let mut request = reqwest::Client::new().put(&ticket.url).body(body);
        for (name, value) in ticket.headers.iter().filter(|(name, _)| *name != "content-length") {
            request = request.header(name, value);
        }
        request.send().await.expect("upload").status()
    };
    let wrong = upload("phony").await;
    assert!(wrong.is_client_error(), "{wrong}");
    assert_eq!(objects.size("media/ab").await.unwrap(), None);
    let right = upload("photo").await;
    assert!(right.is_success(), "{right}");
    assert_eq!(objects.get("media/ab").await.unwrap(), b"photo");
}
