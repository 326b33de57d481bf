//! Sections of documents that tests write: what stands there is what was found.

use std::path::Path;

/// Compares a section of a document with what was found. With `UPDATE=1` in the environment the
/// section is written instead.
///
/// The section stands between `<!-- NAME: made by … -->` and `<!-- end of NAME -->`.
///
/// # Errors
/// What to do, if the document has no such section or it differs.
pub fn check(document: &Path, name: &str, found: &str) -> Result<(), String> {
    let shown = document.display();
    let text = std::fs::read_to_string(document).map_err(|error| format!("{shown}: {error}"))?;
    let (begin, end) = (format!("<!-- {name}: "), format!("<!-- end of {name} -->"));
    let missing = || format!("{shown} has no section {name:?}");
    let begin = text.find(&begin).ok_or_else(missing)?;
    let from = begin + text[begin..].find("-->\n").ok_or_else(missing)? + "-->\n".len();
    let to = from + text[from..].find(&end).ok_or_else(missing)?;
    if text[from..to] == *found {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_none() {
        return Err(format!("section {name:?} of {shown} is not what was found: run again with UPDATE=1"));
    }
    let written = format!("{}{found}{}", &text[..from], &text[to..]);
    std::fs::write(document, written).map_err(|error| format!("{shown}: {error}"))
}
