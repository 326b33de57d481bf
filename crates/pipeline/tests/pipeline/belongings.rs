//! What accounts keep beside the chain: whose it is, what it may be, which version stays, that a
//! request for one thing is none for another; and what an account is told of its pets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::event::{Payload, Verdict};
use pitpet_chain::hash::{EventId, sha256};
use pitpet_chain::request::Wish;
use pitpet_pipeline::api::*;
use pitpet_pipeline::belongings::{LIST_BYTES_MAX, Profile, erase_profile_of, list_content};
use pitpet_pipeline::http::HttpResponse;
use pitpet_simulator::town::{MODERATOR_SEED, QUICK, id_of};
use pitpet_simulator::{Player, Town};

use crate::moderation::ask;
use crate::query::read;

struct Scene {
    town: Town,
    anna: Player,
    ben: Player,
    mochi: EventId,
    rex: EventId,
}

/// Two players with a pet each; Anna has a name.
async fn scene() -> Scene {
    let town = Town::found(QUICK).await;
    let (mut anna, mut ben) = (Player::new(&town, 1), Player::new(&town, 2));
    let anchor = town.head().await.hash;
    let (first, second) = (anna.birth("Mochi", anchor), ben.birth("Rex", anchor));
    let (mochi, rex) = (id_of(&first), id_of(&second));
    town.send(vec![first, second]);
    town.mine_all(&town.miner()).await;
    let scene = Scene { town, anna, ben, mochi, rex };
    let name = Wish::Name { name: "anna".to_owned() };
    let answer = scene.send("/v1/accounts", &scene.anna.request(name, scene.soon())).await;
    assert_eq!(answer.status, 201);
    scene
}

impl Scene {
    fn soon(&self) -> u64 {
        self.town.clock.now_ms() + 60_000
    }

    async fn send(&self, path: &str, body: &impl serde::Serialize) -> HttpResponse {
        ask(&self.town.ingest(), path, body).await
    }

    async fn mine(&self, entries: Vec<pitpet_pipeline::message::Entry>) {
        self.town.clock.advance(1_000);
        self.town.send(entries);
        self.town.mine_all(&self.town.miner()).await;
    }

    fn profile(&self, by: &Player, version: u64, bio: &str, avatar: Option<EventId>) -> SubmittedProfile {
        let content = Profile::content(bio, avatar.as_ref());
        let wish = Wish::Vault { name: "anna".to_owned(), version, content };
        SubmittedProfile {
            request: by.request(wish, self.soon()).request,
            bio: bio.to_owned(),
            avatar: avatar.map(|event| event.to_string()),
        }
    }

    fn list(&self, by: &Player, version: u64, sealed: &[u8]) -> SubmittedList {
        let content = list_content(sealed);
        let wish = Wish::Vault { name: "anna".to_owned(), version, content };
        SubmittedList { request: by.request(wish, self.soon()).request, sealed: STANDARD.encode(sealed) }
    }

    async fn shown(&self) -> ProfileView {
        read(&self.town.queries(), "/v1/accounts/anna/profile").await
    }

    async fn notices(&self) -> NoticesView {
        read(&self.town.queries(), "/v1/accounts/anna/notices").await
    }
}

fn refused(response: &HttpResponse) -> (u16, String, String) {
    let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
    (problem.status, problem.kind.replace("/problems/", ""), problem.field.unwrap_or_default())
}

fn problem(status: u16, kind: &str, field: &str) -> (u16, String, String) {
    (status, kind.to_owned(), field.to_owned())
}

