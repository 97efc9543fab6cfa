//! Bedrock as a [`Model`]: sends requests, adapts rejected ones, and returns the events of the response.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use strands_core::models::{
    ErrorDetails, MessageSerializer, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream,
};
use tokio::time::Instant;

use crate::body::Deadline;
use crate::builder::BedrockModelBuilder;
use crate::capabilities::Capabilities;
use crate::client::Shared;
use crate::converse;
use crate::error::CallContext;
use crate::exchange::{Failure, Operation, SuccessResponse, exchange};
use crate::request::Body;
use crate::request_adaptation::Variant;
use crate::settings::Settings;
use crate::stream_reader::{CallFacts, ResponseStream};

/// A model on Amazon Bedrock, over the Converse API.
///
/// Cheap to clone. Models with the same region, endpoint, key and timeouts share one client, its connections and its
/// credentials, so another one is cheap to build.
///
/// ```no_run
/// use strands::models::BedrockModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = BedrockModel::builder()
///     .model_id("us.anthropic.claude-haiku-4-5-20251001-v1:0")
///     .build()
///     .await?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct BedrockModel {
    inner: Arc<Inner>,
}

/// Options of a model, shared by its clones.
pub(crate) struct Inner {
    pub(crate) context: Arc<CallContext>,
    pub(crate) base_model: Option<String>,
    pub(crate) capabilities: Capabilities,
    pub(crate) context_window: Option<u64>,
    /// Support for output schemas, as set in the builder or known by the model catalog; `None` if unknown.
    pub(crate) structured_output: Option<bool>,
    pub(crate) settings: Settings,
    pub(crate) serializer: MessageSerializer,
    pub(crate) timeout: Option<Duration>,
    pub(crate) streaming: bool,
    pub(crate) native_token_count: bool,
    pub(crate) max_response_bytes: usize,
    pub(crate) shared: Arc<Shared>,
}

/// Maximum number of adapted requests. Each adaptation is made once.
const MAX_ADAPTATIONS: usize = 5;

impl BedrockModel {
    /// Returns a builder with default options.
    pub fn builder() -> BedrockModelBuilder {
        BedrockModelBuilder::default()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl Inner {
    /// Sends a request. If Bedrock rejects it for a known reason, sends an adapted request.
    async fn send_adapted(
        &self,
        request: &ModelRequest<'_>,
        operation: Operation,
    ) -> Result<SuccessResponse, ModelError> {
        let model_id = &self.context.model_id;
        let memory = &self.shared.memory;
        if let Some(output) = request.output_schema.filter(|output| memory.refuses_schema(model_id, output)) {
            let why = format!("Bedrock has rejected the JSON schema of `{}` for this model", output.name);
            return Err(ModelError::InvalidRequest { details: ErrorDetails::new().with_body(why).boxed() });
        }
        let deadline = Deadline::after(self.timeout);
        let mut variant = memory.variant(model_id);
        let mut adaptations = 0..MAX_ADAPTATIONS;
        loop {
            let refusal = match self.send(request, operation, &variant, deadline).await? {
                Ok(response) => {
                    memory.succeeded(model_id, variant);
                    return Ok(response);
                }
                Err(refusal) => refusal,
            };
            let adapted =
                adaptations.next().and_then(|_| memory.adapt(model_id, request, &self.settings, variant, &refusal));
            match adapted {
                Some(adapted) => variant = adapted,
                None => return Err(refusal.into_error(&self.context)),
            }
        }
    }

    async fn send(
        &self,
        request: &ModelRequest<'_>,
        operation: Operation,
        variant: &Variant,
        deadline: Option<Deadline>,
    ) -> Result<Result<SuccessResponse, crate::error::Refusal>, ModelError> {
        let streaming = operation == Operation::ConverseStream;
        let body = Body::new(request, self, variant, streaming)?.converse()?;
        let shared = &self.shared;
        match exchange(&shared.client, operation, body, shared.timeouts, deadline, &self.context).await {
            Ok(response) => Ok(Ok(response)),
            Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
            Err(Failure::Failed(error)) => Err(error),
        }
    }
}

#[async_trait]
impl Model for BedrockModel {
    fn model_id(&self) -> &str {
        &self.inner.context.model_id
    }

    fn context_window(&self) -> Option<u64> {
        self.inner.context_window
    }

    fn capabilities(&self) -> ModelCapabilities {
        let Inner { context, structured_output, shared, .. } = &*self.inner;
        let (memory, model_id) = (&shared.memory, &context.model_id);
        let can_be_forced = !memory.refuses_forced_choice(model_id);
        // Unknown models are asked to follow schemas once they have rejected a forced tool call.
        let follows_schemas = structured_output.unwrap_or(!can_be_forced) && !memory.refuses_native_output(model_id);
        ModelCapabilities::new().with_tool_choice(can_be_forced).with_structured_output(follows_schemas)
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let inner = &self.inner;
        let started = Instant::now();
        let operation = if inner.streaming { Operation::ConverseStream } else { Operation::Converse };
        let response = inner.send_adapted(&request, operation).await?;
        let facts = CallFacts {
            context: Arc::clone(&inner.context),
            redaction: inner
                .settings
                .guardrail
                .as_ref()
                .map_or_else(Arc::default, |guardrail| Arc::clone(&guardrail.redaction)),
            max_bytes: inner.max_response_bytes,
            started,
        };
        if inner.streaming {
            return Ok(Box::pin(ResponseStream::new(response, facts)));
        }
        let body = response.body.read(inner.max_response_bytes).await?;
        let events = converse::events(&body, &facts)?;
        Ok(Box::pin(stream::iter(events.into_iter().map(Ok))))
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        crate::token_count::count_tokens(self.inner(), &request).await
    }
}

impl std::fmt::Debug for BedrockModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BedrockModel")
            .field("model_id", &self.inner.context.model_id)
            .field("base_model", &self.inner.base_model)
            .field("region", &self.inner.context.region)
            .field("streaming", &self.inner.streaming)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strands_core::message::Message;
    use strands_core::models::{Model, ModelRequest};

    use super::BedrockModel;

    /// A thousand calls that wait for their responses take this memory a thousand times, and an allocator keeps it for the
    /// rest of the process. The future of the SDK's operation has 2 KiB and is boxed apart.
    #[tokio::test]
    async fn the_future_of_a_call_is_small() {
        let model = BedrockModel::builder().base_url("http://localhost:1").build().await.unwrap();
        let messages = [Arc::new(Message::user("hi"))];
        let size = size_of_val(&*model.stream(ModelRequest::new(&messages)));
        assert!(size <= 2048, "{size}");
    }
}
