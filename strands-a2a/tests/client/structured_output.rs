//! Prompts that request structured output.

use strands::serde_json::{Value, json};
use strands::{AgentError, JsonSchema, PromptRequest};

use crate::peer::{COMPLETED, Peer, WORKING, chunk, ended, prompt, task};

#[derive(serde::Deserialize, JsonSchema)]
#[schemars(crate = "strands::schemars")]
#[expect(dead_code, reason = "for the schema")]
struct Price {
    euros: u32,
}

async fn responding(events: Vec<Value>) -> Peer {
    Peer::new(move |call| call.stream(&events)).await
}

#[tokio::test]
async fn asks_for_json_and_reads_it() {
    let data = json!({"artifactUpdate": {
        "taskId": "t1", "contextId": "c1", "artifact": {"artifactId": "a2", "parts": [{"data": {"euros": 7.0}}]},
    }});
    for (events, expected) in [
        (vec![task(WORKING), chunk("```json\n{\"euros\": 5}\n```", false), ended(COMPLETED)], json!({"euros": 5})),
        (vec![task(WORKING), chunk("Here is the price.", false), data, ended(COMPLETED)], json!({"euros": 7})),
    ] {
        let peer = responding(events).await;
        let response = prompt(&peer.agent().await, PromptRequest::new("How much?").output::<Price>()).await.response();
        assert_eq!(response.output, Some(expected));
        let parts = peer.calls()[0].json()["params"]["message"]["parts"].clone();
        assert_eq!(parts[0], json!({"text": "How much?"}));
        let instruction = parts[1]["text"].as_str().unwrap();
        assert!(
            instruction.starts_with("Respond with JSON alone") && instruction.contains("\"euros\""),
            "{instruction}"
        );
    }
}

#[tokio::test]
async fn a_response_without_the_output_is_an_error() {
    for (text, expected) in [("Five.", "the response has no JSON"), ("{\"euros\": \"five\"}", "euros")] {
        let peer = responding(vec![task(WORKING), chunk(text, false), ended(COMPLETED)]).await;
        let request = PromptRequest::new("How much?").output::<Price>();
        let Err(AgentError::InvalidOutput { output, reason, .. }) = prompt(&peer.agent().await, request).await.end
        else {
            panic!("{text}")
        };
        assert!(output == "Price" && reason.contains(expected), "{reason}");
    }
}

#[tokio::test]
async fn no_output_is_read_without_a_request() {
    let peer = responding(vec![task(WORKING), chunk("{\"euros\": 5}", false), ended(COMPLETED)]).await;
    assert_eq!(prompt(&peer.agent().await, "How much?").await.response().output, None);
    assert_eq!(peer.calls()[0].json()["params"]["message"]["parts"].as_array().unwrap().len(), 1);
}
