//! Workflow patterns: functions that make a graph of agents, for shapes that come up again and again.
//!
//! | pattern | shape |
//! |---|---|
//! | [`sequential`] | each node gets the output of the one before |
//! | [`parallel`] | all nodes get the task, and a last one gets all outputs |
//! | [`router`] | a classifier chooses the node that gets the task |
//! | [`evaluator_optimizer`] | a judge sends a draft back until it is good enough |
//! | [`map_reduce`] | a task is split into a list, each item is worked on, and the outputs are combined |
//! | [`debate`] | agents see each other's arguments over several rounds, and a judge decides |
//!
//! Each returns a [`GraphBuilder`](crate::GraphBuilder): add limits, hooks, a session or more nodes, and build it. Nodes are agents,
//! functions and other graphs, each with an id that names it in events, results and errors.

mod debate;
mod evaluator_optimizer;
mod map_reduce;
mod parallel;
mod router;
mod sequential;

pub use debate::debate;
pub use evaluator_optimizer::{Revision, Verdict, evaluator_optimizer};
pub use map_reduce::map_reduce;
pub use parallel::parallel;
pub use router::router;
pub use sequential::sequential;
