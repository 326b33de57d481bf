//! Runs the golden vectors on several modules and requires the same answers.

use anyhow::{Context as _, ensure};
use pitpet_chain_host::{Host, HostError, Metering, Operation, Refusal, RulesHash, Settings, Target};

/// Calls that one instance answers in order.
type Script = Vec<(Operation, Vec<u8>)>;
type Answers = Vec<Result<Result<Vec<u8>, Refusal>, HostError>>;

/// The golden vectors as calls. None are recorded yet: what the operations mean isn't this task's business, so they
/// come from whoever writes `testvectors/`.
fn scripts() -> anyhow::Result<Vec<(String, Script)>> {
    Ok(Vec::new())
}

/// Requires that all of the named modules answer every script alike, byte for byte.
pub(crate) fn agree(modules: &[(&str, &[u8])]) -> anyhow::Result<()> {
    let scripts = scripts()?;
    let host = Host::compiling(Target::host()?, Settings::default());
    let mut expected: Option<(&str, Vec<Answers>)> = None;
    for (name, wasm) in modules {
        let artefact = Host::compile(wasm, host.target(), Metering::Counted)
            .with_context(|| format!("the {name} module does not compile"))?;
        let module = host.load(RulesHash::of(wasm), &artefact)?;
        let mut answers = Vec::new();
        for (_, script) in &scripts {
            let mut instance =
                module.instantiate().with_context(|| format!("the {name} module does not start"))?;
            answers.push(
                script.iter().map(|(operation, input)| instance.call(*operation, input)).collect::<Answers>(),
            );
        }
        match &expected {
            None => expected = Some((name, answers)),
            Some((first, others)) => {
                for ((script, _), (ours, theirs)) in scripts.iter().zip(answers.iter().zip(others)) {
                    ensure!(
                        ours == theirs,
                        "on {script}, the {name} module decides otherwise than the {first} one"
                    );
                }
            }
        }
    }
    println!("{} golden scripts agree on {} modules", scripts.len(), modules.len());
    Ok(())
}