#[tokio::test]
async fn a_profile_is_its_owners_and_only_a_newer_one_replaces_it() {
    let scene = scene().await;
    let none = scene.shown().await;
    assert_eq!((none.bio.as_str(), none.version), ("", 0));
    let first = scene.profile(&scene.anna, 5, "Two cats, no sleep.\nVienna.", Some(scene.mochi));
    assert_eq!(scene.send("/v1/profiles", &first).await.status, 201);
    assert_eq!(scene.send("/v1/profiles", &first).await.status, 201, "asking again is no fault");
    let shown = scene.shown().await;
    assert_eq!((shown.bio.as_str(), shown.version), ("Two cats, no sleep.\nVienna.", 5));
    let card: PetView = read(&scene.town.queries(), &format!("/v1/pets/{}", scene.mochi)).await;
    assert_eq!(shown.avatar_url, card.photo_url);

    let second = scene.profile(&scene.anna, 6, "", None);
    assert_eq!(scene.send("/v1/profiles", &second).await.status, 201);
    assert_eq!(
        scene.shown().await,
        ProfileView { bio: String::new(), avatar: None, avatar_url: None, version: 6, ..shown }
    );
    assert_eq!(
        refused(&scene.send("/v1/profiles", &first).await),
        problem(409, "kept-version", "version"),
        "an older one doesn't come back"
    );
    let other = scene.profile(&scene.ben, 7, "Mine now.", None);
    assert_eq!(refused(&scene.send("/v1/profiles", &other).await), problem(403, "not-your-name", "name"));
    assert_eq!(scene.shown().await.bio, "");
    // What the account has on the ledger is read as before.
    let view: AccountView = read(&scene.town.queries(), "/v1/accounts/anna").await;
    assert_eq!((view.names, view.kennels.len()), (vec!["anna".to_owned()], 1));
}

#[tokio::test]
async fn what_a_profile_may_be_is_said_with_the_limit() {
    let mut scene = scene().await;
    let post = scene.ben.post(scene.rex, "Bone.");
    let plain = scene.anna.post(scene.mochi, "No photo.");
    let (of_ben, plain_id) = (id_of(&post), id_of(&plain));
    scene.mine(vec![post, plain]).await;
    let send = async |profile: SubmittedProfile| scene.send("/v1/profiles", &profile).await;
    let long = send(scene.profile(&scene.anna, 5, &"ü".repeat(281), None)).await;
    assert_eq!(refused(&long), problem(400, "bad-request", "bio"));
    assert!(String::from_utf8_lossy(&long.body).contains("at most 280 characters, and this one has 281"));
    assert_eq!(send(scene.profile(&scene.anna, 4, &"ü".repeat(280), None)).await.status, 201);
    let bell = send(scene.profile(&scene.anna, 5, "ding\u{7}", None)).await;
    assert_eq!(refused(&bell), problem(400, "bad-request", "bio"));
    let others = send(scene.profile(&scene.anna, 5, "", Some(of_ben))).await;
    assert_eq!(refused(&others), problem(403, "not-your-photo", "avatar"));
    let none = send(scene.profile(&scene.anna, 5, "", Some(plain_id))).await;
    assert_eq!(refused(&none), problem(400, "bad-request", "avatar"));
    let unknown = send(scene.profile(&scene.anna, 5, "", Some(EventId([7; 32])))).await;
    assert_eq!(refused(&unknown), problem(404, "not-found", "avatar"));
    let garbled =
        SubmittedProfile { avatar: Some("mochi".to_owned()), ..scene.profile(&scene.anna, 5, "", None) };
    assert_eq!(refused(&send(garbled).await), problem(400, "bad-request", "avatar"));
    // Neither text nor avatar is another than what was signed.
    let signed = scene.profile(&scene.anna, 5, "I like dogs.", Some(scene.mochi));
    for changed in [
        SubmittedProfile { bio: "I like cats.".to_owned(), ..signed.clone() },
        SubmittedProfile { avatar: None, ..signed },
    ] {
        assert_eq!(refused(&send(changed).await), problem(422, "content-mismatch", "request"));
    }
}

