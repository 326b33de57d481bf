//! The market from the command line, against the service itself.

#[path = "../support/load.rs"]
mod load;

use super::runner::{Ran, Runner, without_hashes};
use super::server::{Lie, Server};

/// A served kennel in which Bella has a keepsake and 8 treats, Carla a living pet, and Dora 12 treats.
struct Fair {
    runner: Runner,
    mochi: String,
    rex: String,
    _server: load::Server,
    _folder: tempfile::TempDir,
}

impl Fair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = load::Server::start(env!("CARGO_BIN_EXE_pitpet"), folder.path());
        let runner = Runner::new(&server.url);
        for name in ["bella", "carla", "dora"] {
            assert_eq!(runner.account(name).code, 0);
        }
        let photo = runner.file("cat.png", include_bytes!("../../assets/chelsea.png"));
        let birth = |who: &str, pet: &str| {
            let photo = photo.to_str().unwrap();
            runner.act(who, &["birth", "--photo", photo, "--name", pet, "--kennel", "classic"]).id()
        };
        let (mochi, rex) = (birth("bella", "Mochi"), birth("carla", "Rex"));
        let phase = || runner.run(&["pet", &mochi, "--json"]).json()["phase"].as_str().unwrap().to_owned();
        // In this kennel every event ages all other pets.
        while phase() == "living" {
            runner.act("carla", &["post", "--text", "Still here."]).json();
        }
        while phase() != "ended" {}
        runner.act("bella", &["keepsake", &mochi]).json();
        let dora =
            runner.run(&["account", "show", "dora", "--json"]).json()["account"].as_str().unwrap().to_owned();
        runner.act("bella", &["transfer", &dora, "--amount", "12"]).json();
        Self { runner, mochi, rex, _server: server, _folder: folder }
    }

    /// Runs as a person would, and requires the exit code and these words, in this order.
    fn says(&self, account: &str, args: &[&str], code: i32, words: &[&str]) {
        let ran = self.runner.run(&[args, &["--account", account, "--passphrase-fd", "0"]].concat());
        let shown = without_hashes(&ran.shown());
        assert_eq!(ran.code, code, "{shown}");
        let mut rest = shown.as_str();
        for word in words {
            let at = rest
                .find(word)
                .unwrap_or_else(|| panic!("{word:?} is missing, or stands before, in\n{shown}"));
            rest = &rest[at + word.len()..];
        }
    }

    fn act(&self, account: &str, args: &[&str]) -> Ran {
        self.runner.act(account, args)
    }
}

