//! Arguments of what goes through ledgers: exporting, verifying, mining, adding up, checking.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use pitpet_chain::hash::{BlockHash, KennelId, PublicKey, RulesHash};

use super::values::{checkpoint_key, kennel, placed_block, rules};

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet export --kennel classic --out classic.pitpet\n  pitpet verify classic.pitpet\n\nThe file appears when it is whole. It is as the server tells it: `verify` checks it."
)]
pub(crate) struct ExportArgs {
    /// Kennel, by label or id
    #[arg(long)]
    pub(crate) kennel: String,
    /// File to write; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet verify http://127.0.0.1:8080\n  pitpet verify http://127.0.0.1:8080 --kennel classic --json\n  pitpet verify classic.pitpet --genesis KENNEL --head 120:BLOCK\n  pitpet verify classic.pitpet --checkpoint-key KEY\n\nA kennel is held to what was seen of it before; the first time, it is taken as shown unless --genesis is given.\nRules that this release doesn't carry are run only if --allow-rules names them. Their module is taken from the file, which carries those of its ledger, or from the server; else it is looked for as rules/HASH.wasm in the directory of key files."
)]
pub(crate) struct VerifyArgs {
    /// A server's address, or a file that `export` wrote [default: --url]
    #[arg(value_name = "URL-or-FILE")]
    pub(crate) ledger: Option<String>,
    /// Kennel, by label or id; of a file, by id [default: all of a server]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// The kennel that it must be: the id that its genesis hashes to
    #[arg(long, value_name = "KENNEL", value_parser = kennel)]
    pub(crate) genesis: Option<KennelId>,
    /// A block that it must hold
    #[arg(long, value_name = "HEIGHT:HASH", value_parser = placed_block)]
    pub(crate) head: Option<(u64, BlockHash)>,
    /// The key that must have signed the checkpoint [default: the one in the genesis]
    #[arg(long, value_name = "KEY", value_parser = checkpoint_key)]
    pub(crate) checkpoint_key: Option<PublicKey>,
    /// Run these rules too, which this release doesn't carry; may be given several times
    #[arg(long, value_name = "HASH", value_parser = rules)]
    pub(crate) allow_rules: Vec<RulesHash>,
}

/// Arguments of `mine`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet mine\n  pitpet mine --kennel town --kennel town-2 --threads 2\n  pitpet mine --url https://pets.example --account bella --json\n\nThe first seal of an age earns a reward; on a kennel that has been idle for long enough, a seal mines its time and earns more. Every block is executed again before it is sealed: if one is not what the rules make of it, mining ends with exit code 1. A kennel whose rules change to others than this release carries is told of beforehand and left, and the others go on; where none is left, it ends with exit code 3.\nCtrl-C ends it, with a summary. With --json each line is an object; `what` says which: following, searching, executed, won, lost, waiting, warning, stopped, rate, ended."
)]
pub(crate) struct MineArgs {
    /// Kennel, by label or id; may be given several times [default: all of the server, those that open later too]
    #[arg(long = "kennel", value_name = "KENNEL")]
    pub(crate) kennels: Vec<String>,
    /// Threads that search [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// End when so many seals are mined [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seals: Option<u64>,
    /// Run these rules too, which this release doesn't carry; may be given several times
    #[arg(long, value_name = "HASH", value_parser = rules)]
    pub(crate) allow_rules: Vec<RulesHash>,
}

/// Commands of a time witness.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Show the key that an operator has to appoint
    #[command(after_help = "Examples:\n  pitpet witness key --account clock")]
    Key,
    /// Say, by this machine's clock, when a kennel has been idle
    Time(WitnessTimeArgs),
}

/// Arguments of `witness time`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet witness time --kennel town --account clock\n  pitpet witness time --url https://pets.example --account clock --json\n\nEvery block is executed again before anything is said of it. Keep the clock of this machine right (NTP). Ctrl-C ends it."
)]
pub(crate) struct WitnessTimeArgs {
    /// Kennel, by label or id; may be given several times [default: all of which the account is a witness]
    #[arg(long = "kennel", value_name = "KENNEL")]
    pub(crate) kennels: Vec<String>,
    /// End after so many statements [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) statements: Option<u64>,
    /// Run these rules too, which this release doesn't carry; may be given several times
    #[arg(long, value_name = "HASH", value_parser = rules)]
    pub(crate) allow_rules: Vec<RulesHash>,
}

/// Arguments of `economy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet economy\n  pitpet economy --kennel classic --json\n  pitpet economy classic.pitpet\n\nThe figures are added up from the blocks, each of which is verified on the way as `pitpet verify` does."
)]
pub(crate) struct EconomyArgs {
    /// A server's address, or a file that `export` wrote [default: --url]
    #[arg(value_name = "URL-or-FILE")]
    pub(crate) ledger: Option<String>,
    /// Kennel, by label or id; of a file, by id [default: all of a server]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Run these rules too, which this release doesn't carry; may be given several times
    #[arg(long, value_name = "HASH", value_parser = rules)]
    pub(crate) allow_rules: Vec<RulesHash>,
}

/// Arguments of `fsck`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet fsck\n  pitpet fsck --data-dir /srv/pitpet --repair\n  pitpet fsck --data-dir /srv/pitpet --kennel classic --json\n  AWS_REGION=eu-west-1 pitpet fsck --table pitpet --objects s3://pitpet-objects\n\nEvery block is executed again from the genesis, and every item, photo and snapshot is held against what the blocks imply. A data folder's service must be stopped meanwhile; a table in AWS may be in use, and is read with the usual environment (AWS_REGION, AWS_ACCESS_KEY_ID, ...).\n--repair writes again what follows from the blocks and deletes what contradicts them. Texts, photos and blocks follow from nothing: what is missing of them is said to be lost."
)]
pub(crate) struct FsckArgs {
    /// Directory of a service that is not running
    #[arg(long, value_name = "DIR", default_value = "./pitpet-data", conflicts_with = "table")]
    pub(crate) data_dir: PathBuf,
    /// Table in AWS, instead of a directory
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// Object store beside the table: s3://BUCKET or file:///DIR; without one photos and snapshots are not checked
    #[arg(long, value_name = "ADDRESS", env = "PITPET_OBJECTS", hide_env_values = true)]
    pub(crate) objects: Option<String>,
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Make good what follows from the ledger
    #[arg(long)]
    pub(crate) repair: bool,
    /// Run these rules too, which this release doesn't carry and the object store has; may be given several times
    #[arg(long, value_name = "HASH", value_parser = rules)]
    pub(crate) allow_rules: Vec<RulesHash>,
}
