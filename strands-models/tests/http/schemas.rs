//! Schemas of tools and structured output, as sent to every provider.

use serde_json::{Value, json};
use strands_testkit::case::{Case, cases};

use crate::case::start;

/// Collects the argument schema of each tool in a request's body, in the format of any protocol.
fn sent_schemas(body: &Value, schemas: &mut Vec<(String, Value)>) {
    match body {
        Value::Array(items) => items.iter().for_each(|item| sent_schemas(item, schemas)),
        Value::Object(fields) => {
            let schema =
                ["parameters", "input_schema", "parametersJsonSchema"].iter().find_map(|name| fields.get(*name));
            match (fields.get("name").and_then(Value::as_str), schema) {
                (Some(name), Some(schema)) => schemas.push((name.to_owned(), schema.clone())),
                _ => fields.values().for_each(|value| sent_schemas(value, schemas)),
            }
        }
        _ => {}
    }
}

fn is_compiled_in(case: &Case) -> bool {
    let compiled_in = [
        ("anthropic", cfg!(feature = "anthropic")),
        ("gemini", cfg!(feature = "gemini")),
        ("llamacpp", cfg!(feature = "llamacpp")),
        ("mistral", cfg!(feature = "mistral")),
        ("ollama", cfg!(feature = "ollama")),
        ("openai", cfg!(feature = "openai")),
        ("responses", cfg!(feature = "openai")),
    ];
    compiled_in.contains(&(case.provider.as_str(), true))
}

