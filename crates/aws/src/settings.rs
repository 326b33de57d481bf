//! How the adapters reach AWS, or what stands in for it on loopback.
//!
//! In Lambda everything needed is in the environment: region, and credentials that are replaced
//! with the environment itself. So the default provider chain (profiles, SSO, instance metadata)
//! is deliberately absent, and with it most of what an SDK build weighs.
//!
//! A plain-HTTP client is used for `http://` endpoints on loopback, one with TLS for all others.

use std::net::IpAddr;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};

use crate::attempts::Attempts;

/// Calls of an embedded engine under way at one time.
pub const EMBEDDED_CALLS_MAX: usize = 8;

/// How [`pitpet_pipeline::ports::Table::publish`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishMode {
    /// `BatchWriteItem` and single conditional writes side by side: cheapest in the cloud, where
    /// a transaction costs twice its writes.
    Cloud,
    /// `TransactWriteItems`: cheapest on the embedded engine, whose transaction is one commit on
    /// disk, and whose `BatchWriteItem` is one for each item.
    Embedded,
}

/// The keys that sign requests.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The session token, with temporary keys such as Lambda's.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for AccessKeys {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why settings are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable is missing.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The endpoint is plain HTTP to somewhere else than this machine.
    #[error("the endpoint {0} is plain HTTP but not on loopback: requests would cross a network unprotected")]
    PlainHttp(String),
}

/// How to reach one AWS service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// Where to send requests, if not to the region's own endpoint.
    pub endpoint: Option<String>,
    /// Who signs.
    pub keys: AccessKeys,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long an attempt may take, from opening to the last byte of the answer.
    pub attempt_timeout: Duration,
    /// How often a call is attempted.
    pub attempts: Attempts,
    /// How many calls of the table are under way at one time, 1 or more; further ones wait. Each has a connection, which is a
    /// file descriptor, and with an engine in this process two.
    pub calls_max: usize,
    /// How to publish; only the table's adapter looks at it.
    pub publish: PublishMode,
}

