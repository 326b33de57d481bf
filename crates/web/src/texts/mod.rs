//! Texts of pages, in one place.

pub(crate) mod account;
