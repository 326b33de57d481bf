//! Arguments of what an account does.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pitpet_chain::hash::{BirthHash, EventId};

use super::values::{birth, event, treats};

/// Commands about accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make a random key in a new key file, under a passphrase
    #[command(
        after_help = "Examples:\n  pitpet account new bella\n  pitpet account new bella --recovery --passphrase-fd 3 3<secret.txt\n\nThe passphrase is asked for, or read from a file descriptor; never from arguments or environment."
    )]
    New {
        /// Name of the key file: 3 to 30 of a-z, 0-9, - and _, the first a letter
        name: String,
        /// Make a recovery key too, which may replace the key once a birth has announced it
        #[arg(long)]
        recovery: bool,
    },
    /// Show an account: its id, and what it has on the server
    #[command(after_help = "Examples:\n  pitpet account show\n  pitpet account show bella --json")]
    Show {
        /// Name of a key file, or a name or id on the server [default: the only key file]
        name: Option<String>,
    },
    /// List the key files
    #[command(
        after_help = "Examples:\n  pitpet account list\n  pitpet account list --keys ./neighbours --json"
    )]
    List,
    /// Register the account's name on the server, first come
    #[command(
        after_help = "Examples:\n  pitpet account register\n  pitpet account register bella-the-cat --account bella"
    )]
    Register {
        /// The name to register [default: that of the key file]
        name: Option<String>,
    },
}

/// Arguments of `birth`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet birth --photo cat.jpg --name Mochi --story 'Found in a shoe box'\n  pitpet birth --photo cat.jpg --name Mochi --story '' --kennel classic --json\n\nThe photo is turned upright, scaled down and encoded anew: no position or camera data leaves this machine."
)]
pub(crate) struct BirthArgs {
    /// Photo: JPEG, PNG or WebP
    #[arg(long, value_name = "FILE")]
    pub(crate) photo: PathBuf,
    /// Name, 1 to 64 characters
    #[arg(long)]
    pub(crate) name: String,
    /// Story
    #[arg(long, default_value = "")]
    pub(crate) story: String,
    /// Kennel, by label or id [default: your own with a free place, else the one of `town`, `town-2`, … that has room]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
}

/// Arguments of `post`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet post --text 'First snow!' --tag winter\n  pitpet post --pet BIRTH --text 'Look at me' --photo nap.jpg"
)]
pub(crate) struct PostArgs {
    /// Whose post: a birth hash [default: your only living pet]
    #[arg(long, value_name = "BIRTH", value_parser = birth)]
    pub(crate) pet: Option<BirthHash>,
    /// Text
    #[arg(long, default_value = "")]
    pub(crate) text: String,
    /// Tag: lower-case letters, digits and -; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Photo: JPEG, PNG or WebP
    #[arg(long, value_name = "FILE")]
    pub(crate) photo: Option<PathBuf>,
}

/// Arguments of `pat` and `share`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet feed\n  pitpet pat POST")]
pub(crate) struct AtPost {
    /// The post: an event id, as `feed` shows it
    #[arg(value_parser = event)]
    pub(crate) post: EventId,
}

/// Arguments of `comment`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet comment POST --text 'What a cutie'")]
pub(crate) struct CommentArgs {
    /// The post: an event id, as `feed` shows it
    #[arg(value_parser = event)]
    pub(crate) post: EventId,
    /// Text
    #[arg(long)]
    pub(crate) text: String,
}

/// Arguments of `gift`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet gift BIRTH --amount 3\n\nGranted treats pay for posts, and for comments on one's own pet's posts; a keepsake releases them."
)]
pub(crate) struct GiftArgs {
    /// The pet: a birth hash
    #[arg(value_parser = birth)]
    pub(crate) pet: BirthHash,
    /// Treats
    #[arg(long, value_parser = treats)]
    pub(crate) amount: u64,
}

/// Arguments of `transfer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet transfer bella --amount 5\n  pitpet transfer ACCOUNT --amount 5 --kennel classic"
)]
pub(crate) struct TransferArgs {
    /// The other account: a registered name or an id
    #[arg(value_name = "ACCOUNT")]
    pub(crate) to: String,
    /// Treats
    #[arg(long, value_parser = treats)]
    pub(crate) amount: u64,
    /// Kennel whose treats they are [default: the only one in which you have any]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
}

/// Arguments of `keepsake`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet keepsake BIRTH")]
pub(crate) struct AtPet {
    /// The pet: a birth hash
    #[arg(value_parser = birth)]
    pub(crate) pet: BirthHash,
}

/// Arguments of `rekey`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet rekey\n  pitpet rekey --kennel classic --with-recovery\n\nThe new key is written to a new key file before it is announced; the old file stays."
)]
pub(crate) struct RekeyArgs {
    /// Kennel [default: the only one that knows your account]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Sign with the recovery key, when the key itself may be in wrong hands
    #[arg(long)]
    pub(crate) with_recovery: bool,
}
