//! Holds `docs/openapi.json` to the code: `UPDATE=1 cargo test -p pitpet-pipeline --test openapi` rewrites it.

#[test]
fn the_committed_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let generated = pitpet_pipeline::openapi::document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &generated).expect("docs/openapi.json can be written");
    }
    let committed = std::fs::read_to_string(path).expect("docs/openapi.json is committed");
    assert!(committed == generated, "docs/openapi.json is stale: run with UPDATE=1");
}
