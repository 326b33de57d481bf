//! What a browser needs to decide a block again, and that it finds out what was changed.

use pitpet_chain::abi::Session;
use pitpet_chain::block::{Block, Change, Receipt};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::RulesHash;
use pitpet_keys::inspect::{self, Evidence};
use pitpet_pipeline::http::{self, HttpRequest};
use pitpet_pipeline::message::Entry;
use pitpet_pipeline::ports::Objects as _;
use pitpet_pipeline::snapshots::ARCHIVED_EVERY;
use pitpet_pipeline::upgrade::Operator;
use pitpet_simulator::town::{QUICK, RULES, id_of, key};
use pitpet_simulator::{Player, Town};

/// Blocks between two posts of a pet: few enough that the last one takes pats, and many enough that
/// the granted treats pay for all.
const POST_EVERY: u64 = 14;

/// A kennel of a bit more than one archived snapshot's distance: one event in each block.
async fn grown() -> Town {
    grown_through(&[]).await
}

/// Where the rules change, each time to other ones, by their hashes.
async fn grown_through(changes: &[(RulesHash, u64)]) -> Town {
    let mut changes = changes.iter().peekable();
    let operator = key(200);
    let town = Town::found(QUICK).await;
    let mut owners = [Player::new(&town, 1), Player::new(&town, 2)];
    let miner = town.miner();
    let head = town.head().await.hash;
    let mut pets = Vec::new();
    for (owner, name) in owners.iter_mut().zip(["Kitty", "Rex"]) {
        let birth = owner.birth(name, head);
        pets.push(id_of(&birth));
        town.send(vec![birth]);
        town.mine_all(&miner).await;
    }
    let mut posts = [pets[0]; 2];
    for number in 0..ARCHIVED_EVERY + 5 {
        let at = usize::from(number % 2 == 1);
        let event = match number % POST_EVERY {
            0 | 1 => {
                let post = owners[at].post(pets[at], &format!("Nap {number}."));
                posts[at] = id_of(&post);
                post
            }
            round => Player::new(&town, 3 + u8::try_from(round).expect("small")).pat(posts[at]),
        };
        let mut events = vec![event];
        let head = town.head().await;
        if let Some((rules, at_height)) = changes.next_if(|_| head.summary.upgrade.is_none()) {
            let operator =
                Operator { key: &operator, kennel: town.kennel(), genesis: &town.founding.genesis };
            let decision = operator.upgrade(*rules, *at_height, town.clock.now_ms());
            events.push(Entry { event: Bytes(decision), body: None });
        }
        town.send(events);
        town.mine_all(&miner).await;
        town.clock.advance(1_000);
    }
    town
}

async fn evidence(town: &Town, height: u64) -> Evidence {
    let request = HttpRequest {
        method: "GET".to_owned(),
        path: format!("/v1/kennels/first/blocks/{height}/evidence"),
        ..HttpRequest::default()
    };
    let response = http::query(&town.queries(), &request).await.expect("a route");
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    assert_eq!(response.headers["content-type"], "application/cbor");
    inspect::evidence(&response.body).expect("canonical")
}

/// As the page's worker does it: the lines that differ; none if the block is right.
fn decided(town: &Town, height: u64, evidence: &Evidence) -> Result<Vec<String>, String> {
    let claims = evidence.check(&town.kennel(), height).map_err(|refused| refused.detail)?;
    let open = || -> Result<Session, String> {
        let mut session = Session::new();
        let mut rules = evidence.rules;
        let opened = session.open(&evidence.start()).map_err(|fault| fault.to_string())?;
        let (mut head, _) = inspect::opened(&opened).unwrap();
        let take_over = |session: &mut Session, next: RulesHash| {
            let snapshot = session.snapshot(&[]).unwrap();
            *session = Session::new();
            session.open(&inspect::take_over(next, &snapshot)).map_err(|fault| fault.to_string())
        };
        for (next, replay) in evidence.replays().map_err(|refused| refused.detail)? {
            if next != rules {
                take_over(&mut session, next)?;
                rules = next;
            }
            let answer = session.replay(&replay).map_err(|fault| fault.to_string())?;
            head = inspect::replayed(&answer).unwrap();
        }
        if claims.rules != rules {
            take_over(&mut session, claims.rules)?;
        }
        if height > 0 {
            assert_eq!(head, claims.parent)
        } else {
            assert_eq!(head, claims.hash)
        }
        Ok(session)
    };
    let mut session = open()?;
    if height == 0 {
        return Ok(Vec::new());
    }
    match session.replay(&evidence.last_replay()) {
        Ok(answer) => {
            assert_eq!(inspect::replayed(&answer).unwrap(), claims.hash);
            Ok(Vec::new())
        }
        Err(_) => {
            let answer = open()?.apply(&evidence.batch().unwrap()).map_err(|fault| fault.to_string())?;
            let (computed, mut lines) = inspect::decided(&answer).unwrap();
            if let Some(computed) = computed {
                lines.extend(inspect::differences(&evidence.block.0, &computed).unwrap());
            }
            Ok(lines)
        }
    }
}

