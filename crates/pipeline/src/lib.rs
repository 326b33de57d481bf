//! Use cases of PitPet over ports.
pub mod api;
pub mod ports;
