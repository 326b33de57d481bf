//! Changes of rules: which module decides a block, how one hands over to the next, and what a new
//! one has to show before its height comes.
//!
//! The chain says which module decides next: the head's own, or from the height of a pending
//! upgrade on the one that it names. So nobody chooses; whoever lacks the module stops there.
//!
//! **Handing over.** The old module writes its state as a snapshot; the new one opens it, which is
//! where it moves the state to its own shape. It checks the snapshot's root as the old rules did,
//! and must come to the same head with the same sums. Asked before its height has come, it reads
//! all of that and then refuses with [`Fault::Upgrade`] and nothing else: so a miner can try it
//! while the old rules still decide.
//!
//! That is what is compared: head, block log, totals, seals and anchor. A migration that moves treats
//! between two records, the sums being equal, is not seen here; whoever decides on a module reads
//! its source.
//!
//! What crosses the module's boundary beside snapshots (heads, blocks, receipts, proofs: all of
//! `pitpet_chain::abi`) keeps its form as long as the interface keeps its version; only the state
//! and what decides may change.
//!
//! Deliberately absent: files, compilers and limits of a module, which are the module host's.

use ed25519_dalek::SigningKey;
use pitpet_chain::abi::{Batch, Opened, Question, Replay, Start};
use pitpet_chain::block::{Block, Summary};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::event::{Event, Payload, VERSION};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::hash::{AccountId, KennelId, PublicKey, RulesHash};
use pitpet_chain::kennel::{Fault, Head, NewBlock, Outcome};
use pitpet_chain::proof::StateProof;
use pitpet_chain::state::{PendingUpgrade, StateKey};

use crate::kennels::read_answer;
use crate::ports::{ChainInstance, ModuleError, ModuleHost};

/// The rules that decide the block after this head, if they are others than the head's.
pub fn due(height: u64, pending: Option<PendingUpgrade>) -> Option<RulesHash> {
    pending.filter(|upgrade| upgrade.at_height <= height.saturating_add(1)).map(|upgrade| upgrade.rules_hash)
}

