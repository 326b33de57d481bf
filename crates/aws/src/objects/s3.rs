//! The object store in a bucket on S3.
//!
//! Retries are the store crate's own: every call here may be repeated. Uploads go straight to the
//! bucket by a presigned URL that also signs size, type and SHA-256, so that S3 itself refuses
//! any other bytes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use pitpet_pipeline::ports::{ObjectError, UploadTicket};

use super::tickets::check_content_type;
use super::{Objects, TICKET_MS, path};
use crate::settings::Settings;

/// Objects in one bucket.
#[derive(Debug)]
pub struct S3Objects {
    objects: Objects<AmazonS3>,
    settings: Settings,
    /// Where the bucket is, without a slash at the end.
    base: String,
}

impl S3Objects {
    /// Makes an adapter for a bucket; connects when first used.
    ///
    /// # Errors
    /// `Refused` if the settings are of no use.
    pub fn new(settings: &Settings, bucket: &str) -> Result<Self, ObjectError> {
        let refused = |error: &dyn std::error::Error| ObjectError::Refused { message: error.to_string() };
        settings.check_endpoint().map_err(|error| refused(&error))?;
        // The HTTP client takes the process's provider; another one that is installed will do as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = ClientOptions::new()
            .with_connect_timeout(settings.connect_timeout)
            .with_timeout(settings.attempt_timeout)
            .with_allow_http(settings.endpoint.is_some());
        let attempts = settings.attempts;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: attempts.wait_base,
                max_backoff: attempts.wait_max,
                base: 2.0,
            },
            max_retries: attempts.count_max.saturating_sub(1) as usize,
            retry_timeout: settings.attempt_timeout * attempts.count_max,
        };
        let mut builder = AmazonS3Builder::new()
            .with_region(&settings.region)
            .with_bucket_name(bucket)
            .with_access_key_id(&settings.keys.id)
            .with_secret_access_key(&settings.keys.secret)
            .with_client_options(options)
            .with_retry(retry);
        if let Some(token) = &settings.keys.session_token {
            builder = builder.with_token(token);
        }
        let base = match &settings.endpoint {
            Some(endpoint) => {
                let endpoint = endpoint.trim_end_matches('/');
                builder = builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
                format!("{endpoint}/{bucket}")
            }
            None => {
                builder = builder.with_virtual_hosted_style_request(true);
                format!("https://{bucket}.s3.{}.amazonaws.com", settings.region)
            }
        };
        let store = builder.build().map_err(|error| refused(&error))?;
        Ok(Self { objects: Objects { store }, settings: settings.clone(), base })
    }

    /// Scheme, host and port of the upload tickets' addresses: a page's policy has to name it.
    pub fn uploads(&self) -> String {
        let (scheme, rest) = self.base.split_once("://").unwrap_or(("https", &self.base));
        format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
    }

    /// Presigns a `PUT` with these headers; gives the URL.
    fn presign(
        &self,
        key: &str,
        headers: &BTreeMap<String, String>,
        now_ms: u64,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let mut signing = SigningSettings::default();
        signing.signature_location = SignatureLocation::QueryParams;
        signing.expires_in = Some(Duration::from_millis(TICKET_MS));
        signing.percent_encoding_mode = PercentEncodingMode::Single;
        signing.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        signing.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let keys = &self.settings.keys;
        let identity =
            Credentials::new(&keys.id, &keys.secret, keys.session_token.clone(), None, "settings").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name("s3")
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
            .settings(signing)
            .build()?
            .into();
        let url = format!("{}/{key}", self.base);
        let signed = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = SignableRequest::new("PUT", &url, signed, SignableBody::UnsignedPayload)?;
        let (instructions, _) = sign(request, &params)?.into_parts();
        let mut request = http::Request::put(&url).body(())?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.uri().to_string())
    }
}

#[async_trait]
impl pitpet_pipeline::ports::Objects for S3Objects {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), ObjectError> {
        self.objects.put(key, content).await
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectError> {
        self.objects.get(key).await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        self.objects.size(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        self.objects.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.objects.delete(key).await
    }

    async fn upload_ticket(
        &self,
        key: &str,
        sha256: &[u8; 32],
        size: u64,
        content_type: &str,
        now_ms: u64,
    ) -> Result<UploadTicket, ObjectError> {
        path(key)?;
        check_content_type(content_type)?;
        let headers = BTreeMap::from([
            ("content-length".to_owned(), size.to_string()),
            ("content-type".to_owned(), content_type.to_owned()),
            ("x-amz-checksum-sha256".to_owned(), STANDARD.encode(sha256)),
        ]);
        let url = self
            .presign(key, &headers, now_ms)
            .map_err(|error| ObjectError::Refused { message: error.to_string() })?;
        Ok(UploadTicket { url, method: "PUT".into(), headers, expires_ms: now_ms.saturating_add(TICKET_MS) })
    }
}

#[cfg(test)]
mod tests {
    use pitpet_pipeline::ports::Objects as _;

    use super::*;

    #[tokio::test]
    async fn tickets_lead_to_where_pages_may_upload_to() {
        let embedded = Settings::embedded("http://127.0.0.1:4566/");
        let aws = Settings { endpoint: None, region: "eu-west-1".into(), ..embedded.clone() };
        for (settings, origin) in
            [(embedded, "http://127.0.0.1:4566"), (aws, "https://pets.s3.eu-west-1.amazonaws.com")]
        {
            let objects = S3Objects::new(&settings, "pets").expect("sound settings");
            assert_eq!(objects.uploads(), origin);
            let ticket = objects.upload_ticket("media/0a", &[7; 32], 9, "image/png", 1_700_000_000_000).await;
            let url = ticket.expect("a ticket").url;
            assert!(url.starts_with(&format!("{origin}/")), "{url}");
        }
    }
}