#[test]
fn a_pet_is_offered_shown_and_bought() {
    let fair = Fair::new();
    let empty = "Nothing is on the market. `pitpet market offer` changes that.";
    fair.says("dora", &["market", "list"], 0, &[empty]);
    fair.says("dora", &["market", "trades"], 0, &["Nothing has been sold yet."]);
    let offered = [
        "Offered. (classic, block ",
        "the offer of 11 treats stands: [hash]",
        "7 to the seller, 4 to the house",
    ];
    fair.says("carla", &["market", "offer", &fair.rex, "--price", "11"], 0, &offered);
    let page = fair.runner.run(&["market", "list", "--json"]).json();
    let order = page["orders"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((&page["orders"][0]["to_seller"], &page["orders"][0]["to_house"]), (&7.into(), &4.into()));
    let listed = ["offer Rex: 11 treats (7 to the seller, 4 to the house), 6 days left", "order [hash]"];
    fair.says("dora", &["market", "list", "--kennel", "classic"], 0, &listed);
    fair.says("dora", &["market", "list", "--side", "bid"], 0, &[empty]);
    let own = ["this order is your own: nothing was sent", "`pitpet market cancel [hash]` withdraws it"];
    fair.says("carla", &["market", "take", &order, "--price", "11"], 2, &own);
    // Nothing is sent before the split was shown and the price named.
    let deal = "buying Rex for 11 treats: 7 to the seller, 4 to the house";
    let unnamed = [deal, "no price named: nothing was sent", "--price 11` takes it (field: price)"];
    fair.says("dora", &["market", "take", &order], 2, &unnamed);
    let wrong = [deal, "its price is 11, not 10: nothing was sent"];
    fair.says("dora", &["market", "take", &order, "--price", "10"], 2, &wrong);
    let bought = [
        "Bought. (classic, block ",
        "sold for 11 treats: 7 to the seller, 4 to the house",
        "the seller, [hash], has ",
        "you have 0 treats for posts and 1 free",
        deal,
    ];
    fair.says("dora", &["market", "take", &order, "--price", "11"], 0, &bought);
    let late = ["No such open order", "(field: order)", "`pitpet market list` shows what is open."];
    fair.says("bella", &["market", "take", &order, "--price", "11"], 1, &late);
    let sold = [
        "Rex sold for 11 treats (7 to the seller, 4 to the house), classic, block ",
        "T",
        "Z\n  by [hash]",
        "to [hash]",
    ];
    fair.says("dora", &["market", "trades"], 0, &sold);
    let trade = fair.runner.run(&["market", "trades", "--json"]).json()["trades"][0].clone();
    assert_eq!(
        (&trade["price"], &trade["to_seller"], &trade["to_house"]),
        (&11.into(), &7.into(), &4.into())
    );
    let economy = [
        "classic, block ",
        "supply   40 treats: 40 granted at births, 0 minted for seals",
        "by the house",
        "12 as transfers, 11 in 1 trade",
        "house    earned 4, paid 0 for seals",
        "pets     2 born, 1 living, 1 remembered",
    ];
    fair.says("dora", &["economy", "--kennel", "classic"], 0, &economy);
    let economy = fair.runner.run(&["economy", "--kennel", "classic", "--json"]).json()["ledgers"][0].clone();
    assert_eq!(economy["house"], serde_json::json!({ "income": 4, "paid_out": 0, "balance": 4 }));
    assert_eq!(economy["flows"]["paid"], 11);
    let held: u64 = economy["held"].as_object().unwrap().values().map(|part| part.as_u64().unwrap()).sum();
    assert_eq!(held, 40, "every treat is somewhere: {economy}");
    assert_eq!(fair.act("carla", &["post", "--pet", &fair.rex, "--text", "Mine?"]).code, 1);
    fair.act("dora", &["post", "--pet", &fair.rex, "--text", "Mine!"]).json();
}

#[test]
fn a_bid_is_withdrawn_and_another_one_taken() {
    let fair = Fair::new();
    let made = ["Bid; the price is locked. (classic", "the bid of 12 treats stands: [hash]", "0 free"];
    fair.says("dora", &["market", "bid", &fair.mochi, "--price", "12", "--days", "30"], 0, &made);
    let open = || fair.runner.run(&["market", "list", "--side", "bid", "--by", "age", "--json"]).json();
    let order = open()["orders"][0]["id"].as_str().unwrap().to_owned();
    let stranger = fair.act("carla", &["market", "cancel", &order]);
    assert_eq!(stranger.code, 1);
    assert!(stranger.err.contains("Only who made an order can cancel it"), "{}", stranger.err);
    let cancelled = ["Cancelled. (classic", "the order is closed: [hash]", "12 free"];
    fair.says("dora", &["market", "cancel", &order], 0, &cancelled);
    assert_eq!(open()["orders"], serde_json::json!([]));
    let bid = fair.act("dora", &["market", "bid", &fair.mochi, "--price", "5"]).id();
    let sold = [
        "Sold. (classic",
        "sold for 5 treats: 3 to the seller, 2 to the house",
        "selling the keepsake of Mochi for 5 treats",
    ];
    fair.says("bella", &["market", "take", &bid, "--price", "5"], 0, &sold);
    let trades = ["a keepsake of Mochi sold for 5 treats (3 to the seller, 2 to the house), classic, block "];
    fair.says("bella", &["market", "trades"], 0, &trades);
    let cheap = ["if taken, 1 treat: 0 to the seller, 1 to the house; WARNING: the seller gets nothing"];
    fair.says("dora", &["market", "offer", &fair.mochi, "--price", "1"], 0, &cheap);
    let birth = ["is no offer or bid (field: order)"];
    fair.says("bella", &["market", "take", &fair.mochi], 2, &birth);
    for (args, said) in [
        (&["market", "offer", &fair.mochi, "--price", "0"][..], "1 to 9007199254740991"),
        (&["market", "offer", &fair.mochi, "--price", "1", "--days", "31"], "31 is not in 1..=30"),
        (&["market", "take", "abc"], "an event id is 64"),
        (&["market", "list", "--side", "both"], "possible values: offer, bid"),
    ] {
        let ran = fair.runner.run(args);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn an_order_is_what_its_proof_says() {
    let server = Server::start(10);
    let runner = Runner::new(&server.url());
    runner.account("bella");
    runner.account("carla");
    let mochi = runner.birth("bella", "Mochi");
    let order = runner.act("bella", &["market", "offer", &mochi, "--price", "11"]).id();
    let seen = runner.act("carla", &["market", "take", &order]);
    assert_eq!(seen.code, 2, "{}", seen.err);
    assert!(seen.err.contains(&format!("take {order} --price 11")), "{}", seen.err);
    server.lie(Lie::WrongReceipt);
    let lied = runner.act("carla", &["market", "take", &order, "--price", "11"]);
    assert_eq!(lied.code, 1);
    assert!(lied.err.contains("the proof does not show what it claims"), "{}", lied.err);
}
