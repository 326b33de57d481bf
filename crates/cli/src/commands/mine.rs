//! `mine`: earns treats by seals, each of which is a public audit.
//!
//! A seal is searched only over a head whose every block this process has executed again
//! ([`super::follow`]); if one differs, mining ends with exit code 1. What is searched follows from
//! the executed head alone: the seal of the age while it has none; on a kennel that is about to
//! have been idle for `idle_ms`, the seal that mines its time, which is posted when that moment
//! comes. A seal is an ordinary signed event.
//!
//! A kennel that can't be gone on with, because its rules changed to others than this program has or
//! it takes no seal of this account, is told of, and the others go on; without `--kennel` those that
//! open later are taken up too.
//!
//! Deliberately absent: a share of the work among several machines. Two machines of one account
//! try different proofs, and the first one is mined.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use futures::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressStyle};
use pitpet_chain::block::Change;
use pitpet_chain::event::verify_signature;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::{AccountId, BlockHash, KennelId, RulesHash};
use pitpet_chain::mining::{Purpose, Statement, Work, statement_bytes};
use pitpet_cli::act::Act;
use pitpet_cli::client::{Client, Done, now_ms};
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::Kennel;
use pitpet_cli::keys::Account;
use pitpet_cli::seals::Searcher;
use pitpet_miner::WasmModules;
use pitpet_pipeline::statements::WaitingStatement;
use pitpet_pipeline::verify::Executed;
use pitpet_pipeline::verify::report::many;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::follow::{Follower, chosen, first_done};
use super::verify::{Remembered, fetch_rules, modules, rules_folder};
use crate::args::MineArgs;
use crate::context::{Context, plain, show};

/// The search for a seal that mines time begins this long before it can be mined, ms: a few
/// seconds of work at the default difficulty, and what is found later is in time as well.
const TIME_AHEAD_MS: u64 = 10_000;

/// Pause before a seal is posted again for which the kennel was not idle yet by the server's
/// clock, or which the server didn't hear of, ms.
const AGAIN_MS: u64 = 5_000;

/// Pause before the time witnesses' statements are looked for again while a seal waits for them, ms:
/// half of the reaper's, which takes them as soon as they are enough.
const STATEMENTS_MS: u64 = 1_000;

/// Time between two looks for kennels that have opened: that of the polls for new blocks.
const KENNELS_EVERY: Duration = Duration::from_secs(10);

/// Time between two reports of the rate where nobody looks on.
const RATE_EVERY: Duration = Duration::from_secs(10);

/// How long a seal may take to be mined where nobody says otherwise.
const LISTENED_WAIT: Duration = Duration::from_secs(60);

/// Longest sleep between two looks at the clock, ms.
const LOOK_MS_MAX: u64 = 60_000;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Goal {
    purpose: Purpose,
    over: BlockHash,
    difficulty: u64,
    age: u64,
    /// When it can be mined, ms since the Unix epoch.
    due_ms: u64,
}

impl Goal {
    /// What there is to search for over an executed head.
    fn of(head: &Executed, parameters: &Parameters, now_ms: u64) -> Option<Self> {
        let (totals, mining) = (&head.summary.totals, head.mining());
        let goal = |purpose, over, due_ms| Goal {
            purpose,
            over,
            difficulty: mining.difficulty,
            age: totals.age,
            due_ms,
        };
        match time_due_ms(head, parameters) {
            Some(due_ms) if now_ms + TIME_AHEAD_MS >= due_ms => Some(goal(Purpose::Time, head.hash, due_ms)),
            _ if !mining.sealed && parameters.seal_reward > 0 => Some(goal(Purpose::Age, mining.began, 0)),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self.purpose {
            Purpose::Age => "seal",
            Purpose::Time => "time",
        }
    }
}

/// When time may be mined by a seal, ms; none where that earns nothing.
fn time_due_ms(head: &Executed, parameters: &Parameters) -> Option<u64> {
    let totals = &head.summary.totals;
    let is_worth_it = totals.living > 0 && parameters.time_reward > 0;
    is_worth_it.then_some(totals.last_aging_ms + parameters.idle_ms)
}

/// What mining has brought so far.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    seals: u64,
    times: u64,
    treats: u64,
    lost: u64,
}

