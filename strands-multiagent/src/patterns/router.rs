//! A node that chooses which other one gets the task.

use serde::Serialize;
use serde::de::DeserializeOwned;
use strands_core::StructuredOutput;

use crate::graph::{Graph, GraphBuilder};
use crate::node::IntoNode;

/// Creates a graph in which a classifier chooses the node that gets the task. The classifier is an agent, whose structured output is a
/// value of `T`, such as an enum; the node with an equal value runs. Several nodes may have one value, and all run then.
///
/// A chosen agent gets the task alone, and a function has it in [`NodeInput::task`](crate::NodeInput::task), unless it has an [input](crate::Node::input) of its own. The value is the state of the graph,
/// and a value without a node ends the run with the response of the classifier.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::patterns::router;
/// use strands::schemars::JsonSchema;
/// use strands::serde::{Deserialize, Serialize};
/// # use strands::{serde_json::json, testing::{ScriptedModel, ScriptedTurn}};
///
/// #[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
/// # #[serde(crate = "strands::serde")]
/// # #[schemars(crate = "strands::schemars")]
/// enum Topic {
///     Billing,
///     Technical,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let choosing = ScriptedModel::from_fn(|request| {
/// #     let name = request.tools.iter().next().map(|tool| tool.name.clone()).unwrap_or_default();
/// #     ScriptedTurn::tool_use(name, json!({"value": "Billing"}))
/// # });
/// # let model = |text| ScriptedModel::responding(text);
/// let triage = Agent::builder().system_prompt("Which topic is it?").model(choosing);
/// let billing = Agent::builder().system_prompt("You know invoices.").model(model("It is paid."));
/// let technical = Agent::builder().system_prompt("You know machines.").model(model("Restart it."));
/// let routes = [(Topic::Billing, "billing", billing), (Topic::Technical, "technical", technical)];
/// let support = router("support", ("triage", triage), routes).build()?;
/// let response = support.run("What about my invoice?").await?;
/// assert_eq!((response.text().as_str(), response.state), ("It is paid.", Some(Topic::Billing)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn router<T, I: Into<String>, J: Into<String>>(
    name: impl Into<String>,
    (classifier, classify): (I, impl IntoNode<Option<T>>),
    routes: impl IntoIterator<Item = (T, J, impl IntoNode<Option<T>>)>,
) -> GraphBuilder<Option<T>>
where
    T: StructuredOutput + Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static,
{
    let classifier = classifier.into();
    let classify = classify.into_node().output_into(|chosen: &mut Option<T>, value: T| *chosen = Some(value));
    let mut builder = Graph::with_state(name, None).node(classifier.clone(), classify);
    for (value, id, node) in routes {
        let (id, mut node) = (id.into(), node.into_node());
        if node.input.is_none() {
            node = node.input(|_, input| input.task.clone());
        }
        let is_chosen = move |chosen: &Option<T>| chosen.as_ref() == Some(&value);
        builder = builder.node(id.clone(), node).edge_if(classifier.clone(), id, is_chosen);
    }
    builder
}
