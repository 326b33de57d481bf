//! Following a kennel: every block is executed again, from its genesis to its head, and then each
//! new one as it comes.
//!
//! Whoever signs or seals something over a head does so for what it has executed, not for what a
//! server shows. Deliberately absent: what is done with the head, which `mine` and `witness` know.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use pitpet_chain::genesis::Parameters;
use pitpet_chain::hash::RulesHash;
use pitpet_chain::state::PendingUpgrade;
use pitpet_cli::client::{Client, now_ms};
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::{Head, Kennel};
use pitpet_miner::WasmModules;
use pitpet_pipeline::checkpoint::Claim;
use pitpet_pipeline::verify::{Executed, KennelTrust, Terms, Verifier, VerifyError, Witnesses};
use tokio::task::block_in_place;

use super::export::opening;
use super::verify::{Remembered, failed};
use crate::context::block_bar;

/// How long one long poll asks the server to hold, ms.
const POLL_MS: u64 = 10_000;

/// Least time between two polls of a server that doesn't hold them.
const POLL_PAUSE: Duration = Duration::from_millis(500);

/// First pause after a server could not be reached; it doubles up to [`BACK_OFF_MAX`].
const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// Longest pause after a server could not be reached.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// Why a kennel could not be followed just now.
enum Trouble {
    /// It may pass: the server can't be reached.
    Passing(String),
    /// It won't: what was shown is false, or can't be checked here.
    Final(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(why) => Trouble::Passing(why),
            other => Trouble::Final(other),
        }
    }
}

/// A kennel that is executed up to its head.
pub(crate) struct Follower<'a> {
    client: &'a Client,
    /// The kennel.
    pub(crate) kennel: Kennel,
    verifier: Verifier<'a>,
    /// Height up to which the checkpoint in hand goes.
    target: u64,
    /// When this process saw the kennel age, by its own clock, ms; 0 before.
    aged_ms: u64,
    /// The upgrade that was warned of.
    warned: Option<PendingUpgrade>,
}

/// The kennels that are to be followed: those named, else all of the server.
pub(crate) async fn chosen(client: &Client, names: &[String]) -> Result<Vec<Kennel>, Failure> {
    let mut kennels: Vec<Kennel> = Vec::new();
    if names.is_empty() {
        for view in client.kennels().await? {
            kennels.push(client.adopt(&view)?);
        }
    }
    for name in names {
        let (kennel, _) = client.kennel(name).await?;
        if kennels.iter().all(|known| known.id != kennel.id) {
            kennels.push(kennel);
        }
    }
    if kennels.is_empty() {
        return Err(Failure::Unreachable(format!("{}: there is no kennel to follow", client.server())));
    }
    Ok(kennels)
}

impl<'a> Follower<'a> {
    /// Executes a kennel from its genesis up to its head. `remembered` is what was seen of it
    /// before anything was asked.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if a block is not what the rules make of it, or the checkpoint isn't
    /// the kennel's; [`Failure::Unreachable`] if it can't be checked.
    pub(crate) async fn open(
        client: &'a Client,
        modules: &'a WasmModules,
        kennel: Kennel,
        remembered: &Remembered,
        allowed: &[RulesHash],
    ) -> Result<Self, Failure> {
        let known: Option<Option<Claim>> = remembered.get(&kennel.id.to_string()).copied();
        let terms = Terms {
            kennel: known.map_or(KennelTrust::FirstUse, |_| KennelTrust::Remembered(kennel.id)),
            allowed: allowed.to_vec(),
            remembered: known.flatten(),
            ..Terms::new(super::rules::trusted())
        };
        let opening = opening(client, &kennel, &kennel.genesis.checkpoint).await?;
        let verifier =
            Verifier::begin(modules, &opening, terms).map_err(|error| failed(&kennel.label, &error))?;
        let target = opening.height;
        let mut follower = Self { client, kennel, verifier, target, aged_ms: 0, warned: None };
        follower.execute().await.map_err(|trouble| match trouble {
            Trouble::Passing(why) => Failure::Unreachable(why),
            Trouble::Final(failure) => failure,
        })?;
        Ok(follower)
    }

