//! The two kinds of tree, each against a second opinion: the block log against a kept library,
//! the state tree against its definition.

use pitpet_chain::hash::{Digest32, sha256};
use pitpet_chain::log::{self, Frontier};
use pitpet_chain::tree::Tree;
use proptest::collection::btree_map;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tlog_tiles::tlog::{
    self, Hash, HashReader, check_record, prove_record, record_hash, stored_hashes, tree_hash,
};

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

#[test]
fn log_agrees_with_the_kept_library() {
    let data = |n: u64| n.to_be_bytes().repeat(4);
    let mut stored = Stored(Vec::new());
    let mut frontier = Frontier::default();
    let mut leaves = Vec::new();
    for size in 1..=67_u64 {
        let n = size - 1;
        let leaf = log::leaf(&data(n));
        assert_eq!(leaf, record_hash(&data(n)).0);
        let added = stored_hashes(n, &data(n), &stored).unwrap();
        let nodes = frontier.append(leaf);
        assert_eq!(
            nodes,
            added.iter().map(|hash| hash.0).collect::<Vec<_>>(),
            "nodes that leaf {n} completes"
        );
        stored.0.extend(added);
        leaves.push(leaf);

        let root = tree_hash(size, &stored).unwrap();
        assert_eq!(log::root(&leaves), root.0);
        assert_eq!(frontier.root(), root.0);
        for index in 0..size {
            let theirs = prove_record(size, index, &stored).unwrap();
            let ours = log::path(&leaves, usize::try_from(index).unwrap());
            assert_eq!(ours, theirs.iter().map(|hash| hash.0).collect::<Vec<_>>(), "path {index} of {size}");
            let own = leaves[usize::try_from(index).unwrap()];
            assert!(log::includes(&root.0, size, index, &own, &ours));
            check_record(&theirs, size, root, index, Hash(own)).unwrap();
            if index > 0 {
                assert!(!log::includes(&root.0, size, index - 1, &own, &ours));
            }
        }
    }
}

/// The state tree's root as its module defines it: nothing, a leaf, or a node over two halves.
fn defined(entries: &[(Digest32, Digest32)], depth: usize) -> Digest32 {
    let bit = |key: &Digest32| key[depth / 8] & (0x80 >> (depth % 8)) != 0;
    match entries {
        [] => [0; 32],
        [(key, value)] => Sha256::digest([&[0][..], key, value].concat()).into(),
        _ => {
            let (right, left): (Vec<_>, Vec<_>) = entries.iter().copied().partition(|(key, _)| bit(key));
            let (left, right) = (defined(&left, depth + 1), defined(&right, depth + 1));
            Sha256::digest([&[1][..], &left, &right].concat()).into()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Inserts, overwrites and removals, roots asked for at any moment.
    #[test]
    fn tree_agrees_with_its_definition(steps in proptest::collection::vec((0_u8..40, any::<Option<u8>>(), any::<bool>()), 0..200)) {
        // Half of the keys are neighbours, so that long shared prefixes occur.
        let key = |n: u8| if n < 20 { sha256(&[n]) } else { let mut key = [5; 32]; key[31] = n; key };
        let mut tree = Tree::default();
        let mut model = BTreeMap::new();
        for (n, value, ask) in steps {
            match value {
                Some(value) => { tree.insert(key(n), sha256(&[value])); model.insert(key(n), sha256(&[value])); }
                None => { tree.remove(&key(n)); model.remove(&key(n)); }
            }
            if ask {
                let entries: Vec<_> = model.iter().map(|(k, v)| (*k, *v)).collect();
                prop_assert_eq!(tree.root(), defined(&entries, 0));
            }
        }
        let entries: Vec<_> = model.iter().map(|(k, v)| (*k, *v)).collect();
        let root = defined(&entries, 0);
        prop_assert_eq!(tree.root(), root);
        for n in 0..40 {
            let proof = tree.prove(&key(n));
            prop_assert_eq!(proof.check(&root, &key(n)), Some(model.get(&key(n)).copied()));
            prop_assert_eq!(proof.check(&[1; 32], &key(n)), None);
        }
    }

    /// A proof changed anywhere shows nothing, or what is true.
    #[test]
    fn changed_proofs_show_nothing_false(model in btree_map(any::<[u8; 32]>(), any::<[u8; 32]>(), 1..40), asked: [u8; 32], at: prop::sample::Index, bits in 1_u8..) {
        let mut tree = Tree::default();
        for (key, value) in &model {
            tree.insert(*key, *value);
        }
        let root = tree.root();
        let present = *model.keys().nth(at.index(model.len())).unwrap();
        for key in [asked, present] {
            let proof = tree.prove(&key);
            for n in 0..proof.siblings.len() {
                let mut bad = proof.clone();
                bad.siblings[n][at.index(32)] ^= bits;
                prop_assert_eq!(bad.check(&root, &key), None);
                let mut bad = proof.clone();
                bad.siblings.remove(n);
                prop_assert_eq!(bad.check(&root, &key), None);
            }
            let mut bad = proof.clone();
            bad.siblings.push([0; 32]);
            prop_assert_eq!(bad.check(&root, &key), None);
        }
    }
}
