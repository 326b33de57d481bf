//! Moderation in the open: what a verdict hides, and what accounts report.

use pitpet_chain::event::{Payload, Verdict};
use pitpet_chain::hash::{EventId, sha256};
use pitpet_chain::request::{ReportReason, Wish};
use pitpet_pipeline::api::{
    EntriesView, EventView, ModerationLogView, ModeratorsView, PetView, Problem, QueueView,
};
use pitpet_pipeline::http::{self, HttpRequest, HttpResponse};
use pitpet_pipeline::ingest::Ingest;
use pitpet_pipeline::ports::{Consistency, Table as _};
use pitpet_pipeline::query::{Queries, Ranking};
use pitpet_pipeline::rate_limit::RateLimits;
use pitpet_pipeline::{items, reports};
use pitpet_simulator::town::{MODERATOR_SEED, QUICK, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

use super::query::{get, read};

/// Kitty with a post that was commented on; the moderators' player.
struct Scene {
    town: Town,
    kitty: EventId,
    post: EventId,
    comment: EventId,
    anna: Player,
    bert: Player,
    moderator: Player,
}

impl Scene {
    async fn new() -> Self {
        let town = Town::found(QUICK).await;
        let (mut anna, mut bert) = (Player::new(&town, 1), Player::new(&town, 2));
        let head = town.head().await.hash;
        let births = [anna.birth("Kitty", head), bert.birth("Rex", head)];
        let kitty = id_of(&births[0]);
        let mut post = anna.post(kitty, "Buy cheap naps.");
        // With a photo of its own.
        let pet = kitty.into();
        if let Some(body) = &post.body {
            let committed = pitpet_chain::body::commitment(&body.salt, &body.body.0);
            let payload = Payload::Post { pet, photo: Some(sha256(b"ad")), body: committed };
            let event = anna.event(payload);
            post.event = pitpet_chain::codec::Bytes(event.sign(&anna.key));
        }
        let comment = bert.comment(id_of(&post), "What a bargain.");
        let (post_id, comment_id) = (id_of(&post), id_of(&comment));
        town.send(births.into());
        town.send(vec![post]);
        town.send(vec![comment]);
        town.mine_all(&town.miner()).await;
        let moderator = Player::new(&town, MODERATOR_SEED);
        Self { town, kitty, post: post_id, comment: comment_id, anna, bert, moderator }
    }

    async fn decide(&mut self, target: EventId, verdict: Verdict, reason: &str) -> EventId {
        self.town.clock.advance(1_000);
        let entry = self.moderator.verdict(target, verdict, reason, self.town.clock.now_ms());
        let id = id_of(&entry);
        self.town.send(vec![entry]);
        self.town.mine_all(&self.town.miner()).await;
        let view: EventView = read(&self.town.queries(), &format!("/v1/events/{id}?proof=false")).await;
        assert_eq!((view.status.as_str(), view.body_state.as_str()), ("mined", "present"));
        id
    }

    async fn ask(&self, ingest: &Ingest, player: &Player, wish: Wish) -> HttpResponse {
        let path = match wish {
            Wish::Report { .. } => "/v1/reports",
            _ => "/v1/erasures",
        };
        let submitted = player.request(wish, self.town.clock.now_ms() + 60_000);
        ask(ingest, path, &submitted).await
    }

    async fn report(&self, player: &Player, event: EventId, reason: ReportReason) -> HttpResponse {
        self.ask(&self.town.ingest(), player, Wish::Report { event, reason }).await
    }
}

pub(super) async fn ask(ingest: &Ingest, path: &str, body: &impl serde::Serialize) -> HttpResponse {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: serde_json::to_vec(body).expect("JSON"),
        ..HttpRequest::default()
    };
    http::ingest(ingest, &request).await
}

fn problem_of(response: &HttpResponse) -> (u16, String) {
    let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
    (problem.status, problem.kind.replace("/problems/", ""))
}

async fn queue(queries: &Queries) -> Vec<(String, u64)> {
    let view: QueueView = read(queries, "/v1/moderation/queue").await;
    view.entries.into_iter().map(|entry| (entry.event, entry.reporters)).collect()
}

