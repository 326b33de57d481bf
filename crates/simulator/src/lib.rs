//! The whole pipeline in memory.
//!
//! Deliberately absent: sockets and clocks; what happens depends on nothing but its input.

pub mod audit;
pub mod clock;
pub mod document;
pub mod faults;
pub mod objects;
pub mod queue;
pub mod shown;
pub mod simulation;
pub mod table;
pub mod town;

pub use audit::audit;
pub use clock::TestClock;
pub use faults::{Fault, Faults};
pub use objects::MemoryObjects;
pub use queue::MemoryQueue;
pub use table::MemoryTable;
pub use town::{Player, Town};
