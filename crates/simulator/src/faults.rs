//! Calls that go over a network: wrappers of the ports that ask it what goes wrong with each.
//!
//! A publication is handed on item by item, because it isn't atomic: each item counts as a write
//! of its own, and so a fault can fall between any two of them.
//!
//! [`Faults`] is the network of tests: what it does is a plan, a function of the calls so far.
//! The simulation has one of its own, which takes time and is ruled by chance.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::BoxFuture;
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
    /// Whether a read may lag; writes and objects never do.
    pub consistency: Consistency,
    /// How many writes there were before, where somebody counts them; reads have the number of
    /// the next write.
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
    /// It happens, and no answer ever comes: the caller waits until somebody gives it up.
    NoAnswer,
    /// It happens, after its caller was told that nobody knows.
    Late,
    /// A read that may lag does.
    Stale,
    /// Somebody else does this first; then the call is made.
    Meanwhile(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// What carries calls.
#[async_trait]
pub trait Network: Send + Sync {
    /// Carries a request, and says what goes wrong with it.
    async fn request(&self, call: Call) -> Option<Fault>;

    /// Carries an answer.
    async fn answer(&self) {}

    /// Takes a write whose caller has given it up, to let it happen later.
    fn detach(&self, write: BoxFuture<'static, ()>);
}

type Plan = dyn FnMut(&Call) -> Option<Fault> + Send;

struct State {
    plan: Box<Plan>,
    calls: Vec<Call>,
    writes: u64,
    is_dead: bool,
    late: Vec<BoxFuture<'static, ()>>,
}

/// A plan that the wrappers of one process share, and what they were asked.
pub struct Faults(Mutex<State>);

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
        let state =
            State { plan: Box::new(plan), calls: Vec::new(), writes: 0, is_dead: false, late: Vec::new() };
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

    /// Lets the writes happen that were late.
    pub async fn land(&self) {
        let late = std::mem::take(&mut self.state().late);
        for write in late {
            write.await;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no plan panics")
    }
}

#[async_trait]
impl Network for Faults {
    async fn request(&self, call: Call) -> Option<Fault> {
        let fault = {
            let mut state = self.state();
            let call = Call { writes: state.writes, ..call };
            state.writes += u64::from(call.is_write());
            state.calls.push(call.clone());
            if state.is_dead {
                return Some(Fault::RequestLost);
            }
            let fault = (state.plan)(&call);
            state.is_dead = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
            fault
        };
        let Some(Fault::Meanwhile(first)) = fault else { return fault };
        first.await;
        None
    }

    fn detach(&self, write: BoxFuture<'static, ()>) {
        self.state().late.push(write);
    }
}

/// From where a call is answered.
#[derive(Clone, Copy)]
enum View {
    Current,
    Lagging,
}

/// Makes one call over the network.
async fn carry<T, E, F>(
    network: &dyn Network,
    call: Call,
    make: impl FnOnce(View) -> F + Send,
) -> Result<T, E>
where
    T: Send,
    E: From<Failure> + Send,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let result = match network.request(call).await {
        None => make(View::Current).await,
        Some(Fault::Stale) => make(View::Lagging).await,
        Some(Fault::RequestLost | Fault::CrashBefore) => Err(Failure::Unavailable.into()),
        Some(Fault::AnswerLost | Fault::CrashAfter) => {
            let _unheard = make(View::Current).await;
            Err(Failure::Unavailable.into())
        }
        Some(Fault::NoAnswer) => {
            let _unheard = make(View::Current).await;
            std::future::pending().await
        }
        Some(Fault::Late) => {
            let write = make(View::Current);
            network.detach(Box::pin(async move {
                let _unheard = write.await;
            }));
            Err(Failure::Unavailable.into())
        }
        Some(Fault::Throttled) => Err(Failure::Throttled.into()),
        Some(Fault::Refused) => Err(Failure::Refused.into()),
        Some(Fault::Conflict) => Err(Failure::Conflict.into()),
        Some(Fault::Meanwhile(first)) => {
            first.await;
            make(View::Current).await
        }
    };
    network.answer().await;
    result
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

/// A table behind a network.
pub struct FaultyTable {
    inner: Arc<dyn Table>,
    lagging: Arc<dyn Table>,
    network: Arc<dyn Network>,
}

impl FaultyTable {
    /// Wraps a table.
    pub fn new(inner: Arc<dyn Table>, network: Arc<dyn Network>) -> Self {
        Self { lagging: inner.clone(), inner, network }
    }

    /// Wraps a table whose stale reads are answered by another.
    pub fn with_lag(inner: Arc<dyn Table>, lagging: Arc<dyn Table>, network: Arc<dyn Network>) -> Self {
        Self { inner, lagging, network }
    }

    fn read(&self, key: String, consistency: Consistency) -> Call {
        Call { port: Port::Table, operation: Operation::Read, key, consistency, writes: 0 }
    }

    async fn carry<T, F>(
        &self,
        call: Call,
        make: impl FnOnce(Arc<dyn Table>) -> F + Send,
    ) -> Result<T, TableError>
    where
        T: Send,
        F: Future<Output = Result<T, TableError>> + Send + 'static,
    {
        let choose = |view| match view {
            View::Current => self.inner.clone(),
            View::Lagging => self.lagging.clone(),
        };
        carry(self.network.as_ref(), call, |view| make(choose(view))).await
    }
}

fn named(key: &Key) -> String {
    format!("{} {}", key.pk, key.sk)
}

fn call(port: Port, operation: Operation, key: String) -> Call {
    Call { port, operation, key, consistency: Consistency::Strong, writes: 0 }
}

#[async_trait]
impl Table for FaultyTable {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        let (call, key) = (self.read(named(key), consistency), key.clone());
        self.carry(call, |table| async move { table.get(&key, consistency).await }).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        let names = keys.iter().map(named).collect::<Vec<_>>().join(", ");
        let (call, keys) = (self.read(names, Consistency::Eventual), keys.to_vec());
        self.carry(call, |table| async move { table.get_many(&keys).await }).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        let call = self.read(format!("{} {}", query.pk, query.from), query.consistency);
        let query = query.clone();
        self.carry(call, |table| async move { table.query(&query).await }).await
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        let (call, item) = (call(Port::Table, Operation::Put, named(&item.key)), item.clone());
        self.carry(call, |table| async move { table.put_new(&item).await }).await
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        let (call, update) = (call(Port::Table, Operation::Update, named(&update.key)), update.clone());
        self.carry(call, |table| async move { table.update(&update).await }).await
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
            let call = call(Port::Table, Operation::Publish, named(key));
            self.carry(call, |table| async move { table.publish(&one).await }).await?;
        }
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        let (call, key) = (call(Port::Table, Operation::Delete, named(key)), key.clone());
        self.carry(call, |table| async move { table.delete(&key).await }).await
    }
}

