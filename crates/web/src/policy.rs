//! What pages and scripts may do: the Content-Security-Policy of each.

/// Of a page: its own files, nothing inline, and no script that makes markup or another script of
/// a text. Wasm is compiled by the pages that sign and verify. It talks to the site, and to where
/// photos are uploaded to, if that is elsewhere.
pub fn page_policy(uploads: Option<&str>) -> String {
    let uploads = uploads.map_or(String::new(), |origin| format!(" {origin}"));
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
connect-src 'self'{uploads}; img-src 'self' blob:; style-src 'self'; manifest-src 'self'; form-action 'self'; \
base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types pitpet"
    )
}

/// Of a script: a worker is bound by the policy that its own script came with.
pub const SCRIPT_POLICY: &str =
    "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_talks_to_its_site_and_to_where_photos_go() {
        let connects = |policy: String| {
            let directives: Vec<String> = policy.split("; ").map(str::to_owned).collect();
            directives.into_iter().find(|of| of.starts_with("connect-src")).expect("a directive")
        };
        assert_eq!(connects(page_policy(None)), "connect-src 'self'");
        let bucket = "https://pets.s3.eu-west-1.amazonaws.com";
        assert_eq!(connects(page_policy(Some(bucket))), format!("connect-src 'self' {bucket}"));
    }
}
