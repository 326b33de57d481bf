//! The simulated world: time, chance, the machines' clocks, and a network between a process and
//! its services.
//!
//! One thread polls one task at a time. A task waits by taking a [`Turn`]; the world gives the
//! next turn to whoever is due first, and time moves there. So the order of everything follows
//! from the seed. Every call takes two turns, one for its request and one for its answer, and a
//! process may be paused or die at either.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use pitpet_pipeline::items;
use pitpet_pipeline::ports::{
    Attributes, Clock, Consistency, Item, Key, Objects as _, Order, PublishBatch, Query, Table, TableError,
    Update,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::Scenario;
use super::auditor::{Auditor, Finding};
use super::kinds::{Counts, FaultKind};
use crate::clock::TestClock;
use crate::faults::{Call, Fault, Network, Operation, Port};
use crate::objects::MemoryObjects;
use crate::queue::{MemoryQueue, QueueSettings};
use crate::table::{MemoryTable, Written};
use crate::town::{FOUNDED_MS, RELEASES};

/// Microseconds of a millisecond: turns are finer than the clock.
pub(super) const MS: u64 = 1_000;
/// Microseconds of a second.
pub(super) const SECOND: u64 = 1_000 * MS;

/// How the simulated queue is set: half a minute, sixteen receives.
pub(super) const QUEUE: QueueSettings =
    QueueSettings { visibility_timeout_ms: 30_000, max_receive_count: 16 };

/// For how long after a write a read that may lag can miss it, µs.
const LAG_US: u64 = 10 * SECOND;

/// After how long a caller gives up an answer that doesn't come, µs.
const CALL_TIMEOUT_US: u64 = 5 * SECOND;

/// For how long a function may run, µs: AWS Lambda's longest time.
const FUNCTION_TIMEOUT_US: u64 = 900 * SECOND;

/// The last calls that a trace keeps.
const TRACE_MAX: usize = 60;

/// Chances out of this.
const OF: u64 = 10_000;

/// How often a kind of fault befalls whatever it may befall, in ten-thousandths.
fn rate(kind: FaultKind) -> u64 {
    use FaultKind::*;
    match kind {
        FailedBefore => 60,
        FailedAfter | AnswerLost => 80,
        LateWrite => 120,
        Throttled => 50,
        StaleRead => 2_000,
        Pause => 15,
        CommitPause => 1_400,
        MinerCrash => 25,
        ReaperCrash => 200,
        IngestCrash => 300,
        ClockForward | ClockBack => 150,
        DuplicateSubmit => 2_000,
        DelayedMessage => 1_000,
        ReorderedGroups => 6_000,
        SharedBatch => 2_500,
        QueueAnswerLost => 300,
        Poison => 150,
        SnapshotLost | SnapshotTruncated => 1_000,
        SnapshotOfLost => 2_000,
        PublishOutage => 600,
        // These are consequences, counted where they are seen.
        Redelivery | ExpiredMessage | LateSettle | LostBlock => 0,
    }
}

struct State {
    rng: ChaCha8Rng,
    now_us: u64,
    timers: BTreeSet<(u64, u64, usize)>,
    next_timer: u64,
    task: usize,
    /// New tasks, each with the one that started it.
    spawned: Vec<(usize, BoxFuture<'static, ()>)>,
    counts: Counts,
    /// How strong each kind is in this run: none, once or three times its rate.
    strength: BTreeMap<FaultKind, u64>,
    /// Faults so far; their numbers, to be named in a replay.
    fault_count: u64,
    fired: Vec<u64>,
    is_calm: bool,
    is_ending: bool,
    outage_until_us: u64,
    recent: VecDeque<(u64, Written)>,
    finding: Option<String>,
    trace: Option<VecDeque<String>>,
}

/// The world.
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) clock: Arc<TestClock>,
    pub(super) table: Arc<MemoryTable>,
    pub(super) objects: Arc<MemoryObjects>,
    pub(super) queue: Arc<MemoryQueue>,
    state: Mutex<State>,
    auditor: Mutex<Auditor>,
}

