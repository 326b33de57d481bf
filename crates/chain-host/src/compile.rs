//! Compiles modules with cranelift, for this machine or another.

use std::sync::Arc;

use wasmer::{
    Engine,
    sys::{CompilerConfig as _, Cranelift, CraneliftOptLevel, EngineBuilder, Features},
};
use wasmer_middlewares::Metering as OperatorMetering;

use crate::{
    Artefact, Gatekeeper, LoadError, Metering, RulesHash, Target,
    lean::Lean,
    metering::{BulkMetering, price},
};

/// Compiles a module that passes the gate.
///
/// The same module, target and engine give the same bytes, on whatever machine.
pub(crate) fn compile(wasm: &[u8], target: &Target, metering: Metering) -> Result<Artefact, LoadError> {
    Gatekeeper::new().inspect(wasm)?;
    let module = wasmer::Module::new(&engine(target, metering), wasm)
        .map_err(|error| LoadError::Compiler { reason: error.to_string() })?;
    let code = module.serialize().map_err(|error| LoadError::Compiler { reason: error.to_string() })?;
    Ok(Artefact::new(RulesHash::of(wasm), target, metering, &code)?)
}

/// Makes an engine for one compilation; a metering middleware is good for one module only.
fn engine(target: &Target, metering: Metering) -> Engine {
    let mut cranelift = Cranelift::new();
    cranelift.opt_level(CraneliftOptLevel::Speed);
    match metering {
        Metering::Uncounted => {}
        Metering::Counted => {
            cranelift.push_middleware(Arc::new(OperatorMetering::new(0, price)));
            cranelift.push_middleware(Arc::new(BulkMetering::default()));
        }
    }
    let mut features = Features::none();
    features.bulk_memory = true;
    EngineBuilder::new(Lean(cranelift))
        .set_target(Some(target.for_engine()))
        .set_features(Some(features))
        .engine()
        .into()
}
