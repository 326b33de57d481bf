//! API Gateway's HTTP API events (payload format 2.0) and the pipeline's HTTP records.
//!
//! Whoever stands behind CloudFront reaches API Gateway from an address of CloudFront's, which a
//! whole region shares. CloudFront says the visitor's in a header; since anybody may send that to
//! API Gateway directly, it counts only beside a secret that our distribution adds.

use std::fmt;
use std::net::IpAddr;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use pitpet_pipeline::http::{HttpRequest, HttpResponse};
use subtle::ConstantTimeEq as _;

/// Carries the [`EdgeSecret`]: an origin's custom header, which CloudFront puts in place of whatever
/// a visitor sent under this name. `infra/lib/edge.ts` sets it.
const EDGE: &str = "x-pitpet-edge";

/// Carries a visitor's address and port, set by CloudFront in the same way.
const VIEWER_ADDRESS: &str = "cloudfront-viewer-address";

/// What shows that a request came through our distribution: 32 random bytes, in the header as 64
/// hexadecimal digits.
#[derive(Clone, Copy)]
pub struct EdgeSecret(pub [u8; 32]);

impl EdgeSecret {
    fn is_shown_by(&self, headers: &HeaderMap) -> bool {
        let mut shown = [0; 32];
        headers.get(EDGE).is_some_and(|value| hex::decode_to_slice(value, &mut shown).is_ok())
            && bool::from(shown.ct_eq(&self.0))
    }
}

impl fmt::Debug for EdgeSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EdgeSecret(…)")
    }
}

/// Turns an event into a request. A body that claims to be base64 and isn't becomes an empty one,
/// which no route takes.
///
/// Its source is the visitor's address by CloudFront's word, if the request shows the secret, else
/// that of whoever connected to API Gateway.
pub fn request(event: ApiGatewayV2httpRequest, edge: Option<&EdgeSecret>) -> HttpRequest {
    let source = edge
        .filter(|edge| edge.is_shown_by(&event.headers))
        .and_then(|_| viewer_address(event.headers.get(VIEWER_ADDRESS)?.to_str().ok()?))
        .or_else(|| event.request_context.http.source_ip.as_deref()?.parse().ok());
    let body = match (event.body, event.is_base64_encoded) {
        (None, _) => Vec::new(),
        (Some(text), false) => text.into_bytes(),
        (Some(text), true) => STANDARD.decode(text).unwrap_or_default(),
    };
    let header = |name| event.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, accept_language, host) = (header(CONTENT_TYPE), header(ACCEPT_LANGUAGE), header(HOST));
    HttpRequest {
        method: event.request_context.http.method.to_string(),
        path: event.raw_path.unwrap_or_default(),
        query: event
            .query_string_parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        content_type,
        accept_language,
        host,
        body,
        source,
    }
}

/// The address of `address:port`. One of IPv6 may stand in brackets: CloudFront's manual doesn't say.
fn viewer_address(text: &str) -> Option<IpAddr> {
    let (address, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => address.parse().ok(),
    }
}

/// Turns a response into what API Gateway expects: text as it is, anything else in base64.
pub fn response(response: HttpResponse) -> ApiGatewayV2httpResponse {
    let mut event = ApiGatewayV2httpResponse::default();
    event.status_code = response.status.into();
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            event.headers.insert(name, value);
        }
    }
    event.body = Some(match String::from_utf8(response.body) {
        Ok(text) => Body::Text(text),
        Err(bytes) => {
            event.is_base64_encoded = true;
            Body::Text(STANDARD.encode(bytes.into_bytes()))
        }
    });
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> ApiGatewayV2httpRequest {
        serde_json::from_str(include_str!("../tests/events/apigw-v2-post.json")).expect("a recorded event")
    }

    #[test]
    fn a_recorded_event_becomes_a_request() {
        let request = request(recorded(), None);
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/events"));
        assert_eq!(request.content_type.as_deref(), Some("application/json"));
        assert_eq!(request.query.get("wait_ms").map(String::as_str), Some("20"));
        assert_eq!(request.body, b"{\"event\":\"AA==\"}");
        let source = request.source.map(|source| source.to_string());
        assert_eq!(source.as_deref(), Some("203.0.113.7"), "by the gateway's word, not by a header");
    }

    #[test]
    fn a_visitor_s_address_is_believed_beside_the_secret_only() {
        const GATEWAY: &str = "203.0.113.7";
        let secret = EdgeSecret([0x0a; 32]);
        let source = |edge: Option<&EdgeSecret>, shown: Option<&str>, viewer: Option<&'static str>| {
            let mut event = recorded();
            for (name, value) in [(EDGE, shown), (VIEWER_ADDRESS, viewer)] {
                if let Some(value) = value {
                    event.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
                }
            }
            request(event, edge).source.expect("an address").to_string()
        };
        let right = "0a".repeat(32);
        let shown = |viewer| source(Some(&secret), Some(&right), Some(viewer));
        assert_eq!(shown("198.51.100.10:46532"), "198.51.100.10");
        for ipv6 in ["2001:db8::8a2e:370:7334:46532", "[2001:db8::8a2e:370:7334]:46532"] {
            assert_eq!(shown(ipv6), "2001:db8::8a2e:370:7334");
        }

        let viewer = Some("198.51.100.10:46532");
        assert_eq!(source(None, Some(&right), viewer), GATEWAY, "a service that has no secret");
        assert_eq!(source(Some(&secret), None, viewer), GATEWAY, "past CloudFront");
        for wrong in ["", "0a", &"0b".repeat(32), &"0a".repeat(31), &"0a".repeat(33), "no secret"] {
            assert_eq!(source(Some(&secret), Some(wrong), viewer), GATEWAY, "{wrong}");
        }

        assert_eq!(source(Some(&secret), Some(&right), None), GATEWAY);
        for garbage in [
            "",
            ":",
            "198.51.100.10",
            "198.51.100.10:",
            "198.51.100.10:65536",
            "198.51.100.10:443, 192.0.2.1:443",
            "[198.51.100.10]:443",
            "[2001:db8::1:443",
            "2001:db8::1]:443",
            "pets.example:443",
        ] {
            assert_eq!(shown(garbage), GATEWAY, "{garbage}");
        }
    }

    #[test]
    fn the_secret_stays_out_of_logs() {
        assert_eq!(format!("{:?}", EdgeSecret([0x0a; 32])), "EdgeSecret(…)");
    }

    #[test]
    fn bytes_go_out_as_base64_and_text_as_it_is() {
        let text = response(HttpResponse::new(200, "text/plain", "hallo"));
        assert_eq!((text.body, text.is_base64_encoded), (Some(Body::Text("hallo".into())), false));
        let bytes = response(HttpResponse::new(200, "image/jpeg", vec![0xff, 0xd8]));
        assert_eq!((bytes.body, bytes.is_base64_encoded), (Some(Body::Text("/9g=".into())), true));
    }
}
