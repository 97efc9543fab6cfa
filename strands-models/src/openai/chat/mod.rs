//! Chat Completions: the protocol that most servers speak.

mod builder;
mod request;
mod stream;
mod thoughts;

use std::sync::Arc;

use async_trait::async_trait;
use strands_core::model::{Model, ModelError, ModelRequest, ModelStream};

use self::request::{Body, Settings};
use self::stream::ChatReader;
use crate::http::{self, Exchange};

pub use builder::OpenAiModelBuilder;
pub use thoughts::ReasoningReplay;

/// A model behind OpenAI's Chat Completions, at OpenAI or at any server that speaks the same protocol.
///
/// Cheap to clone. Models share one HTTP client and its connections.
///
/// ```no_run
/// use strands_models::OpenAiModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OpenAiModel::builder().model_id("gpt-5.4").build()?;
/// let mut agent = strands_core::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OpenAiModel {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    settings: Settings,
    context_window: Option<u64>,
}

impl OpenAiModel {
    /// Tells a model what to be.
    pub fn builder() -> OpenAiModelBuilder {
        OpenAiModelBuilder::default()
    }
}

#[async_trait]
impl Model for OpenAiModel {
    fn model_id(&self) -> &str {
        self.inner.exchange.endpoint.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.inner.context_window
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let Inner { exchange, settings, .. } = &*self.inner;
        let model_id = exchange.endpoint.model_id();
        let body = Body { model_id, settings, request: &request, streaming: exchange.streaming };
        exchange.ask(http::body(&body)?, super::error::sort, ChatReader::new).await
    }
}

impl std::fmt::Debug for OpenAiModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.exchange.describe(f.debug_struct("OpenAiModel"))
    }
}
