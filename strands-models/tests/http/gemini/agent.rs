//! Agent conversations with tools: signed parts are sent back in order, byte for byte.

use serde_json::{Value, json};
use strands_testkit::Server;
use strands_testkit::provider::Provider;
use strands_testkit::provider::agents::weather_agent;

use super::{Gemini, chunk, finish, plain, sse};

/// The model parts of the last request, after an agent received these chunks and ran a tool.
async fn replayed(chunks: &[Value]) -> Vec<Value> {
    let stream = sse(&[chunks, &[finish("STOP")]].concat());
    let server = Server::sequence([Gemini.response(stream.into()), Gemini.response(Gemini.fine())]).await;
    weather_agent(plain(&server.url())).await.prompt("Weather in Oslo?").await.unwrap();
    let contents = server.requests()[1].json()["contents"].take();
    let parts = contents[1]["parts"].as_array().unwrap().clone();
    assert_eq!((contents[0]["role"].as_str(), contents[1]["role"].as_str()), (Some("user"), Some("model")));
    parts
}

fn call(id: &str, signature: Option<&str>) -> Value {
    let mut call = json!({"functionCall": {"id": id, "name": "get_weather", "args": {"city": "Oslo"}}});
    if let Some(signature) = signature {
        call["thoughtSignature"] = json!(signature);
    }
    call
}

#[tokio::test]
async fn sends_every_part_back_unchanged() {
    let parts = [
        json!({"text": "let me", "thought": true}),
        json!({"text": " see", "thought": true, "thoughtSignature": "dGhvdWdodA=="}),
        json!({"text": "I look "}),
        json!({"text": "it up.", "thoughtSignature": "dGV4dA=="}),
        json!({"text": " Wait."}),
        json!({"text": "", "thoughtSignature": "ZW1wdHk="}),
        json!({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "Y29kZQ=="}),
        json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}),
        json!({"text": "So:"}),
        call("a", Some("Y2FsbA+/-_")),
        call("b", None),
        json!({"text": "", "thoughtSignature": "bGFzdA=="}),
    ];
    let one_by_one: Vec<_> = parts.iter().map(|part| chunk(&json!([part]))).collect();
    assert_eq!(replayed(&one_by_one).await, parts);
    assert_eq!(replayed(&[chunk(&json!(parts))]).await, parts);
}

#[tokio::test]
async fn joins_unsigned_text() {
    let text = |text: &str| chunk(&json!([{"text": text}]));
    let sent = replayed(&[text("I "), text("look."), chunk(&json!([call("a", Some("c2ln"))]))]).await;
    assert_eq!(sent, [json!({"text": "I look."}), call("a", Some("c2ln"))]);
}

#[tokio::test]
async fn keeps_assigned_call_ids() {
    let mut nameless = call("", Some("c2ln"));
    nameless["functionCall"].as_object_mut().unwrap().shift_remove("id");
    let stream = sse(&[chunk(&json!([nameless, call("b", None)])), finish("STOP")]);
    let server = Server::sequence([Gemini.response(stream.into()), Gemini.response(Gemini.fine())]).await;
    weather_agent(plain(&server.url())).await.prompt("Weather in Oslo?").await.unwrap();
    let contents = server.requests()[1].json()["contents"].take();
    let ids = |content: &Value, kind: &str| -> Vec<Value> {
        content["parts"].as_array().unwrap().iter().map(|part| part[kind]["id"].clone()).collect()
    };
    let calls = ids(&contents[1], "functionCall");
    assert_eq!(calls, ids(&contents[2], "functionResponse"), "in the order of the calls");
    assert!(calls[0].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(calls[1], "b");
}
