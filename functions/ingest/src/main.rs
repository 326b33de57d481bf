//! The `ingest` function.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    let ingest = Arc::new(pitpet_ingest::from_environment().await.inspect_err(pitpet_aws::logs::fatal)?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let ingest = ingest.clone();
        async move {
            let answer = pitpet_ingest::handle(&ingest, event.payload).await;
            pitpet_aws::metrics::flush();
            Ok::<_, Error>(answer)
        }
    }))
    .await
}
