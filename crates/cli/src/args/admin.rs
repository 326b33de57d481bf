//! Arguments of `admin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pitpet_chain::hash::{EventId, PublicKey, RulesHash};
use pitpet_local::service::Preset;

use super::ModeratorsArgs;
use super::values::{event, rules, witness_key};

/// Arguments of `admin`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet admin kennel open alley\n  pitpet admin kennel open rush --preset classic --data-dir /srv/pitpet\n  pitpet admin kennel open yard --witness KEY --witness KEY --witness KEY --threshold 2\n  pitpet admin queue --json\n  pitpet admin kennel open town --deployment outputs.json\n  pitpet admin dead-letters --deployment outputs.json\n  pitpet admin redrive --deployment outputs.json\n  pitpet admin kennel list --deployment outputs.json\n  pitpet admin verify town --deployment outputs.json\n  pitpet admin repair town --from 1200 --deployment outputs.json\n  pitpet admin snapshot town --deployment outputs.json\n  pitpet admin upgrade town --module next.wasm --in-blocks 500\n\n`kennel list`, `verify`, `repair` and `snapshot` work on the stores themselves: of a deployment while it runs, of a data directory while its service is stopped.\n\nOn AWS, --deployment names the file of `cdk deploy --outputs-file`; region and credentials are taken from AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)]
pub(crate) struct AdminArgs {
    /// Directory of the running service, for the operator's token in it
    #[arg(long, global = true, value_name = "DIR", default_value = "./pitpet-data")]
    pub(crate) data_dir: PathBuf,
    /// Outputs of a deployment on AWS, instead of a service on this machine
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "data_dir")]
    pub(crate) deployment: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// Commands of the operator.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Open and list kennels
    #[command(
        subcommand,
        after_help = "Examples:\n  pitpet admin kennel list\n  pitpet admin kennel open alley\n  pitpet admin kennel witnesses town --none"
    )]
    Kennel(AdminKennelCommand),
    /// Show what waits in the queue
    #[command(
        after_help = "Examples:\n  pitpet admin queue\n  pitpet admin queue --deployment outputs.json --json"
    )]
    Queue,
    /// Look at the messages in the dead-letter queue; they stay there
    #[command(after_help = "Examples:\n  pitpet admin dead-letters --deployment outputs.json")]
    DeadLetters,
    /// Send the messages of the dead-letter queue to be mined again
    #[command(after_help = "Examples:\n  pitpet admin redrive --deployment outputs.json")]
    Redrive,
    /// Show who moderates, and appoint others
    Moderators(ModeratorsArgs),
    /// Erase a text and its photo, for good, because the law asks for it
    #[command(
        after_help = "Examples:\n  pitpet admin erase EVENT\n  pitpet admin erase EVENT --deployment outputs.json\n\nThe text, what makes its fingerprint readable, its words in the search and the file of its photo are deleted; the same photo isn't taken in again. The event and every proof stay. Caches at the edge keep a photo that was shown before: invalidate the paths that this prints."
    )]
    Erase {
        /// Whose text: an event id
        #[arg(value_parser = event)]
        event: EventId,
    },
    /// Erase the profile of an account for good, because the law asks for it; it can set no other one
    #[command(
        after_help = "Examples:\n  pitpet admin erase-profile anna\n  pitpet admin erase-profile ACCOUNT --deployment outputs.json"
    )]
    EraseProfile {
        /// Whose: a name, or an account id
        account: String,
    },
    /// Verify ledgers straight from the table: every block is executed again, every item held against them
    #[command(
        after_help = "Examples:\n  pitpet admin verify --deployment outputs.json\n  pitpet admin verify town --deployment outputs.json --json\n\nIt reads, and writes nothing; `pitpet fsck --repair` also makes good what follows from the ledger."
    )]
    Verify {
        /// Kennel, by label or id [default: all]
        kennel: Option<String>,
        /// Run these rules too, which this release doesn't carry and the object store has; may be given several times
        #[arg(long, value_name = "HASH", value_parser = rules)]
        allow_rules: Vec<RulesHash>,
    },
    /// Change a kennel's rules: try a module on a copy of it, store it, and let the chain decide from a height on
    #[command(
        after_help = "Examples:\n  pitpet admin upgrade town --module next.wasm --in-blocks 500\n  pitpet admin upgrade town --module next.wasm --at-height 12000 --deployment outputs.json\n  pitpet admin upgrade town --withdraw\n\nThe module is refused here, and nothing is decided, if it has imports, floats or another interface, loops for ever, takes more memory than allowed, differs between two runs, or takes the kennel's state over wrongly.\nOn AWS the deployed miner must carry the module: roll out the release with it first."
    )]
    Upgrade {
        /// Kennel, by label or id
        kennel: String,
        /// The module, a file
        #[arg(long, value_name = "FILE", required_unless_present = "withdraw")]
        module: Option<PathBuf>,
        /// The first height that it decides
        #[arg(long, value_name = "HEIGHT", conflicts_with = "in_blocks")]
        at_height: Option<u64>,
        /// Or how many blocks above the head [default: 100]
        #[arg(long, value_name = "BLOCKS")]
        in_blocks: Option<u64>,
        /// Take back the change that is decided on and has not come
        #[arg(long, conflicts_with_all = ["module", "at_height", "in_blocks"])]
        withdraw: bool,
    },
    /// Publish blocks again, from a height up to the head: the read side gets back what it lost
    #[command(
        after_help = "Examples:\n  pitpet admin repair town --from 1200 --deployment outputs.json\n\nSafe at any time and as often as you like: the service may run meanwhile."
    )]
    Repair {
        /// Kennel, by label or id
        kennel: String,
        /// The first height to publish again
        #[arg(long, value_name = "HEIGHT")]
        from: u64,
    },
    /// Write a snapshot of a kennel's head, so that the next cold start needn't replay
    #[command(
        after_help = "Examples:\n  pitpet admin snapshot town --deployment outputs.json\n\nThe last three snapshots are kept."
    )]
    Snapshot {
        /// Kennel, by label or id
        kennel: String,
    },
}

