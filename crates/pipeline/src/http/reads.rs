//! What query serves: every read.

use futures::future::BoxFuture;
use pitpet_chain::state::Side;
use tracing::Instrument as _;

use super::{HttpRequest, HttpResponse, no_route, span};
use crate::api::*;
use crate::problem::bad_field;
use crate::query::{OrderFilter, OrderSort, Queries, WithProof};

/// Serves every read of the API; none for a path outside of it.
pub fn query<'a>(queries: &'a Queries, request: &'a HttpRequest) -> BoxFuture<'a, Option<HttpResponse>> {
    Box::pin(async move {
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        if request.method != "GET" && request.method != "HEAD" {
            return Some(no_route(request));
        }
        let answer = answer(queries, request, &path).instrument(span(request)).await;
        answer.unwrap_or_else(|problem| Some(problem.into()))
    })
}

async fn answer(
    queries: &Queries,
    request: &HttpRequest,
    path: &[&str],
) -> Result<Option<HttpResponse>, Problem> {
    Ok(Some(match path {
        ["v1", "events"] => {
            let ids = request.parameter("ids").unwrap_or_default();
            HttpResponse::json(
                200,
                &queries.events(ids, request.parameter("kennel"), request.number("wait_ms", 0)?).await?,
            )
        }
        ["v1", "events", id] => {
            let with_proof = match request.parameter("proof") {
                None | Some("true") => WithProof::Yes,
                Some("false") => WithProof::No,
                Some(_) => return Err(bad_field("proof", "proof must be true or false.")),
            };
            HttpResponse::json(
                200,
                &queries
                    .event(id, request.parameter("kennel"), request.number("wait_ms", 0)?, with_proof)
                    .await?,
            )
        }
        ["v1", "events", id, "visits"] => {
            HttpResponse::json(200, &queries.visits(id, request.parameter("cursor"), request.limit()?).await?)
        }
        ["v1", "kennels"] => HttpResponse::json(200, &queries.kennels().await?),
        ["v1", "birthplace"] => {
            let (line, account) = (request.parameter("line"), request.parameter("account"));
            HttpResponse::json(200, &queries.birthplace(line, account).await?)
        }
        ["v1", "kennels", kennel] => {
            let wait_ms = request.number("wait_ms", 0)?;
            let view = match request.parameter("above") {
                None => queries.kennel(kennel).await?,
                Some(above) => queries.kennel_above(kennel, height_of("above", above)?, wait_ms).await?,
            };
            HttpResponse::json(200, &view)
        }
        ["v1", "kennels", kennel, "offices"] => HttpResponse::json(200, &queries.offices(kennel).await?),
        ["v1", "kennels", kennel, "checkpoint"] => {
            HttpResponse::new(200, "text/plain; charset=utf-8", queries.checkpoint(kennel).await?)
        }
        ["v1", "kennels", kennel, "blocks"] => HttpResponse::json(
            200,
            &queries.blocks(kennel, request.parameter("cursor"), request.limit()?).await?,
        ),
        ["v1", "kennels", kennel, "blocks", height] => {
            HttpResponse::json(200, &queries.block(kennel, height_of("height", height)?).await?)
        }
        ["v1", "kennels", kennel, "blocks", height, "evidence"] => {
            let evidence = queries.evidence(kennel, height_of("height", height)?).await?;
            HttpResponse::new(200, "application/cbor", evidence)
        }
        ["v1", "kennels", kennel, "export"] => HttpResponse::json(200, &queries.export(kennel).await?),
        ["v1", "kennels", kennel, "export", from] => {
            let segment = queries.segment(kennel, height_of("from", from)?).await?;
            HttpResponse::new(200, "application/cbor", segment)
        }
        ["v1", "kennels", kennel, "acts", account] => {
            HttpResponse::json(200, &queries.acts(kennel, account, request.parameter("cursor")).await?)
        }
        ["v1", "pets", birth] => HttpResponse::json(200, &queries.pet(birth).await?),
        ["v1", "pets", birth, "events"] => HttpResponse::json(
            200,
            &queries.timeline(birth, request.parameter("cursor"), request.limit()?).await?,
        ),
        ["v1", "pets", birth, "proof"] => {
            HttpResponse::json(200, &queries.pet_proof(birth, request.parameter("kennel")).await?)
        }
        ["v1", "accounts", account] => HttpResponse::json(200, &queries.account(account).await?),
        ["v1", "accounts", account, "profile"] => HttpResponse::json(200, &queries.profile(account).await?),
        ["v1", "accounts", account, "list"] => HttpResponse::json(200, &queries.private_list(account).await?),
        ["v1", "accounts", account, "notices"] => HttpResponse::json(200, &queries.notices(account).await?),
        ["v1", "feed"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.feed(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "moderation", "queue"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.moderation_queue(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "moderation", "log"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.moderation_log(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "moderation", "moderators"] => HttpResponse::json(200, &queries.moderators().await?),
        ["v1", "market"] => {
            let filter = orders_asked(request)?;
            HttpResponse::json(
                200,
                &queries.market(&filter, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "market", "trades"] => {
            let kennel = request.parameter("kennel");
            HttpResponse::json(
                200,
                &queries.trades(kennel, request.parameter("cursor"), request.limit()?).await?,
            )
        }
        ["v1", "market", order] => HttpResponse::json(200, &queries.order(order).await?),
        ["v1", "rules", file] => {
            HttpResponse::new(200, "application/wasm", queries.rules(file).await?).immutable()
        }
        ["v1", "openapi.json"] => HttpResponse::new(200, "application/json", crate::openapi::document()),
        ["media", sha256] => photo(queries.photo(sha256).await?),
        ["healthz"] => {
            queries.kennels().await?;
            HttpResponse::new(200, "text/plain; charset=utf-8", "ok\n")
        }
        ["v1", ..] => no_route(request),
        _ => return Ok(None),
    }))
}

/// Which open orders a request asks for.
///
/// # Errors
/// A problem that names the parameter.
pub fn orders_asked(request: &HttpRequest) -> Result<OrderFilter<'_>, Problem> {
    let side = match request.parameter("side") {
        None => None,
        Some("offer") => Some(Side::Offer),
        Some("bid") => Some(Side::Bid),
        Some(_) => return Err(bad_field("side", "side must be offer or bid.")),
    };
    let sort = match request.parameter("by") {
        None | Some("price") => OrderSort::Price,
        Some("age") => OrderSort::Age,
        Some(_) => return Err(bad_field("by", "by must be price or age.")),
    };
    Ok(OrderFilter { kennel: request.parameter("kennel"), side, pet: request.parameter("pet"), sort })
}

fn height_of(field: &str, text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| bad_field(field, format!("{field} must be a whole number.")))
}

/// Hands out an upload, whose uploader chose its bytes: shown only if it begins as an image does,
/// by a type that doesn't depend on what was declared; anything else can only be saved.
fn photo(content: Vec<u8>) -> HttpResponse {
    let (media_type, disposition) = match content.as_slice() {
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", "inline"),
        [0x89, b'P', b'N', b'G', ..] => ("image/png", "inline"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", "inline"),
        _ => ("application/octet-stream", "attachment"),
    };
    let mut response = HttpResponse::new(200, media_type, content).immutable();
    response.headers.insert("content-disposition", disposition.to_owned());
    let policy = "default-src 'none'; frame-ancestors 'none'; sandbox".to_owned();
    response.headers.insert("content-security-policy", policy);
    response
}