/// Says what happens: lines for people, one JSON object a line, or objects to whoever listens.
struct Teller {
    json: bool,
    bar: Option<ProgressBar>,
    listener: Option<UnboundedSender<Value>>,
}

impl Teller {
    fn new(json: bool) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("  {spinner} {msg}").expect("a fixed template");
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { json, bar, listener: None }
    }

    fn tell(&self, what: &str, kennel: &str, mut record: Value, text: &str) {
        record["what"] = what.into();
        if !kennel.is_empty() {
            record["kennel"] = kennel.into();
        }
        if let Some(listener) = &self.listener {
            // Whoever listened may have heard enough.
            let _ = listener.send(record);
            return;
        }
        let line = if self.json { record.to_string() } else { plain(text) };
        match &self.bar {
            Some(bar) => bar.suspend(|| show(&line)),
            None => show(&line),
        }
    }

    /// Reports the rate for ever: live where somebody looks on.
    async fn rates(&self, searcher: &Searcher) {
        let mut before = searcher.trials();
        let every = if self.bar.is_some() { Duration::from_secs(1) } else { RATE_EVERY };
        let mut ticks = tokio::time::interval(every);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let trials = searcher.trials();
            let per_s = (trials - before) / every.as_secs();
            before = trials;
            match &self.bar {
                Some(bar) if per_s == 0 => bar.set_message("nothing to search: waiting for the next age"),
                Some(bar) => bar.set_message(format!("{} a second", counted(per_s))),
                None if self.json || per_s > 0 => {
                    let record = json!({ "trials": trials, "trials_per_s": per_s });
                    self.tell("rate", "", record, &format!("{} a second", counted(per_s)));
                }
                None => {}
            }
        }
    }
}

/// A count of trials in words.
fn counted(trials: u64) -> String {
    match trials {
        0..10_000 => format!("{trials} trials"),
        10_000..10_000_000 => format!("{} thousand trials", trials / 1_000),
        _ => format!("{}.{} million trials", trials / 1_000_000, trials / 100_000 % 10),
    }
}

/// What the miners of all kennels share.
struct Shared<'a> {
    client: &'a Client,
    account: AccountId,
    searcher: &'a Searcher,
    teller: &'a Teller,
    tally: &'a Cell<Tally>,
    wait: Duration,
    seals_max: Option<u64>,
}

/// The miner of one kennel.
struct Miner<'a> {
    shared: &'a Shared<'a>,
    follower: Follower<'a>,
    key: SigningKey,
    /// What is over: won, lost, or refused.
    settled: Option<Goal>,
    /// A proof that waits for its moment.
    held: Option<(Goal, u64)>,
    /// Not before this is it posted again, ms.
    again_ms: u64,
    searching: Option<Goal>,
    /// What it waits for, once it has said so.
    waits_for: RefCell<String>,
}

/// What happened first.
enum Next {
    Found(u64),
    Moved,
    Woken,
}

