//! What it costs to get a module ready, and to call it.
//!
//! `cargo bench -p pitpet-chain-host --bench load [-- MODULE.wasm]`; without an argument the newest released module is
//! measured, or one of a few functions if there is none. Prints medians, the number of runs, and the ratios that count:
//! the numbers depend on the machine, the ratios hardly.

use std::{env, fs, hint::black_box, time::Instant};

use pitpet_chain_host::{
    Artefact, ArtefactCache, Host, Metering, Module, Operation, Releases, RulesHash, Settings, Target,
};

/// Every operation hashes its input, 16 rounds of integer arithmetic for each byte, and answers with one byte.
const ARITHMETIC: &str = r#"(module
  (memory (export "memory") 32 64)
  (func (export "abi_version") (result i32) (i32.const 1))
  (func (export "allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "deallocate") (param i32 i32))
  (func $work (param $ptr i32) (param $size i32) (result i64)
    (local $round i32) (local $sum i32) (local $at i32)
    (loop $bytes
      (local.set $round (i32.const 16))
      (loop $rounds
        (local.set $sum (i32.add (i32.rotl (local.get $sum) (i32.const 7))
          (i32.xor (i32.load8_u (i32.add (local.get $ptr) (local.get $at))) (local.get $round))))
        (local.set $sum (i32.mul (i32.xor (local.get $sum) (i32.shr_u (local.get $sum) (i32.const 15)))
          (i32.const 0x2c1b3c6d)))
        (br_if $rounds (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $at) (local.get $size))))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store8 (i32.const 513) (local.get $sum))
    (i64.const 0x200_00000002))
  (export "open" (func $work)) (export "apply" (func $work)) (export "replay" (func $work))
  (export "snapshot" (func $work)) (export "ask" (func $work)) (export "encode" (func $work))
  (export "verify" (func $work)))"#;

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
        None => Releases::latest().map_or_else(
            || wat::parse_str(ARITHMETIC).expect("the text is well formed"),
            |rules| Releases::embedded().find(rules).expect("the release is there").into_owned(),
        ),
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

    println!("\nMetering: `verify` of 1 MiB with and without");
    let uncounted = Host::compile(&wasm, &target, Metering::Uncounted).expect("it compiles");
    let settings = Settings { metering: Metering::Uncounted, ..Settings::default() };
    let plain = Host::headless(target, settings).load(rules, &uncounted).expect("it loads");
    let input = vec![3; 1024 * 1024];
    let verify = |module: &Module| {
        let mut instance = module.instantiate().expect("it starts");
        move |input: &[u8]| instance.call(Operation::Verify, input).expect("it answers")
    };
    // Turn about, so that a change of the machine's speed hits both.
    let (mut with, mut without) = (verify(&module), verify(&plain));
    let (mut counted_us, mut plain_us) = (Vec::new(), Vec::new());
    let rounds = 15;
    for _ in 0..rounds {
        counted_us.push(median_us(1, || with(&input)));
        plain_us.push(median_us(1, || without(&input)));
    }
    counted_us.sort_by(f64::total_cmp);
    plain_us.sort_by(f64::total_cmp);
    let counted = report("counted", rounds, counted_us[rounds / 2]);
    let plain = report("uncounted", rounds, plain_us[rounds / 2]);
    println!("metering costs {:.1} %", (counted / plain - 1.0) * 100.0);
    let mut instance = module.instantiate().expect("it starts");
    let _ = instance.call(Operation::Verify, &input).expect("it answers");
    if let Some(left) = instance.fuel_left() {
        let points = Operation::Verify.fuel() - left;
        println!("{points} points: {:.2} points a nanosecond", points as f64 / (counted * 1000.0));
    }
}
