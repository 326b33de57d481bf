//! `wasmer.toml` names what there is.

use std::path::Path;

use pitpet_chain_command::audit::own_rules;

#[test]
fn what_is_published_is_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let manifest = std::fs::read_to_string(root.join("wasmer.toml")).expect("the manifest");
    let values = |key: &str| -> Vec<&str> {
        let begin = format!("{key} = \"");
        manifest.lines().filter_map(|line| line.strip_prefix(begin.as_str())?.strip_suffix('"')).collect()
    };
    let rules = format!("wasm/releases/{}.wasm", own_rules().expect("a release"));
    assert_eq!(values("version"), [env!("CARGO_PKG_VERSION")]);
    assert_eq!(values("license"), [env!("CARGO_PKG_LICENSE")]);
    assert_eq!(
        values("source"),
        ["target/wasm32-wasip1/module/pitpet-chain.wasm", rules.as_str()],
        "the newest rules"
    );
    assert_eq!(values("abi"), ["wasi", "none"]);
    // The one command is the first module, and what `wasmer run` starts.
    assert_eq!(values("name"), ["pitpet/pitpet-chain", "pitpet-chain", "pitpet-rules", "pitpet-chain"]);
    assert_eq!((values("module"), values("runner")), (vec!["pitpet-chain"], vec!["wasi"]));
    assert_eq!(values("entrypoint"), ["pitpet-chain"]);
    for file in [&values("readme")[..], &values("license-file"), &[rules.as_str()]].concat() {
        assert!(root.join(file).is_file(), "{file}");
    }
}

#[test]
fn the_readme_tells_the_limits() {
    use pitpet_chain_command::dialogue::{LINE_BYTES_MAX, SHORT_LINE_BYTES_MAX};
    use pitpet_chain_command::ledger::DATA_BYTES_MAX;
    let readme = include_str!("../README.md");
    let grouped = |number: usize| match (number / 1_000_000, number / 1_000 % 1_000, number % 1_000) {
        (0, thousands, rest) => format!("{thousands},{rest:03}"),
        (millions, thousands, rest) => format!("{millions},{thousands:03},{rest:03}"),
    };
    for number in [DATA_BYTES_MAX, SHORT_LINE_BYTES_MAX, LINE_BYTES_MAX] {
        assert!(readme.contains(&grouped(number)), "{}", grouped(number));
    }
}
