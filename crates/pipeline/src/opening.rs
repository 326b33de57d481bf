//! The next kennel opens by itself, before places run out.
//!
//! Kennels labelled `town`, `town-2`, `town-3`, … on the same parameters and keys are a *line*. When
//! a line has at most [`reserve`] places left for newcomers, its next kennel is opened, by two
//! parts, because of what each of them has:
//!
//! 1. The **reaper** sees every head on its schedule, and holds no key that matters here. It
//!    *reserves* the successor of the line's last kennel: one conditional write of the item `NEXT`
//!    in that kennel's partition, which the second of two reapers loses and then reads. It puts
//!    the successor's genesis, whose keys and parameters are its predecessor's, and sends the new
//!    kennel's group a message without events.
//! 2. The **miner**, which holds the checkpoint key, founds the kennel when it gets that message:
//!    block 0, its signed checkpoint, and last the line's label in the list, so that no kennel is
//!    listed that isn't whole. It signs only for the successor of a kennel whose head it signed.
//!
//! Until the kennel is listed, every run of the reaper that finds places short does its part again;
//! each step of both can be repeated, and whoever repeats it gets the same kennel, because the
//! reservation holds all that its id follows from. The kennel's random bytes are a hash of its predecessor's id,
//! which is random itself: so nothing here needs a source of randomness.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use pitpet_chain::codec::{decode, encode};
use pitpet_chain::genesis::{Genesis, Parameters};
use pitpet_chain::hash::{Digest32, KennelId, RulesHash, sha256};
use pitpet_chain::kennel::NewBlock;
use pitpet_chain::limits;
use pitpet_chain::state::Totals;

use crate::founding::KENNELS_MAX;
use crate::head::{Founding, LedgerError, damaged, write_founding};
use crate::items::{self, Fields as _, attributes};
use crate::message::Message;
use crate::planted::{Bug, planted};
use crate::ports::{
    Attributes, Condition, Consistency, Item, Queue, Retry, Table, TableError, Update, Value,
};

/// Places for the living: how many births a kennel takes from accounts that it knows.
pub fn free_places(parameters: &Parameters, totals: &Totals) -> u32 {
    let living = parameters.living_max.saturating_sub(totals.living);
    living.min(limits::PETS_MAX.saturating_sub(totals.pets))
}

/// How many births a kennel takes from accounts that it doesn't know yet.
pub fn newcomer_places(parameters: &Parameters, totals: &Totals) -> u32 {
    free_places(parameters, totals).min(parameters.accounts_max.saturating_sub(totals.accounts))
}

/// A line with at most this many places for newcomers gets its next kennel: an eighth of what a new
/// one has, 128 of 1,024. The reaper runs every 5 minutes on AWS, and mining block 0 takes seconds:
/// so places last while fewer than 25 newcomers come a minute. Whoever comes faster than that is
/// told to ask again in a minute.
pub fn reserve(parameters: &Parameters) -> u32 {
    (parameters.living_max.min(parameters.accounts_max) / 8).max(1)
}

/// A label's line and its number in it: `town` is the first of its line, `town-2` the second.
pub fn place_in_line(label: &str) -> (&str, u32) {
    let numbered = label.rsplit_once('-').and_then(|(line, digits)| {
        let number: u32 = digits.parse().ok()?;
        (number >= 2 && !line.is_empty() && number.to_string() == digits).then_some((line, number))
    });
    numbered.unwrap_or((label, 1))
}

fn next_label(label: &str) -> String {
    let (line, number) = place_in_line(label);
    format!("{line}-{}", number.saturating_add(1))
}

/// Whether two kennels agree in all that a kennel inherits.
pub fn is_akin(one: &Genesis, other: &Genesis) -> bool {
    let Genesis {
        version,
        parameters,
        operator,
        house,
        moderators,
        witnesses,
        threshold,
        checkpoint,
        created_ms: _,
        random: _,
    } = one;
    *version == other.version
        && *parameters == other.parameters
        && *operator == other.operator
        && *house == other.house
        && *moderators == other.moderators
        && *witnesses == other.witnesses
        && *threshold == other.threshold
        && *checkpoint == other.checkpoint
}

/// The successor of a kennel, founded at this time.
fn successor(of: &Founding, now_ms: u64) -> Genesis {
    Genesis {
        // A clock that is behind founds no kennel before its predecessor.
        created_ms: now_ms.max(of.genesis.created_ms),
        random: successor_random(&of.kennel),
        ..of.genesis.clone()
    }
}