impl Miner<'_> {
    fn label(&self) -> &str {
        &self.follower.kennel.label
    }

    /// Says once why there is nothing but to wait.
    fn tell_wait(&self, why: &str) {
        if self.waits_for.replace(why.to_owned()) != why {
            let text = format!("{}: {why}", self.label());
            self.shared.teller.tell("waiting", self.label(), json!({ "why": why }), &text);
        }
    }

    /// Mines until enough is mined, or for ever.
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            let now = now_ms();
            let goal = Goal::of(self.follower.newest(), self.follower.parameters(), now)
                .filter(|goal| self.settled != Some(*goal));
            if self.held.is_some_and(|(held, _)| goal != Some(held)) {
                self.held = None;
            }
            match (self.next(goal, now).await?, goal) {
                (Next::Found(proof), Some(goal)) => self.held = Some((goal, proof)),
                (Next::Moved, _) => self.catch_up(goal).await?,
                _ => {}
            }
            if let Some((goal, proof)) = self.held
                && now_ms() >= goal.due_ms.max(self.again_ms)
            {
                self.post(goal, proof).await?;
                let tally = self.shared.tally.get();
                if self.shared.seals_max.is_some_and(|most| tally.seals + tally.times >= most) {
                    return Ok(());
                }
            }
        }
    }

    /// Searches, watches the head, and sleeps, all at once.
    async fn next(&mut self, goal: Option<Goal>, now: u64) -> Result<Next, Failure> {
        let work = goal.filter(|_| self.held.is_none()).map(|goal| {
            let kennel = &self.follower.kennel.id;
            Work::new(kennel, &goal.over, &self.shared.account, goal.purpose, goal.difficulty)
        });
        if let Some(goal) = goal.filter(|goal| self.searching.replace(*goal) != Some(*goal)) {
            let record = json!({ "for": goal.name(), "age": goal.age, "over": goal.over.to_string(),
                "difficulty": goal.difficulty });
            let text = format!(
                "{}: searching {} of age {}, {} on average",
                self.label(),
                if goal.purpose == Purpose::Age { "the seal" } else { "the time" },
                goal.age,
                counted(goal.difficulty)
            );
            self.shared.teller.tell("searching", self.label(), record, &text);
        }
        let mut search = work.map(|work| self.shared.searcher.begin(work));
        let wake_ms = self.wake_ms(now);
        let tell = |why: &str| self.tell_wait(why);
        tokio::select! {
            proof = async {
                match &mut search {
                    Some(search) => search.proof().await,
                    None => std::future::pending().await,
                }
            } => Ok(Next::Found(proof)),
            moved = self.follower.moved(&tell) => moved.map(|()| Next::Moved),
            () = tokio::time::sleep(Duration::from_millis(wake_ms - now)) => Ok(Next::Woken),
        }
    }

    /// When the clock has to be looked at again, ms, after `now`.
    fn wake_ms(&self, now: u64) -> u64 {
        let posting = self.held.map(|(goal, _)| goal.due_ms.max(self.again_ms));
        let searching = time_due_ms(self.follower.newest(), self.follower.parameters())
            .map(|due_ms| due_ms.saturating_sub(TIME_AHEAD_MS));
        let soon = [posting, searching].into_iter().flatten().filter(|at_ms| *at_ms > now).min();
        soon.unwrap_or(u64::MAX).min(now + LOOK_MS_MAX)
    }

    /// Executes the new blocks. `goal` is what was searched until now.
    async fn catch_up(&mut self, goal: Option<Goal>) -> Result<(), Failure> {
        let before = self.follower.newest().height;
        let label = self.label().to_owned();
        let (teller, waiting) = (self.shared.teller, &self.waits_for);
        let tell = |why: &str| {
            if waiting.replace(why.to_owned()) != why {
                teller.tell("waiting", &label, json!({ "why": why }), &format!("{label}: {why}"));
            }
        };
        let times = self.follower.times_mined();
        self.follower.catch_up(&tell).await?;
        self.waits_for.take();
        self.warn();
        let head = self.follower.newest();
        let record = json!({ "height": head.height, "blocks": head.height - before,
            "age": head.summary.totals.age });
        if teller.json || teller.listener.is_some() {
            teller.tell("executed", &label, record, "");
        }
        let is_sealed = |goal: Goal| head.mining().began == goal.over && head.mining().sealed;
        match goal {
            Some(goal) if goal.purpose == Purpose::Age && is_sealed(goal) => {
                self.lost(goal, "already-sealed");
            }
            Some(goal) if goal.purpose == Purpose::Time && self.follower.times_mined() > times => {
                self.lost(goal, "already-mined");
            }
            _ => {}
        }
        Ok(())
    }

    /// Warns, once, of rules to come under which there is no mining here.
    fn warn(&mut self) {
        if let Some(warning) = self.follower.warning() {
            let text = format!("{}: {warning}", self.label());
            self.shared.teller.tell("warning", self.label(), json!({ "why": warning }), &text);
        }
    }

    fn lost(&mut self, goal: Goal, why: &str) {
        self.settled = Some(goal);
        self.held = None;
        let mut tally = self.shared.tally.get();
        tally.lost += 1;
        self.shared.tally.set(tally);
        let record = json!({ "for": goal.name(), "age": goal.age, "why": why });
        let text = format!("{}: somebody else was faster in age {} ({why})", self.label(), goal.age);
        self.shared.teller.tell("lost", self.label(), record, &text);
    }

    /// Posts a seal and waits for its block.
    async fn post(&mut self, goal: Goal, proof: u64) -> Result<(), Failure> {
        let time = match goal.purpose {
            Purpose::Age => None,
            Purpose::Time => match self.statements(goal.over).await {
                Ok(Some(statements)) => Some(statements),
                Ok(None) => {
                    self.again_ms = now_ms() + STATEMENTS_MS;
                    return Ok(());
                }
                Err(Failure::Unreachable(why)) => {
                    self.again_ms = now_ms() + AGAIN_MS;
                    self.tell_wait(&why);
                    return Ok(());
                }
                Err(other) => return Err(other),
            },
        };
        let act = Act::Seal { over: goal.over, proof, time };
        let Shared { client, account, .. } = self.shared;
        let wait = Some(self.shared.wait);
        let done = client.perform(&self.follower.kennel, *account, &self.key, &act, wait, &|_| {}).await;
        match done {
            Ok(done) => {
                self.won(goal, &done);
                Ok(())
            }
            Err(Failure::Unreachable(why)) => {
                self.again_ms = now_ms() + AGAIN_MS;
                self.tell_wait(&why);
                Ok(())
            }
            Err(failure) => match failure.problem_name().unwrap_or_default() {
                why @ ("already-sealed" | "stale-seal" | "weak-seal" | "wrong-parent") => {
                    self.lost(goal, why);
                    Ok(())
                }
                "not-idle" | "too-few-statements" => {
                    self.again_ms = now_ms() + AGAIN_MS;
                    self.tell_wait("by the server's clock it is not time yet");
                    Ok(())
                }
                _ => Err(failure),
            },
        }
    }

    fn won(&mut self, goal: Goal, done: &Done) {
        self.settled = Some(goal);
        self.held = None;
        let Done::Mined(mined) = done else { return };
        let parameters = self.follower.parameters();
        let mut tally = self.shared.tally.get();
        let reward = match goal.purpose {
            Purpose::Age => {
                tally.seals += 1;
                parameters.seal_reward
            }
            Purpose::Time => {
                tally.times += 1;
                parameters.time_reward
            }
        };
        tally.treats += reward;
        self.shared.tally.set(tally);
        let free = mined.proven.receipt.changes.iter().find_map(|change| match change {
            Change::Account(account) => Some(account.free),
            _ => None,
        });
        let height = mined.proven.header.height;
        let record = json!({ "for": goal.name(), "age": goal.age, "id": mined.id.to_string(),
            "height": height, "reward": reward, "free": free });
        let text = format!(
            "{}: age {} {} in block {height}: {} earned, you have {}",
            self.label(),
            goal.age,
            if goal.purpose == Purpose::Age { "is sealed" } else { "is over, its time mined" },
            many(reward, "treat"),
            free.unwrap_or_default()
        );
        self.shared.teller.tell("won", self.label(), record, &text);
    }

    /// What the time witnesses say of the head, each signature checked; none while it is too few.
    async fn statements(&self, head: BlockHash) -> Result<Option<Vec<Statement>>, Failure> {
        let witnesses = self.follower.witnesses();
        let threshold = usize::from(witnesses.threshold);
        if threshold == 0 {
            return Ok(Some(Vec::new()));
        }
        let view = self.shared.client.offices(&self.follower.kennel).await?;
        let bytes = statement_bytes(&self.follower.kennel.id, &head);
        let is_signed = |statement: &Statement| {
            let key = witnesses.keys.get(usize::from(statement.witness));
            key.is_some_and(|key| verify_signature(key, &bytes, &statement.signature))
        };
        let mut statements: Vec<Statement> =
            view.statements.iter().filter_map(WaitingStatement::read).filter(is_signed).collect();
        statements.sort_by_key(|statement| statement.witness);
        statements.dedup_by_key(|statement| statement.witness);
        let count = statements.len();
        statements.truncate(threshold);
        if count < threshold {
            self.tell_wait(&format!("{count} of {threshold} time witnesses have spoken"));
        }
        Ok((count >= threshold).then_some(statements))
    }
}

