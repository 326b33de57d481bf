//! The next kennel: when it opens, that it is one, and who is sent there.

use std::sync::Arc;

use pitpet_chain::codec::{decode, encode};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{EventId, KennelId};
use pitpet_pipeline::api::{AccountView, EntriesView, KennelView, Problem};
use pitpet_pipeline::founding::KENNELS_MAX;
use pitpet_pipeline::head::{Founding, read_founding};
use pitpet_pipeline::items::{self, Fields as _, attributes};
use pitpet_pipeline::message::Message;
use pitpet_pipeline::opening::is_akin;
use pitpet_pipeline::ports::{Item, Table as _};
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::{Call, Operation, Port};
use pitpet_simulator::town::{QUICK, at_once, genesis, id_of, key};
use pitpet_simulator::{Fault, Faults, Player, Town};

use super::query::{get, read};

fn of(living_max: u32) -> Parameters {
    Parameters { living_max, ..QUICK }
}

/// Somebody's pet is born in a kennel.
async fn born(town: &Town, founding: &Founding, seed: u8) -> (Player, EventId) {
    let head = pitpet_pipeline::head::read_head(
        town.table.as_ref(),
        founding,
        pitpet_pipeline::ports::Consistency::Strong,
    )
    .await
    .expect("a sound head");
    let mut player = Player::of(founding, seed, town.clock.now_ms());
    player.nonce = head.height * 100;
    let birth = player.birth(&format!("pet {seed}"), head.hash);
    let id = id_of(&birth);
    send(town, founding, vec![birth]);
    town.mine_all(&town.miner()).await;
    (player, id)
}

fn send(town: &Town, founding: &Founding, entries: Vec<pitpet_pipeline::message::Entry>) {
    town.queue.take(&Message { version: 1, kennel: founding.kennel, entries }.write());
}

/// Runs the reaper and mines what it sent; gives how many kennels were being opened.
async fn reap(town: &Town) -> u64 {
    let report = town.reaper().reap().await.expect("the kennels can be listed");
    assert_eq!(report.failed, 0);
    town.mine_all(&town.miner()).await;
    report.opening
}

/// The listed kennels: labels with founding records.
async fn listed(town: &Town) -> Vec<(String, Founding)> {
    let mut kennels = Vec::new();
    for (key, item) in town.table.all() {
        if key.pk == "KENNELS" {
            let kennel = KennelId(item.digest("kennel").expect("a kennel"));
            kennels.push((key.sk, read_founding(town.table.as_ref(), &kennel).await.expect("it is whole")));
        }
    }
    kennels
}

async fn labels(town: &Town) -> Vec<String> {
    listed(town).await.into_iter().map(|(label, _)| label).collect()
}

async fn founding(town: &Town, label: &str) -> Founding {
    let found = listed(town).await.into_iter().find(|(known, _)| known == label);
    found.unwrap_or_else(|| panic!("no kennel {label}")).1
}

fn kennels_with_genesis(town: &Town) -> usize {
    town.table.all().keys().filter(|key| key.sk == "GENESIS").count()
}

#[tokio::test]
async fn it_opens_before_places_run_out_and_then_no_other() {
    // Nobody dies here: a place that death frees is one for a newcomer.
    let town = Town::found(Parameters { ttl: 100, ..of(16) }).await;
    // An eighth of 16 is 2.
    for seed in 1..=13 {
        born(&town, &town.founding, seed).await;
        assert_eq!(reap(&town).await, 0, "{seed} live");
    }
    born(&town, &town.founding, 14).await;
    assert_eq!(reap(&town).await, 1, "two places are left");
    assert_eq!(labels(&town).await, ["first", "first-2"]);
    let second = founding(&town, "first-2").await;
    assert!(is_akin(&second.genesis, &town.founding.genesis));
    assert_ne!(second.genesis.random, town.founding.genesis.random);
    let whole = audit(&town.table, &second, Published::Whole).await;
    assert_eq!((whole.head.height, whole.head.published_height), (0, 0));
    assert_eq!(reap(&town).await, 0);
    born(&town, &town.founding, 15).await;
    born(&town, &town.founding, 16).await;
    assert_eq!(reap(&town).await, 0, "there is room in the second");
    for seed in 17..=30 {
        born(&town, &second, seed).await;
    }
    town.clock.advance(600_000);
    assert_eq!(reap(&town).await, 1, "of the line two places are left");
    assert_eq!(labels(&town).await, ["first", "first-2", "first-3"]);
}

