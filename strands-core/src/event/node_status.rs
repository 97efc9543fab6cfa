//! [`NodeStatus`], the status of a node in events, in results and in stored runs.

use crate::message::wire_enum;

wire_enum! {
    /// Status of a node of a graph, or of a member of a swarm. The JSON values are those of Strands, which has no `skipped` and no
    /// `stopped`.
    pub enum NodeStatus {
        /// The node has not started.
        Pending = "pending",
        /// The node has started, and has no result yet.
        Executing = "executing" | "dispatched",
        /// The node has a result.
        Completed = "completed",
        /// The node failed.
        Failed = "failed",
        /// The node waits for responses to interrupts.
        Interrupted = "interrupted",
        /// The node does not run, since no edge to it can fire any more.
        Skipped = "skipped",
        /// The node was cut off by a cancellation or a limit of the run, and runs again when the run is resumed.
        Stopped = "stopped",
    }
}
