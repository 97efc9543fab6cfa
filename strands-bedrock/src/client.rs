//! Clients of the AWS SDK, one for each distinct configuration in the process. Models with the same configuration share
//! connections, credentials and learned capabilities.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{Builder, SharedHttpClient, StalledStreamProtectionConfig, Token};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use secrecy::{ExposeSecret, SecretString};

use crate::error::Timeouts;
use crate::request_adaptation::Memory;

/// Default region of Strands.
const DEFAULT_REGION: &str = "us-west-2";
const DEFAULT_CONNECT: Duration = Duration::from_secs(10);
const DEFAULT_IDLE: Duration = Duration::from_secs(120);

/// Client, with the capabilities of models that were learned through it.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) memory: Memory,
    pub(crate) timeouts: Timeouts,
}

/// Configuration of a client.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    pub(crate) region: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
}

/// Environment variables on which the configuration of a client depends.
const ENVIRONMENT: [&str; 12] = [
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

struct SharedClient {
    connection: Connection,
    environment: Vec<Option<OsString>>,
    shared: Arc<Shared>,
}

/// Maximum number of shared clients. The oldest is dropped first; models keep theirs.
const MAX_CLIENTS: usize = 64;
static CLIENTS: Mutex<VecDeque<SharedClient>> = Mutex::new(VecDeque::new());

impl Connection {
    fn is_same(&self, other: &Self) -> bool {
        fn key(connection: &Connection) -> Option<&str> {
            connection.api_key.as_ref().map(ExposeSecret::expose_secret)
        }
        self.region == other.region
            && self.base_url == other.base_url
            && self.connect_timeout == other.connect_timeout
            && self.idle_timeout == other.idle_timeout
            && key(self) == key(other)
    }

    /// Returns the shared client of this configuration.
    pub(crate) async fn shared(self) -> Arc<Shared> {
        let environment: Vec<_> = ENVIRONMENT.iter().map(std::env::var_os).collect();
        if let Some(shared) = find_shared(&self, &environment) {
            return shared;
        }
        let made = Arc::new(self.connect().await);
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        let other = clients.iter().find(|client| client.connection.is_same(&self) && client.environment == environment);
        if let Some(other) = other {
            return Arc::clone(&other.shared);
        }
        if clients.len() >= MAX_CLIENTS {
            clients.pop_front();
        }
        clients.push_back(SharedClient { connection: self, environment, shared: Arc::clone(&made) });
        made
    }

    /// Creates a client. The first request looks for credentials.
    async fn connect(&self) -> Shared {
        let region = RegionProviderChain::first_try(self.region.clone().map(Region::new))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::new(DEFAULT_REGION))
            .region()
            .await;
        let plain = self.base_url.as_ref().is_some_and(|url| url.starts_with("http://"));
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region).http_client(if plain {
            PLAIN_HTTP.clone()
        } else {
            HTTP.clone()
        });
        if self.api_key.is_some() {
            loader = loader.no_credentials();
        }
        let config = loader.load().await;
        self.over(&config)
    }

    /// Creates a client from a configuration of the program.
    pub(crate) fn over(&self, config: &SdkConfig) -> Shared {
        let mut builder = Builder::from(config);
        if config.http_client().is_none() {
            builder = builder.http_client(HTTP.clone());
        }
        builder.set_app_name(config.app_name().cloned().or_else(app_name));
        if config.behavior_version().is_none() {
            builder = builder.behavior_version(BehaviorVersion::latest());
        }
        self.finish(builder, config.timeout_config())
    }

    /// Creates a client with the configuration of another one.
    pub(crate) fn like(&self, client: &Client) -> Shared {
        let config = client.config();
        let mut builder = config.to_builder();
        if config.app_name().is_none() {
            builder.set_app_name(app_name());
        }
        self.finish(builder, config.timeout_config())
    }

    fn finish(&self, mut builder: Builder, given: Option<&TimeoutConfig>) -> Shared {
        if let Some(region) = &self.region {
            builder = builder.region(Region::new(region.clone()));
        }
        if let Some(url) = &self.base_url {
            builder = builder.endpoint_url(url);
        }
        if let Some(key) = &self.api_key {
            builder = builder
                .bearer_token(Token::new(key.expose_secret(), None))
                .auth_scheme_preference(["httpBearerAuth".into()]);
        }
        let timeouts = Timeouts {
            connect: self.connect_timeout.or_else(|| given?.connect_timeout()).unwrap_or(DEFAULT_CONNECT),
            idle: self.idle_timeout.or_else(|| given?.read_timeout()).unwrap_or(DEFAULT_IDLE),
        };
        let timeout_config = given
            .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .build();
        let config = builder
            // The agent's loop retries: it emits an event for each attempt and knows which events were already emitted.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeout_config)
            // A reasoning model is slow, not stalled; the idle timeout applies.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Shared { client: Client::from_conf(config), memory: Memory::default(), timeouts }
    }
}

fn find_shared(connection: &Connection, environment: &[Option<OsString>]) -> Option<Arc<Shared>> {
    let clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    clients
        .iter()
        .find(|client| client.connection.is_same(connection) && client.environment == environment)
        .map(|client| Arc::clone(&client.shared))
}

/// Returns the name of this library in the user agent.
fn app_name() -> Option<AppName> {
    AppName::new("strands-rs").ok()
}

/// Connection pool of all clients in the process.
static HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
});

/// Connection pool for plain HTTP, which loads no certificates.
static PLAIN_HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| aws_smithy_http_client::Builder::new().build_http());
