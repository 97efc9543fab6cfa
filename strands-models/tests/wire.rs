//! What goes over the wire for a neutral conversation, against what the reference client sends. `STRANDS_SHARED` names the
//! folder with its captures; without it only the list of differences is checked.
#![cfg(feature = "openai")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "what fails here fails the test"
)]

mod loopback;

use std::path::Path;
use std::sync::Arc;

use loopback::{Api, chat, fine, responses, turn};
use serde_json::{Value, json};
use strands_core::message::{Message, SystemBlock};
use strands_core::model::{Model, ModelRequest, ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;
use strands_testkit::recording::{json_files, shared_path};
use strands_testkit::{Request, Response, Server};

/// Where a body differs on purpose, what makes the reference's like ours, and the captures that show it. The same table,
/// with the reasons, stands in `docs/src/models/openai.md`.
const DIFFERENCES: &[(&str, Change, &[&str])] = &[
    ("empty-tools", empty_tools, &["openai"]),
    ("compact-json", compact_json, &["openai", "openai_responses"]),
    ("image-format", image_format, &["openai"]),
    ("file-names", file_names, &["openai"]),
    ("file-types", file_types, &["openai", "openai_responses"]),
    ("media-elsewhere", media_elsewhere, &["openai", "openai_responses"]),
    ("guard-content", unchanged, &[]),
    ("citations", unchanged, &[]),
    ("other-media", unchanged, &[]),
    ("failed-tools", unchanged, &[]),
    ("documents-in-results", unchanged, &[]),
    ("encrypted-reasoning", unchanged, &[]),
    ("reasoning-replay", unchanged, &[]),
    ("order-of-blocks", unchanged, &[]),
    ("responses-in-one-piece", in_one_piece, &["openai_responses"]),
    ("bad-arguments", unchanged, &[]),
    ("strict-tools", unchanged, &[]),
    ("schema-properties", unchanged, &[]),
];

/// Changes the reference's body of a case. True where it did.
type Change = fn(&str, &mut Value) -> bool;

fn unchanged(_: &str, _: &mut Value) -> bool {
    false
}

fn empty_tools(_: &str, body: &mut Value) -> bool {
    let empty = body["tools"].as_array().is_some_and(Vec::is_empty);
    if empty {
        body.as_object_mut().unwrap().shift_remove("tools");
    }
    empty
}

/// Every text in a body that is JSON, or whose last line is, written without spaces.
fn compact_json(_: &str, body: &mut Value) -> bool {
    let mut changed = false;
    each(body, &mut |value| {
        if let Value::String(text) = value {
            let lines = text.split('\n').map(|line| match serde_json::from_str::<Value>(line) {
                Ok(json @ (Value::Object(_) | Value::Array(_))) => json.to_string(),
                _ => line.to_owned(),
            });
            let compact = lines.collect::<Vec<_>>().join("\n");
            changed |= compact != *text;
            *text = compact;
        }
    });
    changed
}

fn image_format(_: &str, body: &mut Value) -> bool {
    let mut changed = false;
    each(body, &mut |value| {
        if let Some(image) = value.get_mut("image_url").and_then(Value::as_object_mut) {
            changed |= image.shift_remove("format").is_some();
        }
    });
    changed
}

fn file_names(_: &str, body: &mut Value) -> bool {
    let mut changed = false;
    each(body, &mut |value| {
        let name = value.get("filename").and_then(Value::as_str).unwrap_or_default();
        let end = match name {
            "report" => "pdf",
            "notes" => "md",
            "table" => "csv",
            _ => return,
        };
        value["filename"] = json!(format!("{name}.{end}"));
        changed = true;
    });
    changed
}

fn file_types(_: &str, body: &mut Value) -> bool {
    let mut changed = false;
    each(body, &mut |value| {
        if let Some(data) = value.get("file_data").and_then(Value::as_str)
            && let Some(data) = data.strip_prefix("data:application/octet-stream;")
        {
            value["file_data"] = json!(format!("data:text/markdown;{data}"));
            changed = true;
        }
    });
    changed
}

fn media_elsewhere(case: &str, body: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    let (list, kind) = if body.get("input").is_some() { ("input", "input_text") } else { ("messages", "text") };
    let content = body[list][0]["content"].as_array_mut().unwrap();
    for medium in ["image", "document"] {
        content.push(
            json!({"type": kind, "text": format!("[{} that can't be shown to this model: it is stored elsewhere.]",
            if medium == "image" { "An image" } else { "A document" })}),
        );
    }
    true
}

fn in_one_piece(case: &str, body: &mut Value) -> bool {
    let differs = case == "30_non_streaming" && body["stream"] == true;
    if differs {
        body["stream"] = json!(false);
    }
    differs
}

/// Calls the function with each value inside this one, and with this one.
fn each(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each(field, change)),
        _ => {}
    }
    change(value);
}

