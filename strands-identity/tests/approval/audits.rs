//! Audit of requests and responses.

use strands::Prompt;
use strands::identity::{ApprovalError, ApprovalHook, Audit, AuditDecision, MemoryAudit, Trust};

use crate::support::{
    Broken, Log, alice, calling, decisions, in_session, interrupted, manager, refusal, results, resume, template, tool,
    turn,
};

fn audited(audit: Audit) -> ApprovalHook {
    ApprovalHook::builder().tools(["book"]).by_role("manager").audit(audit).build()
}

#[tokio::test]
async fn requests_responses_and_refusals_are_recorded() {
    let (audit, log) = (MemoryAudit::new(), Log::default());
    let (mut agent, request) = interrupted(audited(Audit::new(audit.clone())), &log).await;
    refusal(resume(&mut agent, request.approve(), alice()).await);
    resume(&mut agent, request.approve(), manager()).await.unwrap();
    let (mut agent, request) = interrupted(audited(Audit::new(audit.clone())), &log).await;
    resume(&mut agent, request.deny_with("too much"), manager()).await.unwrap();
    let records = audit.records();
    assert_eq!(
        decisions(&audit),
        [
            (AuditDecision::ApprovalRequested, None),
            (AuditDecision::ApprovalRefused, Some("alice".to_owned())),
            (AuditDecision::Approved, Some("bob".to_owned())),
            (AuditDecision::ApprovalRequested, None),
            (AuditDecision::Disapproved, Some("bob".to_owned())),
        ]
    );
    for record in &records {
        assert_eq!(record.identity, Some(alice().without_claims()));
        assert_eq!((record.tool.as_deref(), &record.input), (Some("book"), &None));
        assert!(record.approver.as_ref().is_none_or(|approver| approver.claims.is_empty()));
    }
    assert_eq!(records[4].reason.as_deref(), Some("too much"));
}

#[tokio::test]
async fn an_audit_that_fails_denies() {
    let log = Log::default();
    let model = calling("book", strands::serde_json::json!({}));
    let mut agent = template(model, [tool("book", &log)], audited(Audit::new(Broken))).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(results(agent.messages()), ["the approval could not be requested"]);

    let folder = tempfile::tempdir().unwrap();
    let session = || strands::session::FileSessionManager::builder("s").dir(folder.path()).build();
    let request = crate::support::suspended(session().await.unwrap(), audited(Audit::default()), &log).await;
    let model = calling("book", strands::serde_json::json!({}));
    let template =
        template(model, [tool("book", &log)], audited(Audit::new(Broken))).session_manager(session().await.unwrap());
    let mut agent = template.build().await.unwrap();
    let error = resume(&mut agent, request.approve(), manager()).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&error), Some(ApprovalError::Audit(_))), "{error:?}");
    // It is stored, and nothing runs before it is recorded, here or elsewhere.
    assert!(agent.interrupts().is_empty());
    let error = agent.prompt(Prompt::none()).inject(alice()).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&error), Some(ApprovalError::Audit(_))), "{error:?}");
    assert!(log.lines().is_empty());
    let audit = MemoryAudit::new();
    let mut agent = in_session(folder.path(), [turn("done")], audited(Audit::new(audit.clone())), &log).await;
    agent.prompt(Prompt::none()).inject(alice()).await.unwrap();
    assert_eq!(log.lines().len(), 1);
    assert_eq!(decisions(&audit), [(AuditDecision::Approved, Some("bob".to_owned()))]);
}

#[tokio::test]
async fn calls_of_trusted_tools_are_recorded() {
    let (audit, log) = (MemoryAudit::new(), Log::default());
    for audit in [Audit::new(audit.clone()), Audit::new(Broken)] {
        let hook = ApprovalHook::builder().tools(["book"]).trust(Trust::Session).audit(audit).build();
        let model = calling("book", strands::serde_json::json!({}));
        let mut agent = template(model, [tool("book", &log)], hook).build().await.unwrap();
        agent.state().set("hitl:trusted_tools", strands::serde_json::json!(["book"])).unwrap();
        agent.prompt("go").inject(alice()).await.unwrap();
    }
    let records = audit.records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].decision, records[0].approver.clone()), (AuditDecision::Approved, None));
    assert_eq!(records[0].reason.as_deref(), Some("the tool is trusted"));
    assert_eq!(log.lines().len(), 1);
}