/// All answers in which a post's text and photo could stand.
async fn shown(scene: &Scene) -> Vec<(&'static str, Option<String>, Option<String>, Option<String>)> {
    let queries = scene.town.queries();
    let of = |entries: Vec<pitpet_pipeline::api::EntryView>| {
        let id = scene.post.to_string();
        entries.into_iter().find(|entry| entry.id == id).expect("the entry stays")
    };
    let feed: EntriesView = read(&queries, "/v1/feed").await;
    let timeline: EntriesView = read(&queries, &format!("/v1/pets/{}/events", scene.kitty)).await;
    let cards = queries.feed_cards(None, 10).await.expect("cards").cards;
    let page = queries.post_page(&scene.post.to_string(), None, 10).await.expect("a page");
    let posts = queries.posts_of(&[scene.kitty.into()], 10).await.expect("posts");
    [
        ("feed", of(feed.entries)),
        ("timeline", of(timeline.entries)),
        ("cards", of(cards.into_iter().map(|card| card.entry).collect())),
        ("page", page.card.entry),
        ("posts", of(posts.into_iter().map(|card| card.entry).collect())),
    ]
    .map(|(place, entry)| {
        let reason = entry.hidden.and_then(|hidden| hidden.reason);
        (place, entry.text, entry.photo_url, reason)
    })
    .into()
}

#[tokio::test]
async fn a_hidden_text_and_its_photo_are_shown_nowhere_and_the_reason_is() {
    let mut scene = Scene::new().await;
    for (place, text, photo, reason) in shown(&scene).await {
        assert_eq!(text.as_deref(), Some("Buy cheap naps."), "{place}");
        assert!(photo.is_some() && reason.is_none(), "{place}");
    }
    let queries = scene.town.queries();
    assert_eq!(queries.find("cheap").await.expect("it runs").posts.len(), 1);
    assert_eq!(queries.tagged("nap", None, 10).await.expect("it runs").cards.len(), 1);
    let by = scene.decide(scene.post, Verdict::Hide, "Advertising").await;
    for (place, text, photo, reason) in shown(&scene).await {
        assert_eq!((text, photo), (None, None), "{place}");
        assert_eq!(reason.as_deref(), Some("Advertising"), "{place}");
    }
    // The same queries, which remember the newest entries.
    assert!(queries.find("cheap").await.expect("it runs").posts.is_empty());
    assert!(queries.tagged("nap", None, 10).await.expect("it runs").cards.is_empty());
    // Whoever wants to judge the moderator still finds it.
    let event: EventView = read(&queries, &format!("/v1/events/{}?proof=false", scene.post)).await;
    assert_eq!(event.body_state, "present");
    let hidden = event.hidden.expect("it says so");
    assert_eq!((hidden.by, hidden.reason.as_deref()), (by.to_string(), Some("Advertising")));
    // Shown again, all is as before.
    scene.decide(scene.post, Verdict::Show, "A joke.").await;
    for (place, text, photo, reason) in shown(&scene).await {
        assert_eq!(text.as_deref(), Some("Buy cheap naps."), "{place}");
        assert!(photo.is_some() && reason.is_none(), "{place}");
    }
    assert_eq!(scene.town.queries().find("cheap").await.expect("it runs").posts.len(), 1);
}

#[tokio::test]
async fn a_hidden_comment_and_a_hidden_pet_are_not_shown_either() {
    let mut scene = Scene::new().await;
    scene.decide(scene.comment, Verdict::Hide, "Rude").await;
    scene.decide(scene.kitty, Verdict::Hide, "Not a pet").await;
    let queries = scene.town.queries();
    let visits: EntriesView = read(&queries, &format!("/v1/events/{}/visits", scene.post)).await;
    let comment = &visits.entries[0];
    assert_eq!(comment.text, None);
    assert_eq!(comment.hidden.as_ref().and_then(|hidden| hidden.reason.as_deref()), Some("Rude"));
    assert_eq!(comment.pet_name, None);
    let pet: PetView = read(&queries, &format!("/v1/pets/{}", scene.kitty)).await;
    assert_eq!((pet.name, pet.story, pet.photo_url), (None, None, None));
    assert_eq!(pet.hidden.and_then(|hidden| hidden.reason).as_deref(), Some("Not a pet"));
    let ranked = queries.ranked(Ranking::Alive, 0, 10).await.expect("it runs");
    let pets: Vec<PetView> = ranked.into_iter().map(|ranked| ranked.pet).collect();
    let kitty = pets.iter().find(|pet| pet.birth == scene.kitty.to_string()).expect("it lives");
    assert!(kitty.name.is_none() && kitty.photo_url.is_none() && kitty.hidden.is_some());
    let rex = pets.iter().find(|pet| pet.birth != scene.kitty.to_string()).expect("it lives");
    assert!(rex.name.is_some() && rex.photo_url.is_some() && rex.hidden.is_none());
    assert!(queries.find("kitty").await.expect("it runs").pets.is_empty());
}

