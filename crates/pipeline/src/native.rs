//! The rules as native code behind the module port: for proofs in the query function, which
//! anyone may check, and for tests. The miner never uses it.

use pitpet_chain::abi::Session;
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
