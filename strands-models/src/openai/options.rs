//! What both models are told in the same way: where OpenAI is, and who pays.

use std::borrow::Cow;

use secrecy::SecretString;

use super::service::{Address, Service};
use super::{hosts, known};
use crate::chat_completions::Settings;
use crate::http::{ApiKey, Exchange, ModelBuildError, Options, Place};

/// The model of Strands for OpenAI, where none is named.
pub(super) const DEFAULT_MODEL: &str = "gpt-5.4";
const OPENAI: Place = Place {
    base_url: "https://api.openai.com/v1",
    base_url_variable: Some("OPENAI_BASE_URL"),
    key_variables: &["OPENAI_API_KEY"],
};
const ORGANIZATION_HEADER: &str = "openai-organization";
const PROJECT_HEADER: &str = "openai-project";
const API_VERSION: &str = "api-version";
const ORGANIZATION_VARIABLE: &str = "OPENAI_ORG_ID";
const PROJECT_VARIABLE: &str = "OPENAI_PROJECT_ID";

/// Who pays.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) organization: Option<String>,
    pub(super) project: Option<String>,
}

impl Account {
    /// The way to one of the services that speak as OpenAI does. OpenAI's own variables are not looked at.
    pub(super) fn open_service(
        &self,
        service: Service,
        options: &Options,
        path: &[&str],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Exchange, ModelBuildError> {
        let address: Address = service.address(options, environment)?;
        let mut connection = options.connection.clone();
        connection.patient = known::thinks(&options.model_id);
        let version = address.api_version.as_ref().filter(|_| !has_version(&connection.query));
        if let Some(version) = version {
            connection.query.push((API_VERSION.to_owned(), version.clone().into()));
        }
        let own: Vec<_> = [(ORGANIZATION_HEADER, &self.organization), (PROJECT_HEADER, &self.project)]
            .into_iter()
            .filter_map(|(header, told)| Some((header.to_owned(), told.clone()?.into())))
            .collect();
        connection.headers.extend(own);
        let path: Vec<&str> = address.path.iter().map(String::as_str).chain(path.iter().copied()).collect();
        options.open(&connection, &address.base_url, &path, address.api_key())
    }

    /// The way to the provider. What the builder was not told is looked up in `environment`.
    pub(super) fn open(
        &self,
        options: &Options,
        path: &[&str],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Exchange, ModelBuildError> {
        let (base_url, api_key) = options.find_with_key(OPENAI, environment)?;
        let mut connection = options.connection.clone();
        connection.patient = known::thinks(&options.model_id);
        for (header, told, variable) in [
            (ORGANIZATION_HEADER, &self.organization, ORGANIZATION_VARIABLE),
            (PROJECT_HEADER, &self.project, PROJECT_VARIABLE),
        ] {
            // The variables are OpenAI's, and none of another server's business.
            let known = || environment(variable).filter(|value| !value.trim().is_empty());
            let known = || options.connection.base_url.is_none().then(known).flatten();
            if let Some(value) = told.clone().or_else(known) {
                connection.headers.push((header.to_owned(), value.into()));
            }
        }
        options.open(&connection, &base_url, path, ApiKey::bearer(api_key.as_ref()))
    }
}

fn has_version(query: &[(String, SecretString)]) -> bool {
    query.iter().any(|(name, _)| name == API_VERSION)
}

/// How many tokens a request may have, as told or known.
pub(super) fn context_window(options: &Options) -> Option<u64> {
    options.context_window.or_else(|| known::context_window(&options.model_id))
}

/// What the provider would refuse.
pub(super) fn check_settings(settings: &Settings) -> Result<(), ModelBuildError> {
    settings.check("temperature", 0.0..=2.0, "from 0 to 2")?;
    settings.check("top_p", 0.0..=1.0, "from 0 to 1")?;
    settings.check_server_tools()
}

/// The name under which this server's answers over Chat Completions begin. Content that only one provider understands is
/// no other's.
pub(super) fn chat_provider(host: &str) -> Cow<'static, str> {
    hosts::of(host).names.map_or_else(|| Cow::Owned(host.to_owned()), |(chat, _)| Cow::Borrowed(chat))
}

/// The same over Responses, whose items are nothing to Chat Completions.
pub(super) fn responses_provider(host: &str) -> Cow<'static, str> {
    let named = hosts::of(host).names;
    named.map_or_else(|| Cow::Owned(format!("{host}/responses")), |(_, responses)| Cow::Borrowed(responses))
}

/// The methods that both builders have.
macro_rules! openai_options {
    () => {
        crate::http::http_options! {
            model_id: "Default: `gpt-5.4`.",
            api_key: "Default: the variable `OPENAI_API_KEY`, which is only read where [`base_url`](Self::base_url) was \
                      not given: another server's key has to be given beside its URL. A server on one's own machine \
                      needs none.",
            base_url: "For example `http://localhost:1234/v1`. Default: the variable `OPENAI_BASE_URL`, then \
                       `https://api.openai.com/v1`.",
        }

        /// OpenAI organization that is billed. Default: the variable `OPENAI_ORG_ID`.
        pub fn organization(mut self, organization: impl Into<String>) -> Self {
            self.account.organization = Some(organization.into());
            self
        }

        /// OpenAI project of the requests. Default: the variable `OPENAI_PROJECT_ID`.
        pub fn project(mut self, project: impl Into<String>) -> Self {
            self.account.project = Some(project.into());
            self
        }

        crate::chat_completions::sampling_options! { temperature: "from 0 to 2." }

        /// Reasoning effort. An effort with another name goes through [`extra`](Self::extra).
        pub fn reasoning_effort(mut self, effort: crate::chat_completions::ReasoningEffort) -> Self {
            self.effort = Some(effort);
            self
        }

        crate::chat_completions::server_tool_option!();

        /// Uses structured output of the server. Default: true for models of OpenAI's that are
        /// known to be able to. Where it is false, an agent that wants a typed result lets the model call a tool.
        pub fn structured_output(mut self, able: bool) -> Self {
            self.structured_output = Some(able);
            self
        }
    };
}

pub(super) use openai_options;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn openai_wants_a_key() {
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
    fn a_model_that_thinks_in_silence_is_waited_for() {
        for (id, told, expected) in [("gpt-5.4", None, 600), ("gpt-4o", None, 120), ("o3", Some(60), 60)] {
            let mut options = Options::new(id);
            options.connection.idle_timeout = told.map(Duration::from_secs);
            let exchange = Account::default().open(&options, &["responses"], &|_| Some("http://x".to_owned()));
            assert_eq!(exchange.ok().unwrap().endpoint.silence().unwrap().as_secs(), expected, "{id}");
        }
    }
}
