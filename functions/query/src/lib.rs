//! Answers reads over HTTP: API Gateway event in; pages, JSON, feeds and proofs out.
//!
//! Deliberately absent: everything but wiring.

use std::num::NonZeroUsize;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use pitpet_aws::environment::{self, EnvironmentError};
use pitpet_aws::gateway;
use pitpet_pipeline::http;
use pitpet_pipeline::native::released_rules;
use pitpet_pipeline::query::{Queries, QuerySettings, SiteSettings};
use tracing::Instrument as _;

/// Answers one event.
pub async fn handle(queries: &Queries, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    // Whose request it is matters to no read: none is counted.
    let request = gateway::request(event, None);
    let response = match http::query(queries, &request).await {
        Some(response) => response,
        None => pitpet_web::page(queries, &request).instrument(http::span(&request)).await,
    };
    gateway::response(response)
}

/// The longest wait for an event on Lambda, where waiting costs.
const LAMBDA_WAIT_MS: u64 = 2_000;

/// Kennels kept open for proofs.
const REPLICAS: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not zero");

/// Wires the use case by the environment.
///
/// # Errors
/// [`EnvironmentError`] names the variable that is missing or can't be used.
pub fn from_environment() -> Result<Queries, EnvironmentError> {
    let settings = QuerySettings { wait_ms_max: LAMBDA_WAIT_MS, replicas_max: REPLICAS };
    let site = SiteSettings {
        url: environment::site_url(),
        uploads: environment::uploads()?,
        ..SiteSettings::default()
    };
    let queries =
        Queries::new(environment::table()?, environment::objects()?, environment::clock(), settings);
    // No module host here: what other rules decide gets no proofs of its state.
    let queries = match released_rules() {
        Some(rules) => queries.with_rules(rules, None),
        None => queries,
    };
    Ok(queries.with_site(site))
}