impl World {
    pub(super) fn new(scenario: Scenario, auditor: Auditor, table: Arc<MemoryTable>) -> Arc<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
        let mut strength = BTreeMap::new();
        for kind in FaultKind::ALL {
            // Drawn for kinds that are left out too, so that the others' strengths don't change.
            let strong = [0, 1, 1, 3][(rng.next_u64() % 4) as usize];
            let is_on = !scenario.without.contains(kind);
            strength.insert(*kind, if is_on { strong } else { 0 });
        }
        let clock = Arc::new(TestClock::new(FOUNDED_MS));
        let queue = Arc::new(MemoryQueue::new(clock.clone(), QUEUE));
        let state = State {
            rng,
            now_us: FOUNDED_MS * MS,
            timers: BTreeSet::new(),
            next_timer: 0,
            task: 0,
            spawned: Vec::new(),
            counts: Counts { runs: 1, ..Counts::default() },
            strength,
            fault_count: 0,
            fired: Vec::new(),
            is_calm: false,
            is_ending: false,
            outage_until_us: 0,
            recent: VecDeque::new(),
            finding: None,
            trace: scenario.trace.then(VecDeque::new),
        };
        let (state, auditor) = (Mutex::new(state), Mutex::new(auditor));
        let objects = Arc::new(MemoryObjects::new());
        for rules in RELEASES {
            // Stored, so that ingest lets them be decided on; what decides is native.
            let stored = objects.put(&items::rules_object(&rules), Vec::new()).now_or_never();
            stored.expect("memory answers at once").expect("a good key");
        }
        Arc::new(Self { scenario, clock, table, objects, queue, state, auditor })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    pub(super) fn auditor(&self) -> MutexGuard<'_, Auditor> {
        self.auditor.lock().expect("no holder of the lock panics")
    }

    /// A number below `bound`.
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.state().rng.next_u64() % bound
    }

    /// A number between two bounds, the upper one excluded.
    pub(super) fn between(&self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    /// One of these.
    pub(super) fn one_of<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        let last = choices.len().checked_sub(1)?;
        choices.get(self.below(last as u64 + 1) as usize)
    }

    /// Whether a fault happens here and now; if so it is numbered and counted.
    pub(super) fn befalls(&self, kind: FaultKind) -> bool {
        let befalls = self.is_due(kind);
        if befalls {
            self.note(kind);
        }
        befalls
    }

    /// Whether a fault is to happen here and now; if so it is numbered, and whoever brings it about
    /// notes it.
    pub(super) fn is_due(&self, kind: FaultKind) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let chance = rate(kind) * state.strength[&kind];
        if state.is_calm || state.rng.next_u64() % OF >= chance {
            return false;
        }
        let number = state.fault_count;
        state.fault_count += 1;
        if self.scenario.only.as_ref().is_some_and(|only| !only.contains(&number)) {
            return false;
        }
        state.fired.push(number);
        true
    }

    /// Counts what is seen to have happened.
    pub(super) fn note(&self, kind: FaultKind) {
        self.state().counts.note(kind);
    }

    pub(super) fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    pub(super) fn steps(&self) -> u64 {
        self.state().counts.steps
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.state().counts);
    }

    pub(super) fn fired(&self) -> Vec<u64> {
        self.state().fired.clone()
    }

    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        let mut state = self.state();
        let at_ms = state.now_us / MS - FOUNDED_MS;
        if let Some(trace) = &mut state.trace {
            if trace.len() == TRACE_MAX {
                trace.pop_front();
            }
            trace.push_back(format!("{:>9}.{:03} s  {}", at_ms / 1_000, at_ms % 1_000, line()));
        }
    }

    pub(super) fn traced(&self) -> Vec<String> {
        self.state().trace.iter().flatten().cloned().collect()
    }

    pub(super) fn now_us(&self) -> u64 {
        self.state().now_us
    }

    /// No more faults.
    pub(super) fn calm_down(&self) {
        let mut state = self.state();
        state.is_calm = true;
        state.outage_until_us = 0;
    }

    /// Everybody ends what they are doing.
    pub(super) fn end(&self) {
        self.state().is_ending = true;
    }

    pub(super) fn is_calm(&self) -> bool {
        self.state().is_calm
    }

    pub(super) fn is_ending(&self) -> bool {
        self.state().is_ending
    }

    /// Lets nothing be published for a while.
    pub(super) fn begin_outage(&self, duration_us: u64) {
        let mut state = self.state();
        state.outage_until_us = state.now_us + duration_us;
    }

    fn is_out(&self) -> bool {
        let state = self.state();
        state.outage_until_us > state.now_us
    }

    /// Waits.
    pub(super) fn turn(self: &Arc<Self>, delay_us: u64) -> Turn {
        Turn { world: self.clone(), delay_us, timer: None }
    }

    /// Starts another task.
    pub(super) fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut state = self.state();
        let parent = state.task;
        state.spawned.push((parent, task));
    }

    pub(super) fn take_spawned(&self) -> Vec<(usize, BoxFuture<'static, ()>)> {
        std::mem::take(&mut self.state().spawned)
    }

    /// Takes what a task found to be wrong; the first one counts.
    pub(super) fn report(&self, finding: Finding) {
        if let Err(what) = finding {
            self.state().finding.get_or_insert(what);
        }
    }

    pub(super) fn finding(&self) -> Finding {
        self.state().finding.take().map_or(Ok(()), Err)
    }

    /// The task that is polled.
    pub(super) fn task(&self) -> usize {
        self.state().task
    }

    /// Makes a task the one that is polled.
    pub(super) fn enter(&self, task: usize) {
        self.state().task = task;
    }

    /// Moves time to the next turn and gives its task; none if nobody waits.
    pub(super) fn advance(&self) -> Option<usize> {
        let mut state = self.state();
        let (due_us, _, task) = state.timers.pop_first()?;
        state.now_us = state.now_us.max(due_us);
        state.counts.steps += 1;
        state.task = task;
        self.clock.set(state.now_us / MS);
        Some(task)
    }

    /// Remembers what was written for reads that lag.
    pub(super) fn remember(&self, written: &[Written]) {
        let mut state = self.state();
        let now_us = state.now_us;
        state.recent.extend(written.iter().map(|change| (now_us, change.clone())));
        while state.recent.front().is_some_and(|(at_us, _)| at_us + LAG_US < now_us) {
            state.recent.pop_front();
        }
    }

    /// What the items were before their last recent write, for keys that fit.
    fn before(&self, fits: impl Fn(&Key) -> bool) -> BTreeMap<Key, Option<Attributes>> {
        let state = self.state();
        let earliest_us = state.now_us.saturating_sub(LAG_US);
        state
            .recent
            .iter()
            .filter(|(at_us, change)| *at_us >= earliest_us && fits(&change.key))
            .map(|(_, change)| (change.key.clone(), change.before.clone()))
            .collect()
    }
}

