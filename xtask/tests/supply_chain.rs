//! Holds the lock file: what is built comes from one registry, by its checksum.

#[test]
fn every_dependency_is_of_one_registry_and_has_its_checksum() {
    let lock = include_str!("../../Cargo.lock");
    let mut registries = std::collections::BTreeSet::new();
    let mut own = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        let name = field("name").expect("a package has a name");
        let Some(source) = field("source") else {
            own.push(name);
            continue;
        };
        assert!(source.starts_with("registry+https://"), "{name} comes from {source}");
        registries.insert(source);
        let checksum = field("checksum").unwrap_or_default();
        assert!(checksum.len() == 64, "{name} has no checksum");
    }
    assert_eq!(registries.len(), 1, "{registries:?}");
    let foreign: Vec<_> =
        own.iter().filter(|name| !name.starts_with("pitpet") && **name != "xtask").collect();
    assert!(foreign.is_empty(), "{foreign:?} are neither ours nor of the registry");
}
