//! Takes writes over HTTP and puts events into the queue: API Gateway event in, response out.
//!
//! Deliberately absent: everything but wiring.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use pitpet_aws::environment::{self, EnvironmentError};
use pitpet_aws::gateway::{self, EdgeSecret};
use pitpet_aws::metrics::{self, Count};
use pitpet_pipeline::http::{self, HttpResponse};
use pitpet_pipeline::ingest::Ingest;
use serde_json::Value;

/// Answers one event; `edge` is the secret of the distribution in front, if there is one.
pub async fn handle(
    ingest: &Ingest,
    edge: Option<&EdgeSecret>,
    event: ApiGatewayV2httpRequest,
) -> ApiGatewayV2httpResponse {
    let response = http::ingest(ingest, &gateway::request(event, edge)).await;
    metrics::count(Count::EventsTaken, taken(&response));
    gateway::response(response)
}

/// Events that the queue holds now, by what the client is told.
fn taken(response: &HttpResponse) -> u64 {
    if response.status != 202 {
        return 0;
    }
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_queued = |submission: &&Value| submission["status"] == "queued";
    match body["results"].as_array() {
        Some(results) => results.iter().filter(is_queued).count() as u64,
        None => [&body].into_iter().filter(is_queued).count() as u64,
    }
}

/// Wires the use case by the environment; [`environment::SIGN_IN_SECRET`] says where the secret
/// for passwords is.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub async fn from_environment() -> Result<Ingest, EnvironmentError> {
    let (table, queue) = (environment::table()?, environment::queue()?);
    let secret = environment::secret_bytes(environment::SIGN_IN_SECRET).await?;
    let ingest = Ingest::new(table, queue, environment::objects()?, environment::clock());
    Ok(ingest.limited(environment::rate_limits()?).with_passwords(&secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_queue_holds_is_counted_as_taken() {
        let answer = |status, body: &str| taken(&HttpResponse::new(status, "application/json", body));
        assert_eq!(answer(202, r#"{"id":"a","status":"queued"}"#), 1);
        assert_eq!(
            answer(202, r#"{"results":[{"status":"queued"},{"status":"refused"},{"status":"queued"}]}"#),
            2
        );
        assert_eq!(answer(422, r#"{"results":[{"status":"refused"}]}"#), 0);
        assert_eq!(answer(201, r#"{"name":"bella","account":"a"}"#), 0);
    }
}
