//! What it costs to get a module ready, and to call it.
//!
//! `cargo bench -p pitpet-chain-host --bench load [-- MODULE.wasm]`; without an argument the newest released module is
//! measured. Prints medians, the number of runs, and the ratios that count:
//! the numbers depend on the machine, the ratios hardly.

use std::{env, fs, hint::black_box, time::Instant};

use pitpet_chain_host::{
    Artefact, ArtefactCache, Host, Metering, Operation, Releases, RulesHash, Settings, Target,
};

/// The median of some runs, in microseconds.
fn median_us<T>(runs: usize, mut run: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            let made = black_box(run());
            let took = start.elapsed();
            // What it costs to throw it away isn't part of it.
            drop(made);
            took.as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn report(what: &str, runs: usize, us: f64) -> f64 {
    println!("{what:<58}{us:>14.2} µs   median of {runs} runs");
    us
}

fn measure<T>(what: &str, runs: usize, run: impl FnMut() -> T) -> f64 {
    report(what, runs, median_us(runs, run))
}

fn main() {
    // Cargo adds `--bench`.
    let wasm = match env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        Some(path) => fs::read(&path).expect("the module can be read"),
        None => {
            let latest = Releases::latest().expect("a pinned module");
            Releases::embedded().find(latest).expect("the release is there").into_owned()
        }
    };
    let rules = RulesHash::of(&wasm);
    let target = Target::host().expect("this machine is supported");
    println!("module {rules}, {} bytes, for {target}", wasm.len());

    let host = Host::headless(target.clone(), Settings::default());
    let compile = || Host::compile(&wasm, &target, Metering::Counted).expect("it compiles");
    let artefact = compile();
    println!("artefact of {} bytes", artefact.as_bytes().len());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let cache = ArtefactCache::new(folder.path());
    cache.put(&artefact, &target).expect("the artefact can be stored");
    let from_cache = || cache.get(rules, &target, Metering::Counted).expect("the artefact is good");
    let load = |artefact: &Artefact| host.load(rules, artefact).expect("it loads");

    println!("\nGetting ready");
    let compiled = measure("inspect, compile, load, instantiate", 15, || load(&compile()).instantiate());
    measure("read the file and check the digest", 200, from_cache);
    measure("load from memory", 200, || load(&artefact));
    let loaded = measure("read, check, load, instantiate", 200, || load(&from_cache()).instantiate());
    let module = load(&artefact);
    measure("a further instance", 500, || module.instantiate());
    println!("artefact against compiling: {:.0} times faster", compiled / loaded);

    println!("\nCalling");
    let mut instance = module.instantiate().expect("it starts");
    let thousand = measure("1,000 calls of `encode` with one byte", 50, || {
        for _ in 0..1000 {
            let _ = black_box(instance.call(Operation::Encode, &[1]).expect("it answers"));
        }
    });
    println!("one call: {:.3} µs", thousand / 1000.0);
}
