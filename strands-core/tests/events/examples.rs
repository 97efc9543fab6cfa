//! Pinned JSON of one event of each type, to detect changes of the format.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::guardrails::{GuardedContent, GuardrailAction};
use strands_core::message::{
    Citation, ImageBlock, ImageFormat, Message, ProviderContent, ToolResult, ToolResultStatus, ToolUse,
};
use strands_core::metrics::Usage;
use strands_core::multiagent::NodeStatus;
use strands_core::{AgentEvent, AgentResponse, Interrupt};

use crate::schema_file::event_types;
use crate::{read, type_of, written};

fn events() -> Vec<AgentEvent> {
    let mut citation = Citation::default();
    citation.title = Some("a page".into());
    let tool_use = Arc::new(ToolUse::new("call-1", "one", json!({"a": 1})));
    let result = ToolResult::new("call-1", ToolResultStatus::Success, ["seen"]);
    let duration = Duration::from_micros(1_500_900);
    vec![
        AgentEvent::CycleStart { cycle: 1 },
        AgentEvent::TextDelta { text: "Hel".into() },
        AgentEvent::ReasoningDelta { text: "hm".into() },
        AgentEvent::Citation { citation: Box::new(citation) },
        AgentEvent::ProviderContent { content: Box::new(ProviderContent::new("anthropic", json!({"a": 1}))) },
        AgentEvent::Media { content: Box::new(ImageBlock::new(ImageFormat::Png, vec![1, 2]).into()) },
        AgentEvent::Fallback { from: "a".into(), to: "b".into(), error: "throttled".into() },
        AgentEvent::ToolUseStart { tool_use_id: "call-1".into(), name: "one".into() },
        AgentEvent::ToolUseDelta { tool_use_id: "call-1".into(), input: "{\"a\"".into() },
        AgentEvent::PartialOutput { value: json!({"a": "b"}) },
        AgentEvent::Retry { attempt: 1, delay: duration, error: "throttled".into(), discards_output: false },
        AgentEvent::ContextReduced { what: "removed the 2 oldest messages".into() },
        AgentEvent::ContextReductionFailed { error: "no room".into() },
        AgentEvent::ToolsChanged { added: vec!["search".into()], removed: vec![], changed: vec!["book".into()] },
        AgentEvent::ToolRefreshFailed { error: "the server is down".into() },
        AgentEvent::Redacted { user: None, assistant: Some("[redacted]".into()) },
        AgentEvent::Guardrail {
            guardrail: "pii".into(),
            content: GuardedContent::ToolResult,
            action: GuardrailAction::Redacted,
            count: 2,
        },
        AgentEvent::Message { message: Arc::new(Message::user("hi")) },
        AgentEvent::ToolStart { tool_use: Arc::clone(&tool_use) },
        AgentEvent::ToolProgress { tool_use: Arc::clone(&tool_use), data: json!(0.5) },
        AgentEvent::ToolEnd { tool_use, result, duration },
        AgentEvent::Interrupt { interrupts: vec![Interrupt::new("v1:x", "sure", Value::Null)] },
        AgentEvent::NodeStart { node: "write".into(), attempt: 2, from: vec!["research".into()] },
        AgentEvent::NodeEnd {
            node: "write".into(),
            attempt: 2,
            status: NodeStatus::Failed,
            usage: Usage::new(10, 5),
            duration,
            error: Some("timed out".into()),
        },
        AgentEvent::NodeRetry { node: "write".into(), attempt: 1, delay: duration, error: "timed out".into() },
        AgentEvent::NodeSkip { node: "publish".into() },
        AgentEvent::Handoff { from: "triage".into(), to: "billing".into(), message: "a refund".into() },
        AgentEvent::TextDelta { text: "Hel".into() }.at_node("writer").at_node("newsroom"),
    ]
}

