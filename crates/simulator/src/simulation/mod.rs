//! The whole pipeline, simulated from a seed: the real use cases and the real rules over a queue,
//! a table, an object store, clocks and a network that fail in every way that they may.
//!
//! A run has three parts. While clients act, faults befall everything. Then nothing goes wrong any
//! more, and within a bound all that was promised must be kept. In the end everybody stops, all
//! that was written must be as it should, and whoever asks is told so. After each step the [auditor](auditor) looks at
//! what was written in it.
//!
//! Deliberately absent: threads, real time, real randomness, and knowledge of the pipeline's
//! insides in the auditor.

mod auditor;
mod books;
mod deeds;
mod kinds;
mod lives;
mod shrink;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_pipeline::fsck::{Fault, Fsck, Loss, Mode, Note, Place, Remedy};
use pitpet_pipeline::head::{Founding, read_founding};
use pitpet_pipeline::native::NativeHost;
use pitpet_pipeline::ports::TableError;
use pitpet_pipeline::query::{Queries, QuerySettings, WithProof};
use pitpet_pipeline::search::WORDS_MAX;

pub use kinds::{Counts, FaultKind};
pub use shrink::shrink;

use crate::table::MemoryTable;
use crate::town::{self, QUICK, RELEASES, RULES, WINDOW, found_with};
use auditor::{Auditor, Finding};
use world::{SECOND, World};

/// Within this time after the last fault every event answered with 202 has ended, µs.
const LIVENESS_US: u64 = 20 * 60 * SECOND;

/// For how long settlers look for a place while everything fails, µs. Whoever has none then must find
/// one when nothing fails any more.
const SETTLING_US: u64 = 60 * 60 * SECOND;

/// How long nothing goes wrong before all must be at rest, µs: garbage waits an hour to be swept.
const CALM_US: u64 = 100 * 60 * SECOND;

/// Steps after which a run that hasn't ended never will.
const STEPS_MAX: u64 = 1_000_000;

/// What is simulated. The same scenario gives the same run, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// Kennels, 1 to 4.
    pub kennels: u32,
    /// Miners on all kennels, at least 1.
    pub miners: u32,
    /// Players of each kennel, at least 1.
    pub players: u32,
    /// Times that each player acts.
    pub acts: u32,
    /// Accounts, each with one birth to come, for which the kennels have no room: with any, the first
    /// kennel takes two or three living pets, two reapers run, and kennels open by themselves.
    pub settlers: u32,
    /// Kinds of fault that don't happen.
    pub without: BTreeSet<FaultKind>,
    /// The numbers of the faults that happen; none: all.
    pub only: Option<BTreeSet<u64>>,
    /// Whether to keep the last calls, to print them with a failure.
    pub trace: bool,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let pick = |choices: [u32; 5], by: u64| choices[(seed / by % 5) as usize];
        Self {
            seed,
            kennels: pick([1, 2, 1, 2, 1], 1),
            miners: pick([2, 3, 1, 5, 2], 5),
            players: pick([3, 2, 4, 3, 2], 25),
            acts: if seed.is_multiple_of(2) { 24 } else { 16 },
            settlers: 0,
            without: BTreeSet::new(),
            only: None,
            trace: false,
        }
    }

    /// Whether lives are short, and owners make keepsakes: in every other run treats are freed and
    /// trade is brisk. In the others they are scarce.
    fn is_brisk(&self) -> bool {
        self.seed.is_multiple_of(2)
    }

    /// Whether its kennels have time witnesses.
    fn is_witnessed(&self) -> bool {
        self.seed.is_multiple_of(3)
    }

    /// The command that replays it.
    pub fn command(&self) -> String {
        let usual = Self::of_seed(self.seed);
        let mut command = format!("cargo xtask simulate --seed {}", self.seed);
        for (name, number, of_seed) in [
            ("kennels", self.kennels, usual.kennels),
            ("miners", self.miners, usual.miners),
            ("players", self.players, usual.players),
            ("acts", self.acts, usual.acts),
            ("settlers", self.settlers, usual.settlers),
        ] {
            if number != of_seed {
                command += &format!(" --{name} {number}");
            }
        }
        let joined = |names: Vec<String>| names.join(",");
        if !self.without.is_empty() {
            let names = self.without.iter().map(FaultKind::to_string).collect();
            command += &format!(" --without {}", joined(names));
        }
        match &self.only {
            Some(only) if only.is_empty() => command += " --no-faults",
            Some(only) => {
                let numbers = only.iter().map(u64::to_string).collect();
                command += &format!(" --faults {}", joined(numbers));
            }
            None => {}
        }
        command
    }
}

