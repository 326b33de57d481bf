//! Damage of every kind to every item and object.

use pitpet_pipeline::fsck::{Mode, Remedy};
use pitpet_pipeline::items;
use pitpet_pipeline::ports::{Attributes, Key, Objects as _, Table as _, Value};

use super::town::Lived;
use super::{Found, fsck};

/// How an item leads to the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is derived from the chain: named, and given back as it was.
    Derived,
    /// It is what nothing else implies: named, and said to be lost.
    Lost,
    /// Nobody can tell that it is gone.
    Unseen,
}

fn prefix(key: &Key) -> &str {
    key.pk.split('#').next().expect("a split has a first part")
}

/// What deleting an item means.
fn fate_of_deletion(lived: &Lived, key: &Key) -> Fate {
    match (prefix(key), key.sk.as_str()) {
        // Its kennel is found by its id only; another test does that.
        ("KENNELS", _) => Fate::Unseen,
        ("K", "GENESIS" | "HEAD") => Fate::Lost,
        ("K", sk) if sk.starts_with("B#") => Fate::Lost,
        ("E", "BODY") | ("C", _) => Fate::Lost,
        ("W", _) if lists_nothing(&lived.items[key]) => Fate::Unseen,
        // A name is found through the account that lists it.
        ("A", sk) if sk.starts_with("N#") => Fate::Unseen,
        // A body kept beside a reject, or the mark that none may be kept, which expires.
        ("E", "SPARE") => Fate::Unseen,
        // The story has been ended: nothing waits.
        ("D", birth) if ended(lived, birth) => Fate::Unseen,
        _ => Fate::Derived,
    }
}

/// Whether a bucket of words is one whose only text was erased.
fn lists_nothing(bucket: &Attributes) -> bool {
    bucket.get("rows") == Some(&Value::Bytes(vec![0x80]))
}

fn ended(lived: &Lived, birth: &str) -> bool {
    let card = &lived.items[&Key::new(format!("P#{birth}"), "CARD")];
    // An event changed its record after it had died.
    match (&card["record_height"], &card["died_height"]) {
        (Value::Number(record), Value::Number(died)) => record > died,
        other => panic!("heights are numbers: {other:?}"),
    }
}

fn altered(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(number + 1),
        Value::Text(text) => Value::Text(format!("{text}x")),
        Value::Bytes(bytes) => {
            let mut bytes = bytes.clone();
            match bytes.last_mut() {
                Some(last) => *last ^= 1,
                None => bytes.push(1),
            }
            Value::Bytes(bytes)
        }
        Value::Flag(flag) => Value::Flag(!flag),
        Value::List(list) => Value::List(list.iter().map(altered).collect()),
    }
}

/// Where the fault of an item is told of: a name's at the account that lists it.
fn place_of(lived: &Lived, key: &Key) -> String {
    if key.sk == "NAME" {
        let name = key.pk.strip_prefix("NAME#").expect("it is a name");
        let listed = lived.items.keys().find(|other| other.sk == format!("N#{name}"));
        let listed = listed.expect("every name is listed");
        return format!("item {} · {}", listed.pk, listed.sk);
    }
    format!("item {} · {}", key.pk, key.sk)
}

/// Damages, checks, repairs, checks again.
async fn harm(lived: &Lived, key: &Key, to: Option<Attributes>, fate: Fate, what: &str) {
    let (table, objects) = (lived.table(), lived.objects().await);
    match to {
        None => table.delete(key).await.expect("in memory"),
        Some(attributes) => table.overwrite(key.clone(), attributes),
    }
    let place = place_of(lived, key);
    let found = fsck(&table, &objects, Mode::Check, None).await;
    let fault = found.at(&place).map(|fault| &fault.1);
    match fate {
        Fate::Unseen => assert_eq!(fault, None, "{what}"),
        Fate::Derived => {
            assert_eq!(fault, Some(&Remedy::Repairable), "{what}: {:?}", found.faults);
            let mended = fsck(&table, &objects, Mode::Repair, None).await;
            assert_eq!(mended.summary.lost, 0, "{what}: {:?}", mended.faults);
            assert!(mended.summary.is_clean(), "{what}: {:?}", mended.faults);
            let again = fsck(&table, &objects, Mode::Check, None).await;
            assert_eq!(again.faults, [], "{what}: after the repair");
            assert_eq!(table.all(), lived.items, "{what}: it is what it was");
        }
        Fate::Lost => {
            assert!(matches!(fault, Some(Remedy::Lost(_))), "{what}: {:?}", found.faults);
            let mended = fsck(&table, &objects, Mode::Repair, None).await;
            assert!(!mended.summary.is_clean(), "{what}: a repair doesn't hide it");
        }
    }
}

