//! Refresh of the tools between two cycles, if a tool provider has changed.

use super::driver::Driver;
use super::stop_signal::StopSignal;
use crate::diagnostics;
use crate::error_chain::ErrorChain;
use crate::event::AgentEvent;
use crate::hook::SelectTools;
use crate::outcome::{AgentError, BuildError};
use crate::tool::{ToolListing, ToolSet, ToolSpec};

impl Driver<'_> {
    /// Lists the tools again after a provider has changed. On failure, the old tools stay.
    pub(super) async fn refresh_tools(&mut self, stop: &mut StopSignal) -> Result<(), AgentError> {
        let catalog = self.work.tools.catalog.clone();
        let generations = catalog.generations();
        // A stop ends the invocation before the model is called.
        let Ok(listed) = stop.race(catalog.list()).await else { return Ok(()) };
        let before = self.tools.clone();
        let applied = match listed {
            Ok(listing) => self.apply_listing(listing),
            Err(error) => Err(ErrorChain::new(&BuildError::from(error)).to_string()),
        };
        if let Err(error) = applied {
            self.work.tools.set_failed(generations);
            diagnostics::tool_refresh_failed(self.context.scope());
            self.emitter.emit(|| AgentEvent::ToolRefreshFailed { error }).await;
            return Ok(());
        }
        // Recorded hooks select tools once a round, since a replay may list the tools at other moments.
        if self.has_called_hooks && !self.records_selected_tools() {
            self.select_tools(stop).await?;
        }
        let changes = Changes::between(&before, &self.tools);
        if let Some(Changes { added, removed, changed }) = changes {
            self.emitter.emit(|| AgentEvent::ToolsChanged { added, removed, changed }).await;
        }
        Ok(())
    }

    /// Calls `select_tools` hooks, and hides tools from the model for the rest of the invocation.
    pub(super) async fn select_tools(&mut self, stop: &mut StopSignal) -> Result<(), AgentError> {
        if self.work.config.hooks().is_empty() {
            return Ok(());
        }
        self.update_context();
        let all = self.selection.apply(self.work.tools())?;
        let contexts = self.event_contexts();
        let mut event = SelectTools { context: &self.context, tools: &all, hidden: Vec::new() };
        if let Some(failure) = self.call_hooks(&mut event, contexts.as_deref(), stop).await?.failure {
            return Err(failure);
        }
        let hidden = event.hidden;
        let selected = if hidden.is_empty() { all } else { all.changed(&hidden, &[])? };
        self.use_tools(selected)
    }

    /// Applies a newer listing. If its tools conflict with those of this invocation, the old tools stay.
    fn apply_listing(&mut self, listing: ToolListing) -> Result<(), String> {
        let refused = |error: AgentError| ErrorChain::new(&error).to_string();
        let tools = self.selection.apply(listing.tools()).map_err(refused)?;
        let joined = self.joined(&tools).map_err(refused)?;
        self.work.check_injected_values(&tools, &self.context.scope().injected).map_err(refused)?;
        self.work.apply_listing(listing).map_err(|error| ErrorChain::new(&error).to_string())?;
        self.use_joined(tools, joined);
        Ok(())
    }
}

/// Names of the tools in which two sets differ, in their specification or their order.
struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Changes {
    fn between(before: &ToolSet, after: &ToolSet) -> Option<Self> {
        let missing_in = |from: &ToolSet, other: &ToolSet| -> Vec<String> {
            let names = from.iter().map(|tool| &tool.spec().name);
            names.filter(|name| other.get(name).is_none()).cloned().collect()
        };
        // Compared as serialized in requests, where the order of a schema's keys matters.
        let text = |spec: &ToolSpec| serde_json::to_string(spec).unwrap_or_default();
        let common = || after.iter().map(|tool| tool.spec()).filter(|spec| before.get(&spec.name).is_some());
        let order_before = before.iter().map(|tool| &tool.spec().name).filter(|name| after.get(name).is_some());
        let moved: Vec<&String> = common()
            .map(|spec| &spec.name)
            .zip(order_before)
            .filter(|(new, old)| new != old)
            .map(|(new, _)| new)
            .collect();
        let differs = |spec: &&ToolSpec| {
            moved.contains(&&spec.name) || before.get(&spec.name).is_some_and(|old| text(old.spec()) != text(spec))
        };
        let changes = Self {
            added: missing_in(after, before),
            removed: missing_in(before, after),
            changed: common().filter(differs).map(|spec| spec.name.clone()).collect(),
        };
        let none = changes.added.is_empty() && changes.removed.is_empty() && changes.changed.is_empty();
        (!none).then_some(changes)
    }
}
