//! What machine code is made for: an operating system's calling convention and a fixed CPU baseline.
//!
//! Never the features of the machine that compiles: an artefact made on one machine has to run on every machine of its
//! target.

use std::fmt;

use wasmer::sys::{CpuFeature, Triple};

/// A CPU baseline, named as by the x86-64 psABI and by Arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cpu {
    /// SSE4.2 and POPCNT: any x86-64 since about 2009.
    X86_64V2,
    /// AVX2, BMI1, BMI2, LZCNT, FMA: x86-64 since Haswell (2013). AWS Lambda promises AVX2 on every x86-64 host, and
    /// no machine there has it without the rest.
    X86_64V3,
    /// Armv8-A with NEON, which is all that cranelift's flags know and every Graviton and Apple machine has.
    Armv8,
}

impl Cpu {
    /// The name that stands in artefacts and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64V2 => "x86-64-v2",
            Self::X86_64V3 => "x86-64-v3",
            Self::Armv8 => "armv8-a",
        }
    }

    const fn architecture(self) -> &'static str {
        match self {
            Self::X86_64V2 | Self::X86_64V3 => "x86_64",
            Self::Armv8 => "aarch64",
        }
    }

    const fn features(self) -> &'static [CpuFeature] {
        use CpuFeature::{AVX, AVX2, BMI1, BMI2, FMA, LZCNT, NEON, POPCNT, SSE2, SSE3, SSE41, SSE42, SSSE3};
        match self {
            Self::X86_64V2 => &[SSE2, SSE3, SSSE3, SSE41, SSE42, POPCNT],
            Self::X86_64V3 => &[SSE2, SSE3, SSSE3, SSE41, SSE42, POPCNT, AVX, AVX2, BMI1, BMI2, LZCNT, FMA],
            Self::Armv8 => &[NEON],
        }
    }

    fn runs_here(self) -> bool {
        let here = CpuFeature::for_host();
        self.architecture() == std::env::consts::ARCH
            && self.features().iter().all(|feature| here.contains(*feature))
    }
}

/// An operating system and a CPU baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    cpu: Cpu,
    triple: Triple,
}

/// This machine has none of the CPU baselines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this machine's CPU has none of the baselines x86-64-v3, x86-64-v2 and armv8-a")]
pub struct UnsupportedHost;

impl Target {
    /// What the functions are compiled for: Linux with glibc, and AVX2 on x86-64.
    ///
    /// # Panics
    /// Never: the triples are constants.
    pub fn lambda(cpu: Cpu) -> Self {
        let triple = format!("{}-unknown-linux-gnu", cpu.architecture());
        Self { cpu, triple: triple.parse().expect("a constant triple is well formed") }
    }

    /// What is compiled where it runs: this operating system, and the highest baseline that this machine has.
    ///
    /// # Errors
    /// [`UnsupportedHost`] where there is none.
    pub fn host() -> Result<Self, UnsupportedHost> {
        [Cpu::X86_64V3, Cpu::X86_64V2, Cpu::Armv8]
            .into_iter()
            .find(|cpu| cpu.runs_here())
            .map(|cpu| Self { cpu, triple: Triple::host() })
            .ok_or(UnsupportedHost)
    }

    /// The CPU baseline.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// The target triple.
    pub fn triple(&self) -> String {
        self.triple.to_string()
    }

    #[cfg(feature = "compiler")]
    pub(crate) fn for_engine(&self) -> wasmer::sys::Target {
        wasmer::sys::Target::new(self.triple.clone(), self.cpu.features().iter().copied().collect())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.triple, self.cpu.name())
    }
}
