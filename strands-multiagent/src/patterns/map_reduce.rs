//! A task that is split into a list, worked on item by item, and put together.

use serde_json::Value;
use strands_core::StructuredOutput;

use crate::graph::{Graph, GraphBuilder};
use crate::node::{IntoNode, NodeInput};

/// Creates a graph that splits a task into a list, runs a node for each item, concurrently, and combines the outputs in the order of the
/// list. The response is that of the last node.
///
/// The splitter is an agent, whose structured output is a list of `T`, or a function with
/// [`NodeOutput::json`](crate::NodeOutput::json) of a list. Another output is a list of one item. A list with more than `max_items`
/// items fails the run.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::patterns::map_reduce;
/// # use strands::{serde_json::json, testing::{ScriptedModel, ScriptedTurn}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let splitting = ScriptedModel::from_fn(|request| {
/// #     let name = request.tools.iter().next().map(|tool| tool.name.clone()).unwrap_or_default();
/// #     ScriptedTurn::tool_use(name, json!({"value": ["Oslo", "Bergen"]}))
/// # });
/// # let about = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} is fine.", request.messages[0].text())));
/// # let joining = ScriptedModel::from_fn(|request| {
/// #     let texts = request.messages[0].text();
/// #     ScriptedTurn::text(texts.lines().filter(|line| line.ends_with("fine.")).collect::<Vec<_>>().join(" "))
/// # });
/// let planner = Agent::builder().system_prompt("List the cities.").model(splitting);
/// let guide = Agent::builder().system_prompt("Describe the city.").model(about);
/// let editor = Agent::builder().system_prompt("Combine the descriptions.").model(joining);
/// let cities = map_reduce::<String, _>("cities", ("plan", planner), ("describe", guide), ("combine", editor), 20).build()?;
/// assert_eq!(cities.run("Norway's largest cities").await?.text(), "Oslo is fine. Bergen is fine.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn map_reduce<T, I: Into<String>>(
    name: impl Into<String>,
    (splitter, split): (I, impl IntoNode<()>),
    (mapper, map): (I, impl IntoNode<()>),
    (reducer, reduce): (I, impl IntoNode<()>),
    max_items: usize,
) -> GraphBuilder
where
    Vec<T>: StructuredOutput,
{
    let [splitter, mapper, reducer] = [splitter.into(), mapper.into(), reducer.into()];
    Graph::builder(name)
        .node(splitter.clone(), split.into_node().output::<Vec<T>>())
        .node(mapper.clone(), map.into_node().for_each(max_items, |(), input| items(input)))
        .node(reducer.clone(), reduce)
        .edge(splitter, mapper.clone())
        .edge(mapper, reducer)
}

/// Returns the items in the output of the splitter.
fn items(input: &NodeInput) -> Vec<Value> {
    match input.from.first() {
        Some(split) => match split.output.as_deref() {
            Some(Value::Array(items)) => items.clone(),
            Some(other) => vec![other.clone()],
            None => vec![Value::String(split.text())],
        },
        None => Vec::new(),
    }
}
