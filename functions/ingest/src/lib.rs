//! Takes writes over HTTP and puts events into the queue: API Gateway event in, response out.
//!
//! Deliberately absent: everything but wiring.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use pitpet_aws::environment::{self, EnvironmentError};
use pitpet_aws::gateway;
use pitpet_pipeline::http;
use pitpet_pipeline::ingest::Ingest;

/// Answers one event.
pub async fn handle(ingest: &Ingest, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    gateway::response(http::ingest(ingest, &gateway::request(event)).await)
}

/// Wires the use case by the environment.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub fn from_environment() -> Result<Ingest, EnvironmentError> {
    let (table, queue) = (environment::table()?, environment::queue()?);
    let ingest = Ingest::new(table, queue, environment::objects()?, environment::clock());
    Ok(ingest.limited(environment::rate_limits()?))
}
