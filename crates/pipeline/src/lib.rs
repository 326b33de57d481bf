//! The use cases of PitPet over ports: take events in, mine them, keep time, answer queries.
//!
//! **Creed.** Load, decide, commit. The decision is the chain module's; the commit is one
//! conditional write; all that follows it can be replayed.
//!
//! Deliberately absent: AWS, wasmer, HTTP, SQLite, and every rule of the chain.

pub mod api;
pub mod belongings;
pub mod checkpoint;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod economy;
pub mod erase;
pub mod event_log;
pub mod export_file;
pub mod founding;
pub mod fsck;
pub mod head;
pub mod http;
pub mod ingest;
pub mod items;
pub mod kennels;
pub mod message;
pub mod mine;
pub mod native;
pub mod offer;
pub mod openapi;
pub mod opening;
pub mod planted;
pub mod ports;
pub mod problem;
pub mod publication;
pub mod publisher;
pub mod query;
pub mod rate_limit;
pub mod read_side;
pub mod reap;
pub mod reports;
pub mod runs;
pub mod search;
pub mod sign_in;
pub mod snapshots;
pub mod statements;
pub(crate) mod tail;
pub mod texts;
pub mod upgrade;
pub mod verify;
pub mod window;