/// Returns cases with unions at the root, for providers that respond in Chat Completions.
fn own_cases() -> Vec<Case> {
    let mode = |mode: &str, more: &str| {
        json!({"type": "object", "properties": {"mode": {"const": mode}, "path": {"type": "string"}, more: {"type": "boolean"}},
            "required": ["mode", "path", more]})
    };
    let update = json!({"type": "object", "properties": {"id": {"type": "string"}, "title": {"type": "string"}},
        "required": ["id"], "anyOf": [{"required": ["title"]}, {"required": ["id"]}]});
    let anything = json!({"type": "object", "required": ["value"], "properties": {
        "value": true, "items": {"type": "array"},
        "pair": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2, "maxItems": 2}}});
    let edit = json!({"oneOf": [mode("preview", "quiet"), mode("apply", "confirm")]});
    let tools = json!([
        {"name": "update", "schema": update}, {"name": "edit", "schema": edit}, {"name": "anything", "schema": anything},
        {"name": "noargs", "schema": {}},
    ]);
    let reply = json!({"json": {"choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}]}});
    let case = |provider: &str| {
        let case = json!({"provider": provider, "tools": tools, "prompts": ["w"], "options": {"streaming": false}, "replies": [reply]});
        Case::parse(provider, &case.to_string())
    };
    ["openai", "mistral", "llamacpp"].map(case).into()
}

#[tokio::test]
async fn sends_root_unions_as_one_object() {
    let files = ["anthropic", "bedrock", "gemini", "mistral", "ollama", "openai", "responses"]
        .map(|name| format!("{name}.json"));
    let shared = cases("root-union-schema", &files.each_ref().map(String::as_str)).unwrap_or_default();
    for case in own_cases().into_iter().chain(shared).filter(is_compiled_in) {
        let mut running = start(&case).await;
        let response = running.prompt().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        assert_eq!(response.text(), "Hi.", "{}", case.name);
        let mut schemas = Vec::new();
        sent_schemas(&running.bodies()[0], &mut schemas);
        assert_eq!(schemas.len(), 4, "{}", case.name);
        for (tool, schema) in schemas {
            let at = format!("{} {tool}: {schema}", case.name);
            assert_eq!(schema["type"], "object", "{at}");
            for union in ["oneOf", "anyOf", "allOf", "$ref"] {
                assert!(schema.get(union).is_none(), "{at}");
            }
            let properties = &schema["properties"];
            match tool.as_str() {
                "update" => assert_eq!(schema["required"], json!(["id"]), "{at}"),
                "edit" => {
                    assert_eq!(properties["mode"]["enum"], json!(["preview", "apply"]), "{at}");
                    assert_eq!(properties["confirm"]["type"], "boolean", "{at}");
                    assert_eq!(schema["required"], json!(["mode", "path"]), "{at}");
                    assert!(
                        schema["description"].as_str().unwrap().contains("- mode: \"apply\", path, confirm"),
                        "{at}"
                    );
                }
                "anything" if matches!(case.provider.as_str(), "openai" | "mistral" | "responses") => {
                    assert_eq!(properties["value"], json!({}), "{at}");
                    assert!(properties["items"]["items"].is_object(), "{at}");
                    let pair = json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2});
                    assert_eq!(properties["pair"], pair, "{at}");
                }
                _ => {}
            }
        }
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn validates_arguments_against_the_original_schema() {
    let form = |mode: &str, more: &str| json!({"type": "object", "properties": {"mode": {"const": mode}, more: {"type": "boolean"}}, "required": ["mode", more]});
    let schema = json!({"oneOf": [form("preview", "quiet"), form("apply", "confirm")]});
    let call = |arguments: Value| {
        let function = json!({"name": "edit", "arguments": arguments.to_string()});
        let call = json!({"id": "c1", "type": "function", "function": function});
        json!({"json": {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}})
    };
    let done = json!({"json": {"choices": [{"message": {"content": "Done."}, "finish_reason": "stop"}]}});
    let case = json!({"provider": "openai", "options": {"streaming": false}, "prompts": ["w"],
        "tools": [{"name": "edit", "schema": schema}],
        "replies": [call(json!({"mode": "apply", "quiet": true})), call(json!({"mode": "apply", "confirm": true, "quiet": null})), done]});
    let mut running = start(&Case::parse("edit", &case.to_string())).await;
    assert_eq!(running.prompt().await.unwrap().text(), "Done.");
    assert_eq!(running.called(), [("edit".to_owned(), json!({"mode": "apply", "confirm": true}))]);
}

#[cfg(feature = "anthropic")]
#[tokio::test]
async fn replaces_and_restores_invalid_property_names() {
    let schema = json!({"type": "object", "required": ["Account Number"],
        "properties": {"Account Number": {"type": "string"}, "$top": {"type": "integer"}}});
    let call = json!({"type": "tool_use", "id": "t1", "name": "find", "input": {"Account_Number": "7", "_top": 3}});
    let case = json!({"provider": "anthropic", "options": {"streaming": false}, "prompts": ["w"],
    "tools": [{"name": "find", "schema": schema}],
    "replies": [
        {"json": {"content": [call], "stop_reason": "tool_use"}},
        {"json": {"content": [{"type": "text", "text": "Done."}], "stop_reason": "end_turn"}},
    ]});
    let mut running = start(&Case::parse("names", &case.to_string())).await;
    assert_eq!(running.prompt().await.unwrap().text(), "Done.");
    assert_eq!(running.called(), [("find".to_owned(), json!({"Account Number": "7", "$top": 3}))]);
    let mut schemas = Vec::new();
    sent_schemas(&running.bodies()[0], &mut schemas);
    let properties = schemas[0].1["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["Account_Number", "_top"]);
    assert_eq!(schemas[0].1["required"], json!(["Account_Number"]));
}

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
struct Weather {
    city: String,
    degrees: f64,
}

#[tokio::test]
async fn reads_structured_output_in_a_code_fence() {
    let fence = "```json\n{\"city\": \"Oslo\", \"degrees\": 3.5}\n```";
    let own = |provider: &str, reply: Value| {
        let options = json!({"streaming": false});
        let case = json!({"provider": provider, "typed": true, "prompts": ["w"], "options": options, "replies": [{"json": reply}]});
        Case::parse(provider, &case.to_string())
    };
    let chat = json!({"choices": [{"message": {"content": fence}, "finish_reason": "stop"}]});
    let mut all = vec![
        own("mistral", chat.clone()),
        own("llamacpp", chat),
        own("gemini", json!({"candidates": [{"content": {"parts": [{"text": fence}]}, "finishReason": "STOP"}]})),
        own("anthropic", json!({"content": [{"type": "text", "text": fence}], "stop_reason": "end_turn"})),
        own("ollama", json!({"message": {"content": fence}, "done": true})),
    ];
    all.extend(cases("typed-answer-in-a-fence", &["gemini.json", "ollama.json", "openai.json"]).unwrap_or_default());
    for case in all.into_iter().filter(is_compiled_in) {
        assert!(case.typed, "{}", case.name);
        let mut running = start(&case).await;
        let prompt = running.next_prompt();
        let given = running.agent.prompt(prompt).output::<Weather>().await;
        let weather = given.unwrap_or_else(|error| panic!("{}: {error:?}", case.name)).output;
        assert_eq!(weather, Some(Weather { city: "Oslo".to_owned(), degrees: 3.5 }), "{}", case.name);
        assert_eq!(running.bodies().len(), 1, "{}: one request was enough", case.name);
    }
}

/// An optional property is sent as a required one that may be null.
#[cfg(feature = "openai")]
#[tokio::test]
async fn uses_strict_structured_output_with_openai() {
    #[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
    struct Trip {
        to: String,
        #[serde(default)]
        nights: u8,
        legs: Vec<Weather>,
    }
    let text = json!({"to": "Oslo", "nights": null, "legs": []}).to_string();
    let chat = json!({"json": {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}});
    let output = json!({"json": {"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}]}});
    for (provider, reply, at) in
        [("openai", chat, "/response_format/json_schema"), ("responses", output, "/text/format")]
    {
        let options = json!({"streaming": false, "structured_output": true});
        let case =
            json!({"provider": provider, "typed": true, "prompts": ["w"], "options": options, "replies": [reply]});
        let mut running = start(&Case::parse(provider, &case.to_string())).await;
        let prompt = running.next_prompt();
        let trip = running.agent.prompt(prompt).output::<Trip>().await.unwrap().output;
        assert_eq!(trip, Some(Trip { to: "Oslo".to_owned(), nights: 0, legs: Vec::new() }), "{provider}");
        let body = &running.bodies()[0];
        let format = body.pointer(at).unwrap();
        assert_eq!(format["strict"], true, "{provider}");
        assert_eq!(format["schema"]["required"], json!(["to", "nights", "legs"]), "{provider}");
        assert_eq!(format["schema"]["properties"]["nights"]["type"], json!(["integer", "null"]), "{provider}");
        assert_eq!(format["schema"]["$defs"]["Weather"]["additionalProperties"], false, "{provider}");
    }
}
