//! A model of the semantics, as the documentation of graphs states them: it looks at all nodes, edges and loops again until nothing
//! changes any more.

use std::collections::{BTreeMap, BTreeSet};

use strands::multiagent::Join;

use super::plan::{Acts, Plan, Policy, fails, holds, id};

/// Outcome of a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// True if a failure ends the run. Then the rest depends on timing.
    pub(crate) has_failed: bool,
    /// Completions of each node, and its status at the end.
    pub(crate) nodes: BTreeMap<String, (u32, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Status {
    Completed,
    Failed,
    /// Failed, and ends the run.
    Stuck,
    Skipped,
}

#[derive(Clone)]
struct Loop {
    body: BTreeSet<usize>,
    edges: Vec<usize>,
    iteration: u32,
    has_ended: bool,
}

struct Model<'a> {
    plan: &'a Plan,
    statuses: Vec<Option<Status>>,
    completions: Vec<u32>,
    /// Edges that are not those of loops.
    fired: Vec<Option<bool>>,
    /// Smallest first.
    loops: Vec<Loop>,
}

pub(crate) fn outcome(plan: &Plan) -> Outcome {
    let mut model = Model {
        plan,
        statuses: vec![None; plan.nodes.len()],
        completions: vec![0; plan.nodes.len()],
        fired: vec![None; plan.forward().len()],
        loops: loops(plan),
    };
    while model.decide_nodes() || model.decide_edges() || model.decide_loops() {}
    let name = |status: &Option<Status>| match status {
        Some(Status::Completed) => "completed",
        Some(Status::Failed | Status::Stuck) => "failed",
        Some(Status::Skipped) => "skipped",
        None => "pending",
    };
    let node = |index: usize| (id(index), (model.completions[index], name(&model.statuses[index]).to_owned()));
    Outcome {
        has_failed: model.statuses.contains(&Some(Status::Stuck)),
        nodes: (0..plan.nodes.len()).map(node).collect(),
    }
}

fn loops(plan: &Plan) -> Vec<Loop> {
    let reaches = plan.reaches();
    let is_between = |at: usize, from: usize, to: usize| reaches[to][at] && reaches[at][from];
    let mut loops: Vec<Loop> = plan
        .loops
        .iter()
        .enumerate()
        .map(|(edge, planned)| Loop {
            body: (0..plan.nodes.len()).filter(|at| is_between(*at, planned.from, planned.to)).collect(),
            edges: vec![edge],
            iteration: 1,
            has_ended: false,
        })
        .collect();
    let is_nested = |one: &Loop, other: &Loop| one.body != other.body && one.body.is_subset(&other.body);
    loop {
        let pairs = (0..loops.len()).flat_map(|one| (one + 1..loops.len()).map(move |other| (one, other)));
        let entangled = pairs.into_iter().find(|(one, other)| {
            let (one, other) = (&loops[*one], &loops[*other]);
            !one.body.is_disjoint(&other.body) && !is_nested(one, other) && !is_nested(other, one)
        });
        if let Some((one, other)) = entangled {
            let merged = loops.remove(other);
            loops[one].body.extend(merged.body);
            loops[one].edges.extend(merged.edges);
            continue;
        }
        let all = (0..plan.nodes.len()).collect();
        let mut regions = std::iter::once(all).chain(loops.iter().map(|around| around.body.clone()));
        let found = regions.find_map(|region| waits_for_itself(plan, &loops, &region).map(|body| (region, body)));
        let Some((region, body)) = found else { break };
        // The outermost loops within it become one; those within them stay.
        let within: Vec<Loop> = loops.iter().filter(|one| is_within(one, &region)).cloned().collect();
        let is_outermost = |one: &Loop| {
            is_within(one, &region) && one.body.is_subset(&body) && !within.iter().any(|other| is_nested(one, other))
        };
        let (merged, others): (Vec<Loop>, Vec<Loop>) = loops.into_iter().partition(is_outermost);
        loops = others;
        let edges = merged.into_iter().flat_map(|one| one.edges).collect();
        loops.push(Loop { body, edges, iteration: 1, has_ended: false });
    }
    loops.sort_by_key(|known| known.body.len());
    loops
}

/// Returns true if a loop is a part of a region, but not all of it.
fn is_within(one: &Loop, region: &BTreeSet<usize>) -> bool {
    one.body.is_subset(region) && one.body.len() < region.len()
}

/// Returns nodes of a region that lead to each other once each loop within it is left only as a whole, and are not one loop already.
fn waits_for_itself(plan: &Plan, loops: &[Loop], region: &BTreeSet<usize>) -> Option<BTreeSet<usize>> {
    let count = plan.nodes.len();
    let inner: Vec<&Loop> = loops.iter().filter(|one| is_within(one, region)).collect();
    let together = |from: usize, to: usize| inner.iter().any(|one| one.body.contains(&from) && one.body.contains(&to));
    let mut leads: Vec<Vec<bool>> =
        (0..count).map(|from| (0..count).map(|to| from == to || together(from, to)).collect()).collect();
    for (edge, _) in plan.forward() {
        leads[edge.from][edge.to] |= region.contains(&edge.from) && region.contains(&edge.to);
    }
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                leads[from][to] |= leads[from][via] && leads[via][to];
            }
        }
    }
    let around = |node: usize| (0..count).filter(|other| leads[node][*other] && leads[*other][node]).collect();
    region
        .iter()
        .map(|node| around(*node))
        .find(|nodes: &BTreeSet<usize>| nodes.len() > 1 && !inner.iter().any(|one| nodes.is_subset(&one.body)))
}

