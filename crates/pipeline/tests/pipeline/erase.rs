//! Erasing: what goes, what stays, and that nothing brings a text back.

use std::sync::Arc;

use pitpet_chain::hash::EventId;
use pitpet_chain::request::Wish;
use pitpet_pipeline::api::{EntriesView, EventView, Problem};
use pitpet_pipeline::erase::{self, erase_by_operator};
use pitpet_pipeline::fsck::{Fsck, Mode};
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::items;
use pitpet_pipeline::mine::ReceivedMessage;
use pitpet_pipeline::ports::{Attributes, Key, Objects as _, OutgoingMessage, Table as _};
use pitpet_pipeline::publisher::republish;
use pitpet_pipeline::query::{Segment, WithProof};
use pitpet_pipeline::runs;
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_simulator::faults::Operation;
use pitpet_simulator::town::{EACH, QUICK, at_once, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

use super::matrix::fsck;
use super::moderation::ask;
use super::query::read;

/// A word of the post's text that nothing else has.
const SECRET: &str = "rosebud";

/// Kitty with a post that is to be erased.
struct Scene {
    town: Arc<Town>,
    anna: Player,
    bert: Player,
    post: EventId,
    message: OutgoingMessage,
}

impl Scene {
    async fn new() -> Self {
        let town = Arc::new(Town::found(QUICK).await);
        let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
        let head = town.head().await.hash;
        let births = [anna.birth("Kitty", head), bert.birth("Rex", head)];
        let entry = anna.post(id_of(&births[0]), "My name is Rosebud.");
        town.send(births.into());
        let message = town.send(vec![entry.clone()]);
        town.mine_all(&town.miner()).await;
        let scene = Self { town, anna, bert, post: id_of(&entry), message };
        assert!(scene.is_in_the_table(), "the text and its words are stored");
        scene
    }

    async fn erase_with(&self, faults: &Arc<Faults>, player: &Player, event: EventId) -> HttpResponse {
        let submitted = player.request(Wish::Erase { event }, self.town.clock.now_ms() + 60_000);
        ask(&self.town.ingest_with(faults), "/v1/erasures", &submitted).await
    }

    async fn erase(&self) {
        assert_eq!(self.erase_with(&Faults::none(), &self.anna, self.post).await.status, 200);
    }

    /// Whether any item of the table still holds the text or one of its words.
    fn is_in_the_table(&self) -> bool {
        let has = |key: &Key, attributes: &Attributes| {
            format!("{} {} {attributes:?}", key.pk, key.sk).to_lowercase().contains(SECRET)
                || attributes.values().any(|value| match value {
                    pitpet_pipeline::ports::Value::Bytes(bytes) => {
                        String::from_utf8_lossy(bytes).to_lowercase().contains(SECRET)
                    }
                    _ => false,
                })
        };
        self.town.table.all().iter().any(|(key, attributes)| has(key, attributes))
    }

    /// The text is gone everywhere, and the event and its proofs are not.
    async fn check(&self, what: &str) {
        assert!(!self.is_in_the_table(), "{what}: something of the text is in the table");
        let queries = self.town.queries();
        let event =
            queries.event(&self.post.to_string(), None, 0, WithProof::Yes).await.expect("it is mined");
        assert_eq!((event.body_state.as_str(), event.body, event.salt), ("erased", None, None), "{what}");
        assert!(event.place.is_some_and(|place| place.proof.is_some()), "{what}: it is proven");
        let feed: EntriesView = read(&queries, "/v1/feed").await;
        let entry = feed.entries.iter().find(|entry| entry.id == self.post.to_string());
        let entry = entry.expect("it stays in the feed");
        assert_eq!((entry.text.as_deref(), entry.body_state.as_str()), (None, "erased"), "{what}");
        assert!(queries.find(SECRET).await.expect("it runs").posts.is_empty(), "{what}");
        let segment = queries.segment("first", 0).await.expect("a segment");
        let segment: Segment = pitpet_chain::codec::decode(&segment).expect("canonical");
        let states: Vec<u8> =
            segment.entries.iter().flat_map(|entry| entry.body_states.iter().copied()).collect();
        assert_eq!(states.iter().filter(|state| **state == 2).count(), 1, "{what}: the export marks it");
        let fsck = self.fsck(Mode::Check).await;
        assert_eq!((fsck.faults, fsck.lost, fsck.erased), (fsck.lost, fsck.lost, 1), "{what}");
    }

    async fn fsck(&self, mode: Mode) -> pitpet_pipeline::fsck::Summary {
        // Photos were never uploaded here: without the store they are not looked at.
        let (table, objects) = (&self.town.table, self.town.objects.as_ref());
        let fsck = Fsck { objects: None, ..fsck(table.clone(), objects, mode) };
        fsck.run(None, &mut |_| ()).await.expect("the table in memory answers")
    }

    /// The same message once more.
    async fn redeliver(&self) {
        let received = ReceivedMessage { id: "again".to_owned(), message: self.message.clone() };
        let report = self.town.miner().mine(vec![received]).await;
        assert!(report.failed.is_empty());
    }
}

#[tokio::test]
async fn an_erased_text_is_gone_and_every_proof_stands() {
    let scene = Scene::new().await;
    scene.erase().await;
    scene.check("erased").await;
    // Again, nothing changes.
    let before = scene.town.table.all();
    scene.erase().await;
    let mut after = scene.town.table.all();
    // But for how long the spare's mark stays.
    let spare = items::spare_body(&scene.post);
    after.insert(spare.clone(), before[&spare].clone());
    assert_eq!(after, before);
}

#[tokio::test]
async fn only_who_wrote_a_text_erases_it() {
    let scene = Scene::new().await;
    let none = Faults::none();
    let refused = async |player: &Player, event: EventId| {
        let response = scene.erase_with(&none, player, event).await;
        let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
        (problem.status, problem.kind, problem.field)
    };
    let field = Some("event".to_owned());
    let not_yours = "/problems/not-your-text".to_owned();
    assert_eq!(refused(&scene.bert, scene.post).await, (403, not_yours, field.clone()));
    let not_found = "/problems/not-found".to_owned();
    assert_eq!(refused(&scene.anna, EventId([8; 32])).await, (404, not_found, field));
    assert!(scene.is_in_the_table());
}

#[tokio::test]
async fn a_redelivered_message_brings_no_text_back() {
    let scene = Scene::new().await;
    scene.erase().await;
    scene.redeliver().await;
    scene.check("redelivered").await;
    // Nor does one that comes after its event could be accepted.
    scene.town.clock.advance(25 * 60 * 60 * 1_000);
    scene.redeliver().await;
    scene.check("redelivered late").await;
}

#[tokio::test]
async fn publishing_again_and_repairing_bring_no_text_back() {
    let scene = Scene::new().await;
    scene.erase().await;
    let table = scene.town.table.as_ref();
    republish(table, &scene.town.founding, 0, &EACH, WORDS_MAX, |_| ()).await.expect("it is published");
    scene.check("republished").await;
    // All that follows from the chain is lost, and repaired.
    for key in scene.town.table.all().into_keys() {
        if "FPOANW".contains(&key.pk[..1]) {
            table.delete(&key).await.expect("in memory");
        }
    }
    scene.fsck(Mode::Repair).await;
    scene.check("repaired").await;
}

/// A miner that holds the message rejects its event, for which it keeps a spare of the text, after
/// another one has published it and its owner has erased it.
#[tokio::test]
async fn the_spare_of_a_rejected_event_brings_no_text_back() {
    let scene = Scene::new().await;
    let bucket = runs::place_bucket(&scene.post);
    let all = scene.town.table.all();
    let (place, stored) = all.iter().rfind(|(key, _)| key.pk == bucket).expect("it is published");
    let (place, stored) = (place.clone(), stored.clone());
    // As the late miner sees it: the event has no place yet.
    scene.town.table.delete(&place).await.expect("in memory");
    let (town, owner, post) = (scene.town.clone(), scene.anna.clone(), scene.post);
    let spare = items::spare_body(&scene.post);
    let mut erasing = Some((place, stored));
    let faults = Faults::new(move |call| {
        if call.operation != Operation::Publish || !call.key.contains("REJECT") {
            return None;
        }
        let place_again = erasing.take()?;
        let (town, owner) = (town.clone(), owner.clone());
        Some(Fault::Meanwhile(Box::pin(async move {
            town.table.overwrite(place_again.0, place_again.1);
            let submitted = owner.request(Wish::Erase { event: post }, town.clock.now_ms() + 60_000);
            assert_eq!(ask(&town.ingest(), "/v1/erasures", &submitted).await.status, 200);
        })))
    });
    let received = ReceivedMessage { id: "late".to_owned(), message: scene.message.clone() };
    scene.town.miner_with(&faults, at_once()).mine(vec![received]).await;
    assert!(scene.town.table.all().contains_key(&spare), "a mark is there");
    // The reject that it recorded contradicts the receipt, and is the late miner's business.
    scene.town.table.delete(&items::reject(&scene.post)).await.expect("in memory");
    scene.check("after a late reject").await;
}

/// A miner that publishes late, with the text at hand, while its owner erases it.
#[tokio::test]
async fn words_that_are_published_while_a_text_is_erased_are_taken_back() {
    let town = Arc::new(Town::found(QUICK).await);
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let kitty = id_of(&birth);
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    let entry = anna.post(kitty, "My name is Rosebud.");
    let post = id_of(&entry);
    let message = town.send(vec![entry]);
    // Before the miner's own publishing, another one publishes, and the owner erases.
    let (other, owner) = (town.clone(), anna.clone());
    let mut once = Some(());
    let faults = Faults::new(move |call| {
        if call.operation != Operation::Publish {
            return None;
        }
        once.take()?;
        let (town, owner) = (other.clone(), owner.clone());
        Some(Fault::Meanwhile(Box::pin(async move {
            town.clock.advance(16 * 60 * 1_000);
            assert_eq!(town.reaper().reap().await.expect("it runs").published, 1);
            let submitted = owner.request(Wish::Erase { event: post }, town.clock.now_ms() + 60_000);
            assert_eq!(ask(&town.ingest(), "/v1/erasures", &submitted).await.status, 200);
        })))
    });
    town.mine_once(&town.miner_with(&faults, at_once())).await;
    let scene = Scene { town, bert: anna.clone(), anna, post, message };
    scene.check("published late").await;
}

/// Each write of the erasing fails before or after it persisted, and the process dies. Whoever asks
/// again finishes it; so does a repair, once the mark is there.
#[tokio::test]
async fn an_erasing_cut_short_is_finished_by_asking_again_or_by_a_repair() {
    let counted = Faults::none();
    let scene = Scene::new().await;
    scene.erase_with(&counted, &scene.anna, scene.post).await;
    let writes = counted.writes();
    assert!(writes >= 6, "mark, spare, words, end: {writes}");
    for write in 0..writes {
        for (fault, is_marked) in
            [((|| Fault::CrashBefore) as fn() -> Fault, write > 0), (|| Fault::CrashAfter, true)]
        {
            for by_repair in [false, true] {
                let what = format!("write {write}, by repair: {by_repair}");
                let scene = Scene::new().await;
                let faults = Faults::at_write(write, fault);
                scene.erase_with(&faults, &scene.anna, scene.post).await;
                assert!(faults.is_dead(), "{what}");
                let event: EventView =
                    read(&scene.town.queries(), &format!("/v1/events/{}?proof=false", scene.post)).await;
                let state = if is_marked { "erased" } else { "present" };
                assert_eq!(event.body_state, state, "{what}");
                // While it is half done, a message comes again.
                scene.redeliver().await;
                match by_repair && is_marked {
                    true => _ = scene.fsck(Mode::Repair).await,
                    false => scene.erase().await,
                }
                scene.check(&what).await;
            }
        }
    }
}

#[tokio::test]
async fn the_operator_erases_the_photo_too_and_it_is_not_taken_in_again() {
    let town = Town::found(QUICK).await;
    let mut anna = Player::new(&town, 1);
    let birth = anna.birth("Kitty", town.head().await.hash);
    let kitty = id_of(&birth);
    let photo = pitpet_chain::hash::sha256(b"Kitty");
    let key = items::photo_object(&photo);
    town.objects.put(&key, b"Kitty".to_vec()).await.expect("in memory");
    town.send(vec![birth]);
    town.mine_all(&town.miner()).await;
    let (table, objects) = (&town.table, town.objects.as_ref());
    let none = erase_by_operator(table.clone(), objects, &EventId([5; 32]), 1_000).await.expect("it runs");
    assert_eq!(none, None);
    let erased =
        erase_by_operator(table.clone(), objects, &kitty, 1_000).await.expect("it runs").expect("mined");
    assert_eq!(erased.photo, Some(hex::encode(photo)));
    assert_eq!(town.objects.size(&key).await.expect("in memory"), None);
    assert!(erase::is_photo_erased(table.as_ref(), &photo).await.expect("in memory"));
    let pet = town.queries().pet(&kitty.to_string()).await.expect("it is there");
    assert_eq!((pet.name, pet.photo_url, pet.hidden), (None, None, None));
    let wish = Wish::Upload { sha256: photo, size: 5, content_type: "image/jpeg".to_owned() };
    let submitted = anna.request(wish, town.clock.now_ms() + 60_000);
    let refused = ask(&town.ingest(), "/v1/media", &submitted).await;
    let problem: Problem = serde_json::from_slice(&refused.body).expect("a problem");
    assert_eq!((problem.status, problem.kind.as_str()), (410, "/problems/photo-erased"));
    // It is no fault that it is gone, and one if it were left.
    let run = async |mode| fsck(table.clone(), objects, mode).run(None, &mut |_| ()).await.expect("it runs");
    assert_eq!((run(Mode::Check).await.faults, run(Mode::Check).await.erased), (0, 2));
    town.objects.put(&key, b"Kitty".to_vec()).await.expect("in memory");
    assert_eq!(run(Mode::Check).await.faults, 1);
    run(Mode::Repair).await;
    assert_eq!(town.objects.size(&key).await.expect("in memory"), None);
}
