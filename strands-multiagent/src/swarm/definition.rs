//! Definition of a swarm: its members, its rules of handoffs, and its limits. It is immutable, and shared by all runs.

use std::sync::Arc;

use indexmap::IndexMap;
use strands_core::Promptable;
use strands_core::multiagent::NodeHook;

use crate::machine::{NodePolicy, Settings};

/// Members by name, in the order in which they were added.
pub(super) type Members = IndexMap<Arc<str>, MemberDefinition>;

/// Definition of a swarm.
pub(crate) struct Definition {
    pub(super) settings: Settings,
    pub(super) description: Arc<str>,
    pub(super) hooks: Arc<[Arc<dyn NodeHook>]>,
    pub(super) members: Members,
    pub(super) entry: Arc<str>,
    /// The member that continues when another one has ended without a handoff.
    pub(super) returns_to: Option<Arc<str>>,
    pub(super) max_handoffs: u32,
    pub(super) max_iterations: u32,
    pub(super) repetition: Option<Repetition>,
    pub(super) shared_limit: usize,
}

/// A member with its rules.
pub(super) struct MemberDefinition {
    pub(super) agent: Arc<dyn Promptable>,
    pub(super) description: Arc<str>,
    pub(super) policy: NodePolicy,
    /// The members to which it may hand over.
    pub(super) handoffs: Arc<[Arc<str>]>,
}

/// Detection of members that hand over in circles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repetition {
    /// Number of turns that are looked at.
    pub(super) window: usize,
    /// Number of different members that are expected among them.
    pub(super) min_unique: usize,
}

impl Repetition {
    /// Returns the number of different members among the latest turns, if there are too few.
    pub(super) fn found(self, history: &[Arc<str>]) -> Option<usize> {
        let latest = history.get(history.len().checked_sub(self.window)?..)?;
        let is_first =
            |(index, member): &(usize, &Arc<str>)| !latest.iter().take(*index).any(|before| before == *member);
        let unique = latest.iter().enumerate().filter(is_first).count();
        (unique < self.min_unique).then_some(unique)
    }
}

impl Definition {
    /// Returns the member that continues after `member` has ended without a handoff.
    pub(super) fn next_without_handoff(&self, member: &str) -> Option<&Arc<str>> {
        self.returns_to.as_ref().filter(|next| ***next != *member)
    }
}
