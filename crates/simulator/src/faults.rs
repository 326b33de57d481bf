//! Faults on demand: wrappers of the ports that ask a plan before each call.
//!
//! A publication is handed on item by item, because it isn't atomic: each item counts as a write
//! of its own, and so a fault can fall between any two of them.
//!
//! Deliberately absent: chance. A plan is a function of the calls so far.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pitpet_pipeline::ports::{
    Attributes, Consistency, DeadLetters, Item, Key, ObjectError, Objects, OutgoingMessage, PublishBatch,
    Query, Queue, QueueError, Table, TableError, Update, UploadTicket,
};

/// Which port a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The table.
    Table,
    /// The object store.
    Objects,
    /// The queue.
    Queue,
    /// The dead-letter queue.
    DeadLetters,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads.
    Read,
    /// Writes on no or any condition, other than the following.
    Put,
    /// A conditional update outside of a publication.
    Update,
    /// An item of a publication.
    Publish,
    /// Deletes.
    Delete,
    /// Sends a message.
    Send,
}

/// A call about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The port.
    pub port: Port,
    /// What it does.
    pub operation: Operation,
    /// Partition and sort key with a space between, object key, or message group.
    pub key: String,
    /// How many writes there were before; reads have the number of the next write.
    pub writes: u64,
}

impl Call {
    /// Whether the call may change something.
    pub fn is_write(&self) -> bool {
        self.operation != Operation::Read
    }
}

/// What goes wrong with a call.
pub enum Fault {
    /// The request is lost: nothing happens, and the caller doesn't know.
    RequestLost,
    /// The answer is lost: it happens, and the caller doesn't know.
    AnswerLost,
    /// Too many requests: nothing happens.
    Throttled,
    /// The service refuses, for ever: nothing happens.
    Refused,
    /// The condition of a write fails, whatever it is; for other calls as [`Fault::Refused`].
    Conflict,
    /// The process dies before the call: it and all later ones come to nothing.
    CrashBefore,
    /// The process dies after the call: all later ones come to nothing.
    CrashAfter,
    /// Somebody else does this first; then the call is made.
    Meanwhile(Pin<Box<dyn Future<Output = ()> + Send>>),
}

type Plan = dyn FnMut(&Call) -> Option<Fault> + Send;

struct State {
    plan: Box<Plan>,
    calls: Vec<Call>,
    writes: u64,
    is_dead: bool,
}

/// A plan that the wrappers of one process share, and what they were asked.
pub struct Faults(Mutex<State>);

/// How a wrapper goes on.
enum Verdict {
    Go,
    GoUnheard,
    Stop(Failure),
}

/// What the caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Unavailable,
    Throttled,
    Refused,
    Conflict,
}

impl Faults {
    /// Faults by a plan.
    pub fn new(plan: impl FnMut(&Call) -> Option<Fault> + Send + 'static) -> Arc<Self> {
        let state = State { plan: Box::new(plan), calls: Vec::new(), writes: 0, is_dead: false };
        Arc::new(Self(Mutex::new(state)))
    }

    /// No faults: counts and notes only.
    pub fn none() -> Arc<Self> {
        Self::new(|_| None)
    }

    /// One fault at the write of this number, counted from 0.
    pub fn at_write(number: u64, fault: impl Fn() -> Fault + Send + 'static) -> Arc<Self> {
        Self::new(move |call| (call.is_write() && call.writes == number).then(&fault))
    }

    /// The calls so far, also those that came to nothing.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The writes so far, also those that came to nothing.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Whether the process died.
    pub fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no plan panics")
    }

    async fn ask(&self, port: Port, operation: Operation, key: String) -> Verdict {
        let fault = {
            let mut state = self.state();
            let call = Call { port, operation, key, writes: state.writes };
            state.writes += u64::from(call.is_write());
            state.calls.push(call.clone());
            if state.is_dead {
                return Verdict::Stop(Failure::Unavailable);
            }
            let fault = (state.plan)(&call);
            state.is_dead = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
            fault
        };
        match fault {
            None => Verdict::Go,
            Some(Fault::RequestLost | Fault::CrashBefore) => Verdict::Stop(Failure::Unavailable),
            Some(Fault::AnswerLost | Fault::CrashAfter) => Verdict::GoUnheard,
            Some(Fault::Throttled) => Verdict::Stop(Failure::Throttled),
            Some(Fault::Refused) => Verdict::Stop(Failure::Refused),
            Some(Fault::Conflict) => Verdict::Stop(Failure::Conflict),
            Some(Fault::Meanwhile(first)) => {
                first.await;
                Verdict::Go
            }
        }
    }

    async fn run<T, E: From<Failure>>(
        &self,
        port: Port,
        operation: Operation,
        key: String,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match self.ask(port, operation, key).await {
            Verdict::Go => call.await,
            Verdict::GoUnheard => call.await.and(Err(Failure::Unavailable.into())),
            Verdict::Stop(failure) => Err(failure.into()),
        }
    }
}

