//! The queue adapters on an emulated cloud run the suite of their port: what is sent goes through
//! [`SqsQueue`], dead letters through [`DeadLetterQueue`]; the receiving side is Lambda's in the
//! cloud, so here it is a client of its own.
//!
//! Needs a MiniStack on loopback, named by `PITPET_MINISTACK_URL`, and the feature `emulated-cloud`.

#[path = "support/cloud.rs"]
mod cloud;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute, QueueAttributeName};
use pitpet_aws::{DeadLetterQueue, SqsQueue};
use pitpet_pipeline::conformance::dead_letters;
use pitpet_pipeline::conformance::queue::{Parameters, QueueUnderTest, Received, Sent, Time, all};
use pitpet_pipeline::ports::{OutgoingMessage, Queue, QueueError};

/// Cases look twice in vain while a message is held, a second each.
const VISIBILITY_TIMEOUT_S: u64 = 5;
const MAX_RECEIVE_COUNT: u32 = 3;

struct Emulated {
    client: Client,
    url: String,
    adapter: SqsQueue,
    dead: DeadLetterQueue,
    run: String,
}

fn received(message: &Message) -> Received {
    let attribute = |name: Attribute| {
        let attributes = message.attributes().expect("attributes were asked for");
        attributes.get(&name).unwrap_or_else(|| panic!("no {name} in {attributes:?}")).clone()
    };
    let text = |field: Option<&str>| field.expect("the field is there").to_owned();
    Received {
        message_id: text(message.message_id()),
        sequence_number: attribute(Attribute::SequenceNumber),
        group: attribute(Attribute::MessageGroupId),
        deduplication: attribute(Attribute::MessageDeduplicationId),
        body: text(message.body()),
        receipt: text(message.receipt_handle()),
        receive_count: attribute(Attribute::ApproximateReceiveCount).parse().expect("a number"),
    }
}

#[async_trait]
impl QueueUnderTest for Emulated {
    fn parameters(&self) -> Parameters {
        Parameters {
            time: Time::Real,
            visibility_timeout_ms: VISIBILITY_TIMEOUT_S * 1_000,
            max_receive_count: MAX_RECEIVE_COUNT,
            run: self.run.clone(),
        }
    }

    async fn send(&self, message: &OutgoingMessage) -> Result<Sent, QueueError> {
        self.adapter.send(std::slice::from_ref(message)).await.remove(0)?;
        // The adapter keeps no ids; a duplicate is answered with those of the first.
        let duplicate = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(&message.group)
            .message_deduplication_id(&message.deduplication)
            .message_body(&message.body)
            .send()
            .await
            .expect("send_message");
        let text = |field: Option<&str>| field.expect("the field is there").to_owned();
        Ok(Sent {
            message_id: text(duplicate.message_id()),
            sequence_number: text(duplicate.sequence_number()),
        })
    }

    async fn receive(&self, max: u32) -> Vec<Received> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max.min(10)).expect("at most ten"))
            .wait_time_seconds(1)
            .message_system_attribute_names(Attribute::All)
            .send()
            .await
            .expect("receive_message");
        answer.messages().iter().map(received).collect()
    }

    async fn delete(&self, receipt: &str) {
        // A stale receipt may be refused.
        let _ = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await;
    }

    async fn change_visibility(&self, receipt: &str, timeout_ms: u64) {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(i32::try_from(timeout_ms / 1_000).expect("a short timeout"))
            .send()
            .await
            .expect("change_message_visibility");
    }

    async fn wait(&self, duration_ms: u64) {
        // Beyond it, because the server's clock is another one.
        tokio::time::sleep(Duration::from_millis(duration_ms + 200)).await;
    }

    async fn dead_letters(&self) -> Vec<OutgoingMessage> {
        let letters = self.dead.look().await.expect("the dead-letter queue can be read");
        letters.into_iter().map(|letter| letter.message).collect()
    }

    async fn redrive(&self) {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let now_ms = u64::try_from(now_ms).expect("a few centuries");
        self.dead.redrive(&self.adapter, now_ms, |_| {}).await.expect("the messages are sent back");
    }
}

#[tokio::test]
async fn the_emulated_queue_conforms() {
    let (client, settings) = (cloud::sqs(), cloud::settings());
    let dead_url = cloud::queue(&client, "dead", &[]).await;
    let arn = QueueAttributeName::QueueArn;
    let attributes =
        client.get_queue_attributes().queue_url(&dead_url).attribute_names(arn.clone()).send().await;
    let dead_arn = attributes.expect("get_queue_attributes").attributes.expect("an ARN")[&arn].clone();
    let redrive = format!(r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":{MAX_RECEIVE_COUNT}}}"#);
    let url = cloud::queue(
        &client,
        "conformance",
        &[
            (QueueAttributeName::VisibilityTimeout, VISIBILITY_TIMEOUT_S.to_string()),
            (QueueAttributeName::RedrivePolicy, redrive),
        ],
    )
    .await;
    let adapter = SqsQueue::new(&settings, &url).expect("settings");
    let dead = DeadLetterQueue::new(&settings, &dead_url).expect("settings");
    let queue = Emulated { client, url, adapter, dead, run: cloud::unique() };
    all(&queue).await;
    dead_letters::all(&queue, &SqsQueue::new(&settings, &dead_url).expect("settings")).await;
}
