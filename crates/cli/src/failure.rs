//! Why a command failed, sorted by what the caller can do, and the exit code that says so.

use std::path::Path;

use pitpet_pipeline::api::Problem;
use serde_json::{Value, json};

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

    /// The problem document of it, for a program to read: the server's own, or one that says as
    /// much as is known here.
    pub fn document(&self) -> Value {
        let (name, title) = match self {
            Failure::Refused(problem) => return json!(problem),
            Failure::Invalid(_) => ("invalid", "What was shown is false"),
            Failure::Usage(_) => ("usage", "The command can't be carried out as given"),
            Failure::Unreachable(_) => ("unreachable", "It could not be found out"),
        };
        json!({ "type": format!("/problems/{name}"), "title": title, "detail": self.to_string() })
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

/// What is wrong with a file. What is staged beside it until it is whole has a name that nobody
/// knows, and the error of writing there carries it: only its kind is told then.
pub fn file_fault(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    Failure::Usage(match error.get_ref() {
        None => format!("{path}: {error}"),
        Some(_) => format!("{path}: {}", error.kind()),
    })
}

/// A problem in one line: title, detail, field.
fn words(problem: &Problem) -> String {
    // A title such as "The event is refused" or "Not found" says nothing that isn't said anyway.
    let is_said = problem.title.ends_with(" is refused") || problem.title == "Not found";
    let title = (!is_said).then_some(problem.title.as_str());
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
        "no-treats" => "a keepsake releases granted treats. See `pitpet account show`.",
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
        assert!(text.contains("a keepsake releases granted treats"));
        assert_eq!(problem("/problems/no-treats").problem_name(), Some("no-treats"));
    }

    #[test]
    fn what_is_not_there_is_said_once() {
        let missing = Failure::from(pitpet_pipeline::problem::not_found("such kennel", "kennel"));
        assert_eq!(missing.to_string(), "refused: There is no such kennel. (field: kennel)");
    }

    #[test]
    fn a_program_reads_why_as_a_document() {
        let refused = problem("/problems/no-treats").document();
        assert_eq!((&refused["type"], &refused["field"]), (&"/problems/no-treats".into(), &"amount".into()));
        let expected = json!({ "type": "/problems/usage", "title": "The command can't be carried out as given", "detail": "no" });
        assert_eq!(Failure::usage("no").document(), expected);
    }

    #[test]
    fn a_fault_of_a_file_names_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        let error = tempfile::NamedTempFile::new_in(&nowhere).unwrap_err();
        let text = file_fault(&nowhere.join("out"), &error).to_string();
        assert_eq!(text, format!("{}: entity not found", nowhere.join("out").display()));
        let error = std::fs::read(&nowhere).unwrap_err();
        assert!(file_fault(&nowhere, &error).to_string().ends_with("No such file or directory (os error 2)"));
    }

    #[test]
    fn exit_codes_tell_refused_from_unusable_from_unknown() {
        assert_eq!(problem("/problems/x").exit_code(), 1);
        assert_eq!(Failure::Invalid(String::new()).exit_code(), 1);
        assert_eq!(Failure::usage("").exit_code(), 2);
        assert_eq!(Failure::Unreachable(String::new()).exit_code(), 3);
    }
}
