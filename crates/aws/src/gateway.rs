//! API Gateway's HTTP API events (payload format 2.0) and the pipeline's HTTP records.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HOST};
use pitpet_pipeline::http::{HttpRequest, HttpResponse};

/// Turns an event into a request. A body that claims to be base64 and isn't becomes an empty one,
/// which no route takes.
pub fn request(event: ApiGatewayV2httpRequest) -> HttpRequest {
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
        source: event.request_context.http.source_ip.and_then(|source| source.parse().ok()),
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

    #[test]
    fn a_recorded_event_becomes_a_request() {
        let event: ApiGatewayV2httpRequest =
            serde_json::from_str(include_str!("../tests/events/apigw-v2-post.json"))
                .expect("a recorded event");
        let request = request(event);
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/events"));
        assert_eq!(request.content_type.as_deref(), Some("application/json"));
        assert_eq!(request.query.get("wait_ms").map(String::as_str), Some("20"));
        assert_eq!(request.body, b"{\"event\":\"AA==\"}");
        let source = request.source.map(|source| source.to_string());
        assert_eq!(source.as_deref(), Some("203.0.113.7"), "by the gateway's word, not by a header");
    }

    #[test]
    fn bytes_go_out_as_base64_and_text_as_it_is() {
        let text = response(HttpResponse::new(200, "text/plain", "hallo"));
        assert_eq!((text.body, text.is_base64_encoded), (Some(Body::Text("hallo".into())), false));
        let bytes = response(HttpResponse::new(200, "image/jpeg", vec![0xff, 0xd8]));
        assert_eq!((bytes.body, bytes.is_base64_encoded), (Some(Body::Text("/9g=".into())), true));
    }
}
