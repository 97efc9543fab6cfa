//! [`Member`]: an agent of a swarm with its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strands_core::{Promptable, RetryPolicy};

use crate::machine::NodePolicy;

/// A member of a swarm: an agent's template, or anything else that takes prompts, with its settings.
///
/// A template builds a new agent for each turn of the member. A member without a model of its own, such as an agent on another
/// server, can't hand over: the swarm ends with its response, or [returns](super::SwarmBuilder::returns_to) to another member.
pub struct Member {
    pub(super) agent: Arc<dyn Promptable>,
    pub(super) name: Arc<str>,
    pub(super) description: Arc<str>,
    pub(super) policy: NodePolicy,
    /// False if the timeout is that of the swarm.
    pub(super) has_timeout: bool,
}

impl Member {
    /// Creates a member with the name and the description of the agent.
    pub fn new(agent: impl Promptable + 'static) -> Self {
        Self {
            name: agent.name().into(),
            description: agent.description().into(),
            agent: Arc::new(agent),
            policy: NodePolicy {
                timeout: None,
                retry: RetryPolicy::never(),
                keeps_conversation: false,
                runs_once: false,
            },
            has_timeout: false,
        }
    }

    /// Sets the name by which the other members hand over to this one. Default: that of the agent.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the description that the other members decide by. Default: that of the agent.
    #[must_use]
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets whether a member that gets the task again goes on with its conversation, rather than starting a new one. Default: false.
    /// The conversation is part of the run, so that it is stored with it.
    #[must_use]
    pub fn keeps_conversation(mut self, keeps: bool) -> Self {
        self.policy.keeps_conversation = keeps;
        self
    }

    /// Sets the maximum time of an attempt, in place of that of [the swarm](super::SwarmBuilder::member_timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        (self.policy.timeout, self.has_timeout) = (Some(timeout), true);
        self
    }

    /// Sets how failed attempts are repeated. Default: [`RetryPolicy::never`]. Model calls of an agent have a policy of their own.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Declares that a turn of the member must never run twice. If the process ends during the turn, the swarm fails with
    /// [`NodeError::OutcomeUnknown`](crate::NodeError::OutcomeUnknown) when it is resumed, instead of repeating the turn. Failed
    /// attempts are not repeated.
    #[must_use]
    pub fn runs_once(mut self) -> Self {
        self.policy.runs_once = true;
        self
    }
}

/// A trait for everything that can be a member of a swarm: a [`Member`] with settings, and everything that takes prompts.
pub trait IntoMember {
    /// Converts the value to a member.
    fn into_member(self) -> Member;
}

impl IntoMember for Member {
    fn into_member(self) -> Member {
        self
    }
}

impl<P: Promptable + 'static> IntoMember for P {
    fn into_member(self) -> Member {
        Member::new(self)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}
