//! Limits, cancellation and the model's stop reasons end an invocation at once, with a response.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use strands_core::message::Role;
use strands_core::metrics::Usage;
use strands_core::models::{StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentEvent, Limits, Prompt, ToolOutput};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{Log, agent, assert_whole, naming, newest_results, template, tool};

fn looping() -> ScriptedModel {
    ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("one", json!({})))
}

#[tokio::test]
async fn each_limit_has_a_stop_reason_and_keeps_the_partial_result() {
    for (limits, reason, turns) in [
        (Limits::new().turns(3), StopReason::LimitTurns, 3),
        (Limits::new().output_tokens(11), StopReason::LimitOutputTokens, 3),
        (Limits::new().total_tokens(30), StopReason::LimitTotalTokens, 2),
        (Limits::new().turns(2).total_tokens(30).output_tokens(10), StopReason::LimitTurns, 2),
    ] {
        let model = looping();
        let mut agent = agent(&model, [naming("one")]).await;
        let response = agent.prompt("go").limits(limits).await.unwrap();
        assert_eq!((response.stop_reason, response.turns), (reason, turns));
        assert_eq!(response.usage, Usage::new(10 * u64::from(turns), 5 * u64::from(turns)));
        // The partial response is that of the model, without tool results.
        assert_eq!(response.message.role, Role::Assistant);
        assert_whole(&mut agent).await;
        assert_eq!(newest_results(agent.messages()), [(false, "one".into())]);
    }
}

