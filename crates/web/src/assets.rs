//! Static files, embedded in the binary and served under a hash of their bytes, so that browsers
//! may keep them for ever. Scripts and modules import each other by relative paths and share one
//! hash.

use std::sync::LazyLock;

use pitpet_chain::hash::sha256;
use pitpet_pipeline::http::HttpResponse;

/// What a script may do, its workers included: fetch from here, and run WebAssembly.
const SCRIPT_POLICY: &str = "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../static/", $name)), "text/javascript; charset=utf-8")),*]
    };
}

type File = (&'static str, &'static [u8], &'static str);

/// Scripts, by name, with their content and its type.
const SCRIPTS: &[File] = scripts![
    "act.js",
    "actions.js",
    "api.js",
    "app.js",
    "bytes.js",
    "check-worker.js",
    "check.js",
    "dom.js",
    "join.js",
    "keys-worker.js",
    "keys.js",
    "live.js",
    "me.js",
    "modules.js",
    "photo.js",
    "pins.js",
    "signin.js",
    "strength.js",
    "texts.js",
    "upload.js",
    "wallet.js",
    "workers.js",
];

/// The key module, beside the scripts.
const KEYS: File = ("keys.wasm", include_bytes!("../../../wasm/keys/release/keys.wasm"), "application/wasm");

fn files() -> impl Iterator<Item = &'static File> {
    SCRIPTS.iter().chain([&KEYS])
}

static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = files().flat_map(|(name, bytes, _)| [name.as_bytes(), bytes].concat()).collect();
    hex::encode(&sha256(&all)[..8])
});

/// Address of a file.
pub(crate) fn asset(name: &str) -> String {
    debug_assert!(files().any(|(known, ..)| *known == name), "{name}");
    format!("/static/{}/{name}", *FOLDER)
}

/// A file by what follows `/static/`.
pub(crate) fn serve(path: &str) -> Option<HttpResponse> {
    let name = path.strip_prefix(FOLDER.as_str())?.strip_prefix('/')?;
    let (_, bytes, content_type) = files().find(|(known, ..)| *known == name)?;
    let mut response = HttpResponse::new(200, content_type, *bytes).immutable();
    response.headers.insert("content-security-policy", SCRIPT_POLICY.to_owned());
    Some(response)
}
