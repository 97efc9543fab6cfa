//! The providers of this library as clients, over a socket.

use strands::models::{Model, OpenAiModel, OpenAiResponsesModel, RetryPolicy, StopReason};
use strands::{Agent, AgentError};

use crate::rig::{MODEL, Rig};

/// Serves a rig; returns its base URL.
async fn serve(rig: &Rig) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = rig.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn converse(rig: &Rig, model: impl Model + 'static) {
    let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await.unwrap();
    let response = agent.prompt("Hello to you").await.unwrap();
    assert_eq!((response.text().as_str(), &response.stop_reason), ("You said: Hello to you", &StopReason::EndTurn));
    assert_eq!((response.usage.input_tokens, response.usage.output_tokens), (10, 5));
    let response = agent.prompt("and again").await.unwrap();
    assert!(response.text().ends_with("and again"), "{}", response.text());
    let response = agent.prompt("who am I?").await.unwrap();
    assert!(response.text().contains("alice"), "{}", response.text());
    let response = agent.prompt("too long").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::MaxTokens);
    let error = agent.prompt("break").await.unwrap_err();
    assert!(matches!(error, AgentError::Model { .. }), "{error}");
    assert!(!rig.model.requests().is_empty());
}

#[tokio::test]
async fn chat_completions() {
    let rig = Rig::new();
    let url = serve(&rig).await;
    let model = OpenAiModel::builder().base_url(&url).api_key("alice").model_id(MODEL).build().unwrap();
    converse(&rig, model).await;
}

#[tokio::test]
async fn responses_without_state() {
    let rig = Rig::new();
    let url = serve(&rig).await;
    let model = OpenAiResponsesModel::builder().base_url(&url).api_key("alice").model_id(MODEL).build().unwrap();
    converse(&rig, model).await;
    assert!(rig.sessions().await.is_empty());
}

#[tokio::test]
async fn responses_with_state() {
    let rig = Rig::new();
    let url = serve(&rig).await;
    let model = OpenAiResponsesModel::builder().base_url(&url).api_key("alice").model_id(MODEL).stateful(true);
    let mut agent = Agent::builder().model(model.build().unwrap()).build().await.unwrap();
    for (prompt, messages) in [("one", 1), ("two", 3), ("three", 5)] {
        let response = agent.prompt(prompt).await.unwrap();
        assert_eq!(response.text(), format!("You said: {prompt}"));
        assert_eq!(rig.seen().len(), messages);
    }
    assert_eq!(rig.sessions().await.len(), 1);
}