impl Model<'_> {
    fn decide_nodes(&mut self) -> bool {
        let forward = self.plan.forward();
        let mut changed = false;
        for node in 0..self.plan.nodes.len() {
            if self.statuses[node].is_some() {
                continue;
            }
            let inputs: Vec<Option<bool>> = forward
                .iter()
                .zip(&self.fired)
                .filter(|((edge, _), _)| edge.to == node)
                .map(|(_, fired)| *fired)
                .collect();
            let is_entry = inputs.is_empty();
            let all = inputs.len() + usize::from(is_entry);
            let fired = inputs.iter().filter(|fired| **fired == Some(true)).count() + usize::from(is_entry);
            let decided = inputs.iter().filter(|fired| fired.is_some()).count() + usize::from(is_entry);
            let (runs, is_skipped) = match self.plan.nodes[node].join {
                Join::Any => (fired >= 1, decided == all && fired == 0),
                Join::AtLeast(needed) => (fired >= needed, fired + (all - decided) < needed),
                _ => (decided == all && fired > 0, decided == all && fired == 0),
            };
            if runs {
                self.run(node);
            } else if is_skipped {
                self.statuses[node] = Some(Status::Skipped);
            }
            changed |= runs || is_skipped;
        }
        changed
    }

    fn run(&mut self, node: usize) {
        let planned = &self.plan.nodes[node];
        let completions = &mut self.completions[node];
        let status = match planned.acts {
            Acts::Fails(kind) if fails(kind, *completions) && planned.policy == Policy::Run => Status::Stuck,
            Acts::Fails(kind) if fails(kind, *completions) => Status::Failed,
            Acts::HasFailingItem if planned.policy == Policy::Run => Status::Stuck,
            Acts::HasFailingItem => Status::Failed,
            Acts::HasItems(count) | Acts::HasAgents(count) => {
                *completions += count;
                Status::Completed
            }
            _ => {
                *completions += 1;
                Status::Completed
            }
        };
        self.statuses[node] = Some(status);
    }

    fn decide_edges(&mut self) -> bool {
        let mut changed = false;
        for (index, (edge, is_route)) in self.plan.forward().into_iter().enumerate() {
            let leaves_open_loop = self
                .loops
                .iter()
                .any(|around| !around.has_ended && around.body.contains(&edge.from) && !around.body.contains(&edge.to));
            if self.fired[index].is_some() || leaves_open_loop {
                continue;
            }
            self.fired[index] = match self.statuses[edge.from] {
                None | Some(Status::Stuck) => continue,
                Some(Status::Completed) => Some(!is_route && holds(edge.condition, self.completions[edge.from])),
                Some(Status::Failed) => Some(is_route),
                Some(Status::Skipped) => Some(false),
            };
            changed = true;
        }
        changed
    }

    fn decide_loops(&mut self) -> bool {
        for index in 0..self.loops.len() {
            let body = self.loops[index].body.clone();
            let has_inner = self.loops[..index].iter().any(|inner| !inner.has_ended && inner.body.is_subset(&body));
            let is_busy = body.iter().any(|node| matches!(self.statuses[*node], None | Some(Status::Stuck)));
            if self.loops[index].has_ended || has_inner || is_busy {
                continue;
            }
            let iteration = self.loops[index].iteration;
            let targets: Vec<usize> = self.loops[index]
                .edges
                .iter()
                .map(|edge| self.plan.loops[*edge])
                .filter(|edge| self.statuses[edge.from] == Some(Status::Completed) && iteration < edge.max)
                .filter(|edge| holds(edge.condition, self.completions[edge.from]))
                .map(|edge| edge.to)
                .collect();
            if targets.is_empty() {
                self.loops[index].has_ended = true;
            } else {
                self.iterate(index, &targets);
            }
            return true;
        }
        false
    }

    fn iterate(&mut self, index: usize, targets: &[usize]) {
        let body = self.loops[index].body.clone();
        self.loops[index].iteration += 1;
        for inner in &mut self.loops[..index] {
            if inner.body.is_subset(&body) {
                (inner.iteration, inner.has_ended) = (1, false);
            }
        }
        let forward = self.plan.forward();
        let is_within =
            |(edge, _): &(super::plan::PlanEdge, bool)| body.contains(&edge.from) && body.contains(&edge.to);
        for (fired, edge) in self.fired.iter_mut().zip(&forward) {
            if is_within(edge) {
                *fired = None;
            }
        }
        for node in &body {
            self.statuses[*node] = None;
        }
        for node in &body {
            if targets.contains(node) {
                self.run(*node);
            } else if !forward.iter().any(|edge| is_within(edge) && edge.0.to == *node) {
                self.statuses[*node] = Some(Status::Skipped);
            }
        }
    }
}
