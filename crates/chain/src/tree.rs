//! The state tree: an authenticated map that proves presence and absence, updated incrementally.
//!
//! A binary tree over 256-bit keys, most significant bit first. A subtree without keys has the
//! all-zero hash; a subtree with one key is that key's leaf, at whatever depth; every other
//! subtree is a node. So the shape, and with it the root, depends on the set of entries alone,
//! never on the order of their insertion.
//!
//! leaf = SHA-256(0x00 ‖ key ‖ value hash), node = SHA-256(0x01 ‖ left ‖ right).
//!
//! Keys are hashes, so the depth is about log2 of the count. It is this crate's own because a
//! block must cost what its events cost: hashes are recomputed once a block along the changed
//! paths only. ARCHITECTURE.md compares it with the kept crates.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::hash::Digest32;
use crate::record;

const EMPTY: u32 = u32::MAX;
const EMPTY_HASH: Digest32 = [0; 32];

#[derive(Clone)]
enum Shape {
    Leaf { key: Digest32, value: Digest32 },
    Inner { children: [u32; 2] },
}

#[derive(Clone)]
struct Node {
    shape: Shape,
    hash: Digest32,
    /// The hash is out of date.
    stale: bool,
}

/// The tree, in memory.
#[derive(Clone)]
pub struct Tree {
    nodes: Vec<Node>,
    free: Vec<u32>,
    top: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), top: EMPTY }
    }
}

record! {
    /// Proof that a key has a value, or has none, under a root.
    pub struct TreeProof {
        /// Hashes beside the path, from the top down.
        pub siblings: Vec<Digest32>,
        /// The leaf at the end of the path, as (key, value hash); none if the path ends in nothing.
        pub end: Option<(Digest32, Digest32)>,
    }
}

fn bit(key: &Digest32, depth: usize) -> usize {
    usize::from(key[depth / 8] >> (7 - depth % 8) & 1)
}

fn leaf_hash(key: &Digest32, value: &Digest32) -> Digest32 {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().into()
}

impl Tree {
    fn add(&mut self, shape: Shape) -> u32 {
        let node = Node { shape, hash: EMPTY_HASH, stale: true };
        match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                u32::try_from(self.nodes.len() - 1).expect("the state's bounds keep the tree small")
            }
        }
    }

    /// Sets the value hash of a key.
    pub fn insert(&mut self, key: Digest32, value: Digest32) {
        self.top = self.insert_at(self.top, 0, key, value);
    }

    fn insert_at(&mut self, at: u32, depth: usize, key: Digest32, value: Digest32) -> u32 {
        if at == EMPTY {
            return self.add(Shape::Leaf { key, value });
        }
        let node = &mut self.nodes[at as usize];
        node.stale = true;
        match &mut node.shape {
            Shape::Leaf { key: present, value: old } if *present == key => {
                *old = value;
                at
            }
            Shape::Leaf { key: present, .. } => {
                let mut children = [EMPTY, EMPTY];
                children[bit(present, depth)] = at;
                let inner = self.add(Shape::Inner { children });
                self.insert_at(inner, depth, key, value)
            }
            Shape::Inner { children } => {
                let side = bit(&key, depth);
                let child = children[side];
                let child = self.insert_at(child, depth + 1, key, value);
                self.set_child(at, side, child);
                at
            }
        }
    }

    fn set_child(&mut self, at: u32, side: usize, child: u32) {
        if let Shape::Inner { children } = &mut self.nodes[at as usize].shape {
            children[side] = child;
        }
    }

    /// Removes a key; one that isn't there changes nothing.
    pub fn remove(&mut self, key: &Digest32) {
        self.top = self.remove_at(self.top, 0, key);
    }

    fn remove_at(&mut self, at: u32, depth: usize, key: &Digest32) -> u32 {
        if at == EMPTY {
            return EMPTY;
        }
        match self.nodes[at as usize].shape {
            Shape::Leaf { key: present, .. } => {
                if present == *key {
                    self.free.push(at);
                    EMPTY
                } else {
                    at
                }
            }
            Shape::Inner { mut children } => {
                let side = bit(key, depth);
                children[side] = self.remove_at(children[side], depth + 1, key);
                // A node over a single leaf is that leaf.
                let lone = match children {
                    [EMPTY, EMPTY] => Some(EMPTY),
                    [EMPTY, only] | [only, EMPTY] if self.is_leaf(only) => Some(only),
                    _ => None,
                };
                if let Some(lone) = lone {
                    self.free.push(at);
                    return lone;
                }
                self.nodes[at as usize].stale = true;
                self.set_child(at, side, children[side]);
                at
            }
        }
    }

    fn is_leaf(&self, at: u32) -> bool {
        matches!(self.nodes[at as usize].shape, Shape::Leaf { .. })
    }

    /// The root, after hashing what changed since it was asked last.
    pub fn root(&mut self) -> Digest32 {
        self.refresh(self.top)
    }

    fn refresh(&mut self, at: u32) -> Digest32 {
        if at == EMPTY {
            return EMPTY_HASH;
        }
        let node = &self.nodes[at as usize];
        if !node.stale {
            return node.hash;
        }
        let hash = match node.shape {
            Shape::Leaf { key, value } => leaf_hash(&key, &value),
            Shape::Inner { children } => {
                let left = self.refresh(children[0]);
                let right = self.refresh(children[1]);
                crate::log::node(&left, &right)
            }
        };
        let node = &mut self.nodes[at as usize];
        node.hash = hash;
        node.stale = false;
        hash
    }

    /// Proves what the tree says of a key under [`Tree::root`].
    pub fn prove(&mut self, key: &Digest32) -> TreeProof {
        self.root();
        let mut siblings = Vec::new();
        let mut at = self.top;
        loop {
            if at == EMPTY {
                return TreeProof { siblings, end: None };
            }
            match self.nodes[at as usize].shape {
                Shape::Leaf { key, value } => return TreeProof { siblings, end: Some((key, value)) },
                Shape::Inner { children } => {
                    let side = bit(key, siblings.len());
                    siblings.push(self.refresh(children[1 - side]));
                    at = children[side];
                }
            }
        }
    }
}

