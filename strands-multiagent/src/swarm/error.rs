//! [`SwarmBuildError`], an error of the definition of a swarm.

/// An error of the definition of a swarm.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SwarmBuildError {
    /// The swarm has no members.
    #[error("the swarm `{swarm}` has no members: add some with `member`")]
    NoMembers {
        /// Name of the swarm.
        swarm: String,
    },
    /// A member or the swarm has a name that can't be used.
    #[error(
        "invalid name `{name}`: a name has 1 to 128 characters, and no control characters; set one with `Member::name`"
    )]
    InvalidName {
        /// The name, at most 128 characters of it.
        name: String,
    },
    /// Two members have the same name.
    #[error("two members have the name `{name}`: set another one with `Member::name`")]
    DuplicateMember {
        /// The name.
        name: String,
    },
    /// A rule names a member that the swarm does not have.
    #[error("`{rule}` names `{name}`, which is no member of the swarm; its members are {members}")]
    UnknownMember {
        /// The method of the builder with the rule.
        rule: &'static str,
        /// The name.
        name: String,
        /// The names of the members.
        members: String,
    },
    /// No sequence of handoffs leads to a member.
    #[error("no handoffs lead to the member `{name}`: allow one with `handoffs`, or remove the member")]
    Unreachable {
        /// The name.
        name: String,
    },
    /// The detection of repetition could never find one, or always would.
    #[error(
        "`repetition({window}, {min_unique})` is invalid: the number of different members must be at least 2, and at most \
         {}, of {members} members in {window} turns", window.min(members)
    )]
    InvalidRepetition {
        /// Number of turns that are looked at.
        window: usize,
        /// Number of different members that are expected among them.
        min_unique: usize,
        /// Number of members of the swarm.
        members: usize,
    },
    /// A member needs a value that the swarm does not inject.
    #[error("the member `{name}` needs a `{ty}`: add `.inject(..)` or `.injected_per_prompt::<..>()`")]
    MissingInjectedValue {
        /// Name of the member.
        name: String,
        /// The type of the value.
        ty: &'static str,
    },
    /// A member may run only once, and its policy repeats failed attempts.
    #[error("the member `{name}` runs once, and has a retry policy: remove one of them")]
    RepeatedOnce {
        /// Name of the member.
        name: String,
    },
    /// A member is an agent with a session of its own, which would store its turns a second time.
    #[error("the member `{name}` has a session manager: remove it from the agent, and set one for the swarm")]
    MemberWithSession {
        /// Name of the member.
        name: String,
    },
}

strands_core::__debug_with_sources!(SwarmBuildError);
