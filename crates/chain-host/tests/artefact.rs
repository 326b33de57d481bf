//! Artefacts: what is believed, what is made anew, and what is refused where nothing can be made.

mod modules;

use std::fs;

use modules::fickle;
use pitpet_chain_host::{
    Artefact, ArtefactCache, ArtefactError, Cpu, ENGINE_VERSION, FORMAT_VERSION, Host, LoadError, Metering,
    Operation, Origin, Releases, RulesHash, Settings, Target,
};
use twox_hash::XxHash3_128;

struct Fixture {
    folder: tempfile::TempDir,
    rules: RulesHash,
    releases: Releases,
    cache: ArtefactCache,
    target: Target,
}

impl Fixture {
    /// A released module and an empty cache.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wasm = fickle();
        let rules = RulesHash::of(&wasm);
        fs::write(folder.path().join(format!("{rules}.wasm")), wasm).unwrap();
        let releases = Releases::with_folder(folder.path());
        let cache = ArtefactCache::new(folder.path().join("cache"));
        Self { folder, rules, releases, cache, target: Target::host().unwrap() }
    }

    fn compiling(&self) -> Host {
        Host::compiling(self.target.clone(), Settings::default())
    }

    fn headless(&self) -> Host {
        Host::headless(self.target.clone(), Settings::default())
    }

    fn origin(&self, host: &Host) -> Result<Origin, LoadError> {
        let (module, origin) = host.open(self.rules, &self.releases, &self.cache)?;
        assert_eq!(module.instantiate().unwrap().call(Operation::Ask, b"hello"), Ok(Ok(b"hello".to_vec())));
        Ok(origin)
    }

    fn file(&self) -> std::path::PathBuf {
        self.cache.path(self.rules, &self.target)
    }

    /// Puts other bytes in the artefact's place: made anew by one host, refused by the other.
    fn replaced(&self, bytes: &[u8]) -> ArtefactError {
        fs::write(self.file(), bytes).unwrap();
        let Err(LoadError::NoCompiler { rules, cause, .. }) = self.origin(&self.headless()) else {
            panic!("a host without a compiler takes a bad artefact");
        };
        assert_eq!(rules, self.rules);
        let made = Origin::Compiled { cause: cause.clone(), not_stored: None };
        assert_eq!(self.origin(&self.compiling()).unwrap(), made);
        assert_eq!(self.origin(&self.headless()).unwrap(), Origin::Cache);
        cause
    }
}

#[test]
fn is_compiled_once_and_then_loaded() {
    let fixture = Fixture::new();
    let missing = Origin::Compiled { cause: ArtefactError::Missing, not_stored: None };
    assert_eq!(fixture.origin(&fixture.compiling()).unwrap(), missing);
    assert_eq!(fixture.origin(&fixture.compiling()).unwrap(), Origin::Cache);
    assert_eq!(fixture.origin(&fixture.headless()).unwrap(), Origin::Cache);
    let files: Vec<_> = fs::read_dir(fixture.cache.folder()).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing is left beside the artefact");
}

#[test]
fn a_host_without_compiler_says_what_it_misses() {
    let fixture = Fixture::new();
    let error = fixture.origin(&fixture.headless()).unwrap_err();
    assert!(matches!(error, LoadError::NoCompiler { cause: ArtefactError::Missing, .. }));
    assert!(error.to_string().contains(&fixture.rules.to_string()), "{error}");
}

