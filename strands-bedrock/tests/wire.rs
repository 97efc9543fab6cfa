//! What goes over the wire for a neutral conversation, against what the reference client sends. `STRANDS_SHARED` names the
//! folder with its captures; without it only the list of differences is checked.
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

use loopback::{builder, events};
use serde_json::{Map, Value, json};
use strands_bedrock::{
    BedrockModelBuilder, CacheConfig, CacheSection, CacheStrategy, Guardrail, GuardrailStreamMode, GuardrailTrace,
    ServiceTier, ToolResultStatusPolicy,
};
use strands_core::message::{Message, SystemBlock};
use strands_core::model::{Model, ModelRequest, ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;
use strands_testkit::converse::ConverseStream;
use strands_testkit::recording::{json_files, shared_path};
use strands_testkit::{Request, Response, Server};

/// Where a body differs on purpose, and the captures that show it. The same table, with the reasons, stands in
/// `docs/src/models/bedrock.md`.
const DIFFERENCES: &[(&str, &[&str])] = &[
    ("json-result-not-an-object", &[]),
    ("document-names", &[]),
    ("result-of-nothing", &[]),
    ("guard-content-image", &[]),
    ("guardrail-mode-without-streaming", &[]),
    ("unnamed-blocks", &[]),
    ("empty-descriptions", &[]),
    ("blank-answers", &[]),
    ("empty-after-caching", &[]),
    ("base-model", &[]),
    ("server-tools", &[]),
];

#[test]
fn the_book_lists_the_same_differences() {
    let page = include_str!("../../docs/src/models/bedrock.md");
    let table = page.split("| difference |").nth(1).unwrap_or_default();
    let in_book: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let here: Vec<_> = DIFFERENCES.iter().map(|(name, _)| *name).collect();
    assert_eq!(in_book, here);
}

fn differs_on_purpose(case: &str) -> bool {
    DIFFERENCES.iter().any(|(_, cases)| cases.contains(&case))
}

/// A capture holds the name of the model it was made with, and the options it was made with.
struct Capture {
    name: String,
    model_id: String,
    config: Value,
    case: Value,
    requests: Vec<Value>,
}

fn captures(provider: &str) -> Option<Vec<Capture>> {
    let folder = shared_path("wire")?;
    let read = |path: &Path| -> Value {
        let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let files = json_files(&folder.join(provider));
    assert!(!files.is_empty(), "no captures of {provider}");
    let captures = files.iter().map(|file| {
        let capture = read(file);
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Capture {
            model_id: capture["model_id"].as_str().unwrap().to_owned(),
            config: capture["config"].clone(),
            case: read(&folder.join("cases").join(file.file_name().unwrap())),
            requests: capture["requests"].as_array().unwrap().clone(),
            name,
        }
    });
    Some(captures.collect())
}

#[tokio::test]
async fn claude_is_sent_what_the_reference_sends() {
    compare("bedrock").await;
}

#[tokio::test]
async fn nova_is_sent_what_the_reference_sends() {
    compare("bedrock_nova").await;
}

async fn compare(provider: &str) {
    let Some(captures) = captures(provider) else {
        return;
    };
    let mut wrong = Vec::new();
    for capture in &captures {
        if differs_on_purpose(&capture.name) {
            continue;
        }
        let sent = send(capture).await;
        let name = &capture.name;
        if sent.len() != capture.requests.len() {
            wrong.push(format!("{name}: {} requests", sent.len()));
        }
        for (at, (ours, theirs)) in sent.iter().zip(&capture.requests).enumerate() {
            let ours = json!({"method": ours.method, "path": ours.path.replace("%3A", ":"), "body": ours.json()});
            for part in ["method", "path", "body"] {
                if ours[part] != theirs[part] {
                    wrong.push(format!(
                        "{provider}/{name}, request {at}, {part}:\n  ours   {}\n  theirs {}",
                        ours[part], theirs[part]
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sends every request of a case. Where an agent made several, each is sent with the history it had by then.
async fn send(capture: &Capture) -> Vec<Request> {
    let streaming = capture.config.get("streaming") != Some(&Value::Bool(false));
    let reply = if streaming {
        ConverseStream::text_turn("ok").response()
    } else {
        Response::json(
            200,
            &json!({"output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}}, "stopReason": "end_turn"}),
        )
    };
    let server = Server::repeat(reply).await;
    let model = configured(builder(&server.url()).model_id(&capture.model_id), &capture.config).build().await.unwrap();
    for theirs in &capture.requests {
        let conversation = Conversation::of(capture, &theirs["body"]);
        let mut request =
            ModelRequest::new(&conversation.messages).with_system(&conversation.system).with_tools(&conversation.tools);
        if let Some(choice) = &conversation.choice {
            request = request.with_tool_choice(choice);
        }
        let (_, error) = events(&model, request).await;
        assert!(error.is_none(), "{}: {error:?}", capture.name);
        assert_eq!(model.model_id(), capture.model_id);
    }
    server.requests()
}

struct Conversation {
    messages: Vec<Arc<Message>>,
    system: Vec<SystemBlock>,
    tools: ToolSpecs,
    choice: Option<ToolChoice>,
}

impl Conversation {
    fn of(capture: &Capture, sent: &Value) -> Self {
        let case = &capture.case;
        // What an agent's loop adds to the history is not the provider's doing: it is taken from the capture.
        let by_agent = case["kind"].as_str().is_some_and(|kind| kind.starts_with("agent"));
        let messages = if by_agent { &sent["messages"] } else { &case["messages"] };
        let messages: Vec<Message> = parsed(messages);
        let tools = if by_agent {
            let specs = sent.pointer("/toolConfig/tools").and_then(Value::as_array);
            specs.into_iter().flatten().map(|tool| parsed::<ToolSpec>(&tool["toolSpec"])).collect()
        } else {
            let specs: Option<Vec<ToolSpec>> = parsed(&case["tool_specs"]);
            specs.unwrap_or_default().into_iter().collect()
        };
        let choice = if by_agent {
            parsed(sent.pointer("/toolConfig/toolChoice").unwrap_or(&Value::Null))
        } else {
            parsed(&case["tool_choice"])
        };
        let system: Option<Vec<SystemBlock>> = parsed(&case["system_prompt_content"]);
        let prompt = case["system_prompt"].as_str().filter(|prompt| !prompt.is_empty());
        Self {
            messages: messages.into_iter().map(Arc::new).collect(),
            system: system.or_else(|| Some(vec![SystemBlock::from(prompt?)])).unwrap_or_default(),
            tools,
            choice,
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The reference's options by the names of our builder.
fn configured(mut builder: BedrockModelBuilder, config: &Value) -> BedrockModelBuilder {
    let config = config.as_object().cloned().unwrap_or_default();
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let object = |name: &str| config.get(name).and_then(Value::as_object).cloned();
    let texts = |name: &str| -> Option<Vec<String>> { Some(parsed(config.get(name)?)) };
    if let Some(tokens) = config.get("max_tokens").and_then(Value::as_u64) {
        builder = builder.max_tokens(tokens.try_into().unwrap());
    }
    if let Some(temperature) = config.get("temperature").and_then(Value::as_f64) {
        builder = builder.temperature(temperature);
    }
    if let Some(top_p) = config.get("top_p").and_then(Value::as_f64) {
        builder = builder.top_p(top_p);
    }
    if let Some(sequences) = texts("stop_sequences") {
        builder = builder.stop_sequences(sequences);
    }
    if let Some(streaming) = config.get("streaming").and_then(Value::as_bool) {
        builder = builder.streaming(streaming);
    }
    if let Some(strict) = config.get("strict_tools").and_then(Value::as_bool) {
        builder = builder.strict_tools(strict);
    }
    builder = match text("service_tier") {
        Some("priority") => builder.service_tier(ServiceTier::Priority),
        Some("flex") => builder.service_tier(ServiceTier::Flex),
        Some("default") => builder.service_tier(ServiceTier::Default),
        _ => builder,
    };
    for (name, value) in object("additional_request_fields").unwrap_or_default() {
        builder = builder.additional_request_field(name, value);
    }
    if let Some(paths) = texts("additional_response_field_paths") {
        builder = builder.additional_response_field_paths(paths);
    }
    for (name, value) in object("additional_args").unwrap_or_default() {
        builder = builder.extra(name, value);
    }
    builder = match config.get("include_tool_result_status") {
        Some(Value::Bool(true)) => builder.tool_result_status(ToolResultStatusPolicy::Always),
        Some(Value::Bool(false)) => builder.tool_result_status(ToolResultStatusPolicy::Never),
        _ => builder,
    };
    if let (Some(id), Some(version)) = (text("guardrail_id"), text("guardrail_version")) {
        builder = builder.guardrail(guardrail(id, version, &config));
    }
    if let Some(cache) = cache(&config) {
        builder = builder.cache(cache);
    }
    builder
}

fn guardrail(id: &str, version: &str, config: &Map<String, Value>) -> Guardrail {
    let mut guardrail =
        Guardrail::new(id, version).trace(match config.get("guardrail_trace").and_then(Value::as_str) {
            Some("enabled_full") => GuardrailTrace::EnabledFull,
            Some("disabled") => GuardrailTrace::Disabled,
            _ => GuardrailTrace::Enabled,
        });
    match config.get("guardrail_stream_processing_mode").and_then(Value::as_str) {
        Some("sync") => guardrail = guardrail.stream_processing_mode(GuardrailStreamMode::Sync),
        Some("async") => guardrail = guardrail.stream_processing_mode(GuardrailStreamMode::Async),
        _ => {}
    }
    guardrail.latest_message(config.get("guardrail_latest_message") == Some(&Value::Bool(true)))
}

fn cache(config: &Map<String, Value>) -> Option<CacheConfig> {
    let section = |value: Option<&Value>, otherwise: CacheSection| match value {
        Some(Value::Bool(true)) => CacheSection::On,
        Some(Value::Bool(false)) => CacheSection::Off,
        Some(Value::String(ttl)) => CacheSection::Ttl(ttl.clone()),
        _ => otherwise,
    };
    let Some(given) = config.get("cache_config").and_then(Value::as_object) else {
        // The older option for tools alone works for any model.
        config.get("cache_tools").filter(|tools| !tools.is_null())?;
        return Some(
            CacheConfig::new()
                .strategy(CacheStrategy::Anthropic)
                .tools(CacheSection::On)
                .system(CacheSection::Off)
                .messages(CacheSection::Off),
        );
    };
    let mut cache = CacheConfig::new()
        .tools(section(given.get("tools_ttl"), CacheSection::Off))
        .system(section(given.get("system_prompt_ttl"), CacheSection::On));
    if config.get("cache_tools").is_some_and(|tools| !tools.is_null()) {
        cache = cache.tools(CacheSection::On);
    }
    if let Some(ttl) = given.get("ttl").and_then(Value::as_str) {
        cache = cache.ttl(ttl);
    }
    if given.get("strategy").and_then(Value::as_str) == Some("anthropic") {
        cache = cache.strategy(CacheStrategy::Anthropic);
    }
    Some(cache)
}
