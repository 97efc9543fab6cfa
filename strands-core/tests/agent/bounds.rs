//! Bounds: JSON and agents that nest too deep for a parser or a stack are rejected with an error that says so.
//! A runtime without timers is detected before the first call.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use strands_core::message::{Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentState, BuildError, ToolError, ToolOutput};

use crate::support::{agent, naming, newest_results, template, tool};

/// Returns nested arrays of this depth.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!([]), |value, _| json!([value]))
}

/// Returns an object nested to this depth.
fn object(levels: usize) -> Value {
    json!({"deep": nested(levels - 1)})
}

#[tokio::test]
async fn stored_values_can_be_read_back() {
    for levels in [1, 50, 99, 100, 101, 117, 118, 126, 127, 128, 130, 1_000] {
        let sessions = InMemorySessionManager::new("s");
        let fits = levels <= 100;
        let deep_call = object(levels.max(2)).to_string();
        let model = ScriptedModel::new([
            ScriptedTurn::raw_tool_uses([("any", deep_call), ("makes", "{}".to_owned())]),
            ScriptedTurn::text("done"),
        ]);
        let makes = tool("makes", move |ctx, _| async move {
            let stored = ctx.state().set("deep", nested(levels));
            assert_eq!(stored.is_ok(), fits, "{levels}");
            Ok(ToolOutput::json(nested(levels)))
        });
        let template = template(&model, [naming("any"), makes]).session_manager(sessions.clone());
        let mut agent = template.clone().build().await.unwrap();
        agent.prompt("go").await.unwrap();
        let results = newest_results(agent.messages());
        assert_eq!(results.iter().map(|(error, _)| *error).collect::<Vec<_>>(), [!fits, !fits], "{levels}");
        if !fits {
            let text = &results[0].1;
            assert!(text.contains("nests deeper") || text.contains("recursion limit"), "{text}");
            assert!(results[1].1.contains("nests deeper than 100 levels"), "{}", results[1].1);
        }
        let again = template.build().await.unwrap();
        assert_eq!(again.messages(), agent.messages());
        assert_eq!(again.state().to_json(), agent.state().to_json());
        let json = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
        serde_json::from_str::<strands_core::Snapshot>(&json).unwrap();
    }
}

#[tokio::test]
async fn rejects_deeply_nested_json_in_prompts_responses_and_seeds() {
    let result = |levels| {
        let call = Message::new(Role::Assistant, [ToolUse::new("1", "any", json!({}))]);
        let content = [strands_core::message::ToolResultContent::Json(nested(levels))];
        let result = Message::new(Role::User, [ToolResult::new("1", ToolResultStatus::Success, content)]);
        vec![Message::user("go"), call, result]
    };
    let mut plain = agent(&ScriptedModel::responding("hi"), []).await;
    let error = plain.prompt(result(101)).await.unwrap_err();
    assert!(matches!(error, AgentError::JsonTooDeep { .. }), "{error:?}");
    assert_eq!(plain.messages(), []);
    plain.prompt(result(100)).await.unwrap();

    let seeded = Agent::builder().model(ScriptedModel::responding("hi")).messages(result(101)).build().await;
    assert!(matches!(seeded, Err(BuildError::NestedTooDeep { .. })));
    let state = Map::from_iter([("deep".to_owned(), nested(101))]);
    let seeded = Agent::builder().model(ScriptedModel::responding("hi")).state(state).build().await;
    assert!(matches!(seeded, Err(BuildError::NestedTooDeep { .. })));

    let asks = tool("asks", |ctx, _| async move {
        ToolOutput::serialize(&ctx.interrupt("sure", nested(300))?).map_err(ToolError::from_source)
    });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("asks", json!({})), ScriptedTurn::text("done")]);
    let sessions = InMemorySessionManager::new("s");
    let mut asking = template(&model, [asks]).session_manager(sessions).build().await.unwrap();
    let interrupts = asking.prompt("go").await.unwrap().interrupts;
    assert!(interrupts[0].reason.is_string(), "the reason is text");
    let none = strands_core::Prompt::none;
    let error = asking.prompt(none()).resume([interrupts[0].respond(nested(101))]).await.unwrap_err();
    assert!(matches!(error, AgentError::JsonTooDeep { .. }), "{error:?}");
    asking.prompt(none()).resume([interrupts[0].respond(nested(100))]).await.unwrap();
}

