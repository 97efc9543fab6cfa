//! Anthropic's Messages, which some other servers speak too. Source:
//! <https://platform.claude.com/docs/en/api/messages/create>.

mod blocks;
mod builder;
mod cache;
mod citations;
mod continuation;
mod count;
mod error;
mod events;
mod known;
mod messages;
mod own;
mod plan;
mod request;
mod settings;
mod stream;
mod tools;
mod usage;

use std::sync::Arc;

use async_trait::async_trait;
use strands_core::models::{
    MessageSerializer, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, estimate_tokens,
};

use self::known::{Known, Thinks};
use self::plan::Plan;
use self::request::Body;
use self::settings::Settings;
use self::stream::MessagesReader;
use crate::http::{self, Exchange};

pub use builder::AnthropicModelBuilder;
pub use cache::CacheTtl;
pub use settings::{ServiceTier, StaleThinking, Thinking, ThinkingDisplay};

/// What reads answers, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl http::ResponseReader {
    MessagesReader::new(limit)
}

/// Under which name answers begin and content of its own is kept.
const PROVIDER: &str = "anthropic";

/// A model of Anthropic's behind Messages.
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
    /// Where tokens are counted, if they are.
    counting: Option<Exchange>,
    settings: Settings,
    known: Known,
    context_window: Option<u64>,
    serializer: MessageSerializer,
    /// Tools of the provider's own may make an answer pause.
    pauses: bool,
}

impl AnthropicModel {
    /// Returns a builder with default options.
    pub fn builder() -> AnthropicModelBuilder {
        AnthropicModelBuilder::default()
    }

    fn body(&self, request: &ModelRequest<'_>, streaming: Option<bool>) -> Result<Vec<u8>, ModelError> {
        let Inner { exchange, settings, known, serializer, .. } = &*self.inner;
        let model_id = exchange.endpoint.model_id();
        let plan = Plan::of(request, settings, known);
        let mut body = http::body(&Body { model_id, known, settings, request, plan: &plan, streaming })?;
        // The program's own wins, as for every field.
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
        let Inner { known, pauses, .. } = &*self.inner;
        ModelCapabilities::new()
            .with_tool_choice(known.thinks != Thinks::Always)
            .with_structured_output(known.structured_output)
            .with_server_tools(*pauses)
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let Inner { exchange, pauses, .. } = &*self.inner;
        let body = self.body(&request, Some(exchange.streaming))?;
        if *pauses {
            return continuation::ask(exchange, body).await;
        }
        exchange.ask(body, error::sort, MessagesReader::new).await
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        match &self.inner.counting {
            Some(counting) => count::count(counting, self.body(&request, None)?).await,
            None => Ok(estimate_tokens(&request)),
        }
    }
}

impl std::fmt::Debug for AnthropicModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.exchange.describe(f.debug_struct("AnthropicModel"))
    }
}
