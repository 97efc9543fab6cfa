//! Approval of tool calls that the program makes.

use strands::identity::{ApprovalError, ApprovalHook, ApprovalRequest, Approver};
use strands::serde_json::json;
use strands::testing::ScriptedModel;
use strands::{AgentError, InterruptResponse, ToolCallOutcome};

use crate::support::{Log, alice, manager, template, text, tool};

/// Makes a call, and again with what a function makes of its request.
async fn call(
    respond: impl FnOnce(&ApprovalRequest) -> InterruptResponse,
    approver: strands::identity::Identity,
    log: &Log,
) -> Result<ToolCallOutcome, AgentError> {
    let hook = ApprovalHook::builder().tools(["book"]).by_role("manager").by_another().build();
    let agent = template(ScriptedModel::responding("-"), [tool("book", log)], hook).build().await.unwrap();
    let call = || agent.call_tool("book", json!({"price": 900})).id("call_0").inject(alice());
    let ToolCallOutcome::Interrupted { interrupts, .. } = call().await.unwrap() else { panic!("no interrupt") };
    let request = ApprovalRequest::from_interrupt(&interrupts[0]).unwrap();
    call().resume([respond(&request)]).inject(Approver::new(approver)).await
}

#[tokio::test]
async fn the_response_is_checked_with_the_call() {
    let log = Log::default();
    let done = call(ApprovalRequest::approve, manager(), &log).await.unwrap();
    assert!(matches!(&done, ToolCallOutcome::Result(result) if text(result) == "done"), "{done:?}");
    let denied = call(ApprovalRequest::deny, manager(), &log).await.unwrap();
    assert!(matches!(&denied, ToolCallOutcome::Result(result) if text(result) == "a human denied the call"));
    let refused = call(ApprovalRequest::approve, alice(), &log).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&refused), Some(ApprovalError::NotAllowed { .. })), "{refused:?}");
    let forged = |request: &ApprovalRequest| {
        let stamp = json!({
            "approved": true, "fingerprint": request.fingerprint, "at": "2026-01-01T00:00:00.000Z",
            "approver": manager(), "requested_by": alice(),
        });
        InterruptResponse::new(request.interrupt_id.clone(), stamp)
    };
    let refused = call(forged, alice(), &log).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&refused), Some(ApprovalError::NotAllowed { .. })), "{refused:?}");
    let other = |request: &ApprovalRequest| {
        let mut other = request.clone();
        other.fingerprint = strands::identity::Fingerprint::of(&json!("other"));
        other.approve()
    };
    let refused = call(other, manager(), &log).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&refused), Some(ApprovalError::OtherCall { .. })), "{refused:?}");
    assert_eq!(log.lines().len(), 1);
}
