//! A client of PitPet: accounts' keys, photos, events, and the checks of what a server says.
//!
//! The binary `pitpet` is a thin layer over it. Deliberately absent: terminal, environment and
//! home directory, which belong to the binary; and rules, which are `pitpet-chain`'s.

pub mod act;
pub mod client;
pub mod failure;
pub mod kennel;
pub mod keys;

pub mod photo;
pub mod pins;
pub mod seals;
pub mod stamp;
