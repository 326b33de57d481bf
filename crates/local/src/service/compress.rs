//! Texts are compressed for whoever takes it, as a content delivery network does in front of the
//! functions. Photos and modules are not: the former are compressed already, and the latter are
//! fetched once, over loopback as a rule, where packing takes longer than sending.
//!
//! Pages hold nothing secret beside what a request names, so that the size of an answer tells
//! nothing that the answer itself wouldn't.

use axum::body::HttpBody;
use axum::http::{HeaderMap, Response, header};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// What is shorter fits one packet as it is.
const BYTES_MIN: u16 = 1_400;

/// Of zlib's levels one of the quick ones: each answer is packed anew.
const LEVEL: CompressionLevel = CompressionLevel::Precise(3);

/// Answers whose media type is a text's.
#[derive(Clone, Copy)]
pub(super) struct IsText;

impl Predicate for IsText {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        is_text(response.headers())
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    media.starts_with("text/")
        || media == "application/json"
        || media.ends_with("+json")
        || media.ends_with("+xml")
}

/// Compresses bodies, and says so in their headers, where that is of use.
pub(super) fn compression() -> CompressionLayer<And<SizeAbove, IsText>> {
    CompressionLayer::new().quality(LEVEL).compress_when(SizeAbove::new(BYTES_MIN).and(IsText))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Read as _;

    use axum::body::Body;
    use axum::http::Request;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt as _;
    use tower::{Layer as _, ServiceExt as _};

    use super::*;

    /// What somebody who takes `accept` is answered.
    async fn answer(media: &str, text: &[u8], accept: Option<&str>) -> (HeaderMap, Vec<u8>) {
        let service = compression().layer(tower::service_fn(async |_: Request<Body>| {
            let response =
                Response::builder().header("content-type", media).header("vary", "accept-language");
            Ok::<_, Infallible>(response.body(Body::from(text.to_vec())).expect("a response"))
        }));
        let mut request = Request::new(Body::empty());
        if let Some(accept) = accept {
            request.headers_mut().insert("accept-encoding", accept.parse().expect("a value"));
        }
        let (parts, body) = service.oneshot(request).await.expect("it never fails").into_parts();
        (parts.headers, body.collect().await.expect("a body").to_bytes().to_vec())
    }

    #[tokio::test]
    async fn texts_are_compressed_for_whoever_takes_it() {
        let text = "<p>Mochi is here! Say hello.</p>".repeat(400).into_bytes();
        for (accept, is_packed) in [
            (Some("gzip"), true),
            (Some("deflate, GZIP;q=0.5, br"), true),
            (Some("gzip;q=0"), false),
            (Some("br"), false),
            (Some("xgzip"), false),
            (None, false),
        ] {
            let (headers, body) = answer("text/html; charset=utf-8", &text, accept).await;
            // Whoever keeps it for others must know, whatever this one took.
            let varies: Vec<_> = headers.get_all("vary").iter().collect();
            assert_eq!(varies, ["accept-language", "accept-encoding"], "{accept:?}");
            assert_eq!(headers.contains_key("content-encoding"), is_packed, "{accept:?}");
            if is_packed {
                assert!(body.len() * 8 < text.len());
                let mut out = Vec::new();
                GzDecoder::new(body.as_slice()).read_to_end(&mut out).expect("gzip");
                assert_eq!(out, text);
            } else {
                assert_eq!(body, text, "{accept:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_short_or_packed_goes_as_it_is() {
        let text = vec![b'x'; 10_000];
        for (media, size) in [
            ("text/html", usize::from(BYTES_MIN) - 1),
            ("image/jpeg", 10_000),
            ("application/wasm", 10_000),
            ("application/cbor", 10_000),
        ] {
            let (headers, body) = answer(media, &text[..size], Some("gzip")).await;
            assert_eq!(body, text[..size], "{media}");
            assert!(!headers.contains_key("content-encoding"), "{media}");
        }
    }
}
