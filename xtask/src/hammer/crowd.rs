//! A crowd that sends events until it is told to stop, and remembers what was acknowledged.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::{Submissions, SubmittedEvent, SubmittedEvents};
use tokio::task::JoinHandle;

/// Pause after a request that was refused or didn't arrive.
const PAUSE: Duration = Duration::from_millis(20);

/// What a refusal that passes is answered with: over a limit, or too much at once.
const COME_AGAIN: [u16; 2] = [429, 503];

/// Events that wait to be sent; what is in doubt comes back, as a client would send it again.
pub(super) type Supply = Arc<Mutex<VecDeque<(EventId, SubmittedEvent)>>>;

/// What became of the requests.
#[derive(Default)]
pub(super) struct Tally {
    acknowledged: Mutex<Vec<EventId>>,
    count: AtomicUsize,
    in_flight: AtomicUsize,
    broken: AtomicUsize,
    refused: AtomicUsize,
    odd: AtomicUsize,
    first_odd: OnceLock<String>,
}

impl Tally {
    /// Events acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.count.load(SeqCst)
    }

    /// Requests sent and not answered at this moment.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(SeqCst)
    }

    /// Requests that ended without an answer after they had been sent.
    pub(super) fn broken(&self) -> usize {
        self.broken.load(SeqCst)
    }

    /// Events answered with 429 or 503, alone or with their whole request.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(SeqCst)
    }

    /// All of it in words.
    pub(super) fn summary(&self) -> String {
        format!(
            "{} acknowledged, {} refused for now, {} in another way, {} requests without an answer, {} under way",
            self.acknowledged(),
            self.refused(),
            self.odd.load(SeqCst),
            self.broken(),
            self.in_flight()
        )
    }

    /// Whether every event that wasn't taken was answered so that its sender knows to come again.
    ///
    /// # Errors
    /// How many were answered otherwise, and the first such answer.
    pub(super) fn ensure_polite(&self) -> anyhow::Result<()> {
        match self.first_odd.get() {
            None => Ok(()),
            Some(first) => {
                let count = self.odd.load(SeqCst);
                anyhow::bail!("{count} events neither taken nor refused for now: {first}")
            }
        }
    }
}

/// A crowd at work.
pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    senders: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Lets `senders` clients send requests of `batch` events, one after the other each.
    pub(super) fn gather(url: &str, supply: &Supply, senders: usize, batch: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tally = Arc::new(Tally::default());
        let senders = (0..senders)
            .map(|_| {
                let (url, supply) = (format!("{url}/v1/events"), supply.clone());
                tokio::spawn(send(url, supply, batch, stop.clone(), tally.clone()))
            })
            .collect();
        Self { stop, tally, senders }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Waits until this many events are acknowledged; false if that takes longer.
    pub(super) async fn reaches(&self, acknowledged: usize, within: Duration) -> bool {
        let reached = async {
            while self.tally.acknowledged() < acknowledged {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(within, reached).await.is_ok()
    }

    /// Ends; gives what was acknowledged.
    pub(super) async fn disperse(self) -> Vec<EventId> {
        self.stop.store(true, SeqCst);
        for sender in self.senders {
            sender.await.expect("a sender doesn't panic");
        }
        std::mem::take(&mut self.tally.acknowledged.lock().expect("no sender panicked"))
    }
}

async fn send(url: String, supply: Supply, batch: usize, stop: Arc<AtomicBool>, tally: Arc<Tally>) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
    while !stop.load(SeqCst) {
        let events: Vec<(EventId, SubmittedEvent)> = {
            let mut supply = supply.lock().expect("no sender panicked");
            let count = batch.min(supply.len());
            supply.drain(..count).collect()
        };
        if events.is_empty() {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let request = SubmittedEvents { events: events.iter().map(|(_, event)| event.clone()).collect() };
        tally.in_flight.fetch_add(1, SeqCst);
        let answer = async {
            let answer = http.post(&url).json(&request).send().await?;
            let status = answer.status().as_u16();
            answer.bytes().await.map(|body| (status, body))
        }
        .await;
        tally.in_flight.fetch_sub(1, SeqCst);
        let (status, body) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                if !error.is_connect() {
                    tally.broken.fetch_add(1, SeqCst);
                }
                supply.lock().expect("no sender panicked").extend(events);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Without an answer for each event the whole request was refused.
        let results =
            serde_json::from_slice::<Submissions>(&body).map(|answer| answer.results).unwrap_or_default();
        let mut back = Vec::new();
        for (at, (id, event)) in events.into_iter().enumerate() {
            let status = match results.get(at) {
                None => status,
                Some(result) => match &result.problem {
                    Some(problem) => problem.status,
                    None => {
                        tally.acknowledged.lock().expect("no sender panicked").push(id);
                        tally.count.fetch_add(1, SeqCst);
                        continue;
                    }
                },
            };
            if COME_AGAIN.contains(&status) {
                tally.refused.fetch_add(1, SeqCst);
            } else {
                tally.odd.fetch_add(1, SeqCst);
                tally.first_odd.get_or_init(|| format!("{status}: {}", String::from_utf8_lossy(&body)));
            }
            back.push((id, event));
        }
        if !back.is_empty() {
            supply.lock().expect("no sender panicked").extend(back);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