#[tokio::test]
async fn each_item_is_missed() {
    let lived = Lived::new().await;
    let mut kinds = std::collections::BTreeSet::new();
    for key in lived.items.keys() {
        let fate = fate_of_deletion(&lived, key);
        kinds.insert((prefix(key).to_owned(), key.sk.chars().next(), format!("{fate:?}")));
        harm(&lived, key, None, fate, &format!("deleted {} {}", key.pk, key.sk)).await;
    }
    assert!(kinds.len() >= 16, "every kind of item is there: {kinds:?}");
}

/// The first and the last item of each kind; all of them if `FSCK_ITEMS=all`, as in `.ci/deep`.
fn chosen(lived: &Lived) -> Vec<(&Key, &Attributes)> {
    if std::env::var("FSCK_ITEMS").is_ok_and(|items| items == "all") {
        return lived.items.iter().collect();
    }
    let mut ends = std::collections::BTreeMap::new();
    for item in &lived.items {
        let kind = (prefix(item.0), item.0.sk.chars().next());
        ends.entry(kind).and_modify(|(_, last)| *last = item).or_insert((item, item));
    }
    let items: std::collections::BTreeMap<_, _> = ends.into_values().flat_map(|(a, b)| [a, b]).collect();
    items.into_iter().collect()
}

#[tokio::test]
async fn each_attribute_is_held_against_the_chain() {
    let lived = Lived::new().await;
    for (key, attributes) in chosen(&lived) {
        for (name, value) in attributes {
            let fate = match (prefix(key), key.sk.as_str(), name.as_str()) {
                ("E", "SPARE", _) => Fate::Unseen,
                ("KENNELS", ..) | ("E", "BODY", _) | ("C", ..) => Fate::Lost,
                ("K", "GENESIS", "genesis") | ("K", "HEAD", "checkpoint") => Fate::Lost,
                ("K", sk, "deflated") if sk.starts_with("B#") => Fate::Lost,
                // A label is what the operator says; the list and the record must agree.
                ("K", "GENESIS", _) => Fate::Derived,
                // The listing is its key.
                ("A", sk, _) if sk.starts_with("N#") => Fate::Unseen,
                _ => Fate::Derived,
            };
            let mut changed = attributes.clone();
            changed.insert(name.clone(), altered(value));
            let what = format!("altered {name} of {} {}", key.pk, key.sk);
            if prefix(key) == "NAME" {
                other_holder(&lived, key, changed).await;
                continue;
            }
            if prefix(key) == "KENNELS" {
                unlisted(&lived, key, changed).await;
                continue;
            }
            // How far was swept is nobody's business but the reaper's, whether the newest block is kept
            // the next miner's, and when a text was erased that of whoever erased it.
            let is_erased = prefix(key) == "C" && matches!(value, Value::List(_));
            let is_free = is_erased || ["swept_height", "kept_height", "erased"].contains(&name.as_str());
            let alteration = if is_free { Fate::Unseen } else { fate };
            harm(&lived, key, Some(changed), alteration, &what).await;
            // The same attribute gone.
            let mut without = attributes.clone();
            without.remove(name);
            harm(&lived, key, Some(without), fate, &format!("removed, not {what}")).await;
        }
    }
}

/// A name that another account holds is not listed any more after a repair.
async fn other_holder(lived: &Lived, key: &Key, changed: Attributes) {
    let (table, objects) = (lived.table(), lived.objects().await);
    table.overwrite(key.clone(), changed);
    let place = place_of(lived, key);
    let found = fsck(&table, &objects, Mode::Repair, None).await;
    assert_eq!(found.at(&place).map(|fault| &fault.1), Some(&Remedy::Repaired));
    assert_eq!(fsck(&table, &objects, Mode::Check, None).await.faults, []);
}

/// A label that leads to no kennel.
async fn unlisted(lived: &Lived, key: &Key, changed: Attributes) {
    let (table, objects) = (lived.table(), lived.objects().await);
    table.overwrite(key.clone(), changed);
    let found = fsck(&table, &objects, Mode::Check, None).await;
    assert_eq!(found.summary.lost, 1, "{:?}", found.faults);
}

