//! Checks of a graph when it is built, and its shape.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::GraphBuildError;
use super::builder::GraphBuilder;
use super::definition::{GraphState, Join};
use super::loops;
use super::topology::{EdgeKind, EdgeShape, NodeShape, Region, Topology};
use crate::node::Failure;

type Ids = HashMap<Arc<str>, usize>;

/// Checks a graph and returns its shape.
pub(super) fn topology<S: GraphState>(builder: &GraphBuilder<S>) -> Result<Topology, GraphBuildError> {
    let graph = || builder.name.clone();
    if builder.nodes.is_empty() {
        return Err(GraphBuildError::NoNodes { graph: graph() });
    }
    if builder.concurrency == 0 {
        return Err(GraphBuildError::NoConcurrency { graph: graph() });
    }
    let ids = ids(builder)?;
    policies(builder, &ids)?;
    let edges = edges(builder, &ids)?;
    let forward = forward(builder.nodes.len(), &edges);
    acyclic(builder, &forward)?;
    let (regions, innermost) = loops::regions(builder.nodes.len(), &edges, &forward).map_err(|edge| {
        let (from, to) = ends(builder, edge);
        GraphBuildError::NoLoop { from, to }
    })?;
    let nodes = nodes(builder, &ids, &edges, &innermost)?;
    reachable(builder, &nodes, &forward)?;
    let fingerprint = Topology::fingerprint(&nodes, &edges);
    Ok(with_exits(Topology { nodes, edges, regions, by_id: ids, fingerprint }))
}

fn ids<S>(builder: &GraphBuilder<S>) -> Result<Ids, GraphBuildError> {
    let mut ids = HashMap::new();
    for (index, (id, _)) in builder.nodes.iter().enumerate() {
        if !is_valid(id) {
            return Err(GraphBuildError::InvalidId { id: id.chars().take(128).collect() });
        }
        if ids.insert(Arc::from(id.as_str()), index).is_some() {
            return Err(GraphBuildError::DuplicateId { id: id.clone() });
        }
    }
    Ok(ids)
}

fn is_valid(id: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let starts = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts && id.len() <= 128 && id.bytes().all(is_inner)
}

fn index_of(ids: &Ids, id: &str, at: impl FnOnce() -> String) -> Result<usize, GraphBuildError> {
    ids.get(id).copied().ok_or_else(|| GraphBuildError::UnknownNode { at: at(), id: id.to_owned() })
}

/// Checks the settings of the nodes.
fn policies<S: GraphState>(builder: &GraphBuilder<S>, ids: &Ids) -> Result<(), GraphBuildError> {
    for (id, node) in &builder.nodes {
        if node.policy.runs_once && node.policy.retry != strands_core::RetryPolicy::never() {
            return Err(GraphBuildError::RepeatedOnce { id: id.clone() });
        }
        if node.has_session() {
            return Err(GraphBuildError::NodeWithSession { id: id.clone() });
        }
        if let Failure::Route(to) = &node.failure {
            index_of(ids, to, || format!("the failure policy of `{id}`"))?;
        }
    }
    Ok(())
}

/// Returns the edges by index.
fn edges<S>(builder: &GraphBuilder<S>, ids: &Ids) -> Result<Vec<EdgeShape>, GraphBuildError> {
    let (mut edges, mut known) = (Vec::with_capacity(builder.edges.len()), HashSet::new());
    for edge in &builder.edges {
        let at = || format!("the edge from `{}` to `{}`", edge.from, edge.to);
        let (from, to) = (index_of(ids, &edge.from, at)?, index_of(ids, &edge.to, at)?);
        if let EdgeKind::Loop { max } = edge.kind
            && max < 2
        {
            return Err(GraphBuildError::LoopBound { from: edge.from.clone(), to: edge.to.clone(), max });
        }
        if !known.insert((from, to, std::mem::discriminant(&edge.kind))) {
            return Err(GraphBuildError::DuplicateEdge { from: edge.from.clone(), to: edge.to.clone() });
        }
        edges.push(EdgeShape { from, to, kind: edge.kind, leaves: None });
    }
    Ok(edges)
}

/// Returns the graph of the edges that are not those of loops.
fn forward(nodes: usize, edges: &[EdgeShape]) -> DiGraph<(), ()> {
    let mut forward = DiGraph::with_capacity(nodes, edges.len());
    for _ in 0..nodes {
        forward.add_node(());
    }
    for edge in edges.iter().filter(|edge| !matches!(edge.kind, EdgeKind::Loop { .. })) {
        forward.add_edge(NodeIndex::new(edge.from), NodeIndex::new(edge.to), ());
    }
    forward
}

/// Checks that each cycle has an edge of a loop.
fn acyclic<S>(builder: &GraphBuilder<S>, forward: &DiGraph<(), ()>) -> Result<(), GraphBuildError> {
    if toposort(forward, None).is_ok() {
        return Ok(());
    }
    let is_cycle = |nodes: &Vec<NodeIndex>| {
        nodes.len() > 1 || nodes.first().is_some_and(|node| forward.contains_edge(*node, *node))
    };
    let component = kosaraju_scc(forward).into_iter().filter(is_cycle).min_by_key(|nodes| nodes.iter().min().copied());
    let nodes = cycle_in(&component.unwrap_or_default(), forward);
    Err(GraphBuildError::UnboundedCycle { nodes: nodes.into_iter().map(|node| name(builder, node.index())).collect() })
}