/// Commands about kennels.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminKennelCommand {
    /// List the kennels with their heads, as the table has them
    #[command(
        after_help = "Examples:\n  pitpet admin kennel list --deployment outputs.json\n  pitpet admin kennel list --data-dir /srv/pitpet --json"
    )]
    List,
    /// Open another kennel, with this installation's keys
    #[command(
        after_help = "Examples:\n  pitpet admin kennel open alley\n  pitpet admin kennel open rush --preset classic --data-dir /srv/pitpet\n  pitpet admin kennel open yard --witness KEY --witness KEY --witness KEY --threshold 2"
    )]
    Open {
        /// Its short name: 1 to 32 of a-z, 0-9 and -, the first a letter
        label: String,
        /// Its parameters
        #[arg(long, value_enum, default_value_t = PresetName::Town)]
        preset: PresetName,
        /// Bits of every event's stamp, instead of the preset's; 0 to 40
        #[arg(long, value_name = "BITS")]
        stamp_bits: Option<u8>,
        /// Bits of a birth's stamp, instead of the preset's; 0 to 40
        #[arg(long, value_name = "BITS")]
        birth_bits: Option<u8>,
        /// Trials of a seal, at least 2^BITS on average, instead of the preset's; 0 to 40
        #[arg(long, value_name = "BITS")]
        seal_bits: Option<u8>,
        /// Silence after which time is mined, ms, instead of the preset's; 60000 to 43200000
        #[arg(long, value_name = "MS")]
        idle_ms: Option<u64>,
        /// Living pets at one time, instead of the preset's; 1 to 1024
        #[arg(long, value_name = "PETS")]
        living_max: Option<u32>,
        /// Key of a time witness, as `pitpet witness key` shows it; up to 9 times [default: none]
        #[arg(long = "witness", value_name = "KEY", value_parser = witness_key, requires = "threshold")]
        witnesses: Vec<PublicKey>,
        /// How many witnesses must say that the kennel has been idle: more than half of them
        #[arg(long, value_name = "N", requires = "witnesses")]
        threshold: Option<u8>,
    },
    /// Appoint a kennel's time witnesses anew: the operator's event, for everyone to see
    #[command(
        after_help = "Examples:\n  pitpet admin kennel witnesses town --witness KEY --witness KEY --witness KEY --threshold 2\n  pitpet admin kennel witnesses town --none --data-dir /srv/pitpet\n\nSigned by the operator's key, in the data folder or among the deployment's secrets."
    )]
    Witnesses {
        /// Kennel, by label or id
        kennel: String,
        /// Key of a time witness, as `pitpet witness key` shows it; up to 9 times
        #[arg(long = "witness", value_name = "KEY", value_parser = witness_key, requires = "threshold")]
        witnesses: Vec<PublicKey>,
        /// How many witnesses must say that the kennel has been idle: more than half of them
        #[arg(long, value_name = "N", requires = "witnesses")]
        threshold: Option<u8>,
        /// From now on none: the block's timestamp decides
        #[arg(long, conflicts_with = "witnesses", required_unless_present = "witnesses")]
        none: bool,
    },
}

/// Sets of parameters.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum PresetName {
    /// Pets live for days
    Town,
    /// The original's game: every block ages
    Classic,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Town => Preset::Town,
            PresetName::Classic => Preset::Classic,
        }
    }
}