#[test]
fn state_updates_can_read_and_change_the_state() {
    let state = AgentState::new();
    state.set("a", 1).unwrap();
    let seen = state
        .update("b", |value| {
            *value = json!(state.get_as::<u64>("a").unwrap().unwrap() + 1);
            state.set("c", 3).unwrap();
            state.update("d", |value| *value = json!(4)).unwrap();
            state.get("b")
        })
        .unwrap();
    assert_eq!(seen, None);
    assert_eq!(Value::from(state.to_json()), json!({"a": 1, "c": 3, "d": 4, "b": 2}));
    assert!(state.update("a", |value| *value = nested(101)).is_err());
    assert_eq!(state.get("a"), Some(json!(1)));
}

#[test]
fn concurrent_state_updates_are_all_applied() {
    let state = AgentState::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    state.update("n", |n| *n = json!(n.as_u64().unwrap_or(0) + 1)).unwrap();
                    state.set("other", 1).unwrap();
                }
            });
        }
    });
    assert_eq!(state.get("n"), Some(json!(4_000)));
}

/// An agent whose tool prompts an agent of the same kind, until the depth limit returns an error.
fn nesting(levels: usize) -> futures_util::future::BoxFuture<'static, Result<String, AgentError>> {
    Box::pin(async move {
        let inner = tool("deeper", move |_, _| async move {
            let result = if levels == 0 { Ok("bottom".to_owned()) } else { nesting(levels - 1).await };
            result.map(ToolOutput::text).map_err(ToolError::from_source)
        });
        let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
            None => ScriptedTurn::tool_use("deeper", json!({})),
            Some(result) => ScriptedTurn::text(crate::support::text_of(result)),
        });
        let mut agent = agent(&model, [inner]).await;
        Ok(agent.prompt("go").await?.text())
    })
}

#[test]
fn nested_agents_fit_a_stack_of_two_mebibytes() {
    let run = |levels| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        thread.spawn(move || runtime.block_on(nesting(levels))).unwrap().join().unwrap().unwrap()
    };
    assert_eq!(run(9), "bottom");
    let refused = run(40);
    assert!(refused.contains("agents are nested 11 levels deep, and 10 are allowed"), "{refused}");
}

/// A server holds one of each for every response that streams.
#[tokio::test]
async fn agents_and_their_invocations_are_small() {
    let mut agent = agent(&ScriptedModel::responding("hi"), []).await;
    assert!(size_of_val(&agent) <= 1_024, "{}", size_of_val(&agent));
    let invocation = agent.prompt("go");
    assert!(size_of_val(&invocation) <= 64, "{}", size_of_val(&invocation));
    let future = invocation.into_future();
    assert!(size_of_val(&*future) <= 2_560, "{}", size_of_val(&*future));
    drop(future);
    let stream = agent.prompt("go").stream();
    assert!(size_of_val(&stream) <= 128, "{}", size_of_val(&stream));
}

#[test]
fn build_fails_on_a_runtime_without_timers() {
    let builder = Agent::builder().model(ScriptedModel::responding("hi"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(builder.clone().build()).unwrap_err();
    assert!(matches!(error, BuildError::NoTimers), "{error:?}");
    assert!(error.to_string().contains("enable_time"), "{error}");
    let without = futures_util::FutureExt::now_or_never(builder.build()).unwrap().unwrap_err();
    assert!(matches!(without, BuildError::NoTimers), "{without:?}");
}

#[tokio::test]
async fn rejects_records_with_impossible_counts() {
    let sessions = InMemorySessionManager::new("s");
    let template = Agent::builder().model(ScriptedModel::responding("hi")).session_manager(sessions.clone());
    template.clone().build().await.unwrap().prompt("hi").await.unwrap();
    for count in [u64::MAX, u64::MAX / 2 + 1] {
        let mut record = sessions.record("default").unwrap();
        record.conversation_manager_state["removed_message_count"] = json!(count);
        sessions.set_record(record);
        let error = template.clone().build().await.unwrap_err();
        assert!(matches!(error, BuildError::Session(strands_core::session::SessionError::Corrupt { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn agents_of_a_template_share_its_messages() {
    let seeds = (0..10).map(|number| Message::user(number.to_string()));
    let seeds = seeds.flat_map(|message| [message, Message::assistant("ok")]).map(Arc::new).collect::<Vec<_>>();
    let template = Agent::builder().model(ScriptedModel::responding("hi")).messages(seeds.clone());
    let (one, mut other) = (template.clone().build().await.unwrap(), template.build().await.unwrap());
    for (seed, message) in seeds.iter().zip(one.messages()) {
        assert!(Arc::ptr_eq(seed, message));
    }
    other.prompt("more").await.unwrap();
    assert_eq!((one.messages().len(), other.messages().len()), (20, 22));
}
