//! The rules of PitPet: events, codec, limits, state, blocks, proofs.
//!
//! Pure: every function's answer depends on its arguments alone, so that the miner's module, the
//! auditor's command line and the visitor's browser decide alike.
//!
//! Deliberately absent: I/O, clocks, randomness, logging, floats, hash-map iteration, `usize` in
//! anything hashed, and every text that a person wrote (see [`body`]).
#![no_std]
extern crate alloc;

pub mod abi;
pub mod block;
pub mod body;
pub mod codec;
pub mod event;
pub mod genesis;
pub mod hash;
pub mod kennel;
pub mod limits;
pub mod log;
pub mod market;
pub mod mining;
mod office;
pub mod proof;
pub mod reject;
pub mod request;
pub mod rules;
pub mod state;
pub mod tree;

#[cfg(feature = "planted-bugs")]
pub mod planted;
#[cfg(feature = "planted-bugs")]
use planted::decide;
#[cfg(not(feature = "planted-bugs"))]
use rules::decide;