#[tokio::test]
async fn a_line_of_single_places_opens_one_by_one() {
    let town = Town::found(of(1)).await;
    for number in 1..=4_u8 {
        // One place is as few as it may have.
        assert_eq!(reap(&town).await, 1);
        assert_eq!(reap(&town).await, 0);
        let last = listed(&town).await.pop().expect("a kennel").1;
        born(&town, &last, number).await;
        town.clock.advance(600_000);
    }
    assert_eq!(labels(&town).await, ["first", "first-2", "first-3", "first-4", "first-5"]);
}

#[tokio::test]
async fn accounts_run_out_as_places_do() {
    let town = Town::found(Parameters { accounts_max: 2, ..QUICK }).await;
    assert_eq!(reap(&town).await, 0);
    born(&town, &town.founding, 1).await;
    assert_eq!(reap(&town).await, 1, "one more newcomer fits");
    assert_eq!(labels(&town).await, ["first", "first-2"]);
}

#[tokio::test]
async fn other_lines_are_left_alone() {
    let town = Town::found(of(1)).await;
    town.found_another("other", QUICK, 7).await;
    // The label of the line, with other parameters: a line of its own.
    let odd = town.found_another("first-7", of(5), 8).await;
    assert_eq!(reap(&town).await, 1);
    assert_eq!(labels(&town).await, ["first", "first-2", "first-7", "other"]);
    for seed in 1..=4 {
        born(&town, &odd, seed).await;
    }
    assert_eq!(reap(&town).await, 1);
    assert_eq!(labels(&town).await, ["first", "first-2", "first-7", "first-8", "other"]);
    assert!(is_akin(&founding(&town, "first-8").await.genesis, &odd.genesis));
}

#[tokio::test]
async fn of_two_reapers_at_once_one_reserves() {
    for operation in 0..4_u64 {
        let town = Arc::new(Town::found(of(1)).await);
        let rival = town.clone();
        let mut rivals = Some(async move {
            // A clock that differs, so that the rival's genesis would be another one.
            rival.clock.advance(5_000);
            rival.reaper().reap().await.expect("the kennels can be listed");
        });
        let faults = Faults::new(move |call: &Call| {
            let is_here = call.is_write() && call.writes == operation;
            if is_here { rivals.take().map(|rival| Fault::Meanwhile(Box::pin(rival))) } else { None }
        });
        let report = town.reaper_with(&faults).reap().await.expect("the kennels can be listed");
        assert_eq!((report.opening, report.failed), (1, 0));
        assert_eq!(kennels_with_genesis(&town), 2, "before write {operation}: one genesis beside the first");
        town.mine_all(&town.miner()).await;
        assert_eq!(reap(&town).await, 0);
        assert_eq!(labels(&town).await, ["first", "first-2"]);
    }
}

#[tokio::test]
async fn whatever_fails_one_kennel_opens() {
    type Make = fn() -> Fault;
    let kinds: [(&str, Make); 6] = [
        ("request lost", || Fault::RequestLost),
        ("answer lost", || Fault::AnswerLost),
        ("throttled", || Fault::Throttled),
        ("late", || Fault::Late),
        ("crash before", || Fault::CrashBefore),
        ("crash after", || Fault::CrashAfter),
    ];
    let mut writes = 0;
    for (name, fault) in kinds {
        for number in 0.. {
            let town = Town::found(of(1)).await;
            let faults = Faults::at_write(number, fault);
            // A run that fails is over; the message that it may have sent is mined by a miner that
            // has the same trouble.
            let _ = town.reaper_with(&faults).reap().await;
            town.mine_once(&town.miner_with(&faults, at_once())).await;
            let is_through = faults.writes() <= number;
            faults.land().await;
            for _ in 0..3 {
                town.clock.advance(600_000);
                reap(&town).await;
            }
            assert_eq!(labels(&town).await, ["first", "first-2"], "{name} at write {number}");
            assert_eq!(kennels_with_genesis(&town), 2, "{name} at write {number}");
            for (_, founding) in listed(&town).await {
                audit(&town.table, &founding, Published::Whole).await;
            }
            if is_through {
                writes = writes.max(number);
                break;
            }
        }
    }
    assert!(writes >= 8, "reservation, genesis, message, and the miner's five: {writes}");
}

