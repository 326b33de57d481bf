//! `verify`: ledgers of a server, or one in a file, executed again from their genesis.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::path::{Path, PathBuf};

use pitpet_chain::codec::decode;
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{KennelId, RulesHash};
use pitpet_chain_host::{ArtefactCache, Host, Releases, Settings, Target};
use pitpet_cli::client::Client;
use pitpet_cli::failure::Failure;
use pitpet_cli::kennel::{Head, Kennel};
use pitpet_cli::pins::Pins;
use pitpet_miner::WasmModules;
use pitpet_pipeline::checkpoint::Claim;
use pitpet_pipeline::export_file::{self, ExportReader, ReadError};
use pitpet_pipeline::query::Segment;
use pitpet_pipeline::verify::{KennelTrust, Terms, Verdict, Verifier, VerifyError, report};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::export::{file_fault, opening};
use super::rules;
use crate::args::VerifyArgs;
use crate::context::{Context, block_bar};

/// Kennels by id with the highest checkpoint seen, as it was before anything was asked.
pub(super) type Remembered = BTreeMap<String, Option<Claim>>;

/// Who sees the blocks of each ledger on the way, once they are verified.
pub(super) trait Walk {
    /// A ledger begins.
    fn begin(&mut self, genesis: &Genesis);
    /// Its next blocks.
    ///
    /// # Errors
    /// What makes the walk pointless.
    fn segment(&mut self, segment: &Segment) -> Result<(), Failure>;
}

/// Nobody.
pub(super) struct Unwatched;

impl Walk for Unwatched {
    fn begin(&mut self, _: &Genesis) {}
    fn segment(&mut self, _: &Segment) -> Result<(), Failure> {
        Ok(())
    }
}

/// What came of one ledger.
pub(super) struct Judged {
    pub(super) label: String,
    pub(super) verdict: Result<Verdict, Failure>,
}

/// For scripts: why there is no verdict on a ledger.
pub(super) fn unjudged(label: &str, failure: &Failure) -> Value {
    json!({ "label": label, "error": failure.to_string(), "exit_code": failure.exit_code() })
}

/// Verifies what the arguments name: of a server each ledger, whatever is wrong with another.
///
/// # Errors
/// As [`Failure`] says, where no ledger could be begun with.
pub(super) async fn ledgers(
    context: &Context,
    args: &VerifyArgs,
    walk: &mut dyn Walk,
) -> Result<Vec<Judged>, Failure> {
    let ledger = args.ledger.clone().unwrap_or_else(|| context.common.url.clone());
    if ledger.starts_with("http://") || ledger.starts_with("https://") {
        server(context, args, &ledger, walk).await
    } else {
        let (label, verdict) = block_in_place(|| file(context, args, Path::new(&ledger), walk))?;
        Ok(vec![Judged { label, verdict: Ok(verdict) }])
    }
}

/// Prints what is known of the ledgers, and ends with the worst that was wrong with any.
pub(super) fn end(
    context: &Context,
    judged: Vec<Judged>,
    records: Value,
    words: &[String],
) -> Result<(), Failure> {
    if context.common.json || !words.is_empty() {
        context.print(records, &words.join("\n"));
    }
    worst(judged.into_iter().filter_map(|one| one.verdict.err()).collect()).map_or(Ok(()), Err)
}

/// The worst of several failures, with the words of all: 1, shown to be false, over 3, not checked.
fn worst(mut failures: Vec<Failure>) -> Option<Failure> {
    if failures.len() < 2 {
        return failures.pop();
    }
    let code = failures.iter().map(Failure::exit_code).min()?;
    let text = failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    Some(match code {
        1 => Failure::Invalid(text),
        2 => Failure::Usage(text),
        _ => Failure::Unreachable(text),
    })
}

/// `verify`
pub(crate) async fn run(context: &Context, args: VerifyArgs) -> Result<(), Failure> {
    let judged = ledgers(context, &args, &mut Unwatched).await?;
    let (mut words, mut records) = (Vec::new(), Vec::new());
    for Judged { label, verdict } in &judged {
        words.extend(verdict.iter().map(|verdict| report::words(label, verdict)));
        records.push(match verdict {
            Ok(verdict) => report::record(label, verdict),
            Err(failure) => unjudged(label, failure),
        });
    }
    let valid = judged.iter().all(|one| one.verdict.is_ok());
    end(context, judged, json!({ "valid": valid, "ledgers": records }), &words)
}

