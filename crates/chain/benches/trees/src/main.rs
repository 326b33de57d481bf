//! What a block costs in the state tree, beside `jmt` and `sparse-merkle-tree`, in one run.
//!
//! `cargo run --release --manifest-path crates/chain/benches/trees/Cargo.toml`. Each tree holds the same entries in
//! memory, with SHA-256; `jmt` is pruned after every block, because no version but the newest is kept. The trees take
//! turns, block by block, so that whatever else the machine does hits all of them. Prints medians and ratios: the
//! numbers depend on the machine, the ratios hardly.

use std::{hint::black_box, time::Instant};

use jmt::{KeyHash, Sha256Jmt, mock::MockTreeStore};
use pitpet_chain::{hash::sha256, tree::Tree};
use sha2::{Digest, Sha256};
use sparse_merkle_tree::{H256, SparseMerkleTree, default_store::DefaultStore, traits::Hasher};

/// Blocks that are measured at each size.
const BLOCKS: u64 = 200;
/// Records that 10 events change: each touches a pet, an account and a post.
const CHANGED: u64 = 30;
/// Of these, how many are new; as many others go.
const TURNED_OVER: u64 = 5;
/// Proofs that are asked for after a block.
const PROOFS: u64 = 10;

type Key = [u8; 32];

fn key(n: u64) -> Key {
    sha256(&n.to_be_bytes())
}

/// An authenticated map as a block needs it.
trait Peer {
    /// Sets or removes values and gives the root.
    fn block(&mut self, changes: &[(Key, Option<Key>)]) -> Key;
    /// Proves what the tree says of a key.
    fn prove(&mut self, key: &Key);
}

impl Peer for Tree {
    fn block(&mut self, changes: &[(Key, Option<Key>)]) -> Key {
        for (key, value) in changes {
            match value {
                Some(value) => self.insert(*key, *value),
                None => self.remove(key),
            }
        }
        self.root()
    }

    fn prove(&mut self, key: &Key) {
        black_box(Tree::prove(self, key));
    }
}

#[derive(Default)]
struct Jellyfish {
    store: MockTreeStore,
    version: u64,
}

impl Peer for Jellyfish {
    fn block(&mut self, changes: &[(Key, Option<Key>)]) -> Key {
        let tree = Sha256Jmt::new(&self.store);
        let values = changes.iter().map(|(key, value)| (KeyHash(*key), value.map(|value| value.to_vec())));
        let (root, batch) = tree.put_value_set(values, self.version).expect("a tree in memory");
        self.store.write_tree_update_batch(batch).expect("a store in memory");
        self.store.purge_stale_nodes(self.version).expect("a store in memory");
        self.version += 1;
        root.0
    }

    fn prove(&mut self, key: &Key) {
        let tree = Sha256Jmt::new(&self.store);
        black_box(tree.get_with_proof(KeyHash(*key), self.version - 1).expect("the newest version"));
    }
}

#[derive(Default)]
struct Sha(Sha256);

impl Hasher for Sha {
    fn write_h256(&mut self, hash: &H256) {
        self.0.update(hash.as_slice());
    }

    fn write_byte(&mut self, byte: u8) {
        self.0.update([byte]);
    }

    fn finish(self) -> H256 {
        let hash: Key = self.0.finalize().into();
        hash.into()
    }
}

impl Peer for SparseMerkleTree<Sha, H256, DefaultStore<H256>> {
    fn block(&mut self, changes: &[(Key, Option<Key>)]) -> Key {
        let leaves = changes.iter().map(|(key, value)| ((*key).into(), value.unwrap_or([0; 32]).into()));
        (*self.update_all(leaves.collect()).expect("a tree in memory")).into()
    }

    fn prove(&mut self, key: &Key) {
        black_box(self.merkle_proof(vec![(*key).into()]).expect("a tree in memory"));
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    println!(
        "a block that changes {CHANGED} records, {TURNED_OVER} of them new and {TURNED_OVER} going; medians of"
    );
    println!("{BLOCKS} blocks, and of {PROOFS} proofs after each\n");
    println!(
        "{:>9}  {:<19}{:>11}{:>8}{:>14}{:>8}",
        "records", "tree", "block µs", "ratio", "proof µs", "ratio"
    );
    for size in [1_000, 27_408, 100_000] {
        let mut peers: [(&str, Box<dyn Peer>); 3] = [
            ("tree.rs", Box::new(Tree::default())),
            ("jmt", Box::new(Jellyfish::default())),
            ("sparse-merkle-tree", Box::new(SparseMerkleTree::<Sha, _, _>::default())),
        ];
        let filling: Vec<_> = (0..size).map(|n| (key(n), Some(key(n + 1)))).collect();
        for (_, peer) in &mut peers {
            for part in filling.chunks(1_000) {
                peer.block(part);
            }
        }
        let mut blocks = [const { Vec::new() }; 3];
        let mut proofs = [const { Vec::new() }; 3];
        for block in 0..BLOCKS {
            // The records there are: from `oldest` on, `size` in number.
            let oldest = block * TURNED_OVER;
            let kept = CHANGED - 2 * TURNED_OVER;
            let changed = (0..kept)
                .map(|n| oldest + TURNED_OVER + (block * 7_919 + n * 104_729) % (size - TURNED_OVER));
            let mut changes: Vec<_> = changed.map(|n| (key(n), Some(key(block + n)))).collect();
            changes.extend((0..TURNED_OVER).map(|n| (key(oldest + size + n), Some(key(n)))));
            changes.extend((0..TURNED_OVER).map(|n| (key(oldest + n), None)));
            for (at, (_, peer)) in peers.iter_mut().enumerate() {
                let start = Instant::now();
                black_box(peer.block(&changes));
                blocks[at].push(start.elapsed().as_secs_f64() * 1e6);
                for n in 0..PROOFS {
                    // Some of keys that aren't there.
                    let asked = key(oldest + TURNED_OVER + n * (size - 1) / 5);
                    let start = Instant::now();
                    peer.prove(&asked);
                    proofs[at].push(start.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
        let blocks = blocks.map(median);
        let proofs = proofs.map(median);
        for (at, (name, _)) in peers.iter().enumerate() {
            println!(
                "{size:>9}  {name:<19}{:>11.1}{:>8.2}{:>14.2}{:>8.2}",
                blocks[at],
                blocks[at] / blocks[0],
                proofs[at],
                proofs[at] / proofs[0],
            );
        }
    }
}
