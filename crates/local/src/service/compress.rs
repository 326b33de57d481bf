//! Texts are compressed for whoever takes it, as a content delivery network does in front of the
//! functions. Photos and modules are not: the former are compressed already, and the latter are
//! fetched once, over loopback as a rule, where packing takes longer than sending.
//!
//! Pages hold nothing secret beside what a request names, so that the size of an answer tells
//! nothing that the answer itself wouldn't.

use std::io::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::Compression;
use flate2::write::GzEncoder;

/// What is shorter fits one packet as it is.
const BYTES_MIN: usize = 1_400;

/// Of zlib's levels one of the quick ones: each answer is packed anew.
const LEVEL: Compression = Compression::new(3);

/// Whether a sender takes gzip (RFC 9110 section 12.5.3).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok());
        is_gzip && quality.unwrap_or(1.0) > 0.0
    })
}

fn is_text(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    media.starts_with("text/")
        || media == "application/json"
        || media.ends_with("+json")
        || media.ends_with("+xml")
}

/// Compresses a body, and says so in its headers, where that is of use.
pub(super) fn compressed(body: Vec<u8>, headers: &mut HeaderMap, is_taken: bool) -> Vec<u8> {
    if !is_text(headers) || body.len() < BYTES_MIN || headers.contains_key(header::CONTENT_ENCODING) {
        return body;
    }
    // Whoever keeps it for others must know, whatever this one took.
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !is_taken {
        return body;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), LEVEL);
    let packed = encoder.write_all(&body).and_then(|()| encoder.finish());
    // Memory takes what is written to it; if not, the text goes as it is.
    let Ok(packed) = packed else { return body };
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    packed
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = header::HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn gzip_is_taken_by_whoever_says_so() {
        for (said, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("gzip;q=0", false),
            ("br", false),
            ("xgzip", false),
        ] {
            assert_eq!(takes_gzip(&headers(&[("accept-encoding", said)])), takes, "{said}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn texts_are_compressed_and_come_out_as_they_were() {
        let text = "<p>Mochi is here! Say hello.</p>".repeat(400).into_bytes();
        let mut page = headers(&[("content-type", "text/html; charset=utf-8"), ("vary", "accept-language")]);
        let packed = compressed(text.clone(), &mut page, true);
        assert!(packed.len() * 8 < text.len());
        assert_eq!(page["content-encoding"], "gzip");
        let varies: Vec<_> = page.get_all("vary").iter().collect();
        assert_eq!(varies, ["accept-language", "accept-encoding"]);
        let mut out = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut out).expect("gzip");
        assert_eq!(out, text);
    }

    #[test]
    fn what_is_short_packed_or_not_wanted_goes_as_it_is() {
        let text = vec![b'x'; 10_000];
        for (media, size, is_taken) in [
            ("text/html", BYTES_MIN - 1, true),
            ("image/jpeg", 10_000, true),
            ("application/wasm", 10_000, true),
            ("application/cbor", 10_000, true),
            ("application/problem+json", 10_000, false),
        ] {
            let mut headers = headers(&[("content-type", media)]);
            assert_eq!(compressed(text[..size].to_vec(), &mut headers, is_taken), text[..size], "{media}");
            assert!(!headers.contains_key("content-encoding"));
        }
    }
}
