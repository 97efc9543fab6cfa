//! Documents of runs: the JSON of Strands' graphs and swarms, with the state of this crate beside it.
//!
//! Strands reads and writes the fields that it knows. The state of this crate is in `_internal_state.run`, which Strands ignores and
//! drops when it writes. It has a digest of Strands' fields: if another program has changed them since, the digest differs, and the
//! run continues from those fields alone. Fields that neither knows survive a rewrite.
//!
//! Formats: `strands/multiagent/graph.py`, `swarm.py` and `base.py` of Strands for Python, methods `serialize_state`,
//! `deserialize_state` and `to_dict`.

mod error;
mod interrupts;
mod own_state;
mod read;
mod result;
mod task;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use strands_core::metrics::Usage;
use strands_core::multiagent::{MultiAgentKind, NodeResult, NodeStatus};
use strands_core::{Continuation, Interrupt, Prompt};

pub use error::DocumentError;

use crate::activity::{Activity, ActivityStatus};

/// A run as its document has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunDocument {
    /// Id of the graph or swarm.
    pub(crate) id: Arc<str>,
    /// Status of the run: pending, executing, completed, failed or interrupted.
    pub(crate) status: NodeStatus,
    pub(crate) task: Prompt,
    /// Results of the nodes that have ended, by node. A node that was skipped or stopped has none.
    pub(crate) results: IndexMap<Arc<str>, NodeResult>,
    /// Nodes that have started or wait for responses, and then those that are ready, in the order in which they start. A program that
    /// continues the run begins with them.
    pub(crate) next: Vec<Arc<str>>,
    /// Ended nodes in the order of their ends, once for each end.
    pub(crate) order: Vec<Arc<str>>,
    /// Nodes that wait for responses.
    pub(crate) interrupted: Vec<InterruptedNode>,
    /// Token usage of all nodes.
    pub(crate) usage: Usage,
    /// Time in which the run was running.
    pub(crate) elapsed: Duration,
    /// Fields of graphs or of swarms.
    pub(crate) kind: KindFields,
    /// State of this crate. `None` in a document of another program, and in one that another program has changed.
    pub(crate) own: Option<Value>,
}

/// Fields that differ between graphs and swarms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KindFields {
    Graph {
        completed: Vec<Arc<str>>,
        failed: Vec<Arc<str>>,
    },
    Swarm {
        /// Values that members share, by the member that shared them.
        shared: Map<String, Value>,
        /// Member that is next, if it is not in `next` yet.
        handoff: Option<Arc<str>>,
        /// Message for the next member.
        message: Option<String>,
    },
}

/// A node that waits for responses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InterruptedNode {
    pub(crate) node: Arc<str>,
    /// Its interrupts, with the ids that they have within the node.
    pub(crate) interrupts: Vec<Interrupt>,
    /// True if a hook raised them before the node started.
    pub(crate) from_hook: bool,
    /// State from which the node goes on.
    pub(crate) continuation: Option<Continuation>,
}

impl InterruptedNode {
    /// Returns the activity of the node: it waits, or is ready if all of its interrupts have a response.
    pub(crate) fn into_activity(self, attempts: u32) -> Activity {
        let Self { node, interrupts, from_hook, continuation } = self;
        let mut result = NodeResult::new(NodeStatus::Interrupted);
        let mut responses = Vec::new();
        for interrupt in interrupts {
            let mut interrupt = if from_hook { interrupt } else { interrupt.at_node(&node) };
            if let Some(response) = interrupt.response.take() {
                responses.push(interrupt.respond(response));
            }
            result.interrupts.push(interrupt);
        }
        let is_ready = result.interrupts.len() == responses.len();
        Activity {
            status: if is_ready { ActivityStatus::Ready } else { ActivityStatus::Interrupted },
            attempts,
            ended: 0,
            result: Some(result),
            responses,
            continuation,
            is_suspended: !from_hook,
            asked: Vec::new(),
        }
    }
}

impl KindFields {
    fn kind(&self) -> MultiAgentKind {
        match self {
            Self::Graph { .. } => MultiAgentKind::Graph,
            Self::Swarm { .. } => MultiAgentKind::Swarm,
        }
    }
}

impl RunDocument {
    /// Reads the run of a graph or swarm from its document.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError`] if the document is of something else, of a later version, or can't be read.
    pub(crate) fn read(document: &Value, kind: MultiAgentKind, id: &str) -> Result<Self, DocumentError> {
        read::read(document, kind, id)
    }

    /// Returns true if the field of Strands has all of the task: it has no roles and no metadata of messages.
    pub(crate) fn has_whole_task(&self) -> bool {
        task::is_whole(&self.task)
    }

    /// Returns true if the field of Strands has the result of a node.
    pub(crate) fn has_result(&self, node: &str) -> bool {
        self.results.get(node).is_some_and(result::is_stored)
    }

    /// Returns the document of the run. Fields of the stored document that Strands does not have stay.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError::TooDeep`] if the state of this crate nests too deep.
    pub(crate) fn write(self, stored: Option<&Value>) -> Result<Value, DocumentError> {
        write::write(self, stored)
    }
}
