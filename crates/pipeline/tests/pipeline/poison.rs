//! Messages that can never be mined: whole and unchanged into the dead-letter queue, and their
//! neighbours mined.

use std::sync::Arc;

use pitpet_chain::abi::Batch;
use pitpet_chain::codec::{Bytes, decode};
use pitpet_chain::hash::KennelId;
use pitpet_pipeline::message::{Entry, Message};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::{ChainInstance, ModuleError, ModuleHost, OutgoingMessage};
use pitpet_simulator::audit::{Published, audit};
use pitpet_simulator::faults::Port;
use pitpet_simulator::town::{QUICK, at_once, id_of};
use pitpet_simulator::{Fault, Faults, Player, Town};

/// The rules, but for what they do on an event that consists of [`MARK`].
struct Trapping(Mark);

/// What the mark does.
#[derive(Clone, Copy)]
enum Mark {
    Traps,
    GivesRubbish,
    DecidesNothing,
}

const MARK: &[u8] = b"trap on this";

struct TrappingInstance(Box<dyn ChainInstance>, Mark);

impl ModuleHost for Trapping {
    fn open(&self, rules: &[u8; 32], start: &[u8]) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        let (instance, opened) = NativeHost.open(rules, start)?;
        Ok((Box::new(TrappingInstance(instance, self.0)), opened))
    }
}

impl ChainInstance for TrappingInstance {
    fn apply(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let batch: Batch = decode(input).expect("the miner's input is canonical");
        let answer = self.0.apply(input);
        if !batch.messages.iter().flatten().any(|event| event.0 == MARK) {
            return answer;
        }
        match self.1 {
            Mark::Traps => Err(ModuleError::Trap("unreachable".to_owned())),
            Mark::GivesRubbish => Ok(b"rubbish".to_vec()),
            // An outcome with nothing consumed, no rejects and no block.
            Mark::DecidesNothing => Ok(vec![0x83, 0x00, 0x80, 0x80]),
        }
    }
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.replay(input)
    }
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError> {
        self.0.snapshot()
    }
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.ask(question)
    }
}

fn marked(kennel: KennelId) -> OutgoingMessage {
    let entry = Entry { event: Bytes(MARK.to_vec()), body: None };
    Message { version: 1, kennel, entries: vec![entry] }.write()
}

/// A batch of three messages with a poisoned one in the middle; all are of the first kennel's group.
async fn with_poison(town: &Town, poison: &OutgoingMessage) -> [Entry; 2] {
    let (mut anna, mut bert) = (Player::new(town, 1), Player::new(town, 2));
    let genesis = town.head().await.hash;
    let (kitty, rex) = (anna.birth("Kitty", genesis), bert.birth("Rex", genesis));
    town.send(vec![kitty.clone()]);
    town.queue.take(poison);
    town.send(vec![rex.clone()]);
    [kitty, rex]
}

fn poisons(town: &Town) -> Vec<(&'static str, OutgoingMessage)> {
    let group = town.kennel().to_string();
    let raw = |body: &str| OutgoingMessage {
        group: group.clone(),
        deduplication: format!("raw {body}"),
        body: body.to_owned(),
    };
    let of_another = OutgoingMessage { group: group.clone(), ..marked(KennelId([9; 32])) };
    vec![
        ("not base64", raw("no message!")),
        ("not canonical", raw("AAAA")),
        ("empty", raw("")),
        ("another group's", of_another),
        ("trapping", marked(town.kennel())),
    ]
}

#[tokio::test]
async fn a_poisoned_message_goes_aside_whole_and_its_neighbours_are_mined() {
    for number in 0..5 {
        let town = Town::found(QUICK).await;
        let (name, poison) = poisons(&town).swap_remove(number);
        let neighbours = with_poison(&town, &poison).await;
        let faults = Faults::none();
        let miner = town.miner_on(Arc::new(Trapping(Mark::Traps)), &faults, at_once());
        let report = town.mine_once(&miner).await;
        assert_eq!((report.buried, report.accepted, report.failed.len()), (1, 2, 0), "{name}");
        assert_eq!(town.queue.dead(), [poison], "{name}: whole and unchanged");
        assert!(town.queue.is_empty(), "{name}");
        let found = audit(&town.table, &town.founding, Published::Whole).await;
        assert!(neighbours.iter().all(|entry| found.has(&id_of(entry))), "{name}");
    }
}

#[tokio::test]
async fn a_module_that_answers_nonsense_is_as_good_as_one_that_traps() {
    for mark in [Mark::GivesRubbish, Mark::DecidesNothing] {
        let town = Town::found(QUICK).await;
        let poison = marked(town.kennel());
        with_poison(&town, &poison).await;
        let miner = town.miner_on(Arc::new(Trapping(mark)), &Faults::none(), at_once());
        let report = town.mine_once(&miner).await;
        assert_eq!((report.buried, report.accepted, report.failed.len()), (1, 2, 0));
        assert_eq!(town.queue.dead(), [poison]);
        audit(&town.table, &town.founding, Published::Whole).await;
    }
}

#[tokio::test]
async fn a_message_of_an_unknown_kennel_goes_aside() {
    let town = Town::found(QUICK).await;
    let stray = marked(KennelId([9; 32]));
    let neighbours = with_poison(&town, &stray).await;
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.buried, report.accepted, report.failed.len()), (1, 2, 0));
    assert_eq!(town.queue.dead(), [stray]);
    let found = audit(&town.table, &town.founding, Published::Whole).await;
    assert!(neighbours.iter().all(|entry| found.has(&id_of(entry))));
}

#[tokio::test]
async fn what_can_t_be_buried_stays_with_its_followers() {
    for number in 0..5 {
        let town = Town::found(QUICK).await;
        let (name, poison) = poisons(&town).swap_remove(number);
        with_poison(&town, &poison).await;
        let faults = Faults::new(|call| (call.port == Port::DeadLetters).then_some(Fault::RequestLost));
        let miner = town.miner_on(Arc::new(Trapping(Mark::Traps)), &faults, at_once());
        let batch = town.queue.receive(10);
        let report = miner.mine(batch.iter().map(|delivery| delivery.received.clone()).collect()).await;
        let failed: Vec<&String> = report.failed.iter().collect();
        assert_eq!(failed, [&batch[1].received.id, &batch[2].received.id], "{name}");
        assert_eq!((report.accepted, report.buried), (1, 0), "{name}");
        town.queue.settle(&batch, &report);
        let miner = town.miner_on(Arc::new(Trapping(Mark::Traps)), &Faults::none(), at_once());
        town.mine_all(&miner).await;
        assert_eq!(town.queue.dead(), [poison], "{name}");
        let found = audit(&town.table, &town.founding, Published::Whole).await;
        assert_eq!(found.events.len(), 2, "{name}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_event_are_a_reject_and_no_poison() {
    let town = Town::found(QUICK).await;
    with_poison(&town, &marked(town.kennel())).await;
    let report = town.mine_once(&town.miner()).await;
    assert_eq!((report.buried, report.accepted, report.rejected), (0, 2, 1));
}
