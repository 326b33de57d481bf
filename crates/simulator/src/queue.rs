//! The FIFO queue in memory, with its dead-letter queue: order and lock by group, deduplication,
//! redelivery and receive counts as SQS has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use pitpet_pipeline::mine::{MineReport, ReceivedMessage};
use pitpet_pipeline::ports::{Clock, DeadLetters, OutgoingMessage, Queue, QueueError};

/// For how long a second send of a deduplication id is a duplicate, ms: 5 minutes at SQS.
const DEDUPLICATION_MS: u64 = 5 * 60 * 1_000;

/// Messages that one receive gives, at most.
const RECEIVE_MAX: usize = 10;

/// How the queue is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays hidden, ms.
    pub visibility_timeout_ms: u64,
    /// Receives before a message goes to the dead-letter queue.
    pub max_receive_count: u32,
}

impl Default for QueueSettings {
    /// Six minutes, five receives.
    fn default() -> Self {
        Self { visibility_timeout_ms: 360_000, max_receive_count: 5 }
    }
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Id and content.
    pub received: ReceivedMessage,
    /// Rises with every message sent.
    pub sequence: u64,
    /// To be given back with the answer; good until the next receive of the same message.
    pub receipt: String,
    /// Receives so far, this one included.
    pub receive_count: u32,
}

#[derive(Clone, Debug)]
struct Held {
    message: OutgoingMessage,
    /// Hidden before this.
    visible_ms: u64,
    receive_count: u32,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<u64, Held>,
    /// Sequence and time of the last sends, by deduplication id.
    sent: BTreeMap<String, (u64, u64)>,
    dead: Vec<OutgoingMessage>,
    next: u64,
}

/// A queue that lives as long as its owner.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    settings: QueueSettings,
    state: Mutex<State>,
}

impl MemoryQueue {
    /// Makes an empty queue.
    pub fn new(clock: Arc<dyn Clock>, settings: QueueSettings) -> Self {
        Self { clock, settings, state: Mutex::default() }
    }

    /// How it is set.
    pub fn settings(&self) -> QueueSettings {
        self.settings
    }

    /// Takes a message; gives its sequence number, which is the first one's for a duplicate.
    pub fn take(&self, message: &OutgoingMessage) -> u64 {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        if let Some((sequence, sent_ms)) = state.sent.get(&message.deduplication)
            && now_ms < sent_ms + DEDUPLICATION_MS
        {
            return *sequence;
        }
        state.next += 1;
        let sequence = state.next;
        state.sent.insert(message.deduplication.clone(), (sequence, now_ms));
        let held = Held { message: message.clone(), visible_ms: 0, receive_count: 0 };
        state.held.insert(sequence, held);
        sequence
    }

    /// Gives out up to `max` messages, ten at most: of each group that has none in flight, the
    /// first ones. One that was received too often goes to the dead-letter queue instead.
    pub fn receive(&self, max: usize) -> Vec<Delivery> {
        self.receive_from(max, |_| true)
    }

    /// As [`MemoryQueue::receive`], from some of the groups only: across groups there is no order.
    pub fn receive_from(&self, max: usize, mut chosen: impl FnMut(&str) -> bool) -> Vec<Delivery> {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let mut passed: BTreeSet<String> = state
            .held
            .values()
            .filter(|held| held.visible_ms > now_ms)
            .map(|held| held.message.group.clone())
            .collect();
        let groups: BTreeSet<&String> = state.held.values().map(|held| &held.message.group).collect();
        let left = groups.into_iter().filter(|group| !chosen(group)).cloned().collect::<Vec<_>>();
        passed.extend(left);
        let mut deliveries = Vec::new();
        let mut spent = Vec::new();
        for (sequence, held) in &mut state.held {
            if passed.contains(&held.message.group) {
                continue;
            }
            if held.receive_count >= self.settings.max_receive_count {
                spent.push(*sequence);
                continue;
            }
            if deliveries.len() == max.min(RECEIVE_MAX) {
                break;
            }
            held.receive_count += 1;
            held.visible_ms = now_ms + self.settings.visibility_timeout_ms;
            deliveries.push(Delivery {
                received: ReceivedMessage { id: id_of(*sequence), message: held.message.clone() },
                sequence: *sequence,
                receipt: format!("{sequence}/{}", held.receive_count),
                receive_count: held.receive_count,
            });
        }
        for sequence in spent {
            let held = state.held.remove(&sequence).expect("found a moment ago");
            state.dead.push(held.message);
        }
        deliveries
    }

