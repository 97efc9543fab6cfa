//! Approvals of calls of an agent that is a tool: each response is checked with the approver who gave it.

use strands::identity::{ApprovalHook, ApprovalRequest, Approver, Audit, AuditDecision, Identity, MemoryAudit};
use strands::serde_json::json;
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, AgentError, AgentResponse, InterruptResponse, Prompt};

use crate::support::{Log, alice, decisions, manager, refusal, tool};

fn calling_once(calls: &'static [(&str, u32)]) -> ScriptedModel {
    ScriptedModel::from_fn(move |request| match request.messages.last().is_some_and(|last| last.is_prompt()) {
        true => ScriptedTurn::tool_uses(calls.iter().map(|(tool, n)| (*tool, json!({"input": "x", "n": n})))),
        false => ScriptedTurn::text("done"),
    })
}

/// An agent with a clerk, who books, for which a manager responds, and shares data, for which an officer responds.
fn office(sessions: &InMemorySessionManager, audit: &MemoryAudit, log: &Log) -> AgentBuilder {
    let hook = |tool: &str, role: &str| {
        let hook = ApprovalHook::builder().tools([tool]).by_role(role).by_another().interrupt_name(tool);
        hook.audit(Audit::new(audit.clone())).build()
    };
    let clerk = Agent::builder()
        .name("clerk")
        .model(calling_once(&[("book", 1), ("book", 2), ("share", 3)]))
        .tools([tool("book", log), tool("share", log)])
        .hook(hook("book", "manager"))
        .hook(hook("share", "officer"));
    Agent::builder().model(calling_once(&[("clerk", 0)])).tools([clerk]).session_manager(sessions.clone())
}

#[tokio::test]
async fn approvers_of_one_turn_respond_one_after_the_other() {
    let (sessions, audit, log) = (InMemorySessionManager::new("s"), MemoryAudit::new(), Log::default());
    let response = office(&sessions, &audit, &log).build().await.unwrap().into_prompt("go").inject(alice()).await;
    let requests: Vec<_> = response.unwrap().interrupts.iter().filter_map(ApprovalRequest::from_interrupt).collect();
    let [first, second, share] = &requests[..] else { panic!("{requests:?}") };

    // Each in a process of its own.
    let respond = async |responses: Vec<InterruptResponse>, approver: Identity| -> Result<AgentResponse, AgentError> {
        let agent = office(&sessions, &audit, &log).build().await.unwrap();
        agent.into_prompt(Prompt::none()).resume(responses).inject(alice()).inject(Approver::new(approver)).await
    };
    let open = async || office(&sessions, &audit, &log).build().await.unwrap().interrupts().len();
    let (eve, officer) = (Identity::new("eve").with_role("traveler"), Identity::new("olga").with_role("officer"));

    // One who may not approve, before and after one who may.
    assert!(refusal(respond(vec![second.approve()], eve.clone()).await).starts_with("`eve` may not respond"));
    assert!(refusal(respond(vec![second.approve()], alice()).await).starts_with("`alice` may not respond"));
    assert_eq!((open().await, log.lines().len()), (3, 0));
    assert_eq!(respond(vec![first.approve()], manager()).await.unwrap().interrupts.len(), 2);
    assert_eq!((open().await, log.lines().len()), (2, 1), "nothing of a refused response is left");
    assert!(refusal(respond(vec![share.approve()], manager()).await).starts_with("`bob` may not respond"));
    assert!(refusal(respond(vec![share.approve(), second.approve()], manager()).await).starts_with("`bob`"));
    assert_eq!((open().await, log.lines().len()), (2, 1));

    // Another role, and one that denies.
    assert_eq!(respond(vec![share.approve()], officer).await.unwrap().interrupts.len(), 1);
    assert_eq!(respond(vec![second.deny_with("too expensive")], manager()).await.unwrap().text(), "done");
    assert_eq!(log.lines(), [r#"book {"input":"x","n":1}"#, r#"share {"input":"x","n":3}"#]);
    let given: Vec<_> = decisions(&audit)
        .into_iter()
        .filter(|(decision, _)| matches!(decision, AuditDecision::Approved | AuditDecision::Disapproved))
        .collect();
    let by = |decision, who: &str| (decision, Some(who.to_owned()));
    let expected = [
        by(AuditDecision::Approved, "bob"),
        by(AuditDecision::Approved, "olga"),
        by(AuditDecision::Disapproved, "bob"),
    ];
    assert_eq!(given, expected);
}
