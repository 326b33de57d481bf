//! The rules as native code behind the module port: for proofs in the query function, which
//! anyone may check, and for tests. The miner never uses it.

use std::sync::Arc;

use pitpet_chain::abi::Session;
use pitpet_chain::hash::RulesHash;
use pitpet_chain::kennel::{Fault, Kennel};
use pitpet_chain::state::State;

use crate::ports::{ChainInstance, ModuleError, ModuleHost};

/// Opens kennels natively, whatever the rules hash: it decides as the newest module does.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeHost;

impl ModuleHost for NativeHost {
    fn open(
        &self,
        _rules_hash: &[u8; 32],
        start: &[u8],
    ) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        let mut session = Session::default();
        let opened = session.open(start).map_err(refused)?;
        Ok((Box::new(NativeInstance(session)), opened))
    }
}

/// The rules that the source of this build makes: the newest release's. `cargo xtask module pin`
/// writes the file, and a test of that crate holds it to the table of releases.
pub fn released_rules() -> Option<RulesHash> {
    include_str!("native_rules.txt").trim().parse().ok()
}

/// Replicas, for proofs and for who is alive: native where a kennel's rules are this build's, by a
/// module host for all others, if there is one.
///
/// Native code decides by one set of rules. Where a kennel's newest blocks are by others it would
/// come to other states, which whoever gets a proof would refuse; so it isn't asked at all.
pub struct ReplicaHost {
    native: RulesHash,
    others: Option<Arc<dyn ModuleHost>>,
}

impl ReplicaHost {
    /// Runs these rules natively, and others by a module host.
    pub fn new(native: RulesHash, others: Option<Arc<dyn ModuleHost>>) -> Self {
        Self { native, others }
    }
}

impl ModuleHost for ReplicaHost {
    fn open(
        &self,
        rules_hash: &[u8; 32],
        start: &[u8],
    ) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        match &self.others {
            _ if *rules_hash == self.native.0 => NativeHost.open(rules_hash, start),
            Some(others) => others.open(rules_hash, start),
            None => Err(ModuleError::UnknownRules(RulesHash(*rules_hash).to_string())),
        }
    }

    fn check(&self, rules_hash: &[u8; 32]) -> Result<(), ModuleError> {
        match &self.others {
            _ if *rules_hash == self.native.0 => Ok(()),
            Some(others) => others.check(rules_hash),
            None => Err(ModuleError::UnknownRules(RulesHash(*rules_hash).to_string())),
        }
    }
}

struct NativeInstance(Session);

fn refused(fault: Fault) -> ModuleError {
    ModuleError::Refused(fault)
}

impl ChainInstance for NativeInstance {
    fn apply(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.apply(input).map_err(refused)
    }
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.replay(input).map_err(refused)
    }
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError> {
        self.0.snapshot(&[]).map_err(refused)
    }
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.0.ask(question).map_err(refused)
    }
    fn state(&self) -> Option<&State> {
        self.0.kennel().map(Kennel::state)
    }
}
