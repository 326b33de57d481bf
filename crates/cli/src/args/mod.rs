//! The arguments of every command.

mod act;
mod admin;
mod ledger;
mod look;
mod market;
mod moderation;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub(crate) use act::{
    AccountCommand, AtPet, AtPost, BirthArgs, CommentArgs, GiftArgs, PostArgs, RekeyArgs, TransferArgs,
};
pub(crate) use admin::{AdminArgs, AdminCommand, AdminKennelCommand};
pub(crate) use ledger::{
    EconomyArgs, ExportArgs, FsckArgs, MineArgs, VerifyArgs, WitnessCommand, WitnessTimeArgs,
};
pub(crate) use look::{EventArgs, FeedArgs, KennelArgs, PetArgs};
pub(crate) use market::{
    MarketCancelArgs, MarketCommand, MarketListArgs, MarketOrderArgs, MarketSide, MarketSort, MarketTakeArgs,
    MarketTradesArgs,
};
pub(crate) use moderation::{
    EraseArgs, ModerateArgs, ModerateCommand, ModerationPage, ModeratorsArgs, ReportArgs, VerdictArgs,
};

use crate::serve::ServeArgs;

/// The server when nothing is said.
pub(crate) const URL: &str = "http://127.0.0.1:8080";

const TOUR: &str = "\
A first tour (`pitpet serve` runs in another window):
  pitpet demo                                   a neighbourhood comes alive, in half a minute
  pitpet account new bella                      make a key, under a passphrase
  pitpet birth --photo cat.jpg --name Mochi --story 'Found in a shoe box'
  pitpet feed                                   see what happens
  pitpet pat POST                               pit someone's pet

Exit codes: 0 valid, 1 refused or invalid, 2 usage, 3 could not be checked or reached.";

