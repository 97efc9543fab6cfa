//! Google's Gemini: `generateContent` and `streamGenerateContent`.

mod builder;
mod chunk;
mod contents;
mod error;
mod finish;
mod grounding;
mod media;
mod media_signatures;
mod model_catalog;
mod part;
mod request;
mod settings;
mod stream_reader;
mod text_signatures;
mod token_count;
mod tool_results;
mod tools;
mod usage;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strands_core::models::{
    MessageSerializer, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, estimate_tokens,
};

use self::model_catalog::Traits;
use self::request::Body;
use self::settings::Settings;
use self::stream_reader::GeminiReader;
use self::token_count::TokenCounter;
use crate::http::Exchange;

pub use builder::GeminiModelBuilder;
pub use settings::{HarmBlockThreshold, HarmCategory};

/// Response reader for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl crate::http::ResponseReader {
    GeminiReader::new(limit)
}

/// Provider name in messages and provider content.
const PROVIDER: &str = "gemini";

/// A model behind the Gemini API, or behind Google Cloud's API, which has the same protocol.
///
/// Cheap to clone. Models share one HTTP client and its connections.
///
/// ```no_run
/// use strands::models::GeminiModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = GeminiModel::builder().model_id("gemini-3.5-flash").build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GeminiModel {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    counting: Option<TokenCounter>,
    settings: Settings,
    traits: Traits,
    serializer: MessageSerializer,
    context_window: Option<u64>,
}

impl GeminiModel {
    /// Returns a builder for a model.
    pub fn builder() -> GeminiModelBuilder {
        GeminiModelBuilder::default()
    }
}

impl Inner {
    fn body<'a>(&'a self, request: &'a ModelRequest<'a>) -> Body<'a> {
        Body { settings: &self.settings, traits: self.traits, serializer: self.serializer, request, model: None }
    }
}

#[async_trait]
impl Model for GeminiModel {
    fn model_id(&self) -> &str {
        self.inner.exchange.endpoint.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.inner.context_window
    }

    fn capabilities(&self) -> ModelCapabilities {
        ModelCapabilities::new()
            .with_structured_output(self.inner.traits.follows_schemas)
            .with_server_tools(!self.inner.settings.server_tools.is_empty())
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let body = self.inner.body(&request).write()?;
        self.inner.exchange.ask(body, error::classify, GeminiReader::new).await
    }

    /// Returns the provider's count if [`native_token_count`](GeminiModelBuilder::native_token_count) is on and the request
    /// succeeds, and an estimate otherwise.
    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        if let Some(counting) = &self.inner.counting
            && let Ok(tokens) = counting.count(self.inner.body(&request)).await
        {
            return Ok(tokens);
        }
        Ok(estimate_tokens(&request))
    }
}

impl fmt::Debug for GeminiModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.exchange.describe(f.debug_struct("GeminiModel"))
    }
}