#[tokio::test]
async fn an_item_with_the_content_of_another_is_found() {
    let lived = Lived::new().await;
    let all: Vec<(&Key, &Attributes)> = lived.items.iter().collect();
    let mut swaps = 0;
    for (at, (key, own)) in all.iter().enumerate() {
        // The next one of the same kind: cards for cards, entries for entries.
        let kind = |key: &Key| (prefix(key).to_owned(), key.sk.chars().next());
        let other = all[at + 1..].iter().find(|(other, there)| kind(other) == kind(key) && there != own);
        let Some((_, other)) = other else { continue };
        let fate = match (prefix(key), key.sk.as_str()) {
            // It was erased, then.
            ("E", "BODY") if other.contains_key("erased") => Fate::Unseen,
            // Some of these were erased, then.
            ("C", _) if other.values().any(|text| matches!(text, Value::List(_))) => continue,
            ("E", "BODY") | ("C", _) => Fate::Lost,
            ("K", sk) if sk.starts_with("B#") => Fate::Lost,
            ("A", sk) if sk.starts_with("N#") => Fate::Unseen,
            ("NAME", _) => {
                other_holder(&lived, key, (*other).clone()).await;
                continue;
            }
            _ => Fate::Derived,
        };
        swaps += 1;
        harm(&lived, key, Some((*other).clone()), fate, &format!("{} {} as another", key.pk, key.sk)).await;
    }
    assert!(swaps > 50, "{swaps}");
}

#[tokio::test]
async fn what_nothing_implies_is_named_and_deleted() {
    let lived = Lived::new().await;
    let (mut kinds, mut count) = (std::collections::BTreeSet::new(), 0);
    for (key, attributes) in &lived.items {
        // A second entry beside one that is right, at a height that has none such.
        let forged = match (prefix(key), &key.sk) {
            ("P", sk) if sk.starts_with("E#") => sk.replace('#', "#0").replacen("E#0", "E#", 1),
            ("F" | "N" | "V" | "Y", sk) => sk.replacen("#0", "#1", 1),
            ("A", sk) if sk.starts_with("P#") => sk.replacen("#0", "#1", 1),
            ("K", sk) if sk.starts_with("T#") => sk.replacen("T#0", "T#1", 1),
            ("D", _) => "ab".repeat(32),
            _ => continue,
        };
        kinds.insert((prefix(key), key.sk.chars().next()));
        count += 1;
        let forged = Key::new(key.pk.clone(), forged);
        let (table, objects) = (lived.table(), lived.objects().await);
        table.overwrite(forged.clone(), attributes.clone());
        let place = format!("item {} · {}", forged.pk, forged.sk);
        let found = fsck(&table, &objects, Mode::Check, None).await;
        assert_eq!(found.at(&place).map(|fault| &fault.1), Some(&Remedy::Repairable), "{place}");
        fsck(&table, &objects, Mode::Repair, None).await;
        assert_eq!(table.all(), lived.items, "{place} is gone");
    }
    assert!(count > 50, "{count}");
    for kind in ["A", "D", "F", "K", "N", "P", "V", "Y"] {
        assert!(kinds.iter().any(|(prefix, _)| *prefix == kind), "nothing was forged beside {kind}");
    }
}

#[tokio::test]
async fn a_verdict_that_no_block_gave_is_named_and_deleted() {
    let lived = Lived::new().await;
    let (given, verdict) =
        lived.items.iter().find(|(key, _)| key.sk.starts_with("VERDICT#")).expect("there are verdicts");
    let Value::Number(height) = verdict["verdict_height"] else { panic!("a height") };
    let claims = [Some(0), Some(height), Some(height + 1), Some(lived.height), Some(u64::MAX), None];
    let shown = lived.table().shown().all();
    let places: Vec<&Key> = shown.keys().filter(|key| key.sk == "PLACE").collect();
    assert!(places.len() > 20, "{places:?}");
    for (number, place) in places.into_iter().enumerate() {
        let forged = Key::new(place.pk.clone(), given.sk.clone());
        if lived.items.contains_key(&forged) {
            continue;
        }
        let mut claim = verdict.clone();
        match claims[number % claims.len()] {
            Some(height) => _ = claim.insert("verdict_height".to_owned(), Value::Number(height)),
            None => _ = claim.remove("verdict_height"),
        }
        let (table, objects) = (lived.table(), lived.objects().await);
        table.overwrite(forged.clone(), claim);
        let place = format!("item {} · {}", forged.pk, forged.sk);
        let found = fsck(&table, &objects, Mode::Check, None).await;
        assert_eq!(found.faults.len(), 1, "{:?}", found.faults);
        assert_eq!(found.at(&place).map(|fault| &fault.1), Some(&Remedy::Repairable), "{place}");
        fsck(&table, &objects, Mode::Repair, None).await;
        assert_eq!(table.all(), lived.items, "{place} is gone");
    }
}