/// Returns a cycle within a component in which each node leads to each other one.
fn cycle_in(component: &[NodeIndex], forward: &DiGraph<(), ()>) -> Vec<NodeIndex> {
    let members: HashSet<NodeIndex> = component.iter().copied().collect();
    let Some(start) = component.iter().min().copied() else { return Vec::new() };
    let (mut path, mut at, mut seen) = (Vec::new(), start, HashMap::new());
    while seen.insert(at, path.len()).is_none() {
        path.push(at);
        let next = forward.neighbors(at).filter(|next| members.contains(next)).min();
        let Some(next) = next else { return path };
        at = next;
    }
    let first = seen.get(&at).copied().unwrap_or_default();
    // The node where the walk closed was inserted again, at the end of the path.
    let first = path.iter().position(|node| *node == at).unwrap_or(first);
    path.split_off(first)
}

/// Returns the nodes with their edges and joins.
fn nodes<S>(
    builder: &GraphBuilder<S>,
    ids: &Ids,
    edges: &[EdgeShape],
    innermost: &[usize],
) -> Result<Vec<NodeShape>, GraphBuildError> {
    let mut nodes: Vec<NodeShape> = builder
        .nodes
        .iter()
        .zip(innermost)
        .map(|((id, _), region)| NodeShape {
            id: id.as_str().into(),
            join: Join::All,
            is_entry: false,
            inputs: Vec::new(),
            reentries: Vec::new(),
            outputs: Vec::new(),
            region: *region,
        })
        .collect();
    for (index, edge) in edges.iter().enumerate() {
        let is_loop = matches!(edge.kind, EdgeKind::Loop { .. });
        if let Some(target) = nodes.get_mut(edge.to) {
            if is_loop { target.reentries.push(index) } else { target.inputs.push(index) }
        }
        if let Some(source) = nodes.get_mut(edge.from).filter(|_| !is_loop) {
            source.outputs.push(index);
        }
    }
    for entry in &builder.entries {
        let index = index_of(ids, entry, || "an entry".to_owned())?;
        if let Some(node) = nodes.get_mut(index) {
            node.is_entry = true;
        }
    }
    if builder.entries.is_empty() {
        nodes.iter_mut().for_each(|node| node.is_entry = node.inputs.is_empty());
    }
    if !nodes.iter().any(|node| node.is_entry) {
        return Err(GraphBuildError::NoEntry { graph: builder.name.clone() });
    }
    for (id, join) in &builder.joins {
        let index = index_of(ids, id, || "a join".to_owned())?;
        let Some(node) = nodes.get_mut(index) else { continue };
        // Of two edges from one node, for its success and its failure, only one fires.
        let sources: HashSet<usize> =
            node.inputs.iter().filter_map(|input| edges.get(*input)).map(|edge| edge.from).collect();
        let edges = sources.len() + usize::from(node.is_entry);
        if let Join::AtLeast(needed) = *join
            && (needed == 0 || needed > edges)
        {
            return Err(GraphBuildError::ImpossibleJoin { id: id.clone(), needed, edges });
        }
        node.join = *join;
    }
    Ok(nodes)
}

/// Checks that each node can be reached from an entry.
fn reachable<S>(
    builder: &GraphBuilder<S>,
    nodes: &[NodeShape],
    forward: &DiGraph<(), ()>,
) -> Result<(), GraphBuildError> {
    let mut open: Vec<NodeIndex> =
        nodes.iter().enumerate().filter(|(_, node)| node.is_entry).map(|(index, _)| NodeIndex::new(index)).collect();
    let mut reached: HashSet<NodeIndex> = open.iter().copied().collect();
    while let Some(node) = open.pop() {
        open.extend(forward.neighbors(node).filter(|next| reached.insert(*next)));
    }
    match (0..nodes.len()).find(|index| !reached.contains(&NodeIndex::new(*index))) {
        Some(index) => Err(GraphBuildError::Unreachable { id: name(builder, index) }),
        None => Ok(()),
    }
}

/// Finds the outermost loop that each edge leaves.
fn with_exits(mut topology: Topology) -> Topology {
    for index in 0..topology.edges.len() {
        let Some(edge) = topology.edge(index) else { continue };
        if matches!(edge.kind, EdgeKind::Loop { .. }) {
            continue;
        }
        let innermost = topology.node(edge.from).map(|node| node.region);
        let around = std::iter::successors(innermost, |region| topology.region(*region)?.parent);
        let left = around.take_while(|region| !topology.is_within(edge.to, *region)).last();
        if let Some(edge) = topology.edges.get_mut(index) {
            edge.leaves = left;
        }
        if let Some(Region { exits, .. }) = left.and_then(|left| topology.regions.get_mut(left)) {
            exits.push(index);
        }
    }
    topology
}

fn name<S>(builder: &GraphBuilder<S>, index: usize) -> String {
    builder.nodes.get(index).map(|(id, _)| id.clone()).unwrap_or_default()
}

fn ends<S>(builder: &GraphBuilder<S>, edge: usize) -> (String, String) {
    builder.edges.get(edge).map(|edge| (edge.from.clone(), edge.to.clone())).unwrap_or_default()
}
