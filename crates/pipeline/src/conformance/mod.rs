//! One suite for each port, run by every adapter in its own tests.
//!
//! A suite panics at the first promise of the port that isn't kept, and names it. Deliberately
//! absent: faults. What an adapter does when its service throttles or vanishes is for its own
//! tests, because a suite can't cause it.

pub mod clock;
pub mod dead_letters;
pub mod modules;
pub mod objects;
pub mod queue;
pub mod table;
