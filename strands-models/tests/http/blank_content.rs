//! Blank content of users, tools, models and system prompts, which providers reject: none is sent, and no message is
//! empty.

use serde_json::{Value, json};
use strands_core::message::{Message, SystemBlock};
use strands_core::models::ModelRequest;
use strands_testkit::Server;
use strands_testkit::case::{Case, assert_nothing_blank, sent_calls};
use strands_testkit::provider::turn;

use crate::case::{greetings, model, start};

/// Returns a conversation with blank content in every position.
fn history() -> Value {
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}});
    let result = |id: &str, status: &str, content: Value| json!({"toolResult": {"toolUseId": id, "status": status, "content": content}});
    let image = json!({"image": {"format": "png", "source": {"bytes": "iVBORw=="}}});
    json!([
        {"role": "user", "content": [{"text": ""}]},
        {"role": "assistant", "content": []},
        {"role": "user", "content": [{"text": " \n"}, image, {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [{"text": ""}, call("a"), call("b"), call("c"), call("d")]},
        {"role": "user", "content": [
            result("a", "success", json!([])),
            result("b", "success", json!([{"text": ""}])),
            result("c", "error", json!([{"text": " \t"}])),
            result("d", "success", json!([{"text": ""}, {"json": {"x": 1}}])),
            {"text": "\u{a0}"},
        ]},
        {"role": "assistant", "content": [{"text": " "}]},
        {"role": "user", "content": [{"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [{"citationsContent": {"content": [{"text": ""}], "citations": []}}]},
        {"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": ""}}}]},
        {"role": "assistant", "content": [{"text": "What is it?"}]},
        {"role": "user", "content": [{"guardContent": {"text": {"text": " "}}}, {"document": {"format": "txt", "name": "n", "source": {"bytes": ""}}}]},
        {"role": "assistant", "content": [{"text": "Well?"}]},
    ])
}

#[tokio::test]
async fn sends_no_blank_content() {
    for (provider, reply) in greetings() {
        for prompt in [json!("hi"), json!("  "), json!([{"text": ""}])] {
            let case = json!({"provider": provider, "options": {"streaming": false}, "history": history(), "prompts": [prompt],
                "replies": [{"json": reply}]});
            let mut running = start(&Case::parse(provider, &case.to_string())).await;
            running.prompt().await.unwrap_or_else(|error| panic!("{provider}: {error:?}"));
            let body = &running.bodies()[0];
            assert_nothing_blank(provider, body);
            let results: Vec<_> = sent_calls(provider, body).iter().map(|call| call.result.to_string()).collect();
            assert_eq!(results.len(), 4, "{provider}");
            for (result, words) in results.iter().zip(["returned nothing", "returned nothing", "tool failed", "x"]) {
                assert!(result.contains(words), "{provider}: {result}");
            }
        }
    }
}

#[tokio::test]
async fn sends_no_blank_system_prompt() {
    for (provider, reply) in greetings() {
        let case = json!({"provider": provider, "options": {"streaming": false}, "replies": [{"json": reply}, {"json": reply}]});
        let case = Case::parse(provider, &case.to_string());
        let server = Server::sequence(case.replies.iter().map(|reply| reply.response())).await;
        let model = model(&case, &server);
        let messages = [Message::user("hi").into()];
        for system in [vec![SystemBlock::from("")], vec![SystemBlock::from(" "), SystemBlock::from("Be kind.")]] {
            turn(&*model, ModelRequest::new(&messages).with_system(&system)).await.unwrap();
        }
        let bodies: Vec<_> = server.requests().iter().map(strands_testkit::Request::json).collect();
        for body in &bodies {
            assert_nothing_blank(provider, body);
            let system = ["system", "systemInstruction", "instructions"].map(|field| body.get(field));
            for system in system.into_iter().flatten() {
                assert!(system.to_string().contains("Be kind."), "{provider}: {system}");
                assert!(!system.to_string().contains("\" "), "{provider}: {system}");
            }
        }
        assert!(!bodies[0].to_string().contains("\"system\""), "{provider}: {}", bodies[0]);
        assert!(bodies[1].to_string().contains("Be kind."), "{provider}");
    }
}
