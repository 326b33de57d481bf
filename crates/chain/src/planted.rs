//! Rules with a bug planted in them, to prove that the simulator's auditor sees it. They are
//! wrong from outside of [`crate::rules`], so that the rules that ship stay as they are.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::block::Change;
use crate::event::{Event, Kind, SignedEvent};
use crate::hash::{AccountId, PublicKey};
use crate::reject::Reject;
use crate::rules::{self, Moment};
use crate::state::{Account, State};

/// Makes any nonce good.
pub static NONCE_UNCHECKED: AtomicBool = AtomicBool::new(false);

/// Lets an account visit a post as often as it likes.
pub static DEDUPLICATION_OFF: AtomicBool = AtomicBool::new(false);

/// [`rules::decide`], but for the planted bug.
///
/// # Errors
/// As [`rules::decide`].
pub(crate) fn decide(
    state: &mut State,
    moment: &Moment,
    signed: &SignedEvent,
) -> Result<Vec<Change>, Reject> {
    let event = &signed.event;
    if NONCE_UNCHECKED.load(Ordering::Relaxed)
        && let Some(account) = state.account(&event.account).filter(|account| account.nonce >= event.nonce)
    {
        let forgetful = Account { nonce: event.nonce.saturating_sub(1), ..account.clone() };
        state.put_account(forgetful);
    }
    if DEDUPLICATION_OFF.load(Ordering::Relaxed)
        && matches!(event.payload.kind(), Kind::Pat | Kind::Share)
        && let Err(Reject::AlreadyDone) = rules::decide(state, moment, signed)
    {
        // As somebody else, whom nobody knows.
        let key = PublicKey([u8::try_from(moment.height % 251).unwrap_or_default(); 32]);
        let event = Event { account: AccountId::of(&key), key, ..event.clone() };
        return rules::decide(state, moment, &SignedEvent { event, ..signed.clone() });
    }
    rules::decide(state, moment, signed)
}
