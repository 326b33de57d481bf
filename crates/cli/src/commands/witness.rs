//! `witness`: says, by this machine's clock, when kennels have been idle.
//!
//! A statement counts only for the head that it is over, so a witness executes every block before
//! it says anything ([`super::follow`]). Idle since when is what the kennel's last aging block says;
//! where this process saw that block come, it is not before that moment by its own clock, so that
//! a house that dates its blocks back hurries nobody.
//!
//! Deliberately absent: a correction of the clock. It is the operating system's to keep right, and
//! the majority's to outvote.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use pitpet_cli::client::{Client, now_ms};
use pitpet_cli::failure::Failure;
use pitpet_cli::keys::{Account, public};
use pitpet_pipeline::statements::SubmittedStatement;
use pitpet_pipeline::verify::report::many;
use serde_json::{Value, json};

use super::follow::{Follower, chosen, first_done};
use super::verify::{fetch_rules, modules, rules_folder};
use crate::args::{WitnessCommand, WitnessTimeArgs};
use crate::context::{Context, plain, show};

/// While the head stands, what was said of it is said again this often, ms: the server keeps a
/// statement for two days.
const AGAIN_MS: u64 = 60 * 60 * 1_000;

/// Pause after a statement was not taken, ms.
const RETRY_MS: u64 = 5_000;

/// Longest sleep between two looks at the clock, ms: it may be set right meanwhile.
const LOOK_MS_MAX: u64 = 60_000;

/// `witness …`
pub(crate) async fn run(context: &Context, command: WitnessCommand) -> Result<(), Failure> {
    match command {
        WitnessCommand::Key => key(context),
        WitnessCommand::Time(args) => time(context, args).await,
    }
}

fn key(context: &Context) -> Result<(), Failure> {
    let account = context.account()?;
    let key = public(account.first_key());
    context.print(json!({ "name": account.name, "key": key.to_string() }), &key.to_string());
    Ok(())
}

struct Teller {
    json: bool,
    last: RefCell<String>,
}

impl Teller {
    fn tell(&self, what: &str, kennel: &str, mut record: Value, text: &str) {
        record["what"] = what.into();
        record["kennel"] = kennel.into();
        show(&if self.json { record.to_string() } else { plain(&format!("{kennel}: {text}")) });
    }

    /// Says that a kennel can't be gone on with.
    fn stopped(&self, kennel: &str, why: &str) {
        self.tell("stopped", kennel, json!({ "why": why }), &format!("NOT WATCHED: {why}"));
    }

    /// Says once why there is nothing but to wait.
    fn wait(&self, kennel: &str, why: &str) {
        if self.last.replace(why.to_owned()) != why {
            self.tell("waiting", kennel, json!({ "why": why }), why);
        }
    }
}

async fn time(context: &Context, args: WitnessTimeArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let account = context.account()?;
    let remembered = client.remembered();
    let teller = Teller { json: context.common.json, last: RefCell::default() };
    let witness = async {
        let kennels = chosen(&client, &args.kennels).await?;
        fetch_rules(&client, &args.allow_rules, &rules_folder(context)).await?;
        let modules = modules(context)?;
        let left = Cell::new(args.statements.unwrap_or(u64::MAX));
        let (mut running, mut unheard) = (FuturesUnordered::new(), None);
        for kennel in kennels {
            let label = kennel.label.clone();
            match Follower::open(&client, &modules, kennel, &remembered, &args.allow_rules).await {
                Ok(follower)
                    if follower.witnesses().keys.iter().any(|key| account.key_for(key).is_some()) =>
                {
                    let (blocks, events) = follower.executed();
                    let (made, done) = (many(blocks, "block"), many(events, "event"));
                    let text = format!("{made} executed again, {done}; watching its time");
                    let record = json!({ "blocks": blocks, "events": events });
                    teller.tell("watching", &label, record, &text);
                    let watching = watch(&client, &account, follower, &teller, &left);
                    running.push(async { (label, watching.await) });
                }
                // Of all kennels of a server, those of others are none of its business.
                Ok(_) if args.kennels.is_empty() => {}
                Ok(follower) => {
                    let failure = no_witness(&account.name, &follower);
                    teller.stopped(&label, &failure.to_string());
                    unheard = Some(failure);
                }
                Err(Failure::Invalid(why)) => return Err(Failure::Invalid(why)),
                Err(failure) => {
                    teller.stopped(&label, &failure.to_string());
                    unheard = Some(failure);
                }
            }
        }
        if running.is_empty() {
            let (server, name) = (client.server(), &account.name);
            let nowhere = || format!("no kennel of {server} has a key of `{name}` as a time witness");
            return Err(unheard.unwrap_or_else(|| Failure::Usage(nowhere())));
        }
        first_done(&mut running, &|label, why| teller.stopped(label, why)).await
    };
    tokio::select! {
        ended = witness => ended,
        signal = tokio::signal::ctrl_c() => signal.map_err(|error| Failure::Unreachable(error.to_string())),
    }
}

