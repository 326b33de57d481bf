//! The table adapter on services that throttle, fail, hang up or answer by halves: what goes out
//! again, how often, and what the caller is told.

mod support;

use std::time::Duration;

use pitpet_aws::DynamoTable;
use pitpet_aws::attempts::Attempts;
use pitpet_aws::settings::{PublishMode, Settings};
use pitpet_pipeline::ports::{
    Attributes, Condition, Consistency, Item, Key, Order, PublishBatch, Query, Retry, Table, TableError,
    Update, Value,
};
use support::{Answer, Scripted, error};

const ATTEMPTS: usize = 3;

fn table(endpoint: String, publish: PublishMode) -> DynamoTable {
    let attempts = Attempts {
        count_max: ATTEMPTS as u32,
        wait_base: Duration::from_millis(1),
        wait_max: Duration::from_millis(2),
    };
    let settings = Settings { attempts, publish, ..Settings::embedded(endpoint) };
    DynamoTable::new(&settings, "pitpet").expect("settings")
}

fn key() -> Key {
    Key::new("p", "s")
}

fn item(sk: &str) -> Item {
    Item { key: Key::new("p", sk), attributes: Attributes::from([("n".into(), Value::Number(1))]) }
}

fn update(retry: Retry) -> Update {
    Update {
        key: key(),
        set: Attributes::from([("hash".into(), Value::Number(1))]),
        remove: Vec::new(),
        condition: Condition::Equals("hash", Value::Number(0)),
        retry,
    }
}

fn ok(body: &str) -> Answer {
    Answer::Status(200, body.into())
}

/// Runs a call against a service that always answers alike; gives the outcome and the count of requests.
async fn against<T>(answer: Answer, call: impl AsyncFn(&DynamoTable) -> T) -> (T, usize) {
    let (service, endpoint) = Scripted::start(move |_| answer.clone()).await;
    let outcome = call(&table(endpoint, PublishMode::Embedded)).await;
    (outcome, service.seen().len())
}

fn failures() -> Vec<(Answer, &'static str)> {
    vec![
        (error(500, "InternalServerError"), "unavailable"),
        (Answer::Status(503, "<html>".into()), "unavailable"),
        (Answer::HangUp, "unavailable"),
        (error(400, "ProvisionedThroughputExceededException"), "throttled"),
        (error(400, "RequestLimitExceeded"), "throttled"),
        (error(400, "ThrottlingException"), "throttled"),
        (error(400, "TransactionConflictException"), "throttled"),
        (error(400, "ConditionalCheckFailedException"), "conflict"),
        (error(400, "ValidationException"), "refused"),
        (error(400, "ResourceNotFoundException"), "refused"),
        (error(400, "AccessDeniedException"), "refused"),
    ]
}

fn kind(outcome: Result<(), TableError>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(TableError::Conflict) => "conflict",
        Err(TableError::Throttled) => "throttled",
        Err(TableError::Unavailable { .. }) => "unavailable",
        Err(TableError::Refused { .. }) => "refused",
    }
}

#[tokio::test]
async fn a_once_only_update_goes_out_once() {
    for (answer, expected) in failures() {
        let (outcome, count) =
            against(answer.clone(), async |table| table.update(&update(Retry::Never)).await).await;
        assert_eq!((kind(outcome), count), (expected, 1), "{answer:?}");
    }
}

#[tokio::test]
async fn a_repeatable_update_goes_out_again_for_what_may_pass() {
    for (answer, expected) in failures() {
        let (outcome, count) =
            against(answer.clone(), async |table| table.update(&update(Retry::Allowed)).await).await;
        let may_pass = matches!(expected, "unavailable" | "throttled");
        assert_eq!((kind(outcome), count), (expected, if may_pass { ATTEMPTS } else { 1 }), "{answer:?}");
    }
}

