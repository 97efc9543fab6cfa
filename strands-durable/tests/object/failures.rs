//! Turns that fail, that are out of reach, or that are not accepted.

use std::time::Duration;

use serde_json::json;
use strands::durable::restate::{ObjectAgent, ObjectErrorKind};
use strands::models::StopReason;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentError, AgentEvent, BuildError, CancellationToken, Limits, PromptRequest, PromptScope, Promptable,
    StreamExt, Tool, ToolSetError,
};

use crate::fake::Fake;
use crate::interrupts::{agent, resume};
use crate::{builder, kind, prompted};

/// Prompts within a scope. Returns true if the first item was the start, and the error that ended the stream.
async fn failed(scope: &PromptScope, agent: &ObjectAgent, request: PromptRequest) -> (bool, AgentError) {
    let mut events = scope.prompt(agent, request);
    let mut has_started = false;
    loop {
        match events.next().await.expect("the stream has just ended") {
            Ok(AgentEvent::Start { .. }) => has_started = true,
            Ok(event) => panic!("{event:?}"),
            Err(error) => return (has_started, error),
        }
    }
}

fn scope() -> PromptScope {
    PromptScope::new(&PromptRequest::new("go"), Limits::unlimited()).unwrap()
}

#[tokio::test]
async fn a_turn_that_fails_after_a_resume_is_no_rejected_request() {
    for user in ["breaker", "somebody else"] {
        let fake = Fake::start().await;
        let agent = agent(&fake);
        let waiting = prompted(&agent, "approve").await.unwrap();
        if user != "breaker" {
            fake.fail("inv_0");
        }
        let scope = scope();
        let request = resume(waiting.continuation.as_ref(), user, ["a", "b"]);
        let (has_started, error) = failed(&scope, &agent, request).await;
        assert!(has_started, "{user}: {error:?}");
        assert!(matches!(kind(&error).1, ObjectErrorKind::Failed { status: 504, .. }), "{error:?}");
        assert!(!matches!(error, AgentError::Suspended { .. }), "{error:?}");
        // The wait has charged the first of three.
        assert_eq!((scope.turns(), scope.usage().total_tokens), (2, 22), "{user}");
        assert!(fake.log().cancelled.is_empty());
    }
}

#[tokio::test]
async fn a_failed_turn_charges_its_usage() {
    let fake = Fake::start().await;
    let tool = builder(&fake).name("hotels").build().unwrap().as_tool();
    let call = || ScriptedTurn::tool_use("hotels", json!({"input": "fail after work"}));
    let model = ScriptedModel::new([call(), call(), ScriptedTurn::text("It failed.")]);
    let mut outer = Agent::builder().model(model).tools([tool]).limits(Limits::new().turns(4)).build().await.unwrap();
    let response = outer.prompt("go").await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 4));
    assert_eq!(fake.log().started.len(), 1);
}

#[tokio::test]
async fn a_turn_that_is_out_of_reach_is_cancelled_later() {
    let fake = Fake::start().await;
    fake.log().is_cut_off = true;
    let agent = builder(&fake).reconnect_timeout(Duration::from_millis(80)).build().unwrap();
    let mut request = PromptRequest::new("slow").idempotency_key("k");
    request.is_durable = true;
    let error = prompted(&agent, request).await.unwrap_err();
    assert!(matches!(kind(&error).1, ObjectErrorKind::Rejected { status: 503, .. }), "{error:?}");
    fake.until(|log| log.cancelled == ["inv_0"]).await;
}

#[tokio::test]
async fn a_request_that_was_cancelled_before_starts_nothing() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    let token = CancellationToken::new();
    token.cancel();
    let response = prompted(&agent, PromptRequest::new("slow").cancel_with(token)).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    drop(agent.stream(PromptRequest::new("slow")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let log = fake.log();
    assert_eq!((log.started.len(), log.cancelled.len()), (0, 0));
}

#[tokio::test]
async fn a_turn_behind_one_that_waits_is_cancelled() {
    let fake = Fake::start().await;
    let agent = builder(&fake).key("user-17").build().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), prompted(&agent, "blocked")).await;
    let error = ended.expect("it waits for ever").unwrap_err();
    assert!(matches!(&error, AgentError::Busy { name } if name == "Hotels"), "{error:?}");
    fake.until(|log| log.cancelled == ["inv_0"]).await;
}

#[tokio::test]
async fn an_agent_with_a_key_has_a_session() {
    let fake = Fake::start().await;
    assert!(!builder(&fake).build().unwrap().has_session());
    let keyed = builder(&fake).key("user-17").build().unwrap();
    assert!(keyed.has_session());
    let outer = |tool| Agent::builder().model(ScriptedModel::responding("hi")).tools([tool]).build();
    let error = outer(keyed.as_tool()).await.unwrap_err();
    assert!(matches!(&error, BuildError::Tools(ToolSetError::SharedSession { .. })), "{error:?}");
    let tool = keyed.as_tool().shares_session(true);
    assert!(tool.policy().exclusive);
    assert!(outer(tool).await.is_ok());
}
