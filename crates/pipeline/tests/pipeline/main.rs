//! The use cases over everything in memory, with faults on demand.

mod belongings;
mod commit;
mod crashes;
mod erase;
mod evidence;
mod founding;
mod ingest;
mod market;
mod matrix;
mod moderation;
mod opening;
mod poison;
mod publishing;
mod query;
mod rate_limit;
mod reaper;
mod sign_in;
mod snapshots;
mod spare;
mod upgrades;
mod witnesses;
