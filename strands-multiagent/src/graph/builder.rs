//! [`GraphBuilder`].

use std::fmt;
use std::sync::Arc;

use strands_core::Limits;
use strands_core::multiagent::{MultiAgentKind, NodeHook};
use strands_core::session::SessionManager;

use super::definition::{Condition, Definition, GraphState, Join};
use super::topology::EdgeKind;
use super::{Graph, GraphBuildError, checks};
use crate::given_values::{GivenValues, MissingValue};
use crate::machine::Settings;
use crate::node::{Failure, IntoNode, Node};

/// Default of [`GraphBuilder::concurrency`].
const CONCURRENCY: usize = 64;

/// Builder for a [`Graph`].
pub struct GraphBuilder<S = ()> {
    pub(super) name: String,
    id: Option<String>,
    description: String,
    initial: S,
    pub(super) nodes: Vec<(String, Node<S>)>,
    pub(super) edges: Vec<Edge<S>>,
    pub(super) joins: Vec<(String, Join)>,
    pub(super) entries: Vec<String>,
    limits: Limits,
    pub(super) concurrency: usize,
    hooks: Vec<Arc<dyn NodeHook>>,
    session_manager: Option<Arc<dyn SessionManager>>,
    given: GivenValues,
}

/// An edge by the ids of its nodes.
pub(super) struct Edge<S> {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) kind: EdgeKind,
    pub(super) condition: Option<Condition<S>>,
}

impl<S: GraphState> GraphBuilder<S> {
    pub(super) fn new(name: String, initial: S) -> Self {
        Self {
            name,
            id: None,
            description: String::new(),
            initial,
            nodes: Vec::new(),
            edges: Vec::new(),
            joins: Vec::new(),
            entries: Vec::new(),
            limits: Limits::unlimited(),
            concurrency: CONCURRENCY,
            hooks: Vec::new(),
            session_manager: None,
            given: GivenValues::default(),
        }
    }

    /// Sets the id, under which a session stores the run. Default: the name.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the description, for a model that chooses between agents. Default: empty.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a node: an agent template, another graph, or anything else that takes prompts; or a [`Node`] with settings.
    ///
    /// An id has 1 to 128 letters, digits, `_`, `-` and `.`, and starts with a letter or a digit.
    #[must_use]
    pub fn node(mut self, id: impl Into<String>, node: impl IntoNode<S>) -> Self {
        let (id, node) = (id.into(), node.into_node());
        if let Failure::Route(to) = &node.failure {
            self.edges.push(Edge { from: id.clone(), to: to.clone(), kind: EdgeKind::Failure, condition: None });
        }
        self.nodes.push((id, node));
        self
    }

    /// Adds an edge: `to` gets the output of `from` once that has completed.
    #[must_use]
    pub fn edge(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edges.push(Edge { from: from.into(), to: to.into(), kind: EdgeKind::Success, condition: None });
        self
    }

    /// Adds an edge that fires only if a condition holds on the state, right after `from` has completed; or after a loop has ended, if
    /// the edge leaves it.
    #[must_use]
    pub fn edge_if(
        mut self,
        from: impl Into<String>,
        to: impl Into<String>,
        condition: impl Fn(&S) -> bool + Send + Sync + 'static,
    ) -> Self {
        let condition: Option<Condition<S>> = Some(Box::new(condition));
        self.edges.push(Edge { from: from.into(), to: to.into(), kind: EdgeKind::Success, condition });
        self
    }

    /// Adds a back edge. It makes a loop of the nodes on paths from `to` to `from`: if `from` has completed and the
    /// condition holds at the end of an iteration, the next one starts at `to`. There are at most `max_iterations`, at least 2.
    #[must_use]
    pub fn loop_if(
        mut self,
        from: impl Into<String>,
        to: impl Into<String>,
        max_iterations: u32,
        condition: impl Fn(&S) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (kind, condition): (_, Option<Condition<S>>) =
            (EdgeKind::Loop { max: max_iterations }, Some(Box::new(condition)));
        self.edges.push(Edge { from: from.into(), to: to.into(), kind, condition });
        self
    }

    /// Sets the join of a node. Default: [`Join::All`].
    #[must_use]
    pub fn join(mut self, node: impl Into<String>, join: Join) -> Self {
        self.joins.push((node.into(), join));
        self
    }

    /// Sets a node as an entry: it gets the task, and the task counts as an edge to it that has fired. Default: all nodes without
    /// incoming edges, apart from those of loops.
    #[must_use]
    pub fn entry(mut self, node: impl Into<String>) -> Self {
        self.entries.push(node.into());
        self
    }

    /// Sets the limits of a run: one budget of all its nodes. Default: unlimited; each agent has its own limits, too.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the maximum number of nodes that run at the same time. Default: 64.
    #[must_use]
    pub fn concurrency(mut self, nodes: usize) -> Self {
        self.concurrency = nodes;
        self
    }

    /// Adds a hook.
    #[must_use]
    pub fn hook(mut self, hook: impl NodeHook + 'static) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Sets the session in which runs are stored. Without one, a run that is interrupted is in the response, as its
    /// [continuation](strands_core::AgentResponse::continuation).
    #[must_use]
    pub fn session_manager(mut self, manager: impl SessionManager + 'static) -> Self {
        self.session_manager = Some(Arc::new(manager));
        self
    }

    /// Injects a value for the tools, hooks and functions of all nodes. A value of the same type that a prompt injects takes precedence.
    #[must_use]
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.given.inject(value);
        self
    }

    /// Declares that each prompt injects a value of this type, so that the build does not require it. A prompt without it is an error.
    #[must_use]
    pub fn injected_per_prompt<T: Send + Sync + 'static>(mut self) -> Self {
        self.given.expect::<T>();
        self
    }

    /// Builds the graph.
    ///
    /// # Errors
    ///
    /// Returns a [`GraphBuildError`] if the graph is not valid.
    pub fn build(self) -> Result<Graph<S>, GraphBuildError> {
        let topology = checks::topology(&self)?;
        let requires = self.given.required(self.nodes.iter().map(|(id, node)| (id.as_str(), node.requires().to_vec())));
        let requires =
            requires.map_err(|MissingValue { of, ty }| GraphBuildError::MissingInjectedValue { id: of, ty })?;
        let settings = Settings {
            kind: MultiAgentKind::Graph,
            id: self.id.unwrap_or_else(|| self.name.clone()).into(),
            name: self.name.into(),
            limits: self.limits,
            concurrency: self.concurrency,
            hooks: self.hooks,
            session_manager: self.session_manager,
            inject: self.given.inject,
            requires,
        };
        let definition = Definition {
            settings,
            description: self.description,
            topology,
            nodes: self.nodes.into_iter().map(|(_, node)| node).collect(),
            conditions: self.edges.into_iter().map(|edge| edge.condition).collect(),
            initial: Arc::new(self.initial),
        };
        Ok(Graph::new(definition))
    }
}

impl<S> fmt::Debug for GraphBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphBuilder")
            .field("name", &self.name)
            .field("nodes", &self.nodes.len())
            .field("edges", &self.edges.len())
            .finish_non_exhaustive()
    }
}
