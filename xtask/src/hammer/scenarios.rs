//! The scenarios: what is done to the service, and what must hold meanwhile.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pitpet_chain::hash::EventId;
use pitpet_pipeline::api::SubmittedEvent;

use super::crowd::Crowd;
use super::load::{Load, Server};
use super::rig::{Rig, SUPPLY, Tmpfs, is_root};
use super::{Ended, median};

/// Events acknowledged before a kill counts.
const ACKNOWLEDGED_MIN: usize = 500;

/// A kill comes this long after at the latest, ms.
const KILL_WITHIN_MS: u64 = 150;

/// A scenario's load must have its effect within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Normal service must be back within this after the trouble has ended.
const BACK: Duration = Duration::from_secs(10);

/// `kill -9` at random moments.
pub(super) async fn kill(rig: &mut Rig, kills: u32) -> anyhow::Result<Ended> {
    let mut server = rig.start();
    let mut all: Vec<EventId> = Vec::new();
    let mut recoveries = Vec::new();
    let (mut counted, mut attempts) = (0, 0);
    while counted < kills {
        attempts += 1;
        anyhow::ensure!(attempts <= 2 * kills + 10, "too few kills count: {counted} of {attempts}");
        rig.provide(&server, 5_000).await;
        let delay_ms = rig.below(KILL_WITHIN_MS);
        let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
        anyhow::ensure!(crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await, "the load does not get through");
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        let broken_before = crowd.tally().broken();
        let in_flight = crowd.tally().in_flight();
        server.child.kill()?;
        server.child.wait()?;
        // A sender that was waiting for an answer learns that there will be none.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let broken = crowd.tally().broken() - broken_before;
        let since = crowd.disperse().await;
        let counts = in_flight > 0 && broken > 0;
        let (restarted, recovery) = rig.recover().await?;
        server = restarted;
        recoveries.push(recovery);
        rig.find(&server, &since).await?;
        all.extend(since);
        if counts {
            counted += 1;
            if counted % 10 == 0 {
                println!("  {counted} kills, {} events acknowledged, none lost", all.len());
            }
        }
    }
    rig.settle(server, &all).await?;
    let slowest = recoveries.iter().max().copied().unwrap_or_default();
    Ok(Ended::Held(format!(
        "{counted} kills with requests in flight, {} events acknowledged, none lost; \
         serving again after {:.0?} (median), {slowest:.0?} (slowest)",
        all.len(),
        median(&mut recoveries),
    )))
}

/// SIGTERM under load.
pub(super) async fn sigterm(rig: &mut Rig) -> anyhow::Result<Ended> {
    const ROUNDS: usize = 5;
    let mut all = Vec::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let mut server = rig.start();
        rig.provide(&server, 10_000).await;
        let address = server.url.trim_start_matches("http://").to_owned();
        // One that waits for an event that never comes, one that never ends its request.
        let wait = format!("{}/v1/events/{}?wait_ms=30000", server.url, "ab".repeat(32));
        let waiting = tokio::spawn(reqwest::get(wait));
        let mut endless = TcpStream::connect(&address)?;
        endless.write_all(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")?;
        let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
        anyhow::ensure!(crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await, "the load does not get through");
        let took = rig.terminate(&mut server)?;
        slowest = slowest.max(took);
        all.extend(crowd.disperse().await);
        waiting.abort();
    }
    let server = rig.start();
    rig.settle(server, &all).await?;
    Ok(Ended::Held(format!(
        "{ROUNDS} times, {} events acknowledged, none lost; it had ended after {slowest:.1?} at the latest",
        all.len()
    )))
}

