//! Tool calls: results of all kinds, structured content, errors, progress and limits.

use rmcp::model::{CallToolRequest, ClientRequest as McpRequest};
use rmcp::model::{ContentBlock, ErrorCode, NumberOrString, ProgressToken, RequestMetaObject, ResourceContents};
use rmcp::service::{PeerRequestOptions, ServiceError};
use serde_json::{Map, Value, json};
use strands::mcp::McpServer;
use strands::message::{
    AudioBlock, AudioFormat, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat, MediaSource, ToolResultContent,
    VideoBlock, VideoFormat,
};
use strands::{JsonSchema, Serialize, ToolContext, ToolError, ToolOutput, ToolRunner, tool, tools};

use crate::client::{AGES, Client, call, connected, connected_to, served, text, until};
use crate::raw_http::{post, stateless};

/// A sum.
#[tool(output, read_only, idempotent)]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[derive(Serialize, JsonSchema)]
#[serde(crate = "strands::serde")]
#[schemars(crate = "strands::schemars")]
struct City {
    name: String,
    people: u64,
}

/// A city.
#[tool(output)]
fn find_city(name: String) -> Result<City, ToolError> {
    if name == "Atlantis" {
        return Err(ToolError::new("no such city"));
    }
    Ok(City { name, people: 700_000 })
}

/// All kinds of content.
#[tool]
fn all_kinds() -> ToolOutput {
    ToolOutput::new([
        ToolResultContent::Text("text".to_owned()),
        ToolResultContent::Json(json!({"n": 1})),
        ImageBlock::new(ImageFormat::Png, vec![1]).into(),
        DocumentBlock::new("a b", DocumentFormat::Pdf, vec![2]).into(),
        DocumentBlock::new("notes", DocumentFormat::Md, b"# Hi".to_vec()).into(),
        VideoBlock::new(VideoFormat::Mp4, vec![3]).into(),
        ImageBlock::new(ImageFormat::Png, MediaSource::s3("s3://bucket/a.png")).into(),
        AudioBlock::new(AudioFormat::Wav, vec![4]).into(),
        ToolResultContent::Unknown(Map::from_iter([("hologram".to_owned(), json!({}))])),
    ])
}

/// Reports progress.
#[tool]
async fn steps(ctx: &ToolContext) -> Result<String, ToolError> {
    for step in 1..=3 {
        ctx.progress(json!({"progress": step, "total": 3, "message": format!("step {step}")})).await?;
    }
    Ok("done".to_owned())
}

/// Waits.
#[tool]
async fn wait() -> &'static str {
    std::future::pending::<()>().await;
    "never"
}

fn server() -> McpServer {
    McpServer::new(tools![Add, FindCity, AllKinds, Steps, Wait]).unwrap().name("test").instructions("Use add for sums.")
}

#[tokio::test]
async fn tools_are_listed_in_order_with_schemas_and_annotations() {
    for age in AGES {
        let client = connected(server(), Client::default(), age).await;
        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(names, ["add", "find_city", "all_kinds", "steps", "wait"]);
        let add = serde_json::to_value(&tools[0]).unwrap();
        assert_eq!(add["description"], "A sum.");
        assert_eq!(add["annotations"], json!({"readOnlyHint": true, "idempotentHint": true}));
        assert_eq!(add["outputSchema"]["properties"]["result"]["type"], "integer");
        assert_eq!(add["outputSchema"]["required"], json!(["result"]));
        assert_eq!(add["inputSchema"]["required"], json!(["a", "b"]));
        let city = serde_json::to_value(&tools[1]).unwrap();
        assert_eq!(city["outputSchema"]["properties"]["name"]["type"], "string");
        assert!(city.get("annotations").is_none());
        let info = client.peer_info().unwrap();
        let info = serde_json::to_value(&*info).unwrap();
        assert_eq!(info["instructions"], "Use add for sums.", "{age:?}");
    }
}

#[tokio::test]
async fn results_are_structured_if_the_tool_has_an_output_schema() {
    for age in AGES {
        let client = connected(server(), Client::default(), age).await;
        let sum = client.call_tool(call("add", json!({"a": 2, "b": 3}))).await.unwrap();
        assert_eq!((sum.structured_content.clone(), text(&sum)), (Some(json!({"result": 5})), "5".to_owned()));
        assert_eq!(sum.is_error, Some(false));
        let city = client.call_tool(call("find_city", json!({"name": "Oslo"}))).await.unwrap();
        assert_eq!(city.structured_content, Some(json!({"name": "Oslo", "people": 700_000})));
        let failed = client.call_tool(call("find_city", json!({"name": "Atlantis"}))).await.unwrap();
        assert_eq!((failed.is_error, text(&failed)), (Some(true), "no such city".to_owned()));
        assert_eq!(failed.structured_content, None);
    }
}

