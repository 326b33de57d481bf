//! Static files, embedded and served under the hash of their content, so that they never change
//! under an address and are cached for good.
//!
//! Files of one [`Set`] share a directory, named after the hash over all of them: scripts import
//! each other, and the manifest names its icons, by relative path.

use std::sync::OnceLock;

use pitpet_chain::hash::sha256;
use pitpet_pipeline::http::HttpResponse;

use crate::policy::SCRIPT_POLICY;
use crate::texts::Lang;

/// A static file.
pub struct Asset {
    /// Its name, the last part of its address.
    pub name: &'static str,
    /// Its content type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal, $content_type:literal;)* $(and $more:expr)?) => {
        &[$(Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../static/", $name)),
        },)* $($more)?]
    };
}

/// Style, icons and manifest.
const LOOKS: &[Asset] = files! {
    "style.css", "text/css; charset=utf-8";
    "icon.svg", "image/svg+xml";
    "icon-192.png", "image/png";
    "icon-512.png", "image/png";
    "manifest.json", "application/manifest+json";
};

/// ES modules and what they load.
const SCRIPTS: &[Asset] = files! {
    "act.js", "text/javascript; charset=utf-8";
    "actions.js", "text/javascript; charset=utf-8";
    "api.js", "text/javascript; charset=utf-8";
    "app.js", "text/javascript; charset=utf-8";
    "belongings.js", "text/javascript; charset=utf-8";
    "buttons.js", "text/javascript; charset=utf-8";
    "bytes.js", "text/javascript; charset=utf-8";
    "check-worker.js", "text/javascript; charset=utf-8";
    "check.js", "text/javascript; charset=utf-8";
    "deeds.js", "text/javascript; charset=utf-8";
    "dom.js", "text/javascript; charset=utf-8";
    "endless.js", "text/javascript; charset=utf-8";
    "join.js", "text/javascript; charset=utf-8";
    "keys-worker.js", "text/javascript; charset=utf-8";
    "keys.js", "text/javascript; charset=utf-8";
    "list.js", "text/javascript; charset=utf-8";
    "live.js", "text/javascript; charset=utf-8";
    "me.js", "text/javascript; charset=utf-8";
    "mine-worker.js", "text/javascript; charset=utf-8";
    "mine.js", "text/javascript; charset=utf-8";
    "moderation.js", "text/javascript; charset=utf-8";
    "modules.js", "text/javascript; charset=utf-8";
    "notices.js", "text/javascript; charset=utf-8";
    "own.js", "text/javascript; charset=utf-8";
    "pages.js", "text/javascript; charset=utf-8";
    "photo.js", "text/javascript; charset=utf-8";
    "pins.js", "text/javascript; charset=utf-8";
    "reasons.js", "text/javascript; charset=utf-8";
    "refresh.js", "text/javascript; charset=utf-8";
    "signin.js", "text/javascript; charset=utf-8";
    "strength.js", "text/javascript; charset=utf-8";
    "texts.js", "text/javascript; charset=utf-8";
    "upload.js", "text/javascript; charset=utf-8";
    "wallet.js", "text/javascript; charset=utf-8";
    "workers.js", "text/javascript; charset=utf-8";
    and Asset {
        name: "keys.wasm",
        content_type: "application/wasm",
        bytes: include_bytes!("../../../wasm/keys/release/keys.wasm"),
    }
};

/// Files that share a directory.
struct Set {
    files: &'static [Asset],
    directory: String,
}

fn sets() -> &'static [Set] {
    static SETS: OnceLock<Vec<Set>> = OnceLock::new();
    SETS.get_or_init(|| {
        [LOOKS, SCRIPTS]
            .into_iter()
            .map(|files| {
                let digests: Vec<[u8; 32]> = files.iter().map(|file| sha256(file.bytes)).collect();
                let whole = sha256(&digests.concat());
                Set { files, directory: whole.iter().take(8).map(|byte| format!("{byte:02x}")).collect() }
            })
            .collect()
    })
}

/// The address of a file; none if there is no such file.
pub fn asset(name: &str) -> Option<String> {
    let set = sets().iter().find(|set| set.files.iter().any(|file| file.name == name))?;
    Some(format!("/static/{}/{name}", set.directory))
}

/// The service worker: at the root, because it is for all pages, and asked for anew each time.
pub(crate) fn service_worker() -> HttpResponse {
    let langs: Vec<&str> = Lang::ALL.iter().map(|lang| lang.code()).collect();
    let script = include_str!("../static/sw.js")
        .replace("{style}", &asset("style.css").unwrap_or_default())
        .replace("{langs}", &langs.join(" "));
    let mut response = HttpResponse::new(200, "text/javascript; charset=utf-8", script);
    response.headers.insert("content-security-policy", SCRIPT_POLICY.to_owned());
    response.headers.insert("cache-control", "no-cache".to_owned());
    response
}

/// A file by its address.
pub(crate) fn serve(directory: &str, name: &str) -> Option<HttpResponse> {
    let set = sets().iter().find(|set| set.directory == directory)?;
    let file = set.files.iter().find(|file| file.name == name)?;
    let mut response = HttpResponse::new(200, file.content_type, file.bytes).immutable();
    if file.content_type.starts_with("text/javascript") {
        response.headers.insert("content-security-policy", SCRIPT_POLICY.to_owned());
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_served_where_it_is_said_to_be() {
        for file in LOOKS.iter().chain(SCRIPTS) {
            let address = asset(file.name).expect("listed");
            let [_, "static", directory, name] = address.split('/').collect::<Vec<_>>()[..] else {
                panic!("{address}")
            };
            let response = serve(directory, name).expect("served");
            assert_eq!(response.body, file.bytes);
            assert!(response.headers["cache-control"].contains("immutable"));
            assert_eq!(directory.len(), 16);
        }
        assert!(asset("nothing").is_none() && serve("0", "style.css").is_none());
    }

    #[test]
    fn the_manifest_names_files_that_there_are() {
        let manifest = LOOKS.iter().find(|file| file.name == "manifest.json").expect("listed");
        let manifest = std::str::from_utf8(manifest.bytes).expect("text");
        let icons: Vec<&str> =
            manifest.split("\"src\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(icons.len() >= 3);
        assert!(icons.iter().all(|icon| asset(icon).is_some()));
    }
}
