//! Definition of a graph: its shape, its nodes and its conditions.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strands_core::Prompt;

use super::document;
use super::machine::GraphRun;
use super::run::{Decisions, Run};
use super::topology::Topology;
use crate::machine::{Orchestrator, RestoreError, Settings};
use crate::node::Node;

/// Condition of an edge.
pub(crate) type Condition<S> = Box<dyn Fn(&S) -> bool + Send + Sync>;

/// Condition under which a node starts, over its incoming edges. Edges that can't fire any more don't count. Edges of loops have no
/// part in it: each one that fires starts its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Join {
    /// The node starts once each edge has fired or can't fire any more, and at least one has fired.
    #[default]
    All,
    /// The node starts once an edge has fired. The output of later ones is ignored.
    Any,
    /// The node starts once this many edges have fired. The output of later ones is ignored.
    AtLeast(usize),
}

/// A trait for the state of a graph, implemented for all types that can be stored.
pub trait GraphState: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<S: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> GraphState for S {}

pub(crate) struct Definition<S> {
    pub(crate) settings: Settings,
    pub(crate) description: String,
    pub(crate) topology: Topology,
    pub(crate) nodes: Vec<Node<S>>,
    /// Of each edge.
    pub(crate) conditions: Vec<Option<Condition<S>>>,
    pub(crate) initial: Arc<S>,
}

impl<S> Definition<S> {
    pub(crate) fn node(&self, index: usize) -> Option<&Node<S>> {
        self.nodes.get(index)
    }
}

/// The conditions of a graph on a state.
pub(super) struct Conditions<'a, S> {
    pub(super) definition: &'a Definition<S>,
    pub(super) state: &'a S,
}

impl<S> Decisions for Conditions<'_, S> {
    fn holds(&self, edge: usize) -> bool {
        let condition = self.definition.conditions.get(edge).and_then(Option::as_ref);
        condition.is_none_or(|condition| condition(self.state))
    }
}

impl<S: GraphState> Orchestrator for Definition<S> {
    type Run = GraphRun<S>;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn begin(
        self: &Arc<Self>,
        task: Prompt,
        run_id: String,
        earlier: Option<&GraphRun<S>>,
        is_first: bool,
    ) -> GraphRun<S> {
        let mut run = Run::new(&self.topology, run_id, task);
        run.is_first = is_first;
        if let Some(earlier) = earlier {
            run.keep_conversations(&earlier.run);
        }
        GraphRun::new(Arc::clone(self), run, Arc::clone(&self.initial), false)
    }

    fn restore(self: &Arc<Self>, stored: &Value) -> Result<GraphRun<S>, RestoreError> {
        document::restored(self, stored)
    }

    fn restore_ended(self: &Arc<Self>, stored: &Value) -> Result<GraphRun<S>, RestoreError> {
        document::restored_ended(self, stored)
    }
}
