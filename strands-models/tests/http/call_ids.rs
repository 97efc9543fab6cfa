//! Ids of tool calls that repeat or that a provider rejects: each call is sent with a unique id, and with its result.

#[cfg(feature = "openai")]
use std::collections::HashSet;

#[cfg(feature = "openai")]
use futures_util::StreamExt;
use serde_json::{Value, json};
#[cfg(feature = "openai")]
use strands_core::AgentEvent;
use strands_testkit::case::{Case, SentCall, cases, sent_calls};

use crate::case::{greetings, start};

/// Returns the text in the result of a call, in the format of any provider.
fn result_text(call: &SentCall) -> String {
    match &call.result {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts[0]["text"].as_str().unwrap().to_owned(),
        response => response["output"][0]["text"].as_str().unwrap().to_owned(),
    }
}

/// True for an id that a provider accepts.
fn is_taken(provider: &str, id: &str) -> bool {
    let words = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match provider {
        "anthropic" | "responses" => (1..=64).contains(&id.len()) && id.bytes().all(words),
        "mistral" => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        _ => !id.is_empty(),
    }
}

fn check(case: &Case, body: &Value, expected: &[(&str, &str)]) {
    let calls = sent_calls(&case.name, body);
    let found: Vec<_> =
        calls.iter().map(|call| (call.arguments["city"].as_str().unwrap(), result_text(call))).collect();
    let found: Vec<_> = found.iter().map(|(city, weather)| (*city, weather.as_str())).collect();
    assert_eq!(found, expected, "{}: {body}", case.name);
    assert!(calls.iter().all(|call| is_taken(&case.provider, &call.id)), "{}: {calls:?}", case.name);
}

#[tokio::test]
async fn sends_repeated_ids_of_shared_cases_as_unique_ones() {
    let files = [
        "case.json",
        "history-anthropic.json",
        "history-bedrock.json",
        "history-gemini.json",
        "history-mistral.json",
        "history-openai.json",
        "history-responses.json",
    ];
    let providers: Vec<_> = greetings().into_iter().map(|(provider, _)| provider).collect();
    let all = cases("call-ids-repeat", &files).into_iter().flatten();
    for case in all.filter(|case| providers.contains(&case.provider.as_str())) {
        let mut running = start(&case).await;
        running.prompt().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        let weather = if case.history.is_empty() { "sunny" } else { "rain" };
        check(&case, running.bodies().last().unwrap(), &[("Oslo", "sunny"), ("Rome", weather)]);
    }
}

/// Returns a conversation as other clients may have stored it: ids repeat within and between messages, and have any
/// form.
fn history() -> Value {
    let call =
        |id: &str, city: &str| json!({"toolUse": {"toolUseId": id, "name": "get_weather", "input": {"city": city}}});
    let result = |id: &str, text: &str| json!({"toolResult": {"toolUseId": id, "status": "success", "content": [{"text": text}]}});
    let long = "x".repeat(90);
    json!([
        {"role": "user", "content": [{"text": "Weather?"}]},
        {"role": "assistant", "content": [call("functions.get_weather:0", "a"), call("functions.get_weather:0", "b"), call("", "c")]},
        {"role": "user", "content": [result("functions.get_weather:0", "A"), result("", "C"), result("functions.get_weather:0", "B")]},
        {"role": "assistant", "content": [call(&long, "d"), call(&format!("{long}y"), "e"), call("f/1", "f"), call("f.1", "g")]},
        {"role": "user", "content": [result("f.1", "G"), result(&long, "D"), result(&format!("{long}y"), "E"), result("f/1", "F")]},
        {"role": "assistant", "content": [call("functions.get_weather:0", "h")]},
        {"role": "user", "content": [result("functions.get_weather:0", "H")]},
        {"role": "assistant", "content": [{"text": "So much weather."}]},
    ])
}

#[tokio::test]
async fn sends_each_call_with_its_result_to_every_provider() {
    let expected = [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D"), ("e", "E"), ("f", "F"), ("g", "G"), ("h", "H")];
    for (provider, reply) in greetings() {
        let case = json!({"provider": provider, "options": {"streaming": false}, "history": history(), "prompts": ["hi", "and now?"],
            "replies": [{"json": reply}, {"json": reply}]});
        let case = Case::parse(provider, &case.to_string());
        let mut running = start(&case).await;
        for round in 0..2 {
            running.prompt().await.unwrap();
            check(&case, &running.bodies()[round], &expected);
        }
        let ids = |body: &Value| sent_calls(provider, body).into_iter().map(|call| call.id).collect::<Vec<_>>();
        assert_eq!(
            ids(&running.bodies()[0]),
            ids(&running.bodies()[1]),
            "{provider}: ids do not change between requests"
        );
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn limits_the_length_of_ids_for_openai() {
    let reply = &greetings().into_iter().find(|(provider, _)| *provider == "openai").unwrap().1;
    for (host, is_short) in [("api.openai.com", true), ("my.openai.azure.com", true), ("kimi.example", false)] {
        let case = json!({"provider": "openai", "host": host, "options": {"streaming": false}, "history": history(),
            "prompts": ["hi"], "replies": [{"json": reply}]});
        let mut running = start(&Case::parse(host, &case.to_string())).await;
        running.prompt().await.unwrap();
        let calls = sent_calls(host, &running.bodies()[0]);
        assert_eq!(calls.iter().all(|call| call.id.len() <= 40), is_short, "{host}: {calls:?}");
        assert_eq!(calls.last().unwrap().id, "functions.get_weather:0", "{host}: a valid id is unchanged");
    }
}

/// Server that counts the calls of each response from zero, and then repeats one id within a response.
#[cfg(feature = "openai")]
#[tokio::test]
async fn events_messages_and_requests_use_the_same_ids() {
    let called = |ids: &[&str]| {
        let calls: Vec<_> = ids.iter().enumerate().map(|(at, id)| {
            json!({"index": at, "id": id, "type": "function", "function": {"name": "get_weather", "arguments": format!("{{\"city\":\"{at}\"}}")}})
        }).collect();
        json!({"sse": [{"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}], "done": true})
    };
    let said = json!({"sse": [{"choices": [{"index": 0, "delta": {"content": "Hi."}, "finish_reason": "stop"}]}], "done": true});
    let case = json!({"provider": "openai", "prompts": ["hi"],
        "tools": [{"name": "get_weather", "schema": {"type": "object"}, "result": "sunny"}],
        "replies": [called(&["get_weather:0", "get_weather:1"]), called(&["get_weather:0"]), called(&["x", "x", "x"]), said]});
    let mut running = start(&Case::parse("events", &case.to_string())).await;
    let prompt = running.next_prompt();
    let mut stream = running.agent.prompt(prompt).stream();
    let (mut begun, mut ended) = (Vec::new(), HashSet::new());
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AgentEvent::ToolUseStart { tool_use_id, .. } => begun.push(tool_use_id.to_string()),
            AgentEvent::ToolEnd { tool_use, result, .. } => {
                assert_eq!(tool_use.tool_use_id, result.tool_use_id);
                ended.insert(result.tool_use_id);
            }
            _ => {}
        }
    }
    drop(stream);
    let ids: Vec<_> = sent_calls("events", running.bodies().last().unwrap()).into_iter().map(|call| call.id).collect();
    assert_eq!(ids, ["get_weather:0", "get_weather:1", "get_weather:0_2", "x", "x_2", "x_3"]);
    assert_eq!(begun, ids);
    assert_eq!(ended, ids.into_iter().collect());
}
