//! [`A2aAgent`], an agent on an A2A server.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use strands_core::{AgentError, AgentTool, IntoTool, PromptRequest, PromptStream, Promptable, Tool};

use super::builder::A2aAgentBuilder;
use super::discard::discard;
use super::error::A2aError;
use super::run::{Remote, events_of};

/// An agent on a server, over the Agent2Agent protocol (A2A) 1.0 or 0.3. Cheap to clone.
///
/// It is a [`Promptable`]: prompt it, put it in `tools![..]`, or make it a node of a graph. Each prompt is a conversation of its own, unless
/// its request [continues](PromptRequest::continue_from) another one, so that concurrent prompts do not affect each other.
///
/// - **Content**: text, files (as bytes or as URLs) and data, both ways. Data is text with JSON in the response; to forward it to
///   another remote agent keeps its kind.
/// - **Events**: text as [`TextDelta`](strands_core::AgentEvent::TextDelta), files as [`Media`](strands_core::AgentEvent::Media), and status
///   messages of a task that is working as [`ReasoningDelta`](strands_core::AgentEvent::ReasoningDelta), since they are no part of the response.
///   A server that does not stream is polled.
/// - **Interrupts**: a task that requires input ends the prompt with interrupts: those of an agent of Strands, or one that is named
///   `input_required` and has the question as its reason. The [continuation](strands_core::AgentResponse::continuation) resumes the
///   task in any process; if the server refuses that, the error is
///   [`AgentError::Suspended`](strands_core::AgentError::Suspended), and the task can be resumed again. A text as the response to a question is sent as a text, and other JSON as data.
/// - **Failures**: a task that failed, was rejected or requires authorization is an
///   [`AgentError::Promptable`](strands_core::AgentError::Promptable) with [`A2aError::Task`] as its source.
/// - **Cancellation**: a prompt that is cancelled, dropped or reaches the limit of its duration cancels the task on the server, in the
///   background. One whose interrupts are discarded, as by [`Agent::discard_interrupts`](strands_core::Agent::discard_interrupts) of an
///   outer agent, cancels it as well, within 10 seconds.
/// - **Connections** that break are replaced while the task goes on.
/// - **Structured output**: the protocol has none, so the message asks for JSON of the schema. A response without it is
///   [`AgentError::InvalidOutput`](strands_core::AgentError::InvalidOutput).
///
/// # Examples
///
/// ```no_run
/// use strands::a2a::A2aAgent;
/// use strands::{Agent, tools};
/// # use strands::testing::ScriptedModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = ScriptedModel::responding("Booked.");
/// let booking = A2aAgent::connect("https://booking.example.com").await?;
/// let mut agent = Agent::builder().model(model).tools(tools![booking]).build().await?;
/// println!("{}", agent.prompt("Book a flight to Oslo.").await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct A2aAgent {
    remote: Arc<Remote>,
    description: Arc<str>,
}

impl A2aAgent {
    pub(super) fn new(remote: Remote, description: String) -> Self {
        Self { remote: Arc::new(remote), description: description.into() }
    }

    /// Reads the agent card below a URL, and chooses an endpoint.
    ///
    /// # Errors
    ///
    /// See [`A2aAgentBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, A2aError> {
        Self::builder(url).connect().await
    }

    /// Creates a builder with the URL of an agent: its card is at `/.well-known/agent-card.json` below it. A URL that ends with `.json` is
    /// that of the card.
    pub fn builder(url: impl Into<String>) -> A2aAgentBuilder {
        A2aAgentBuilder::new(url.into())
    }

    /// Returns the agent as a tool, with its settings. In `tools![..]` the agent itself is one without settings.
    pub fn as_tool(&self) -> AgentTool {
        AgentTool::new(self.clone())
    }
}

impl IntoTool for A2aAgent {
    fn into_tool(self) -> Arc<dyn Tool> {
        Arc::new(AgentTool::new(self))
    }
}

impl Promptable for A2aAgent {
    fn name(&self) -> &str {
        &self.remote.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        events_of(Arc::clone(&self.remote), request)
    }

    /// Cancels the task that waits for responses.
    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        Box::pin(discard(Arc::clone(&self.remote), request))
    }
}

/// The URL may be a secret.
impl fmt::Debug for A2aAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("A2aAgent").field("name", &self.remote.name).finish_non_exhaustive()
    }
}
