//! Graphs of agents, functions and other graphs.

mod adoption;
mod builder;
mod checks;
mod definition;
mod diagram;
mod document;
mod error;
mod loops;
mod machine;
mod response;
mod run;
mod topology;

use std::fmt;
use std::sync::Arc;

use strands_core::{
    AgentError, AgentEvent, AgentTool, BoxFuture, InjectedKey, IntoTool, PromptRequest, PromptStream, Promptable, Tool,
};

pub use builder::GraphBuilder;
pub use definition::{GraphState, Join};
pub use error::GraphBuildError;
pub use response::GraphResponse;

use crate::driver;
use crate::emitting::{Emitter, observe};
use definition::Definition;

/// A graph of agents and functions.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::{Graph, NodeInput, function};
/// # use strands::testing::ScriptedModel;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = ScriptedModel::responding("700,000 people live in Oslo.");
/// let researcher = Agent::builder().name("researcher").model(model);
/// let graph = Graph::builder("newsroom")
///     .node("research", researcher)
///     .node("print", function(|_, input: NodeInput| async move { input.text().to_uppercase() }))
///     .edge("research", "print")
///     .build()?;
/// assert_eq!(graph.run("Write about Oslo.").await?.text(), "700,000 PEOPLE LIVE IN OSLO.");
/// # Ok(())
/// # }
/// ```
///
/// # Semantics
///
/// **Edges.** An edge is decided once in a run, or once in each iteration of a loop that has both of its nodes: it *fires*, or it
/// *can't fire any more*. It fires when its source has completed and its condition holds on the state, after the changes that the source
/// made. It can't fire any more when its source has completed and the condition does not hold, or when its source has failed or was
/// skipped. The edge of [`Failure::Route`](crate::Failure::Route) is the opposite: it fires when its source has failed, and can't fire
/// any more when its source has completed or was skipped. The condition of an edge is read once.
///
/// **Joins.** A node decides as soon as its [`Join`] allows it, whatever else is running: it runs, or it is skipped. With `m` incoming edges,
/// of which `f` have fired and `d` are decided:
///
/// | join | runs | is skipped |
/// |---|---|---|
/// | `All` | if `d = m` and `f > 0` | if `d = m` and `f = 0` |
/// | `Any` | if `f >= 1` | if `d = m` and `f = 0` |
/// | `AtLeast(n)` | if `f >= n` | if `f + (m - d) < n` |
///
/// For an entry, the task counts as one more edge, which has fired. The edges of a skipped node can't fire any more, so that each node
/// runs or is skipped, and none waits forever. Edges that fire after the node has decided have no effect.
///
/// **Input.** A node gets the task, and the outputs of the sources of all edges that have fired when it decides, in the order in which the
/// edges were declared: see [`NodeInput`](crate::NodeInput). Of a source that failed it gets the text of the failure.
///
/// **State.** The changes that a node makes are applied when its result is recorded, one node after the other. A node sees the state as it
/// was when the node started. Nodes that run at the same time and change the same part of the state should make changes that don't
/// depend on their order.
///
/// **Loops.** An edge of [`loop_if`](GraphBuilder::loop_if) makes a loop: its body are all nodes on paths from its target to its
/// source. Loops are nested or apart; loops that overlap otherwise, or have the same body, are one loop with several such edges. So are
/// loops that would wait for each other, since edges lead from the first to the second and back; nodes on such paths are in the body. An
/// iteration ends when all nodes and inner loops of the body have ended. Then the edges of the loop are decided: one fires if its source has completed
/// in this iteration, there are fewer iterations than its maximum, and its condition holds.
///
/// - If one fires, the next iteration begins. The nodes and edges of the body are as at the start, and inner loops are at their first
///   iteration. Edges from outside of the body stay as they are, so that their outputs are inputs again. The targets of edges that fired
///   run, whatever their join; a node without edges from within the body is skipped; others decide by their joins.
/// - If none fires, the loop has ended. Only now the edges that leave the loop are decided, by the last iteration; an edge that leaves
///   several loops, when the outermost of them ends.
///
/// **Failures.** A node that has failed for good, after its retries, follows its [`Failure`](crate::Failure) policy. With `Skip` and `Route` it
/// has ended. With `Run` the run fails: nodes that are running go on to their end, and no others start. A failed run that is continued with
/// an empty prompt runs the failed nodes again.
///
/// **Interrupts.** A node that raises interrupts has not ended. Other nodes go on; when none can run any more, the run is suspended, with all
/// interrupts. A response continues the nodes whose interrupts have a response; the others stay suspended, and nodes that have ended never
/// run again.
///
/// **Lists.** A node with [`for_each`](crate::Node::for_each) reads its list when it starts. Its items start in order, and have interrupts,
/// retries and results of their own.
///
/// **Order.** Nodes start in the order in which they became ready, as far as [`concurrency`](GraphBuilder::concurrency) allows. Of nodes that
/// become ready at the same time, those whose edges were declared first start first.
///
/// **Stops.** A cancellation or a reached limit ends the run with that stop reason. Nodes that were stopped run again, and graphs and swarms
/// that are nodes go on from their own state unless they keep their conversation, when the run is
/// continued: with the session, or with the [continuation](strands_core::AgentResponse::continuation) of the response, and with new limits.
///
/// **Crashes.** With a session, a node starts after the session has it as started, and its result, its changes of the state and what becomes
/// ready are one write. A node with a recorded result never runs again. A node that had started runs again, unless it
/// [`runs_once`](crate::Node::runs_once).
pub struct Graph<S = ()> {
    definition: Arc<Definition<S>>,
}

