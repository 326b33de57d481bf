//! What PitPet leans on in a FIFO queue, as a suite.
//!
//! The rules are those of SQS FIFO queues (Amazon SQS Developer Guide, "FIFO queue delivery
//! logic"). Where SQS promises less than an embedded queue could (how many messages one receive
//! gives), so does the suite, and so it also passes against servers over the network.
//!
//! Each case sends under ids of its own and leaves the queue as empty as it found it; [`all`]
//! runs them one after the other on one queue.

use async_trait::async_trait;

use crate::ports::{OutgoingMessage, QueueError};

/// For how long a second send of a deduplication id is a duplicate, ms: 5 minutes at SQS.
pub const DEDUPLICATION_MS: u64 = 5 * 60 * 1_000;

/// How often a case receives in vain before it gives up on a message that must come.
const EMPTY_RECEIVES_MAX: u32 = 20;

/// Whose time [`QueueUnderTest::wait`] passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The queue's clock is the test's: waiting is free, so the suite also waits for minutes.
    Simulated,
    /// A real clock: the suite only waits for visibility timeouts, so let them be short.
    Real,
}

/// What the suite must know of the queue.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Whose time passes.
    pub time: Time,
    /// The queue's visibility timeout, ms.
    pub visibility_timeout_ms: u64,
    /// The queue's maxReceiveCount; at least 3, because the cases receive some messages thrice.
    pub max_receive_count: u32,
    /// Begins every id, so that runs within five minutes on one queue don't meet.
    pub run: String,
}

/// The answer to a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// `MessageId`.
    pub message_id: String,
    /// `SequenceNumber`.
    pub sequence_number: String,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `MessageId`.
    pub message_id: String,
    /// `SequenceNumber`.
    pub sequence_number: String,
    /// `MessageGroupId`.
    pub group: String,
    /// `MessageDeduplicationId`.
    pub deduplication: String,
    /// The body.
    pub body: String,
    /// The receipt handle.
    pub receipt: String,
    /// `ApproximateReceiveCount`.
    pub receive_count: u32,
}

/// A queue with a dead-letter queue, both empty at the start. Its methods panic if the queue
/// can't be reached.
#[async_trait]
pub trait QueueUnderTest: Send + Sync {
    /// Describes the queue.
    fn parameters(&self) -> Parameters;
    /// Sends one message.
    async fn send(&self, message: &OutgoingMessage) -> Result<Sent, QueueError>;
    /// Receives at most `max` messages; over a network, with a wait of about a second for the
    /// first one.
    async fn receive(&self, max: u32) -> Vec<Received>;
    /// Deletes a message; a receipt that can't do that is no panic.
    async fn delete(&self, receipt: &str);
    /// Makes a message visible after this long, whole seconds, in ms.
    async fn change_visibility(&self, receipt: &str, timeout_ms: u64);
    /// Lets time pass.
    async fn wait(&self, duration_ms: u64);
    /// Reads what the dead-letter queue holds, in order, and leaves it there.
    async fn dead_letters(&self) -> Vec<OutgoingMessage>;
    /// Moves all dead letters back and returns once they are in the main queue.
    async fn redrive(&self);
}

/// Runs every case.
///
/// # Panics
/// If the queue doesn't conform.
pub async fn all<Q: QueueUnderTest>(queue: &Q) {
    keeps_order_within_a_group(queue).await;
    locks_a_group_in_flight(queue).await;
    gives_a_run_of_one_group_in_order(queue).await;
    keeps_a_group_locked_when_its_first_is_given_back(queue).await;
    serves_groups_in_parallel(queue).await;
    gives_at_most_what_was_asked_for(queue).await;
    deduplicates(queue).await;
    deduplicates_for_five_minutes_only(queue).await;
    delivers_again_after_the_visibility_timeout(queue).await;
    ignores_a_stale_receipt(queue).await;
    changes_visibility(queue).await;
    moves_a_poisoned_message_aside_and_back(queue).await;
}

