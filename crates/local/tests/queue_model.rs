//! The queue against a model of it that is simple enough to be seen to be right: a list of
//! messages, searched from the front.

use pitpet_local::queue::{
    FifoQueue, InterruptedReceives, Message, QueueSettings, Settled, Settlement, Which,
};
use pitpet_pipeline::ports::OutgoingMessage;
use proptest::prelude::*;

const START_MS: u64 = 1_700_000_000_000;

fn settings() -> QueueSettings {
    QueueSettings {
        visibility_timeout_ms: 100,
        max_receive_count: 3,
        deduplication_ms: 1_000,
        retention_ms: 5_000,
        dead_retention_ms: 9_000,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send {
        group: u8,
        body: u8,
    },
    Receive {
        max: u32,
    },
    /// Of any receipt ever given, counted from the newest.
    Delete {
        back: usize,
    },
    Change {
        back: usize,
        timeout_ms: u64,
    },
    Pass {
        ms: u64,
    },
    Bury {
        group: u8,
        body: u8,
    },
    RedriveAll,
    RedriveFirst,
    Release {
        interrupted: bool,
    },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..4u8, 0..12u8).prop_map(|(group, body)| Step::Send { group, body }),
        6 => (0..=10u32).prop_map(|max| Step::Receive { max }),
        5 => (0..12usize).prop_map(|back| Step::Delete { back }),
        2 => (0..12usize, prop_oneof![Just(0), 1..300u64])
            .prop_map(|(back, timeout_ms)| Step::Change { back, timeout_ms }),
        4 => prop_oneof![1..60u64, Just(100), 1_000..3_000u64].prop_map(|ms| Step::Pass { ms }),
        1 => (0..4u8, 0..12u8).prop_map(|(group, body)| Step::Bury { group, body }),
        1 => Just(Step::RedriveAll),
        1 => Just(Step::RedriveFirst),
        1 => any::<bool>().prop_map(|interrupted| Step::Release { interrupted }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    message: OutgoingMessage,
    sent_ms: u64,
    visible_ms: u64,
    first_receive_ms: u64,
    receive_count: u32,
    receipt: Option<String>,
}

#[derive(Default)]
struct Model {
    now_ms: u64,
    sent: u64,
    waiting: Vec<Entry>,
    /// Deduplication id, number, end.
    duplicates: Vec<(String, u64, u64)>,
    /// Message, when it died.
    dead: Vec<(OutgoingMessage, u64)>,
}

impl Model {
    fn append(&mut self, message: OutgoingMessage) -> u64 {
        self.sent += 1;
        self.duplicates.retain(|(id, _, _)| *id != message.deduplication);
        let until_ms = self.now_ms + settings().deduplication_ms;
        self.duplicates.push((message.deduplication.clone(), self.sent, until_ms));
        self.waiting.push(Entry {
            number: self.sent,
            message,
            sent_ms: self.now_ms,
            visible_ms: 0,
            first_receive_ms: 0,
            receive_count: 0,
            receipt: None,
        });
        self.sent
    }

    fn send(&mut self, message: OutgoingMessage) -> u64 {
        let original = self
            .duplicates
            .iter()
            .find(|(id, _, until_ms)| *id == message.deduplication && *until_ms > self.now_ms);
        match original {
            Some((_, number, _)) => *number,
            None => self.append(message),
        }
    }

    fn bury(&mut self, message: OutgoingMessage) {
        if !self.dead.iter().any(|(dead, _)| *dead == message) {
            self.dead.push((message, self.now_ms));
        }
    }

    fn expire(&mut self) {
        let now_ms = self.now_ms;
        self.waiting.retain(|entry| entry.sent_ms + settings().retention_ms > now_ms);
        self.dead.retain(|(_, dead_ms)| dead_ms + settings().dead_retention_ms > now_ms);
    }

    /// Returns what a receive gives, without receipts.
    fn receive(&mut self, max: usize) -> Vec<Entry> {
        self.expire();
        let now_ms = self.now_ms;
        let locked: Vec<String> = self
            .waiting
            .iter()
            .filter(|entry| entry.visible_ms > now_ms)
            .map(|entry| entry.message.group.clone())
            .collect();
        let mut groups: Vec<String> = Vec::new();
        for entry in &self.waiting {
            if !locked.contains(&entry.message.group) && !groups.contains(&entry.message.group) {
                groups.push(entry.message.group.clone());
            }
        }
        let mut given = Vec::new();
        for group in groups {
            while given.len() < max {
                let next = self
                    .waiting
                    .iter()
                    .position(|entry| entry.message.group == group && entry.visible_ms <= now_ms);
                let Some(index) = next else { break };
                if self.waiting[index].receive_count >= settings().max_receive_count {
                    let poison = self.waiting.remove(index);
                    self.bury(poison.message);
                    continue;
                }
                let entry = &mut self.waiting[index];
                entry.visible_ms = now_ms + settings().visibility_timeout_ms;
                if entry.receive_count == 0 {
                    entry.first_receive_ms = now_ms;
                }
                entry.receive_count += 1;
                given.push(entry.clone());
            }
        }
        given
    }

    fn settle(&mut self, number: u64, receipt: &str, timeout_ms: Option<u64>) -> Settled {
        let now_ms = self.now_ms;
        let Some(index) = self.waiting.iter().position(|entry| entry.number == number) else {
            return if timeout_ms.is_none() { Settled::Done } else { Settled::NotInFlight };
        };
        let entry = &mut self.waiting[index];
        if entry.receipt.as_deref() != Some(receipt) {
            return Settled::StaleReceipt;
        }
        match timeout_ms {
            None => {
                self.waiting.remove(index);
            }
            Some(_) if entry.visible_ms <= now_ms => return Settled::NotInFlight,
            Some(timeout_ms) => entry.visible_ms = now_ms + timeout_ms,
        }
        Settled::Done
    }

    fn next_due_ms(&self) -> Option<u64> {
        let mut due = Vec::new();
        for entry in &self.waiting {
            let same_group = self.waiting.iter().filter(|e| e.message.group == entry.message.group);
            due.extend(same_group.map(|e| e.visible_ms).max());
        }
        due.into_iter().filter(|due_ms| *due_ms > self.now_ms).min()
    }
}

fn message(group: u8, body: u8) -> OutgoingMessage {
    OutgoingMessage {
        group: format!("g{group}"),
        deduplication: format!("d{body}"),
        body: format!("body {group} {body}"),
    }
}

fn compare(given: &[Message], expected: &[Entry]) -> Result<(), TestCaseError> {
    let seen = |message: &Message| {
        (
            message.sequence_number.parse::<u64>().expect("digits"),
            message.body.clone(),
            message.group.clone(),
            message.deduplication.clone(),
            message.receive_count,
            message.sent_ms,
            message.first_receive_ms,
        )
    };
    let wanted = |entry: &Entry| {
        (
            entry.number,
            entry.message.body.clone(),
            entry.message.group.clone(),
            entry.message.deduplication.clone(),
            entry.receive_count,
            entry.sent_ms,
            entry.first_receive_ms,
        )
    };
    let given: Vec<_> = given.iter().map(seen).collect();
    let expected: Vec<_> = expected.iter().map(wanted).collect();
    prop_assert_eq!(given, expected);
    Ok(())
}

async fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("queue.sqlite");
    let mut queue = FifoQueue::open(&path, settings()).expect("a new queue");
    let mut model = Model { now_ms: START_MS, ..Model::default() };
    let mut receipts: Vec<(u64, String)> = Vec::new();
    for step in steps {
        let now_ms = model.now_ms;
        match step {
            Step::Send { group, body } => {
                let sent = queue.send(vec![message(group, body)], now_ms).await.remove(0);
                let number = sent.expect("a good message").sequence_number;
                prop_assert_eq!(number, format!("{:020}", model.send(message(group, body))));
            }
            Step::Receive { max } => {
                let received = queue.receive(max, now_ms).await.expect("the file is good");
                compare(&received.messages, &model.receive(max as usize))?;
                for given in received.messages {
                    let number: u64 = given.sequence_number.parse().expect("digits");
                    let entry = model.waiting.iter_mut().find(|entry| entry.number == number);
                    entry.expect("just compared").receipt = Some(given.receipt.clone());
                    receipts.push((number, given.receipt));
                }
                prop_assert_eq!(received.next_due_ms, model.next_due_ms());
            }
            Step::Delete { back } => {
                let Some((number, receipt)) = receipts.iter().rev().nth(back) else {
                    continue;
                };
                let settled = queue.delete(receipt, now_ms).await.expect("the file is good");
                prop_assert_eq!(settled, model.settle(*number, receipt, None));
            }
            Step::Change { back, timeout_ms } => {
                let Some((number, receipt)) = receipts.iter().rev().nth(back) else {
                    continue;
                };
                let change = Settlement::Visibility { receipt: receipt.clone(), timeout_ms };
                let settled = queue.settle(vec![change], now_ms).await.expect("the file is good");
                prop_assert_eq!(settled, [model.settle(*number, receipt, Some(timeout_ms))]);
            }
            Step::Pass { ms } => model.now_ms += ms,
            Step::Bury { group, body } => {
                queue.bury(message(group, body), now_ms).await.expect("a good message");
                model.bury(message(group, body));
            }
            Step::RedriveAll => {
                let moved = queue.redrive(Which::All, now_ms).await.expect("the file is good");
                prop_assert_eq!(moved, model.dead.len() as u64);
                for (dead, _) in std::mem::take(&mut model.dead) {
                    model.append(dead);
                }
            }
            Step::RedriveFirst => {
                let letters = queue.dead_letters(0, 1, now_ms).await.expect("the file is good");
                model.expire();
                let ids: Vec<_> = letters.into_iter().map(|letter| letter.message_id).collect();
                prop_assert_eq!(ids.len(), model.dead.len().min(1));
                let moved = queue.redrive(Which::Ids(ids), now_ms).await.expect("the file is good");
                if moved == 1 {
                    let (dead, _) = model.dead.remove(0);
                    model.append(dead);
                }
            }
            Step::Release { interrupted } => {
                let kind = match interrupted {
                    true => InterruptedReceives::TakeBack,
                    false => InterruptedReceives::Count,
                };
                let released = queue.release_in_flight(kind, now_ms).await;
                let in_flight = model.waiting.iter_mut().filter(|e| e.visible_ms > now_ms);
                let mut count = 0;
                for entry in in_flight {
                    entry.visible_ms = 0;
                    entry.receipt = None;
                    entry.receive_count -= u32::from(interrupted);
                    count += 1;
                }
                prop_assert_eq!(released.expect("the file is good"), count);
            }
            Step::Reopen => {
                drop(queue);
                queue = FifoQueue::open(&path, settings()).expect("the same queue");
            }
        }
        let now_ms = model.now_ms;
        model.expire();
        let letters = queue.dead_letters(0, 1_000, now_ms).await.expect("the file is good");
        let dead: Vec<_> = letters.iter().map(|letter| (&letter.body, letter.dead_ms)).collect();
        let expected: Vec<_> = model.dead.iter().map(|(dead, ms)| (&dead.body, *ms)).collect();
        prop_assert_eq!(dead, expected);
        let counts = queue.counts(now_ms).await.expect("the file is good");
        let in_flight = model.waiting.iter().filter(|e| e.visible_ms > now_ms).count() as u64;
        prop_assert_eq!(counts.in_flight, in_flight);
        prop_assert_eq!(counts.visible + counts.in_flight, model.waiting.len() as u64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_queue_does_what_the_model_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(check(steps))?;
    }
}