#[tokio::test]
async fn an_avatar_goes_with_its_photo() {
    let scene = scene().await;
    let profile = scene.profile(&scene.anna, 5, "Hello.", Some(scene.mochi));
    assert_eq!(scene.send("/v1/profiles", &profile).await.status, 201);
    assert!(scene.shown().await.avatar_url.is_some());
    let mut moderator = Player::new(&scene.town, MODERATOR_SEED);
    let verdict = |moderator: &mut Player, town: &Town, verdict| {
        moderator.verdict(scene.mochi, verdict, "Advertising", town.clock.now_ms())
    };
    scene.town.clock.advance(1_000);
    let hide = verdict(&mut moderator, &scene.town, Verdict::Hide);
    scene.mine(vec![hide]).await;
    assert_eq!(scene.shown().await.avatar_url, None, "a moderator hid it");
    let show = verdict(&mut moderator, &scene.town, Verdict::Show);
    scene.mine(vec![show]).await;
    assert!(scene.shown().await.avatar_url.is_some());
    let erase = scene.anna.request(Wish::Erase { event: scene.mochi }, scene.soon());
    assert_eq!(scene.send("/v1/erasures", &erase).await.status, 200);
    assert_eq!(scene.shown().await.avatar_url, None, "its text was erased");
    assert_eq!(scene.shown().await.bio, "Hello.");
}

#[tokio::test]
async fn the_operator_erases_a_profile_for_good() {
    let scene = scene().await;
    let profile = scene.profile(&scene.anna, 5, "Buy my pills.", Some(scene.mochi));
    assert_eq!(scene.send("/v1/profiles", &profile).await.status, 201);
    let table = scene.town.table.as_ref();
    assert_eq!(erase_profile_of(table, "bella", scene.soon()).await.unwrap(), None);
    for whose in ["anna".to_owned(), scene.anna.account().to_string()] {
        let erased = erase_profile_of(table, &whose, scene.soon()).await.unwrap();
        assert_eq!(erased, Some(scene.anna.account()));
    }
    let shown = scene.shown().await;
    assert_eq!((shown.bio.as_str(), shown.avatar_url, shown.version), ("", None, 0));
    let again = scene.profile(&scene.anna, scene.soon(), "Buy them.", None);
    assert_eq!(refused(&scene.send("/v1/profiles", &again).await), problem(403, "profile-closed", "account"));
    assert_eq!(scene.shown().await.bio, "");
}

#[tokio::test]
async fn a_list_is_kept_as_it_is_within_its_size() {
    let scene = scene().await;
    let none: ListView = read(&scene.town.queries(), "/v1/accounts/anna/list").await;
    assert_eq!((none.version, none.sealed.as_str()), (0, ""));
    let sealed = vec![7; LIST_BYTES_MAX];
    assert_eq!(scene.send("/v1/lists", &scene.list(&scene.anna, 5, &sealed)).await.status, 201);
    let kept: ListView = read(&scene.town.queries(), "/v1/accounts/anna/list").await;
    assert_eq!((kept.version, STANDARD.decode(kept.sealed).unwrap()), (5, sealed.clone()));
    for bad in [vec![], vec![7; LIST_BYTES_MAX + 1]] {
        let answer = scene.send("/v1/lists", &scene.list(&scene.anna, 6, &bad)).await;
        assert_eq!(refused(&answer), problem(400, "bad-request", "sealed"));
        assert!(String::from_utf8_lossy(&answer.body).contains(&format!("1 to {LIST_BYTES_MAX} bytes")));
    }
    let same = scene.send("/v1/lists", &scene.list(&scene.anna, 5, b"another")).await;
    assert_eq!(refused(&same), problem(409, "kept-version", "version"));
    let other = scene.send("/v1/lists", &scene.list(&scene.ben, 6, b"x")).await;
    assert_eq!(refused(&other), problem(403, "not-your-name", "name"));
}

