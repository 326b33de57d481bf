//! One suite for each port, which every adapter runs in its own tests.
//!
//! A suite asserts outcomes and panics with what went wrong; it starts nothing and reads no
//! clock. Behind the feature `conformance`, so that none of it is in a deployed binary.

pub mod queue;
