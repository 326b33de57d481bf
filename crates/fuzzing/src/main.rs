//! `pitpet-fuzzing DIR`: writes each target's seeds to a folder of its name, for `cargo fuzz`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use pitpet_fuzzing::{TARGETS, seeds};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [folder] = &arguments[..] else {
        eprintln!("usage: pitpet-fuzzing DIR\nwrites the seeds of every target to DIR/TARGET/");
        return ExitCode::from(2);
    };
    for target in TARGETS {
        let folder = PathBuf::from(folder).join(target.name);
        let written = fs::create_dir_all(&folder).and_then(|()| {
            let mut seeds = seeds::of(target.name).into_iter().enumerate();
            seeds.try_for_each(|(n, seed)| fs::write(folder.join(format!("seed-{n:03}")), seed))
        });
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