#[tokio::test]
async fn every_block_can_be_decided_again_from_a_near_state() {
    let town = grown().await;
    let top = town.head().await.height;
    assert!(top > ARCHIVED_EVERY + 4);
    for height in [0, 1, 2, ARCHIVED_EVERY - 1, ARCHIVED_EVERY, ARCHIVED_EVERY + 1, ARCHIVED_EVERY + 2, top] {
        let evidence = evidence(&town, height).await;
        assert_eq!(evidence.snapshot.is_some(), height > ARCHIVED_EVERY, "{height}");
        let before = height.saturating_sub(1) % ARCHIVED_EVERY;
        let before = if height == ARCHIVED_EVERY + 1 { 0 } else { before };
        assert_eq!(evidence.before.len() as u64, before, "{height}");
        assert_eq!(decided(&town, height, &evidence), Ok(Vec::new()), "{height}");
    }
    // Without the snapshot the way from the genesis is longer, and as good.
    let archive = format!("archive/{}/", town.kennel());
    for key in town.objects.list(&archive).await.expect("a list") {
        town.objects.delete(&key).await.expect("deleted");
    }
    let evidence = evidence(&town, top).await;
    assert_eq!((evidence.snapshot.is_none(), evidence.before.len() as u64), (true, top - 1));
    assert_eq!(decided(&town, top, &evidence), Ok(Vec::new()));
}

/// Each block is decided by the rules that it names, and no other way leads over a change of rules.
#[tokio::test]
async fn a_block_beyond_a_change_of_rules_is_decided_by_its_own() {
    let (second, third) = (RulesHash([0x22; 32]), RulesHash([0x33; 32]));
    let changes = [(second, 9), (third, ARCHIVED_EVERY + 1)];
    let town = grown_through(&changes).await;
    for (height, begins, decides) in [
        (8, RULES, RULES),
        (9, RULES, second),
        (10, RULES, second),
        (ARCHIVED_EVERY, RULES, second),
        // From the snapshot of the last block by the rules before.
        (ARCHIVED_EVERY + 1, second, third),
        (ARCHIVED_EVERY + 3, second, third),
    ] {
        let good = evidence(&town, height).await;
        let claims = good.check(&town.kennel(), height).unwrap();
        assert_eq!((good.rules, claims.rules), (begins, decides), "{height}");
        assert_eq!(decided(&town, height, &good), Ok(Vec::new()), "{height}");
        // A server that names other rules for the beginning is found out.
        let other = if begins == RULES { second } else { RULES };
        let bad = Evidence { rules: other, ..good };
        assert!(decided(&town, height, &bad).is_err(), "{height}");
    }
    // A block that claims rules which were not decided on is in no signed log; were it, the rules
    // before would not let them take over.
    let mut bad = evidence(&town, 10).await;
    let mut before: Block = decode(&bad.before[7].0).unwrap();
    before.header.rules_hash = third;
    bad.before[7] = Bytes(encode(&before));
    assert_eq!(decided(&town, 10, &bad), Err("another chain module decides here".to_owned()));
}

#[tokio::test]
async fn what_was_changed_is_named() {
    let town = grown().await;
    let height = 4;
    let good = evidence(&town, height).await;
    let block: Block = decode(&good.block.0).unwrap();
    let changed = |change: &dyn Fn(&mut Block)| {
        let mut block = block.clone();
        change(&mut block);
        Evidence { block: Bytes(encode(&block)), ..good.clone() }
    };

    let receipt = changed(&|block| {
        let mut receipt: Receipt = decode(&block.receipts[0].0).unwrap();
        for change in &mut receipt.changes {
            if let Change::Account(account) = change {
                account.free += 7_000;
            }
        }
        block.receipts[0] = Bytes(encode(&receipt));
    });
    let lines = decided(&town, height, &receipt).unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("receipt 0: shown ") && lines[0].contains("7000"), "{lines:?}");

    let dropped = decided(&town, height, &changed(&|block| drop(block.receipts.pop()))).unwrap();
    assert!(dropped[0].starts_with("receipt 0: computed only"), "{dropped:?}");

    for (what, bad) in [
        ("log", changed(&|block| block.header.state_root[0] ^= 1)),
        ("another block", changed(&|block| block.header.height += 1)),
        ("genesis", Evidence { genesis: Bytes(good.genesis.0[..40].to_vec()), ..good.clone() }),
        ("checkpoint", Evidence { checkpoint: good.checkpoint.replacen('\n', "\n1", 1), ..good.clone() }),
        (
            "log",
            Evidence {
                log_proof: pitpet_chain::proof::LogProof { path: Vec::new(), ..good.log_proof.clone() },
                ..good.clone()
            },
        ),
    ] {
        let why = decided(&town, height, &bad).unwrap_err();
        assert!(why.contains(what), "{what}: {why}");
    }
    let other = pitpet_chain::hash::KennelId([1; 32]);
    assert!(good.check(&other, height).unwrap_err().detail.contains("another kennel"));
}

#[tokio::test]
async fn a_block_that_is_not_there_is_a_404() {
    let town = Town::found(QUICK).await;
    for (path, status) in [("7", 404), ("x", 400)] {
        let request = HttpRequest {
            method: "GET".to_owned(),
            path: format!("/v1/kennels/first/blocks/{path}/evidence"),
            ..HttpRequest::default()
        };
        assert_eq!(http::query(&town.queries(), &request).await.expect("a route").status, status);
    }
}
