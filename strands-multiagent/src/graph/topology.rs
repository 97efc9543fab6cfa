//! Shape of a graph: nodes, edges and loops, as indices. Runs read it; it never changes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use uuid::Uuid;

use super::Join;

/// Index of the region that is the whole graph.
pub(crate) const ROOT: usize = 0;

/// Shape of a graph. Its indices are those of the builder: nodes and edges in the order in which they were declared.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) nodes: Vec<NodeShape>,
    pub(crate) edges: Vec<EdgeShape>,
    /// The whole graph, and its loops; a loop has a higher index than those around it.
    pub(crate) regions: Vec<Region>,
    pub(crate) by_id: HashMap<Arc<str>, usize>,
    /// Of nodes and edges: a run goes on only in a graph of the same shape.
    pub(crate) fingerprint: Uuid,
}

#[derive(Debug)]
pub(crate) struct NodeShape {
    pub(crate) id: Arc<str>,
    pub(crate) join: Join,
    /// True if the task enters here: then the task counts as an edge that has fired.
    pub(crate) is_entry: bool,
    /// Edges to the node, without those of loops.
    pub(crate) inputs: Vec<usize>,
    /// Edges of loops to the node.
    pub(crate) reentries: Vec<usize>,
    /// Edges from the node, without those of loops.
    pub(crate) outputs: Vec<usize>,
    /// Innermost region of the node.
    pub(crate) region: usize,
}

#[derive(Debug)]
pub(crate) struct EdgeShape {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: EdgeKind,
    /// Outermost loop that the edge leaves. Such an edge is decided when that loop ends.
    pub(crate) leaves: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EdgeKind {
    /// Fires if the source has completed.
    Success,
    /// Fires if the source has failed.
    Failure,
    /// Starts the next iteration of a loop, up to a number of iterations.
    Loop { max: u32 },
}

/// The whole graph, or a loop in it.
#[derive(Debug, Default)]
pub(crate) struct Region {
    pub(crate) parent: Option<usize>,
    /// All nodes, with those of inner loops, ascending.
    pub(crate) nodes: Vec<usize>,
    /// Number of nodes and loops that are directly in it.
    pub(crate) members: usize,
    /// Loops in it, also within others.
    pub(crate) inner: Vec<usize>,
    /// Edges that start its next iteration.
    pub(crate) reentries: Vec<usize>,
    /// Edges that are decided when it ends.
    pub(crate) exits: Vec<usize>,
}

impl NodeShape {
    /// Returns the edges to the node, each with true if its join counts it.
    pub(crate) fn edges_in(&self) -> impl Iterator<Item = (usize, bool)> {
        let counted = self.inputs.iter().map(|edge| (*edge, true));
        counted.chain(self.reentries.iter().map(|edge| (*edge, false)))
    }
}

impl Topology {
    /// Returns a fingerprint of nodes and edges.
    pub(crate) fn fingerprint(nodes: &[NodeShape], edges: &[EdgeShape]) -> Uuid {
        let mut text = String::new();
        for node in nodes {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{} {:?} {}", node.id, node.join, node.is_entry);
        }
        for edge in edges {
            let kind = match edge.kind {
                EdgeKind::Success => "success",
                EdgeKind::Failure => "failure",
                EdgeKind::Loop { .. } => "loop",
            };
            let _ = writeln!(text, "{} {} {kind}", edge.from, edge.to);
        }
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
    }

    pub(crate) fn node(&self, index: usize) -> Option<&NodeShape> {
        self.nodes.get(index)
    }

    pub(crate) fn edge(&self, index: usize) -> Option<&EdgeShape> {
        self.edges.get(index)
    }

    pub(crate) fn region(&self, index: usize) -> Option<&Region> {
        self.regions.get(index)
    }

    pub(crate) fn id(&self, node: usize) -> Arc<str> {
        self.node(node).map_or_else(|| "".into(), |node| Arc::clone(&node.id))
    }

    /// Returns true if a node is in a region, or in a loop within it.
    pub(crate) fn is_within(&self, node: usize, region: usize) -> bool {
        let innermost = self.node(node).map(|node| node.region);
        std::iter::successors(innermost, |region| self.region(*region)?.parent).any(|around| around == region)
    }
}
