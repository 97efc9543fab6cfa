//! Records of responses: one for each response that counts, also if several approvers respond or the process dies.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;

use strands::hook::{AuthorizeToolCall, BeforeInvocation, Hook, HookResult};
use strands::identity::{
    ApprovalHook, ApprovalRequest, Approver, Audit, AuditDecision, AuditRecord, AuditSink, Identity, MemoryAudit,
};
use strands::serde_json::json;
use strands::session::FileSessionManager;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, Prompt, async_trait};

use tokio::sync::Notify;

use crate::support::{
    Broken, Log, alice, calling, decisions, in_session, interrupted, manager, request, resume, template, tool, turn,
};

fn audited(audit: &MemoryAudit) -> ApprovalHook {
    hook(Audit::new(audit.clone()))
}

fn hook(audit: Audit) -> ApprovalHook {
    ApprovalHook::builder().tools(["book"]).by_role("manager").audit(audit).build()
}

fn zoe() -> Identity {
    Identity::new("zoe").with_role("manager")
}

/// Prompts as Alice, and returns the request.
async fn asked(folder: &Path, log: &Log) -> ApprovalRequest {
    let call = ScriptedTurn::tool_use("book", json!({"price": 900}));
    let mut agent = in_session(folder, [call], hook(Audit::default()), log).await;
    request(&agent.prompt("Book it.").inject(alice()).await.unwrap())
}

#[tokio::test]
async fn of_two_responses_the_one_that_counts_is_recorded() {
    for approves in [true, false] {
        let (folder, log, audit) = (tempfile::tempdir().unwrap(), Log::default(), MemoryAudit::new());
        let request = asked(folder.path(), &log).await;
        // Both have read the session before one of them responds.
        let mut winner = in_session(folder.path(), [turn("done")], audited(&audit), &log).await;
        let mut loser = in_session(folder.path(), [turn("done")], audited(&audit), &log).await;
        let response = if approves { request.approve() } else { request.deny() };
        resume(&mut winner, response, manager()).await.unwrap();
        let error = resume(&mut loser, request.approve(), zoe()).await.unwrap_err();
        assert!(matches!(&error, AgentError::Session(error) if error.is_conflict()), "{error:?}");
        let counts = if approves { AuditDecision::Approved } else { AuditDecision::Disapproved };
        let lost = (AuditDecision::ApprovalRefused, Some("zoe".to_owned()));
        assert_eq!(decisions(&audit), [(counts, Some("bob".to_owned())), lost]);
        assert_eq!(audit.records()[1].reason.as_deref(), Some("another response or prompt was first"));
        assert_eq!(log.lines().len(), usize::from(approves));
    }
}

/// A sink in which a process dies: it never returns, after it has stored the record or before.
struct Deadly {
    audit: MemoryAudit,
    stores: bool,
    reached: Arc<Notify>,
}

#[async_trait]
impl AuditSink for Deadly {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        if self.stores {
            self.audit.record(record).await?;
        }
        self.reached.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_response_that_a_dead_process_has_stored_is_recorded_when_the_run_is_resumed() {
    for stores in [false, true] {
        let (folder, log, audit) = (tempfile::tempdir().unwrap(), Log::default(), MemoryAudit::new());
        let request = asked(folder.path(), &log).await;
        let reached = Arc::new(Notify::new());
        let deadly = hook(Audit::new(Deadly { audit: audit.clone(), stores, reached: Arc::clone(&reached) }));
        let mut dies = in_session(folder.path(), [turn("done")], deadly, &log).await;
        let mut resumed = Box::pin(resume(&mut dies, request.approve(), manager()));
        tokio::select! {
            ended = &mut resumed => panic!("{ended:?}"),
            () = reached.notified() => {}
        }
        drop(resumed);
        assert_eq!((audit.records().len(), log.lines().len()), (usize::from(stores), 0));

        let mut next = in_session(folder.path(), [turn("done")], audited(&audit), &log).await;
        next.prompt(Prompt::none()).inject(alice()).await.unwrap();
        let mut records = audit.records();
        // The second record is recognised: it is the same.
        records.dedup();
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record.decision, AuditDecision::Approved);
        assert_eq!(record.approver, Some(manager().without_claims()));
        assert_eq!(record.identity, Some(alice().without_claims()));
        assert_eq!(record.tool_use_id.as_ref(), Some(&request.tool_use_id));
        assert_eq!(log.lines().len(), 1);
    }
}

