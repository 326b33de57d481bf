//! What every [`Table`] promises.
//!
//! Each function uses partitions of its own, so that all can run on one table, which must be
//! empty of them at first.

use crate::ports::{
    Attributes, Condition, Consistency, Item, Key, Order, PublishBatch, Query, Retry, Table, TableError,
    Update, Value,
};

/// Runs the whole suite.
pub async fn all(table: &dyn Table) {
    values_come_back_as_they_went_in(table).await;
    keys_and_names_are_checked(table).await;
    large_items(table).await;
    put_new_never_replaces(table).await;
    delete_is_final_and_repeatable(table).await;
    update_sets_and_removes_only_what_it_names(table).await;
    absent(table).await;
    equals(table).await;
    below(table).await;
    one_of_two_writers_wins(table).await;
    get_many_answers_in_order(table).await;
    query_bounds_and_order(table).await;
    query_limits(table).await;
    query_passes_page_limits(table).await;
    publish_writes_and_skips(table).await;
    publish_takes_duplicate_keys(table).await;
    publish_takes_many(table).await;
    publish_refuses_what_is_bad(table).await;
}

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn numbered(number: u64) -> Attributes {
    attributes(&[("n", Value::Number(number))])
}

fn item(pk: &str, sk: &str, attributes: Attributes) -> Item {
    Item { key: Key::new(pk, sk), attributes }
}

fn set(key: &Key, set: Attributes, condition: Condition) -> Update {
    Update { key: key.clone(), set, remove: Vec::new(), condition, retry: Retry::Never }
}

fn range(pk: &str, from: &str, to: &str) -> Query {
    Query {
        pk: pk.into(),
        from: from.into(),
        to: to.into(),
        order: Order::Ascending,
        limit: 1_000,
        consistency: Consistency::Strong,
    }
}

async fn read(table: &dyn Table, key: &Key) -> Option<Attributes> {
    table.get(key, Consistency::Strong).await.expect("get")
}

async fn sort_keys(table: &dyn Table, query: &Query) -> Vec<String> {
    table.query(query).await.expect("query").into_iter().map(|item| item.key.sk).collect()
}

#[track_caller]
fn assert_conflict(outcome: Result<(), TableError>, what: &str) {
    assert!(matches!(outcome, Err(TableError::Conflict)), "{what}: {outcome:?} instead of a conflict");
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, TableError>, what: &str) {
    assert!(matches!(outcome, Err(TableError::Refused { .. })), "{what}: {outcome:?} instead of a refusal");
}

/// Every kind of value, at its extremes, is read as it was written, by every way to read.
pub async fn values_come_back_as_they_went_in(table: &dyn Table) {
    let written = attributes(&[
        ("text", Value::Text("Grüße, 猫 🐈 \"quoted\"\n".into())),
        ("empty text", Value::Text(String::new())),
        ("zero", Value::Number(0)),
        ("beyond a double", Value::Number((1 << 53) + 1)),
        ("largest", Value::Number(u64::MAX)),
        ("bytes", Value::Bytes((0..=255).collect())),
        ("empty bytes", Value::Bytes(Vec::new())),
        ("yes", Value::Flag(true)),
        ("no", Value::Flag(false)),
        ("empty list", Value::List(Vec::new())),
        (
            "list",
            Value::List(vec![Value::Number(1), Value::List(vec![Value::Bytes(vec![0])]), Value::Flag(true)]),
        ),
        ("hash", Value::Text("a reserved word as a name".into())),
        ("dotted.name", Value::Number(1)),
    ]);
    let new = item("values", "ä/猫", written.clone());
    table.put_new(&new).await.expect("put_new");
    assert_eq!(read(table, &new.key).await, Some(written.clone()));
    assert_eq!(table.get(&new.key, Consistency::Eventual).await.expect("get"), Some(written.clone()));
    assert_eq!(
        table.get_many(std::slice::from_ref(&new.key)).await.expect("get_many"),
        [Some(written.clone())]
    );
    assert_eq!(table.query(&range("values", "ä", "ä0")).await.expect("query"), [new]);

    let key = Key::new("values", "by update");
    table.update(&set(&key, written.clone(), Condition::Absent)).await.expect("update");
    assert_eq!(read(table, &key).await, Some(written));

    let bare = item("values", "bare", Attributes::new());
    table.put_new(&bare).await.expect("an item may be its key alone");
    assert_eq!(read(table, &bare.key).await, Some(Attributes::new()));
    assert_eq!(read(table, &Key::new("values", "nobody")).await, None);
    assert_eq!(read(table, &Key::new("nobody", "bare")).await, None);
}

