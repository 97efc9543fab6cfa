//! How a model of Mistral's is told what to be.

use std::borrow::Cow;
use std::sync::Arc;

use strands_core::models::{CallIdForm, MessageSerializer, ModelCapabilities};
use strands_core::schema::SchemaDialect;

use super::{MistralModel, refusal};
use crate::chat_completions::{
    Chat, Dialect, Documents, Media, ReasoningEffort, ReasoningReplay, Settings, Sounds, chat_options,
    sampling_options, server_tool_option, setting_methods,
};
use crate::http::{ApiKey, ModelBuildError, Options, Place, http_options};

/// The model of Strands for Mistral, where none is named.
const DEFAULT_MODEL: &str = "mistral-large-latest";
const MISTRAL: Place =
    Place { base_url: "https://api.mistral.ai/v1", base_url_variable: None, key_variables: &["MISTRAL_API_KEY"] };

/// How Mistral speaks Chat Completions: <https://docs.mistral.ai/api/endpoint/chat>.
const DIALECT: Dialect = Dialect {
    provider: Cow::Borrowed("mistral"),
    media: Media { documents: Documents::Urls, sounds: Sounds::Bare, image_objects: false },
    // It counts without being asked, and refuses fields that it does not know.
    asks_for_usage: false,
    plain_text: true,
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
    sort: refusal::sort,
};

/// Tells a [`MistralModel`] what to be; [`MistralModel::builder`] makes one.
///
/// `Debug` shows no key.
///
/// ```no_run
/// use strands::models::MistralModel;
/// use strands::models::mistral::ReasoningEffort;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // With the key in `MISTRAL_API_KEY`.
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
    http_options! {
        model_id: "Default: `mistral-large-latest`.",
        api_key: "Default: the variable `MISTRAL_API_KEY`, which is only read where [`base_url`](Self::base_url) was not \
                  given: another server's key has to be given beside its URL.",
        base_url: "Default: `https://api.mistral.ai/v1`.",
    }

    sampling_options! { temperature: "from 0 to 1.5; Mistral recommends at most 0.7." }
    chat_options!();
    server_tool_option!();

    setting_methods! {
        /// The most tokens that the model may write in one answer, thoughts included.
        max_tokens(tokens: u32) => "max_tokens";
        /// The number that chance begins with: the same request gives the same answer, as far as that can be.
        random_seed(seed: u64) => "random_seed";
        /// Whether Mistral puts its own words about safety before the conversation.
        safe_prompt(safe: bool) => "safe_prompt";
    }

    /// Reasoning effort, for models that can choose. Mistral knows `high` and `none`.
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.settings.set("reasoning_effort", effort.as_str());
        self
    }

    /// Key of requests whose beginnings are the same, so that Mistral finds them in its cache.
    pub fn prompt_cache_key(mut self, key: impl Into<String>) -> Self {
        self.settings.set("prompt_cache_key", key.into());
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(self) -> Result<MistralModel, ModelBuildError> {
        let Self { options, settings } = self;
        let (base_url, api_key) = options.find_with_key(MISTRAL, &|name| std::env::var(name).ok())?;
        settings.check("temperature", 0.0..=1.5, "from 0 to 1.5")?;
        settings.check("top_p", 0.0..=1.0, "from 0 to 1")?;
        settings.check("presence_penalty", -2.0..=2.0, "from -2 to 2")?;
        settings.check("frequency_penalty", -2.0..=2.0, "from -2 to 2")?;
        settings.check_server_tools()?;
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
