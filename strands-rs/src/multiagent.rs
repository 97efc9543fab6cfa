//! Graphs and swarms of agents (feature `multiagent`), and the hooks of their nodes.

#[doc(inline)]
pub use strands_core::multiagent::*;

#[cfg(feature = "multiagent")]
#[doc(inline)]
pub use strands_multiagent::{
    DocumentError, Failure, Graph, GraphBuildError, GraphBuilder, GraphResponse, GraphState, IntoMember, IntoNode,
    IntoNodeOutput, Join, Member, Node, NodeContext, NodeError, NodeInput, NodeOutput, NodeSource, RunError,
    SharedContext, Swarm, SwarmBuildError, SwarmBuilder, SwarmResponse, function,
};

#[cfg(feature = "multiagent")]
#[doc(inline)]
pub use strands_multiagent::patterns;