/// Keys that the table can't hold, and attributes that would be part of the key, are refused.
pub async fn keys_and_names_are_checked(table: &dyn Table) {
    let long = "k".repeat(2_049);
    for key in [Key::new("", "s"), Key::new("p", ""), Key::new(&*long, "s"), Key::new("p", &long[..1_025])] {
        let what = format!("a key of {} and {} bytes", key.pk.len(), key.sk.len());
        assert_refused(table.get(&key, Consistency::Strong).await, &what);
        assert_refused(table.get_many(std::slice::from_ref(&key)).await, &what);
        assert_refused(table.put_new(&Item { key: key.clone(), attributes: numbered(1) }).await, &what);
        assert_refused(table.update(&set(&key, numbered(1), Condition::Absent)).await, &what);
        assert_refused(table.delete(&key).await, &what);
    }
    let longest = Key::new(&long[..2_048], &long[..1_024]);
    table.put_new(&Item { key: longest.clone(), attributes: numbered(1) }).await.expect("the longest key");
    assert_eq!(read(table, &longest).await, Some(numbered(1)));

    let key = Key::new("names", "s");
    for name in ["", "pk", "sk"] {
        let bad = attributes(&[(name, Value::Text("x".into()))]);
        assert_refused(table.put_new(&Item { key: key.clone(), attributes: bad.clone() }).await, name);
        assert_refused(table.update(&set(&key, bad, Condition::Absent)).await, name);
    }
    let mut both = set(&key, numbered(1), Condition::Absent);
    both.remove = vec!["n"];
    assert_refused(table.update(&both).await, "an attribute both set and removed");
    assert_eq!(read(table, &key).await, None, "a refused write leaves nothing");
}

/// Items up to what a block weighs go in; those beyond 400 KB are refused.
pub async fn large_items(table: &dyn Table) {
    let sized = |bytes: usize| attributes(&[("body", Value::Bytes(vec![0xa5; bytes]))]);
    let key = Key::new("large", "block");
    table.put_new(&Item { key: key.clone(), attributes: sized(300 * 1_024) }).await.expect("300 KiB");
    assert_eq!(read(table, &key).await, Some(sized(300 * 1_024)));
    table.update(&set(&key, sized(360 * 1_024), Condition::Below("none", 1))).await.expect("360 KiB");
    assert_eq!(read(table, &key).await, Some(sized(360 * 1_024)));

    let too_large = item("large", "too large", sized(410 * 1_024));
    assert_refused(table.put_new(&too_large).await, "an item of 410 KiB");
    assert_refused(
        table.update(&set(&key, too_large.attributes, Condition::Below("none", 1))).await,
        "410 KiB",
    );
    assert_eq!(read(table, &too_large.key).await, None);
    assert_eq!(read(table, &key).await, Some(sized(360 * 1_024)));
}

/// `put_new` conflicts with any item of its key, even an equal one, and leaves it.
pub async fn put_new_never_replaces(table: &dyn Table) {
    let first = item("put_new", "s", numbered(1));
    table.put_new(&first).await.expect("put_new");
    assert_conflict(table.put_new(&first).await, "an equal item");
    assert_conflict(table.put_new(&item("put_new", "s", numbered(2))).await, "another item");
    assert_eq!(read(table, &first.key).await, Some(numbered(1)));
    table.put_new(&item("put_new", "s2", numbered(2))).await.expect("another sort key");
}

/// `delete` removes one item and doesn't mind if there is none.
pub async fn delete_is_final_and_repeatable(table: &dyn Table) {
    let kept = item("delete", "kept", numbered(1));
    let gone = item("delete", "gone", numbered(2));
    table.put_new(&kept).await.expect("put_new");
    table.put_new(&gone).await.expect("put_new");
    table.delete(&gone.key).await.expect("delete");
    table.delete(&gone.key).await.expect("delete again");
    assert_eq!(read(table, &gone.key).await, None);
    assert_eq!(sort_keys(table, &range("delete", "", "~")).await, ["kept"]);
    table.put_new(&gone).await.expect("the place is free again");
}

