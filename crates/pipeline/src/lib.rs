//! Use cases of PitPet over ports.
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod ports;
