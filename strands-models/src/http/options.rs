//! What every model over HTTP is told in the same way: who and where the provider is, and how much is waited for.

use std::fmt;
use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{ApiKey, Connection, Exchange, ModelBuildError};

const DEFAULT_MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// What every builder holds. `Debug` shows which fields the program has written itself, and not what is in them.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) model_id: String,
    pub(crate) connection: Connection,
    pub(crate) streaming: bool,
    pub(crate) context_window: Option<u64>,
    pub(crate) max_response_bytes: usize,
    pub(crate) extra: Map<String, Value>,
}

/// Where a provider is, for programs that do not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) base_url: &'static str,
    /// The environment variable for another place.
    pub(crate) base_url_variable: Option<&'static str>,
    /// The environment variables for the key, of which the first that is set counts.
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

    /// Base URL and key, as told or as the environment has them. The variables hold the provider's key, which is
    /// not sent to another server: where the program names one, it has to give the key too.
    pub(crate) fn find(
        &self,
        place: Place,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> (String, Option<SecretString>) {
        let told = self.connection.api_key.clone();
        let Some(base_url) = &self.connection.base_url else {
            let variable = |name: &&str| environment(name).filter(|value| !value.trim().is_empty());
            let base_url = place.base_url_variable.as_ref().and_then(variable);
            let known = || place.key_variables.iter().find_map(variable);
            let api_key = told.or_else(|| known().map(|key| SecretString::from(key.trim().to_owned())));
            return (base_url.unwrap_or_else(|| place.base_url.to_owned()), api_key);
        };
        (base_url.clone(), told)
    }

    /// The same for a provider that answers nobody without a key.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError::MissingApiKey`] where there is none, and no other server is named.
    pub(crate) fn find_with_key(
        &self,
        place: Place,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(String, Option<SecretString>), ModelBuildError> {
        let (base_url, api_key) = self.find(place, environment);
        if api_key.is_none() && self.connection.base_url.is_none() {
            let variable = place.key_variables.first().copied().unwrap_or_default();
            return Err(ModelBuildError::MissingApiKey { variable });
        }
        Ok((base_url, api_key))
    }

    /// The way to `path` under `base_url`, over this connection.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
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
        let connection = Connection { patient: connection.patient || !self.streaming, ..connection.clone() };
        let endpoint = connection.open(base_url, path, api_key, &self.model_id)?;
        Ok(Exchange { endpoint, streaming: self.streaming, max_response_bytes: self.max_response_bytes })
    }
}

/// A number that the provider would refuse; `expected` puts the range in words.
///
/// # Errors
///
/// [`ModelBuildError::InvalidNumber`].
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

/// The methods that every builder over HTTP has, for one with a field `options` of [`Options`]. The words are what a
/// provider's users have to know about its model ids, its key and its place.
macro_rules! http_options {
    (model_id: $model_id:literal, api_key: $api_key:literal, base_url: $base_url:literal $(,)?) => {
        /// The model, as the provider calls it.
        #[doc = $model_id]
        pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
            self.options.model_id = model_id.into();
            self
        }

        /// The key.
        #[doc = $api_key]
        pub fn api_key(mut self, api_key: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.api_key = Some(api_key.into());
            self
        }

        /// Base URL of the server, up to and with the version of its protocol.
        #[doc = $base_url]
        pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
            self.options.connection.base_url = Some(base_url.into());
            self
        }

        /// A header that every request has, such as a gateway's key. `Debug` does not show its value.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.headers.push((name.into(), value.into()));
            self
        }

        /// A query parameter that every request has, such as a version. `Debug` does not show its value.
        pub fn query(mut self, name: impl Into<String>, value: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.query.push((name.into(), value.into()));
            self
        }

        /// Streams responses; with `false`, each comes in one piece. Default: true.
        pub fn streaming(mut self, streaming: bool) -> Self {
            self.options.streaming = streaming;
            self
        }

        /// A field of the request's body that this version has no method for. It wins over what is sent otherwise.
        pub fn extra(mut self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
            self.options.extra.insert(field.into(), value.into());
            self
        }

        /// Context window in tokens. Default: what is known about the model.
        pub fn context_window(mut self, tokens: u64) -> Self {
            self.options.context_window = Some(tokens);
            self
        }

        /// Timeout for connecting. Default: 10 seconds. Models that are told have a client, and so connections, of
        /// their own; the others share one.
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.connect_timeout = Some(timeout);
            self
        }

        /// Idle timeout: before the response begins, and between any two pieces of it. Default: 120
        /// seconds; ten minutes where much may have to be done first: where answers come in one piece, with OpenAI's models
        /// that think and Gemini, which do so in silence, and with llama.cpp and Ollama, which read long prompts and load
        /// models. How long an answer takes as a whole is not limited.
        pub fn idle_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.idle_timeout = Some(timeout);
            self
        }

        /// The HTTP client to use instead of the shared one, for proxies and certificates of one's own. Its timeouts and
        /// redirects are what it was built with: let it follow none, so that the key goes to no other host.
        ///
        /// Write `strands::models::install_crypto_provider();` before the client is built: without a crypto provider
        /// `reqwest::Client::builder().build()` panics, as [`install_crypto_provider`](crate::install_crypto_provider) explains.
        pub fn client(mut self, client: reqwest::Client) -> Self {
            self.options.connection.client = Some(client);
            self
        }

        /// The most bytes of content that an answer may have. Default: 16 MiB.
        pub fn max_response_bytes(mut self, bytes: usize) -> Self {
            self.options.max_response_bytes = bytes;
            self
        }
    };
}