#[tokio::test]
async fn a_request_for_one_thing_is_none_for_another() {
    let scene = scene().await;
    let profile = scene.profile(&scene.anna, 5, "Hello.", None);
    let list = scene.list(&scene.anna, 5, b"Hello.");
    let as_list = SubmittedList { request: profile.request.clone(), sealed: STANDARD.encode(b"Hello.") };
    assert_eq!(
        refused(&scene.send("/v1/lists", &as_list).await),
        problem(422, "content-mismatch", "request")
    );
    let as_profile = SubmittedProfile { request: list.request.clone(), ..profile.clone() };
    assert_eq!(
        refused(&scene.send("/v1/profiles", &as_profile).await),
        problem(422, "content-mismatch", "request")
    );
    // Whoever saw either can't make a password of it, whatever the text is.
    let ingest = scene.town.ingest().with_passwords(&[9; 32]);
    let long = "x".repeat(280);
    let long_profile = scene.profile(&scene.anna, 5, &long, None);
    let tagged = |parts: &[&[u8]]| [&[b"pitpet/v1/profile", [0].as_slice()], parts].concat().concat();
    let (hashed, plain) =
        (tagged(&[&[0; 32], &sha256(long.as_bytes())]), tagged(&[&[0; 32], long.as_bytes()]));
    assert_eq!(sha256(&hashed), Profile::content(&long, None));
    for (whole, answer) in [
        (hashed, problem(400, "bad-request", "record")),
        (plain, problem(422, "content-mismatch", "request")),
    ] {
        let (record, vault) = whole.split_at(whole.len().min(192));
        let vault = SubmittedVault {
            request: long_profile.request.clone(),
            record: STANDARD.encode(record),
            vault: STANDARD.encode(if vault.is_empty() { &[1] } else { vault }),
        };
        assert_eq!(refused(&ask(&ingest, "/v1/sign-in/vault", &vault).await), answer);
    }
    let name = Wish::Name { name: "anna".to_owned() };
    let named = SubmittedProfile { request: scene.anna.request(name, scene.soon()).request, ..profile };
    assert_eq!(refused(&scene.send("/v1/profiles", &named).await), problem(400, "bad-request", "request"));
}

#[tokio::test]
async fn an_account_is_told_what_others_did_and_when_a_pet_fades() {
    let mut scene = scene().await;
    let post = scene.anna.post(scene.mochi, "First nap.");
    let post_id = id_of(&post);
    scene.mine(vec![post]).await;
    let (pat, comment) = (scene.ben.pat(post_id), scene.ben.comment(post_id, "So soft!"));
    scene.mine(vec![pat]).await;
    scene.mine(vec![comment]).await;
    let told = scene.notices().await;
    let kinds: Vec<&str> = told.entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["comment", "pat"], "newest first, and nothing of one's own");
    assert_eq!(told.entries[0].text.as_deref(), Some("So soft!"));
    assert!(told.fading.is_empty() && told.ended.is_empty());
    // Every block is an age here: 15 are a life, and at a third of it there is time to act.
    let mut faded_at = None;
    for n in 1..=15 {
        let post = scene.ben.post(scene.rex, &format!("Day {n}."));
        scene.mine(vec![post]).await;
        let told = scene.notices().await;
        if let Some(pet) = told.fading.first() {
            faded_at = faded_at.or(Some((n, pet.remaining)));
            assert_eq!(pet.birth, scene.mochi.to_string());
        }
    }
    assert_eq!(faded_at, Some((10, 5)));
    let told = scene.notices().await;
    assert!(told.fading.is_empty() && told.entries.is_empty(), "it is too late");
    let births: Vec<&str> = told.ended.iter().map(|pet| pet.birth.as_str()).collect();
    assert_eq!(births, [scene.mochi.to_string()], "a keepsake can be made");
    let end = scene.ben.act(Payload::StoryEnd { pet: scene.mochi.into() });
    scene.mine(vec![end]).await;
    let keep = scene.anna.act(Payload::Keepsake { pet: scene.mochi.into() });
    scene.mine(vec![keep]).await;
    assert!(scene.notices().await.ended.is_empty());
}

#[tokio::test]
async fn posts_are_found_by_their_ids_in_the_order_asked_for() {
    let mut scene = scene().await;
    let (post, pat) = (scene.anna.post(scene.mochi, "First nap."), scene.ben.pat(scene.rex));
    let (post_id, pat_id) = (id_of(&post), id_of(&pat));
    scene.mine(vec![post]).await;
    let pat = scene.ben.pat(post_id);
    let ids = [post_id, EventId([9; 32]), id_of(&pat), pat_id, scene.mochi];
    scene.mine(vec![pat]).await;
    let queries = scene.town.queries();
    let shown = queries.posts(&ids).await.unwrap();
    let found: Vec<&str> = shown.iter().map(|card| card.entry.id.as_str()).collect();
    assert_eq!(found, [post_id.to_string(), scene.mochi.to_string()], "a pat is no post");
    assert_eq!(shown[0].pats, 1);
    assert!(queries.posts(&[post_id; 21]).await.unwrap_err().detail.contains("At most 20"));
    assert!(queries.posts(&[]).await.unwrap().is_empty());
}

