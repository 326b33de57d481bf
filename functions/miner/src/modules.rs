//! Chain modules under wasmer, behind the pipeline's module port.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use pitpet_aws::metrics::{Count, count, spent_in_wasm};
use pitpet_chain::codec::decode;
use pitpet_chain::kennel::Fault;
use pitpet_chain_host::{
    ArtefactCache, Host, HostError, Instance, LoadError, Module, Operation, Refusal, Releases, RulesHash,
    Settings, Target,
};
use pitpet_pipeline::ports::{ChainInstance, ModuleError, ModuleHost};

/// The modules that this process can run; each is loaded once.
pub struct WasmModules {
    host: Host,
    releases: Releases,
    cache: ArtefactCache,
    loaded: Mutex<Vec<Module>>,
}

impl WasmModules {
    /// Runs modules from the artefacts in a folder, and none else.
    ///
    /// # Errors
    /// [`LoadError`] if this machine runs no artefact of ours.
    pub fn headless(artefacts: impl AsRef<Path>) -> Result<Self, LoadError> {
        let host = Host::headless(Target::host()?, Settings::default());
        Ok(Self::new(host, Releases::embedded(), ArtefactCache::new(artefacts.as_ref())))
    }

    /// Runs modules by this host.
    pub fn new(host: Host, releases: Releases, cache: ArtefactCache) -> Self {
        Self { host, releases, cache, loaded: Mutex::default() }
    }

    /// Loads the module with this hash, or gives the one that is loaded.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn module(&self, rules: RulesHash) -> Result<Module, LoadError> {
        let mut loaded = self.loaded.lock().expect("no panic while the list is locked");
        if let Some(module) = loaded.iter().find(|module| module.rules() == rules) {
            return Ok(module.clone());
        }
        let (module, origin) = self.host.open(rules, &self.releases, &self.cache)?;
        tracing::info!(%rules, ?origin, "chain module loaded");
        loaded.push(module.clone());
        Ok(module)
    }
}

fn refused(refusal: &Refusal) -> ModuleError {
    match decode::<u16>(&refusal.0).ok().and_then(Fault::from_number) {
        Some(fault) => ModuleError::Refused(fault),
        None => ModuleError::Trap("the module refused for a reason that this host doesn't know".to_owned()),
    }
}

fn call(instance: &mut Instance, operation: Operation, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let began = Instant::now();
    let answer: Result<_, HostError> = instance.call(operation, input);
    spent_in_wasm(began.elapsed());
    if matches!(operation, Operation::Replay) {
        count(Count::BlocksReplayed, 1);
    }
    answer.map_err(|error| ModuleError::Trap(error.to_string()))?.map_err(|refusal| refused(&refusal))
}

fn not_loaded(rules_hash: &[u8; 32], error: LoadError) -> ModuleError {
    match error {
        LoadError::Release(_) => ModuleError::UnknownRules(hex::encode(rules_hash)),
        error => ModuleError::Load(error.to_string()),
    }
}

impl ModuleHost for WasmModules {
    fn check(&self, rules_hash: &[u8; 32]) -> Result<(), ModuleError> {
        let module = self.module(RulesHash(*rules_hash)).map_err(|error| not_loaded(rules_hash, error))?;
        module.instantiate().map(drop).map_err(|error| ModuleError::Load(error.to_string()))
    }

    fn open(
        &self,
        rules_hash: &[u8; 32],
        start: &[u8],
    ) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        let module = self.module(RulesHash(*rules_hash)).map_err(|error| not_loaded(rules_hash, error))?;
        let mut instance = module.instantiate().map_err(|error| ModuleError::Load(error.to_string()))?;
        let opened = call(&mut instance, Operation::Open, start)?;
        Ok((Box::new(WasmInstance(instance)), opened))
    }
}

struct WasmInstance(Instance);

impl ChainInstance for WasmInstance {
    fn apply(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        call(&mut self.0, Operation::Apply, input)
    }
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        call(&mut self.0, Operation::Replay, input)
    }
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError> {
        call(&mut self.0, Operation::Snapshot, &[])
    }
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, ModuleError> {
        call(&mut self.0, Operation::Ask, question)
    }
}
