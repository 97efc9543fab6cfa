//! A method of a `#[toolset]` block as a tool. The tools of a block share the value.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use serde_json::Value;

use crate::tool::{InjectedKey, Tool, ToolContext, ToolError, ToolLimiter, ToolOutput, ToolPolicy, ToolSpec};

type Call<S> = for<'a> fn(&'a Arc<S>, &'a ToolContext, Value) -> BoxFuture<'a, Result<ToolOutput, ToolError>>;

/// A tool that calls a method of `S`.
pub struct MethodTool<S> {
    shared: Arc<S>,
    spec: ToolSpec,
    requires: Vec<InjectedKey>,
    policy: ToolPolicy,
    limiter: Option<&'static ToolLimiter>,
    call: Call<S>,
}

impl<S> MethodTool<S> {
    pub fn new(shared: Arc<S>, spec: ToolSpec, requires: Vec<InjectedKey>, policy: ToolPolicy, call: Call<S>) -> Self {
        Self { shared, spec, requires, policy, limiter: None, call }
    }

    #[must_use]
    pub fn with_limiter(mut self, limiter: &'static ToolLimiter) -> Self {
        self.limiter = Some(limiter);
        self
    }
}

impl<S: Send + Sync> Tool for MethodTool<S> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn requires(&self) -> &[InjectedKey] {
        &self.requires
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    fn limiter(&self) -> Option<&ToolLimiter> {
        self.limiter
    }

    fn checks_input(&self) -> bool {
        true
    }

    // As `#[async_trait]` expands it, since the method's future is boxed already.
    fn call<'life0, 'life1, 'async_trait>(
        &'life0 self,
        ctx: &'life1 ToolContext,
        input: Value,
    ) -> BoxFuture<'async_trait, Result<ToolOutput, ToolError>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        (self.call)(&self.shared, ctx, input)
    }
}

impl<S> std::fmt::Debug for MethodTool<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MethodTool").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// Collects the keys of the arguments that have one.
pub fn injected_keys<const N: usize>(keys: [Option<InjectedKey>; N]) -> Vec<InjectedKey> {
    keys.into_iter().flatten().collect()
}
