//! Reasoning that servers require in later requests.

use serde_json::{Value, json};
use strands_testkit::case::{Case, cases};

use crate::case::start;

/// Runs all prompts of a case, and returns the bodies of its requests.
async fn bodies(case: &Case) -> Vec<Value> {
    let mut running = start(case).await;
    for _ in &case.prompts {
        let response = running.prompt().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        assert_eq!(response.text(), "Hi.", "{}", case.name);
    }
    running.bodies()
}

/// Returns `reasoning_content` of the assistant messages in a body; `Null` if the field is missing.
fn reasoning(body: &Value) -> Vec<Value> {
    let messages = body["messages"].as_array().unwrap().iter();
    messages
        .filter(|message| message["role"] == "assistant")
        .map(|message| message["reasoning_content"].clone())
        .collect()
}

#[tokio::test]
async fn shared_cases_send_reasoning_back() {
    let expected = [
        ("case.json", vec![json!(""), json!("")]),
        ("deepseek-plain-history.json", vec![json!("")]),
        ("moonshot.json", vec![json!("I should look.")]),
        ("own-turn.json", vec![json!("")]),
    ];
    let files = expected.each_ref().map(|(file, _)| *file);
    for (case, (_, expected)) in cases("reasoning-must-go-back", &files).into_iter().flatten().zip(&expected) {
        assert_eq!(reasoning(bodies(&case).await.last().unwrap()), *expected, "{}", case.name);
    }
}

/// Returns a response that calls a tool after this reasoning, and the response `Hi.`.
fn replies(reasoning: &Value) -> Value {
    let chunk =
        |delta: Value, reason: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
    let call = json!({"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}});
    let mut calls = json!({"tool_calls": [call]});
    calls["reasoning_content"] = reasoning.clone();
    json!([
        {"sse": [chunk(calls, json!("tool_calls"))], "done": true},
        {"sse": [chunk(json!({"content": "Hi."}), json!("stop"))], "done": true},
    ])
}

/// Returns a case with the history of another model, and a turn with a tool.
fn case(host: Option<&str>, model: &str, reasoning: &Value) -> Case {
    let history = json!([
        {"role": "user", "content": [{"text": "Hello"}]},
        {"role": "assistant", "content": [{"text": "Hi there."}], "metadata": {"provider": "anthropic"}},
        {"role": "user", "content": [{"text": "And?"}]},
        {"role": "assistant", "content": [{"text": " "}]},
    ]);
    let tool = json!({"name": "get_weather", "schema": {"type": "object"}, "result": "sunny"});
    let case = json!({"provider": "openai", "host": host, "model": model, "tools": [tool], "history": history,
        "prompts": ["Weather?"], "replies": replies(reasoning)});
    Case::parse(&format!("{model} at {host:?}"), &case.to_string())
}

/// Returns the hosts that the book lists with this form.
fn listed(form: &str) -> Vec<String> {
    let page = include_str!("../../../docs/src/models/openai.md");
    let (_, table) = page.split_once("| host | `ReasoningReplay` |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let hosts = rows.filter(|row| row.contains(&format!("| `{form}` |"))).flat_map(|row| row.split('|').nth(1));
    hosts.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[tokio::test]
async fn sends_reasoning_with_every_assistant_message_if_required() {
    let hosts = listed("Content");
    assert!(hosts.len() >= 6, "{hosts:?}");
    for host in hosts.iter().map(|host| format!("api.{host}")).chain(["deepseek.com".to_owned()]) {
        for said in [json!("hm"), json!(""), json!(null)] {
            let bodies = bodies(&case(Some(&host), "some-model", &said)).await;
            let own = said.as_str().unwrap_or_default();
            assert_eq!(reasoning(&bodies[1]), [json!(""), json!(""), json!(own)], "{host}: {said}");
        }
    }
}

#[tokio::test]
async fn sends_no_reasoning_to_other_servers() {
    assert_eq!(
        (listed("Details"), listed("Never")),
        (vec!["openrouter.ai".to_owned()], vec!["api.openai.com".to_owned()])
    );
    for host in [None, Some("api.openai.com"), Some("openrouter.ai"), Some("api.x.ai"), Some("notdeepseek.com")] {
        let bodies = bodies(&case(host, "deepseek-v4-pro", &json!("hm"))).await;
        assert_eq!(reasoning(&bodies[1]), [json!(null), json!(null), json!(null)], "{host:?}");
    }
}

#[tokio::test]
async fn the_builder_overrides_the_default_of_a_host() {
    use strands_core::models::ModelRequest;
    use strands_models::openai::ReasoningReplay;

    for (replay, expected) in [(ReasoningReplay::Content, json!("")), (ReasoningReplay::Never, json!(null))] {
        let model = |server: &str| -> std::sync::Arc<dyn strands_core::models::Model> {
            std::sync::Arc::new(crate::openai::chat(server).reasoning_replay(replay).build().unwrap())
        };
        let messages = case(None, "m", &json!("")).history.into_iter().map(std::sync::Arc::new).collect::<Vec<_>>();
        let body = crate::chat_completions::body(model, ModelRequest::new(&messages)).await;
        assert_eq!(reasoning(&body), [expected.clone(), expected]);
    }
}

/// Returns a response with reasoning in plain text, with or without a call.
fn plain_reasoning(item: Value, deltas: bool) -> Value {
    let event = |kind: &str, at: usize, item: &Value| json!({"type": kind, "output_index": at, "item": item});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "get_weather",
        "arguments": "{\"city\":\"Oslo\"}"});
    let mut events =
        vec![event("response.output_item.added", 0, &json!({"type": "reasoning", "id": "rs_1", "summary": []}))];
    if deltas {
        events.push(json!({"type": "response.reasoning_text.delta", "output_index": 0, "item_id": "rs_1",
            "content_index": 0, "delta": "I should look."}));
    }
    events.push(event("response.output_item.done", 0, &item));
    events.push(event("response.output_item.done", 1, &call));
    events.push(json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}}));
    json!({"anthropic": events})
}

#[tokio::test]
async fn sends_plain_reasoning_of_responses_back() {
    let text = json!([{"type": "reasoning_text", "text": "I should look."}]);
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": text});
    let bare = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let hi = json!([{"type": "message", "content": [{"type": "output_text", "text": "Hi."}]}]);
    for (item, deltas) in [(&item, true), (&item, false), (&bare, true)] {
        let tool = json!({"name": "get_weather", "schema": {"type": "object"}, "result": "sunny"});
        let last = json!({"json": {"status": "completed", "output": hi}});
        let case = json!({"provider": "responses", "tools": [tool], "prompts": ["Weather?"],
            "replies": [plain_reasoning(item.clone(), deltas), last]});
        let case = Case::parse("plain reasoning", &case.to_string());
        let bodies = bodies(&case).await;
        let input = bodies[1]["input"].as_array().unwrap();
        let expected = json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": text});
        assert_eq!(input[1], expected, "{item}, {deltas}");
        assert_eq!(input[2]["type"], "function_call", "{item}, {deltas}");
    }
}
