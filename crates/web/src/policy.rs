//! What pages and scripts may do: the Content-Security-Policy of each.

/// Of a page: its own files, nothing inline, and no script that makes markup or another script of
/// a text. Wasm is compiled by the pages that sign and verify.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
connect-src 'self'; img-src 'self' blob:; style-src 'self'; manifest-src 'self'; form-action 'self'; \
base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types pitpet";

/// Of a script: a worker is bound by the policy that its own script came with.
pub const SCRIPT_POLICY: &str =
    "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
