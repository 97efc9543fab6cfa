//! Hook that authorizes tool calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use strands_core::ToolSpec;
use strands_core::hook::{AuthorizeToolCall, Hook, HookContext, HookResult, SelectTools};

use super::guarded::guarded;
use super::{AuthorizationRequest, Authorizer, Decision, Effect, ToolRequest};
use crate::{Audit, AuditDecision, AuditRecord, Identity};

/// Default time for a decision of the authorizer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Text for the model if no decision was possible. It must not tell the cause.
const NOT_AUTHORIZED: &str = "this call could not be authorized";
/// Text for the model if there is no identity.
const NO_IDENTITY: &str = "this call is not allowed: no user is signed in";
/// Text for the model if an authorizer denies without a reason.
const NOT_ALLOWED: &str = "this call is not allowed";

/// Hook that lets an [`Authorizer`] decide about each tool call, and hides tools that the identity may never call.
///
/// The identity is the [`Identity`] injected into the agent or the invocation, never part of the conversation. Each decision is
/// about the final call: after all `before_tool_call` hooks, with valid arguments. Direct calls pass it as well.
///
/// It fails closed. A call is denied if there is no identity, if the authorizer fails, panics or does not decide in time, and
/// if the [`Audit`] has no record of the decision. The model reads a neutral text then; the audit has the cause.
///
/// [`Effect::Ask`] becomes the call's [required approval](AuthorizeToolCall::require_approval). Add an
/// [`ApprovalHook`](crate::ApprovalHook) after this one, which checks who approves. Without one, a call that only certain
/// identities may approve is denied; for others the agent raises the interrupt `approval`, and each caller who can resume it
/// approves. A resumed call is decided again, so a policy that denies it by then wins over the approval.
///
/// # Examples
///
/// ```
/// use strands::identity::{AuthorizationHook, Identity, RoleAuthorizer};
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, serde_json::json, tool, tools};
///
/// /// Books a flight.
/// #[tool]
/// fn book(to: String) -> String {
///     format!("booked {to}")
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({"to": "Oslo"})), ScriptedTurn::text("Sorry.")]);
/// let roles = RoleAuthorizer::new().role("traveler", |role| role.allow("book"));
/// let mut agent = Agent::builder().model(model).tools(tools![Book]).hook(AuthorizationHook::new(roles)).build().await?;
///
/// agent.prompt("Book me a flight to Oslo.").inject(Identity::new("bob").with_role("auditor")).await?;
/// assert!(agent.messages().iter().flat_map(|message| message.tool_results()).all(|result| result.is_error()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct AuthorizationHook {
    authorizer: Arc<dyn Authorizer>,
    audit: Audit,
    timeout: Duration,
}

impl AuthorizationHook {
    /// Creates a hook whose audit goes to `tracing`.
    pub fn new(authorizer: impl Authorizer + 'static) -> Self {
        Self { authorizer: Arc::new(authorizer), audit: Audit::default(), timeout: TIMEOUT }
    }

    /// Sets the audit of the decisions.
    #[must_use]
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Sets the time for a decision, after which the call is denied. Default: 5 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns true if the model may see a tool. A failure is recorded.
    async fn shows(&self, identity: &Identity, tool: &ToolSpec, context: &HookContext) -> bool {
        let request = ToolRequest::new(identity, tool, context);
        match guarded(self.timeout, async { self.authorizer.may_call(&request).await }).await {
            Ok(may_call) => may_call,
            Err(cause) => {
                let record = AuditRecord::new(AuditDecision::Denied).with_context(context).with_identity(identity);
                let mut record = record.with_reason(format!("the tool is hidden: {cause}"));
                record.tool = Some(tool.name.clone());
                // The tool is hidden, with a record or without; the audit reports its failure.
                let _ = self.audit.record(record).await;
                false
            }
        }
    }

    /// Returns the decision about a call, and its cause if it differs from the text for the model.
    async fn decide(&self, event: &AuthorizeToolCall<'_>) -> (Decision, Option<String>) {
        let Some(identity) = event.context.injected::<Identity>() else {
            return (Decision::deny(NO_IDENTITY), Some("no identity is injected".to_owned()));
        };
        let request = AuthorizationRequest::new(
            identity,
            event.tool.spec(),
            &event.tool_use.tool_use_id,
            event.input,
            event.context,
        );
        match guarded(self.timeout, async { self.authorizer.authorize(&request).await }).await {
            Ok(decision) => (decision, None),
            Err(cause) => (Decision::deny(NOT_AUTHORIZED), Some(cause)),
        }
    }
}

#[async_trait]
impl Hook for AuthorizationHook {
    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        let (context, tools) = (event.context, event.tools);
        let shown: Vec<_> = tools.iter().map(|tool| tool.spec()).filter(|spec| !event.is_hidden(&spec.name)).collect();
        let identity = context.injected::<Identity>();
        let checks = shown.into_iter().map(|spec| async move {
            let shows = match identity {
                Some(identity) => self.shows(identity, spec, context).await,
                None => false,
            };
            (!shows).then_some(&spec.name)
        });
        let hidden = join_all(checks).await.into_iter().flatten();
        for name in hidden {
            event.hide(name);
        }
        Ok(())
    }

    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        let (Decision { effect, policies }, cause) = self.decide(event).await;
        let (kind, reason) = match &effect {
            Effect::Allow => (AuditDecision::Allowed, None),
            Effect::Deny { reason } => (AuditDecision::Denied, Some(reason.clone())),
            Effect::Ask(requirement) => (AuditDecision::ApprovalRequested, Some(requirement.reason.clone())),
        };
        let mut record = AuditRecord::new(kind)
            .with_context(event.context)
            .with_call(&event.tool_use.tool_use_id, &event.tool.spec().name, event.input)
            .with_policies(policies);
        record.identity = event.context.injected::<Identity>().map(Identity::without_claims);
        record.reason = cause.or(reason);
        if self.audit.record(record).await.is_err() {
            event.deny(NOT_AUTHORIZED);
            return Ok(());
        }
        match effect {
            Effect::Allow => {}
            Effect::Deny { reason } if reason.trim().is_empty() => event.deny(NOT_ALLOWED),
            Effect::Deny { reason } => event.deny(reason),
            Effect::Ask(requirement) => {
                let names_approvers = !requirement.approvers.is_empty() || requirement.other_than_requester;
                match serde_json::to_value(requirement) {
                    // The agent's own approval does not know who responds.
                    Ok(requirement) if names_approvers => event.require_approval_by_hook(requirement),
                    Ok(requirement) => event.require_approval(requirement),
                    Err(_) => event.deny(NOT_AUTHORIZED),
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AuthorizationHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationHook")
            .field("audit", &self.audit)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