impl Settings {
    /// Reads settings from the environment through `variable`, for the service whose endpoint
    /// override is called `endpoint_variable` (`AWS_ENDPOINT_URL_DYNAMODB`,
    /// `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_SECRETS_MANAGER`); `AWS_ENDPOINT_URL` is for all services.
    ///
    /// # Errors
    /// [`SettingsError::Missing`] names the variable that is not set.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        endpoint_variable: &str,
    ) -> Result<Self, SettingsError> {
        let needed = |name: &'static str| {
            variable(name).filter(|value| !value.is_empty()).ok_or(SettingsError::Missing(name))
        };
        Ok(Self {
            region: needed("AWS_REGION").or_else(|_| needed("AWS_DEFAULT_REGION"))?,
            endpoint: variable(endpoint_variable).or_else(|| variable("AWS_ENDPOINT_URL")),
            keys: AccessKeys {
                id: needed("AWS_ACCESS_KEY_ID")?,
                secret: needed("AWS_SECRET_ACCESS_KEY")?,
                session_token: variable("AWS_SESSION_TOKEN"),
            },
            connect_timeout: Duration::from_millis(1_000),
            attempt_timeout: Duration::from_millis(5_000),
            attempts: Attempts::default(),
            // A function has 1,024 file descriptors.
            calls_max: 256,
            publish: PublishMode::Cloud,
        })
    }

    /// Reads settings from the process's environment; see [`Settings::from_variables`].
    ///
    /// # Errors
    /// [`SettingsError::Missing`] names the variable that is not set.
    pub fn from_environment(endpoint_variable: &str) -> Result<Self, SettingsError> {
        Self::from_variables(|name| std::env::var(name).ok(), endpoint_variable)
    }

    /// Makes settings for an engine embedded in this process, at an `http://127.0.0.1:port` address.
    /// Its keys are placeholders: such an engine checks none.
    pub fn embedded(endpoint: impl Into<String>) -> Self {
        Self {
            region: "eu-west-1".into(),
            endpoint: Some(endpoint.into()),
            keys: AccessKeys { id: "embedded".into(), secret: "embedded".into(), session_token: None },
            connect_timeout: Duration::from_millis(1_000),
            attempt_timeout: Duration::from_millis(10_000),
            attempts: Attempts::default(),
            // The engine runs one at a time; a few more wait where it finds them.
            calls_max: EMBEDDED_CALLS_MAX,
            publish: PublishMode::Embedded,
        }
    }

    /// Makes the DynamoDB client.
    pub(crate) fn dynamodb(&self) -> Result<aws_sdk_dynamodb::Client, SettingsError> {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials())
            .http_client(self.http_client()?)
            .timeout_config(self.timeouts())
            .retry_config(RetryConfig::disabled());
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(aws_sdk_dynamodb::Client::from_conf(config.build()))
    }

    /// Makes the SQS client.
    pub(crate) fn sqs(&self) -> Result<aws_sdk_sqs::Client, SettingsError> {
        let mut config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials())
            .http_client(self.http_client()?)
            .timeout_config(self.timeouts())
            .retry_config(RetryConfig::disabled());
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(aws_sdk_sqs::Client::from_conf(config.build()))
    }

    /// Makes the Secrets Manager client.
    pub(crate) fn secrets(&self) -> Result<aws_sdk_secretsmanager::Client, SettingsError> {
        let mut config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials())
            .http_client(self.http_client()?)
            .timeout_config(self.timeouts())
            .retry_config(RetryConfig::disabled());
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(aws_sdk_secretsmanager::Client::from_conf(config.build()))
    }

    fn credentials(&self) -> Credentials {
        let AccessKeys { id, secret, session_token } = &self.keys;
        Credentials::new(id, secret, session_token.clone(), None, "settings")
    }

    fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect_timeout)
            .operation_attempt_timeout(self.attempt_timeout)
            .build()
    }

    /// Says whether requests to the endpoint stay on this machine or go through TLS.
    pub(crate) fn check_endpoint(&self) -> Result<(), SettingsError> {
        match &self.endpoint {
            Some(endpoint) if endpoint.starts_with("http://") && !is_loopback(endpoint) => {
                Err(SettingsError::PlainHttp(endpoint.clone()))
            }
            _ => Ok(()),
        }
    }

    fn http_client(&self) -> Result<SharedHttpClient, SettingsError> {
        self.check_endpoint()?;
        let builder = aws_smithy_http_client::Builder::new();
        match &self.endpoint {
            Some(endpoint) if endpoint.starts_with("http://") => Ok(builder.build_http()),
            _ => {
                use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
                Ok(builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
            }
        }
    }
}

/// Says whether an `http://` URL names this machine.
fn is_loopback(endpoint: &str) -> bool {
    let authority = endpoint.trim_start_matches("http://").split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(missing: &str) -> Result<Settings, SettingsError> {
        Settings::from_variables(
            |name| match name {
                _ if name == missing => None,
                "AWS_REGION" => Some("eu-north-1".into()),
                "AWS_ACCESS_KEY_ID" => Some("AKIA".into()),
                "AWS_SECRET_ACCESS_KEY" => Some("hush".into()),
                "AWS_ENDPOINT_URL_DYNAMODB" => Some("http://127.0.0.1:8000".into()),
                "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:4566".into()),
                _ => None,
            },
            "AWS_ENDPOINT_URL_DYNAMODB",
        )
    }

    #[test]
    fn a_missing_variable_is_named() {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            assert_eq!(read(name), Err(SettingsError::Missing(name)));
        }
        assert_eq!(read("AWS_REGION"), Err(SettingsError::Missing("AWS_DEFAULT_REGION")));
    }

    #[test]
    fn the_service_endpoint_goes_before_the_general_one() {
        assert_eq!(read("").unwrap().endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        let general = read("AWS_ENDPOINT_URL_DYNAMODB").unwrap().endpoint;
        assert_eq!(general.as_deref(), Some("http://127.0.0.1:4566"));
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert!(!format!("{:?}", read("").unwrap()).contains("hush"));
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for local in ["http://127.0.0.1:80", "http://[::1]:80/", "http://localhost"] {
            assert!(Settings::embedded(local).dynamodb().is_ok(), "{local}");
        }
        for remote in ["http://10.0.0.1", "http://127.0.0.1.example.org", "http://127.0.0.1@example.org"] {
            let refused = SettingsError::PlainHttp(remote.into());
            assert_eq!(Settings::embedded(remote).dynamodb().err(), Some(refused));
        }
    }
}