/// `mine`
pub(crate) async fn run(context: &Context, args: MineArgs) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.threads.unwrap_or(cores);
    let client = context.client()?;
    let account = context.account()?;
    let remembered = client.remembered();
    let teller = Teller::new(context.common.json);
    let (tally, began) = (Cell::new(Tally::default()), Instant::now());
    let searcher = Searcher::new(threads);
    let shared = Shared {
        client: &client,
        account: account.id,
        searcher: &searcher,
        teller: &teller,
        tally: &tally,
        wait: Duration::from_secs(context.common.wait),
        seals_max: args.seals,
    };
    let mining = async {
        let kennels = chosen(&client, &args.kennels).await?;
        fetch_rules(&client, &args.allow_rules, &rules_folder(context)).await?;
        let modules = modules(context)?;
        let terms = Terms { modules: &modules, remembered: &remembered, allowed: &args.allow_rules };
        let later = if args.kennels.is_empty() { Later::TakenUp } else { Later::LeftOut };
        mine(&shared, &account, kennels, later, terms).await
    };
    let ended = tokio::select! {
        ended = mining => ended,
        () = teller.rates(&searcher) => Ok(()),
        signal = tokio::signal::ctrl_c() => signal.map_err(|error| Failure::Unreachable(error.to_string())),
    };
    if let Some(bar) = &teller.bar {
        bar.finish_and_clear();
    }
    let (tally, trials, took) = (tally.get(), searcher.trials(), began.elapsed());
    let per_s = u64::try_from(u128::from(trials) * 1_000 / took.as_millis().max(1)).unwrap_or(u64::MAX);
    let Tally { seals, times, treats: earned, lost } = tally;
    teller.tell(
        "ended",
        "",
        json!({ "seconds": took.as_secs(), "seals": seals, "times": times, "treats": earned, "lost": lost,
            "trials": trials, "trials_per_s": per_s }),
        &format!(
            "Mined for {} s. Ages sealed: {seals}; times mined: {times}; earned: {}; races lost: {lost}. {}, {} a second.",
            took.as_secs(),
            many(earned, "treat"),
            counted(trials),
            counted(per_s)
        ),
    );
    ended.map_err(loud)
}

