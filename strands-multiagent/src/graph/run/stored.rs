//! JSON of a run.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::multiagent::{NodeResult, NodeStatus};
use strands_core::{Continuation, Prompt};
use uuid::Uuid;

use super::{Activity, ActivityStatus, Key, NodeRun, RegionRun, Run};
use crate::graph::topology::Topology;
use crate::machine::{RestoreError, Spent};

/// Version of the format. It changes when older releases can't read it any more.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    id: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_later: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Uuid>,
    /// Fingerprint of the nodes and edges: a run goes on only in a graph of the same shape.
    shape: Uuid,
    task: Vec<Message>,
    #[serde(default)]
    state: Value,
    #[serde(default)]
    spent: Spent,
    nodes: BTreeMap<String, StoredNode>,
    /// One character for each edge: `1` has fired, `0` can't fire, `-` is not decided.
    edges: String,
    /// Iterations of the loops; 0 for a loop that has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    loops: Vec<u32>,
    #[serde(default)]
    ready: Vec<(String, usize)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<String>,
    #[serde(default)]
    order: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct StoredNode {
    status: Option<NodeStatus>,
    #[serde(default)]
    visits: u32,
    #[serde(default)]
    has_begun: bool,
    /// Sources of the input, if more edges have fired since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    activities: Vec<Activity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<NodeResult>,
    #[serde(default)]
    spent: Spent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Continuation>,
}

impl Run {
    /// Returns the run as JSON, with the state of the graph, and without the results that are stored elsewhere.
    pub(crate) fn to_value(&self, topology: &Topology, state: Value, has_result: impl Fn(&str) -> bool) -> Value {
        let name = |index: &usize| topology.id(*index).to_string();
        let node = |(index, node): (usize, &NodeRun)| {
            let stored = StoredNode {
                status: Some(node.status.clone()),
                visits: node.visits,
                has_begun: node.has_begun,
                sources: (node.status == NodeStatus::Executing && node.sources != self.fired_sources(topology, index))
                    .then(|| node.sources.iter().map(name).collect()),
                items: node.items.clone(),
                activities: node.activities.clone(),
                result: node.result.as_ref().filter(|_| !has_result(&topology.id(index))).cloned(),
                spent: node.spent,
                kept: node.kept.clone(),
            };
            (name(&index), stored)
        };
        let token = |token: &Option<bool>| match token {
            Some(true) => '1',
            Some(false) => '0',
            None => '-',
        };
        let stored = Stored {
            version: VERSION,
            id: self.id.clone(),
            is_later: !self.is_first,
            asked: self.asked,
            shape: topology.fingerprint,
            task: self.task.messages().to_vec(),
            state,
            spent: self.spent,
            nodes: self.nodes.iter().enumerate().filter(|(_, node)| node.is_known()).map(node).collect(),
            edges: self.tokens.iter().map(token).collect(),
            loops: self.regions.iter().map(|region| if region.has_ended { 0 } else { region.iteration }).collect(),
            ready: self.ready.iter().map(|(node, item)| (name(node), *item)).collect(),
            failed: self.failed.iter().map(name).collect(),
            order: self.order.iter().map(name).collect(),
        };
        // Its maps have texts as keys, so that this does not fail.
        serde_json::to_value(stored).unwrap_or_else(|_| json!({}))
    }

    /// Restores a run, and the JSON of its state.
    pub(crate) fn restore(topology: &Topology, value: &Value) -> Result<(Self, Value), RestoreError> {
        let stored = Stored::deserialize(value).map_err(|_| refused("its state can't be read"))?;
        if stored.version != VERSION {
            let reason = format!("it is of version {}, and this release reads {VERSION}", stored.version);
            return Err(RestoreError { reason, is_of_earlier: stored.version < VERSION });
        }
        if stored.shape != topology.fingerprint {
            let reason = "the nodes or the edges of the graph have changed since".to_owned();
            return Err(RestoreError { reason, is_of_earlier: true });
        }
        let index = |id: &str| topology.by_id.get(id).copied().ok_or_else(|| refused(format!("unknown node `{id}`")));
        let indices = |ids: &[String]| ids.iter().map(|id| index(id)).collect::<Result<Vec<_>, _>>();
        let mut run = Self::new(topology, stored.id, Prompt::from(stored.task));
        (run.is_first, run.asked) = (!stored.is_later, stored.asked);
        (run.spent, run.tokens) = (stored.spent, tokens(&stored.edges, topology.edges.len())?);
        run.order = indices(&stored.order)?;
        run.failed = indices(&stored.failed)?;
        let ready = stored.ready.iter().map(|(id, item)| Ok((index(id)?, *item)));
        run.ready = ready.collect::<Result<VecDeque<_>, RestoreError>>()?;
        run.nodes = topology.nodes.iter().map(|_| NodeRun::default()).collect();
        for (id, stored) in stored.nodes {
            let at = index(&id)?;
            let sources = match &stored.sources {
                Some(sources) => indices(sources)?,
                None => run.fired_sources(topology, at),
            };
            if let Some(node) = run.nodes.get_mut(at) {
                *node = NodeRun { sources, ..stored.into_node() };
            }
        }
        run.count_edges(topology);
        run.wait_for_items();
        let started = |node: &NodeRun| {
            node.activities.iter().filter(|activity| activity.status == ActivityStatus::Started).count()
        };
        // Until they are made ready again.
        run.running = if run.failed.is_empty() { run.nodes.iter().map(started).sum() } else { 0 };
        run.count_members(topology, &stored.loops)?;
        Ok((run, stored.state))
    }