pub(crate) use http_options;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PLACE: Place = Place {
        base_url: "https://models.example/v1",
        base_url_variable: Some("EXAMPLE_URL"),
        key_variables: &["EXAMPLE_KEY", "OLDER_KEY"],
    };

    fn find(options: &Options, known: &[(&str, &str)]) -> Result<(String, Option<SecretString>), ModelBuildError> {
        options.find_with_key(PLACE, &|name| {
            known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_missing_key_names_its_variable() {
        for known in [&[][..], &[("EXAMPLE_KEY", " ")]] {
            let error = find(&Options::new("m"), known).unwrap_err();
            assert!(error.to_string().contains("EXAMPLE_KEY"), "{error}");
        }
        assert!(find(&Options::new("m"), &[("OLDER_KEY", "k\n")]).is_ok());
    }

    #[test]
    fn what_a_program_writes_itself_is_not_shown() {
        let mut options = Options::new("m");
        options.extra.insert("mcp_servers".to_owned(), serde_json::json!([{"authorization_token": "s3cret"}]));
        let shown = format!("{options:?}");
        assert!(shown.contains("mcp_servers") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn the_environment_names_another_server() {
        let known = [("EXAMPLE_KEY", "k"), ("EXAMPLE_URL", "http://127.0.0.1:1/v1")];
        assert_eq!(find(&Options::new("m"), &known).unwrap().0, "http://127.0.0.1:1/v1");
    }

    #[test]
    fn the_key_of_the_environment_goes_to_no_other_server() {
        let mut options = Options::new("m");
        options.connection.base_url = Some("http://localhost/v1".to_owned());
        let (base_url, key) = find(&options, &[("EXAMPLE_KEY", "k")]).unwrap();
        assert_eq!(base_url, "http://localhost/v1");
        assert!(key.is_none());
    }

    #[test]
    fn a_server_that_says_nothing_before_it_is_done_is_waited_for() {
        let silence = |streaming, told: Option<u64>| {
            let mut options = Options::new("m");
            options.streaming = streaming;
            options.connection.idle_timeout = told.map(Duration::from_secs);
            let exchange = options.open(&options.connection, "http://localhost", &["chat"], ApiKey::None).ok().unwrap();
            exchange.endpoint.silence().unwrap().as_secs()
        };
        assert_eq!((silence(true, None), silence(false, None)), (120, 600));
        assert_eq!((silence(true, Some(7)), silence(false, Some(7))), (7, 7));
    }

    #[test]
    fn what_can_not_be_right_is_refused() {
        let open = |change: fn(&mut Options)| {
            let mut options = Options::new("m");
            options.connection.base_url = Some("http://localhost/v1".to_owned());
            change(&mut options);
            let (base_url, key) = find(&options, &[]).unwrap();
            options.open(&options.connection, &base_url, &["chat"], ApiKey::bearer(key.as_ref())).err()
        };
        assert!(open(|_| {}).is_none(), "a server on one's own machine needs no key");
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
