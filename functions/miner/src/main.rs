//! The `miner` function.

use std::process::ExitCode;
use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    pitpet_aws::logs::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let miner = Arc::new(pitpet_miner::from_environment().await?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let miner = miner.clone();
        async move {
            let answer = pitpet_miner::handle(&miner, event.payload).await;
            pitpet_aws::metrics::flush();
            Ok::<_, Error>(answer)
        }
    }))
    .await
}