    fn count_edges(&mut self, topology: &Topology) {
        for (node, shape) in self.nodes.iter_mut().zip(&topology.nodes) {
            let tokens = shape.inputs.iter().filter_map(|edge| self.tokens.get(*edge).copied().flatten());
            (node.fired, node.decided) = (usize::from(shape.is_entry), usize::from(shape.is_entry));
            for fired in tokens {
                node.decided += 1;
                node.fired += usize::from(fired);
            }
        }
    }

    /// Lets the items of lists wait that are neither ready nor running.
    fn wait_for_items(&mut self) {
        let ready: HashSet<Key> = self.ready.iter().copied().collect();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let waits = |(item, activity): (usize, &Activity)| {
                (activity.status == ActivityStatus::Ready && !ready.contains(&(index, item))).then_some(item)
            };
            node.waiting = node.activities.iter().enumerate().filter_map(waits).collect();
        }
    }

    fn count_members(&mut self, topology: &Topology, iterations: &[u32]) -> Result<(), RestoreError> {
        if iterations.len() != topology.regions.len() {
            return Err(refused("it has other loops"));
        }
        self.regions = topology.regions.iter().map(|region| RegionRun::of(region.members)).collect();
        let failed = &self.failed;
        let ended = self.nodes.iter().enumerate().filter(|(index, node)| node.has_ended() && !failed.contains(index));
        let mut ended: Vec<usize> =
            ended.filter_map(|(index, _)| topology.node(index)).map(|node| node.region).collect();
        for (index, (region, iteration)) in self.regions.iter_mut().zip(iterations).enumerate() {
            (region.iteration, region.has_ended) = ((*iteration).max(1), *iteration == 0);
            if region.has_ended {
                ended.extend(topology.region(index).and_then(|region| region.parent));
            }
        }
        for region in ended {
            if let Some(region) = self.regions.get_mut(region) {
                region.open = region.open.saturating_sub(1);
            }
        }
        Ok(())
    }
}

impl NodeRun {
    /// Returns true if there is more to store than that the node has not started.
    fn is_known(&self) -> bool {
        self.status != NodeStatus::Pending || self.visits > 0
    }
}

impl StoredNode {
    fn into_node(self) -> NodeRun {
        let Self { status, visits, has_begun, sources: _, items, activities, result, spent, kept } = self;
        let with = |status| activities.iter().filter(move |activity| activity.status == status).count();
        let (completed, has_failed) = (with(ActivityStatus::Completed), with(ActivityStatus::Failed) > 0);
        NodeRun {
            status: status.unwrap_or(NodeStatus::Pending),
            completed,
            has_failed,
            items,
            activities,
            result,
            visits,
            has_begun,
            spent,
            kept,
            ..NodeRun::default()
        }
    }
}

fn refused(reason: impl Into<String>) -> RestoreError {
    RestoreError { reason: reason.into(), is_of_earlier: false }
}

fn tokens(text: &str, count: usize) -> Result<Vec<Option<bool>>, RestoreError> {
    let tokens: Option<Vec<_>> = text
        .chars()
        .map(|token| match token {
            '1' => Some(Some(true)),
            '0' => Some(Some(false)),
            '-' => Some(None),
            _ => None,
        })
        .collect();
    tokens.filter(|tokens| tokens.len() == count).ok_or_else(|| refused("it has other edges"))
}