#[tokio::test]
async fn all_kinds_of_content_arrive() {
    let client = connected(server(), Client::default(), AGES[0]).await;
    let result = client.call_tool(call("all_kinds", json!({}))).await.unwrap();
    let content = serde_json::to_value(&result.content).unwrap();
    assert_eq!(content[0]["text"], "text");
    assert_eq!(content[1]["text"], r#"{"n":1}"#);
    assert_eq!((&content[2]["data"], &content[2]["mimeType"]), (&json!("AQ=="), &json!("image/png")));
    assert_eq!(
        content[3]["resource"],
        json!({"uri": "document:///a%20b", "mimeType": "application/pdf", "blob": "Ag=="})
    );
    assert_eq!(
        content[4]["resource"],
        json!({"uri": "document:///notes", "mimeType": "text/markdown", "text": "# Hi"})
    );
    assert_eq!(content[5]["resource"]["mimeType"], "video/mp4");
    assert_eq!((&content[6]["type"], &content[6]["uri"]), (&json!("resource_link"), &json!("s3://bucket/a.png")));
    assert_eq!((&content[7]["type"], &content[7]["data"]), (&json!("audio"), &json!("BA==")));
    assert!(content[8]["text"].as_str().unwrap().contains("hologram"));
    assert!(matches!(&result.content[4], ContentBlock::Resource(embedded)
        if matches!(&embedded.resource, ResourceContents::TextResourceContents { .. })));
}

#[tokio::test]
async fn invalid_arguments_are_results_and_unknown_tools_are_errors() {
    for age in AGES {
        let client = connected(server(), Client::default(), age).await;
        let invalid = client.call_tool(call("add", json!({"a": "two"}))).await.unwrap();
        assert_eq!(invalid.is_error, Some(true));
        assert!(text(&invalid).contains("`b`: required"), "{}", text(&invalid));
        let unknown = client.call_tool(call("subtract", json!({}))).await.unwrap_err();
        let ServiceError::McpError(error) = unknown else { panic!("{unknown:?}") };
        assert_eq!((error.code, &*error.message), (ErrorCode::INVALID_PARAMS, "unknown tool: subtract"));
    }
}

#[tokio::test]
async fn progress_arrives_in_order() {
    let url = served(server()).await;
    for age in AGES {
        let recorder = Client::default();
        for client in
            [connected(server(), recorder.clone(), age).await, connected_to(&url, recorder.clone(), age, None).await]
        {
            recorder.progress.lock().unwrap().clear();
            let mut request = CallToolRequest::new(call("steps", json!({})));
            let mut meta = RequestMetaObject::new();
            meta.set_progress_token(ProgressToken(NumberOrString::String("mine".into())));
            request.params.meta = Some(meta);
            let options = PeerRequestOptions::no_options();
            let handle = client.send_request_with_option(McpRequest::CallToolRequest(request), options).await.unwrap();
            handle.await_response().await.unwrap();
            let progress = std::sync::Arc::clone(&recorder.progress);
            until("progress", || progress.lock().unwrap().len() == 3).await;
            let expected = [1.0, 2.0, 3.0].map(|step| (step, Some(format!("step {step}"))));
            assert_eq!(*progress.lock().unwrap(), expected, "{age:?}");
        }
    }
}

#[tokio::test]
async fn progress_is_sent_before_the_result_and_only_if_requested() {
    let url = served(server()).await;
    for (token, expected) in [(Some("mine"), 3), (None, 0)] {
        let (headers, mut request) = stateless(1, "tools/call", json!({"name": "steps", "arguments": {}}));
        if let Some(token) = token {
            request["params"]["_meta"]["progressToken"] = json!(token);
        }
        let response = post(&url, &headers, &request).await;
        let before = response.body.split("\"id\":1").next().unwrap();
        assert_eq!(before.matches("notifications/progress").count(), expected, "{}", response.body);
    }
}

#[tokio::test]
async fn calls_beyond_the_limit_are_rejected() {
    let client = connected(server().max_concurrent_calls(1), Client::default(), AGES[0]).await;
    let waiting = client.call_tool(call("wait", json!({})));
    let other = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        client.call_tool(call("add", json!({"a": 1, "b": 1}))).await.unwrap_err().to_string()
    };
    tokio::select! {
        _ = waiting => panic!("the tool does not end"),
        error = other => assert!(error.contains("the server is busy"), "{error}"),
    }
}

#[tokio::test]
async fn internal_errors_have_no_details() {
    /// Needs a value.
    #[tool]
    fn secret_user(_value: &std::sync::Arc<Value>) -> &'static str {
        "done"
    }
    let client = connected(McpServer::new(tools![SecretUser]).unwrap(), Client::default(), AGES[0]).await;
    let error = client.call_tool(call("secret_user", json!({}))).await.unwrap_err().to_string();
    assert!(error.contains("its log has the reason") && !error.contains("Value"), "{error}");
}

#[tokio::test]
async fn a_runner_brings_its_settings() {
    let runner = ToolRunner::new(tools![Wait]).unwrap().tool_timeout(std::time::Duration::from_millis(20));
    let client = connected(McpServer::from_runner(runner), Client::default(), AGES[1]).await;
    let result = client.call_tool(call("wait", json!({}))).await.unwrap();
    assert!(text(&result).contains("did not finish within"), "{}", text(&result));
}
