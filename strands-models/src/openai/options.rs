//! Options that both of OpenAI's models share: endpoint, account and setters.

use std::borrow::Cow;

use secrecy::SecretString;

use super::service::{Address, Service};
use super::{hosts, model_catalog};
use crate::chat_completions::Settings;
use crate::http::{ApiKey, DefaultEndpoint, Exchange, ModelBuildError, Options};

/// Default model of Strands for OpenAI.
pub(super) const DEFAULT_MODEL: &str = "gpt-5.4";
const OPENAI: DefaultEndpoint = DefaultEndpoint {
    base_url: "https://api.openai.com/v1",
    base_url_variable: Some("OPENAI_BASE_URL"),
    key_variables: &["OPENAI_API_KEY"],
};
const ORGANIZATION_HEADER: &str = "openai-organization";
const PROJECT_HEADER: &str = "openai-project";
const API_VERSION: &str = "api-version";
const ORGANIZATION_VARIABLE: &str = "OPENAI_ORG_ID";
const PROJECT_VARIABLE: &str = "OPENAI_PROJECT_ID";

/// Account that is billed.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) organization: Option<String>,
    pub(super) project: Option<String>,
}

impl Account {
    /// Opens an exchange with a service. OpenAI's own environment variables are not read.
    pub(super) fn open_service(
        &self,
        service: Service,
        options: &Options,
        path: &[&str],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Exchange, ModelBuildError> {
        let address: Address = service.address(options, environment)?;
        let mut connection = options.connection.clone();
        connection.long_idle = model_catalog::is_reasoning_model(&options.model_id);
        let version = address.api_version.as_ref().filter(|_| !has_version(&connection.query));
        if let Some(version) = version {
            connection.query.push((API_VERSION.to_owned(), version.clone().into()));
        }
        let own: Vec<_> = [(ORGANIZATION_HEADER, &self.organization), (PROJECT_HEADER, &self.project)]
            .into_iter()
            .filter_map(|(header, value)| Some((header.to_owned(), value.clone()?.into())))
            .collect();
        connection.headers.extend(own);
        let path: Vec<&str> = address.path.iter().map(String::as_str).chain(path.iter().copied()).collect();
        options.open(&connection, &address.base_url, &path, address.api_key())
    }

    /// Opens an exchange with OpenAI, or with the server at the base URL. Options that are not set are read from `environment`.
    pub(super) fn open(
        &self,
        options: &Options,
        path: &[&str],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Exchange, ModelBuildError> {
        let (base_url, api_key) = options.find_with_key(OPENAI, environment)?;
        let mut connection = options.connection.clone();
        connection.long_idle = model_catalog::is_reasoning_model(&options.model_id);
        for (header, value, variable) in [
            (ORGANIZATION_HEADER, &self.organization, ORGANIZATION_VARIABLE),
            (PROJECT_HEADER, &self.project, PROJECT_VARIABLE),
        ] {
            // Another server must not get OpenAI's variables.
            let from_environment = || {
                let value = options.connection.base_url.is_none().then(|| environment(variable)).flatten();
                value.filter(|value| !value.trim().is_empty())
            };
            if let Some(value) = value.clone().or_else(from_environment) {
                connection.headers.push((header.to_owned(), value.into()));
            }
        }
        options.open(&connection, &base_url, path, ApiKey::bearer(api_key.as_ref()))
    }
}

fn has_version(query: &[(String, SecretString)]) -> bool {
    query.iter().any(|(name, _)| name == API_VERSION)
}

/// Returns the context window in tokens: that of the builder, else that of the model.
pub(super) fn context_window(options: &Options) -> Option<u64> {
    options.context_window.or_else(|| model_catalog::context_window(&options.model_id))
}

/// Checks the ranges of the settings.
pub(super) fn check_settings(settings: &Settings) -> Result<(), ModelBuildError> {
    settings.sampling.check(0.0..=2.0, "from 0 to 2")?;
    settings.check_penalties()?;
    settings.check_server_tools()
}

/// Returns the name of the provider in messages over Chat Completions. Provider content is sent only to the provider of its
/// name.
pub(super) fn chat_provider(host: &str) -> Cow<'static, str> {
    hosts::of(host).names.map_or_else(|| Cow::Owned(host.to_owned()), |(chat, _)| Cow::Borrowed(chat))
}

/// Returns the name of the provider in messages over Responses. Its items are not valid in Chat Completions.
pub(super) fn responses_provider(host: &str) -> Cow<'static, str> {
    let named = hosts::of(host).names;
    named.map_or_else(|| Cow::Owned(format!("{host}/responses")), |(_, responses)| Cow::Borrowed(responses))
}

/// Setters of both builders.
macro_rules! openai_setters {
    () => {
        crate::http::http_setters! {
            model_id: "Default: `gpt-5.4`.",
            api_key: "Default: the environment variable `OPENAI_API_KEY`, which is read only if no \
                      [`base_url`](Self::base_url) is set: an API key for another server has to be set along with its URL. \
                      Local servers need none.",
            base_url: "For example `http://localhost:1234/v1`. Default: the environment variable `OPENAI_BASE_URL`, then \
                       `https://api.openai.com/v1`.",
        }

        /// OpenAI organization that is billed. Default: the environment variable `OPENAI_ORG_ID`.
        pub fn organization(mut self, organization: impl Into<String>) -> Self {
            self.account.organization = Some(organization.into());
            self
        }

        /// OpenAI project of the requests. Default: the environment variable `OPENAI_PROJECT_ID`.
        pub fn project(mut self, project: impl Into<String>) -> Self {
            self.account.project = Some(project.into());
            self
        }

        crate::http::request_setters! {
            temperature: "0.0 to 2.0. Default: the provider's. OpenAI's reasoning models accept none.",
            top_p: "",
            reasoning_effort: "For reasoning models. Models accept some of the efforts; another name is set with \
                               [`extra`](Self::extra).",
            parallel_tool_calls: "Default: true.",
            server_tool: "For example `{\"type\": \"web_search\"}`.",
        }

        /// Uses the server's structured output. Default: true for OpenAI's models that have it. With `false`, an agent that asks
        /// for structured output forces a tool call instead.
        pub fn structured_output(mut self, enabled: bool) -> Self {
            self.structured_output = Some(enabled);
            self
        }
    };
}

pub(super) use openai_setters;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requires_a_key_for_openai() {
        let options = Options::new(DEFAULT_MODEL);
        let open = |known: &[(&str, &str)]| {
            Account::default().open(&options, &["responses"], &|name| {
                known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let error = open(&[]).err().unwrap();
        assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
        let exchange = open(&[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]).ok().unwrap();
        assert_eq!(exchange.endpoint.host(), "127.0.0.1");
    }

    #[test]
    fn waits_for_reasoning_models() {
        for (id, set, expected) in [("gpt-5.4", None, 600), ("gpt-4o", None, 120), ("o3", Some(60), 60)] {
            let mut options = Options::new(id);
            options.connection.idle_timeout = set.map(Duration::from_secs);
            let exchange = Account::default().open(&options, &["responses"], &|_| Some("https://x".to_owned()));
            assert_eq!(exchange.ok().unwrap().endpoint.idle_timeout().unwrap().as_secs(), expected, "{id}");
        }
    }
}
