//! Prompts, resources, templates and completions of a server of this library.

use strands_core::message::{ContentBlock, ToolResultContent};
use strands_core::serde_json::{Value, json};
use strands_core::testing::ScriptedModel;
use strands_core::{Agent, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, tools};
use strands_mcp::{ClientRequest, ElicitationResponse, McpClient, McpError, McpServer, ResourceData};
use tokio::net::TcpListener;

/// A function of the server.
struct Function(ToolSpec, fn(&ToolContext, Value) -> Result<ToolOutput, ToolError>);

#[async_trait]
impl Tool for Function {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        (self.1)(ctx, input)
    }
}

fn function(name: &str, arguments: &Value, call: fn(&ToolContext, Value) -> Result<ToolOutput, ToolError>) -> Function {
    let schema = json!({"type": "object", "properties": arguments, "required": arguments.as_object().unwrap().keys().collect::<Vec<_>>()});
    Function(ToolSpec::new(name, format!("Returns {name}.\u{202e}"), schema), call)
}

/// Starts a server and returns its URL.
async fn start() -> String {
    let city = json!({"city": {"type": "string", "enum": ["Oslo", "Osaka", "Bergen"]}});
    let trip = function("trip", &city, |_, input| Ok(ToolOutput::text(format!("Plan a trip to {}.", input["city"]))));
    let seat = function("seat", &json!({}), |ctx, _| {
        let result = ctx.interrupt(
            "seat",
            ClientRequest::form("Which seat?", json!({"type": "object", "properties": {"seat": {"type": "string"}}})),
        )?;
        Ok(ToolOutput::text(format!("Book {}.", result["content"]["seat"])))
    });
    let order = function("order", &json!({"id": {"type": "string"}}), |_, input| {
        Ok(ToolOutput::text(format!("order {}: sent", input["id"])))
    });
    let handbook = function("handbook", &json!({}), |_, _| Ok(ToolOutput::text("Be kind.")));
    let server = McpServer::new(tools![]).unwrap().instructions("Ask for the city.");
    let server = server.prompts(tools![trip, seat]).unwrap();
    let server = server.resource("shop://orders/{id}", order).unwrap().resource("docs://handbook", handbook).unwrap();
    serve(server).await
}

/// Serves on loopback, and returns the URL.
pub(crate) async fn serve(server: McpServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, server.into_router()).await });
    format!("http://{address}/mcp")
}

#[tokio::test]
async fn reads_prompts_and_completions() {
    let client = McpClient::http(start().await).build().unwrap();
    let prompts = client.list_prompts().await.unwrap();
    let names: Vec<_> = prompts.iter().map(|prompt| prompt.name.as_str()).collect();
    assert_eq!(names, ["trip", "seat"]);
    assert_eq!(prompts[0].description.as_deref(), Some("Returns trip.\\u{202e}"));
    assert_eq!((prompts[0].arguments[0].name.as_str(), prompts[0].arguments[0].required), ("city", true));

    let completion = client.complete_prompt("trip", "city", "Os", &[]).await.unwrap();
    assert_eq!(completion.values, ["Oslo", "Osaka"]);

    let prompt = client.get_prompt("trip", &[("city", "Oslo")]).await.unwrap();
    let model = ScriptedModel::responding("Take the train.");
    let mut agent = Agent::builder().model(model.clone()).build().await.unwrap();
    agent.prompt(prompt.messages).await.unwrap();
    assert_eq!(model.requests()[0].messages[0].text(), "Plan a trip to \"Oslo\".");
    assert_eq!(client.server_instructions().await.unwrap().as_deref(), Some("Ask for the city."));

    let error = client.get_prompt("nothing", &[]).await.unwrap_err();
    assert!(matches!(error, McpError::Rejected { .. }), "{error:?}");
}

#[tokio::test]
async fn gives_the_input_that_a_prompt_requests() {
    let url = start().await;
    let client = McpClient::http(&url).elicitation(|elicitation| async move {
        assert_eq!(elicitation.message, "Which seat?");
        ElicitationResponse::Accept(json!({"seat": "12A"}))
    });
    let prompt = client.build().unwrap().get_prompt("seat", &[]).await.unwrap();
    assert_eq!(prompt.messages[0].text(), "Book \"12A\".");

    let error = McpClient::http(&url).build().unwrap().get_prompt("seat", &[]).await.unwrap_err();
    assert!(matches!(&error, McpError::InputRequired { reason, .. } if reason.contains("Which seat?")), "{error:?}");
}

#[tokio::test]
async fn reads_resources_and_templates() {
    let client = McpClient::http(start().await).build().unwrap();
    let resources = client.list_resources().await.unwrap();
    assert_eq!(resources.iter().map(|resource| resource.uri.as_str()).collect::<Vec<_>>(), ["docs://handbook"]);
    assert_eq!(resources[0].description.as_deref(), Some("Returns handbook.\\u{202e}"));
    let templates = client.list_resource_templates().await.unwrap();
    let templates: Vec<_> = templates.iter().map(|template| template.uri_template.as_str()).collect();
    assert_eq!(templates, ["shop://orders/{id}"]);

    let parts = client.read_resource("shop://orders/7").await.unwrap();
    assert_eq!(parts[0].data, ResourceData::Text("order \"7\": sent".to_owned()));
    let content = parts.into_iter().next().unwrap().into_content();
    let [ContentBlock::Text(text)] = &content[..] else { panic!("{content:?}") };
    assert!(text.text.starts_with("[Resource `shop://orders/7`"), "{text:?}");

    let error = client.read_resource("docs://nothing").await.unwrap_err();
    assert!(matches!(error, McpError::Rejected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_prompts_and_resources_has_empty_lists() {
    let server = McpServer::new(tools![]).unwrap();
    let client = McpClient::http(serve(server).await).build().unwrap();
    assert_eq!(client.list_prompts().await.unwrap(), []);
    assert_eq!(client.list_resources().await.unwrap(), []);
    assert_eq!(client.list_resource_templates().await.unwrap(), []);
    assert!(client.get_prompt("trip", &[]).await.is_err());
}

#[tokio::test]
async fn the_program_gets_media_of_a_tool_result() {
    let media = Function(ToolSpec::new("media", "Returns media.", json!({"type": "object"})), |_, _| {
        use strands_core::message::{AudioBlock, AudioFormat, ImageBlock, ImageFormat};
        let image = ImageBlock::new(ImageFormat::Png, b"\x89PNG\r\n\x1a\n".to_vec());
        let audio = AudioBlock::new(AudioFormat::Wav, b"RIFF".to_vec());
        Ok(ToolOutput::new([ToolResultContent::from(image), ToolResultContent::from(audio)]))
    });
    let server = McpServer::new(tools![media]).unwrap();
    let client = McpClient::http(serve(server).await).build().unwrap();
    let output = client.call_tool("media", json!({})).await.unwrap();
    let [ToolResultContent::Image(_), ToolResultContent::Audio(audio)] = output.content() else { panic!("{output:?}") };
    assert_eq!(audio.source.bytes().map(|bytes| &bytes[..]), Some(&b"RIFF"[..]));
}