/// What ledgers are executed with, and held to.
#[derive(Clone, Copy)]
struct Terms<'a> {
    modules: &'a WasmModules,
    remembered: &'a Remembered,
    allowed: &'a [RulesHash],
}

/// What becomes of kennels that open while it mines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    TakenUp,
    LeftOut,
}

/// Mines in all of these kennels, until enough is mined, or none can be gone on with.
async fn mine(
    shared: &Shared<'_>,
    account: &Account,
    kennels: Vec<Kennel>,
    later: Later,
    terms: Terms<'_>,
) -> Result<(), Failure> {
    let stopped = |label: &str, why: &str| {
        let text = format!("{label}: NOT MINED ANY MORE: {why}");
        shared.teller.tell("stopped", label, json!({ "why": why }), &text);
    };
    let mut known = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    let mut begun = kennels;
    loop {
        for kennel in begun {
            known.insert(kennel.id);
            let label = kennel.label.clone();
            running.push(async move { (label, mine_in(shared, account, kennel, terms).await) });
        }
        begun = tokio::select! {
            ended = first_done(&mut running, &stopped) => return ended,
            opened = opened(shared.client, &known), if later == Later::TakenUp => opened?,
        };
    }
}

/// Waits until the server has kennels that are not known.
async fn opened(client: &Client, known: &BTreeSet<KennelId>) -> Result<Vec<Kennel>, Failure> {
    loop {
        tokio::time::sleep(KENNELS_EVERY).await;
        // The miners say that the server can't be reached.
        let Ok(views) = client.kennels().await else { continue };
        let mut new = Vec::new();
        for view in views.iter().filter(|view| known.iter().all(|id| id.to_string() != view.id)) {
            match client.adopt(view) {
                Ok(kennel) => new.push(kennel),
                Err(Failure::Invalid(why)) => return Err(Failure::Invalid(why)),
                // Nothing that this program can read: no reason to leave the others.
                Err(_) => {}
            }
        }
        if !new.is_empty() {
            return Ok(new);
        }
    }
}

