//! The arguments of every command.

mod moderation;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use pitpet_chain::hash::{BirthHash, BlockHash, EventId, KennelId, PublicKey, RulesHash};
use pitpet_chain::limits::AMOUNT_MAX;

use pitpet_local::service::Preset;

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

/// Commands of the exchange market.
#[derive(Debug, Subcommand)]
pub(crate) enum MarketCommand {
    /// List open offers and bids
    List(MarketListArgs),
    /// List what was sold, newest first
    Trades(MarketTradesArgs),
    /// Offer your living pet, or a keepsake of yours
    Offer(MarketOrderArgs),
    /// Bid for another's pet or keepsake; the price is locked meanwhile
    Bid(MarketOrderArgs),
    /// Withdraw an order of yours; what it locked comes back
    Cancel(MarketCancelArgs),
    /// Take an order: buy what is offered, or sell to who bids
    Take(MarketTakeArgs),
}

/// By what open orders are sorted.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MarketSort {
    /// The best price first: the lowest offer, the highest bid
    Price,
    /// The newest first
    Age,
}

/// One side of the market.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MarketSide {
    /// Pets and keepsakes for sale
    Offer,
    /// What others would pay
    Bid,
}

/// Arguments of `market list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet market list\n  pitpet market list --side offer --by age --kennel classic\n  pitpet market list --pet BIRTH --json"
)]
pub(crate) struct MarketListArgs {
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Only one side
    #[arg(long, value_enum)]
    pub(crate) side: Option<MarketSide>,
    /// Only orders for this pet: a birth hash
    #[arg(long, value_name = "BIRTH", value_parser = birth)]
    pub(crate) pet: Option<BirthHash>,
    /// In which order
    #[arg(long, value_enum, default_value_t = MarketSort::Price)]
    pub(crate) by: MarketSort,
    /// Orders on a page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Where the next page begins, as the page before said
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

/// Arguments of `market trades`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet market trades\n  pitpet market trades --kennel classic --json")]
pub(crate) struct MarketTradesArgs {
    /// Kennel, by label or id [default: all]
    #[arg(long)]
    pub(crate) kennel: Option<String>,
    /// Trades on a page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Where the next page begins, as the page before said
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

/// Arguments of `market offer` and `market bid`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet market offer BIRTH --price 40\n  pitpet market bid BIRTH --price 25 --days 3\n\nAn order ends at its time, when its pet dies or has another owner, or when it is cancelled."
)]
pub(crate) struct MarketOrderArgs {
    /// The pet: a birth hash
    #[arg(value_name = "BIRTH", value_parser = birth)]
    pub(crate) pet: BirthHash,
    /// What the buyer pays, the house's cut included
    #[arg(long, value_name = "TREATS", value_parser = treats)]
    pub(crate) price: u64,
    /// How many days it stands
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=30))]
    pub(crate) days: u64,
}

/// Arguments of `market cancel`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pitpet market cancel ORDER")]
pub(crate) struct MarketCancelArgs {
    /// The order: an event id, as `market list` shows it
    #[arg(value_parser = event)]
    pub(crate) order: EventId,
}

/// Arguments of `market take`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pitpet market take ORDER              only shows how the price would be split\n  pitpet market take ORDER --price 40\n\nThe order is checked against its proof, and taken at the price that you name or not at all."
)]
pub(crate) struct MarketTakeArgs {
    /// The order: an event id, as `market list` shows it
    #[arg(value_parser = event)]
    pub(crate) order: EventId,
    /// Its price; without one nothing is sent
    #[arg(long, value_name = "TREATS", value_parser = treats)]
    pub(crate) price: Option<u64>,
}

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

fn birth(text: &str) -> Result<BirthHash, String> {
    text.parse().map_err(|_| hash_rule("birth hash", text))
}

fn event(text: &str) -> Result<EventId, String> {
    text.parse().map_err(|_| hash_rule("event id", text))
}

fn kennel(text: &str) -> Result<KennelId, String> {
    text.parse().map_err(|_| hash_rule("kennel id", text))
}

fn checkpoint_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|_| hash_rule("checkpoint key", text))
}

fn witness_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|_| hash_rule("witness's key", text))
}

fn rules(text: &str) -> Result<RulesHash, String> {
    text.parse().map_err(|_| hash_rule("rules hash", text))
}

fn treats(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("treats are whole numbers, 1 to {AMOUNT_MAX}"))
}

fn placed_block(text: &str) -> Result<(u64, BlockHash), String> {
    let (height, hash) = text.split_once(':').ok_or("a height, a colon, and a block hash")?;
    let height = height.parse().map_err(|_| format!("`{height}` is no height"))?;
    Ok((height, hash.parse().map_err(|_| hash_rule("block hash", hash))?))
}

fn hash_rule(what: &str, text: &str) -> String {
    format!("a {what} is 64 lower-case hexadecimal digits, this has {} characters", text.chars().count())
        .replace("a event", "an event")
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
