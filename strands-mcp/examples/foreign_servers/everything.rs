//! Every tool of `@modelcontextprotocol/server-everything`, and every kind of content in its results.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use strands::Agent;
use strands::mcp::{ElicitationKind, ElicitationResponse, McpClient, McpClientBuilder, SamplingLimits, Transport};
use strands::message::ToolResultContent;
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::{child, reading, text};

/// Tools with their arguments, texts that their results contain, and the kind of the other content.
#[rustfmt::skip]
fn calls() -> Vec<(&'static str, Value, &'static [&'static str], Option<&'static str>)> {
    vec![
        ("echo", json!({"message": "hé 🌍"}), &["Echo: hé 🌍"], None),
        ("get-sum", json!({"a": 2, "b": 3}), &["5"], None),
        ("get-env", json!({}), &["PATH"], None),
        ("get-tiny-image", json!({}), &["MCP logo"], Some("image")),
        ("get-annotated-message", json!({"messageType": "error", "includeImage": true}), &["Error"], Some("image")),
        ("get-annotated-message", json!({"messageType": "success"}), &["success"], None),
        ("get-resource-links", json!({"count": 2}), &["demo://resource/"], None),
        ("get-resource-reference", json!({"resourceType": "Text", "resourceId": 1}), &["demo://resource/dynamic/text/1"], None),
        ("get-resource-reference", json!({"resourceType": "Blob", "resourceId": 2}), &["demo://resource/dynamic/blob/2"], None),
        ("get-structured-content", json!({"location": "New York"}), &["temperature"], Some("json")),
        ("gzip-file-as-resource", json!({"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"}), &["a.gz"], None),
        ("gzip-file-as-resource", json!({"name": "b.gz", "data": "data:text/plain,hello"}), &["b.gz"], None),
        ("toggle-simulated-logging", json!({}), &["logging"], None),
        ("toggle-subscriber-updates", json!({}), &["updates"], None),
        ("trigger-long-running-operation", json!({"duration": 0.2, "steps": 2}), &["completed"], None),
        ("trigger-sampling-request", json!({"prompt": "Say hello."}), &["Hello from the sampling model."], None),
        ("trigger-elicitation-request", json!({}), &["Ada"], None),
        ("trigger-url-elicitation", json!({"url": "https://example.com/confirm"}), &["accept"], None),
        ("simulate-research-query", json!({"topic": "rust"}), &[NEEDS_A_TASK], None),
    ]
}

/// Error result of a tool that runs only as a task of protocol version 2025-11-25. That form was withdrawn, and rmcp lacks it.
const NEEDS_A_TASK: &str = "requires task augmentation";

pub(crate) async fn check(server: &[&str]) {
    let client =
        if server[0].starts_with("http") { prepared(McpClient::http(server[0])) } else { prepared(child(server)) };
    let names = tools(&client).await;
    let calls = calls();
    let known: BTreeSet<_> = calls.iter().map(|(name, ..)| (*name).to_owned()).collect();
    println!("{} tools: {}", names.len(), names.join(" "));
    assert_eq!(BTreeSet::from_iter(names), known, "the tools of the server, and those that are called");

    let turns = calls.iter().map(|(name, arguments, ..)| ScriptedTurn::tool_use(*name, arguments.clone()));
    let model = ScriptedModel::new(turns.chain([ScriptedTurn::text("Done.")]));
    let mut agent = Agent::builder().model(model).tool_provider(client.clone()).build().await.unwrap();
    assert_eq!(agent.prompt("Call all tools.").await.unwrap().text(), "Done.");
    let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).collect();
    assert_eq!(results.len(), calls.len());
    let mut failures = Vec::new();
    for ((name, _, texts, kind), result) in calls.iter().zip(results) {
        let kinds: Vec<_> = result.content.iter().map(kind_of).collect();
        let found = text(&result.content);
        let start: String = found.chars().take(60).collect();
        println!("{name}: {} {}", kinds.join(" "), start.replace('\n', " "));
        let has_kind = kind.is_none_or(|kind| kinds.contains(&kind));
        let is_expected = result.is_error() == (*texts == [NEEDS_A_TASK]);
        if !is_expected || !has_kind || !texts.iter().all(|text| found.contains(text)) {
            failures.push(format!(
                "{name}: expected {texts:?} and {kind:?}, got {kinds:?}, is_error {}:\n{found}",
                result.is_error()
            ));
        }
    }
    let (prompts, resources, templates) = reading::check(&client).await;
    println!("{prompts} prompts, {resources} resources, {templates} templates");
    assert!(prompts >= 4 && resources >= 7 && templates >= 2, "some are missing");
    client.close().await;
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn prepared<T: Transport>(builder: McpClientBuilder<T>) -> McpClient {
    let model = ScriptedModel::responding("Hello from the sampling model.");
    let builder = builder.sampling(model, SamplingLimits::new()).elicitation(|elicitation| async move {
        match elicitation.kind {
            ElicitationKind::Form { .. } => ElicitationResponse::Accept(json!({"name": "Ada", "check": true})),
            _ => ElicitationResponse::Accept(Value::Null),
        }
    });
    builder.timeout(Duration::from_secs(20)).build().unwrap()
}

/// Returns the names of the tools. The server registers some of them after the handshake.
async fn tools(client: &McpClient) -> Vec<String> {
    client.tools().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.tools().await.unwrap().iter().map(|tool| tool.spec().name.clone()).collect()
}

fn kind_of(content: &ToolResultContent) -> &'static str {
    match content {
        ToolResultContent::Text(_) => "text",
        ToolResultContent::Json(_) => "json",
        ToolResultContent::Image(_) => "image",
        ToolResultContent::Document(_) => "document",
        _ => "other",
    }
}
