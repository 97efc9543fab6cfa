//! Injected values of a graph or swarm: from its builder, or required of each prompt.

use std::sync::Arc;

use strands_core::multiagent::MultiAgentContext;
use strands_core::{InjectedKey, PromptRequest, ToolContext};

/// Adds a value to the request of a run, unless it has one of the type.
pub(crate) type Inject = Arc<dyn Fn(PromptRequest) -> PromptRequest + Send + Sync>;

/// Values that a graph or swarm has.
#[derive(Clone, Default)]
pub(crate) struct GivenValues {
    pub(crate) inject: Vec<Inject>,
    /// Keys of the values of the builder.
    injected: Vec<InjectedKey>,
    /// Keys of the values that each prompt has.
    per_prompt: Vec<InjectedKey>,
}

/// A value that is not injected, and the node or member that reads it.
pub(crate) struct MissingValue {
    pub(crate) of: String,
    pub(crate) ty: &'static str,
}

impl GivenValues {
    /// Adds a value of the builder.
    pub(crate) fn inject<T: Send + Sync + 'static>(&mut self, value: T) {
        let value = Arc::new(value);
        self.injected.push(InjectedKey::of::<T>());
        self.inject.push(Arc::new(move |request: PromptRequest| request.inject_default(&value)));
    }

    /// Declares a value of each prompt.
    pub(crate) fn expect<T: Send + Sync + 'static>(&mut self) {
        self.per_prompt.push(InjectedKey::of::<T>());
    }

    /// Returns the keys of the values that each prompt must have, with the first node or member that needs each.
    pub(crate) fn required<'a>(
        &self,
        parts: impl Iterator<Item = (&'a str, Vec<InjectedKey>)>,
    ) -> Result<Vec<(Arc<str>, InjectedKey)>, MissingValue> {
        let mut required: Vec<(Arc<str>, InjectedKey)> = Vec::new();
        for (of, keys) in parts {
            for key in keys {
                // The key of a tool context stands for any value, and a run injects its own context.
                let is_own = key.is::<ToolContext>() || key.is::<MultiAgentContext>();
                let is_given = |given: &[InjectedKey]| given.iter().any(|given| key.matches(given));
                if is_own || is_given(&self.injected) || required.iter().any(|(_, known)| known.matches(&key)) {
                    continue;
                }
                if !is_given(&self.per_prompt) {
                    return Err(MissingValue { of: of.to_owned(), ty: key.type_name() });
                }
                required.push((of.into(), key));
            }
        }
        Ok(required)
    }
}
