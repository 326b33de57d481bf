//! Every item and object of a lived-in kennel is damaged in every way, one at a time: the checker
//! must name its place, and a repair must give back what it was.

mod damage;
mod town;

use std::sync::Arc;

use pitpet_pipeline::fsck::{Fsck, Loss, Mode, Note, Remedy, Summary};
use pitpet_pipeline::items;
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::{Objects as _, Table as _};
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::snapshots::ARCHIVED_EVERY;
use pitpet_simulator::town::{EACH, QUICK, RULES};
use pitpet_simulator::{MemoryObjects, MemoryTable, Player, Town};
use town::Lived;

/// What a run found: each fault's place and what becomes of it.
struct Found {
    summary: Summary,
    faults: Vec<(String, Remedy, String)>,
}

impl Found {
    /// The fault at a place.
    fn at(&self, place: &str) -> Option<&(String, Remedy, String)> {
        self.faults.iter().find(|(at, ..)| at == place)
    }
}

async fn fsck(table: &Arc<MemoryTable>, objects: &MemoryObjects, mode: Mode, kennel: Option<&str>) -> Found {
    let fsck = Fsck {
        table: table.clone(),
        objects: Some(objects),
        modules: &NativeHost,
        rules: vec![RULES],
        mode,
        search_words_max: WORDS_MAX,
        window: EACH,
    };
    let mut faults = Vec::new();
    let mut observer = |note: Note<'_>| {
        if let Note::Fault(fault) = note {
            faults.push((fault.place.to_string(), fault.remedy.clone(), fault.to_string()));
        }
    };
    let summary = fsck.run(kennel, &mut observer).await.expect("the stores in memory answer");
    assert!(summary.unchecked.is_empty(), "{:?}", summary.unchecked);
    Found { summary, faults }
}

/// A state that is kept for browsers has no digest: it is opened, which recomputes its root.
#[tokio::test]
async fn an_altered_archived_state_is_named_and_deleted() {
    let town = Town::found(QUICK).await;
    let miner = town.miner();
    let mut players: Vec<Player> = (1..=100).map(|seed| Player::new(&town, seed)).collect();
    while town.head().await.height < ARCHIVED_EVERY {
        // Whoever's turn it is again has lost the last pet by now.
        players.rotate_left(1);
        let birth = players[0].birth("Kitty", town.head().await.hash);
        town.send(vec![birth]);
        let report = town.mine_once(&miner).await;
        assert_eq!(report.accepted, 1, "{report:?}");
    }
    let archive = town.objects.list(&format!("archive/{}/", town.kennel())).await.expect("in memory");
    let [key] = &archive[..] else { panic!("one state is archived: {archive:?}") };
    let mut content = town.objects.get(key).await.expect("it is listed");
    let sound = fsck(&town.table, &town.objects, Mode::Check, None).await;
    assert_eq!(sound.faults.iter().filter(|(place, ..)| place.contains("archive")).count(), 0);
    let middle = content.len() / 2;
    content[middle] ^= 1;
    town.objects.put(key, content).await.expect("in memory");
    let place = format!("object {key}");
    let found = fsck(&town.table, &town.objects, Mode::Check, None).await;
    assert_eq!(found.at(&place).map(|fault| &fault.1), Some(&Remedy::Repairable), "{:?}", found.faults);
    let found = fsck(&town.table, &town.objects, Mode::Repair, None).await;
    assert_eq!(found.at(&place).map(|fault| &fault.1), Some(&Remedy::Repaired));
    assert_eq!(town.objects.size(key).await.expect("in memory"), None);
}

/// A module of a release is in every program; of another one only this copy may exist.
#[tokio::test]
async fn an_altered_module_is_lost_unless_it_is_of_a_release() {
    let lived = Lived::new().await;
    let key = items::rules_object(&RULES);
    let (table, objects) = (lived.table(), lived.objects().await);
    objects.put(&key, b"no module".to_vec()).await.expect("in memory");
    let found = fsck(&table, &objects, Mode::Check, None).await;
    assert_eq!(found.at(&format!("object {key}")).map(|fault| &fault.1), Some(&Remedy::Repairable));
    assert!(fsck(&table, &objects, Mode::Repair, None).await.summary.is_clean());
    assert_eq!(objects.size(&key).await.expect("in memory"), None, "a false one is worse than none");

    objects.put(&key, b"no module".to_vec()).await.expect("in memory");
    let unknowing = Fsck {
        table: table.clone(),
        objects: Some(&objects),
        modules: &NativeHost,
        rules: vec![],
        mode: Mode::Check,
        search_words_max: WORDS_MAX,
        window: EACH,
    };
    let mut remedies = Vec::new();
    let mut observer = |note: Note<'_>| {
        if let Note::Fault(fault) = note {
            remedies.push((fault.place.to_string(), fault.remedy.clone()));
        }
    };
    unknowing.run(None, &mut observer).await.expect("the stores in memory answer");
    assert_eq!(remedies, [(format!("object {key}"), Remedy::Lost(Loss::Module))]);
}