#[tokio::test]
async fn a_label_that_was_taken_meanwhile_is_passed_over() {
    let town = Town::found(of(1)).await;
    town.reaper().reap().await.expect("the kennels can be listed");
    town.found_another("first-2", QUICK, 9).await;
    town.found_another("first-3", QUICK, 10).await;
    town.mine_all(&town.miner()).await;
    assert_eq!(labels(&town).await, ["first", "first-2", "first-3", "first-4"]);
    assert!(is_akin(&founding(&town, "first-4").await.genesis, &town.founding.genesis));
    town.clock.advance(600_000);
    assert_eq!(reap(&town).await, 0, "it is of the line all the same");
}

#[tokio::test]
async fn the_miner_founds_nothing_that_follows_no_kennel_of_its_own() {
    let first = Town::found(of(1)).await.kennel();
    let stranger = pitpet_chain::hash::PublicKey(key(77).verifying_key().to_bytes());
    let base = genesis(of(1), 50);
    let forged: [(&str, Genesis, KennelId); 3] = [
        ("operator", Genesis { operator: stranger, ..base.clone() }, first),
        ("parameters", Genesis { parameters: of(2), ..base.clone() }, first),
        ("predecessor", base, KennelId([9; 32])),
    ];
    for (what, genesis, after) in forged {
        let town = Town::found(of(1)).await;
        let kennel = genesis.kennel();
        let item = attributes([
            ("genesis", encode(&genesis).into()),
            ("label", "forged".to_owned().into()),
            ("rules", [0x11; 32].into()),
            ("after", after.0.into()),
        ]);
        town.table.put_new(&Item { key: items::genesis(&kennel), attributes: item }).await.unwrap();
        town.queue.take(&Message { version: 1, kennel, entries: Vec::new() }.write());
        let report = town.mine_once(&town.miner()).await;
        assert_eq!(report.failed.len(), 1, "{what}");
        assert!(town.table.item(&items::head(&kennel)).is_none(), "{what}");
        assert_eq!(labels(&town).await, ["first"], "{what}");
    }
}

#[tokio::test]
async fn a_message_without_events_to_a_kennel_that_is_open_does_nothing() {
    let town = Town::found(QUICK).await;
    let before = town.table.all();
    send(&town, &town.founding, Vec::new());
    let report = town.mine_once(&town.miner()).await;
    assert!(report.failed.is_empty() && report.buried == 0 && report.blocks == 0);
    assert_eq!(town.table.all(), before);
}

#[tokio::test]
async fn events_that_come_before_the_opening_message_are_mined() {
    let town = Town::found(of(1)).await;
    town.reaper().reap().await.expect("the kennels can be listed");
    let reserved = town.table.item(&items::next_kennel(&town.kennel())).expect("a reservation");
    let genesis: Genesis = decode(reserved.bytes("genesis").expect("bytes")).expect("canonical");
    let next = read_founding(town.table.as_ref(), &genesis.kennel()).await.expect("it is prepared");
    // The opening message is lost in a queue that was restored, say.
    while !town.queue.is_empty() {
        let batch = town.queue.receive(10);
        town.queue.settle(&batch, &Default::default());
    }
    let mut early = Player::of(&next, 3, town.clock.now_ms());
    let block = pitpet_chain::kennel::Kennel::found(genesis, pitpet_simulator::town::RULES).unwrap().1;
    let birth = early.birth("Early", block.head.hash);
    send(&town, &next, vec![birth]);
    town.mine_all(&town.miner()).await;
    assert_eq!(labels(&town).await, ["first", "first-2"]);
    assert_eq!(audit(&town.table, &next, Published::Whole).await.head.summary.totals.living, 1);
}