/// Mines in one kennel.
async fn mine_in(
    shared: &Shared<'_>,
    account: &Account,
    kennel: Kennel,
    terms: Terms<'_>,
) -> Result<(), Failure> {
    let key = shared.client.key_in(&kennel, account).await?.clone();
    let Terms { modules, remembered, allowed } = terms;
    let follower = Follower::open(shared.client, modules, kennel, remembered, allowed).await?;
    let (label, (blocks, events)) = (follower.kennel.label.clone(), follower.executed());
    let record = json!({ "blocks": blocks, "events": events, "height": follower.newest().height });
    let text = format!(
        "{label}: {} executed again, {}; all is as shown",
        many(blocks, "block"),
        many(events, "event")
    );
    shared.teller.tell("following", &label, record, &text);
    let mut miner = Miner {
        shared,
        follower,
        key,
        settled: None,
        held: None,
        again_ms: 0,
        searching: None,
        waits_for: RefCell::default(),
    };
    miner.warn();
    miner.run().await
}

/// Mines on one thread until it is told to stop, for somebody who listens instead of reading.
///
/// # Errors
/// As `mine` ends with.
pub(super) async fn mine_until(
    client: &Client,
    account: &Account,
    kennels: Vec<Kennel>,
    modules: &WasmModules,
    listener: UnboundedSender<Value>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let (tally, searcher) = (Cell::new(Tally::default()), Searcher::new(NonZeroUsize::MIN));
    let teller = Teller { json: false, bar: None, listener: Some(listener) };
    let shared = Shared {
        client,
        account: account.id,
        searcher: &searcher,
        teller: &teller,
        tally: &tally,
        wait: LISTENED_WAIT,
        seals_max: None,
    };
    let remembered = Remembered::new();
    let terms = Terms { modules, remembered: &remembered, allowed: &[] };
    tokio::select! {
        ended = mine(&shared, account, kennels, Later::LeftOut, terms) => ended.map_err(loud),
        () = stop.cancelled() => Ok(()),
    }
}

/// What a refusal of a block means to a miner, in plain words before the reason.
fn loud(failure: Failure) -> Failure {
    match failure {
        Failure::Invalid(why) => Failure::Invalid(format!(
            "NOT SEALED: what the server shows is not what the rules make of it.\n  {why}\n  \
             Nothing is sealed over it. Keep an export as evidence, and tell others who use this server."
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitpet_chain::genesis::Genesis;
    use pitpet_chain::hash::{PublicKey, RulesHash};
    use pitpet_chain::kennel::Kennel;

    fn founded() -> Executed {
        let genesis = Genesis {
            version: 1,
            parameters: Parameters::CLASSIC,
            operator: PublicKey([1; 32]),
            house: PublicKey([2; 32]),
            moderators: vec![],
            witnesses: vec![],
            threshold: 0,
            checkpoint: PublicKey([3; 32]),
            created_ms: 1_000,
            random: [0; 32],
        };
        let (kennel, _) = Kennel::found(genesis, RulesHash([7; 32])).unwrap();
        let head = kennel.head();
        Executed { height: 0, hash: head.hash, timestamp_ms: 1_000, summary: head.summary }
    }

    #[test]
    fn the_age_is_sealed_and_then_its_time_is_mined() {
        let p = Parameters::CLASSIC;
        let mut head = founded();
        let goal = |head: &Executed, now_ms| Goal::of(head, &p, now_ms);
        assert_eq!(goal(&head, 1_000).unwrap().purpose, Purpose::Age);
        let due_ms = 1_000 + p.idle_ms;
        assert_eq!(goal(&head, 10 * due_ms).unwrap().purpose, Purpose::Age, "nobody lives there");
        head.summary.totals.living = 1;
        assert_eq!(goal(&head, due_ms - TIME_AHEAD_MS - 1).unwrap().purpose, Purpose::Age);
        let time = goal(&head, due_ms - TIME_AHEAD_MS).unwrap();
        assert_eq!((time.purpose, time.over, time.due_ms), (Purpose::Time, head.hash, due_ms));
        head.summary.mining.sealed = true;
        assert_eq!(goal(&head, 1_000), None);
        assert_eq!(goal(&head, due_ms), Some(time));
        let unpaid = Parameters { time_reward: 0, seal_reward: 0, ..p };
        head.summary.mining.sealed = false;
        assert_eq!(Goal::of(&head, &unpaid, due_ms), None, "what earns nothing is not searched");
    }
}
