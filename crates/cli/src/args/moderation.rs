//! Arguments of reports, verdicts and erasing.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pitpet_chain::hash::{EventId, PublicKey};
use pitpet_chain::request::ReportReason;

use super::values::{event, hash_rule};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet report EVENT --reason spam\n  pitpet report EVENT --reason cruelty --json\n\nOnce for each account. Moderators see how many accounts reported something and for which reasons, not who did."
)]
pub(crate) struct ReportArgs {
    /// What to report: the event id of a birth, post or comment
    #[arg(value_parser = event)]
    pub(crate) event: EventId,
    /// What is wrong with it
    #[arg(long, value_enum)]
    pub(crate) reason: ReasonName,
}

/// What is wrong with a text or photo.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReasonName {
    /// Advertising, or the same over and over
    Spam,
    /// It hurts or threatens somebody
    Harassment,
    /// It shows or praises cruelty to animals
    Cruelty,
    /// It tells what is somebody's own affair
    Privacy,
    /// The law forbids it
    Illegal,
    /// Something else
    Other,
}

impl From<ReasonName> for ReportReason {
    fn from(name: ReasonName) -> Self {
        match name {
            ReasonName::Spam => Self::Spam,
            ReasonName::Harassment => Self::Harassment,
            ReasonName::Cruelty => Self::Cruelty,
            ReasonName::Privacy => Self::Privacy,
            ReasonName::Illegal => Self::Illegal,
            ReasonName::Other => Self::Other,
        }
    }
}

/// Arguments of `erase`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet erase EVENT\n\nErasing is for good: the text, what makes its fingerprint readable, and the words by which it is found are deleted. That there was a text, and every proof, stay. Its photo is no longer shown; the file of it is erased by the operator."
)]
pub(crate) struct EraseArgs {
    /// Whose text: the event id of a birth, post or comment of yours
    #[arg(value_parser = event)]
    pub(crate) event: EventId,
}

/// Arguments of `moderate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet moderate queue\n  pitpet moderate hide EVENT --reason 'Advertising'\n  pitpet moderate show EVENT --reason 'It was no advertising after all'\n  pitpet moderate log --json\n  pitpet moderate hide EVENT --reason 'Advertising' --key pitpet-data/keys/moderator.key\n\nA verdict is an event on the ledger: public, with its reason, and for ever. It hides a text from pages, feeds and search; the event and exports still carry it, so that anybody can judge the moderators."
)]
pub(crate) struct ModerateArgs {
    #[command(subcommand)]
    pub(crate) command: ModerateCommand,
}

/// Commands of moderators, and for whoever wants to judge them.
#[derive(Debug, Subcommand)]
pub(crate) enum ModerateCommand {
    /// Show what was reported and is not decided, most reported first
    #[command(
        after_help = "Examples:\n  pitpet moderate queue\n  pitpet moderate queue --kennel town --json"
    )]
    Queue(ModerationPage),
    /// Show what moderators did and why, newest first
    #[command(after_help = "Examples:\n  pitpet moderate log\n  pitpet moderate log --kennel town --json")]
    Log(ModerationPage),
    /// Hide a text and its photo
    #[command(
        after_help = "Examples:\n  pitpet moderate hide EVENT --reason 'Advertising'\n  pitpet moderate hide EVENT --reason 'Advertising' --key pitpet-data/keys/moderator.key"
    )]
    Hide(VerdictArgs),
    /// Show a text again, or say of a reported one that it stays
    #[command(
        after_help = "Examples:\n  pitpet moderate show EVENT --reason 'It was no advertising after all'"
    )]
    Show(VerdictArgs),
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct ModerationPage {
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Entries on a page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Where the next page begins, as the page before said
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

/// Arguments of a verdict.
#[derive(Debug, Args)]
pub(crate) struct VerdictArgs {
    /// Whose text: an event id, as `queue` shows it
    #[arg(value_parser = event)]
    pub(crate) event: EventId,
    /// The public reason
    #[arg(long)]
    pub(crate) reason: String,
    /// File with the moderator's key, 64 hexadecimal digits [default: the key of the account]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

/// Arguments of `admin moderators`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet admin moderators\n  pitpet admin moderators --add KEY\n  pitpet admin moderators --remove KEY --add KEY --kennel town\n  pitpet admin moderators --operator KEY --data-dir /srv/pitpet\n\nWithout a change it shows the keys. A change is an event on each kennel's ledger, signed by the operator's key in the data directory or the deployment; `pitpet account show` tells an account's key. A kennel has at most 8 moderators. After --operator only the new key appoints: have it at hand first."
)]
pub(crate) struct ModeratorsArgs {
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Appoint this key; may be given several times
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub(crate) add: Vec<PublicKey>,
    /// Dismiss this key; may be given several times
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub(crate) remove: Vec<PublicKey>,
    /// Hand the operator's office over to this key
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub(crate) operator: Option<PublicKey>,
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|_| hash_rule("public key", text))
}
