//! Responses: OpenAI's newer protocol, in which reasoning comes encrypted or in plain text and goes back.

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
use crate::http::Exchange;

pub use builder::{OpenAiResponsesModelBuilder, ReasoningSummary};

/// What reads answers, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl crate::http::ResponseReader {
    ResponsesReader::new("openai".into(), true, limit)
}

/// A model behind OpenAI's Responses, at OpenAI, xAI or any server that speaks the same protocol.
///
/// Nothing is stored at the provider unless [`stateful`](OpenAiResponsesModelBuilder::stateful) asks for it: each request
/// carries the conversation, with the model's reasoning as it came, encrypted or in plain text. Cheap to clone. Models share one
/// HTTP client and its connections.
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

    fn capabilities(&self) -> ModelCapabilities {
        self.inner.capabilities
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let body = Body::new(self.model_id(), &self.inner.shape, &request, self.inner.exchange.streaming);
        if body.previous.is_none() {
            return self.ask(&body).await;
        }
        let answer = match self.ask(&body).await {
            Ok(events) => begun(events).await,
            Err(error) => Err(error),
        };
        match answer {
            // The provider keeps responses for a month, and the conversation may be older. And what it keeps nobody can
            // shorten; what is here may have been.
            Err(error) if is_forgotten(&error) || matches!(error, ModelError::ContextOverflow { .. }) => {
                self.ask(&body.whole()).await
            }
            answer => answer,
        }
    }
}

impl OpenAiResponsesModel {
    async fn ask(&self, body: &Body<'_>) -> Result<ModelStream, ModelError> {
        let Inner { exchange, shape, .. } = &*self.inner;
        let reader = |limit| ResponsesReader::new(shape.provider.clone(), shape.stateful, limit);
        exchange.ask(body.write()?, |error_response| classify(error_response, |_, _| None), reader).await
    }
}

/// The answer once something is said in it. What the provider finds out about a conversation that it keeps comes before
/// that, some of it after the stream has begun.
async fn begun(mut events: ModelStream) -> Result<ModelStream, ModelError> {
    let mut begun = Vec::new();
    while let Some(event) = events.next().await.transpose()? {
        let is_said = !matches!(event, StreamEvent::MessageStart { .. } | StreamEvent::Metadata { .. });
        begun.push(Ok(event));
        if is_said {
            break;
        }
    }
    Ok(futures_util::stream::iter(begun).chain(events).boxed())
}

/// True where the provider does not have the response after which the conversation was to go on.
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
