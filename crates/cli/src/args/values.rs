//! Values of arguments, and what is said of those that are none.

use pitpet_chain::hash::{BirthHash, BlockHash, EventId, KennelId, PublicKey, RulesHash};
use pitpet_chain::limits::AMOUNT_MAX;

pub(super) fn birth(text: &str) -> Result<BirthHash, String> {
    text.parse().map_err(|_| hash_rule("birth hash", text))
}

pub(super) fn event(text: &str) -> Result<EventId, String> {
    text.parse().map_err(|_| hash_rule("event id", text))
}

pub(super) fn kennel(text: &str) -> Result<KennelId, String> {
    text.parse().map_err(|_| hash_rule("kennel id", text))
}

pub(super) fn checkpoint_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|_| hash_rule("checkpoint key", text))
}

pub(super) fn witness_key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|_| hash_rule("witness's key", text))
}

pub(super) fn rules(text: &str) -> Result<RulesHash, String> {
    text.parse().map_err(|_| hash_rule("rules hash", text))
}

pub(super) fn treats(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("treats are whole numbers, 1 to {AMOUNT_MAX}"))
}

pub(super) fn placed_block(text: &str) -> Result<(u64, BlockHash), String> {
    let (height, hash) = text.split_once(':').ok_or("a height, a colon, and a block hash")?;
    let height = height.parse().map_err(|_| format!("`{height}` is no height"))?;
    Ok((height, hash.parse().map_err(|_| hash_rule("block hash", hash))?))
}

pub(super) fn hash_rule(what: &str, text: &str) -> String {
    format!("a {what} is 64 lower-case hexadecimal digits, this has {} characters", text.chars().count())
        .replace("a event", "an event")
}
