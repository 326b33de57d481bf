//! Keys from Secrets Manager: read once, when a function starts.
//!
//! Deliberately absent: a cache and rotation. An Ed25519 key of PitPet never changes: its public
//! half is part of the genesis of every kennel.

use crate::attempts::{Attempts, Repeat};
use crate::failure::Failure;
use crate::settings::Settings;

/// The text of the secret with this name or ARN.
///
/// # Errors
/// In words for the operator; they name the secret and never its text.
pub(crate) async fn text(settings: &Settings, name: &str) -> Result<String, String> {
    let client = settings.secrets().map_err(|error| error.to_string())?;
    let attempts: &Attempts = &settings.attempts;
    let answer = attempts
        .run(Repeat::Harmless, async || {
            client.get_secret_value().secret_id(name).send().await.map_err(Failure::of)
        })
        .await
        .map_err(|failure| match failure {
            Failure::Refused(why) | Failure::Unavailable(why) => format!("the secret {name}: {why}"),
            Failure::Throttled | Failure::Condition => format!("the secret {name}: too many requests"),
        })?;
    answer.secret_string.ok_or_else(|| format!("the secret {name} holds no text"))
}