async fn server(
    context: &Context,
    args: &VerifyArgs,
    url: &str,
    walk: &mut dyn Walk,
) -> Result<Vec<Judged>, Failure> {
    let client = Client::new(url, Pins::open(context.keys.path())?)?;
    let remembered = client.remembered();
    let kennels = match (&args.kennel, &args.genesis) {
        (Some(name), _) => vec![client.kennel(name).await?.0],
        (None, Some(id)) => vec![client.kennel(&id.to_string()).await?.0],
        (None, None) => {
            let views = client.kennels().await?;
            views.iter().map(|view| client.adopt(view)).collect::<Result<_, _>>()?
        }
    };
    if kennels.is_empty() {
        return Err(Failure::Unreachable(format!("{url}: there is no kennel to verify")));
    }
    if args.head.is_some() && kennels.len() > 1 {
        return Err(Failure::usage("--head is a block of one kennel: say which with --kennel or --genesis"));
    }
    fetch_rules(&client, &args.allow_rules, &rules_folder(context)).await?;
    let modules = modules(context)?;
    let mut judged = Vec::new();
    for kennel in kennels {
        let terms = terms(args, &kennel.id, &remembered);
        walk.begin(&kennel.genesis);
        let verdict = served(&client, &modules, &kennel, terms, walk).await;
        judged.push(Judged { label: kennel.label, verdict });
    }
    Ok(judged)
}

/// Verifies a kennel of a server.
async fn served(
    client: &Client,
    modules: &WasmModules,
    kennel: &Kennel,
    terms: Terms,
    walk: &mut dyn Walk,
) -> Result<Verdict, Failure> {
    let key = terms.checkpoint_key.unwrap_or(kennel.genesis.checkpoint);
    let opening = opening(client, kennel, &key).await?;
    let named = |failure: VerifyError| failed(&kennel.label, &failure);
    let mut verifier = Verifier::begin(modules, &opening, terms).map_err(named)?;
    let bar = block_bar(&format!("verifying {}", kennel.label), verifier.size());
    while verifier.next_height() <= opening.height {
        let segment = client.segment(kennel, verifier.next_height(), opening.height).await?;
        block_in_place(|| verifier.segment(&segment)).map_err(named)?;
        walk.segment(&segment)?;
        bar.set_position(verifier.next_height());
    }
    bar.finish_and_clear();
    let verdict = verifier.finish().map_err(named)?;
    client.remember(kennel, head(&verdict))?;
    Ok(verdict)
}

fn file(
    context: &Context,
    args: &VerifyArgs,
    path: &Path,
    walk: &mut dyn Walk,
) -> Result<(String, Verdict), Failure> {
    let name = path.display().to_string();
    let mut pins = Pins::open(context.keys.path())?;
    let remembered = pins.remembered();
    let mut input = File::open(path).map_err(|error| file_fault(path, &error))?;
    let unreadable = |error| match error {
        ReadError::Io(error) => Failure::Unreachable(format!("{name}: {error}")),
        error => Failure::Invalid(format!("{name}: {error}")),
    };
    // Digests first: they find damage before any block is executed.
    let (_, carried) = export_file::check(BufReader::new(&input)).map_err(unreadable)?;
    input.rewind().map_err(|error| Failure::Unreachable(format!("{name}: {error}")))?;
    let mut reader = ExportReader::open(BufReader::new(input)).map_err(unreadable)?;
    let opening = reader.opening().clone();
    let genesis: Genesis = decode(&opening.genesis.0)
        .map_err(|_| Failure::Invalid(format!("{name}: {}", VerifyError::GenesisMalformed)))?;
    let id = genesis.kennel();
    if let Some(wanted) = &args.kennel {
        let wanted: KennelId = wanted
            .parse()
            .map_err(|_| Failure::usage(format!("kennel `{wanted}`: a file's kennel is given by its id")))?;
        if wanted != id {
            return Err(Failure::Invalid(format!("{name}: the ledger is of kennel {id}, not of {wanted}")));
        }
    }
    let named = |failure: VerifyError| failed(&name, &failure);
    // By their hashes, which this release or --allow-rules must know: that a file carries a
    // module makes it no more trusted.
    let carried = carried.into_iter().map(|module| module.wasm.0);
    let modules = modules_with(context, Releases::with_folder(rules_folder(context)).and(carried))?;
    let mut verifier = Verifier::begin(&modules, &opening, terms(args, &id, &remembered)).map_err(named)?;
    let bar = block_bar("verifying", verifier.size());
    walk.begin(&genesis);
    while let Some(segment) = reader.next_segment().map_err(unreadable)? {
        verifier.segment(&segment).map_err(named)?;
        walk.segment(&segment)?;
        bar.set_position(verifier.next_height());
    }
    bar.finish_and_clear();
    let verdict = verifier.finish().map_err(named)?;
    pins.check_head(&of_file(&name, id, genesis, &verdict), 0, head(&verdict))?;
    Ok((name, verdict))
}

