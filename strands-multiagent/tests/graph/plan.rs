//! Random graphs: a description, and the graph that it describes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use strands::hook::HookResult;
use strands::multiagent::{
    BeforeNode, Failure, Graph, GraphBuilder, Join, Node, NodeContext, NodeError, NodeHook, NodeInput, NodeOutput,
    function,
};
use strands::session::SessionManager;
use strands::{RetryPolicy, async_trait};

use super::interrupts::payer;

/// Number of times that each node has completed, or the items of its list have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts(pub(crate) BTreeMap<String, u32>);

impl Counts {
    pub(crate) fn of(&self, node: &str) -> u32 {
        self.0.get(node).copied().unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) edges: Vec<PlanEdge>,
    pub(crate) loops: Vec<PlanLoop>,
    pub(crate) concurrency: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct PlanNode {
    pub(crate) join: Join,
    pub(crate) acts: Acts,
    /// Time that it takes, in milliseconds.
    pub(crate) millis: u64,
    pub(crate) policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Acts {
    Completes,
    /// Fails, depending on the number of earlier completions.
    Fails(u32),
    /// Fails at every other attempt, and is repeated.
    IsFlaky,
    Interrupts,
    HasItems(u32),
    /// Has items for an agent whose tool needs an approval.
    HasAgents(u32),
    /// Has an item that fails between two that are interrupted.
    HasFailingItem,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Policy {
    Run,
    Skip,
    Route(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanEdge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) condition: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanLoop {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) max: u32,
    pub(crate) condition: u32,
}

/// Condition of an edge, over the number of completions of its source.
pub(crate) fn holds(condition: u32, completions: u32) -> bool {
    condition < 2 || !(completions + condition).is_multiple_of(3)
}

/// Returns true if a node fails that has completed so often.
pub(crate) fn fails(kind: u32, completions: u32) -> bool {
    (completions + kind).is_multiple_of(2)
}

pub(crate) fn id(node: usize) -> String {
    format!("n{node}")
}

pub(crate) fn plans(most: usize) -> impl Strategy<Value = Plan> {
    (1..=most).prop_flat_map(|count| {
        let node = (0..8_u8, 0..14_u8, 0..5_u64, 0..8_u8, any::<u32>());
        let nodes = proptest::collection::vec(node, count);
        let edges = proptest::collection::vec((0..count, 0..count, 0..5_u32), 0..=count * 2);
        let loops = proptest::collection::vec((0..count, 0..count, 2..4_u32, 0..5_u32), 0..5);
        (nodes, edges, loops, 1..6_usize)
            .prop_map(|(nodes, edges, loops, concurrency)| plan(&nodes, &edges, &loops, concurrency))
    })
}

fn plan(
    nodes: &[(u8, u8, u64, u8, u32)],
    edges: &[(usize, usize, u32)],
    loops: &[(usize, usize, u32, u32)],
    concurrency: usize,
) -> Plan {
    let count = nodes.len();
    let mut plan = Plan { nodes: Vec::new(), edges: Vec::new(), loops: Vec::new(), concurrency };
    for &(from, to, condition) in edges {
        let (from, to) = (from.min(to), from.max(to));
        if from != to && plan.edges.iter().all(|edge| (edge.from, edge.to) != (from, to)) {
            plan.edges.push(PlanEdge { from, to, condition });
        }
    }
    for (index, &(join, acts, millis, policy, number)) in nodes.iter().enumerate() {
        let later = count - index - 1;
        let policy = match policy {
            0 => Policy::Run,
            1..4 => Policy::Skip,
            _ if later == 0 => Policy::Skip,
            _ => Policy::Route(index + 1 + number as usize % later),
        };
        let acts = match acts {
            0..2 => Acts::Fails(number),
            2 => Acts::IsFlaky,
            3 => Acts::Interrupts,
            4 => Acts::HasItems(number % 4),
            5 => Acts::HasAgents(number % 4),
            6 => Acts::HasFailingItem,
            _ => Acts::Completes,
        };
        // The number of edges is known once all policies are.
        let join = match join {
            0..4 => Join::All,
            4..6 => Join::Any,
            _ => Join::AtLeast(number as usize % 3 + 1),
        };
        plan.nodes.push(PlanNode { join, acts, millis, policy });
    }
    for index in 0..count {
        let inputs = plan.inputs(index).max(1);
        if let Join::AtLeast(needed) = plan.nodes[index].join {
            plan.nodes[index].join = Join::AtLeast(needed.min(inputs));
        }
    }
    for &(from, to, max, condition) in loops {
        let is_new = plan.loops.iter().all(|known| (known.from, known.to) != (from, to));
        if is_new && plan.reaches()[to][from] {
            plan.loops.push(PlanLoop { from, to, max, condition });
        }
    }
    plan
}

impl Plan {
    /// Returns the edges that are not those of loops, with true for those that fire after a failure.
    pub(crate) fn forward(&self) -> Vec<(PlanEdge, bool)> {
        let routes = self.nodes.iter().enumerate().filter_map(|(from, node)| match node.policy {
            Policy::Route(to) => Some((PlanEdge { from, to, condition: 0 }, true)),
            _ => None,
        });
        self.edges.iter().map(|edge| (*edge, false)).chain(routes).collect()
    }

    fn inputs(&self, node: usize) -> usize {
        // Of two edges from one node, for its success and its failure, only one fires.
        let sources = self.forward().into_iter().filter(|(edge, _)| edge.to == node).map(|(edge, _)| edge.from);
        sources.collect::<BTreeSet<_>>().len()
    }

    /// Returns which nodes lead to which others; each leads to itself.
    pub(crate) fn reaches(&self) -> Vec<Vec<bool>> {
        let count = self.nodes.len();
        let mut reaches: Vec<Vec<bool>> = (0..count).map(|from| (0..count).map(|to| from == to).collect()).collect();
        for (edge, _) in self.forward() {
            reaches[edge.from][edge.to] = true;
        }
        for via in 0..count {
            for from in 0..count {
                for to in 0..count {
                    reaches[from][to] |= reaches[from][via] && reaches[via][to];
                }
            }
        }
        reaches
    }

    /// Returns true if the inputs of all nodes depend on no timing.
    pub(crate) fn has_fixed_inputs(&self) -> bool {
        self.nodes.iter().all(|node| node.join == Join::All)
    }

    pub(crate) fn graph(&self, session: Option<impl SessionManager + 'static>) -> Graph<Counts> {
        let mut builder = Graph::with_state("random", Counts::default()).concurrency(self.concurrency).hook(AsksAgain);
        for (index, node) in self.nodes.iter().enumerate() {
            builder = builder.node(id(index), node.node(index)).join(id(index), node.join);
        }
        for edge in self.edges.clone() {
            builder = builder
                .edge_if(id(edge.from), id(edge.to), move |counts| holds(edge.condition, counts.of(&id(edge.from))));
        }
        for edge in self.loops.clone() {
            builder = builder.loop_if(id(edge.from), id(edge.to), edge.max, move |counts| {
                holds(edge.condition, counts.of(&id(edge.from)))
            });
        }
        self.with_session(builder, session)
    }

    fn with_session(
        &self,
        builder: GraphBuilder<Counts>,
        session: Option<impl SessionManager + 'static>,
    ) -> Graph<Counts> {
        match session {
            Some(session) => builder.session_manager(session).build().unwrap(),
            None => builder.build().unwrap(),
        }
    }
}

/// Asks before some of the agents that go on after an interrupt.
struct AsksAgain;

#[async_trait]
impl NodeHook for AsksAgain {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        if event.prompt.messages().is_empty() && event.attempt.is_multiple_of(2) {
            event.interrupt("again?", event.node);
        }
        Ok(())
    }
}

impl PlanNode {
    fn node(&self, index: usize) -> Node<Counts> {
        let (acts, millis) = (self.acts, self.millis);
        let node = match acts {
            Acts::HasAgents(_) => {
                Node::new(payer()).then(move |counts: &mut Counts, _| *counts.0.entry(id(index)).or_default() += 1)
            }
            _ => function(move |ctx: NodeContext<Counts>, input: NodeInput| async move {
                act(index, acts, millis, &ctx, &input).await
            }),
        };
        let node = match self.policy {
            Policy::Run => node,
            Policy::Skip => node.on_failure(Failure::Skip),
            Policy::Route(to) => node.on_failure(Failure::route(id(to))),
        };
        match acts {
            Acts::HasFailingItem => {
                node.for_each(8, move |_, _| vec![0, 1, 2]).concurrency(usize::try_from(millis).unwrap() % 3 + 1)
            }
            Acts::HasItems(count) | Acts::HasAgents(count) => {
                node.for_each(8, move |_, _| (0..count).collect::<Vec<u32>>()).concurrency(2)
            }
            Acts::IsFlaky => node.retry(RetryPolicy::new().max_attempts(3).initial_delay(Duration::from_millis(1))),
            _ => node,
        }
    }
}

async fn act(
    index: usize,
    acts: Acts,
    millis: u64,
    ctx: &NodeContext<Counts>,
    input: &NodeInput,
) -> Result<NodeOutput<Counts>, NodeError> {
    let before = ctx.state().of(&id(index));
    let mut from: Vec<String> = input.from.iter().map(|source| format!("{}={}", source.node, source.text())).collect();
    tokio::time::sleep(Duration::from_millis(millis)).await;
    match acts {
        Acts::Fails(kind) if fails(kind, before) => return Err(NodeError::new("as planned")),
        Acts::IsFlaky if ctx.attempt() % 2 == 1 => return Err(NodeError::new("not yet")),
        Acts::Interrupts => {
            let response = ctx.interrupt(&format!("visit {before}"), "go on?")?;
            from.push(response.to_string());
        }
        Acts::HasFailingItem if input.item == Some(1.into()) => return Err(NodeError::new("as planned")),
        Acts::HasFailingItem => drop(ctx.interrupt("item", "go on?")?),
        Acts::Completes | Acts::Fails(_) | Acts::IsFlaky | Acts::HasItems(_) | Acts::HasAgents(_) => {}
    }
    // Not the texts themselves, which would grow with each node.
    let digest = from.join(",").bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let item = input.item.as_ref().map(ToString::to_string).unwrap_or_default();
    let count = if acts == Acts::Completes { before + 1 } else { 0 };
    Ok(NodeOutput::text(format!("{index}:{count}:{item}:{digest}"))
        .update(move |counts: &mut Counts| *counts.0.entry(id(index)).or_default() += 1))
}
