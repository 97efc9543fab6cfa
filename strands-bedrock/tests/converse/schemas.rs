//! Schemas of tools in requests to Bedrock.

use crate::loopback::{ask, builder, turn};
use serde_json::{Value, json};
use strands_core::models::{ModelRequest, ToolSpecs};
use strands_core::tool::ToolSpec;
use strands_testkit::Server;
use strands_testkit::case::{Case, cases};
use strands_testkit::converse::ConverseStream;

/// Returns the tools of a request, by name.
async fn sent(specs: impl IntoIterator<Item = ToolSpec>, strict: bool) -> Value {
    let server = Server::repeat(ConverseStream::text_turn("Hi.").response()).await;
    let model = builder(&server.url()).strict_tools(strict).build().await.unwrap();
    let (messages, tools) = (ask("w"), specs.into_iter().collect::<ToolSpecs>());
    turn(&model, ModelRequest::new(&messages).with_tools(&tools)).await.unwrap();
    let body = server.requests()[0].json();
    let tools = body["toolConfig"]["tools"].as_array().unwrap().iter();
    tools.map(|tool| (tool["toolSpec"]["name"].as_str().unwrap().to_owned(), tool["toolSpec"].clone())).collect()
}

#[tokio::test]
async fn sends_a_root_union_of_arguments_as_one_object() {
    let mode = |mode: &str, more: &str| {
        json!({"type": "object", "properties": {"mode": {"const": mode}, "path": {"type": "string"}, more: {"type": "boolean"}},
            "required": ["mode", "path", more]})
    };
    let edit = json!({"oneOf": [mode("preview", "quiet"), mode("apply", "confirm")]});
    let own = json!({"provider": "bedrock", "tools": [{"name": "edit", "schema": edit}]});
    let files = ["anthropic", "bedrock", "gemini", "mistral", "ollama", "openai", "responses"]
        .map(|name| format!("{name}.json"));
    let shared = cases("root-union-schema", &files.each_ref().map(String::as_str)).unwrap_or_default();
    let own = [Case::parse("own", &own.to_string())];
    for case in own.into_iter().chain(shared).filter(|case| case.provider == "bedrock") {
        let specs = case.tools.iter().map(|tool| ToolSpec::new(tool.name.as_str(), "It.", tool.schema.clone()));
        let tools = sent(specs, false).await;
        for tool in &case.tools {
            let schema = &tools[&tool.name]["inputSchema"]["json"];
            assert_eq!(schema["type"], "object", "{} {}", case.name, tool.name);
            assert!(["oneOf", "anyOf", "allOf"].iter().all(|union| schema.get(union).is_none()), "{schema}");
        }
        let edit = &tools["edit"]["inputSchema"]["json"];
        assert_eq!(edit["required"], json!(["mode", "path"]), "{}", case.name);
        assert_eq!(edit["properties"]["mode"]["enum"], json!(["preview", "apply"]), "{}", case.name);
    }
}

#[tokio::test]
async fn sends_strict_tools_in_the_form_that_bedrock_accepts() {
    let bounded = json!({"type": "object", "properties": {
        "stars": {"type": "integer", "minimum": 1, "maximum": 5},
        "kind": {"oneOf": [{"const": "a"}, {"const": "b"}]},
        "pair": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2, "maxItems": 2},
        "Account Number": {"type": "string"},
    }, "required": ["stars"]});
    let map = json!({"type": "object", "properties": {"headers": {"type": "object", "additionalProperties": {"type": "string"}}}});
    let tools = sent([ToolSpec::new("bounded", "", bounded), ToolSpec::new("map", "", map.clone())], true).await;
    assert_eq!(tools["bounded"]["strict"], true);
    assert_eq!(
        tools["bounded"]["inputSchema"]["json"],
        json!({"type": "object", "properties": {
            "stars": {"type": "integer", "description": "{minimum: 1, maximum: 5}"},
            "kind": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]},
            "pair": {"type": "array", "items": {"type": "number"}, "description": "{minItems: 2, maxItems: 2}"},
            "Account_Number": {"type": "string", "title": "Account Number"},
        }, "required": ["stars"], "additionalProperties": false})
    );
    assert_eq!(tools["map"], json!({"name": "map", "inputSchema": {"json": map}}), "no strict schema allows a map");
}
