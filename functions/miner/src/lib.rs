//! Mines batches of the queue into blocks: SQS event in, partial batch response out.
//!
//! Deliberately absent: everything but wiring, and a compiler: the module's artefact is part of
//! the package.

mod modules;

use std::sync::Arc;
use std::time::Instant;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use pitpet_aws::Redelivery;
use pitpet_aws::environment::{self, EnvironmentError};
use pitpet_aws::metrics::{self, Count, Measure, count, measure};
use pitpet_pipeline::mine::{MineReport, Miner, MinerSettings, ReceivedMessage};
use pitpet_pipeline::ports::OutgoingMessage;

pub use modules::WasmModules;

fn received(message: SqsMessage) -> ReceivedMessage {
    let attribute = |name: &str| message.attributes.get(name).cloned().unwrap_or_default();
    ReceivedMessage {
        id: message.message_id.clone().unwrap_or_default(),
        message: OutgoingMessage {
            group: attribute("MessageGroupId"),
            deduplication: attribute("MessageDeduplicationId"),
            body: message.body.unwrap_or_default(),
        },
    }
}

/// Mines one batch and names the messages to deliver again.
pub async fn handle(miner: &Miner, event: SqsEvent) -> SqsBatchResponse {
    let (messages, began) = (event.records.len(), Instant::now());
    let batch = event.records.into_iter().map(received).collect();
    let report: MineReport = miner.mine(batch).await;
    measure(Measure::BatchSize, messages as f64);
    measure(Measure::MineTime, began.elapsed().as_secs_f64() * 1e3);
    measure(Measure::PublishLag, report.unpublished as f64);
    count(Count::Blocks, report.blocks);
    count(Count::EventsMined, report.accepted);
    count(Count::EventsRejected, report.rejected);
    count(Count::CommitConflicts, report.lost);
    count(Count::MessagesBuried, report.buried);
    count(Count::MessagesFailed, report.failed.len() as u64);
    count(Count::KennelsStopped, report.stopped);
    count(Count::UpgradesUnready, report.unready);
    for (reason, events) in &report.reasons {
        metrics::count_rejected(reason, *events);
    }
    let mut response = SqsBatchResponse::default();
    for id in report.failed {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    response
}

/// Wires [`Redelivery`] by the environment.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub fn redelivery_from_environment() -> Result<Redelivery, EnvironmentError> {
    environment::queue().map(Redelivery::new)
}

/// Wires the use case by the environment: [`environment::CHECKPOINT_KEY`] says where the
/// checkpoint key is, `PITPET_ARTEFACTS` names the folder with the modules' artefacts.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub async fn from_environment() -> Result<Miner, EnvironmentError> {
    let modules = WasmModules::headless(environment::packaged_folder("PITPET_ARTEFACTS")?)
        .map_err(|error| EnvironmentError::Bad { variable: "PITPET_ARTEFACTS", reason: error.to_string() })?;
    let key = environment::signing_key(environment::CHECKPOINT_KEY).await?;
    Ok(Miner::new(
        environment::table()?,
        environment::objects()?,
        Arc::new(modules),
        environment::clock(),
        environment::dead_letters()?,
        Arc::new(key),
        MinerSettings { search_words_max: environment::search_words()?, ..MinerSettings::default() },
    ))
}