#[tokio::test]
async fn the_log_tells_every_verdict_and_who_may_give_one() {
    let mut scene = Scene::new().await;
    let first = scene.decide(scene.post, Verdict::Hide, "Advertising").await;
    let second = scene.decide(scene.post, Verdict::Show, "A joke.").await;
    let third = scene.decide(EventId([7; 32]), Verdict::Hide, "Nothing there").await;
    let queries = scene.town.queries();
    let log: ModerationLogView = read(&queries, "/v1/moderation/log").await;
    let told: Vec<_> = log
        .entries
        .iter()
        .map(|entry| {
            let (kind, reason) = (entry.target_kind.as_deref(), entry.reason.as_deref().expect("a reason"));
            (entry.id.clone(), entry.verdict.as_str(), kind, reason)
        })
        .collect();
    let expected = [
        (third.to_string(), "hide", None, "Nothing there"),
        (second.to_string(), "show", Some("post"), "A joke."),
        (first.to_string(), "hide", Some("post"), "Advertising"),
    ];
    assert_eq!(told, expected);
    // Page by page it is the same.
    let mut cursor = String::new();
    let mut paged = Vec::new();
    for _ in 0..3 {
        let page: ModerationLogView = read(&queries, &format!("/v1/moderation/log?limit=1{cursor}")).await;
        assert_eq!(page.entries.len(), 1);
        paged.extend(page.entries);
        match page.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, log.entries);
    let moderators: ModeratorsView = read(&queries, "/v1/moderation/moderators").await;
    let key = pitpet_chain::hash::PublicKey(scene.moderator.key.verifying_key().to_bytes());
    assert_eq!(moderators.kennels[0].moderators, [key.to_string()]);
    // Whoever is no moderator hides nothing.
    let entry = scene.anna.verdict(scene.comment, Verdict::Hide, "Mine!", scene.town.clock.now_ms());
    scene.town.send(vec![entry]);
    let report = scene.town.mine_once(&scene.town.miner()).await;
    assert_eq!((report.accepted, report.rejected), (0, 1));
}

#[tokio::test]
async fn a_verdict_of_another_kennel_hides_nothing() {
    let scene = Scene::new().await;
    let other = scene.town.found_another("second", QUICK, 9).await;
    let mut moderator = Player::of(&other, MODERATOR_SEED, scene.town.clock.now_ms());
    scene.town.clock.advance(1_000);
    let now_ms = scene.town.clock.now_ms();
    let entry = moderator.verdict(scene.post, Verdict::Hide, "Not ours", now_ms);
    let message =
        pitpet_pipeline::message::Message { version: 1, kennel: other.kennel, entries: vec![entry] };
    scene.town.queue.take(&message.write());
    scene.town.mine_all(&scene.town.miner()).await;
    let log: ModerationLogView = read(&scene.town.queries(), "/v1/moderation/log?kennel=second").await;
    assert_eq!((log.entries.len(), log.entries[0].target_kind.as_deref()), (1, None));
    for (place, text, ..) in shown(&scene).await {
        assert!(text.is_some(), "{place}");
    }
}