#[tokio::test]
async fn a_response_to_a_call_that_waits_for_another_is_recorded_once() {
    let (folder, log, audit) = (tempfile::tempdir().unwrap(), Log::default(), MemoryAudit::new());
    let build = async |turns: Vec<ScriptedTurn>| {
        let sessions = FileSessionManager::builder("s").dir(folder.path()).build().await.unwrap();
        let second = ApprovalHook::builder().tools(["book"]).interrupt_name("second").audit(Audit::new(audit.clone()));
        let template = template(ScriptedModel::new(turns), [tool("book", &log)], audited(&audit)).hook(second.build());
        template.session_manager(sessions).build().await.unwrap()
    };
    let mut agent = build(vec![ScriptedTurn::tool_use("book", json!({}))]).await;
    let mut response = agent.prompt("Book it.").inject(alice()).await.unwrap();
    assert_eq!(response.interrupts.len(), 2);
    for left in [1, 0] {
        let request = ApprovalRequest::from_interrupt(&response.interrupts[0]).unwrap();
        agent = build(vec![turn("done")]).await;
        response = resume(&mut agent, request.approve(), manager()).await.unwrap();
        assert_eq!(response.interrupts.len(), left);
    }
    assert_eq!(log.lines().len(), 1);
    let approved = audit.records().into_iter().filter(|record| record.decision == AuditDecision::Approved);
    assert_eq!(approved.count(), 2, "{:?}", audit.records());
    // The note about it ends with the turn.
    assert!(agent.state().get("approval:recorded").is_none());
}

#[tokio::test]
async fn a_response_that_is_denied_before_it_is_stored_is_not_recorded() {
    let (log, audit) = (Log::default(), MemoryAudit::new());
    let (agent, request) = interrupted(audited(&audit), &log).await;
    let snapshot = agent.snapshot().unwrap();
    let refuses = template(calling("book", json!({})), [tool("book", &log)], audited(&audit))
        .on_before_invocation(|_| HookResult::Err("not now".into()));
    let mut agent = refuses.build().await.unwrap();
    agent.restore(snapshot).unwrap();
    let resumed = agent.prompt(Prompt::none()).resume([request.approve()]).inject(Approver::new(manager()));
    assert!(matches!(resumed.await.unwrap_err(), AgentError::Hook { .. }));
    assert_eq!(decisions(&audit), [(AuditDecision::ApprovalRequested, None)]);
    assert_eq!(agent.interrupts().len(), 1);
}

/// Forwards the events of responses and calls alone.
struct Wraps(ApprovalHook);

#[async_trait]
impl Hook for Wraps {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        self.0.before_invocation(event).await
    }

    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        self.0.authorize_tool_call(event).await
    }
}

#[tokio::test]
async fn a_hook_that_is_wrapped_records_the_response_before_the_tool_runs() {
    let (log, audit) = (Log::default(), MemoryAudit::new());
    for (audit, runs) in [(Audit::new(Broken), 0), (Audit::new(audit.clone()), 1)] {
        let asks = hook(Audit::default());
        let (agent, request) = interrupted(asks, &log).await;
        let builder =
            Agent::builder().model(ScriptedModel::new([turn("done")])).agent_id("main").tool(tool("book", &log));
        let mut wrapped = builder.hook(Wraps(hook(audit))).build().await.unwrap();
        wrapped.restore(agent.snapshot().unwrap()).unwrap();
        assert_eq!(resume(&mut wrapped, request.approve(), manager()).await.is_ok(), runs == 1);
        assert_eq!(log.lines().len(), runs);
    }
    assert_eq!(decisions(&audit), [(AuditDecision::Approved, Some("bob".to_owned()))]);
}