fn no_witness(account: &str, follower: &Follower<'_>) -> Failure {
    let (label, witnesses) = (&follower.kennel.label, &follower.witnesses().keys);
    Failure::Usage(match witnesses.len() {
        0 => format!("{label} has no time witnesses: there the house's clock decides (field: kennel)"),
        count => format!(
            "no key of `{account}` is one of the {count} time witnesses of {label}; \
             `pitpet witness key` shows the key that its operator has to appoint"
        ),
    })
}

/// Says of each head, once it has been idle for long enough, that it has.
async fn watch(
    client: &Client,
    account: &Account,
    mut follower: Follower<'_>,
    teller: &Teller,
    left: &Cell<u64>,
) -> Result<(), Failure> {
    let label = follower.kennel.label.clone();
    let tell = |why: &str| teller.wait(&label, why);
    let mut not_before_ms = 0;
    loop {
        if let Some(warning) = follower.warning() {
            teller.tell("warning", &label, json!({ "why": warning }), &warning);
        }
        let head = follower.newest();
        let key = follower.witnesses().keys.iter().find_map(|key| account.key_for(key)).cloned();
        let Some(key) = key else {
            return Err(no_witness(&account.name, &follower));
        };
        let now = now_ms();
        let due_ms = follower.aged_ms() + follower.parameters().idle_ms;
        let next_ms = due_ms.max(not_before_ms);
        if head.summary.totals.living > 0 && now >= next_ms {
            let statement = SubmittedStatement::sign(&follower.kennel.id, &head.hash, &key);
            not_before_ms = now + RETRY_MS;
            match client.state(&statement).await {
                Ok(view) => {
                    not_before_ms = now + AGAIN_MS;
                    let text = format!(
                        "by this clock block {} has been idle for {} s: said so, {} of {} have",
                        head.height,
                        (now - follower.aged_ms()) / 1_000,
                        view.statements,
                        view.threshold
                    );
                    let record = json!({ "height": head.height, "head": view.head,
                        "statements": view.statements, "threshold": view.threshold });
                    teller.tell("said", &label, record, &text);
                    left.set(left.get() - 1);
                    if left.get() == 0 {
                        return Ok(());
                    }
                }
                Err(Failure::Unreachable(why)) => tell(&why),
                // The head moved meanwhile, or its pets died.
                Err(failure) if matches!(failure.problem_name(), Some("wrong-parent" | "not-idle")) => {}
                Err(failure) => return Err(failure),
            }
            continue;
        }
        let wake_ms = if next_ms > now { next_ms.min(now + LOOK_MS_MAX) } else { now + LOOK_MS_MAX };
        let height = head.height;
        let moved = tokio::select! {
            moved = follower.moved(&tell) => moved.map(|()| true)?,
            () = tokio::time::sleep(Duration::from_millis(wake_ms - now)) => false,
        };
        if moved {
            follower.catch_up(&tell).await?;
            teller.last.take();
            if follower.newest().height != height {
                not_before_ms = 0;
            }
        }
    }
}
