//! Every prompt, resource and template of `@modelcontextprotocol/server-everything`.

use strands::mcp::{McpClient, ResourceData};

/// Returns the number of prompts, resources and templates.
pub(crate) async fn check(client: &McpClient) -> (usize, usize, usize) {
    let prompts = client.list_prompts().await.unwrap();
    for prompt in &prompts {
        let required = prompt.arguments.iter().filter(|argument| argument.required);
        let arguments: Vec<_> = required.map(|argument| (argument.name.as_str(), value_of(&argument.name))).collect();
        let messages = client.get_prompt(&prompt.name, &arguments).await.unwrap().messages;
        assert!(messages.iter().all(|message| !message.content.is_empty()), "{}: {messages:?}", prompt.name);
        println!("prompt {}: {} messages", prompt.name, messages.len());
    }

    let resources = client.list_resources().await.unwrap();
    for resource in &resources {
        let parts = client.read_resource(&resource.uri).await.unwrap();
        let size = match &parts[0].data {
            ResourceData::Text(text) => text.len(),
            ResourceData::Bytes(bytes) => bytes.len(),
            other => panic!("{other:?}"),
        };
        println!("resource {}: {size} bytes", resource.uri);
    }

    let templates = client.list_resource_templates().await.unwrap();
    for template in &templates {
        let uri = template.uri_template.replace("{resourceId}", "1").replace("{index}", "1");
        let parts = client.read_resource(&uri).await.unwrap();
        let is_blob = uri.contains("blob");
        assert_eq!(is_blob, matches!(parts[0].data, ResourceData::Bytes(_)), "{parts:?}");
        let content = parts.into_iter().flat_map(|part| part.into_content()).count();
        println!("template {uri}: {content} content blocks");
    }
    (prompts.len(), resources.len(), templates.len())
}

/// Returns a value that the server accepts.
fn value_of(argument: &str) -> &'static str {
    match argument {
        "resourceType" => "Text",
        "resourceId" => "1",
        _ => "Oslo",
    }
}
