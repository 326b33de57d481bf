//! Seals, difficulty, and time.
//!
//! **Seal.** Proof of work over the block that began the present age, bound to kennel and account:
//! it can't be stolen, and is worth nothing in another age. The first one mined in an age earns
//! `seal_reward`. It never ages a kennel.
//!
//! **Time.** On a kennel idle for `idle_ms` time is mined: by the house, unrewarded, or by anyone
//! with a seal over the head, which earns `time_reward`. Where the kennel has time witnesses, both
//! need the statements of `threshold` of them; without, the timestamp of the block decides.
//!
//! **Reward.** Out of the house's income as far as it goes; the rest is minted. That is all that
//! the house's income is for.
//!
//! **Retarget.** After every [`limits::RETARGET_AGES`] ages the difficulty is set anew by how many
//! of them were sealed: all → × 2; 7 → × 5/4; 6 → as it is; 5 → × 7/8; 3 or 4 → × 3/4; fewer → × 1/2;
//! never below 2^`seal_bits` or above [`limits::DIFFICULTY_MAX`]. So the seal of an age is found in
//! about three of four ages however many miners there are, no clock is trusted, and an age pays at
//! most one seal.

use alloc::vec;
use alloc::vec::Vec;

use crate::block::Change;
use crate::event::{Event, verify_signature};
use crate::hash::{AccountId, BlockHash, Digest32, KennelId, tag, tagged};
use crate::reject::Reject;
use crate::rules::{Moment, put_account};
use crate::state::{Account, Mining, State};
use crate::{limits, record};

record! {
    /// A time witness says: by my clock `idle_ms` have passed since the kennel last aged, and this
    /// is its head.
    #[derive(Copy)]
    pub struct Statement {
        /// Which of the kennel's witnesses, from 0; ascending within an event.
        pub witness: u8,
        /// Ed25519 over [`statement_bytes`].
        pub signature: [u8; 64],
    }
}

/// The bytes that a time witness signs: tag, zero byte, kennel, head.
pub fn statement_bytes(kennel: &KennelId, head: &BlockHash) -> Vec<u8> {
    let mut bytes = Vec::from(tag::TIME.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&kennel.0);
    bytes.extend_from_slice(&head.0);
    bytes
}

/// What a seal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The reward of the age.
    Age = 0,
    /// To mine time.
    Time = 1,
}

/// The search for a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    base: Digest32,
    highest: u64,
}

impl Work {
    /// The work of one account on one block; `difficulty` is the number of trials that it takes on
    /// average, at least 1.
    pub fn new(
        kennel: &KennelId,
        over: &BlockHash,
        account: &AccountId,
        purpose: Purpose,
        difficulty: u64,
    ) -> Self {
        let base = tagged(tag::SEAL, &[&kennel.0, &over.0, &account.0, &[purpose as u8]]);
        Self { base, highest: u64::MAX / difficulty.max(1) }
    }