/// Waiting for one's turn.
pub(super) struct Turn {
    world: Arc<World>,
    delay_us: u64,
    timer: Option<(u64, u64, usize)>,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut state = world.state();
        match self.timer {
            Some(timer) if state.timers.contains(&timer) => Poll::Pending,
            Some(_) => Poll::Ready(()),
            None => {
                let timer = (state.now_us + self.delay_us, state.next_timer, state.task);
                state.next_timer += 1;
                state.timers.insert(timer);
                self.timer = Some(timer);
                Poll::Pending
            }
        }
    }
}

impl Drop for Turn {
    /// Whoever is dropped while waiting waits no more.
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.world.state().timers.remove(&timer);
        }
    }
}

/// The clock of one machine: the world's, and how far it is off.
pub(super) struct MachineClock {
    world: Arc<World>,
    off_ms: AtomicI64,
}

impl MachineClock {
    pub(super) fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self { world: world.clone(), off_ms: AtomicI64::new(0) })
    }

    pub(super) fn set_off(&self, off_ms: i64) {
        self.off_ms.store(off_ms, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now_ms(&self) -> u64 {
        self.world.clock.now_ms().saturating_add_signed(self.off_ms.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration_ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.world.turn(duration_ms * MS))
    }
}

/// What a process does for PitPet, which says how it may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ingest,
    Miner,
    Reaper,
    Query,
}

/// A process, from its start to its death, as a network sees it.
pub(super) struct Process {
    world: Arc<World>,
    name: String,
    role: Role,
    is_dead: AtomicBool,
    answer_us: Mutex<u64>,
    /// Keys of the calls that failed since somebody asked.
    failed: Mutex<Vec<String>>,
    /// Partitions of the kennels of which it has staged a block that it has not tried to commit.
    staged: Mutex<BTreeSet<String>>,
}