/// `update` leaves alone what it doesn't name, and makes the item if its condition allows.
pub async fn update_sets_and_removes_only_what_it_names(table: &dyn Table) {
    let key = Key::new("update", "s");
    let before = attributes(&[("a", Value::Number(1)), ("b", Value::Number(2)), ("c", Value::Number(3))]);
    table.update(&set(&key, before, Condition::Absent)).await.expect("makes the item");
    let update = Update {
        key: key.clone(),
        set: attributes(&[("a", Value::Text("now text".into())), ("d", Value::Flag(true))]),
        remove: vec!["b", "never there"],
        condition: Condition::Equals("c", Value::Number(3)),
        retry: Retry::Allowed,
    };
    table.update(&update).await.expect("update");
    let after = [("a", Value::Text("now text".into())), ("c", Value::Number(3)), ("d", Value::Flag(true))];
    assert_eq!(read(table, &key).await, Some(attributes(&after)));

    let bare = Key::new("update", "bare");
    table.update(&set(&bare, Attributes::new(), Condition::Absent)).await.expect("sets nothing");
    assert_eq!(read(table, &bare).await, Some(Attributes::new()));
    let removing =
        Update { remove: vec!["x"], ..set(&Key::new("update", "r"), Attributes::new(), Condition::Absent) };
    table.update(&removing).await.expect("removes from what isn't there");
    assert_eq!(read(table, &removing.key).await, Some(Attributes::new()));
}

/// [`Condition::Absent`] holds only while there is no item, even a bare one.
pub async fn absent(table: &dyn Table) {
    let bare = item("absent", "s", Attributes::new());
    table.put_new(&bare).await.expect("put_new");
    assert_conflict(table.update(&set(&bare.key, numbered(1), Condition::Absent)).await, "a bare item");
    assert_eq!(read(table, &bare.key).await, Some(Attributes::new()));
    table.delete(&bare.key).await.expect("delete");
    table.update(&set(&bare.key, numbered(1), Condition::Absent)).await.expect("after deletion");
}

/// [`Condition::Equals`] needs the item, the attribute, its type and its value.
pub async fn equals(table: &dyn Table) {
    let key = Key::new("equals", "s");
    let when = |value: Value| set(&key, numbered(9), Condition::Equals("is", value));
    assert_conflict(table.update(&when(Value::Number(1))).await, "no item");
    assert_eq!(read(table, &key).await, None, "a lost write makes no item");
    table.put_new(&Item { key: key.clone(), attributes: numbered(0) }).await.expect("put_new");
    assert_conflict(table.update(&when(Value::Number(1))).await, "no attribute");
    let values = [
        Value::Number(1),
        Value::Text("1".into()),
        Value::Bytes(b"1".to_vec()),
        Value::Flag(true),
        Value::List(vec![Value::Number(1)]),
    ];
    for held in &values {
        let holding = set(&key, attributes(&[("is", held.clone())]), Condition::Below("never", 1));
        table.update(&holding).await.expect("update");
        for asked in &values {
            let outcome = table.update(&when(asked.clone())).await;
            if asked == held {
                outcome.expect("an equal value");
            } else {
                assert_conflict(outcome, &format!("{held:?} is not {asked:?}"));
            }
        }
    }
    assert_conflict(table.update(&when(Value::List(vec![Value::Number(2)]))).await, "another list");
}

/// [`Condition::Below`] holds for no item, no attribute or a lower number, not for any other type.
pub async fn below(table: &dyn Table) {
    let key = Key::new("below", "s");
    let to = |number: u64| set(&key, numbered(number), Condition::Below("n", number));
    table.update(&to(10)).await.expect("no item");
    assert_conflict(table.update(&to(10)).await, "equal");
    assert_conflict(table.update(&to(9)).await, "lower as a number, higher as text");
    table.update(&to(11)).await.expect("higher");
    table.update(&to(u64::MAX)).await.expect("the highest");
    assert_conflict(table.update(&to(u64::MAX - 1)).await, "numbers beyond a double are told apart");
    assert_eq!(read(table, &key).await, Some(numbered(u64::MAX)));

    let other = set(&key, attributes(&[("other", Value::Number(1))]), Condition::Below("other", 0));
    table.update(&other).await.expect("no attribute, though nothing is below 0");
    assert_conflict(table.update(&other).await, "1 is not below 0");

    let text = set(&key, attributes(&[("n", Value::Text("0".into()))]), Condition::Below("x", 1));
    table.update(&text).await.expect("update");
    assert_conflict(table.update(&to(u64::MAX)).await, "a text is not a lower number");
}

