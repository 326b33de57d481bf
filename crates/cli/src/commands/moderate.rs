//! Reports, verdicts, erasing, and who moderates.

use std::path::Path;

use ed25519_dalek::SigningKey;
use pitpet_chain::event::Verdict;
use pitpet_chain::hash::{AccountId, EventId, PublicKey};
use pitpet_chain::limits;
use pitpet_cli::act::Act;
use pitpet_cli::client::{Client, Done};
use pitpet_cli::failure::Failure;
use pitpet_cli::keys::public;
use pitpet_pipeline::api::{KennelModeratorsView, QueuedView, VerdictView};
use pitpet_pipeline::problem::not_found;
use pitpet_pipeline::verify::report::many;
use serde_json::json;
use zeroize::Zeroizing;

use super::act::{Actor, report as print_done};
use super::look::more;
use crate::args::{
    AdminArgs, EraseArgs, ModerateArgs, ModerateCommand, ModerationPage, ModeratorsArgs, ReportArgs,
    VerdictArgs,
};
use crate::context::{Context, Reporter};

/// `report`
pub(crate) async fn report(context: &Context, args: ReportArgs) -> Result<(), Failure> {
    let Actor { client, account } = Actor::new(context)?;
    let view = client.report(account.id, account.newest_key(), &args.event, args.reason.into()).await?;
    let text = format!("Reported as {}. The moderators see it in their queue.", view.reason);
    context.print(json!(view), &text);
    Ok(())
}

/// `erase`
pub(crate) async fn erase(context: &Context, args: EraseArgs) -> Result<(), Failure> {
    let Actor { client, account } = Actor::new(context)?;
    let view = client.erase(account.id, account.newest_key(), &args.event).await?;
    let text = format!("Erased: the text of {}. The event and its proofs stay.", view.event);
    context.print(json!(view), &text);
    Ok(())
}

/// `moderate …`
pub(crate) async fn run(context: &Context, args: ModerateArgs) -> Result<(), Failure> {
    match args.command {
        ModerateCommand::Queue(page) => {
            let query = query(page);
            let view = context.client()?.moderation_queue(&query).await?;
            let mut text: String = view.entries.iter().map(queued).collect();
            if view.entries.is_empty() {
                text.push_str("Nothing waits for a decision.\n");
            }
            if let Some(cursor) = &view.cursor {
                text.push_str(&more("moderate queue", &query, cursor));
            }
            context.print(json!(view), &text);
        }
        ModerateCommand::Log(page) => {
            let query = query(page);
            let view = context.client()?.moderation_log(&query).await?;
            let mut text: String = view.entries.iter().map(decided).collect();
            if view.entries.is_empty() {
                text.push_str("No moderator has decided anything yet.\n");
            }
            if let Some(cursor) = &view.cursor {
                text.push_str(&more("moderate log", &query, cursor));
            }
            context.print(json!(view), &text);
        }
        ModerateCommand::Hide(args) => verdict(context, args, Verdict::Hide).await?,
        ModerateCommand::Show(args) => verdict(context, args, Verdict::Show).await?,
    }
    Ok(())
}

fn query(page: ModerationPage) -> Vec<(&'static str, String)> {
    let mut query = vec![("limit", page.limit.to_string())];
    query.extend(page.kennel.map(|kennel| ("kennel", kennel)));
    query.extend(page.cursor.map(|cursor| ("cursor", cursor)));
    query
}

fn queued(entry: &QueuedView) -> String {
    let reasons: Vec<String> =
        entry.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let text = entry.text.as_deref().unwrap_or("(no text)").replace('\n', " ");
    format!(
        "{} of {} ({})\n  {text}\n  event {}\n",
        entry.kind,
        many(entry.reporters, "reporter"),
        reasons.join(", "),
        entry.event
    )
}

fn decided(entry: &VerdictView) -> String {
    let what = if entry.verdict == "hide" { "hidden" } else { "shown" };
    format!(
        "{} {what}: {}\n  block {}, event {}, verdict {}\n",
        entry.target_kind.as_deref().unwrap_or("an unknown event"),
        entry.reason.as_deref().unwrap_or("(the reason was erased)"),
        entry.height,
        entry.target,
        entry.id
    )
}