#[tokio::test]
async fn a_new_item_goes_out_again_only_if_it_was_not_executed() {
    for (answer, expected) in failures() {
        let (outcome, count) = against(answer.clone(), async |table| table.put_new(&item("s")).await).await;
        assert_eq!(
            (kind(outcome), count),
            (expected, if expected == "throttled" { ATTEMPTS } else { 1 }),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn nobody_at_the_other_end_is_unavailable() {
    // Bound and not listening: it refuses, and nobody else gets it meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = socket.local_addr().unwrap();
    let table = table(format!("http://{free}"), PublishMode::Embedded);
    assert_eq!(kind(table.update(&update(Retry::Never)).await), "unavailable");
}

#[tokio::test]
async fn silence_is_unavailable_after_the_time_out() {
    // Accepts connections by its backlog, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let settings = Settings { attempt_timeout: Duration::from_millis(50), ..Settings::embedded(endpoint) };
    let table = DynamoTable::new(&settings, "pitpet").unwrap();
    let outcome = table.update(&update(Retry::Never)).await;
    assert!(
        matches!(&outcome, Err(TableError::Unavailable { message }) if message.contains("time")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_read_succeeds_after_passing_faults() {
    let (service, endpoint) = Scripted::start(|n| match n {
        0 => error(400, "ThrottlingException"),
        1 => Answer::HangUp,
        _ => ok(r#"{"Item":{"pk":{"S":"p"},"sk":{"S":"s"},"n":{"N":"7"}}}"#),
    })
    .await;
    let found = table(endpoint, PublishMode::Embedded).get(&key(), Consistency::Strong).await.unwrap();
    assert_eq!(found.unwrap()["n"], Value::Number(7));
    let seen = service.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.body.contains(r#""ConsistentRead":true"#)), "{seen:?}");
}

#[tokio::test]
async fn an_attribute_that_is_never_stored_is_refused_by_name() {
    for strange in [r#"{"N":"-1"}"#, r#"{"N":"1.5"}"#, r#"{"NULL":true}"#, r#"{"M":{}}"#, r#"{"SS":["a"]}"#] {
        let body = format!(r#"{{"Item":{{"pk":{{"S":"p"}},"sk":{{"S":"s"}},"odd":{strange}}}}}"#);
        let (outcome, _) =
            against(ok(&body), async |table| table.get(&key(), Consistency::Eventual).await).await;
        assert!(
            matches!(&outcome, Err(TableError::Refused { message }) if message.contains("odd")),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn unprocessed_keys_are_asked_for_again() {
    let (service, endpoint) = Scripted::start(|n| match n {
        0 => ok(r#"{"Responses":{"pitpet":[{"pk":{"S":"p"},"sk":{"S":"a"}}]},
                "UnprocessedKeys":{"pitpet":{"Keys":[{"pk":{"S":"p"},"sk":{"S":"b"}}]}}}"#),
        _ => ok(r#"{"Responses":{"pitpet":[{"pk":{"S":"p"},"sk":{"S":"b"}}]}}"#),
    })
    .await;
    let keys = ["a", "b", "c"].map(|sk| Key::new("p", sk));
    let found = table(endpoint, PublishMode::Embedded).get_many(&keys).await.unwrap();
    assert_eq!(found, [Some(Attributes::new()), Some(Attributes::new()), None]);
    assert!(!service.seen()[1].body.contains(r#"{"S":"a"}"#), "only what was left");
}

#[tokio::test]
async fn keys_that_stay_unprocessed_are_throttled() {
    let body = r#"{"UnprocessedKeys":{"pitpet":{"Keys":[{"pk":{"S":"p"},"sk":{"S":"s"}}]}}}"#;
    let (outcome, count) = against(ok(body), async |table| table.get_many(&[key()]).await).await;
    assert!(matches!(outcome, Err(TableError::Throttled)), "{outcome:?}");
    assert_eq!(count, ATTEMPTS);
}

#[tokio::test]
async fn a_query_goes_on_after_an_empty_page() {
    let (service, endpoint) = Scripted::start(|n| match n {
        0 => ok(r#"{"Items":[],"LastEvaluatedKey":{"pk":{"S":"p"},"sk":{"S":"0"}}}"#),
        _ => ok(r#"{"Items":[{"pk":{"S":"p"},"sk":{"S":"1"}}]}"#),
    })
    .await;
    let query = Query {
        pk: "p".into(),
        from: "0".into(),
        to: "9".into(),
        order: Order::Ascending,
        limit: 5,
        consistency: Consistency::Eventual,
    };
    let found = table(endpoint, PublishMode::Embedded).query(&query).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(service.seen()[1].body.contains("ExclusiveStartKey"));
}

fn batch(immutable: usize, guarded: usize) -> PublishBatch {
    PublishBatch {
        immutable: (0..immutable).map(|n| item(&format!("i{n}"))).collect(),
        guarded: (0..guarded)
            .map(|n| Update {
                key: Key::new("p", format!("g{n}")),
                condition: Condition::Below("n", 1),
                ..update(Retry::Never)
            })
            .collect(),
    }
}

#[tokio::test]
async fn a_transaction_is_sent_again_without_what_was_not_newer() {
    let (service, endpoint) = Scripted::start(|n| match n {
        0 => ok_cancelled(&["None", "ConditionalCheckFailed", "None"]),
        1 => ok_cancelled(&["TransactionConflict", "None"]),
        _ => ok("{}"),
    })
    .await;
    table(endpoint, PublishMode::Embedded).publish(&batch(1, 2)).await.unwrap();
    let seen = service.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.operation == "TransactWriteItems"));
    let has = |n: usize, sk: &str| seen[n].body.contains(&format!(r#"{{"S":"{sk}"}}"#));
    assert!(has(0, "i0") && has(0, "g0") && has(0, "g1"));
    for n in 1..3 {
        assert!(has(n, "i0") && !has(n, "g0") && has(n, "g1"), "request {n}");
    }
    assert!(seen.iter().all(|request| !request.body.contains("ClientRequestToken")), "{seen:?}");
}

fn ok_cancelled(codes: &[&str]) -> Answer {
    let reasons: Vec<_> = codes.iter().map(|code| format!(r#"{{"Code":"{code}"}}"#)).collect();
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{}]}}"#,
        reasons.join(",")
    );
    Answer::Status(400, body)
}

#[tokio::test]
async fn a_cancelled_transaction_tells_why() {
    for (code, expected, count) in
        [("ThrottlingError", "throttled", ATTEMPTS), ("ValidationError", "refused", 1)]
    {
        let answer = ok_cancelled(&[code]);
        let (outcome, seen) = against(answer, async |table| table.publish(&batch(1, 0)).await).await;
        assert_eq!((kind(outcome), seen), (expected, count), "{code}");
    }
}

#[tokio::test]
async fn transactions_have_at_most_100_actions() {
    let (service, endpoint) = Scripted::start(|_| ok("{}")).await;
    table(endpoint, PublishMode::Embedded).publish(&batch(130, 120)).await.unwrap();
    let counts: Vec<_> =
        service.seen().iter().map(|request| request.body.matches(r#""TableName""#).count()).collect();
    assert_eq!(counts, [100, 100, 50]);
}

#[tokio::test]
async fn unprocessed_items_are_sent_again_in_batches_of_25() {
    let (service, endpoint) = Scripted::start(|n| match n {
        0 => ok(
            r#"{"UnprocessedItems":{"pitpet":[{"PutRequest":{"Item":{"pk":{"S":"p"},"sk":{"S":"left"}}}}]}}"#,
        ),
        _ => ok("{}"),
    })
    .await;
    table(endpoint, PublishMode::Cloud).publish(&batch(30, 0)).await.unwrap();
    let mut counts: Vec<_> =
        service.seen().iter().map(|request| request.body.matches("PutRequest").count()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 5, 25]);
}

#[tokio::test]
async fn guarded_updates_that_are_not_newer_are_skipped_side_by_side() {
    let answer = error(400, "ConditionalCheckFailedException");
    let (service, endpoint) = Scripted::start(move |_| answer.clone()).await;
    table(endpoint, PublishMode::Cloud).publish(&batch(0, 40)).await.unwrap();
    let seen = service.seen();
    assert_eq!(seen.len(), 40);
    assert!(seen.iter().all(|request| request.operation == "UpdateItem"));
}

#[tokio::test]
async fn a_once_only_update_on_a_used_connection_goes_out_once() {
    let (service, endpoint) = Scripted::start(|n| if n == 0 { ok("{}") } else { Answer::HangUp }).await;
    let table = table(endpoint, PublishMode::Embedded);
    assert_eq!(table.get(&key(), Consistency::Strong).await.unwrap(), None);
    assert_eq!(kind(table.update(&update(Retry::Never)).await), "unavailable");
    assert_eq!(service.seen().len(), 2);
}
