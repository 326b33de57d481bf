//! The `miner` function.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    let miner = Arc::new(pitpet_miner::from_environment().await.inspect_err(pitpet_aws::logs::fatal)?);
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
