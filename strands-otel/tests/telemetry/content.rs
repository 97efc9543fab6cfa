//! Capture of content: off by default, and in the form of the legacy and the latest conventions.

use serde_json::{Value, json};
use strands_core::message::Message;
use strands_otel::semconv;

use crate::rig::{Rig, attribute, event_names, weather, weather_turns};

const LATEST: &str = "gen_ai_latest_experimental";

async fn run(rig: &Rig) {
    let mut agent = rig.agent(weather_turns()).tool(weather()).system_prompt("be brief").build().await.unwrap();
    agent.prompt("weather in Paris?").await.unwrap();
}

#[tokio::test]
async fn content_is_off_by_default() {
    for tokens in ["", LATEST, "gen_ai_span_attributes_only"] {
        let rig = Rig::with(|builder| builder.semantic_conventions(tokens));
        run(&rig).await;
        let text = format!("{:?}", rig.spans());
        for content in ["weather in Paris?", "be brief", "21C", "It is sunny", r#"\"Paris\""#] {
            assert!(!text.contains(content), "{tokens}: {content}");
        }
    }
}

#[tokio::test]
async fn legacy_conventions_have_an_event_for_each_message() {
    let rig = Rig::with(|builder| builder.capture_content(true).semantic_conventions(""));
    run(&rig).await;
    let chats = rig.spans_named("chat");
    let (user, assistant, tool) =
        (semconv::USER_MESSAGE_EVENT, semconv::ASSISTANT_MESSAGE_EVENT, semconv::TOOL_MESSAGE_EVENT);
    assert_eq!(event_names(&chats[0]), [semconv::SYSTEM_MESSAGE_EVENT, user, semconv::CHOICE_EVENT]);
    assert_eq!(event_names(&chats[1]), [semconv::SYSTEM_MESSAGE_EVENT, user, assistant, tool, semconv::CHOICE_EVENT]);
    let call = rig.span("execute_tool get_weather");
    assert_eq!(event_names(&call), [tool, semconv::CHOICE_EVENT]);
    let content = call.events[0].attributes.iter().find(|pair| pair.key.as_str() == "content").unwrap();
    assert_eq!(content.value.to_string(), r#"{"city":"Paris"}"#);
    let agent = rig.span("invoke_agent weather-agent");
    assert_eq!(event_names(&agent), [semconv::SYSTEM_MESSAGE_EVENT, user, semconv::CHOICE_EVENT]);
}

#[tokio::test]
async fn the_latest_conventions_have_messages_with_parts() {
    let rig = Rig::with(|builder| builder.capture_content(true).semantic_conventions(LATEST));
    run(&rig).await;
    for span in rig.spans() {
        assert_eq!(attribute(&span, semconv::PROVIDER_NAME).as_deref(), Some("strands-agents"));
        assert_eq!(attribute(&span, semconv::SYSTEM), None);
        assert!(event_names(&span).iter().all(|name| name == semconv::DETAILS_EVENT));
    }
    let call = rig.span("execute_tool get_weather");
    assert_eq!(attribute(&call, semconv::TOOL_CALL_ARGUMENTS).as_deref(), Some(r#"{"city":"Paris"}"#));
    assert_eq!(attribute(&call, semconv::TOOL_CALL_RESULT).as_deref(), Some(r#"[{"text":"21C in Paris"}]"#));
    let output = rig.spans_named("chat")[1].events.iter().next_back().unwrap().attributes[0].value.to_string();
    let output: Value = serde_json::from_str(&output).unwrap();
    let text = json!({"type": "text", "content": "It is sunny."});
    assert_eq!(output, json!([{"role": "assistant", "parts": [text], "finish_reason": "end_turn"}]));
}

#[tokio::test]
async fn content_can_be_attributes_and_tools_can_be_defined() {
    let tokens = format!("{LATEST},gen_ai_span_attributes_only,gen_ai_tool_definitions");
    let rig = Rig::with(|builder| builder.capture_content(true).semantic_conventions(&tokens));
    run(&rig).await;
    assert!(rig.spans().iter().all(|span| span.events.is_empty()));
    let chat = &rig.spans_named("chat")[0];
    for name in [semconv::INPUT_MESSAGES, semconv::OUTPUT_MESSAGES, semconv::SYSTEM_INSTRUCTIONS] {
        assert!(attribute(chat, name).is_some(), "{name}");
    }
    let tools = attribute(&rig.span("invoke_agent weather-agent"), semconv::TOOL_DEFINITIONS).unwrap();
    assert!(tools.contains("Get weather."), "{tools}");
}

#[tokio::test]
async fn content_is_as_later_hooks_have_left_it() {
    for tokens in ["", LATEST] {
        let rig = Rig::with(|builder| builder.capture_content(true).semantic_conventions(tokens));
        let builder = rig.agent(weather_turns()).tool(weather());
        let builder = builder
            .on_before_invocation(|event| event.prompt[0] = Message::user("[EMAIL]"))
            .on_before_tool_call(|event| event.tool_use.input = json!({"city": "[CITY]"}))
            .on_after_tool_call(|event| event.result.content = vec!["[RESULT]".into()]);
        let mut agent = builder.build().await.unwrap();
        agent.prompt("ada@example.org").await.unwrap();
        let text = format!("{:?}", rig.spans());
        assert!(!text.contains("ada@example.org") && !text.contains("21C"), "{tokens}");
        assert!(["[EMAIL]", "[CITY]", "[RESULT]"].iter().all(|left| text.contains(left)), "{tokens}");
    }
}
