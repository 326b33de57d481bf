//! One round: a rate, kept for a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::{Submissions, SubmittedEvent, SubmittedEvents};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::support::{Kennel, Load, now_ms, pats};

/// Requests under way at once; one that is due while so many are waits, and its time runs.
const IN_FLIGHT_MAX: usize = 1_000;

/// Look-ups at once, afterwards.
const LOOKERS: usize = 16;

/// What a round is to be.
pub(super) struct Round {
    /// Events a second.
    pub(super) rate: u32,
    pub(super) seconds: u32,
    pub(super) per_post: usize,
    pub(super) follow: u32,
    pub(super) seed: u64,
}

/// What became of it.
pub(super) struct Found {
    pub(super) rate: u32,
    /// Events sent.
    pub(super) sent: usize,
    /// Answered with 202.
    pub(super) acknowledged: usize,
    /// Refused with 429 or 503.
    pub(super) refused: usize,
    /// Anything else, the first of them in words.
    pub(super) failed: usize,
    pub(super) first_failure: Option<String>,
    /// Of the acknowledged ones.
    pub(super) mined: usize,
    pub(super) rejected: usize,
    pub(super) lost: usize,
    /// Mined a second, by the timestamps of the first and the last block.
    pub(super) mined_rate: f64,
    /// From when an event was due to its receipt, ms.
    pub(super) latency_ms: Histogram<u64>,
}

/// What the senders share.
struct Shared {
    load: Arc<Load>,
    acknowledged: Mutex<Vec<EventId>>,
    refused: AtomicUsize,
    failed: AtomicUsize,
    first_failure: Mutex<Option<String>>,
    latency_ms: Mutex<Histogram<u64>>,
}

fn bar(events: usize, what: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{prefix:<9} {wide_bar} {pos}/{len}, {eta} left")?;
    Ok(ProgressBar::new(events as u64).with_style(style).with_prefix(what.to_owned()))
}

