//! [`Promptable`], the trait of agents and everything else that can be prompted, and its owned request.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tokio_util::sync::CancellationToken;

use crate::event::AgentEvent;
use crate::injected::InjectedValues;
use crate::interrupt::InterruptResponse;
use crate::limits::Limits;
use crate::outcome::AgentError;
use crate::prompt::Prompt;

/// Stream of the events of a prompt, which borrows nothing. The first is [`AgentEvent::Start`] and the last [`AgentEvent::Result`]; an
/// error ends them earlier.
pub type PromptStream = Pin<Box<dyn Stream<Item = Result<AgentEvent, AgentError>> + Send>>;

/// A trait for everything that can be prompted: an agent, a graph of agents, an agent on another server.
///
/// An [`AgentBuilder`](crate::AgentBuilder) builds a new agent for each prompt, with its session if it has a session manager.
/// A [`SharedAgent`](crate::SharedAgent) is one conversation.
///
/// # Contract
///
/// - `name` and `description` always return the same values.
/// - The stream does nothing before it is polled. Until then it does not block other prompts.
/// - The first item is [`AgentEvent::Start`] (see [`AgentEvent::start`]) with a unique id for each prompt. Only the error of a
///   rejected prompt may come in its place.
/// - The last item is [`AgentEvent::Result`], or an error; then the stream ends, and stays ended. All events in between are
///   optional: streamed text is sent as [`TextDelta`](AgentEvent::TextDelta)s, and events of another promptable are forwarded
///   with [`at_node`](AgentEvent::at_node).
/// - A failure of the promptable itself is [`AgentError::Promptable`], with its name and the failure as the source.
/// - Cancelling the request ends the stream within 50 ms, with a response whose stop reason is
///   [`StopReason::Cancelled`](crate::models::StopReason::Cancelled).
/// - Dropping the stream ends the work within a second, and the next prompt works.
/// - Concurrent prompts do not affect each other. A prompt that can't be accepted is rejected with [`AgentError::Busy`]. If
///   prompts share a session, one may end with a session conflict
///   ([`AgentError::Session`] with [`SessionError::Conflict`](crate::session::SessionError::Conflict)).
///
/// `testing::contract::check_promptable` tests this contract (feature `contract`).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use strands::testing::ScriptedModel;
/// use strands::{Agent, AgentEvent, Promptable, StreamExt};
///
/// async fn ask(expert: Arc<dyn Promptable>, question: &str) -> String {
///     let mut events = expert.stream(question.into());
///     while let Some(event) = events.next().await {
///         if let Ok(AgentEvent::Result { response }) = event {
///             return response.text();
///         }
///     }
///     String::new()
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let expert = Agent::builder().model(ScriptedModel::responding("42")).name("expert");
/// assert_eq!(ask(Arc::new(expert), "What is the answer?").await, "42");
/// # });
/// ```
pub trait Promptable: Send + Sync {
    /// Returns the display name, which is also used in the paths of events.
    fn name(&self) -> &str;

    /// Returns a description of the purpose, for a model that chooses between agents. Default: empty.
    fn description(&self) -> &str {
        ""
    }

    /// Prompts and streams the events.
    fn stream(&self, request: PromptRequest) -> PromptStream;
}

macro_rules! forward_promptable {
    ($($holder:ty),+) => {
        $(
            #[deny(clippy::missing_trait_methods)]
            impl<P: Promptable + ?Sized> Promptable for $holder {
                fn name(&self) -> &str {
                    (**self).name()
                }

                fn description(&self) -> &str {
                    (**self).description()
                }

                fn stream(&self, request: PromptRequest) -> PromptStream {
                    (**self).stream(request)
                }
            }
        )+
    };
}

forward_promptable!(Arc<P>, Box<P>);

/// An owned prompt with its options.
///
/// ```
/// use std::time::Duration;
/// use strands::{CancellationToken, Limits, PromptRequest};
///
/// struct User(String);
///
/// let token = CancellationToken::new();
/// let request = PromptRequest::new("Book me a trip.")
///     .inject(User("alice".to_owned()))
///     .limits(Limits::new().duration(Duration::from_secs(60)))
///     .cancel_with(token);
/// assert_eq!(request.injected::<User>().map(|user| user.0.as_str()), Some("alice"));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct PromptRequest {
    /// The prompt.
    pub prompt: Prompt,
    /// Responses to the interrupts with which an earlier prompt ended.
    pub resume: Vec<InterruptResponse>,
    /// Limits, in place of those of the promptable.
    pub limits: Option<Limits>,
    /// Cancels the prompt.
    pub cancellation: CancellationToken,
    pub(crate) injected: InjectedValues,
}

impl PromptRequest {
    /// Creates a request with a prompt and no options.
    pub fn new(prompt: impl Into<Prompt>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Injects a value for tools and hooks.
    #[must_use]
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.injected.insert_for_invocation(value);
        self
    }

    /// Resumes with responses to interrupts. The prompt must be [`Prompt::none`].
    #[must_use]
    pub fn resume(mut self, responses: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.resume.extend(responses);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Cancels the prompt when `token` is cancelled.
    #[must_use]
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Returns the injected value of a type.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.injected.get()
    }
}

impl<P: Into<Prompt>> From<P> for PromptRequest {
    fn from(prompt: P) -> Self {
        Self::new(prompt)
    }
}

impl fmt::Debug for PromptRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromptRequest")
            .field("prompt", &self.prompt)
            .field("resume", &self.resume.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