/// Of two writers with one condition exactly one wins, every time.
pub async fn one_of_two_writers_wins(table: &dyn Table) {
    let head = Key::new("race", "head");
    table.put_new(&Item { key: head.clone(), attributes: numbered(0) }).await.expect("put_new");
    for round in 0..20 {
        let write = |writer: u64| {
            let attributes =
                attributes(&[("n", Value::Number(round + 1)), ("writer", Value::Number(writer))]);
            set(&head, attributes, Condition::Equals("n", Value::Number(round)))
        };
        let (first, second) = (write(1), write(2));
        let winner = match tokio::join!(table.update(&first), table.update(&second)) {
            (Ok(()), Err(TableError::Conflict)) => first,
            (Err(TableError::Conflict), Ok(())) => second,
            neither => panic!("round {round}: {neither:?}"),
        };
        assert_eq!(read(table, &head).await, Some(winner.set), "round {round}");

        let new = |writer: u64| item("race", &format!("new {round}"), numbered(writer));
        let (first, second) = (new(1), new(2));
        let winner = match tokio::join!(table.put_new(&first), table.put_new(&second)) {
            (Ok(()), Err(TableError::Conflict)) => first,
            (Err(TableError::Conflict), Ok(())) => second,
            neither => panic!("round {round}: {neither:?}"),
        };
        assert_eq!(read(table, &winner.key).await, Some(winner.attributes), "round {round}");
    }
}

/// `get_many` has an answer for each key, in order, whether it is there, repeated or neither.
pub async fn get_many_answers_in_order(table: &dyn Table) {
    assert_eq!(table.get_many(&[]).await.expect("no keys"), []);
    let key = |number: u64| Key::new(format!("many {}", number % 7), format!("{number}"));
    for number in (0..120).filter(|number| number % 3 != 0) {
        let new = Item { key: key(number), attributes: numbered(number) };
        table.put_new(&new).await.expect("put_new");
    }
    let asked: Vec<u64> = (20..118).rev().chain([50, 50]).collect();
    let keys: Vec<Key> = asked.iter().copied().map(key).collect();
    let expected: Vec<_> = asked.iter().map(|&n| (n % 3 != 0).then(|| numbered(n))).collect();
    assert_eq!(table.get_many(&keys).await.expect("100 keys, two of them repeated"), expected);
    let keys: Vec<Key> = (0..101).map(key).collect();
    assert_refused(table.get_many(&keys).await, "101 keys");

    let heavy = |number: u64| {
        item("many heavy", &number.to_string(), attributes(&[("b", Value::Bytes(vec![7; 350_000]))]))
    };
    let mut keys = Vec::new();
    for number in 0..50 {
        table.put_new(&heavy(number)).await.expect("put_new");
        keys.push(heavy(number).key);
    }
    let found = table.get_many(&keys).await.expect("more than the 16 MB of one answer");
    assert!(found.iter().all(|found| found.as_ref() == Some(&heavy(0).attributes)), "all heavy items");
}

