//! What both models are told in the same way: who and where the provider is, and how much is waited for.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::known;
use crate::http::{Connection, Exchange, ModelBuildError};

/// The model of Strands for OpenAI, where none is named.
const DEFAULT_MODEL: &str = "gpt-5.4";
const BASE_URL: &str = "https://api.openai.com/v1";
const KEY_VARIABLE: &str = "OPENAI_API_KEY";
const BASE_URL_VARIABLE: &str = "OPENAI_BASE_URL";
const ORGANIZATION_VARIABLE: &str = "OPENAI_ORG_ID";
const PROJECT_VARIABLE: &str = "OPENAI_PROJECT_ID";
const DEFAULT_MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// How much a model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// As most do by themselves.
    Medium,
    /// Much.
    High,
    /// Most.
    XHigh,
}

impl ReasoningEffort {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
        }
    }
}

/// What both builders hold.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) model_id: String,
    pub(super) connection: Connection,
    pub(super) organization: Option<String>,
    pub(super) project: Option<String>,
    pub(super) streaming: bool,
    pub(super) context_window: Option<u64>,
    pub(super) max_response_bytes: usize,
    pub(super) extra: Map<String, Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model_id: DEFAULT_MODEL.to_owned(),
            connection: Connection::default(),
            organization: None,
            project: None,
            streaming: true,
            context_window: None,
            max_response_bytes: DEFAULT_MAX_RESPONSE,
            extra: Map::new(),
        }
    }
}

impl Options {
    /// The way to the provider. What the builder was not told is looked up in `environment`.
    pub(super) fn open(
        &self,
        path: &[&str],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Exchange, ModelBuildError> {
        if self.model_id.trim().is_empty() {
            return Err(ModelBuildError::EmptyModelId);
        }
        for (field, method) in [("model", "model_id"), ("stream", "streaming")] {
            if self.extra.contains_key(field) {
                return Err(ModelBuildError::ReservedField { field, method });
            }
        }
        let variable = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let mut connection = self.connection.clone();
        let (base_url, api_key) = match &self.connection.base_url {
            // The variables hold OpenAI's key, which is none of another server's business.
            Some(base_url) => (base_url.clone(), self.connection.api_key.clone()),
            None => {
                let base_url = variable(BASE_URL_VARIABLE).unwrap_or_else(|| BASE_URL.to_owned());
                let known = || variable(KEY_VARIABLE).map(|key| SecretString::from(key.trim().to_owned()));
                let api_key = self.connection.api_key.clone().or_else(known);
                let api_key = api_key.ok_or(ModelBuildError::MissingApiKey { variable: KEY_VARIABLE })?;
                for (header, told, name) in [
                    ("openai-organization", &self.organization, ORGANIZATION_VARIABLE),
                    ("openai-project", &self.project, PROJECT_VARIABLE),
                ] {
                    if told.is_none()
                        && let Some(known) = variable(name)
                    {
                        connection.headers.push((header.to_owned(), known.into()));
                    }
                }
                (base_url, Some(api_key))
            }
        };
        for (header, told) in [("openai-organization", &self.organization), ("openai-project", &self.project)] {
            if let Some(told) = told {
                connection.headers.push((header.to_owned(), told.clone().into()));
            }
        }
        let endpoint = connection.open(&base_url, path, api_key.as_ref(), &self.model_id)?;
        Ok(Exchange { endpoint, streaming: self.streaming, max_response_bytes: self.max_response_bytes })
    }

    /// How many tokens a request may have, as told or known.
    pub(super) fn context_window(&self) -> Option<u64> {
        self.context_window.or_else(|| known::context_window(&self.model_id))
    }
}

/// A number that the provider would refuse.
pub(super) fn check(
    field: &'static str,
    value: Option<f64>,
    most: f64,
    expected: &'static str,
) -> Result<(), ModelBuildError> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => Err(ModelBuildError::InvalidNumber { field, value, expected }),
        _ => Ok(()),
    }
}

