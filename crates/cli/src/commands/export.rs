//! `export`: a kennel's whole ledger into one file.

use std::io::BufWriter;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pitpet_chain::codec::Bytes;
use pitpet_chain::hash::{PublicKey, RulesHash};
use pitpet_chain_host::Releases;
use pitpet_cli::client::Client;
use pitpet_cli::failure::Failure;
pub(super) use pitpet_cli::failure::file_fault;
use pitpet_cli::kennel::Kennel;
use pitpet_pipeline::export_file::{ExportWriter, Module, Opening, WriteError, rules_of};
use serde_json::json;

use crate::args::ExportArgs;
use crate::context::{Context, block_bar};

/// `export`
pub(crate) async fn run(context: &Context, args: ExportArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let (kennel, _) = client.kennel(&args.kennel).await?;
    let opening = opening(&client, &kennel, &kennel.genesis.checkpoint).await?;
    // Beside the target, so that renaming it stays within one file system.
    let parent = args.out.parent().filter(|parent| !parent.as_os_str().is_empty());
    let staged = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))
        .map_err(|error| file_fault(&args.out, &error))?;
    let written = |error| match error {
        WriteError::Io(error) => file_fault(&args.out, &error),
        error => Failure::Unreachable(format!("{}: the answer makes no sense: {error}", client.server())),
    };
    let bar = block_bar("exporting", opening.height.saturating_add(1));
    let mut writer = ExportWriter::begin(BufWriter::new(staged), &opening).map_err(written)?;
    while writer.next_height() <= opening.height {
        let segment = client.segment(&kennel, writer.next_height(), opening.height).await?;
        for rules in rules_of(&segment) {
            if !writer.has_module(&rules) {
                let wasm = Bytes(module(&client, rules).await?);
                writer.module(&Module { rules, wasm }).map_err(written)?;
            }
        }
        writer.segment(&segment).map_err(written)?;
        bar.set_position(writer.next_height());
    }
    let out = writer.finish().map_err(written)?;
    bar.finish_and_clear();
    let staged = out.into_inner().map_err(|error| file_fault(&args.out, error.error()))?;
    staged.as_file().sync_all().map_err(|error| file_fault(&args.out, &error))?;
    let size = staged.as_file().metadata().map_err(|error| file_fault(&args.out, &error))?.len();
    staged.persist(&args.out).map_err(|error| file_fault(&args.out, &error.error))?;
    let path = args.out.display().to_string();
    context.print(
        json!({ "kennel": kennel.id.to_string(), "height": opening.height, "file": path, "size": size }),
        &format!(
            "{} up to block {}: {size} bytes in {path}\nCheck it: pitpet verify {path}",
            kennel.label, opening.height
        ),
    );
    Ok(())
}

/// A module that decided blocks: this release's, or the server's.
async fn module(client: &Client, rules: RulesHash) -> Result<Vec<u8>, Failure> {
    match Releases::embedded().find(pitpet_chain_host::RulesHash(rules.0)) {
        Ok(wasm) => Ok(wasm.into_owned()),
        Err(_) => client.rules(&rules).await,
    }
}

/// What an export of the kennel begins with, its checkpoint checked by this key.
pub(super) async fn opening(
    client: &Client,
    kennel: &Kennel,
    checkpoint_key: &PublicKey,
) -> Result<Opening, Failure> {
    let manifest = client.export(kennel).await?;
    let genesis = BASE64
        .decode(&manifest.genesis)
        .map_err(|_| Failure::Unreachable(format!("{}: the genesis is no base64", client.server())))?;
    let head = kennel.check_checkpoint_by(checkpoint_key, &manifest.checkpoint)?;
    if manifest.height.checked_add(1) != Some(head.size) {
        return Err(Failure::Invalid(format!(
            "kennel {}: the server offers blocks up to {} and a checkpoint over {} of them",
            kennel.label, manifest.height, head.size
        )));
    }
    Ok(Opening { genesis: Bytes(genesis), checkpoint: manifest.checkpoint, height: manifest.height })
}
