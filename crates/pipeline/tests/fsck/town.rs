//! A kennel in which everything has happened that leaves something in the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_chain::event::{Payload, Verdict};
use pitpet_chain::hash::{KennelId, PublicKey, sha256};
use pitpet_chain::request::{Request, Wish};
use pitpet_pipeline::api::SubmittedRequest;
use pitpet_pipeline::erase::erase_by_operator;
use pitpet_pipeline::http::{self, HttpRequest};
use pitpet_pipeline::items;
use pitpet_pipeline::mine::MinerSettings;
use pitpet_pipeline::ports::{Attributes, Key, Objects as _};
use pitpet_simulator::town::{EACH, FOUNDED_MS, MODERATOR_SEED, QUICK, id_of, key};
use pitpet_simulator::{Faults, MemoryObjects, MemoryTable, Player, Town};

const EVERY: MinerSettings = MinerSettings {
    snapshot_every: 4,
    unpublished_max: 1_000,
    open_kennels_max: std::num::NonZeroUsize::MIN,
    search_words_max: 12,
    window: EACH,
};

/// Of whose seed the operator's key is made.
const OPERATOR_SEED: u8 = 200;

/// What is stored of it.
pub(crate) struct Lived {
    pub(crate) kennel: KennelId,
    pub(crate) height: u64,
    pub(crate) events: u64,
    pub(crate) bodies: u64,
    pub(crate) photos: u64,
    pub(crate) items: BTreeMap<Key, Attributes>,
    pub(crate) held: BTreeMap<String, Vec<u8>>,
}

fn name(player: &Player, name: &str) -> SubmittedRequest {
    let key = PublicKey(player.key.verifying_key().to_bytes());
    let request = Request {
        version: 1,
        account: player.account(),
        key,
        expires_ms: FOUNDED_MS + 60_000,
        wish: Wish::Name { name: name.to_owned() },
        stamp: 0,
    };
    SubmittedRequest { request: STANDARD.encode(request.sign(&player.key)) }
}

