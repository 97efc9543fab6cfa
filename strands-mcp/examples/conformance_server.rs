//! Server for the conformance suite of MCP: the tools, prompts and resources that its scenarios call by name. Run it with
//! `.ci/mcp/server_conformance`, or as a server on stdio with `conformance_server stdio`.
//!
//! Usage: `conformance_server [port|stdio]`; the default is a free port. The first line on the standard error is the URL.
#![expect(clippy::indexing_slicing, reason = "an absent field of JSON is null")]

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use strands::hook::{BeforeToolCall, Hook, HookResult};
use strands::mcp::{ClientRequest, McpServer, ResourceUpdates, axum};
use strands::message::{AudioBlock, AudioFormat, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat};
use strands::serde_json::{Value, json, to_value};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, JsonSchema, Serialize, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, tool, tools,
};

/// A PNG of one red pixel.
const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00, 0x00, 0x00, 0x0c, 0x49,
    0x44, 0x41, 0x54, 0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x00, 0x03, 0x01, 0x01, 0x00, 0x18, 0xdd, 0x8d, 0xb0,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// A WAV file without samples.
const SILENCE: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0";

/// Returns a text.
#[tool]
fn test_simple_text() -> &'static str {
    "This is a simple text response for testing."
}

/// Returns an image.
#[tool]
fn test_image_content() -> ImageBlock {
    ImageBlock::new(ImageFormat::Png, PIXEL.to_vec())
}

/// Returns audio.
#[tool]
fn test_audio_content() -> AudioBlock {
    AudioBlock::new(AudioFormat::Wav, SILENCE.to_vec())
}

/// Returns an embedded resource.
#[tool]
fn test_embedded_resource() -> DocumentBlock {
    DocumentBlock::new("embedded", DocumentFormat::Txt, b"This is an embedded resource content.".to_vec())
}

/// Returns a text, an image and a resource.
#[tool]
fn test_multiple_content_types() -> (String, ImageBlock, DocumentBlock) {
    let text = DocumentBlock::new("mixed", DocumentFormat::Txt, b"test data".to_vec());
    ("Multiple content types test:".to_owned(), ImageBlock::new(ImageFormat::Png, PIXEL.to_vec()), text)
}

/// Fails.
#[tool]
fn test_error_handling() -> Result<String, ToolError> {
    Err(ToolError::new("This tool intentionally returns an error for testing"))
}

/// Reports progress.
#[tool]
async fn test_tool_with_progress(ctx: &ToolContext) -> Result<&'static str, ToolError> {
    for progress in [0, 50, 100] {
        ctx.progress(json!({"progress": progress, "total": 100, "message": format!("{progress} of 100")})).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok("done")
}

/// Sends log messages.
#[tool]
async fn test_tool_with_logging(ctx: &ToolContext) -> Result<&'static str, ToolError> {
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        ctx.progress(json!({"level": "info", "data": text})).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok("done")
}

/// Asks the client's model.
#[tool]
fn test_sampling(prompt: String, ctx: &ToolContext) -> Result<String, ToolError> {
    let result = ctx.interrupt("sampling", sampling(&prompt))?;
    Ok(format!("LLM response: {}", result["content"]["text"].as_str().unwrap_or_default()))
}

fn sampling(prompt: &str) -> ClientRequest {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    ClientRequest::sampling(json!({"messages": [message], "maxTokens": 100}))
}

/// Asks the user.
#[tool]
fn test_elicitation(message: String, ctx: &ToolContext) -> Result<String, ToolError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    });
    let result = ctx.interrupt("user", ClientRequest::form(message, schema))?;
    Ok(format!("User response: action={}, content={}", result["action"], result["content"]))
}

/// Asks the user, with defaults.
#[tool]
fn test_elicitation_sep1034_defaults(ctx: &ToolContext) -> Result<String, ToolError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        },
    });
    let result = ctx.interrupt("user", ClientRequest::form("Please check the defaults", schema))?;
    Ok(format!("Elicitation completed: action={}, content={}", result["action"], result["content"]))
}

/// Asks the user to choose.
#[tool]
fn test_elicitation_sep1330_enums(ctx: &ToolContext) -> Result<String, ToolError> {
    let titled = |first: &str| {
        json!([
            {"const": "value1", "title": format!("First {first}")},
            {"const": "value2", "title": format!("Second {first}")},
            {"const": "value3", "title": format!("Third {first}")},
        ])
    };
    let options = json!(["option1", "option2", "option3"]);
    let schema = json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled("Option")},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
        },
    });
    let result = ctx.interrupt("user", ClientRequest::form("Please choose", schema))?;
    Ok(format!("Elicitation completed: action={}, content={}", result["action"], result["content"]))
}

fn name_form() -> ClientRequest {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    ClientRequest::form("What is your name?", schema)
}

