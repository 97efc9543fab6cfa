//! Builder of Mistral models, and Mistral's dialect of Chat Completions.

use std::borrow::Cow;
use std::sync::Arc;

use strands_core::models::{CallIdForm, MessageSerializer, ModelCapabilities};
use strands_core::schema::SchemaDialect;

use super::{MistralModel, error};
use crate::ReasoningEffort;
use crate::chat_completions::{
    AudioForm, Chat, Dialect, DocumentForm, Media, ReasoningReplay, Settings, field_setters, penalty_setters,
};
use crate::http::{ApiKey, DefaultEndpoint, ModelBuildError, Options, SamplingFields, http_setters, request_setters};

/// Default model of Strands for Mistral.
const DEFAULT_MODEL: &str = "mistral-large-latest";
const MISTRAL: DefaultEndpoint = DefaultEndpoint {
    base_url: "https://api.mistral.ai/v1",
    base_url_variable: None,
    key_variables: &["MISTRAL_API_KEY"],
};

/// Efforts that Mistral accepts.
const EFFORTS: [ReasoningEffort; 2] = [ReasoningEffort::None, ReasoningEffort::High];
const EXPECTED_EFFORT: &str = "`None` or `High`";

/// Mistral's dialect: <https://docs.mistral.ai/api/endpoint/chat>.
const DIALECT: Dialect = Dialect {
    provider: Cow::Borrowed("mistral"),
    media: Media { documents: DocumentForm::Urls, audio: AudioForm::Bare, image_objects: false },
    sampling: SamplingFields { seed: "random_seed", ..SamplingFields::CHAT },
    // Usage is always sent, and unknown fields are refused.
    asks_for_usage: false,
    any_tool: "any",
    named_choice: true,
    // "Tool call id was .. but must be a-z, A-Z, 0-9, with a length of 9".
    call_ids: Some(CallIdForm::alphanumeric(9)),
    // "Unexpected role 'user' after role 'tool'".
    media_in_results: true,
    after_results: Some("Done."),
    schemas: &SchemaDialect::OPENAI,
    replay: ReasoningReplay::Parts,
    empty_reasoning: false,
    classify: error::classify,
};

/// Builder for [`MistralModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use strands::models::{MistralModel, ReasoningEffort};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // The API key is in `MISTRAL_API_KEY`.
/// let model = MistralModel::builder()
///     .model_id("mistral-medium-latest")
///     .reasoning_effort(ReasoningEffort::High)
///     .prompt_cache_key("travel-agent")
///     .build()?;
/// # let _ = model; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct MistralModelBuilder {
    options: Options,
    settings: Settings,
}

impl Default for MistralModelBuilder {
    fn default() -> Self {
        Self { options: Options::new(DEFAULT_MODEL), settings: Settings::default() }
    }
}

impl MistralModelBuilder {
    http_setters! {
        model_id: "Default: `mistral-large-latest`.",
        api_key: "Default: the environment variable `MISTRAL_API_KEY`, which is read only if no \
                  [`base_url`](Self::base_url) is set: an API key for another server has to be set along with its URL.",
        base_url: "Default: `https://api.mistral.ai/v1`.",
    }

    request_setters! {
        max_tokens: "Default: the provider's.",
        temperature: "0.0 to 1.5; Mistral recommends at most 0.7.",
        top_p: "",
        seed: "Sent as `random_seed`.",
        stop_sequences: "Sent as `stop`.",
        reasoning_effort: "For models with adjustable reasoning. `None` or `High`.",
        parallel_tool_calls: "Default: true.",
        server_tool: "For example `{\"type\": \"web_search\"}`.",
    }

    penalty_setters!();

    field_setters! {
        /// Adds Mistral's safety prompt before the conversation. Default: false.
        safe_prompt(safe: bool) => "safe_prompt";
    }

    /// Prompt cache key: requests with the same key and the same beginning use the same cache.
    pub fn prompt_cache_key(mut self, key: impl Into<String>) -> Self {
        self.settings.set("prompt_cache_key", key.into());
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub fn build(self) -> Result<MistralModel, ModelBuildError> {
        let Self { options, settings } = self;
        let (base_url, api_key) = options.find_with_key(MISTRAL, &|name| std::env::var(name).ok())?;
        settings.sampling.check(0.0..=1.5, "from 0 to 1.5")?;
        settings.check_penalties()?;
        settings.check_server_tools()?;
        ReasoningEffort::check(settings.reasoning_effort, &EFFORTS, EXPECTED_EFFORT)?;
        let path = ["chat", "completions"];
        let exchange = options.open(&options.connection, &base_url, &path, ApiKey::bearer(api_key.as_ref()))?;
        let server_tools = !settings.server_tools.is_empty();
        Ok(MistralModel {
            chat: Arc::new(Chat {
                serializer: MessageSerializer::new(),
                exchange,
                dialect: Arc::new(DIALECT),
                settings,
                context_window: options.context_window,
                extra: options.extra,
                capabilities: ModelCapabilities::new().with_structured_output(true).with_server_tools(server_tools),
                counter: None,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_options_that_the_provider_would_refuse() {
        let builder = || MistralModelBuilder::default().api_key("k");
        for wrong in [
            builder().temperature(1.6),
            builder().presence_penalty(2.5),
            builder().reasoning_effort(ReasoningEffort::Medium),
        ] {
            assert!(wrong.build().is_err());
        }
        for effort in EFFORTS {
            assert!(builder().reasoning_effort(effort).build().is_ok());
        }
    }
}
