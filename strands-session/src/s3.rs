//! Amazon S3 and compatible services: the object store of a bucket, and the session manager on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use strands_core::session::{MultiAgentSession, OpenedSession, SessionError, SessionManager};
use strands_http::is_loopback;

use crate::credentials::SdkCredentials;
use crate::https::HttpsConnector;
use crate::{SessionStore, StoreSessionManager, id_validation};

/// The default region, as in the AWS SDKs.
const DEFAULT_REGION: &str = "us-east-1";
/// The variable with the endpoint of S3, which takes precedence over the one for all services.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL_S3";
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// A [`SessionManager`] of a session in an Amazon S3 bucket, or in a compatible service with conditional writes
/// (`If-Match`, `If-None-Match`).
///
/// Credentials come from the AWS SDK: environment, profile and SSO, web identity, container, instance. They need
/// `s3:GetObject`, `s3:PutObject` and `s3:ListBucket`; deleting sessions needs `s3:DeleteObject`.
///
/// ```no_run
/// use strands::session::S3SessionManager;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = S3SessionManager::builder("user-42", "my-bucket").prefix("agent_sessions").build().await?;
/// # let _ = manager; Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct S3SessionManager(StoreSessionManager);

/// Builder for [`S3SessionManager`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct S3SessionManagerBuilder {
    session_id: String,
    prefix: String,
    store: S3ObjectStoreBuilder,
}

/// Builder for the object store of an Amazon S3 bucket, or of a compatible service with conditional writes (`If-Match`,
/// `If-None-Match`), for data of a program beside its sessions. Credentials, TLS and retries are those of [`S3SessionManager`].
///
/// ```no_run
/// use strands::session::S3ObjectStoreBuilder;
/// use strands::session::object_store::{ObjectStoreExt, path::Path};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = S3ObjectStoreBuilder::new("my-bucket").build().await?;
/// let report = store.get(&Path::parse("reports/today.txt")?).await?.bytes().await?;
/// # let _ = report; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct S3ObjectStoreBuilder {
    bucket: String,
    region: Option<String>,
    endpoint: Option<String>,
    sdk_config: Option<SdkConfig>,
    connector: HttpsConnector,
    allow_http: bool,
}

impl S3SessionManager {
    /// Creates a builder for the session with this id in this bucket.
    pub fn builder(session_id: impl Into<String>, bucket: impl Into<String>) -> S3SessionManagerBuilder {
        S3SessionManagerBuilder {
            session_id: session_id.into(),
            prefix: String::new(),
            store: S3ObjectStoreBuilder::new(bucket),
        }
    }

    /// Creates a manager of another session in the same bucket, with the same connections and credentials, as a server
    /// with many sessions does for each request.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn for_session(&self, session_id: impl Into<String>) -> Result<Self, SessionError> {
        self.0.for_session(session_id).map(Self)
    }

    /// Returns the store of this session and others.
    pub fn store(&self) -> &SessionStore {
        self.0.store()
    }
}

impl S3SessionManagerBuilder {
    /// Sets the prefix of the sessions' keys in the bucket. Default: none.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the bucket's region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's region, then `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.store = self.store.region(region);
        self
    }

    /// Sets an endpoint to use instead of the region's: another service, a VPC endpoint, or a test server. Default:
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's `endpoint_url`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.store = self.store.endpoint(url);
        self
    }

    /// Trusts additional certificate authorities, in PEM, for an endpoint with a certificate of its own.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.store = self.store.trust_pem(pem);
        self
    }

    /// Allows an endpoint with `http://` and a host that is not loopback. Signed requests, tokens and messages then cross the
    /// network in plain text. Default: false.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.store = self.store.allow_http(allow);
        self
    }

    /// Sets the AWS SDK configuration, for its credentials, region and endpoint. Default: loaded from the environment and
    /// the profile.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.store = self.store.sdk_config(config);
        self
    }

    /// Sets the idle timeout: the longest wait for the next byte of a response. Default: 30 seconds.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.store = self.store.idle_timeout(timeout);
        self
    }

    /// Validates the settings, loads the AWS configuration and builds the manager. Credentials are loaded with the first
    /// request.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the session's id can't be stored, and [`SessionError::Storage`] if the
    /// bucket, the prefix or the endpoint is invalid.
    pub async fn build(self) -> Result<S3SessionManager, SessionError> {
        id_validation::validate("session id", &self.session_id)?;
        let store = SessionStore::objects(self.store.build().await?, &self.prefix)?;
        StoreSessionManager::new(self.session_id, store).map(S3SessionManager)
    }
}

