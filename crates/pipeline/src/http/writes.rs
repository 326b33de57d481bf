//! What ingest serves: every write.

use futures::future::BoxFuture;
use pitpet_chain::hash::EventId;
use tracing::Instrument as _;

use super::json::shaped;
use super::{HttpRequest, HttpResponse, no_route, span};
use crate::api::*;
use crate::ingest::Ingest;
use crate::problem::bad_field;
use crate::rate_limit::{Counting, Subject};

/// Serves every write.
pub fn ingest<'a>(ingest: &'a Ingest, request: &'a HttpRequest) -> BoxFuture<'a, HttpResponse> {
    Box::pin(async move {
        write(ingest, request).instrument(span(request)).await.unwrap_or_else(HttpResponse::from)
    })
}

async fn write(ingest: &Ingest, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let mut counting = ingest.counting();
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/events") => submit(ingest, request, &mut counting).await,
        ("POST", "/v1/accounts") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.register_name(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/media") => {
            count_address(&mut counting, request, 1).await?;
            let ticket = ingest.request_upload(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(200, &ticket))
        }
        ("POST", "/v1/statements") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.take_statement(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(202, &view))
        }
        ("POST", "/v1/reports") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.report(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/erasures") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.erase(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(200, &view))
        }
        ("POST", "/v1/profiles") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.keep_profile(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/lists") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.keep_list(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/sign-in/password") => {
            count_address(&mut counting, request, 1).await?;
            let answer = ingest.begin_password(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(200, &answer))
        }
        ("POST", "/v1/sign-in/vault") => {
            count_address(&mut counting, request, 1).await?;
            let view = ingest.keep_vault(&request.json()?, &mut counting).await?;
            Ok(HttpResponse::json(201, &view))
        }
        ("POST", "/v1/sign-in/start") => {
            count_address(&mut counting, request, 1).await?;
            let answer = ingest.begin_sign_in(&request.json()?, request.source, &mut counting).await?;
            Ok(HttpResponse::json(200, &answer))
        }
        ("POST", "/v1/sign-in/finish") => {
            count_address(&mut counting, request, 1).await?;
            let vault = ingest.end_sign_in(&request.json()?).await?;
            Ok(HttpResponse::json(200, &vault))
        }
        _ => Ok(no_route(request)),
    }
}

/// Counts what a request asks for against the limit of its address.
async fn count_address(
    counting: &mut Counting<'_>,
    request: &HttpRequest,
    events: usize,
) -> Result<(), Problem> {
    match request.source {
        Some(source) => counting.count(Subject::address(source), events as u64).await,
        None => Ok(()),
    }
}

async fn submit(
    ingest: &Ingest,
    request: &HttpRequest,
    counting: &mut Counting<'_>,
) -> Result<HttpResponse, Problem> {
    let read: Result<serde_json::Value, Problem> = request.json();
    // A request that can't be read counts as one event; a list as all that it holds.
    let list = read.as_ref().ok().and_then(|value| value.get("events")).and_then(serde_json::Value::as_array);
    count_address(counting, request, list.map_or(1, |events| events.len().max(1))).await?;
    let value = read?;
    if value.get("events").is_none() {
        let event: SubmittedEvent = shaped(value)?;
        return match ingest.submit(vec![event], counting).await?.pop() {
            Some(Ok(id)) => {
                let mut response = HttpResponse::json(202, &queued(id));
                response.headers.insert("location", format!("/v1/events/{id}"));
                Ok(response)
            }
            Some(Err((_, problem))) => Err(problem),
            None => Err(bad_field("events", "One answer for each event.")),
        };
    }
    let SubmittedEvents { events } = shaped(value)?;
    let results: Vec<Submission> = ingest
        .submit(events, counting)
        .await?
        .into_iter()
        .map(|result| match result {
            Ok(id) => queued(id),
            Err((id, problem)) => Submission {
                id: id.map(|id| id.to_string()),
                status: "refused".to_owned(),
                problem: Some(problem),
            },
        })
        .collect();
    let refused = || results.iter().filter_map(|result| result.problem.as_ref());
    let status = if results.iter().any(|result| result.problem.is_none()) {
        202
    } else {
        refused().map(|problem| problem.status).max().unwrap_or(202)
    };
    let wait_s = refused().filter_map(|problem| problem.retry_after_s).max();
    let mut response = HttpResponse::json(status, &Submissions { results });
    if let Some(seconds) = wait_s {
        response.headers.insert("retry-after", seconds.to_string());
    }
    Ok(response)
}

fn queued(id: EventId) -> Submission {
    Submission { id: Some(id.to_string()), status: "queued".to_owned(), problem: None }
}