#[test]
fn a_changed_or_cut_artefact_is_never_loaded() {
    let fixture = Fixture::new();
    fixture.origin(&fixture.compiling()).unwrap();
    let good = fs::read(fixture.file()).unwrap();
    for size in [0, 7, 8, 12, 28, 40, 75, 127, 128, good.len() / 2, good.len() - 1] {
        assert!(Artefact::from_bytes(good[..size].to_vec()).is_err(), "cut to {size} bytes");
    }
    // Every byte of the header, and a sample of the code's.
    for index in (0..256).chain((256..good.len()).step_by(997)) {
        let mut bad = good.clone();
        bad[index] ^= 1;
        assert!(Artefact::from_bytes(bad).is_err(), "byte {index} changed");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert!(Artefact::from_bytes(longer).is_err());

    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    assert!(matches!(fixture.replaced(&bad), ArtefactError::Damaged(_)));
    assert!(matches!(fixture.replaced(b""), ArtefactError::Damaged(_)));
    let mut future = good;
    future[8] += 1;
    assert_eq!(fixture.replaced(&future), ArtefactError::Format { found: FORMAT_VERSION + 1 });
}

#[test]
fn an_artefact_for_something_else_is_refused_by_name() {
    let fixture = Fixture::new();
    fixture.origin(&fixture.compiling()).unwrap();
    let wasm = fickle();

    let other = if fixture.target.cpu() == Cpu::Armv8 { Cpu::X86_64V3 } else { Cpu::Armv8 };
    let elsewhere = Host::compile(&wasm, &Target::lambda(other), Metering::Counted).unwrap();
    let cause = fixture.replaced(elsewhere.as_bytes());
    assert!(matches!(cause, ArtefactError::Mismatch { field: "target", .. }), "{cause}");

    let uncounted = Host::compile(&wasm, &fixture.target, Metering::Uncounted).unwrap();
    let cause = fixture.replaced(uncounted.as_bytes());
    assert!(matches!(cause, ArtefactError::Mismatch { field: "metering", .. }), "{cause}");

    let another = modules::with("(func)");
    let found = RulesHash::of(&another);
    let another = Host::compile(&another, &fixture.target, Metering::Counted).unwrap();
    assert_eq!(fixture.replaced(another.as_bytes()), ArtefactError::Rules { found, expected: fixture.rules });
}

/// As another release would write it: whole, and with a digest that fits.
#[test]
fn an_artefact_of_another_engine_is_a_mismatch() {
    let fixture = Fixture::new();
    fixture.origin(&fixture.compiling()).unwrap();
    let mut other = fs::read(fixture.file()).unwrap();
    // In a row: the digest, twelve bytes of sizes, the rules hash, the metering's number, the version with its size.
    let size = ENGINE_VERSION.len();
    let has_about =
        |window: &[u8]| window.starts_with(&fixture.rules.0) && window.ends_with(ENGINE_VERSION.as_bytes());
    let rules = other.windows(37 + size).position(has_about).unwrap();
    let (digest, version) = (rules - 28..rules - 12, rules + 37..rules + 37 + size);
    other[version.end - 1] ^= 1;
    let found = String::from_utf8(other[version].to_vec()).unwrap();
    assert!(matches!(Artefact::from_bytes(other.clone()), Err(ArtefactError::Damaged(_))));
    let fits = XxHash3_128::oneshot(&other[digest.end..]).to_le_bytes();
    other[digest].copy_from_slice(&fits);
    let expected = ENGINE_VERSION.to_owned();
    assert_eq!(
        fixture.replaced(&other),
        ArtefactError::Mismatch { field: "engine version", found, expected }
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_lower_cpu_baseline_is_a_mismatch_too() {
    let fixture = Fixture::new();
    let target = Target::lambda(Cpu::X86_64V2);
    let artefact = Host::compile(&fickle(), &target, Metering::Counted).unwrap();
    let error = artefact.check(fixture.rules, &Target::lambda(Cpu::X86_64V3), Metering::Counted).unwrap_err();
    assert!(matches!(error, ArtefactError::Mismatch { field: "CPU baseline", .. }), "{error}");
}

#[test]
fn the_same_module_and_target_give_the_same_artefact() {
    for target in [Cpu::X86_64V2, Cpu::X86_64V3, Cpu::Armv8].map(Target::lambda) {
        let compile = || Host::compile(&fickle(), &target, Metering::Counted).unwrap();
        assert!(compile().as_bytes() == compile().as_bytes(), "{target}");
    }
}

#[test]
fn a_module_that_the_gate_refuses_is_not_compiled() {
    let wasm = modules::with("(func (param f32))");
    let error = Host::compile(&wasm, &Target::host().unwrap(), Metering::Counted).unwrap_err();
    assert!(matches!(error, LoadError::Gate(_)), "{error}");
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_only() {
    let fixture = Fixture::new();
    // A file where the folder should be.
    let cache = ArtefactCache::new(fixture.folder.path().join(format!("{}.wasm", fixture.rules)));
    let (_, origin) = fixture.compiling().open(fixture.rules, &fixture.releases, &cache).unwrap();
    assert!(matches!(origin, Origin::Compiled { not_stored: Some(_), .. }), "{origin:?}");
}

#[test]
fn an_unreleased_module_is_not_run() {
    let fixture = Fixture::new();
    fixture.origin(&fixture.compiling()).unwrap();
    let (artefact, nothing) = (fixture.rules, Releases::embedded());
    let error = fixture.headless().open(artefact, &nothing, &fixture.cache).unwrap_err();
    assert!(matches!(error, LoadError::Release(_)), "{error}");
    let error =
        fixture.compiling().open(RulesHash::of(b"other"), &fixture.releases, &fixture.cache).unwrap_err();
    assert!(matches!(error, LoadError::Release(_)), "{error}");
}

#[test]
fn the_engine_version_is_the_one_that_the_workspace_pins() {
    let manifest = include_str!("../../../Cargo.toml");
    for name in ["wasmer", "wasmer-middlewares"] {
        let line = format!("{name} = {{ version = \"={ENGINE_VERSION}\"");
        assert!(manifest.lines().any(|text| text.starts_with(&line)), "the manifest has no `{line}`");
    }
}