impl S3ObjectStoreBuilder {
    /// Creates a builder for the store of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: None,
            endpoint: None,
            sdk_config: None,
            connector: HttpsConnector::new(),
            allow_http: false,
        }
    }

    /// Sets the bucket's region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's region, then `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets an endpoint to use instead of the region's: another service, a VPC endpoint, or a test server. Default:
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's `endpoint_url`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Trusts additional certificate authorities, in PEM, for an endpoint with a certificate of its own.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.connector = self.connector.trust_pem(pem);
        self
    }

    /// Allows an endpoint with `http://` and a host that is not loopback. Signed requests, tokens and messages then cross the
    /// network in plain text. Default: false.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Sets the AWS SDK configuration, for its credentials, region and endpoint. Default: loaded from the environment and
    /// the profile.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.sdk_config = Some(config.clone());
        self
    }

    /// Sets the idle timeout: the longest wait for the next byte of a response. Default: 30 seconds.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.connector = self.connector.idle_timeout(timeout);
        self
    }

    /// Validates the settings, loads the AWS configuration and builds the store. Credentials are loaded with the first
    /// request.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Storage`] if the bucket or the endpoint is invalid.
    pub async fn build(self) -> Result<Arc<dyn ObjectStore>, SessionError> {
        validate_bucket(&self.bucket)?;
        let config = match self.sdk_config {
            Some(config) => config,
            None => load(self.region.clone()).await,
        };
        let endpoint = self
            .endpoint
            .or_else(|| std::env::var(ENDPOINT_VARIABLE).ok().filter(|url| !url.is_empty()))
            .or_else(|| config.endpoint_url().map(str::to_owned));
        let region = self.region.or_else(|| config.region().map(ToString::to_string));
        let plain = endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(region.unwrap_or_else(|| DEFAULT_REGION.to_owned()))
            .with_allow_http(plain)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_http_connector(self.connector.allow_http(plain))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: RETRIES,
                retry_timeout: RETRY_TIMEOUT,
            });
        if let Some(endpoint) = &endpoint {
            validate_endpoint(endpoint, self.allow_http)?;
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(provider) = config.credentials_provider() {
            builder = builder.with_credentials(Arc::new(SdkCredentials::new(provider)));
        }
        let store = builder.build().map_err(|error| unusable(format!("bucket `{}`", self.bucket), error))?;
        Ok(Arc::new(store))
    }
}

#[async_trait]
impl SessionManager for S3SessionManager {
    fn session_id(&self) -> &str {
        self.0.session_id()
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        self.0.open(agent_id).await
    }

    async fn open_multi_agent(&self, multi_agent_id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        self.0.open_multi_agent(multi_agent_id).await
    }
}

/// Loads the AWS SDK configuration from the environment and the profile.
async fn load(region: Option<String>) -> SdkConfig {
    let region = RegionProviderChain::first_try(region.map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::new(DEFAULT_REGION))
        .region()
        .await;
    // For SSO, web identity and others. It connects when one of them is used.
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).region(region).http_client(http).load().await
}

/// Validates a bucket's name, which becomes part of a URL.
fn validate_bucket(bucket: &str) -> Result<(), SessionError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=255).contains(&bucket.len()) && bucket.bytes().all(allowed) && !bucket.starts_with('.') {
        return Ok(());
    }
    let shown: String = bucket.chars().take(64).flat_map(char::escape_debug).collect();
    Err(unusable(
        format!("bucket `{shown}`"),
        "a bucket's name has 1 to 255 of `A-Z a-z 0-9 . _ -`, not starting with a dot",
    ))
}

/// Validates an endpoint. One with a password is rejected, because errors quote the endpoint.
fn validate_endpoint(endpoint: &str, allow_http: bool) -> Result<(), SessionError> {
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(['@', '?', '#']))
        && let Ok(url) = reqwest::Url::parse(endpoint)
    {
        if url.scheme() == "https" || allow_http || is_loopback(&url) {
            return Ok(());
        }
        return Err(unusable(
            "endpoint".to_owned(),
            "requests and tokens would cross the network in plain text; use `https://`, or `.allow_http(true)`",
        ));
    }
    Err(unusable(
        "endpoint".to_owned(),
        "it must start with `http://` or `https://` and name a host, without user or password",
    ))
}

fn unusable(what: String, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SessionError {
    SessionError::Storage { action: "use", key: what, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_over_plain_http_are_on_this_machine_or_allowed() {
        for (endpoint, expected) in [
            ("https://s3.example.com", true),
            ("http://127.0.0.1:9000", true),
            ("http://localhost:9000", true),
            ("http://[::1]:9000", true),
            ("http://minio:9000", false),
            ("http://127.0.0.1.example.com", false),
        ] {
            let result = validate_endpoint(endpoint, false);
            assert_eq!(result.is_ok(), expected, "{endpoint}: {result:?}");
            assert!(validate_endpoint(endpoint, true).is_ok());
        }
        let error = format!("{:?}", validate_endpoint("http://minio:9000", false).unwrap_err());
        assert!(error.contains("allow_http"), "{error}");
        assert!(validate_endpoint("http://me:s3cret@localhost", true).is_err());
    }
}
