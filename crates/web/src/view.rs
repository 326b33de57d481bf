//! What a request asks to see, and in which language.

use pitpet_pipeline::http::HttpRequest;
use pitpet_pipeline::query::Queries;

use crate::texts::{Lang, Texts};

/// A request being answered with a page.
pub struct View<'a> {
    /// Where answers come from.
    pub queries: &'a Queries,
    /// The request.
    pub request: &'a HttpRequest,
    /// The language.
    pub lang: Lang,
    /// The words of that language.
    pub t: &'static Texts,
    /// Whether the language was chosen by a link, which links then pass on; no cookie holds it.
    chosen: bool,
    /// Now, ms since the Unix epoch.
    pub now_ms: u64,
}

impl<'a> View<'a> {
    /// Reads the request.
    pub fn new(queries: &'a Queries, request: &'a HttpRequest) -> Self {
        let chosen = request.parameter("lang").and_then(Lang::from_code);
        let lang =
            chosen.unwrap_or_else(|| Lang::accepted(request.accept_language.as_deref().unwrap_or_default()));
        Self { queries, request, lang, t: lang.texts(), chosen: chosen.is_some(), now_ms: queries.now_ms() }
    }

    /// A link within the site, which keeps a language that was chosen.
    pub fn href(&self, path: impl AsRef<str>) -> String {
        let path = path.as_ref();
        match self.chosen {
            false => path.to_owned(),
            true => {
                let (path, fragment) = path.split_once('#').map_or((path, None), |(a, b)| (a, Some(b)));
                let joint = if path.contains('?') { '&' } else { '?' };
                let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
                format!("{path}{joint}lang={}{fragment}", self.lang.code())
            }
        }
    }

    /// This page in another language.
    pub fn in_language(&self, lang: Lang) -> String {
        let mut parameters: Vec<(&str, &str)> = self
            .request
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| *name != "lang")
            .collect();
        parameters.push(("lang", lang.code()));
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        format!("{}?{}", encoded_path(&self.request.path), parameters.join("&"))
    }

    /// An absolute address: of the setting, or by what the request calls this server.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    /// Scheme and host of the site.
    pub fn base(&self) -> String {
        if let Some(url) = &self.queries.site().url {
            return url.trim_end_matches('/').to_owned();
        }
        let host = self.request.host.as_deref().unwrap_or("localhost");
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let host = if host.chars().all(sound) { host } else { "localhost" };
        let name = host.split(':').next().unwrap_or_default();
        let scheme = if matches!(name, "localhost" | "127.0.0.1" | "[") { "http" } else { "https" };
        format!("{scheme}://{host}")
    }
}

/// Percent-encodes a part of an address.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn encoded_path(path: &str) -> String {
    path.split('/').map(|part| encoded(part).replace("%40", "@")).collect::<Vec<_>>().join("/")
}

/// A moment in RFC 3339, to the second.
pub fn rfc3339(time_ms: u64) -> String {
    let seconds = time_ms / 1_000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar: shifted to years that
/// begin in March, whose months then follow one formula.
pub fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_341_600_123), "2026-11-22T10:00:00Z");
        assert_eq!(rfc3339(4_102_444_799_000), "2099-12-31T23:59:59Z");
    }

    #[test]
    fn parts_of_addresses_are_encoded() {
        assert_eq!(encoded("a b/ü?&\"<"), "a%20b%2F%C3%BC%3F%26%22%3C");
        assert_eq!(encoded_path("/@anna/x y"), "/@anna/x%20y");
    }
}