/// An object store behind a network.
pub struct FaultyObjects {
    inner: Arc<dyn Objects>,
    network: Arc<dyn Network>,
}

impl FaultyObjects {
    /// Wraps an object store.
    pub fn new(inner: Arc<dyn Objects>, network: Arc<dyn Network>) -> Self {
        Self { inner, network }
    }

    async fn carry<T, F>(
        &self,
        operation: Operation,
        key: &str,
        make: impl FnOnce(Arc<dyn Objects>, String) -> F + Send,
    ) -> Result<T, ObjectError>
    where
        T: Send,
        F: Future<Output = Result<T, ObjectError>> + Send + 'static,
    {
        let call = call(Port::Objects, operation, key.to_owned());
        carry(self.network.as_ref(), call, |_| make(self.inner.clone(), key.to_owned())).await
    }
}

#[async_trait]
impl Objects for FaultyObjects {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        self.carry(Operation::Put, key, |objects, key| async move { objects.put(&key, content).await }).await
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        self.carry(Operation::Read, key, |objects, key| async move { objects.get(&key).await }).await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        self.carry(Operation::Read, key, |objects, key| async move { objects.size(&key).await }).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.carry(Operation::Read, prefix, |objects, key| async move { objects.list(&key).await }).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.carry(Operation::Delete, key, |objects, key| async move { objects.delete(&key).await }).await
    }

    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError> {
        let (sha256, content_type) = (*sha256, content_type.to_owned());
        self.carry(Operation::Read, key, |objects, key| async move {
            objects.upload_ticket(&key, &sha256, size, &content_type, now_ms).await
        })
        .await
    }
}

/// Both ends of a queue behind a network.
pub struct FaultyQueue<Q> {
    inner: Arc<Q>,
    network: Arc<dyn Network>,
}

impl<Q> FaultyQueue<Q> {
    /// Wraps a queue.
    pub fn new(inner: Arc<Q>, network: Arc<dyn Network>) -> Self {
        Self { inner, network }
    }
}

#[async_trait]
impl<Q: Queue + 'static> Queue for FaultyQueue<Q> {
    async fn send(&self, messages: &[OutgoingMessage]) -> Vec<Result<(), QueueError>> {
        let mut outcomes = Vec::new();
        for message in messages {
            let call = call(Port::Queue, Operation::Send, message.group.clone());
            let (queue, message) = (self.inner.clone(), message.clone());
            let send = |_| async move { queue.send(std::slice::from_ref(&message)).await.remove(0) };
            outcomes.push(carry(self.network.as_ref(), call, send).await);
        }
        outcomes
    }

    async fn has_room(&self) -> bool {
        self.inner.has_room().await
    }
}

#[async_trait]
impl<Q: DeadLetters + 'static> DeadLetters for FaultyQueue<Q> {
    async fn bury(&self, message: &OutgoingMessage) -> Result<(), QueueError> {
        let call = call(Port::DeadLetters, Operation::Send, message.group.clone());
        let (queue, message) = (self.inner.clone(), message.clone());
        carry(self.network.as_ref(), call, |_| async move { queue.bury(&message).await }).await
    }
}
