//! From a rules hash to a module that is ready to run.

use std::fmt;

use wasmer::{
    Engine, Pages,
    sys::{EngineBuilder, NativeEngineExt as _},
};

#[cfg(feature = "compiler")]
use crate::compile::compile;
use crate::{
    Artefact, ArtefactCache, ArtefactError, GateError, HostError, Instance, Metering, ReleaseError, Releases,
    RulesHash, Target, UnsupportedHost,
    memory::{BoundedMemory, GrowthRefused},
};

/// What a host allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The largest memory of one instance, in pages of 64 KiB. A module's own maximum may be lower.
    pub memory_pages_max: u32,
    /// Counted, but for measuring.
    pub metering: Metering,
}

impl Default for Settings {
    /// 8,192 pages = 512 MiB, which a kennel at all its limits fits, with metering.
    fn default() -> Self {
        Self { memory_pages_max: 8192, metering: Metering::Counted }
    }
}

/// Why a module can't be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The gatekeeper refused it.
    #[error("the module is refused: {0}")]
    Gate(#[from] GateError),
    /// The artefact isn't good.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// There is no good artefact, and this binary has no compiler.
    #[error(
        "the module {rules} has no usable artefact for {target}, and this binary has no compiler: {cause}"
    )]
    NoCompiler {
        /// The module.
        rules: RulesHash,
        /// What the artefact should be for.
        target: Box<str>,
        /// What is wrong with the artefact.
        cause: ArtefactError,
    },
    /// Nobody released the module.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The compiler failed.
    #[error("the module does not compile: {reason}")]
    Compiler {
        /// Its words.
        reason: String,
    },
    /// The engine refused an artefact that we took for good.
    #[error("the engine refuses the artefact: {reason}")]
    Engine {
        /// Its words.
        reason: String,
    },
    /// This machine runs no artefact of ours.
    #[error(transparent)]
    UnsupportedHost(#[from] UnsupportedHost),
}

/// Where a module's code came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The cache.
    Cache,
    /// Compiled now, because of what was wrong with the cached one; stored unless the folder can't be written.
    Compiled {
        /// What was wrong with the cached one.
        cause: ArtefactError,
        /// Why it could not be stored, if so; the next start compiles again.
        not_stored: Option<String>,
    },
}

/// Runs modules on this machine.
#[derive(Clone)]
pub struct Host {
    target: Target,
    settings: Settings,
    compiler: Compiler,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compiler {
    Absent,
    #[cfg(feature = "compiler")]
    Present,
}

impl Host {
    /// A host that only loads artefacts made for `target`, which has to be this machine's kind.
    pub fn headless(target: Target, settings: Settings) -> Self {
        Self { target, settings, compiler: Compiler::Absent }
    }

    /// A host that compiles what it finds no artefact of.
    #[cfg(feature = "compiler")]
    pub fn compiling(target: Target, settings: Settings) -> Self {
        Self { target, settings, compiler: Compiler::Present }
    }

    /// Compiles a module for any target.
    ///
    /// # Errors
    /// [`LoadError::Gate`] or [`LoadError::Compiler`].
    #[cfg(feature = "compiler")]
    pub fn compile(wasm: &[u8], target: &Target, metering: Metering) -> Result<Artefact, LoadError> {
        compile(wasm, target, metering)
    }

    /// What this host runs.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Loads an artefact of the module `rules`.
    ///
    /// # Errors
    /// [`LoadError::Artefact`] unless every field of its header fits; [`LoadError::Engine`] if the engine refuses it.
    pub fn load(&self, rules: RulesHash, artefact: &Artefact) -> Result<Module, LoadError> {
        artefact.check(rules, &self.target, self.settings.metering)?;
        let engine: Engine = EngineBuilder::headless().engine().into();
        // SAFETY: the bytes hash to the digest that was made when the code was compiled, and every field that the code
        // depends on (engine version, triple, CPU baseline, metering) is the one of this process. They come from this
        // crate's compiler by way of the deployed package or a folder that only its owner may write.
        #[allow(unsafe_code)]
        let module = unsafe { wasmer::Module::deserialize_unchecked(&engine, artefact.code()) };
        let inner = module.map_err(|error| LoadError::Engine { reason: error.to_string() })?;
        Ok(Module { inner, engine, rules, settings: self.settings })
    }

    /// Loads the module `rules` from the cache, or compiles it from the releases if this host may.
    ///
    /// # Errors
    /// [`LoadError::NoCompiler`] where the artefact isn't good and can't be made; otherwise what stood in the way.
    pub fn open(
        &self,
        rules: RulesHash,
        releases: &Releases,
        cache: &ArtefactCache,
    ) -> Result<(Module, Origin), LoadError> {
        // Whatever lies in the cache: what nobody released isn't run.
        releases.find(rules)?;
        let cached = cache.get(rules, &self.target, self.settings.metering);
        match (cached, self.compiler) {
            (Ok(artefact), _) => Ok((self.load(rules, &artefact)?, Origin::Cache)),
            (Err(cause), Compiler::Absent) => {
                Err(LoadError::NoCompiler { rules, target: self.target.to_string().into(), cause })
            }
            #[cfg(feature = "compiler")]
            (Err(cause), Compiler::Present) => {
                let artefact = compile(&releases.find(rules)?, &self.target, self.settings.metering)?;
                let not_stored = cache.put(&artefact, &self.target).err().map(|error| error.to_string());
                Ok((self.load(rules, &artefact)?, Origin::Compiled { cause, not_stored }))
            }
        }
    }
}

/// A module that is ready to be instantiated, as often as needed. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: wasmer::Module,
    engine: Engine,
    rules: RulesHash,
    settings: Settings,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Module {
    /// The module's hash.
    pub fn rules(&self) -> RulesHash {
        self.rules
    }

    /// Makes an instance with a memory of its own.
    ///
    /// # Errors
    /// [`HostError::BadInterface`] if it isn't of our ABI version, [`HostError::MemoryLimit`] if it needs more memory
    /// than allowed at once.
    pub fn instantiate(&self) -> Result<Instance, HostError> {
        let refused = GrowthRefused::default();
        let mut engine = self.engine.clone();
        // Of the clone alone: each instance has a memory limit and a witness of its own.
        engine.set_tunables(BoundedMemory {
            pages_max: Pages(self.settings.memory_pages_max),
            refused: refused.clone(),
        });
        Instance::new(engine, &self.inner, self.settings, refused)
    }
}
