//! The whole pipeline in memory.
//!
//! Deliberately absent: sockets, files and clocks; what happens depends on nothing but its input.

pub mod objects;
pub mod table;

pub use objects::MemoryObjects;
pub use table::MemoryTable;
