//! Clients of the AWS SDK, one for each distinct configuration in the process: connections, credentials and what was
//! learned about models are shared, and a second model costs nothing.

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

use crate::error::Patience;
use crate::heal::Memory;

/// Where to go when nobody says: as in Strands.
const DEFAULT_REGION: &str = "us-west-2";
const DEFAULT_CONNECT: Duration = Duration::from_secs(10);
const DEFAULT_IDLE: Duration = Duration::from_secs(120);

/// A client and what was learned through it.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) memory: Memory,
    pub(crate) patience: Patience,
}

/// What makes one client differ from another.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
}

/// Variables that a client's configuration depends on.
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

struct Known {
    connection: Connection,
    environment: Vec<Option<OsString>>,
    shared: Arc<Shared>,
}

/// How many clients are kept; the one that was made first goes first. Models keep theirs.
const MOST_CLIENTS: usize = 64;
static CLIENTS: Mutex<VecDeque<Known>> = Mutex::new(VecDeque::new());

impl Connection {
    fn is_same(&self, other: &Self) -> bool {
        fn key(connection: &Connection) -> Option<&str> {
            connection.api_key.as_ref().map(ExposeSecret::expose_secret)
        }
        self.region == other.region
            && self.endpoint_url == other.endpoint_url
            && self.connect_timeout == other.connect_timeout
            && self.idle_timeout == other.idle_timeout
            && key(self) == key(other)
    }

    /// The client for this configuration, made now or before.
    pub(crate) async fn shared(self) -> Arc<Shared> {
        let environment: Vec<_> = ENVIRONMENT.iter().map(std::env::var_os).collect();
        if let Some(shared) = known(&self, &environment) {
            return shared;
        }
        let made = Arc::new(self.connect().await);
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        let other = clients.iter().find(|known| known.connection.is_same(&self) && known.environment == environment);
        if let Some(other) = other {
            return Arc::clone(&other.shared);
        }
        if clients.len() >= MOST_CLIENTS {
            clients.pop_front();
        }
        clients.push_back(Known { connection: self, environment, shared: Arc::clone(&made) });
        made
    }

    /// A client of its own. Credentials are looked for when the first request is sent.
    async fn connect(&self) -> Shared {
        let region = RegionProviderChain::first_try(self.region.clone().map(Region::new))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::new(DEFAULT_REGION))
            .region()
            .await;
        let plain = self.endpoint_url.as_ref().is_some_and(|url| url.starts_with("http://"));
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

    /// A client on a configuration that the program made.
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

    /// A client like one that the program made.
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
        if let Some(url) = &self.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        if let Some(key) = &self.api_key {
            builder = builder
                .bearer_token(Token::new(key.expose_secret(), None))
                .auth_scheme_preference(["httpBearerAuth".into()]);
        }
        let patience = Patience {
            connect: self.connect_timeout.or_else(|| given?.connect_timeout()).unwrap_or(DEFAULT_CONNECT),
            idle: self.idle_timeout.or_else(|| given?.read_timeout()).unwrap_or(DEFAULT_IDLE),
        };
        let timeouts = given
            .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder)
            .connect_timeout(patience.connect)
            .read_timeout(patience.idle)
            .build();
        let config = builder
            // The agent's loop retries: it announces each attempt and knows what was already shown.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            // A model that thinks is slow, not stalled; silence has its own timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Shared { client: Client::from_conf(config), memory: Memory::default(), patience }
    }
}

fn known(connection: &Connection, environment: &[Option<OsString>]) -> Option<Arc<Shared>> {
    let clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    clients
        .iter()
        .find(|known| known.connection.is_same(connection) && known.environment == environment)
        .map(|known| Arc::clone(&known.shared))
}

/// How the user agent names us.
fn app_name() -> Option<AppName> {
    AppName::new("strands-rs").ok()
}

/// One pool of connections for every client of the process.
static HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
});

/// The same for endpoints without TLS, which need no certificates to be loaded.
static PLAIN_HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| aws_smithy_http_client::Builder::new().build_http());
