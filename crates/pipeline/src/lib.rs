//! Use cases of PitPet over ports.
pub mod api;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod ports;
