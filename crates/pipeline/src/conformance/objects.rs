//! What every [`Objects`] promises.
//!
//! Each function uses prefixes of its own, so that all can run on one store, which must be empty
//! of them at first. What a ticket's holder may and may not upload is for the adapters' own tests,
//! because each takes uploads in its own way.

use crate::ports::{ObjectError, Objects};

/// Runs the whole suite.
pub async fn all(objects: &dyn Objects) {
    content_comes_back_as_it_went_in(objects).await;
    put_replaces(objects).await;
    what_is_not_there(objects).await;
    bad_keys_are_refused(objects).await;
    list_is_sorted_and_bounded(objects).await;
    tickets_say_what_to_send(objects).await;
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, ObjectError>, what: &str) {
    assert!(matches!(outcome, Err(ObjectError::Refused { .. })), "{what}: {outcome:?} instead of a refusal");
}

/// Objects of any size are read as they were written.
pub async fn content_comes_back_as_it_went_in(objects: &dyn Objects) {
    let key = "content/d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26";
    for size in [0, 1, 256, 2 * 1_024 * 1_024 + 1] {
        let content: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        objects.put(key, content.clone()).await.expect("put");
        assert_eq!(objects.size(key).await.expect("size"), Some(size as u64));
        assert!(objects.get(key).await.expect("get") == content, "{size} bytes");
    }
}

/// `put` replaces an object, whether the new one is longer or shorter.
pub async fn put_replaces(objects: &dyn Objects) {
    for content in ["one", "longer than that", "x"] {
        objects.put("replace/it", content.into()).await.expect("put");
        assert_eq!(objects.get("replace/it").await.expect("get"), content.as_bytes());
    }
    assert_eq!(objects.list("replace/").await.expect("list"), ["replace/it"]);
}

/// Reading what isn't there fails, asking for it or deleting it does not.
pub async fn what_is_not_there(objects: &dyn Objects) {
    objects.put("gone/a/b", b"x".to_vec()).await.expect("put");
    for key in ["gone/no", "gone/a", "gone/a/b/c", "gone/no/no/no"] {
        let found = objects.get(key).await;
        assert!(matches!(found, Err(ObjectError::NotFound)), "{key}: {found:?}");
        assert_eq!(objects.size(key).await.expect("size"), None, "{key}");
    }
    objects.delete("gone/no").await.expect("delete of nothing");
    objects.delete("gone/a/b").await.expect("delete");
    objects.delete("gone/a/b").await.expect("delete again");
    assert_eq!(objects.size("gone/a/b").await.expect("size"), None);
    assert_eq!(objects.list("gone/").await.expect("list"), [""; 0]);
}

/// Keys that could mean different things in different stores are refused by every method.
pub async fn bad_keys_are_refused(objects: &dyn Objects) {
    let long = "k".repeat(513);
    for key in [
        "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a b", "ä", "a\\b", "a%2fb", "a#1",
        &long,
    ] {
        assert_refused(objects.put(key, b"x".to_vec()).await, key);
        assert_refused(objects.get(key).await, key);
        assert_refused(objects.size(key).await, key);
        assert_refused(objects.delete(key).await, key);
        assert_refused(objects.upload_ticket(key, &[0; 32], 1, "image/jpeg", 0).await, key);
    }
    for prefix in ["", "/", "a", "../", "a//", "a b/"] {
        assert_refused(objects.list(prefix).await, prefix);
    }
    objects.put("good/AZaz09._-/..x", b"x".to_vec()).await.expect("every character that is allowed");
    assert_eq!(objects.get("good/AZaz09._-/..x").await.expect("get"), b"x");
}

/// `list` gives the lowest 1,000 keys under a prefix, sorted by their bytes.
pub async fn list_is_sorted_and_bounded(objects: &dyn Objects) {
    assert_eq!(objects.list("list/").await.expect("list"), [""; 0]);
    let sorted = ["list/-", "list/0", "list/Z", "list/a.b", "list/a/b", "list/a/c/d", "list/aa"];
    for key in sorted.iter().rev() {
        objects.put(key, b"x".to_vec()).await.expect("put");
    }
    objects.put("list2/x", b"x".to_vec()).await.expect("put");
    assert_eq!(objects.list("list/").await.expect("list"), sorted);
    assert_eq!(objects.list("list/a/").await.expect("list"), ["list/a/b", "list/a/c/d"]);
    assert_eq!(objects.list("lis/").await.expect("list"), [""; 0], "a prefix ends at a slash");

    let many: Vec<String> = (0..1_005).map(|number| format!("many/{number:04}")).collect();
    for key in many.iter().rev() {
        objects.put(key, Vec::new()).await.expect("put");
    }
    assert_eq!(objects.list("many/").await.expect("list"), many[..1_000]);
}

/// A ticket is for one `PUT` within minutes, and says its content type.
pub async fn tickets_say_what_to_send(objects: &dyn Objects) {
    let now_ms = 1_700_000_000_000;
    let ticket =
        objects.upload_ticket("media/ab", &[0xab; 32], 5, "image/jpeg", now_ms).await.expect("ticket");
    assert_eq!(ticket.method, "PUT");
    assert_eq!(ticket.headers.get("content-type").map(String::as_str), Some("image/jpeg"));
    assert!((now_ms + 60_000..=now_ms + 3_600_000).contains(&ticket.expires_ms), "{} ms", ticket.expires_ms);
    let other =
        objects.upload_ticket("media/ab", &[0xac; 32], 5, "image/jpeg", now_ms).await.expect("ticket");
    assert_ne!(ticket.url, other.url);
    for content_type in ["", "image/jpeg\r\nx-evil: 1", "ä"] {
        let ticket = objects.upload_ticket("media/ab", &[0; 32], 5, content_type, now_ms).await;
        assert_refused(ticket, content_type);
    }
    assert_eq!(objects.size("media/ab").await.expect("size"), None, "a ticket stores nothing");
}
