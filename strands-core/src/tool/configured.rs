//! A tool with settings of the program: for tools that it does not write itself.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{
    InjectedKey, Tool, ToolAnnotations, ToolContext, ToolError, ToolLimiter, ToolOutput, ToolPolicy, ToolSetError,
    ToolSpec,
};
use crate::continuation::Continuation;

/// A tool with another policy, other annotations or a limiter: for tools from elsewhere, such as those of an MCP server.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use strands::tool::ConfiguredTool;
/// use strands::{Tool, ToolLimiter};
///
/// /// Lets all tools of a server share one limit, and repeats those that change nothing.
/// fn limited(tools: Vec<Arc<dyn Tool>>) -> Vec<ConfiguredTool> {
///     let limiter = Arc::new(ToolLimiter::new().concurrency(4));
///     let configure = |tool: Arc<dyn Tool>| {
///         ConfiguredTool::new(tool)
///             .policy(|policy| policy.with_timeout(Duration::from_secs(20)).with_retries(2))
///             .limiter(Arc::clone(&limiter))
///     };
///     tools.into_iter().map(configure).collect()
/// }
/// # assert!(limited(Vec::new()).is_empty());
/// ```
#[derive(Clone)]
pub struct ConfiguredTool {
    tool: Arc<dyn Tool>,
    spec: Arc<ToolSpec>,
    policy: ToolPolicy,
    limiter: Option<Arc<ToolLimiter>>,
}

impl ConfiguredTool {
    /// Wraps a tool. Nothing is changed.
    pub fn new(tool: impl Tool + 'static) -> Self {
        Self { spec: Arc::new(tool.spec().clone()), policy: tool.policy(), tool: Arc::new(tool), limiter: None }
    }

    /// Changes the policy.
    #[must_use]
    pub fn policy(mut self, change: impl FnOnce(ToolPolicy) -> ToolPolicy) -> Self {
        self.policy = change(self.policy);
        self
    }

    /// Changes the annotations.
    #[must_use]
    pub fn annotations(mut self, change: impl FnOnce(ToolAnnotations) -> ToolAnnotations) -> Self {
        let spec = Arc::make_mut(&mut self.spec);
        spec.annotations = change(spec.annotations);
        self
    }

    /// Sets the limiter, in place of the tool's own.
    #[must_use]
    pub fn limiter(mut self, limiter: impl Into<Arc<ToolLimiter>>) -> Self {
        self.limiter = Some(limiter.into());
        self
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
#[diagnostic::do_not_recommend]
impl Tool for ConfiguredTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn requires(&self) -> &[InjectedKey] {
        self.tool.requires()
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    fn limiter(&self) -> Option<&ToolLimiter> {
        self.limiter.as_deref().or_else(|| self.tool.limiter())
    }

    fn checks_input(&self) -> bool {
        self.tool.checks_input()
    }

    fn check(&self) -> Result<(), ToolSetError> {
        self.tool.check()
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        self.tool.call(ctx, input).await
    }

    async fn discard(&self, continuation: &Continuation) -> Result<(), ToolError> {
        self.tool.discard(continuation).await
    }
}

impl fmt::Debug for ConfiguredTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredTool")
            .field("spec", &self.spec)
            .field("policy", &self.policy)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}
