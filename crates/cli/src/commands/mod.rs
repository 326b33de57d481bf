//! One module for each group of commands.

pub(crate) mod account;
pub(crate) mod act;
pub(crate) mod admin;
pub(crate) mod appoint;
pub(crate) mod demo;
pub(crate) mod deployment;
pub(crate) mod economy;
pub(crate) mod export;
pub(crate) mod follow;
pub(crate) mod fsck;
pub(crate) mod look;
pub(crate) mod market;
pub(crate) mod mine;
pub(crate) mod moderate;
pub(crate) mod rules;
pub(crate) mod upgrade;
pub(crate) mod upkeep;
pub(crate) mod verify;
pub(crate) mod witness;