fn successor_random(of: &KennelId) -> Digest32 {
    sha256(&[b"pitpet next kennel\0".as_slice(), &of.0].concat())
}

/// Whether a reservation is one that this kennel's successor can be founded by.
pub(crate) fn is_successor(reserved: &Attributes, of: &Founding) -> bool {
    let genesis = reserved.bytes("genesis").ok().and_then(|bytes| decode::<Genesis>(bytes).ok());
    reserved.digest("rules").is_ok()
        && genesis.is_some_and(|genesis| {
            is_akin(&genesis, &of.genesis) && genesis.random == successor_random(&of.kennel)
        })
}

/// A kennel as the reaper saw it in this run; without sums if its head could not be read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) founding: Founding,
    pub(crate) newest: Option<(Totals, RulesHash)>,
}

/// Prepares the next kennel of every line that needs one; gives how many are being opened.
///
/// # Errors
/// The kennel whose successor it is about, and the [`LedgerError`]; the next run goes on where
/// this one ended.
pub(crate) async fn prepare(
    table: &dyn Table,
    queue: &dyn Queue,
    now_ms: u64,
    kennels: &[Seen],
) -> Result<u64, (KennelId, LedgerError)> {
    let mut lines: Vec<Vec<&Seen>> = Vec::new();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for kennel in kennels {
        let (name, _) = place_in_line(&kennel.founding.label);
        let known = by_name.entry(name).or_default();
        let akin = |line: &&usize| is_akin(&lines[**line][0].founding.genesis, &kennel.founding.genesis);
        match known.iter().find(akin).copied() {
            Some(line) => lines[line].push(kennel),
            None => {
                known.push(lines.len());
                lines.push(vec![kennel]);
            }
        }
    }
    let mut opening = 0;
    for line in lines {
        let parameters = &line[0].founding.genesis.parameters;
        let mut places = 0_u64;
        let mut all_seen = true;
        for kennel in &line {
            match &kennel.newest {
                Some((totals, _)) => places += u64::from(newcomer_places(parameters, totals)),
                None => all_seen = false,
            }
        }
        // Where a kennel could not be looked at, it may have all the room that is needed.
        if !all_seen || places > u64::from(reserve(parameters)) {
            continue;
        }
        let last = line.iter().max_by_key(|kennel| place_in_line(&kennel.founding.label).1);
        let Some(Seen { founding, newest: Some((_, rules)) }) = last else { continue };
        if kennels.len() as u64 + opening >= u64::from(KENNELS_MAX) {
            tracing::error!(kennel = %founding.kennel, label = founding.label, places, "alarm: places run out, and this server has as many kennels as it may: {KENNELS_MAX}");
            continue;
        }
        let prepared = prepare_successor(table, queue, now_ms, founding, *rules).await;
        prepared.map_err(|error| (founding.kennel, error))?;
        opening += 1;
    }
    Ok(opening)
}