#[tokio::test]
async fn the_queue_is_ordered_by_how_many_accounts_report() {
    let scene = Scene::new().await;
    for (player, event, reason) in [
        (&scene.bert, scene.post, ReportReason::Spam),
        (&scene.bert, scene.post, ReportReason::Other),
        (&scene.bert, scene.comment, ReportReason::Harassment),
        (&scene.anna, scene.post, ReportReason::Illegal),
    ] {
        scene.town.clock.advance(1_000);
        assert_eq!(scene.report(player, event, reason).await.status, 201);
    }
    let view: QueueView = read(&scene.town.queries(), "/v1/moderation/queue").await;
    let first = &view.entries[0];
    assert_eq!((first.event.clone(), first.reporters), (scene.post.to_string(), 2), "an account counts once");
    assert_eq!((first.kind.as_str(), first.text.as_deref()), ("post", Some("Buy cheap naps.")));
    let reasons: Vec<(&str, u64)> =
        first.reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!(reasons, [("illegal", 1), ("spam", 1)]);
    assert_eq!(queue(&scene.town.queries()).await[1], (scene.comment.to_string(), 1));
    assert_eq!(view.entries.len(), 2);
}

#[tokio::test]
async fn no_answer_says_who_reported() {
    let mut scene = Scene::new().await;
    // One who has taken part, with a pet of its own, and has nothing to do with Kitty.
    let mut spy = Player::new(&scene.town, 3);
    scene.town.send(vec![spy.birth("Nosy", scene.town.head().await.hash)]);
    scene.town.mine_all(&scene.town.miner()).await;
    for event in [scene.post, scene.comment, scene.kitty] {
        assert_eq!(scene.report(&spy, event, ReportReason::Spam).await.status, 201);
    }
    let second = scene.report(&scene.anna, scene.comment, ReportReason::Spam).await;
    // Before and after a verdict.
    let mut answers = vec![("another's report".to_owned(), second.body)];
    for _ in 0..2 {
        let (queries, post, comment, pet) = (scene.town.queries(), scene.post, scene.comment, scene.kitty);
        for path in [
            "/v1/moderation/queue".to_owned(),
            "/v1/moderation/log".to_owned(),
            "/v1/moderation/moderators".to_owned(),
            format!("/v1/events/{post}"),
            format!("/v1/events/{comment}"),
            format!("/v1/pets/{pet}"),
            format!("/v1/pets/{pet}/events"),
        ] {
            let answer = get(&queries, &path).await;
            assert_eq!(answer.status, 200, "{path}");
            answers.push((path, answer.body));
        }
        scene.decide(scene.post, Verdict::Hide, "Advertising").await;
    }
    let who = spy.account().to_string();
    for (path, answer) in answers {
        let text = String::from_utf8(answer).expect("JSON");
        assert!(!text.contains(&who), "{path}: {text}");
    }
}

#[tokio::test]
async fn what_is_decided_leaves_the_queue() {
    let mut scene = Scene::new().await;
    for event in [scene.post, scene.comment, scene.kitty] {
        assert_eq!(scene.report(&scene.bert, event, ReportReason::Spam).await.status, 201);
    }
    scene.decide(scene.post, Verdict::Hide, "Advertising").await;
    scene.decide(scene.comment, Verdict::Show, "It is fine.").await;
    assert_eq!(queue(&scene.town.queries()).await, [(scene.kitty.to_string(), 1)]);
}

#[tokio::test]
async fn bad_reports_are_refused_by_name() {
    let mut scene = Scene::new().await;
    let stranger = Player::new(&scene.town, 77);
    let reason = ReportReason::Spam;
    for (what, player, event, expected) in [
        ("an unknown event", &scene.bert, EventId([9; 32]), (404, "not-found")),
        ("an account that has done nothing", &stranger, scene.post, (403, "new-account")),
    ] {
        let (status, kind) = problem_of(&scene.report(player, event, reason).await);
        assert_eq!((status, kind.as_str()), expected, "{what}");
    }
    // A pat has no text.
    let pat = scene.bert.pat(scene.post);
    let pat_id = id_of(&pat);
    scene.town.send(vec![pat]);
    scene.town.mine_all(&scene.town.miner()).await;
    let (status, kind) = problem_of(&scene.report(&scene.anna, pat_id, reason).await);
    assert_eq!((status, kind.as_str()), (400, "bad-request"));
    assert!(queue(&scene.town.queries()).await.is_empty());
}

