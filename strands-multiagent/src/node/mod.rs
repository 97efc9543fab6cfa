//! Nodes: what runs in a graph, with its input, its output and its settings.

mod definition;
mod error;
mod function;
mod input;
mod output;

pub use definition::{Failure, IntoNode, Node, function};
pub use error::NodeError;
pub use function::NodeContext;
pub use input::{NodeInput, NodeSource};
pub use output::{IntoNodeOutput, NodeOutput};

pub(crate) use definition::{Apply, Body};
pub(crate) use function::{FunctionCall, has_stopped, is_stop};
pub(crate) use input::is_output;
pub(crate) use output::Update;
