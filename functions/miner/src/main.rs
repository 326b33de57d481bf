//! The `miner` function.

use std::process::ExitCode;
use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use pitpet_aws::Receipts;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    pitpet_aws::logs::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let miner = Arc::new(pitpet_miner::from_environment().await?);
    let redelivery = Arc::new(pitpet_miner::redelivery_from_environment()?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let (miner, redelivery) = (miner.clone(), redelivery.clone());
        async move {
            let receipts = Receipts::of(&event.payload);
            let answer = pitpet_miner::handle(&miner, event.payload).await;
            redelivery.come_back(&receipts, &answer).await;
            pitpet_aws::metrics::flush();
            Ok::<_, Error>(answer)
        }
    }))
    .await
}
