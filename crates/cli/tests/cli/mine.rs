//! Mining and witnessing: what is sealed, what is refused, and how both end.

use pitpet_chain::hash::{PublicKey, RulesHash, sha256};
use serde_json::{Value, json};

use super::nowhere;
use super::runner::{Ran, Runner};
use super::server::export::{released, unreleased_module};
use super::server::{Lie, Server};
use super::service::Service;

/// Longer than a classic kennel has to be idle.
const IDLE_MS: u64 = 13 * 60 * 60 * 1_000;

/// A server with a pet and a post, and a home that knows it.
fn village(server: &Server) -> Runner {
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.birth("bella", "Mochi");
    runner.act("bella", &["post", "--text", "First snow!"]).json();
    runner
}

const DIGGER: [&str; 8] =
    ["mine", "--kennel", "classic", "--account", "digger", "--passphrase-fd", "0", "--json"];

/// A home of its own with an account that mines.
fn digger(server: &Server) -> Runner {
    let runner = Runner::new(&server.url());
    runner.account("digger");
    runner
}

/// The lines of a run by kind.
fn lines(ran: &Ran, what: &str) -> Vec<Value> {
    let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["what"] == what).collect()
}

#[test]
fn a_seal_is_found_mined_and_paid() {
    let server = Server::start(31);
    village(&server);
    let runner = digger(&server);
    let ran = runner.run(&[&DIGGER[..], &["--seals", "1", "--threads", "2"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let following = &lines(&ran, "following")[0];
    assert_eq!((&following["blocks"], &following["events"]), (&json!(3), &json!(2)));
    let searching = &lines(&ran, "searching")[0];
    assert_eq!((&searching["for"], &searching["age"]), (&json!("seal"), &json!(2)));
    let won = &lines(&ran, "won")[0];
    assert_eq!((&won["height"], &won["reward"], &won["free"]), (&json!(3), &json!(1), &json!(1)));
    let ended = &lines(&ran, "ended")[0];
    assert_eq!((&ended["seals"], &ended["treats"], &ended["lost"]), (&json!(1), &json!(1), &json!(0)));
    assert!(ended["trials"].as_u64().unwrap() > 0);
    assert_eq!(server.age(), (true, 2), "the age has its seal, and is no older");
    let shown = runner.act("digger", &["account", "show"]).json();
    assert_eq!(shown["server"]["kennels"][0]["free"], 1);
    // For people.
    village_grows(&server);
    let ran = digger(&server).run(&[&DIGGER[..7], &["--seals", "1"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("classic: age 3 is sealed in block"), "{}", ran.out);
    assert!(ran.out.contains("1 treat earned, you have 1"), "{}", ran.out);
    assert!(
        ran.out.contains("Ages sealed: 1; times mined: 0; earned: 1 treat; races lost: 0."),
        "{}",
        ran.out
    );
}

/// Another pet is born, so that the kennel ages.
fn village_grows(server: &Server) {
    let runner = Runner::new(&server.url());
    runner.account("conny");
    runner.birth("conny", "Pixel");
}

#[test]
fn a_ledger_that_is_not_what_the_rules_make_is_never_sealed() {
    let server = Server::start(32);
    village(&server);
    let runner = digger(&server);
    server.lie(Lie::RewrittenHistory);
    let ran = runner.run(&DIGGER);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("NOT SEALED"), "{}", ran.err);
    assert!(ran.err.contains("classic: block 2: the rules refuse it"), "{}", ran.err);
    assert_eq!(server.age(), (false, 2), "nothing was posted");
    server.lie(Lie::WrongKey);
    let ran = digger(&server).run(&DIGGER);
    assert!(ran.code == 1 && ran.err.contains("checkpoint"), "{}", ran.err);
}

/// The tampered block comes while it mines.
#[test]
fn a_new_block_is_executed_before_it_is_sealed() {
    let server = Server::start(33);
    let runner = village(&server);
    let miner = digger(&server);
    let mut running = miner.start(&DIGGER);
    running.until("won");
    running.until("executed");
    server.lie(Lie::RewrittenHistory);
    runner.act("bella", &["post", "--text", "And more.", "--no-wait"]).json();
    let ended = running.until("ended");
    assert_eq!(ended["seals"], 1);
    let (code, errors) = running.end();
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("NOT SEALED") && errors.contains("block 4: the rules refuse it"), "{errors}");
    assert_eq!(server.age(), (false, 3), "the age of the tampered block has no seal");
}

#[test]
fn a_lost_race_is_no_failure() {
    let server = Server::start(34);
    let runner = village(&server);
    server.lie(Lie::AlwaysFaster);
    let miner = digger(&server);
    let mut running = miner.start(&DIGGER);
    let lost = running.until("lost");
    assert_eq!((&lost["for"], &lost["why"]), (&json!("seal"), &json!("already-sealed")));
    server.lie(Lie::Honest);
    runner.act("bella", &["post", "--text", "And more."]).json();
    let won = running.until("won");
    assert_eq!(won["age"], 3);
    running.interrupt();
    let ended = running.until("ended");
    assert_eq!((&ended["seals"], &ended["lost"]), (&json!(1), &json!(1)));
    assert_eq!(running.end(), (0, String::new()), "Ctrl-C is the usual end");
}

#[test]
fn time_is_mined_on_an_idle_kennel() {
    let server = Server::start(35);
    server.set_behind(IDLE_MS);
    village(&server);
    server.set_behind(0);
    let ran = digger(&server).run(&[&DIGGER[..], &["--seals", "1"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let won = &lines(&ran, "won")[0];
    assert_eq!((&won["for"], &won["reward"], &won["free"]), (&json!("time"), &json!(2), &json!(2)));
    assert_eq!(lines(&ran, "ended")[0]["times"], 1);
    assert_eq!(server.age().1, 3);
}

#[test]
fn what_can_not_be_mined_says_so() {
    let server = Server::start(36);
    let miner = digger(&server);
    assert_eq!(miner.run(&["mine", "--threads", "0"]).code, 2);
    assert_eq!(miner.run(&["mine", "--seals", "0"]).code, 2);
    let unknown = miner.run(&["mine", "--kennel", "moon", "--passphrase-fd", "0"]);
    assert!(unknown.code == 1 && unknown.err.contains("kennel"), "{}", unknown.err);
    assert_eq!(digger(&server).at(&nowhere()).run(&DIGGER).code, 3);
    let nobody = Runner::new(&server.url()).run(&["mine"]);
    assert!(nobody.code == 2 && nobody.err.contains("pitpet account new"), "{}", nobody.err);
}

/// Makes accounts of three witnesses, and gives their keys.
fn witnesses(home: &Runner) -> Vec<PublicKey> {
    let key = |name: &&str| {
        home.account(name);
        let shown = home.act(name, &["witness", "key"]).json();
        shown["key"].as_str().unwrap().parse().unwrap()
    };
    ["wanda", "wim", "wolf"].iter().map(key).collect()
}

/// One of them says what there is to say, and ends.
fn speak(home: &Runner, name: &str) -> Ran {
    let time = ["witness", "time", "--kennel", "classic", "--statements", "1"];
    home.run(&[&time[..], &["--account", name, "--passphrase-fd", "0", "--json"]].concat())
}

/// Three witnesses, of whom two speak; then a miner mines the time with what they said.
#[test]
fn witnesses_speak_and_time_is_mined() {
    let home = Runner::new(&nowhere());
    let server = Server::start_with(37, released(), &witnesses(&home));
    server.set_behind(IDLE_MS);
    village(&server);
    server.set_behind(0);
    let home = home.at(&server.url());
    let said = speak(&home, "wanda");
    assert_eq!(said.code, 0, "{}", said.err);
    let said = &lines(&said, "said")[0];
    assert_eq!((&said["statements"], &said["threshold"], &said["height"]), (&json!(1), &json!(2), &json!(2)));
    // One word is too few: the miner waits for another one.
    let miner = digger(&server);
    let mut running = miner.start(&[&DIGGER[..], &["--seals", "1"]].concat());
    let waiting = running.until("waiting");
    assert_eq!(waiting["why"], "1 of 2 time witnesses have spoken");
    assert_eq!(lines(&speak(&home, "wolf"), "said")[0]["statements"], 2);
    let won = running.until("won");
    assert_eq!((&won["for"], &won["reward"]), (&json!("time"), &json!(2)));
    assert_eq!(running.end().0, 0);
    assert_eq!(server.age().1, 3);
    // Somebody who is no witness has nothing to say, and a kennel without witnesses hears nobody.
    home.account("walt");
    let nobody = speak(&home, "walt");
    assert!(nobody.code == 2 && nobody.err.contains("`pitpet witness key`"), "{}", nobody.err);
    let plain = Server::start(38);
    let unheard = home.at(&plain.url()).run(&[
        "witness",
        "time",
        "--kennel",
        "classic",
        "--account",
        "wanda",
        "--passphrase-fd",
        "0",
    ]);
    assert!(unheard.code == 2 && unheard.err.contains("no time witnesses"), "{}", unheard.err);
}

#[test]
fn time_that_the_house_has_mined_is_a_lost_race() {
    let home = Runner::new(&nowhere());
    let server = Server::start_with(39, released(), &witnesses(&home));
    server.set_behind(IDLE_MS);
    village(&server);
    server.set_behind(0);
    let home = home.at(&server.url());
    assert_eq!(speak(&home, "wanda").code, 0);
    let miner = digger(&server);
    let mut running = miner.start(&DIGGER);
    running.until("waiting");
    server.lie(Lie::HouseMinesTime);
    assert_eq!(speak(&home, "wolf").code, 0);
    let lost = running.until("lost");
    assert_eq!((&lost["for"], &lost["why"]), (&json!("time"), &json!("already-mined")));
    running.interrupt();
    let ended = running.until("ended");
    assert_eq!((&ended["times"], &ended["lost"]), (&json!(0), &json!(1)));
}

/// The real service: of two kennels one changes to rules that nobody here has, and a third one opens.
#[test]
fn a_kennel_that_stops_leaves_the_others() {
    let home = Runner::new(&nowhere());
    let (_service, url) = Service::start(&home);
    let home = home.at(&url);
    let admin = |args: &[&str]| {
        let ran = home.run(&[&["admin"], args, &["--data-dir", "data"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
    };
    admin(&["kennel", "open", "yard", "--preset", "classic"]);
    let photo = home.file("cat.png", include_bytes!("../../assets/chelsea.png"));
    for (owner, kennel) in [("bella", "classic"), ("carla", "yard")] {
        home.account(owner);
        let birth = ["birth", "--photo", photo.to_str().unwrap(), "--name", "Mochi", "--kennel", kennel];
        home.act(owner, &birth).json();
    }
    home.account("digger");
    let everywhere = ["mine", "--threads", "1", "--account", "digger", "--passphrase-fd", "0", "--json"];
    let mut mining = home.start(&[&everywhere[..], &["--kennel", "classic", "--kennel", "yard"]].concat());
    let mut sealed = [mining.until("won"), mining.until("won")].map(|won| won["kennel"].clone());
    sealed.sort_by_key(Value::to_string);
    assert_eq!(sealed, ["classic", "yard"]);

    // Before the height comes there is a warning, and once it has come only that kennel stops.
    home.file("next.wasm", &unreleased_module());
    let hash = RulesHash(sha256(&unreleased_module())).to_string();
    admin(&["upgrade", "classic", "--module", "next.wasm", "--in-blocks", "4"]);
    let warning = mining.until("warning");
    assert_eq!(warning["kennel"], "classic");
    assert!(warning["why"].as_str().unwrap().contains(&hash), "{warning}");
    for text in ["First snow!", "More snow.", "Enough snow."] {
        home.act("bella", &["post", "--text", text]).json();
    }
    let stopped = mining.until("stopped");
    assert_eq!(stopped["kennel"], "classic");
    let way_out = format!("--allow-rules {hash}");
    assert!(stopped["why"].as_str().unwrap().contains(&way_out), "{stopped}");
    home.act("carla", &["post", "--text", "Snow here too."]).json();
    let won = mining.until("won");
    assert_eq!((&won["kennel"], &won["age"]), (&json!("yard"), &json!(2)));
    mining.interrupt();
    assert_eq!(mining.end(), (0, String::new()));

    // At start too; and a kennel that opens later is taken up.
    let mut mining = home.start(&everywhere);
    assert_eq!(mining.until("stopped")["kennel"], "classic");
    admin(&["kennel", "open", "lane", "--preset", "classic"]);
    while mining.until("following")["kennel"] != "lane" {}
    mining.interrupt();
    assert_eq!(mining.end().0, 0);
    let alone = home.run(&[&everywhere[..], &["--kennel", "classic"]].concat());
    assert_eq!(alone.code, 3, "{}", alone.err);
    assert!(alone.err.contains("no kennel is left") && alone.err.contains(&way_out), "{}", alone.err);
    let allowed = ["--kennel", "classic", "--allow-rules", &hash, "--seals", "1"];
    assert_eq!(home.run(&[&everywhere[..], &allowed].concat()).code, 0);

    // What can't be checked keeps nobody from the verdicts of the others.
    for (command, said) in [("verify", "Valid: yard"), ("economy", "yard, block 4")] {
        let ran = home.run(&[command]);
        assert!(ran.code == 3 && ran.err.contains(&way_out), "{}", ran.err);
        assert!(ran.out.contains(said) && !ran.out.contains("classic"), "{}", ran.out);
    }
    let json = home.run(&["verify", "--json"]);
    assert_eq!(json.code, 3);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let classic = json["ledgers"].as_array().unwrap().iter().find(|ledger| ledger["label"] == "classic");
    assert_eq!((&json["valid"], &classic.unwrap()["exit_code"]), (&json!(false), &json!(3)));
}

/// The real service: a kennel with witnesses is opened, followed by long polls, sealed age by age,
/// and gets other witnesses.
#[test]
fn a_witnessed_kennel_of_the_real_service_is_mined() {
    let home = Runner::new(&nowhere());
    let (_service, url) = Service::start(&home);
    let home = home.at(&url);
    let key = |name: &str| {
        home.account(name);
        home.act(name, &["witness", "key"]).json()["key"].as_str().unwrap().to_owned()
    };
    let keys = ["wanda", "wim", "wolf"].map(key);
    let [one, two, three] = keys.each_ref().map(String::as_str);
    let open = |threshold: &str| {
        let witnesses = ["--witness", one, "--witness", two, "--witness", three, "--threshold", threshold];
        let open = ["admin", "kennel", "open", "yard", "--preset", "classic", "--data-dir", "data"];
        home.run(&[&open[..], &witnesses].concat())
    };
    for few in ["0", "1", "4"] {
        let refused = open(few);
        let why = format!("threshold {few} of 3 witnesses: it must exceed half of them, 2 to 3");
        assert!(refused.code == 1 && refused.err.contains(&why), "{}", refused.err);
    }
    let bare = ["admin", "kennel", "open", "yard", "--witness", one, "--data-dir", "data"];
    assert_eq!(home.run(&bare).code, 2, "witnesses need a threshold");
    assert_eq!(open("2").code, 0);
    home.account("bella");
    let photo = home.file("cat.png", include_bytes!("../../assets/chelsea.png"));
    let birth = ["birth", "--photo", photo.to_str().unwrap(), "--name", "Mochi", "--kennel", "yard"];
    home.act("bella", &birth).json();

    home.account("digger");
    let dig = ["mine", "--kennel", "yard", "--account", "digger", "--passphrase-fd", "0", "--json"];
    let mut mining = home.start(&dig);
    assert_eq!(mining.until("won")["age"], 1);
    home.act("bella", &["post", "--text", "An age."]).json();
    assert_eq!(mining.until("won")["age"], 2);
    mining.interrupt();
    assert_eq!(mining.until("ended")["treats"], 2);
    assert_eq!(mining.end(), (0, String::new()));

    let watch =
        |name: &str| home.start(&["witness", "time", "--account", name, "--passphrase-fd", "0", "--json"]);
    let mut watching = watch("wolf");
    assert_eq!(
        watching.until("watching")["kennel"],
        "yard",
        "of all kennels the one that it is a witness of"
    );
    watching.interrupt();
    assert_eq!(watching.end().0, 0);
    // Where it is no witness it says so, and watches the rest.
    let both = ["witness", "time", "--kennel", "classic", "--kennel", "yard", "--account", "wolf"];
    let mut watching = home.start(&[&both[..], &["--passphrase-fd", "0", "--json"]].concat());
    assert_eq!(watching.until("stopped")["kennel"], "classic");
    assert_eq!(watching.until("watching")["kennel"], "yard");
    watching.interrupt();
    assert_eq!(watching.end().0, 0);
    let appoint = ["admin", "kennel", "witnesses", "yard", "--data-dir", "data", "--json"];
    let few = home.run(&[&appoint[..], &["--witness", one, "--witness", two, "--threshold", "1"]].concat());
    assert!(few.code == 2 && few.err.contains("2 to 2 (field: threshold)"), "{}", few.err);
    let appointed = home.run(&[&appoint[..], &["--witness", one, "--threshold", "1"]].concat()).json();
    assert_eq!(appointed["witnesses"], json!([one]));
    let dismissed = watch("wolf").end();
    assert!(dismissed.0 == 2 && dismissed.1.contains("as a time witness"), "{}", dismissed.1);
    assert_eq!(home.run(&[&appoint[..], &["--none"]].concat()).json()["threshold"], 0);
    assert_eq!(home.run(&appoint).code, 2, "witnesses, or none: it has to be said");
    // Executed again by somebody who was not there.
    assert_eq!(Runner::new(&url).run(&["verify", "--kennel", "yard"]).code, 0);
}
