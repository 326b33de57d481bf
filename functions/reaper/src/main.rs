//! The `reaper` function.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    let reaper = Arc::new(pitpet_reaper::from_environment().await.inspect_err(pitpet_aws::logs::fatal)?);
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
