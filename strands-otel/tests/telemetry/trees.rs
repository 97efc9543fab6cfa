//! The tree of spans: cycles, concurrent tools, nested agents, retries and fallbacks.

use serde_json::json;
use strands_core::models::{Fallback, ModelError};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, RetryPolicy, ToolError, ToolOutput, ToolRunner, TraceContext};
use strands_otel::{TraceAttributes, semconv};

use crate::rig::{Rig, attribute, event_names, tool, weather, weather_turns};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn an_invocation_is_a_tree_of_spans_with_its_usage_once() {
    let rig = Rig::new();
    let sessions = InMemorySessionManager::new("s-1");
    let mut agent = rig.agent(weather_turns()).tool(weather()).session_manager(sessions).build().await.unwrap();
    let caller: TraceContext = CALLER.parse().unwrap();
    agent.prompt("weather?").inject(caller).inject(TraceAttributes::new().user_id("u-1")).await.unwrap();

    assert_eq!(
        rig.tree(),
        [
            "invoke_agent weather-agent < ?",
            "execute_event_loop_cycle < invoke_agent weather-agent",
            "chat < execute_event_loop_cycle",
            "execute_tool get_weather < execute_event_loop_cycle",
            "execute_event_loop_cycle < invoke_agent weather-agent",
            "chat < execute_event_loop_cycle",
        ]
    );
    let spans = rig.spans();
    assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
    for span in &spans {
        assert_eq!(span.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(attribute(span, semconv::SESSION_ID).as_deref(), Some("s-1"));
        assert_eq!(attribute(span, semconv::USER_ID).as_deref(), Some("u-1"));
        assert_eq!(attribute(span, semconv::SYSTEM).as_deref(), Some("strands-agents"));
        assert_eq!(span.status, opentelemetry::trace::Status::Ok, "{}", span.name);
        assert!(span.events.is_empty(), "no content by default: {:?}", span.events);
    }
    let chats: Vec<_> = rig.spans_named("chat").iter().map(|span| attribute(span, semconv::INPUT_TOKENS)).collect();
    assert_eq!(chats, [Some("10".to_owned()), Some("30".to_owned())]);
    assert_eq!(attribute(&spans[0], semconv::INPUT_TOKENS).as_deref(), Some("40"));
    assert_eq!(attribute(&spans[0], semconv::TOTAL_TOKENS).as_deref(), Some("54"));
    assert_eq!(attribute(&spans[0], semconv::AGENT_TOOLS).as_deref(), Some(r#"["get_weather"]"#));
    assert_eq!(attribute(&spans[4], semconv::PARENT_CYCLE_ID), attribute(&spans[1], semconv::CYCLE_ID));

    // The second invocation of the agent has its own usage alone.
    let rig = Rig::new();
    let turns = [ScriptedTurn::text("a"), ScriptedTurn::text("b")];
    let mut agent = rig.agent(turns).build().await.unwrap();
    agent.prompt("one").await.unwrap();
    agent.prompt("two").await.unwrap();
    let usages: Vec<_> = rig
        .spans_named("invoke_agent weather-agent")
        .iter()
        .map(|span| attribute(span, semconv::TOTAL_TOKENS))
        .collect();
    assert_eq!(usages[0], usages[1]);
}

#[tokio::test]
async fn a_second_hook_on_the_same_agent_records_nothing_twice() {
    let rig = Rig::new();
    let other = strands_otel::AgentTelemetry::builder().tracer_provider(&rig.tracer).build();
    let mut agent =
        rig.agent(weather_turns()).tool(weather()).hook(other).hook(rig.telemetry.clone()).build().await.unwrap();
    agent.prompt("weather?").await.unwrap();
    assert_eq!(rig.spans().len(), 6);
    assert_eq!(rig.sum(semconv::metric::TOOL_CALLS), 1.0);
}

#[tokio::test]
async fn concurrent_tools_and_nested_agents_have_their_parents() {
    let rig = Rig::new();
    let telemetry = rig.telemetry.clone();
    let ask = tool("ask_expert", move |_| {
        let telemetry = telemetry.clone();
        async move {
            tokio::task::yield_now().await;
            let model = ScriptedModel::responding("nested");
            let builder = Agent::builder().name("expert").model(model).hook(telemetry);
            let mut expert = builder.build().await.map_err(ToolError::from_source)?;
            let response = expert.prompt("go").await.map_err(ToolError::from_source)?;
            Ok(ToolOutput::text(response.text()))
        }
    });
    let turns = [
        ScriptedTurn::tool_uses([("ask_expert", json!({})), ("get_weather", json!({})), ("ask_expert", json!({}))]),
        ScriptedTurn::text("done"),
    ];
    let mut agent = rig.agent(turns).tool(ask).tool(weather()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let tree = rig.tree();
    let count = |line: &str| tree.iter().filter(|found| *found == line).count();
    assert_eq!(count("execute_tool ask_expert < execute_event_loop_cycle"), 2, "{tree:#?}");
    assert_eq!(count("execute_tool get_weather < execute_event_loop_cycle"), 1);
    assert_eq!(count("invoke_agent expert < execute_tool ask_expert"), 2);
    assert_eq!(count("execute_event_loop_cycle < invoke_agent expert"), 2);
    let parents: std::collections::BTreeSet<_> =
        rig.spans_named("invoke_agent expert").iter().map(|span| span.parent_span_id.to_string()).collect();
    assert_eq!(parents.len(), 2, "each expert is below its own call");
    // The usage of nested agents is on their own spans.
    assert_eq!(attribute(&rig.span("invoke_agent weather-agent"), semconv::OUTPUT_TOKENS).as_deref(), Some("10"));
}

#[tokio::test]
async fn spans_of_other_libraries_in_a_tool_are_children_of_its_call() {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};

    let rig = Rig::new();
    let tracer = rig.tracer.tracer("database");
    let query = tool("query", move |ctx| {
        let tracer = tracer.clone();
        async move {
            tokio::task::yield_now().await;
            let trace = ctx.injected::<TraceContext>().map(ToString::to_string)?;
            drop(tracer.start("SELECT"));
            Ok(ToolOutput::text(trace))
        }
    });
    let turns = [ScriptedTurn::tool_use("query", json!({})), ScriptedTurn::text("done")];
    let mut agent = rig.agent(turns).tool(query).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert!(rig.tree().contains(&"SELECT < execute_tool query".to_owned()), "{:#?}", rig.tree());
    let call = rig.span("execute_tool query").span_context;
    let sent = agent.messages()[2].tool_results().next().unwrap();
    let expected = format!("00-{}-{}-01", call.trace_id(), call.span_id());
    assert_eq!(sent.content, [expected.as_str().into()], "what an MCP client sends");
}

#[tokio::test(start_paused = true)]
async fn retries_and_fallbacks_are_events() {
    let rig = Rig::new();
    let calls = std::sync::atomic::AtomicU32::new(0);
    let flaky = ScriptedModel::from_fn(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => ScriptedTurn::error(ModelError::transport("secret text")),
        _ => ScriptedTurn::text("hi"),
    });
    let builder = Agent::builder().name("a").hook(rig.telemetry.clone()).retry(RetryPolicy::new().max_attempts(2));
    let mut agent = builder.clone().model(flaky).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    let chats = rig.spans_named("chat");
    assert_eq!(chats.len(), 2);
    assert_eq!(attribute(&chats[0], semconv::ERROR_TYPE).as_deref(), Some("transport"));
    assert_eq!(chats[0].status, opentelemetry::trace::Status::error("transport"), "without the text");
    assert_eq!(attribute(&chats[1], semconv::ATTEMPT).as_deref(), Some("2"));
    let cycle = rig.span("execute_event_loop_cycle");
    assert_eq!(event_names(&cycle), [semconv::RETRY_EVENT]);
    assert!(format!("{:?}", cycle.events[0].attributes).contains("transport"));
    assert!(!format!("{:?}", rig.spans()).contains("secret text"));
    assert_eq!(rig.sum(semconv::metric::MODEL_RETRIES), 1.0);
    assert_eq!(rig.sum(semconv::metric::MODEL_ERRORS), 1.0);

    let rig = Rig::new();
    let down = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("down")));
    let model = Fallback::new(down).or(ScriptedModel::responding("hi"));
    let mut agent = Agent::builder().model(model).hook(rig.telemetry.clone()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(event_names(&rig.span("chat")), [semconv::FALLBACK_EVENT]);
    assert_eq!(rig.sum(semconv::metric::FALLBACKS), 1.0);
}

#[tokio::test]
async fn a_direct_call_is_one_span() {
    let rig = Rig::new();
    let runner = ToolRunner::new([weather()]).unwrap().hook(rig.telemetry.clone());
    let caller: TraceContext = CALLER.parse().unwrap();
    runner.call("get_weather", json!({"city": "Oslo"})).inject(caller).await.unwrap();
    assert_eq!(rig.tree(), ["execute_tool get_weather < ?"]);
    assert_eq!(rig.spans()[0].parent_span_id.to_string(), "b7ad6b7169203331");
}

#[tokio::test]
async fn the_hook_meets_the_contract_of_hooks() {
    let rig = Rig::new();
    strands_core::testing::contract::check_hook(rig.telemetry.clone(), |builder| builder).await.unwrap();
    assert!(rig.spans().len() > 20);
    assert_eq!(rig.sum(semconv::metric::IN_FLIGHT), 0.0);
}