impl TreeProof {
    /// What the proof shows of `key` under `root`: `Some(Some(value hash))` if present,
    /// `Some(None)` if absent, `None` if the proof is not valid.
    pub fn check(&self, root: &Digest32, key: &Digest32) -> Option<Option<Digest32>> {
        if self.siblings.len() > 256 {
            return None;
        }
        let (mut hash, shown) = match &self.end {
            None => (EMPTY_HASH, None),
            Some((end, value)) if end == key => (leaf_hash(end, value), Some(*value)),
            Some((end, value)) => {
                // Another key's leaf shows absence only where both keys lead to it.
                if (0..self.siblings.len()).any(|depth| bit(end, depth) != bit(key, depth)) {
                    return None;
                }
                (leaf_hash(end, value), None)
            }
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = match bit(key, depth) {
                0 => crate::log::node(&hash, sibling),
                _ => crate::log::node(sibling, &hash),
            };
        }
        (hash == *root).then_some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256;

    fn key(n: u32) -> Digest32 {
        sha256(&n.to_be_bytes())
    }

    #[test]
    fn root_depends_on_the_entries_alone() {
        let mut forward = Tree::default();
        let mut backward = Tree::default();
        for n in 0..300 {
            forward.insert(key(n), key(n + 1));
            backward.insert(key(299 - n), key(300 - n));
        }
        for n in 300..400 {
            backward.insert(key(n), key(0));
        }
        backward.root();
        for n in 300..400 {
            backward.remove(&key(n));
        }
        assert_eq!(forward.root(), backward.root());
        backward.insert(key(5), key(5));
        assert_ne!(forward.root(), backward.root());
    }

    #[test]
    fn keys_with_a_long_shared_prefix_are_kept_apart() {
        let mut near = [9; 32];
        near[31] = 8;
        let mut tree = Tree::default();
        tree.insert([9; 32], key(1));
        let alone = tree.root();
        tree.insert(near, key(2));
        let root = tree.root();
        assert_eq!(tree.prove(&near).check(&root, &near), Some(Some(key(2))));
        assert_eq!(tree.prove(&near).siblings.len(), 256);
        tree.remove(&near);
        assert_eq!(tree.root(), alone);
        tree.remove(&[9; 32]);
        assert_eq!(tree.root(), EMPTY_HASH);
    }

    #[test]
    fn proofs_show_presence_and_absence_and_refuse_lies() {
        let mut tree = Tree::default();
        for n in 0..200 {
            tree.insert(key(n), key(n + 1));
        }
        let root = tree.root();
        for n in 0..260 {
            let proof = tree.prove(&key(n));
            let expected = (n < 200).then(|| key(n + 1));
            assert_eq!(proof.check(&root, &key(n)), Some(expected));
            assert_eq!(proof.check(&key(7), &key(n)), None);
            // A present key's proof can't be bent into one of absence, nor to another value.
            let mut bent = proof.clone();
            bent.end = None;
            if proof.end.is_some() {
                assert_eq!(bent.check(&root, &key(n)), None);
            }
            bent.end = Some((key(n), key(9999)));
            assert_eq!(bent.check(&root, &key(n)), None);
        }
    }
}
