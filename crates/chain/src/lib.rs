//! The rules.
#![no_std]
extern crate alloc;
pub mod limits;
