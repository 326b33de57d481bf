//! The chain as a command: the rules of this release behind standard input and output.
//!
//! Built for `wasm32-wasip1` it needs of its host what WASI calls preview 1, and of that only the
//! standard streams and the arguments; built natively it is the same program. It has two parts:
//! [`dialogue`] speaks the line protocol of the original, [`audit`] verifies an export.
//!
//! Deliberately absent: files, clocks, randomness, the network, a compiler for other rules than
//! its own, and anything that signs for a person.

pub mod arguments;
pub mod audit;
pub mod dialogue;
pub mod ledger;