/// A query's bounds are inclusive, its order that of the sort keys' bytes.
pub async fn query_bounds_and_order(table: &dyn Table) {
    let sorted = ["#", "0", "10", "2", "A", "Z", "a", "a!", "aa", "b", "~", "ä", "猫", "🐈"];
    for sk in sorted.iter().rev() {
        table.put_new(&item("order", sk, numbered(1))).await.expect("put_new");
    }
    table.put_new(&item("orde", "in", numbered(1))).await.expect("put_new");
    table.put_new(&item("order2", "in", numbered(1))).await.expect("put_new");

    let everything = range("order", "", "\u{10ffff}");
    assert_eq!(sort_keys(table, &everything).await, sorted);
    let mut descending = everything.clone();
    descending.order = Order::Descending;
    let reversed: Vec<_> = sorted.iter().rev().copied().collect();
    assert_eq!(sort_keys(table, &descending).await, reversed);
    let eventual = Query { consistency: Consistency::Eventual, ..everything };
    assert_eq!(sort_keys(table, &eventual).await, sorted);

    assert_eq!(sort_keys(table, &range("order", "2", "a")).await, ["2", "A", "Z", "a"]);
    assert_eq!(sort_keys(table, &range("order", "3", "`")).await, ["A", "Z"]);
    assert_eq!(sort_keys(table, &range("order", "a", "a")).await, ["a"]);
    let nothing: [&str; 0] = [];
    assert_eq!(sort_keys(table, &range("order", "c", "d")).await, nothing, "between two keys");
    assert_eq!(sort_keys(table, &range("order", "b", "a")).await, nothing, "bounds the wrong way round");
    assert_eq!(sort_keys(table, &range("order", "", "")).await, nothing, "no key is empty");
    assert_eq!(sort_keys(table, &range("nobody", "", "~")).await, nothing, "no partition");
}

/// A query gives its first items in its order, never more than its limit, which is 1 to 1,000.
pub async fn query_limits(table: &dyn Table) {
    for number in 0..5 {
        table.put_new(&item("limit", &number.to_string(), numbered(number))).await.expect("put_new");
    }
    let limited = |limit, order| Query { limit, order, ..range("limit", "0", "9") };
    assert_eq!(sort_keys(table, &limited(1, Order::Ascending)).await, ["0"]);
    assert_eq!(sort_keys(table, &limited(2, Order::Descending)).await, ["4", "3"]);
    assert_eq!(sort_keys(table, &limited(5, Order::Ascending)).await.len(), 5);
    assert_eq!(sort_keys(table, &limited(1_000, Order::Ascending)).await.len(), 5);
    for limit in [0, 1_001, u32::MAX] {
        assert_refused(table.query(&limited(limit, Order::Ascending)).await, &format!("limit {limit}"));
    }
    assert_refused(table.query(&range("", "0", "9")).await, "an empty partition key");
}

/// A query goes on where a service's page of 1 MB ends.
pub async fn query_passes_page_limits(table: &dyn Table) {
    let body = attributes(&[("body", Value::Bytes(vec![1; 300_000]))]);
    let expected: Vec<String> = (0..12).map(|number| format!("{number:02}")).collect();
    for sk in &expected {
        table.put_new(&item("pages", sk, body.clone())).await.expect("put_new");
    }
    assert_eq!(sort_keys(table, &range("pages", "", "~")).await, expected);
    let mut last = Query { limit: 7, order: Order::Descending, ..range("pages", "", "10") };
    let descending: Vec<_> = expected[4..=10].iter().rev().cloned().collect();
    assert_eq!(sort_keys(table, &last).await, descending);
    last.limit = 1;
    assert_eq!(sort_keys(table, &last).await, ["10"]);
}

/// `publish` puts what is immutable, applies what is guarded and new, and skips what is not.
pub async fn publish_writes_and_skips(table: &dyn Table) {
    table.publish(&PublishBatch::default()).await.expect("an empty batch");
    let key = |sk: &str| Key::new("publish", sk);
    let guarded = |sk: &str, height: u64| {
        set(
            &key(sk),
            attributes(&[("height", Value::Number(height)), ("by", Value::Number(height))]),
            Condition::Below("height", height),
        )
    };
    table.update(&guarded("older", 3)).await.expect("update");
    table.update(&guarded("newer", 9)).await.expect("update");
    let place = attributes(&[("extra", Value::Flag(true))]);
    table.put_new(&Item { key: key("place"), attributes: place.clone() }).await.expect("put_new");
    let batch = PublishBatch {
        immutable: vec![item("publish", "block 5", numbered(5)), item("publish", "place", numbered(5))],
        guarded: vec![
            guarded("newer", 5),
            guarded("older", 5),
            guarded("none", 5),
            set(&key("place"), numbered(6), Condition::Absent),
            set(&key("unnamed"), numbered(6), Condition::Absent),
            set(&key("bare"), Attributes::new(), Condition::Absent),
        ],
    };
    for round in ["first", "again, by somebody who found it unfinished"] {
        table.publish(&batch).await.unwrap_or_else(|error| panic!("publish, {round}: {error}"));
        assert_eq!(read(table, &key("block 5")).await, Some(numbered(5)), "{round}");
        assert_eq!(
            read(table, &key("place")).await,
            Some(numbered(5)),
            "a put replaces the whole item, {round}"
        );
        assert_eq!(read(table, &key("unnamed")).await, Some(numbered(6)), "{round}");
        assert_eq!(read(table, &key("bare")).await, Some(Attributes::new()), "{round}");
        for (sk, height) in [("older", 5), ("newer", 9), ("none", 5)] {
            assert_eq!(read(table, &key(sk)).await, Some(guarded(sk, height).set), "{sk}, {round}");
        }
    }
}

