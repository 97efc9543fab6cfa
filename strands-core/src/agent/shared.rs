//! Agents as something that can be prompted without a borrow: one conversation that is shared, and a template that builds
//! an agent for each prompt.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};

use super::{Agent, AgentBuilder, Invocation};
use crate::event::{AgentEvent, AgentResponse};
use crate::event_loop::end_of;
use crate::message::{Message, Role};
use crate::nesting;
use crate::outcome::AgentError;
use crate::promptable::{PromptRequest, PromptStream, Promptable};
use crate::stop_reason::StopReason;

/// One agent that several owners can prompt, one after the other. Clones share the conversation.
///
/// A prompt that comes while the agent works on another one is refused with [`AgentError::Busy`]: which of two prompts is
/// first is for the program to decide.
///
/// ```
/// use strands::testing::ScriptedModel;
/// use strands::{Agent, Promptable, SharedAgent, StreamExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let agent = Agent::builder().model(ScriptedModel::answering("Hello.")).build().await?;
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
    /// Shares an agent.
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
    /// Returns the shared agent if somebody else shares it, or if a prompt is under way.
    pub fn try_into_agent(self) -> Result<Agent, Self> {
        let Self { name, description, agent } = self;
        match Arc::try_unwrap(agent).map(|home| home.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            Ok(Some(agent)) => Ok(*agent),
            Ok(None) => Err(Self { name, description, agent: Arc::default() }),
            Err(agent) => Err(Self { name, description, agent }),
        }
    }

    fn begin(&self, request: PromptRequest) -> Result<Invocation<'static>, AgentError> {
        let busy = || AgentError::Busy { name: (*self.name).to_owned() };
        let agent = self.lock().take().ok_or_else(busy)?;
        let taken = TakenAgent { agent: Some(agent), home: Arc::clone(&self.agent) };
        Invocation::taking(taken, request).ok_or_else(busy)
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

/// A shared agent while a prompt has it. Dropping it returns the agent.
pub(super) struct TakenAgent {
    /// `None` only while it is dropped.
    pub(super) agent: Option<Box<Agent>>,
    home: Arc<Mutex<Option<Box<Agent>>>>,
}

impl Drop for TakenAgent {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.agent.take();
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
        begun(async move { shared.begin(request).map(|invocation| Begun::Invocation(Box::new(invocation))) })
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

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let limits = request.limits.unwrap_or(self.limits);
        // Boxed, since nested prompts are polled on one stack.
        let building = Box::pin(self.clone().build());
        begun(async move {
            let agent = {
                let ended = Box::pin(end_of(&request.cancellation, limits.time(), nesting::current()));
                match select(ended, building).await {
                    Either::Left((reason, _)) => return Ok(Begun::Ended(reason)),
                    Either::Right((agent, _)) => agent?,
                }
            };
            Ok(Begun::Invocation(Box::new(Invocation::requested(agent, request))))
        })
    }
}

/// Beginning of a prompt.
enum Begun {
    Invocation(Box<Invocation<'static>>),
    /// The prompt was stopped before there was an agent.
    Ended(StopReason),
}

/// The events of an invocation that begins when they are polled.
fn begun(beginning: impl Future<Output = Result<Begun, AgentError>> + Send + 'static) -> PromptStream {
    let only = |event| stream::once(ready(event)).right_stream();
    let events = stream::once(beginning).flat_map(move |begun| match begun {
        Ok(Begun::Invocation(invocation)) => invocation.stream().left_stream(),
        Ok(Begun::Ended(reason)) => {
            let response = AgentResponse::new(Message::new(Role::Assistant, [""; 0]), reason);
            only(Ok(AgentEvent::Result { response: Box::new(response) }))
        }
        Err(error) => only(Err(error)),
    });
    Box::pin(events)
}
