//! [`SwarmBuilder`], with the checks of a definition.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexSet;
use strands_core::multiagent::{MultiAgentKind, NodeHook};
use strands_core::session::SessionManager;
use strands_core::{Limits, RetryPolicy};

use super::Swarm;
use super::definition::{Definition, MemberDefinition, Members, Repetition};
use super::error::SwarmBuildError;
use super::member::{IntoMember, Member};
use crate::given_values::{GivenValues, MissingValue};
use crate::machine::Settings;

const MAX_NAME: usize = 128;
const DEFAULT_HANDOFFS: u32 = 20;
const DEFAULT_ITERATIONS: u32 = 20;
const DEFAULT_DURATION: Duration = Duration::from_secs(900);
const DEFAULT_MEMBER_TIMEOUT: Duration = Duration::from_secs(300);
const DEFAULT_SHARED_LIMIT: usize = 64 * 1024;

/// Members by id, and the id of the entry.
type Checked = (Members, Arc<str>);

/// Builder for [`Swarm`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct SwarmBuilder {
    name: Arc<str>,
    id: Option<Arc<str>>,
    description: Arc<str>,
    members: Vec<Member>,
    entry: Option<Arc<str>>,
    returns_to: Option<Arc<str>>,
    handoffs: Vec<(Arc<str>, Vec<Arc<str>>)>,
    max_handoffs: u32,
    max_iterations: u32,
    limits: Limits,
    member_timeout: Option<Duration>,
    repetition: Option<Repetition>,
    shared_limit: usize,
    hooks: Vec<Arc<dyn NodeHook>>,
    sessions: Option<Arc<dyn SessionManager>>,
    given: GivenValues,
}

