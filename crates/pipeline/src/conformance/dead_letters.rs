//! What the miner leans on when it gives a message up, as a suite.
//!
//! It buries through the port and looks by the other side of the queue, which an operator has.

use super::queue::{Case, QueueUnderTest};
use crate::ports::{DeadLetters, OutgoingMessage};

/// Runs every case; both queues are as empty afterwards as before.
///
/// # Panics
/// If the port doesn't conform.
pub async fn all<Q: QueueUnderTest>(queue: &Q, port: &dyn DeadLetters) {
    holds_a_message_whole_and_apart(queue, port).await;
    holds_once_what_is_buried_twice(queue, port).await;
    keeps_order_within_a_group(queue, port).await;
    holds_again_what_fails_again(queue, port).await;
}

async fn bury(port: &dyn DeadLetters, message: &OutgoingMessage) {
    port.bury(message).await.expect("the port takes a good message");
}

/// What is held of a case's own groups.
async fn held<Q: QueueUnderTest>(case: &Case<'_, Q>) -> Vec<OutgoingMessage> {
    let mut letters = case.queue.dead_letters().await;
    letters.retain(|letter| letter.group.starts_with(&case.prefix));
    letters
}

/// Sends all back and takes them out.
async fn clear<Q: QueueUnderTest>(case: &Case<'_, Q>, count: usize) {
    case.queue.redrive().await;
    case.drain(count).await;
    assert_eq!(held(case).await, [], "{}: what was sent back is dead no more", case.prefix);
}

/// Whatever the body is, it is held unchanged, and nobody receives it.
async fn holds_a_message_whole_and_apart<Q: QueueUnderTest>(queue: &Q, port: &dyn DeadLetters) {
    let case = Case::new(queue, "dead-whole");
    let body = "{\"no\":\"message\"}\n\té 猫 \u{10000}".to_owned();
    let message = OutgoingMessage { body, ..case.message("a", "1") };
    bury(port, &message).await;
    assert_eq!(held(&case).await, [message], "{}: it is held as it was", case.prefix);
    case.assert_nothing_comes("a dead letter is not to be mined").await;
    clear(&case, 1).await;
}

/// A miner that ends between burying and acking gets the message again, and buries it again.
async fn holds_once_what_is_buried_twice<Q: QueueUnderTest>(queue: &Q, port: &dyn DeadLetters) {
    let case = Case::new(queue, "dead-twice");
    let message = case.message("a", "1");
    bury(port, &message).await;
    bury(port, &message).await;
    assert_eq!(held(&case).await, [message], "{}: it is one letter", case.prefix);
    clear(&case, 1).await;
}

/// Events of an account come back in the order in which they were given up.
async fn keeps_order_within_a_group<Q: QueueUnderTest>(queue: &Q, port: &dyn DeadLetters) {
    let case = Case::new(queue, "dead-order");
    let messages = ["1", "2", "3"].map(|body| case.message("a", body));
    for message in &messages {
        bury(port, message).await;
    }
    assert_eq!(held(&case).await, messages, "{}: in their order", case.prefix);
    case.queue.redrive().await;
    let bodies: Vec<String> = case.drain(3).await.into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["1", "2", "3"], "{}: sent back in their order", case.prefix);
}

/// What is sent back and is no better is held again, however soon.
async fn holds_again_what_fails_again<Q: QueueUnderTest>(queue: &Q, port: &dyn DeadLetters) {
    let case = Case::new(queue, "dead-again");
    bury(port, &case.message("a", "1")).await;
    case.queue.redrive().await;
    let back = case.drain(1).await.remove(0);
    let again = OutgoingMessage { group: back.group, deduplication: back.deduplication, body: back.body };
    bury(port, &again).await;
    assert_eq!(held(&case).await, [again], "{}: it is held again", case.prefix);
    clear(&case, 1).await;
}
