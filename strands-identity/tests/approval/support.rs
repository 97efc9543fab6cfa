//! Agents, tools and identities of the tests.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::{Arc, Mutex};

use strands::identity::{
    ApprovalError, ApprovalHook, ApprovalRequest, Approver, AuditDecision, AuditRecord, AuditSink, Identity,
    MemoryAudit,
};
use strands::message::{Message, ToolResult, ToolResultContent};
use strands::serde_json::{Value, json};
use strands::session::{FileSessionManager, SessionManager};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, AgentError, AgentResponse, InterruptResponse, Prompt, Tool, ToolAnnotations, ToolContext,
    ToolError, ToolOutput, ToolPolicy, ToolSpec, async_trait,
};

pub(crate) fn alice() -> Identity {
    Identity::new("alice").with_role("traveler").with_claim("email", "alice@example.com")
}

pub(crate) fn manager() -> Identity {
    Identity::new("bob").with_role("manager").with_claim("email", "bob@example.com")
}

/// Lines of what happened.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A tool that logs its calls.
pub(crate) struct Logs {
    pub(crate) spec: ToolSpec,
    pub(crate) policy: ToolPolicy,
    pub(crate) log: Log,
}

#[async_trait]
impl Tool for Logs {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        self.log.add(format!("{} {input}", self.spec.name));
        Ok(ToolOutput::text("done"))
    }
}

pub(crate) fn tool(name: &str, log: &Log) -> Logs {
    let spec = ToolSpec::new(name, "Does it.", json!({"type": "object"}));
    Logs { spec, policy: ToolPolicy::new(), log: log.clone() }
}

pub(crate) fn annotated(name: &str, log: &Log, annotations: ToolAnnotations) -> Logs {
    let tool = tool(name, log);
    Logs { spec: tool.spec.with_annotations(annotations), ..tool }
}

/// A model that calls a tool and then ends.
pub(crate) fn calling(name: &str, input: Value) -> ScriptedModel {
    ScriptedModel::new([ScriptedTurn::tool_use(name, input), ScriptedTurn::text("done")])
}

pub(crate) fn template(
    model: ScriptedModel,
    tools: impl IntoIterator<Item = Logs>,
    hook: ApprovalHook,
) -> AgentBuilder {
    Agent::builder().model(model).agent_id("main").tools(tools).hook(hook)
}

/// Builds an agent that was asked by Alice to book for 900, and is interrupted. Returns it with its request.
pub(crate) async fn interrupted(hook: ApprovalHook, log: &Log) -> (Agent, ApprovalRequest) {
    let model = calling("book", json!({"price": 900}));
    let mut agent = template(model, [tool("book", log)], hook).build().await.unwrap();
    let response = agent.prompt("Book it.").inject(alice()).await.unwrap();
    let request = request(&response);
    (agent, request)
}

/// Leaves a booking of Alice in a session, which waits for an approval.
pub(crate) async fn suspended(
    sessions: impl SessionManager + 'static,
    hook: ApprovalHook,
    log: &Log,
) -> ApprovalRequest {
    let model = calling("book", json!({"price": 900}));
    let template = template(model, [tool("book", log)], hook).session_manager(sessions);
    let response = template.build().await.unwrap().prompt("Book it.").inject(alice()).await.unwrap();
    request(&response)
}

/// Builds an agent with a session in a folder, and a tool `book`.
pub(crate) async fn in_session(
    folder: &Path,
    turns: impl IntoIterator<Item = ScriptedTurn>,
    hook: ApprovalHook,
    log: &Log,
) -> Agent {
    let sessions = FileSessionManager::builder("s").dir(folder).build().await.unwrap();
    let template = template(ScriptedModel::new(turns), [tool("book", log)], hook).session_manager(sessions);
    template.build().await.unwrap()
}

pub(crate) fn turn(text: &str) -> ScriptedTurn {
    ScriptedTurn::text(text)
}

/// Returns the decisions of an audit, with their approvers.
pub(crate) fn decisions(audit: &MemoryAudit) -> Vec<(AuditDecision, Option<String>)> {
    let of = |record: AuditRecord| (record.decision, record.approver.map(|identity| identity.subject));
    audit.records().into_iter().map(of).collect()
}

pub(crate) fn request(response: &AgentResponse) -> ApprovalRequest {
    assert_eq!(response.interrupts.len(), 1, "{response:?}");
    ApprovalRequest::from_interrupt(&response.interrupts[0]).unwrap()
}

/// Resumes Alice's agent with the response of an approver.
pub(crate) async fn resume(
    agent: &mut Agent,
    response: InterruptResponse,
    approver: Identity,
) -> Result<AgentResponse, AgentError> {
    agent.prompt(Prompt::none()).resume([response]).inject(alice()).inject(Approver::new(approver)).await
}

/// Returns the approval error of a refused response, as its `Debug` text starts.
pub(crate) fn refusal(result: Result<AgentResponse, AgentError>) -> String {
    let error = result.unwrap_err();
    ApprovalError::of(&error).unwrap_or_else(|| panic!("{error:?}")).to_string()
}

/// Returns the texts of the newest tool results.
pub(crate) fn results(messages: &[Arc<Message>]) -> Vec<String> {
    let newest = messages.iter().rev().find(|message| message.tool_results().next().is_some()).unwrap();
    newest.tool_results().map(text).collect()
}

pub(crate) fn text(result: &ToolResult) -> String {
    match &result.content[..] {
        [ToolResultContent::Text(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// A sink that fails.
pub(crate) struct Broken;

#[async_trait]
impl AuditSink for Broken {
    async fn record(&self, _: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Err("the disk is full".into())
    }
}
