//! What an adversary tries against a running service. `docs/security.md` names these tests.

#[path = "../support/load.rs"]
mod load;
#[allow(dead_code)]
#[path = "../cli/runner.rs"]
mod runner;

mod bad_input;
mod browser;
mod command_line;
mod connections;
mod floods;
mod moderation;
mod village;