/// Why a module can't go on where another one ends.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It is not to be had here, or fails on the state.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Asked too early, it doesn't refuse as it should.
    #[error("before its height has come it takes the kennel over")]
    Eager,
    /// Two runs of it over the same state and events differ: its answers depend on something else.
    #[error("two runs of it over the same state differ in {0}")]
    Differs(&'static str),
    /// The state that it makes of the old one is not the same game.
    #[error("its migration is wrong: {0}")]
    Migration(&'static str),
    /// What it decided doesn't hold.
    #[error("what it decides is wrong: {0}")]
    Decision(&'static str),
    /// The module of today does not take the upgrade, so that it can't be tried.
    #[error("today's rules refuse the upgrade: {0}")]
    Refused(&'static str),
}

impl Unfit {
    /// Whether the module itself is to blame, not a copy of it that is missing.
    pub fn is_of_the_module(&self) -> bool {
        !matches!(self, Unfit::Module(ModuleError::UnknownRules(_)) | Unfit::Refused(_))
    }
}

/// A module on a kennel's state.
pub struct Running {
    /// The instance.
    pub instance: Box<dyn ChainInstance>,
    /// Where it stands; without the pending upgrade, which has come.
    pub head: Head,
}

fn open(modules: &dyn ModuleHost, rules: RulesHash, snapshot: &[u8]) -> Result<Running, ModuleError> {
    let start = Start { rules_hash: rules, genesis: None, snapshot: Some(Bytes(snapshot.to_vec())) };
    let (instance, opened) = modules.open(&rules.0, &encode(&start))?;
    let opened: Opened = read_answer(&opened)?;
    Ok(Running { instance, head: opened.head })
}

/// What a new module may not change: where the chain stands, and what is counted in it.
fn same_game(before: &Head, after: &Head) -> Result<(), Unfit> {
    let Summary { totals, mining, upgrade: _, anchor } = &before.summary;
    let wrong = if (before.height, before.hash) != (after.height, after.hash) || before.header != after.header
    {
        "it stands at another head"
    } else if before.checkpoint_root != after.checkpoint_root {
        "it has another block log"
    } else if *totals != after.summary.totals {
        "treats, pets, accounts, posts or orders are not as many as before"
    } else if *mining != after.summary.mining || *anchor != after.summary.anchor {
        "seals or anchors are not those of before"
    } else if after.summary.upgrade.is_some() {
        "it keeps the upgrade that has come"
    } else {
        return Ok(());
    };
    Err(Unfit::Migration(wrong))
}

/// Opens the module `rules` on the state that another one ended at.
///
/// # Errors
/// [`Unfit`]; nothing has changed then.
pub fn take_over(
    modules: &dyn ModuleHost,
    old: &mut dyn ChainInstance,
    at: &Head,
    rules: RulesHash,
) -> Result<Running, Unfit> {
    modules.check(&rules.0)?;
    let running = open(modules, rules, &old.snapshot()?)?;
    same_game(at, &running.head)?;
    Ok(running)
}

/// [`take_over`], in two instances whose states must be the same byte for byte: for whoever is
/// about to decide the first block by these rules.
///
/// # Errors
/// [`Unfit`]; nothing has changed then.
pub fn take_over_twice(
    modules: &dyn ModuleHost,
    old: &mut dyn ChainInstance,
    at: &Head,
    rules: RulesHash,
) -> Result<Running, Unfit> {
    let mut running = take_over(modules, old, at, rules)?;
    let mut second = take_over(modules, old, at, rules)?;
    if running.instance.snapshot()? != second.instance.snapshot()? {
        return Err(Unfit::Differs("the state that they take over"));
    }
    Ok(running)
}

/// Tries a module on a kennel before its height has come: it must be there, and read the state.
///
/// # Errors
/// [`Unfit`].
pub fn try_early(
    modules: &dyn ModuleHost,
    old: &mut dyn ChainInstance,
    rules: RulesHash,
) -> Result<(), Unfit> {
    modules.check(&rules.0)?;
    match open(modules, rules, &old.snapshot()?) {
        Err(ModuleError::Refused(Fault::Upgrade)) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Unfit::Eager),
    }
}

/// An operator, for the events that a rehearsal needs.
pub struct Operator<'a> {
    /// Its key.
    pub key: &'a SigningKey,
    /// The kennel.
    pub kennel: KennelId,
    /// What the kennel is founded on.
    pub genesis: &'a Genesis,
}

impl Operator<'_> {
    /// A signed event that decides on a change of rules; good for an hour.
    pub fn upgrade(&self, rules_hash: RulesHash, at_height: u64, now_ms: u64) -> Vec<u8> {
        const GOOD_FOR_MS: u64 = 60 * 60 * 1000;
        let key = PublicKey(self.key.verifying_key().to_bytes());
        let mut event = Event {
            version: VERSION,
            kennel: self.kennel,
            account: AccountId::of(&key),
            key,
            // An office's nonce is a time that has passed.
            nonce: now_ms,
            expires_ms: now_ms.saturating_add(GOOD_FOR_MS),
            payload: Payload::Upgrade { rules_hash, at_height },
            stamp: 0,
        };
        event.seal_stamp(&self.genesis.parameters);
        event.sign(self.key)
    }
}

/// What a rehearsal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// Height of the real head that it began at.
    pub height: u64,
    /// Bytes of the state before it was moved.
    pub bytes_before: usize,
    /// Bytes of it after the first block by the new rules.
    pub bytes_after: usize,
}