/// PitPet: a social network for pets on a verifiable ledger. Without a command: `serve`.
#[derive(Debug, Parser)]
#[command(name = "pitpet", version, after_help = TOUR, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What all commands take.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Common {
    /// Server to talk to
    #[arg(
        long,
        global = true,
        env = "PITPET_URL",
        default_value = URL,
        hide_env_values = true
    )]
    pub(crate) url: String,
    /// Directory of key files [default: $PITPET_HOME, or .pitpet in the home directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// Account to act as, by the name of its key file [default: the only one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Read the passphrase from this file descriptor (one line) instead of prompting
    #[arg(long, global = true, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
    /// Print JSON for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Don't wait for the block: end when the queue has the event
    #[arg(long, global = true)]
    pub(crate) no_wait: bool,
    /// Wait at most this long for the block
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60, conflicts_with = "no_wait")]
    pub(crate) wait: u64,
    /// scrypt work factor of new key files, log2 N
    #[arg(long, global = true, hide = true, value_parser = clap::value_parser!(u8).range(1..=24))]
    pub(crate) scrypt_log_n: Option<u8>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole service in this process
    Serve(ServeArgs),
    /// Make, show and register accounts
    #[command(
        subcommand,
        after_help = "Examples:\n  pitpet account new bella\n  pitpet account show\n  pitpet account list\n  pitpet account register"
    )]
    Account(AccountCommand),
    /// Bring a pet into the world
    Birth(BirthArgs),
    /// Post for your pet
    Post(PostArgs),
    /// Pit someone's pet
    Pat(AtPost),
    /// Share someone's post
    Share(AtPost),
    /// Comment on a post
    Comment(CommentArgs),
    /// Give treats to a pet
    Gift(GiftArgs),
    /// Give treats to an account
    Transfer(TransferArgs),
    /// Mint the keepsake of your pet's ended story
    Keepsake(AtPet),
    /// Replace your account's key in a kennel
    Rekey(RekeyArgs),
    /// Tell the moderators of a birth, post or comment
    Report(ReportArgs),
    /// Erase a text of yours, for good
    Erase(EraseArgs),
    /// See what was reported and decided, and decide
    Moderate(ModerateArgs),
    /// Sell and buy pets and keepsakes
    #[command(
        subcommand,
        after_help = "Examples:\n  pitpet market list\n  pitpet market offer BIRTH --price 40\n  pitpet market bid BIRTH --price 25 --days 3\n  pitpet market take ORDER --price 40\n  pitpet market cancel ORDER\n  pitpet market trades\n\nThe house's cut is part of the price: its share, rounded up, is shown before anything is sent."
    )]
    Market(MarketCommand),
    /// Show a pet
    Pet(PetArgs),
    /// Show an event and check its proof
    Event(EventArgs),
    /// Show what happens, newest first
    Feed(FeedArgs),
    /// Show the kennels, or one, and check its checkpoint
    Kennel(KennelArgs),
    /// Write a kennel's whole ledger into a file
    Export(ExportArgs),
    /// Verify whole ledgers: every block is executed again, trusting no server
    Verify(VerifyArgs),
    /// Add up a ledger's treats: supply, holders, the house's income, how long pets lived
    Economy(EconomyArgs),
    /// Check all that is stored against the ledger, trusting none of it, and repair it
    Fsck(FsckArgs),
    /// Earn treats: execute every block again, and seal what is right
    Mine(MineArgs),
    /// Be a time witness of a kennel
    #[command(
        subcommand,
        after_help = "Examples:\n  pitpet witness key --account clock\n  pitpet witness time --kennel town --account clock"
    )]
    Witness(WitnessCommand),
    /// Operate a running service
    Admin(AdminArgs),
    /// Watch a scripted neighbourhood of pets and its season, over the real API
    Demo(DemoArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet demo\n  pitpet demo --pace-ms 0\n  pitpet demo --data-dir /srv/pitpet\n  pitpet demo --keys ./neighbours     keep the neighbours' keys, under a passphrase\n\nEnds by itself, in about half a minute. Its accounts are thrown away unless --keys is given.\nThe second kennel, the moderator and the change of rules take the operator's keys: without them these are left out."
)]
pub(crate) struct DemoArgs {
    /// Kennel, by label or id
    #[arg(long, default_value = "classic")]
    pub(crate) kennel: String,
    /// Directory of the running service, for the operator's keys in it [default: ./pitpet-data, for a service on this machine]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Pause between two events, for reading along, ms
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub(crate) pace_ms: u64,
    /// It ends within this time, whatever happens, s
    #[arg(long, default_value_t = 170, value_parser = clap::value_parser!(u64).range(60..=3600))]
    pub(crate) within_s: u64,
}

/// Whether `--json` stands among the arguments; asked where they can't be read as a whole.
pub(crate) fn asks_for_json(args: impl IntoIterator<Item = OsString>) -> bool {
    // Nothing after `--` is an option.
    args.into_iter().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// What is wrong with the arguments, in clap's words without those around them.
pub(crate) fn fault(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // clap's words are the whole help.
        return "a command is missing; --help lists them".to_owned();
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = text.find("\n\nFor more information").unwrap_or(text.len());
    text[..end].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn json_is_asked_for_by_an_option_only() {
        let asks = |args: &[&str]| asks_for_json(args.iter().map(OsString::from));
        assert!(asks(&["pitpet", "--json", "feed"]) && asks(&["pitpet", "pat", "abc", "--json"]));
        assert!(!asks(&["pitpet", "feed"]) && !asks(&["pitpet", "pat", "--", "--json"]));
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_around() {
        let error = Cli::try_parse_from(["pitpet", "pat", "abc"]).unwrap_err();
        assert_eq!(
            fault(&error),
            "invalid value 'abc' for '<POST>': an event id is 64 lower-case hexadecimal digits, this has 3 characters"
        );
        let error = clap::Error::new(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
        assert_eq!(fault(&error), "a command is missing; --help lists them");
    }
}
