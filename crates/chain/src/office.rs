//! Offices: operator, moderators and time witnesses, whose keys the operator appoints.
//!
//! What an office does needs no account of the kennel; its nonce is kept with its key. A verdict
//! of a moderator changes nothing on the chain: it is the public log by which the read side hides a
//! body. Whether a module with the hash of an upgrade exists and is sound, the chain can't know:
//! ingest and the miner look before the height comes.

use alloc::vec;
use alloc::vec::Vec;

use crate::block::Change;
use crate::event::{Event, Kind};
use crate::hash::{PublicKey, RulesHash};
use crate::reject::Reject;
use crate::rules::Moment;
use crate::state::{Keys, Office, PendingUpgrade, State};

/// The office that an event is signed for, if its key is one's.
pub(crate) fn office_of<'a>(keys: &'a Keys, event: &Event) -> Option<&'a Office> {
    match event.payload.kind() {
        Kind::Moderate => keys.moderators.iter().find(|office| office.key == event.key),
        _ => Some(&keys.operator).filter(|office| office.key == event.key),
    }
}

fn put_keys(state: &mut State, keys: Keys) -> Result<Vec<Change>, Reject> {
    state.put_keys(keys.clone());
    Ok(vec![Change::Keys(keys)])
}

/// The keys after the operator used its nonce.
fn operated(state: &State, event: &Event) -> Result<Keys, Reject> {
    let mut keys = state.keys().clone();
    if keys.operator.key != event.key {
        return Err(Reject::NotOperator);
    }
    keys.operator.nonce = event.nonce;
    Ok(keys)
}

pub(crate) fn moderate(state: &mut State, event: &Event) -> Result<Vec<Change>, Reject> {
    let mut keys = state.keys().clone();
    let office = keys.moderators.iter_mut().find(|office| office.key == event.key);
    office.ok_or(Reject::NotModerator)?.nonce = event.nonce;
    put_keys(state, keys)
}

/// Appoints keys to all offices. A moderator that stays keeps its nonce; every other key begins
/// at the block's time. An office's nonces never lie above the time at which they are accepted, so
/// what a key signed in an earlier term can't count twice.
pub(crate) fn appoint(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    operator: PublicKey,
    moderators: &[PublicKey],
    witnesses: &[PublicKey],
    threshold: u8,
) -> Result<Vec<Change>, Reject> {
    let old = operated(state, event)?;
    let office = |key: &PublicKey| {
        let kept = old.moderators.iter().find(|office| office.key == *key);
        kept.cloned().unwrap_or(Office { key: *key, nonce: moment.timestamp_ms })
    };
    let keys = Keys {
        operator: Office {
            key: operator,
            nonce: if operator == event.key { event.nonce } else { moment.timestamp_ms },
        },
        moderators: moderators.iter().map(office).collect(),
        witnesses: witnesses.to_vec(),
        threshold,
        upgrade: old.upgrade,
    };
    put_keys(state, keys)
}

pub(crate) fn upgrade(
    state: &mut State,
    moment: &Moment,
    event: &Event,
    rules_hash: &RulesHash,
    at_height: u64,
) -> Result<Vec<Change>, Reject> {
    let mut keys = operated(state, event)?;
    if at_height <= moment.height {
        return Err(Reject::PastHeight);
    }
    let withdraws = *rules_hash == moment.rules_hash;
    keys.upgrade = (!withdraws).then_some(PendingUpgrade { rules_hash: *rules_hash, at_height });
    put_keys(state, keys)
}
