//! Swarms: agents that hand a task over to each other.

mod adoption;
mod builder;
mod definition;
mod document;
mod error;
mod handoff;
mod member;
mod prompt;
mod response;
mod run;
mod shared_context;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use builder::SwarmBuilder;
pub use error::SwarmBuildError;
pub use member::{IntoMember, Member};
pub use response::SwarmResponse;
pub use shared_context::SharedContext;

use strands_core::{
    AgentError, AgentEvent, AgentTool, BoxFuture, InjectedKey, IntoTool, PromptRequest, PromptStream, Promptable, Tool,
};

use crate::driver;
use crate::emitting::{Emitter, observe};
use definition::Definition;

/// Agents that hand a task over to each other: each decides whether it goes on itself, or which other one does. Cheap to clone.
///
/// Members are agents' templates, or anything else that takes prompts. A template can be in several swarms, and one swarm has any number of
/// runs at a time. A swarm is itself a [`Promptable`]: a member of another one, a node of a graph, or a tool of an agent.
///
/// The run is one budget of [limits](SwarmBuilder::limits), one stream of events, and one cancellation. Interrupts of members suspend it:
/// a response resumes it in any process, from the session or from the
/// [continuation](strands_core::AgentResponse::continuation) of the response.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::Swarm;
/// # use strands::{serde_json::json, testing::{ScriptedModel, ScriptedTurn}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let handing_over = ScriptedModel::new([ScriptedTurn::tool_use(
/// #     "handoff_to_agent",
/// #     json!({"agent_name": "writer", "message": "Bees have six legs.", "context": {"source": "a book"}}),
/// # )]);
/// # let writing = ScriptedModel::responding("A bee walks on six legs.");
/// let researcher = Agent::builder().name("researcher").description("Finds facts.").model(handing_over);
/// let writer = Agent::builder().name("writer").description("Writes texts.").model(writing);
/// let team = Swarm::builder("team").member(researcher).member(writer).handoffs("writer", ["researcher"]).build()?;
///
/// let response = team.run("Tell me about bees.").await?;
/// assert_eq!(response.text(), "A bee walks on six legs.");
/// assert_eq!(response.history.join(" -> "), "researcher -> writer");
/// assert_eq!(response.shared_context.get("researcher", "source"), Some(&json!("a book")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Semantics
///
/// - One member has the turn. The first one is the entry; it gets the task.
/// - A member hands over by calling the tool `handoff_to_agent`, which is added to its prompt and not to the agent. The call ends its turn
///   at once. It must be the only call of its turn: otherwise no tool of the turn runs, and the model is told why.
/// - The tool accepts the members that the rules allow, a message of at most 32 KiB, and values for the shared context up to its limit.
///   Hooks may deny a handoff. What is refused is an error result, and the member keeps the turn.
/// - The next member gets the message, the task, the names of those who had a turn before, the shared context, and the members to which
///   it may hand over itself; and all images and documents of the task.
/// - A member that ends without a handoff completes the run, unless the swarm returns to another member, which goes on with the response.
/// - The run ends with `limit_steps` before a handoff or a turn too many, and goes on from there if a later limit allows it.
/// - The end of a turn, the changes of the shared context and the next turn are one record. After a crash, a turn that has started runs
///   again, unless its member may run only once.
#[derive(Clone)]
pub struct Swarm {
    definition: Arc<Definition>,
}

impl Swarm {
    /// Creates a builder of a swarm with a name.
    pub fn builder(name: impl Into<Arc<str>>) -> SwarmBuilder {
        SwarmBuilder::new(name.into())
    }

    fn of(definition: Definition) -> Self {
        Self { definition: Arc::new(definition) }
    }

    /// Runs the swarm with a task, and returns the results of its members. [`Promptable::stream`] streams the events.
    ///
    /// Without a task, an unfinished run goes on: one that is in the session, or the
    /// [continuation](PromptRequest::continue_from) of the request. A member that has failed gets another attempt then.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Promptable`] with a [`RunError`](crate::RunError) as its source if a member failed, or if the members handed
    /// over in circles; and the errors of starting a run, such as [`AgentError::UnknownInterrupt`].
    pub async fn run(&self, request: impl Into<PromptRequest>) -> Result<SwarmResponse, AgentError> {
        let run = driver::run(Arc::clone(&self.definition), request.into(), Emitter::unread());
        Box::pin(run).await.map(SwarmResponse::new)
    }

    /// Runs the swarm as [`run`](Self::run) does, and passes each event to a function, the last one with the response.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub async fn run_with_events(
        &self,
        request: impl Into<PromptRequest>,
        mut on_event: impl FnMut(AgentEvent) + Send,
    ) -> Result<SwarmResponse, AgentError> {
        let (definition, request) = (Arc::clone(&self.definition), request.into());
        let run = observe(|emitter| Box::pin(driver::run(definition, request, emitter)), &mut on_event);
        let finished = run.await?;
        on_event(AgentEvent::Result { response: Box::new(finished.response.clone()) });
        Ok(SwarmResponse::new(finished))
    }

    /// Returns the swarm as a tool, with its settings. In `tools![..]` the swarm itself is one without settings.
    pub fn as_tool(&self) -> AgentTool {
        AgentTool::new(self.clone())
    }

    /// Discards the run in the session that has not completed: the turn that has not ended is skipped, interrupts are not pending any more,
    /// and the session is free for another task. Recorded results stay. Returns false if there is no such run.
    ///
    /// Also for a run of an earlier release of the program, which can't go on since its members have changed. A run that another process is
    /// performing ends there with a conflict, at its next save.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session can't be read or written, and [`AgentError::Promptable`] with
    /// [`RunError::NotRestored`](crate::RunError::NotRestored) as its source if the document is of something else.
    /// The error of an agent elsewhere that waits for a response and is out of reach leaves the run as it is: repeat the call.
    pub async fn discard_run(&self) -> Result<bool, AgentError> {
        driver::discard(&self.definition).await
    }
}

impl Promptable for Swarm {
    fn name(&self) -> &str {
        &self.definition.settings.name
    }

    fn description(&self) -> &str {
        &self.definition.description
    }

    fn requires(&self) -> Vec<InjectedKey> {
        self.definition.settings.requires.iter().map(|(_, key)| *key).collect()
    }

    fn has_session(&self) -> bool {
        self.definition.settings.session_manager.is_some()
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        driver::stream(&self.definition, request)
    }

    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        Box::pin(driver::discard_continuation(Arc::clone(&self.definition), request))
    }
}

impl IntoTool for Swarm {
    fn into_tool(self) -> Arc<dyn Tool> {
        Arc::new(self.as_tool())
    }
}

impl fmt::Debug for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swarm")
            .field("name", &self.definition.settings.name)
            .field("members", &self.definition.members.keys())
            .finish_non_exhaustive()
    }
}
