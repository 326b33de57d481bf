//! The rules that commands run without being told to: those of this release, and those that `demo`
//! changes a kennel to.
//!
//! The latter are this release's with a state of another shape (`wasm/variants/wider.patch`), built
//! from the same source, and checked with it by `cargo xtask module variants --check`. No kennel
//! begins with them, and no deployed miner carries them.

use pitpet_chain::hash::{RulesHash, sha256};
use pitpet_chain_host::Releases;

/// The module that a demonstration changes to.
pub(super) static DEMONSTRATION: &[u8] = include_bytes!("../../../../wasm/variants/wider.wasm");

/// Its hash.
pub(super) fn demonstration() -> RulesHash {
    RulesHash(sha256(DEMONSTRATION))
}

/// The hashes of all that is run without being told to.
pub(super) fn trusted() -> Vec<RulesHash> {
    Releases::pinned().map(|rules| RulesHash(rules.0)).chain([demonstration()]).collect()
}

/// These releases and the demonstration's module.
pub(super) fn carried(releases: Releases) -> Releases {
    releases.and([DEMONSTRATION.to_vec()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstrations_rules_are_others_and_pass_the_gate() {
        pitpet_chain_host::Gatekeeper::new().inspect(DEMONSTRATION).unwrap();
        let pinned: Vec<RulesHash> = Releases::pinned().map(|rules| RulesHash(rules.0)).collect();
        assert!(!pinned.contains(&demonstration()));
        let found = carried(Releases::embedded()).find(pitpet_chain_host::RulesHash(demonstration().0));
        assert_eq!(&*found.unwrap(), DEMONSTRATION);
        assert_eq!(trusted().len(), pinned.len() + 1);
    }
}