impl SwarmBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            id: None,
            description: "".into(),
            members: Vec::new(),
            entry: None,
            returns_to: None,
            handoffs: Vec::new(),
            max_handoffs: DEFAULT_HANDOFFS,
            max_iterations: DEFAULT_ITERATIONS,
            limits: Limits::new().duration(DEFAULT_DURATION),
            member_timeout: Some(DEFAULT_MEMBER_TIMEOUT),
            repetition: None,
            shared_limit: DEFAULT_SHARED_LIMIT,
            hooks: Vec::new(),
            sessions: None,
            given: GivenValues::default(),
        }
    }

    /// Sets the id under which a session stores the run, and which identifies the swarm in it. Default: the name.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the description of the purpose, for a model that chooses between agents. Default: empty.
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a member: an agent's template, anything else that takes prompts, or a [`Member`] with settings.
    #[doc(alias = "agent", alias = "node")]
    pub fn member(mut self, member: impl IntoMember) -> Self {
        self.members.push(member.into_member());
        self
    }

    /// Sets the member that starts. Default: the first one.
    #[doc(alias = "entry_point")]
    pub fn entry(mut self, member: impl Into<Arc<str>>) -> Self {
        self.entry = Some(member.into());
        self
    }

    /// Sets the members to which a member may hand over, in place of an earlier list. Default: all others. With an empty list it hands
    /// over to none, and does not get the tool.
    pub fn handoffs<N: Into<Arc<str>>>(mut self, from: impl Into<Arc<str>>, to: impl IntoIterator<Item = N>) -> Self {
        self.handoffs.push((from.into(), to.into_iter().map(Into::into).collect()));
        self
    }

    /// Sets the member that continues when another one ends without a handoff; it gets the other's response. The swarm then
    /// completes when this member ends without a handoff. Default: none, so that the swarm completes with the first response without a
    /// handoff.
    pub fn returns_to(mut self, member: impl Into<Arc<str>>) -> Self {
        self.returns_to = Some(member.into());
        self
    }

    /// Sets the maximum number of handoffs. One more ends the run with
    /// [`StopReason::LimitSteps`](strands_core::models::StopReason::LimitSteps). Default: 20.
    pub fn max_handoffs(mut self, handoffs: u32) -> Self {
        self.max_handoffs = handoffs;
        self
    }

    /// Sets the maximum number of turns of members, including those after a [return](Self::returns_to), but not repeated attempts. One
    /// more ends the run with [`StopReason::LimitSteps`](strands_core::models::StopReason::LimitSteps). Default: 20.
    pub fn max_iterations(mut self, iterations: u32) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// Sets the limits of a run over all members: model calls, tokens and time. Default: 100 model calls and 15 minutes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the maximum time of one attempt of a member. It fails with [`NodeError::Timeout`](crate::NodeError::Timeout) otherwise.
    /// `None` sets no maximum. Default: 5 minutes.
    #[doc(alias = "node_timeout")]
    pub fn member_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.member_timeout = timeout.into();
        self
    }

    /// Fails the run with [`RunError::Repetition`](crate::RunError::Repetition) when the turn passes on, and fewer than `min_unique`
    /// different members had the latest `window` turns. Default: no detection.
    pub fn repetition(mut self, window: usize, min_unique: usize) -> Self {
        self.repetition = Some(Repetition { window, min_unique });
        self
    }

    /// Sets the maximum size of the [shared context](super::SharedContext), in bytes of JSON. A handoff that exceeds it is refused: the
    /// model gets an error result that says so. Default: 64 KiB.
    pub fn shared_context_limit(mut self, bytes: usize) -> Self {
        self.shared_limit = bytes;
        self
    }

    /// Adds a hook.
    pub fn hook(mut self, hook: impl NodeHook + 'static) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Stores the run in a session after each turn. A run that was interrupted, stopped or cut off by a crash goes on from there.
    pub fn session_manager(mut self, sessions: impl SessionManager + 'static) -> Self {
        self.sessions = Some(Arc::new(sessions));
        self
    }

    /// Injects a value for the tools and hooks of all members. A value of the same type that a prompt injects takes precedence.
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.given.inject(value);
        self
    }

    /// Declares that each prompt injects a value of this type, so that the build does not require it. A prompt without it is an error.
    pub fn injected_per_prompt<T: Send + Sync + 'static>(mut self) -> Self {
        self.given.expect::<T>();
        self
    }

    /// Builds the swarm.
    ///
    /// # Errors
    ///
    /// Returns [`SwarmBuildError`] if there are no members, for invalid and duplicate names, for rules that name unknown members, for
    /// members to which no handoffs lead, for values that a member needs and none injects, and for settings that contradict each
    /// other.
    pub fn build(self) -> Result<Swarm, SwarmBuildError> {
        let (members, entry) = self.checked_members()?;
        if let Some(Repetition { window, min_unique }) = self.repetition
            && !(2..=window.min(members.len())).contains(&min_unique)
        {
            return Err(SwarmBuildError::InvalidRepetition { window, min_unique, members: members.len() });
        }
        let requires = self.given.required(self.members.iter().map(|member| (&*member.name, member.agent.requires())));
        let requires =
            requires.map_err(|MissingValue { of, ty }| SwarmBuildError::MissingInjectedValue { name: of, ty })?;
        let hooks: Arc<[Arc<dyn NodeHook>]> = self.hooks.clone().into();
        let definition = Definition {
            settings: Settings {
                kind: MultiAgentKind::Swarm,
                id: self.id.unwrap_or_else(|| Arc::clone(&self.name)),
                name: self.name,
                limits: self.limits,
                concurrency: 1,
                hooks: self.hooks,
                session_manager: self.sessions,
                inject: self.given.inject,
                requires,
            },
            description: self.description,
            hooks,
            members,
            entry,
            returns_to: self.returns_to,
            max_handoffs: self.max_handoffs,
            max_iterations: self.max_iterations,
            repetition: self.repetition,
            shared_limit: self.shared_limit,
        };
        Ok(Swarm::of(definition))
    }

    /// Returns the members with their rules, and the member that starts.
    fn checked_members(&self) -> Result<Checked, SwarmBuildError> {
        check_name(&self.name)?;
        let mut names: IndexSet<Arc<str>> = IndexSet::with_capacity(self.members.len());
        for Member { name, agent, policy, .. } in &self.members {
            check_name(name)?;
            if agent.has_session() {
                return Err(SwarmBuildError::MemberWithSession { name: name.to_string() });
            }
            if policy.runs_once && policy.retry != RetryPolicy::never() {
                return Err(SwarmBuildError::RepeatedOnce { name: name.to_string() });
            }
            if !names.insert(Arc::clone(name)) {
                return Err(SwarmBuildError::DuplicateMember { name: name.to_string() });
            }
        }
        let Some(first) = names.first() else {
            return Err(SwarmBuildError::NoMembers { swarm: self.name.to_string() });
        };
        let entry = self.entry.as_ref().unwrap_or(first);
        let known = |rule: &'static str, name: &Arc<str>| match names.contains(name) {
            true => Ok(()),
            false => Err(SwarmBuildError::UnknownMember {
                rule,
                name: name.to_string(),
                members: names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            }),
        };
        known("entry", entry)?;
        self.returns_to.iter().try_for_each(|next| known("returns_to", next))?;
        for (from, to) in &self.handoffs {
            std::iter::once(from).chain(to).try_for_each(|name| known("handoffs", name))?;
        }
        let members = self.members.iter().map(|member| {
            let rule = self.handoffs.iter().rev().find(|(from, _)| *from == member.name);
            let to = match rule {
                // Without repetitions.
                Some((_, to)) => to.iter().cloned().collect::<IndexSet<_>>().into_iter().collect(),
                None => names.iter().filter(|name| **name != member.name).cloned().collect(),
            };
            let mut policy = member.policy;
            if !member.has_timeout {
                policy.timeout = self.member_timeout;
            }
            let definition = MemberDefinition {
                agent: Arc::clone(&member.agent),
                description: Arc::clone(&member.description),
                policy,
                handoffs: to,
            };
            (Arc::clone(&member.name), definition)
        });
        let members: Members = members.collect();
        match unreachable(&members, entry, self.returns_to.as_ref()) {
            Some(name) => Err(SwarmBuildError::Unreachable { name: name.to_string() }),
            None => Ok((members, Arc::clone(entry))),
        }
    }
}

fn check_name(name: &str) -> Result<(), SwarmBuildError> {
    let is_valid = !name.trim().is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control);
    match is_valid {
        true => Ok(()),
        false => Err(SwarmBuildError::InvalidName { name: name.chars().take(MAX_NAME).collect() }),
    }
}

/// Returns the first member to which no handoffs lead.
fn unreachable<'a>(
    members: &'a Members,
    entry: &'a Arc<str>,
    returns_to: Option<&'a Arc<str>>,
) -> Option<&'a Arc<str>> {
    let mut reached: IndexSet<&Arc<str>> = IndexSet::from([entry]);
    reached.extend(returns_to);
    let mut next = 0;
    while let Some(member) = reached.get_index(next).copied() {
        next += 1;
        if let Some(definition) = members.get(member) {
            reached.extend(definition.handoffs.iter());
        }
    }
    members.keys().find(|name| !reached.contains(name))
}

impl fmt::Debug for SwarmBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwarmBuilder").field("name", &self.name).field("members", &self.members).finish_non_exhaustive()
    }
}
