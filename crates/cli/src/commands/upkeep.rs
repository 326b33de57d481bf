//! What an operator does on the stores themselves: of a deployment while it runs, of a data folder
//! while its service is stopped.
//!
//! Deliberately absent: anything that could change a ledger. All of it can be repeated, and
//! stopped at any moment.

use std::num::NonZeroUsize;
use std::sync::Arc;

use pitpet_chain::hash::{EventId, RulesHash};
use pitpet_cli::client::now_ms;
use pitpet_cli::failure::Failure;
use pitpet_pipeline::belongings::erase_profile_of;
use pitpet_pipeline::erase::{EraseError, erase_by_operator};
use pitpet_pipeline::founding::Foundings;
use pitpet_pipeline::fsck::Mode;
use pitpet_pipeline::head::{Founding, LedgerError, read_head};
use pitpet_pipeline::kennels::Kennels;
use pitpet_pipeline::ports::{Consistency, Objects, Table};
use pitpet_pipeline::problem::not_found;
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::verify::report::many;
use pitpet_pipeline::window::WindowRule;
use pitpet_pipeline::{publisher, snapshots};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::deployment::Stores;
use super::fsck::{check, open_folder};
use super::verify::modules;
use crate::args::{AdminArgs, AdminCommand, AdminKennelCommand};
use crate::context::{Context, block_bar, plain};

/// What to do.
pub(super) enum Task {
    List,
    Verify { kennel: Option<String>, allow_rules: Vec<RulesHash> },
    Repair { kennel: String, from: u64 },
    Snapshot { kennel: String },
    Erase { event: EventId },
    EraseProfile { account: String },
}

/// The task of a command, if it is one of these.
pub(super) fn task(args: &AdminArgs) -> Option<Task> {
    Some(match &args.command {
        AdminCommand::Kennel(AdminKennelCommand::List) => Task::List,
        AdminCommand::Verify { kennel, allow_rules } => {
            Task::Verify { kennel: kennel.clone(), allow_rules: allow_rules.clone() }
        }
        AdminCommand::Repair { kennel, from } => Task::Repair { kennel: kennel.clone(), from: *from },
        AdminCommand::Snapshot { kennel } => Task::Snapshot { kennel: kennel.clone() },
        // A service on this machine does it itself, while it runs.
        AdminCommand::Erase { event } if args.deployment.is_some() => Task::Erase { event: *event },
        AdminCommand::EraseProfile { account } if args.deployment.is_some() => {
            Task::EraseProfile { account: account.clone() }
        }
        _ => return None,
    })
}

/// Opens the stores, does it, and closes them.
pub(super) async fn run(context: &Context, args: &AdminArgs, task: Task) -> Result<(), Failure> {
    let (Stores { table, objects, search_words_max }, folder) = match &args.deployment {
        Some(file) => (super::deployment::stores(file)?, None),
        None => {
            let folder = open_folder(&args.data_dir)?;
            let (table, objects) = (folder.table(), folder.objects());
            (Stores { table, objects, search_words_max: WORDS_MAX }, Some(folder))
        }
    };
    let ended = match task {
        Task::List => list(context, table).await,
        Task::Verify { kennel, allow_rules } => {
            let objects = Some(objects);
            check(context, kennel.as_deref(), Mode::Check, &allow_rules, table, objects, search_words_max)
                .await
        }
        Task::Repair { kennel, from } => repair(context, table, &kennel, from, search_words_max).await,
        Task::Snapshot { kennel } => snapshot(context, table, objects, &kennel).await,
        Task::Erase { event } => erase(context, table, objects, &event).await,
        Task::EraseProfile { account } => erase_profile(context, table, &account).await,
    };
    if let Some(folder) = folder {
        block_in_place(|| folder.close());
    }
    ended
}

async fn erase(
    context: &Context,
    table: Arc<dyn Table>,
    objects: Arc<dyn Objects>,
    event: &EventId,
) -> Result<(), Failure> {
    let erased = erase_by_operator(table, objects.as_ref(), event, now_ms()).await;
    let erased = erased.map_err(|error| match error {
        EraseError::Ledger(error) => failed(error),
        error => Failure::Unreachable(error.to_string()),
    })?;
    let erased = erased.ok_or_else(|| Failure::from(not_found("such event with a text", "event")))?;
    super::admin::print_erased(context, &erased);
    Ok(())
}