/// Asks for the user's name.
#[tool]
fn test_input_required_result_elicitation(ctx: &ToolContext) -> Result<String, ToolError> {
    let result = ctx.interrupt("user_name", name_form())?;
    Ok(format!("Hello, {}!", result["content"]["name"].as_str().unwrap_or("stranger")))
}

/// Asks the client's model for a capital.
#[tool]
fn test_input_required_result_sampling(ctx: &ToolContext) -> Result<String, ToolError> {
    let result = ctx.interrupt("capital_question", sampling("What is the capital of France?"))?;
    Ok(result["content"]["text"].as_str().unwrap_or_default().to_owned())
}

/// Asks for the client's roots.
#[tool]
fn test_input_required_result_list_roots(ctx: &ToolContext) -> Result<String, ToolError> {
    Ok(format!("roots: {}", ctx.interrupt("client_roots", ClientRequest::roots())?["roots"]))
}

fn confirmation() -> ClientRequest {
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    ClientRequest::form("Please confirm", schema)
}

/// Asks for a confirmation.
#[tool]
fn test_input_required_result_request_state(ctx: &ToolContext) -> Result<String, ToolError> {
    ctx.interrupt("confirm", confirmation())?;
    Ok("state-ok".to_owned())
}

/// Asks for a confirmation.
#[tool]
fn test_input_required_result_tampered_state(ctx: &ToolContext) -> Result<String, ToolError> {
    ctx.interrupt("confirm", confirmation())?;
    Ok("state-ok".to_owned())
}

/// Asks for several things at once.
#[tool]
fn test_input_required_result_multiple_inputs() -> &'static str {
    "all inputs arrived"
}

/// Asks for what the client can do.
#[tool]
fn test_input_required_result_capabilities() -> &'static str {
    "all inputs arrived"
}

/// Asks twice.
#[tool]
fn test_input_required_result_multi_round(ctx: &ToolContext) -> Result<String, ToolError> {
    let name = ctx.interrupt("step1", name_form())?;
    let schema = json!({"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]});
    let color = ctx.interrupt("step2", ClientRequest::form("What is your favorite color?", schema))?;
    Ok(format!("{} likes {}", name["content"]["name"], color["content"]["color"]))
}

/// Needs sampling.
#[tool]
fn test_missing_capability(ctx: &ToolContext) -> Result<String, ToolError> {
    ctx.interrupt("sampling", sampling("hello"))?;
    Ok("done".to_owned())
}

/// Asks for several inputs before a tool runs.
struct SeveralInputs;

#[async_trait]
impl Hook for SeveralInputs {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let json = |request: ClientRequest| to_value(request).unwrap_or_default();
        if event.tool_use.name == "test_input_required_result_multiple_inputs" {
            event.interrupt("user_name", json(name_form()));
            event.interrupt("greeting", json(sampling("Generate a greeting")));
            event.interrupt("client_roots", json(ClientRequest::roots()));
        }
        if event.tool_use.name == "test_input_required_result_capabilities" {
            event.interrupt("user_name", json(name_form()));
            event.interrupt("greeting", json(sampling("Generate a greeting")));
        }
        Ok(())
    }
}

/// A tool with a schema beyond what Rust types give.
struct SchemaTool(ToolSpec);

impl SchemaTool {
    fn new() -> Self {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
                },
            },
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false,
        });
        Self(ToolSpec::new("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", schema))
    }
}

#[async_trait]
impl Tool for SchemaTool {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(format!("JSON Schema 2020-12 tool called with: {input}")))
    }
}

/// A tool with an argument that clients repeat in a header.
struct HeaderTool(ToolSpec);

impl HeaderTool {
    fn new() -> Self {
        let schema = json!({
            "type": "object",
            "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
            "required": ["region"],
        });
        Self(ToolSpec::new("list_servers", "Lists the servers of a region.", schema))
    }
}

#[async_trait]
impl Tool for HeaderTool {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(format!("no servers in {}", input["region"])))
    }
}

/// Weather of a city.
#[derive(Serialize, JsonSchema)]
#[serde(crate = "strands::serde")]
#[schemars(crate = "strands::schemars")]
struct Weather {
    city: String,
    celsius: f64,
}

/// Returns structured content.
#[tool(output, read_only)]
fn get_weather(city: String) -> Weather {
    Weather { city, celsius: 21.5 }
}

/// Adds two numbers.
#[tool(output, read_only, idempotent)]
fn add_numbers(a: i64, b: i64) -> i64 {
    a + b
}

/// Number of calls of `wait_forever` that were dropped.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Waits until it is cancelled.
#[tool]
async fn wait_forever(ctx: &ToolContext) -> Result<String, ToolError> {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let _guard = Guard;
    ctx.progress("waiting").await?;
    std::future::pending::<()>().await;
    Ok(String::new())
}

