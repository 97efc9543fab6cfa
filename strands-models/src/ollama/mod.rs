//! Ollama: local models, and those of Ollama's cloud, over the server's native protocol.

mod address;
mod builder;
mod content;
mod error;
mod request;
mod settings;
mod stream_reader;
mod tools;

use std::sync::Arc;

use async_trait::async_trait;
use strands_core::models::{MessageSerializer, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream};

use self::request::ChatBody;
use self::settings::Settings;
use self::stream_reader::ChatReader;
use crate::http::Exchange;

pub use builder::OllamaModelBuilder;

/// Response reader for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl crate::http::ResponseReader {
    ChatReader::new(limit)
}

/// Provider name in the metadata of messages.
const PROVIDER: &str = "ollama";

/// A model behind [Ollama](https://ollama.com), on this machine or elsewhere.
///
/// Cheap to clone. Models share one HTTP client and its connections.
///
/// ```no_run
/// use strands::models::OllamaModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OllamaModel::builder().model_id("qwen3:8b").build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OllamaModel {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    settings: Settings,
    serializer: MessageSerializer,
    context_window: Option<u64>,
}

impl OllamaModel {
    /// Returns a builder for a model.
    pub fn builder() -> OllamaModelBuilder {
        OllamaModelBuilder::default()
    }
}

#[async_trait]
impl Model for OllamaModel {
    fn model_id(&self) -> &str {
        self.inner.exchange.endpoint.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.inner.context_window
    }

    fn capabilities(&self) -> ModelCapabilities {
        // The protocol has no field for the tool choice.
        ModelCapabilities::new().with_tool_choice(false).with_structured_output(true)
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let Inner { exchange, settings, serializer, .. } = &*self.inner;
        let (model_id, streaming) = (exchange.endpoint.model_id(), exchange.streaming);
        let body = ChatBody { model_id, settings, serializer: *serializer, request: &request, streaming }.write()?;
        exchange.ask(body, error::classify, ChatReader::new).await
    }
}

impl std::fmt::Debug for OllamaModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.exchange.describe(f.debug_struct("OllamaModel"))
    }
}
