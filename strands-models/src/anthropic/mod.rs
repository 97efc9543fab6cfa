//! Anthropic's Messages API, which some other servers support too. Source:
//! <https://platform.claude.com/docs/en/api/messages/create>.

mod blocks;
mod builder;
mod citations;
mod continuation;
mod error;
mod events;
mod messages;
mod model_catalog;
mod open_block;
mod prompt_cache;
mod provider_content;
mod request;
mod request_plan;
mod settings;
mod stream_reader;
mod token_count;
mod tools;
mod usage;

use std::sync::Arc;

use async_trait::async_trait;
use strands_core::models::{
    MessageSerializer, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, estimate_tokens,
};

use self::model_catalog::{ReasoningDefault, Traits};
use self::request::Body;
use self::request_plan::RequestPlan;
use self::settings::Settings;
use self::stream_reader::MessagesReader;
use crate::http::{self, Exchange};

pub use builder::AnthropicModelBuilder;
pub use prompt_cache::CacheTtl;
pub use settings::{ServiceTier, StaleThinking, Thinking, ThinkingDisplay};

/// Response reader for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl http::ResponseReader {
    MessagesReader::new(limit)
}

/// Provider name in messages and provider content.
const PROVIDER: &str = "anthropic";

/// A model behind Anthropic's Messages API.
///
/// Cheap to clone. Models share one HTTP client and its connections.
///
/// ```no_run
/// use strands::models::AnthropicModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = AnthropicModel::builder().model_id("claude-sonnet-4-6").build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AnthropicModel {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    /// Token count endpoint, if it is used.
    token_counter: Option<Exchange>,
    settings: Settings,
    traits: Traits,
    context_window: Option<u64>,
    serializer: MessageSerializer,
    /// Responses may pause, since there are server tools.
    may_pause: bool,
}

impl AnthropicModel {
    /// Returns a builder for a model.
    pub fn builder() -> AnthropicModelBuilder {
        AnthropicModelBuilder::default()
    }

    fn body(&self, request: &ModelRequest<'_>, streaming: Option<bool>) -> Result<Vec<u8>, ModelError> {
        let Inner { exchange, settings, traits, serializer, .. } = &*self.inner;
        let model_id = exchange.endpoint.model_id();
        let plan = RequestPlan::of(request, settings, traits);
        let mut body = http::body(&Body { model_id, traits, settings, request, plan: &plan, streaming })?;
        // An extra field replaces the conversation, as it does every field.
        if !settings.extra.contains_key("messages") {
            messages::append(&mut body, request, &plan, *serializer)?;
        }
        Ok(body)
    }
}

#[async_trait]
impl Model for AnthropicModel {
    fn model_id(&self) -> &str {
        self.inner.exchange.endpoint.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.inner.context_window
    }

    fn capabilities(&self) -> ModelCapabilities {
        let Inner { traits, may_pause, .. } = &*self.inner;
        ModelCapabilities::new()
            .with_tool_choice(traits.reasoning != ReasoningDefault::Always)
            .with_structured_output(traits.structured_output)
            .with_server_tools(*may_pause)
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let Inner { exchange, may_pause, .. } = &*self.inner;
        let body = self.body(&request, Some(exchange.streaming))?;
        if *may_pause {
            return continuation::ask(exchange, body).await;
        }
        exchange.ask(body, error::classify, MessagesReader::new).await
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        match &self.inner.token_counter {
            Some(endpoint) => token_count::count(endpoint, self.body(&request, None)?).await,
            None => Ok(estimate_tokens(&request)),
        }
    }
}

impl std::fmt::Debug for AnthropicModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.exchange.describe(f.debug_struct("AnthropicModel"))
    }
}
