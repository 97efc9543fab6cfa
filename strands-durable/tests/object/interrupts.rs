//! Turns that wait for responses to their interrupts.

use std::time::Duration;

use serde_json::json;
use strands::durable::restate::{ObjectAgent, ObjectErrorKind};
use strands::models::StopReason;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, AgentResponse, Continuation, InterruptResponse, PromptRequest, Promptable};

use crate::fake::Fake;
use crate::{builder, kind, prompted};

/// User who responds.
struct By(&'static str);

pub(crate) fn agent(fake: &Fake) -> ObjectAgent {
    let by = |request: &PromptRequest| {
        let user = request.injected::<By>().map(|By(user)| ("user".to_owned(), json!(user)));
        user.into_iter().collect()
    };
    builder(fake).response_metadata(by).build().unwrap()
}

pub(crate) fn resume<'a>(
    continuation: Option<&Continuation>,
    user: &'static str,
    ids: impl IntoIterator<Item = &'a str>,
) -> PromptRequest {
    // As another process reads it.
    let stored = serde_json::to_string(continuation.unwrap()).unwrap();
    let continuation: Continuation = serde_json::from_str(&stored).unwrap();
    let responses = ids.into_iter().map(|id| InterruptResponse::new(id, true));
    PromptRequest::new(strands::Prompt::none()).continue_from(continuation).resume(responses).inject(By(user))
}

fn ids(response: &AgentResponse) -> Vec<&str> {
    response.interrupts.iter().map(|interrupt| &*interrupt.id).collect()
}

#[tokio::test]
async fn a_turn_that_waits_is_resumed_with_its_responses() {
    let fake = Fake::start().await;
    let agent = agent(&fake);
    let waiting = prompted(&agent, "approve").await.unwrap();
    assert_eq!((&waiting.stop_reason, &*ids(&waiting)), (&StopReason::Interrupt, &["a", "b"][..]));
    assert_eq!((waiting.turns, waiting.usage.total_tokens), (1, 11));
    assert_eq!(waiting.interrupts[0].reason, json!({"call": "a"}));

    let rest = prompted(&agent, resume(waiting.continuation.as_ref(), "bob", ["a"])).await.unwrap();
    assert_eq!((&rest.stop_reason, &*ids(&rest)), (&StopReason::Interrupt, &["b"][..]));
    let end = prompted(&agent, resume(rest.continuation.as_ref(), "bob", ["b"])).await.unwrap();
    assert_eq!((end.text(), end.turns), ("approved".to_owned(), 3));
    assert_eq!(fake.log().started.len(), 1);
    assert!(fake.log().cancelled.is_empty());

    // Others have responded meanwhile: the response is that of the turn.
    let again = prompted(&agent, resume(waiting.continuation.as_ref(), "bob", ["a", "b"])).await.unwrap();
    assert_eq!(again.text(), "approved");
}

#[tokio::test]
async fn refused_responses_leave_the_turn_waiting() {
    let fake = Fake::start().await;
    let agent = agent(&fake);
    let waiting = prompted(&agent, "approve").await.unwrap();
    for user in ["mallory", "nobody"] {
        let error = prompted(&agent, resume(waiting.continuation.as_ref(), user, ["a", "b"])).await.unwrap_err();
        let AgentError::Suspended { interrupts, continuation, .. } = &error else { panic!("{error:?}") };
        assert_eq!(interrupts.len(), 2);
        assert!(continuation.is_some());
        let ObjectErrorKind::Refused { reason } = kind(&error).1 else { panic!("{error:?}") };
        assert!(["mallory may not approve", "unknown user"].contains(&&**reason), "{reason}");
    }
    let end = prompted(&agent, resume(waiting.continuation.as_ref(), "bob", ["a", "b"])).await.unwrap();
    assert_eq!(end.text(), "approved");
    assert!(fake.log().cancelled.is_empty());
}

#[tokio::test]
async fn requests_that_do_not_fit_change_nothing() {
    let fake = Fake::start().await;
    let agent = agent(&fake);
    let waiting = prompted(&agent, "approve").await.unwrap();
    let continuation = waiting.continuation.as_ref();
    let error = prompted(&agent, resume(continuation, "bob", ["c"])).await.unwrap_err();
    assert!(matches!(&error, AgentError::UnknownInterrupt { id } if id == "c"), "{error:?}");
    let prompt = PromptRequest::new("hi").continue_from(continuation.unwrap().clone());
    let error = prompted(&agent, prompt).await.unwrap_err();
    assert!(matches!(&error, AgentError::Interrupted { interrupts } if interrupts == &["a", "b"]), "{error:?}");
    let error =
        prompted(&agent, PromptRequest::new("hi").resume([InterruptResponse::new("a", true)])).await.unwrap_err();
    assert!(matches!(&error, AgentError::UnknownInterrupt { id } if id == "a"), "{error:?}");
    let log = fake.log();
    assert_eq!((log.started.len(), log.responses.len()), (1, 0));
}

#[tokio::test]
async fn discarding_the_interrupts_of_a_caller_cancels_the_turn() {
    let fake = Fake::start().await;
    let tool = builder(&fake).name("hotels").reconnect_timeout(Duration::from_millis(80)).build().unwrap().as_tool();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("hotels", json!({"input": "approve"}))]);
    let mut planner = Agent::builder().model(model).tools([tool]).build().await.unwrap();
    let waiting = planner.prompt("go").await.unwrap();
    assert_eq!((waiting.stop_reason, waiting.interrupts.len()), (StopReason::Interrupt, 2));
    fake.log().broken = (u32::MAX, 503);
    planner.discard_interrupts().await.unwrap_err();
    fake.log().broken = (0, 0);
    assert!(fake.log().cancelled.is_empty());
    planner.discard_interrupts().await.unwrap();
    assert_eq!(fake.log().cancelled, ["inv_0"]);
}

#[tokio::test]
async fn a_turn_that_is_gone_has_nothing_to_discard() {
    let fake = Fake::start().await;
    let agent = agent(&fake);
    let waiting = prompted(&agent, "approve").await.unwrap();
    let continuation = waiting.continuation.unwrap();
    agent.discard(PromptRequest::default()).await.unwrap();
    let ended = prompted(&agent, PromptRequest::new("hi").keep_conversation()).await.unwrap();
    agent.discard(PromptRequest::default().continue_from(ended.continuation.unwrap())).await.unwrap();
    assert!(fake.log().cancelled.is_empty(), "those do not wait");
    fake.forget("inv_0");
    agent.discard(PromptRequest::default().continue_from(continuation)).await.unwrap();
}
