//! Holds `docs/security.md` to the sources: every row names tests, and every test is there.

use std::path::Path;

/// The names in backticks of a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A title as a name: words between underscores.
fn as_name(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

/// Whether a browser test's source has a test with this title.
fn has_browser_test(source: &str, name: &str) -> bool {
    let titles = source.lines().filter_map(|line| line.strip_prefix("test(\"")?.split_once("\", async"));
    titles.into_iter().any(|(title, _)| as_name(title) == name)
}

/// Whether a test of the deployment has this title; a `'` in it is escaped.
fn has_deployment_test(source: &str, name: &str) -> bool {
    let titles =
        source.lines().filter_map(|line| line.trim_start().strip_prefix("test('")?.split_once("', "));
    titles.into_iter().any(|(title, _)| as_name(title) == name)
}

/// Whether a source has a test of this name, marked as one.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().collect();
    let is_attribute = |line: &&&str| line.trim_start().starts_with("#[");
    let is_test = |line: &&str| line.contains("#[test]") || line.contains("#[tokio::test");
    lines.iter().enumerate().any(|(at, line)| {
        let declares = line.split("fn ").nth(1).is_some_and(|rest| rest.split('(').next() == Some(name));
        declares && lines[..at].iter().rev().take_while(is_attribute).any(is_test)
    })
}

#[test]
fn every_row_names_tests_that_exist() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let text = std::fs::read_to_string(root.join("docs/security.md")).expect("the table");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what is tried"));
    let mut named = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let (mut file, mut source) = ("", String::new());
        let mut tests = 0;
        for name in quoted(cells[2]) {
            if name.contains('/') {
                file = name;
                source = std::fs::read_to_string(root.join(name))
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
            } else {
                let is_there = match Path::new(file).extension().and_then(|of| of.to_str()) {
                    Some("mjs") => has_browser_test(&source, name),
                    Some("ts") => has_deployment_test(&source, name),
                    _ => has_test(&source, name),
                };
                assert!(is_there, "{file} has no test {name}");
                tests += 1;
            }
        }
        assert!(tests > 0, "no test: {row}");
        named += tests;
    }
    assert!(named > 60, "the table was read: {named} tests");
}

#[test]
fn what_is_no_test_is_not_taken_for_one() {
    let source =
        "#[test]\nfn one() {}\n\nfn two() {}\n\n#[tokio::test(flavor = \"x\")]\nasync fn three() {}\n";
    for (name, is_there) in [("one", true), ("two", false), ("three", true), ("on", false), ("four", false)] {
        assert_eq!(has_test(source, name), is_there, "{name}");
    }
    let source = "test(\"it isn't so, or is it?\", async () => {});\n// test(\"not this\", async";
    for (name, is_there) in [("it_isn_t_so_or_is_it", true), ("it_isn_t_so", false), ("not_this", false)] {
        assert_eq!(has_browser_test(source, name), is_there, "{name}");
    }
    let source = "  test('a bucket is private', () => {\n// test('not this', () => {";
    for (name, is_there) in [("a_bucket_is_private", true), ("a_bucket_is", false), ("not_this", false)] {
        assert_eq!(has_deployment_test(source, name), is_there, "{name}");
    }
}
