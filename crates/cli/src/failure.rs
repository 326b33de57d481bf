//! Why a command failed, sorted by what the caller can do, and the exit code that says so.

use pitpet_pipeline::api::Problem;

/// Why something failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The server or the rules refused it; the document names the field and the limit.
    #[error("{}", words(.0))]
    Refused(Box<Problem>),
    /// Something was shown, and it is false: a proof, a signature, a checkpoint.
    #[error("{0}")]
    Invalid(String),
    /// The request itself can't be made: a bad argument, file or passphrase.
    #[error("{0}")]
    Usage(String),
    /// It could not be found out: the server can't be reached, or answers nonsense.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// Exit code of the process: 1 refused or invalid, 2 usage, 3 could not check.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused(_) | Failure::Invalid(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
        }
    }

    /// The refusal's stable name, such as `stale-nonce`, if it is one.
    pub fn problem_name(&self) -> Option<&str> {
        match self {
            Failure::Refused(problem) => problem.kind.rsplit('/').next(),
            _ => None,
        }
    }

    /// A wrong argument.
    pub fn usage(text: impl Into<String>) -> Self {
        Failure::Usage(text.into())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Refused(Box::new(problem))
    }
}

/// A problem in one line: title, detail, field.
fn words(problem: &Problem) -> String {
    // A title such as "The event is refused" says nothing that isn't said already.
    let title = (!problem.title.ends_with(" is refused")).then_some(problem.title.as_str());
    let detail = (!problem.detail.is_empty() && problem.detail != problem.title).then_some(&*problem.detail);
    let parts: Vec<&str> = ["refused"].into_iter().chain(title).chain(detail).collect();
    let mut text = parts.join(": ");
    if let Some(field) = &problem.field {
        text.push_str(&format!(" (field: {field})"));
    }
    if let Some(advice) = advice(problem.kind.rsplit('/').next().unwrap_or_default()) {
        text.push_str("\n  ");
        text.push_str(advice);
    }
    text
}

/// What a person can do about a refusal, where that isn't plain.
fn advice(name: &str) -> Option<&'static str> {
    Some(match name {
        "no-treats" => {
            "granted treats pay for posts only; a keepsake releases them. See `pitpet account show`."
        }
        "has-living-pet" => {
            "an account has one living pet in a kennel; use another account or another kennel."
        }
        "own-pet" => "ask a friend: owners can't pat or share their own pet's posts.",
        "wrong-key" => "this account's key was replaced; use the newest key file.",
        "not-ended" => "a keepsake can be minted once the story has ended, shortly after the pet's death.",
        "expired" | "expires-too-far" => "is this machine's clock right?",
        "stale-anchor" => "try again: the kennel moved on.",
        "kennel-full" => "name another kennel with --kennel; `pitpet kennel` lists free places.",
        "unknown-order" => "`pitpet market list` shows what is open.",
        "wrong-price" => "take it at its own price, as `pitpet market list` shows it.",
        "already-offered" => "`pitpet market list --pet BIRTH` shows the offer; cancel it first.",
        "dead-pet" | "closed-post" => "its story can no longer be helped; `pitpet pet BIRTH` shows it.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str) -> Failure {
        Problem {
            kind: kind.into(),
            title: "Not enough treats".into(),
            status: 409,
            detail: "amount 5 is above the 0 free treats".into(),
            field: Some("amount".into()),
            retry_after_s: None,
        }
        .into()
    }

    #[test]
    fn a_refusal_names_field_limit_and_way_out() {
        let text = problem("/problems/no-treats").to_string();
        assert!(
            text.starts_with(
                "refused: Not enough treats: amount 5 is above the 0 free treats (field: amount)"
            )
        );
        assert!(text.contains("a keepsake releases them"));
        assert_eq!(problem("/problems/no-treats").problem_name(), Some("no-treats"));
    }

    #[test]
    fn exit_codes_tell_refused_from_unusable_from_unknown() {
        assert_eq!(problem("/problems/x").exit_code(), 1);
        assert_eq!(Failure::Invalid(String::new()).exit_code(), 1);
        assert_eq!(Failure::usage("").exit_code(), 2);
        assert_eq!(Failure::Unreachable(String::new()).exit_code(), 3);
    }
}