/// What went wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What must hold and did not.
    pub what: String,
    /// The step after which it was seen.
    pub step: u64,
    /// The last calls before it, if the scenario asked for them.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        write!(f, "after step {}: {}", self.step, self.what)
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was simulated.
    pub scenario: Scenario,
    /// What happened.
    pub counts: Counts,
    /// The numbers of the faults that happened.
    pub faults: Vec<u64>,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
}

/// Simulates a scenario.
///
/// A panic of the pipeline is a failure like any other.
pub fn run(scenario: &Scenario) -> Report {
    let (kennels, table, auditor) = found(scenario);
    let world = World::new(scenario.clone(), auditor, table);
    let ended = catch_unwind(AssertUnwindSafe(|| execute(&world, &kennels)));
    let finding = ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of no words");
        Err(format!("a panic: {text}"))
    });
    world.count(|counts| counts.dead += world.queue.dead().len() as u64);
    let counts = world.counts();
    let failure = finding.err().map(|what| Failure { what, step: counts.steps, trace: world.traced() });
    Report { scenario: scenario.clone(), counts, faults: world.fired(), failure }
}

/// Simulates scenarios on all cores, until one fails or there are no more. Gives what happened in
/// all of them, and the failing run that came first.
///
/// `progress` is told of each run.
pub fn run_all(
    scenarios: impl Iterator<Item = Scenario> + Send,
    progress: impl Fn(&Report) + Sync,
) -> (Counts, Option<Report>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let scenarios = Mutex::new(scenarios.enumerate());
    let ended: Mutex<(Counts, Option<(usize, Report)>)> = Mutex::default();
    let is_failing = AtomicBool::new(false);
    let work = || {
        while !is_failing.load(Ordering::Relaxed) {
            let next = scenarios.lock().expect("no holder of the lock panics").next();
            let Some((at, scenario)) = next else { return };
            let report = run(&scenario);
            progress(&report);
            let mut ended = ended.lock().expect("no holder of the lock panics");
            ended.0.add(&report.counts);
            if report.failure.is_some() {
                is_failing.store(true, Ordering::Relaxed);
                if ended.1.as_ref().is_none_or(|(first, _)| at < *first) {
                    ended.1 = Some((at, report));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (counts, first) = ended.into_inner().expect("no holder of the lock panics");
    (counts, first.map(|(_, report)| report))
}

/// Founds the kennels.
fn found(scenario: &Scenario) -> (Vec<Founding>, Arc<MemoryTable>, Auditor) {
    let table = Arc::new(MemoryTable::new());
    let kennels: Vec<Founding> = (0..scenario.kennels)
        .map(|number| {
            let ttl = match scenario.is_brisk() {
                true => 1 + (scenario.seed / 2 % 3) as u32,
                false => 3 + (scenario.seed / 7 % 10) as u32,
            };
            let living_max = match (scenario.settlers, number) {
                (1.., 0) => 2 + (scenario.seed / 11 % 2) as u32,
                _ => QUICK.living_max,
            };
            let parameters = Parameters {
                ttl,
                idle_ms: 60_000,
                stamp_bits: 2,
                birth_bits: 2,
                seal_bits: 1,
                // Treats to trade with: granted ones pay for posts only.
                seal_reward: 8,
                time_reward: 4,
                living_max,
                ..QUICK
            };
            let label = format!("kennel-{number}");
            let number = u8::try_from(number + 1).expect("a few kennels");
            let moderators = deeds::moderators().iter().take(2).map(deeds::public).collect();
            let (witnesses, threshold) = match scenario.is_witnessed() {
                true => (deeds::witnesses().iter().map(deeds::public).collect(), 3),
                false => (Vec::new(), 0),
            };
            let genesis = Genesis { moderators, witnesses, threshold, ..town::genesis(parameters, number) };
            let founding = async {
                found_with(table.as_ref(), &label, &genesis, &NativeHost, RULES).await?;
                read_founding(table.as_ref(), &genesis.kennel()).await.map_err(|_| TableError::Throttled)
            };
            let founding = founding.now_or_never().expect("a table in memory answers at once");
            founding.expect("the label is free")
        })
        .collect();
    let geneses: Vec<_> = kennels
        .iter()
        .map(|founding| {
            let kennel = pitpet_chain::kennel::Kennel::found(founding.genesis.clone(), RULES);
            let (_, block) = kennel.expect("it was founded a moment ago");
            (founding.genesis.clone(), block.head.hash)
        })
        .collect();
    (kennels, table, Auditor::new(&geneses, RULES))
}

/// Everybody who was promised something asks what became of it.
fn told(world: &World) -> Finding {
    let settings = QuerySettings { wait_ms_max: 0, replicas_max: NonZeroUsize::MIN };
    let queries = Queries::new(world.table.clone(), world.objects.clone(), world.clock.clone(), settings);
    let (auditor, dead) = (world.auditor(), world.queue.dead());
    let buried = auditor::buried(&dead);
    for event in auditor.promises() {
        let answer = queries.event(&event.to_string(), None, 0, WithProof::No).now_or_never();
        let answer = answer.expect("a table in memory answers at once");
        auditor.told(&event, answer.as_ref(), &world.table, &buried)?;
    }
    Ok(())
}

/// The tasks of a run.
struct Tasks {
    world: Arc<World>,
    tasks: Vec<Option<BoxFuture<'static, ()>>>,
}

impl Tasks {
    fn add(&mut self, task: BoxFuture<'static, ()>) -> Finding {
        self.tasks.push(Some(task));
        self.poll(self.tasks.len() - 1)
    }

    /// Polls a task up to its next turn, and audits what it wrote.
    fn poll(&mut self, task: usize) -> Finding {
        let world = self.world.clone();
        world.enter(task);
        if let Some(future) = &mut self.tasks[task]
            && future.poll_unpin(&mut Context::from_waker(Waker::noop())).is_ready()
        {
            self.tasks[task] = None;
        }
        let written = world.table.take_journal();
        if !written.is_empty() {
            world.remember(&written);
            let mut counts = Counts::default();
            let mut auditor = world.auditor();
            let audited = auditor.step(task, world.now_us(), &written, &mut counts);
            let followed = audited.and_then(|()| auditor.follow(&world.table, &mut counts));
            world.count(|all| all.add(&counts));
            followed?;
        }
        world.finding()?;
        for (parent, spawned) in world.take_spawned() {
            world.auditor().inherit(self.tasks.len(), parent);
            self.add(spawned)?;
        }
        Ok(())
    }

    fn are_done(&self, tasks: std::ops::Range<usize>) -> bool {
        self.tasks[tasks].iter().all(Option::is_none)
    }

    /// Polls whoever is next; false if nobody is left.
    fn step(&mut self) -> Result<bool, String> {
        let Some(task) = self.world.advance() else { return Ok(false) };
        self.poll(task)?;
        match self.world.steps() < STEPS_MAX {
            true => Ok(true),
            false => Err(format!("the run doesn't end within {STEPS_MAX} steps")),
        }
    }
}

/// Holds every item of the read side against the chain, as an operator's checker does.
fn checked(world: &Arc<World>) -> Finding {
    let fsck = Fsck {
        table: world.table.clone(),
        objects: None,
        modules: &NativeHost,
        rules: RELEASES.to_vec(),
        mode: Mode::Check,
        search_words_max: WORDS_MAX,
        window: WINDOW,
    };
    let (is_any_buried, mut fault) = (!world.queue.dead().is_empty(), None);
    // A message that was buried took its texts along, or the words of one that was stored before it
    // failed; that no other text is lost, the auditor has seen, and that no reject is recorded over
    // a receipt: the checker has to go by clocks, which jump here.
    let is_known = |found: &Fault| match &found.place {
        _ if found.remedy == Remedy::Lost(Loss::Text) => true,
        Place::Item(key) => key.sk == "REJECT" || (is_any_buried && key.pk.starts_with("W#")),
        _ => false,
    };
    let mut observer = |note: Note<'_>| {
        if let Note::Fault(found) = note
            && !is_known(found)
        {
            fault.get_or_insert_with(|| format!("{found}, though all is at rest"));
        }
    };
    fsck.run(None, &mut observer)
        .now_or_never()
        .expect("a table in memory answers at once")
        .map_err(|error| format!("the ledger can't be checked: {error}"))?;
    fault.map_or(Ok(()), Err)
}

fn execute(world: &Arc<World>, kennels: &[Founding]) -> Finding {
    world.table.take_journal();
    let mut tasks = Tasks { world: world.clone(), tasks: Vec::new() };
    let scenario = &world.scenario;
    for founding in kennels {
        for player in 0..scenario.players {
            tasks.add(Box::pin(lives::client(world.clone(), founding.clone(), player)))?;
        }
    }
    for founding in kennels {
        tasks.add(Box::pin(lives::official(world.clone(), founding.clone())))?;
    }
    let clients = 0..tasks.tasks.len();
    for number in 0..scenario.settlers {
        tasks.add(Box::pin(lives::settler(world.clone(), kennels[0].clone(), number)))?;
    }
    let settlers = clients.end..tasks.tasks.len();
    for number in 0..scenario.miners {
        tasks.add(Box::pin(lives::miner(world.clone(), number)))?;
    }
    tasks.add(Box::pin(lives::reaper(world.clone())))?;
    if scenario.settlers > 0 {
        tasks.add(Box::pin(lives::reaper(world.clone())))?;
    }
    if scenario.is_witnessed() {
        for founding in kennels {
            for number in 0..deeds::witnesses().len() {
                tasks.add(Box::pin(lives::witness(world.clone(), founding.clone(), number)))?;
            }
        }
    }
    tasks.add(Box::pin(lives::reader(world.clone(), kennels.to_vec())))?;
    tasks.add(Box::pin(lives::trouble(world.clone(), kennels.to_vec())))?;

    let begin_us = world.now_us();
    while !tasks.are_done(clients.clone())
        || (!tasks.are_done(settlers.clone()) && world.now_us() < begin_us + SETTLING_US)
    {
        tasks.step()?;
    }
    world.calm_down();
    let quiet: BTreeMap<_, _> =
        kennels.iter().map(|founding| (founding.kennel, world.auditor().head(&founding.kennel).0)).collect();
    let calm_us = world.now_us();
    let promises = world.auditor().promises();
    while world.now_us() < calm_us + LIVENESS_US {
        tasks.step()?;
    }
    world.auditor().kept_promises(&promises, &world.table, &world.queue.dead())?;
    while world.now_us() < calm_us + CALM_US {
        tasks.step()?;
    }
    let homeless = settlers.clone().filter(|task| tasks.tasks[*task].is_some()).count();
    auditor::require(homeless == 0, || {
        format!(
            "{homeless} settlers have found no place, though nothing has failed for {} minutes",
            CALM_US / SECOND / 60
        )
    })?;
    world.end();
    while tasks.step()? {}
    world.auditor().at_rest(&world.table, &world.queue.dead(), &quiet)?;
    told(world)?;
    checked(world)?;
    world.count(|counts| counts.ended += world.auditor().ended(&world.table));
    let mut all = kennels.to_vec();
    all.extend(world.auditor().opened(&world.table)?);
    world.count(|counts| counts.opened += (all.len() - kennels.len()) as u64);
    for founding in &all {
        crate::audit(&world.table, founding, crate::audit::Published::Partly)
            .now_or_never()
            .expect("a table in memory answers at once");
    }
    Ok(())
}
