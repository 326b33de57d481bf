//! Runs the chain module: WebAssembly in, answers out.
//!
//! A module goes through four doors, each of which can refuse it:
//! [`Gatekeeper`] (is it closed and deterministic?), [`compile()`](Host::compile) or [`Artefact::from_bytes`]
//! (machine code that is known to be of this module, for this engine and this CPU), [`Host::load`], and
//! [`Module::instantiate`] (does it speak our ABI version?). What comes out is an [`Instance`], which keeps a kennel
//! between calls and which is thrown away after the first [`HostError`].
//!
//! This is the only crate that names wasmer. It builds with either engine feature: `compiler` where modules may be
//! compiled, `headless` where artefacts are only loaded, so that no compiler is in the binary; with neither there is
//! no engine, only the gatekeeper and the released modules.
//!
//! Deliberately absent: imports of any kind (a module can't ask the host for anything), asynchronous calls, sharing of
//! an instance between threads at a time, snapshots of linear memory, and any knowledge of what the bytes that go in
//! and come out mean.

mod abi;
mod gatekeeper;
mod releases;
mod releases_table;
mod rules_hash;

#[cfg(feature = "engine")]
mod artefact;
#[cfg(feature = "engine")]
mod cache;
#[cfg(feature = "compiler")]
mod compile;
#[cfg(feature = "engine")]
mod host;
#[cfg(feature = "engine")]
mod instance;
#[cfg(feature = "compiler")]
mod lean;
#[cfg(feature = "engine")]
mod memory;
#[cfg(feature = "compiler")]
mod metering;
#[cfg(feature = "engine")]
mod target;

pub use abi::{ABI_VERSION, Operation, Refusal};
pub use gatekeeper::{
    GateError, Gatekeeper, MEMORY_PAGES_MAX, MODULE_BYTES_MAX, MemoryFault, TABLE_ELEMENTS_MAX,
};
pub use releases::{ReleaseError, Releases};
pub use rules_hash::{RulesHash, RulesHashError};

#[cfg(feature = "engine")]
pub use artefact::{Artefact, ArtefactError, ENGINE_VERSION, FORMAT_VERSION, Metering};
#[cfg(feature = "engine")]
pub use cache::ArtefactCache;
#[cfg(feature = "engine")]
pub use host::{Host, LoadError, Module, Origin, Settings};
#[cfg(feature = "engine")]
pub use instance::{HostError, Instance, InterfaceFault};
#[cfg(feature = "engine")]
pub use target::{Cpu, Target, UnsupportedHost};
