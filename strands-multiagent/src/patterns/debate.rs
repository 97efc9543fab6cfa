//! Agents that see each other's arguments, and a judge.

use crate::graph::{Graph, GraphBuilder};
use crate::node::{IntoNode, Node};

/// Creates a graph in which agents argue over a number of rounds, at least one, and a judge decides. In each round all debaters run at
/// the same time; from the second one on, each gets the arguments of the round before. The judge gets those of all rounds, and its
/// response is that of the graph.
///
/// A debater is one node for each round: `optimist-1`, `optimist-2`.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::patterns::debate;
/// # use strands::testing::{ScriptedModel, ScriptedTurn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let judging = ScriptedModel::from_fn(|request| {
/// #     ScriptedTurn::text(format!("{} arguments", request.messages[0].text().matches("From ").count()))
/// # });
/// # let model = |text| ScriptedModel::responding(text);
/// let optimist = Agent::builder().system_prompt("Argue for it.").model(model("It will work."));
/// let sceptic = Agent::builder().system_prompt("Argue against it.").model(model("It will not."));
/// let judge = Agent::builder().system_prompt("Decide.").model(judging);
/// let debaters = [("optimist", optimist), ("sceptic", sceptic)];
/// let panel = debate("panel", debaters, 2, ("judge", judge)).build()?;
/// let response = panel.run("Shall we buy a boat?").await?;
/// assert_eq!(response.text(), "4 arguments");
/// let order: Vec<&str> = response.results.keys().map(|id| &**id).collect();
/// assert_eq!(order, ["optimist-1", "sceptic-1", "optimist-2", "sceptic-2", "judge"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn debate<I: Into<String>, J: Into<String>>(
    name: impl Into<String>,
    debaters: impl IntoIterator<Item = (I, impl IntoNode<()>)>,
    rounds: u32,
    (judge, decide): (J, impl IntoNode<()>),
) -> GraphBuilder {
    let judge = judge.into();
    let debaters: Vec<(String, Node)> = debaters.into_iter().map(|(id, node)| (id.into(), node.into_node())).collect();
    let mut builder = Graph::builder(name);
    for round in 1..=rounds.max(1) {
        for (id, node) in &debaters {
            let now = format!("{id}-{round}");
            builder = builder.node(now.clone(), node.clone());
            if round > 1 {
                for (other, _) in &debaters {
                    builder = builder.edge(format!("{other}-{}", round - 1), now.clone());
                }
            }
        }
    }
    for round in 1..=rounds.max(1) {
        for (id, _) in &debaters {
            builder = builder.edge(format!("{id}-{round}"), judge.clone());
        }
    }
    builder.node(judge, decide)
}