impl Lived {
    /// Two pets, one of which dies and has its story ended and kept, another that waits to be
    /// ended; its keepsake sold, an offer and a bid that stand, and one that was cancelled; posts with
    /// visits over two days; names; a post and a comment hidden, another post's text erased; offices
    /// appointed anew and an account with a new key; snapshots' worth of blocks.
    pub(crate) async fn new() -> Self {
        let town = Town::found(QUICK).await;
        let miner = town.miner_with(&Faults::none(), EVERY);
        let mut anna = Player::new(&town, 1);
        let mut bert = Player::new(&town, 2);
        let mut cleo = Player::new(&town, 3);
        for (player, wanted) in [(&anna, "anna"), (&bert, "bert")] {
            let request = HttpRequest {
                method: "POST".to_owned(),
                path: "/v1/accounts".to_owned(),
                content_type: Some("application/json".to_owned()),
                body: serde_json::to_vec(&name(player, wanted)).expect("JSON"),
                ..HttpRequest::default()
            };
            let answer = http::ingest(&town.ingest(), &request).await;
            assert_eq!(answer.status, 201, "the name is free");
        }
        let head = town.head().await.hash;
        let births = [anna.birth("Kitty", head), bert.birth("Rex", head), cleo.birth("Momo", head)];
        let [kitty, rex, _momo] = births.each_ref().map(id_of);
        let (mut events, mut bodies) = (3, 3);
        for pet in ["Kitty", "Rex", "Momo"] {
            let key = items::photo_object(&sha256(pet.as_bytes()));
            town.objects.put(&key, pet.as_bytes().to_vec()).await.expect("in memory");
        }
        town.send(births.into());
        town.mine_all(&miner).await;
        let (mut posts, mut comment) = (Vec::new(), None);
        for number in 0..19 {
            let post = anna.post(kitty, &format!("Nap {number}."));
            let id = id_of(&post);
            let mut sent = vec![post];
            if number % 4 == 0 {
                sent.push(bert.pat(id));
                sent.push(cleo.comment(id, "So soft."));
                comment = sent.last().map(id_of);
                bodies += 1;
                events += 2;
            }
            if number == 10 {
                // The day changes here.
                town.clock.advance(43_200_000);
                for player in [&mut anna, &mut bert, &mut cleo] {
                    player.expires_ms += 43_200_000;
                }
                sent = vec![anna.post(kitty, "A new day.")];
            }
            events += 1;
            bodies += 1;
            posts.push(id);
            town.send(sent);
            town.mine_all(&miner).await;
            town.clock.advance(1_000);
        }
        // Rex and Momo have died by now; Rex's story is ended and kept.
        for entry in [
            bert.act(Payload::StoryEnd { pet: rex.into() }),
            bert.act(Payload::Keepsake { pet: rex.into() }),
            bert.act(Payload::Share { post: posts[18] }),
        ] {
            town.send(vec![entry]);
            let report = town.mine_once(&miner).await;
            assert_eq!(report.accepted, 1, "{report:?}");
            events += 1;
        }
        let until_ms = town.clock.now_ms() + 60_000;
        let (rex, to) = (rex.into(), cleo.account());
        let mut traded = vec![bert.act(Payload::Transfer { to, amount: 6 })];
        traded.push(bert.act(Payload::Offer { pet: rex, price: 5, until_ms }));
        let order = id_of(&traded[1]);
        traded.push(cleo.act(Payload::Take { order, price: 5 }));
        traded.push(bert.act(Payload::Bid { pet: rex, price: 1, until_ms }));
        let order = id_of(&traded[3]);
        traded.push(bert.act(Payload::Cancel { order }));
        traded.push(bert.act(Payload::Bid { pet: rex, price: 2, until_ms }));
        traded.push(cleo.act(Payload::Offer { pet: rex, price: 4, until_ms }));
        for entry in traded {
            town.send(vec![entry]);
            let report = town.mine_once(&miner).await;
            assert_eq!(report.accepted, 1, "{report:?}");
            events += 1;
        }
        let now_ms = town.clock.now_ms();
        let mut moderator = Player::of(&town.founding, MODERATOR_SEED, now_ms);
        let mut operator = Player { nonce: now_ms - 1, ..Player::of(&town.founding, OPERATOR_SEED, now_ms) };
        let comment = comment.expect("some posts were commented on");
        let ruled = [
            moderator.verdict(posts[17], Verdict::Hide, "Too many naps.", now_ms - 1_000),
            moderator.verdict(comment, Verdict::Hide, "Rude.", now_ms),
            operator.act(Payload::Appoint {
                operator: PublicKey(operator.key.verifying_key().to_bytes()),
                moderators: vec![],
                witnesses: vec![],
                threshold: 0,
            }),
            cleo.act(Payload::Rekey {
                new_key: PublicKey(key(4).verifying_key().to_bytes()),
                recovery: None,
            }),
        ];
        for entry in ruled {
            town.send(vec![entry]);
            let report = town.mine_once(&miner).await;
            assert_eq!(report.accepted, 1, "{report:?}");
            events += 1;
        }
        // The two verdicts' reasons, less the text that goes.
        bodies += 2 - 1;
        let erased = erase_by_operator(town.table.clone(), town.objects.as_ref(), &posts[16], now_ms).await;
        assert!(erased.expect("in memory").is_some(), "it is mined");
        let head = town.head().await;
        let waiting = town.table.all().keys().filter(|key| key.pk.starts_with("D#")).count();
        assert_eq!(waiting, 2, "both have died");
        let mut held = BTreeMap::new();
        let snapshots = format!("snapshot/{}/", town.kennel());
        for prefix in ["media/", snapshots.as_str()] {
            for key in town.objects.list(prefix).await.expect("in memory") {
                let content = town.objects.get(&key).await.expect("it is listed");
                held.insert(key, content);
            }
        }
        Self {
            kennel: town.kennel(),
            height: head.height,
            events,
            bodies,
            photos: 3,
            items: town.table.all(),
            held,
        }
    }

    /// A copy of the table.
    pub(crate) fn table(&self) -> Arc<MemoryTable> {
        let table = Arc::new(MemoryTable::new());
        for (key, attributes) in &self.items {
            table.overwrite(key.clone(), attributes.clone());
        }
        table
    }

    /// A copy of the object store.
    pub(crate) async fn objects(&self) -> MemoryObjects {
        let objects = MemoryObjects::new();
        for (key, content) in &self.held {
            objects.put(key, content.clone()).await.expect("in memory");
        }
        objects
    }
}
