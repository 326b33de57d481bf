//! Merkle trees of RFC 6962 (RFC 9162 section 2.1): roots, inclusion proofs, and the frontier of
//! a growing tree.
//!
//! Deliberately absent: consistency proofs and proofs over stored nodes, which only servers and
//! auditors need; they use a kept library (`tlog_tiles`) over the nodes that [`Frontier::append`]
//! yields. A test holds both to the same roots and proofs.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::hash::Digest32;
use crate::record;

/// Hash of a leaf: SHA-256(0x00 ‖ data).
pub fn leaf(data: &[u8]) -> Digest32 {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(data);
    hasher.finalize().into()
}

/// Hash of a node: SHA-256(0x01 ‖ left ‖ right).
pub fn node(left: &Digest32, right: &Digest32) -> Digest32 {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// Root of a tree over leaf hashes; of none, SHA-256 of nothing.
pub fn root(leaves: &[Digest32]) -> Digest32 {
    match leaves {
        [] => crate::hash::sha256(&[]),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// Inclusion proof of the leaf at `index`: siblings from the leaf up to the root.
///
/// # Panics
/// If `index` is no leaf.
pub fn path(leaves: &[Digest32], index: usize) -> Vec<Digest32> {
    assert!(index < leaves.len(), "the proof is for a leaf of the tree");
    let mut siblings = Vec::new();
    let mut leaves = leaves;
    let mut index = index;
    while leaves.len() > 1 {
        let at = split(leaves.len());
        let (left, right) = leaves.split_at(at);
        if index < at {
            siblings.push(root(right));
            leaves = left;
        } else {
            siblings.push(root(left));
            leaves = right;
            index -= at;
        }
    }
    siblings.reverse();
    siblings
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

/// Checks an inclusion proof (RFC 9162 section 2.1.3.2).
pub fn includes(root: &Digest32, size: u64, index: u64, leaf: &Digest32, siblings: &[Digest32]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in siblings {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

record! {
    /// The right edge of a growing tree: the roots of its perfect subtrees, largest first.
    #[derive(Default)]
    pub struct Frontier {
        /// Leaves appended so far.
        pub size: u64,
        /// One hash for each one bit of `size`, highest bit first.
        pub peaks: Vec<Digest32>,
    }
}

impl Frontier {
    /// Appends a leaf hash and returns the nodes that it completes: the leaf itself (level 0),
    /// then one for each trailing one bit of the former size.
    pub fn append(&mut self, leaf: Digest32) -> Vec<Digest32> {
        let mut completed = alloc::vec![leaf];
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each one bit of the size");
            hash = node(&left, &hash);
            completed.push(hash);
        }
        self.peaks.push(hash);
        self.size += 1;
        completed
    }

    /// Root of the tree so far.
    pub fn root(&self) -> Digest32 {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => crate::hash::sha256(&[]),
            Some(last) => peaks.fold(*last, |right, left| node(left, &right)),
        }
    }

    /// Whether the shape is possible: as many peaks as `size` has one bits.
    pub fn is_sound(&self) -> bool {
        self.peaks.len() == self.size.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Digest32> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    #[test]
    fn frontier_agrees_with_the_whole_tree() {
        let mut frontier = Frontier::default();
        for count in 0..70 {
            assert_eq!(frontier.root(), root(&leaves(count)));
            assert!(frontier.is_sound());
            frontier.append(leaf(&count.to_be_bytes()));
        }
    }

    #[test]
    fn every_path_proves_its_leaf_and_nothing_else() {
        for count in 1..40_u64 {
            let leaves = leaves(count);
            let top = root(&leaves);
            for index in 0..count {
                let siblings = path(&leaves, index as usize);
                let own = &leaves[index as usize];
                assert!(includes(&top, count, index, own, &siblings));
                assert!(!includes(&top, count, index, &leaf(b"other"), &siblings));
                assert!(
                    !includes(&top, count, (index + 1) % (count + 1), own, &siblings)
                        || count == 1 && index == 1
                );
                if let Some((_, shorter)) = siblings.split_last() {
                    assert!(!includes(&top, count, index, own, shorter));
                }
                let mut longer = siblings.clone();
                longer.push([7; 32]);
                assert!(!includes(&top, count, index, own, &longer));
            }
        }
    }
}