    /// Executes the blocks up to the checkpoint in hand.
    async fn execute(&mut self) -> Result<(), Trouble> {
        let label = &self.kennel.label;
        let named = |error: VerifyError| Trouble::Final(failed(label, &error));
        let bar = (self.verifier.next_height() == 0)
            .then(|| block_bar(&format!("executing {label}"), self.verifier.size()));
        while self.verifier.next_height() <= self.target {
            let segment = self.client.segment(&self.kennel, self.verifier.next_height(), self.target).await?;
            let verifier = &mut self.verifier;
            block_in_place(|| verifier.segment(&segment)).map_err(named)?;
            if let Some(bar) = &bar {
                bar.set_position(self.verifier.next_height());
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        self.verifier.settle().map_err(named)?;
        let Claim { size, root } = self.verifier.claim();
        self.client.remember(&self.kennel, Head { size, root })?;
        Ok(())
    }

    async fn try_catch_up(&mut self) -> Result<(), Trouble> {
        let age = self.newest().summary.totals.age;
        if self.verifier.next_height() > self.target {
            let opening = opening(self.client, &self.kennel, &self.kennel.genesis.checkpoint).await?;
            let went_on = self.verifier.go_on(&opening.checkpoint);
            went_on.map_err(|error| Trouble::Final(failed(&self.kennel.label, &error)))?;
            self.target = opening.height;
        }
        self.execute().await?;
        if self.newest().summary.totals.age != age {
            self.aged_ms = now_ms();
        }
        Ok(())
    }

    /// Executes what is new, as often as it takes; `tell` hears why it has to wait.
    ///
    /// # Errors
    /// As [`Self::open`], but for a server that can't be reached.
    pub(crate) async fn catch_up(&mut self, tell: &dyn Fn(&str)) -> Result<(), Failure> {
        let mut pause = BACK_OFF_MIN;
        loop {
            match self.try_catch_up().await {
                Ok(()) => return Ok(()),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Passing(why)) => back_off(&mut pause, &why, tell).await,
            }
        }
    }

    /// Waits until the server has a newer head; `tell` hears why it has to wait longer.
    ///
    /// # Errors
    /// As the client says, but for a server that can't be reached.
    pub(crate) async fn moved(&self, tell: &dyn Fn(&str)) -> Result<(), Failure> {
        let mut pause = BACK_OFF_MIN;
        let height = self.newest().height;
        loop {
            let asked = Instant::now();
            match self.client.kennel_above(&self.kennel, height, POLL_MS).await {
                Ok(view) if view.published_height > height => return Ok(()),
                Ok(_) => {
                    pause = BACK_OFF_MIN;
                    tokio::time::sleep(POLL_PAUSE.saturating_sub(asked.elapsed())).await;
                }
                Err(Failure::Unreachable(why)) => back_off(&mut pause, &why, tell).await,
                Err(other) => return Err(other),
            }
        }
    }

    /// The head that was executed.
    pub(crate) fn newest(&self) -> &Executed {
        self.verifier.newest().expect("it was executed when it was opened")
    }

    /// Who says when the kennel has been idle.
    pub(crate) fn witnesses(&self) -> &Witnesses {
        self.verifier.witnesses()
    }

    /// How often time was mined there.
    pub(crate) fn times_mined(&self) -> u64 {
        self.verifier.times_mined()
    }

    /// Warns, once, of an upgrade to rules that this program lacks, before its height has come.
    pub(crate) fn warning(&mut self) -> Option<String> {
        let ahead = self.verifier.upgrade_ahead();
        let before = std::mem::replace(&mut self.warned, ahead);
        let PendingUpgrade { at_height, rules_hash } = ahead.filter(|_| ahead != before)?;
        Some(format!(
            "WARNING: from block {at_height} on it is decided by rules that this program lacks, and can't be \
             followed: take a newer release, or allow them: --allow-rules {rules_hash}"
        ))
    }

    /// The kennel's parameters.
    pub(crate) fn parameters(&self) -> &Parameters {
        &self.kennel.genesis.parameters
    }

    /// Blocks executed so far and events in them.
    pub(crate) fn executed(&self) -> (u64, u64) {
        self.verifier.executed()
    }

    /// When the kennel last aged: as its block says, or as this process saw it, whichever is later.
    pub(crate) fn aged_ms(&self) -> u64 {
        self.newest().summary.totals.last_aging_ms.max(self.aged_ms)
    }
}

/// Waits for the first kennel where all is done. One that can't be gone on with is told of, and the
/// others go on.
///
/// # Errors
/// [`Failure::Invalid`] as soon as one is shown to be false; [`Failure::Unreachable`] if none is left.
pub(crate) async fn first_done(
    running: &mut FuturesUnordered<impl Future<Output = (String, Result<(), Failure>)>>,
    stopped: &dyn Fn(&str, &str),
) -> Result<(), Failure> {
    let mut last = "there is none to follow".to_owned();
    while let Some((kennel, ended)) = running.next().await {
        match ended {
            Ok(()) => return Ok(()),
            Err(Failure::Invalid(why)) => return Err(Failure::Invalid(why)),
            Err(failure) => {
                last = failure.to_string();
                stopped(&kennel, &last);
            }
        }
    }
    Err(Failure::Unreachable(format!("no kennel is left: {last}")))
}

async fn back_off(pause: &mut Duration, why: &str, tell: &dyn Fn(&str)) {
    tell(&format!("{why}; trying again in {} s", pause.as_secs()));
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(BACK_OFF_MAX);
}
