//! The `ingest` function.

use std::process::ExitCode;
use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    pitpet_aws::logs::start_json();
    pitpet_aws::metrics::start();
    pitpet_aws::logs::exit(run().await)
}

async fn run() -> Result<(), Error> {
    let ingest = Arc::new(pitpet_ingest::from_environment().await?);
    let edge = pitpet_aws::environment::edge_secret().await?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let ingest = ingest.clone();
        async move {
            let answer = pitpet_ingest::handle(&ingest, edge.as_ref(), event.payload).await;
            pitpet_aws::metrics::flush();
            Ok::<_, Error>(answer)
        }
    }))
    .await
}