impl Graph {
    /// Creates a builder for a graph without a state.
    pub fn builder(name: impl Into<String>) -> GraphBuilder {
        GraphBuilder::new(name.into(), ())
    }

    /// Creates a builder for a graph with a state. Each run starts with this value.
    pub fn with_state<S: GraphState>(name: impl Into<String>, initial: S) -> GraphBuilder<S> {
        GraphBuilder::new(name.into(), initial)
    }
}

impl<S: GraphState> Graph<S> {
    fn new(definition: Definition<S>) -> Self {
        Self { definition: Arc::new(definition) }
    }

    /// Runs the graph with a task, and returns the results of all nodes. [`Promptable::stream`] streams the events.
    ///
    /// Without a task, an unfinished run goes on: one that is in the session, or the
    /// [continuation](PromptRequest::continue_from) of the request. A run that has failed makes another attempt then.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Promptable`] with a [`RunError`](crate::RunError) as its source if a node failed, unless its failure is
    /// handled; and the errors of starting a run, such as [`AgentError::UnknownInterrupt`].
    pub async fn run(&self, request: impl Into<PromptRequest>) -> Result<GraphResponse<S>, AgentError> {
        let run = driver::run(Arc::clone(&self.definition), request.into(), Emitter::unread());
        Box::pin(run).await.map(GraphResponse::new)
    }

    /// Discards the run in the session that has not completed: nodes that have not ended are skipped, interrupts are not pending any more,
    /// and the session is free for another task. Recorded results stay. Returns false if there is no such run.
    ///
    /// Also for a run of an earlier release of the program, which can't go on since nodes or edges have changed. A run that another process is
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

    /// Runs the graph as [`run`](Self::run) does, and passes each event to a function, the last one with the response.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub async fn run_with_events(
        &self,
        request: impl Into<PromptRequest>,
        mut on_event: impl FnMut(AgentEvent) + Send,
    ) -> Result<GraphResponse<S>, AgentError> {
        let (definition, request) = (Arc::clone(&self.definition), request.into());
        let run = observe(|emitter| Box::pin(driver::run(definition, request, emitter)), &mut on_event);
        let finished = run.await?;
        on_event(AgentEvent::Result { response: Box::new(finished.response.clone()) });
        Ok(GraphResponse::new(finished))
    }

    /// Returns the graph as a tool, with its settings. In `tools![..]` the graph itself is one without settings.
    pub fn as_tool(&self) -> AgentTool {
        AgentTool::new(self.clone())
    }

    /// Returns the graph in the language of [Mermaid](https://mermaid.js.org/syntax/flowchart.html), which GitHub and others draw. Agents have
    /// round corners; edges of loops and of failures are dotted.
    pub fn to_mermaid(&self) -> String {
        self.definition.to_mermaid()
    }

    /// Returns the graph in the language of [Graphviz](https://graphviz.org/doc/info/lang.html). Agents have round corners; edges of loops and
    /// of failures are dashed.
    pub fn to_dot(&self) -> String {
        self.definition.to_dot()
    }
}

impl<S: GraphState> Promptable for Graph<S> {
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

impl<S: GraphState> IntoTool for Graph<S> {
    fn into_tool(self) -> Arc<dyn Tool> {
        Arc::new(self.as_tool())
    }
}

impl<S> Clone for Graph<S> {
    fn clone(&self) -> Self {
        Self { definition: Arc::clone(&self.definition) }
    }
}

impl<S> fmt::Debug for Graph<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("name", &self.definition.settings.name).finish_non_exhaustive()
    }
}
