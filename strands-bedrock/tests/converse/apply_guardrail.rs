//! Bedrock's guardrails as checks of an agent, over the wire.

use serde_json::{Value, json};
use strands_bedrock::BedrockGuardrail;
use strands_core::guardrails::{GuardedContent, GuardrailHook};
use strands_core::models::StopReason;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, StreamExt};
use strands_testkit::{Response, Server};

/// Response of ApplyGuardrail, as the service sends it.
fn assessed(action: &str, outputs: &[&str], assessment: Value) -> Response {
    let outputs: Vec<_> = outputs.iter().map(|text| json!({"text": text})).collect();
    Response::json(
        200,
        &json!({
            "action": action,
            "actionReason": "No action.",
            "assessments": [assessment],
            "guardrailCoverage": {"textCharacters": {"guarded": 17, "total": 17}},
            "output": outputs,
            "outputs": outputs,
            "usage": {
                "topicPolicyUnits": 1, "contentPolicyUnits": 1, "wordPolicyUnits": 0,
                "sensitiveInformationPolicyUnits": 1, "sensitiveInformationPolicyFreeUnits": 1,
                "contextualGroundingPolicyUnits": 0,
            },
        }),
    )
}

fn nothing() -> Response {
    assessed("NONE", &[], json!({"invocationMetrics": {"guardrailProcessingLatency": 321}}))
}

fn masked(text: &str) -> Response {
    let entity = json!({"match": "ada@example.org", "type": "EMAIL", "action": "ANONYMIZED", "detected": true});
    let policy = json!({"sensitiveInformationPolicy": {"piiEntities": [entity], "regexes": []}});
    assessed("GUARDRAIL_INTERVENED", &[text], policy)
}

fn blocked(text: &str) -> Response {
    let topic = json!({"name": "weapons", "type": "DENY", "action": "BLOCKED", "detected": true});
    assessed("GUARDRAIL_INTERVENED", &[text], json!({"topicPolicy": {"topics": [topic]}}))
}

async fn hook(server: &Server) -> GuardrailHook {
    let builder = BedrockGuardrail::builder("gr-1", "3").region("us-east-1").base_url(server.url()).api_key("test-key");
    GuardrailHook::new(builder.build().await.unwrap())
}

async fn agent(server: &Server, response: &str) -> (Agent, ScriptedModel) {
    let model = ScriptedModel::new([ScriptedTurn::text(response), ScriptedTurn::text(response)]);
    (Agent::builder().model(model.clone()).hook(hook(server).await).build().await.unwrap(), model)
}

#[tokio::test]
async fn checks_the_prompt_as_input_and_the_response_as_output() {
    let server = Server::repeat(nothing()).await;
    let (mut agent, _) = agent(&server, "Fine.").await;
    assert_eq!(agent.prompt("How are you?").await.unwrap().text(), "Fine.");
    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(|request| (request.path.clone(), request.json())).collect();
    let body = |source: &str, text: &str| json!({"source": source, "content": [{"text": {"text": text}}]});
    let target = "/guardrail/gr-1/version/3/apply".to_owned();
    assert_eq!(sent, [(target.clone(), body("INPUT", "How are you?")), (target, body("OUTPUT", "Fine."))]);
}

#[tokio::test]
async fn masks_text() {
    let server = Server::sequence([masked("Write to {EMAIL}."), masked("Sent to {EMAIL}.")]).await;
    let (mut agent, model) = agent(&server, "Sent to ada@example.org.").await;
    let mut texts = String::new();
    let mut stream = agent.prompt("Write to ada@example.org.").stream();
    while let Some(event) = stream.next().await {
        if let AgentEvent::TextDelta { text } = event.unwrap() {
            texts.push_str(&text);
        }
    }
    drop(stream);
    assert_eq!(texts, "Sent to {EMAIL}.");
    assert_eq!(model.requests()[0].messages[0].text(), "Write to {EMAIL}.");
    assert!(!serde_json::to_string(agent.messages()).unwrap().contains("ada@"));
}

#[tokio::test]
async fn blocks_prompts_and_responses() {
    let server = Server::sequence([blocked("Not this."), nothing(), blocked("Not that.")]).await;
    let (mut agent, model) = agent(&server, "Take a sword.").await;
    let response = agent.prompt("Swords?").await.unwrap();
    assert_eq!((response.text().as_str(), model.requests().len()), ("Not this.", 0));
    let response = agent.prompt("What shall I take?").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("Not that.", StopReason::GuardrailIntervened));
    let stored = serde_json::to_string(agent.messages()).unwrap();
    assert!(!stored.contains("word"), "{stored}");
}

#[tokio::test]
async fn text_that_is_masked_and_blocked_is_blocked() {
    let both = json!({
        "sensitiveInformationPolicy": {
            "piiEntities": [
                {"match": "a", "type": "NAME", "action": "ANONYMIZED", "detected": true},
                {"match": "b", "type": "PASSWORD", "action": "BLOCKED", "detected": true},
            ],
            "regexes": [],
        },
    });
    for assessment in [
        both,
        json!({}),
        json!({"contentPolicy": {"filters": [
            {"type": "VIOLENCE", "confidence": "HIGH", "action": "A_NEW_ACTION", "detected": true},
        ]}}),
    ] {
        let server = Server::repeat(assessed("GUARDRAIL_INTERVENED", &["Blocked."], assessment)).await;
        let (mut agent, model) = agent(&server, "Fine.").await;
        let response = agent.prompt("Hello").await.unwrap();
        assert_eq!((response.text().as_str(), model.requests().len()), ("Blocked.", 0));
    }
}

#[tokio::test]
async fn a_failed_check_blocks() {
    for response in [
        Response::json(400, &json!({"message": "no"})).header("x-amzn-errortype", "ValidationException"),
        Response::json(403, &json!({"message": "no"})).header("x-amzn-errortype", "AccessDeniedException"),
        Response::garbage("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{]}"),
    ] {
        let server = Server::repeat(response).await;
        let (mut agent, model) = agent(&server, "Fine.").await;
        let response = agent.prompt("Hello").await.unwrap();
        assert_eq!(response.text(), "blocked, since the check `gr-1` failed");
        assert_eq!(model.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_throttled_check_is_tried_again() {
    let throttled = Response::json(429, &json!({"message": "slow"})).header("x-amzn-errortype", "ThrottlingException");
    let server = Server::sequence([throttled, nothing(), nothing()]).await;
    let (mut agent, _) = agent(&server, "Fine.").await;
    assert_eq!(agent.prompt("Hello").await.unwrap().text(), "Fine.");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_long_text_is_blocked_without_a_request() {
    let server = Server::repeat(nothing()).await;
    let (mut agent, model) = agent(&server, "Fine.").await;
    let response = agent.prompt("x".repeat(25_001)).await.unwrap();
    assert_eq!(response.text(), "blocked, since the check `gr-1` failed");
    assert_eq!((server.requests().len(), model.requests().len()), (0, 0));
}

#[tokio::test]
async fn content_can_be_left_unchecked() {
    let server = Server::repeat(nothing()).await;
    let model = ScriptedModel::responding("Fine.");
    let hook = hook(&server).await.only([GuardedContent::Prompt]);
    let mut agent = Agent::builder().model(model).hook(hook).build().await.unwrap();
    agent.prompt("Hello").await.unwrap();
    assert_eq!(server.requests().len(), 1);
}