/// Number of cancelled waits.
#[tool(output)]
fn count_dropped() -> usize {
    DROPPED.load(Ordering::SeqCst)
}

/// Deletes a file, after an approval.
#[tool(approval, destructive)]
fn delete_file(path: String) -> String {
    format!("deleted {path}")
}

/// Asks the user while progress is reported.
#[tool]
async fn test_streaming_elicitation(ctx: &ToolContext) -> Result<String, ToolError> {
    ctx.progress("asking").await?;
    ctx.interrupt("user_name", name_form())?;
    Ok("done".to_owned())
}

/// Sends a log message.
#[tool]
async fn test_logging_tool(ctx: &ToolContext) -> Result<&'static str, ToolError> {
    ctx.progress(json!({"level": "info", "data": "working"})).await?;
    Ok("done")
}

/// A prompt without arguments.
#[tool]
fn test_simple_prompt() -> &'static str {
    "This is a simple prompt for testing."
}

/// A prompt with arguments.
#[tool]
fn test_prompt_with_arguments(
    /// First test argument.
    arg1: String,
    /// Second test argument.
    arg2: String,
) -> String {
    format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
}

/// A prompt with a resource.
#[tool]
fn test_prompt_with_embedded_resource(
    /// URI of the resource to embed.
    #[arg(rename = "resourceUri")]
    resource_uri: String,
) -> (DocumentBlock, String) {
    let document =
        DocumentBlock::new(resource_uri, DocumentFormat::Txt, b"Embedded resource content for testing.".to_vec());
    (document, "Please process the embedded resource above.".to_owned())
}

/// A prompt with an image.
#[tool]
fn test_prompt_with_image() -> (ImageBlock, String) {
    (ImageBlock::new(ImageFormat::Png, PIXEL.to_vec()), "Please analyze the image above.".to_owned())
}

/// A prompt that asks the user.
#[tool]
fn test_input_required_result_prompt(ctx: &ToolContext) -> Result<String, ToolError> {
    let schema = json!({"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]});
    let result = ctx.interrupt("user_context", ClientRequest::form("What context should the prompt use?", schema))?;
    Ok(format!("Use this context: {}", result["content"]["context"]))
}

/// A text.
#[tool]
fn static_text() -> &'static str {
    "This is the content of the static text resource."
}

/// A PNG.
#[tool]
fn static_binary() -> ImageBlock {
    ImageBlock::new(ImageFormat::Png, PIXEL.to_vec())
}

/// Data of an id.
#[tool]
fn template_data(id: String) -> Value {
    json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")})
}

/// A resource that changes.
#[tool]
fn watched_resource() -> &'static str {
    "watched"
}

fn server() -> Result<McpServer, Box<dyn Error>> {
    let mut tools = tools![
        TestSimpleText,
        TestImageContent,
        TestAudioContent,
        TestEmbeddedResource,
        TestMultipleContentTypes,
        TestErrorHandling,
        TestToolWithProgress,
        TestToolWithLogging,
        TestSampling,
        TestElicitation,
        TestElicitationSep1034Defaults,
        TestElicitationSep1330Enums,
        SchemaTool::new(),
        GetWeather,
        AddNumbers,
        WaitForever,
        CountDropped,
        DeleteFile,
        TestStreamingElicitation,
        TestLoggingTool,
        HeaderTool::new(),
        Agent::builder()
            .name("ask_agent")
            .description("Asks an agent.")
            .model(ScriptedModel::from_fn(|_| ScriptedTurn::text("The agent says hello."))),
    ];
    tools.extend(tools![
        TestInputRequiredResultElicitation,
        TestInputRequiredResultSampling,
        TestInputRequiredResultListRoots,
        TestInputRequiredResultRequestState,
        TestInputRequiredResultTamperedState,
        TestInputRequiredResultMultipleInputs,
        TestInputRequiredResultMultiRound,
        TestInputRequiredResultCapabilities,
        TestMissingCapability,
    ]);
    let server = McpServer::new(tools)?
        .hook(SeveralInputs)
        .name("strands-conformance")
        .prompts(tools![
            TestSimplePrompt,
            TestPromptWithArguments,
            TestPromptWithEmbeddedResource,
            TestPromptWithImage,
            TestInputRequiredResultPrompt,
        ])?
        .resource("test://static-text", StaticText)?
        .resource("test://static-binary", StaticBinary)?
        .resource("test://watched-resource", WatchedResource)?
        .resource("test://template/{id}/data", TemplateData)?
        .resource_updates(ResourceUpdates::new());
    Ok(server)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("stdio") {
        server()?.stdio().await?;
        return Ok(());
    }
    let port = argument.map_or(Ok(0), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    #[expect(clippy::print_stderr, reason = "scripts read it")]
    {
        eprintln!("http://{}/mcp", listener.local_addr()?);
    }
    axum::serve(listener, server()?.into_router()).await?;
    Ok(())
}