/// Reads a key as an installation keeps its own: 64 hexadecimal digits.
fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    let fault = |why: String| Failure::usage(format!("can't read the key {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| fault(error.to_string()))?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *seed)
        .map_err(|_| fault("it must hold 64 hexadecimal digits".to_owned()))?;
    Ok(SigningKey::from_bytes(&seed))
}

async fn verdict(context: &Context, args: VerdictArgs, verdict: Verdict) -> Result<(), Failure> {
    let act = Act::Moderate { target: args.event, verdict, reason: args.reason };
    act.check()?;
    let client = context.client()?;
    let key = match &args.key {
        Some(path) => read_key(path)?,
        None => context.account()?.newest_key().clone(),
    };
    let kennel = kennel_of(&client, &args.event).await?;
    let done = if verdict == Verdict::Hide { "Hidden." } else { "Shown." };
    perform(context, &client, &kennel, &key, act, done).await
}

async fn kennel_of(client: &Client, event: &EventId) -> Result<String, Failure> {
    let view = client.event(event, None, 0).await?;
    let view = view.ok_or_else(|| Failure::from(not_found("such event", "event")))?;
    match view.place.as_ref().map(|place| place.kind.as_str()) {
        Some("birth" | "post" | "comment") => Ok(view.kennel),
        _ => Err(Failure::usage(format!("event {event} is no birth, post or comment (field: event)"))),
    }
}

/// Does what an office does, for which no account is needed.
async fn perform(
    context: &Context,
    client: &Client,
    kennel: &str,
    key: &SigningKey,
    act: Act,
    done: &str,
) -> Result<(), Failure> {
    let kennel = client.kennel(kennel).await?.0;
    let reporter = Reporter::new(context.common.json);
    let account = AccountId::of(&public(key));
    let outcome: Done = client
        .perform(&kennel, account, key, &act, context.wait(), &|progress| reporter.tell(progress))
        .await?;
    print_done(context, &kennel, &outcome, done);
    Ok(())
}

/// `admin moderators`
pub(crate) async fn moderators(
    context: &Context,
    admin: &AdminArgs,
    args: &ModeratorsArgs,
) -> Result<(), Failure> {
    let client = context.client()?;
    let mut kennels = client.moderators().await?.kennels;
    if let Some(name) = &args.kennel {
        kennels.retain(|view| view.label == *name || view.kennel == *name);
        if kennels.is_empty() {
            return Err(Failure::usage(format!("there is no kennel {name:?} (field: kennel)")));
        }
    }
    if args.add.is_empty() && args.remove.is_empty() && args.operator.is_none() {
        let text: String = kennels.iter().map(offices).collect();
        context.print(json!({ "kennels": kennels }), &text);
        return Ok(());
    }
    let acts: Vec<(String, Act)> = kennels
        .iter()
        .map(|view| Ok((view.kennel.clone(), appointment(view, args)?)))
        .collect::<Result<_, Failure>>()?;
    let key = match &admin.deployment {
        Some(file) => super::deployment::operator_key(file).await?,
        None => super::appoint::operator_key(&admin.data_dir)?,
    };
    for (kennel, act) in acts {
        perform(context, &client, &kennel, &key, act, "Appointed.").await?;
    }
    Ok(())
}

fn offices(view: &KennelModeratorsView) -> String {
    let mut text = format!("{}\n  operator  {}\n", view.label, view.operator);
    for key in &view.moderators {
        text.push_str(&format!("  moderator {key}\n"));
    }
    for key in &view.witnesses {
        text.push_str(&format!("  witness   {key}\n"));
    }
    text
}

/// All offices anew, with the changes that are asked for.
fn appointment(view: &KennelModeratorsView, args: &ModeratorsArgs) -> Result<Act, Failure> {
    let read = |keys: &[String]| -> Result<Vec<PublicKey>, Failure> {
        let wrong = |_| Failure::Unreachable("the server's answer makes no sense: moderators".to_owned());
        keys.iter().map(|key| key.parse().map_err(wrong)).collect()
    };
    let operator = read(std::slice::from_ref(&view.operator))?[0];
    let mut moderators = read(&view.moderators)?;
    for key in &args.remove {
        let before = moderators.len();
        moderators.retain(|held| held != key);
        if moderators.len() == before {
            return Err(Failure::usage(format!("{key} doesn't moderate {} (field: remove)", view.label)));
        }
    }
    for key in &args.add {
        if !moderators.contains(key) {
            moderators.push(*key);
        }
    }
    if moderators.len() > limits::MODERATORS_MAX {
        return Err(Failure::usage(format!(
            "{} would have {} moderators, and at most {} are possible (field: add)",
            view.label,
            moderators.len(),
            limits::MODERATORS_MAX
        )));
    }
    Ok(Act::Appoint {
        operator: args.operator.unwrap_or(operator),
        moderators,
        witnesses: read(&view.witnesses)?,
        threshold: view.threshold,
    })
}