async fn prepare_successor(
    table: &dyn Table,
    queue: &dyn Queue,
    now_ms: u64,
    of: &Founding,
    rules: RulesHash,
) -> Result<(), LedgerError> {
    let key = items::next_kennel(&of.kennel);
    let reserved = match table.get(&key, Consistency::Strong).await? {
        Some(reserved) => reserved,
        None => {
            let mine =
                attributes([("genesis", encode(&successor(of, now_ms)).into()), ("rules", rules.0.into())]);
            match table.put_new(&Item { key: key.clone(), attributes: mine.clone() }).await {
                // Whoever was first; this very write, if its answer was lost.
                Ok(()) | Err(TableError::Conflict | TableError::Unavailable { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let stored = match planted(Bug::OwnSuccessor) {
                true => Some(mine),
                false => table.get(&key, Consistency::Strong).await?,
            };
            stored.ok_or_else(|| TableError::Unavailable {
                message: "a reservation was not stored".to_owned(),
            })?
        }
    };
    let bytes = reserved.bytes("genesis")?.to_vec();
    let genesis: Genesis = decode(&bytes).map_err(|_| damaged("a reserved genesis"))?;
    if !is_akin(&genesis, &of.genesis) {
        return Err(damaged("a reserved genesis is not of its predecessor's keys and parameters"));
    }
    let kennel = genesis.kennel();
    let founding = attributes([
        ("genesis", bytes.into()),
        ("label", next_label(&of.label).into()),
        ("rules", reserved.digest("rules")?.into()),
        ("after", of.kennel.0.into()),
    ]);
    match table.put_new(&Item { key: items::genesis(&kennel), attributes: founding }).await {
        Ok(()) | Err(TableError::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    tracing::info!(%kennel, after = of.label, "places run out: the next kennel is being opened");
    for outcome in queue.send(&[Message { version: 1, kennel, entries: Vec::new() }.write()]).await {
        // The next run sends it again.
        outcome.map_err(|error| TableError::Unavailable { message: error.to_string() })?;
    }
    Ok(())
}

/// What a kennel's genesis item says of its opening; none if an operator opened it.
pub(crate) struct Opening {
    pub(crate) after: KennelId,
    pub(crate) rules: RulesHash,
}

impl Opening {
    /// Reads it.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) async fn read(table: &dyn Table, kennel: &KennelId) -> Result<Option<Self>, LedgerError> {
        let item = genesis_item(table, kennel).await?;
        match item.contains_key("after") {
            false => Ok(None),
            true => Ok(Some(Self {
                after: KennelId(item.digest("after")?),
                rules: RulesHash(item.digest("rules")?),
            })),
        }
    }
}

async fn genesis_item(table: &dyn Table, kennel: &KennelId) -> Result<Attributes, LedgerError> {
    table.get(&items::genesis(kennel), Consistency::Strong).await?.ok_or(LedgerError::UnknownKennel)
}

/// Founds a prepared kennel and lists it, under the next label that is free: an operator may have
/// taken the one that was meant.
///
/// # Errors
/// [`LedgerError`]; whoever gets the message again goes on.
pub(crate) async fn found(
    table: &dyn Table,
    founding: &Founding,
    block: &NewBlock,
    key: &SigningKey,
) -> Result<(), LedgerError> {
    for _ in 0..KENNELS_MAX {
        let label = genesis_item(table, &founding.kennel).await?.text("label")?.to_owned();
        match write_founding(table, &label, &founding.genesis, block, key).await {
            Ok(()) => {
                tracing::info!(kennel = %founding.kennel, label, "kennel opened");
                return Ok(());
            }
            Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let renamed = Update {
            key: items::genesis(&founding.kennel),
            set: attributes([("label", next_label(&label).into())]),
            remove: Vec::new(),
            condition: Condition::Equals("label", Value::Text(label)),
            retry: Retry::Never,
        };
        match table.update(&renamed).await {
            // Another miner may have renamed it; then the label is read again.
            Ok(()) | Err(TableError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(TableError::Conflict.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(living: u32, pets: u32, accounts: u32) -> Totals {
        Totals {
            age: 0,
            last_aging_ms: 0,
            minted: 0,
            house: 0,
            locked: 0,
            living,
            pets,
            accounts,
            posts: 0,
            visits: 0,
            orders: 0,
        }
    }

    #[test]
    fn labels_are_numbered_along_a_line() {
        for (label, line) in [
            ("town", ("town", 1)),
            ("town-2", ("town", 2)),
            ("town-10", ("town", 10)),
            ("town-1", ("town-1", 1)),
            ("town-02", ("town-02", 1)),
            ("town-x", ("town-x", 1)),
            ("old-town-3", ("old-town", 3)),
            ("-2", ("-2", 1)),
            ("town-4294967296", ("town-4294967296", 1)),
        ] {
            assert_eq!(place_in_line(label), line, "{label}");
        }
        assert_eq!(next_label("town"), "town-2");
        assert_eq!(next_label("town-9"), "town-10");
    }

    #[test]
    fn places_end_with_the_living_the_born_and_the_accounts() {
        let town = Parameters::TOWN;
        assert_eq!(
            (free_places(&town, &totals(0, 0, 0)), newcomer_places(&town, &totals(0, 0, 0))),
            (1024, 1024)
        );
        assert_eq!(free_places(&town, &totals(1024, 2000, 1024)), 0);
        assert_eq!(free_places(&town, &totals(10, limits::PETS_MAX - 3, 10)), 3);
        assert_eq!(free_places(&town, &totals(10, limits::PETS_MAX, 10)), 0);
        let many = totals(10, 20_000, town.accounts_max);
        assert_eq!((free_places(&town, &many), newcomer_places(&town, &many)), (1014, 0));
        assert_eq!(reserve(&town), 128);
        assert_eq!(reserve(&Parameters { living_max: 1, ..town }), 1);
        assert_eq!(reserve(&Parameters { accounts_max: 80, ..town }), 10, "of what a new kennel has");
    }
}
