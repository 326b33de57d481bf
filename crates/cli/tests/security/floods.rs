//! Rate limits of the running service.

use ed25519_dalek::SigningKey;
use expect_test::expect;

use crate::load::key;
use crate::runner::{Runner, without_hashes};
use crate::village::{Answer, Village};

/// Posts gifts, each of another nonce, until one is refused; gives how many were queued, and the refusal.
async fn flood(village: &Village, player: &SigningKey) -> (u32, Answer) {
    let pet = pitpet_chain::hash::BirthHash([1; 32]);
    for queued in 0..1_000 {
        let mut event = village.gift(player, pet);
        event.nonce = 1 + u64::from(queued);
        let (_, event) = village.kennel.sign(player, event.nonce, event.payload, None);
        let answer = village.submit(&event).await;
        if answer.status != 202 {
            return (queued, answer);
        }
    }
    panic!("1,000 events and no limit");
}

fn assert_limited(answer: &Answer, name: &str, limit: u32) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["type"], format!("/problems/{name}-limit"));
    assert_eq!(answer.body["field"], name);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{limit} events a minute")), "{detail}");
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds));
    assert_eq!(answer.body["retry_after_s"], seconds);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_an_account_have_their_limits() {
    let village = Village::start(|command| {
        command.args(["--address-limit", "30", "--account-limit", "4"]);
    })
    .await;
    let (queued, refused) = flood(&village, &key(1)).await;
    assert!(queued >= 4, "{queued}");
    assert_limited(&refused, "account", 4);
    // Reading is not limited, and others write, until their address has reached its own limit.
    assert_eq!(village.get("/v1/feed").await.status, 200);
    for seed in 2..1_000 {
        let (_, refused) = flood(&village, &key(seed)).await;
        if refused.body["field"] == "address" {
            return assert_limited(&refused, "address", 30);
        }
        assert_limited(&refused, "account", 4);
    }
    panic!("no limit for the address");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_when_to_try_again() {
    let village = Village::start(|command| {
        command.args(["--account-limit", "2"]);
    })
    .await;
    let runner = Runner::new(&village.server.url);
    runner.account("bella");
    let ran = (0..100)
        .map(|_| runner.act("bella", &["account", "register", "bella"]))
        .find(|ran| ran.code != 0)
        .expect("a limit");
    let seconds: String = ran.err.chars().filter(char::is_ascii_digit).collect();
    let shown = without_hashes(&ran.refusal()).replace(
        &format!("in {} s", seconds.strip_prefix("4292").expect("status and limit come first")),
        "in [seconds] s",
    );
    expect![[r#"
        exit 3
        --- err
        pitpet: [url]: Too many events (429 Too Many Requests): One account may send 2 events a minute, and this one has. Try again in [seconds] s.
    "#]].assert_eq(&shown);
}
