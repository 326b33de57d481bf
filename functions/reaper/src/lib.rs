//! Runs on a schedule: mines time, ends stories, repairs. EventBridge Scheduler event in, report out.
//!
//! Deliberately absent: everything but wiring.

use pitpet_aws::environment::{self, EnvironmentError};
use pitpet_pipeline::head::LedgerError;
use pitpet_pipeline::reap::{ReapReport, Reaper};

/// Runs once; the schedule's event says nothing that matters.
///
/// # Errors
/// [`LedgerError`] if the kennels can't be listed: the schedule tries again.
pub async fn handle(reaper: &Reaper, _event: serde_json::Value) -> Result<ReapReport, LedgerError> {
    let report = reaper.reap().await?;
    tracing::info!(
        times = report.times,
        stories = report.stories,
        published = report.published,
        garbage = report.garbage,
        uploads = report.uploads,
        opening = report.opening,
        failed = report.failed,
        "reaped"
    );
    Ok(report)
}

/// Wires the use case by the environment; [`environment::HOUSE_KEY`] says where the
/// house's key is.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub async fn from_environment() -> Result<Reaper, EnvironmentError> {
    let (table, queue) = (environment::table()?, environment::queue()?);
    let house = environment::signing_key(environment::HOUSE_KEY).await?;
    let reaper = Reaper::new(table, queue, environment::objects()?, environment::clock(), house);
    Ok(reaper.indexing(environment::search_words()?))
}