/// The methods that both builders have.
macro_rules! shared_options {
    () => {
        /// The model, as the provider calls it. Default: `gpt-5.4`.
        pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
            self.options.model_id = model_id.into();
            self
        }

        /// The key. Default: the variable `OPENAI_API_KEY`, which is only read where [`base_url`](Self::base_url) was not
        /// given: another server's key has to be given beside its URL. A server on one's own machine needs none.
        pub fn api_key(mut self, api_key: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.api_key = Some(api_key.into());
            self
        }

        /// Where the server is, up to and with the version: `http://localhost:1234/v1`. Default: the variable
        /// `OPENAI_BASE_URL`, then `https://api.openai.com/v1`.
        pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
            self.options.connection.base_url = Some(base_url.into());
            self
        }

        /// Which of OpenAI's organizations pays. Default: the variable `OPENAI_ORG_ID`.
        pub fn organization(mut self, organization: impl Into<String>) -> Self {
            self.options.organization = Some(organization.into());
            self
        }

        /// Which of OpenAI's projects this belongs to. Default: the variable `OPENAI_PROJECT_ID`.
        pub fn project(mut self, project: impl Into<String>) -> Self {
            self.options.project = Some(project.into());
            self
        }

        /// A header that every request has, such as Azure's `api-key`. `Debug` does not show its value.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.headers.push((name.into(), value.into()));
            self
        }

        /// A query parameter that every request has, such as Azure's `api-version`. `Debug` does not show its value.
        pub fn query(mut self, name: impl Into<String>, value: impl Into<secrecy::SecretString>) -> Self {
            self.options.connection.query.push((name.into(), value.into()));
            self
        }

        /// How much chance there is in the model's words, from 0 to 2.
        pub fn temperature(mut self, temperature: f64) -> Self {
            self.settings.temperature = Some(temperature);
            self
        }

        /// Which share of the likeliest words the model chooses from, from 0 to 1.
        pub fn top_p(mut self, top_p: f64) -> Self {
            self.settings.top_p = Some(top_p);
            self
        }

        /// How much the model thinks before it answers. An effort with another name goes through [`extra`](Self::extra).
        pub fn reasoning_effort(mut self, effort: crate::openai::ReasoningEffort) -> Self {
            self.settings.reasoning_effort = Some(effort);
            self
        }

        /// Whether the model may call several tools at once. Default: what the provider does by itself.
        pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
            self.settings.parallel_tool_calls = Some(parallel);
            self
        }

        /// Whether answers come as they are written, or in one piece. Default: true.
        pub fn streaming(mut self, streaming: bool) -> Self {
            self.options.streaming = streaming;
            self
        }

        /// A field of the request's body that this version has no method for. It wins over what is sent otherwise.
        pub fn extra(mut self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
            self.options.extra.insert(field.into(), value.into());
            self
        }

        /// How many tokens a request may have. Default: what is known about the model.
        pub fn context_window(mut self, tokens: u64) -> Self {
            self.options.context_window = Some(tokens);
            self
        }

        /// How long connecting may take. Default: 10 seconds. Models that are told have a client, and so connections, of
        /// their own; the others share one.
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.connect_timeout = Some(timeout);
            self
        }

        /// How long the server may be silent: before its answer begins, and between any two pieces of it. Default: 120
        /// seconds. How long an answer takes as a whole is not limited.
        pub fn idle_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.connection.idle_timeout = Some(timeout);
            self
        }

        /// The HTTP client to use instead of the shared one, for proxies and certificates of one's own. Its timeouts and
        /// redirects are its own affair.
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

pub(super) use shared_options;

#[cfg(test)]
mod tests {
    use super::*;

    fn open(options: &Options, known: &[(&str, &str)]) -> Result<Exchange, ModelBuildError> {
        options.open(&["responses"], |name| {
            known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_missing_key_names_its_variable() {
        for known in [&[][..], &[("OPENAI_API_KEY", " ")]] {
            let error = open(&Options::default(), known).err().unwrap();
            assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
        }
        assert!(open(&Options::default(), &[("OPENAI_API_KEY", "k\n")]).is_ok());
    }

    #[test]
    fn the_environment_names_another_server() {
        let known = [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")];
        assert_eq!(open(&Options::default(), &known).ok().unwrap().endpoint.host(), "127.0.0.1");
    }

    #[test]
    fn what_can_not_be_right_is_refused() {
        let with = |change: fn(&mut Options)| {
            let mut options = Options::default();
            options.connection.base_url = Some("http://localhost/v1".to_owned());
            change(&mut options);
            open(&options, &[]).err()
        };
        assert!(with(|_| {}).is_none(), "a server on one's own machine needs no key");
        for wrong in [
            (|options| options.model_id = " ".to_owned()) as fn(&mut Options),
            |options| options.connection.base_url = Some("localhost:1234".to_owned()),
            |options| options.connection.base_url = Some("http://me:secret@host/".to_owned()),
            |options| options.connection.api_key = Some("a\nb".to_owned().into()),
            |options| options.connection.headers.push(("a b".to_owned(), "c".to_owned().into())),
            |options| drop(options.extra.insert("model".to_owned(), Value::Null)),
        ] {
            let error = with(wrong).unwrap();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