#[test]
fn serializes_events_to_the_pinned_json() {
    let lines: Vec<_> = events().iter().map(written).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"type":"cycle_start","cycle":1}
    {"type":"text_delta","text":"Hel"}
    {"type":"reasoning_delta","text":"hm"}
    {"type":"citation","citation":{"title":"a page"}}
    {"type":"provider_content","content":{"provider":"anthropic","content":{"a":1}}}
    {"type":"media","content":{"image":{"format":"png","source":{"bytes":{"__bytes_encoded__":true,"data":"AQI="}}}}}
    {"type":"fallback","from":"a","to":"b","error":"throttled"}
    {"type":"tool_use_start","tool_use_id":"call-1","name":"one"}
    {"type":"tool_use_delta","tool_use_id":"call-1","input":"{\"a\""}
    {"type":"partial_output","value":{"a":"b"}}
    {"type":"retry","attempt":1,"delay_ms":1500,"error":"throttled","discards_output":false}
    {"type":"context_reduced","what":"removed the 2 oldest messages"}
    {"type":"context_reduction_failed","error":"no room"}
    {"type":"tools_changed","added":["search"],"removed":[],"changed":["book"]}
    {"type":"tool_refresh_failed","error":"the server is down"}
    {"type":"redacted","assistant":"[redacted]"}
    {"type":"guardrail","guardrail":"pii","content":"tool_result","action":"redacted","count":2}
    {"type":"message","message":{"role":"user","content":[{"text":"hi"}]}}
    {"type":"tool_start","tool_use":{"toolUseId":"call-1","name":"one","input":{"a":1}}}
    {"type":"tool_progress","tool_use":{"toolUseId":"call-1","name":"one","input":{"a":1}},"data":0.5}
    {"type":"tool_end","tool_use":{"toolUseId":"call-1","name":"one","input":{"a":1}},"result":{"toolUseId":"call-1","status":"success","content":[{"text":"seen"}]},"duration_ms":1500}
    {"type":"interrupt","interrupts":[{"id":"v1:x","name":"sure","reason":null,"response":null}]}
    {"type":"node_start","node":"write","attempt":2,"from":["research"]}
    {"type":"node_end","node":"write","attempt":2,"status":"failed","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"duration_ms":1500,"error":"timed out"}
    {"type":"node_retry","node":"write","attempt":1,"delay_ms":1500,"error":"timed out"}
    {"type":"node_skip","node":"publish"}
    {"type":"handoff","from":"triage","to":"billing","message":"a refund"}
    {"type":"node","path":["newsroom","writer"],"event":{"type":"text_delta","text":"Hel"}}
    "#);
}

/// JSON of events that only an agent can create.
const OF_AGENTS: [&str; 2] = [
    r#"{"type":"start","version":1,"invocation_id":"i-1","agent_id":"default","agent_name":"Agent","session_id":"s-1"}"#,
    concat!(
        r#"{"type":"result","response":{"message":{"role":"assistant","content":[{"text":"hi"}]},"stop_reason":"interrupt","#,
        r#""usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"turns":1,"#,
        r#""interrupts":[{"id":"v1:x","name":"sure","reason":null,"response":null}],"output":{"a":1},"#,
        r#""metrics":{"total_cycles":2,"total_duration":0.5,"average_cycle_time":0.25,"#,
        r#""tool_usage":{"one":{"tool_info":{"tool_use_id":"call-1","name":"one","input_params":{}},"#,
        r#""execution_stats":{"call_count":4,"success_count":3,"error_count":1,"total_time":2.0,"average_time":0.5,"success_rate":0.75}}},"#,
        r#""accumulated_usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":1,"cacheWriteInputTokens":2},"#,
        r#""accumulated_metrics":{"latencyMs":7},"#,
        r#""agent_invocations":[{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"#,
        r#""cycles":[{"event_loop_cycle_id":"3b3f3cc5-2d31-4a4c-8f3c-0a1b2c3d4e5f","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}}]}],"#,
        r#""traces":[{"id":"0f0f3cc5-2d31-4a4c-8f3c-0a1b2c3d4e5f","name":"Cycle 1","raw_name":null,"parent_id":null,"#,
        r#""start_time":1790000000.123457,"end_time":1790000001.623457,"duration":1.5,"#,
        r#""children":[{"id":"1f0f3cc5-2d31-4a4c-8f3c-0a1b2c3d4e5f","name":"Tool: one","raw_name":"one - call-1","#,
        r#""parent_id":"0f0f3cc5-2d31-4a4c-8f3c-0a1b2c3d4e5f","start_time":1790000000.123457,"end_time":null,"duration":null,"#,
        r#""children":[],"metadata":{},"message":{"role":"assistant","content":[]}}],"metadata":{},"message":null}]}}}"#,
    ),
];

/// A structured output.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Typed {
    a: u32,
}

#[test]
fn deserializes_events_of_agents() {
    for text in OF_AGENTS {
        let event: AgentEvent = serde_json::from_str(text).unwrap();
        assert_eq!(written(&event), text);
    }
    let typed: AgentResponse<Typed> = serde_json::from_value(example(OF_AGENTS[1])["response"].clone()).unwrap();
    assert_eq!(typed.output, Some(Typed { a: 1 }));
    let AgentEvent::Result { response } = read(&example(OF_AGENTS[1])) else { panic!("no result") };
    assert_eq!((response.text().as_str(), response.metrics.cycle_count()), ("hi", 2));
    assert_eq!(response.metrics.total_duration(), Duration::from_millis(500));
    let trace = response.metrics.traces().next().unwrap();
    assert_eq!(trace.children()[0].raw_name().as_deref(), Some("one - call-1"));
    assert!(trace.children()[0].message().is_some() && trace.message().is_none());
}

/// An example of each type.
pub(crate) fn all() -> Vec<Value> {
    let texts = events().iter().map(written).chain(OF_AGENTS.map(str::to_owned)).collect::<Vec<_>>();
    texts.iter().map(|text| example(text)).collect()
}

fn example(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_type_has_an_example_that_round_trips() {
    let examples = all();
    for json in &examples {
        assert_eq!(written(&read(json)), json.to_string());
    }
    let mut types: Vec<_> = examples.iter().map(type_of).collect();
    let mut expected = event_types();
    types.sort();
    expected.sort();
    assert_eq!(types, expected);
}