#[tokio::test]
async fn a_zero_limit_leaves_the_history_unchanged() {
    let model = looping();
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("go").limits(Limits::new().turns(0)).await.unwrap();
    assert_eq!((&response.stop_reason, response.text().as_str()), (&StopReason::LimitTurns, ""));
    assert_eq!((model.requests().len(), agent.messages().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn limits_of_an_invocation_replace_those_of_the_agent() {
    let model = looping();
    let builder = template(&model, [naming("one")]).limits(Limits::new().turns(2));
    let mut agent = builder.build().await.unwrap();
    for _ in 0..2 {
        assert_eq!(agent.prompt("go").await.unwrap().turns, 2);
    }
    assert_eq!(agent.prompt("go").limits(Limits::new().turns(5)).await.unwrap().turns, 5);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_stalled_models_and_tools() {
    let stalls = ScriptedModel::from_fn(|_| ScriptedTurn::text("so far so good").stalling_after(3));
    let mut agent = agent(&stalls, []).await;
    let began = Instant::now();
    let limits = Limits::new().duration(Duration::from_secs(20));
    let response = agent.prompt("go").limits(limits).await.unwrap();
    assert_eq!((&response.stop_reason, response.text().as_str()), (&StopReason::LimitDuration, "so far "));
    assert_eq!(began.elapsed().as_secs(), 20);
    assert_whole(&mut agent).await;

    let stuck = tool("one", |_, _| std::future::pending());
    let mut agent = template(&looping(), [stuck]).build().await.unwrap();
    let response = agent.prompt("go").limits(limits).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
    assert_eq!(newest_results(agent.messages()), [(true, "Tool execution cancelled".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_a_stalled_model_call_at_once() {
    for deltas in 0..4 {
        let model = ScriptedModel::new([
            ScriptedTurn::text("one two three").stalling_after(deltas),
            ScriptedTurn::text("later"),
        ]);
        let mut agent = agent(&model, []).await;
        let token = CancellationToken::new();
        let cancels = token.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancels.cancel();
        });
        let began = Instant::now();
        let response = agent.prompt("go").cancel_with(token).await.unwrap();
        assert_eq!((&response.stop_reason, began.elapsed()), (&StopReason::Cancelled, Duration::from_millis(50)));
        let expected = ["Cancelled by user", "Cancelled by user", "one ", "one two "][deltas];
        assert_eq!(response.text(), expected);
        assert_whole(&mut agent).await;
        agent.prompt("again").await.unwrap();
        assert_whole(&mut agent).await;
    }
}

#[tokio::test]
async fn an_invocation_cancelled_before_its_start_calls_no_model() {
    let model = looping();
    let token = CancellationToken::new();
    token.cancel();
    let log = Log::default();
    let ran = log.clone();
    let counts = tool("one", move |_, _| {
        ran.add("ran");
        async { Ok(ToolOutput::text("ran")) }
    });
    let mut agent = agent(&model, [counts]).await;
    let response = agent.prompt("go").cancel_with(token).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    assert_eq!((model.requests().len(), log.lines().len()), (0, 0));
    assert_whole(&mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn cancellation_starts_no_further_sequential_tool() {
    let token = CancellationToken::new();
    let log = Log::default();
    let (cancels, ran) = (token.clone(), log.clone());
    let one = tool("one", move |_, _| {
        ran.add("ran");
        cancels.cancel();
        async { Ok(ToolOutput::text("done")) }
    });
    let model = ScriptedModel::new([ScriptedTurn::tool_uses([("one", json!({})), ("one", json!({}))])]);
    let mut agent = template(&model, [one]).tool_concurrency(1).build().await.unwrap();
    let response = agent.prompt("go").cancel_with(token).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    assert_eq!(log.lines(), ["ran"]);
    // The first tool completed, and has its result.
    let results = newest_results(agent.messages());
    assert_eq!(results, [(false, "done".into()), (true, "Tool execution cancelled".into())]);
}

#[tokio::test]
async fn a_cancellation_token_ends_only_its_invocations() {
    let model = ScriptedModel::responding("hi");
    let token = CancellationToken::new();
    let mut agent = agent(&model, []).await;
    agent.prompt("a").cancel_with(token.clone()).await.unwrap();
    // The agent does not cancel a token of the caller.
    assert!(!token.is_cancelled());
    token.cancel();
    let response = agent.prompt("b").cancel_with(token).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    assert_eq!(agent.prompt("c").await.unwrap().stop_reason, StopReason::EndTurn);
}

#[tokio::test]
async fn a_call_truncated_by_max_tokens_ends_the_turn() {
    let cut = ScriptedTurn::events([
        StreamEvent::start(),
        StreamEvent::text(0, "Let me look."),
        StreamEvent::block_stop(0),
        StreamEvent::tool_use(1, ToolUseStart::new("a", "one")),
        StreamEvent::tool_input(1, "{\"city\": \"Os"),
        StreamEvent::stop(StopReason::MaxTokens),
    ]);
    let model = ScriptedModel::new([cut, ScriptedTurn::text("unreachable")]);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::MaxTokens);
    let note = "The selected tool one's tool use was incomplete due to maximum token limits being reached.";
    assert_eq!(response.text(), format!("Let me look.\n{note}"));
    assert_eq!(model.requests().len(), 1);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn stop_reasons_of_the_model_are_reported() {
    for reason in [
        StopReason::StopSequence,
        StopReason::ContentFiltered,
        StopReason::GuardrailIntervened,
        StopReason::MaxTokens,
        StopReason::Other("something_new".into()),
    ] {
        let model = ScriptedModel::new([ScriptedTurn::text("so").with_stop_reason(reason.clone())]);
        let mut agent = agent(&model, []).await;
        assert_eq!(agent.prompt("go").await.unwrap().stop_reason, reason);
        assert_whole(&mut agent).await;
    }
}

#[tokio::test(start_paused = true)]
async fn redacted_content_is_removed_when_the_turn_is_cancelled() {
    let redact = StreamEvent::RedactContent {
        redact_user_content_message: Some("[user]".into()),
        redact_assistant_content_message: Some("[assistant]".into()),
    };
    let events = [StreamEvent::start(), StreamEvent::text(0, "a secret"), redact];
    let model = ScriptedModel::new([ScriptedTurn::events(events).stalling_after(3)]);
    let mut agent = agent(&model, []).await;
    let limits = Limits::new().duration(Duration::from_secs(1));
    agent.prompt("tell me the secret").limits(limits).await.unwrap();
    let texts: Vec<_> = agent.messages().iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["[user]", "[assistant]"]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_stream_ends_with_its_result() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("one two").stalling_after(2));
    let mut agent = agent(&model, []).await;
    let token = CancellationToken::new();
    let mut stream = agent.prompt(Prompt::from("go")).cancel_with(token.clone()).stream();
    let mut last = None;
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        if matches!(event, AgentEvent::TextDelta { .. }) {
            token.cancel();
        }
        last = Some(event);
    }
    assert!(matches!(last, Some(AgentEvent::Result { response }) if response.text() == "one "));
}