#[test]
fn the_book_lists_the_same_differences() {
    let page = include_str!("../../docs/src/models/openai.md");
    let table = page.split("| difference |").nth(1).unwrap_or_default();
    let in_book: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let here: Vec<_> = DIFFERENCES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(in_book, here);
}

#[tokio::test]
async fn chat_completions_is_sent_what_the_reference_sends() {
    compare(Api::Chat, "openai", 24).await;
}

#[tokio::test]
async fn responses_is_sent_what_the_reference_sends() {
    compare(Api::Responses, "openai_responses", 25).await;
}

async fn compare(api: Api, provider: &str, at_least: usize) {
    let Some(folder) = shared_path("wire") else {
        return;
    };
    let read = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let (mut wrong, mut compared, mut shown) = (Vec::new(), 0, Vec::new());
    for file in json_files(&folder.join(provider)) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let (capture, case) = (read(&file), read(&folder.join("cases").join(file.file_name().unwrap())));
        let theirs = capture["requests"].as_array().unwrap();
        if theirs.is_empty() {
            // The reference refuses what we send.
            assert!(capture["python_raises"].is_object(), "{name}");
            let sent = send(api, &capture, &case, &Value::Null).await;
            assert!(!sent.body.is_empty(), "{name}");
        }
        for (at, theirs) in theirs.iter().enumerate() {
            let sent = send(api, &capture, &case, &theirs["body"]).await;
            let mut body = theirs["body"].clone();
            for (difference, change, providers) in DIFFERENCES {
                if change(name, &mut body) {
                    assert!(providers.contains(&provider), "{difference} in {provider}/{name}");
                    shown.push(*difference);
                }
            }
            let ours = json!({"method": sent.method, "path": sent.path, "body": sent.json()});
            for (part, theirs) in [("method", &theirs["method"]), ("path", &theirs["path"]), ("body", &body)] {
                if ours[part] != *theirs {
                    wrong.push(format!("{name}, request {at}, {part}:\n  ours   {}\n  theirs {theirs}", ours[part]));
                }
            }
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= at_least, "only {compared}");
    for (difference, _, providers) in DIFFERENCES {
        assert_eq!(shown.contains(difference), providers.contains(&provider), "{difference} in {provider}");
    }
}

/// Sends one request of a case, with the history that it had by then.
async fn send(api: Api, capture: &Value, case: &Value, theirs: &Value) -> Request {
    let whole =
        capture["config"]["stream"] == false || (api == Api::Responses && capture["case"] == "30_non_streaming");
    let reply = match api {
        _ if !whole => fine(api),
        Api::Chat => {
            Response::json(200, &json!({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}))
        }
        Api::Responses => Response::json(200, &json!({"status": "completed", "output": []})),
    };
    let server = Server::repeat(reply).await;
    let id = capture["model_id"].as_str().unwrap();
    let params = &capture["config"]["params"];
    macro_rules! configured {
        ($builder:expr) => {{
            let mut builder = $builder.model_id(id).streaming(!whole);
            if let Some(temperature) = params["temperature"].as_f64() {
                builder = builder.temperature(temperature);
            }
            if let Some(top_p) = params["top_p"].as_f64() {
                builder = builder.top_p(top_p);
            }
            builder
        }};
    }
    let tokens = |name: &str| params[name].as_u64().map(|tokens| u32::try_from(tokens).unwrap());
    let model: Arc<dyn Model> = match api {
        Api::Chat => {
            let mut builder = configured!(chat(&server.url()));
            if let Some(tokens) = tokens("max_tokens") {
                builder = builder.max_tokens(tokens);
            }
            if params["stop"].is_array() {
                builder = builder.stop_sequences(parsed::<Vec<String>>(&params["stop"]));
            }
            Arc::new(builder.build().unwrap())
        }
        Api::Responses => {
            let mut builder = configured!(responses(&server.url()));
            if let Some(tokens) = tokens("max_output_tokens") {
                builder = builder.max_output_tokens(tokens);
            }
            Arc::new(builder.build().unwrap())
        }
    };
    let conversation = Conversation::of(case, theirs);
    let mut request =
        ModelRequest::new(&conversation.messages).with_system(&conversation.system).with_tools(&conversation.tools);
    if let Some(choice) = &conversation.choice {
        request = request.with_tool_choice(choice);
    }
    turn(&*model, request).await.unwrap();
    server.requests().remove(0)
}

