//! [`RunError`], the failure of a run.

use std::sync::Arc;

use crate::document::DocumentError;
use crate::node::NodeError;

/// An error that ends the run of a graph or a swarm. It is the source of an [`AgentError::Promptable`](strands_core::AgentError).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A node failed.
    // The source is not part of the text: in nested graphs, each level would print all of those below it, again and again.
    #[error("the node `{node}` failed")]
    Node {
        /// Id of the node.
        node: Arc<str>,
        /// Failure of the node. If it failed in an earlier process, this is its text.
        #[source]
        source: Arc<NodeError>,
    },
    /// There is an unfinished run of another task in the session. It ends with an empty prompt, under higher limits if those have
    /// stopped it, or with `discard_run` of the [graph](crate::Graph::discard_run) or [swarm](crate::Swarm::discard_run).
    #[error(
        "the session has an unfinished run of another task: go on with an empty prompt, or discard it with `discard_run`"
    )]
    Unfinished,
    /// The stored run, or the continuation, can't be restored. It stays as it is. A run that has not ended goes on only in a graph with the
    /// same nodes and edges; after a change of those, `discard_run` makes place for the next one.
    #[error("the run can't be restored: {reason}")]
    NotRestored {
        /// Reason.
        reason: String,
    },
    /// The run can't be stored. No node that was not stored as started has run.
    #[error("the run can't be stored")]
    NotStored {
        /// Source error.
        #[source]
        source: DocumentError,
    },
    /// The members of a swarm handed over in circles. See [`SwarmBuilder::repetition`](crate::SwarmBuilder::repetition).
    #[error("the members hand over in circles: {unique} of them had the latest {window} turns")]
    Repetition {
        /// Number of turns that were looked at.
        window: usize,
        /// Number of different members that had them.
        unique: usize,
    },
    /// The stored run is not consistent, so that no node can run.
    #[error("no node can run, although some have not ended: the stored run is not consistent")]
    Stalled,
}

strands_core::__debug_with_sources!(RunError);