    /// Whether this proof is one: the first 8 bytes of SHA-256(tag ‖ base ‖ proof, 8 bytes
    /// big-endian) as a big-endian number are at most 2^64 − 1 divided by the difficulty.
    pub fn is_done_by(&self, proof: u64) -> bool {
        let hash = tagged(tag::WORK, &[&self.base, &proof.to_be_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) <= self.highest
    }

    /// Searches from `first`, at most `tries` proofs.
    pub fn search(&self, first: u64, tries: u64) -> Option<u64> {
        (first..first.saturating_add(tries)).find(|proof| self.is_done_by(*proof))
    }
}

/// What miners work on once a block stands at `height` with this hash: [`State::mining`] with the
/// hash of the block that began the age, also where that is this very block.
pub fn after(mining: &Mining, height: u64, hash: &BlockHash) -> Mining {
    let began = if mining.began_height == height { *hash } else { mining.began };
    Mining { began, ..*mining }
}

fn check_idle(state: &State, moment: &Moment) -> Result<(), Reject> {
    let totals = state.totals();
    let idle_ms = moment.timestamp_ms - totals.last_aging_ms;
    let is_idle = idle_ms >= state.genesis().parameters.idle_ms && moment.age != totals.age;
    if is_idle && totals.living > 0 { Ok(()) } else { Err(Reject::NotIdle) }
}

fn check_statements(state: &State, moment: &Moment, statements: &[Statement]) -> Result<(), Reject> {
    let keys = state.keys();
    if statements.len() < usize::from(keys.threshold) {
        return Err(Reject::TooFewStatements);
    }
    let bytes = statement_bytes(state.kennel(), &moment.parent);
    let is_signed = |statement: &Statement| {
        let key = keys.witnesses.get(usize::from(statement.witness));
        key.is_some_and(|key| verify_signature(key, &bytes, &statement.signature))
    };
    // Ascending, so that none counts twice; and none beyond the witnesses there are.
    let sound = statements.is_sorted_by(|a, b| a.witness < b.witness) && statements.iter().all(is_signed);
    if sound { Ok(()) } else { Err(Reject::BadStatement) }
}

pub(crate) fn time(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    parent: &BlockHash,
    statements: &[Statement],
) -> Result<Vec<Change>, Reject> {
    if event.account != state.genesis().house_account() {
        return Err(Reject::NotHouse);
    }
    if *parent != moment.parent {
        return Err(Reject::WrongParent);
    }
    check_idle(state, moment)?;
    check_statements(state, moment, statements)?;
    Ok(Vec::new())
}

pub(crate) fn seal(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    over: &BlockHash,
    proof: u64,
    time: Option<&[Statement]>,
) -> Result<Vec<Change>, Reject> {
    let full = state.totals().accounts >= state.genesis().parameters.accounts_max;
    if full && state.account(&event.account).is_none() {
        return Err(Reject::AccountsFull);
    }
    let mining = after(state.mining(), moment.height - 1, &moment.parent);
    let parameters = &state.genesis().parameters;
    let (purpose, reward) = match time {
        None => (Purpose::Age, parameters.seal_reward),
        Some(_) => (Purpose::Time, parameters.time_reward),
    };
    if time.is_some() {
        if *over != moment.parent {
            return Err(Reject::WrongParent);
        }
        check_idle(state, moment)?;
    } else if *over != mining.began {
        return Err(Reject::StaleSeal);
    }
    let work = Work::new(state.kennel(), over, &event.account, purpose, mining.difficulty);
    if !work.is_done_by(proof) {
        return Err(Reject::WeakSeal);
    }
    match time {
        None if mining.sealed => return Err(Reject::AlreadySealed),
        None => state.put_mining(Mining { sealed: true, ..*state.mining() }),
        Some(statements) => check_statements(state, moment, statements)?,
    }
    let mut account = state.account(&event.account).cloned().unwrap_or_else(|| Account::new(event.account));
    account.free += reward;
    let totals = state.totals_mut();
    let earned = reward.min(totals.house);
    totals.house -= earned;
    totals.minted += reward - earned;
    Ok(vec![put_account(state, account)])
}

/// Remembers the block that began the age, and sets the difficulty anew when it is due.
pub(crate) fn end_block(state: &mut State, moment: &Moment, parent_age: u64) {
    let before = *state.mining();
    let mut mining = after(&before, moment.height - 1, &moment.parent);
    if state.totals().age != parent_age {
        mining.window_ages += 1;
        mining.window_sealed += u8::from(mining.sealed);
        if mining.window_ages == limits::RETARGET_AGES {
            let least = state.genesis().parameters.difficulty_min();
            mining.difficulty = retarget(mining.difficulty, mining.window_sealed, least);
            (mining.window_ages, mining.window_sealed) = (0, 0);
        }
        (mining.began_height, mining.began, mining.sealed) = (moment.height, BlockHash([0; 32]), false);
    }
    if mining != before {
        state.put_mining(mining);
    }
}

/// The next difficulty, by how many of [`limits::RETARGET_AGES`] ages were sealed.
fn retarget(difficulty: u64, sealed: u8, least: u64) -> u64 {
    // At most 2^48 × 8.
    let next = match sealed {
        8.. => difficulty * 2,
        7 => difficulty * 5 / 4,
        6 => difficulty,
        5 => difficulty * 7 / 8,
        3..=4 => difficulty * 3 / 4,
        _ => difficulty / 2,
    };
    next.clamp(least, limits::DIFFICULTY_MAX)
}
