//! Use cases of PitPet over ports.
pub mod ports;
