//! Errors of building a graph.

/// An error of building a graph.
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphBuildError {
    /// The graph has no nodes.
    #[error("the graph `{graph}` has no nodes: add `.node(..)`")]
    NoNodes {
        /// Name of the graph.
        graph: String,
    },
    /// An id can't be used.
    #[error(
        "invalid node id `{id}`: use 1 to 128 letters, digits, `_`, `-` or `.`, and start with a letter or a digit"
    )]
    InvalidId {
        /// The id, truncated.
        id: String,
    },
    /// Two nodes have the same id.
    #[error("two nodes are named `{id}`")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// Two edges of the same kind connect the same nodes.
    #[error("there are two edges from `{from}` to `{to}`: combine their conditions")]
    DuplicateEdge {
        /// Source of the edges.
        from: String,
        /// Target of the edges.
        to: String,
    },
    /// An edge, a join, an entry or a failure policy names a node that does not exist.
    #[error("{at} names the node `{id}`, which does not exist")]
    UnknownNode {
        /// Place that names the node.
        at: String,
        /// The id.
        id: String,
    },
    /// Each node has an incoming edge, so that no node can start.
    #[error("the graph `{graph}` has no entry: each node has an incoming edge; add `.entry(..)`")]
    NoEntry {
        /// Name of the graph.
        graph: String,
    },
    /// A node can't be reached from an entry.
    #[error("the node `{id}` can't be reached from an entry: add an edge to it, or `.entry(\"{id}\")`")]
    Unreachable {
        /// The node.
        id: String,
    },
    /// A cycle of edges would run forever.
    #[error(
        "the cycle {} has no bound: add the back edge with `.loop_if(..)` and a maximum number of iterations",
        cycle(nodes)
    )]
    UnboundedCycle {
        /// The nodes of the cycle, in the order of its edges.
        nodes: Vec<String>,
    },
    /// A loop's edge goes to a node from which no edges lead back to its source.
    #[error("the loop from `{from}` back to `{to}` closes no cycle: no edges lead from `{to}` to `{from}`")]
    NoLoop {
        /// Source of the edge.
        from: String,
        /// Target of the edge.
        to: String,
    },
    /// The maximum number of iterations of a loop allows no second one.
    #[error("the loop from `{from}` back to `{to}` may iterate {max} times: allow at least 2")]
    LoopBound {
        /// Source of the edge.
        from: String,
        /// Target of the edge.
        to: String,
        /// Maximum number of iterations.
        max: u32,
    },
    /// A join needs more edges than can fire, or none.
    #[error("the join of `{id}` needs {needed} edges: expected 1 to {edges}, the number of its sources")]
    ImpossibleJoin {
        /// The node.
        id: String,
        /// Number of edges that the join needs.
        needed: usize,
        /// Number of nodes with an edge to it, without those of loops, and with the task if the node is an entry. Edges for the success
        /// and the failure of a node count once, since one of them fires.
        edges: usize,
    },
    /// A node has a session manager of its own, so that its conversation would be stored apart from the run.
    #[error("the node `{id}` has a session manager of its own: remove it, and set one for the graph")]
    NodeWithSession {
        /// The node.
        id: String,
    },
    /// A node may run only once, and its policy repeats failed attempts.
    #[error("the node `{id}` runs once, and has a retry policy: remove one of them")]
    RepeatedOnce {
        /// The node.
        id: String,
    },
    /// A node needs a value that is not injected.
    #[error(
        "the node `{id}` needs a `{ty}`: add `.inject(..)` to the graph, or `.injected_per_prompt::<{ty}>()` and inject it with each \
         prompt"
    )]
    MissingInjectedValue {
        /// The node.
        id: String,
        /// The type of the value.
        ty: &'static str,
    },
    /// The graph may run no node at all.
    #[error("the concurrency of the graph `{graph}` is 0: allow at least 1")]
    NoConcurrency {
        /// Name of the graph.
        graph: String,
    },
}

fn cycle(nodes: &[String]) -> String {
    let closed = nodes.iter().chain(nodes.first());
    closed.map(|node| format!("`{node}`")).collect::<Vec<_>>().join(" -> ")
}

strands_core::__debug_with_sources!(GraphBuildError);
