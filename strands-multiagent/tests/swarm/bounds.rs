//! Limits of a run: handoffs, iterations, time, tokens, circles, and the size of what is shared.

use std::time::Duration;

use strands::models::{ErrorDetails, ModelError, StopReason};
use strands::multiagent::{Member, NodeError, RunError, Swarm, SwarmBuilder};
use strands::serde_json::json;
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentError, AgentEvent, CancellationToken, Limits, Prompt, PromptRequest, Promptable, StreamExt, tools,
};

use crate::support::{member, member_of, to, with_context};

/// Two members that hand over to each other for ever.
fn endless() -> SwarmBuilder {
    Swarm::builder("team").member(member_of("a", |_| to("b", "yours"))).member(member_of("b", |_| to("a", "yours")))
}

#[tokio::test(start_paused = true)]
async fn limits_end_the_run_with_a_stop_reason() {
    for (builder, reason, turns) in [
        (endless().max_handoffs(3), StopReason::LimitSteps, 4),
        (endless().max_iterations(3), StopReason::LimitSteps, 3),
        (endless().limits(Limits::new().turns(5)), StopReason::LimitTurns, 5),
        (endless(), StopReason::LimitSteps, 20),
    ] {
        let response = builder.build().unwrap().run("x").await.unwrap();
        assert_eq!((response.response.stop_reason, response.history.len()), (reason, turns));
    }
}

#[tokio::test(start_paused = true)]
async fn a_swarm_that_a_limit_has_stopped_is_an_error_result_as_a_tool() {
    let team = endless().max_handoffs(3).build().unwrap();
    let planner = Agent::builder().tools(tools![team]).model(ScriptedModel::from_fn(|request| {
        match request.messages.last().unwrap().tool_results().next() {
            Some(result) => ScriptedTurn::text(format!("{} {:?}", result.is_error(), result.content)),
            None => ScriptedTurn::tool_use("team", json!({"input": "x"})),
        }
    }));
    let text = planner.respond("x".into()).await.unwrap().text();
    assert!(text.starts_with("true") && text.contains("stopped by limit_steps"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_limited_run_goes_on_with_higher_limits() {
    let sessions = InMemorySessionManager::new("s");
    let run = |most: u32, task: &'static str| {
        let swarm = endless().max_handoffs(most).session_manager(sessions.clone()).build().unwrap();
        let prompt = if task.is_empty() { Prompt::none() } else { task.into() };
        async move { swarm.run(prompt).await }
    };
    assert_eq!(run(1, "x").await.unwrap().history.len(), 2);
    let response = run(4, "").await.unwrap();
    assert_eq!((response.response.stop_reason, response.history.len()), (StopReason::LimitSteps, 5));
    assert_eq!(response.response.turns, 5, "the limits count the whole run");
    let refused = run(9, "another task").await.unwrap_err();
    assert!(refused.to_string().contains("unfinished run of another task"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn circles_are_a_typed_failure() {
    let error = endless()
        .member(member_of("c", |_| to("a", "x")))
        .repetition(6, 3)
        .build()
        .unwrap()
        .run("x")
        .await
        .unwrap_err();
    let AgentError::Promptable { name, source } = &error else { panic!("{error:?}") };
    assert_eq!(name, "team");
    let Some(RunError::Repetition { window: 6, unique: 2 }) = source.downcast_ref::<RunError>() else {
        panic!("{error:?}")
    };
    assert!(error.to_string().ends_with("2 of them had the latest 6 turns"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_member_has_a_timeout() {
    let slow = || member("slow", |_| ScriptedTurn::text("never").stalling_after(2));
    let timed_out = |builder: SwarmBuilder, expected: Duration| async move {
        let error = builder.build().unwrap().run("x").await.unwrap_err();
        let AgentError::Promptable { source, .. } = &error else { panic!("{error:?}") };
        let Some(RunError::Node { node, source }) = source.downcast_ref::<RunError>() else { panic!("{error:?}") };
        assert_eq!(&**node, "slow");
        assert!(matches!(**source, NodeError::Timeout { after } if after == expected), "{error:?}");
    };
    timed_out(Swarm::builder("team").member(slow()), Duration::from_secs(300)).await;
    let second = Duration::from_secs(1);
    timed_out(Swarm::builder("team").member(slow()).member_timeout(second), second).await;
    let own = Member::new(slow()).timeout(second);
    timed_out(Swarm::builder("team").member(own).member_timeout(None), second).await;

    let limited = Swarm::builder("team").member(slow()).limits(Limits::new().duration(second)).build().unwrap();
    assert_eq!(limited.run("x").await.unwrap().response.stop_reason, StopReason::LimitDuration);
}

#[tokio::test(start_paused = true)]
async fn the_shared_context_is_bounded() {
    let member_a = member_of("a", |messages| match messages.len() {
        1 => with_context("b", "x", json!({"text": "x".repeat(100)})),
        _ => {
            let text = format!("{:?}", messages.last().unwrap());
            assert!(text.contains("and 50 are allowed"), "{text}");
            with_context("b", "x", json!({"text": "short"}))
        }
    });
    let swarm = Swarm::builder("team")
        .member(member_a)
        .member(member("b", |_| ScriptedTurn::text("done")))
        .shared_context_limit(50)
        .build()
        .unwrap();
    let response = swarm.run("x").await.unwrap();
    assert_eq!(response.shared_context.get("a", "text"), Some(&json!("short")));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_in_time_and_goes_on_later() {
    let sessions = InMemorySessionManager::new("s");
    let swarm = |second: fn(usize) -> ScriptedTurn| {
        let builder = Swarm::builder("team").member(member("a", |_| to("b", "go"))).member(member("b", second));
        builder.session_manager(sessions.clone()).build().unwrap()
    };
    let token = CancellationToken::new();
    let stalling = swarm(|_| ScriptedTurn::text("never").stalling_after(2));
    let mut events = stalling.stream(PromptRequest::new("x").cancel_with(token.clone()));
    let (mut began, mut last) = (None, None);
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        if matches!(event.leaf(), AgentEvent::TextDelta { .. }) {
            began = Some(tokio::time::Instant::now());
            token.cancel();
        }
        last = Some(event);
    }
    assert!(began.unwrap().elapsed() <= Duration::from_millis(50));
    assert!(matches!(last, Some(AgentEvent::Result { response }) if response.stop_reason == StopReason::Cancelled));

    let response = swarm(|_| ScriptedTurn::text("done")).run(Prompt::none()).await.unwrap();
    assert_eq!(response.text(), "done");
    let history: Vec<&str> = response.history.iter().map(|name| &**name).collect();
    assert_eq!((history, response.results["b"].attempts), (vec!["a", "b"], 2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_member_gets_another_attempt_when_the_run_goes_on() {
    let sessions = InMemorySessionManager::new("s");
    let swarm = |turns: fn(usize) -> ScriptedTurn| {
        let builder = Swarm::builder("team").member(member("a", |_| to("b", "go"))).member(member("b", turns));
        builder.session_manager(sessions.clone()).build().unwrap()
    };
    let error = swarm(|_| ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() }))
        .run("x")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the node `b` failed"), "{error}");
    let response = swarm(|_| ScriptedTurn::text("done")).run(Prompt::none()).await.unwrap();
    assert_eq!((response.text().as_str(), response.history.len()), ("done", 2));
}
