//! What PitPet needs to run whole in one process.
pub mod event_source;
pub mod queue;