fn message() -> String {
    "a fault on demand".to_owned()
}

impl From<Failure> for TableError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable => TableError::Unavailable { message: message() },
            Failure::Throttled => TableError::Throttled,
            Failure::Refused => TableError::Refused { message: message() },
            Failure::Conflict => TableError::Conflict,
        }
    }
}

impl From<Failure> for ObjectError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable | Failure::Throttled => ObjectError::Unavailable { message: message() },
            Failure::Refused | Failure::Conflict => ObjectError::Refused { message: message() },
        }
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable => QueueError::Unavailable { message: message() },
            Failure::Throttled => QueueError::Throttled,
            Failure::Refused | Failure::Conflict => QueueError::Refused { message: message() },
        }
    }
}

/// A table with faults.
pub struct FaultyTable {
    inner: Arc<dyn Table>,
    faults: Arc<Faults>,
}

impl FaultyTable {
    /// Wraps a table.
    pub fn new(inner: Arc<dyn Table>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

fn named(key: &Key) -> String {
    format!("{} {}", key.pk, key.sk)
}

#[async_trait]
impl Table for FaultyTable {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        let call = self.inner.get(key, consistency);
        self.faults.run(Port::Table, Operation::Read, named(key), call).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        let names = keys.iter().map(named).collect::<Vec<_>>().join(", ");
        self.faults.run(Port::Table, Operation::Read, names, self.inner.get_many(keys)).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        let name = format!("{} {}", query.pk, query.from);
        self.faults.run(Port::Table, Operation::Read, name, self.inner.query(query)).await
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        let call = self.inner.put_new(item);
        self.faults.run(Port::Table, Operation::Put, named(&item.key), call).await
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        let call = self.inner.update(update);
        self.faults.run(Port::Table, Operation::Update, named(&update.key), call).await
    }

    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError> {
        let immutable = batch
            .immutable
            .iter()
            .map(|item| (&item.key, PublishBatch { immutable: vec![item.clone()], guarded: Vec::new() }));
        let guarded = batch.guarded.iter().map(|update| {
            (&update.key, PublishBatch { immutable: Vec::new(), guarded: vec![update.clone()] })
        });
        for (key, one) in immutable.chain(guarded) {
            self.faults.run(Port::Table, Operation::Publish, named(key), self.inner.publish(&one)).await?;
        }
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        self.faults.run(Port::Table, Operation::Delete, named(key), self.inner.delete(key)).await
    }
}

/// An object store with faults.
pub struct FaultyObjects {
    inner: Arc<dyn Objects>,
    faults: Arc<Faults>,
}

impl FaultyObjects {
    /// Wraps an object store.
    pub fn new(inner: Arc<dyn Objects>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Objects for FaultyObjects {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        let call = self.inner.put(key, content);
        self.faults.run(Port::Objects, Operation::Put, key.to_owned(), call).await
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        self.faults.run(Port::Objects, Operation::Read, key.to_owned(), self.inner.get(key)).await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        self.faults.run(Port::Objects, Operation::Read, key.to_owned(), self.inner.size(key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.faults.run(Port::Objects, Operation::Read, prefix.to_owned(), self.inner.list(prefix)).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.faults.run(Port::Objects, Operation::Delete, key.to_owned(), self.inner.delete(key)).await
    }

    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError> {
        let call = self.inner.upload_ticket(key, sha256, size, content_type, now_ms);
        self.faults.run(Port::Objects, Operation::Read, key.to_owned(), call).await
    }
}

/// Both ends of a queue with faults.
pub struct FaultyQueue<Q> {
    inner: Arc<Q>,
    faults: Arc<Faults>,
}

impl<Q> FaultyQueue<Q> {
    /// Wraps a queue.
    pub fn new(inner: Arc<Q>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl<Q: Queue> Queue for FaultyQueue<Q> {
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>> {
        let mut outcomes = Vec::new();
        for message in messages {
            let call = async { self.inner.send(std::slice::from_ref(message)).await.remove(0) };
            outcomes.push(self.faults.run(Port::Queue, Operation::Send, message.group.clone(), call).await);
        }
        outcomes
    }
}

#[async_trait]
impl<Q: DeadLetters> DeadLetters for FaultyQueue<Q> {
    async fn bury(&self, message: &OutgoingMessage) -> Result<(), QueueError> {
        let call = self.inner.bury(message);
        self.faults.run(Port::DeadLetters, Operation::Send, message.group.clone(), call).await
    }
}
