//! Responses: OpenAI's newer protocol, in which a model's thoughts can be had encrypted and given back.

mod builder;
mod request;
mod stream;
mod thoughts;

use std::sync::Arc;

use async_trait::async_trait;
use strands_core::model::{Model, ModelError, ModelRequest, ModelStream};

use self::request::{Body, Settings};
use self::stream::ResponsesReader;
use crate::http::{self, Exchange};

pub use builder::{OpenAiResponsesModelBuilder, ReasoningSummary};

/// A model behind OpenAI's Responses, at OpenAI, xAI or any server that speaks the same protocol.
///
/// Nothing is kept at the provider: each request carries the conversation, with the model's thoughts encrypted where the
/// provider gives them. Cheap to clone. Models share one HTTP client and its connections.
///
/// ```no_run
/// use strands_models::OpenAiResponsesModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OpenAiResponsesModel::builder().model_id("gpt-5.4").build()?;
/// let mut agent = strands_core::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OpenAiResponsesModel {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    settings: Settings,
    context_window: Option<u64>,
}

impl OpenAiResponsesModel {
    /// Tells a model what to be.
    pub fn builder() -> OpenAiResponsesModelBuilder {
        OpenAiResponsesModelBuilder::default()
    }
}

#[async_trait]
impl Model for OpenAiResponsesModel {
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
        exchange.ask(http::body(&body)?, super::error::sort, ResponsesReader::new).await
    }
}

impl std::fmt::Debug for OpenAiResponsesModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.exchange.describe(f.debug_struct("OpenAiResponsesModel"))
    }
}
