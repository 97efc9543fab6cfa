//! Options that all models over HTTP share, and their setters.

use std::fmt;
use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{ApiKey, Connection, Exchange, ModelBuildError};

const DEFAULT_MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// Options of a builder. `Debug` shows the names of the fields in `extra`, not their values.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) model_id: String,
    pub(crate) connection: Connection,
    pub(crate) streaming: bool,
    pub(crate) context_window: Option<u64>,
    pub(crate) max_response_bytes: usize,
    pub(crate) extra: Map<String, Value>,
}

/// Default endpoint of a provider, and its environment variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefaultEndpoint {
    pub(crate) base_url: &'static str,
    /// Environment variable for another base URL.
    pub(crate) base_url_variable: Option<&'static str>,
    /// Environment variables of the API key; the first that is set counts.
    pub(crate) key_variables: &'static [&'static str],
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("model_id", &self.model_id)
            .field("connection", &self.connection)
            .field("streaming", &self.streaming)
            .field("context_window", &self.context_window)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Options {
    pub(crate) fn new(model_id: &str) -> Self {
        Self {
            model_id: model_id.to_owned(),
            connection: Connection::default(),
            streaming: true,
            context_window: None,
            max_response_bytes: DEFAULT_MAX_RESPONSE,
            extra: Map::new(),
        }
    }

    /// Returns base URL and API key: those that are set, else those of the environment. The environment's key is that of
    /// the default endpoint, so it is not sent to a base URL that the program sets.
    pub(crate) fn find(
        &self,
        default: DefaultEndpoint,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> (String, Option<SecretString>) {
        let api_key = self.connection.api_key.clone();
        let Some(base_url) = &self.connection.base_url else {
            let variable = |name: &&str| environment(name).filter(|value| !value.trim().is_empty());
            let base_url = default.base_url_variable.as_ref().and_then(variable);
            let from_environment = || default.key_variables.iter().find_map(variable);
            let api_key = api_key.or_else(|| from_environment().map(|key| SecretString::from(key.trim().to_owned())));
            return (base_url.unwrap_or_else(|| default.base_url.to_owned()), api_key);
        };
        (base_url.clone(), api_key)
    }

    /// Returns base URL and API key for a provider that requires a key.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::MissingApiKey`] if there is no key and no other base URL is set.
    pub(crate) fn find_with_key(
        &self,
        default: DefaultEndpoint,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(String, Option<SecretString>), ModelBuildError> {
        let (base_url, api_key) = self.find(default, environment);
        if api_key.is_none() && self.connection.base_url.is_none() {
            let variable = default.key_variables.first().copied().unwrap_or_default();
            return Err(ModelBuildError::MissingApiKey { variable });
        }
        Ok((base_url, api_key))
    }

    /// Returns the exchange with `path` under `base_url`.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub(crate) fn open(
        &self,
        connection: &Connection,
        base_url: &str,
        path: &[&str],
        api_key: ApiKey<'_>,
    ) -> Result<Exchange, ModelBuildError> {
        if self.model_id.trim().is_empty() {
            return Err(ModelBuildError::EmptyModelId);
        }
        for (field, method) in [("model", "model_id"), ("stream", "streaming")] {
            if self.extra.contains_key(field) {
                return Err(ModelBuildError::ReservedField { field, method });
            }
        }
        let connection = Connection { long_idle: connection.long_idle || !self.streaming, ..connection.clone() };
        let endpoint = connection.open(base_url, path, api_key, &self.model_id)?;
        Ok(Exchange { endpoint, streaming: self.streaming, max_response_bytes: self.max_response_bytes })
    }
}

/// Checks the range of a number; `expected` describes it.
///
/// # Errors
///
/// Returns [`ModelBuildError::InvalidNumber`] for a number outside of it.
pub(crate) fn check(
    field: &'static str,
    value: Option<f64>,
    range: RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), ModelBuildError> {
    match value {
        Some(value) if !range.contains(&value) => Err(ModelBuildError::InvalidNumber { field, value, expected }),
        _ => Ok(()),
    }
}

/// Setters of all builders over HTTP, which have a field `options`. The texts describe model ids, API key and base URL of
/// the provider.
macro_rules! http_setters {
    (model_id: $model_id:literal, api_key: $api_key:literal, base_url: $base_url:literal $(,)?) => {
        /// Model id, in the provider's spelling.
        #[doc = $model_id]
        pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
            self.options.model_id = model_id.into();
            self
        }

        /// API key.
        #[doc = $api_key]
        pub fn api_key(mut self, api_key: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.api_key = Some(api_key.into());
            self
        }

        /// Base URL of the server, including the version of its protocol.
        #[doc = $base_url]
        pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
            self.options.connection.base_url = Some(base_url.into());
            self
        }

        /// Allows an API key, or a header with credentials, over plain HTTP to a host that is not loopback, such as a server
        /// in the same private network. Default: false.
        pub fn allow_http(mut self, allow: bool) -> Self {
            self.options.connection.allow_http = allow;
            self
        }

        /// Adds a header to every request, such as a gateway's key. `Debug` does not show its value.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.headers.push((name.into(), value.into()));
            self
        }

        /// Adds a query parameter to every request, such as a version. `Debug` does not show its value.
        pub fn query(mut self, name: impl Into<String>, value: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.query.push((name.into(), value.into()));
            self
        }

        /// Streams responses; with `false`, each response is one document. Default: true.
        pub fn streaming(mut self, streaming: bool) -> Self {
            self.options.streaming = streaming;
            self
        }

        /// Sets a field of the request's body for which this version has no setter. It overrides every other setter.
        pub fn extra(mut self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
            self.options.extra.insert(field.into(), value.into());
            self
        }

        /// Context window in tokens. Default: that of the model, if it is known.
        pub fn context_window(mut self, tokens: u64) -> Self {
            self.options.context_window = Some(tokens);
            self
        }

        /// Timeout for connecting. Default: 10 seconds. A model with another connect timeout uses a separate HTTP
        /// client with separate connections; all others share one client.
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.connect_timeout = Some(timeout);
            self
        }

        /// Idle timeout: the longest time without a byte, before and within the response. Default: 120 seconds; ten minutes
        /// without streaming, for reasoning models of OpenAI, for Gemini, and for llama.cpp and Ollama, which read long
        /// prompts and load models first. It does not limit the duration of a response: see [`timeout`](Self::timeout).
        pub fn idle_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.idle_timeout = Some(timeout);
            self
        }

        /// Total timeout of one call, from the request to the end of the response, streamed or not. The parts of
        /// a response that the provider pauses count together; each retry of an agent is a new call. Default: none.
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.timeout = Some(timeout);
            self
        }

        /// HTTP client to use instead of the shared one, for proxies and custom certificates. Its own timeouts apply, and
        /// those that are set here; [`connect_timeout`](Self::connect_timeout) does not. Build it without redirects, so
        /// that the API key is sent to no other host.
        ///
        /// Call `strands::models::install_crypto_provider()` before the client is built: without a crypto provider
        /// `reqwest::Client::builder().build()` panics, as [`install_crypto_provider`](crate::install_crypto_provider) explains.
        pub fn client(mut self, client: reqwest::Client) -> Self {
            self.options.connection.client = Some(client);
            self
        }

        /// Maximum size of a response, in bytes of content. Default: 16 MiB.
        pub fn max_response_bytes(mut self, bytes: usize) -> Self {
            self.options.max_response_bytes = bytes;
            self
        }
    };
}

