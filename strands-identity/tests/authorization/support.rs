//! Shared parts of the tests: tools that record what ran, and authorizers made of closures.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::hook::{AuthorizeToolCall, Hook, HookResult};
use strands_core::message::{Message, ToolResult, ToolResultContent};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, Tool, ToolAnnotations, ToolCallOutcome, ToolContext, ToolError, ToolOutput, ToolPolicy,
    ToolRunner, ToolSpec, async_trait, tools,
};
use strands_identity::{
    Audit, AuditDecision, AuditRecord, AuthorizationHook, AuthorizationRequest, Authorizer, Decision, Identity,
    MemoryAudit, ToolRequest,
};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Asks for the approval that an earlier hook requires, in place of an `ApprovalHook`: `true` approves.
pub(crate) struct SimpleApproval;

#[async_trait]
impl Hook for SimpleApproval {
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        if let Some(reason) = event.required_approval().cloned()
            && event.interrupt("approval", json!({"reason": reason})) == Some(json!(true))
        {
            event.approve();
        }
        Ok(())
    }
}

/// A tool call that ran: the subject of the identity that the tool saw, the tool and the arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) subject: Option<String>,
    pub(crate) tool_use_id: String,
    pub(crate) tool: String,
    pub(crate) input: Value,
}

/// Log of the tool calls that ran.
#[derive(Clone, Default)]
pub(crate) struct Runs {
    runs: Arc<Mutex<Vec<Run>>>,
    observer: Option<Arc<Observer>>,
}

type Observer = dyn Fn(&Run) + Send + Sync;

impl Runs {
    /// Creates a log that calls a function for each run, before the tool does anything.
    pub(crate) fn observed(observer: impl Fn(&Run) + Send + Sync + 'static) -> Self {
        Self { observer: Some(Arc::new(observer)), ..Self::default() }
    }

    fn add(&self, run: Run) {
        if let Some(observer) = &self.observer {
            observer(&run);
        }
        self.runs.lock().unwrap().push(run);
    }

    pub(crate) fn all(&self) -> Vec<Run> {
        self.runs.lock().unwrap().clone()
    }

    pub(crate) fn tools(&self) -> Vec<String> {
        self.all().into_iter().map(|run| run.tool).collect()
    }

    /// Returns a tool that records its runs.
    pub(crate) fn tool(&self, name: &str) -> Recording {
        Recording {
            spec: ToolSpec::new(name, format!("The tool {name}."), json!({"type": "object"})),
            policy: ToolPolicy::new(),
            runs: self.clone(),
            body: Body::Echo,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Body {
    Echo,
    Fails,
    Panics,
    Slow,
    Asks,
}

#[derive(Clone)]
pub(crate) struct Recording {
    pub(crate) spec: ToolSpec,
    pub(crate) policy: ToolPolicy,
    runs: Runs,
    body: Body,
}

impl Recording {
    pub(crate) fn annotated(mut self, annotations: ToolAnnotations) -> Self {
        self.spec.annotations = annotations;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    #[cfg(feature = "cedar")]
    pub(crate) fn returning(mut self, text: &str) -> Self {
        self.spec.description = text.to_owned();
        self
    }
}

#[async_trait]
impl Tool for Recording {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let identity = ctx.injected::<Identity>().ok();
        self.runs.add(Run {
            subject: identity.map(|identity| identity.subject.clone()),
            tool_use_id: ctx.tool_use_id().to_owned(),
            tool: self.spec.name.clone(),
            input: input.clone(),
        });
        match self.body {
            Body::Echo => Ok(ToolOutput::text(self.spec.description.clone())),
            Body::Fails => Err(ToolError::new("no")),
            Body::Panics => std::panic::resume_unwind(Box::new("in a tool")),
            Body::Slow => {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(ToolOutput::text("late"))
            }
            Body::Asks => ToolOutput::serialize(&ctx.interrupt("question", "?")?),
        }
    }
}

/// An authorizer made of a closure, which also decides which tools are shown.
pub(crate) struct FnAuthorizer<F>(pub(crate) F);

#[async_trait]
impl<F> Authorizer for FnAuthorizer<F>
where
    F: Fn(&Identity, &str, Option<&Value>) -> Result<Decision, BoxError> + Send + Sync,
{
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, BoxError> {
        (self.0)(request.identity, &request.tool.name, Some(request.input))
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, BoxError> {
        let decision = (self.0)(request.identity, &request.tool.name, None)?;
        Ok(!matches!(decision.effect, strands_identity::Effect::Deny { .. }))
    }
}

/// A hook whose audit is in memory, with its records.
pub(crate) fn audited(authorizer: impl Authorizer + 'static) -> (AuthorizationHook, MemoryAudit) {
    let memory = MemoryAudit::new();
    (AuthorizationHook::new(authorizer).audit(Audit::new(memory.clone())), memory)
}

pub(crate) fn decisions(audit: &MemoryAudit) -> Vec<AuditDecision> {
    audit.records().iter().map(|record| record.decision).collect()
}

pub(crate) fn only(audit: &MemoryAudit) -> AuditRecord {
    let records = audit.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records[0].clone()
}

pub(crate) fn builder(model: &ScriptedModel, tools: impl IntoIterator<Item = Recording>) -> AgentBuilder {
    tools.into_iter().fold(Agent::builder().model(model.clone()), AgentBuilder::tool)
}

/// A model that makes one call, and ends.
pub(crate) fn calls(tool: &str, input: Value) -> ScriptedModel {
    ScriptedModel::new([ScriptedTurn::tool_use(tool, input), ScriptedTurn::text("done")])
}

pub(crate) fn text_of(result: &ToolResult) -> String {
    let text = |content: &ToolResultContent| match content {
        ToolResultContent::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap(),
    };
    result.content.iter().map(text).collect()
}

/// Returns all tool results: whether each is an error, and its text.
pub(crate) fn results(messages: &[Arc<Message>]) -> Vec<(bool, String)> {
    messages
        .iter()
        .flat_map(|message| message.tool_results())
        .map(|result| (result.is_error(), text_of(result)))
        .collect()
}

/// Makes a direct call, and returns whether it failed, and the text of its result.
pub(crate) async fn direct(
    authorizer: impl Authorizer + 'static,
    identity: &Identity,
    tool: &Recording,
    input: Value,
) -> (bool, String) {
    let runner = ToolRunner::new(tools![tool.clone()]).unwrap().hook(audited(authorizer).0).hook(SimpleApproval);
    match runner.call(&tool.spec.name, input).inject(identity.clone()).await.unwrap() {
        ToolCallOutcome::Result(result) => (result.is_error(), text_of(&result)),
        ToolCallOutcome::Interrupted { interrupts, .. } => (true, interrupts[0].reason.to_string()),
        other => panic!("{other:?}"),
    }
}
