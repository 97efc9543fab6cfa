//! Tools of an agent: their current listing, changes, and the injected values that they require.

use std::sync::Arc;

use super::WorkingSet;
use crate::injected::{InjectedKey, InjectedValues};
use crate::outcome::{AgentError, BuildError};
use crate::tool::{Tool, ToolCatalog, ToolContext, ToolListing, ToolSet};

/// Tools of an agent.
pub(crate) struct AgentTools {
    pub(crate) catalog: ToolCatalog,
    listing: ToolListing,
    /// Values that tools require with each prompt.
    injected_per_prompt: Vec<(String, InjectedKey)>,
    /// Generations of the providers when their listing failed.
    failed: Option<Vec<u64>>,
}

impl AgentTools {
    /// Lists the tools of a catalog, and checks that the values they require are injected, or declared to be injected with
    /// each prompt.
    pub(crate) async fn listed(
        catalog: ToolCatalog,
        injected: &InjectedValues,
        declared: &[InjectedKey],
    ) -> Result<Self, BuildError> {
        let listing = catalog.list().await?;
        let injected_per_prompt = needed_per_prompt(listing.tools(), injected, declared)?;
        Ok(Self { catalog, listing, injected_per_prompt, failed: None })
    }

    pub(crate) fn set(&self) -> &ToolSet {
        self.listing.tools()
    }

    /// Returns true if a tool is idempotent, so that it may run again after an unknown outcome.
    pub(crate) fn is_idempotent(&self, tool: &str) -> bool {
        self.set().get(tool).is_some_and(|tool| tool.spec().annotations.idempotent == Some(true))
    }

    /// Returns true if a provider has changed since the last listing, successful or not.
    pub(crate) fn are_outdated(&self) -> bool {
        !self.catalog.is_current(&self.listing)
            && self.failed.as_ref().is_none_or(|failed| *failed != self.catalog.generations())
    }

    /// Allows another attempt after a failed listing.
    pub(crate) fn forget_failure(&mut self) {
        self.failed = None;
    }

    /// Marks the current generations of the providers as failed.
    pub(crate) fn set_failed(&mut self, generations: Vec<u64>) {
        self.failed = Some(generations);
    }
}

impl WorkingSet {
    pub(crate) fn tools(&self) -> &ToolSet {
        self.tools.set()
    }

    /// Replaces the agent's own tools.
    pub(crate) fn set_own_tools(&mut self, own: Vec<Arc<dyn Tool>>) -> Result<(), BuildError> {
        let mut catalog = self.tools.catalog.clone();
        let listing = catalog.replace_own(own, &self.tools.listing)?;
        self.apply_listing(listing)?;
        self.tools.catalog = catalog;
        Ok(())
    }

    /// Applies a newer listing.
    pub(crate) fn apply_listing(&mut self, listing: ToolListing) -> Result<(), BuildError> {
        let config = &self.config;
        let needed = needed_per_prompt(listing.tools(), &config.injected, &config.injected_per_prompt)?;
        (self.tools.listing, self.tools.injected_per_prompt) = (listing, needed);
        self.tools.failed = None;
        Ok(())
    }

    /// Returns an error if a tool requires a value that was not injected. The agent's own values were checked when its tools
    /// were listed.
    pub(crate) fn check_injected_values(&self, tools: &ToolSet, injected: &InjectedValues) -> Result<(), AgentError> {
        if tools.is_same(self.tools()) && self.tools.injected_per_prompt.is_empty() {
            return Ok(());
        }
        let needed = tools.iter().flat_map(|tool| {
            let keys = tool.requires().iter().filter(|key| !ToolContext::has_built_in(key));
            keys.map(|key| (tool.spec().name.as_str(), key))
        });
        match needed.into_iter().find(|(_, key)| !injected.contains(key)) {
            Some((tool, key)) => Err(AgentError::MissingInjectedValue { tool: tool.to_owned(), ty: key.type_name() }),
            None => Ok(()),
        }
    }
}

impl WorkingSet {
    /// Returns the types of the agent's injected values that no tool reads. Empty if values may be read without a declaration:
    /// by hooks, by tools that take their whole context, and by tools that a provider lists later.
    pub(crate) fn unread_injected_values(&self) -> Vec<&'static str> {
        let required = || self.tools().iter().flat_map(|tool| tool.requires());
        let reads_any = !self.config.hooks().is_empty()
            || self.tools.catalog.has_providers()
            || required().any(|key| key.is::<ToolContext>());
        if reads_any {
            return Vec::new();
        }
        let injected = self.config.injected.agent_keys();
        let unread = injected.filter(|injected| !required().any(|key| key.matches(injected)));
        let mut unread: Vec<_> = unread.map(InjectedKey::type_name).collect();
        unread.sort_unstable();
        unread
    }
}

/// Returns the values that tools require with each prompt.
fn needed_per_prompt(
    tools: &ToolSet,
    injected: &InjectedValues,
    declared: &[InjectedKey],
) -> Result<Vec<(String, InjectedKey)>, BuildError> {
    let mut needed = Vec::new();
    for tool in tools.iter() {
        for key in tool.requires().iter().filter(|key| !ToolContext::has_built_in(key) && !injected.contains(key)) {
            let tool = tool.spec().name.clone();
            if !declared.iter().any(|declared| key.matches(declared)) {
                return Err(BuildError::MissingInjectedValue { tool, ty: key.type_name() });
            }
            needed.push((tool, *key));
        }
    }
    Ok(needed)
}