/// One batch may hold a key several times: equal immutable items, guarded updates in any order,
/// and both.
pub async fn publish_takes_duplicate_keys(table: &dyn Table) {
    let key = |sk: &str| Key::new("duplicates", sk);
    let raise = |sk: &str, number: u64| set(&key(sk), numbered(number), Condition::Below("n", number));
    let batch = PublishBatch {
        immutable: vec![item("duplicates", "twice", numbered(1)), item("duplicates", "twice", numbered(1))],
        guarded: vec![
            raise("rising", 1),
            raise("falling", 3),
            raise("rising", 2),
            raise("falling", 2),
            raise("rising", 3),
            raise("falling", 1),
            raise("twice", 2),
        ],
    };
    table.publish(&batch).await.expect("publish");
    for (sk, number) in [("twice", 2), ("rising", 3), ("falling", 3)] {
        assert_eq!(read(table, &key(sk)).await, Some(numbered(number)), "{sk}");
    }
}

/// A batch may have any number of writes, and some of any chunk may be skipped.
pub async fn publish_takes_many(table: &dyn Table) {
    let key = |number: u64| Key::new("publish many", format!("g{number:04}"));
    let raise = |number: u64, to: u64| set(&key(number), numbered(to), Condition::Below("n", to));
    for number in (0..250).step_by(9) {
        table.update(&raise(number, 100)).await.expect("update");
    }
    let batch = PublishBatch {
        immutable: (0..260).map(|n| item("publish many", &format!("i{n:04}"), numbered(n))).collect(),
        guarded: (0..250).map(|number| raise(number, 50)).collect(),
    };
    table.publish(&batch).await.expect("publish");
    let found = table.query(&range("publish many", "g", "h")).await.expect("query");
    let expected: Vec<_> = (0..250)
        .map(|number| Item { key: key(number), attributes: numbered(if number % 9 == 0 { 100 } else { 50 }) })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(table.query(&range("publish many", "i", "j")).await.expect("query"), batch.immutable);

    let body = attributes(&[("body", Value::Bytes(vec![3; 350_000]))]);
    let immutable: Vec<_> =
        (0..30).map(|n| item("publish heavy", &format!("{n:02}"), body.clone())).collect();
    table.publish(&PublishBatch { immutable, guarded: Vec::new() }).await.expect("10 MB");
    assert_eq!(sort_keys(table, &range("publish heavy", "", "~")).await.len(), 30);
}

/// What can never be written fails the batch.
pub async fn publish_refuses_what_is_bad(table: &dyn Table) {
    let heavy = item("bad", "heavy", attributes(&[("body", Value::Bytes(vec![0; 410 * 1_024]))]));
    for bad in
        [heavy, item("bad", "", numbered(1)), item("bad", "name", attributes(&[("pk", Value::Flag(true))]))]
    {
        let update = set(&bad.key, bad.attributes.clone(), Condition::Absent);
        let what = format!("{} bytes of sort key, {} attributes", bad.key.sk.len(), bad.attributes.len());
        let immutable = PublishBatch { immutable: vec![bad], guarded: Vec::new() };
        assert_refused(table.publish(&immutable).await, &format!("immutable, {what}"));
        let guarded = PublishBatch { immutable: Vec::new(), guarded: vec![update] };
        assert_refused(table.publish(&guarded).await, &format!("guarded, {what}"));
    }
}
