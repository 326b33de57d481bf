//! Offering rules to a kennel of this service.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pitpet_pipeline::api::Problem;
use pitpet_pipeline::founding::Foundings;
use pitpet_pipeline::head::Founding;
use pitpet_pipeline::http::HttpResponse;
use pitpet_pipeline::offer::{OfferError, Offered, Offering, When};
use pitpet_pipeline::problem::{bad_field, not_found, problem, unavailable};
use serde::{Deserialize, Serialize};

use super::kennels::Admin;

/// A request to change a kennel's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRules {
    /// The kennel, by label or id.
    pub kennel: String,
    /// The module, base64; without one the change before is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// From which height on it decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_height: Option<u64>,
    /// Or how many blocks above the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_blocks: Option<u64>,
}

/// What is wrong with a request, or in the way of it.
fn refused(error: OfferError) -> Problem {
    let detail = error.to_string();
    match error {
        OfferError::TooSoon { .. } => bad_field("at_height", detail),
        OfferError::Same(_) => bad_field("module", detail),
        OfferError::Unfit { .. } => {
            problem(422, "unfit-module", "The module is refused", detail, Some("module"))
        }
        OfferError::Ledger(error) => error.into(),
        OfferError::Objects(error) => error.into(),
        OfferError::Queue(error) => error.into(),
    }
}

pub(super) async fn offer(admin: &Admin, new: &NewRules) -> HttpResponse {
    match offered(admin, new).await {
        Ok(offered) => HttpResponse::json(202, &view(&offered)),
        Err(problem) => problem.into(),
    }
}

fn view(offered: &Offered) -> serde_json::Value {
    serde_json::json!({
        "event": offered.event.to_string(),
        "rules_hash": offered.rules.to_string(),
        "at_height": offered.rehearsed.map(|_| offered.at_height),
        "tried_at": offered.rehearsed.map(|tried| tried.height),
        "state_bytes_before": offered.rehearsed.map(|tried| tried.bytes_before),
        "state_bytes_after": offered.rehearsed.map(|tried| tried.bytes_after),
    })
}

async fn offered(admin: &Admin, new: &NewRules) -> Result<Offered, Problem> {
    let founding = founding(admin, &new.kennel).await?;
    let Some(module) = &new.module else {
        let offering = offering(admin, admin.modules.clone());
        return offering.withdraw(&founding).await.map_err(refused);
    };
    let wasm = STANDARD
        .decode(module)
        .map_err(|_| bad_field("module", "module must be standard base64 with padding."))?;
    let when = match (new.at_height, new.in_blocks) {
        (Some(height), None) => When::At(height),
        (None, Some(blocks)) => When::After(blocks),
        _ => return Err(bad_field("at_height", "Give either at_height or in_blocks.")),
    };
    let modules = super::modules_to_try(&admin.folder, &wasm).map_err(|error| unavailable(&error))?;
    offering(admin, Arc::new(modules)).offer(&founding, &wasm, when).await.map_err(refused)
}

fn offering(admin: &Admin, modules: Arc<dyn pitpet_pipeline::ports::ModuleHost>) -> Offering<'_> {
    Offering {
        table: admin.table.clone(),
        objects: admin.objects.clone(),
        modules,
        queue: admin.queue.as_ref(),
        operator: &admin.keys.operator,
        now_ms: admin.clock.now_ms(),
    }
}

async fn founding(admin: &Admin, name: &str) -> Result<Founding, Problem> {
    let listed = Foundings::new(admin.table.clone()).list().await?;
    let found = listed.into_iter().find(|of| of.label == name || of.kennel.to_string() == name);
    found.ok_or_else(|| not_found("such kennel", "kennel"))
}
