//! PitPet whole in one process: the embedded queue and event source, and the service that runs
//! every part of the system with the functions' own handlers.

pub mod event_source;
pub mod queue;
pub mod service;
