//! Context of a node hook's event: the run, the node and injected values.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::injected::InjectedValues;
use crate::nesting::Budget;
use crate::prompt_scope::PromptScope;
use crate::scope::Locals;
use crate::trace_context::TraceContext;

/// Kind of what runs nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MultiAgentKind {
    /// A graph.
    Graph,
    /// A swarm.
    Swarm,
}

impl MultiAgentKind {
    /// Returns the kind in lower case, as in documents of Strands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Swarm => "swarm",
        }
    }
}

impl fmt::Display for MultiAgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Context of an event of a [`NodeHook`](super::NodeHook): the run, and the part of it that the event is about. Cheap to clone.
///
/// It is also an injected value of the prompts of the nodes, so that tools and hooks of their agents can read it.
#[derive(Clone)]
pub struct MultiAgentContext {
    run: Arc<RunContext>,
    injected: InjectedValues,
    budget: Arc<Budget>,
}

struct RunContext {
    kind: MultiAgentKind,
    name: Arc<str>,
    run_id: Arc<str>,
    session_id: Option<Arc<str>>,
    is_resumed: bool,
    locals: Locals,
}

impl MultiAgentContext {
    /// Creates the context of a run with this id, for a custom orchestrator.
    pub fn new(
        kind: MultiAgentKind,
        name: impl Into<Arc<str>>,
        run_id: impl Into<Arc<str>>,
        scope: &PromptScope,
    ) -> Self {
        let (name, run_id, locals) = (name.into(), run_id.into(), Locals::default());
        let run = RunContext { kind, name, run_id, session_id: None, is_resumed: false, locals };
        Self { run: Arc::new(run), injected: scope.injected_values().clone(), budget: Arc::clone(scope.budget()) }
    }

    /// Sets the id of the session in which the run is stored. Has no effect on a context that was cloned before.
    #[must_use]
    pub fn with_session(mut self, id: impl Into<Arc<str>>) -> Self {
        if let Some(run) = Arc::get_mut(&mut self.run) {
            run.session_id = Some(id.into());
        }
        self
    }

    /// Sets that the run continues an earlier one. Has no effect on a context that was cloned before.
    #[must_use]
    pub fn resumed(mut self, is_resumed: bool) -> Self {
        if let Some(run) = Arc::get_mut(&mut self.run) {
            run.is_resumed = is_resumed;
        }
        self
    }

    /// Returns the context of one node of the run, with the scope of the node.
    #[must_use]
    pub fn of_node(&self, scope: &PromptScope) -> Self {
        Self { budget: Arc::clone(scope.budget()), ..self.clone() }
    }

    /// Drops the values that hooks keep for the run, at its end.
    pub fn end(&self) {
        self.run.locals.clear();
    }

    /// Returns the kind of what runs the nodes.
    pub fn kind(&self) -> MultiAgentKind {
        self.run.kind
    }

    /// Returns the name of the graph or the swarm.
    pub fn name(&self) -> &str {
        &self.run.name
    }

    /// Returns the id of the run, which is the same in all processes that continue it.
    pub fn run_id(&self) -> &str {
        &self.run.run_id
    }

    /// Returns the id of the session in which the run is stored.
    pub fn session_id(&self) -> Option<&str> {
        self.run.session_id.as_deref()
    }

    /// Returns true if the run continues an earlier one, after an interrupt, a stop or a crash.
    pub fn is_resumed(&self) -> bool {
        self.run.is_resumed
    }

    /// Returns the injected value of a type.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.injected.get()
    }

    /// Returns a value that hooks keep for the run, which is created on the first call with this type. It is dropped at the end of
    /// the run, also if the run is dropped midway.
    pub fn local<T: Send + Sync + 'static>(&self, create: impl FnOnce() -> T) -> Arc<T> {
        self.run.locals.get_or_insert_with(create)
    }

    /// Sets the position in a distributed trace that agents within the run, or within the node of a node's event, continue.
    pub fn set_trace(&self, trace: TraceContext) {
        self.budget.set_trace(trace);
    }

    /// Returns the position in a distributed trace: of the node, of the run, or of what is around it.
    pub fn trace(&self) -> Option<TraceContext> {
        self.budget.trace().or_else(|| self.injected.get::<TraceContext>().cloned())
    }

    /// Returns a token that is cancelled when the run, or the node of a node's event, is cancelled or ends.
    pub fn cancellation(&self) -> &CancellationToken {
        self.budget.cancellation()
    }
}

impl fmt::Debug for MultiAgentContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiAgentContext")
            .field("kind", &self.run.kind)
            .field("name", &self.run.name)
            .field("run_id", &self.run.run_id)
            .finish_non_exhaustive()
    }
}