pub(super) struct Case<'a, Q> {
    pub(super) queue: &'a Q,
    pub(super) prefix: String,
}

impl<'a, Q: QueueUnderTest> Case<'a, Q> {
    pub(super) fn new(queue: &'a Q, name: &str) -> Self {
        Self { queue, prefix: format!("{}-{name}", queue.parameters().run) }
    }

    fn group(&self, group: &str) -> String {
        format!("{}-{group}", self.prefix)
    }

    /// A message whose deduplication id is its body.
    pub(super) fn message(&self, group: &str, body: &str) -> OutgoingMessage {
        OutgoingMessage {
            group: self.group(group),
            deduplication: format!("{}-{body}", self.prefix),
            body: body.to_owned(),
        }
    }

    async fn send(&self, group: &str, body: &str) -> Sent {
        let message = self.message(group, body);
        self.queue.send(&message).await.expect("the queue takes a good message")
    }

    /// Receives until something comes.
    async fn receive(&self, max: u32) -> Vec<Received> {
        for _ in 0..EMPTY_RECEIVES_MAX {
            let received = self.queue.receive(max).await;
            if !received.is_empty() {
                return received;
            }
        }
        panic!("{}: no message came", self.prefix);
    }

    async fn receive_one(&self) -> Received {
        let mut received = self.receive(1).await;
        assert_eq!(received.len(), 1, "{}: one message was asked for", self.prefix);
        received.remove(0)
    }

    /// Receives and deletes until so many messages have come.
    pub(super) async fn drain(&self, count: usize) -> Vec<Received> {
        let mut drained = Vec::new();
        while drained.len() < count {
            for message in self.receive(10).await {
                self.queue.delete(&message.receipt).await;
                drained.push(message);
            }
        }
        assert_eq!(drained.len(), count, "{}: more came than was sent", self.prefix);
        drained
    }

    pub(super) async fn assert_nothing_comes(&self, why: &str) {
        let received = self.queue.receive(10).await;
        assert!(received.is_empty(), "{}: {why}, but there came {received:?}", self.prefix);
    }
}

fn bodies(messages: &[Received]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

/// Messages of a group come in the order of their sends, with rising sequence numbers.
pub async fn keeps_order_within_a_group<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "order");
    let mut sent = Vec::new();
    for body in ["1", "2", "3", "4", "5"] {
        sent.push(case.send("a", body).await);
    }
    let drained = case.drain(5).await;
    assert_eq!(bodies(&drained), ["1", "2", "3", "4", "5"]);
    for (sent, received) in sent.iter().zip(&drained) {
        assert_eq!(sent.message_id, received.message_id);
        assert_eq!(sent.sequence_number, received.sequence_number);
        assert_eq!(received.group, case.group("a"));
        assert_eq!(received.deduplication, case.message("a", &received.body).deduplication);
        assert_eq!(received.receive_count, 1);
    }
    let number = |sent: &Sent| sent.sequence_number.parse::<u128>().expect("a decimal number");
    assert!(sent.windows(2).all(|pair| number(&pair[0]) < number(&pair[1])), "{sent:?}");
    case.assert_nothing_comes("all is deleted").await;
}

/// While a message is in flight, no later one of its group comes; another group's does.
pub async fn locks_a_group_in_flight<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "lock");
    case.send("a", "a1").await;
    case.send("a", "a2").await;
    let first = case.receive_one().await;
    assert_eq!(first.body, "a1");
    case.assert_nothing_comes("the group is locked").await;
    case.send("b", "b1").await;
    assert_eq!(bodies(&case.drain(1).await), ["b1"]);
    queue.delete(&first.receipt).await;
    assert_eq!(bodies(&case.drain(1).await), ["a2"]);
}