impl Round {
    pub(super) async fn run(
        &self,
        load: &Arc<Load>,
        kennels: &[Kennel],
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<Found> {
        let requests = self.sign(load, kennels, stop).await?;
        let shared = Arc::new(Shared {
            load: load.clone(),
            acknowledged: Mutex::default(),
            refused: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            first_failure: Mutex::default(),
            // Up to an hour, to three digits.
            latency_ms: Mutex::new(Histogram::new_with_max(3_600_000, 3)?),
        });
        let sent = self.send(&shared, requests, stop).await?;
        let shared = Arc::into_inner(shared).context("every sender has ended")?;
        let ids = shared.acknowledged.into_inner().context("a sender panicked")?;
        let mut found = Found {
            rate: self.rate,
            sent,
            acknowledged: ids.len(),
            refused: shared.refused.into_inner(),
            failed: shared.failed.into_inner(),
            first_failure: shared.first_failure.into_inner().context("a sender panicked")?,
            mined: 0,
            rejected: 0,
            lost: 0,
            mined_rate: 0.0,
            latency_ms: shared.latency_ms.into_inner().context("a sender panicked")?,
        };
        look_for(load, ids, &mut found).await?;
        Ok(found)
    }

    /// Signs the round's requests; kennels take turns.
    async fn sign(
        &self,
        load: &Load,
        kennels: &[Kennel],
        stop: &AtomicBool,
    ) -> anyhow::Result<Vec<Vec<(EventId, SubmittedEvent)>>> {
        let events = self.rate as usize * self.seconds as usize;
        let each = events.div_ceil(kennels.len());
        let bar = bar(each * kennels.len(), "signing")?;
        let mut by_kennel = Vec::new();
        for (number, kennel) in kennels.iter().enumerate() {
            let seed = self.seed.wrapping_add(number as u64 * 10_000_000);
            // Births are bound to a block of the last hour.
            let now = load.try_kennel(&kennel.view.label).await.map_err(anyhow::Error::msg)?;
            let posts = load.try_posts(&now, each, seed).await.map_err(anyhow::Error::msg)?;
            let mut signed = Vec::new();
            for begin in (0..each).step_by(100) {
                if stop.load(SeqCst) {
                    break;
                }
                let count = 100.min(each - begin);
                let from = begin / super::support::PATS_PER_POST;
                let seed = seed.wrapping_add(100_000 + begin as u64);
                // A hundred at a time are of one post, because a post takes a multiple of that.
                signed.extend(pats(&now, &posts[from..], count, seed));
                bar.inc(count as u64);
            }
            let requests: Vec<_> = signed.chunks(self.per_post).map(<[_]>::to_vec).collect();
            by_kennel.push(requests.into_iter());
        }
        bar.finish_and_clear();
        let mut requests = Vec::new();
        loop {
            let before = requests.len();
            requests.extend(by_kennel.iter_mut().filter_map(Iterator::next));
            if requests.len() == before {
                return Ok(requests);
            }
        }
    }

    /// Sends each request when it is due; gives how many events were sent.
    async fn send(
        &self,
        shared: &Arc<Shared>,
        requests: Vec<Vec<(EventId, SubmittedEvent)>>,
        stop: &AtomicBool,
    ) -> anyhow::Result<usize> {
        let bar = bar(requests.iter().map(Vec::len).sum(), "sending")?;
        let interval = Duration::from_secs_f64(self.per_post as f64 / f64::from(self.rate));
        let begin = Instant::now();
        let mut senders = JoinSet::new();
        let mut sent = 0;
        for (number, request) in requests.into_iter().enumerate() {
            let due = begin + interval * u32::try_from(number)?;
            tokio::time::sleep_until(due).await;
            if stop.load(SeqCst) {
                break;
            }
            while senders.len() >= IN_FLIGHT_MAX {
                senders.join_next().await.context("a sender")??;
            }
            while let Some(ended) = senders.try_join_next() {
                ended?;
            }
            sent += request.len();
            bar.inc(request.len() as u64);
            let is_followed = number.is_multiple_of(self.follow as usize);
            senders.spawn(one(shared.clone(), request, due, is_followed));
        }
        while let Some(ended) = senders.join_next().await {
            ended?;
        }
        bar.finish_and_clear();
        Ok(sent)
    }
}

/// Sends one request and puts down what it was answered.
async fn one(shared: Arc<Shared>, request: Vec<(EventId, SubmittedEvent)>, due: Instant, is_followed: bool) {
    let count = request.len();
    let (ids, events): (Vec<EventId>, Vec<SubmittedEvent>) = request.into_iter().unzip();
    let answer = async {
        let url = format!("{}/v1/events", shared.load.url);
        let answer = shared.load.http.post(url).json(&SubmittedEvents { events }).send().await?;
        let status = answer.status().as_u16();
        Ok::<_, reqwest::Error>((status, answer.text().await?))
    };
    let failed = |count: usize, why: String| {
        shared.failed.fetch_add(count, SeqCst);
        shared.first_failure.lock().expect("no sender panicked").get_or_insert(why);
    };
    let (status, text) = match answer.await {
        Ok(answer) => answer,
        Err(error) => return failed(count, error.to_string()),
    };
    let Ok(answer) = serde_json::from_str::<Submissions>(&text) else {
        // A gateway in front refuses in words of its own.
        match status {
            429 | 503 => drop(shared.refused.fetch_add(count, SeqCst)),
            _ => failed(count, format!("{status}: {text}")),
        }
        return;
    };
    let mut acknowledged = Vec::new();
    for (id, result) in ids.into_iter().zip(&answer.results) {
        match &result.problem {
            None => acknowledged.push(id),
            Some(problem) if matches!(problem.status, 429 | 503) => {
                shared.refused.fetch_add(1, SeqCst);
            }
            Some(problem) => failed(1, format!("{problem:?}")),
        }
    }
    let followed = acknowledged.first().filter(|_| is_followed).copied();
    shared.acknowledged.lock().expect("no sender panicked").extend(acknowledged);
    if let Some(id) = followed
        && shared.load.try_wait(&id).await.is_ok()
    {
        let took_ms = u64::try_from(due.elapsed().as_millis()).unwrap_or(u64::MAX);
        // What took longer than the histogram reaches counts as its end.
        shared.latency_ms.lock().expect("no sender panicked").saturating_record(took_ms);
    }
}

/// Looks for every acknowledged event.
async fn look_for(load: &Arc<Load>, ids: Vec<EventId>, found: &mut Found) -> anyhow::Result<()> {
    let bar = bar(ids.len(), "checking")?;
    let share = ids.len().div_ceil(LOOKERS).max(1);
    let mut lookers = JoinSet::new();
    for ids in ids.chunks(share) {
        let (load, ids, bar) = (load.clone(), ids.to_vec(), bar.clone());
        lookers.spawn(async move {
            let mut outcomes = Vec::new();
            for id in ids {
                outcomes.push(load.try_wait(&id).await);
                bar.inc(1);
            }
            outcomes
        });
    }
    let (mut first_ms, mut last_ms) = (u64::MAX, 0);
    while let Some(outcomes) = lookers.join_next().await {
        for outcome in outcomes? {
            match outcome {
                Ok(view) if view.status == "mined" => {
                    found.mined += 1;
                    let timestamp_ms = view.place.map_or(now_ms(), |place| place.timestamp_ms);
                    first_ms = first_ms.min(timestamp_ms);
                    last_ms = last_ms.max(timestamp_ms);
                }
                Ok(_) => found.rejected += 1,
                Err(why) => {
                    found.lost += 1;
                    found.first_failure.get_or_insert(why);
                }
            }
        }
    }
    bar.finish_and_clear();
    if last_ms > first_ms {
        found.mined_rate = found.mined as f64 * 1e3 / (last_ms - first_ms) as f64;
    }
    Ok(())
}
