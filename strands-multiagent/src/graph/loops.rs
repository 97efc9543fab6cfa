//! Loops of a graph: the nodes that run again, and how loops are nested.

use std::collections::{BTreeSet, HashMap, HashSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

use super::topology::{EdgeKind, EdgeShape, ROOT, Region};

/// A loop: the targets of its edges, its edges, and the nodes on paths between.
#[derive(Debug)]
struct Body {
    nodes: BTreeSet<usize>,
    edges: Vec<usize>,
}

/// Returns the regions of a graph with `count` nodes, and the innermost region of each node; or an edge of a loop that closes none,
/// since its target does not lead to its source.
pub(super) fn regions(
    count: usize,
    edges: &[EdgeShape],
    forward: &DiGraph<(), ()>,
) -> Result<(Vec<Region>, Vec<usize>), usize> {
    let mut bodies: Vec<Body> = Vec::new();
    for (index, edge) in edges.iter().enumerate() {
        if matches!(edge.kind, EdgeKind::Loop { .. }) {
            let nodes = nodes_between(forward, edge.to, edge.from);
            if nodes.is_empty() {
                return Err(index);
            }
            bodies.push(Body { nodes, edges: vec![index] });
        }
    }
    loop {
        bodies = disentangle(bodies);
        let (regions, innermost) = nest(count, &bodies);
        let Some(interlocked) = interlocked(&regions, forward) else { return Ok((regions, innermost)) };
        bodies = merge(bodies, &interlocked);
    }
}

/// Returns the nodes on paths from `start` to `end`; none if there is no path.
fn nodes_between(forward: &DiGraph<(), ()>, start: usize, end: usize) -> BTreeSet<usize> {
    let mut reached = HashSet::new();
    let mut walk = Dfs::new(forward, NodeIndex::new(start));
    while let Some(node) = walk.next(forward) {
        reached.insert(node);
    }
    let mut nodes = BTreeSet::new();
    if reached.contains(&NodeIndex::new(end)) {
        let backward = Reversed(forward);
        let mut walk = Dfs::new(backward, NodeIndex::new(end));
        while let Some(node) = walk.next(backward) {
            if reached.contains(&node) {
                nodes.insert(node.index());
            }
        }
    }
    nodes
}

/// Merges loops that overlap, unless one contains the other and has other entries. Returns larger loops first.
fn disentangle(mut bodies: Vec<Body>) -> Vec<Body> {
    loop {
        bodies.sort_by_key(|body| std::cmp::Reverse(body.nodes.len()));
        let Some((first, second)) = entangled(&bodies) else { return bodies };
        let merged = bodies.swap_remove(second);
        if let Some(body) = bodies.get_mut(first) {
            body.nodes.extend(merged.nodes);
            body.edges.extend(merged.edges);
            body.edges.sort_unstable();
        }
    }
}

/// Returns two loops that overlap: equal ones, or two of which neither contains the other. `bodies` are sorted, the largest first.
fn entangled(bodies: &[Body]) -> Option<(usize, usize)> {
    let count = bodies.iter().filter_map(|body| body.nodes.last()).max().map_or(0, |last| last + 1);
    // The smallest loop so far that contains a node.
    let mut innermost: Vec<Option<usize>> = vec![None; count];
    for (index, body) in bodies.iter().enumerate() {
        let around: BTreeSet<Option<usize>> =
            body.nodes.iter().map(|node| innermost.get(*node).copied().flatten()).collect();
        let mut around_all = around.into_iter();
        // Sorted: no loop comes first, and then the larger ones.
        match (around_all.next().flatten(), around_all.next_back().flatten()) {
            (Some(outer), None) if bodies.get(outer).is_some_and(|outer| outer.nodes == body.nodes) => {
                return Some((outer, index));
            }
            (_, Some(other)) => return Some((other, index)),
            _ => {}
        }
        for node in &body.nodes {
            if let Some(innermost) = innermost.get_mut(*node) {
                *innermost = Some(index);
            }
        }
    }
    None
}

/// A member of a region: a node, or a loop with the index of its region.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Member {
    Node(usize),
    Loop(usize),
}