#[tokio::test]
async fn a_server_that_is_full_of_kennels_opens_none() {
    let town = Town::found(of(1)).await;
    for number in 2..=KENNELS_MAX {
        town.found_another(&format!("k{number}"), QUICK, u8::try_from(number - 1).unwrap()).await;
    }
    assert_eq!(reap(&town).await, 0);
    assert!(town.table.item(&items::next_kennel(&town.kennel())).is_none());
}

#[tokio::test]
async fn nothing_opens_while_a_kennel_of_the_line_can_not_be_looked_at() {
    let town = Town::found(of(1)).await;
    assert_eq!(reap(&town).await, 1);
    let second = founding(&town, "first-2").await;
    born(&town, &town.founding, 1).await;
    born(&town, &second, 2).await;
    let head = items::head(&second.kennel);
    let faults = Faults::new(move |call: &Call| {
        let is_it = call.port == Port::Table && call.operation == Operation::Read;
        (is_it && call.key == format!("{} {}", head.pk, head.sk)).then_some(Fault::Throttled)
    });
    let report = town.reaper_with(&faults).reap().await.expect("the kennels can be listed");
    assert_eq!((report.opening, report.failed), (0, 1));
    assert_eq!(reap(&town).await, 1);
}

#[tokio::test]
async fn births_are_sent_where_there_is_room() {
    let town = Town::found(of(16)).await;
    let queries = town.queries();
    let place = |asked: String| {
        let queries = &queries;
        async move { read::<KennelView>(queries, &format!("/v1/birthplace{asked}")).await.label }
    };
    assert_eq!(place(String::new()).await, "first", "there is no `town` here");
    let mut owners = Vec::new();
    for seed in 1..=14 {
        owners.push(born(&town, &town.founding, seed).await);
    }
    assert_eq!(place(String::new()).await, "first", "the last two places, as long as there are no others");
    assert_eq!(reap(&town).await, 1);
    assert_eq!(place("?line=first".to_owned()).await, "first-2", "those are kept for who restarts");
    let anna = owners[0].0.account();
    assert_eq!(place(format!("?account={anna}")).await, "first", "she has a living pet there");
    let stranger = Player::new(&town, 200).account();
    assert_eq!(place(format!("?account={stranger}")).await, "first-2");

    // All but the last die of neglect.
    let (last, pet) = &mut owners[13];
    for n in 0..QUICK.ttl {
        town.clock.advance(1_000);
        let post = last.post(*pet, &format!("post {n}"));
        send(&town, &town.founding, vec![post]);
        town.mine_all(&town.miner()).await;
    }
    assert_eq!(place(format!("?account={anna}")).await, "first", "she goes home");
    assert_eq!(place(format!("?account={anna}&line=first")).await, "first");
    assert_eq!(place(format!("?account={stranger}")).await, "first-2");

    let problem = |asked: &str| {
        let target = format!("/v1/birthplace{asked}");
        let queries = &queries;
        async move {
            let response = get(queries, &target).await;
            let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
            (response.status, problem.field, response.headers.get("retry-after").cloned())
        }
    };
    assert_eq!(problem("?line=nowhere").await, (404, Some("line".to_owned()), None));
    assert_eq!(problem("?account=nobody").await, (404, Some("account".to_owned()), None));
}

#[tokio::test]
async fn a_full_line_says_when_to_ask_again() {
    let town = Town::found(of(1)).await;
    let (owner, _) = born(&town, &town.founding, 1).await;
    let response = get(&town.queries(), "/v1/birthplace").await;
    assert_eq!((response.status, response.headers["retry-after"].as_str()), (503, "60"));
    let own: KennelView = read(&town.queries(), &format!("/v1/birthplace?account={}", owner.account())).await;
    assert_eq!(own.label, "first", "whose pet lives is told so by the rules");
}