/// Plays the change on a copy of a kennel: today's module takes the operator's decision, the new
/// one takes over, makes a block, and everything is done twice, the second time by instances that
/// were asked other things between. `recent` are events to let it decide, whatever comes of them.
///
/// Nothing outside of the copies changes; the blocks that are made are thrown away.
///
/// # Errors
/// [`Unfit`].
pub fn rehearse(
    modules: &dyn ModuleHost,
    today: &mut dyn ChainInstance,
    head: &Head,
    rules: RulesHash,
    operator: &Operator<'_>,
    now_ms: u64,
    recent: &[Bytes],
) -> Result<Rehearsed, Unfit> {
    modules.check(&rules.0)?;
    let header: pitpet_chain::block::Header =
        decode(&head.header.0).map_err(|_| Unfit::Refused("its head can't be read"))?;
    let latest_ms = match head.summary.totals.living {
        0 => u64::MAX,
        _ => header.timestamp_ms.saturating_add(2 * operator.genesis.parameters.idle_ms),
    };
    let now_ms = now_ms.clamp(header.timestamp_ms, latest_ms);

    // Today's rules decide on the change, for the block after next.
    let content = today.snapshot()?;
    let mut old = open(modules, header.rules_hash, &content)?;
    let decision = operator.upgrade(rules, head.height + 2, now_ms);
    let decided = decide(&mut *old.instance, now_ms, &[decision])?;
    if let Some(rejected) = decided.rejects.first() {
        return Err(Unfit::Refused(rejected.reject.name()));
    }
    let decided = decided.block.ok_or(Unfit::Refused("it makes no block of it"))?;
    // Before that, the new module has to wait.
    if decided.head.summary.upgrade.is_none() {
        return Err(Unfit::Refused("these are today's rules"));
    }
    match open(modules, rules, &content) {
        Err(ModuleError::Refused(Fault::Upgrade)) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Unfit::Eager),
    }

    // It takes over and makes a block: of the operator's withdrawal, which is always accepted.
    let mut first = take_over(modules, &mut *old.instance, &decided.head, rules)?;
    let moved = first.instance.snapshot()?;
    let withdrawal = operator.upgrade(rules, head.height + 3, now_ms + 1);
    let made = decide(&mut *first.instance, now_ms + 1, &[withdrawal])?;
    let made = made.block.ok_or(Unfit::Decision("it refuses an event of the operator"))?;
    check_block(&made, &decided, rules)?;
    let after = first.instance.snapshot()?;
    let proof = ask_keys(&mut *first.instance)?;
    if proof.check(&operator.kennel).map(|(header, _)| header.hash()) != Ok(made.head.hash) {
        return Err(Unfit::Decision("its proof of a record doesn't hold"));
    }

    // Again, by an instance that has answered other things before.
    let mut second = take_over(modules, &mut *old.instance, &decided.head, rules)?;
    ask_keys(&mut *second.instance)?;
    if second.instance.snapshot()? != moved {
        return Err(Unfit::Differs("the state that they take over"));
    }
    let replay = encode(&Replay { signatures: true, block: made.bytes.clone() });
    let replayed = match second.instance.replay(&replay) {
        Ok(answer) => read_answer::<NewBlock>(&answer)?,
        Err(ModuleError::Refused(Fault::Outcome)) => return Err(Unfit::Differs("the block that they make")),
        Err(error) => return Err(error.into()),
    };
    if replayed != made || second.instance.snapshot()? != after {
        return Err(Unfit::Differs("the block that they make"));
    }

    // Real events, in two more instances.
    let mut straight = take_over(modules, &mut *old.instance, &decided.head, rules)?;
    let mut detoured = take_over(modules, &mut *old.instance, &decided.head, rules)?;
    ask_keys(&mut *detoured.instance)?;
    decide(&mut *detoured.instance, now_ms + 1, &[Vec::new()])?;
    let recent: Vec<Vec<u8>> = recent.iter().map(|event| event.0.clone()).collect();
    let outcome = decide(&mut *straight.instance, now_ms + 1, &recent)?;
    if outcome != decide(&mut *detoured.instance, now_ms + 1, &recent)? {
        return Err(Unfit::Differs("what they decide of the newest events"));
    }

    // What it writes, it reads.
    let reopened = open(modules, rules, &after)?;
    if reopened.head != made.head {
        return Err(Unfit::Migration("it doesn't open the state that it wrote"));
    }
    Ok(Rehearsed { height: head.height, bytes_before: content.len(), bytes_after: after.len() })
}

fn decide(
    instance: &mut dyn ChainInstance,
    timestamp_ms: u64,
    events: &[Vec<u8>],
) -> Result<Outcome, ModuleError> {
    let messages = events.iter().map(|event| vec![Bytes(event.clone())]).collect();
    read_answer(&instance.apply(&encode(&Batch { timestamp_ms, messages }))?)
}

fn ask_keys(instance: &mut dyn ChainInstance) -> Result<StateProof, ModuleError> {
    let (kind, id) = StateKey::Keys.parts();
    read_answer(&instance.ask(&encode(&Question { kind, id }))?)
}

/// The first block by the new rules against the last one by the old ones.
fn check_block(made: &NewBlock, before: &NewBlock, rules: RulesHash) -> Result<(), Unfit> {
    let block: Block = decode(&made.bytes.0).map_err(|_| Unfit::Decision("its block can't be read"))?;
    let header = &block.header;
    let follows = header.height == before.head.height + 1
        && header.parent == before.head.hash
        && header.rules_hash == rules
        && header.hash() == made.head.hash
        && header.history_root == before.head.checkpoint_root;
    if !follows {
        return Err(Unfit::Decision("its block doesn't follow the one before"));
    }
    let (old, new) = (&before.head.summary.totals, &made.head.summary.totals);
    if (old.minted, old.house, old.locked, old.pets) != (new.minted, new.house, new.locked, new.pets) {
        return Err(Unfit::Decision("an event of the operator changes treats or pets"));
    }
    Ok(())
}
