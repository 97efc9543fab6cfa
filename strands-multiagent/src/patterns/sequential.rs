//! Nodes one after the other.

use crate::graph::{Graph, GraphBuilder};
use crate::node::IntoNode;

/// Creates a graph of nodes that run one after the other. Each gets the task and the output of the one before it; the response is that
/// of the last one.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::patterns::sequential;
/// # use strands::testing::ScriptedModel;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = |text| ScriptedModel::responding(text);
/// let researcher = Agent::builder().system_prompt("Find facts.").model(model("Bees have six legs."));
/// let writer = Agent::builder().system_prompt("Write a paragraph.").model(model("A bee walks on six legs."));
/// let newsroom = sequential("newsroom", [("research", researcher), ("write", writer)]).build()?;
/// assert_eq!(newsroom.run("Tell me about bees.").await?.text(), "A bee walks on six legs.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn sequential<I: Into<String>>(
    name: impl Into<String>,
    nodes: impl IntoIterator<Item = (I, impl IntoNode<()>)>,
) -> GraphBuilder {
    let mut builder = Graph::builder(name);
    let mut before: Option<String> = None;
    for (id, node) in nodes {
        let id = id.into();
        builder = builder.node(id.clone(), node);
        if let Some(before) = before {
            builder = builder.edge(before, id.clone());
        }
        before = Some(id);
    }
    builder
}