/// One receive may take several messages of a group: the next ones, in order.
pub async fn gives_a_run_of_one_group_in_order<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "run");
    let sent = ["1", "2", "3", "4"];
    for body in sent {
        case.send("a", body).await;
    }
    let run = case.receive(3).await;
    assert!(run.len() <= 3);
    assert_eq!(bodies(&run), sent[..run.len()]);
    case.assert_nothing_comes("the group is locked").await;
    // Deleting only the later ones doesn't unlock the group.
    for message in &run[1..] {
        queue.delete(&message.receipt).await;
    }
    case.assert_nothing_comes("the group is still locked").await;
    queue.delete(&run[0].receipt).await;
    assert_eq!(bodies(&case.drain(4 - run.len()).await), sent[run.len()..]);
}

/// A message that is given back waits for those of its group that are still in flight, and then
/// comes first.
pub async fn keeps_a_group_locked_when_its_first_is_given_back<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "given-back");
    for body in ["1", "2", "3"] {
        case.send("a", body).await;
    }
    let run = case.receive(2).await;
    if let [first, second] = &run[..] {
        queue.change_visibility(&first.receipt, 0).await;
        case.assert_nothing_comes("the second one is in flight").await;
        queue.delete(&second.receipt).await;
        assert_eq!(bodies(&case.drain(2).await), ["1", "3"]);
    } else {
        // The queue chose to give one only, which leaves nothing to show.
        queue.delete(&run[0].receipt).await;
        case.drain(2).await;
    }
}

/// As many receives are in flight as there are groups.
pub async fn serves_groups_in_parallel<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "parallel");
    for group in ["a", "b", "c"] {
        case.send(group, &format!("{group}1")).await;
        case.send(group, &format!("{group}2")).await;
    }
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(case.receive_one().await);
    }
    let mut seen = bodies(&first);
    seen.sort_unstable();
    assert_eq!(seen, ["a1", "b1", "c1"]);
    case.assert_nothing_comes("all groups are locked").await;
    for message in &first {
        queue.delete(&message.receipt).await;
    }
    let rest = case.drain(3).await;
    let mut seen = bodies(&rest);
    seen.sort_unstable();
    assert_eq!(seen, ["a2", "b2", "c2"]);
}

/// A receive gives no more than was asked for, and never more than ten.
pub async fn gives_at_most_what_was_asked_for<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "max");
    for index in 0..12 {
        case.send(&format!("g{}", index % 3), &format!("{index:02}")).await;
    }
    let few = case.receive(2).await;
    assert!(few.len() <= 2, "{few:?}");
    let many = case.receive(10).await;
    assert!(many.len() <= 10, "{many:?}");
    for message in few.iter().chain(&many) {
        queue.delete(&message.receipt).await;
    }
    case.drain(12 - few.len() - many.len()).await;
}

/// A second send of a deduplication id is answered like the first and delivers nothing, also
/// after the first was deleted, and also for another group.
pub async fn deduplicates<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "duplicate");
    let original = case.send("a", "1").await;
    assert_eq!(case.send("a", "1").await.message_id, original.message_id);
    assert_eq!(case.drain(1).await[0].message_id, original.message_id);
    case.assert_nothing_comes("a duplicate isn't delivered").await;
    assert_eq!(case.send("a", "1").await.message_id, original.message_id);
    case.assert_nothing_comes("deletion doesn't end deduplication").await;
    assert_eq!(case.send("b", "1").await.message_id, original.message_id);
    case.assert_nothing_comes("deduplication is the queue's, not the group's").await;
}

/// After five minutes the same id is a new message. Runs in simulated time only.
pub async fn deduplicates_for_five_minutes_only<Q: QueueUnderTest>(queue: &Q) {
    if queue.parameters().time == Time::Real {
        return;
    }
    let case = Case::new(queue, "window");
    let original = case.send("a", "1").await;
    case.drain(1).await;
    queue.wait(DEDUPLICATION_MS - 1).await;
    assert_eq!(case.send("a", "1").await, original, "within the window");
    queue.wait(1).await;
    assert_ne!(case.send("a", "1").await.message_id, original.message_id, "after the window");
    case.drain(1).await;
}

