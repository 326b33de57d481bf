//! `fsck`: all that a data folder or a table holds, against its ledgers.

use std::path::Path;
use std::sync::Arc;

use indicatif::ProgressBar;
use pitpet_aws::environment;
use pitpet_chain::hash::RulesHash;
use pitpet_chain_host::Releases;
use pitpet_cli::failure::Failure;
use pitpet_local::service::{DataFolder, FolderError};
use pitpet_pipeline::fsck::{Fault, Fsck, Mode, Note, Remedy, Summary};
use pitpet_pipeline::head::LedgerError;
use pitpet_pipeline::items;
use pitpet_pipeline::ports::{ObjectError, Objects, Table};
use pitpet_pipeline::search::WORDS_MAX;
use pitpet_pipeline::verify::report::many;
use pitpet_pipeline::window::WindowRule;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::verify::{modules, modules_with, rules_folder};
use crate::args::FsckArgs;
use crate::context::{Context, block_bar, plain, show};

/// Faults that a JSON answer lists; all are counted.
const LISTED_MAX: usize = 1_000;

/// `fsck`
pub(crate) async fn run(context: &Context, args: FsckArgs) -> Result<(), Failure> {
    let wanted = args.kennel.as_deref();
    let mode = if args.repair { Mode::Repair } else { Mode::Check };
    match &args.table {
        None => {
            let folder = open_folder(&args.data_dir)?;
            let (table, objects) = (folder.table(), Some(folder.objects()));
            let ended = check(context, wanted, mode, &args.allow_rules, table, objects, WORDS_MAX).await;
            block_in_place(|| folder.close());
            ended
        }
        Some(name) => {
            let unusable = |error: environment::EnvironmentError| Failure::usage(error.to_string());
            let table = environment::table_named(name).map_err(unusable)?;
            let objects =
                args.objects.as_deref().map(environment::objects_at).transpose().map_err(unusable)?;
            let words_max = environment::search_words().map_err(unusable)?;
            check(context, wanted, mode, &args.allow_rules, table, objects, words_max).await
        }
    }
}

/// Opens the folder of a service that is not running.
pub(super) fn open_folder(folder: &Path) -> Result<DataFolder, Failure> {
    block_in_place(|| DataFolder::open(folder)).map_err(|error| match error {
        FolderError::Absent(_) => Failure::usage(format!("{error}; name one with --data-dir")),
        FolderError::Damaged { .. } => Failure::Invalid(error.to_string()),
        FolderError::Other(_) => Failure::Unreachable(error.to_string()),
    })
}

/// Checks, and repairs if the mode says so. Of each text so many words must be listed.
pub(super) async fn check(
    context: &Context,
    kennel: Option<&str>,
    mode: Mode,
    allowed: &[RulesHash],
    table: Arc<dyn Table>,
    objects: Option<Arc<dyn Objects>>,
    search_words_max: usize,
) -> Result<(), Failure> {
    let modules = match &objects {
        Some(objects) => modules_with(context, allowed_releases(context, allowed, objects.as_ref()).await?)?,
        None => modules(context)?,
    };
    let fsck = Fsck {
        table,
        objects: objects.as_deref(),
        modules: &modules,
        rules: super::rules::trusted().into_iter().chain(allowed.iter().copied()).collect(),
        mode,
        search_words_max,
        window: WindowRule::DEFAULT,
    };
    let mut bar = ProgressBar::hidden();
    let mut listed = Vec::new();
    let mut observer = |note: Note<'_>| match note {
        Note::Kennel { label, size } => {
            bar.finish_and_clear();
            bar = block_bar(&format!("checking {}", plain(label)), size);
        }
        Note::Height(height) => bar.set_position(height + 1),
        Note::Fault(fault) if context.common.json => {
            if listed.len() < LISTED_MAX {
                listed.push(record(fault));
            }
        }
        Note::Fault(fault) => bar.suspend(|| show(&plain(&fault.to_string()))),
    };
    let summary = fsck.run(kennel, &mut observer).await.map_err(|error| match error {
        LedgerError::UnknownKennel => {
            Failure::usage(format!("there is no kennel {:?}", kennel.unwrap_or_default()))
        }
        error => Failure::Unreachable(error.to_string()),
    })?;
    bar.finish_and_clear();
    context.print(
        json!({ "clean": summary.is_clean(), "summary": &summary, "faults": listed }),
        &shown(&summary),
    );
    ended(&summary)
}

/// This release's modules, and those allowed ones that the object store has.
async fn allowed_releases(
    context: &Context,
    allowed: &[RulesHash],
    objects: &dyn Objects,
) -> Result<Releases, Failure> {
    let mut stored = Vec::new();
    for rules in allowed {
        match objects.get(&items::rules_object(rules)).await {
            Ok(wasm) => stored.push(wasm),
            Err(ObjectError::NotFound) => {}
            Err(error) => return Err(Failure::Unreachable(error.to_string())),
        }
    }
    Ok(Releases::with_folder(rules_folder(context)).and(stored))
}

fn ended(summary: &Summary) -> Result<(), Failure> {
    if !summary.is_clean() {
        let left = summary.faults - summary.repaired - summary.lost;
        let advice = if left > 0 { "; --repair makes good what follows from the ledger" } else { "" };
        return Err(Failure::Invalid(format!(
            "faults that can be repaired: {left}, losses: {}{advice}",
            summary.lost
        )));
    }
    match &summary.unchecked[..] {
        [] => Ok(()),
        unchecked => Err(Failure::Unreachable(format!("not all could be checked: {}", unchecked.join("; ")))),
    }
}

fn record(fault: &Fault) -> Value {
    let (remedy, loss) = match &fault.remedy {
        Remedy::Repairable => ("repairable", None),
        Remedy::Repaired => ("repaired", None),
        Remedy::Lost(loss) => ("lost", Some(loss.to_string())),
    };
    json!({
        "kennel": fault.kennel.to_string(),
        "place": fault.place.to_string(),
        "flaw": fault.flaw.to_string(),
        "remedy": remedy,
        "loss": loss,
    })
}

fn shown(summary: &Summary) -> String {
    let verdict = match summary {
        summary if summary.faults == 0 => "Clean".to_owned(),
        summary if summary.is_clean() => format!("Clean now; faults repaired: {}", summary.repaired),
        summary => format!("Faults: {}, of which repaired: {}", summary.faults, summary.repaired),
    };
    format!(
        "{verdict}\n  \
         ledgers    {}, {}, {}; {} executed again, every signature checked\n  \
         read side  {} held against the blocks; to be published: {}\n  \
         bodies     {} right, {} erased on purpose\n  \
         objects    {} and {} right\n  \
         leftovers  staged blocks that lost: {}, others: {}; no fault\n",
        many(summary.kennels, "kennel"),
        many(summary.blocks, "block"),
        many(summary.events, "event"),
        many(summary.executed, "block"),
        many(summary.items, "item"),
        summary.unpublished,
        summary.bodies,
        summary.erased,
        many(summary.photos, "photo"),
        many(summary.snapshots, "snapshot"),
        summary.staged,
        summary.leftovers,
    )
}
