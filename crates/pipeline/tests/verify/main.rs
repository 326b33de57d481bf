//! Ledgers, honest and forged, against the verifier and the export file.

mod file;
mod forged;
mod gullible;
mod ledger;
mod trust;
