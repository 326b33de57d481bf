//! The `query` function.

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
    let queries = Arc::new(pitpet_query::from_environment()?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let queries = queries.clone();
        async move {
            let answer = pitpet_query::handle(&queries, event.payload).await;
            pitpet_aws::metrics::flush();
            Ok::<_, Error>(answer)
        }
    }))
    .await
}
