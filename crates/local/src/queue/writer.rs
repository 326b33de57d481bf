//! The one thread that owns the connection, and group commit.
//!
//! Calls wait in a channel. The thread takes one, opens a transaction, runs it and all others
//! that have come by then (at most [`FOLD_MAX`]), commits, and only then answers each. While a
//! commit waits for the disk the next calls gather, so the number of fsyncs stays that of the
//! disk and not that of the callers.

use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::FifoError;

/// Most calls folded into one transaction; bounds how long the first one waits.
const FOLD_MAX: usize = 256;

/// Most calls that wait; further callers wait for a place.
const WAITING_MAX: usize = 1_024;

/// Whom a committed call wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Those who watch for receivable messages.
    Consumers,
    /// Nobody: it can't have made a message receivable.
    Nobody,
}

/// Ends a call: sends its value if the commit held.
type Answer = Box<dyn FnOnce(Result<(), FifoError>) + Send>;

/// Runs a call inside the transaction.
type Work = Box<dyn FnOnce(&Transaction<'_>) -> (Answer, rusqlite::Result<()>) + Send>;

struct Job {
    work: Work,
    wake: Wake,
}

/// The sending end towards the thread.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    changes: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (changed, changes) = watch::channel(0);
        let thread = std::thread::Builder::new()
            .name("fifo-queue".to_owned())
            .spawn(move || run(connection, waiting, &changed))?;
        Ok(Self { jobs: Some(jobs), changes, thread: Some(thread) })
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Runs a closure inside the next transaction and returns its value once that is committed.
    ///
    /// A caller that stops waiting doesn't stop the call.
    pub(super) async fn call<T, F>(&self, wake: Wake, body: F) -> Result<T, FifoError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let no_answer = || FifoError::Unavailable {
            message: "the queue is closed, or the transaction failed with another call".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |transaction| {
            let (value, outcome) = match body(transaction) {
                Ok(value) => (Some(value), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let finish: Answer = Box::new(move |committed: Result<(), FifoError>| {
                if let Some(answer) = committed.map(|()| value).transpose() {
                    // The caller may be gone; the call holds all the same.
                    let _ = reply.send(answer);
                }
            });
            (finish, outcome)
        });
        let jobs = self.jobs.as_ref().ok_or_else(no_answer)?;
        jobs.send(Job { work, wake }).await.map_err(|_| no_answer())?;
        answer.await.map_err(|_| no_answer())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already failed the calls that it concerned.
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, mut waiting: mpsc::Receiver<Job>, changed: &watch::Sender<u64>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut jobs = vec![first];
        while jobs.len() < FOLD_MAX {
            match waiting.try_recv() {
                Ok(job) => jobs.push(job),
                Err(_) => break,
            }
        }
        let wakes = jobs.iter().any(|job| job.wake == Wake::Consumers);
        let mut answers = Vec::with_capacity(jobs.len());
        match fold(&mut connection, jobs, &mut answers) {
            Ok(()) => {
                // Awake before answered: whoever sends and then looks finds consumers on their way.
                if wakes {
                    changed.send_modify(|count| *count = count.wrapping_add(1));
                }
                for answer in answers {
                    answer(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a transaction of the queue failed");
                let failed = FifoError::Unavailable { message: error.to_string() };
                for answer in answers {
                    answer(Err(failed.clone()));
                }
            }
        }
    }
}

/// Runs calls in one transaction. They only fail on a fault of the file, which concerns all of
/// them, so one failure rolls all of them back; those that didn't run any more are dropped,
/// which their callers see.
fn fold(connection: &mut Connection, jobs: Vec<Job>, answers: &mut Vec<Answer>) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        let (answer, outcome) = (job.work)(&transaction);
        answers.push(answer);
        outcome?;
    }
    transaction.commit()
}