struct Conversation {
    messages: Vec<Arc<Message>>,
    system: Vec<SystemBlock>,
    tools: ToolSpecs,
    choice: Option<ToolChoice>,
}

impl Conversation {
    fn of(case: &Value, theirs: &Value) -> Self {
        // What an agent's loop adds to the history is not the provider's doing: it is taken from the capture.
        let by_agent = case["kind"].as_str().is_some_and(|kind| kind.starts_with("agent"));
        let (messages, tools, choice): (Vec<Message>, Vec<ToolSpec>, Option<ToolChoice>) = if by_agent {
            (agent_messages(theirs), agent_tools(theirs), agent_choice(theirs))
        } else {
            let tools: Option<Vec<ToolSpec>> = parsed(&case["tool_specs"]);
            (parsed(&case["messages"]), tools.unwrap_or_default(), parsed(&case["tool_choice"]))
        };
        let system: Option<Vec<SystemBlock>> = parsed(&case["system_prompt_content"]);
        let prompt = case["system_prompt"].as_str().filter(|prompt| !prompt.is_empty());
        Self {
            messages: messages.into_iter().map(Arc::new).collect(),
            system: system.or_else(|| Some(vec![SystemBlock::from(prompt?)])).unwrap_or_default(),
            tools: tools.into_iter().collect(),
            choice,
        }
    }
}

/// The agent's history in our words. A capture of these has text, calls and results, no more.
fn agent_messages(theirs: &Value) -> Vec<Message> {
    let list = theirs.get("messages").or(theirs.get("input")).unwrap().as_array().unwrap();
    let mut messages: Vec<Value> = Vec::new();
    let mut say = |role: &str, block: Value| match messages.last_mut() {
        Some(last) if last["role"] == role => last["content"].as_array_mut().unwrap().push(block),
        _ => messages.push(json!({"role": role, "content": [block]})),
    };
    let call = |id: &Value, function: &Value| {
        let input = serde_json::from_str::<Value>(function["arguments"].as_str().unwrap()).unwrap();
        json!({"toolUse": {"toolUseId": id, "name": function["name"], "input": input}})
    };
    let result = |id: &Value, text: &Value| json!({"toolResult": {"toolUseId": id, "status": "success", "content": [{"text": text}]}});
    for said in list {
        match (said["role"].as_str(), said["type"].as_str()) {
            (Some("system"), _) => {}
            (Some("tool"), _) => say("user", result(&said["tool_call_id"], &said["content"])),
            (_, Some("function_call")) => say("assistant", call(&said["call_id"], said)),
            (_, Some("function_call_output")) => say("user", result(&said["call_id"], &said["output"])),
            (Some(role), _) => {
                match &said["content"] {
                    Value::String(text) => say(role, json!({"text": text})),
                    parts => {
                        for part in parts.as_array().into_iter().flatten() {
                            say(role, json!({"text": part["text"]}));
                        }
                    }
                }
                for each in said["tool_calls"].as_array().into_iter().flatten() {
                    say(role, call(&each["id"], &each["function"]));
                }
            }
            (None, other) => panic!("{other:?}"),
        }
    }
    parsed(&Value::Array(messages))
}

fn agent_tools(theirs: &Value) -> Vec<ToolSpec> {
    let tools = theirs["tools"].as_array().into_iter().flatten();
    let function = |tool: &Value| tool.get("function").unwrap_or(tool).clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tools
        .map(function)
        .map(|tool| ToolSpec::new(text(&tool["name"]), text(&tool["description"]), tool["parameters"].clone()))
        .collect()
}

fn agent_choice(theirs: &Value) -> Option<ToolChoice> {
    match theirs.get("tool_choice")? {
        Value::String(word) if word == "required" => Some(ToolChoice::Any {}),
        Value::String(_) => Some(ToolChoice::Auto {}),
        named => {
            let name = named.pointer("/function/name").or(named.get("name")).unwrap();
            Some(ToolChoice::Tool { name: name.as_str().unwrap().to_owned() })
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}