/// The disk runs full under load, and is enlarged while the service runs.
pub(super) async fn disk_full(rig: &mut Rig) -> anyhow::Result<Ended> {
    if !is_root() {
        return Ok(Ended::Skipped("mounting a tmpfs needs root".to_owned()));
    }
    let disk = Tmpfs::mount(&rig.data, 32)?;
    let mut server = rig.start();
    // Before it is full: another kennel can't be opened then.
    rig.provide(&server, 50_000).await;
    let crowd = Crowd::gather(&server.url, &rig.supply, 8, 25);
    let begin = Instant::now();
    while crowd.tally().refused() < 200 {
        anyhow::ensure!(
            begin.elapsed() < 2 * PATIENCE,
            "the disk does not run full of {} events",
            crowd.tally().acknowledged()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let refused = crowd.tally().refused();
    crowd.tally().ensure_polite().context("on a full disk")?;
    anyhow::ensure!(server.child.try_wait()?.is_none(), "it ended when the disk was full");
    let read = reqwest::get(format!("{}/v1/kennels", server.url)).await?;
    anyhow::ensure!(read.status().is_success(), "with a full disk it answers reads with {}", read.status());
    let mut acknowledged = crowd.disperse().await;
    disk.remount("size=1024m")?;
    let back = back_to_normal(rig, &server, &mut acknowledged).await?;
    rig.settle(server, &acknowledged).await?;
    rig.settle(rig.start(), &acknowledged).await?;
    Ok(Ended::Held(format!(
        "{} events acknowledged, none lost, {refused} refused while it was full; \
         normal service {back:.1?} after there was room, without a restart",
        acknowledged.len()
    )))
}

/// A folder that can't be written: it says so and ends, and serves again when it can.
pub(super) async fn read_only(rig: &mut Rig) -> anyhow::Result<Ended> {
    if !is_root() {
        return Ok(Ended::Skipped("mounting a tmpfs needs root".to_owned()));
    }
    let disk = Tmpfs::mount(&rig.data, 256)?;
    let mut server = rig.start();
    rig.provide(&server, 5_000).await;
    let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
    anyhow::ensure!(crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await, "the load does not get through");
    server.child.kill()?;
    server.child.wait()?;
    let acknowledged = crowd.disperse().await;
    disk.remount("ro")?;
    let ran = Command::new(&rig.binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&rig.data)
        .stdout(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    anyhow::ensure!(ran.status.code() == Some(3), "on a read-only folder it ended with {}", ran.status);
    let names_it = said.contains(rig.data.to_str().unwrap_or_default()) && !said.contains("panicked");
    anyhow::ensure!(names_it, "on a read-only folder it says {said:?}");
    disk.remount("rw")?;
    rig.settle(rig.start(), &acknowledged).await?;
    Ok(Ended::Held(format!(
        "{} events acknowledged, none lost; it said: {}",
        acknowledged.len(),
        said.trim()
    )))
}

/// Starts the service with a limit that the shell sets.
fn start_limited(rig: &Rig, limit: &str) -> Server {
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    rig.start_by(Command::new("sh").args(["-c", &script]).arg(&rig.binary))
}

/// Clients hold more connections than the service may have files open.
pub(super) async fn fd_limit(rig: &mut Rig) -> anyhow::Result<Ended> {
    const DESCRIPTORS: usize = 96;
    let server = rig.start();
    rig.provide(&server, 20_000).await;
    let mut server_before = server;
    rig.terminate(&mut server_before)?;
    let mut server = start_limited(rig, &format!("-n {DESCRIPTORS}"));
    let address = server.url.trim_start_matches("http://").to_owned();
    let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
    anyhow::ensure!(crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await, "the load does not get through");
    let idle: Vec<_> = (0..2 * DESCRIPTORS).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    tokio::time::sleep(Duration::from_secs(8)).await;
    anyhow::ensure!(server.child.try_wait()?.is_none(), "it ended without file descriptors");
    let held = idle.len();
    drop(idle);
    let mut acknowledged = crowd.disperse().await;
    let back = back_to_normal(rig, &server, &mut acknowledged).await?;
    rig.settle(server, &acknowledged).await?;
    rig.settle(rig.start(), &acknowledged).await?;
    Ok(Ended::Held(format!(
        "{DESCRIPTORS} descriptors, {held} idle connections: {} events acknowledged, none lost; \
         normal service {back:.1?} after they went, without a restart",
        acknowledged.len()
    )))
}

/// Memory runs out: it may end, but loses nothing.
pub(super) async fn memory_limit(rig: &mut Rig) -> anyhow::Result<Ended> {
    const ROOM_MIB: u64 = 24;
    let mut server = rig.start();
    rig.provide(&server, 20_000).await;
    let data_kib = server.memory_mib("VmData") * 1024;
    rig.terminate(&mut server)?;
    let limit_kib = data_kib + ROOM_MIB * 1024;
    let mut server = start_limited(rig, &format!("-d {limit_kib}"));
    let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
    anyhow::ensure!(crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await, "the load does not get through");
    // Uploads are held in memory before their ticket is looked at.
    let uploads: Vec<_> = (0..64)
        .map(|_| {
            let url = format!("{}/media/uploads/none", server.url);
            tokio::spawn(async move {
                let http = reqwest::Client::new();
                for _ in 0..20 {
                    drop(http.put(&url).body(vec![7; 2 * 1024 * 1024]).send().await);
                }
            })
        })
        .collect();
    let begin = Instant::now();
    while server.child.try_wait()?.is_none() && begin.elapsed() < Duration::from_secs(15) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = server.child.try_wait()?;
    uploads.iter().for_each(tokio::task::JoinHandle::abort);
    let acknowledged = crowd.disperse().await;
    if ended.is_none() {
        rig.terminate(&mut server)?;
    }
    rig.settle(rig.start(), &acknowledged).await?;
    let how = ended.map_or("it went on".to_owned(), |status| format!("it ended ({status})"));
    Ok(Ended::Held(format!(
        "{ROOM_MIB} MiB above what it had: {how}; {} events acknowledged, none lost",
        acknowledged.len()
    )))
}

/// Where Debian's package `faketime` has its library.
const LIBFAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The wall clock goes back by two hours while the service runs, and later forth again.
pub(super) async fn clock_back(rig: &mut Rig) -> anyhow::Result<Ended> {
    let Some(library) = LIBFAKETIME.iter().find(|library| Path::new(library).is_file()) else {
        return Ok(Ended::Skipped(
            "libfaketime is not installed (Debian: apt-get install faketime)".to_owned(),
        ));
    };
    let file = rig.data.with_file_name("clock");
    std::fs::write(&file, "+0\n")?;
    let mut server = rig.start_by(
        Command::new(&rig.binary)
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &file)
            .env("FAKETIME_NO_CACHE", "1")
            // Time-outs go by the monotonic clock, which nobody sets.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1"),
    );
    rig.provide(&server, 10_000).await;
    let mut acknowledged = Vec::new();
    for clock in ["+0", "-2h", "+0", "-5m", "+0"] {
        std::fs::write(&file, format!("{clock}\n"))?;
        let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
        let through = crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await;
        let since = crowd.disperse().await;
        anyhow::ensure!(through, "with the clock at {clock} the load does not get through");
        rig.find(&server, &since).await.with_context(|| format!("with the clock at {clock}"))?;
        acknowledged.extend(since);
    }
    // Killed with the clock back, and started again.
    std::fs::write(&file, "-2h\n")?;
    let crowd = Crowd::gather(&server.url, &rig.supply, 4, 5);
    anyhow::ensure!(crowd.reaches(ACKNOWLEDGED_MIN, PATIENCE).await, "the load does not get through");
    server.child.kill()?;
    server.child.wait()?;
    acknowledged.extend(crowd.disperse().await);
    rig.settle(rig.start(), &acknowledged).await?;
    Ok(Ended::Held(format!(
        "back by 5 minutes and by 2 hours: {} events acknowledged, none lost",
        acknowledged.len()
    )))
}

/// Waits until an event goes through as usual; gives how long that took.
async fn back_to_normal(
    rig: &mut Rig,
    server: &Server,
    acknowledged: &mut Vec<EventId>,
) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let crowd = Crowd::gather(&server.url, &rig.reserve, 1, 1);
    let reached = crowd.reaches(20, BACK).await;
    let seen = crowd.tally().summary();
    let sent = crowd.disperse().await;
    let left = rig.reserve.lock().expect("no sender panicked").len();
    anyhow::ensure!(
        reached,
        "{BACK:?} after the trouble has ended events are not taken: {seen}, {left} left to send"
    );
    let found = tokio::time::timeout(BACK, rig.find(server, &sent[..20])).await;
    found.with_context(|| format!("events are not mined within {BACK:?} after the trouble has ended"))??;
    acknowledged.extend(sent);
    let back = begin.elapsed();
    anyhow::ensure!(back <= BACK, "normal service was back {back:.1?} after the trouble had ended");
    Ok(back)
}

/// Ten times what it can carry, and more.
pub(super) async fn flood(rig: &mut Rig) -> anyhow::Result<Ended> {
    const SECONDS: u64 = 20;
    const PROBE: u64 = 5;
    const TIMES: f64 = 10.0;
    let server = rig.start();
    rig.provide(&server, 60_000).await;
    // What it carries: a crowd in which everyone waits for the receipt.
    let begin = Instant::now();
    let crowd = Crowd::gather(&server.url, &rig.supply, 2, 25);
    tokio::time::sleep(Duration::from_secs(PROBE)).await;
    let mut acknowledged = crowd.disperse().await;
    rig.find(&server, &acknowledged).await?;
    let capacity = acknowledged.len() as f64 / begin.elapsed().as_secs_f64();
    let crowd = Crowd::gather(&server.url, &rig.supply, 256, 25);
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let (taken, refused) = (crowd.tally().acknowledged(), crowd.tally().refused());
    let offered = (taken + refused) as f64 / SECONDS as f64;
    crowd.tally().ensure_polite().context("in the flood")?;
    acknowledged.extend(crowd.disperse().await);
    let back = back_to_normal(rig, &server, &mut acknowledged).await?;
    anyhow::ensure!(
        offered >= TIMES * capacity,
        "{offered:.0} events/s offered are no flood for what carries {capacity:.0}"
    );
    anyhow::ensure!(refused > 0, "{offered:.0} events/s were offered, and none was refused");
    anyhow::ensure!(taken > 0, "nothing was taken during the flood");
    rig.settle(server, &acknowledged).await?;
    Ok(Ended::Held(format!(
        "{offered:.0} events/s offered for {SECONDS} s, {:.1} times the {capacity:.0} events/s that it carries: \
         {taken} acknowledged, none lost, {refused} answered with 429 or 503; \
         normal service {back:.1?} after it ended",
        offered / capacity
    )))
}

/// Many events, with memory and latency watched.
pub(super) async fn soak(rig: &mut Rig, events: u64) -> anyhow::Result<Ended> {
    const PARTS: u64 = 20;
    let server = rig.start();
    let mut memory = Vec::new();
    let mut latency = Vec::new();
    let mut all: Vec<EventId> = Vec::new();
    for part in 1..=PARTS {
        let wanted = usize::try_from(events / PARTS)?;
        let mut times = Vec::new();
        let begin = Instant::now();
        let mut sent = 0;
        while sent < wanted {
            rig.provide(&server, 1_000).await;
            // A thousand at a time, so that the queue stays short; the last one is waited for.
            let crowd = Crowd::gather(&server.url, &rig.supply, 2, 25);
            crowd.reaches(1_000.min(wanted - sent), PATIENCE).await;
            let since = crowd.disperse().await;
            let asked = Instant::now();
            rig.find(&server, &since[since.len().saturating_sub(1)..]).await?;
            times.push(asked.elapsed());
            sent += since.len();
            all.extend(since);
        }
        let total = all.len();
        memory.push(server.memory_mib("VmRSS"));
        latency.push(median(&mut times));
        println!(
            "  {total} events: {} MiB, {:.0} events/s, {:.2?} from the last request to the last receipt",
            memory[memory.len() - 1],
            sent as f64 / begin.elapsed().as_secs_f64(),
            latency[latency.len() - 1],
        );
        if part == PARTS {
            let half = memory.len() / 2;
            let growth = memory[memory.len() - 1] as f64 / memory[half] as f64 - 1.0;
            let (early, late) = latency.split_at_mut(half);
            let (early, late) = (median(early), median(late));
            anyhow::ensure!(
                2 * late <= 3 * early,
                "receipts took {early:.2?} in the first half, {late:.2?} later"
            );
            anyhow::ensure!(growth < 0.05, "memory grew by {:.0} % over the last half", growth * 100.0);
            rig.settle(server, &all).await?;
            return Ok(Ended::Held(format!(
                "{total} events, none lost; memory grew by {:.1} % over the last half, to {} MiB; \
                 from the last request to the last receipt {early:.2?} in the first half, {late:.2?} in the second",
                growth * 100.0,
                memory[memory.len() - 1],
            )));
        }
    }
    unreachable!("the last part returns")
}

/// A start with many blocks stored.
pub(super) async fn recovery(rig: &mut Rig, blocks: u64) -> anyhow::Result<Ended> {
    const STARTS: usize = 5;
    /// Kennels that are filled side by side.
    const KENNELS: u64 = 8;
    let mut server = rig.start();
    let begin = Instant::now();
    let mut last = Vec::new();
    let mut stored = heights(&server.url).await?;
    while stored < blocks {
        let share = usize::try_from((blocks - stored).div_ceil(KENNELS))?.clamp(1, SUPPLY);
        let mut senders = Vec::new();
        for _ in 0..KENNELS {
            rig.supply.lock().expect("no sender panicked").clear();
            rig.provide(&server, share).await;
            let events = rig.supply.lock().expect("no sender panicked").drain(..share).collect();
            senders.push(tokio::spawn(one_by_one(rig.load(&server), events)));
        }
        while !senders.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let heights = heights(&server.url).await?;
            if heights / 10_000 > stored / 10_000 {
                println!("  {heights} blocks after {:.0?}", begin.elapsed());
            }
            stored = heights;
        }
        last.clear();
        for sender in senders {
            last.extend(sender.await.context("a sender gave up")?);
        }
        stored = heights(&server.url).await?;
    }
    let mut times = Vec::new();
    for _ in 0..STARTS {
        server.child.kill()?;
        server.child.wait()?;
        let (restarted, took) = rig.recover().await?;
        server = restarted;
        times.push(took);
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    let found = format!(
        "{stored} blocks stored: serving again after {:.0?} (median of {STARTS}), {slowest:.0?} (slowest)",
        median(&mut times)
    );
    println!("  {found}");
    rig.settle(server, &last).await?;
    anyhow::ensure!(slowest < Duration::from_secs(1), "{found}");
    Ok(Ended::Held(found))
}

/// Sends events of one kennel, each after the receipt of the one before, so that each has a block
/// of its own; gives their ids.
async fn one_by_one(load: Load, events: Vec<(EventId, SubmittedEvent)>) -> Vec<EventId> {
    let mut ids = Vec::new();
    for (id, event) in events {
        load.post(vec![event]).await;
        load.wait_mined(&id).await;
        ids.push(id);
    }
    ids
}

/// Blocks of all kennels.
async fn heights(url: &str) -> anyhow::Result<u64> {
    let kennels: serde_json::Value =
        serde_json::from_slice(&reqwest::get(format!("{url}/v1/kennels")).await?.bytes().await?)?;
    let kennels = kennels["kennels"].as_array().context("a list of kennels")?;
    Ok(kennels.iter().filter_map(|kennel| kennel["height"].as_u64()).sum())
}
