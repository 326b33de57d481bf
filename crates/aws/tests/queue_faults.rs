//! The queue adapter on a service that takes batches by halves: what is sent again, in which
//! order, and what each message's outcome is.

mod support;

use std::time::Duration;

use pitpet_aws::SqsQueue;
use pitpet_aws::attempts::Attempts;
use pitpet_aws::settings::Settings;
use pitpet_pipeline::ports::{OutgoingMessage, Queue, QueueError};
use support::{Answer, Scripted};

const ATTEMPTS: u32 = 3;

fn queue(endpoint: String) -> SqsQueue {
    let wait = Duration::from_millis(1);
    let attempts = Attempts { count_max: ATTEMPTS, wait_base: wait, wait_max: wait };
    let settings = Settings { attempts, ..Settings::embedded(endpoint.clone()) };
    SqsQueue::new(&settings, format!("{endpoint}/123456789012/events.fifo")).expect("settings")
}

/// Makes messages whose body is group and number, such as `a0`.
fn messages(groups: &str) -> Vec<OutgoingMessage> {
    let message = |(n, group): (usize, char)| OutgoingMessage {
        group: group.into(),
        deduplication: format!("d{n}"),
        body: format!("{group}{n}"),
    };
    groups.chars().enumerate().map(message).collect()
}

/// Answers for the entries with these ids: those in `failed` with a code and whose fault it is.
fn answer(taken: &[u32], failed: &[(u32, &str, bool)]) -> Answer {
    let taken: Vec<_> = taken
        .iter()
        .map(|id| format!(r#"{{"Id":"{id}","MessageId":"m{id}","MD5OfMessageBody":"x"}}"#))
        .collect();
    let failed: Vec<_> = failed
        .iter()
        .map(|(id, code, ours)| format!(r#"{{"Id":"{id}","Code":"{code}","SenderFault":{ours}}}"#))
        .collect();
    let body = format!(r#"{{"Successful":[{}],"Failed":[{}]}}"#, taken.join(","), failed.join(","));
    Answer::Status(200, body)
}

fn kinds(outcomes: &[Result<(), QueueError>]) -> String {
    let kind = |outcome: &Result<(), QueueError>| match outcome {
        Ok(()) => 'o',
        Err(QueueError::Throttled) => 't',
        Err(QueueError::Unavailable { .. }) => 'u',
        Err(QueueError::Refused { .. }) => 'r',
    };
    outcomes.iter().map(kind).collect()
}

/// Sends messages of these groups; gives the outcomes and, for each request, the bodies in it.
async fn send(
    groups: &str,
    script: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static,
) -> (String, Vec<Vec<String>>) {
    let (service, endpoint) = Scripted::start(script).await;
    let messages = messages(groups);
    let outcomes = queue(endpoint).send(&messages).await;
    let bodies = |request: &support::Seen| {
        let holds = |body: &&String| request.body.contains(&format!(r#""MessageBody":"{body}""#));
        messages.iter().map(|message| &message.body).filter(holds).cloned().collect()
    };
    (kinds(&outcomes), service.seen().iter().map(bodies).collect())
}

#[tokio::test]
async fn the_failed_end_of_a_group_is_sent_again() {
    let (outcomes, requests) = send("abab", |n| match n {
        0 => answer(&[0, 1], &[(2, "InternalError", false), (3, "RequestThrottled", false)]),
        _ => answer(&[2, 3], &[]),
    })
    .await;
    assert_eq!(outcomes, "oooo");
    assert_eq!(requests[1], ["a2", "b3"]);
}

#[tokio::test]
async fn an_overtaken_message_is_reported_and_holds_up_its_group_alone() {
    let (outcomes, requests) = send("ababababababab", |n| match n {
        0 => answer(&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[(0, "InternalError", false)]),
        _ => answer(&[0, 1], &[]),
    })
    .await;
    assert_eq!(outcomes, "uooooooooououo", "what of the group follows in the next call is not sent");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1], ["b11", "b13"]);
}

#[tokio::test]
async fn a_refused_message_holds_nobody_up() {
    let (outcomes, requests) = send("aaaaaaaaaaaa", |n| match n {
        0 => answer(&[0, 1, 2, 3, 4, 5, 6, 7, 8], &[(9, "InvalidMessageContents", true)]),
        _ => answer(&[0, 1], &[]),
    })
    .await;
    assert_eq!(outcomes, "ooooooooo".to_owned() + "roo");
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn entries_that_keep_failing_are_given_up() {
    let (outcomes, requests) =
        send("ab", |_| answer(&[], &[(0, "InternalError", false), (1, "Throttling", false)])).await;
    assert_eq!(outcomes, "ut");
    assert_eq!(requests.len(), ATTEMPTS as usize);
}

#[tokio::test]
async fn an_entry_without_an_answer_is_unavailable() {
    let (outcomes, _) = send("ab", |_| answer(&[1], &[])).await;
    assert_eq!(outcomes, "uo");
}

#[tokio::test]
async fn a_failed_call_is_sent_again_before_the_next() {
    let (outcomes, requests) = send("aaaaaaaaaaaa", |n| match n {
        0 => Answer::HangUp,
        1 => answer(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[]),
        _ => answer(&[0, 1], &[]),
    })
    .await;
    assert_eq!(outcomes, "oooooooooooo");
    assert_eq!(requests[0], requests[1]);
    assert_eq!(requests[2], ["a10", "a11"]);
}

#[tokio::test]
async fn a_lost_call_fails_its_messages_and_their_groups() {
    let (outcomes, requests) = send("aaaaaaaaaaab", |n| match n {
        0..3 => Answer::HangUp,
        _ => answer(&[0], &[]),
    })
    .await;
    assert_eq!(outcomes, "uuuuuuuuuuuo");
    assert_eq!(requests[3], ["b11"]);
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_offered() {
    let (service, endpoint) = Scripted::start(|_| answer(&[0], &[])).await;
    let mut messages = messages("aa");
    messages[0].body = "x".repeat(pitpet_chain::limits::MESSAGE_BYTES_MAX + 1);
    assert_eq!(kinds(&queue(endpoint).send(&messages).await), "ro");
    assert_eq!(service.seen().len(), 1);
}