/// All that an account did, page by page, and how many pages that were.
async fn acts_of(scene: &Scene, account: &str) -> (Vec<ActView>, usize) {
    let (mut acts, mut cursor) = (Vec::new(), String::new());
    for pages in 1.. {
        let page: ActsView =
            read(&scene.town.queries(), &format!("/v1/kennels/first/acts/{account}{cursor}")).await;
        acts.extend(page.acts);
        match page.cursor {
            Some(next) => cursor = format!("?cursor={next}"),
            None => return (acts, pages),
        }
    }
    unreachable!()
}

#[tokio::test]
async fn what_an_account_did_for_others_is_gathered_from_the_ledger() {
    let mut scene = scene().await;
    let post = scene.ben.post(scene.rex, "Bones.");
    let of_ben = id_of(&post);
    scene.mine(vec![post]).await;
    let comment = scene.anna.comment(of_ben, "So loud!");
    let comment_id = id_of(&comment);
    let pat = scene.anna.pat(of_ben);
    let until_ms = scene.soon();
    let offer = scene.ben.act(Payload::Offer { pet: scene.rex.into(), price: 7, until_ms });
    scene.mine(vec![pat, comment, offer]).await;
    // More blocks than one answer goes through.
    for seed in 3..=255 {
        let anchor = scene.town.head().await.hash;
        scene.mine(vec![Player::new(&scene.town, seed).birth("Other", anchor)]).await;
    }
    let (acts, pages) = acts_of(&scene, "anna").await;
    assert!(pages > 1, "{pages} pages");
    assert!(acts.windows(2).all(|two| (two[0].height, two[0].index) < (two[1].height, two[1].index)));
    let of = |kind: &str| acts.iter().filter(|act| act.kind == kind).collect::<Vec<_>>();
    assert_eq!((of("birth").len(), of("pat").len(), of("comment").len(), acts.len()), (1, 1, 1, 3));
    assert_eq!(of("birth")[0].name.as_deref(), Some("Mochi"));
    assert_eq!(of("pat")[0].post.as_deref(), Some(of_ben.to_string().as_str()));
    let told = of("comment")[0];
    assert_eq!((told.id.as_str(), told.text.as_deref()), (comment_id.to_string().as_str(), Some("So loud!")));
    // It is what was signed.
    let signed = STANDARD.decode(&told.event).expect("base64");
    assert_eq!(pitpet_chain::event::SignedEvent::read(&signed).expect("an event").id, comment_id);
    let (salt, body) = (told.salt.as_deref().expect("a salt"), told.body.as_deref().expect("a body"));
    let salt: [u8; 32] = STANDARD.decode(salt).expect("base64").try_into().expect("32 bytes");
    let committed = pitpet_chain::body::commitment(&salt, &STANDARD.decode(body).expect("base64"));
    let signed = pitpet_chain::event::SignedEvent::read(&signed).expect("an event");
    assert_eq!(signed.event.payload.body(), Some(&committed));
    // By its id as by its name; of another one other acts.
    assert_eq!(acts_of(&scene, &scene.anna.account().to_string()).await.0, acts);
    let (of_other, _) = acts_of(&scene, &scene.ben.account().to_string()).await;
    assert_eq!(of_other.iter().map(|act| act.kind.as_str()).collect::<Vec<_>>(), ["birth", "post", "offer"]);
    assert_eq!(of_other[2].amount, Some(7));
    let response = crate::query::get(&scene.town.queries(), "/v1/kennels/first/acts/anna?cursor=x").await;
    assert_eq!(refused(&response), problem(400, "bad-request", "cursor"));
}