/// What isn't deleted comes again after its visibility timeout, before its followers, with a
/// higher receive count and another receipt.
pub async fn delivers_again_after_the_visibility_timeout<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "again");
    case.send("a", "1").await;
    case.send("a", "2").await;
    let first = case.receive_one().await;
    queue.wait(queue.parameters().visibility_timeout_ms).await;
    let again = case.receive_one().await;
    assert_eq!((again.body.as_str(), &again.message_id), ("1", &first.message_id));
    assert_eq!(again.sequence_number, first.sequence_number);
    assert_eq!((first.receive_count, again.receive_count), (1, 2));
    assert_ne!(again.receipt, first.receipt);
    queue.delete(&again.receipt).await;
    assert_eq!(bodies(&case.drain(1).await), ["2"]);
}

/// A receipt can't delete a message any more that was received again.
pub async fn ignores_a_stale_receipt<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "stale");
    let visibility_timeout_ms = queue.parameters().visibility_timeout_ms;
    case.send("a", "1").await;
    let first = case.receive_one().await;
    queue.wait(visibility_timeout_ms).await;
    let second = case.receive_one().await;
    queue.delete(&first.receipt).await;
    case.assert_nothing_comes("the second receive holds the lock").await;
    queue.wait(visibility_timeout_ms).await;
    let third = case.receive_one().await;
    assert_eq!(third.message_id, second.message_id);
    assert_eq!(third.receive_count, 3);
    queue.delete(&third.receipt).await;
    queue.wait(visibility_timeout_ms).await;
    case.assert_nothing_comes("the good receipt has deleted it").await;
}

/// A visibility of 0 gives a message back at once; a longer one keeps it away for longer.
pub async fn changes_visibility<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "visibility");
    let visibility_timeout_ms = queue.parameters().visibility_timeout_ms;
    case.send("a", "1").await;
    let first = case.receive_one().await;
    queue.change_visibility(&first.receipt, 0).await;
    let second = case.receive_one().await;
    assert_eq!(second.receive_count, 2);
    queue.change_visibility(&second.receipt, visibility_timeout_ms * 3).await;
    queue.wait(visibility_timeout_ms).await;
    case.assert_nothing_comes("its visibility timeout was made longer").await;
    queue.wait(visibility_timeout_ms * 2).await;
    let third = case.receive_one().await;
    assert_eq!(third.message_id, first.message_id);
    queue.delete(&third.receipt).await;
}

/// A message that was received too often goes whole to the dead-letter queue, its followers are
/// delivered, and a redrive brings it back.
pub async fn moves_a_poisoned_message_aside_and_back<Q: QueueUnderTest>(queue: &Q) {
    let case = Case::new(queue, "poison");
    case.send("a", "poison").await;
    case.send("a", "follower").await;
    case.send("b", "neighbour").await;
    let mut waiting = 2;
    for receive_count in 1..=queue.parameters().max_receive_count {
        let poison = loop {
            let message = case.receive_one().await;
            if message.body == "poison" {
                break message;
            }
            assert_eq!(message.body, "neighbour", "nothing overtakes within the group");
            queue.delete(&message.receipt).await;
            waiting -= 1;
        };
        assert_eq!(poison.receive_count, receive_count);
        queue.change_visibility(&poison.receipt, 0).await;
    }
    let rest = case.drain(waiting).await;
    let follower = rest.iter().find(|message| message.body == "follower").expect("it came");
    assert_eq!(follower.receive_count, 1);
    let dead = queue.dead_letters().await;
    let ours: Vec<_> = dead.iter().filter(|message| message.group.starts_with(&case.prefix)).collect();
    assert_eq!(ours, [&case.message("a", "poison")]);

    queue.redrive().await;
    let back = case.drain(1).await;
    assert_eq!((back[0].body.as_str(), back[0].receive_count), ("poison", 1));
    assert_eq!(back[0].group, case.group("a"));
    assert!(queue.dead_letters().await.is_empty());
}