#[tokio::test]
async fn a_sound_kennel_has_no_fault() {
    let lived = Lived::new().await;
    let found = fsck(&lived.table(), &lived.objects().await, Mode::Check, None).await;
    assert_eq!(found.faults, []);
    let Summary { kennels, blocks, executed, events, bodies, photos, snapshots, unpublished, .. } =
        found.summary;
    assert_eq!((kennels, blocks, executed, unpublished), (1, lived.height + 1, lived.height + 1, 0));
    assert_eq!((events, bodies, photos), (lived.events, lived.bodies, lived.photos));
    assert_eq!(snapshots, 3);
}

#[tokio::test]
async fn a_check_changes_nothing_and_a_repair_of_what_is_sound_neither() {
    let lived = Lived::new().await;
    for mode in [Mode::Check, Mode::Repair] {
        let (table, objects) = (lived.table(), lived.objects().await);
        fsck(&table, &objects, mode, None).await;
        assert_eq!(table.all(), lived.items);
    }
}

#[tokio::test]
async fn a_kennel_is_found_by_its_id_though_nothing_lists_it() {
    let lived = Lived::new().await;
    let (table, objects) = (lived.table(), lived.objects().await);
    let key = items::kennel_label("first");
    table.delete(&key).await.expect("in memory");
    let id = lived.kennel.to_string();
    let found = fsck(&table, &objects, Mode::Repair, Some(&id)).await;
    assert_eq!(found.at("item KENNELS · first").map(|fault| &fault.1), Some(&Remedy::Repaired));
    assert_eq!(table.all(), lived.items);
}

/// A kennel that opened by itself says after which one, and by which rules.
#[tokio::test]
async fn a_repaired_label_leaves_the_rest_of_its_record() {
    let lived = Lived::new().await;
    let (table, objects) = (lived.table(), lived.objects().await);
    let key = items::genesis(&lived.kennel);
    let mut whole = lived.items[&key].clone();
    whole.extend(items::attributes([("rules", RULES.0.into()), ("after", [7; 32].into())]));
    let mut damaged = whole.clone();
    damaged.insert("label".to_owned(), "another".to_owned().into());
    table.overwrite(key.clone(), damaged);
    let found = fsck(&table, &objects, Mode::Repair, None).await;
    assert!(found.faults.iter().any(|(_, remedy, _)| *remedy == Remedy::Repaired), "{:?}", found.faults);
    assert_eq!(table.all()[&key], whole);
}

#[tokio::test]
async fn what_a_crash_leaves_is_no_fault() {
    let lived = Lived::new().await;
    let (table, objects) = (lived.table(), lived.objects().await);
    // A block that lost, staged at a height that is taken and at one that is not.
    for height in [3, lived.height + 1] {
        let hash = pitpet_chain::hash::BlockHash([9; 32]);
        let staged = items::attributes([("deflated", vec![1, 2, 3].into())]);
        table.overwrite(items::block(&lived.kennel, height, &hash), staged);
    }
    // A snapshot cut short before its manifest.
    let chunk = format!("snapshot/{}/chunk/{:020}-{}/00000", lived.kennel, 4, "ab".repeat(32));
    objects.put(&chunk, vec![1]).await.expect("in memory");
    // A committed block that is not published: as after a crash behind the commit.
    let mut head = lived.items[&items::head(&lived.kennel)].clone();
    let before = lived.height - 1;
    head.insert("published_height".to_owned(), before.into());
    table.overwrite(items::head(&lived.kennel), head);
    let found = fsck(&table, &objects, Mode::Check, None).await;
    assert_eq!(found.faults, []);
    assert_eq!(
        (found.summary.staged, found.summary.leftovers, found.summary.unpublished),
        (2, 1, 1),
        "{:?}",
        found.summary
    );
    // A repair finishes the publishing.
    fsck(&table, &objects, Mode::Repair, None).await;
    assert_eq!(table.all()[&items::head(&lived.kennel)], lived.items[&items::head(&lived.kennel)]);
}
