//! Approver of a tool call.

use strands_core::hook::HookContext;

use crate::Identity;

/// The identity that responds to an approval request, if it is not the one for which the agent works.
///
/// The host verifies it and injects it into the invocation that resumes the agent:
/// `agent.prompt(Prompt::none()).resume(responses).inject(Approver::new(manager))`. Without it, the injected [`Identity`] is
/// the approver.
#[derive(Clone, Debug, PartialEq)]
pub struct Approver(Identity);

impl Approver {
    /// Creates an approver.
    pub fn new(identity: Identity) -> Self {
        Self(identity)
    }

    /// Returns the identity.
    pub fn identity(&self) -> &Identity {
        &self.0
    }

    /// Returns the identity that responds in an invocation.
    pub(super) fn of(context: &HookContext) -> Option<&Identity> {
        context.injected::<Self>().map(Self::identity).or_else(|| context.injected())
    }
}
