//! What the browser calls: the operations of the module for keys.

use pitpet_keys::operations::{self, Answer};

/// One of them.
pub type Operation = fn(&[u8]) -> Answer;

/// All of them by name, in the order of the module's exports.
pub const OPERATIONS: &[(&str, Operation)] = &[
    ("account_new", operations::account_new),
    ("account_of", operations::account_of),
    ("account_read", operations::account_read),
    ("draft_signed", operations::draft_signed),
    ("draft_stamped", operations::draft_stamped),
    ("event_draft", operations::event_draft),
    ("evidence_anew", operations::evidence_anew),
    ("evidence_check", operations::evidence_check),
    ("evidence_differences", operations::evidence_differences),
    ("evidence_opened", operations::evidence_opened),
    ("evidence_replayed", operations::evidence_replayed),
    ("evidence_taken_over", operations::evidence_taken_over),
    ("key_file_open", operations::key_file_open),
    ("key_file_seal", operations::key_file_seal),
    ("password_register", operations::password_register),
    ("password_register_end", operations::password_register_end),
    ("password_sign_in", operations::password_sign_in),
    ("password_sign_in_end", operations::password_sign_in_end),
    ("price_split", operations::price_split),
    ("request_draft", operations::request_draft),
    ("seal_search", operations::seal_search),
    ("stamp_search", operations::stamp_search),
    ("vault_open", operations::vault_open),
    ("vault_seal", operations::vault_seal),
];

/// Any bytes into any operation; the first byte chooses it. What it refuses it says in words.
pub(crate) fn keys(data: &[u8]) {
    let Some((choice, input)) = data.split_first() else { return };
    let (name, operation) = OPERATIONS[usize::from(*choice) % OPERATIONS.len()];
    if let Err(refused) = operation(input) {
        assert!(!refused.code.is_empty() && !refused.detail.is_empty(), "{name} refuses without a word");
    }
}
