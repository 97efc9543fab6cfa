//! [`Promptable`] agents: [`SharedAgent`], one shared conversation, and [`AgentBuilder`], which builds an agent for each
//! prompt.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};

use super::{Agent, AgentBuilder, Invocation};
use crate::agent_tool::AgentTool;
use crate::event::{AgentEvent, AgentResponse};
use crate::event_loop::stop_requested;
use crate::injected::InjectedKey;
use crate::message::{Message, Role};
use crate::nesting;
use crate::outcome::AgentError;
use crate::promptable::{PromptRequest, PromptStream, Promptable};
use crate::stop_reason::StopReason;

/// An agent with shared ownership, which processes one prompt at a time. Clones share the conversation.
///
/// A prompt during another one is rejected with [`AgentError::Busy`], since the order of prompts is up to the program.
///
/// ```
/// use strands::testing::ScriptedModel;
/// use strands::{Agent, Promptable, SharedAgent, StreamExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let agent = Agent::builder().model(ScriptedModel::responding("Hello.")).build().await?;
/// let shared = SharedAgent::new(agent);
/// shared.stream("hi".into()).count().await;
/// shared.clone().stream("hi again".into()).count().await;
/// assert_eq!(shared.try_into_agent().map(|agent| agent.messages().len()).ok(), Some(4));
/// # Ok::<(), strands::BuildError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SharedAgent {
    name: Arc<str>,
    description: Arc<str>,
    /// `None` while a prompt has the agent.
    agent: Arc<Mutex<Option<Box<Agent>>>>,
}

impl SharedAgent {
    /// Creates a shared agent.
    pub fn new(agent: Agent) -> Self {
        Self {
            name: agent.name().into(),
            description: agent.description().into(),
            agent: Arc::new(Mutex::new(Some(Box::new(agent)))),
        }
    }

    /// Returns the agent.
    ///
    /// # Errors
    ///
    /// Returns the shared agent if it has other owners, or if a prompt is in progress.
    pub fn try_into_agent(self) -> Result<Agent, Self> {
        let Self { name, description, agent } = self;
        match Arc::try_unwrap(agent).map(|owned| owned.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            Ok(Some(agent)) => Ok(*agent),
            Ok(None) => Err(Self { name, description, agent: Arc::default() }),
            Err(agent) => Err(Self { name, description, agent }),
        }
    }

    fn begin(&self, request: PromptRequest) -> Result<Invocation<'static>, AgentError> {
        Invocation::taking(self.take()?, request).ok_or_else(|| self.busy())
    }

    fn take(&self) -> Result<TakenAgent, AgentError> {
        let agent = self.lock().take().ok_or_else(|| self.busy())?;
        Ok(TakenAgent { agent: Some(agent), owner: Arc::clone(&self.agent) })
    }

    fn busy(&self) -> AgentError {
        AgentError::Busy { name: (*self.name).to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Agent>>> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedAgent").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A shared agent that a prompt has taken. Dropping it returns the agent.
pub(super) struct TakenAgent {
    /// `None` only during drop.
    pub(super) agent: Option<Box<Agent>>,
    owner: Arc<Mutex<Option<Box<Agent>>>>,
}

impl Drop for TakenAgent {
    fn drop(&mut self) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = self.agent.take();
    }
}

impl Promptable for SharedAgent {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let shared = self.clone();
        events(async move { shared.begin(request).map(|invocation| Start::Invocation(Box::new(invocation))) })
    }

    fn discard(&self, _: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        let shared = self.clone();
        Box::pin(async move {
            let mut taken = shared.take()?;
            match taken.agent.as_deref_mut() {
                Some(agent) => agent.discard_interrupts().await,
                None => Ok(()),
            }
        })
    }
}

impl SharedAgent {
    /// Returns the agent as a tool of other agents. All its calls are part of its one conversation.
    pub fn as_tool(&self) -> AgentTool {
        AgentTool::new(self.clone())
    }
}

/// Builds a new agent for each prompt.
impl Promptable for AgentBuilder {
    fn name(&self) -> &str {
        &self.names.name
    }

    fn description(&self) -> &str {
        &self.names.description
    }

    fn requires(&self) -> Vec<InjectedKey> {
        self.required_values()
    }

    fn has_session(&self) -> bool {
        self.sessions.is_some()
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let limits = request.limits.unwrap_or(self.limits);
        let template = self.clone().injected_within(&request.injected);
        // Boxed to save stack, since nested prompts are polled on one stack.
        let building = template.boxed_build();
        events(async move {
            let mut request = request;
            let mut agent = {
                let ended =
                    Box::pin(stop_requested(Some(request.cancellation.clone()), limits.time(), nesting::current()));
                match select(ended, building).await {
                    Either::Left((reason, _)) => return Ok(Start::Stopped(reason)),
                    Either::Right((agent, _)) => agent?,
                }
            };
            if let Some(continuation) = request.continuation.take() {
                agent.continue_from(&continuation)?;
            }
            Ok(Start::Invocation(Box::new(Invocation::requested(agent, request))))
        })
    }

    /// Discards those of agents elsewhere that are tools of the template.
    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        match request.continuation {
            Some(continuation) => Box::pin(self.clone().discard_from(continuation)),
            None => Box::pin(ready(Ok(()))),
        }
    }
}

/// Start of a prompt.
enum Start {
    Invocation(Box<Invocation<'static>>),
    /// The prompt was stopped before the agent was built.
    Stopped(StopReason),
}

/// Returns the events of an invocation that starts when the stream is polled.
fn events(start: impl Future<Output = Result<Start, AgentError>> + Send + 'static) -> PromptStream {
    let only = |event| stream::once(ready(event)).right_stream();
    let events = stream::once(start).flat_map(move |start| match start {
        Ok(Start::Invocation(invocation)) => invocation.stream().left_stream(),
        Ok(Start::Stopped(reason)) => {
            let response = AgentResponse::new(Message::new(Role::Assistant, [""; 0]), reason);
            only(Ok(AgentEvent::Result { response: Box::new(response) }))
        }
        Err(error) => only(Err(error)),
    });
    Box::pin(events)
}
