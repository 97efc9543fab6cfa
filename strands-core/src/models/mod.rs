//! The [`Model`] trait that every provider implements, its requests, stream events and errors, and models that wrap other
//! models: fallback, rate limit, recording and replay.

mod call_id_form;
mod capabilities;
mod error;
mod error_classification;
mod error_kind;
pub(crate) mod estimate;
mod event;
mod fallback;
mod optional_text;
mod outgoing;
pub mod placeholder;
mod provider_message;
mod rate_limit;
mod recording;
mod request;
mod retry;
mod retry_after;
mod serialized;
mod turn;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::Stream;

pub use crate::stop_reason::StopReason;
pub use call_id_form::CallIdForm;
pub use capabilities::ModelCapabilities;
pub use error::{ErrorDetails, ModelError};
pub use error_kind::ModelErrorKind;
pub use estimate::estimate_tokens;
pub use event::{BlockDelta, BlockStart, ReasoningDelta, StreamEvent, ToolUseDelta, ToolUseStart};
pub use fallback::{Fallback, FallbackFailures, FallbackOn, FallbackStep};
pub use optional_text::OptionalText;
pub use outgoing::{outgoing_content, outgoing_result};
pub(crate) use rate_limit::Window;
pub use rate_limit::{RateLimit, RateLimitExceeded};
pub(crate) use recording::RecordedError;
pub use recording::{Recorder, RecordingError, Replay, ReplayError, RequestDifference, RequestMatching, RequestPart};
pub(crate) use request::Described;
pub use request::{ModelRequest, OutputSchema, ToolChoice, ToolSpecs};
pub use retry::RetryPolicy;
pub(crate) use retry::{Failures, backoff};
pub use retry_after::parse_retry_after;
pub use serialized::{MessageSerializer, NotedMessages, SerializedMessages};
pub use turn::{Turn, TurnBuilder};

/// A stream of the events of one response. It borrows nothing from the request.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<StreamEvent, ModelError>> + Send>>;

/// A language model: takes a [`ModelRequest`] and returns a stream of [`StreamEvent`]s.
///
/// Implement it under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - `stream` sends one request. It does not retry: the loop does, announces it, and honours [`ModelError::retry_after`].
/// - The request only borrows the conversation; serialize each message at most once.
/// - Dropping the future or the stream cancels the call.
/// - A response that breaks off is an error: the stream must not just end before its [`StreamEvent::MessageStop`].
/// - Errors use the variant of [`ModelError`] that fits, since callers and the retry policy act on it.
/// - `Debug` output, errors and events contain no secrets.
///
/// `testing::contract` has a test suite for this contract (feature `contract`).
///
/// # Examples
///
/// ```
/// use async_trait::async_trait;
/// use futures_util::stream;
/// use strands::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
///
/// /// Repeats the newest message.
/// struct Echo;
///
/// #[async_trait]
/// impl Model for Echo {
///     fn model_id(&self) -> &str {
///         "echo"
///     }
///
///     async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
///         let text = request.messages.last().map(|message| message.text()).unwrap_or_default();
///         Ok(Box::pin(stream::iter([
///             Ok(StreamEvent::start()),
///             Ok(StreamEvent::text(0, text)),
///             Ok(StreamEvent::block_stop(0)),
///             Ok(StreamEvent::stop(StopReason::EndTurn)),
///         ])))
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut agent = strands::Agent::builder().model(Echo).build().await?;
/// assert_eq!(agent.prompt("hello").await?.text(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "this is not a model",
    note = "build one, such as `OpenAiModel::builder().model_id(\"gpt-5.4\").build()?`, or choose one by its id: `strands::models::from_id(\"openai/gpt-5.4\").await?`",
    note = "a type is a model by implementing `strands::models::Model` under `#[async_trait]`"
)]
pub trait Model: Send + Sync {
    /// Returns the model id, as the provider spells it.
    fn model_id(&self) -> &str;

    /// Returns the size of the context window in tokens, or `None` if it is not known.
    fn context_window(&self) -> Option<u64> {
        None
    }

    /// Returns the optional features that the model supports.
    fn capabilities(&self) -> ModelCapabilities {
        ModelCapabilities::default()
    }

    /// Sends a request and returns the events of the response.
    ///
    /// # Errors
    ///
    /// Returns any [`ModelError`] that occurs before the first event. Later errors are items of the stream.
    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError>;

    /// Returns the number of input tokens of a request: the provider's count if it has an endpoint for that, otherwise
    /// [`estimate_tokens`].
    ///
    /// # Errors
    ///
    /// Returns any [`ModelError`] of the provider's endpoint.
    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        Ok(estimate_tokens(&request))
    }
}

macro_rules! forward_model {
    ($($holder:ty),+) => {
        $(
            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            impl<M: Model + ?Sized> Model for $holder {
                fn model_id(&self) -> &str {
                    (**self).model_id()
                }

                fn context_window(&self) -> Option<u64> {
                    (**self).context_window()
                }

                fn capabilities(&self) -> ModelCapabilities {
                    (**self).capabilities()
                }

                async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
                    (**self).stream(request).await
                }

                async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
                    (**self).count_tokens(request).await
                }
            }
        )+
    };
}

forward_model!(Arc<M>, Box<M>);
