//! Rules of one role.

use strands_core::ToolSpec;

use super::pattern::Pattern;
use crate::ApprovalRequirement;

/// Rules of a role: the tools that it may call, those that need an approval, and those that it may never call.
///
/// Names are those of tools. A `*` stands for any characters: `mcp_*`, `*`. Within a role a denial wins over a required
/// approval, and that over a permission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Role {
    pub(super) allow: Vec<Pattern>,
    pub(super) allow_read_only: bool,
    pub(super) ask: Vec<(Pattern, ApprovalRequirement)>,
    pub(super) deny: Vec<Pattern>,
}

/// Verdict of one role about a tool.
pub(super) enum Verdict<'a> {
    Deny,
    Ask(&'a ApprovalRequirement),
    Allow,
    None,
}

impl Role {
    /// Allows a tool, or all tools with a pattern.
    #[must_use]
    pub fn allow(mut self, tool: impl Into<String>) -> Self {
        self.allow.push(Pattern::new(tool));
        self
    }

    /// Allows all tools whose annotations say that they change nothing: those with `#[tool(read_only)]`.
    ///
    /// A remote server makes the annotations of its tools. [Deny](Self::deny) the tools of servers that you don't trust.
    #[must_use]
    pub fn allow_read_only(mut self) -> Self {
        self.allow_read_only = true;
        self
    }

    /// Allows a tool, or all tools with a pattern, if a human approves the call.
    #[must_use]
    pub fn ask(mut self, tool: impl Into<String>, requirement: ApprovalRequirement) -> Self {
        self.ask.push((Pattern::new(tool), requirement));
        self
    }

    /// Denies a tool, or all tools with a pattern, whatever this role and other ones allow.
    #[must_use]
    pub fn deny(mut self, tool: impl Into<String>) -> Self {
        self.deny.push(Pattern::new(tool));
        self
    }

    pub(super) fn verdict(&self, tool: &ToolSpec) -> Verdict<'_> {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(&tool.name));
        if any(&self.deny) {
            return Verdict::Deny;
        }
        if let Some((_, requirement)) = self.ask.iter().find(|(pattern, _)| pattern.matches(&tool.name)) {
            return Verdict::Ask(requirement);
        }
        if any(&self.allow) || (self.allow_read_only && tool.annotations.read_only == Some(true)) {
            return Verdict::Allow;
        }
        Verdict::None
    }
}