#[tokio::test]
async fn an_account_is_the_sum_of_its_kennels() {
    let town = Town::found(QUICK).await;
    let other = town.found_another("other", QUICK, 2).await;
    let (anna, _) = born(&town, &town.founding, 1).await;
    born(&town, &other, 1).await;
    let view: AccountView = read(&town.queries(), &format!("/v1/accounts/{}", anna.account())).await;
    let mut labels: Vec<&str> = view.kennels.iter().map(|holding| holding.label.as_str()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["first", "other"]);
    assert_eq!((view.sums.granted, view.sums.free), (2 * QUICK.birth_grant, 0));
    assert_eq!((view.sums.living, view.sums.holdings), (2, 0));
}

/// Pages of the feed of all kennels, two entries each; between two of them `meanwhile` happens.
async fn pages(town: &Town, mut meanwhile: impl AsyncFnMut(usize)) -> Vec<(u64, String)> {
    let queries = town.queries();
    let (mut entries, mut cursor) = (Vec::new(), None::<String>);
    for page in 0.. {
        let cursor_is = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let view: EntriesView = read(&queries, &format!("/v1/feed?limit=2{cursor_is}")).await;
        entries.extend(view.entries.into_iter().map(|entry| (entry.timestamp_ms, entry.id)));
        cursor = view.cursor;
        if cursor.is_none() {
            break;
        }
        meanwhile(page).await;
    }
    entries
}

#[tokio::test]
async fn pages_over_kennels_stay_while_posts_arrive_and_kennels_open() {
    let town = Town::found(of(4)).await;
    let other = town.found_another("other", QUICK, 2).await;
    let (mut anna, kitty) = born(&town, &town.founding, 1).await;
    let (mut ben, rex) = born(&town, &other, 2).await;
    for n in 0..4 {
        // Both in one millisecond, then one by one: order within is by place.
        town.clock.advance(1_000);
        send(&town, &town.founding, vec![anna.post(kitty, &format!("nap {n}"))]);
        send(&town, &other, vec![ben.post(rex, &format!("walk {n}"))]);
        town.mine_all(&town.miner()).await;
    }
    let still = pages(&town, async |_| {}).await;
    assert_eq!(still.len(), 10);
    assert!(still.is_sorted_by(|a, b| a.0 >= b.0), "newest first: {still:?}");
    let mut seed = 10;
    let moving = pages(&town, async |page| {
        town.clock.advance(1_000);
        send(&town, &other, vec![ben.post(rex, &format!("new {page}"))]);
        seed += 1;
        if seed <= 13 {
            born(&town, &town.founding, seed).await;
        }
        reap(&town).await;
        let last = listed(&town).await.into_iter().find(|(label, _)| label == "first-2");
        if let Some((_, last)) = last {
            born(&town, &last, seed).await;
        }
    })
    .await;
    assert_eq!(moving, still, "what is older than the first page's end is what it was");
    assert!(labels(&town).await.contains(&"first-2".to_owned()), "a kennel opened meanwhile");
    let anew = pages(&town, async |_| {}).await;
    assert_eq!(anew[anew.len() - still.len()..], still);
    assert!(anew.len() > still.len());
}

#[tokio::test]
async fn of_many_kennels_the_newest_are_merged() {
    let town = Town::found(QUICK).await;
    born(&town, &town.founding, 1).await;
    for number in 2..=20_u8 {
        town.clock.advance(1_000);
        let genesis = Genesis { created_ms: town.clock.now_ms(), ..genesis(QUICK, number) };
        let native = pitpet_pipeline::native::NativeHost;
        let (label, rules) = (format!("k{number:02}"), pitpet_simulator::town::RULES);
        pitpet_simulator::town::found_with(town.table.as_ref(), &label, &genesis, &native, rules)
            .await
            .unwrap();
        let kennel = founding(&town, &label).await;
        born(&town, &kennel, number).await;
    }
    let first: EntriesView = read(&town.queries(), "/v1/feed?limit=100").await;
    assert_eq!(first.entries.len(), 16, "the bound");
    // Behind a cursor the older ones come in: those founded by its time.
    let older = pages(&town, async |_| {}).await;
    assert_eq!(older.len(), 20, "{older:?}");
    assert!(older.is_sorted_by(|a, b| a.0 >= b.0));
}
