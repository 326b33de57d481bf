//! What an operator does: on a service on this machine with the token in its data folder, on a
//! deployment to AWS with the operator's own credentials ([`super::deployment`]); on the stores
//! themselves, wherever they are ([`super::upkeep`]).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pitpet_chain::hash::EventId;
use pitpet_cli::failure::Failure;
use pitpet_local::queue::DEAD_LIST_MAX;
use pitpet_local::service::{ADMIN_TOKEN_FILE, NewKennel, NewRules};
use pitpet_pipeline::api::{ErasedView, Problem};
use pitpet_pipeline::message::DeadLetterView;
use pitpet_pipeline::verify::report::many;
use serde_json::Value;

use crate::args::{AdminArgs, AdminCommand, AdminKennelCommand};
use crate::context::Context;

/// `admin`
pub(crate) async fn run(context: &Context, args: AdminArgs) -> Result<(), Failure> {
    if let AdminCommand::Moderators(moderators) = &args.command {
        return super::moderate::moderators(context, &args, moderators).await;
    }
    if let Some(task) = super::upkeep::task(&args) {
        return super::upkeep::run(context, &args, task).await;
    }
    if let Some(file) = &args.deployment {
        return super::deployment::run(context, file, args.command).await;
    }
    let token = || token(&args.data_dir);
    let url = context.common.url.trim_end_matches('/');
    let http = reqwest::Client::new();
    match args.command {
        AdminCommand::Kennel(AdminKennelCommand::Open {
            label,
            preset,
            stamp_bits,
            birth_bits,
            seal_bits,
            idle_ms,
            living_max,
            witnesses,
            threshold,
        }) => {
            let preset = preset.into();
            let witnesses = witnesses.iter().map(ToString::to_string).collect();
            let threshold = threshold.unwrap_or_default();
            let new = NewKennel {
                label,
                preset,
                stamp_bits,
                birth_bits,
                seal_bits,
                idle_ms,
                living_max,
                witnesses,
                threshold,
            };
            let request = http.post(format!("{url}/admin/kennels")).bearer_auth(token()?).json(&new);
            let answer = send(request).await?;
            let text = format!("Kennel {} is open: {}\n", text(&answer, "label"), text(&answer, "id"));
            context.print(answer, &text);
        }
        AdminCommand::Kennel(AdminKennelCommand::Witnesses { kennel, witnesses, threshold, none: _ }) => {
            let key = super::appoint::operator_key(&args.data_dir)?;
            super::appoint::witnesses(context, &key, &kennel, witnesses, threshold.unwrap_or_default())
                .await?;
        }
        AdminCommand::Queue => {
            let answer = send(http.get(format!("{url}/admin/queue")).bearer_auth(token()?)).await?;
            let text = format!(
                "waiting messages: {}, being mined: {}, dead letters: {}\n",
                answer["visible"], answer["in_flight"], answer["dead"]
            );
            context.print(answer, &text);
        }
        AdminCommand::Upgrade { kennel, module, at_height, in_blocks, .. } => {
            let module = module.as_deref().map(super::upgrade::read_module).transpose()?;
            let in_blocks = super::upgrade::in_blocks(module.is_some(), at_height, in_blocks);
            let module = module.map(|wasm| BASE64.encode(wasm));
            let new = NewRules { kennel, module, at_height, in_blocks };
            let request = http.post(format!("{url}/admin/upgrades")).bearer_auth(token()?).json(&new);
            let answer = send(request).await?;
            let event = text(&answer, "event").parse::<EventId>();
            let event = event.map_err(|_| Failure::Unreachable("the answer names no event".to_owned()))?;
            super::upgrade::end(context, event, answer).await?;
        }
        AdminCommand::Erase { event } => {
            let request = http.post(format!("{url}/admin/erasures")).bearer_auth(token()?);
            let answer = send(request.json(&serde_json::json!({ "event": event.to_string() }))).await?;
            let erased = serde_json::from_value(answer)
                .map_err(|error| Failure::Unreachable(format!("the answer can't be read: {error}")))?;
            print_erased(context, &erased);
        }
        AdminCommand::EraseProfile { account } => {
            let request = http.post(format!("{url}/admin/profile-erasures")).bearer_auth(token()?);
            let answer = send(request.json(&serde_json::json!({ "account": account }))).await?;
            print_erased_profile(context, text(&answer, "account"));
        }
        AdminCommand::DeadLetters => {
            let answer = send(http.get(format!("{url}/admin/dead-letters")).bearer_auth(token()?)).await?;
            let letters: Vec<DeadLetterView> = serde_json::from_value(answer)
                .map_err(|error| Failure::Unreachable(format!("the answer can't be read: {error}")))?;
            print_dead_letters(context, &letters, &format!("the first {DEAD_LIST_MAX} at most"));
        }
        AdminCommand::Redrive => {
            let answer = send(http.post(format!("{url}/admin/redrive")).bearer_auth(token()?)).await?;
            print_redriven(context, answer["redriven"].as_u64().unwrap_or_default());
        }
        AdminCommand::Kennel(AdminKennelCommand::List)
        | AdminCommand::Moderators(_)
        | AdminCommand::Verify { .. }
        | AdminCommand::Repair { .. }
        | AdminCommand::Snapshot { .. } => unreachable!("handled above"),
    }
    Ok(())
}

