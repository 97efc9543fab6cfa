//! Graphs and swarms of agents for strands-rs.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod activity;
mod depth;
mod document;
mod driver;
mod emitting;
mod given_values;
mod graph;
mod machine;
mod node;
pub mod patterns;
mod swarm;

pub use document::DocumentError;
pub use driver::RunError;
pub use graph::{Graph, GraphBuildError, GraphBuilder, GraphResponse, GraphState, Join};
pub use node::{
    Failure, IntoNode, IntoNodeOutput, Node, NodeContext, NodeError, NodeInput, NodeOutput, NodeSource, function,
};
pub use swarm::{IntoMember, Member, SharedContext, Swarm, SwarmBuildError, SwarmBuilder, SwarmResponse};
