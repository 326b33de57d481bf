//! Runs the golden vectors on several modules and requires the recorded answers.

use anyhow::{Context as _, ensure};
use pitpet_chain::abi::Session;
use pitpet_chain::codec::encode;
use pitpet_chain_host::{Host, Metering, Refusal, RulesHash, Settings, Target};

use crate::vectors::{self, Script};

/// Requires that the native build and all of the named modules answer every script as recorded, byte for byte.
pub(crate) fn agree(modules: &[(&str, &[u8])]) -> anyhow::Result<()> {
    let scripts = vectors::recorded()?;
    natively(&scripts)?;
    let host = Host::compiling(Target::host()?, Settings::default());
    for (name, wasm) in modules {
        let artefact = Host::compile(wasm, host.target(), Metering::Counted)
            .with_context(|| format!("the {name} module does not compile"))?;
        let module = host.load(RulesHash::of(wasm), &artefact)?;
        for script in &scripts {
            let mut instance =
                module.instantiate().with_context(|| format!("the {name} module does not start"))?;
            for (n, step) in script.steps.iter().enumerate() {
                let place = || format!("{}, step {n} ({}), on the {name} module", script.name, step.note);
                let answer = instance.call(step.operation, &step.input).with_context(place)?;
                let recorded = step.answer.clone().map_err(|fault| Refusal(encode(&fault)));
                ensure!(answer == recorded, "{}: decided otherwise than recorded", place());
            }
        }
    }
    let steps: usize = scripts.iter().map(|script| script.steps.len()).sum();
    println!(
        "{} golden scripts with {steps} calls agree: native and {} modules",
        scripts.len(),
        modules.len()
    );
    Ok(())
}

fn natively(scripts: &[Script]) -> anyhow::Result<()> {
    for script in scripts {
        let mut session = Session::new();
        for (n, step) in script.steps.iter().enumerate() {
            let answer = vectors::native(&mut session, step.operation, &step.input);
            ensure!(
                answer.map_err(|fault| fault as u16) == step.answer,
                "{}, step {n} ({}): the native build decides otherwise than recorded",
                script.name,
                step.note
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitpet_chain_host::Releases;

    #[test]
    fn native_and_the_pinned_module_answer_as_recorded() {
        let rules = Releases::latest().unwrap();
        let pinned = Releases::embedded().find(rules).unwrap();
        agree(&[("pinned", &pinned)]).unwrap();
    }

    /// The check is worth something: another answer is found, native or in Wasm.
    #[test]
    fn another_answer_is_found() {
        let mut scripts = vectors::recorded().unwrap();
        let step = scripts[0].steps.last_mut().unwrap();
        step.answer.as_mut().unwrap()[3] ^= 1;
        assert!(natively(&scripts).is_err());
    }
}
