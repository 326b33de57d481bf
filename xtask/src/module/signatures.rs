//! Runs Wycheproof's Ed25519 cases in Wasm. The module verifies no message but an event's id, so they run in one that is
//! built from the same source with the feature `signatures`, and takes the same way through gate, compiler and host.

use anyhow::{Context as _, bail, ensure};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::PublicKey;
use pitpet_chain_host::{Host, Metering, Operation, RulesHash, Settings, Target};
use wycheproof::{TestResult, eddsa};

/// Requires the published verdict of every case.
pub(crate) fn agree(wasm: &[u8]) -> anyhow::Result<()> {
    let host = Host::compiling(Target::host()?, Settings::default());
    let artefact = Host::compile(wasm, host.target(), Metering::Counted)
        .context("the module with `signatures` does not compile")?;
    let mut instance = host.load(RulesHash::of(wasm), &artefact)?.instantiate()?;
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .map_err(|error| anyhow::anyhow!("Wycheproof's cases can't be read: {error}"))?;
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let key = PublicKey(group.key.pk.as_slice().try_into().context("a key has 32 bytes")?);
        for test in group.tests {
            let wanted = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => bail!("case {}: nothing is left to taste", test.tc_id),
            };
            let message = Bytes(test.msg.to_vec());
            let input = match <[u8; 64]>::try_from(test.sig.as_slice()) {
                Ok(signature) => encode(&(key, (message, signature))),
                // Of another length: the codec refuses it before it is looked at.
                Err(_) => encode(&(key, (message, Bytes(test.sig.to_vec())))),
            };
            let answer = instance.call(Operation::Verify, &input)?;
            let accepted = match answer {
                Ok(answer) => decode(&answer)
                    .ok()
                    .with_context(|| format!("case {}: the answer is no verdict", test.tc_id))?,
                Err(_) => false,
            };
            ensure!(accepted == wanted, "case {}: {} {:?}", test.tc_id, test.comment, test.flags);
            if wanted { valid += 1 } else { invalid += 1 }
        }
    }
    ensure!((valid, invalid) == (88, 63), "there are {valid} valid and {invalid} invalid cases");
    println!("Wycheproof's {} Ed25519 cases agree in Wasm", valid + invalid);
    Ok(())
}
