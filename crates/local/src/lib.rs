//! What PitPet needs to run whole in one process.
pub mod queue;
