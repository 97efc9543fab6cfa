//! Refresh of the tools between two cycles, if a tool provider has changed.

use super::driver::Driver;
use super::stop::Stop;
use crate::diagnostics;
use crate::event::AgentEvent;
use crate::outcome::{AgentError, BuildError, with_causes};
use crate::tool::{ToolListing, ToolSet};

impl Driver<'_> {
    /// Lists the tools again if a provider has changed. If that fails, the old ones stay.
    pub(super) async fn refresh_tools(&mut self, stop: &mut Stop<'_>) -> Result<(), AgentError> {
        if !self.work.tools.are_outdated() {
            return Ok(());
        }
        let catalog = self.work.tools.catalog.clone();
        let generations = catalog.generations();
        // A stop ends the invocation before the model is called.
        let Ok(listed) = stop.race_outside(catalog.list()).await else { return Ok(()) };
        let before = self.tools.clone();
        let taken = match listed {
            Ok(listing) => self.take_listing(listing),
            Err(error) => Err(with_causes(&BuildError::from(error))),
        };
        if let Err(error) = taken {
            self.work.tools.set_failed(generations);
            diagnostics::tool_refresh_failed(self.context.scope());
            self.emitter.emit(|| AgentEvent::ToolRefreshFailed { error }).await;
            return Ok(());
        }
        let changes = Changes::between(&before, &self.tools);
        if let Some(Changes { added, removed, changed }) = changes {
            self.emitter.emit(|| AgentEvent::ToolsChanged { added, removed, changed }).await;
        }
        Ok(())
    }

    /// Takes a newer listing. If its tools can't stand beside those of this invocation, the old ones stay.
    fn take_listing(&mut self, listing: ToolListing) -> Result<(), String> {
        let tools = self.selection.of(listing.tools()).map_err(|error| with_causes(&error))?;
        self.work.take_listing(listing).map_err(|error| with_causes(&error))?;
        self.use_tools(tools).map_err(|error| with_causes(&error))
    }
}

/// Names of the tools in which two sets differ.
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
        let differs = |name: &str, spec| before.get(name).is_some_and(|old| old.spec() != spec);
        let kept = after.iter().map(|tool| tool.spec());
        let changes = Self {
            added: missing_in(after, before),
            removed: missing_in(before, after),
            changed: kept.filter(|spec| differs(&spec.name, *spec)).map(|spec| spec.name.clone()).collect(),
        };
        let none = changes.added.is_empty() && changes.removed.is_empty() && changes.changed.is_empty();
        (!none).then_some(changes)
    }
}
