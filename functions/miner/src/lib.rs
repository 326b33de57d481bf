//! Mines batches of the queue into blocks: SQS event in, partial batch response out.
//!
//! Deliberately absent: everything but wiring, and a compiler: the module's artefact is part of
//! the package.

mod modules;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use pitpet_aws::environment::{self, EnvironmentError};
use pitpet_pipeline::mine::{MineReport, Miner, MinerSettings, ReceivedMessage};
use pitpet_pipeline::ports::OutgoingMessage;
use std::sync::Arc;

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
    let batch = event.records.into_iter().map(received).collect();
    let report: MineReport = miner.mine(batch).await;
    tracing::info!(
        blocks = report.blocks,
        accepted = report.accepted,
        rejected = report.rejected,
        lost = report.lost,
        buried = report.buried,
        failed = report.failed.len(),
        "batch mined"
    );
    let mut response = SqsBatchResponse::default();
    for id in report.failed {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    response
}

/// Wires the use case by the environment: `PITPET_CHECKPOINT_KEY_FILE` names the file with the
/// checkpoint key, `PITPET_ARTEFACTS` the folder with the modules' artefacts.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub fn from_environment() -> Result<Miner, EnvironmentError> {
    let modules = WasmModules::headless(&environment::needed("PITPET_ARTEFACTS")?)
        .map_err(|error| EnvironmentError::Bad { variable: "PITPET_ARTEFACTS", reason: error.to_string() })?;
    let key = environment::signing_key("PITPET_CHECKPOINT_KEY_FILE")?;
    Ok(Miner::new(
        environment::table()?,
        environment::objects()?,
        Arc::new(modules),
        environment::clock(),
        environment::dead_letters()?,
        Arc::new(key),
        MinerSettings::default(),
    ))
}