#[tokio::test]
async fn a_reservation_of_a_successor_is_of_its_predecessor() {
    let lived = Lived::new().await;
    let genesis = items::genesis(&lived.kennel);
    // The kennel's own founding is not what its successor's follows from.
    let reserved = items::attributes([
        ("genesis", lived.items[&genesis]["genesis"].clone()),
        ("rules", Value::Bytes(vec![1; 32])),
    ]);
    let (table, objects) = (lived.table(), lived.objects().await);
    table.overwrite(items::next_kennel(&lived.kennel), reserved);
    let place = format!("item {} · NEXT", genesis.pk);
    let found = fsck(&table, &objects, Mode::Check, None).await;
    assert_eq!(found.at(&place).map(|fault| &fault.1), Some(&Remedy::Repairable), "{:?}", found.faults);
    fsck(&table, &objects, Mode::Repair, None).await;
    assert_eq!(table.all(), lived.items);
}

#[tokio::test]
async fn a_reject_after_the_receipt_contradicts_it_and_one_before_was_overruled() {
    let lived = Lived::new().await;
    let shown = lived.table().shown().all();
    let place = shown.keys().find(|key| key.sk == "PLACE").expect("there are events");
    let Value::Number(mined_ms) = shown[place]["timestamp_ms"] else { panic!("a time") };
    let kept_s = 30 * 86_400;
    for (recorded_s, faults, leftovers) in [(mined_ms / 1_000 + 1, 1, 0), (mined_ms / 1_000 - 1, 0, 1)] {
        let (table, objects) = (lived.table(), lived.objects().await);
        let reject = Key::new(place.pk.clone(), "REJECT");
        table.overwrite(
            reject.clone(),
            [("reject", Value::Number(3)), ("ttl", Value::Number(recorded_s + kept_s))]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        );
        let Found { summary, .. } = fsck(&table, &objects, Mode::Repair, None).await;
        assert_eq!((summary.faults, summary.repaired, summary.leftovers), (faults, faults, leftovers));
        assert_eq!(table.all().contains_key(&reject), faults == 0);
    }
}

#[tokio::test]
async fn each_object_is_missed_and_each_byte_counts() {
    let lived = Lived::new().await;
    for (key, content) in &lived.held {
        for damage in ["gone", "altered", "cut"] {
            let (table, objects) = (lived.table(), lived.objects().await);
            match damage {
                "gone" => objects.delete(key).await.expect("in memory"),
                "altered" => {
                    let mut content = content.clone();
                    let middle = content.len() / 2;
                    content[middle] ^= 1;
                    objects.put(key, content).await.expect("in memory");
                }
                _ => objects.put(key, content[..content.len() - 1].to_vec()).await.expect("in memory"),
            }
            let found = fsck(&table, &objects, Mode::Check, None).await;
            if key.starts_with("media/") {
                let fault = found.at(&format!("object {key}")).map(|fault| &fault.1);
                assert!(matches!(fault, Some(Remedy::Lost(_))), "{key} {damage}: {:?}", found.faults);
            } else if damage == "gone" && key.contains("/manifest/") {
                // Without its manifest it is one that was cut short.
                assert_eq!((found.summary.faults, found.summary.leftovers), (0, 1), "{key}");
                assert_eq!(found.summary.snapshots, 2);
            } else {
                assert_eq!((found.summary.faults, found.summary.snapshots), (1, 2), "{key} {damage}");
                let mended = fsck(&table, &objects, Mode::Repair, None).await;
                assert_eq!(mended.summary.repaired, 1, "{key} {damage}");
                let again = fsck(&table, &objects, Mode::Check, None).await;
                assert_eq!((again.summary.faults, again.summary.snapshots), (0, 2), "{key} {damage}");
            }
        }
    }
}
