//! Cranelift without the maps from machine instructions to positions in the module.
//!
//! The maps are half of an artefact, and all that they serve are the line numbers of a
//! backtrace inside the module. Every cold start would read them, check their digest and carry
//! them along. What a trap needs to be recognised as one is kept.

use std::sync::Arc;

use enumset::EnumSet;
use wasmer::sys::{CompilerConfig, Cranelift, Features, ModuleMiddleware};
use wasmer_compiler::{
    Compiler, FunctionBodyData, ModuleTranslationState,
    types::{function::Compilation, module::CompileModuleInfo},
};
use wasmer_types::{
    CompilationProgressCallback, CompileError, LocalFunctionIndex,
    entity::PrimaryMap,
    target::{CpuFeature, Target, UserCompilerOptimizations},
};

/// Cranelift's settings, for artefacts without address maps.
pub(crate) struct Lean(pub(crate) Cranelift);

impl CompilerConfig for Lean {
    fn compiler(self: Box<Self>) -> Box<dyn Compiler> {
        Box::new(LeanCompiler(Box::new(self.0).compiler()))
    }

    fn supported_features_for_target(&self, target: &Target) -> Features {
        self.0.supported_features_for_target(target)
    }

    fn push_middleware(&mut self, middleware: Arc<dyn ModuleMiddleware>) {
        self.0.push_middleware(middleware);
    }
}

#[derive(Debug)]
struct LeanCompiler(Box<dyn Compiler>);

impl Compiler for LeanCompiler {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn deterministic_id(&self) -> String {
        self.0.deterministic_id()
    }

    fn artifact_format(&self) -> String {
        self.0.artifact_format()
    }

    fn with_opts(&mut self, suggested: &UserCompilerOptimizations) -> Result<(), CompileError> {
        self.0.with_opts(suggested)
    }

    fn compile_module(
        &self,
        target: &Target,
        module: &CompileModuleInfo,
        compile_info_blob: &[u8],
        translation: &ModuleTranslationState,
        bodies: PrimaryMap<LocalFunctionIndex, FunctionBodyData<'_>>,
        progress: Option<&CompilationProgressCallback>,
    ) -> Result<Compilation, CompileError> {
        let mut compiled =
            self.0.compile_module(target, module, compile_info_blob, translation, bodies, progress)?;
        if let Compilation::Rkyv { compilation, .. } = &mut compiled {
            for function in compilation.functions.values_mut() {
                function.frame_info.address_map.instructions.clear();
            }
        }
        Ok(compiled)
    }

    fn get_middlewares(&self) -> &[Arc<dyn ModuleMiddleware>] {
        self.0.get_middlewares()
    }

    fn get_cpu_features_used(&self, cpu_features: &EnumSet<CpuFeature>) -> EnumSet<CpuFeature> {
        self.0.get_cpu_features_used(cpu_features)
    }
}
