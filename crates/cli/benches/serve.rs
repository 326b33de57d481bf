//! What `pitpet serve` carries: events a second and the time from post to receipt, with the load
//! from this process and the service in another. Events are signed and stamped before the clock
//! starts; a round ends when the last of its events is mined.
//!
//! `cargo bench -p pitpet --bench serve -- [SECONDS]`; SECONDS is a round's length, 60 by default.

#[path = "../tests/support/load.rs"]
mod load;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use load::{Load, Server, pats};
use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::SubmittedEvent;

/// Requests under way at once.
const CONCURRENCY: usize = 48;

struct Round {
    kennels: usize,
    batch: usize,
    /// Events a second; none: as many as it takes.
    rate: Option<f64>,
}

#[tokio::main]
async fn main() {
    let seconds: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(60);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(env!("CARGO_BIN_EXE_pitpet"), folder.path());
    let load = Arc::new(Load { http: reqwest::Client::new(), url: server.url.clone() });
    let mut seed = 1_000_000;
    let mut mined = 0;
    let mut rates = Vec::new();
    println!("memory at start: {} MiB", server.memory_mib("VmRSS"));
    let rounds = [
        Round { kennels: 1, batch: 1, rate: None },
        Round { kennels: 1, batch: 25, rate: None },
        Round { kennels: 4, batch: 25, rate: None },
    ];
    for (n, round) in rounds.iter().enumerate() {
        let label = |k: usize| format!("r{n}k{k}");
        let probe = run(&load, folder.path(), round, 5, &label, &mut seed).await;
        let label = |k: usize| format!("s{n}k{k}");
        let events = (probe.rate * seconds as f64) as usize;
        let found = run_counted(&load, folder.path(), round, events, &label, &mut seed).await;
        mined += found.events;
        println!(
            "{} kennel(s), {} event(s) a POST: {:.0} events/s over {:.0} s ({} events)",
            round.kennels, round.batch, found.rate, found.seconds, found.events
        );
        rates.push(found.rate);
    }
    for (n, (round, rate)) in rounds.iter().zip(&rates).enumerate().take(2) {
        let half = Round { rate: Some(rate / 2.0), ..*round };
        let label = |k: usize| format!("h{n}k{k}");
        let found = run_counted(
            &load,
            folder.path(),
            &half,
            (rate / 2.0 * seconds as f64) as usize,
            &label,
            &mut seed,
        )
        .await;
        mined += found.events;
        println!(
            "at half that load, {} event(s) a POST: post to receipt median {} ms, 99th percentile {} ms ({} samples)",
            round.batch, found.median_ms, found.p99_ms, found.samples
        );
    }
    println!(
        "memory after {mined} events: {} MiB, at most {} MiB",
        server.memory_mib("VmRSS"),
        server.memory_mib("VmHWM")
    );
    println!("ratio of 25 to 1 event(s) a POST: {:.1}", rates[1] / rates[0]);
    let folder_bytes = |name: &str| std::fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
    println!(
        "table {} MiB, queue {} MiB on disk",
        folder_bytes("table.db") >> 20,
        folder_bytes("queue.db") >> 20
    );
}

struct Found {
    rate: f64,
    seconds: f64,
    events: usize,
    median_ms: u128,
    p99_ms: u128,
    samples: usize,
}

/// A short round that finds the rate to plan with.
async fn run(
    load: &Arc<Load>,
    folder: &Path,
    round: &Round,
    seconds: usize,
    label: &dyn Fn(usize) -> String,
    seed: &mut u64,
) -> Found {
    let guess = if round.batch == 1 { 300 } else { 1_200 };
    run_counted(load, folder, round, guess * seconds, label, seed).await
}

async fn run_counted(
    load: &Arc<Load>,
    folder: &Path,
    round: &Round,
    events: usize,
    label: &dyn Fn(usize) -> String,
    seed: &mut u64,
) -> Found {
    let each = events / round.kennels;
    let mut requests: Vec<Vec<(EventId, SubmittedEvent)>> = Vec::new();
    let mut last = Vec::new();
    for k in 0..round.kennels {
        let kennel = load.kennel(&label(k), folder).await;
        let posts = load.posts(&kennel, each, *seed).await;
        *seed += 100_000;
        let signed = pats(&kennel, &posts, each, *seed);
        *seed += each as u64;
        last.push(signed.last().expect("events").0);
        requests.extend(signed.chunks(round.batch).map(<[_]>::to_vec));
    }
    // Kennels take turns.
    let per_kennel = requests.len() / round.kennels;
    let ordered: Vec<_> = (0..per_kennel)
        .flat_map(|n| (0..round.kennels).map(move |k| k * per_kennel + n))
        .map(|at| requests[at].clone())
        .collect();
    let events: usize = ordered.iter().map(Vec::len).sum();
    let ordered = Arc::new(ordered);
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let interval = round.rate.map(|rate| Duration::from_secs_f64(round.batch as f64 / rate));
    let mut tasks = Vec::new();
    for _ in 0..CONCURRENCY {
        let (load, ordered, next) = (load.clone(), ordered.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = ordered.get(at) else { return latencies };
                if let Some(interval) = interval {
                    tokio::time::sleep_until((begin + interval * at as u32).into()).await;
                }
                let sent = Instant::now();
                load.post(request.iter().map(|(_, event)| event.clone()).collect()).await;
                // One request in ten is followed to its receipt, where the load leaves room.
                if interval.is_some() && at % 10 == 0 {
                    load.wait(&request[0].0).await;
                    latencies.push(sent.elapsed());
                }
            }
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("no request failed"));
    }
    for id in &last {
        load.wait(id).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort();
    let at =
        |share: f64| latencies.get((latencies.len() as f64 * share) as usize).map_or(0, Duration::as_millis);
    Found {
        rate: events as f64 / seconds,
        seconds,
        events,
        median_ms: at(0.5),
        p99_ms: at(0.99),
        samples: latencies.len(),
    }
}