async fn erase_profile(context: &Context, table: Arc<dyn Table>, account: &str) -> Result<(), Failure> {
    let erased = erase_profile_of(table.as_ref(), account, now_ms()).await.map_err(failed)?;
    let erased =
        erased.ok_or_else(|| Failure::usage(format!("there is no account {account:?} (field: account)")))?;
    super::admin::print_erased_profile(context, &erased.to_string());
    Ok(())
}

fn failed(error: LedgerError) -> Failure {
    match error {
        LedgerError::Damaged(_) => Failure::Invalid(error.to_string()),
        error => Failure::Unreachable(error.to_string()),
    }
}

/// A kennel of the list, by its label or id.
pub(super) async fn founding(table: &Arc<dyn Table>, name: &str) -> Result<Founding, Failure> {
    let listed = Foundings::new(table.clone()).list().await.map_err(failed)?;
    let found = listed.into_iter().find(|of| of.label == name || of.kennel.to_string() == name);
    found.ok_or_else(|| Failure::usage(format!("there is no kennel {name:?}")))
}

async fn list(context: &Context, table: Arc<dyn Table>) -> Result<(), Failure> {
    let mut kennels = Vec::new();
    let mut text =
        format!("{:<20} {:>10} {:>10} {:>8} {:>7}  id\n", "kennel", "height", "published", "age", "living");
    for founding in Foundings::new(table.clone()).list().await.map_err(failed)? {
        let head = read_head(table.as_ref(), &founding, Consistency::Strong).await.map_err(failed)?;
        let totals = &head.summary.totals;
        text.push_str(&format!(
            "{:<20} {:>10} {:>10} {:>8} {:>7}  {}\n",
            plain(&founding.label),
            head.height,
            head.published_height,
            totals.age,
            totals.living,
            founding.kennel
        ));
        kennels.push(json!({
            "label": founding.label,
            "id": founding.kennel.to_string(),
            "height": head.height,
            "hash": head.hash.to_string(),
            "published_height": head.published_height,
            "timestamp_ms": head.header.timestamp_ms,
            "age": totals.age,
            "living": totals.living,
        }));
    }
    context.print(Value::Array(kennels), &text);
    Ok(())
}

async fn repair(
    context: &Context,
    table: Arc<dyn Table>,
    name: &str,
    from: u64,
    search_words_max: usize,
) -> Result<(), Failure> {
    let founding = founding(&table, name).await?;
    let head = read_head(table.as_ref(), &founding, Consistency::Strong).await.map_err(failed)?;
    if from > head.height {
        return Err(Failure::usage(format!(
            "--from is {from}, and the head of {name} is at {}",
            head.height
        )));
    }
    let bar = block_bar("publishing", head.height + 1);
    let note = |height| bar.set_position(height + 1);
    let published =
        publisher::republish(table.as_ref(), &founding, from, &WindowRule::DEFAULT, search_words_max, note);
    let published = published.await.map_err(failed)?;
    bar.finish_and_clear();
    context.print(
        json!({ "kennel": founding.kennel.to_string(), "published": published, "height": head.height }),
        &format!(
            "{}: published again, up to the end of the newest closed window: {}\n",
            plain(&founding.label),
            many(published, "block")
        ),
    );
    Ok(())
}

async fn snapshot(
    context: &Context,
    table: Arc<dyn Table>,
    objects: Arc<dyn Objects>,
    name: &str,
) -> Result<(), Failure> {
    let founding = founding(&table, name).await?;
    let head = read_head(table.as_ref(), &founding, Consistency::Strong).await.map_err(failed)?;
    let kennels = Kennels::new(Arc::new(modules(context)?), table, objects.clone(), NonZeroUsize::MIN);
    let mut kennel = kennels.take(&founding, &head).await.map_err(failed)?;
    let content = kennel.instance.snapshot().map_err(LedgerError::from).map_err(failed)?;
    let place = snapshots::Place { height: head.height, hash: head.hash };
    snapshots::write(objects.as_ref(), &founding.kennel, &place, &content)
        .await
        .map_err(|error| failed(error.into()))?;
    context.print(
        json!({ "kennel": founding.kennel.to_string(), "height": head.height, "hash": head.hash.to_string(), "bytes": content.len() }),
        &format!(
            "A snapshot of {} at height {} is written: {} bytes\n",
            plain(&founding.label),
            head.height,
            content.len()
        ),
    );
    Ok(())
}
