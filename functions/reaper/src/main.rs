//! The `reaper` function.

use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    pitpet_aws::logs::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let reaper = Arc::new(pitpet_reaper::from_environment().await?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<serde_json::Value>| {
        let reaper = reaper.clone();
        async move {
            let answer = pitpet_reaper::handle(&reaper, event.payload).await;
            pitpet_aws::metrics::flush();
            Ok::<_, Error>(answer?)
        }
    }))
    .await
}
