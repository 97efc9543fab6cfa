//! Nodes at the same time, with one that combines their outputs.

use crate::graph::{Graph, GraphBuilder};
use crate::node::IntoNode;

/// Creates a graph of workers that all get the task and run at the same time, and of a synthesizer, which gets the task and their
/// outputs, in the order in which they are given here. The response is that of the synthesizer.
///
/// The run fails if a worker fails. With [`Node::on_failure`](crate::Node::on_failure) and
/// [`Failure::Skip`](crate::Failure::Skip), the synthesizer gets the outputs of the others.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::patterns::parallel;
/// # use strands::testing::ScriptedModel;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = |text| ScriptedModel::responding(text);
/// let critic = |field| Agent::builder().system_prompt(format!("Review the {field} of the proposal.")).model(model("Fine."));
/// let editor = Agent::builder().system_prompt("Combine the reviews.").model(model("Both are fine."));
/// let reviewers = [("costs", critic("costs")), ("risks", critic("risks"))];
/// let review = parallel("review", reviewers, ("editor", editor)).build()?;
/// assert_eq!(review.run("We buy a boat.").await?.text(), "Both are fine.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn parallel<I: Into<String>, J: Into<String>>(
    name: impl Into<String>,
    workers: impl IntoIterator<Item = (I, impl IntoNode<()>)>,
    (synthesizer, combine): (J, impl IntoNode<()>),
) -> GraphBuilder {
    let synthesizer = synthesizer.into();
    let mut builder = Graph::builder(name);
    for (id, node) in workers {
        let id = id.into();
        builder = builder.node(id.clone(), node).edge(id, synthesizer.clone());
    }
    builder.node(synthesizer, combine)
}
