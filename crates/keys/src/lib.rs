//! Keys and passwords: what a browser does with an account's key, and the server's half of signing
//! in by password.
//!
//! | module | what it does | follows |
//! |---|---|---|
//! | [`keyring`] | the text that holds an account's keys | its own format, version 1 |
//! | [`key_file`] | that text as a file under a passphrase | age v1, scrypt recipient (C2SP) |
//! | [`password`] | the client's half of signing in | OPAQUE-3DH, RFC 9807 |
//! | [`server`] | the server's half | the same |
//! | [`vault`] | the text under OPAQUE's export key | ChaCha20-Poly1305, RFC 8439; HKDF, RFC 5869 |
//! | [`draft`] | events and requests, step by step, so that a page can show progress and the key can stay where it is | `pitpet-chain` |
//! | [`inspect`] | what a browser checks of a block by itself | `pitpet-chain`, C2SP signed notes |
//! | [`operations`] | all of it for the browser, over [`fields`] | |
//!
//! The server never sees a password, and can't open a vault. The key isn't derived from the
//! password: public keys are public, and anyone could try passwords against them.
//!
//! Deliberately absent: randomness and clocks (both are handed in), and a second encoder of
//! anything that is hashed or signed.

pub mod draft;
pub mod fields;
pub mod inspect;
pub mod key_file;
pub mod keyring;
pub mod operations;
pub mod password;
pub mod seals;
pub mod server;
pub mod vault;

/// Why something is refused, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// Stable name, such as `wrong-password`.
    pub code: &'static str,
    /// What is wrong, naming the limit.
    pub detail: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}
