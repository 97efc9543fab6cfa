//! Chat Completions: the protocol that most servers speak.

mod builder;
mod request;
mod stream;
mod thoughts;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream as streams;
use strands_core::model::{Model, ModelError, ModelRequest, ModelStream};

use self::request::{Body, Settings};
use self::stream::ChatReader;
use crate::http::{Endpoint, answer_stream};

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
    endpoint: Endpoint,
    settings: Settings,
    streaming: bool,
    context_window: Option<u64>,
    max_response_bytes: usize,
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
        self.inner.endpoint.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.inner.context_window
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let Inner { endpoint, settings, streaming, max_response_bytes: limit, .. } = &*self.inner;
        let body =
            Body { model_id: endpoint.model_id(), settings, request: &request, streaming: *streaming }.write()?;
        let mut answer = endpoint.post(body, super::error::sort).await?;
        let reader = ChatReader::new(*limit);
        // Some servers answer in one piece whatever they are asked for.
        if *streaming && !answer.is_document {
            return Ok(answer_stream(answer.body, reader, *limit));
        }
        let whole = answer.body.read(*limit).await?;
        let events = reader.whole(&whole).map_err(|error| answer.body.explain(error))?;
        Ok(Box::pin(streams::iter(events.into_iter().map(Ok))))
    }
}

impl std::fmt::Debug for OpenAiModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAiModel")
            .field("model_id", &self.inner.endpoint.model_id())
            .field("host", &self.inner.endpoint.host())
            .field("streaming", &self.inner.streaming)
            .finish_non_exhaustive()
    }
}
