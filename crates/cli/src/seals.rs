//! The search for seals, on as many cores as one likes, for several kennels at once.
//!
//! Each proof is as good as another, so a search begins anywhere and may be dropped and begun anew
//! without loss. Deliberately absent: what is searched for and what becomes of a proof, which is
//! the business of `mine`.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use pitpet_chain::mining::Work;
use tokio::sync::oneshot;

/// Trials that a thread makes at a time: some milliseconds of work, after which it looks for what
/// is wanted now.
const CHUNK: u64 = 16_384;

/// One search.
struct Job {
    number: u64,
    work: Work,
    next: u64,
    found: oneshot::Sender<u64>,
}

#[derive(Default)]
struct Jobs {
    list: Vec<Job>,
    numbers: u64,
    turn: usize,
    is_over: bool,
}

#[derive(Default)]
struct Shared {
    jobs: Mutex<Jobs>,
    wake: Condvar,
    trials: AtomicU64,
}

impl Shared {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece of work, the kennels taking turns; none once it is over.
    fn piece(&self) -> Option<(u64, Work, u64)> {
        let mut jobs = self.jobs();
        loop {
            if jobs.is_over {
                return None;
            }
            if !jobs.list.is_empty() {
                jobs.turn = (jobs.turn + 1) % jobs.list.len();
                let turn = jobs.turn;
                let job = &mut jobs.list[turn];
                let from = job.next;
                // The end of the numbers is as far as nobody gets in a lifetime.
                job.next = from.wrapping_add(CHUNK);
                return Some((job.number, job.work, from));
            }
            jobs = self.wake.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn remove(&self, number: u64) -> Option<Job> {
        let mut jobs = self.jobs();
        let at = jobs.list.iter().position(|job| job.number == number)?;
        Some(jobs.list.swap_remove(at))
    }

    fn search(&self) {
        while let Some((number, work, from)) = self.piece() {
            let hit = work.search(from, CHUNK);
            self.trials.fetch_add(hit.map_or(CHUNK, |proof| proof - from + 1), Ordering::Relaxed);
            if let Some(proof) = hit
                && let Some(job) = self.remove(number)
            {
                // Whoever asked may have lost interest this very moment.
                let _ = job.found.send(proof);
            }
        }
    }
}

/// Threads that search; they end with it.
pub struct Searcher {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Searcher {
    /// Starts so many threads.
    pub fn new(threads: NonZeroUsize) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.search())
        };
        let threads = (0..threads.get()).map(start).collect();
        Self { shared, threads }
    }

    /// Begins a search, at a random place, so that two machines of one account try different
    /// proofs. It ends when the [`Search`] is dropped.
    pub fn begin(&self, work: Work) -> Search {
        let mut first = [0; 8];
        getrandom::fill(&mut first).expect("the system gives random bytes");
        let (found, proof) = oneshot::channel();
        let mut jobs = self.shared.jobs();
        jobs.numbers += 1;
        let number = jobs.numbers;
        // From the lower half, so that the numbers don't end within a search.
        let next = u64::from_be_bytes(first) >> 1;
        jobs.list.push(Job { number, work, next, found });
        drop(jobs);
        self.shared.wake.notify_all();
        Search { shared: self.shared.clone(), number, proof }
    }

    /// Trials made so far, by all threads and for all searches.
    pub fn trials(&self) -> u64 {
        self.shared.trials.load(Ordering::Relaxed)
    }
}

impl Drop for Searcher {
    fn drop(&mut self) {
        self.shared.jobs().is_over = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // One that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

/// A search that goes on.
pub struct Search {
    shared: Arc<Shared>,
    number: u64,
    proof: oneshot::Receiver<u64>,
}

impl Search {
    /// Waits for the proof; for ever if the threads have ended. May be dropped and called again.
    pub async fn proof(&mut self) -> u64 {
        match (&mut self.proof).await {
            Ok(proof) => proof,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.shared.remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitpet_chain::hash::{AccountId, BlockHash, KennelId};
    use pitpet_chain::mining::Purpose;

    fn work(over: u8, difficulty: u64) -> Work {
        let (kennel, account) = (KennelId([1; 32]), AccountId([2; 32]));
        Work::new(&kennel, &BlockHash([over; 32]), &account, Purpose::Age, difficulty)
    }

    #[tokio::test]
    async fn searches_take_turns_and_each_finds_its_own_proof() {
        let searcher = Searcher::new(NonZeroUsize::new(2).unwrap());
        // One that nobody finds is in nobody's way.
        let hopeless = searcher.begin(work(0, u64::MAX));
        let mut searches: Vec<_> = (1..=4).map(|over| (over, searcher.begin(work(over, 50_000)))).collect();
        for (over, search) in &mut searches {
            let proof = search.proof().await;
            assert!(work(*over, 50_000).is_done_by(proof));
        }
        assert!(searcher.trials() > 0);
        drop(hopeless);
        assert!(searcher.shared.jobs().list.is_empty(), "what is dropped is searched no more");
    }
}