/// Says what was erased, and what an edge may still keep of it.
pub(super) fn print_erased(context: &Context, erased: &ErasedView) {
    let mut text = format!("Erased: the text of {}. The event and its proofs stay.\n", erased.event);
    if let Some(photo) = &erased.photo {
        text.push_str(&format!(
            "Its photo is erased too; edge caches may keep /media/{photo} and /thumb/{photo}\n"
        ));
    }
    context.print(serde_json::json!(erased), &text);
}

/// Lists dead letters; `which` says how many of them at most.
pub(super) fn print_dead_letters(context: &Context, letters: &[DeadLetterView], which: &str) {
    let mut text = format!("{}; {which}\n", many(letters.len() as u64, "dead letter"));
    for letter in letters {
        let kennel = letter.kennel.get(..16).unwrap_or(&letter.kennel);
        let about = match &letter.events {
            Some(events) => format!("kennel {kennel}…, {}", many(events.len() as u64, "event")),
            None => format!("group {kennel}…, no message of PitPet"),
        };
        text.push_str(&format!("  {}  {about}, {} bytes\n", letter.id, letter.bytes));
    }
    context.print(serde_json::json!(letters), &text);
}

/// Says how many dead letters were sent to be mined again.
pub(super) fn print_redriven(context: &Context, count: u64) {
    let text = format!("Back in the queue: {}\n", many(count, "message"));
    context.print(serde_json::json!({ "redriven": count }), &text);
}

/// Says whose profile was erased.
pub(super) fn print_erased_profile(context: &Context, account: &str) {
    let text = format!("Erased: the profile of {account}, which can set no other one.\n");
    context.print(serde_json::json!({ "account": account }), &text);
}

fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_default()
}

pub(super) fn token(data_dir: &Path) -> Result<String, Failure> {
    let path = data_dir.join(ADMIN_TOKEN_FILE);
    let token = std::fs::read_to_string(&path).map_err(|error| {
        Failure::Usage(format!(
            "can't read the operator's token {}: {error}; name the service's folder with --data-dir",
            path.display()
        ))
    })?;
    Ok(token.trim().to_owned())
}

pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let unreachable = |error: reqwest::Error| {
        Failure::Unreachable(format!(
            "the service does not answer: {error}; say where it is with --url or PITPET_URL"
        ))
    };
    let answer = request.send().await.map_err(unreachable)?;
    let is_success = answer.status().is_success();
    let body = answer.bytes().await.map_err(unreachable)?;
    if !is_success {
        let problem = serde_json::from_slice::<Problem>(&body);
        return Err(problem.map_or_else(
            |_| {
                Failure::Unreachable(
                    "the service refused without a reason; is it this one? --url or PITPET_URL".to_owned(),
                )
            },
            Failure::from,
        ));
    }
    serde_json::from_slice(&body)
        .map_err(|error| Failure::Unreachable(format!("the answer can't be read: {error}")))
}
