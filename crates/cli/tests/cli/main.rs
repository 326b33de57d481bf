//! The binary from outside: help, errors, exit codes, accounts, a life on a ledger, lies.

mod dead_letters;
mod ledgers;
mod market;
mod mine;
mod runner;
mod server;
mod service;

use expect_test::{Expect, expect, expect_file};
use pitpet_chain::hash::sha256;
use pitpet_chain::reject::Reject;
use pitpet_pipeline::problem::rejected;
use runner::{Runner, without_hashes};
use server::{Lie, Server};

/// A port on which nothing listens: it is bound, so that nobody gets it, until the tests end.
fn nowhere() -> String {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    format!("http://{address}")
}

fn check(args: &[&str], expected: Expect) {
    expected.assert_eq(&Runner::new(&nowhere()).run(args).shown());
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A description that is too long goes on further to the right.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn help_has_examples() {
    let runner = Runner::new(&nowhere());
    let mut text = runner.run(&["--help"]).out;
    let mut paths: Vec<Vec<String>> = commands(&text).into_iter().rev().map(|name| vec![name]).collect();
    let mut walked = 0;
    while let Some(path) = paths.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = runner.run(&arguments);
        assert_eq!(help.code, 0, "{path:?}");
        assert!(help.out.contains("Examples:"), "{path:?}");
        let below = commands(&help.out);
        paths.extend(below.into_iter().rev().map(|name| [&path[..], &[name]].concat()));
        walked += 1;
        if path.len() == 1 {
            let own = help.out.split("Options of all commands:").next().unwrap();
            text.push_str(&format!("\n===== {}\n{own}", path[0]));
        }
    }
    assert!(walked > 50, "{walked} commands, those below commands too");
    expect_file!["./help.txt"].assert_eq(&text);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_fault() {
    let runner = Runner::new(&nowhere());
    for args in [&["account", "list"][..], &["account", "list", "--json"]] {
        // Nobody reads: the first write fails.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = runner.run_into(args, writer.into());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn what_can_not_be_checked_says_why() {
    check(
        &["fsck"],
        expect![[r#"
            exit 2
            --- err
            pitpet: ./pitpet-data is no data folder: it has no table.db; name one with --data-dir
        "#]],
    );
    check(
        &["fsck", "--table", "pitpet"],
        expect![[r#"
            exit 2
            --- err
            pitpet: the environment variable AWS_DEFAULT_REGION is not set
        "#]],
    );
}

#[test]
fn usage_errors_name_the_field_and_end_with_2() {
    check(
        &["pat", "abc"],
        expect![[r#"
        exit 2
        --- err
        error: invalid value 'abc' for '<POST>': an event id is 64 lower-case hexadecimal digits, this has 3 characters

        For more information, try '--help'.
    "#]],
    );
    check(
        &["gift", &"A".repeat(64), "--amount", "1"],
        expect![[r#"
        exit 2
        --- err
        error: invalid value 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' for '<PET>': a birth hash is 64 lower-case hexadecimal digits, this has 64 characters

        For more information, try '--help'.
    "#]],
    );
    check(
        &["post", "--text", ""],
        expect![[r#"
        exit 2
        --- err
        pitpet: a post needs a --text or a --photo (field: text)
    "#]],
    );
    check(
        &["post", "--text", "x", "--tag", "UPPER"],
        expect![[r#"
        exit 2
        --- err
        pitpet: tags: at most 16, each 1 to 32 lower-case letters, digits or `-` (field: tags)
    "#]],
    );
    check(
        &["comment", &"0".repeat(64), "--text", " "],
        expect![[r#"
        exit 2
        --- err
        pitpet: text: may not be empty (field: text)
    "#]],
    );
    check(
        &["transfer", "bella", "--amount", "0"],
        expect![[r#"
        exit 2
        --- err
        pitpet: amount 0: 1 to 9007199254740991 treats (field: amount)
    "#]],
    );
    check(
        &["birth", "--photo", "missing.jpg", "--name", "Mochi"],
        expect![[r#"
        exit 2
        --- err
        pitpet: photo missing.jpg: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["kennel", "../feed"],
        expect![[r#"
        exit 2
        --- err
        pitpet: kennel `../feed`: its id or label (field: kennel)
    "#]],
    );
    check(
        &["feed", "--url", "localhost:8080"],
        expect![[r#"
        exit 2
        --- err
        pitpet: address `localhost:8080`: it must start with http:// or https:// (--url or PITPET_URL)
    "#]],
    );
    check(
        &["account", "new", "B"],
        expect![[r#"
        exit 2
        --- err
        pitpet: account name `B`: 3 to 30 of a-z, 0-9, - and _, the first a letter (field: name)
    "#]],
    );
    check(
        &["keepsake", &"0".repeat(64)],
        expect![[r#"
        exit 2
        --- err
        pitpet: no account in [home]/.pitpet; `pitpet account new NAME` makes one
    "#]],
    );
}

#[test]
fn a_program_is_told_why_on_its_output() {
    let ran = Runner::new(&nowhere()).run(&["feed", "--json"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.document()["type"], "/problems/unreachable");
    let server = Server::start(12);
    let runner = Runner::new(&server.url());
    let ran = runner.run(&["kennel", "nowhere", "--json"]);
    assert_eq!(ran.code, 1);
    let document = ran.document();
    assert_eq!((&document["status"], &document["type"]), (&404.into(), &"/problems/unknown-kennel".into()));
    // The service too, whose address another has.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = runner.run(&["serve", "--listen", &address, "--data-dir", "data", "--json"]);
    assert_eq!(ran.code, 3);
    assert!(ran.refusal().contains("choose another address with --listen"), "{}", ran.err);
}

#[test]
fn a_program_is_told_of_its_arguments_too() {
    let runner = Runner::new(&nowhere());
    let nobody = "0".repeat(64);
    for (args, said) in [
        (&["pat", "abc", "--json"][..], "an event id is 64 lower-case hexadecimal digits"),
        (&["--json", "comment", &nobody], "--text <TEXT>"),
        (&["nonsense", "--json"], "'nonsense'"),
        (&["feed", "--json", "--limits", "5"], "unexpected argument '--limits' found"),
        (&["feed", "--json", "--limit", "0"], "0 is not in 1..=100"),
        (&["account", "--json"], "requires a subcommand"),
        (&["pet", &nobody, "--cursor", "x", "--json"], "--events"),
    ] {
        let ran = runner.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        let document = ran.document();
        assert_eq!(document["type"], "/problems/usage", "{args:?}");
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains(said) && !detail.contains("--help"), "{args:?}: {detail}");
        assert_eq!(ran.err, format!("pitpet: {detail}\n"));
    }
    expect![[r#"
        exit 2
        --- err
        pitpet: invalid value 'x' for '--amount <AMOUNT>': treats are whole numbers, 1 to 9007199254740991
    "#]]
    .assert_eq(&runner.run(&["gift", &nobody, "--amount", "x", "--json"]).refusal());
    // Help and version are no failures.
    for (args, shown) in [
        (&["--json", "--help"][..], "A first tour"),
        (&["feed", "--help", "--json"], "pitpet feed --kennel classic"),
        (&["--json", "--version"], "pitpet "),
    ] {
        let ran = runner.run(args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        assert!(ran.out.contains(shown) && !ran.out.contains("/problems/"), "{args:?}: {}", ran.out);
    }
    // A value is no option.
    let ran = runner.run(&["pat", "--", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: invalid value '--json' for '<POST>'"), "{}", ran.err);
}

#[test]
fn without_a_terminal_another_way_is_named() {
    let runner = Runner::new(&nowhere());
    let ran = runner.run_without_terminal(&["account", "new", "bella", "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let (start, end) = ("pitpet: the passphrase can't be asked for (", "); use --passphrase-fd N\n");
    assert!(ran.err.starts_with(start) && ran.err.ends_with(end), "{}", ran.err);
    assert_eq!(ran.document()["type"], "/problems/usage");
    assert!(!runner.home().join(".pitpet/bella.age").exists());
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    // Whatever runs at the default address, or nothing: it is no fault of the variable.
    let ran = Runner::new("").run(&["feed"]);
    assert_ne!(ran.code, 2, "{}", ran.err);
}

#[test]
fn a_server_that_is_not_there_ends_with_3() {
    check(
        &["feed"],
        expect![[r#"
        exit 3
        --- err
        pitpet: [url]: nothing answers there; is it running? `pitpet serve` starts one
    "#]],
    );
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        use std::io::{BufRead as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let request = std::io::BufReader::new(stream.try_clone().unwrap());
        let _head: Vec<_> =
            request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").unwrap();
        let mut sent = 0_u64;
        while stream.write_all(&[b' '; 65_536]).is_ok() {
            sent += 65_536;
        }
        sent
    });
    let ran = Runner::new(&url).run(&["feed"]);
    expect![[r#"
        exit 3
        --- err
        pitpet: [url]: the answer makes no sense: it is longer than 8 MiB
    "#]]
    .assert_eq(&ran.shown());
    assert!(server.join().unwrap() < 64 * 1024 * 1024, "the rest was not waited for");
}

#[test]
fn an_account_is_made_listed_and_shown() {
    let runner = Runner::new(&nowhere());
    let new = ["account", "new", "bella", "--passphrase-fd", "0", "--scrypt-log-n", "2"];
    expect![[r#"
        exit 0
        --- out
        Account bella
          id   [hash]
          file [home]/.pitpet/bella.age
        Without the file or its passphrase nobody can act as bella: keep a copy of both.
    "#]]
    .assert_eq(&without_hashes(&runner.run(&new).shown()));
    expect![[r#"
        exit 0
        --- out
        bella                           [hash]
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["account", "list"]).shown()));
    expect![[r#"
        exit 0
        --- out
        Account bella
          id  [hash]
          key [hash]
        --- err
        pitpet: what it has is not known: [url]: nothing answers there; is it running? `pitpet serve` starts one
    "#]].assert_eq(&without_hashes(&runner.run(&["account", "show"]).shown()));
    expect![[r#"
        exit 2
        --- err
        pitpet: [home]/.pitpet/bella.age exists already, and key files are never overwritten
    "#]]
    .assert_eq(&without_hashes(&runner.run(&new).shown()));
    let empty = runner.run_with(&["account", "new", "empty", "--passphrase-fd", "0"], "\n");
    expect![[r#"
        exit 2
        --- err
        pitpet: the passphrase is empty
    "#]]
    .assert_eq(&empty.shown());
    assert_eq!(runner.account("carla").code, 0);
    expect![[r#"
        exit 2
        --- err
        pitpet: which account? --account, one of: bella, carla
    "#]]
    .assert_eq(&runner.run(&["account", "show"]).shown());
}

#[test]
fn the_passphrase_opens_and_nothing_else_does() {
    let server = Server::start(1);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    let register = ["account", "register", "--passphrase-fd", "0"];
    expect![[r#"
        exit 2
        --- err
        pitpet: key file [home]/.pitpet/bella.age: wrong passphrase, or the file is damaged
    "#]]
    .assert_eq(&without_hashes(&runner.run_with(&register, "another\n").shown()));
    expect![[r#"
        exit 0
        --- out
        bella is registered for [hash].
    "#]]
    .assert_eq(&without_hashes(&runner.run(&register).shown()));
    runner.account("carla");
    let taken = runner.act("carla", &["account", "register", "bella"]);
    expect![[r#"
        exit 1
        --- err
        pitpet: refused: name taken: another account has this name
    "#]]
    .assert_eq(&taken.refusal());
    // A descriptor other than stdin.
    let secret = runner.file("secret.txt", b"a long walk\r\nsecond line\n");
    let shell = format!(
        "exec {} account register --account bella --passphrase-fd 3 3<{}",
        env!("CARGO_BIN_EXE_pitpet"),
        secret.display()
    );
    let output = std::process::Command::new("/bin/sh")
        .env_clear()
        .env("HOME", runner.home())
        .env("PITPET_URL", server.url())
        .args(["-c", &shell])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_life_from_birth_to_post_and_pat() {
    let server = Server::start(2);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.account("carla");
    let mochi = runner.birth("bella", "Mochi");
    assert_eq!(server.photos().len(), 1);
    assert!(server.photos()[0].starts_with(&[0xff, 0xd8]), "encoded anew, as a JPEG");
    let post = runner.run(&[
        "post",
        "--text",
        "First snow!",
        "--tag",
        "winter",
        "--account",
        "bella",
        "--passphrase-fd",
        "0",
    ]);
    expect![[r#"
        exit 0
        --- out
        Posted. (classic, block 2)
          id [hash]
          the pet has 1 treat, 1 post, 0 pats, 0 shares, 0 comments
          you have 19 treats for posts and 0 free
          proven by checkpoint 3
        --- err
        queued [hash]
        mined in block 2, proof checked
    "#]]
    .assert_eq(&without_hashes(&post.shown()));
    let post = runner.act("bella", &["post", "--pet", &mochi, "--text", "And more."]).id();
    runner.act("carla", &["pat", &post]).json();
    runner.act("carla", &["share", &post]).json();
    runner.act("carla", &["comment", &post, "--text", "What a cutie"]).json();
    expect![[r#"
        exit 0
        --- out
        Mochi
          ♥♥♥♥♥♥♥♥♥♥♥♥♥♥♥ 15 of 15 ages
          A cat.
          2 posts, 1 pat, 1 share, 1 comment; 2 treats in its wallet
          birth  [hash]
          owner  [hash]
          kennel [hash]
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["pet", &mochi]).shown()));
    expect![[r#"
        exit 0
        --- out
        A post by [hash]
          classic, block 3 (age 3); text: present
          the proof holds, up to checkpoint 7
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["event", &post]).shown()));
    expect![[r#"
        exit 0
        --- out
        Mochi is born: A cat.
          block 1, event [hash]
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["feed"]).shown()));
    expect![[r#"
        exit 0
        --- out
        classic
          1 living pet, 1023 free places; 1 pet ever, 1 account, 20 treats
          block 6, age 6: ages with every block, a pet lives 15 of them
          [hash]
          checkpoint 7 is signed by the key in the genesis of [hash]
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["kennel", "classic"]).shown()));
    expect![[r#"
        exit 0
        --- out
        Account bella
          id  [hash]
          key [hash]
        On the server: [hash]
          kennel classic [hash]
            18 treats for posts, 0 free; dead pets and keepsakes: 0
            living pet [hash]
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["account", "show", "bella"]).shown()));
    // Refusals of the rules, with the way out.
    let refused = |account: &str, args: &[&str]| without_hashes(&runner.act(account, args).err);
    expect![[r#"
        pitpet: refused: An owner can't pat or share a post of the own pet. (field: post)
          ask a friend: owners can't pat or share their own pet's posts.
    "#]]
    .assert_eq(&refused("bella", &["pat", &post]));
    expect![[r#"
        pitpet: refused: The account has done this to the post before: once per account and post. (field: post)
    "#]]
    .assert_eq(&refused("carla", &["pat", &post]));
    expect![[r#"
        pitpet: refused: The account has not enough treats; granted ones pay only for posts and for comments on one's own pet's posts. (field: amount)
          a keepsake releases granted treats. See `pitpet account show`.
    "#]]
    .assert_eq(&refused("carla", &["gift", &mochi, "--amount", "3"]));
    expect![[r#"
        pitpet: refused: The story has not ended yet. (field: pet)
          a keepsake can be minted once the story has ended, shortly after the pet's death.
    "#]]
    .assert_eq(&refused("bella", &["keepsake", &mochi]));
    expect![[r#"
        pitpet: event [hash] is a birth, not a post (field: post)
    "#]]
    .assert_eq(&refused("carla", &["pat", &mochi]));
    expect![[r#"
        pitpet: refused: unknown pet: no pet has this birth hash
    "#]]
    .assert_eq(&refused("carla", &["gift", &"0".repeat(64), "--amount", "3"]));
    expect![[r#"
        pitpet: refused: unknown account: no such account
    "#]]
    .assert_eq(&refused("bella", &["transfer", "nobody", "--amount", "3"]));
    let queued = runner.act("bella", &["post", "--text", "later", "--no-wait"]).json();
    assert_eq!(queued["status"], "queued");
}

#[test]
fn a_timeline_is_read_page_by_page() {
    let server = Server::start(13);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    let mochi = runner.birth("bella", "Mochi");
    for text in ["One", "Two", "Three"] {
        runner.act("bella", &["post", "--text", text]).json();
    }
    let first = runner.run(&["pet", &mochi, "--events"]);
    assert!(first.out.contains("Mochi posts: One"), "{}", first.out);
    assert!(!first.out.contains("is born"), "{}", first.out);
    // The command for the next page, as it is shown.
    let last = first.out.lines().last().unwrap();
    let more = last.strip_prefix("More: pitpet ").unwrap_or_else(|| panic!("no next page: {last}"));
    let words: Vec<&str> = more.split(' ').map(|word| word.trim_matches('\'')).collect();
    let second = runner.run(&words);
    assert_eq!(second.code, 0, "{}", second.err);
    assert!(second.out.contains("Mochi is born: A cat."), "{}", second.out);
    assert!(!second.out.contains("posts:") && !second.out.contains("More:"), "{}", second.out);
    let page = runner.run(&["pet", &mochi, "--events", "--json"]).json();
    assert_eq!(page["events"].as_array().unwrap().len(), 3);
    let cursor = page["cursor"].as_str().unwrap();
    let last = runner.run(&["pet", &mochi, "--events", "--cursor", cursor, "--json"]).json();
    assert_eq!(last["events"].as_array().unwrap().len(), 1);
    assert_eq!((&last["events"][0]["kind"], last.get("cursor")), (&"birth".into(), None));
}

#[test]
fn every_reason_of_the_rules_is_told() {
    let server = Server::start(14);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.account("carla");
    runner.birth("bella", "Mochi");
    let post = runner.act("bella", &["post", "--text", "Look!"]).id();
    for reject in Reject::ALL {
        server.lie(Lie::Refuses(*reject));
        // A stale nonce or anchor is renewed, and told when that doesn't help.
        let ran = runner.act("carla", &["pat", &post]);
        let problem = rejected(*reject);
        assert_eq!(ran.code, 1, "{reject:?}: {}", ran.err);
        let said = format!("pitpet: refused: {} (field: {})\n", problem.detail, reject.field());
        assert!(ran.err.starts_with(&said), "{reject:?}: {}", ran.err);
        assert_eq!(ran.document(), serde_json::json!(problem), "{reject:?}");
    }
    server.lie(Lie::Honest);
    runner.act("carla", &["pat", &post]).json();
}

#[test]
fn a_replaced_key_acts_and_the_old_one_is_kept() {
    let server = Server::start(3);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.birth("bella", "Mochi");
    assert_eq!(runner.act("bella", &["rekey"]).code, 0);
    assert!(runner.home().join(".pitpet/bella.2.age").exists());
    assert!(runner.home().join(".pitpet/bella.age").exists());
    runner.act("bella", &["post", "--text", "still me"]).json();
    // Without the newest file, the account is told what is missing.
    std::fs::remove_file(runner.home().join(".pitpet/bella.2.age")).unwrap();
    let lost = runner.act("bella", &["post", "--text", "me?"]);
    assert_eq!(lost.code, 2);
    assert!(lost.err.contains("which its key file doesn't hold"), "{}", lost.err);
}

#[test]
fn a_recovery_key_replaces_a_key_in_wrong_hands() {
    let server = Server::start(9);
    let runner = Runner::new(&server.url());
    runner.run(&["account", "new", "bella", "--recovery", "--passphrase-fd", "0", "--scrypt-log-n", "2"]);
    runner.account("carla");
    runner.birth("bella", "Mochi");
    runner.act("bella", &["rekey", "--with-recovery"]).json();
    runner.act("bella", &["post", "--text", "Mine again."]).json();
    let without = runner.act("carla", &["rekey", "--with-recovery", "--kennel", "classic"]);
    assert_eq!((without.code, without.err.as_str()), (2, "pitpet: `carla` has no recovery key\n"));
}

#[test]
fn no_position_leaves_the_machine() {
    let server = Server::start(4);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    // The photo with an EXIF segment in front, as a camera would leave one.
    let plain = pitpet_cli::photo::Photo::read(include_bytes!("../../assets/chelsea.png")).unwrap().bytes;
    let mut tagged = plain[..2].to_vec();
    tagged.extend([0xff, 0xe1, 0, 22]);
    tagged.extend(b"Exif\0\0GPS 47.5 N 8.");
    tagged.extend(&plain[2..]);
    let photo = runner.file("garden.jpg", &tagged);
    runner.act("bella", &["birth", "--photo", photo.to_str().unwrap(), "--name", "Mochi"]).json();
    let sent = &server.photos()[0];
    assert!(!sent.windows(3).any(|window| window == b"GPS"));
    assert_ne!(sha256(sent), sha256(&tagged));
}

#[test]
fn lies_are_found_out() {
    let server = Server::start(5);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.birth("bella", "Mochi");
    server.lie(Lie::WrongKey);
    let post = runner.act("bella", &["post", "--text", "x"]);
    expect![[r#"
        exit 1
        --- err
        pitpet: checkpoint of kennel classic: note has no verifiable signatures
    "#]]
    .assert_eq(&without_hashes(&post.refusal()));
    expect![[r#"
        exit 1
        --- err
        pitpet: checkpoint of kennel classic: note has no verifiable signatures
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["kennel", "classic"]).shown()));
    server.lie(Lie::WrongReceipt);
    expect![[r#"
        pitpet: event [hash]: the proof does not show what it claims
    "#]]
    .assert_eq(&without_hashes(&runner.act("bella", &["post", "--text", "y"]).err));
    server.lie(Lie::NeverMines);
    let late = runner.act("bella", &["post", "--text", "z", "--wait", "1"]);
    expect![[r#"
        exit 3
        --- err
        pitpet: queued, but in no block after 1 s. It isn't lost: `pitpet event [hash]` shows it later.
    "#]]
    .assert_eq(&without_hashes(&late.refusal()));
}

#[test]
fn a_ledger_that_lost_blocks_or_was_swapped_is_refused() {
    let server = Server::start(6);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.birth("bella", "Mochi");
    let known = std::fs::read_to_string(runner.home().join(".pitpet/known-kennels.json")).unwrap();
    assert!(known.contains("\"size\": 2"), "{known}");
    // The same kennel, set back to its beginning.
    server.roll_back_to(&Server::start(6));
    let short = runner.run(&["kennel", "classic"]);
    expect![[r#"
        exit 1
        --- err
        pitpet: kennel classic has lost blocks: its checkpoint holds 1, 2 were seen before
    "#]]
    .assert_eq(&without_hashes(&short.shown()));
    // Another kennel under the same label.
    server.roll_back_to(&Server::start(7));
    let swapped = runner.run(&["kennel", "classic"]);
    expect![[r#"
        exit 1
        --- err
        pitpet: [url] showed another kennel as `classic` before:
          then [hash]
          now  [hash]
          If you know why (its ledger was set up anew), remove its line from [home]/.pitpet/known-kennels.json.
    "#]].assert_eq(&without_hashes(&swapped.shown()));
    // On another server, the label may mean another kennel.
    let runner = runner.at(&Server::start(7).url());
    assert_eq!(runner.run(&["kennel", "classic"]).code, 0);
}

#[test]
fn a_demonstration_with_the_operators_keys_plays_a_whole_season() {
    let home = Runner::new(&nowhere());
    let (_service, url) = service::Service::start(&home);
    let runner = home.at(&url);
    let ran = runner.run(&["demo", "--pace-ms", "0", "--within-s", "900", "--data-dir", "data"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let label = ran.out.split("The operator opens ").nth(1).unwrap().split(':').next().unwrap().to_owned();
    for part in [
        "CHEAP CATNIP",
        "The moderators' queue shows a post with 3 reporters.",
        "The public log says why: Advertising",
        "It is tried on a copy of the state first",
        "Nothing was lost",
        "Both miners have executed the blocks of either module.",
        "2 treats paid, 1 to the seller, 1 to the house",
        "Valid: classic",
        &format!("Valid: {label}"),
    ] {
        assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
    }
    // What it told is on the ledgers, which verify without being told to trust anything.
    let verified = runner.run(&["verify", "--json"]).json();
    let ledgers = verified["ledgers"].as_array().unwrap();
    let season = ledgers.iter().find(|ledger| ledger["ledger"] == label.as_str()).unwrap();
    let used = season["rules"].as_array().unwrap();
    assert_eq!(used.len(), 2, "{used:?}");
    assert_eq!(used[0]["to"].as_u64().unwrap() + 1, used[1]["from"].as_u64().unwrap());
    assert!(used.iter().all(|used| used["trust"] == "pinned"));
    assert_eq!(season["bodies"]["hidden"], 1);
    let trades = runner.run(&["market", "trades", "--kennel", "classic", "--json"]).json();
    let split = |trade: &serde_json::Value| {
        ["price", "to_seller", "to_house"].map(|field| trade[field].as_u64().unwrap())
    };
    let splits: Vec<_> = trades["trades"].as_array().unwrap().iter().map(split).collect();
    assert_eq!(splits, [[2, 1, 1], [3, 2, 1]]);
    let economy = runner.run(&["economy", "--kennel", "classic"]);
    assert!(economy.out.contains("minted for seals"), "{}", economy.out);
    // A folder whose keys are another server's is none of this one's operator.
    let other = Runner::new(&nowhere());
    let (_other, _) = service::Service::start(&other);
    let foreign = other.home().join("data");
    let ran =
        runner.run(&["demo", "--pace-ms", "0", "--within-s", "900", "--data-dir", foreign.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(
        ran.out.contains("Left out") && ran.out.contains("are not those of the operator of classic"),
        "{}",
        ran.out
    );
}

#[test]
fn the_demonstration_ends_well() {
    let server = Server::start(8);
    let runner = Runner::new(&server.url());
    for _ in 0..2 {
        let ran = runner.run(&["demo", "--pace-ms", "0", "--within-s", "900"]);
        assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
        for part in [
            "Pebble   is born",
            "Pebble   ♥♥♥",
            "has died, in block",
            "closed for good",
            "mints the Story End token",
            "Three go into",
            "Skipping Stone is born",
            "pats it",
            "Left out, and with it the moderator and the change of rules",
            "Digger executes the",
            "Digger names a lower price: refused, and nothing has changed.",
            "3 treats paid, 2 to the seller, 1 to the house",
            "2 treats paid, 1 to the seller, 1 to the house",
            "Nugget acts for",
            "Valid: classic",
        ] {
            assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
        }
        // Ages pass quickly here, and on a busy machine both miners may be too late for every one.
        assert!(ran.out.contains("seals age") || ran.out.contains("had bad luck"), "{}", ran.out);
        assert!(!ran.out.contains("busy"), "{}", ran.out);
        let next = ran.out.split("Now try:\n").nth(1).unwrap();
        // Runs show the address of their server so.
        let at = " --url [url]";
        for line in next.lines().filter(|line| line.starts_with("  pitpet")) {
            assert!(line.ends_with(at) || line.starts_with("  pitpet verify "), "{line}");
        }
        assert!(!next.contains("moderate"), "it was left out: {next}");
    }
    assert!(!runner.home().join(".pitpet").exists(), "throw-away accounts leave nothing");
    let kept = [
        "demo",
        "--pace-ms",
        "0",
        "--within-s",
        "900",
        "--keys",
        "neighbours",
        "--passphrase-fd",
        "0",
        "--scrypt-log-n",
        "2",
    ];
    let ran = runner.run(&kept);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let listed = runner.run(&["account", "list", "--keys", "neighbours", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 12);
}
