//! [`GraphResponse`], the response of a run.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use strands_core::AgentResponse;
use strands_core::multiagent::NodeResult;

use super::machine::GraphRun;
use crate::driver::Finished;

/// Response of a run of a graph with a state of type `S`. `Display` prints the text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GraphResponse<S = ()> {
    /// The response as that of an agent: its message has the outputs of the completed nodes none of whose edges fired, in the order in
    /// which they were declared. Nodes within a loop that the run has left do not count. Its stop reason is [`EndTurn`](strands_core::models::StopReason::EndTurn) if all nodes have ended.
    pub response: AgentResponse,
    /// Results of the nodes that have one, in the order in which the nodes were declared: of the last time that each ended.
    pub results: IndexMap<Arc<str>, NodeResult>,
    /// Ids of the nodes in the order in which they completed; a node in a loop several times.
    pub order: Vec<Arc<str>>,
    /// The state.
    pub state: S,
}

impl<S: Clone> GraphResponse<S> {
    pub(super) fn new(finished: Finished<GraphRun<S>>) -> Self {
        let Finished { run: GraphRun { definition, run, state, .. }, response } = finished;
        let id = |index: usize| definition.topology.id(index);
        let order = run.order.iter().map(|index| id(*index)).collect();
        let nodes = run.nodes.into_iter().enumerate();
        let results = nodes.filter_map(|(index, node)| Some((id(index), node.result?))).collect();
        Self { response, results, order, state: Arc::unwrap_or_clone(state) }
    }

    /// Returns the text of the response.
    pub fn text(&self) -> String {
        self.response.text()
    }
}

impl<S> fmt::Display for GraphResponse<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.response.fmt(f)
    }
}