#[tokio::test]
async fn an_account_reports_so_many_things_an_hour_and_no_more() {
    let scene = Scene::new().await;
    let limits = RateLimits { reports: std::num::NonZeroU32::new(2), ..RateLimits::NONE };
    let ingest = scene.town.ingest().limited(limits);
    let wish = Wish::Report { event: scene.post, reason: ReportReason::Spam };
    for _ in 0..2 {
        assert_eq!(scene.ask(&ingest, &scene.bert, wish.clone()).await.status, 201);
    }
    let refused = scene.ask(&ingest, &scene.bert, wish.clone()).await;
    assert_eq!(problem_of(&refused), (429, "report-limit".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(scene.ask(&ingest, &scene.anna, wish.clone()).await.status, 201, "another may");
    // Another instance knows of it, and the next hour forgets.
    let other = scene.town.ingest().limited(limits);
    assert_eq!(scene.ask(&other, &scene.bert, wish.clone()).await.status, 429);
    scene.town.clock.advance(60 * 60 * 1_000);
    assert_eq!(scene.ask(&other, &scene.bert, wish).await.status, 201);
}

/// A hundred reporters count; who comes later is answered, and stores nothing.
#[tokio::test]
async fn reports_of_an_event_are_bounded() {
    let scene = Scene::new().await;
    let (table, kennel) = (scene.town.table.as_ref(), scene.town.kennel());
    for number in 0..reports::REPORTERS_MAX + 3 {
        let account = pitpet_chain::hash::AccountId(sha256(&number.to_be_bytes()));
        let reason = ReportReason::Spam;
        reports::take(table, &kennel, &scene.post, &account, reason, 1_000 + u64::from(number))
            .await
            .expect("in memory");
    }
    let stored = scene.town.table.all().keys().filter(|key| key.pk == items::reports_pk(&scene.post)).count();
    assert_eq!(stored, reports::REPORTERS_MAX as usize + 1, "and the sum");
    assert_eq!(queue(&scene.town.queries()).await, [(scene.post.to_string(), 100)]);
    let entries = scene.town.table.all().keys().filter(|key| key.pk == items::queue_pk(&kennel)).count();
    assert_eq!(entries, 1, "older places are cleared");
}

/// Each write of a report fails before or after it persisted; sent again, it counts once.
#[tokio::test]
async fn a_report_cut_short_is_finished_by_sending_it_again() {
    let counted = Faults::none();
    let scene = Scene::new().await;
    assert_eq!(scene.report(&scene.anna, scene.post, ReportReason::Other).await.status, 201);
    let wish = Wish::Report { event: scene.post, reason: ReportReason::Spam };
    scene.ask(&scene.town.ingest_with(&counted), &scene.bert, wish.clone()).await;
    let writes = counted.writes();
    assert!(writes >= 4, "report, entry, sum, older entry: {writes}");
    for write in 0..writes {
        for fault in [|| Fault::CrashBefore, || Fault::CrashAfter] {
            let scene = Scene::new().await;
            assert_eq!(scene.report(&scene.anna, scene.post, ReportReason::Other).await.status, 201);
            let faults = Faults::at_write(write, fault);
            scene.ask(&scene.town.ingest_with(&faults), &scene.bert, wish_at(&scene)).await;
            assert!(faults.is_dead(), "write {write}");
            // In the meantime the event is in the queue once, with one reporter or two.
            let between = queue(&scene.town.queries()).await;
            assert_eq!(between.len(), 1, "write {write}");
            assert_eq!(scene.ask(&scene.town.ingest(), &scene.bert, wish_at(&scene)).await.status, 201);
            assert_eq!(queue(&scene.town.queries()).await, [(scene.post.to_string(), 2)], "write {write}");
        }
    }
}

fn wish_at(scene: &Scene) -> Wish {
    Wish::Report { event: scene.post, reason: ReportReason::Spam }
}

#[tokio::test]
async fn two_reporters_at_once_both_count() {
    let scene = Scene::new().await;
    let ingest = scene.town.ingest();
    let wish = || Wish::Report { event: scene.post, reason: ReportReason::Spam };
    let (first, second) =
        futures::join!(scene.ask(&ingest, &scene.anna, wish()), scene.ask(&ingest, &scene.bert, wish()));
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(queue(&scene.town.queries()).await, [(scene.post.to_string(), 2)]);
    let sum = scene.town.table.get(&items::report_sum(&scene.post), Consistency::Strong).await;
    assert!(sum.expect("in memory").is_some());
}
