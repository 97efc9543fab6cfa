//! Responses: OpenAI's newer protocol, in which reasoning comes encrypted or in plain text and is sent back.

mod builder;
mod complete_items;
mod events;
mod generated_images;
mod items;
mod provider_state;
mod reasoning;
mod request;
mod stream_reader;
mod tools;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use strands_core::models::{Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, StreamEvent};

use self::request::{Body, Shape};
use self::stream_reader::ResponsesReader;
use crate::chat_completions::classify;
use crate::http::{Deadline, Exchange};

pub use builder::{OpenAiResponsesModelBuilder, ReasoningSummary};

/// Returns a reader of responses, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl crate::http::ResponseReader {
    ResponsesReader::new("openai".into(), true, limit)
}

/// Model over OpenAI's Responses, at OpenAI, xAI or any server with the same protocol.
///
/// The provider stores nothing unless [`stateful`](OpenAiResponsesModelBuilder::stateful) is set: each request contains the
/// conversation, with the model's reasoning, encrypted or in plain text. Cheap to clone. All models share one HTTP client and
/// its connections.
///
/// ```no_run
/// use strands::models::OpenAiResponsesModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OpenAiResponsesModel::builder().model_id("gpt-5.4").build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OpenAiResponsesModel {
    inner: Arc<Inner>,
}

struct Inner {
    exchange: Exchange,
    shape: Shape,
    context_window: Option<u64>,
    capabilities: ModelCapabilities,
}

impl OpenAiResponsesModel {
    /// Returns a builder with default options.
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

    fn capabilities(&self) -> ModelCapabilities {
        self.inner.capabilities
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let body = Body::new(self.model_id(), &self.inner.shape, &request, self.inner.exchange.streaming);
        let deadline = self.inner.exchange.endpoint.deadline();
        if body.previous.is_none() {
            return self.ask(&body, deadline).await;
        }
        let response = match self.ask(&body, deadline).await {
            Ok(events) => begun(events).await,
            Err(error) => Err(error),
        };
        match response {
            // The provider stores responses for a month, and the conversation may be older. The stored conversation can't be
            // truncated, but the one in the request may be.
            Err(error) if is_forgotten(&error) || matches!(error, ModelError::ContextOverflow { .. }) => {
                self.ask(&body.whole(), deadline).await
            }
            response => response,
        }
    }
}

impl OpenAiResponsesModel {
    async fn ask(&self, body: &Body<'_>, deadline: Option<Deadline>) -> Result<ModelStream, ModelError> {
        let Inner { exchange, shape, .. } = &*self.inner;
        let reader = |limit| ResponsesReader::new(shape.provider.clone(), shape.stateful, limit);
        exchange
            .ask_until(deadline, body.write()?, |error_response| classify(error_response, |_, _| None), reader)
            .await
    }
}

/// Waits for the first content of a response. Errors about a stored conversation come before it, some of them after the
/// stream has begun.
async fn begun(mut events: ModelStream) -> Result<ModelStream, ModelError> {
    let mut begun = Vec::new();
    while let Some(event) = events.next().await.transpose()? {
        let is_content = !matches!(event, StreamEvent::MessageStart { .. } | StreamEvent::Metadata { .. });
        begun.push(Ok(event));
        if is_content {
            break;
        }
    }
    Ok(futures_util::stream::iter(begun).chain(events).boxed())
}

/// Returns true if the provider no longer has the previous response.
fn is_forgotten(error: &ModelError) -> bool {
    let details = error.details();
    let param = |body: &str| {
        let body: serde_json::Value = serde_json::from_str(body).ok()?;
        Some(body.get("error")?.get("param")? == "previous_response_id")
    };
    details.code() == Some("previous_response_not_found")
        || matches!(details.status(), Some(400 | 404)) && details.body().and_then(param) == Some(true)
}

impl std::fmt::Debug for OpenAiResponsesModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.exchange.describe(f.debug_struct("OpenAiResponsesModel"))
    }
}
