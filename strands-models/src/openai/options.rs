//! What both models are told in the same way: where OpenAI is, and who pays.

use super::known;
use crate::http::{ApiKey, Exchange, ModelBuildError, Options, Place, check};

/// The model of Strands for OpenAI, where none is named.
pub(super) const DEFAULT_MODEL: &str = "gpt-5.4";
const OPENAI: Place = Place {
    base_url: "https://api.openai.com/v1",
    base_url_variable: Some("OPENAI_BASE_URL"),
    key_variables: &["OPENAI_API_KEY"],
};
const ORGANIZATION_VARIABLE: &str = "OPENAI_ORG_ID";
const PROJECT_VARIABLE: &str = "OPENAI_PROJECT_ID";

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

/// Who pays.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) organization: Option<String>,
    pub(super) project: Option<String>,
}

impl Account {
    /// The way to the provider. What the builder was not told is looked up in `environment`.
    pub(super) fn open(
        &self,
        options: &Options,
        path: &[&str],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Exchange, ModelBuildError> {
        let (base_url, api_key) = options.find_with_key(OPENAI, environment)?;
        let mut connection = options.connection.clone();
        for (header, told, variable) in [
            ("openai-organization", &self.organization, ORGANIZATION_VARIABLE),
            ("openai-project", &self.project, PROJECT_VARIABLE),
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

/// How many tokens a request may have, as told or known.
pub(super) fn context_window(options: &Options) -> Option<u64> {
    options.context_window.or_else(|| known::context_window(&options.model_id))
}

/// Numbers that the provider would refuse.
pub(super) fn check_sampling(temperature: Option<f64>, top_p: Option<f64>) -> Result<(), ModelBuildError> {
    check("temperature", temperature, 0.0..=2.0, "from 0 to 2")?;
    check("top_p", top_p, 0.0..=1.0, "from 0 to 1")
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

        /// Which of OpenAI's organizations pays. Default: the variable `OPENAI_ORG_ID`.
        pub fn organization(mut self, organization: impl Into<String>) -> Self {
            self.account.organization = Some(organization.into());
            self
        }

        /// Which of OpenAI's projects this belongs to. Default: the variable `OPENAI_PROJECT_ID`.
        pub fn project(mut self, project: impl Into<String>) -> Self {
            self.account.project = Some(project.into());
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
    };
}

pub(super) use openai_options;

#[cfg(test)]
mod tests {
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
}