/// Returns members of one region that wait for each other: each leads to each other one. At least one is a loop, whose exits are decided
/// when it ends, so that none could ever start.
fn interlocked(regions: &[Region], forward: &DiGraph<(), ()>) -> Option<Vec<Member>> {
    let mut loops: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, region) in regions.iter().enumerate() {
        if let Some(parent) = region.parent {
            loops.entry(parent).or_default().push(index);
        }
    }
    let mut around: Vec<usize> = loops.keys().copied().collect();
    around.sort_unstable();
    around.into_iter().find_map(|around| {
        let mut members: HashMap<usize, Member> =
            regions.get(around)?.nodes.iter().map(|node| (*node, Member::Node(*node))).collect();
        for inner in loops.get(&around)? {
            let nodes = &regions.get(*inner)?.nodes;
            members.extend(nodes.iter().map(|node| (*node, Member::Loop(*inner))));
        }
        let (mut contracted, mut indices) = (DiGraph::<Member, ()>::new(), HashMap::new());
        for node in &regions.get(around)?.nodes {
            let from = *members.get(node)?;
            let source = *indices.entry(from).or_insert_with(|| contracted.add_node(from));
            for next in forward.neighbors(NodeIndex::new(*node)) {
                if let Some(to) = members.get(&next.index()).filter(|to| **to != from) {
                    let target = *indices.entry(*to).or_insert_with(|| contracted.add_node(*to));
                    contracted.add_edge(source, target, ());
                }
            }
        }
        let component = kosaraju_scc(&contracted).into_iter().find(|component| component.len() > 1)?;
        Some(component.into_iter().filter_map(|index| contracted.node_weight(index).copied()).collect())
    })
}

/// Makes one loop of some members of a region. `bodies` are those of the regions, without the whole graph.
fn merge(bodies: Vec<Body>, members: &[Member]) -> Vec<Body> {
    let mut merged = Body { nodes: BTreeSet::new(), edges: Vec::new() };
    merged.nodes.extend(members.iter().filter_map(|member| match member {
        Member::Node(node) => Some(*node),
        Member::Loop(_) => None,
    }));
    let mut others = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.into_iter().enumerate() {
        if members.contains(&Member::Loop(index + 1)) {
            merged.nodes.extend(body.nodes);
            merged.edges.extend(body.edges);
        } else {
            others.push(body);
        }
    }
    merged.edges.sort_unstable();
    others.push(merged);
    others
}

/// Returns the regions of loops that are nested properly, and the innermost region of each node.
fn nest(count: usize, bodies: &[Body]) -> (Vec<Region>, Vec<usize>) {
    let mut regions = vec![Region { nodes: (0..count).collect(), ..Region::default() }];
    let mut innermost = vec![ROOT; count];
    for body in bodies {
        let index = regions.len();
        let parent = body.nodes.first().and_then(|node| innermost.get(*node)).copied().unwrap_or(ROOT);
        for node in &body.nodes {
            if let Some(innermost) = innermost.get_mut(*node) {
                *innermost = index;
            }
        }
        let mut around = Some(parent);
        while let Some(outer) = around.and_then(|outer| regions.get_mut(outer)) {
            outer.inner.push(index);
            around = outer.parent;
        }
        if let Some(parent) = regions.get_mut(parent) {
            parent.members += 1;
        }
        regions.push(Region {
            parent: Some(parent),
            nodes: body.nodes.iter().copied().collect(),
            reentries: body.edges.clone(),
            ..Region::default()
        });
    }
    for region in &innermost {
        if let Some(region) = regions.get_mut(*region) {
            region.members += 1;
        }
    }
    (regions, innermost)
}