/// A kennel as its file shows it.
fn of_file(name: &str, id: KennelId, genesis: Genesis, verdict: &Verdict) -> Kennel {
    Kennel { id, label: name.to_owned(), genesis, anchor: verdict.head, free_places: 0 }
}

fn head(verdict: &Verdict) -> Head {
    Head { size: verdict.checkpoint.size, root: verdict.checkpoint.root }
}

fn terms(args: &VerifyArgs, kennel: &KennelId, remembered: &Remembered) -> Terms {
    let known = remembered.get(&kennel.to_string());
    Terms {
        kennel: match (&args.genesis, known) {
            (Some(given), _) => KennelTrust::Given(*given),
            (None, Some(_)) => KennelTrust::Remembered(*kennel),
            (None, None) => KennelTrust::FirstUse,
        },
        allowed: args.allow_rules.clone(),
        block: args.head,
        checkpoint_key: args.checkpoint_key,
        remembered: known.copied().flatten(),
        ..Terms::new(rules::trusted())
    }
}

pub(super) fn failed(ledger: &str, error: &VerifyError) -> Failure {
    let mut text = format!("{ledger}: {error}");
    if let VerifyError::UntrustedRules { rules, .. } = error {
        text.push_str(&format!(": --allow-rules {rules}"));
    }
    if error.is_invalid() { Failure::Invalid(text) } else { Failure::Unreachable(text) }
}

pub(super) fn rules_folder(context: &Context) -> PathBuf {
    context.keys.path().join("rules")
}

/// Fetches the allowed modules that neither this release nor the folder has.
pub(super) async fn fetch_rules(
    client: &Client,
    allowed: &[RulesHash],
    folder: &Path,
) -> Result<(), Failure> {
    let trusted = rules::trusted();
    for rules in allowed {
        let path = folder.join(format!("{rules}.wasm"));
        if trusted.contains(rules) || path.exists() {
            continue;
        }
        let module = client.rules(rules).await?;
        std::fs::create_dir_all(folder).map_err(|error| file_fault(folder, &error))?;
        let staged = tempfile::NamedTempFile::new_in(folder).map_err(|error| file_fault(folder, &error))?;
        std::fs::write(staged.path(), module).map_err(|error| file_fault(&path, &error))?;
        staged.persist(&path).map_err(|error| file_fault(&path, &error.error))?;
    }
    Ok(())
}

/// Chain modules, compiled on first use; the code is kept beside the keys.
pub(super) fn modules(context: &Context) -> Result<WasmModules, Failure> {
    modules_with(context, Releases::with_folder(rules_folder(context)))
}

/// [`modules`], from these.
pub(super) fn modules_with(context: &Context, releases: Releases) -> Result<WasmModules, Failure> {
    let target = Target::host().map_err(|error| Failure::Unreachable(error.to_string()))?;
    Ok(WasmModules::new(
        Host::compiling(target, Settings::default()),
        rules::carried(releases),
        ArtefactCache::new(context.keys.path().join("artefacts")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_false_outweighs_what_could_not_be_checked() {
        let unchecked = || Failure::Unreachable("town: unknown rules".to_owned());
        let invalid = || Failure::Invalid("classic: two histories".to_owned());
        assert!(worst(vec![]).is_none());
        assert_eq!(worst(vec![unchecked()]).unwrap().exit_code(), 3);
        assert_eq!(worst(vec![unchecked(), unchecked()]).unwrap().exit_code(), 3);
        for failures in [vec![unchecked(), invalid()], vec![invalid(), unchecked()]] {
            let worst = worst(failures).unwrap();
            assert_eq!(worst.exit_code(), 1);
            let text = worst.to_string();
            assert!(
                text.contains("town: unknown rules") && text.contains("classic: two histories"),
                "{text}"
            );
        }
    }
}
