//! What a person can do wrong on the command line, against the real service: message and exit code.

use expect_test::{Expect, expect};

use crate::runner::{Runner, without_hashes};
use crate::village::Village;

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_answered_in_words_with_its_exit_code() {
    let village = Village::start(|_| ()).await;
    let runner = Runner::new(&village.server.url);
    let url = village.server.url.clone();
    tokio::task::spawn_blocking(move || mistakes(&runner, &url)).await.unwrap();
}

fn mistakes(runner: &Runner, url: &str) {
    let photo = runner.file("cat.png", include_bytes!("../../assets/chelsea.png"));
    let photo = photo.to_str().unwrap();
    let birth = |account: &str, name: &str| {
        runner.act(account, &["birth", "--photo", photo, "--name", name, "--kennel", "alley"])
    };
    for name in ["bella", "carla", "dora"] {
        assert_eq!(runner.account(name).code, 0);
    }
    let rex = birth("carla", "Rex").id();
    let mochi = birth("bella", "Mochi").id();
    let mut post = String::new();
    for day in 2..19 {
        post = runner.act("bella", &["post", "--text", &format!("Day {day}")]).id();
    }
    runner.act("dora", &["pat", &post]).json();
    let asked = std::time::Instant::now();
    while runner.run(&["pet", &rex, "--json"]).json()["phase"] != "ended" {
        assert!(asked.elapsed() < std::time::Duration::from_secs(120), "the reaper ends no story");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let check = |account: &str, args: &[&str], expected: Expect| {
        let ran = runner.act(account, args);
        expected.assert_eq(&without_hashes(&ran.refusal()));
    };
    let nobody = "7".repeat(64);
    check(
        "bella",
        &["pat", &post],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: An owner can't pat or share a post of the own pet. (field: post)
          ask a friend: owners can't pat or share their own pet's posts.
    "#]],
    );
    check(
        "dora",
        &["pat", &post],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: The account has done this to the post before: once per account and post. (field: post)
    "#]],
    );
    check(
        "bella",
        &["gift", &mochi, "--amount", "3"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: The account has not enough treats; granted ones pay only for posts and for comments on one's own pet's posts. (field: amount)
          a keepsake releases granted treats. See `pitpet account show`.
    "#]],
    );
    check(
        "bella",
        &["gift", &nobody, "--amount", "3"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such pet. (field: birth)
    "#]],
    );
    check(
        "bella",
        &["pat", &nobody],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such post; `pitpet feed` lists them. (field: post)
    "#]],
    );
    check(
        "bella",
        &["event", &nobody],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such event (yet). (field: id)
    "#]],
    );
    check(
        "bella",
        &["moderate", "hide", &nobody, "--reason", "spam"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such event. (field: event)
    "#]],
    );
    check(
        "bella",
        &["pet", &nobody],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such pet. (field: birth)
    "#]],
    );
    check(
        "bella",
        &["pet", &mochi, "--events", "--cursor", "yesterday"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: The request has a field that can't be used: The cursor must be one that this server gave for this list. (field: cursor)
    "#]],
    );
    check(
        "carla",
        &["post", "--pet", &rex, "--text", "Still here?"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: The pet is dead. (field: pet)
          its story can no longer be helped; `pitpet pet BIRTH` shows it.
    "#]],
    );
    check(
        "dora",
        &["post", "--pet", &mochi, "--text", "Mine now"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: The pet belongs to another account. (field: account)
    "#]],
    );
    check(
        "bella",
        &["post", "--text", &"x".repeat(9_000)],
        expect![[r#"
        exit 2
        --- err
        pitpet: the text is too long: at most 8192 bytes with all fields (field: body)
    "#]],
    );
    check(
        "bella",
        &["gift", &mochi, "--amount", "9007199254740992"],
        expect![[r#"
        exit 2
        --- err
        pitpet: amount 9007199254740992: 1 to 9007199254740991 treats (field: amount)
    "#]],
    );
    check(
        "bella",
        &["gift", &mochi, "--amount", "99999999999999999999"],
        expect![[r#"
        exit 2
        --- err
        pitpet: invalid value '99999999999999999999' for '--amount <AMOUNT>': treats are whole numbers, 1 to 9007199254740991
    "#]],
    );
    check(
        "bella",
        &["transfer", "nobody-here", "--amount", "1"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such account. (field: account)
    "#]],
    );
    check(
        "bella",
        &["birth", "--photo", photo, "--name", &"x".repeat(65)],
        expect![[r#"
        exit 2
        --- err
        pitpet: name: 1 to 64 characters, no control characters (field: name)
    "#]],
    );
    check(
        "bella",
        &["birth", "--photo", photo, "--name", "Two", "--kennel", "alley"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: The account has a living pet in this kennel; it may have one at a time. (field: account)
          an account has one living pet in a kennel; use another account or another kennel.
    "#]],
    );
    check(
        "bella",
        &["birth", "--photo", photo, "--name", "Two", "--kennel", "nowhere"],
        expect![[r#"
        exit 1
        --- err
        pitpet: refused: There is no such kennel. (field: kennel)
    "#]],
    );
    let text = runner.file("cat.txt", b"no picture");
    check(
        "dora",
        &["birth", "--photo", text.to_str().unwrap(), "--name", "Two"],
        expect![[r#"
        exit 2
        --- err
        pitpet: photo [home]/cat.txt: not a JPEG, PNG or WebP image
    "#]],
    );
    assert_eq!(runner.run(&["verify", url, "--kennel", "alley"]).code, 0, "and the ledger is whole");
}