pub(crate) use http_setters;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DEFAULT_ENDPOINT: DefaultEndpoint = DefaultEndpoint {
        base_url: "https://models.example/v1",
        base_url_variable: Some("EXAMPLE_URL"),
        key_variables: &["EXAMPLE_KEY", "OLDER_KEY"],
    };

    fn find(options: &Options, variables: &[(&str, &str)]) -> Result<(String, Option<SecretString>), ModelBuildError> {
        options.find_with_key(DEFAULT_ENDPOINT, &|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn names_the_variable_of_a_missing_key() {
        for variables in [&[][..], &[("EXAMPLE_KEY", " ")]] {
            let error = find(&Options::new("m"), variables).unwrap_err();
            assert!(error.to_string().contains("EXAMPLE_KEY"), "{error}");
        }
        assert!(find(&Options::new("m"), &[("OLDER_KEY", "k\n")]).is_ok());
    }

    #[test]
    fn debug_hides_values_of_extra() {
        let mut options = Options::new("m");
        options.extra.insert("mcp_servers".to_owned(), serde_json::json!([{"authorization_token": "s3cret"}]));
        let shown = format!("{options:?}");
        assert!(shown.contains("mcp_servers") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn debug_of_builders_and_models_hides_secrets() {
        macro_rules! check {
            ($($feature:literal $model:ident),+) => {
                $(
                    #[cfg(feature = $feature)]
                    {
                        let builder = crate::$model::builder()
                            .model_id("m")
                            .api_key("s3cret")
                            .base_url("https://models.example/v1?key=s3cret")
                            .header("x-key", "s3cret")
                            .query("key", "s3cret")
                            .extra("mcp_servers", serde_json::json!([{"authorization_token": "s3cret"}]));
                        let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
                        assert!(shown.contains("models.example") && !shown.contains("s3cret"), "{shown}");
                    }
                )+
            };
        }
        check!(
            "anthropic" AnthropicModel,
            "gemini" GeminiModel,
            "llamacpp" LlamaCppModel,
            "mistral" MistralModel,
            "ollama" OllamaModel,
            "openai" OpenAiModel,
            "openai" OpenAiResponsesModel
        );
    }

    #[test]
    fn reads_the_base_url_of_the_environment() {
        let variables = [("EXAMPLE_KEY", "k"), ("EXAMPLE_URL", "http://127.0.0.1:1/v1")];
        assert_eq!(find(&Options::new("m"), &variables).unwrap().0, "http://127.0.0.1:1/v1");
    }

    #[test]
    fn keeps_the_environments_key_from_other_base_urls() {
        let mut options = Options::new("m");
        options.connection.base_url = Some("http://localhost/v1".to_owned());
        let (base_url, key) = find(&options, &[("EXAMPLE_KEY", "k")]).unwrap();
        assert_eq!(base_url, "http://localhost/v1");
        assert!(key.is_none());
    }

    #[test]
    fn waits_longer_for_responses_without_streaming() {
        let idle = |streaming, set: Option<u64>| {
            let mut options = Options::new("m");
            options.streaming = streaming;
            options.connection.idle_timeout = set.map(Duration::from_secs);
            let exchange = options.open(&options.connection, "http://localhost", &["chat"], ApiKey::None).ok().unwrap();
            exchange.endpoint.idle_timeout().unwrap().as_secs()
        };
        assert_eq!((idle(true, None), idle(false, None)), (120, 600));
        assert_eq!((idle(true, Some(7)), idle(false, Some(7))), (7, 7));
    }

    #[test]
    fn rejects_invalid_options() {
        let open = |change: fn(&mut Options)| {
            let mut options = Options::new("m");
            options.connection.base_url = Some("http://localhost/v1".to_owned());
            change(&mut options);
            let (base_url, key) = find(&options, &[]).unwrap();
            options.open(&options.connection, &base_url, &["chat"], ApiKey::bearer(key.as_ref())).err()
        };
        assert!(open(|_| {}).is_none(), "a local server needs no key");
        for wrong in [
            (|options| options.model_id = " ".to_owned()) as fn(&mut Options),
            |options| options.connection.base_url = Some("localhost:1234".to_owned()),
            |options| options.connection.base_url = Some("http://me:secret@host/".to_owned()),
            |options| options.connection.api_key = Some("a\nb".to_owned().into()),
            |options| options.connection.headers.push(("a b".to_owned(), "c".to_owned().into())),
            |options| drop(options.extra.insert("model".to_owned(), Value::Null)),
        ] {
            let error = open(wrong).unwrap();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