    /// Deletes a message, if the receipt is still good.
    pub fn delete(&self, receipt: &str) {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        if let Some(sequence) = state.received(receipt, now_ms) {
            state.held.remove(&sequence);
        }
    }

    /// Hides a message for so long from now, if the receipt is still good.
    pub fn change_visibility(&self, receipt: &str, timeout_ms: u64) {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        if let Some(sequence) = state.received(receipt, now_ms) {
            state.held.get_mut(&sequence).expect("it is held").visible_ms = now_ms + timeout_ms;
        }
    }

    /// Ends a batch as a partial batch response does: what failed comes again at once, the rest
    /// is deleted.
    pub fn settle(&self, batch: &[Delivery], report: &MineReport) {
        for delivery in batch {
            match report.failed.contains(&delivery.received.id) {
                true => self.change_visibility(&delivery.receipt, 0),
                false => self.delete(&delivery.receipt),
            }
        }
    }

    /// Gives a whole batch back, as if its receiver had died and the visibility timeout were over.
    pub fn give_back(&self, batch: &[Delivery]) {
        for delivery in batch {
            self.change_visibility(&delivery.receipt, 0);
        }
    }

    /// The groups of which a message could be received now.
    pub fn ready(&self) -> BTreeSet<String> {
        let now_ms = self.clock.now_ms();
        let state = self.state();
        let groups = |is_hidden: bool| -> BTreeSet<String> {
            let held = state.held.values().filter(|held| (held.visible_ms > now_ms) == is_hidden);
            held.map(|held| held.message.group.clone()).collect()
        };
        groups(false).difference(&groups(true)).cloned().collect()
    }

    /// The messages held, oldest first, dead ones apart.
    pub fn held(&self) -> Vec<OutgoingMessage> {
        self.state().held.values().map(|held| held.message.clone()).collect()
    }

    /// How many messages are held, dead ones apart.
    pub fn len(&self) -> usize {
        self.state().held.len()
    }

    /// Whether no message is held, dead ones apart.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dead letters, oldest first.
    pub fn dead(&self) -> Vec<OutgoingMessage> {
        self.state().dead.clone()
    }

    /// Moves all dead letters back.
    pub fn redrive(&self) {
        let mut state = self.state();
        for message in std::mem::take(&mut state.dead) {
            state.next += 1;
            let sequence = state.next;
            state.held.insert(sequence, Held { message, visible_ms: 0, receive_count: 0 });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

/// The id of the message with this sequence number.
pub fn id_of(sequence: u64) -> String {
    format!("message-{sequence:06}")
}

impl State {
    fn received(&self, receipt: &str, now_ms: u64) -> Option<u64> {
        let (sequence, count) = receipt.split_once('/')?;
        let sequence = sequence.parse().ok()?;
        let held = self.held.get(&sequence)?;
        let is_good = held.receive_count.to_string() == count && held.visible_ms > now_ms;
        is_good.then_some(sequence)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>> {
        messages
            .iter()
            .map(|message| {
                self.take(message);
                Ok(())
            })
            .collect()
    }
}

#[async_trait]
impl DeadLetters for MemoryQueue {
    async fn bury(&self, message: &OutgoingMessage) -> Result<(), QueueError> {
        let mut state = self.state();
        if !state.dead.contains(message) {
            state.dead.push(message.clone());
        }
        Ok(())
    }
}
