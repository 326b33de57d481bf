//! Whole ledgers: exported, verified, tampered with, held to what was seen before.

use ed25519_dalek::SigningKey;
use expect_test::expect;
use pitpet_chain::hash::{RulesHash, sha256};

use super::nowhere;
use super::runner::{Ran, Runner, without_hashes};
use super::server::export::unreleased_module;
use super::server::{Lie, Server};
use super::service::Service;

/// A server with a pet and a post, and a home that knows it.
fn village(server: &Server) -> Runner {
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.birth("bella", "Mochi");
    runner.act("bella", &["post", "--text", "First snow!"]).json();
    runner
}

fn export(runner: &Runner) -> Ran {
    runner.run(&["export", "--kennel", "classic", "--out", "classic.pitpet"])
}

#[test]
fn a_ledger_is_exported_and_verified() {
    let server = Server::start(21);
    let runner = village(&server);
    let exported = export(&runner);
    assert!(exported.out.starts_with("classic up to block 2: "), "{}{}", exported.out, exported.err);
    assert!(exported.out.ends_with("Check it: pitpet verify classic.pitpet\n"));
    let left: Vec<_> =
        std::fs::read_dir(runner.home()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{left:?}");
    expect![[r#"
        exit 0
        --- out
        Valid: classic.pitpet
          genesis    kennel [hash] (as seen before)
                     block 0 [hash]
          head       block 2 [hash]
          executed   3 blocks, 2 events, every signature checked
          bodies     2 present, 0 erased, 0 missing; 0 events have none
          rules      [hash] (pinned in this release)
          checkpoint 3 signed by [hash] (the genesis names it)
          before     agrees with checkpoint 3, seen before
    "#]]
    .assert_eq(&without_hashes(&runner.run(&["verify", "classic.pitpet"]).shown()));
    // A stranger, by the network and without an address on the command line.
    let stranger = Runner::new(&server.url());
    let first = stranger.run(&["verify", "--json"]).json();
    assert_eq!(first["valid"], true);
    let ledger = &first["ledgers"][0];
    assert_eq!(
        (&ledger["kennel_trust"], &ledger["extends"]),
        (&"first-use".into(), &serde_json::Value::Null)
    );
    assert_eq!(ledger["rules"][0]["trust"], "pinned");
    runner.act("bella", &["post", "--text", "And more."]).json();
    let second = stranger.run(&["verify", &server.url(), "--kennel", "classic", "--json"]).json();
    let ledger = &second["ledgers"][0];
    assert_eq!((&ledger["kennel_trust"], &ledger["extends"]), (&"remembered".into(), &3.into()));
    assert_eq!((&ledger["height"], &ledger["events"]), (&3.into(), &3.into()));
    // The older export is honest: the message says how to check it all the same.
    assert_eq!(runner.run(&["verify"]).code, 0);
    let backup = runner.run(&["verify", "classic.pitpet"]);
    assert_eq!(backup.code, 1);
    assert!(backup.err.contains("pitpet verify FILE --keys NEW-FOLDER"), "{}", backup.err);
    let alone = runner.run(&["verify", "classic.pitpet", "--keys", "new-folder"]);
    assert_eq!(alone.code, 0, "{}", alone.err);
}

#[test]
fn an_empty_kennel_has_no_holders() {
    let server = Server::start(28);
    let ran = Runner::new(&server.url()).run(&["economy"]);
    assert!(ran.code == 0 && ran.out.contains("  holders  none\n"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_ledger_is_held_to_what_the_caller_gives() {
    let server = Server::start(22);
    let runner = village(&server);
    export(&runner);
    let honest = runner.run(&["verify", "classic.pitpet", "--json"]).json();
    let text = |name: &str| honest["ledgers"][0][name].as_str().unwrap().to_owned();
    let (kennel, head) = (text("kennel"), format!("2:{}", text("head")));
    let zero = "0".repeat(64);
    let url = server.url();
    for ledger in ["classic.pitpet", &url] {
        let given = ["verify", ledger, "--kennel", &kennel, "--genesis", &kennel, "--head", &head, "--json"];
        assert_eq!(runner.run(&given).json()["ledgers"][0]["kennel_trust"], "given");
        for wrong in [["--head", &format!("2:{zero}")], ["--head", &format!("1:{}", text("head"))]] {
            assert_eq!(runner.run(&[&["verify", ledger], &wrong[..]].concat()).code, 1, "{wrong:?}");
        }
        let beyond = runner.run(&["verify", ledger, "--head", &format!("3:{zero}")]);
        assert_eq!(beyond.code, 1);
        assert!(beyond.err.contains("ends at height 2, before the block at 3"), "{}", beyond.err);
        assert_eq!(runner.run(&["verify", ledger, "--genesis", &zero]).code, 1);
        assert_eq!(runner.run(&["verify", ledger, "--kennel", &zero]).code, 1);
    }
    for wrong in [["--head", "2"], ["--head", "x:0"], ["--genesis", "classic"], ["--allow-rules", "abc"]] {
        assert_eq!(runner.run(&[&["verify", "classic.pitpet"], &wrong[..]].concat()).code, 2, "{wrong:?}");
    }
    assert_eq!(runner.run(&["verify", "classic.pitpet", "--kennel", "classic"]).code, 2);
}

#[test]
fn a_checkpoint_key_may_be_given() {
    let server = Server::start(27);
    let runner = village(&server);
    export(&runner);
    let key = |seed| SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
    let (genesis_key, other_key) = (hex::encode(key(9)), hex::encode(key(8)));
    let url = server.url();
    for ledger in ["classic.pitpet", &url] {
        let given = runner.run(&["verify", ledger, "--checkpoint-key", &genesis_key, "--json"]).json();
        assert_eq!(given["ledgers"][0]["checkpoint"]["key_source"], "given");
        assert_eq!(given["ledgers"][0]["checkpoint"]["key"], genesis_key);
        let wrong = runner.run(&["verify", ledger, "--checkpoint-key", &other_key]);
        assert!(wrong.code == 1 && wrong.err.contains("checkpoint"), "{}", wrong.err);
        let text = runner.run(&["verify", ledger, "--checkpoint-key", &genesis_key]).out;
        assert!(text.contains("(as given)"), "{text}");
    }
    let unusable = runner.run(&["verify", "classic.pitpet", "--checkpoint-key", "abc"]);
    assert!(unusable.code == 2 && unusable.err.contains("a checkpoint key is 64"), "{}", unusable.err);
    // Signed by a key that isn't the genesis's: only who names that key takes it.
    server.lie(Lie::WrongKey);
    assert_eq!(runner.run(&["verify"]).code, 1);
    assert_eq!(runner.run(&["verify", "--checkpoint-key", &other_key]).code, 0);
}

#[test]
fn a_damaged_file_is_refused() {
    let runner = village(&Server::start(23));
    export(&runner);
    let honest = std::fs::read(runner.home().join("classic.pitpet")).unwrap();
    let verify = |content: &[u8]| {
        runner.file("other.pitpet", content);
        runner.run(&["verify", "other.pitpet"])
    };
    // The first byte, the last one, and some between; the library's tests flip every one.
    for at in (0..honest.len()).step_by(honest.len() / 12).chain([honest.len() - 1]) {
        let mut changed = honest.clone();
        changed[at] ^= 1;
        let ran = verify(&changed);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "byte {at}: {}", ran.err);
    }
    expect![[r#"
        exit 1
        --- err
        pitpet: other.pitpet: not an export of PitPet
    "#]]
    .assert_eq(&verify(b"").shown());
    let mut newer = honest.clone();
    newer[14] = b'3';
    expect![[r#"
        exit 3
        --- err
        pitpet: other.pitpet: an export of format 3, which a newer pitpet reads
    "#]]
    .assert_eq(&verify(&newer).shown());
    let cut = verify(&honest[..honest.len() - 1]);
    assert!(cut.code == 1 && cut.err.contains("cut short"), "{}", cut.err);
    let longer = verify(&[&*honest, b"\n"].concat());
    assert!(longer.code == 1 && longer.err.contains("bytes follow the end"), "{}", longer.err);
    assert_eq!(runner.run(&["verify", "missing.pitpet"]).code, 2);
    let (gone, url) = (Runner::new(&nowhere()), nowhere());
    assert_eq!(gone.run(&["verify"]).code, 3);
    assert_eq!(gone.run(&["verify", &url]).code, 3);
    assert_eq!(export(&gone).code, 3);
    assert!(!gone.home().join("classic.pitpet").exists());
    let out = runner.run(&["export", "--kennel", "classic", "--out", "no/such/folder.pitpet"]);
    assert_eq!(out.code, 2, "{}", out.err);
}

#[test]
fn a_rewritten_history_is_found_out_by_executing_it() {
    let server = Server::start(24);
    village(&server);
    server.lie(Lie::RewrittenHistory);
    // A stranger, so that nothing remembered gives it away; the file's digests are right.
    let stranger = Runner::new(&server.url());
    export(&stranger);
    for ledger in ["classic.pitpet", &server.url()] {
        let ran = stranger.run(&["verify", ledger]);
        assert_eq!(ran.code, 1);
        let reason = "block 2: the rules refuse it: the block differs from what its events give";
        assert!(ran.err.contains(reason), "{}", ran.err);
    }
    assert!(
        !stranger.home().join(".pitpet/known-kennels.json").exists() || {
            let known = std::fs::read_to_string(stranger.home().join(".pitpet/known-kennels.json")).unwrap();
            known.contains("\"heads\": {}")
        }
    );
    server.lie(Lie::WrongKey);
    assert_eq!(stranger.run(&["verify"]).code, 1);
    assert_eq!(export(&stranger).code, 1);
}

#[test]
fn what_was_verified_once_can_not_be_shortened_or_replaced() {
    let (server, thief) = (Server::start(25), Server::start(25));
    let runner = village(&server);
    export(&runner);
    runner.act("bella", &["post", "--text", "And more."]).json();
    let auditor = Runner::new(&server.url());
    assert_eq!(auditor.run(&["verify"]).code, 0);
    let old = std::fs::read(runner.home().join("classic.pitpet")).unwrap();
    auditor.file("old.pitpet", &old);
    let shorter = auditor.run(&["verify", "old.pitpet"]);
    assert!(shorter.code == 1 && shorter.err.contains("lost blocks"), "{}", shorter.err);
    // The same kennel, founded alike, with another life.
    let others = village(&thief);
    for text in ["Another", "life", "altogether"] {
        others.act("bella", &["post", "--text", text]).json();
    }
    let replaced = auditor.run(&["verify", &thief.url()]);
    assert!(replaced.code == 1 && replaced.err.contains("two histories"), "{}", replaced.err);
}

#[test]
fn rules_of_no_release_run_only_if_allowed() {
    let rules = RulesHash(sha256(&unreleased_module()));
    let server = Server::start_by(26, rules);
    let runner = village(&server);
    export(&runner);
    let hash = rules.to_string();
    for ledger in ["classic.pitpet", &server.url()] {
        let ran = runner.run(&["verify", ledger]);
        assert!(ran.code == 3 && ran.err.contains("which this release doesn't know"), "{}", ran.err);
    }
    // Allowed: a file brings its module with it, and a server offers it.
    for ledger in ["classic.pitpet", &server.url()] {
        let ran = runner.run(&["verify", ledger, "--allow-rules", &hash]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("NOT known to this release"), "{}", ran.out);
        let json = runner.run(&["verify", ledger, "--allow-rules", &hash, "--json"]).json();
        assert_eq!(json["ledgers"][0]["rules"][0]["trust"], "allowed");
    }
    // What lies in the folder is believed only under its own hash.
    let file = runner.home().join(format!(".pitpet/rules/{hash}.wasm"));
    std::fs::write(file, b"something else").unwrap();
    std::fs::remove_dir_all(runner.home().join(".pitpet/artefacts")).unwrap();
    assert_eq!(runner.run(&["verify", &server.url(), "--allow-rules", &hash]).code, 3);
    assert_eq!(runner.run(&["verify", "classic.pitpet", "--allow-rules", &hash]).code, 0);
}

#[test]
fn the_operator_changes_the_rules_of_a_running_kennel() {
    let home = Runner::new(&nowhere());
    let (_service, url) = Service::start(&home);
    let runner = home.at(&url);
    runner.account("bella");
    let photo = runner.file("cat.png", include_bytes!("../../assets/chelsea.png"));
    let photo = photo.to_str().unwrap();
    let birth = ["birth", "--photo", photo, "--name", "Mochi", "--story", "", "--kennel", "classic"];
    runner.act("bella", &birth).json();

    let upgrade =
        |args: &[&str]| runner.run(&[&["admin", "upgrade", "classic", "--data-dir", "data"], args].concat());
    // What doesn't do is refused in words, and nothing is decided.
    let mut float = unreleased_module();
    float.truncate(float.len() / 2);
    runner.file("broken.wasm", &float);
    let refused = upgrade(&["--module", "broken.wasm", "--in-blocks", "3"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("is refused") && refused.err.contains("(field: module)"), "{}", refused.err);
    runner.file("large.wasm", &vec![0; 300_000]);
    let large = upgrade(&["--module", "large.wasm"]);
    assert!(large.code == 2 && large.err.contains("262144"), "{}", large.err);
    runner.file("README.md", b"# PitPet\n");
    let text = upgrade(&["--module", "README.md"]);
    assert_eq!((text.code, &*text.err), (2, "pitpet: README.md is no WebAssembly module (field: module)\n"));
    let elsewhere = runner.run(&["admin", "queue", "--data-dir", "data", "--url", &nowhere()]);
    assert!(elsewhere.code == 3 && elsewhere.err.contains("--url or PITPET_URL"), "{}", elsewhere.err);
    runner.file("next.wasm", &unreleased_module());
    let past = upgrade(&["--module", "next.wasm", "--at-height", "1"]);
    assert!(past.code == 1 && past.err.contains("at_height is 1"), "{}", past.err);
    assert_eq!(
        runner.run(&["kennel", "classic", "--json"]).json()["kennel"]["upgrade"],
        serde_json::Value::Null
    );

    // What does is tried, stored and decided on; until its height it can be taken back.
    let rules = RulesHash(sha256(&unreleased_module())).to_string();
    let decided = upgrade(&["--module", "next.wasm", "--in-blocks", "3", "--json"]).json();
    assert_eq!((decided["rules_hash"].as_str(), decided["height"].as_u64()), (Some(&*rules), Some(2)));
    assert_eq!(decided["at_height"], 4);
    let taken_back = upgrade(&["--withdraw"]);
    assert!(taken_back.code == 0 && taken_back.out.contains("is withdrawn"), "{}", taken_back.err);
    let decided = upgrade(&["--module", "next.wasm", "--in-blocks", "3"]);
    assert!(decided.code == 0 && decided.out.contains("From block 6 on it decides"), "{}", decided.out);

    // Life goes on across the change, with proofs of the state too.
    for text in ["First snow!", "More snow.", "Enough snow."] {
        runner.act("bella", &["post", "--text", text]).json();
    }
    let kennel = runner.run(&["kennel", "classic", "--json"]).json();
    assert_eq!(kennel["kennel"]["rules_hash"], rules);
    let exported = export(&runner);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let untold = runner.run(&["verify", "classic.pitpet"]);
    assert!(untold.code == 3 && untold.err.contains(&rules), "{}", untold.err);
    for ledger in ["classic.pitpet", "[url]"] {
        let ledger = if ledger == "[url]" { runner.url() } else { ledger };
        let args = ["verify", ledger, "--allow-rules", &rules, "--json"];
        let verified = runner.run(&args).json();
        let ledgers = verified["ledgers"].as_array().unwrap();
        let classic = ledgers.iter().find(|ledger| ledger["height"] == 7).unwrap();
        let used: Vec<_> = classic["rules"].as_array().unwrap().iter().map(|used| &used["trust"]).collect();
        assert_eq!(used, ["pinned", "allowed"]);
        assert_eq!((&classic["rules"][1]["from"], &classic["rules"][1]["to"]), (&6.into(), &7.into()));
    }
}

#[test]
fn the_real_service_is_verified() {
    let home = Runner::new(&nowhere());
    let (_service, url) = Service::start(&home);
    let runner = home.at(&url);
    runner.account("bella");
    let photo = runner.file("cat.png", include_bytes!("../../assets/chelsea.png"));
    let photo = photo.to_str().unwrap();
    runner
        .act("bella", &["birth", "--photo", photo, "--name", "Mochi", "--story", "", "--kennel", "classic"])
        .json();
    runner.act("bella", &["post", "--text", "First snow!"]).json();
    let exported = export(&runner);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let file = runner.run(&["verify", "classic.pitpet", "--json"]).json();
    assert_eq!(file["ledgers"][0]["events"], 2);
    let stranger = Runner::new(&url);
    let served = stranger.run(&["verify", "--json"]).json();
    assert_eq!(served["ledgers"].as_array().unwrap().len(), 2);
}