impl Process {
    pub(super) fn start(world: &Arc<World>, role: Role, name: String) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            name,
            role,
            is_dead: AtomicBool::new(false),
            answer_us: Mutex::new(0),
            failed: Mutex::default(),
            staged: Mutex::default(),
        })
    }

    /// Runs until the end, or until the process dies or has taken too long: none then.
    pub(super) async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let deadline_us = self.world.now_us() + FUNCTION_TIMEOUT_US;
        let mut work = Box::pin(work);
        std::future::poll_fn(|context| {
            if self.world.now_us() > deadline_us {
                self.world.trace(|| format!("{} is killed: it took too long", self.name));
                return Poll::Ready(None);
            }
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if self.is_dead.load(Ordering::Relaxed) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// The keys of the calls that failed since the last call of this.
    pub(super) fn take_failed(&self) -> Vec<String> {
        std::mem::take(&mut self.failed.lock().expect("no holder of the lock panics"))
    }

    fn crash_kind(&self) -> Option<FaultKind> {
        match self.role {
            Role::Ingest => Some(FaultKind::IngestCrash),
            Role::Miner => Some(FaultKind::MinerCrash),
            Role::Reaper => Some(FaultKind::ReaperCrash),
            // It writes nothing: a dead query is a client that asks again.
            Role::Query => None,
        }
    }

    /// Whether a call is the commit of a block that this process has staged. The publisher's update
    /// of the head is none.
    fn commits(&self, call: &Call) -> bool {
        let head = call.key.strip_suffix(" HEAD").filter(|_| call.operation == Operation::Update);
        head.is_some_and(|kennel| self.staged.lock().expect("no holder of the lock panics").remove(kennel))
    }

    /// Dies here, if that is its fate.
    async fn survive(&self) {
        if self.crash_kind().is_some_and(|kind| self.world.befalls(kind)) {
            self.world.trace(|| format!("{} dies", self.name));
            self.is_dead.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }
    }

    /// How long a request or answer travels, µs.
    fn latency(&self) -> u64 {
        match self.world.befalls(FaultKind::Pause) {
            true => self.world.between(40 * SECOND, 300 * SECOND),
            false => self.world.between(MS / 2, 30 * MS),
        }
    }

    fn fault(&self, call: &Call) -> Option<Fault> {
        use FaultKind::*;
        let world = &self.world;
        if call.operation == Operation::Publish && world.is_out() {
            world.note(PublishOutage);
            return Some(Fault::Throttled);
        }
        if world.is_due(FailedBefore) {
            // A read that fails leaves nothing half done, and isn't counted.
            if call.is_write() {
                world.note(FailedBefore);
            }
            return Some(Fault::RequestLost);
        }
        if world.befalls(Throttled) {
            return Some(Fault::Throttled);
        }
        if call.consistency == Consistency::Eventual && world.is_due(StaleRead) {
            return Some(Fault::Stale);
        }
        if call.is_write() {
            if world.befalls(FailedAfter) {
                return Some(Fault::AnswerLost);
            }
            if world.befalls(AnswerLost) {
                *self.answer_us.lock().expect("no holder of the lock panics") = CALL_TIMEOUT_US;
                return Some(Fault::AnswerLost);
            }
            if call.port == Port::Table && world.befalls(LateWrite) {
                *self.answer_us.lock().expect("no holder of the lock panics") = CALL_TIMEOUT_US;
                return Some(Fault::Late);
            }
        }
        None
    }
}

#[async_trait]
impl Network for Process {
    async fn request(&self, call: Call) -> Option<Fault> {
        let world = &self.world;
        let mut delay_us = self.latency();
        if self.commits(&call) && world.befalls(FaultKind::CommitPause) {
            delay_us = world.between(60 * SECOND, 300 * SECOND);
        }
        if call.port == Port::Queue && world.befalls(FaultKind::DelayedMessage) {
            delay_us = world.between(10 * SECOND, 120 * SECOND);
        }
        world.turn(delay_us).await;
        self.survive().await;
        let fault = self.fault(&call);
        if let (Some(kennel), None) = (staged_in(&call), &fault) {
            self.staged.lock().expect("no holder of the lock panics").insert(kennel.to_owned());
        }
        world.trace(|| {
            let outcome = match &fault {
                None => "",
                Some(Fault::RequestLost) => " FAILS BEFORE",
                Some(Fault::AnswerLost) => " FAILS AFTER",
                Some(Fault::Late) => " IS LATE",
                Some(Fault::Stale) => " IS STALE",
                Some(_) => " IS THROTTLED",
            };
            format!("{} {:?} {}{outcome}", self.name, call.operation, short(&call.key))
        });
        if !matches!(fault, None | Some(Fault::Stale)) {
            self.failed.lock().expect("no holder of the lock panics").push(call.key);
        }
        fault
    }

    async fn answer(&self) {
        let waited_us = std::mem::take(&mut *self.answer_us.lock().expect("no holder of the lock panics"));
        let delay_us = self.latency().max(waited_us);
        self.world.turn(delay_us).await;
        self.survive().await;
    }

    fn detach(&self, write: BoxFuture<'static, ()>) {
        let wait = self.world.turn(self.world.between(100 * MS, 60 * SECOND));
        self.world.spawn(Box::pin(async move {
            wait.await;
            write.await;
        }));
    }
}

/// The partition of the kennel of which a call stages a block.
fn staged_in(call: &Call) -> Option<&str> {
    let (kennel, _) = call.key.split_once(" B#").filter(|_| call.operation == Operation::Put)?;
    Some(kennel)
}

/// A key with its hashes cut to eight digits.
pub(super) fn short(key: &str) -> String {
    let mut out = String::new();
    let mut digits = 0;
    for c in key.chars() {
        digits = if c.is_ascii_hexdigit() { digits + 1 } else { 0 };
        if digits <= 20 {
            out.push(c);
        }
    }
    out
}

/// The table as a read sees it that lags. It counts as a fault where it makes a difference.
pub(super) struct Lagging(pub(super) Arc<World>);

impl Lagging {
    /// Gives what is seen late, of what is there.
    fn seen<T: PartialEq>(&self, late: T, now: &T) -> T {
        if late != *now {
            self.0.note(FaultKind::StaleRead);
        }
        late
    }
}

#[async_trait]
impl Table for Lagging {
    async fn get(&self, key: &Key, consistency: Consistency) -> Result<Option<Attributes>, TableError> {
        let now = self.0.table.get(key, consistency).await?;
        match self.0.before(|changed| changed == key).remove(key) {
            Some(before) => Ok(self.seen(before, &now)),
            None => Ok(now),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Attributes>>, TableError> {
        let mut before = self.0.before(|changed| keys.contains(changed));
        let now = self.0.table.get_many(keys).await?;
        let late =
            keys.iter().zip(&now).map(|(key, item)| before.remove(key).unwrap_or_else(|| item.clone()));
        Ok(self.seen(late.collect(), &now))
    }

    async fn query(&self, query: &Query) -> Result<Vec<Item>, TableError> {
        let fits = |key: &Key| key.pk == query.pk && (&query.from..=&query.to).contains(&&key.sk);
        let now = self.0.table.query(query).await?;
        let mut items: BTreeMap<Key, Attributes> =
            now.iter().map(|item| (item.key.clone(), item.attributes.clone())).collect();
        for (key, before) in self.0.before(fits) {
            match before {
                Some(attributes) => items.insert(key, attributes),
                None => items.remove(&key),
            };
        }
        let mut items: Vec<Item> =
            items.into_iter().map(|(key, attributes)| Item { key, attributes }).collect();
        if query.order == Order::Descending {
            items.reverse();
        }
        items.truncate(query.limit as usize);
        Ok(self.seen(items, &now))
    }

    async fn put_new(&self, item: &Item) -> Result<(), TableError> {
        self.0.table.put_new(item).await
    }

    async fn update(&self, update: &Update) -> Result<(), TableError> {
        self.0.table.update(update).await
    }

    async fn publish(&self, batch: &PublishBatch) -> Result<(), TableError> {
        self.0.table.publish(batch).await
    }

    async fn delete(&self, key: &Key) -> Result<(), TableError> {
        self.0.table.delete(key).await
    }
}
