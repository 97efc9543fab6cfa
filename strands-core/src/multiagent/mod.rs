//! Extension points of graphs and swarms of agents: [`NodeHook`], which observes and steers their nodes, and the results of nodes.
//! Other crates implement hooks here, and depend on no graph.

mod context;
mod events;
mod forward;
mod hook;
mod result;

pub use context::{MultiAgentContext, MultiAgentKind};
pub use events::{AfterNode, AfterRun, BeforeHandoff, BeforeNode, BeforeRun};
pub use hook::NodeHook;
pub use result::NodeResult;

pub use crate::event::NodeStatus;
