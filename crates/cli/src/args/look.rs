//! Arguments of looking around.

use clap::Args;
use pitpet_chain::hash::{BirthHash, EventId};

use super::values::{birth, event};

/// Arguments of `pet`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet pet BIRTH\n  pitpet pet BIRTH --events --json")]
pub(crate) struct PetArgs {
    /// The pet: a birth hash
    #[arg(value_name = "BIRTH", value_parser = birth)]
    pub(crate) pet: BirthHash,
    /// Show its timeline too
    #[arg(long)]
    pub(crate) events: bool,
    /// Where the timeline's next page begins, as the page before said
    #[arg(long, requires = "events")]
    pub(crate) cursor: Option<String>,
}

/// Arguments of `event`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet event ID")]
pub(crate) struct EventArgs {
    /// The event's id
    #[arg(value_parser = event)]
    pub(crate) id: EventId,
}

/// Arguments of `feed`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet feed\n  pitpet feed --kennel classic --limit 5 --json")]
pub(crate) struct FeedArgs {
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

/// Arguments of `kennel`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet kennel\n  pitpet kennel classic")]
pub(crate) struct KennelArgs {
    /// Kennel, by label or id [default: all]
    pub(crate) kennel: Option<String>,
}
